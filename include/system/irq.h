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
 * MSI: a store of @data to guest physical @address (PCI 3.0, 6.8).  Without an accelerator that
 * has interrupt controllers it is a 4-byte little-endian store to guest RAM, where a test program
 * looks for it; outside RAM it is lost.  TRUE if somebody has received it.
 */
gboolean irq_send_msi(guint64 address, guint32 data);

/*
 * A way from an event fd to an MSI that does not lead through this process (KVM: irqfd).  NULL if
 * the accelerator has none, or none left: then the event fd has to be watched.  @event_fd stays the
 * caller's and open until the route is freed.
 */
typedef struct IrqRoute IrqRoute;
IrqRoute *irq_route_new(int event_fd);
/* From here on each signal, also one that came before, is this message. FALSE: it cannot be done,
 * and the route is disconnected. */
gboolean irq_route_connect(IrqRoute *route, guint64 address, guint32 data);
/* From here on signals stay in the event fd. */
void irq_route_disconnect(IrqRoute *route);
gboolean irq_route_is_connected(const IrqRoute *route);
/* Disconnects. NULL is fine. */
void irq_route_free(IrqRoute *route);

/*
 * An interrupt controller among our devices.  While there are any, lines lead to all of them and
 * not to the accelerator.  All members are there, and stay until it is removed.
 */
typedef struct IrqController {
    gpointer opaque;
    /* A line has changed. */
    void (*set_line)(gpointer opaque, guint line, gboolean high);
    /* A CPU has ended the level-triggered interrupt of @vector. */
    void (*end)(gpointer opaque, guint8 vector);
} IrqController;
void irq_controller_add(const IrqController *controller);
void irq_controller_remove(const IrqController *controller);

/* Tells all controllers; for the accelerator. */
void irq_end(guint8 vector);

/*
 * The message that level-triggered @pin of an I/O APIC sends: the accelerator calls irq_end() when
 * a CPU has ended it.  @data 0: it sends none.  Before it is sent.
 */
void irq_watch_end(guint pin, guint64 address, guint32 data);

/*
 * The INTR output of the older controllers, which leads to the first CPU.  @acknowledge gives the
 * vector when that CPU takes the interrupt (a controller whose request is gone has a spurious one).
 */
void irq_set_external(gboolean high);
void irq_external_connect(guint8 (*acknowledge)(gpointer opaque), gpointer opaque); /* NULL: none */
/* The vector; only after irq_set_external(TRUE), for the accelerator. */
guint8 irq_external_acknowledge(void);

/*
 * What an accelerator does that has local interrupt controllers; it may have all of them.  The
 * first member is NULL, and the last two are there, if the others shall be our devices.  VM lock
 * held.
 */
typedef struct IrqAccelerator {
    void (*set_line)(guint line, gboolean high);
    gboolean (*send_msi)(guint64 address, guint32 data); /* TRUE: some CPU has received it */
    gint (*route_add)(void);                             /* a number from 0, or -1: none left */
    gboolean (*route_connect)(gint number, int event_fd, guint64 address, guint32 data);
    void (*route_disconnect)(gint number, int event_fd);
    void (*route_remove)(gint number);
    void (*watch_end)(guint pin, guint64 address, guint32 data);
    void (*set_external)(gboolean high);
} IrqAccelerator;

/* @accelerator is kept, not copied; NULL: none. Before devices exist. */
void irq_set_accelerator(const IrqAccelerator *accelerator);

#endif
