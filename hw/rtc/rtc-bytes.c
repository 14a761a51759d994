/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Date, alarm and memory of a PC's clock as bytes (MC146818A data sheet, "Time, calendar and alarm
 * locations"; the memory as the public CMOS memory lists have it).
 */
#include "rtc-internal.h"

#include "hw/rtc/mc146818rtc.h"

#include <string.h>
#include <time.h>

enum { SECONDS = 0, MINUTES = 2, HOURS = 4, WEEKDAY = 6, DAY = 7, MONTH = 8, YEAR = 9 };
enum { SECONDS_ALARM = 1, MINUTES_ALARM = 3, HOURS_ALARM = 5 };
#define REGISTER_B 11
#define BINARY 0x04    /* register B: not BCD */
#define HOURS_24 0x02  /* register B */
#define AFTERNOON 0x80 /* of the hour, without HOURS_24 */
#define ANY 0xc0       /* alarm bytes with both bits match everything */

#define SECONDS_A_DAY 86400

gboolean rtc_is_alarm(uint8_t index)
{
    return index == SECONDS_ALARM || index == MINUTES_ALARM || index == HOURS_ALARM;
}

static uint8_t encode(const uint8_t *bytes, int value)
{
    return (uint8_t)(bytes[REGISTER_B] & BINARY ? value : value / 10 * 16 + value % 10);
}

static int decode(const uint8_t *bytes, uint8_t value)
{
    return bytes[REGISTER_B] & BINARY ? value : (value >> 4) * 10 + (value & 15);
}

static uint8_t encode_hour(const uint8_t *bytes, int hour)
{
    if (bytes[REGISTER_B] & HOURS_24) {
        return encode(bytes, hour);
    }
    /* 12, 1, 2, ... 11 */
    return encode(bytes, (hour + 11) % 12 + 1) | (hour >= 12 ? AFTERNOON : 0);
}

static int decode_hour(const uint8_t *bytes, uint8_t value)
{
    if (bytes[REGISTER_B] & HOURS_24) {
        return decode(bytes, value);
    }
    return decode(bytes, value & ~AFTERNOON) % 12 + (value & AFTERNOON ? 12 : 0);
}

void rtc_encode(uint8_t *bytes, gint64 second)
{
    time_t time = (time_t)second;
    struct tm date;

    if (!gmtime_r(&time, &date)) {
        return; /* a year that does not fit in an int */
    }
    int year = date.tm_year + 1900;
    bytes[SECONDS] = encode(bytes, date.tm_sec);
    bytes[MINUTES] = encode(bytes, date.tm_min);
    bytes[HOURS] = encode_hour(bytes, date.tm_hour);
    bytes[WEEKDAY] = encode(bytes, date.tm_wday + 1);
    bytes[DAY] = encode(bytes, date.tm_mday);
    bytes[MONTH] = encode(bytes, date.tm_mon + 1);
    bytes[YEAR] = encode(bytes, (year % 100 + 100) % 100);
    bytes[RTC_CENTURY] = encode(bytes, year / 100 % 100);
}

gint64 rtc_decode(const uint8_t *bytes)
{
    struct tm date = {
        .tm_sec = decode(bytes, bytes[SECONDS]),
        .tm_min = decode(bytes, bytes[MINUTES]),
        .tm_hour = decode_hour(bytes, bytes[HOURS]),
        .tm_mday = decode(bytes, bytes[DAY]),
        .tm_mon = decode(bytes, bytes[MONTH]) - 1,
        .tm_year = decode(bytes, bytes[YEAR]) + 100 * decode(bytes, bytes[RTC_CENTURY]) - 1900,
    };

    return timegm(&date);
}

/* --- the alarm --- */

static gboolean matches(uint8_t wanted, uint8_t shown)
{
    return (wanted & ANY) == ANY || wanted == shown;
}

/* TRUE if some of the values below @count is what the alarm byte at @index wants. */
static gboolean can_match(const uint8_t *bytes, guint index, int count)
{
    for (int value = 0; value < count; value++) {
        if (matches(bytes[index],
                    index == HOURS_ALARM ? encode_hour(bytes, value) : encode(bytes, value))) {
            return TRUE;
        }
    }
    return FALSE;
}

gint64 rtc_next_alarm(const uint8_t *bytes, gint64 second)
{
    if (!can_match(bytes, SECONDS_ALARM, 60) || !can_match(bytes, MINUTES_ALARM, 60) ||
        !can_match(bytes, HOURS_ALARM, 24)) {
        return G_MAXINT64;
    }
    /* Each step goes to the next hour, minute or second that could do: 24 + 60 + 60 at most. */
    int start = (int)((second % SECONDS_A_DAY + SECONDS_A_DAY) % SECONDS_A_DAY);
    int time = start + 1;
    for (;;) {
        int of_day = time % SECONDS_A_DAY;
        if (!matches(bytes[HOURS_ALARM], encode_hour(bytes, of_day / 3600))) {
            time = (time / 3600 + 1) * 3600;
        } else if (!matches(bytes[MINUTES_ALARM], encode(bytes, of_day / 60 % 60))) {
            time = (time / 60 + 1) * 60;
        } else if (!matches(bytes[SECONDS_ALARM], encode(bytes, of_day % 60))) {
            time++;
        } else {
            return second + (time - start);
        }
    }
}

/* --- memory --- */

/* A number of @count bytes from @index on, the lowest first; what is larger is cut. */
static void put(uint8_t *bytes, guint index, guint count, uint64_t value)
{
    value = MIN(value, (UINT64_C(1) << 8 * count) - 1);
    for (guint i = 0; i < count; i++) {
        bytes[index + i] = (uint8_t)(value >> 8 * i);
    }
}

void rtc_describe_board(uint8_t *bytes, uint64_t low_ram, uint64_t high_ram, guint cpus)
{
    uint64_t extended = low_ram > (1 << 20) ? (low_ram - (1 << 20)) >> 10 : 0;
    uint64_t above_16_mib = low_ram > (16 << 20) ? (low_ram - (16 << 20)) >> 16 : 0;

    bytes[0x14] = 0x00;                           /* equipment: no FPU's IRQ, no display */
    put(bytes, 0x15, 2, MIN(low_ram >> 10, 640)); /* base memory, KiB */
    put(bytes, 0x17, 2, extended);                /* above 1 MiB, KiB */
    put(bytes, 0x30, 2, extended);                /* the same as found by the firmware */
    put(bytes, 0x34, 2, above_16_mib);            /* above 16 MiB, in 64 KiB */
    put(bytes, 0x5b, 3, high_ram >> 16);          /* above 4 GiB, in 64 KiB */
    put(bytes, 0x5f, 1, cpus - 1);
}
