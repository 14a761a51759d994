/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The small devices of the board: keyboard controller and reset ports, isa-debug-exit, pvpanic,
 * vmgenid; what QMP says of them, and how the program ends.
 */
#include "qtest/rig.h"

#include <string.h>
#include <sys/wait.h>

#define EVENT_WAIT 10000

static void out(const Vmm *vmm, uint16_t port, uint8_t value)
{
    qtest_outb(vmm->qtest, port, value);
}

static uint8_t in(const Vmm *vmm, uint16_t port)
{
    return qtest_inb(vmm->qtest, port);
}

/* The event @name with @value at @member (NULL: no member). */
static void expect_event(Vmm *vmm, const char *name, const char *member, const char *value)
{
    g_autoptr(json_object) event = qmp_event_or_fail(vmm->qmp, name, EVENT_WAIT);

    if (member) {
        g_assert_cmpstr(qmp_get_string(event, member), ==, value);
    }
}

static void expect_no_event(Vmm *vmm, const char *name)
{
    qmp_expect_no_event(vmm->qmp, name, 50);
}

static void expect_state(Vmm *vmm, const char *state)
{
    g_autoptr(json_object) answer = qmp_command_or_fail(vmm->qmp, "{'execute':'query-status'}");

    g_assert_cmpstr(qmp_get_string(answer, "status"), ==, state);
}

static void expect_exit(Vmm *vmm, int wanted)
{
    int status;

    g_assert_true(vmm_wait(vmm, EVENT_WAIT, &status));
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, wanted);
    vmm_free(vmm);
}

/* --- keyboard controller --- */

static uint8_t ask(const Vmm *vmm, uint8_t command)
{
    out(vmm, 0x64, command);
    g_assert_cmphex(in(vmm, 0x64) & 0x03, ==, 0x01);
    uint8_t answer = in(vmm, 0x60);
    g_assert_cmphex(in(vmm, 0x64) & 0x61, ==, 0);
    return answer;
}

static void test_keyboard_controller(void)
{
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -m 32M");

    g_assert_cmphex(in(vmm, 0x64), ==, 0x10);
    g_assert_cmphex(ask(vmm, 0xaa), ==, 0x55);
    g_assert_cmphex(in(vmm, 0x64), ==, 0x1c); /* the self-test has passed */
    g_assert_cmphex(ask(vmm, 0xab), ==, 0x00);
    g_assert_cmphex(ask(vmm, 0xa9), ==, 0x00);
    g_assert_cmphex(ask(vmm, 0x20), ==, 0x34);
    out(vmm, 0x64, 0x60);
    out(vmm, 0x60, 0x47);
    g_assert_cmphex(ask(vmm, 0x20), ==, 0x47);
    out(vmm, 0x64, 0xad);
    out(vmm, 0x64, 0xa7);
    g_assert_cmphex(ask(vmm, 0x20), ==, 0x77);
    out(vmm, 0x64, 0xae);
    out(vmm, 0x64, 0xa8);
    g_assert_cmphex(ask(vmm, 0x20), ==, 0x47);
    out(vmm, 0x60, 0xff); /* nobody is at the connector */
    g_assert_cmphex(in(vmm, 0x64) & 0x61, ==, 0x41);
    g_assert_cmphex(in(vmm, 0x60), ==, 0xfe);
    out(vmm, 0x64, 0xd4);
    out(vmm, 0x60, 0xf4); /* nor at the other one */
    g_assert_cmphex(in(vmm, 0x64) & 0x61, ==, 0x61);
    g_assert_cmphex(in(vmm, 0x60), ==, 0xfe);
    out(vmm, 0x64, 0xd3);
    out(vmm, 0x60, 0xa5);
    g_assert_cmphex(in(vmm, 0x64) & 0x61, ==, 0x21);
    g_assert_cmphex(in(vmm, 0x60), ==, 0xa5);
    for (guint command = 0; command < 0x100; command++) { /* none of them hangs */
        if (command < 0xf0 && command != 0xd1) {
            out(vmm, 0x64, (uint8_t)command);
            out(vmm, 0x60, 0);
        }
    }
    expect_no_event(vmm, "RESET");
    vmm_end(vmm);
}

static void test_a20(void)
{
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -m 32M");

    g_assert_cmphex(in(vmm, 0x92), ==, 0x02);
    g_assert_cmphex(ask(vmm, 0xd0), ==, 0x03);
    out(vmm, 0x92, 0x00);
    g_assert_cmphex(ask(vmm, 0xd0), ==, 0x01);
    out(vmm, 0x64, 0xd1);
    out(vmm, 0x60, 0xdf);
    g_assert_cmphex(in(vmm, 0x92), ==, 0x02);
    expect_no_event(vmm, "RESET");
    vmm_end(vmm);
}

