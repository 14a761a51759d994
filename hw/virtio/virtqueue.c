/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtqueues that this process handles itself: descriptor chains and indirect tables, which both
 * formats have in common, and reading and writing of buffers.  The formats are in virtqueue-split.c
 * and virtqueue-packed.c.
 */
#include "virtqueue-internal.h"

#include <string.h>

/* --- elements --- */

void virtqueue_element_init(VirtqueueElement *element)
{
    *element = (VirtqueueElement){
        .readable = g_array_new(FALSE, FALSE, sizeof(VirtqueueSegment)),
        .writable = g_array_new(FALSE, FALSE, sizeof(VirtqueueSegment)),
    };
}

void virtqueue_element_clear(VirtqueueElement *element)
{
    g_clear_pointer(&element->readable, g_array_unref);
    g_clear_pointer(&element->writable, g_array_unref);
}

static void empty_element(VirtqueueElement *element)
{
    g_array_set_size(element->readable, 0);
    g_array_set_size(element->writable, 0);
    element->readable_size = 0;
    element->writable_size = 0;
    element->slots = 0;
}

/* --- descriptors --- */

static gboolean add_segment(VirtqueueRing *ring, VirtqueueElement *element,
                            const VirtqueueDescriptor *descriptor, GError **error)
{
    VirtqueueSegment segment = {descriptor->address, descriptor->length};

    if (element->readable->len + element->writable->len >= ring->size) {
        vm_error_set(error, "queue %u: a chain has more than the %u descriptors of the queue",
                     ring->index, ring->size);
        return FALSE;
    }
    if (descriptor->flags & VRING_DESC_F_WRITE) {
        element->writable_size += segment.length;
        g_array_append_val(element->writable, segment);
        return TRUE;
    }
    if (element->writable->len > 0) {
        vm_error_set(error, "queue %u: a readable descriptor follows a writable one", ring->index);
        return FALSE;
    }
    element->readable_size += segment.length;
    g_array_append_val(element->readable, segment);
    return TRUE;
}

/* One descriptor of an indirect table (2.7.5.3, 2.8.7); @next: the one behind it, or none. */
static gboolean add_indirect(VirtqueueRing *ring, VirtqueueElement *element, uint64_t table,
                             uint32_t count, uint32_t *next, GError **error)
{
    VirtqueueDescriptor descriptor;
    uint32_t at = *next;

    if (!virtqueue_read_descriptor(ring, table, at, &descriptor)) {
        vm_error_set(error,
                     "queue %u: an indirect table at 0x%" G_GINT64_MODIFIER "x is not in RAM",
                     ring->index, (guint64)table);
        return FALSE;
    }
    if (descriptor.flags & VRING_DESC_F_INDIRECT) {
        vm_error_set(error, "queue %u: an indirect table within an indirect table", ring->index);
        return FALSE;
    }
    *next = ring->packed ? at + 1 : descriptor.flags & VRING_DESC_F_NEXT ? descriptor.next : count;
    if (*next > count ||
        (*next == count && !ring->packed && descriptor.flags & VRING_DESC_F_NEXT)) {
        vm_error_set(error, "queue %u: descriptor %u does not exist in an indirect table of %u",
                     ring->index, *next, count);
        return FALSE;
    }
    return add_segment(ring, element, &descriptor, error);
}

