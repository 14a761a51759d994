/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What TYPE,help prints: the properties of a type that can be set, a line each. */
#include "util/json.h"
#include "util/object.h"

#include <stdio.h>

json_object *vm_field_default(const VmField *field)
{
    if (field->get) {
        return NULL;
    }
    switch (field->kind) {
    case VM_FIELD_BOOL:
        return json_object_new_boolean(field->default_value != 0);
    case VM_FIELD_INT32:
        return json_object_new_int64((gint64)field->default_value);
    case VM_FIELD_UINT8:
    case VM_FIELD_UINT16:
    case VM_FIELD_UINT32:
    case VM_FIELD_UINT64:
    case VM_FIELD_SIZE:
        return json_object_new_uint64(field->default_value);
    case VM_FIELD_ENUM:
        return json_object_new_string(field->names[field->default_value]);
    case VM_FIELD_STRING:
    case VM_FIELD_LINK:
    case VM_FIELD_UINT16_LIST:
        break;
    }
    return NULL;
}

static gboolean is_settable(const VmField *field)
{
    return !(field->flags & VM_FIELD_READ_ONLY) && (!field->get || field->set);
}

/* "NAME=<TYPE>", as it stands in the first column. */
static char *field_title(const VmField *field)
{
    return g_strdup_printf("%s=<%s>", field->name, vm_field_type_name(field));
}

static int title_width(const GPtrArray *fields)
{
    gsize width = 0;

    for (guint i = 0; i < fields->len; i++) {
        g_autofree char *title = field_title(fields->pdata[i]);
        width = is_settable(fields->pdata[i]) ? MAX(width, strlen(title)) : width;
    }
    return (int)width;
}

static void print_field(const VmField *field, int width)
{
    g_autofree char *title = field_title(field);
    g_autoptr(json_object) value = vm_field_default(field);

    printf("  %-*s  %s", width, title, field->doc ? field->doc : "");
    for (guint i = 0; field->kind == VM_FIELD_ENUM && field->names[i]; i++) {
        printf("%s%s", i ? ", " : ": ", field->names[i]);
    }
    if (field->flags & VM_FIELD_REQUIRED) {
        printf(" (required)");
    } else if (value) {
        printf(" (default: %s)", json_object_get_string(value));
    }
    printf("\n");
}

void vm_type_print_help(GType type)
{
    const GPtrArray *fields = vm_type_fields(type);
    int width = title_width(fields);

    printf("%s options:\n", g_type_name(type));
    for (guint i = 0; i < fields->len; i++) {
        if (is_settable(fields->pdata[i])) {
            print_field(fields->pdata[i], width);
        }
    }
}
