/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The split virtqueue's format from the driver's side (virtio 1.2, 2.7). */
#include "driver-internal.h"

#include <errno.h>

typedef struct SplitDescriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
} SplitDescriptor;
static_assert(sizeof(SplitDescriptor) == DESCRIPTOR_BYTES, "split descriptor");

typedef struct SplitAvailable {
    uint16_t flags;
    uint16_t index;
    uint16_t ring[]; /* and behind it the index of the used event */
} SplitAvailable;
#define AVAILABLE_NO_INTERRUPT 0x1u

typedef struct SplitUsedElement {
    uint32_t id;
    uint32_t length;
} SplitUsedElement;

typedef struct SplitUsed {
    uint16_t flags;
    uint16_t index;
    SplitUsedElement ring[]; /* and behind it the index of the available event */
} SplitUsed;
#define USED_NO_NOTIFY 0x1u

static uint64_t available_bytes(uint32_t size)
{
    return sizeof(SplitAvailable) + (size + 1) * sizeof(uint16_t);
}

static uint64_t used_bytes(uint32_t size)
{
    return sizeof(SplitUsed) + size * sizeof(SplitUsedElement) + sizeof(uint16_t);
}

static void disable_calls(VhostUserDriverQueue *queue);

static int init(VhostUserDriverQueue *queue, uint32_t base)
{
    SplitAvailable *available = queue->available;
    SplitUsed *used = queue->used;

    if ((queue->size & (queue->size - 1)) || base > UINT16_MAX) {
        return -EINVAL;
    }
    queue->next_available.index = queue->next_used.index = (uint16_t)base;
    available->index = used->index = (uint16_t)base;
    disable_calls(queue);
    return 0;
}

/* Makes the chain from @head on available. */
static void make_available(VhostUserDriverQueue *queue, uint16_t head)
{
    SplitAvailable *available = queue->available;

    available->ring[queue->next_available.index & (queue->size - 1)] = head;
    queue->next_available.index++;
    queue->since_kick++;
}

static uint16_t add(VhostUserDriverQueue *queue, DriverBuffers buffers)
{
    SplitDescriptor *table = queue->descriptor;
    uint16_t head = queue->first_free;

    for (unsigned i = 0; i < buffers.count; i++) {
        uint16_t here = queue->first_free;
        bool last = i + 1 == buffers.count;

        queue->first_free = queue->next[here];
        table[here] = (SplitDescriptor){
            .address = buffers.list[i].guest_address,
            .length = buffers.list[i].size,
            .flags = (i < buffers.readable ? 0 : DESCRIPTOR_WRITE) | (last ? 0 : DESCRIPTOR_NEXT),
            .next = last ? 0 : queue->first_free,
        };
    }
    make_available(queue, head);
    return head;
}

static uint16_t add_indirect(VhostUserDriverQueue *queue, DriverBuffers buffers)
{
    SplitDescriptor *table = queue->descriptor;
    uint16_t head = queue->first_free;
    void *memory;
    uint64_t address = driver_indirect(queue, head, &memory);
    SplitDescriptor *indirect = memory;

    queue->first_free = queue->next[head];
    for (unsigned i = 0; i < buffers.count; i++) {
        bool last = i + 1 == buffers.count;

        indirect[i] = (SplitDescriptor){
            .address = buffers.list[i].guest_address,
            .length = buffers.list[i].size,
            .flags = (i < buffers.readable ? 0 : DESCRIPTOR_WRITE) | (last ? 0 : DESCRIPTOR_NEXT),
            .next = last ? 0 : (uint16_t)(i + 1),
        };
    }
    table[head] =
        (SplitDescriptor){address, buffers.count * DESCRIPTOR_BYTES, DESCRIPTOR_INDIRECT, 0};
    make_available(queue, head);
    return head;
}

static void publish(VhostUserDriverQueue *queue)
{
    SplitAvailable *available = queue->available;

    __atomic_store_n(&available->index, queue->next_available.index, __ATOMIC_RELEASE);
}

