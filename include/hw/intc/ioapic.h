/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The I/O APIC of a PC, for an accelerator that has the local APICs only. */
#ifndef HW_INTC_IOAPIC_H
#define HW_INTC_IOAPIC_H

#include <glib.h>

#define IOAPIC_ADDRESS 0xfec00000u

/* The line of the timer, 0, is at this pin; the others are at the pins of their number. */
#define IOAPIC_TIMER_PIN 2

/* Adds it to the machine.  VM lock held. */
gboolean ioapic_add(GError **error);

#endif
