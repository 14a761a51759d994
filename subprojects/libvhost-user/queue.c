/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue's life: what the device sets up, starts, holds and stops, and what the program does with
 * it apart from the ring's format (queue-split.c, queue-packed.c).
 *
 * The queue thread and the control thread keep out of each other's way by a pair of flags, each
 * written by one and read by the other: the queue thread raises "inside" and then looks at "held",
 * the control thread raises "held" and then looks at "inside".  All four accesses are sequentially
 * consistent, so at least one of the two sees the other.  The queue thread never waits; the control
 * thread, which is rarely here, sleeps in small steps.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "queue-private.h"

#define SPINS_BEFORE_SLEEP 256
#define SLEEP_NANOSECONDS 20000
#define IDS 65536u /* of a packed ring; heads of a split ring are fewer */

VhostUserQueue *vhost_user_queue_new(const VhostUserQueueEnvironment *environment, uint32_t index)
{
    VhostUserQueue *queue = calloc(1, sizeof(*queue));

    if (queue) {
        queue->environment = environment;
        queue->index = index;
        queue->kick_fd = -1;
        queue->call_fd = -1;
        queue->error_fd = -1;
    }
    return queue;
}

/* Closes the old one. */
static void replace_fd(int *place, int fd)
{
    if (*place >= 0) {
        close(*place);
    }
    *place = fd;
}

void vhost_user_queue_free(VhostUserQueue *queue)
{
    if (!queue) {
        return;
    }
    vhost_user_queue_stop(queue);
    vhost_user_element_free_all(queue);
    free(queue->table);
    replace_fd(&queue->kick_fd, -1);
    replace_fd(&queue->call_fd, -1);
    replace_fd(&queue->error_fd, -1);
    free(queue);
}

/*
 * Makes the descriptor one on which neither read nor write waits: a peer may fill or empty its
 * counter at any time.
 */
int vhost_user_queue_take_fd(int *place, int fd)
{
    struct stat status;
    int flags;

    replace_fd(place, -1);
    if (fd < 0) {
        return 0;
    }
    flags = fcntl(fd, F_GETFL);
    if (fstat(fd, &status) != 0 || S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) ||
        flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        close(fd);
        return -EINVAL;
    }
    *place = fd;
    return 0;
}

void vhost_user_queue_signal(int fd)
{
    const uint64_t one = 1;

    if (fd >= 0 && write(fd, &one, sizeof(one)) < 0) {
        return;
    }
}

int vhost_user_queue_set_kick(VhostUserQueue *queue, int fd)
{
    return vhost_user_queue_take_fd(&queue->kick_fd, fd);
}

/*
 * A front-end may send the call descriptor behind the kick descriptor, with which the queue started
 * and used what was there.
 */
int vhost_user_queue_set_call(VhostUserQueue *queue, int fd)
{
    int result = vhost_user_queue_take_fd(&queue->call_fd, fd);

    if (queue->call_due) {
        vhost_user_queue_call(queue);
    }
    return result;
}

int vhost_user_queue_set_error(VhostUserQueue *queue, int fd)
{
    return vhost_user_queue_take_fd(&queue->error_fd, fd);
}

void vhost_user_queue_call(VhostUserQueue *queue)
{
    queue->call_due = queue->call_fd < 0;
    if (!queue->call_due) {
        vhost_user_queue_signal(queue->call_fd);
        vhost_user_count(&queue->statistics.calls);
    }
}

void vhost_user_queue_kick(VhostUserQueue *queue)
{
    vhost_user_queue_signal(queue->kick_fd);
}

bool vhost_user_queue_started(const VhostUserQueue *queue)
{
    return atomic_load_explicit(&queue->running, memory_order_relaxed);
}

int vhost_user_queue_set_size(VhostUserQueue *queue, uint32_t size)
{
    if (size == 0 || size > queue->environment->queue_size_maximum) {
        return -EINVAL;
    }
    if (vhost_user_queue_started(queue)) {
        return size == queue->size ? 0 : -EBUSY;
    }
    queue->size = size;
    return 0;
}

uint32_t vhost_user_queue_size(const VhostUserQueue *queue)
{
    return queue->size;
}

int vhost_user_queue_set_addresses(VhostUserQueue *queue, const VhostUserVringAddr *addresses)
{
    const VhostUserVringAddr *now = &queue->addresses;

    if (vhost_user_queue_started(queue) &&
        (addresses->descriptor != now->descriptor || addresses->available != now->available ||
         addresses->used != now->used)) {
        return -EBUSY;
    }
    queue->addresses = *addresses;
    queue->addresses_set = true;
    return 0;
}

int vhost_user_queue_set_base(VhostUserQueue *queue, uint32_t base)
{
    if (vhost_user_queue_started(queue)) {
        return -EBUSY;
    }
    queue->base = base;
    return 0;
}

uint32_t vhost_user_queue_base(const VhostUserQueue *queue)
{
    return vhost_user_queue_started(queue) ? queue->format->base(queue) : queue->base;
}

