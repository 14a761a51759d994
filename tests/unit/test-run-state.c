/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Run state: order of listeners, holds on a stop, requests, events. */
#include "system/main-loop.h"
#include "system/run-state.h"

static GString *trail;

static void take_trail(const char *expected)
{
    g_assert_cmpstr(trail->str, ==, expected);
    g_string_truncate(trail, 0);
}

static void event(const char *name, ShutdownCause cause)
{
    g_string_append_printf(trail, "%s(%s) ", name, shutdown_cause_name(cause));
}

static void changed(gpointer opaque, gboolean running)
{
    g_string_append_printf(trail, "%s%s ", running ? "+" : "-", (const char *)opaque);
}

static void changed_hold(gpointer opaque, gboolean running)
{
    changed(opaque, running);
    if (!running) {
        run_state_stop_hold();
    }
}

static void stopped(gpointer opaque)
{
    g_string_append_printf(trail, "stopped:%s ", (const char *)opaque);
}

static void restart(gpointer opaque)
{
    stopped(opaque);
    g_assert_true(run_state_start(NULL));
    run_state_stop(stopped, "again");
}

static RunStateListener first = {changed, "first"};
static RunStateListener second = {changed_hold, "second"};

static void test_start_stop(void)
{
    g_assert_cmpstr(run_state_name(run_state_get()), ==, "prelaunch");
    run_state_stop(stopped, "early");
    take_trail("stopped:early ");
    g_assert_cmpstr(run_state_name(run_state_get()), ==, "prelaunch");

    run_state_listener_add(&first);
    run_state_listener_add(&second);
    g_assert_true(run_state_start(NULL));
    g_assert_true(run_state_start(NULL));
    g_assert_true(run_state_is_running());
    take_trail("+first +second RESUME(none) ");

    run_state_stop(stopped, "one");
    g_assert_cmpstr(run_state_name(run_state_get()), ==, "paused");
    run_state_stop(stopped, "two");
    take_trail("-second -first STOP(none) ");
    run_state_stop_release();
    take_trail("stopped:one stopped:two ");
}

static void test_restart_in_waiter(void)
{
    g_assert_true(run_state_start(NULL));
    run_state_stop(restart, "one");
    run_state_stop(stopped, "two");
    g_string_truncate(trail, 0);
    run_state_stop_release();
    take_trail("stopped:one +first +second RESUME(none) -second -first STOP(none) ");
    run_state_stop_release();
    take_trail("stopped:two stopped:again ");
    run_state_listener_remove(&second);
}

static void handler(gpointer opaque)
{
    g_string_append_printf(trail, "%s ", (const char *)opaque);
}

static char other[] = "other";

static void handler_removes(gpointer opaque)
{
    handler(opaque);
    run_state_reset_handler_remove(handler_removes, opaque);
    run_state_reset_handler_remove(handler, other);
}

static void test_requests(void)
{
    static char self[] = "self";
    static char last[] = "last";

    run_state_reset_handler_add(handler_removes, self);
    run_state_reset_handler_add(handler, other);
    run_state_reset_handler_add(handler, last);
    run_state_powerdown_handler_add(handler, "button");
    run_state_request_reset(SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET);
    run_state_request_powerdown();
    run_state_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
    run_state_request_shutdown(SHUTDOWN_CAUSE_HOST_SIGNAL);
    run_state_request_shutdown(SHUTDOWN_CAUSE_HOST_QMP_QUIT);
    take_trail("");
    main_loop_run();
    take_trail("self last RESET(host-qmp-system-reset) POWERDOWN(none) button "
               "last RESET(guest-reset) SHUTDOWN(host-signal) ");
}

static void test_after_shutdown(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(run_state_start(&error));
    g_assert_nonnull(error);
    run_state_request_reset(SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET);
    main_loop_turn();
    g_string_truncate(trail, 0);
    g_assert_true(run_state_start(NULL));
    take_trail("+first RESUME(none) ");
    g_assert_true(shutdown_cause_is_guest(SHUTDOWN_CAUSE_GUEST_PANIC));
    g_assert_false(shutdown_cause_is_guest(SHUTDOWN_CAUSE_HOST_ERROR));
}

