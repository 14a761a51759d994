/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events: their form, and those that tell of the run state. */
#include "qmp-internal.h"

#include "system/run-state.h"
#include "util/trace.h"

TRACE_EVENT(qmp_event, "an event is sent to all QMP clients");

void qmp_event_send(const char *name, json_object *data)
{
    gint64 now = g_get_real_time(); /* us */
    g_autoptr(json_object) event = json_object_new_object();
    json_object *timestamp = json_object_new_object();

    json_add_int(timestamp, "seconds", now / G_USEC_PER_SEC);
    json_add_int(timestamp, "microseconds", now % G_USEC_PER_SEC);
    json_object_object_add(event, "timestamp", timestamp);
    json_add_string(event, "event", name);
    if (data) {
        json_object_object_add(event, "data", data);
    }
    trace(qmp_event, "%s %s", name, json_object_to_json_string(data));
    qmp_sessions_send_event(event);
}

static void run_state_event(const char *name, ShutdownCause cause)
{
    json_object *data = NULL;

    if (cause != SHUTDOWN_CAUSE_NONE) {
        data = json_object_new_object();
        json_add_bool(data, "guest", shutdown_cause_is_guest(cause));
        json_add_string(data, "reason", shutdown_cause_name(cause));
    }
    qmp_event_send(name, data);
}

__attribute__((constructor)) static void run_state_events_init(void)
{
    run_state_set_event_hook(run_state_event);
}

static const QmpEvent events[] = {
    {.name = "STOP", .doc = "The virtual machine has stopped: the guest no longer runs."},
    {.name = "RESUME", .doc = "The virtual machine runs, for the first time or again."},
    {.name = "POWERDOWN",
     .doc = "The power button was pressed; what follows is the guest's decision."},
    {.name = "RESET",
     .data = "guest:bool, reason:ShutdownCause",
     .doc = "The machine was reset; guest says whether the guest asked for it."},
    {.name = "SHUTDOWN",
     .data = "guest:bool, reason:ShutdownCause",
     .doc = "The program is about to end; guest says whether the guest asked for it."},
    {.name = NULL},
};

static const QmpType types[] = {
    {.name = "ShutdownCause",
     .kind = QMP_ENUM,
     .members = "none, host-error, host-qmp-quit, host-qmp-system-reset, host-signal, host-ui, "
                "guest-shutdown, guest-reset, guest-panic, subsystem-reset",
     .doc = "Why the machine was reset or the program ends."},
    {.name = NULL},
};

QMP_REGISTER(NULL, events, types);