void vhost_user_queue_set_inflight(VhostUserQueue *queue, void *area, uint32_t descriptors)
{
    queue->inflight_area = area;
    queue->inflight_descriptors = area ? descriptors : 0;
}

static void unpin(VhostUserQueue *queue, VhostUserRingArea *area)
{
    if (area->region) {
        vhost_user_map_unpin(queue->environment->map, area->region);
    }
    *area = (VhostUserRingArea){0};
}

static bool pin(VhostUserQueue *queue, uint64_t user_address, uint64_t size, uint32_t alignment,
                VhostUserRingArea *area)
{
    area->host = vhost_user_map_pin(queue->environment->map, user_address, size, &area->region,
                                    &area->guest_address);
    /* An offset into the file may put an aligned address of theirs on one of ours that is not. */
    if (area->host && (uintptr_t)area->host % alignment != 0) {
        unpin(queue, area);
    }
    return area->host != NULL;
}

static const char *const not_in_memory[] = {
    "descriptor area is not in one region of memory, or not aligned",
    "available ring (driver area) is not in one region of memory, or not aligned",
    "used ring (device area) is not in one region of memory, or not aligned",
};

/* All three areas, or none and the reason. */
static const char *pin_ring(VhostUserQueue *queue, VhostUserRingArea areas[3])
{
    const VhostUserRingFormat *format = queue->format;
    const uint64_t addresses[] = {queue->addresses.descriptor, queue->addresses.available,
                                  queue->addresses.used};
    const uint64_t sizes[] = {format->descriptor_size(queue), format->driver_size(queue),
                              format->device_size(queue)};
    const uint32_t alignments[] = {VHOST_USER_DESCRIPTOR_SIZE, format->driver_alignment,
                                   format->device_alignment};

    for (unsigned i = 0; i < 3; i++) {
        areas[i] = (VhostUserRingArea){0};
        if (addresses[i] % alignments[i] != 0 ||
            !pin(queue, addresses[i], sizes[i], alignments[i], &areas[i])) {
            for (unsigned j = 0; j < i; j++) {
                unpin(queue, &areas[j]);
            }
            return not_in_memory[i];
        }
    }
    return NULL;
}

static void use_ring(VhostUserQueue *queue, const VhostUserRingArea areas[3])
{
    queue->descriptors = areas[0];
    queue->driver = areas[1];
    queue->device = areas[2];
}

static void unpin_ring(VhostUserQueue *queue)
{
    unpin(queue, &queue->descriptors);
    unpin(queue, &queue->driver);
    unpin(queue, &queue->device);
}

/* What does not depend on memory. */
static const char *prepare_start(VhostUserQueue *queue)
{
    uint64_t features = queue->environment->features;
    bool packed = features & VHOST_USER_RING_F_PACKED;

    if (queue->size == 0) {
        return "its size was never set";
    }
    if (!queue->addresses_set) {
        return "its addresses were never set";
    }
    if (!packed && (queue->size & (queue->size - 1)) != 0) {
        return "the size of a split ring is not a power of 2";
    }
    if (queue->inflight_area && queue->inflight_descriptors < queue->size) {
        return "the in-flight buffer is made for shorter rings";
    }
    queue->format = packed ? &vhost_user_packed_format : &vhost_user_split_format;
    queue->indirect = features & VHOST_USER_RING_F_INDIRECT_DESC;
    queue->event_index = features & VHOST_USER_RING_F_EVENT_IDX;
    queue->in_order = features & VHOST_USER_RING_F_IN_ORDER;
    queue->chain_maximum =
        queue->size > VHOST_USER_CHAIN_FLOOR ? queue->size : VHOST_USER_CHAIN_FLOOR;
    /* Room for buffers that straddle regions; a guest cannot make us hold more than this. */
    queue->pieces_maximum = 2 * queue->chain_maximum;
    return NULL;
}

static void reset_state(VhostUserQueue *queue)
{
    queue->polling = false;
    queue->kicks = VHOST_USER_KICKS_UNKNOWN;
    queue->given_back = NULL;
    queue->pushed = NULL;
    queue->pushed_end = &queue->pushed;
    queue->next_order = 0;
    queue->order = 0;
    queue->in_flight = 0;
    queue->recovered_next = 0;
    queue->call_due = false;
    queue->error[0] = '\0';
    atomic_store_explicit(&queue->broken, false, memory_order_relaxed);
}

static bool allocate(VhostUserQueue *queue)
{
    queue->taken = calloc(IDS / 64, sizeof(*queue->taken));
    queue->early = queue->in_order ? calloc(queue->size, sizeof(VhostUserRequestElement *)) : NULL;
    queue->reader = vhost_user_reader_new(queue->environment->map, queue->size);
    if (queue->inflight_area && queue->format == &vhost_user_packed_format) {
        queue->chain = calloc(queue->size, sizeof(*queue->chain));
        if (!queue->chain) {
            return false;
        }
    }
    return queue->taken && queue->reader && (queue->early || !queue->in_order);
}

