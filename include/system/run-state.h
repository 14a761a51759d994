/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Run state of the virtual machine, and requests to change it.  Under the VM
 * lock; requests may be made by any thread that holds it.
 */
#ifndef SYSTEM_RUN_STATE_H
#define SYSTEM_RUN_STATE_H

#include <glib.h>

/* The subset of states that exist here; names as query-status spells them. */
typedef enum {
    RUN_STATE_PRELAUNCH,
    RUN_STATE_RUNNING,
    RUN_STATE_PAUSED,
    RUN_STATE_SHUTDOWN,
    RUN_STATE_INTERNAL_ERROR, /* a CPU cannot go on */
    RUN_STATE_GUEST_PANICKED,
    RUN_STATE_COUNT,
} RunState;

/* Reasons of SHUTDOWN and RESET events; names as the events spell them. */
typedef enum {
    SHUTDOWN_CAUSE_NONE,
    SHUTDOWN_CAUSE_HOST_ERROR,
    SHUTDOWN_CAUSE_HOST_QMP_QUIT,
    SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET,
    SHUTDOWN_CAUSE_HOST_SIGNAL,
    SHUTDOWN_CAUSE_HOST_UI,
    SHUTDOWN_CAUSE_GUEST_SHUTDOWN,
    SHUTDOWN_CAUSE_GUEST_RESET,
    SHUTDOWN_CAUSE_GUEST_PANIC,
    SHUTDOWN_CAUSE_SUBSYSTEM_RESET,
    SHUTDOWN_CAUSE_COUNT,
} ShutdownCause;

const char *run_state_name(RunState state);
const char *shutdown_cause_name(ShutdownCause cause);
/* TRUE for the causes that begin with "guest-". */
gboolean shutdown_cause_is_guest(ShutdownCause cause);

RunState run_state_get(void);
gboolean run_state_is_running(void);

/*
 * Listeners are told of every change, in order of registration for start and
 * in reverse for stop.  On a stop a listener that has to wait for a peer
 * calls run_state_stop_hold() and later run_state_stop_release(): the stop
 * is complete when all holds are released.
 */
typedef struct RunStateListener {
    void (*changed)(gpointer opaque, gboolean running);
    gpointer opaque;
} RunStateListener;
void run_state_listener_add(RunStateListener *listener); /* caller keeps the struct */
void run_state_listener_remove(RunStateListener *listener);
void run_state_stop_hold(void);    /* from within changed() only */
void run_state_stop_release(void); /* main thread */

/*
 * Starts or resumes.  FALSE with @error in a state that cannot run
 * (after shutdown and internal-error: reset first).  Emits RESUME through the event hook.
 */
gboolean run_state_start(GError **error);

/*
 * Pauses.  @done (may be NULL) is called in the main thread once every hold is
 * released, at once if there is none or if the machine did not run.  Emits STOP.
 */
void run_state_stop(void (*done)(gpointer opaque), gpointer opaque);

/* Resets the machine in the main loop: reset handlers in order of registration, then event RESET.
 */
void run_state_request_reset(ShutdownCause cause);

/*
 * Stops the machine in the main loop, event STOP, and leaves it in @state, which is
 * RUN_STATE_INTERNAL_ERROR or RUN_STATE_GUEST_PANICKED.  The program lives on.
 */
void run_state_request_stop(RunState state);

/* Ends the program in an orderly way: event SHUTDOWN, then main_loop_quit(). Signal-safe it is not.
 */
void run_state_request_shutdown(ShutdownCause cause);
/* The same, and the program's exit status is @status if it does end. */
void run_state_request_shutdown_with_status(ShutdownCause cause, int status);
/* What the program exits with after an orderly end: 0 unless one was asked for. */
int run_state_exit_status(void);

/* What a guest's or a user's wish to reset or to shut down leads to: -action, -no-reboot,
 * -no-shutdown. */
typedef enum { REBOOT_RESETS, REBOOT_SHUTS_DOWN } RebootAction;
typedef enum { SHUTDOWN_ENDS_PROGRAM, SHUTDOWN_PAUSES } ShutdownAction;
void run_state_set_reboot_action(RebootAction action);
/* The program ends all the same for quit and for signals. */
void run_state_set_shutdown_action(ShutdownAction action);

/* What the guest's panic leads to: -action panic=. */
typedef enum {
    PANIC_SHUTS_DOWN,
    PANIC_EXITS_WITH_FAILURE,
    PANIC_PAUSES,
    PANIC_IGNORED
} PanicAction;
void run_state_set_panic_action(PanicAction action);
/* The guest says that it has panicked.  Returns what follows, as the event GUEST_PANICKED spells
 * it; the caller sends that. */
const char *run_state_request_panic(void);

/* system_powerdown: event POWERDOWN, then the power-button handlers. */
void run_state_request_powerdown(void);

typedef void RunStateHandler(gpointer opaque);
void run_state_reset_handler_add(RunStateHandler *handler, gpointer opaque);
void run_state_reset_handler_remove(RunStateHandler *handler, gpointer opaque);
void run_state_powerdown_handler_add(RunStateHandler *handler, gpointer opaque);

/*
 * The one who emits events to users (the monitor) sets this; @name is the
 * event, @cause is SHUTDOWN_CAUSE_NONE for events that have none.
 */
void run_state_set_event_hook(void (*hook)(const char *name, ShutdownCause cause));

/*
 * The CPUs, which the accelerator has.  They run after all listeners have been told of a start, and
 * stand still before any is told of a stop and while reset handlers work.  VM lock held, main
 * thread.
 */
typedef struct RunStateCpus {
    /*
     * No CPU shall be in the guest: calls @done in the main thread when none is, within the
     * call if none was.
     */
    void (*pause)(void (*done)(gpointer opaque), gpointer opaque);
    void (*resume)(void); /* ends a pause that is done */
    void (*reset)(void);  /* to what they are at power-on; while paused */
} RunStateCpus;

/* @cpus is kept, not copied; NULL: none.  While the machine does not run. */
void run_state_set_cpus(const RunStateCpus *cpus);

/* -S: stay in prelaunch.  Otherwise main.c calls run_state_start(). */

#endif
