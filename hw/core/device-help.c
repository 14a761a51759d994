/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What -device help and -device TYPE,help print: read from the types themselves. */
#include "hw/core/device.h"

#include <stdio.h>

static const char *category_of(GType type)
{
    return DEVICE_CLASS(g_type_class_ref(type))->category;
}

static void collect(GType type, gpointer opaque)
{
    GArray *types = opaque;

    if (g_type_is_a(type, TYPE_DEVICE) && !G_TYPE_IS_ABSTRACT(type) &&
        DEVICE_CLASS(g_type_class_ref(type))->user_creatable) {
        g_array_append_val(types, type);
    }
}

static int compare(gconstpointer left, gconstpointer right)
{
    GType first = *(const GType *)left;
    GType second = *(const GType *)right;
    int order = strcmp(category_of(first), category_of(second));

    return order ? order : strcmp(g_type_name(first), g_type_name(second));
}

static void print_type(GType type)
{
    DeviceClass *class = g_type_class_peek(type);

    printf("name \"%s\"", g_type_name(type));
    if (class->bus) {
        printf(", bus %s", class->bus);
    }
    if (class->parent.description) {
        printf(", desc \"%s\"", class->parent.description);
    }
    printf("%s\n", class->hotpluggable ? "" : ", no hot-plug");
}

void device_print_help(void)
{
    g_autoptr(GArray) types = g_array_new(FALSE, FALSE, sizeof(GType));
    const char *heading = "";

    vm_types_foreach(collect, types);
    g_array_sort(types, compare);
    for (guint i = 0; i < types->len; i++) {
        GType type = g_array_index(types, GType, i);
        if (strcmp(heading, category_of(type)) != 0) {
            printf("%s%c%s devices:\n", *heading ? "\n" : "", g_ascii_toupper(*category_of(type)),
                   category_of(type) + 1);
            heading = category_of(type);
        }
        print_type(type);
    }
}

gboolean device_print_type_help(const char *type_name, GError **error)
{
    GType type = device_type_find(type_name, error);

    if (type) {
        vm_type_print_help(type);
    }
    return type != 0;
}
