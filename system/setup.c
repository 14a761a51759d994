/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Applies the command line in order of need: test connection, chardevs,
 * monitors, machine, objects, RAM, devices.
 */
#include "setup.h"

#include "accel/accel.h"
#include "chardev/chardev.h"
#include "hw/core/device.h"
#include "hw/core/machine.h"
#include "monitor/monitor.h"
#include "system/command-line.h"
#include "system/identity.h"
#include "system/main-loop.h"
#include "system/memory.h"
#include "system/run-state.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/options.h"
#include "util/report.h"
#include "util/size.h"
#include "util/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Descriptors beside one for each memory slot: sockets, event fds, files. */
#define DESCRIPTORS_BESIDE_SLOTS 4096

/* Every option called @name, in the order given. */
#define FOR_EACH_ITEM(items, item, wanted)                                                         \
    for (const CommandLineItem *item = (const CommandLineItem *)(items)->data,                     \
                               *end_of_items = item + (items)->len;                                \
         item < end_of_items; item++)                                                              \
        if (!strcmp(item->option->name, wanted))

static const char *const list_keys[] = {"host-nodes", NULL};

/* --- options that only print --- */

static void print_trace_event(TraceEvent *event, gpointer opaque G_GNUC_UNUSED)
{
    printf("%s - %s\n", event->name, event->doc);
}

static void print_object_type(GType type, gpointer opaque G_GNUC_UNUSED)
{
    g_autoptr (GTypeClass)
        class = g_type_class_ref(type);
    const VmObjectClass *object_class = VM_OBJECT_CLASS(class);

    if (!G_TYPE_IS_ABSTRACT(type) && object_class->complete) {
        printf("  %-28s %s\n", g_type_name(type),
               object_class->description ? object_class->description : "");
    }
}

