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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/clock/order", test_order);
    g_test_add_func("/clock/reentrant", test_reentrant);
    return g_test_run();
}
