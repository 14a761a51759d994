/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of virtqueues share. */
#ifndef HW_VIRTIO_VIRTQUEUE_INTERNAL_H
#define HW_VIRTIO_VIRTQUEUE_INTERNAL_H

#include "hw/virtio/virtqueue.h"
#include "system/memory.h"
#include "util/error.h"

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdatomic.h>

#define VIRTQUEUE_DESCRIPTOR_SIZE 16u

/* A copy of a descriptor of either format. */
typedef struct VirtqueueDescriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next; /* packed: the buffer's id */
} VirtqueueDescriptor;

/* FALSE: not in RAM. */
gboolean virtqueue_read_descriptor(const VirtqueueRing *ring, uint64_t table, uint32_t index,
                                   VirtqueueDescriptor *descriptor);
gboolean virtqueue_read_u16(uint64_t address, uint16_t *value);
gboolean virtqueue_write_u16(uint64_t address, uint16_t value);

/* Sets @error; VIRTQUEUE_BROKEN. */
VirtqueuePop virtqueue_left_ram(const VirtqueueRing *ring, GError **error);

/* A descriptor of the ring itself, with the indirect table behind it, becomes part of @element. */
gboolean virtqueue_add_descriptor(VirtqueueRing *ring, VirtqueueElement *element,
                                  const VirtqueueDescriptor *descriptor, GError **error);

VirtqueuePop virtqueue_split_pop(VirtqueueRing *ring, VirtqueueElement *element, GError **error);
gboolean virtqueue_split_push(VirtqueueRing *ring, const VirtqueueElement *element,
                              uint32_t written);
gboolean virtqueue_split_wants_event(const VirtqueueRing *ring);

VirtqueuePop virtqueue_packed_pop(VirtqueueRing *ring, VirtqueueElement *element, GError **error);
gboolean virtqueue_packed_push(VirtqueueRing *ring, const VirtqueueElement *element,
                               uint32_t written);
gboolean virtqueue_packed_wants_event(const VirtqueueRing *ring);

#endif
