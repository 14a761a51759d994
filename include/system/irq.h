/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt lines: a GSI table of the machine with any number of level
 * sources a line, and hooks for qtest's irq_intercept.  Under the VM lock.
 */
#ifndef SYSTEM_IRQ_H
#define SYSTEM_IRQ_H

#include <glib.h>

#define IRQ_LINES 24 /* pins of one I/O APIC (82093AA) */

/* A source drives one line; the line is high while any of its sources is. */
typedef struct IrqSource IrqSource;
IrqSource *irq_source_new(guint line);   /* line < IRQ_LINES */
void irq_source_free(IrqSource *source); /* lowers it first */
void irq_source_set(IrqSource *source, gboolean high);
gboolean irq_line_level(guint line); /* FALSE beyond IRQ_LINES, too */

/* Called at each change of a line's level: the accelerator, and qtest when it intercepts. */
typedef void IrqListener(guint line, gboolean high, gpointer opaque);
void irq_listener_set(IrqListener *listener, gpointer opaque); /* NULL: none */

/*
 * MSI: a store of @data to guest physical @address (PCI 3.0, 6.8).  No CPU has an interrupt
 * controller yet, so it is a 4-byte little-endian store to guest RAM, where a test program looks
 * for it; outside RAM it is lost.
 */
void irq_send_msi(guint64 address, guint32 data);

#endif
