/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trace events: one line of text an event, off until a pattern enables them.
 *
 *     TRACE_EVENT(vhost_user_send, "a request leaves for the backend");
 *     ...
 *     trace(vhost_user_send, "device %s request %s", id, name);
 *
 * TRACE_EVENT stands at file scope of one .c file and registers the event in
 * a linker section, so that there is no list to maintain.  A disabled event
 * costs one load and one branch; its arguments are not evaluated.
 */
#ifndef UTIL_TRACE_H
#define UTIL_TRACE_H

#include <glib.h>

typedef struct TraceEvent {
    const char *name;
    const char *doc;
    gboolean enabled; /* read without a lock: a change is seen soon, not at once */
} TraceEvent;

/* clang's AddressSanitizer would pad the entries; gcc leaves variables with a section alone. */
#ifdef __clang__
#define TRACE_ENTRY_PLAIN no_sanitize("address")
#else
#define TRACE_ENTRY_PLAIN
#endif

/* The section holds pointers, so that its stride never depends on alignment. */
#define TRACE_EVENT(event_name, event_doc)                                                         \
    static TraceEvent trace_event_##event_name = {#event_name, event_doc, FALSE};                  \
    static TraceEvent *const trace_entry_##event_name                                              \
        __attribute__((used, section("trace_events"), TRACE_ENTRY_PLAIN)) =                        \
            &trace_event_##event_name

#define trace(event_name, ...)                                                                     \
    do {                                                                                           \
        if (G_UNLIKELY(trace_event_##event_name.enabled)) {                                        \
            trace_print(&trace_event_##event_name, __VA_ARGS__);                                   \
        }                                                                                          \
    } while (0)

/* Writes "NAME: MESSAGE" to the log of util/report.h with a time stamp. Any thread. */
void trace_print(const TraceEvent *event, const char *format, ...) G_GNUC_PRINTF(2, 3);

/*
 * Enables or disables every event whose name matches the glob @pattern
 * ('*' and '?').  Returns the number of events that matched. Any thread.
 */
guint trace_enable_pattern(const char *pattern, gboolean enabled);

/* Calls @visit for each event in order of name. */
void trace_foreach(void (*visit)(TraceEvent *event, gpointer opaque), gpointer opaque);

#endif
