/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The virtual clock: order, own times, timers that change others while they expire. */
#include "system/clock.h"

static GString *trail;
static ClockTimer *timers[3];

static void note(gpointer opaque)
{
    g_string_append_printf(trail, "%s@%" G_GINT64_FORMAT " ", (const char *)opaque, clock_now());
}

static void stop_second(gpointer opaque)
{
    note(opaque);
    clock_timer_stop(timers[1]);
    clock_timer_set(timers[0], clock_now() + 10);
}

static void free_self(gpointer opaque)
{
    note(opaque);
    g_clear_pointer(&timers[2], clock_timer_free);
}

static void test_order(void)
{
    gint64 start = clock_now();
    g_autoptr(ClockTimer) late = clock_timer_new(note, "late");
    g_autoptr(ClockTimer) early = clock_timer_new(note, "early");
    g_autoptr(ClockTimer) tie = clock_timer_new(note, "tie");

    g_assert_cmpint(start, ==, 0);
    g_assert_cmpint(clock_next_deadline(), ==, -1);
    trail = g_string_new(NULL);
    clock_timer_set(late, 50);
    clock_timer_set(early, 80);
    clock_timer_set(early, 20);
    clock_timer_set(tie, 50);
    g_assert_cmpint(clock_next_deadline(), ==, 20);
    clock_advance(19);
    g_assert_cmpstr(trail->str, ==, "");
    clock_advance(100);
    g_assert_cmpstr(trail->str, ==, "early@20 late@50 tie@50 ");
    g_assert_cmpint(clock_now(), ==, 100);
    clock_advance(10);
    g_assert_cmpint(clock_now(), ==, 100);
    g_string_free(g_steal_pointer(&trail), TRUE);
}

static void test_reentrant(void)
{
    trail = g_string_new(NULL);
    timers[0] = clock_timer_new(stop_second, "a");
    timers[1] = clock_timer_new(note, "b");
    timers[2] = clock_timer_new(free_self, "c");
    clock_timer_set(timers[0], 110);
    clock_timer_set(timers[1], 115);
    clock_timer_set(timers[2], 112);
    clock_advance(125);
    g_assert_cmpstr(trail->str, ==, "a@110 c@112 a@120 ");
    g_assert_null(timers[2]);
    g_assert_cmpint(clock_next_deadline(), ==, 130);
    clock_timer_free(timers[0]);
    clock_timer_free(timers[1]);
    g_assert_cmpint(clock_next_deadline(), ==, -1);
    g_string_free(g_steal_pointer(&trail), TRUE);
}

/* --- with the host's clock --- */

static void wait_for(const char *expected)
{
    while (!g_str_equal(trail->str, expected)) {
        g_main_context_iteration(NULL, TRUE);
    }
}

static void note_name(gpointer opaque)
{
    g_string_append_printf(trail, "%s ", (const char *)opaque);
}

static void test_running(void)
{
    g_autoptr(ClockTimer) late = clock_timer_new(note_name, "late");
    g_autoptr(ClockTimer) early = clock_timer_new(note_name, "early");
    gint64 start = clock_now();

    trail = g_string_new(NULL);
    clock_timer_set(late, start + 20000000);
    g_usleep(2000);
    g_assert_cmpint(clock_now(), ==, start); /* it stands still */
    clock_set_running(TRUE);
    clock_set_running(TRUE);
    clock_timer_set(early, start + 5000000);
    wait_for("early late ");
    g_assert_cmpint(clock_now(), >=, start + 20000000);

    clock_timer_set(early, clock_now() + 3600 * G_GINT64_CONSTANT(1000000000));
    clock_set_running(FALSE);
    gint64 still = clock_now();
    g_usleep(2000);
    g_assert_cmpint(clock_now(), ==, still);
    g_assert_false(g_main_context_iteration(NULL, FALSE));
    /* The pause does not count: no more passes than since it goes on. */
    gint64 before = g_get_monotonic_time();
    clock_set_running(TRUE);
    gint64 passed = clock_now() - still;
    g_assert_cmpint(passed, >=, 0);
    g_assert_cmpint(passed, <=, (g_get_monotonic_time() - before + 1) * 1000);
    clock_set_running(FALSE);
    clock_timer_stop(early);
    g_string_free(g_steal_pointer(&trail), TRUE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/clock/order", test_order);
    g_test_add_func("/clock/reentrant", test_reentrant);
    g_test_add_func("/clock/running", test_running);
    return g_test_run();
}
