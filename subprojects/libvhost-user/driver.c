/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtqueue from the driver's side: what both formats share.  Memory, requests and their ids,
 * checks of what the device gives back, kicks and calls.
 */
#include "driver-internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define PART_ALIGNMENT 64u /* a cache line: what the two sides write shares none */

static const DriverRing *ring_of(uint64_t features)
{
    return features & VHOST_USER_RING_F_PACKED ? &vhost_user_driver_packed
                                               : &vhost_user_driver_split;
}

static uint64_t indirect_bytes(const VhostUserDriverParameters *parameters)
{
    return (uint64_t)parameters->size * parameters->indirect_size * DESCRIPTOR_BYTES;
}

static uint64_t place(uint64_t *part, uint64_t guest_address, uint64_t bytes)
{
    *part = (guest_address + PART_ALIGNMENT - 1) & ~(uint64_t)(PART_ALIGNMENT - 1);
    return *part + bytes;
}

uint64_t vhost_user_driver_place(VhostUserDriverParameters *parameters, uint64_t guest_address)
{
    const DriverRing *ring = ring_of(parameters->features);
    uint32_t size = parameters->size;
    uint64_t behind;

    behind = place(&parameters->descriptor, guest_address, (uint64_t)size * DESCRIPTOR_BYTES);
    behind = place(&parameters->available, behind, ring->available_bytes(size));
    behind = place(&parameters->used, behind, ring->used_bytes(size));
    return place(&parameters->indirect, behind, indirect_bytes(parameters));
}

/* --- life --- */

/* Where a part lies here, cleared; NULL if it is not in memory or not aligned. */
static void *find_part(const VhostUserDriverParameters *parameters, uint64_t guest_address,
                       uint64_t bytes, unsigned alignment)
{
    void *part = guest_address % alignment == 0
                     ? vhost_user_guest_memory_host(parameters->areas, parameters->area_count,
                                                    guest_address, bytes)
                     : NULL;

    if (part) {
        memset(part, 0, bytes);
    }
    return part;
}

static bool find_parts(VhostUserDriverQueue *queue, const VhostUserDriverParameters *parameters)
{
    const DriverRing *ring = queue->ring;
    uint32_t size = queue->size;

    queue->descriptor =
        find_part(parameters, parameters->descriptor, (uint64_t)size * DESCRIPTOR_BYTES, 16);
    queue->available = find_part(parameters, parameters->available, ring->available_bytes(size),
                                 driver_queue_has(queue, VHOST_USER_RING_F_PACKED) ? 4 : 2);
    queue->used = find_part(parameters, parameters->used, ring->used_bytes(size), 4);
    if (queue->indirect_size > 0) {
        queue->indirect =
            find_part(parameters, parameters->indirect, indirect_bytes(parameters), 16);
        if (!queue->indirect) {
            return false;
        }
    }
    return queue->descriptor && queue->available && queue->used;
}

static bool make_tables(VhostUserDriverQueue *queue)
{
    queue->requests = calloc(queue->size, sizeof(*queue->requests));
    queue->next = calloc(queue->size, sizeof(*queue->next));
    queue->order = calloc(queue->size, sizeof(*queue->order));
    if (!queue->requests || !queue->next || !queue->order) {
        return false;
    }
    for (uint32_t i = 0; i + 1 < queue->size; i++) {
        queue->next[i] = (uint16_t)(i + 1);
    }
    queue->last_free = (uint16_t)(queue->size - 1);
    queue->free = queue->size;
    return true;
}

static bool make_descriptors(VhostUserDriverQueue *queue)
{
    queue->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    queue->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    queue->error_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return queue->kick >= 0 && queue->call >= 0 && queue->error_fd >= 0;
}

static int set_up(VhostUserDriverQueue *queue, const VhostUserDriverParameters *parameters)
{
    if (queue->size == 0 || queue->size > VHOST_USER_MAX_VRING_SIZE) {
        return -EINVAL;
    }
    if (!find_parts(queue, parameters)) {
        return -EFAULT;
    }
    int result = queue->ring->init(queue, parameters->base);

    if (result < 0) {
        return result;
    }
    if (!make_tables(queue)) {
        return -ENOMEM;
    }
    return make_descriptors(queue) ? 0 : -errno;
}

