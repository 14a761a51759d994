/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Run state of the virtual machine.  Requests are posted to the main loop, so
 * that a device model or a monitor command that makes one finishes first.
 */
#include "system/run-state.h"

#include "system/main-loop.h"
#include "util/error.h"

/* A function to call on reset or at the power button; function NULL: removed while being walked. */
typedef struct Handler {
    RunStateHandler *function;
    gpointer opaque;
} Handler;

typedef struct StopWaiter {
    void (*done)(gpointer opaque);
    gpointer opaque;
} StopWaiter;

static RunState current_state = RUN_STATE_PRELAUNCH;
static GPtrArray *listeners; /* of RunStateListener, borrowed; NULL elements: removed in a walk */
static guint walks;          /* walks over listeners or handlers under way */
static GArray *reset_handlers;
static GArray *powerdown_handlers;
static guint stop_holds;
static GQueue stop_waiters = G_QUEUE_INIT; /* of StopWaiter */
static void (*event_hook)(const char *name, ShutdownCause cause);
static const RunStateCpus *cpus;    /* NULL: none */
static gboolean stopping;           /* the CPUs come to a halt, listeners do not know yet */
static gboolean start_when_stopped; /* what was asked meanwhile */
static guint pauses;                /* of the CPUs, asked for and not done yet */
static RebootAction reboot_action;
static ShutdownAction shutdown_action;
static PanicAction panic_action;
static int exit_status;

const char *run_state_name(RunState state)
{
    static const char *const names[RUN_STATE_COUNT] = {
        [RUN_STATE_PRELAUNCH] = "prelaunch",
        [RUN_STATE_RUNNING] = "running",
        [RUN_STATE_PAUSED] = "paused",
        [RUN_STATE_SHUTDOWN] = "shutdown",
        [RUN_STATE_INTERNAL_ERROR] = "internal-error",
        [RUN_STATE_GUEST_PANICKED] = "guest-panicked",
    };

    return names[state];
}

const char *shutdown_cause_name(ShutdownCause cause)
{
    static const char *const names[SHUTDOWN_CAUSE_COUNT] = {
        [SHUTDOWN_CAUSE_NONE] = "none",
        [SHUTDOWN_CAUSE_HOST_ERROR] = "host-error",
        [SHUTDOWN_CAUSE_HOST_QMP_QUIT] = "host-qmp-quit",
        [SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET] = "host-qmp-system-reset",
        [SHUTDOWN_CAUSE_HOST_SIGNAL] = "host-signal",
        [SHUTDOWN_CAUSE_HOST_UI] = "host-ui",
        [SHUTDOWN_CAUSE_GUEST_SHUTDOWN] = "guest-shutdown",
        [SHUTDOWN_CAUSE_GUEST_RESET] = "guest-reset",
        [SHUTDOWN_CAUSE_GUEST_PANIC] = "guest-panic",
        [SHUTDOWN_CAUSE_SUBSYSTEM_RESET] = "subsystem-reset",
    };

    return names[cause];
}

gboolean shutdown_cause_is_guest(ShutdownCause cause)
{
    return g_str_has_prefix(shutdown_cause_name(cause), "guest-");
}

RunState run_state_get(void)
{
    return current_state;
}

gboolean run_state_is_running(void)
{
    return current_state == RUN_STATE_RUNNING;
}

static void emit(const char *name, ShutdownCause cause)
{
    if (event_hook) {
        event_hook(name, cause);
    }
}

void run_state_set_event_hook(void (*hook)(const char *name, ShutdownCause cause))
{
    event_hook = hook;
}

/* --- lists that may change while they are walked --- */

void run_state_listener_add(RunStateListener *listener)
{
    if (!listeners) {
        listeners = g_ptr_array_new();
    }
    g_ptr_array_add(listeners, listener);
}

void run_state_listener_remove(RunStateListener *listener)
{
    guint index;

    if (!listeners || !g_ptr_array_find(listeners, listener, &index)) {
        return;
    }
    if (walks > 0) {
        g_ptr_array_index(listeners, index) = NULL;
    } else {
        g_ptr_array_remove_index(listeners, index);
    }
}

static void handler_add(GArray **handlers, RunStateHandler *function, gpointer opaque)
{
    Handler handler = {function, opaque};

    if (!*handlers) {
        *handlers = g_array_new(FALSE, FALSE, sizeof(Handler));
    }
    g_array_append_val(*handlers, handler);
}

static void handlers_compact(GArray *handlers)
{
    for (guint i = handlers ? handlers->len : 0; i-- > 0;) {
        if (!g_array_index(handlers, Handler, i).function) {
            g_array_remove_index(handlers, i);
        }
    }
}