static gboolean add_table(VirtqueueRing *ring, VirtqueueElement *element,
                          const VirtqueueDescriptor *descriptor, GError **error)
{
    uint32_t count = descriptor->length / VIRTQUEUE_DESCRIPTOR_SIZE;
    uint32_t next = 0;

    if (!ring->indirect) {
        vm_error_set(error, "queue %u: an indirect descriptor without VIRTIO_F_INDIRECT_DESC",
                     ring->index);
        return FALSE;
    }
    if (descriptor->flags & VRING_DESC_F_NEXT) {
        vm_error_set(error, "queue %u: a chain goes on behind an indirect descriptor", ring->index);
        return FALSE;
    }
    if (count == 0 || descriptor->length % VIRTQUEUE_DESCRIPTOR_SIZE != 0) {
        vm_error_set(error, "queue %u: an indirect table of %u bytes; descriptors have %u",
                     ring->index, descriptor->length, VIRTQUEUE_DESCRIPTOR_SIZE);
        return FALSE;
    }
    /* Ends: a loop runs into the limit of add_segment(). */
    while (next < count) {
        if (!add_indirect(ring, element, descriptor->address, count, &next, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

gboolean virtqueue_add_descriptor(VirtqueueRing *ring, VirtqueueElement *element,
                                  const VirtqueueDescriptor *descriptor, GError **error)
{
    element->slots++;
    return descriptor->flags & VRING_DESC_F_INDIRECT
               ? add_table(ring, element, descriptor, error)
               : add_segment(ring, element, descriptor, error);
}

gboolean virtqueue_read_descriptor(const VirtqueueRing *ring, uint64_t table, uint32_t index,
                                   VirtqueueDescriptor *descriptor)
{
    uint64_t offset = (uint64_t)index * VIRTQUEUE_DESCRIPTOR_SIZE;
    struct {
        uint64_t address;
        uint32_t length;
        uint16_t third, fourth;
    } raw;

    if (table > UINT64_MAX - offset || !memory_copy_in(&raw, table + offset, sizeof(raw))) {
        return FALSE;
    }
    *descriptor = (VirtqueueDescriptor){
        .address = GUINT64_FROM_LE(raw.address),
        .length = GUINT32_FROM_LE(raw.length),
        /* The formats have the last two fields the other way round. */
        .flags = GUINT16_FROM_LE(ring->packed ? raw.fourth : raw.third),
        .next = GUINT16_FROM_LE(ring->packed ? raw.third : raw.fourth),
    };
    return TRUE;
}

/* --- rings --- */

void virtqueue_init(VirtqueueRing *ring, const VirtQueue *queue, uint64_t driver_features)
{
    *ring = (VirtqueueRing){
        .index = queue->index,
        .size = queue->size,
        .packed = driver_features >> VIRTIO_F_RING_PACKED & 1,
        .event_index = driver_features >> VIRTIO_RING_F_EVENT_IDX & 1,
        .indirect = driver_features >> VIRTIO_RING_F_INDIRECT_DESC & 1,
        .descriptor_area = queue->descriptor_area,
        .driver_area = queue->driver_area,
        .device_area = queue->device_area,
        .available_wrap = TRUE,
        .used_wrap = TRUE,
    };
}

gboolean virtqueue_read_u16(uint64_t address, uint16_t *value)
{
    uint16_t little;

    if (!memory_copy_in(&little, address, sizeof(little))) {
        return FALSE;
    }
    *value = GUINT16_FROM_LE(little);
    return TRUE;
}

gboolean virtqueue_write_u16(uint64_t address, uint16_t value)
{
    uint16_t little = GUINT16_TO_LE(value);

    return memory_copy_out(address, &little, sizeof(little));
}

VirtqueuePop virtqueue_left_ram(const VirtqueueRing *ring, GError **error)
{
    vm_error_set(error, "queue %u: the ring is not in RAM any more", ring->index);
    return VIRTQUEUE_BROKEN;
}

VirtqueuePop virtqueue_pop(VirtqueueRing *ring, VirtqueueElement *element, GError **error)
{
    empty_element(element);
    return ring->packed ? virtqueue_packed_pop(ring, element, error)
                        : virtqueue_split_pop(ring, element, error);
}

gboolean virtqueue_push(VirtqueueRing *ring, const VirtqueueElement *element, uint32_t written,
                        GError **error)
{
    gboolean pushed = ring->packed ? virtqueue_packed_push(ring, element, written)
                                   : virtqueue_split_push(ring, element, written);
    guint slots = ring->packed ? element->slots : 1;

    if (!pushed) {
        virtqueue_left_ram(ring, error);
        return FALSE;
    }
    ring->unsignalled = (uint16_t)MIN(ring->unsignalled + slots, ring->size);
    return TRUE;
}

gboolean virtqueue_must_notify(VirtqueueRing *ring)
{
    gboolean must;

    if (ring->unsignalled == 0) {
        return FALSE;
    }
    /* The driver sets its event, then looks at the ring: so the ring was written before. */
    atomic_thread_fence(memory_order_seq_cst);
    must = ring->packed ? virtqueue_packed_wants_event(ring) : virtqueue_split_wants_event(ring);
    if (must) {
        ring->unsignalled = 0;
    }
    return must;
}

/* --- buffers --- */

typedef gboolean CopySegment(uint64_t address, void *bytes, uint64_t size);

static gboolean copy(const GArray *segments, uint64_t offset, void *bytes, uint64_t size,
                     CopySegment *copy_segment)
{
    uint8_t *at = bytes;

    for (guint i = 0; i < segments->len && size > 0; i++) {
        const VirtqueueSegment *segment = &g_array_index(segments, VirtqueueSegment, i);
        uint64_t span;

        if (offset >= segment->length) {
            offset -= segment->length;
            continue;
        }
        span = MIN(size, segment->length - offset);
        if (segment->address > UINT64_MAX - offset ||
            !copy_segment(segment->address + offset, at, span)) {
            return FALSE;
        }
        at += span;
        size -= span;
        offset = 0;
    }
    return size == 0;
}

static gboolean copy_in(uint64_t address, void *bytes, uint64_t size)
{
    return memory_copy_in(bytes, address, size);
}

static gboolean copy_out(uint64_t address, void *bytes, uint64_t size)
{
    return memory_copy_out(address, bytes, size);
}

gboolean virtqueue_read(const VirtqueueElement *element, uint64_t offset, void *bytes,
                        uint64_t size)
{
    return copy(element->readable, offset, bytes, size, copy_in);
}

gboolean virtqueue_write(const VirtqueueElement *element, uint64_t offset, const void *bytes,
                         uint64_t size)
{
    return copy(element->writable, offset, (void *)bytes, size, copy_out);
}
