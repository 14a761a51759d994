/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Split virtqueues that this process handles itself: virtio 1.2, 2.7. */
#include "virtqueue-internal.h"

/* Offsets of the two rings' fields (2.7.6, 2.7.8). */
enum { RING_FLAGS = 0, RING_INDEX = 2, RING_ENTRIES = 4, AVAILABLE_ENTRY = 2, USED_ENTRY = 8 };

/* Where the driver says for which used entry it wants an interrupt. */
static uint64_t used_event(const VirtqueueRing *ring)
{
    return ring->driver_area + RING_ENTRIES + AVAILABLE_ENTRY * (uint64_t)ring->size;
}

/* Where we say for which available entry we want a kick. */
static uint64_t available_event(const VirtqueueRing *ring)
{
    return ring->device_area + RING_ENTRIES + USED_ENTRY * (uint64_t)ring->size;
}

/* Whether there is a buffer.  If not, the driver is asked for a kick before the last look. */
static VirtqueuePop look(VirtqueueRing *ring, GError **error)
{
    uint16_t index;

    for (gboolean asked = !ring->event_index;; asked = TRUE) {
        if (!virtqueue_read_u16(ring->driver_area + RING_INDEX, &index)) {
            return virtqueue_left_ram(ring, error);
        }
        if ((uint16_t)(index - ring->next_available) > ring->size) {
            vm_error_set(error, "queue %u: %u buffers are available at once, the queue has %u",
                         ring->index, (uint16_t)(index - ring->next_available), ring->size);
            return VIRTQUEUE_BROKEN;
        }
        if (index != ring->next_available) {
            atomic_thread_fence(memory_order_acquire);
            return VIRTQUEUE_POPPED;
        }
        if (asked) {
            return VIRTQUEUE_EMPTY;
        }
        if (!virtqueue_write_u16(available_event(ring), ring->next_available)) {
            return virtqueue_left_ram(ring, error);
        }
        atomic_thread_fence(memory_order_seq_cst);
    }
}

static gboolean collect(VirtqueueRing *ring, VirtqueueElement *element, uint16_t head,
                        GError **error)
{
    VirtqueueDescriptor descriptor = {.flags = VRING_DESC_F_NEXT, .next = head};

    /* Ends: a loop runs into the limit on the chain's length. */
    do {
        uint16_t index = descriptor.next;

        if (index >= ring->size) {
            vm_error_set(error, "queue %u: descriptor %u does not exist, the queue has %u",
                         ring->index, index, ring->size);
            return FALSE;
        }
        if (!virtqueue_read_descriptor(ring, ring->descriptor_area, index, &descriptor)) {
            virtqueue_left_ram(ring, error);
            return FALSE;
        }
        if (!virtqueue_add_descriptor(ring, element, &descriptor, error)) {
            return FALSE;
        }
    } while (descriptor.flags & VRING_DESC_F_NEXT);
    return TRUE;
}

VirtqueuePop virtqueue_split_pop(VirtqueueRing *ring, VirtqueueElement *element, GError **error)
{
    uint64_t entry = ring->driver_area + RING_ENTRIES +
                     AVAILABLE_ENTRY * (uint64_t)(ring->next_available % ring->size);
    VirtqueuePop found = look(ring, error);
    uint16_t head;

    if (found != VIRTQUEUE_POPPED) {
        return found;
    }
    if (!virtqueue_read_u16(entry, &head)) {
        return virtqueue_left_ram(ring, error);
    }
    if (!collect(ring, element, head, error)) {
        return VIRTQUEUE_BROKEN;
    }
    element->id = head;
    ring->next_available++;
    return VIRTQUEUE_POPPED;
}

gboolean virtqueue_split_push(VirtqueueRing *ring, const VirtqueueElement *element,
                              uint32_t written)
{
    uint64_t entry =
        ring->device_area + RING_ENTRIES + USED_ENTRY * (uint64_t)(ring->next_used % ring->size);
    const uint32_t used[2] = {GUINT32_TO_LE((uint32_t)element->id), GUINT32_TO_LE(written)};

    if (!memory_copy_out(entry, used, sizeof(used))) {
        return FALSE;
    }
    /* The driver must not see the index before the entry. */
    atomic_thread_fence(memory_order_release);
    return virtqueue_write_u16(ring->device_area + RING_INDEX, ++ring->next_used);
}

gboolean virtqueue_split_wants_event(const VirtqueueRing *ring)
{
    uint16_t value;

    if (!ring->event_index) {
        return virtqueue_read_u16(ring->driver_area + RING_FLAGS, &value) &&
               !(value & VRING_AVAIL_F_NO_INTERRUPT);
    }
    /* TRUE if the entry it waits for is among the last ones (2.7.7.2). */
    return virtqueue_read_u16(used_event(ring), &value) &&
           (uint16_t)(ring->next_used - value - 1) < ring->unsignalled;
}
