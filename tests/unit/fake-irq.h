/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An accelerator for interrupts that takes no signal by itself and notes what it is asked. */
#ifndef UNIT_FAKE_IRQ_H
#define UNIT_FAKE_IRQ_H

#include "system/irq.h"

/* Notes go to *@trail: "line9+ ", "msi:fee00000=41 ", "connect0:fee00000=41 ", "disconnect0 ",
 * "remove0 ", with the numbers of lines and routes, addresses and data. */
void fake_irq_begin(GString **trail);
void fake_irq_end(void);

extern guint fake_irq_routes;     /* there are */
extern guint fake_irq_limit;      /* of routes */
extern gboolean fake_irq_refuses; /* to connect */
extern int fake_irq_event_fd;     /* connected or disconnected last */

#endif