static gboolean print_object_help(const char *type, GError **error)
{
    GType found = vm_type_find(type);
    guint count;

    if (!found || G_TYPE_IS_ABSTRACT(found)) {
        vm_error_set(error, "-object %s: no such type; -object help lists them", type);
        return FALSE;
    }
    g_autoptr (GTypeClass)
        class = g_type_class_ref(found);
    g_autofree GParamSpec **properties =
        g_object_class_list_properties(G_OBJECT_CLASS(class), &count);
    printf("%s options:\n", type);
    for (guint i = 0; i < count; i++) {
        const VmField *field = vm_field_of(properties[i]);
        if (field) {
            printf("  %s=<%s> - %s\n", field->name, vm_field_type_name(field), field->doc);
        }
    }
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

static gboolean print_for_option(const CommandLineOption *option, const char *type, GError **error)
{
    const char *name = option->name;

    if (!strcmp(name, "machine") || !strcmp(name, "M")) {
        machine_print_help();
    } else if (!strcmp(name, "accel")) {
        accel_print_help();
    } else if (!strcmp(name, "chardev")) {
        chardev_print_help();
    } else if (!strcmp(name, "trace")) {
        trace_foreach(print_trace_event, NULL);
    } else if (!strcmp(name, "object") && *type) {
        return print_object_help(type, error);
    } else if (!strcmp(name, "object")) {
        printf("List of user creatable objects:\n");
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
    static const char *const names[] = {"machine", "M",      "accel",  "chardev",
                                        "trace",   "object", "device", NULL};
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
        g_autoptr (GError)
            error = NULL;
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

/* --- small options --- */

static gboolean apply_trace(const char *value, GError **error)
{
    g_autoptr (json_object)
        options = options_parse(value, "enable", NULL, error);
    if (!options) {
        g_prefix_error(error, "-trace %s: ", value);
        return FALSE;
    }
    g_autofree char *pattern = options_take(options, "enable");
    g_autofree char *events = options_take(options, "events");
    g_autofree char *file = options_take(options, "file");

    if (!options_check_empty(options, "-trace", "enable, events, file", error) ||
        (file && !report_log_open(file, error))) {
        return FALSE;
    }
    if (pattern && trace_enable_pattern(pattern, TRUE) == 0) {
        vm_error_set(error, "-trace %s: no such event; -trace help lists them", pattern);
        return FALSE;
    }
    if (events) {
        g_autofree char *text = NULL;
        if (!g_file_get_contents(events, &text, NULL, error)) {
            g_prefix_error(error, "-trace events=%s: ", events);
            return FALSE;
        }
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        for (guint i = 0; lines[i]; i++) {
            g_strstrip(lines[i]);
            if (lines[i][0] && lines[i][0] != '#' && !trace_enable_pattern(lines[i], TRUE)) {
                vm_error_set(error, "-trace events=%s: no event matches '%s'", events, lines[i]);
                return FALSE;
            }
        }
    }
    return TRUE;
}

static gboolean apply_name(const char *value, GError **error)
{
    g_autoptr (json_object)
        options = options_parse(value, "guest", NULL, error);
    gboolean debug_threads = TRUE; /* threads always carry their names here */
    if (!options) {
        g_prefix_error(error, "-name %s: ", value);
        return FALSE;
    }
    g_autofree char *guest = options_take(options, "guest");
    g_autofree char *process = options_take(options, "process");

    if (!options_take_bool(options, "-name", "debug-threads", &debug_threads, error) ||
        !options_check_empty(options, "-name", "guest, process, debug-threads", error)) {
        return FALSE;
    }
    if (guest) {
        identity_set_name(guest);
    }
    if (process) {
        prctl(PR_SET_NAME, process);
    }
    return TRUE;
}

static gboolean apply_run_with(const char *value, GError **error)
{
    g_autoptr (json_object)
        options = options_parse(value, NULL, NULL, error);
    gboolean exit_with_parent = FALSE;
    gboolean async_teardown = FALSE;
    pid_t parent = getppid();

    if (!options) {
        g_prefix_error(error, "-run-with %s: ", value);
        return FALSE;
    }
    if (!options_take_bool(options, "-run-with", "exit-with-parent", &exit_with_parent, error) ||
        !options_take_bool(options, "-run-with", "async-teardown", &async_teardown, error) ||
        !options_check_empty(options, "-run-with", "exit-with-parent, async-teardown", error)) {
        return FALSE;
    }
    if (async_teardown) {
        vm_error_set(error, "-run-with async-teardown=on: not supported; use off");
        return FALSE;
    }
    if (exit_with_parent && (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)) {
        vm_error_set(error, "-run-with exit-with-parent=on: the parent process has ended");
        return FALSE;
    }
    return TRUE;
}

static gboolean apply_add_fd(const char *value, GError **error)
{
    g_autoptr (json_object)
        options = options_parse(value, NULL, NULL, error);
    uint64_t fd = G_MAXUINT64;
    uint64_t set = G_MAXUINT64;

    if (!options) {
        g_prefix_error(error, "-add-fd %s: ", value);
        return FALSE;
    }
    g_autofree char *opaque = options_take(options, "opaque");
    if (!options_take_number(options, "-add-fd", "fd", 3, G_MAXINT32, &fd, error) ||
        !options_take_number(options, "-add-fd", "set", 0, G_MAXINT64, &set, error) ||
        !options_check_empty(options, "-add-fd", "fd, set, opaque", error)) {
        return FALSE;
    }
    if (fd == G_MAXUINT64 || set == G_MAXUINT64) {
        vm_error_set(error, "-add-fd %s: needs both fd= and set=", value);
        return FALSE;
    }
    gint64 set_id = (gint64)set;
    int copy = fcntl((int)fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) {
        vm_error_set_errno(error, errno, "-add-fd %s: descriptor %d", value, (int)fd);
        return FALSE;
    }
    if (!fd_set_add(&set_id, copy, opaque, error)) {
        close(copy);
        return FALSE;
    }
    close((int)fd);
    return TRUE;
}

static gboolean apply_global(const char *value, GError **error)
{
    const char *dot = strchr(value, '.');
    const char *equals = strchr(value, '=');

    if (dot && equals && dot < equals) {
        g_autofree char *type = g_strndup(value, dot - value);
        g_autofree char *property = g_strndup(dot + 1, equals - dot - 1);
        vm_globals_add(type, property, equals + 1);
        return TRUE;
    }
    g_autoptr (json_object)
        options = options_parse(value, NULL, NULL, error);
    if (!options) {
        g_prefix_error(error, "-global %s: ", value);
        return FALSE;
    }
    g_autofree char *driver = options_take(options, "driver");
    g_autofree char *property = options_take(options, "property");
    g_autofree char *text = options_take(options, "value");
    if (!driver || !property || !text) {
        vm_error_set(error,
                     "-global %s: needs TYPE.PROPERTY=VALUE or driver=,property=,value=", value);
        return FALSE;
    }
    if (!options_check_empty(options, "-global", "driver, property, value", error)) {
        return FALSE;
    }
    vm_globals_add(driver, property, text);
    return TRUE;
}

typedef gboolean ApplyFunction(const char *value, GError **error);

static gboolean apply_each(const GArray *items, const char *name, ApplyFunction *apply,
                           GError **error)
{
    FOR_EACH_ITEM(items, item, name)
    {
        if (!apply(item->value, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean apply_log(const char *path, GError **error)
{
    return report_log_open(path, error);
}

static gboolean apply_uuid(const char *text, GError **error)
{
    return identity_set_uuid(text, error);
}

/* --- groups that -set may change before they are used --- */

typedef struct OptionGroup {
    const char *name; /* of the option, and the group that -set names */
    const char *implied_key;
    GArray *entries; /* of GroupEntry */
} OptionGroup;

typedef struct GroupEntry {
    const char *text; /* as it was given, for messages; borrowed */
    json_object *options;
} GroupEntry;

static OptionGroup groups[] = {
    {"chardev", "backend", NULL},
    {"object", "qom-type", NULL},
    {"device", "driver", NULL},
};

static void clear_entry(gpointer entry)
{
    json_object_put(((GroupEntry *)entry)->options);
}

static gboolean read_group(OptionGroup *group, const GArray *items, GError **error)
{
    group->entries = g_array_new(FALSE, FALSE, sizeof(GroupEntry));
    g_array_set_clear_func(group->entries, clear_entry);
    FOR_EACH_ITEM(items, item, group->name)
    {
        GroupEntry entry = {item->value,
                            options_parse(item->value, group->implied_key, list_keys, error)};
        if (!entry.options) {
            g_prefix_error(error, "-%s %s: ", group->name, item->value);
            return FALSE;
        }
        g_array_append_val(group->entries, entry);
    }
    return TRUE;
}

static json_object *find_entry(const OptionGroup *group, const char *id)
{
    for (guint i = 0; i < group->entries->len; i++) {
        json_object *options = g_array_index(group->entries, GroupEntry, i).options;
        if (!g_strcmp0(options_get(options, "id"), id)) {
            return options;
        }
    }
    return NULL;
}

static gboolean apply_set(const char *value, GError **error)
{
    g_auto(GStrv) words = g_strsplit(value, ".", 3);
    char *equals = g_strv_length(words) == 3 ? strchr(words[2], '=') : NULL;

    if (!equals) {
        vm_error_set(error, "-set %s: needs GROUP.ID.KEY=VALUE", value);
        return FALSE;
    }
    for (guint i = 0; i < G_N_ELEMENTS(groups); i++) {
        if (strcmp(groups[i].name, words[0])) {
            continue;
        }
        json_object *options = find_entry(&groups[i], words[1]);
        if (!options) {
            vm_error_set(error, "-set %s: there is no -%s with id '%s'", value, words[0], words[1]);
            return FALSE;
        }
        *equals = '\0';
        json_add_string(options, words[2], equals + 1);
        return TRUE;
    }
    vm_error_set(error, "-set %s: unknown group '%s'; known are chardev, object, device", value,
                 words[0]);
    return FALSE;
}

static gboolean read_groups(const GArray *items, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(groups); i++) {
        if (!read_group(&groups[i], items, error)) {
            return FALSE;
        }
    }
    return apply_each(items, "set", apply_set, error);
}

static const GArray *group_entries(const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(groups); i++) {
        if (!strcmp(groups[i].name, name)) {
            return groups[i].entries;
        }
    }
    return NULL;
}

/* --- chardevs and monitors --- */

static gboolean make_chardevs(GError **error)
{
    const GArray *entries = group_entries("chardev");

    for (guint i = 0; i < entries->len; i++) {
        const GroupEntry *entry = &g_array_index(entries, GroupEntry, i);
        if (!chardev_create(entry->options, error)) {
            g_prefix_error(error, "-chardev %s: ", entry->text);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean make_monitor(const char *value, GError **error)
{
    g_autoptr (json_object)
        options = options_parse(value, "chardev", NULL, error);
    gboolean pretty = FALSE;
    if (!options) {
        g_prefix_error(error, "-mon %s: ", value);
        return FALSE;
    }
    g_autofree char *id = options_take(options, "chardev");
    g_autofree char *mode = options_take(options, "mode");
    g_autofree char *name = options_take(options, "id"); /* a name that nothing refers to */

    if (!options_take_bool(options, "-mon", "pretty", &pretty, error) ||
        !options_check_empty(options, "-mon", "chardev, mode, pretty", error)) {
        return FALSE;
    }
    if (g_strcmp0(mode, "control")) {
        vm_error_set(error, "-mon %s: mode=%s is not there yet; use mode=control (QMP)", value,
                     mode ? mode : "readline");
        return FALSE;
    }
    Chardev *chardev = id ? chardev_find(id) : NULL;
    if (!chardev) {
        vm_error_set(error, "-mon %s: no chardev with id '%s'", value, id ? id : "");
        return FALSE;
    }
    return monitor_qmp_new(chardev, pretty, error);
}

static gboolean make_qmp(const GArray *items, const char *option, gboolean pretty, GError **error)
{
    static guint count;

    FOR_EACH_ITEM(items, item, option)
    {
        g_autofree char *id = g_strdup_printf("compat_monitor%u", count++);
        if (!strcmp(item->value, "none")) {
            continue;
        }
        Chardev *chardev = chardev_create_short(id, item->value, error);
        if (!chardev || !monitor_qmp_new(chardev, pretty, error)) {
            g_prefix_error(error, "-%s %s: ", option, item->value);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean make_objects(gboolean monitors, GError **error)
{
    const GArray *entries = group_entries("object");

    for (guint i = 0; i < entries->len; i++) {
        const GroupEntry *entry = &g_array_index(entries, GroupEntry, i);
        if (!g_strcmp0(options_get(entry->options, "qom-type"), "monitor-qmp") != monitors) {
            continue;
        }
        if (!vm_object_create(entry->options, error)) {
            g_prefix_error(error, "-object %s: ", entry->text);
            return FALSE;
        }
    }
    return TRUE;
}

/* --- machine and RAM --- */

/* Merges every -machine and -M; the last wins. */
static json_object *merge_machine(const GArray *items, GError **error)
{
    g_autoptr (json_object)
        merged = json_object_new_object();

    for (guint i = 0; i < items->len; i++) {
        const CommandLineItem *item = &g_array_index(items, CommandLineItem, i);
        if (strcmp(item->option->name, "machine") && strcmp(item->option->name, "M")) {
            continue;
        }
        g_autoptr (json_object)
            options = options_parse(item->value, "type", NULL, error);
        if (!options) {
            g_prefix_error(error, "-machine %s: ", item->value);
            return NULL;
        }
        json_object_object_foreach(options, key, value)
        {
            json_object_object_add(merged, key, json_object_get(value));
        }
    }
    return g_steal_pointer(&merged);
}

static gboolean apply_numa(const char *value, json_object *machine, GError **error)
{
    g_autoptr (json_object)
        options = options_parse(value, "type", NULL, error);
    uint64_t node = 0;
    if (!options) {
        g_prefix_error(error, "-numa %s: ", value);
        return FALSE;
    }
    g_autofree char *type = options_take(options, "type");
    g_autofree char *memdev = options_take(options, "memdev");
    const char *given = options_get(machine, "memory-backend");

    if (g_strcmp0(type, "node")) {
        vm_error_set(error, "-numa %s: only 'node' is there", value);
        return FALSE;
    }
    if (!options_take_number(options, "-numa", "nodeid", 0, 0, &node, error) ||
        !options_check_empty(options, "-numa", "nodeid, memdev", error)) {
        return FALSE;
    }
    if (memdev && given && strcmp(given, memdev)) {
        vm_error_set(error, "-numa %s: guest RAM is '%s' already", value, given);
        return FALSE;
    }
    if (memdev) {
        json_add_string(machine, "memory-backend", memdev);
    }
    return TRUE;
}

static gboolean take_size(json_object *options, const char *key, char unit, uint64_t *size,
                          GError **error)
{
    g_autofree char *text = options_take(options, key);

    if (text && !size_parse(text, unit, size, error)) {
        g_prefix_error(error, "-m %s: ", key);
        return FALSE;
    }
    return TRUE;
}

static gboolean apply_memory(const char *value, uint64_t *size, uint64_t *slots, uint64_t *maxmem,
                             GError **error)
{
    g_autoptr (json_object)
        options = options_parse(value, "size", NULL, error);
    uint64_t given = G_MAXUINT64;

    if (!options) {
        g_prefix_error(error, "-m %s: ", value);
        return FALSE;
    }
    if (!take_size(options, "size", 'M', &given, error) ||
        !take_size(options, "maxmem", 'B', maxmem, error) ||
        !options_take_number(options, "-m", "slots", 0, G_MAXUINT32, slots, error) ||
        !options_check_empty(options, "-m", "size, slots, maxmem", error)) {
        return FALSE;
    }
    if (given == 0) {
        vm_error_set(error, "-m %s: guest RAM of 0 bytes is not possible", value);
        return FALSE;
    }
    if (given != G_MAXUINT64) {
        *size = given;
    }
    return TRUE;
}

static gboolean choose_accelerator(const GArray *items, json_object *machine, MachineClass *class,
                                   GError **error)
{
    g_autofree char *property = options_take(machine, "accel");
    g_autoptr (GString)
        names = g_string_new(NULL);

    FOR_EACH_ITEM(items, item, "accel")
    {
        g_autoptr (json_object)
            options = options_parse(item->value, "accel", NULL, error);
        if (!options) {
            g_prefix_error(error, "-accel %s: ", item->value);
            return FALSE;
        }
        g_autofree char *name = options_take(options, "accel");
        if (!name) {
            vm_error_set(error, "-accel %s: names no accelerator; -accel help lists them",
                         item->value);
            return FALSE;
        }
        if (!options_check_empty(options, "-accel", NULL, error)) {
            return FALSE;
        }
        g_string_append_printf(names, "%s%s", names->len ? ":" : "", name);
    }
    if (property && names->len) {
        vm_error_set(error, "-machine accel=%s and -accel %s exclude each other", property,
                     names->str);
        return FALSE;
    }
    g_string_append(names, property ? property : "");
    if (!names->len && (qtest_is_open() || !class->needs_accelerator)) {
        g_string_append(names, "qtest");
    }
    if (!names->len) {
        vm_error_set(error, "machine '%s' needs an accelerator: -accel qtest is the one there is",
                     class->name);
        return FALSE;
    }
    return accel_select(names->str, error);
}

static gboolean make_machine(const GArray *items, GError **error)
{
    g_autoptr (json_object)
        options = merge_machine(items, error);
    uint64_t size = 0;
    uint64_t slots = 0;
    uint64_t maxmem = 0;

    if (!options) {
        return FALSE;
    }
    g_autofree char *type = options_take(options, "type");
    MachineClass *class = machine_find(type ? type : "pc", error);
    if (!class || !choose_accelerator(items, options, class, error)) {
        return FALSE;
    }
    FOR_EACH_ITEM(items, item, "numa")
    {
        if (!apply_numa(item->value, options, error)) {
            return FALSE;
        }
    }
    FOR_EACH_ITEM(items, item, "m")
    {
        if (!apply_memory(item->value, &size, &slots, &maxmem, error)) {
            return FALSE;
        }
    }
    if (!machine_create(class, options, error)) {
        return FALSE;
    }
    Machine *machine = machine_current();
    machine->ram_size = size;
    machine->maxram_size = maxmem;
    machine->ram_slots = slots;

    g_autoptr (GError)
        limit = NULL;
    if (!fd_limit_raise(slots + DESCRIPTORS_BESIDE_SLOTS, &limit)) {
        report_warning("-m slots=%" G_GUINT64_FORMAT ": %s", slots, limit->message);
    }
    return make_objects(FALSE, error) && machine_build(error);
}

/* --- devices --- */

typedef struct DeviceWait {
    gboolean finished;
    GError *error;
} DeviceWait;

static void device_finished(Device *device G_GNUC_UNUSED, const GError *error, gpointer opaque)
{
    DeviceWait *wait = opaque;

    wait->finished = TRUE;
    wait->error = error ? g_error_copy(error) : NULL;
}

static gboolean make_devices(GError **error)
{
    const GArray *entries = group_entries("device");

    for (guint i = 0; i < entries->len; i++) {
        const GroupEntry *entry = &g_array_index(entries, GroupEntry, i);
        DeviceWait wait = {FALSE, NULL};
        if (!device_add(entry->options, device_finished, &wait, error)) {
            g_prefix_error(error, "-device %s: ", entry->text);
            return FALSE;
        }
        while (!wait.finished) {
            main_loop_turn();
        }
        if (wait.error) {
            g_propagate_prefixed_error(error, wait.error, "-device %s: ", entry->text);
            return FALSE;
        }
    }
    return TRUE;
}

/* --- the whole --- */

gboolean setup_machine(const GArray *items, GError **error)
{
    const char *qtest = command_line_last(items, "qtest");

    return apply_each(items, "D", apply_log, error) &&
           apply_each(items, "trace", apply_trace, error) &&
           apply_each(items, "run-with", apply_run_with, error) &&
           apply_each(items, "name", apply_name, error) &&
           apply_each(items, "uuid", apply_uuid, error) &&
           (!qtest || qtest_open(qtest, command_line_last(items, "qtest-log"), error)) &&
           apply_each(items, "add-fd", apply_add_fd, error) &&
           apply_each(items, "global", apply_global, error) && read_groups(items, error) &&
           make_chardevs(error) && apply_each(items, "mon", make_monitor, error) &&
           make_qmp(items, "qmp", FALSE, error) && make_qmp(items, "qmp-pretty", TRUE, error) &&
           make_objects(TRUE, error) && make_machine(items, error) && make_devices(error);
}

gboolean setup_start(const GArray *items, GError **error)
{
    vm_globals_report_unused();
    device_set_machine_complete();
    if (qtest_is_open()) {
        qtest_start();
    }
    if (!command_line_has(items, "S") && !run_state_start(error)) {
        return FALSE;
    }
    monitor_start_all();
    return TRUE;
}

void setup_clear(void)
{
    qtest_stop();
    monitor_cleanup(1000);
    device_cleanup_all();
    memory_clear();
    chardev_cleanup();
    fd_names_clear();
    for (guint i = 0; i < G_N_ELEMENTS(groups); i++) {
        g_clear_pointer(&groups[i].entries, g_array_unref);
    }
}
