/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The time of day of the machine: a clock, and how far it is ahead. */
#include "system/wall-clock.h"

#include "system/clock.h"

#include <time.h>

#define NANOSECONDS G_GINT64_CONSTANT(1000000000)

static WallClockSource clock_source;
static gint64 ahead; /* ns that are added to the source */

static gint64 host_time(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return now.tv_sec * NANOSECONDS + now.tv_nsec;
}

static gint64 source_now(void)
{
    switch (clock_source) {
    case WALL_CLOCK_RT:
        return host_time(CLOCK_BOOTTIME);
    case WALL_CLOCK_VM:
        return clock_now();
    default:
        return host_time(CLOCK_REALTIME);
    }
}

/* Seconds that the host's time zone is ahead of UTC. */
static gint64 zone_offset(void)
{
    time_t now = time(NULL);
    struct tm local;

    return localtime_r(&now, &local) ? local.tm_gmtoff : 0;
}

void wall_clock_set(WallClockBase base, gint64 date, WallClockSource source)
{
    gint64 start = host_time(CLOCK_REALTIME);

    if (base == WALL_CLOCK_LOCAL_TIME) {
        start += zone_offset() * NANOSECONDS;
    } else if (base == WALL_CLOCK_DATE) {
        start = date * NANOSECONDS;
    }
    clock_source = source;
    ahead = start - source_now();
    if (base == WALL_CLOCK_UTC && source == WALL_CLOCK_HOST) {
        ahead = 0; /* without the moment between the two looks */
    }
}

gint64 wall_clock_now(void)
{
    return source_now() + ahead;
}
