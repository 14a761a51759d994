/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The split ring from the device's side (virtio 1.2, 2.7): a table of descriptors, the available
 * ring that the driver writes, the used ring that we write.
 *
 * Where one side writes an index or an event and then reads the other's, both the store and the
 * load are sequentially consistent: otherwise each side could miss what the other one just wrote,
 * and wait for a notification that nobody sends.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "queue-private.h"

/* 2.7.6, 2.7.8: both rings begin with flags and index; entries follow, then an event index. */
#define RING_HEAD 4u
#define USED_ENTRY 8u
#define NO_NOTIFY 1u    /* flags of the used ring */
#define NO_INTERRUPT 1u /* flags of the available ring */

/* 2.7.5. */
typedef struct SplitDescriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
} SplitDescriptor;

_Static_assert(sizeof(SplitDescriptor) == VHOST_USER_DESCRIPTOR_SIZE, "descriptor");

static uint64_t descriptor_size(const VhostUserQueue *queue)
{
    return (uint64_t)queue->size * VHOST_USER_DESCRIPTOR_SIZE;
}

/* Without the event index the rings end before it. */
static uint64_t driver_size(const VhostUserQueue *queue)
{
    return RING_HEAD + 2 * (uint64_t)queue->size + (queue->event_index ? 2 : 0);
}

static uint64_t device_size(const VhostUserQueue *queue)
{
    return RING_HEAD + USED_ENTRY * (uint64_t)queue->size + (queue->event_index ? 2 : 0);
}

static _Atomic uint16_t *available_flags(const VhostUserQueue *queue)
{
    return (_Atomic uint16_t *)(void *)queue->driver.host;
}

static _Atomic uint16_t *available_index(const VhostUserQueue *queue)
{
    return (_Atomic uint16_t *)(void *)(queue->driver.host + 2);
}

static _Atomic uint16_t *available_entry(const VhostUserQueue *queue, uint16_t index)
{
    return (_Atomic uint16_t *)(void *)(queue->driver.host + RING_HEAD +
                                        2 * (size_t)(index & (queue->size - 1)));
}

/* Behind the available ring: the driver wants an interrupt when this used index is passed. */
static _Atomic uint16_t *used_event(const VhostUserQueue *queue)
{
    return (_Atomic uint16_t *)(void *)(queue->driver.host + RING_HEAD + 2 * (size_t)queue->size);
}

static _Atomic uint16_t *used_flags(const VhostUserQueue *queue)
{
    return (_Atomic uint16_t *)(void *)queue->device.host;
}

static _Atomic uint16_t *used_index(const VhostUserQueue *queue)
{
    return (_Atomic uint16_t *)(void *)(queue->device.host + 2);
}

static size_t used_entry_offset(const VhostUserQueue *queue, uint16_t index)
{
    return RING_HEAD + USED_ENTRY * (size_t)(index & (queue->size - 1));
}

static size_t available_event_offset(const VhostUserQueue *queue)
{
    return RING_HEAD + USED_ENTRY * (size_t)queue->size;
}

/* The log address names the used ring, whatever its place in the map ("A vring address
 * description"). */
static void log_used_ring(const VhostUserQueue *queue, uint64_t offset, uint64_t size)
{
    if (queue->log_ring) {
        vhost_user_dirty_log_mark(queue->environment->log, queue->addresses.log + offset, size);
    }
}

static int start(VhostUserQueue *queue, bool *recovered, const char **reason)
{
    VhostUserSplitState *state = &queue->split;

    if (queue->base > UINT16_MAX) {
        *reason = "the base is not below 65536";
        return -EINVAL;
    }
    state->used = atomic_load_explicit(used_index(queue), memory_order_acquire);
    state->available = (uint16_t)queue->base;
    if (queue->inflight_area) {
        int error = vhost_user_inflight_split_start(&queue->track, queue->inflight_area,
                                                    queue->size, state->used, recovered, reason);

        if (error) {
            return error;
        }
    }
    if (*recovered) {
        /* The front-end of a back-end that was killed cannot know how far that one had read.  What
         * is neither used nor in flight has not been popped. */
        state->available = (uint16_t)(state->used + queue->track.count);
    }
    state->available_end = state->available;
    return 0;
}

static uint32_t base(const VhostUserQueue *queue)
{
    return queue->split.available;
}

