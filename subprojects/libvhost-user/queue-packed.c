/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packed ring from the device's side (virtio 1.2, 2.8): one ring of descriptors that both sides
 * write, and a structure of 32 bits for each side with which it says when it wants to be notified.
 *
 * A position is an index and the wrap counter that goes with it.  What lies from the used position
 * to the available one is ours.  Accesses to the event structures are sequentially consistent for
 * the same reason as in the split ring.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "queue-private.h"

/* 2.8.14: offset and wrap counter in the lower 16 bits, flags in the upper ones. */
#define EVENT_ENABLE (0u << 16)
#define EVENT_DISABLE (1u << 16)
#define EVENT_DESCRIPTOR (2u << 16)
#define EVENT_FLAGS_MASK (3u << 16)
#define EVENT_INDEX_MASK 0x7fffu
#define EVENT_WRAP 0x8000u
#define EVENT_SIZE 4u

/* The base (vhost-user, "Vring state"): a position in 16 bits, the used one in the upper half. */
#define BASE_INDEX_MASK 0x7fffu
#define BASE_WRAP 0x8000u

static uint64_t descriptor_size(const VhostUserQueue *queue)
{
    return (uint64_t)queue->size * VHOST_USER_DESCRIPTOR_SIZE;
}

static uint64_t event_size(const VhostUserQueue *queue)
{
    (void)queue;
    return EVENT_SIZE;
}

static VhostUserPackedDescriptor *ring(const VhostUserQueue *queue)
{
    return (VhostUserPackedDescriptor *)(void *)queue->descriptors.host;
}

static _Atomic uint32_t *driver_event(const VhostUserQueue *queue)
{
    return (_Atomic uint32_t *)(void *)queue->driver.host;
}

static void log_descriptor(const VhostUserQueue *queue, uint16_t index)
{
    if (queue->log_ring) {
        vhost_user_dirty_log_mark(queue->environment->log,
                                  queue->descriptors.guest_address +
                                      index * (uint64_t)VHOST_USER_DESCRIPTOR_SIZE,
                                  VHOST_USER_DESCRIPTOR_SIZE);
    }
}

static void advance(const VhostUserQueue *queue, uint16_t *index, bool *wrap, uint32_t slots)
{
    uint32_t next = *index + slots;

    if (next >= queue->size) {
        next -= queue->size;
        *wrap = !*wrap;
    }
    *index = (uint16_t)next;
}

/* Descriptors from the used position to the available one; more than the size if they are not a
 * possible pair. */
static uint32_t slots_taken(const VhostUserQueue *queue)
{
    const VhostUserPackedState *state = &queue->packed;

    if (state->available_wrap == state->used_wrap) {
        return state->available >= state->used ? (uint32_t)state->available - state->used
                                               : UINT32_MAX;
    }
    return state->available + queue->size - state->used;
}

/*
 * A back-end that was killed in the middle of a batch may have written used descriptors behind the
 * first one, which the driver has not been told of.  It would take them for ours as soon as it gets
 * there (our own batches have one descriptor, see inflight-packed.c).
 */
static void take_back_used(VhostUserQueue *queue)
{
    uint16_t index = queue->packed.used;
    bool wrap = queue->packed.used_wrap;

    for (uint32_t i = 0; i < queue->track.descriptors; i++) {
        uint16_t *flags = &ring(queue)[index].flags;
        uint16_t value = __atomic_load_n(flags, __ATOMIC_RELAXED);
        bool available = value & VHOST_USER_PACKED_AVAILABLE, used = value & VHOST_USER_PACKED_USED;

        if (available == wrap && used == wrap) {
            __atomic_store_n(flags, wrap ? VHOST_USER_PACKED_AVAILABLE : VHOST_USER_PACKED_USED,
                             __ATOMIC_RELEASE);
            log_descriptor(queue, index);
        }
        advance(queue, &index, &wrap, 1);
    }
}

