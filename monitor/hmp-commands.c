/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of the human monitor's commands.  Most are a QMP command with its arguments written
 * in one line; info's subcommands are in hmp-info.c and hmp-trees.c.
 */
#include "hmp-internal.h"

#include "chardev/chardev.h"
#include "util/error.h"
#include "util/object.h"
#include "util/options.h"
#include "util/report.h"
#include "util/size.h"

#include "qmp-internal.h"

#include <string.h>

/* --- commands that are no QMP command --- */

static void run_help(GString *output, json_object *arguments, GError **error G_GNUC_UNUSED)
{
    hmp_print_help(output, qmp_string(arguments, "name"));
}

static void run_info(GString *output, json_object *arguments G_GNUC_UNUSED,
                     GError **error G_GNUC_UNUSED)
{
    hmp_print_info_list(output);
}

/* Not by QMP's command, where a number may not come as text. */
static void run_object_add(GString *output G_GNUC_UNUSED, json_object *arguments, GError **error)
{
    vm_object_create(arguments, error);
}

/* The machine runs: nobody waits for a client. */
static void run_chardev_add(GString *output, json_object *arguments, GError **error)
{
    const char *wait = options_get(arguments, "wait");
    const char *server = options_get(arguments, "server");
    gboolean waits = FALSE, serves = FALSE;

    if (wait && !bool_parse(wait, &waits, error)) {
        g_prefix_error(error, "wait: ");
        return;
    }
    if (waits) {
        vm_error_set(error, "wait=on is possible at start-up only, use wait=off");
        return;
    }
    if (!wait && server && bool_parse(server, &serves, NULL) && serves) {
        json_add_string(arguments, "wait", "off");
    }
    Chardev *chardev = chardev_create(arguments, error);
    g_autofree char *filename = chardev ? chardev_filename(chardev) : NULL;
    if (filename && g_str_has_prefix(filename, "pty:")) {
        g_string_append_printf(output, "char device redirected to %s (label %s)\n",
                               filename + strlen("pty:"), VM_OBJECT(chardev)->id);
    }
}

static void run_log_file(GString *output G_GNUC_UNUSED, json_object *arguments, GError **error)
{
    report_log_open(qmp_string(arguments, "path"), FALSE, error);
}

/* --- arguments and answers --- */

static json_object *prepare_trace(json_object *arguments, GError **error)
{
    json_object *option;

    if (json_object_object_get_ex(arguments, "name", &option) && *qmp_string(arguments, "name")) {
        return json_object_get(arguments);
    }
    vm_error_set(error, "trace-event: name '' is empty; expected an event's name or a pattern");
    return NULL;
}

/* What looks like JSON is JSON, the rest is text, which the property converts. */
static json_object *prepare_qom_set(json_object *arguments, GError **error G_GNUC_UNUSED)
{
    const char *text = qmp_string(arguments, "value");
    json_object *value = *text == '[' || *text == '{' ? json_parse(text, NULL) : NULL;

    if (value) {
        json_object_object_add(arguments, "value", value);
    }
    return json_object_get(arguments);
}

