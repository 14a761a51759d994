/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the bytes of a PC's clock mean; the clock itself is mc146818rtc.c.  Any thread. */
#ifndef HW_RTC_INTERNAL_H
#define HW_RTC_INTERNAL_H

#include <glib.h>
#include <stdint.h>

#define RTC_BYTES 128

/* TRUE for the three bytes of the alarm. */
gboolean rtc_is_alarm(uint8_t index);

/* Writes the date of @second (s since 1970, UTC) in the format that register B asks for. */
void rtc_encode(uint8_t *bytes, gint64 second);
/* The date in @bytes; values that are no date lead to some second all the same. */
gint64 rtc_decode(const uint8_t *bytes);

/* The first second after @second at which the alarm goes off; G_MAXINT64: never. */
gint64 rtc_next_alarm(const uint8_t *bytes, gint64 second);

/* What PCs keep in the memory behind the date: sizes of RAM in bytes, the number of CPUs. */
void rtc_describe_board(uint8_t *bytes, uint64_t low_ram, uint64_t high_ram, guint cpus);

#endif
