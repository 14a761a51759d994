/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver for virtio 1.x devices over PCI (virtio 1.2, 4.1) with split rings (2.7), working
 * through qtest: what a guest's kernel would do, step by step.
 */
#ifndef QTEST_VIRTIO_PCI_H
#define QTEST_VIRTIO_PCI_H

#include "qtest/pci.h"

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>

/* Guest memory for rings and buffers: given out upwards, never taken back. */
typedef struct GuestMemory {
    uint64_t next, end; /* guest physical addresses */
} GuestMemory;

/* [@begin, @end) is free for use; the usual begin is 1 MiB. */
void guest_memory_init(GuestMemory *memory, uint64_t begin, uint64_t end);
/* @alignment: a power of two.  Ends the program when there is no more. */
uint64_t guest_memory_alloc(GuestMemory *memory, uint64_t size, uint64_t alignment);

/* A part of a request. */
typedef struct VirtBuffer {
    uint64_t address; /* guest physical */
    uint32_t size;    /* bytes */
    gboolean device_writes;
} VirtBuffer;

typedef struct VirtRing VirtRing;

typedef struct VirtDevice {
    PciFunction *pci;
    Qtest *qtest;
    uint64_t common, isr, config, notify; /* addresses of the four structures (4.1.4) */
    uint32_t notify_multiplier;
    uint64_t features; /* negotiated */
    gboolean msix;     /* in use: vector 0 for configuration, i + 1 for queue i (or the last) */
    GPtrArray *rings;  /* of VirtRing, by queue index; NULL holes */
} VirtDevice;

/* Finds the device at @slot (function 0), places BARs.  NULL if there is none.  Nothing is sent to
 * the device yet. */
VirtDevice *virt_device_new(Qtest *qtest, PciAddresses *addresses, unsigned slot);
void virt_device_free(VirtDevice *device);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VirtDevice, virt_device_free)

uint8_t virt_device_status(VirtDevice *device);
void virt_device_set_status(VirtDevice *device, uint8_t status);
/* Writes 0 to status and waits until it reads 0 (4.1.4.3.2); forgets the rings. */
void virt_device_reset(VirtDevice *device);
uint64_t virt_device_offered(VirtDevice *device);
/*
 * Reset, ACKNOWLEDGE, DRIVER, of @wanted what is offered (VERSION_1 always), FEATURES_OK;
 * with @msix also MSI-X.  FALSE if the device refused FEATURES_OK.
 */
gboolean virt_device_negotiate(VirtDevice *device, uint64_t wanted, gboolean msix);
unsigned virt_device_queues(VirtDevice *device);
/* Tells the device where a queue lies that the caller drives by itself, and enables it.  Before
 * DRIVER_OK; virt_ring_new() does it for its own. */
void virt_device_set_queue(VirtDevice *device, uint16_t queue, uint16_t size, uint64_t descriptors,
                           uint64_t available, uint64_t used);
void virt_device_driver_ok(VirtDevice *device);
/* TRUE if an interrupt of queue @queue (-1: configuration) came since the last call: by its MSI-X
 * message, or by the ISR register, which does not tell queues apart (4.1.4.5). */
gboolean virt_device_interrupt(VirtDevice *device, int queue);

typedef struct VirtRingOptions {
    uint16_t size;     /* 0: what the device offers */
    gboolean indirect; /* use indirect descriptors for requests of several parts */
} VirtRingOptions;

/* Rings in memory from @memory, written to the device and enabled.  Before DRIVER_OK. @options may
 * be NULL. */
VirtRing *virt_ring_new(VirtDevice *device, uint16_t queue, GuestMemory *memory,
                        const VirtRingOptions *options);
uint16_t virt_ring_size(VirtRing *ring);
uint64_t virt_ring_address(VirtRing *ring); /* of the descriptors, the lowest of the ring */

/* Queues a request and makes it available without a kick; returns its head. */
uint16_t virt_ring_add(VirtRing *ring, const VirtBuffer *buffers, guint count);
/* Tells the device, unless it asked not to be told; TRUE if it was. */
gboolean virt_ring_kick(VirtRing *ring);
void virt_ring_notify(VirtRing *ring); /* tells it in any case */
/* The next finished request: its head, *@length the bytes written (may be NULL); -1 if none. */
int virt_ring_take(VirtRing *ring, uint32_t *length);
/* Polls for the next finished request; -1 after @milliseconds. */
int virt_ring_wait(VirtRing *ring, uint32_t *length, guint milliseconds);
/* Event suppression: no interrupts wanted until FALSE. */
void virt_ring_suppress(VirtRing *ring, gboolean suppress);
/* VIRTIO_F_RING_RESET (2.6.1): the queue is reset, what was out is forgotten. */
void virt_ring_reset(VirtRing *ring);
/* The reset queue is set up in its memory anew and enabled. */
void virt_ring_enable(VirtRing *ring);
uint16_t virt_ring_pending(VirtRing *ring); /* requests out */

#endif