static void walk_begin(void)
{
    walks++;
}

static void walk_end(void)
{
    if (--walks > 0) {
        return;
    }
    while (listeners && g_ptr_array_remove(listeners, NULL)) {
    }
    handlers_compact(reset_handlers);
    handlers_compact(powerdown_handlers);
}

static void handlers_call(GArray *handlers)
{
    walk_begin();
    /* Those that are added meanwhile are called too: they come behind. */
    for (guint i = 0; handlers && i < handlers->len; i++) {
        Handler handler = g_array_index(handlers, Handler, i);

        if (handler.function) {
            handler.function(handler.opaque);
        }
    }
    walk_end();
}

static void listeners_call(gboolean running)
{
    guint count = listeners ? listeners->len : 0;

    walk_begin();
    for (guint i = 0; i < count; i++) {
        RunStateListener *listener = g_ptr_array_index(listeners, running ? i : count - 1 - i);

        if (listener) {
            listener->changed(listener->opaque, running);
        }
    }
    walk_end();
}

void run_state_reset_handler_add(RunStateHandler *handler, gpointer opaque)
{
    handler_add(&reset_handlers, handler, opaque);
}

void run_state_reset_handler_remove(RunStateHandler *handler, gpointer opaque)
{
    for (guint i = 0; reset_handlers && i < reset_handlers->len; i++) {
        Handler *entry = &g_array_index(reset_handlers, Handler, i);

        if (entry->function == handler && entry->opaque == opaque) {
            entry->function = NULL;
            break;
        }
    }
    if (walks == 0) {
        handlers_compact(reset_handlers);
    }
}

void run_state_powerdown_handler_add(RunStateHandler *handler, gpointer opaque)
{
    handler_add(&powerdown_handlers, handler, opaque);
}

void run_state_set_cpus(const RunStateCpus *chosen)
{
    cpus = chosen;
}

typedef struct Pause {
    void (*done)(gpointer opaque);
    gpointer opaque;
} Pause;

static void pause_done(gpointer opaque)
{
    g_autofree Pause *pause = opaque;

    pauses--;
    pause->done(pause->opaque);
}

/* Calls @done(@opaque) when no CPU is in the guest, at once if there are none. */
static void pause_cpus(void (*done)(gpointer opaque), gpointer opaque)
{
    if (cpus) {
        Pause *pause = g_new(Pause, 1);

        *pause = (Pause){done, opaque};
        pauses++;
        cpus->pause(pause_done, pause);
    } else {
        done(opaque);
    }
}

/* A stop and resets may wait for the same halt: all of them have it before the CPUs go on. */
static void resume_cpus(void)
{
    if (cpus && pauses == 0) {
        cpus->resume();
    }
}

/* --- start and stop --- */

gboolean run_state_start(GError **error)
{
    if (current_state == RUN_STATE_SHUTDOWN) {
        vm_error_set(error, "the machine has shut down and cannot run: reset it first");
        return FALSE;
    }
    if (current_state == RUN_STATE_INTERNAL_ERROR) {
        vm_error_set(error, "a CPU of the machine cannot go on (internal-error): reset it first");
        return FALSE;
    }
    if (stopping) {
        start_when_stopped = TRUE;
    } else if (current_state != RUN_STATE_RUNNING) {
        current_state = RUN_STATE_RUNNING;
        listeners_call(TRUE);
        resume_cpus();
        emit("RESUME", SHUTDOWN_CAUSE_NONE);
    }
    return TRUE;
}

void run_state_stop_hold(void)
{
    stop_holds++;
}

void run_state_stop_release(void)
{
    g_assert(stop_holds > 0);
    stop_holds--;
    /* A waiter may start the machine and stop it again: the rest then waits for that stop. */
    while (stop_holds == 0 && stop_waiters.length > 0) {
        g_autofree StopWaiter *waiter = g_queue_pop_head(&stop_waiters);

        waiter->done(waiter->opaque);
    }
}

static void cpus_stopped(gpointer opaque G_GNUC_UNUSED)
{
    stopping = FALSE;
    listeners_call(FALSE);
    emit("STOP", SHUTDOWN_CAUSE_NONE);
    run_state_stop_release();
    if (start_when_stopped) {
        start_when_stopped = FALSE;
        run_state_start(NULL); /* refused only if the guest has shut down since */
    }
}

void run_state_stop(void (*done)(gpointer opaque), gpointer opaque)
{
    /* Our own hold: no release within a listener ends the stop before all were told. */
    run_state_stop_hold();
    if (done) {
        StopWaiter *waiter = g_new(StopWaiter, 1);

        *waiter = (StopWaiter){done, opaque};
        g_queue_push_tail(&stop_waiters, waiter);
    }
    start_when_stopped = FALSE;
    if (current_state == RUN_STATE_RUNNING) {
        current_state = RUN_STATE_PAUSED;
        stopping = TRUE;
        run_state_stop_hold();
        pause_cpus(cpus_stopped, NULL);
    }
    run_state_stop_release();
}