static void print_json(GString *output, json_object *result)
{
    g_string_append_printf(output, "%s\n",
                           json_object_to_json_string_ext(
                               result, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void print_properties(GString *output, json_object *result)
{
    for (gsize i = 0; i < json_object_array_length(result); i++) {
        json_object *property = json_object_array_get_idx(result, i);
        g_string_append_printf(output, "%s (%s)\n", qmp_string(property, "name"),
                               qmp_string(property, "type"));
    }
}

static void print_ringbuf(GString *output, json_object *result)
{
    g_string_append(output, json_object_get_string(result));
    if (output->len > 0 && output->str[output->len - 1] != '\n') {
        g_string_append_c(output, '\n');
    }
}

/* --- the table --- */

#define DEVICE(argument) .name = (argument), .kind = HMP_WORD, .complete = hmp_complete_device
#define OBJECT(argument) .name = (argument), .kind = HMP_WORD, .complete = hmp_complete_object
#define CHARDEV(argument) .name = (argument), .kind = HMP_WORD, .complete = hmp_complete_chardev
#define PATH(argument) .name = (argument), .kind = HMP_WORD, .complete = hmp_complete_path
#define SWITCH(argument) .name = (argument), .kind = HMP_SWITCH, .complete = hmp_complete_switch

static const HmpCommand commands[] = {
    {.name = "help",
     .alias = "?",
     .arguments =
         {{.name = "name", .kind = HMP_WORD, .optional = TRUE, .complete = hmp_complete_command}},
     .help = "list the commands, or describe one",
     .run = run_help},
    {.name = "info", .help = "list what info can show", .run = run_info},
    {.name = "quit", .alias = "q", .help = "end the program", .qmp = "quit"},
    {.name = "stop", .alias = "s", .help = "pause the guest", .qmp = "stop"},
    {.name = "cont", .alias = "c", .help = "let the guest run", .qmp = "cont"},
    {.name = "system_reset", .help = "reset the machine", .qmp = "system_reset"},
    {.name = "system_powerdown", .help = "press the power button", .qmp = "system_powerdown"},
    {.name = "nmi", .help = "send a non-maskable interrupt to the CPUs", .qmp = "inject-nmi"},
    {.name = "device_add",
     .arguments = {{.name = "driver",
                    .kind = HMP_OPTIONS,
                    .complete = hmp_complete_device_options}},
     .help = "add a device, as -device does",
     .qmp = "device_add"},
    {.name = "device_del",
     .arguments = {{DEVICE("id")}},
     .help = "remove a device: asks the guest to let it go",
     .qmp = "device_del"},
    {.name = "object_add",
     .arguments = {{.name = "qom-type",
                    .kind = HMP_OPTIONS,
                    .complete = hmp_complete_object_options}},
     .help = "create an object, as -object does",
     .run = run_object_add},
    {.name = "object_del",
     .arguments = {{OBJECT("id")}},
     .help = "remove an object",
     .qmp = "object-del"},
    {.name = "netdev_add",
     .arguments = {{.name = "type", .kind = HMP_OPTIONS}},
     .help = "add a network backend, as -netdev does",
     .qmp = "netdev_add"},
    {.name = "netdev_del",
     .arguments = {{.name = "id", .kind = HMP_WORD}},
     .help = "remove a network backend",
     .qmp = "netdev_del"},
    {.name = "set_link",
     .arguments = {{DEVICE("name")}, {SWITCH("up")}},
     .help = "plug or unplug a network device's cable",
     .qmp = "set_link"},
    {.name = "chardev-add",
     .arguments = {{.name = "backend",
                    .kind = HMP_OPTIONS,
                    .complete = hmp_complete_chardev_options}},
     .help = "create a character device, as -chardev does",
     .run = run_chardev_add},
    {.name = "chardev-remove",
     .arguments = {{CHARDEV("id")}},
     .help = "remove a character device that nobody uses",
     .qmp = "chardev-remove"},
    {.name = "chardev-send-break",
     .arguments = {{CHARDEV("id")}},
     .help = "send a break condition to what uses the character device",
     .qmp = "chardev-send-break"},
    {.name = "ringbuf_read",
     .arguments = {{CHARDEV("device")}, {.name = "size", .kind = HMP_NUMBER}},
     .help = "take text out of a ring buffer",
     .qmp = "ringbuf-read",
     .print = print_ringbuf},
    {.name = "ringbuf_write",
     .arguments = {{CHARDEV("device")}, {.name = "data", .kind = HMP_WORD}},
     .help = "put text into a ring buffer",
     .qmp = "ringbuf-write"},
    {.name = "qom-list",
     .arguments = {{PATH("path")}},
     .help = "list the properties and children of an object",
     .qmp = "qom-list",
     .print = print_properties},
    {.name = "qom-get",
     .arguments = {{PATH("path")}, {.name = "property", .kind = HMP_WORD}},
     .help = "show a property",
     .qmp = "qom-get",
     .print = print_json},
    {.name = "qom-set",
     .arguments = {{PATH("path")},
                   {.name = "property", .kind = HMP_WORD},
                   {.name = "value", .kind = HMP_WORD}},
     .help = "change a property",
     .qmp = "qom-set",
     .prepare = prepare_qom_set},
    {.name = "trace-event",
     .arguments = {{.name = "name", .kind = HMP_WORD, .complete = hmp_complete_trace_event},
                   {SWITCH("enable")}},
     .help = "switch trace events on or off, by name or pattern",
     .qmp = "trace-event-set-state",
     .prepare = prepare_trace},
    {.name = "logfile",
     .arguments = {{.name = "path", .kind = HMP_REST}},
     .help = "write the log to a file",
     .run = run_log_file},
    {.name = NULL},
};

/* --- finding --- */

static gboolean is_there(const HmpCommand *command)
{
    return !command->qmp || qmp_command_find(command->qmp);
}

static gint compare_names(gconstpointer left, gconstpointer right)
{
    const HmpCommand *const *a = left, *const *b = right;

    return strcmp((*a)->name, (*b)->name);
}

static void add_table(GPtrArray *all, const HmpCommand *command)
{
    for (; command->name; command++) {
        if (is_there(command)) {
            g_ptr_array_add(all, (gpointer)command);
        }
    }
}

GPtrArray *hmp_commands(void)
{
    GPtrArray *all = g_ptr_array_new();

    add_table(all, commands);
    add_table(all, hmp_info_commands);
    add_table(all, hmp_tree_commands);
    g_ptr_array_sort(all, compare_names);
    return all;
}

const HmpCommand *hmp_command_find(const char *name)
{
    g_autoptr(GPtrArray) all = hmp_commands();

    for (guint i = 0; i < all->len; i++) {
        const HmpCommand *command = all->pdata[i];
        if (!strcmp(command->name, name) || !g_strcmp0(command->alias, name)) {
            return command;
        }
    }
    return NULL;
}

/* --- help --- */

char *hmp_command_usage(const HmpCommand *command)
{
    GString *usage = g_string_new(command->name);

    for (const HmpArgument *argument = command->arguments;
         argument < command->arguments + HMP_ARGUMENTS_MAX && argument->name; argument++) {
        g_string_append_printf(usage, argument->optional ? " [%s]" : " %s", argument->name);
        if (argument->kind == HMP_OPTIONS) {
            g_string_append(usage, "[,key=value...]");
        } else if (argument->kind == HMP_SWITCH) {
            g_string_append(usage, "=on|off");
        }
    }
    return g_string_free(usage, FALSE);
}

static void print_row(GString *output, const HmpCommand *command)
{
    g_autofree char *usage = hmp_command_usage(command);

    g_string_append_printf(output, "%s%s%s -- %s\n", usage, command->alias ? " | " : "",
                           command->alias ? command->alias : "", command->help);
}

static void print_rows(GString *output, gboolean info)
{
    g_autoptr(GPtrArray) all = hmp_commands();

    for (guint i = 0; i < all->len; i++) {
        const HmpCommand *command = all->pdata[i];
        if (g_str_has_prefix(command->name, "info ") == info) {
            print_row(output, command);
        }
    }
}

void hmp_print_info_list(GString *output)
{
    print_rows(output, TRUE);
}

void hmp_print_help(GString *output, const char *name)
{
    const HmpCommand *command = name ? hmp_command_find(name) : NULL;

    if (!name) {
        print_rows(output, FALSE);
    } else if (!strcmp(name, "info")) {
        hmp_print_info_list(output);
    } else if (command) {
        print_row(output, command);
    } else {
        g_string_append_printf(output, "Error: unknown command: '%s'; help lists them\n", name);
    }
}