static bool wants_kick(const VhostUserDriverQueue *queue)
{
    const SplitUsed *used = queue->used;
    uint16_t now = queue->next_available.index;

    if (!driver_queue_has(queue, VHOST_USER_RING_F_EVENT_IDX)) {
        return !(__atomic_load_n(&used->flags, __ATOMIC_RELAXED) & USED_NO_NOTIFY);
    }
    const uint16_t *event = (const uint16_t *)&used->ring[queue->size];

    return driver_passed(__atomic_load_n(event, __ATOMIC_RELAXED), now,
                         (uint16_t)(now - queue->since_kick));
}

/* How many elements the device has used that were not collected. */
static uint16_t used_count(const VhostUserDriverQueue *queue)
{
    const SplitUsed *used = queue->used;

    return (uint16_t)(__atomic_load_n(&used->index, __ATOMIC_ACQUIRE) - queue->next_used.index);
}

static bool pending(const VhostUserDriverQueue *queue)
{
    return used_count(queue) > 0;
}

/* IN_ORDER: whether the used index counts all requests up to @id (2.7.9). */
static bool counts_up_to(const VhostUserDriverQueue *queue, uint32_t id)
{
    for (uint16_t i = 0; i < used_count(queue); i++) {
        if (queue->order[(queue->oldest + i) % queue->size] == id) {
            return true;
        }
    }
    return false;
}

static bool read_used(VhostUserDriverQueue *queue, uint32_t *id, uint32_t *written)
{
    const SplitUsed *used = queue->used;
    const SplitUsedElement *element = &used->ring[queue->next_used.index & (queue->size - 1)];

    if (used_count(queue) > queue->outstanding - queue->unpublished) {
        queue->error = "the used index runs ahead of what the device was given";
        return false;
    }
    *id = __atomic_load_n(&element->id, __ATOMIC_RELAXED);
    *written = __atomic_load_n(&element->length, __ATOMIC_RELAXED);
    if (driver_queue_has(queue, VHOST_USER_RING_F_IN_ORDER) && !counts_up_to(queue, *id)) {
        queue->error = "the used index does not reach what the device gives back";
        return false;
    }
    return true;
}

/* Puts the chain behind the last free descriptor. */
static void release(VhostUserDriverQueue *queue, uint16_t id, uint16_t descriptors)
{
    uint16_t last = id;

    for (uint16_t i = 1; i < descriptors; i++) {
        last = queue->next[last];
    }
    if (queue->free == 0) {
        queue->first_free = id;
    } else {
        queue->next[queue->last_free] = id;
    }
    queue->last_free = last;
    queue->next_used.index++;
}

static uint16_t *used_event(const VhostUserDriverQueue *queue)
{
    SplitAvailable *available = queue->available;

    return &available->ring[queue->size];
}

static void enable_calls(VhostUserDriverQueue *queue, uint16_t after)
{
    SplitAvailable *available = queue->available;

    if (driver_queue_has(queue, VHOST_USER_RING_F_EVENT_IDX)) {
        __atomic_store_n(used_event(queue), (uint16_t)(queue->next_used.index + after - 1),
                         __ATOMIC_RELAXED);
    } else {
        __atomic_store_n(&available->flags, 0, __ATOMIC_RELAXED);
    }
}

/* With event indices the flag has to stay 0 (2.7.7.1): the event is put where the device has just
 * been. */
static void disable_calls(VhostUserDriverQueue *queue)
{
    SplitAvailable *available = queue->available;

    if (driver_queue_has(queue, VHOST_USER_RING_F_EVENT_IDX)) {
        __atomic_store_n(used_event(queue), (uint16_t)(queue->next_used.index - 1),
                         __ATOMIC_RELAXED);
    } else {
        __atomic_store_n(&available->flags, AVAILABLE_NO_INTERRUPT, __ATOMIC_RELAXED);
    }
}

static uint32_t base(const VhostUserDriverQueue *queue)
{
    return queue->next_available.index;
}

static uint32_t setup_base(const VhostUserDriverQueue *queue)
{
    const SplitUsed *used = queue->used;

    return __atomic_load_n(&used->index, __ATOMIC_ACQUIRE);
}

const DriverRing vhost_user_driver_split = {
    .available_bytes = available_bytes,
    .used_bytes = used_bytes,
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