/* How many entries wait; an index that the ring has no room for breaks it. */
static uint16_t look(VhostUserQueue *queue, memory_order order)
{
    VhostUserSplitState *state = &queue->split;
    uint16_t index = atomic_load_explicit(available_index(queue), order);
    uint16_t ahead = (uint16_t)(index - state->available);

    if (ahead > queue->size) {
        vhost_user_queue_break(queue,
                               "available index %" PRIu16 " is %" PRIu16 " ahead of %" PRIu16
                               ", more than the ring's size %" PRIu32,
                               index, ahead, state->available, queue->size);
        return 0;
    }
    state->available_end = index;
    return ahead;
}

static bool pending(VhostUserQueue *queue)
{
    /* A wild index counts as well: pop finds it broken. */
    return atomic_load_explicit(available_index(queue), memory_order_acquire) !=
           queue->split.available;
}

/* 2.7.10: by the event index, or by a flag without it. */
static void want_kicks(VhostUserQueue *queue)
{
    VhostUserSplitState *state = &queue->split;
    _Atomic uint16_t *event;

    if (!queue->event_index) {
        if (queue->kicks != VHOST_USER_KICKS_WANTED) {
            atomic_store(used_flags(queue), 0);
            log_used_ring(queue, 0, 2);
        }
    } else if (queue->kicks != VHOST_USER_KICKS_WANTED || state->armed != state->available) {
        event = (_Atomic uint16_t *)(void *)(queue->device.host + available_event_offset(queue));
        atomic_store(event, state->available);
        log_used_ring(queue, available_event_offset(queue), 2);
        state->armed = state->available;
    }
    queue->kicks = VHOST_USER_KICKS_WANTED;
}

static void suppress_kicks(VhostUserQueue *queue)
{
    /* An event index that has been passed suppresses by itself. */
    if (!queue->event_index && queue->kicks != VHOST_USER_KICKS_SUPPRESSED) {
        atomic_store_explicit(used_flags(queue), NO_NOTIFY, memory_order_relaxed);
        log_used_ring(queue, 0, 2);
        queue->kicks = VHOST_USER_KICKS_SUPPRESSED;
    }
}

static bool anything_available(VhostUserQueue *queue)
{
    if (queue->split.available_end != queue->split.available ||
        look(queue, memory_order_acquire) > 0) {
        return true;
    }
    if (queue->polling || vhost_user_queue_is_broken(queue)) {
        return false;
    }
    want_kicks(queue);
    return look(queue, memory_order_seq_cst) > 0;
}

static bool add(VhostUserQueue *queue, VhostUserRequestElement *element,
                const SplitDescriptor *descriptor)
{
    return vhost_user_element_add(queue, element, descriptor->address, descriptor->length,
                                  descriptor->flags & VHOST_USER_DESCRIPTOR_WRITE);
}

/* 2.7.5.3: a table of its own, linked like the ring's; the first descriptor is number 0. */
static bool read_indirect(VhostUserQueue *queue, VhostUserRequestElement *element,
                          const SplitDescriptor *indirect)
{
    const SplitDescriptor *table;
    uint32_t count;
    uint16_t index = 0;

    if (!vhost_user_element_read_table(queue, element, indirect->address, indirect->length,
                                       indirect->flags, &count)) {
        return false;
    }
    table = queue->table;
    for (uint32_t i = 0; i < count; i++) {
        if (table[index].flags & VHOST_USER_DESCRIPTOR_INDIRECT) {
            vhost_user_queue_break(queue, "an indirect table has an indirect descriptor");
            return false;
        }
        if (!add(queue, element, &table[index])) {
            return false;
        }
        if (!(table[index].flags & VHOST_USER_DESCRIPTOR_NEXT)) {
            return true;
        }
        if (table[index].next >= count) {
            vhost_user_queue_break(queue,
                                   "next descriptor %" PRIu16 " of an indirect table is not below"
                                   " %" PRIu32,
                                   table[index].next, count);
            return false;
        }
        index = table[index].next;
    }
    if (count > 0) {
        vhost_user_queue_break(queue, "the chain of an indirect table loops");
        return false;
    }
    return true; /* not in guest memory: a fault */
}

