/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The virtual clock: it moves when it is told to, or with the host's. */
#include "system/clock.h"

#include <glib-unix.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct ClockTimer {
    void (*function)(gpointer opaque);
    gpointer opaque;
    gint64 deadline;
    guint64 serial;      /* of setting: equal deadlines expire in that order */
    GSequenceIter *iter; /* NULL: stopped */
};

static gint64 clock_time;
static gboolean running;      /* with the host's clock */
static gint64 host_reference; /* the host's time that is clock_time 0 while it runs */
static int expiry_fd = -1;    /* a timer of the host for the earliest deadline while it runs */
static void schedule_expiry(void);

static guint64 next_serial;
static GSequence *timers; /* of ClockTimer, by deadline and serial; NULL while empty */

/* The host's clock: nanoseconds that never go back. */
static gint64 host_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * G_GINT64_CONSTANT(1000000000) + now.tv_nsec;
}

gint64 clock_now(void)
{
    return running ? MAX(clock_time, host_now() - host_reference) : clock_time;
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

static ClockTimer *first_timer(void)
{
    return timers ? g_sequence_get(g_sequence_get_begin_iter(timers)) : NULL;
}

static gboolean expired(gint fd, GIOCondition condition G_GNUC_UNUSED,
                        gpointer opaque G_GNUC_UNUSED)
{
    guint64 times;

    if (read(fd, &times, sizeof(times)) == sizeof(times)) { /* otherwise it was set again */
        clock_advance(clock_now());
        schedule_expiry();
    }
    return G_SOURCE_CONTINUE;
}

/* GLib's timeouts come up to a millisecond late, which is a quarter of a guest's tick. */
static void schedule_expiry(void)
{
    const ClockTimer *timer = first_timer();
    struct itimerspec when = {0}; /* never */

    if (running && expiry_fd < 0) { /* when the machine starts: there are descriptors then */
        expiry_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        if (expiry_fd >= 0) {
            g_unix_fd_add(expiry_fd, G_IO_IN, expired, NULL);
        }
    }
    if (running && timer) {
        gint64 deadline = MAX(timer->deadline + host_reference, 1);
        when.it_value.tv_sec = deadline / 1000000000;
        when.it_value.tv_nsec = deadline % 1000000000;
    }
    if (expiry_fd >= 0) {
        timerfd_settime(expiry_fd, TFD_TIMER_ABSTIME, &when, NULL);
    }
}

void clock_set_running(gboolean wanted)
{
    if (wanted == running) {
        return;
    }
    clock_time = clock_now();
    running = wanted;
    host_reference = host_now() - clock_time;
    schedule_expiry();
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
    schedule_expiry();
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
