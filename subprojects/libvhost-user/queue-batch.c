/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the queue thread does between begin and end, in either format of a ring: elements in and
 * out, their order, and the one interrupt for all that was pushed.
 */
#include "queue-private.h"

bool vhost_user_queue_begin(VhostUserQueue *queue)
{
    atomic_store(&queue->inside, 1);
    if (atomic_load(&queue->held) != 0 || !vhost_user_queue_started(queue)) {
        atomic_store_explicit(&queue->inside, 0, memory_order_release);
        return false;
    }
    vhost_user_queue_look_for_log(queue);
    vhost_user_reader_enter(queue->reader);
    return true;
}

/* IN_ORDER: what is not behind one that the program still has. */
static void release_early(VhostUserQueue *queue)
{
    VhostUserRequestElement **place = &queue->early[queue->next_order % queue->size];

    while (*place) {
        *queue->pushed_end = *place;
        queue->pushed_end = &(*place)->next;
        *place = NULL;
        queue->next_order++;
        place = &queue->early[queue->next_order % queue->size];
    }
}

static void publish(VhostUserQueue *queue)
{
    bool interrupt = queue->format->publish(queue, queue->pushed);

    for (VhostUserRequestElement *e = queue->pushed, *next; e; e = next) {
        next = e->next;
        queue->taken[e->id / 64] &= ~(1ull << (e->id % 64));
        vhost_user_element_spare(queue, e);
    }
    queue->pushed = NULL;
    queue->pushed_end = &queue->pushed;
    if (interrupt) {
        vhost_user_queue_call(queue);
    } else {
        vhost_user_count(&queue->statistics.calls_spared);
    }
}

void vhost_user_queue_end(VhostUserQueue *queue)
{
    if (queue->in_order) {
        release_early(queue);
    }
    if (queue->pushed) {
        publish(queue);
        if (queue->log_writes) {
            vhost_user_queue_signal(queue->environment->log_fd);
        }
    }
    vhost_user_reader_leave(queue->reader);
    atomic_store_explicit(&queue->statistics.lookups,
                          queue->statistics.lookups_before +
                              vhost_user_reader_lookups(queue->reader),
                          memory_order_relaxed);
    atomic_store_explicit(&queue->statistics.lookup_hits,
                          queue->statistics.hits_before + vhost_user_reader_hits(queue->reader),
                          memory_order_relaxed);
    atomic_store_explicit(&queue->inside, 0, memory_order_release);
}

static VhostUserRequestElement *pop_recovered(VhostUserQueue *queue)
{
    VhostUserRequestElement *element =
        queue->format->pop_recovered(queue, queue->track.requests[queue->recovered_next].index);

    if (element) {
        queue->recovered_next++;
        element->shown.resubmitted = true;
        vhost_user_count(&queue->statistics.resubmitted);
    }
    return element;
}

static VhostUserRequestElement *pop_new(VhostUserQueue *queue)
{
    VhostUserRequestElement *element;

    if (queue->recovered_next < queue->track.count) {
        element = pop_recovered(queue);
    } else {
        element = queue->format->pop(queue);
    }
    if (element) {
        vhost_user_count(&queue->statistics.popped);
        if (element->shown.fault) {
            vhost_user_count(&queue->statistics.faults);
        }
    }
    return element;
}

VhostUserElement *vhost_user_queue_pop(VhostUserQueue *queue)
{
    VhostUserRequestElement *element = queue->given_back;

    if (vhost_user_queue_is_broken(queue)) {
        return NULL;
    }
    if (element) {
        queue->given_back = element->next;
        element->next = NULL;
    } else {
        element = pop_new(queue);
        if (!element) {
            return NULL;
        }
    }
    queue->format->suppress_kicks(queue);
    queue->in_flight++;
    return &element->shown;
}

void vhost_user_queue_unpop(VhostUserQueue *queue, VhostUserElement *shown)
{
    VhostUserRequestElement *element = (VhostUserRequestElement *)shown;

    element->next = queue->given_back;
    queue->given_back = element;
    queue->in_flight--;
}

void vhost_user_queue_push(VhostUserQueue *queue, VhostUserElement *shown, uint32_t written)
{
    VhostUserRequestElement *element = (VhostUserRequestElement *)shown;

    if (written > shown->writable_size) {
        written = (uint32_t)shown->writable_size;
    }
    if (queue->log_writes && written > 0) {
        vhost_user_element_log(queue, element, 0, written);
    }
    vhost_user_reader_release(queue->reader, element->token);
    element->written = written;
    element->next = NULL;
    queue->in_flight--;
    vhost_user_count(&queue->statistics.pushed);
    if (queue->in_order) {
        queue->early[element->order % queue->size] = element;
    } else {
        *queue->pushed_end = element;
        queue->pushed_end = &element->next;
    }
}

void vhost_user_queue_set_polling(VhostUserQueue *queue, bool polling)
{
    queue->polling = polling;
    if (polling) {
        queue->format->suppress_kicks(queue);
    }
}

bool vhost_user_queue_pending(VhostUserQueue *queue)
{
    if (vhost_user_queue_is_broken(queue)) {
        return false;
    }
    return queue->given_back || queue->recovered_next < queue->track.count ||
           queue->format->pending(queue);
}

void vhost_user_queue_statistics(const VhostUserQueue *queue, VhostUserQueueStatistics *statistics)
{
#define COPY(member)                                                                               \
    statistics->member = atomic_load_explicit(&queue->statistics.member, memory_order_relaxed)
    COPY(popped);
    COPY(pushed);
    COPY(resubmitted);
    COPY(faults);
    COPY(kicks);
    COPY(calls);
    COPY(calls_spared);
    COPY(lookups);
    COPY(lookup_hits);
#undef COPY
}
