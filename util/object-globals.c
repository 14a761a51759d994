/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -global: property values for every later object of a type. */
#include "util/error.h"
#include "util/object.h"
#include "util/report.h"

typedef struct Global {
    char *type;
    char *property;
    char *value;
    gboolean used;
} Global;

static GArray *globals; /* of Global */

void vm_globals_add(const char *type, const char *property, const char *value)
{
    Global global = {g_strdup(type), g_strdup(property), g_strdup(value), FALSE};

    if (!globals) {
        globals = g_array_new(FALSE, FALSE, sizeof(Global));
    }
    g_array_append_val(globals, global);
}

gboolean vm_globals_apply(VmObject *object, GError **error)
{
    for (guint i = 0; globals && i < globals->len; i++) {
        Global *global = &g_array_index(globals, Global, i);
        GType type = vm_type_find(global->type);
        if (!type || !G_TYPE_CHECK_INSTANCE_TYPE(object, type)) {
            continue;
        }
        global->used = TRUE;
        if (!vm_object_set_string(object, global->property, global->value, error)) {
            g_prefix_error(error, "-global %s.%s=%s: ", global->type, global->property,
                           global->value);
            return FALSE;
        }
    }
    return TRUE;
}

void vm_globals_report_unused(void)
{
    for (guint i = 0; globals && i < globals->len; i++) {
        const Global *global = &g_array_index(globals, Global, i);
        if (!vm_type_find(global->type)) {
            report_warning("-global %s.%s=%s: there is no type '%s'", global->type,
                           global->property, global->value, global->type);
        } else if (!global->used) {
            report_warning("-global %s.%s=%s: no object of type '%s' was made", global->type,
                           global->property, global->value, global->type);
        }
    }
}
