/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packed virtqueue's format from the driver's side (virtio 1.2, 2.8). */
#include "driver-internal.h"

#include <errno.h>

typedef struct PackedDescriptor {
    uint64_t address;
    uint32_t length;
    uint16_t id;
    uint16_t flags;
} PackedDescriptor;
static_assert(sizeof(PackedDescriptor) == DESCRIPTOR_BYTES, "packed descriptor");
#define DESCRIPTOR_AVAILABLE 0x80u
#define DESCRIPTOR_USED 0x8000u

/* Driver area and device area (2.8.14). */
typedef struct PackedEvent {
    uint16_t position; /* bit 15: wrap counter */
    uint16_t flags;
} PackedEvent;
#define EVENT_ENABLE 0u
#define EVENT_DISABLE 1u
#define EVENT_POSITION 2u
#define WRAP_BIT 0x8000u

static uint64_t event_bytes(uint32_t size)
{
    (void)size;
    return sizeof(PackedEvent);
}

static void step(const VhostUserDriverQueue *queue, DriverPosition *position, uint16_t descriptors)
{
    uint32_t index = (uint32_t)position->index + descriptors;

    if (index >= queue->size) {
        index -= queue->size;
        position->wrap = !position->wrap;
    }
    position->index = (uint16_t)index;
}

static uint16_t encode(DriverPosition position)
{
    return (uint16_t)(position.index | (position.wrap ? WRAP_BIT : 0));
}

static void disable_calls(VhostUserDriverQueue *queue);

static int init(VhostUserDriverQueue *queue, uint32_t base)
{
    uint16_t half = (uint16_t)base;
    DriverPosition position = {half & (WRAP_BIT - 1), half & WRAP_BIT};

    /* Nothing is in the device's hands: both halves say the same. */
    if (base >> 16 != half || position.index >= queue->size) {
        return -EINVAL;
    }
    queue->next_available = queue->next_used = position;
    disable_calls(queue);
    return 0;
}

static uint16_t take_id(VhostUserDriverQueue *queue)
{
    uint16_t id = queue->first_free;

    queue->first_free = queue->next[id];
    return id;
}

/*
 * Writes the next descriptor of the ring.  The first one that is not published keeps its old flags
 * until then; the device does not look behind it.
 */
static void put(VhostUserDriverQueue *queue, PackedDescriptor descriptor, bool first)
{
    PackedDescriptor *ring = queue->descriptor;
    PackedDescriptor *place = &ring[queue->next_available.index];

    descriptor.flags |= queue->next_available.wrap ? DESCRIPTOR_AVAILABLE : DESCRIPTOR_USED;
    place->address = descriptor.address;
    place->length = descriptor.length;
    place->id = descriptor.id;
    if (first) {
        queue->held_index = queue->next_available.index;
        queue->held_flags = descriptor.flags;
    } else {
        __atomic_store_n(&place->flags, descriptor.flags, __ATOMIC_RELAXED);
    }
    step(queue, &queue->next_available, 1);
    queue->since_kick++;
}

static uint16_t add(VhostUserDriverQueue *queue, DriverBuffers buffers)
{
    uint16_t id = take_id(queue);

    for (unsigned i = 0; i < buffers.count; i++) {
        PackedDescriptor descriptor = {
            .address = buffers.list[i].guest_address,
            .length = buffers.list[i].size,
            .id = id,
            .flags = (i < buffers.readable ? 0 : DESCRIPTOR_WRITE) |
                     (i + 1 < buffers.count ? DESCRIPTOR_NEXT : 0),
        };

        put(queue, descriptor, i == 0 && queue->unpublished == 0);
    }
    return id;
}

static uint16_t add_indirect(VhostUserDriverQueue *queue, DriverBuffers buffers)
{
    uint16_t id = take_id(queue);
    void *memory;
    uint64_t address = driver_indirect(queue, id, &memory);
    PackedDescriptor *indirect = memory;

    for (unsigned i = 0; i < buffers.count; i++) {
        indirect[i] = (PackedDescriptor){
            .address = buffers.list[i].guest_address,
            .length = buffers.list[i].size,
            .flags = i < buffers.readable ? 0 : DESCRIPTOR_WRITE,
        };
    }
    PackedDescriptor descriptor = {address, buffers.count * DESCRIPTOR_BYTES, id,
                                   DESCRIPTOR_INDIRECT};

    put(queue, descriptor, queue->unpublished == 0);
    return id;
}