static int start(VhostUserQueue *queue, bool *recovered, const char **reason)
{
    VhostUserPackedState *state = &queue->packed;
    int error = 0;

    state->available = (uint16_t)(queue->base & BASE_INDEX_MASK);
    state->available_wrap = queue->base & BASE_WRAP;
    state->used = (uint16_t)(queue->base >> 16 & BASE_INDEX_MASK);
    state->used_wrap = queue->base >> 16 & BASE_WRAP;
    if (state->available >= queue->size || state->used >= queue->size) {
        *reason = "an index of the base is not below the ring's size";
        return -EINVAL;
    }
    if (queue->inflight_area) {
        error = vhost_user_inflight_packed_start(&queue->track, queue->inflight_area, queue->size,
                                                 ring(queue), &state->used, &state->used_wrap,
                                                 recovered, reason);
    }
    if (*recovered && error == 0) {
        state->available = state->used;
        state->available_wrap = state->used_wrap;
        advance(queue, &state->available, &state->available_wrap, queue->track.descriptors);
        take_back_used(queue);
    }
    if (error == 0 && slots_taken(queue) > queue->size) {
        *reason = "the base's used position is not within a ring behind the available one";
        return -EINVAL;
    }
    return error;
}

static uint32_t base(const VhostUserQueue *queue)
{
    const VhostUserPackedState *state = &queue->packed;
    uint32_t available = state->available | (state->available_wrap ? BASE_WRAP : 0);
    uint32_t used = state->used | (state->used_wrap ? BASE_WRAP : 0);

    return available | used << 16;
}

/* 2.8.1: flags last written by the driver in this round. */
static bool is_available(uint16_t flags, bool wrap)
{
    bool available = flags & VHOST_USER_PACKED_AVAILABLE, used = flags & VHOST_USER_PACKED_USED;

    return available == wrap && used != wrap;
}

/* Whether the next descriptor is there.  If all are ours, it is one that we have already. */
static bool look(VhostUserQueue *queue, int order)
{
    const VhostUserPackedState *state = &queue->packed;
    uint16_t *flags = &ring(queue)[state->available].flags;
    uint16_t value = order == __ATOMIC_SEQ_CST ? __atomic_load_n(flags, __ATOMIC_SEQ_CST)
                                               : __atomic_load_n(flags, __ATOMIC_ACQUIRE);

    return slots_taken(queue) < queue->size && is_available(value, state->available_wrap);
}

static bool pending(VhostUserQueue *queue)
{
    return look(queue, __ATOMIC_ACQUIRE);
}

static void write_device_event(VhostUserQueue *queue, uint32_t event)
{
    atomic_store((_Atomic uint32_t *)(void *)queue->device.host, event);
    if (queue->log_ring) {
        vhost_user_dirty_log_mark(queue->environment->log, queue->device.guest_address, EVENT_SIZE);
    }
    queue->packed.armed = event;
}

static void want_kicks(VhostUserQueue *queue)
{
    VhostUserPackedState *state = &queue->packed;
    uint32_t event = EVENT_ENABLE;

    if (queue->event_index) {
        event = EVENT_DESCRIPTOR | state->available | (state->available_wrap ? EVENT_WRAP : 0);
    }
    if (queue->kicks != VHOST_USER_KICKS_WANTED || state->armed != event) {
        write_device_event(queue, event);
    }
    queue->kicks = VHOST_USER_KICKS_WANTED;
}

static void suppress_kicks(VhostUserQueue *queue)
{
    /* An event index that has been passed suppresses by itself, for as long as we come to arm it
     * again. */
    if (queue->event_index && queue->kicks == VHOST_USER_KICKS_WANTED && !queue->polling) {
        return;
    }
    if (queue->kicks != VHOST_USER_KICKS_SUPPRESSED) {
        write_device_event(queue, EVENT_DISABLE);
        queue->kicks = VHOST_USER_KICKS_SUPPRESSED;
    }
}