/* Each way to reset, and values at the same ports that are none. */
static void test_resets(void)
{
    static const struct {
        uint16_t first_port, port;
        uint8_t first, value;
        gboolean resets;
    } ways[] = {
        {0, 0x64, 0, 0xfe, TRUE},         {0, 0x64, 0, 0xff, FALSE},
        {0x64, 0x60, 0xd1, 0xde, TRUE},   {0x64, 0x60, 0xd1, 0xdf, FALSE},
        {0, 0x92, 0, 0x03, TRUE},         {0, 0x92, 0, 0x02, FALSE},
        {0xcf9, 0xcf9, 0x02, 0x06, TRUE}, {0xcf9, 0xcf9, 0x02, 0x0e, TRUE},
        {0, 0xcf9, 0, 0x02, FALSE},
    };
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -m 32M");

    for (guint i = 0; i < G_N_ELEMENTS(ways); i++) {
        if (ways[i].first_port) {
            out(vmm, ways[i].first_port, ways[i].first);
        }
        out(vmm, ways[i].port, ways[i].value);
        if (ways[i].resets) {
            expect_event(vmm, "RESET", "data/reason", "guest-reset");
            g_assert_cmphex(in(vmm, 0x92), ==, 0x02);
        } else {
            expect_no_event(vmm, "RESET");
        }
    }
    vmm_end(vmm);
}

#define PM_CONTROL 0x604
#define PM_SLEEP_ENABLE 0x2000

/* What the guest does at its end, and what the options make of it. */
static void test_actions(void)
{
    static const struct {
        const char *arguments;
        gboolean resets;    /* the guest resets; else it powers off */
        const char *reason; /* of SHUTDOWN */
        const char *state;  /* afterwards; NULL: the program has ended */
    } cases[] = {
        {"-no-reboot", TRUE, "guest-reset", NULL},
        {"-action reboot=shutdown", TRUE, "guest-reset", NULL},
        {"-no-reboot -no-shutdown", TRUE, "guest-reset", "shutdown"},
        {"-action reboot=reset", TRUE, NULL, "running"},
        {"-action shutdown=poweroff", FALSE, "guest-shutdown", NULL},
        {"-action shutdown=pause", FALSE, "guest-shutdown", "shutdown"},
        {"-no-shutdown", FALSE, "guest-shutdown", "shutdown"},
        {"-no-shutdown -no-reboot", FALSE, "guest-shutdown", "shutdown"},
        {"-no-reboot", FALSE, "guest-shutdown", NULL},
        {"-action watchdog=none", FALSE, "guest-shutdown", NULL},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -m 32M %s", cases[i].arguments);

        if (cases[i].resets) {
            out(vmm, 0x64, 0xfe);
        } else {
            qtest_outw(vmm->qtest, PM_CONTROL, PM_SLEEP_ENABLE);
        }
        expect_event(vmm, cases[i].reason ? "SHUTDOWN" : "RESET", "data/reason",
                     cases[i].reason ? cases[i].reason : "guest-reset");
        if (!cases[i].state) {
            expect_exit(vmm, 0);
            continue;
        }
        if (cases[i].reason) {
            expect_event(vmm, "STOP", NULL, NULL);
        }
        expect_state(vmm, cases[i].state);
        json_object_put(qmp_command_or_fail(vmm->qmp, "{'execute':'quit'}"));
        expect_exit(vmm, 0);
    }
}

/* --- isa-debug-exit --- */

static void test_debug_exit(void)
{
    static const struct {
        const char *arguments;
        uint16_t port;
        uint8_t value;
        int status;
    } cases[] = {
        {"", 0x501, 0, 1},
        {"", 0x502, 5, 11},
        {",iobase=0xf4,iosize=0x04", 0xf7, 0x10, 0x21},
        {",iobase=0xf4,iosize=4", 0xf4, 0xff, 0xff},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Vmm *vmm =
            vmm_start_or_fail(NULL, "-M pc -m 32M -device isa-debug-exit%s", cases[i].arguments);
        g_assert_cmphex(in(vmm, cases[i].port), ==, 0);
        out(vmm, cases[i].port, cases[i].value);
        expect_event(vmm, "SHUTDOWN", "data/reason", "guest-shutdown");
        expect_exit(vmm, cases[i].status);
    }
}

/* --- pvpanic --- */

static void test_panic(void)
{
    static const struct {
        const char *arguments, *action;
        const char *state; /* NULL: the program ends */
        int status;
    } cases[] = {
        {"", "poweroff", NULL, 0},
        {"-action panic=shutdown", "poweroff", NULL, 0},
        {"-action panic=exit-failure", "poweroff", NULL, 1},
        {"-action panic=pause", "pause", "guest-panicked", 0},
        {"-no-shutdown", "pause", "guest-panicked", 0},
        {"-action panic=none", "run", "running", 0},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -m 32M -device pvpanic %s", cases[i].arguments);
        g_assert_cmphex(in(vmm, 0x505), ==, 7);
        out(vmm, 0x505, 1);
        expect_event(vmm, "GUEST_PANICKED", "data/action", cases[i].action);
        if (!cases[i].state) {
            expect_event(vmm, "SHUTDOWN", "data/reason", "guest-panic");
            expect_exit(vmm, cases[i].status);
            continue;
        }
        if (strcmp(cases[i].state, "running") != 0) {
            expect_event(vmm, "STOP", NULL, NULL);
        }
        expect_state(vmm, cases[i].state);
        vmm_end(vmm);
    }
}

