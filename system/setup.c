/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Applies the command line in order of need: test connection, chardevs,
 * monitors, machine, objects, RAM, networks, devices.
 */
#include "setup.h"
#include "setup-internal.h"

#include "accel/accel.h"
#include "chardev/chardev.h"
#include "hw/core/device.h"
#include "hw/core/machine.h"
#include "monitor/monitor.h"
#include "net/net.h"
#include "system/main-loop.h"
#include "system/memory.h"
#include "system/run-state.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"
#include "util/options.h"
#include "util/size.h"

#include <stdio.h>
#include <string.h>

/* --- chardevs and monitors --- */

static gboolean make_chardevs(GError **error)
{
    const GArray *entries = setup_group("chardev");

    for (guint i = 0; i < entries->len; i++) {
        const SetupEntry *entry = &g_array_index(entries, SetupEntry, i);
        if (!chardev_create(entry->options, error)) {
            g_prefix_error(error, "-chardev %s: ", entry->text);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean make_netdevs(GError **error)
{
    const GArray *entries = setup_group("netdev");

    for (guint i = 0; i < entries->len; i++) {
        const SetupEntry *entry = &g_array_index(entries, SetupEntry, i);
        if (!netdev_create(entry->options, error)) {
            g_prefix_error(error, "-netdev %s: ", entry->text);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean make_monitor(const char *value, GError **error)
{
    g_autoptr(json_object) options = setup_parse("mon", value, "chardev", error);
    gboolean pretty = FALSE;
    if (!options) {
        return FALSE;
    }
    g_autofree char *id = options_take(options, "chardev");
    g_autofree char *mode = options_take(options, "mode");

    g_free(options_take(options, "id")); /* a name that nothing refers to */
    if (!options_take_bool(options, "-mon", "pretty", &pretty, error) ||
        !options_check_empty(options, "-mon", "chardev, mode, pretty", error)) {
        return FALSE;
    }
    gboolean human = !mode || !strcmp(mode, "readline");
    if (!human && strcmp(mode, "control") != 0) {
        vm_error_set(error, "-mon %s: mode=%s is unknown; expected control (QMP) or readline",
                     value, mode);
        return FALSE;
    }
    if (human && pretty) {
        vm_error_set(error, "-mon %s: pretty=on is for mode=control", value);
        return FALSE;
    }
    Chardev *chardev = id ? chardev_find(id) : NULL;
    if (!chardev) {
        vm_error_set(error, "-mon %s: there is no -chardev with id '%s'", value, id ? id : "");
        return FALSE;
    }
    if (!(human ? monitor_hmp_new(chardev, error) : monitor_qmp_new(chardev, pretty, error))) {
        g_prefix_error(error, "-mon %s: ", value);
        return FALSE;
    }
    return TRUE;
}

static gboolean monitor_on_stdio(GError **error)
{
    Chardev *chardev = chardev_create_short("compat_monitor0", "stdio", error);

    if (!chardev || !monitor_hmp_new(chardev, error)) {
        g_prefix_error(error, "-nographic: ");
        return FALSE;
    }
    return TRUE;
}

static gboolean apply_escape(const char *value, GError **error)
{
    uint64_t key;

    if (!number_parse(value, 1, 255, &key, error)) {
        g_prefix_error(error, "-echr: ");
        return FALSE;
    }
    chardev_mux_set_escape((guint8)key);
    return TRUE;
}

/* -qmp, -qmp-pretty, -monitor: each makes its chardev. */
static gboolean make_monitors(const GArray *items, const char *option, GError **error)
{
    gboolean human = !strcmp(option, "monitor"), pretty = !strcmp(option, "qmp-pretty");
    static guint count;

    FOR_EACH_ITEM(items, item, option)
    {
        if (!strcmp(item->value, "none")) {
            continue;
        }
        g_autofree char *id = g_strdup_printf("compat_monitor%u", count++);
        Chardev *chardev = chardev_create_short(id, item->value, error);
        if (!chardev ||
            !(human ? monitor_hmp_new(chardev, error) : monitor_qmp_new(chardev, pretty, error))) {
            g_prefix_error(error, "-%s %s: ", option, item->value);
            return FALSE;
        }
    }
    return !human || !setup_default_monitor(items) || monitor_on_stdio(error);
}

/* Monitors come before the machine, so that one that cannot be is found early. */
static gboolean make_objects(gboolean monitors, GError **error)
{
    const GArray *entries = setup_group("object");

    for (guint i = 0; i < entries->len; i++) {
        SetupEntry *entry = &g_array_index(entries, SetupEntry, i);
        if (entry->made ||
            (monitors && g_strcmp0(options_get(entry->options, "qom-type"), "monitor-qmp") != 0)) {
            continue;
        }
        entry->made = TRUE;
        if (!vm_object_create(entry->options, error)) {
            g_prefix_error(error, "-object %s: ", entry->text);
            return FALSE;
        }
    }
    return TRUE;
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

/* Adds a device and waits until it has ended well or badly; @option is what the user wrote.  After
 * a signal it may still be on its way: TRUE, and main_loop_run() returns at once. */
static gboolean make_device(json_object *options, const char *option, GError **error)
{
    /* Static: it may end when this function has returned. */
    static DeviceWait wait;

    wait = (DeviceWait){FALSE, NULL};
    if (!device_add(options, device_finished, &wait, error)) {
        g_prefix_error(error, "-%s: ", option);
        return FALSE;
    }
    while (!wait.finished && !main_loop_is_quitting()) {
        main_loop_turn();
    }
    if (wait.finished && wait.error) {
        g_propagate_prefixed_error(error, wait.error, "-%s: ", option);
        return FALSE;
    }
    return TRUE;
}

/* Serial port @index on the chardev @text, which @option asks for; "mon:" shares it with a human
 * monitor. */
static gboolean make_serial_port(const char *option, const char *text, guint index, GError **error)
{
    g_autofree char *id = g_strdup_printf("serial%u", index);
    g_autoptr(json_object) options = json_object_new_object();
    Chardev *chardev = chardev_create_short(id, text, error);

    if (!chardev || (g_str_has_prefix(text, "mon:") && !monitor_hmp_new(chardev, error))) {
        g_prefix_error(error, "-%s: ", option);
        return FALSE;
    }
    json_add_string(options, "driver", "isa-serial");
    json_add_string(options, "chardev", VM_OBJECT(chardev)->id);
    json_add_uint(options, "index", index);
    return make_device(options, option, error);
}

/* Each -serial is the next of COM1 to COM4; "none" leaves one out. */
static gboolean make_serial_ports(const GArray *items, GError **error)
{
    const char *console = setup_default_serial(items);
    guint index = 0;

    FOR_EACH_ITEM(items, item, "serial")
    {
        g_autofree char *option = g_strconcat("serial ", item->value, NULL);

        if (strcmp(item->value, "none") != 0 &&
            !make_serial_port(option, item->value, index, error)) {
            return FALSE;
        }
        index++;
    }
    return !console || make_serial_port("nographic", console, 0, error);
}

static gboolean make_devices(GError **error)
{
    const GArray *entries = setup_group("device");

    for (guint i = 0; i < entries->len && !main_loop_is_quitting(); i++) {
        const SetupEntry *entry = &g_array_index(entries, SetupEntry, i);
        g_autofree char *option = g_strconcat("device ", entry->text, NULL);

        if (!make_device(entry->options, option, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

/* --- the whole --- */

static gboolean open_qtest(const GArray *items, GError **error)
{
    const char *value = command_line_last(items, "qtest");

    return !value || qtest_open(value, command_line_last(items, "qtest-log"), error);
}

static void find_terminal(VmObject *chardev, gpointer opaque)
{
    const char **id = opaque;

    if (!strcmp(CHARDEV_GET_CLASS(chardev)->backend, "stdio")) {
        *id = chardev->id;
    }
}

/* A daemon has no standard input and output that a chardev could use. */
static gboolean check_background(const GArray *items, GError **error)
{
    const char *id = NULL;

    if (!command_line_has(items, "daemonize")) {
        return TRUE;
    }
    if (setup_default_serial(items)) {
        vm_error_set(error, "-daemonize: -nographic puts the console on standard input and output, "
                            "which end with the terminal; give -serial and -monitor");
        return FALSE;
    }
    vm_object_foreach_child(vm_object_container("chardevs"), find_terminal, &id);
    if (id) {
        vm_error_set(error,
                     "-daemonize: chardev '%s' uses stdio, which ends with the terminal; "
                     "use a socket",
                     id);
        return FALSE;
    }
    return TRUE;
}

#define PTY_PREFIX "pty:"

/* The kernel chose the terminal's name: without a monitor nobody could learn it.  Scripts look for
 * this line, whose form is QEMU's. */
static void announce_terminal(VmObject *object, gpointer opaque G_GNUC_UNUSED)
{
    g_autofree char *name = chardev_filename(CHARDEV(object));

    if (g_str_has_prefix(name, PTY_PREFIX)) {
        printf("char device redirected to %s (label %s)\n", name + strlen(PTY_PREFIX), object->id);
        fflush(stdout);
    }
}

gboolean setup_complete(GError **error)
{
    vm_globals_report_unused();
    device_set_machine_complete();
    if (!machine_boot(error) || !accel_start(error)) {
        return FALSE;
    }
    vm_object_foreach_child(vm_object_container("chardevs"), announce_terminal, NULL);
    return TRUE;
}

gboolean setup_machine(const GArray *items, GError **error)
{
    return setup_process(items, error) && setup_sandbox(items, error) &&
           setup_overcommit(items, error) && open_qtest(items, error) &&
           setup_groups(items, error) && setup_each(items, "echr", apply_escape, error) &&
           make_chardevs(error) && setup_each(items, "mon", make_monitor, error) &&
           make_monitors(items, "qmp", error) && make_monitors(items, "qmp-pretty", error) &&
           make_monitors(items, "monitor", error) && make_objects(TRUE, error) &&
           check_background(items, error) && setup_cpus(items, error) &&
           setup_clock(items, error) && setup_machine_object(items, error) &&
           setup_firmware(items, error) && make_objects(FALSE, error) && machine_build(error) &&
           make_netdevs(error) && make_serial_ports(items, error) &&
           check_background(items, error) && make_devices(error);
}

gboolean setup_start(const GArray *items, GError **error)
{
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
    device_hurry_all(); /* first: an access of qtest may be waiting for a device's peer */
    qtest_stop();
    accel_stop();
    monitor_cleanup(1000);
    device_cleanup_all();
    machine_cleanup();
    memory_clear();
    netdev_cleanup();
    chardev_cleanup();
    vm_object_tree_clear(); /* no device and no map holds guest memory any more */
    fd_names_clear();
    setup_groups_clear();
    setup_privileges_clear();
}
