/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages for the person who started the program, and the log file of -D.
 * Only code that answers the user directly calls these; everything else
 * returns a GError.
 */
#ifndef UTIL_REPORT_H
#define UTIL_REPORT_H

#include <glib.h>

/*
 * From now on lines to standard error begin with the time (UTC, ISO 8601) if @timestamp, and with
 * @guest if it is not NULL.  Copied.  Main thread, before others start.
 */
void report_set_form(gboolean timestamp, const char *guest);

/* Prints "PROGRAM: MESSAGE" as one line to standard error. Any thread. */
void report_error(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Prints "PROGRAM: warning: MESSAGE" as one line to standard error. Any thread. */
void report_warning(const char *format, ...) G_GNUC_PRINTF(1, 2);

/*
 * Appends one line (newline added) to the log: the file of -D, standard
 * error without one.  Trace events come this way. Any thread.
 */
void report_log(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Opens @path (created; truncated unless @append) as the log. Main thread, before others start. */
gboolean report_log_open(const char *path, gboolean append, GError **error);

#endif
