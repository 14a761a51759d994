/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtual clock, in nanoseconds since the machine started, and timers on
 * it.  Under qtest it stands still until clock_step or clock_set moves it;
 * under an accelerator that has CPUs it follows the host while the machine runs.  Deadlines towards
 * backends never use it.  Under the VM lock.
 */
#ifndef SYSTEM_CLOCK_H
#define SYSTEM_CLOCK_H

#include <glib.h>

/* Nanoseconds, never less than before. */
gint64 clock_now(void);

typedef struct ClockTimer ClockTimer;

/* A stopped timer; @function is called with the VM lock held, in the thread that moved the clock.
 */
ClockTimer *clock_timer_new(void (*function)(gpointer opaque), gpointer opaque);
/* Stops it first. */
void clock_timer_free(ClockTimer *timer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ClockTimer, clock_timer_free)

/* Expires once when the clock reaches @deadline (ns); replaces an earlier deadline. */
void clock_timer_set(ClockTimer *timer, gint64 deadline);
/* Does nothing to a stopped timer. */
void clock_timer_stop(ClockTimer *timer);

/* The earliest deadline, or -1. */
gint64 clock_next_deadline(void);

/*
 * From now on the clock runs with the host's, and timers expire in the main loop; or it stands
 * still again.  Main thread.
 */
void clock_set_running(gboolean running);

/* Moves the clock forward to @now (ns; never back), running each timer at its own time. */
void clock_advance(gint64 now);

#endif
