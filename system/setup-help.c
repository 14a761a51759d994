/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options that only print: -help, -version, and "help" as an argument. */
#include "setup-internal.h"
#include "setup.h"

#include "accel/accel.h"
#include "accel/cpu-model.h"
#include "chardev/chardev.h"
#include "hw/core/device.h"
#include "hw/core/machine.h"
#include "net/net.h"
#include "util/error.h"
#include "util/object.h"
#include "util/report.h"
#include "util/trace.h"

#include <stdio.h>

static void print_trace_event(TraceEvent *event, gpointer opaque G_GNUC_UNUSED)
{
    printf("  %-28s %s\n", event->name, event->doc);
}

static void print_object_type(GType type, gpointer opaque G_GNUC_UNUSED)
{
    g_autoptr(GTypeClass) class = g_type_class_ref(type);
    const VmObjectClass *object_class = VM_OBJECT_CLASS(class);

    if (!G_TYPE_IS_ABSTRACT(type) && object_class->complete) {
        printf("  %-28s %s\n", g_type_name(type),
               object_class->description ? object_class->description : "");
    }
}

static gboolean print_object_help(const char *type, GError **error)
{
    GType found = vm_type_find(type);
    g_autoptr(GTypeClass) class = found ? g_type_class_ref(found) : NULL;
    if (!found || G_TYPE_IS_ABSTRACT(found) || !VM_OBJECT_CLASS(class)->complete) {
        vm_error_set(error, "-object %s: no such type; -object help lists them", type);
        return FALSE;
    }
    vm_type_print_help(found);
    return TRUE;
}

/* "help", "?", "TYPE,help" and "TYPE,?" as QEMU's users ask.  Returns the type, "" without one,
 * NULL if it is no question. */
static char *asked_type(const char *value)
{
    const char *comma = value ? strchr(value, ',') : NULL;

    if (!value) {
        return NULL;
    }
    if (!strcmp(value, "help") || !strcmp(value, "?")) {
        return g_strdup("");
    }
    if (comma && (!strcmp(comma, ",help") || !strcmp(comma, ",?"))) {
        return g_strndup(value, comma - value);
    }
    return NULL;
}

static gboolean print_machine_help(const char *name, GError **error)
{
    const MachineClass *class = machine_find(name, error);

    if (!class) {
        g_prefix_error(error, "-machine %s: ", name);
        return FALSE;
    }
    vm_type_print_help(G_TYPE_FROM_CLASS(class));
    return TRUE;
}

static gboolean print_for_option(const CommandLineOption *option, const char *type, GError **error)
{
    const char *name = option->name;

    gboolean machine = !strcmp(name, "machine") || !strcmp(name, "M");

    if (machine && *type) {
        return print_machine_help(type, error);
    }
    if (machine) {
        machine_print_help();
    } else if (!strcmp(name, "accel")) {
        accel_print_help();
    } else if (!strcmp(name, "cpu")) {
        cpu_model_print_help();
    } else if (!strcmp(name, "chardev") && *type) {
        return chardev_print_backend_help(type, error);
    } else if (!strcmp(name, "chardev")) {
        chardev_print_help();
    } else if (!strcmp(name, "netdev") && *type) {
        return netdev_print_type_help(type, error);
    } else if (!strcmp(name, "netdev")) {
        netdev_print_help();
    } else if (!strcmp(name, "trace") || !strcmp(name, "d")) {
        printf("Trace events:\n");
        trace_foreach(print_trace_event, NULL);
    } else if (!strcmp(name, "object") && *type) {
        return print_object_help(type, error);
    } else if (!strcmp(name, "object")) {
        printf("Types of -object:\n");
        vm_types_foreach(print_object_type, NULL);
    } else if (!strcmp(name, "device") && *type) {
        return device_print_type_help(type, error);
    } else {
        device_print_help();
    }
    return TRUE;
}

static gboolean has_help(const CommandLineOption *option)
{
    static const char *const names[] = {"machine", "M", "accel",  "chardev", "cpu", "netdev",
                                        "trace",   "d", "object", "device",  NULL};
    return g_strv_contains(names, option->name);
}

gboolean setup_print_only(const GArray *items, int *status)
{
    *status = 0;
    if (command_line_has(items, "help") || command_line_has(items, "h")) {
        command_line_print_help();
        return TRUE;
    }
    if (command_line_has(items, "version")) {
        command_line_print_version();
        return TRUE;
    }
    for (guint i = 0; i < items->len; i++) {
        const CommandLineItem *item = &g_array_index(items, CommandLineItem, i);
        g_autofree char *type = has_help(item->option) ? asked_type(item->value) : NULL;
        g_autoptr(GError) error = NULL;
        if (!type) {
            continue;
        }
        if (!print_for_option(item->option, type, &error)) {
            report_error("%s", error->message);
            *status = 1;
        }
        return TRUE;
    }
    return FALSE;
}
