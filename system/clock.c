/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The virtual clock: it moves only when it is told to. */
#include "system/clock.h"

struct ClockTimer {
    void (*function)(gpointer opaque);
    gpointer opaque;
    gint64 deadline;
    guint64 serial;      /* of setting: equal deadlines expire in that order */
    GSequenceIter *iter; /* NULL: stopped */
};

static gint64 clock_time;
static guint64 next_serial;
static GSequence *timers; /* of ClockTimer, by deadline and serial; NULL while empty */

gint64 clock_now(void)
{
    return clock_time;
}

ClockTimer *clock_timer_new(void (*function)(gpointer opaque), gpointer opaque)
{
    ClockTimer *timer = g_new0(ClockTimer, 1);

    timer->function = function;
    timer->opaque = opaque;
    return timer;
}

void clock_timer_free(ClockTimer *timer)
{
    clock_timer_stop(timer);
    g_free(timer);
}

static gint compare(gconstpointer left, gconstpointer right, gpointer data G_GNUC_UNUSED)
{
    const ClockTimer *a = left;
    const ClockTimer *b = right;

    if (a->deadline != b->deadline) {
        return a->deadline < b->deadline ? -1 : 1;
    }
    return a->serial < b->serial ? -1 : a->serial > b->serial;
}

void clock_timer_set(ClockTimer *timer, gint64 deadline)
{
    clock_timer_stop(timer);
    if (!timers) {
        timers = g_sequence_new(NULL);
    }
    timer->deadline = deadline;
    timer->serial = next_serial++;
    timer->iter = g_sequence_insert_sorted(timers, timer, compare, NULL);
}

void clock_timer_stop(ClockTimer *timer)
{
    if (!timer->iter) {
        return;
    }
    g_sequence_remove(timer->iter);
    timer->iter = NULL;
    if (g_sequence_is_empty(timers)) {
        g_clear_pointer(&timers, g_sequence_free);
    }
}

static ClockTimer *first_timer(void)
{
    return timers ? g_sequence_get(g_sequence_get_begin_iter(timers)) : NULL;
}

gint64 clock_next_deadline(void)
{
    ClockTimer *timer = first_timer();

    return timer ? timer->deadline : -1;
}

void clock_advance(gint64 now)
{
    ClockTimer *timer;

    while ((timer = first_timer()) && timer->deadline <= now) {
        clock_time = MAX(clock_time, timer->deadline);
        clock_timer_stop(timer);
        timer->function(timer->opaque);
    }
    clock_time = MAX(clock_time, now);
}
