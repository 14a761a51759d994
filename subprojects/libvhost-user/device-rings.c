/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's side of its queues: when each starts, who has it, and the requests that set it up.
 *
 * A queue starts when it has a size, addresses and a kick message and is enabled.  Whatever stops
 * it has to wait for the program: the handler tells the queue to stop, returns -EINPROGRESS, and
 * is called again with the same message when the program has reported.
 */
#include "device-internal.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

int vhost_user_device_rings_new(VhostUserDevice *device)
{
    device->rings = calloc(device->queues, sizeof(*device->rings));
    if (!device->rings) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < device->queues; i++) {
        device->rings[i].queue = vhost_user_queue_new(&device->environment, i);
        if (!device->rings[i].queue) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* The program has no queue any more, so one that still counts as its own is taken back. */
void vhost_user_device_rings_free(VhostUserDevice *device)
{
    for (uint32_t i = 0; device->rings && i < device->queues; i++) {
        VhostUserDeviceRing *ring = &device->rings[i];

        if (ring->state != VHOST_USER_RING_IDLE) {
            vhost_user_queue_stop(ring->queue);
        }
        if (ring->queue) {
            vhost_user_queue_free(ring->queue);
        }
    }
    free(device->rings);
    device->rings = NULL;
}

/* "Ring states": without bit 30 all rings are enabled. */
static bool ready(const VhostUserDevice *device, const VhostUserDeviceRing *ring)
{
    return device->phase == VHOST_USER_PHASE_OPEN && ring->state == VHOST_USER_RING_IDLE &&
           ring->size_set && ring->addresses_set && ring->kick_set &&
           (ring->enabled || !vhost_user_device_has_bit_30(device));
}

static int start_if_ready(VhostUserDevice *device, VhostUserDeviceRing *ring, const char **reason)
{
    int result;

    if (!ready(device, ring)) {
        return 0;
    }
    if (device->state_transfer) {
        *reason = "the queue cannot start before CHECK_DEVICE_STATE has ended the transfer";
        return -EBUSY;
    }
    result = vhost_user_queue_start(ring->queue, reason);
    if (result < 0) {
        return result;
    }
    ring->state = VHOST_USER_RING_RUNNING;
    vhost_user_device_log(device, VHOST_USER_LOG_INFO, "queue %u: started, %u descriptors",
                          vhost_user_queue_index(ring->queue), vhost_user_queue_size(ring->queue));
    if (device->operations.queue_start) {
        device->operations.queue_start(device->opaque, ring->queue);
    }
    return 0;
}

static bool collect(VhostUserDevice *device, VhostUserDeviceRing *ring)
{
    if (ring->state != VHOST_USER_RING_STOPPING ||
        atomic_load_explicit(&ring->report, memory_order_acquire) == VHOST_USER_REPORT_NONE) {
        return false;
    }
    /* Whoever reports is between waking us and its last touch of the device. */
    while (atomic_load_explicit(&ring->report, memory_order_acquire) != VHOST_USER_REPORT_DONE) {
        sched_yield();
    }
    vhost_user_queue_stop(ring->queue);
    ring->state = VHOST_USER_RING_IDLE;
    vhost_user_device_log(device, VHOST_USER_LOG_INFO, "queue %u: stopped",
                          vhost_user_queue_index(ring->queue));
    return true;
}

/* true: the queue does not belong to the program (any more). */
static bool stop(VhostUserDevice *device, VhostUserDeviceRing *ring)
{
    if (ring->state == VHOST_USER_RING_RUNNING) {
        ring->state = VHOST_USER_RING_STOPPING;
        atomic_store_explicit(&ring->report,
                              device->operations.queue_stop ? VHOST_USER_REPORT_NONE
                                                            : VHOST_USER_REPORT_DONE,
                              memory_order_relaxed);
        if (device->operations.queue_stop) {
            device->operations.queue_stop(device->opaque, ring->queue);
        }
    }
    collect(device, ring);
    return ring->state == VHOST_USER_RING_IDLE;
}

int vhost_user_device_rings_start(VhostUserDevice *device, const char **reason)
{
    int first_error = 0;

    for (uint32_t i = 0; i < device->queues; i++) {
        int result = start_if_ready(device, &device->rings[i], reason);

        first_error = first_error ? first_error : result;
    }
    return first_error;
}

bool vhost_user_device_rings_stop(VhostUserDevice *device)
{
    bool idle = true;

    for (uint32_t i = 0; i < device->queues; i++) {
        idle = stop(device, &device->rings[i]) && idle;
    }
    return idle;
}

bool vhost_user_device_rings_collect(VhostUserDevice *device)
{
    bool any = false;

    for (uint32_t i = 0; i < device->queues; i++) {
        any = collect(device, &device->rings[i]) || any;
    }
    return any;
}

bool vhost_user_device_rings_idle(const VhostUserDevice *device)
{
    for (uint32_t i = 0; i < device->queues; i++) {
        if (device->rings[i].state != VHOST_USER_RING_IDLE) {
            return false;
        }
    }
    return true;
}

/* Call and error descriptors stay: they are the front-end's own plumbing, not the driver's. */
void vhost_user_device_rings_reset(VhostUserDevice *device)
{
    for (uint32_t i = 0; i < device->queues; i++) {
        VhostUserDeviceRing *ring = &device->rings[i];

        ring->size_set = ring->addresses_set = ring->kick_set = ring->enabled = false;
        vhost_user_queue_set_base(ring->queue, 0);
        vhost_user_queue_set_kick(ring->queue, -1);
    }
}

void vhost_user_device_rings_hold(VhostUserDevice *device)
{
    for (uint32_t i = 0; i < device->queues; i++) {
        vhost_user_queue_hold(device->rings[i].queue);
    }
}

void vhost_user_device_rings_release(VhostUserDevice *device)
{
    for (uint32_t i = 0; i < device->queues; i++) {
        vhost_user_queue_release(device->rings[i].queue);
    }
}

void vhost_user_device_rings_relocate(VhostUserDevice *device)
{
    for (uint32_t i = 0; i < device->queues; i++) {
        if (device->rings[i].state != VHOST_USER_RING_IDLE) {
            vhost_user_queue_relocate(device->rings[i].queue);
        }
    }
}

/* The last thing that a queue may have waited for; if it cannot start, it goes on waiting. */
static int complete(VhostUserDevice *device, VhostUserDeviceRing *ring, bool *step,
                    const char **reason)
{
    int result;

    *step = true;
    result = start_if_ready(device, ring, reason);
    if (result < 0) {
        *step = false;
    }
    return result;
}

int vhost_user_device_handle_set_vring_num(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                           const char **reason)
{
    VhostUserDeviceRing *ring = &device->rings[message->payload.state.index];
    int result = vhost_user_queue_set_size(ring->queue, message->payload.state.num);

    if (result < 0) {
        *reason = result == -EBUSY ? "the queue runs" : "the queue would be larger than we take";
        return result;
    }
    return complete(device, ring, &ring->size_set, reason);
}

/* Comes again while the queue runs to turn the log of the used ring on and off ("Migration"). */
int vhost_user_device_handle_set_vring_addr(VhostUserDevice *device,
                                            VhostUserDeviceMessage *message, const char **reason)
{
    VhostUserDeviceRing *ring = &device->rings[message->payload.address.index];
    int result;

    vhost_user_queue_hold(ring->queue);
    result = vhost_user_queue_set_addresses(ring->queue, &message->payload.address);
    vhost_user_queue_release(ring->queue);
    if (result < 0) {
        *reason = result == -EBUSY ? "the queue runs on another ring" : "the addresses are wrong";
        return result;
    }
    return complete(device, ring, &ring->addresses_set, reason);
}

int vhost_user_device_handle_set_vring_base(VhostUserDevice *device,
                                            VhostUserDeviceMessage *message, const char **reason)
{
    VhostUserDeviceRing *ring = &device->rings[message->payload.state.index];
    int result;

    if (ring->state != VHOST_USER_RING_IDLE) {
        *reason = "the queue runs";
        return -EBUSY;
    }
    result = vhost_user_queue_set_base(ring->queue, message->payload.state.num);
    if (result < 0) {
        *reason = "there is no such base";
    }
    return result;
}

/* "Starting and stopping a ring": stops it until the next SET_VRING_KICK. */
int vhost_user_device_handle_get_vring_base(VhostUserDevice *device,
                                            VhostUserDeviceMessage *message, const char **reason)
{
    VhostUserDeviceRing *ring = &device->rings[message->payload.state.index];

    (void)reason;
    if (!stop(device, ring)) {
        return -EINPROGRESS;
    }
    ring->kick_set = false;
    vhost_user_queue_set_kick(ring->queue, -1);
    message->payload.state.num = vhost_user_queue_base(ring->queue);
    message->reply_size = sizeof(message->payload.state);
    return 0;
}

/* The queue of SET_VRING_KICK, CALL and ERR. */
static VhostUserDeviceRing *named_ring(VhostUserDevice *device,
                                       const VhostUserDeviceMessage *message)
{
    return &device->rings[message->payload.u64 & VHOST_USER_VRING_IDX_MASK];
}

static const char unfit[] = "the descriptor is no eventfd";

/* The program watches the old descriptor, so a running queue stops and starts. */
int vhost_user_device_handle_set_vring_kick(VhostUserDevice *device,
                                            VhostUserDeviceMessage *message, const char **reason)
{
    VhostUserDeviceRing *ring = named_ring(device, message);
    int result;

    if (!stop(device, ring)) {
        return -EINPROGRESS;
    }
    ring->kick_set = false;
    result = vhost_user_queue_set_kick(ring->queue, vhost_user_device_message_take_fd(message, 0));
    if (result < 0) {
        *reason = unfit;
        return result;
    }
    result = complete(device, ring, &ring->kick_set, reason);
    if (result < 0) {
        vhost_user_queue_set_kick(ring->queue, -1);
    }
    return result;
}

int vhost_user_device_handle_set_vring_call(VhostUserDevice *device,
                                            VhostUserDeviceMessage *message, const char **reason)
{
    VhostUserQueue *queue = named_ring(device, message)->queue;
    int result;

    vhost_user_queue_hold(queue);
    result = vhost_user_queue_set_call(queue, vhost_user_device_message_take_fd(message, 0));
    vhost_user_queue_release(queue);
    if (result < 0) {
        *reason = unfit;
    }
    return result;
}

int vhost_user_device_handle_set_vring_err(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                           const char **reason)
{
    VhostUserQueue *queue = named_ring(device, message)->queue;
    int result;

    vhost_user_queue_hold(queue);
    result = vhost_user_queue_set_error(queue, vhost_user_device_message_take_fd(message, 0));
    vhost_user_queue_release(queue);
    if (result < 0) {
        *reason = unfit;
    }
    return result;
}

/* Disabling keeps all but the program's hands on the ring: enabling goes on where it was. */
int vhost_user_device_handle_set_vring_enable(VhostUserDevice *device,
                                              VhostUserDeviceMessage *message, const char **reason)
{
    VhostUserDeviceRing *ring = &device->rings[message->payload.state.index];

    if (message->payload.state.num) {
        return complete(device, ring, &ring->enabled, reason);
    }
    ring->enabled = false;
    return stop(device, ring) ? 0 : -EINPROGRESS;
}

int vhost_user_device_handle_get_inflight_fd(VhostUserDevice *device,
                                             VhostUserDeviceMessage *message, const char **reason)
{
    VhostUserInflight *inflight = &message->payload.inflight;
    int fd;

    if (inflight->num_queues > device->queues ||
        inflight->queue_size > device->environment.queue_size_maximum) {
        *reason = "it is for more queues, or larger ones, than we have";
        return -EINVAL;
    }
    inflight->padding = 0;
    fd = vhost_user_inflight_create(inflight,
                                    device->environment.features & VHOST_USER_RING_F_PACKED);
    if (fd < 0) {
        *reason = "a buffer cannot be made";
        return fd;
    }
    message->reply_size = message->header.size;
    message->reply_fd = fd;
    message->reply_fd_owned = true;
    return 0;
}

/* Gives each queue its area, or none. */
static void share_inflight(VhostUserDevice *device)
{
    for (uint32_t i = 0; i < device->queues; i++) {
        vhost_user_queue_set_inflight(device->rings[i].queue,
                                      vhost_user_inflight_area(&device->inflight, i),
                                      device->inflight.queue_size);
    }
}

int vhost_user_device_handle_set_inflight_fd(VhostUserDevice *device,
                                             VhostUserDeviceMessage *message, const char **reason)
{
    int result;

    if (!vhost_user_device_rings_idle(device)) {
        *reason = "a queue runs";
        return -EBUSY;
    }
    result =
        vhost_user_inflight_set(&device->inflight, &message->payload.inflight, message->fds[0],
                                device->environment.features & VHOST_USER_RING_F_PACKED, reason);
    if (result == 0) {
        share_inflight(device);
    }
    return result;
}

void vhost_user_device_rings_drop_inflight(VhostUserDevice *device)
{
    if (device->inflight.mapping) {
        vhost_user_inflight_clear(&device->inflight);
        share_inflight(device);
    }
}
