/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log of a back-end program, by level. */
#include "tools/common/log.h"

#include "util/report.h"

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static LogLevel threshold = LOG_LEVEL_WARNING;

gboolean log_level_parse(const char *text, LogLevel *level)
{
    for (guint i = 0; i < G_N_ELEMENTS(level_names); i++) {
        if (!g_strcmp0(text, level_names[i])) {
            *level = i;
            return TRUE;
        }
    }
    return FALSE;
}

void log_set_level(LogLevel level)
{
    threshold = level;
}

gboolean log_enabled(LogLevel level)
{
    return level <= threshold;
}

void log_line(LogLevel level, const char *format, ...)
{
    va_list arguments;

    if (!log_enabled(level)) {
        return;
    }
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    if (level <= LOG_LEVEL_WARNING) {
        report_log("%s: %s", level_names[level], text);
    } else {
        report_log("%s", text);
    }
}
