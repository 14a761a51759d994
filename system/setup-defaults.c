/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What -nographic puts on standard input and output.  The console and the monitor share them, or
 * whichever of the two the user has not put elsewhere has them alone; -nodefaults: neither.
 */
#include "setup-internal.h"

#include "util/options.h"

/* Also as "-serial mon:CHARDEV". */
static gboolean has_monitor(const GArray *items)
{
    FOR_EACH_ITEM(items, item, "serial")
    {
        if (g_str_has_prefix(item->value, "mon:")) {
            return TRUE;
        }
    }
    return command_line_has(items, "monitor") || command_line_has(items, "mon") ||
           command_line_has(items, "qmp") || command_line_has(items, "qmp-pretty");
}

/* Also as a -device; a machine without devices has no port either. */
static gboolean has_serial(const GArray *items)
{
    const GArray *devices = setup_group("device");
    const char *machine = command_line_last(items, "machine");
    const char *short_machine = command_line_last(items, "M");

    for (guint i = 0; i < devices->len; i++) {
        json_object *options = g_array_index(devices, SetupEntry, i).options;
        if (!g_strcmp0(options_get(options, "driver"), "isa-serial")) {
            return TRUE;
        }
    }
    return command_line_has(items, "serial") || (machine && g_str_has_prefix(machine, "none")) ||
           (short_machine && g_str_has_prefix(short_machine, "none"));
}

static gboolean has_defaults(const GArray *items)
{
    return command_line_has(items, "nographic") && !command_line_has(items, "nodefaults");
}

const char *setup_default_serial(const GArray *items)
{
    if (!has_defaults(items) || has_serial(items)) {
        return NULL;
    }
    return has_monitor(items) ? "stdio" : "mon:stdio";
}

gboolean setup_default_monitor(const GArray *items)
{
    return has_defaults(items) && has_serial(items) && !has_monitor(items);
}
