/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trace events: walks the linker section that TRACE_EVENT fills.  ld(1)
 * defines __start_ and __stop_ symbols for a section whose name is a C
 * identifier; they are weak here, so that a program without any event links.
 */
#include "util/trace.h"
#include "util/report.h"

extern TraceEvent *const __start_trace_events[] __attribute__((weak, visibility("hidden")));
extern TraceEvent *const __stop_trace_events[] __attribute__((weak, visibility("hidden")));

static int compare_names(gconstpointer a, gconstpointer b)
{
    const TraceEvent *const *first = a, *const *second = b;

    return g_strcmp0((*first)->name, (*second)->name);
}

/* All events by name; made at the first call, never freed. */
static GPtrArray *events_sorted(void)
{
    static gsize once;

    if (g_once_init_enter(&once)) {
        GPtrArray *events = g_ptr_array_new();
        for (TraceEvent *const *event = __start_trace_events; event < __stop_trace_events;
             event++) {
            g_ptr_array_add(events, *event);
        }
        g_ptr_array_sort(events, compare_names);
        g_once_init_leave(&once, (gsize)events);
    }
    return (GPtrArray *)once;
}

void trace_print(const TraceEvent *event, const char *format, ...)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *seconds = g_date_time_format(now, "%Y-%m-%dT%H:%M:%S");
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    report_log("%s.%06dZ %s: %s", seconds, g_date_time_get_microsecond(now), event->name, message);
}

guint trace_enable_pattern(const char *pattern, gboolean enabled)
{
    g_autoptr(GPatternSpec) glob = g_pattern_spec_new(pattern);
    GPtrArray *events = events_sorted();
    guint matched = 0;

    for (guint i = 0; i < events->len; i++) {
        TraceEvent *event = events->pdata[i];
        if (g_pattern_spec_match_string(glob, event->name)) {
            g_atomic_int_set(&event->enabled, enabled);
            matched++;
        }
    }
    return matched;
}

void trace_foreach(void (*visit)(TraceEvent *event, gpointer opaque), gpointer opaque)
{
    GPtrArray *events = events_sorted();

    for (guint i = 0; i < events->len; i++) {
        visit(events->pdata[i], opaque);
    }
}
