/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registry of commands, events and types, which the rooms' constructors fill before main(). */
#include "qmp-internal.h"

#include <string.h>

/* Arrays of pointers into the rooms' static tables. */
static GPtrArray *commands;
static GPtrArray *events;
static GPtrArray *types;
static gboolean sorted;

/* All three tables' entries begin with their name. */
static gint compare_names(gconstpointer left, gconstpointer right)
{
    const char *const *const *a = left, *const *const *b = right;

    return strcmp(**a, **b);
}

static void registry_init(void)
{
    if (!commands) {
        commands = g_ptr_array_new();
        events = g_ptr_array_new();
        types = g_ptr_array_new();
    }
}

void qmp_register(const QmpCommand *new_commands, const QmpEvent *new_events,
                  const QmpType *new_types)
{
    registry_init();
    sorted = FALSE;
    for (; new_commands && new_commands->name; new_commands++) {
        g_ptr_array_add(commands, (gpointer)new_commands);
    }
    for (; new_events && new_events->name; new_events++) {
        g_ptr_array_add(events, (gpointer)new_events);
    }
    for (; new_types && new_types->name; new_types++) {
        g_ptr_array_add(types, (gpointer)new_types);
    }
}

static void registry_sort(void)
{
    registry_init();
    if (!sorted) {
        g_ptr_array_sort(commands, compare_names);
        g_ptr_array_sort(events, compare_names);
        g_ptr_array_sort(types, compare_names);
        sorted = TRUE;
    }
}

GPtrArray *qmp_commands(void)
{
    registry_sort();
    return commands;
}

GPtrArray *qmp_events(void)
{
    registry_sort();
    return events;
}

GPtrArray *qmp_types(void)
{
    registry_sort();
    return types;
}

const QmpCommand *qmp_command_find(const char *name)
{
    GPtrArray *all = qmp_commands();
    guint low = 0, high = all->len;

    while (low < high) {
        guint middle = (low + high) / 2;
        const QmpCommand *command = g_ptr_array_index(all, middle);
        int order = strcmp(name, command->name);

        if (order == 0) {
            return command;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

/* --- access to checked arguments --- */

const char *qmp_string(json_object *arguments, const char *name)
{
    return json_object_get_string(json_object_object_get(arguments, name));
}

gint64 qmp_int(json_object *arguments, const char *name, gint64 otherwise)
{
    json_object *value;

    return json_object_object_get_ex(arguments, name, &value) ? json_object_get_int64(value)
                                                              : otherwise;
}

guint64 qmp_uint(json_object *arguments, const char *name, guint64 otherwise)
{
    json_object *value;

    return json_object_object_get_ex(arguments, name, &value) ? json_object_get_uint64(value)
                                                              : otherwise;
}

gboolean qmp_bool(json_object *arguments, const char *name, gboolean otherwise)
{
    json_object *value;

    return json_object_object_get_ex(arguments, name, &value) ? json_object_get_boolean(value)
                                                              : otherwise;
}