/* --- requests --- */

static void reset_paused(gpointer cause)
{
    if (current_state != RUN_STATE_RUNNING && current_state != RUN_STATE_PRELAUNCH) {
        /* What kept it from running is over. */
        current_state = RUN_STATE_PAUSED;
    }
    handlers_call(reset_handlers);
    if (cpus) {
        cpus->reset();
    }
    if (current_state == RUN_STATE_RUNNING) {
        resume_cpus();
    }
    emit("RESET", GPOINTER_TO_UINT(cause));
}

static void reset_now(gpointer cause)
{
    pause_cpus(reset_paused, cause);
}

/* Whoever asks for the end of the program gets it. */
static gboolean ends_program(ShutdownCause cause)
{
    return cause == SHUTDOWN_CAUSE_HOST_QMP_QUIT || cause == SHUTDOWN_CAUSE_HOST_SIGNAL ||
           cause == SHUTDOWN_CAUSE_HOST_ERROR || cause == SHUTDOWN_CAUSE_HOST_UI;
}

static void shutdown_now(gpointer cause)
{
    if (current_state == RUN_STATE_SHUTDOWN) {
        if (ends_program(GPOINTER_TO_UINT(cause))) {
            main_loop_quit();
        }
        return;
    }
    emit("SHUTDOWN", GPOINTER_TO_UINT(cause));
    if (shutdown_action == SHUTDOWN_PAUSES && !ends_program(GPOINTER_TO_UINT(cause))) {
        run_state_stop(NULL, NULL);
        current_state = RUN_STATE_SHUTDOWN;
    } else {
        current_state = RUN_STATE_SHUTDOWN;
        main_loop_quit();
    }
}

typedef struct Ending {
    ShutdownCause cause;
    int status;
} Ending;

static void shutdown_with_status(gpointer opaque)
{
    g_autofree Ending *ending = opaque;

    if (current_state != RUN_STATE_SHUTDOWN) {
        exit_status = ending->status;
        shutdown_now(GUINT_TO_POINTER(ending->cause));
    }
}

static void stop_now(gpointer state)
{
    if (current_state != RUN_STATE_SHUTDOWN) {
        run_state_stop(NULL, NULL);
        current_state = GPOINTER_TO_UINT(state);
    }
}

static void powerdown_now(gpointer opaque G_GNUC_UNUSED)
{
    emit("POWERDOWN", SHUTDOWN_CAUSE_NONE);
    handlers_call(powerdown_handlers);
}

void run_state_set_reboot_action(RebootAction action)
{
    reboot_action = action;
}

void run_state_set_shutdown_action(ShutdownAction action)
{
    shutdown_action = action;
}

void run_state_request_reset(ShutdownCause cause)
{
    main_loop_post(reboot_action == REBOOT_SHUTS_DOWN ? shutdown_now : reset_now,
                   GUINT_TO_POINTER(cause));
}

void run_state_request_shutdown(ShutdownCause cause)
{
    main_loop_post(shutdown_now, GUINT_TO_POINTER(cause));
}

void run_state_request_shutdown_with_status(ShutdownCause cause, int status)
{
    Ending *ending = g_new(Ending, 1);

    *ending = (Ending){cause, status};
    main_loop_post(shutdown_with_status, ending);
}

int run_state_exit_status(void)
{
    return exit_status;
}

void run_state_request_stop(RunState state)
{
    main_loop_post(stop_now, GUINT_TO_POINTER(state));
}

void run_state_set_panic_action(PanicAction action)
{
    panic_action = action;
}

const char *run_state_request_panic(void)
{
    switch (panic_action) {
    case PANIC_IGNORED:
        return "run";
    case PANIC_EXITS_WITH_FAILURE:
        run_state_request_shutdown_with_status(SHUTDOWN_CAUSE_GUEST_PANIC, 1);
        return "poweroff";
    case PANIC_SHUTS_DOWN:
        if (shutdown_action == SHUTDOWN_ENDS_PROGRAM) {
            run_state_request_shutdown(SHUTDOWN_CAUSE_GUEST_PANIC);
            return "poweroff";
        }
        break;
    case PANIC_PAUSES:
        break;
    }
    run_state_request_stop(RUN_STATE_GUEST_PANICKED);
    return "pause";
}

void run_state_request_powerdown(void)
{
    main_loop_post(powerdown_now, NULL);
}
