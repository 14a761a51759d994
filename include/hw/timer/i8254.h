/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 8254 of a PC and the port behind it, for an accelerator that has no timer of its own. */
#ifndef HW_TIMER_I8254_H
#define HW_TIMER_I8254_H

#include <glib.h>

#define I8254_HERTZ 1193182 /* a third of the colour carrier of NTSC, 14.31818 MHz / 12 */
#define I8254_LINE 0

/* Adds it to the machine.  VM lock held. */
gboolean i8254_add(GError **error);

#endif
