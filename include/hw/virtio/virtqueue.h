/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's side of a virtqueue that this process handles itself, split or packed (virtio 1.2,
 * 2.7 and 2.8).  Everything in the ring is the guest's: it is copied through the memory map's
 * checked accessor and looked at once.  What no driver may do is an error; the device is then
 * broken until it is reset.  VM lock held.
 */
#ifndef HW_VIRTIO_VIRTQUEUE_H
#define HW_VIRTIO_VIRTQUEUE_H

#include "hw/virtio/virtio-pci.h"

/* Where the device stands in a ring; plain data. */
typedef struct VirtqueueRing {
    uint16_t index; /* of the queue, for messages */
    uint16_t size;
    gboolean packed, event_index, indirect;
    uint64_t descriptor_area, driver_area, device_area; /* guest physical */
    uint16_t next_available; /* split: counts on and on; packed: a slot */
    uint16_t next_used;
    gboolean available_wrap, used_wrap; /* packed: the wrap counters */
    uint16_t unsignalled;               /* slots used since the driver was last told, at most all */
} VirtqueueRing;

/* A piece of a buffer. */
typedef struct VirtqueueSegment {
    uint64_t address; /* guest physical */
    uint32_t length;  /* bytes; 0 is possible */
} VirtqueueSegment;

/* One buffer of the driver: first what the device may read, then what it may write (2.6.4.2). */
typedef struct VirtqueueElement {
    GArray *readable, *writable;           /* of VirtqueueSegment */
    uint64_t readable_size, writable_size; /* bytes */
    uint16_t id;                           /* private: how the ring calls it */
    uint16_t slots;                        /* private: how many it has there */
} VirtqueueElement;

void virtqueue_element_init(VirtqueueElement *element);
void virtqueue_element_clear(VirtqueueElement *element);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VirtqueueElement, virtqueue_element_clear)

/* @ring stands at the beginning of @queue, which the driver has set up with @driver_features. */
void virtqueue_init(VirtqueueRing *ring, const VirtQueue *queue, uint64_t driver_features);

typedef enum { VIRTQUEUE_EMPTY, VIRTQUEUE_POPPED, VIRTQUEUE_BROKEN } VirtqueuePop;

/*
 * Takes the next buffer into @element, whose earlier content is dropped.  VIRTQUEUE_EMPTY: there
 * is none, and the driver will kick for the next.  VIRTQUEUE_BROKEN: with @error.
 */
VirtqueuePop virtqueue_pop(VirtqueueRing *ring, VirtqueueElement *element, GError **error);

/* Copies @size bytes from offset @offset of the readable part; FALSE if it is shorter or not in
 * RAM. @size 0 is fine. */
gboolean virtqueue_read(const VirtqueueElement *element, uint64_t offset, void *bytes,
                        uint64_t size);
/* Copies @size bytes to offset @offset of the writable part. */
gboolean virtqueue_write(const VirtqueueElement *element, uint64_t offset, const void *bytes,
                         uint64_t size);

/* Gives @element back with @written bytes in it; in the order of pop. */
gboolean virtqueue_push(VirtqueueRing *ring, const VirtqueueElement *element, uint32_t written,
                        GError **error);

/* Whether the driver wants an interrupt for what was pushed since the last TRUE. */
gboolean virtqueue_must_notify(VirtqueueRing *ring);

#endif
