/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trace events, by name or pattern. */
#include "monitor/qmp.h"

#include "util/trace.h"

#include <string.h>

typedef struct TraceQuery {
    const char *pattern;
    json_object *found;
} TraceQuery;

static void collect(TraceEvent *event, gpointer opaque)
{
    TraceQuery *query = opaque;
    json_object *entry;

    if (!g_pattern_match_simple(query->pattern, event->name)) {
        return;
    }
    entry = json_object_new_object();
    json_add_string(entry, "name", event->name);
    json_add_string(entry, "state", event->enabled ? "enabled" : "disabled");
    json_object_array_add(query->found, entry);
}

/* The events that @pattern matches; NULL with @error if it is a name and there is none. */
static json_object *find(const char *pattern, GError **error)
{
    TraceQuery query = {.pattern = pattern, .found = json_object_new_array()};

    trace_foreach(collect, &query);
    if (json_object_array_length(query.found) == 0 && !strpbrk(pattern, "*?")) {
        json_object_put(query.found);
        vm_error_set(error, "unknown trace event '%s'; trace-event-get-state of '*' lists them all",
                     pattern);
        return NULL;
    }
    return query.found;
}

static json_object *get_state(json_object *arguments, GError **error)
{
    return find(qmp_string(arguments, "name"), error);
}

static json_object *set_state(json_object *arguments, GError **error)
{
    const char *name = qmp_string(arguments, "name");
    g_autoptr(json_object) found = find(name, error);

    if (found) {
        trace_enable_pattern(name, qmp_bool(arguments, "enable", FALSE));
    }
    return NULL;
}

static const QmpCommand commands[] = {
    {.name = "trace-event-get-state",
     .arguments = "name:str",
     .returns = "[TraceEventInfo]",
     .doc = "The state of a trace event, or of all that a pattern with '*' and '?' matches.",
     .flags = QMP_COMMAND_OOB,
     .run = get_state},
    {.name = "trace-event-set-state",
     .arguments = "name:str, enable:bool, *ignore-unavailable:bool",
     .doc = "Switches trace events on or off. Every event is available, so ignore-unavailable "
            "makes no difference.",
     .flags = QMP_COMMAND_OOB,
     .run = set_state},
    {.name = NULL},
};

static const QmpType types[] = {
    {.name = "TraceEventState",
     .kind = QMP_ENUM,
     .members = "unavailable, disabled, enabled",
     .doc = "What a trace event does; none is ever unavailable here."},
    {.name = "TraceEventInfo",
     .kind = QMP_OBJECT,
     .members = "name:str, state:TraceEventState",
     .doc = "A trace event."},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, types);