static bool read_chain(VhostUserQueue *queue, VhostUserRequestElement *element, uint16_t head)
{
    uint16_t index = head;

    /* A chain of more descriptors than the table has uses one twice. */
    for (uint32_t i = 0; i < queue->size; i++) {
        SplitDescriptor descriptor;

        if (index >= queue->size) {
            vhost_user_queue_break(
                queue, "%s descriptor %" PRIu16 " is not below the ring's size %" PRIu32,
                i == 0 ? "first" : "next", index, queue->size);
            return false;
        }
        vhost_user_queue_copy_descriptor(queue, index, &descriptor);
        if (descriptor.flags & VHOST_USER_DESCRIPTOR_INDIRECT) {
            return read_indirect(queue, element, &descriptor);
        }
        if (!add(queue, element, &descriptor)) {
            return false;
        }
        if (!(descriptor.flags & VHOST_USER_DESCRIPTOR_NEXT)) {
            return true;
        }
        index = descriptor.next;
    }
    vhost_user_queue_break(queue, "the chain at descriptor %" PRIu16 " loops", head);
    return false;
}

static VhostUserRequestElement *read_element(VhostUserQueue *queue, uint16_t head)
{
    VhostUserRequestElement *element = vhost_user_element_take(queue);

    if (!element) {
        return NULL;
    }
    if (!read_chain(queue, element, head) || !vhost_user_element_finish(queue, element, head)) {
        vhost_user_element_spare(queue, element);
        return NULL;
    }
    return element;
}

static VhostUserRequestElement *pop(VhostUserQueue *queue)
{
    VhostUserRequestElement *element;
    uint16_t head;

    if (!anything_available(queue)) {
        return NULL;
    }
    head =
        atomic_load_explicit(available_entry(queue, queue->split.available), memory_order_relaxed);
    element = read_element(queue, head);
    if (element) {
        if (queue->track.active) {
            vhost_user_inflight_split_pop(&queue->track, head);
        }
        queue->split.available++;
    }
    return element;
}

static void rewind_one(VhostUserQueue *queue, const VhostUserRequestElement *element)
{
    if (queue->track.active) {
        vhost_user_inflight_split_unpop(&queue->track, element->id);
    }
    queue->split.available--;
}

/* 2.7.7: by the event index, whether this batch passed it, or by a flag without it. */
static bool wants_interrupt(const VhostUserQueue *queue, uint16_t before, uint16_t after)
{
    uint16_t event;

    if (!queue->event_index) {
        return !(atomic_load(available_flags(queue)) & NO_INTERRUPT);
    }
    event = atomic_load(used_event(queue));
    return (uint16_t)(after - event - 1) < (uint16_t)(after - before);
}

static bool wants_interrupts(const VhostUserQueue *queue)
{
    return queue->event_index || !(atomic_load(available_flags(queue)) & NO_INTERRUPT);
}

/*
 * Under IN_ORDER a batch could be told of by its last entry alone (2.7.14); each entry is written
 * nevertheless, as it carries the length of its own request.
 */
static bool publish(VhostUserQueue *queue, const VhostUserRequestElement *elements)
{
    VhostUserSplitState *state = &queue->split;
    uint16_t before = state->used;

    for (const VhostUserRequestElement *e = elements; e; e = e->next) {
        size_t offset = used_entry_offset(queue, state->used);
        _Atomic uint32_t *entry = (_Atomic uint32_t *)(void *)(queue->device.host + offset);

        atomic_store_explicit(&entry[0], e->id, memory_order_relaxed);
        atomic_store_explicit(&entry[1], e->written, memory_order_relaxed);
        log_used_ring(queue, offset, USED_ENTRY);
        if (queue->track.active) {
            vhost_user_inflight_split_use(&queue->track, e->id);
        }
        state->used++;
    }
    atomic_store(used_index(queue), state->used);
    log_used_ring(queue, 2, 2);
    if (queue->track.active) {
        for (const VhostUserRequestElement *e = elements; e; e = e->next) {
            vhost_user_inflight_split_used(&queue->track, e->id);
        }
        vhost_user_inflight_split_used_index(&queue->track, state->used);
    }
    return wants_interrupt(queue, before, state->used);
}

const VhostUserRingFormat vhost_user_split_format = {
    .descriptor_size = descriptor_size,
    .driver_size = driver_size,
    .device_size = device_size,
    .driver_alignment = 2,
    .device_alignment = 4,
    .start = start,
    .base = base,
    .pop = pop,
    .pop_recovered = read_element,
    .rewind = rewind_one,
    .pending = pending,
    .suppress_kicks = suppress_kicks,
    .publish = publish,
    .wants_interrupts = wants_interrupts,
};