/* What is told beside a panic, and after one. */
static void test_crash_loaded(void)
{
    Vmm *vmm = vmm_start_or_fail(
        NULL, "-M pc -m 32M -action panic=pause -device pvpanic,ioport=0x600f,events=2");

    g_assert_cmphex(in(vmm, 0x505), ==, 0xff);
    g_assert_cmphex(in(vmm, 0x600f), ==, 2);
    out(vmm, 0x600f, 0xfd); /* a panic is not offered */
    expect_no_event(vmm, "GUEST_PANICKED");
    out(vmm, 0x600f, 2);
    expect_event(vmm, "GUEST_CRASHLOADED", "data/action", "run");
    expect_state(vmm, "running");
    vmm_end(vmm);

    vmm = vmm_start_or_fail(NULL, "-M pc -m 32M -action panic=pause -device pvpanic,events=3");
    out(vmm, 0x505, 4); /* an end is not offered */
    expect_no_event(vmm, "GUEST_PVSHUTDOWN");
    out(vmm, 0x505, 1);
    expect_event(vmm, "STOP", NULL, NULL);
    json_object_put(qmp_command_or_fail(vmm->qmp, "{'execute':'system_reset'}"));
    expect_event(vmm, "RESET", NULL, NULL);
    expect_state(vmm, "paused");
    json_object_put(qmp_command_or_fail(vmm->qmp, "{'execute':'cont'}"));
    expect_state(vmm, "running");
    vmm_end(vmm);
}

/* The guest wants to be switched off, which may be for its manager to do. */
static void test_pv_shutdown(void)
{
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -m 32M -device pvpanic");

    out(vmm, 0x505, 4);
    expect_event(vmm, "GUEST_PVSHUTDOWN", NULL, NULL);
    expect_event(vmm, "SHUTDOWN", "data/reason", "guest-shutdown");
    expect_exit(vmm, 0);

    vmm = vmm_start_or_fail(NULL, "-M pc -m 32M -no-shutdown -device pvpanic");
    out(vmm, 0x505, 4);
    expect_event(vmm, "GUEST_PVSHUTDOWN", NULL, NULL);
    expect_state(vmm, "shutdown");
    vmm_end(vmm);
}

/* --- vmgenid --- */

static char *generation_id(Vmm *vmm)
{
    g_autoptr(json_object) answer =
        qmp_command_or_fail(vmm->qmp, "{'execute':'query-vm-generation-id'}");

    return g_strdup(qmp_get_string(answer, "guid"));
}

static void test_generation_id(void)
{
    Vmm *vmm = vmm_start_or_fail(
        NULL, "-M pc -m 32M -device vmgenid,id=g,guid=324E6EAF-D1D1-4BF6-BF41-B9BB6C91FB87");
    g_autofree char *given = generation_id(vmm);

    g_assert_cmpstr(given, ==, "324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87");
    g_autoptr(json_object) shown = qmp_command_or_fail(
        vmm->qmp, "{'execute':'human-monitor-command','arguments':{'command-line':"
                  "'info vm-generation-id'}}");
    g_assert_nonnull(strstr(json_object_get_string(shown), given));
    json_object_put(qmp_command_or_fail(
        vmm->qmp, "{'execute':'qom-set','arguments':{'path':'/machine/peripheral/g',"
                  "'property':'guid','value':'auto'}}"));
    g_autofree char *other = generation_id(vmm);
    g_assert_true(g_uuid_string_is_valid(other));
    g_assert_cmpstr(given, !=, other);
    g_autofree char *refusal = qmp_command_refused(
        vmm->qmp, "{'execute':'qom-set','arguments':{'path':'/machine/peripheral/g',"
                  "'property':'guid','value':'x'}}");
    rig_assert_names(refusal, "'g'", "guid=x", "auto", NULL);
    g_autofree char *same = generation_id(vmm);
    g_assert_cmpstr(same, ==, other);
    vmm_end(vmm);

    vmm = vmm_start_or_fail(NULL, "-M pc -m 32M -device vmgenid");
    g_autofree char *fresh = generation_id(vmm);
    g_assert_true(g_uuid_string_is_valid(fresh));
    vmm_end(vmm);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/platform/keyboard-controller", test_keyboard_controller);
    g_test_add_func("/platform/a20", test_a20);
    g_test_add_func("/platform/resets", test_resets);
    g_test_add_func("/platform/actions", test_actions);
    g_test_add_func("/platform/debug-exit", test_debug_exit);
    g_test_add_func("/platform/panic", test_panic);
    g_test_add_func("/platform/crash-loaded", test_crash_loaded);
    g_test_add_func("/platform/pv-shutdown", test_pv_shutdown);
    g_test_add_func("/platform/generation-id", test_generation_id);
    return g_test_run();
}
