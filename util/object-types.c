/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of types, and how a field table becomes GObject properties.  Types
 * announce themselves before main() and are registered at the first question.
 */
#include "util/object-private.h"

#include <string.h>

static GQuark field_quark(void)
{
    return g_quark_from_static_string("vm-field");
}

static GQuark fields_quark(void)
{
    return g_quark_from_static_string("vm-fields");
}

typedef GType TypeGetter(void);

static GArray *getters;     /* of TypeGetter * */
static guint getters_asked; /* those before are registered with GObject */

void vm_types_add(GType (*get_type)(void))
{
    if (!getters) {
        getters = g_array_new(FALSE, FALSE, sizeof(TypeGetter *));
    }
    g_array_append_val(getters, get_type);
}

static void register_types(void)
{
    while (getters && getters_asked < getters->len) {
        g_array_index(getters, TypeGetter *, getters_asked++)();
    }
}

GType vm_type_find(const char *name)
{
    register_types();
    GType type = g_type_from_name(name);

    return type && g_type_is_a(type, VM_TYPE_OBJECT) ? type : 0;
}

static int compare_types(gconstpointer a, gconstpointer b)
{
    GType first = *(const GType *)a, second = *(const GType *)b;
    guint first_depth = g_type_depth(first), second_depth = g_type_depth(second);

    if (first_depth != second_depth) {
        return first_depth < second_depth ? -1 : 1;
    }
    return strcmp(g_type_name(first), g_type_name(second));
}

void vm_types_foreach(void (*visit)(GType type, gpointer opaque), gpointer opaque)
{
    g_autoptr(GArray) types = g_array_new(FALSE, FALSE, sizeof(GType));

    register_types();
    for (guint i = 0; i < getters->len; i++) {
        GType type = g_array_index(getters, TypeGetter *, i)();
        g_array_append_val(types, type);
    }
    g_array_sort(types, compare_types);
    for (guint i = 0; i < types->len; i++) {
        visit(g_array_index(types, GType, i), opaque);
    }
}

/* --- fields --- */

static GParamSpec *number_spec(const VmField *field, GParamFlags flags)
{
    guint64 minimum, maximum;

    field_range(field, &minimum, &maximum);
    switch (field->kind) {
    case VM_FIELD_INT32:
        return g_param_spec_int(field->name, NULL, field->doc, (gint)(gint64)minimum,
                                (gint)(gint64)maximum, (gint)(gint64)field->default_value, flags);
    case VM_FIELD_UINT64:
    case VM_FIELD_SIZE:
        return g_param_spec_uint64(field->name, NULL, field->doc, minimum, maximum,
                                   CLAMP(field->default_value, minimum, maximum), flags);
    default:
        return g_param_spec_uint(field->name, NULL, field->doc, (guint)minimum, (guint)maximum,
                                 (guint)CLAMP(field->default_value, minimum, maximum), flags);
    }
}

static GParamSpec *field_spec(const VmField *field)
{
    gboolean read_only = (field->flags & VM_FIELD_READ_ONLY) || (field->get && !field->set);
    /* Not G_PARAM_STATIC_NAME: GObject's own name of "num_queues" is "num-queues". */
    GParamFlags flags = G_PARAM_STATIC_NICK | G_PARAM_STATIC_BLURB | G_PARAM_READABLE |
                        G_PARAM_EXPLICIT_NOTIFY | (read_only ? 0 : G_PARAM_WRITABLE);

    switch (field->kind) {
    case VM_FIELD_BOOL:
        return g_param_spec_boolean(field->name, NULL, field->doc, field->default_value != 0,
                                    flags);
    case VM_FIELD_ENUM:
        return g_param_spec_string(field->name, NULL, field->doc,
                                   field->names[field->default_value], flags);
    case VM_FIELD_LINK:
        return g_param_spec_object(field->name, NULL, field->doc, field->link_type(), flags);
    case VM_FIELD_STRING:
    case VM_FIELD_UINT16_LIST:
        return g_param_spec_string(field->name, NULL, field->doc, NULL, flags);
    default:
        return number_spec(field, flags);
    }
}

void vm_object_class_install_fields(gpointer class, const VmField *fields)
{
    /* GObject gives every class empty accessors, so that each sets its own. */
    object_class_init_properties(class);
    for (guint i = 0; fields[i].name; i++) {
        GParamSpec *property = field_spec(&fields[i]);
        g_param_spec_set_qdata(property, field_quark(), (gpointer)&fields[i]);
        g_object_class_install_property(class, i + 1, property);
    }
}

const VmField *vm_field_of(GParamSpec *property)
{
    return g_param_spec_get_qdata(property, field_quark());
}

/* GObject lists the properties of a class in no order: sort by declaring type, then as declared. */
static int compare_specs(gconstpointer a, gconstpointer b)
{
    const GParamSpec *first = *(GParamSpec *const *)a, *second = *(GParamSpec *const *)b;
    guint first_depth = g_type_depth(first->owner_type);
    guint second_depth = g_type_depth(second->owner_type);
    const VmField *first_field = vm_field_of((GParamSpec *)first);
    const VmField *second_field = vm_field_of((GParamSpec *)second);

    if (first_depth != second_depth) {
        return first_depth < second_depth ? -1 : 1;
    }
    return (first_field > second_field) - (first_field < second_field);
}

const ObjectFields *object_fields(GType type)
{
    ObjectFields *fields = g_type_get_qdata(type, fields_quark());
    if (fields) {
        return fields;
    }

    GObjectClass *class = g_type_class_ref(type);
    guint count;
    g_autofree GParamSpec **properties = g_object_class_list_properties(class, &count);
    if (count) {
        qsort(properties, count, sizeof(*properties), compare_specs);
    }
    fields = g_new0(ObjectFields, 1);
    fields->order = g_ptr_array_new();
    fields->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < count; i++) {
        const VmField *field = vm_field_of(properties[i]);
        if (field) {
            g_ptr_array_add(fields->order, (gpointer)field);
            g_hash_table_insert(fields->by_name, (gpointer)field->name, (gpointer)field);
        }
    }
    g_type_set_qdata(type, fields_quark(), fields);
    g_type_class_unref(class);
    return fields;
}

const GPtrArray *vm_type_fields(GType type)
{
    return object_fields(type)->order;
}

const char *vm_field_type_name(const VmField *field)
{
    static const char *const names[] = {
        [VM_FIELD_BOOL] = "bool",        [VM_FIELD_UINT8] = "uint8",   [VM_FIELD_UINT16] = "uint16",
        [VM_FIELD_UINT32] = "uint32",    [VM_FIELD_UINT64] = "uint64", [VM_FIELD_INT32] = "int32",
        [VM_FIELD_SIZE] = "size",        [VM_FIELD_STRING] = "str",    [VM_FIELD_ENUM] = "str",
        [VM_FIELD_UINT16_LIST] = "list",
    };

    if (field->type_name) {
        return field->type_name;
    }
    if (field->kind == VM_FIELD_LINK) {
        g_autofree char *name = g_strdup_printf("link<%s>", g_type_name(field->link_type()));
        return g_intern_string(name);
    }
    return names[field->kind];
}
