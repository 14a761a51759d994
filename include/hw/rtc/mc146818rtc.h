/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clock and battery-backed memory of a PC. */
#ifndef HW_RTC_MC146818RTC_H
#define HW_RTC_MC146818RTC_H

#include <glib.h>
#include <stdint.h>

#define RTC_PORT 0x70 /* index; the byte at that index is the port after it */
#define RTC_LINE 8
#define RTC_CENTURY 0x32 /* index of the century, as the FADT says (ACPI 6.4, 5.2.9) */

/*
 * Makes the machine's clock, at /machine/unattached/rtc.  Its memory says how much RAM there is
 * below and above 4 GiB, in bytes, and how many CPUs.  Main thread, VM lock held.
 */
gboolean mc146818rtc_add(uint64_t low_ram, uint64_t high_ram, guint cpus, GError **error);

#endif