/* What start made; the queue thread is not there. */
static void dismantle(VhostUserQueue *queue)
{
    if (queue->reader) {
        queue->statistics.lookups_before += vhost_user_reader_lookups(queue->reader);
        queue->statistics.hits_before += vhost_user_reader_hits(queue->reader);
        vhost_user_reader_free(queue->reader);
        queue->reader = NULL;
    }
    free(queue->taken);
    queue->taken = NULL;
    free(queue->early);
    queue->early = NULL;
    free(queue->chain);
    queue->chain = NULL;
    vhost_user_inflight_track_end(&queue->track);
    vhost_user_element_reclaim(queue);
    unpin_ring(queue);
}

int vhost_user_queue_start(VhostUserQueue *queue, const char **reason)
{
    VhostUserRingArea areas[3];
    bool recovered = false;
    int error;

    *reason = prepare_start(queue);
    if (*reason) {
        return -EINVAL;
    }
    reset_state(queue);
    vhost_user_queue_look_for_log(queue);
    *reason = pin_ring(queue, areas);
    if (*reason) {
        return -EFAULT;
    }
    use_ring(queue, areas);
    *reason = "out of memory";
    error = allocate(queue) ? queue->format->start(queue, &recovered, reason) : -ENOMEM;
    if (error) {
        dismantle(queue);
        return error;
    }
    *reason = NULL;
    atomic_store_explicit(&queue->running, true, memory_order_relaxed);
    /* An earlier back-end may have been killed between telling the driver and calling it. */
    if (recovered && queue->format->wants_interrupts(queue)) {
        vhost_user_queue_call(queue);
    }
    return 0;
}

void vhost_user_queue_stop(VhostUserQueue *queue)
{
    if (!vhost_user_queue_started(queue)) {
        return;
    }
    /* What was popped and given back has not been popped.  Resubmitted elements are older; only the
     * in-flight buffer can tell of them. */
    for (VhostUserRequestElement *e = queue->given_back; e; e = e->next) {
        if (!e->shown.resubmitted) {
            queue->format->rewind(queue, e);
        }
    }
    queue->base = queue->format->base(queue);
    atomic_store_explicit(&queue->running, false, memory_order_relaxed);
    dismantle(queue);
}

void vhost_user_queue_relocate(VhostUserQueue *queue)
{
    VhostUserRingArea areas[3];
    const char *reason;

    if (!vhost_user_queue_started(queue)) {
        return;
    }
    reason = pin_ring(queue, areas);
    if (reason) {
        /* The old place stays pinned: what is in flight is pushed there. */
        vhost_user_queue_break(queue, "new memory table: %s", reason);
        return;
    }
    unpin_ring(queue);
    use_ring(queue, areas);
}

void vhost_user_queue_hold(VhostUserQueue *queue)
{
    const struct timespec pause = {.tv_nsec = SLEEP_NANOSECONDS};

    atomic_store(&queue->held, 1);
    for (unsigned i = 0; atomic_load(&queue->inside) != 0; i++) {
        if (i >= SPINS_BEFORE_SLEEP) {
            nanosleep(&pause, NULL);
        }
    }
}

void vhost_user_queue_release(VhostUserQueue *queue)
{
    atomic_store(&queue->held, 0);
    if (vhost_user_queue_started(queue)) {
        vhost_user_queue_kick(queue);
    }
}

void vhost_user_queue_break(VhostUserQueue *queue, const char *format, ...)
{
    va_list arguments;

    if (vhost_user_queue_is_broken(queue)) {
        return; /* the first reason counts */
    }
    va_start(arguments, format);
    vsnprintf(queue->error, sizeof(queue->error), format, arguments);
    va_end(arguments);
    atomic_store_explicit(&queue->broken, true, memory_order_release);
    vhost_user_queue_signal(queue->error_fd);
    queue->environment->broken(queue->environment->device, queue, queue->error);
}

const char *vhost_user_queue_error(const VhostUserQueue *queue)
{
    return atomic_load_explicit(&queue->broken, memory_order_acquire) ? queue->error : NULL;
}

uint32_t vhost_user_queue_index(const VhostUserQueue *queue)
{
    return queue->index;
}

VhostUserDevice *vhost_user_queue_device(const VhostUserQueue *queue)
{
    return queue->environment->device;
}

void vhost_user_queue_set_data(VhostUserQueue *queue, void *data)
{
    queue->data = data;
}

void *vhost_user_queue_data(const VhostUserQueue *queue)
{
    return queue->data;
}

int vhost_user_queue_kick_fd(const VhostUserQueue *queue)
{
    return queue->kick_fd;
}

void vhost_user_queue_clear_kick(VhostUserQueue *queue)
{
    uint64_t kicks;

    if (queue->kick_fd >= 0 && read(queue->kick_fd, &kicks, sizeof(kicks)) > 0) {
        vhost_user_count(&queue->statistics.kicks);
    }
}

uint32_t vhost_user_queue_in_flight(const VhostUserQueue *queue)
{
    return queue->in_flight;
}

void vhost_user_queue_stopped(VhostUserQueue *queue)
{
    queue->environment->stopped(queue->environment->device, queue);
}
