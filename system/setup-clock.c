/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -rtc: what the machine's clock shows. */
#include "setup-internal.h"

#include "system/wall-clock.h"
#include "util/error.h"
#include "util/options.h"

#include <stdio.h>

/* What the clock counts, nanoseconds since 1970 and the distance to the host's date, fits in 64
 * bits for these with decades to go on. */
#define FIRST_YEAR 1970
#define LAST_YEAR 2199

/* YYYY-MM-DD, with or without THH:MM:SS. */
static gboolean parse_date(const char *text, gint64 *date)
{
    int year, month, day;
    int hour = 0, minute = 0, second = 0;
    int end = 0;

    if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &end) != 3 || end == 0) {
        return FALSE;
    }
    text += end;
    end = 0;
    if (*text &&
        (sscanf(text, "T%2d:%2d:%2d%n", &hour, &minute, &second, &end) != 3 || text[end])) {
        return FALSE;
    }
    g_autoptr(GDateTime) time = g_date_time_new_utc(year, month, day, hour, minute, second);
    if (!time || year < FIRST_YEAR || year > LAST_YEAR) { /* no such day, or too far away */
        return FALSE;
    }
    *date = g_date_time_to_unix(time);
    return TRUE;
}

static gboolean parse_base(const char *text, WallClockBase *base, gint64 *date, GError **error)
{
    if (!text || strcmp(text, "utc") == 0) {
        *base = WALL_CLOCK_UTC;
    } else if (strcmp(text, "localtime") == 0) {
        *base = WALL_CLOCK_LOCAL_TIME;
    } else if (parse_date(text, date)) {
        *base = WALL_CLOCK_DATE;
    } else {
        vm_error_set(error,
                     "-rtc base=%s: expected utc, localtime or a date from %d to %d such as "
                     "2026-01-31T12:00:00",
                     text, FIRST_YEAR, LAST_YEAR);
        return FALSE;
    }
    return TRUE;
}

static gboolean parse_source(const char *text, WallClockSource *source, GError **error)
{
    static const char *const names[] = {
        [WALL_CLOCK_HOST] = "host", [WALL_CLOCK_RT] = "rt", [WALL_CLOCK_VM] = "vm"};

    *source = WALL_CLOCK_HOST;
    for (guint i = 0; text && i < G_N_ELEMENTS(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *source = (WallClockSource)i;
            return TRUE;
        }
    }
    if (text) {
        vm_error_set(error, "-rtc clock=%s: expected host, rt or vm", text);
    }
    return !text;
}

static gboolean apply_rtc(const char *value, GError **error)
{
    g_autoptr(json_object) options = setup_parse("rtc", value, NULL, error);
    WallClockSource source;
    WallClockBase base;
    gint64 date = 0;

    if (!options) {
        return FALSE;
    }
    g_autofree char *base_text = options_take(options, "base");
    g_autofree char *source_text = options_take(options, "clock");
    g_autofree char *drift = options_take(options, "driftfix");
    if (!parse_base(base_text, &base, &date, error) || !parse_source(source_text, &source, error) ||
        !options_check_empty(options, "-rtc", "base, clock, driftfix", error)) {
        return FALSE;
    }
    if (drift && strcmp(drift, "none") != 0) {
        vm_error_set(error, "-rtc driftfix=%s: %s; use driftfix=none", drift,
                     strcmp(drift, "slew") == 0
                         ? "periodic interrupts that the guest was too slow for are not repeated"
                         : "there is no such way");
        return FALSE;
    }
    wall_clock_set(base, date, source);
    return TRUE;
}

gboolean setup_clock(const GArray *items, GError **error)
{
    return setup_each(items, "rtc", apply_rtc, error);
}
