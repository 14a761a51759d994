/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The time of day that the machine's clock shows while the guest leaves it alone (-rtc).  VM lock
 * held.
 */
#ifndef SYSTEM_WALL_CLOCK_H
#define SYSTEM_WALL_CLOCK_H

#include <glib.h>

/* What it begins with. */
typedef enum { WALL_CLOCK_UTC, WALL_CLOCK_LOCAL_TIME, WALL_CLOCK_DATE } WallClockBase;

/* What it goes by: the host's time of day with its corrections, the host's time since boot, or the
 * virtual clock, which stands still with the guest. */
typedef enum { WALL_CLOCK_HOST, WALL_CLOCK_RT, WALL_CLOCK_VM } WallClockSource;

/* @date is for WALL_CLOCK_DATE, in seconds since 1970 as if it were UTC.  UTC by the host's clock
 * otherwise. */
void wall_clock_set(WallClockBase base, gint64 date, WallClockSource source);

/* Nanoseconds since 1970-01-01T00:00:00 in the time zone that was asked for.  May go back with the
 * host's clock. */
gint64 wall_clock_now(void);

#endif
