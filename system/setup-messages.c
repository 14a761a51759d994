/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the program says while it runs: -msg, the log of -D, trace events of -trace and -d. */
#include "setup-internal.h"

#include "system/identity.h"
#include "util/error.h"
#include "util/options.h"
#include "util/report.h"
#include "util/trace.h"

#include <errno.h>
#include <unistd.h>

/* One pattern a line; '#' begins a comment. */
static gboolean enable_listed(const char *path, GError **error)
{
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        vm_error_set(error, "-trace events=%s: the file cannot be read: %s", path,
                     access(path, R_OK) < 0 ? g_strerror(errno) : "it is not a plain file");
        return FALSE;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        g_strstrip(lines[i]);
        if (lines[i][0] && lines[i][0] != '#' && !trace_enable_pattern(lines[i], TRUE)) {
            vm_error_set(error, "-trace events=%s: no event matches '%s'; -trace help lists them",
                         path, lines[i]);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean apply_trace(const char *value, GError **error)
{
    g_autoptr(json_object) options = setup_parse("trace", value, "enable", error);
    if (!options) {
        return FALSE;
    }
    g_autofree char *pattern = options_take(options, "enable");
    g_autofree char *events = options_take(options, "events");
    g_autofree char *file = options_take(options, "file");

    if (!options_check_empty(options, "-trace", "enable, events, file", error)) {
        return FALSE;
    }
    if (file && !report_log_open(file, FALSE, error)) {
        g_prefix_error(error, "-trace %s: ", value);
        return FALSE;
    }
    if (pattern && trace_enable_pattern(pattern, TRUE) == 0) {
        vm_error_set(error, "-trace %s: no event matches '%s'; -trace help lists them", value,
                     pattern);
        return FALSE;
    }
    return !events || enable_listed(events, error);
}

/* The other items of QEMU's -d are about a CPU in software, or come as errors and warnings here. */
static gboolean apply_items(const char *value, GError **error)
{
    g_auto(GStrv) items = g_strsplit(value, ",", -1);

    for (guint i = 0; items[i]; i++) {
        const char *pattern =
            g_str_has_prefix(items[i], "trace:") ? items[i] + strlen("trace:") : "";

        if (!*pattern) {
            vm_error_set(error, "-d %s: there is no item '%s'; expected trace:PATTERN", value,
                         items[i]);
            return FALSE;
        }
        if (trace_enable_pattern(pattern, TRUE) == 0) {
            vm_error_set(error, "-d %s: no event matches '%s'; -trace help lists them", value,
                         pattern);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean apply_log(const char *path, GError **error)
{
    if (!report_log_open(path, FALSE, error)) {
        g_prefix_error(error, "-D %s: ", path);
        return FALSE;
    }
    return TRUE;
}

static gboolean apply_message_form(const char *value, GError **error)
{
    g_autoptr(json_object) options = setup_parse("msg", value, NULL, error);
    gboolean timestamp = FALSE, guest_name = FALSE;

    if (!options || !options_take_bool(options, "-msg", "timestamp", &timestamp, error) ||
        !options_take_bool(options, "-msg", "guest-name", &guest_name, error) ||
        !options_check_empty(options, "-msg", "timestamp, guest-name", error)) {
        return FALSE;
    }
    report_set_form(timestamp, guest_name ? identity_name() : NULL);
    return TRUE;
}

gboolean setup_messages(const GArray *items, GError **error)
{
    return setup_each(items, "msg", apply_message_form, error) &&
           setup_each(items, "D", apply_log, error) &&
           setup_each(items, "trace", apply_trace, error) &&
           setup_each(items, "d", apply_items, error);
}