static bool anything_available(VhostUserQueue *queue)
{
    if (look(queue, __ATOMIC_ACQUIRE)) {
        return true;
    }
    if (queue->polling) {
        return false;
    }
    want_kicks(queue);
    return look(queue, __ATOMIC_SEQ_CST);
}

/* 2.8.7: all descriptors of the table in order; of their flags only WRITE counts. */
static bool read_indirect(VhostUserQueue *queue, VhostUserRequestElement *element,
                          const VhostUserPackedDescriptor *indirect)
{
    const VhostUserPackedDescriptor *table;
    uint32_t count;

    if (!vhost_user_element_read_table(queue, element, indirect->address, indirect->length,
                                       indirect->flags, &count)) {
        return false;
    }
    table = queue->table;
    for (uint32_t i = 0; i < count; i++) {
        if (!vhost_user_element_add(queue, element, table[i].address, table[i].length,
                                    table[i].flags & VHOST_USER_DESCRIPTOR_WRITE)) {
            return false;
        }
    }
    return true;
}

static bool add(VhostUserQueue *queue, VhostUserRequestElement *element,
                const VhostUserPackedDescriptor *descriptor)
{
    element->slots++;
    if (descriptor->flags & VHOST_USER_DESCRIPTOR_INDIRECT) {
        return read_indirect(queue, element, descriptor);
    }
    return vhost_user_element_add(queue, element, descriptor->address, descriptor->length,
                                  descriptor->flags & VHOST_USER_DESCRIPTOR_WRITE);
}

/*
 * The descriptors of a chain follow each other in the ring, the last one has the buffer id (2.8.6).
 * The driver makes the first one available last: the others' flags need no look (2.8.22).
 */
static bool read_chain(VhostUserQueue *queue, VhostUserRequestElement *element, uint16_t *id)
{
    uint32_t room = queue->size - slots_taken(queue);
    uint16_t index = queue->packed.available;
    bool wrap = false;

    for (;;) {
        VhostUserPackedDescriptor descriptor;

        if (element->slots == room) {
            vhost_user_queue_break(queue,
                                   "the chain at descriptor %" PRIu16 " is longer than the %" PRIu32
                                   " descriptors that are not in flight",
                                   queue->packed.available, room);
            return false;
        }
        vhost_user_queue_copy_descriptor(queue, index, &descriptor);
        if (queue->track.active) {
            queue->chain[element->slots] = descriptor;
        }
        if (!add(queue, element, &descriptor)) {
            return false;
        }
        if (!(descriptor.flags & VHOST_USER_DESCRIPTOR_NEXT)) {
            *id = descriptor.id;
            return true;
        }
        advance(queue, &index, &wrap, 1);
    }
}

static VhostUserRequestElement *pop(VhostUserQueue *queue)
{
    VhostUserPackedState *state = &queue->packed;
    VhostUserRequestElement *element;
    uint16_t id;

    if (!anything_available(queue)) {
        return NULL;
    }
    element = vhost_user_element_take(queue);
    if (!element) {
        return NULL;
    }
    if (!read_chain(queue, element, &id) || !vhost_user_element_finish(queue, element, id)) {
        vhost_user_element_spare(queue, element);
        return NULL;
    }
    if (queue->track.active) {
        element->entry =
            vhost_user_inflight_packed_pop(&queue->track, queue->chain, element->slots);
    }
    advance(queue, &state->available, &state->available_wrap, element->slots);
    return element;
}

/* As it was kept in the in-flight area: the ring's descriptors may have been overwritten. */
static VhostUserRequestElement *pop_recovered(VhostUserQueue *queue, uint16_t first)
{
    const VhostUserInflightTrack *track = &queue->track;
    VhostUserRequestElement *element = vhost_user_element_take(queue);
    uint16_t entry = first;

    if (!element) {
        return NULL;
    }
    while (add(queue, element, &track->recovered[entry])) {
        if (entry != track->last[first]) {
            entry = track->next[entry];
        } else if (vhost_user_element_finish(queue, element, track->recovered[entry].id)) {
            element->entry = first;
            return element;
        } else {
            break;
        }
    }
    vhost_user_element_spare(queue, element);
    return NULL;
}