VhostUserDriverQueue *vhost_user_driver_queue_new(const VhostUserDriverParameters *parameters)
{
    VhostUserDriverQueue *queue = calloc(1, sizeof(*queue));

    if (!queue) {
        return NULL;
    }
    queue->ring = ring_of(parameters->features);
    queue->features = parameters->features;
    queue->index = parameters->index;
    queue->size = parameters->size;
    queue->indirect_size = parameters->indirect_size;
    queue->indirect_address = parameters->indirect;
    queue->kick = queue->call = queue->error_fd = -1;
    int result = set_up(queue, parameters);

    if (result < 0) {
        vhost_user_driver_queue_free(queue);
        errno = -result;
        return NULL;
    }
    return queue;
}

static void close_one(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

void vhost_user_driver_queue_free(VhostUserDriverQueue *queue)
{
    if (!queue) {
        return;
    }
    close_one(queue->kick);
    close_one(queue->call);
    close_one(queue->error_fd);
    free(queue->requests);
    free(queue->next);
    free(queue->order);
    free(queue);
}

void vhost_user_driver_queue_setup(const VhostUserDriverQueue *queue, VhostUserRingSetup *setup)
{
    *setup = (VhostUserRingSetup){
        .index = queue->index,
        .size = queue->size,
        .base = queue->ring->setup_base(queue),
        .descriptor = queue->descriptor,
        .available = queue->available,
        .used = queue->used,
        .kick = queue->kick,
        .call = queue->call,
        .error = queue->error_fd,
        .enable = true,
    };
}

int vhost_user_driver_queue_kick_fd(const VhostUserDriverQueue *queue)
{
    return queue->kick;
}

int vhost_user_driver_queue_call_fd(const VhostUserDriverQueue *queue)
{
    return queue->call;
}

int vhost_user_driver_queue_error_fd(const VhostUserDriverQueue *queue)
{
    return queue->error_fd;
}

/* --- requests --- */

/* Sums that do not fit are the most that a device can say. */
static uint32_t writable_bytes(DriverBuffers buffers)
{
    uint64_t sum = 0;

    for (unsigned i = buffers.readable; i < buffers.count; i++) {
        sum += buffers.list[i].size;
    }
    return sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}

int vhost_user_driver_queue_add(VhostUserDriverQueue *queue, const VhostUserDriverBuffer *buffers,
                                unsigned readable, unsigned writable, unsigned flags, void *cookie)
{
    DriverBuffers list = {buffers, readable, readable + writable};
    bool indirect = flags & VHOST_USER_DRIVER_INDIRECT;
    unsigned descriptors = indirect ? 1 : list.count;

    if (list.count == 0 || list.count > (indirect ? queue->indirect_size : queue->size) ||
        (flags & ~VHOST_USER_DRIVER_INDIRECT)) {
        return -EINVAL;
    }
    if (descriptors > queue->free) {
        return -ENOSPC;
    }
    uint16_t id = indirect ? queue->ring->add_indirect(queue, list) : queue->ring->add(queue, list);

    queue->requests[id] = (DriverRequest){cookie, writable_bytes(list), (uint16_t)descriptors};
    queue->order[(queue->oldest + queue->outstanding) % queue->size] = id;
    queue->free -= descriptors;
    queue->outstanding++;
    queue->unpublished++;
    queue->statistics.added++;
    return 0;
}

void vhost_user_driver_queue_publish(VhostUserDriverQueue *queue)
{
    if (queue->unpublished > 0) {
        queue->ring->publish(queue);
        queue->unpublished = 0;
    }
}

bool vhost_user_driver_queue_kick(VhostUserDriverQueue *queue)
{
    const uint64_t one = 1;

    vhost_user_driver_queue_publish(queue);
    if (queue->since_kick == 0) {
        return false;
    }
    /* What was published has to be visible before we read whether the device still looks. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    /* After so many an event may have been passed unseen; one kick too many does no harm. */
    bool kick = queue->since_kick > UINT16_MAX || queue->ring->wants_kick(queue);

    queue->since_kick = 0;
    if (kick && write(queue->kick, &one, sizeof(one)) < 0 && errno != EAGAIN) {
        queue->error = "the kick descriptor cannot be written";
    }
    queue->statistics.kicks += kick;
    queue->statistics.kicks_spared += !kick;
    return kick;
}

/* Ends the request of @id, which the device has. */
static void end_request(VhostUserDriverQueue *queue, uint16_t id, uint32_t written,
                        VhostUserDriverUsed *used)
{
    DriverRequest *request = &queue->requests[id];

    *used = (VhostUserDriverUsed){request->cookie, written};
    queue->ring->release(queue, id, request->descriptors);
    queue->free += request->descriptors;
    request->descriptors = 0;
    queue->outstanding--;
    queue->statistics.collected++;
}

/* The next of those that one element has ended: all bytes were used, but for the last of them. */
static void end_oldest(VhostUserDriverQueue *queue, VhostUserDriverUsed *used)
{
    uint16_t id = queue->order[queue->oldest];
    bool last = id == queue->skip_to;
    uint32_t written = last ? queue->skip_written : queue->requests[id].writable;

    queue->oldest = (queue->oldest + 1) % queue->size;
    queue->skipping = !last;
    end_request(queue, id, written, used);
}

/* 1, 0: nothing there, or -EPROTO. */
static int collect_one(VhostUserDriverQueue *queue, VhostUserDriverUsed *used)
{
    uint32_t id, written;

    if (queue->error) {
        return -EPROTO;
    }
    if (!queue->skipping) {
        if (!queue->ring->pending(queue)) {
            return 0;
        }
        if (!queue->ring->read_used(queue, &id, &written)) {
            return -EPROTO;
        }
        if (id >= queue->size || queue->requests[id].descriptors == 0) {
            queue->error = "the device gives back what it does not have";
            return -EPROTO;
        }
        if (written > queue->requests[id].writable) {
            queue->error = "the device says that it wrote more than it could";
            return -EPROTO;
        }
        if (!driver_queue_has(queue, VHOST_USER_RING_F_IN_ORDER)) {
            end_request(queue, (uint16_t)id, written, used);
            return 1;
        }
        queue->skipping = true;
        queue->skip_to = (uint16_t)id;
        queue->skip_written = written;
    }
    end_oldest(queue, used);
    return 1;
}

int vhost_user_driver_queue_collect(VhostUserDriverQueue *queue, VhostUserDriverUsed *used,
                                    unsigned most)
{
    unsigned count = 0;

    while (count < most) {
        int result = collect_one(queue, &used[count]);

        /* What was collected before is told first; the error comes with the next call. */
        if (result < 0 && count == 0) {
            return result;
        }
        if (result <= 0) {
            break;
        }
        count++;
    }
    return (int)count;
}

bool vhost_user_driver_queue_pending(const VhostUserDriverQueue *queue)
{
    return queue->skipping || queue->ring->pending(queue);
}

/* --- calls --- */

bool vhost_user_driver_queue_enable_calls(VhostUserDriverQueue *queue, unsigned after)
{
    if (after > queue->outstanding) {
        after = queue->outstanding;
    }
    queue->ring->enable_calls(queue, (uint16_t)(after ? after : 1));
    /* The wish has to be visible before we look whether the device was quicker. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return vhost_user_driver_queue_pending(queue);
}

void vhost_user_driver_queue_disable_calls(VhostUserDriverQueue *queue)
{
    queue->ring->disable_calls(queue);
}

static int64_t milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/* Waits for a call and reads it: 1, 0: not before @end, or a negative errno. */
static int wait_for_call(VhostUserDriverQueue *queue, int64_t end)
{
    struct pollfd call = {.fd = queue->call, .events = POLLIN};
    int64_t left = end < 0 ? -1 : end - milliseconds();
    int result = poll(&call, 1, end < 0 ? -1 : left > 0 ? (int)left : 0);
    uint64_t count;

    if (result <= 0) {
        return result == 0 ? 0 : errno == EINTR ? 1 : -errno;
    }
    if (read(queue->call, &count, sizeof(count)) == sizeof(count)) {
        queue->statistics.calls += count;
    }
    return 1;
}

int vhost_user_driver_queue_wait(VhostUserDriverQueue *queue, int deadline)
{
    int64_t end = deadline < 0 ? -1 : milliseconds() + deadline;
    int result = 1;

    while (result > 0 && !vhost_user_driver_queue_enable_calls(queue, 1)) {
        result = wait_for_call(queue, end);
    }
    vhost_user_driver_queue_disable_calls(queue);
    if (result == 0) {
        return vhost_user_driver_queue_pending(queue);
    }
    return result;
}

unsigned vhost_user_driver_queue_outstanding(const VhostUserDriverQueue *queue)
{
    return queue->outstanding;
}

unsigned vhost_user_driver_queue_room(const VhostUserDriverQueue *queue)
{
    return queue->free;
}

const char *vhost_user_driver_queue_error(const VhostUserDriverQueue *queue)
{
    return queue->error;
}

uint32_t vhost_user_driver_queue_base(const VhostUserDriverQueue *queue)
{
    return queue->ring->base(queue);
}

void vhost_user_driver_queue_statistics(const VhostUserDriverQueue *queue,
                                        VhostUserDriverStatistics *statistics)
{
    *statistics = queue->statistics;
}