static void publish(VhostUserDriverQueue *queue)
{
    PackedDescriptor *ring = queue->descriptor;

    __atomic_store_n(&ring[queue->held_index].flags, queue->held_flags, __ATOMIC_RELEASE);
}

static bool wants_kick(const VhostUserDriverQueue *queue)
{
    const PackedEvent *event = queue->used;
    uint16_t flags = __atomic_load_n(&event->flags, __ATOMIC_ACQUIRE);
    uint16_t position = __atomic_load_n(&event->position, __ATOMIC_RELAXED);
    uint16_t index = position & (WRAP_BIT - 1);
    bool wrap = position & WRAP_BIT;
    uint16_t now = queue->next_available.index;

    if (flags != EVENT_POSITION) {
        return flags != EVENT_DISABLE;
    }
    /* Seen from where we are, a place of the other wrap counter lies one round back. */
    if (wrap != queue->next_available.wrap) {
        index = (uint16_t)(index - queue->size);
    }
    return driver_passed(index, now, (uint16_t)(now - queue->since_kick));
}

static bool pending(const VhostUserDriverQueue *queue)
{
    const PackedDescriptor *ring = queue->descriptor;

    if (queue->outstanding == queue->unpublished) {
        return false;
    }
    uint16_t flags = __atomic_load_n(&ring[queue->next_used.index].flags, __ATOMIC_ACQUIRE);
    bool used = flags & DESCRIPTOR_USED;

    return !(flags & DESCRIPTOR_AVAILABLE) == !used && used == queue->next_used.wrap;
}

/* Only a descriptor with the flag for writing has a length (2.8.6). */
static bool read_used(VhostUserDriverQueue *queue, uint32_t *id, uint32_t *written)
{
    const PackedDescriptor *ring = queue->descriptor;
    const PackedDescriptor *element = &ring[queue->next_used.index];
    bool wrote = __atomic_load_n(&element->flags, __ATOMIC_RELAXED) & DESCRIPTOR_WRITE;

    *id = __atomic_load_n(&element->id, __ATOMIC_RELAXED);
    *written = wrote ? __atomic_load_n(&element->length, __ATOMIC_RELAXED) : 0;
    return true;
}

static void release(VhostUserDriverQueue *queue, uint16_t id, uint16_t descriptors)
{
    /* A request has one id and several descriptors: ids are left when descriptors are not. */
    if (queue->outstanding == queue->size) {
        queue->first_free = id;
    } else {
        queue->next[queue->last_free] = id;
    }
    queue->last_free = id;
    step(queue, &queue->next_used, descriptors);
}

static void enable_calls(VhostUserDriverQueue *queue, uint16_t after)
{
    PackedEvent *event = queue->available;
    DriverPosition position = queue->next_used;

    if (!driver_queue_has(queue, VHOST_USER_RING_F_EVENT_IDX)) {
        __atomic_store_n(&event->flags, EVENT_ENABLE, __ATOMIC_RELAXED);
        return;
    }
    /* A request has one descriptor at least. */
    step(queue, &position, (uint16_t)(after - 1));
    __atomic_store_n(&event->position, encode(position), __ATOMIC_RELAXED);
    __atomic_store_n(&event->flags, EVENT_POSITION, __ATOMIC_RELEASE);
}

static void disable_calls(VhostUserDriverQueue *queue)
{
    PackedEvent *event = queue->available;

    __atomic_store_n(&event->flags, EVENT_DISABLE, __ATOMIC_RELAXED);
}

static uint32_t base(const VhostUserDriverQueue *queue)
{
    return encode(queue->next_available) | (uint32_t)encode(queue->next_used) << 16;
}

static uint32_t setup_base(const VhostUserDriverQueue *queue)
{
    uint32_t used = encode(queue->next_used);

    return used | used << 16;
}

const DriverRing vhost_user_driver_packed = {
    .available_bytes = event_bytes,
    .used_bytes = event_bytes,
    .init = init,
    .add = add,
    .add_indirect = add_indirect,
    .publish = publish,
    .wants_kick = wants_kick,
    .pending = pending,
    .read_used = read_used,
    .release = release,
    .enable_calls = enable_calls,
    .disable_calls = disable_calls,
    .base = base,
    .setup_base = setup_base,
};
