/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packed virtqueues that this process handles itself: virtio 1.2, 2.8.  The device's event
 * suppression area stays as the driver made it, zero: kicks are always welcome (2.8.10).
 */
#include "virtqueue-internal.h"

#define AVAILABLE_BIT (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED_BIT (1u << VRING_PACKED_DESC_F_USED)
#define WRAP_BIT (1u << VRING_PACKED_EVENT_F_WRAP_CTR)

/* Offsets within a descriptor (2.8.13) and in an event suppression area (2.8.14). */
enum { DESCRIPTOR_LENGTH = 8, DESCRIPTOR_FLAGS = 14, EVENT_SLOT = 0, EVENT_FLAGS = 2 };

static uint64_t slot_address(const VirtqueueRing *ring, uint16_t slot)
{
    return ring->descriptor_area + (uint64_t)slot * VIRTQUEUE_DESCRIPTOR_SIZE;
}

static void advance(const VirtqueueRing *ring, uint16_t *slot, gboolean *wrap, uint16_t count)
{
    unsigned next = *slot + count;

    if (next >= ring->size) {
        next -= ring->size;
        *wrap = !*wrap;
    }
    *slot = (uint16_t)next;
}

/* 2.8.1: the available bit is the wrap counter, the used bit is not. */
static gboolean is_available(const VirtqueueRing *ring, uint16_t flags)
{
    return !!(flags & AVAILABLE_BIT) == ring->available_wrap &&
           !!(flags & USED_BIT) != ring->available_wrap;
}

VirtqueuePop virtqueue_packed_pop(VirtqueueRing *ring, VirtqueueElement *element, GError **error)
{
    VirtqueueDescriptor descriptor;
    uint16_t flags;
    uint16_t slot = ring->next_available;

    if (!virtqueue_read_u16(slot_address(ring, slot) + DESCRIPTOR_FLAGS, &flags)) {
        return virtqueue_left_ram(ring, error);
    }
    if (!is_available(ring, flags)) {
        return VIRTQUEUE_EMPTY;
    }
    atomic_thread_fence(memory_order_acquire);
    do {
        if (element->slots == ring->size) {
            vm_error_set(error, "queue %u: a chain has more than the %u descriptors of the queue",
                         ring->index, ring->size);
            return VIRTQUEUE_BROKEN;
        }
        if (!virtqueue_read_descriptor(ring, ring->descriptor_area, slot, &descriptor)) {
            return virtqueue_left_ram(ring, error);
        }
        if (!virtqueue_add_descriptor(ring, element, &descriptor, error)) {
            return VIRTQUEUE_BROKEN;
        }
        slot = (uint16_t)((slot + 1) % ring->size);
    } while (descriptor.flags & VRING_DESC_F_NEXT);
    element->id = descriptor.next;
    advance(ring, &ring->next_available, &ring->available_wrap, element->slots);
    return VIRTQUEUE_POPPED;
}

gboolean virtqueue_packed_push(VirtqueueRing *ring, const VirtqueueElement *element,
                               uint32_t written)
{
    uint64_t address = slot_address(ring, ring->next_used);
    const struct {
        uint32_t length;
        uint16_t id;
    } used = {GUINT32_TO_LE(written), GUINT16_TO_LE(element->id)};
    uint16_t flags =
        (ring->used_wrap ? AVAILABLE_BIT | USED_BIT : 0) | (written > 0 ? VRING_DESC_F_WRITE : 0);

    if (!memory_copy_out(address + DESCRIPTOR_LENGTH, &used,
                         sizeof(used.length) + sizeof(used.id))) {
        return FALSE;
    }
    /* The driver must not see the flags before the rest. */
    atomic_thread_fence(memory_order_release);
    if (!virtqueue_write_u16(address + DESCRIPTOR_FLAGS, flags)) {
        return FALSE;
    }
    advance(ring, &ring->next_used, &ring->used_wrap, element->slots);
    return TRUE;
}

gboolean virtqueue_packed_wants_event(const VirtqueueRing *ring)
{
    uint16_t flags, event;
    int behind; /* slots that were used from the one it waits for on */

    if (!virtqueue_read_u16(ring->driver_area + EVENT_FLAGS, &flags)) {
        return FALSE;
    }
    if (flags != VRING_PACKED_EVENT_FLAG_DESC || !ring->event_index) {
        return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
    }
    if (!virtqueue_read_u16(ring->driver_area + EVENT_SLOT, &event)) {
        return FALSE;
    }
    behind = ring->next_used - (event & (WRAP_BIT - 1));
    if (!!(event & WRAP_BIT) != ring->used_wrap) {
        behind += ring->size;
    }
    return behind > 0 && behind <= ring->unsignalled;
}