static void rewind_one(VhostUserQueue *queue, const VhostUserRequestElement *element)
{
    VhostUserPackedState *state = &queue->packed;

    if (queue->track.active) {
        vhost_user_inflight_packed_unpop(&queue->track, element->entry);
    }
    if (state->available < element->slots) {
        state->available_wrap = !state->available_wrap;
        state->available = (uint16_t)(state->available + queue->size);
    }
    state->available = (uint16_t)(state->available - element->slots);
}

/*
 * 2.8.14: with the event index, whether the position that the driver asks for is among the last
 * @slots.  Positions are counted from the used index of this round, those of the round before are
 * negative.
 */
static bool wants_interrupt(const VhostUserQueue *queue, uint32_t slots)
{
    uint32_t event = atomic_load(driver_event(queue));
    int32_t position = (int32_t)(event & EVENT_INDEX_MASK), end = queue->packed.used;

    if ((event & EVENT_FLAGS_MASK) != EVENT_DESCRIPTOR || !queue->event_index) {
        return (event & EVENT_FLAGS_MASK) != EVENT_DISABLE;
    }
    if ((bool)(event & EVENT_WRAP) != queue->packed.used_wrap) {
        position -= (int32_t)queue->size;
    }
    return position < end && position >= end - (int32_t)slots;
}

static bool wants_interrupts(const VhostUserQueue *queue)
{
    return (atomic_load(driver_event(queue)) & EVENT_FLAGS_MASK) != EVENT_DISABLE;
}

/* 2.8.1, 2.8.5: id and length, then the flags that make them the driver's. */
static void use_one(VhostUserQueue *queue, const VhostUserRequestElement *element)
{
    VhostUserPackedState *state = &queue->packed;
    uint16_t index = state->used, flags = 0;
    VhostUserPackedDescriptor *descriptor = &ring(queue)[index];

    if (state->used_wrap) {
        flags = VHOST_USER_PACKED_AVAILABLE | VHOST_USER_PACKED_USED;
    }
    if (element->written > 0) {
        flags |= VHOST_USER_DESCRIPTOR_WRITE;
    }
    advance(queue, &state->used, &state->used_wrap, element->slots);
    __atomic_store_n(&descriptor->id, element->id, __ATOMIC_RELAXED);
    __atomic_store_n(&descriptor->length, element->written, __ATOMIC_RELAXED);
    if (queue->track.active) {
        vhost_user_inflight_packed_use(&queue->track, element->entry, state->used,
                                       state->used_wrap);
        __atomic_store_n(&descriptor->flags, flags, __ATOMIC_RELEASE);
        vhost_user_inflight_packed_used(&queue->track, element->entry, state->used,
                                        state->used_wrap);
    } else {
        __atomic_store_n(&descriptor->flags, flags, __ATOMIC_RELEASE);
    }
    log_descriptor(queue, index);
}

/*
 * Under IN_ORDER a batch could be told of by its last descriptor alone (2.8.9); each is written
 * nevertheless, as it carries the length of its own request.
 */
static bool publish(VhostUserQueue *queue, const VhostUserRequestElement *elements)
{
    uint32_t slots = 0;

    for (const VhostUserRequestElement *e = elements; e; e = e->next) {
        use_one(queue, e);
        slots += e->slots;
    }
    atomic_thread_fence(memory_order_seq_cst);
    return wants_interrupt(queue, slots);
}

const VhostUserRingFormat vhost_user_packed_format = {
    .descriptor_size = descriptor_size,
    .driver_size = event_size,
    .device_size = event_size,
    .driver_alignment = 4,
    .device_alignment = 4,
    .start = start,
    .base = base,
    .pop = pop,
    .pop_recovered = pop_recovered,
    .rewind = rewind_one,
    .pending = pending,
    .suppress_kicks = suppress_kicks,
    .publish = publish,
    .wants_interrupts = wants_interrupts,
};
