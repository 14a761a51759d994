/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages to standard error, and the log file; each line is one write(2). */
#include "util/report.h"
#include "util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int log_fd = STDERR_FILENO;
static gboolean with_time;
static char *guest_name; /* NULL: not said */

G_GNUC_PRINTF(3, 0)
static void write_line(int fd, const char *prefix, const char *format, va_list arguments)
{
    g_autoptr(GString) line = g_string_new(prefix);

    g_string_append_vprintf(line, format, arguments);
    g_string_append_c(line, '\n');
    for (gsize done = 0; done < line->len;) {
        ssize_t count = write(fd, line->str + done, line->len - done);
        if (count < 0 && errno != EINTR) {
            return; /* nobody is left to tell */
        }
        done += count > 0 ? (gsize)count : 0;
    }
}

/* "2026-11-23T20:41:00.123456Z " */
static char *time_prefix(void)
{
    g_autoptr(GDateTime) now = with_time ? g_date_time_new_now_utc() : NULL;
    g_autofree char *seconds = now ? g_date_time_format(now, "%Y-%m-%dT%H:%M:%S") : NULL;

    return now ? g_strdup_printf("%s.%06dZ ", seconds, g_date_time_get_microsecond(now))
               : g_strdup("");
}

static char *program_prefix(const char *kind)
{
    const char *program = g_get_prgname();
    g_autofree char *now = time_prefix();

    return g_strdup_printf("%s%s%s%s: %s", now, guest_name ? guest_name : "", guest_name ? " " : "",
                           program ? program : "qemu-system-x86_64", kind);
}

void report_set_form(gboolean timestamp, const char *guest)
{
    with_time = timestamp;
    g_free(guest_name);
    guest_name = g_strdup(guest);
}

void report_error(const char *format, ...)
{
    g_autofree char *prefix = program_prefix("");
    va_list arguments;

    va_start(arguments, format);
    write_line(STDERR_FILENO, prefix, format, arguments);
    va_end(arguments);
}

void report_warning(const char *format, ...)
{
    g_autofree char *prefix = program_prefix("warning: ");
    va_list arguments;

    va_start(arguments, format);
    write_line(STDERR_FILENO, prefix, format, arguments);
    va_end(arguments);
}

void report_log(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line(log_fd, "", format, arguments);
    va_end(arguments);
}

gboolean report_log_open(const char *path, gboolean append, GError **error)
{
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (append ? 0 : O_TRUNC);
    int fd = open(path, flags, 0644);

    if (fd < 0) {
        vm_error_set_errno(error, errno, "log file '%s' cannot be opened", path);
        return FALSE;
    }
    if (log_fd != STDERR_FILENO) {
        close(log_fd);
    }
    log_fd = fd;
    return TRUE;
}