/* -no-shutdown and -no-reboot: what asks for the program's end gets it, everything else pauses. */
static void test_actions(void)
{
    run_state_set_shutdown_action(SHUTDOWN_PAUSES);
    run_state_request_shutdown(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
    main_loop_turn();
    take_trail("SHUTDOWN(guest-shutdown) -first STOP(none) ");
    g_assert_false(main_loop_is_quitting());
    g_assert_cmpint(run_state_get(), ==, RUN_STATE_SHUTDOWN);
    run_state_request_shutdown(SHUTDOWN_CAUSE_HOST_QMP_QUIT);
    main_loop_run();
    take_trail("");

    run_state_set_shutdown_action(SHUTDOWN_ENDS_PROGRAM);
    run_state_request_reset(SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET);
    main_loop_turn();
    g_string_truncate(trail, 0);
    run_state_set_reboot_action(REBOOT_SHUTS_DOWN);
    run_state_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
    main_loop_run();
    take_trail("SHUTDOWN(guest-reset) ");
    run_state_set_reboot_action(REBOOT_RESETS);
}

static void check_state(const char *name)
{
    g_assert_cmpstr(run_state_name(run_state_get()), ==, name);
}

/* A CPU that cannot go on stops the machine until a reset; the program lives. */
static void test_internal_error(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(run_state_start(NULL));
    g_string_truncate(trail, 0);
    run_state_request_stop(RUN_STATE_INTERNAL_ERROR);
    check_state("running"); /* the one who asks finishes first */
    main_loop_turn();
    take_trail("-first STOP(none) ");
    check_state("internal-error");
    g_assert_false(run_state_start(&error));
    g_assert_nonnull(error);
    run_state_stop(stopped, "again");
    take_trail("stopped:again ");
    check_state("internal-error");
    run_state_request_reset(SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET);
    main_loop_turn();
    check_state("paused");
    g_assert_true(run_state_start(NULL));
    g_string_truncate(trail, 0);
}

static void test_panic(void)
{
    run_state_request_reset(SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET);
    main_loop_turn();
    g_assert_true(run_state_start(NULL));
    g_string_truncate(trail, 0);
    run_state_set_panic_action(PANIC_IGNORED);
    g_assert_cmpstr(run_state_request_panic(), ==, "run");
    run_state_set_panic_action(PANIC_PAUSES);
    g_assert_cmpstr(run_state_request_panic(), ==, "pause");
    main_loop_turn();
    take_trail("-first STOP(none) ");
    check_state("guest-panicked");
    g_assert_true(run_state_start(NULL)); /* a look at the guest's last words */
    take_trail("+first RESUME(none) ");

    run_state_set_panic_action(PANIC_SHUTS_DOWN);
    run_state_set_shutdown_action(SHUTDOWN_PAUSES);
    g_assert_cmpstr(run_state_request_panic(), ==, "pause");
    main_loop_turn();
    check_state("guest-panicked");
    run_state_set_shutdown_action(SHUTDOWN_ENDS_PROGRAM);
    g_string_truncate(trail, 0);
    g_assert_cmpstr(run_state_request_panic(), ==, "poweroff");
    main_loop_run();
    take_trail("SHUTDOWN(guest-panic) ");
    g_assert_cmpint(run_state_exit_status(), ==, 0);
}

/* The first one who ends the program chooses its status. */
static void test_exit_status(void)
{
    run_state_request_reset(SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET);
    main_loop_turn();
    g_string_truncate(trail, 0);
    run_state_request_shutdown_with_status(SHUTDOWN_CAUSE_GUEST_SHUTDOWN, 7);
    run_state_request_shutdown_with_status(SHUTDOWN_CAUSE_GUEST_SHUTDOWN, 9);
    main_loop_run();
    take_trail("SHUTDOWN(guest-shutdown) ");
    g_assert_cmpint(run_state_exit_status(), ==, 7);

    run_state_request_reset(SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET);
    main_loop_turn();
    run_state_set_panic_action(PANIC_EXITS_WITH_FAILURE);
    g_string_truncate(trail, 0);
    g_assert_cmpstr(run_state_request_panic(), ==, "poweroff");
    main_loop_run();
    take_trail("SHUTDOWN(guest-panic) ");
    g_assert_cmpint(run_state_exit_status(), ==, 1);
}

/* --- CPUs that halt when the test says so --- */

typedef struct Halt {
    void (*done)(gpointer opaque);
    gpointer opaque;
} Halt;

static GQueue halts = G_QUEUE_INIT; /* of Halt */

static void cpus_pause(void (*done)(gpointer opaque), gpointer opaque)
{
    Halt *halt = g_new(Halt, 1);

    *halt = (Halt){done, opaque};
    g_queue_push_tail(&halts, halt);
    g_string_append(trail, "pause ");
}

static void cpus_resume(void)
{
    g_assert_cmpuint(halts.length, ==, 0); /* nobody still waits for the CPUs to halt */
    g_string_append(trail, "resume ");
}

static void cpus_reset(void)
{
    g_string_append(trail, "reset ");
}

/* The CPUs have halted: whoever waits for that is told. */
static void halted(void)
{
    while (halts.length > 0) {
        g_autofree Halt *halt = g_queue_pop_head(&halts);
        halt->done(halt->opaque);
    }
}

static void request_reset(void)
{
    run_state_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
    main_loop_turn();
}

/* Before: the machine runs without CPUs, with listener "first" and reset handler "last". */
static void test_cpus(void)
{
    static const RunStateCpus cpus = {cpus_pause, cpus_resume, cpus_reset};

    run_state_stop(NULL, NULL);
    run_state_set_cpus(&cpus);
    g_string_truncate(trail, 0);
    g_assert_true(run_state_start(NULL));
    take_trail("+first resume RESUME(none) ");

    run_state_stop(stopped, "one");
    run_state_stop(stopped, "two"); /* the same stop */
    g_assert_false(run_state_is_running());
    take_trail("pause ");
    halted();
    take_trail("-first STOP(none) stopped:one stopped:two ");
    run_state_stop(stopped, "three"); /* it stands still already */
    take_trail("stopped:three ");
}

static void test_cont_while_stopping(void)
{
    g_assert_true(run_state_start(NULL));
    run_state_stop(stopped, "one");
    g_assert_true(run_state_start(NULL));
    take_trail("+first resume RESUME(none) pause ");
    halted();
    take_trail("-first STOP(none) stopped:one +first resume RESUME(none) ");
    run_state_stop(NULL, NULL);
    g_assert_true(run_state_start(NULL));
    run_state_stop(stopped, "last word");
    halted();
    take_trail("pause -first STOP(none) stopped:last word ");
    g_assert_false(run_state_is_running());
}

static void test_reset_with_cpus(void)
{
    request_reset(); /* paused: it stays so */
    take_trail("pause ");
    halted();
    take_trail("last reset RESET(guest-reset) ");
    g_assert_true(run_state_start(NULL));
    g_string_truncate(trail, 0);
    request_reset(); /* running: it goes on */
    take_trail("pause ");
    halted();
    take_trail("last reset resume RESET(guest-reset) ");
}

/* Several who wait for the same halt all have it, in order, before the CPUs go on. */
static void test_reset_and_stop(void)
{
    request_reset();
    request_reset();
    halted();
    take_trail("pause pause last reset RESET(guest-reset) last reset resume RESET(guest-reset) ");

    request_reset();
    run_state_stop(stopped, "one");
    halted();
    take_trail("pause pause last reset RESET(guest-reset) -first STOP(none) stopped:one ");

    g_assert_true(run_state_start(NULL));
    g_string_truncate(trail, 0);
    run_state_stop(stopped, "two");
    request_reset();
    g_assert_true(run_state_start(NULL));
    halted();
    take_trail("pause pause -first STOP(none) stopped:two +first RESUME(none) "
               "last reset resume RESET(guest-reset) ");
    run_state_stop(NULL, NULL);
    halted();
    run_state_set_cpus(NULL);
    g_assert_true(run_state_start(NULL));
    g_string_truncate(trail, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    trail = g_string_new(NULL);
    run_state_set_event_hook(event);
    g_test_add_func("/run-state/start-stop", test_start_stop);
    g_test_add_func("/run-state/restart-in-waiter", test_restart_in_waiter);
    g_test_add_func("/run-state/requests", test_requests);
    g_test_add_func("/run-state/after-shutdown", test_after_shutdown);
    g_test_add_func("/run-state/cpus", test_cpus);
    g_test_add_func("/run-state/cont-while-stopping", test_cont_while_stopping);
    g_test_add_func("/run-state/reset-with-cpus", test_reset_with_cpus);
    g_test_add_func("/run-state/reset-and-stop", test_reset_and_stop);
    g_test_add_func("/run-state/internal-error", test_internal_error);
    g_test_add_func("/run-state/actions", test_actions);
    g_test_add_func("/run-state/panic", test_panic);
    g_test_add_func("/run-state/exit-status", test_exit_status);
    int result = g_test_run();
    g_string_free(trail, TRUE);
    return result;
}
