/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of a back-end program, by level: the file of --log, standard error without one.  A line
 * is one write(2), so that not even SIGKILL loses one that was logged.  Any thread.
 */
#ifndef TOOLS_LOG_H
#define TOOLS_LOG_H

#include <glib.h>

typedef enum LogLevel {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG, /* each message and each request */
} LogLevel;

/* "error", "warning", "info", "debug".  FALSE if @text is none of them. */
gboolean log_level_parse(const char *text, LogLevel *level);

/* Before other threads start. */
void log_set_level(LogLevel level);

/* TRUE if lines of @level are written: ask before formatting where requests pass. */
gboolean log_enabled(LogLevel level);

/* One line, newline added, "error: " and "warning: " before those of these levels. */
void log_line(LogLevel level, const char *format, ...) G_GNUC_PRINTF(2, 3);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
