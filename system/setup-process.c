/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of the process itself, before there is a machine. */
#include "setup-internal.h"

#include "system/identity.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/object.h"
#include "util/options.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

static gboolean apply_name(const char *value, GError **error)
{
    g_autoptr(json_object) options = setup_parse("name", value, "guest", error);
    gboolean debug_threads = TRUE; /* threads always carry their names here */
    if (!options) {
        return FALSE;
    }
    g_autofree char *guest = options_take(options, "guest");
    g_autofree char *process = options_take(options, "process");

    if (!options_take_bool(options, "-name", "debug-threads", &debug_threads, error) ||
        !options_check_empty(options, "-name", "guest, process, debug-threads", error)) {
        return FALSE;
    }
    if (process && !*process) {
        vm_error_set(error, "-name %s: process= is empty, expected a name", value);
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

/* Taken before anything that the parent could be waiting for: it may end as soon as it sees it. */
static pid_t first_parent;

__attribute__((constructor)) static void remember_parent(void)
{
    first_parent = getppid();
}

static gboolean exit_with_parent;

static gboolean apply_run_with(const char *value, GError **error)
{
    g_autoptr(json_object) options = setup_parse("run-with", value, NULL, error);
    gboolean async_teardown = FALSE;

    if (!options) {
        return FALSE;
    }
    if (!options_take_bool(options, "-run-with", "exit-with-parent", &exit_with_parent, error) ||
        !options_take_bool(options, "-run-with", "async-teardown", &async_teardown, error) ||
        !setup_take_privileges(options, error) ||
        !options_check_empty(options, "-run-with", "exit-with-parent, async-teardown, chroot, user",
                             error)) {
        return FALSE;
    }
    if (async_teardown) {
        vm_error_set(error, "-run-with async-teardown=on: not supported; use off");
        return FALSE;
    }
    return TRUE;
}

gboolean setup_follow_parent(const GArray *items, GError **error)
{
    if (!exit_with_parent) {
        return TRUE;
    }
    if (command_line_has(items, "daemonize")) {
        vm_error_set(error, "-daemonize and -run-with exit-with-parent=on exclude each other: the "
                            "parent of a daemon ends at once");
        return FALSE;
    }
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != first_parent) {
        vm_error_set(error, "-run-with exit-with-parent=on: the parent process has ended");
        return FALSE;
    }
    return TRUE;
}

static gboolean apply_add_fd(const char *value, GError **error)
{
    g_autoptr(json_object) options = setup_parse("add-fd", value, NULL, error);
    uint64_t fd = G_MAXUINT64;
    uint64_t set = G_MAXUINT64;

    if (!options) {
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

    if (dot && equals && value < dot && dot + 1 < equals) {
        g_autofree char *type = g_strndup(value, dot - value);
        g_autofree char *property = g_strndup(dot + 1, equals - dot - 1);
        vm_globals_add(type, property, equals + 1);
        return TRUE;
    }
    g_autoptr(json_object) options = setup_parse("global", value, NULL, error);
    if (!options) {
        return FALSE;
    }
    g_autofree char *driver = options_take(options, "driver");
    g_autofree char *property = options_take(options, "property");
    g_autofree char *text = options_take(options, "value");
    if (!driver || !property || !text || !*driver || !*property) {
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

/* Managers name the sound that is not to be. */
static gboolean apply_sound(const char *value, GError **error)
{
    g_autoptr(json_object) options = setup_parse("audiodev", value, "driver", error);

    if (!options) {
        return FALSE;
    }
    g_autofree char *driver = options_take(options, "driver");
    g_free(options_take(options, "id")); /* nobody refers to it */
    if (g_strcmp0(driver, "none") != 0) {
        vm_error_set(error, "-audiodev %s: there is no sound here; use driver=none", value);
        return FALSE;
    }
    return options_check_empty(options, "-audiodev", "driver, id", error);
}

static gboolean apply_uuid(const char *text, GError **error)
{
    return identity_set_uuid(text, error);
}

json_object *setup_parse(const char *option, const char *value, const char *implied_key,
                         GError **error)
{
    json_object *options = options_parse(value, implied_key, NULL, error);

    if (!options) {
        g_prefix_error(error, "-%s %s: ", option, value);
    }
    return options;
}

gboolean setup_each(const GArray *items, const char *name, SetupFunction *apply, GError **error)
{
    FOR_EACH_ITEM(items, item, name)
    {
        if (!apply(item->value, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

gboolean setup_process(const GArray *items, GError **error)
{
    return setup_each(items, "name", apply_name, error) && setup_messages(items, error) &&
           setup_each(items, "run-with", apply_run_with, error) && setup_privileges(items, error) &&
           setup_follow_parent(items, error) && setup_each(items, "uuid", apply_uuid, error) &&
           setup_each(items, "add-fd", apply_add_fd, error) &&
           setup_each(items, "audiodev", apply_sound, error) &&
           setup_each(items, "global", apply_global, error);
}
