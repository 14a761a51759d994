/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A back-end's connection: its life, its one descriptor, and what process() does in which order.
 * The messages themselves are in device-dispatch.c; read that next.
 *
 * The descriptor is an epoll with three in it: the socket, an eventfd for what other threads have
 * to say (a queue has stopped, memory can be given back), and the back-end channel.  The socket is
 * taken out while a message waits for queues to stop, as it would be readable all the time.
 */
#include "device-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Messages in one call of process(), so that a front-end that never pauses leaves the program time
 * for its queues, when both have one thread. */
#define BATCH 64u

/* Bits 24 to 41 are the transport's and the ring's (virtio 1.2, 2.2 "Feature Bits"). */
#define RESERVED_FEATURES (((1ull << 42) - 1) & ~((1ull << 24) - 1))
#define KNOWN_RING_FEATURES (VHOST_USER_RING_FEATURES | VHOST_USER_RING_F_IN_ORDER)

#define QUEUE_SIZE_DEFAULT 1024u
/* What the first programs filled in. */
#define PARAMETERS_SIZE_MINIMUM offsetof(VhostUserDeviceParameters, queues_a_unit)

void vhost_user_device_log(VhostUserDevice *device, VhostUserLogLevel level, const char *format,
                           ...)
{
    char line[320];
    va_list arguments;

    if (!device->operations.log) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    device->operations.log(device->opaque, level, line);
}

void vhost_user_device_wake(VhostUserDevice *device)
{
    static const uint64_t one = 1;
    int saved = errno; /* the caller may be a signal handler */

    /* Fails only when it is readable as can be. */
    (void)!write(device->wake_fd, &one, sizeof(one));
    errno = saved;
}

/* Nothing is read or answered any more. */
static void begin_end(VhostUserDevice *device)
{
    if (device->phase == VHOST_USER_PHASE_OPEN) {
        device->phase = VHOST_USER_PHASE_ENDING;
        device->message_waits = false;
        vhost_user_device_message_clear(&device->message);
        vhost_user_device_rings_stop(device);
        vhost_user_device_wake(device);
    }
}

void vhost_user_device_fail(VhostUserDevice *device, const char *format, ...)
{
    va_list arguments;

    if (device->phase != VHOST_USER_PHASE_OPEN) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(device->error_buffer, sizeof(device->error_buffer), format, arguments);
    va_end(arguments);
    device->error = device->error_buffer;
    vhost_user_device_log(device, VHOST_USER_LOG_ERROR, "%s", device->error);
    begin_end(device);
}

/* The queue thread has found the ring broken and told the front-end. */
static void ring_broken(VhostUserDevice *device, VhostUserQueue *queue, const char *reason)
{
    vhost_user_device_log(device, VHOST_USER_LOG_ERROR, "queue %u: the ring is broken: %s",
                          vhost_user_queue_index(queue), reason);
}

static void queue_stopped(VhostUserDevice *device, VhostUserQueue *queue)
{
    atomic_int *report = &device->rings[vhost_user_queue_index(queue)].report;

    atomic_store_explicit(report, VHOST_USER_REPORT_BEGUN, memory_order_release);
    vhost_user_device_wake(device);
    /* The last touch: the control thread frees the device when it has seen this. */
    atomic_store_explicit(report, VHOST_USER_REPORT_DONE, memory_order_release);
}

/* @given as this version knows it: members that its program did not have yet are 0. */
static int read_parameters(const VhostUserDeviceParameters *given,
                           VhostUserDeviceParameters *parameters)
{
    *parameters = (VhostUserDeviceParameters){0};
    if (given->struct_size < PARAMETERS_SIZE_MINIMUM) {
        return -EINVAL;
    }
    memcpy(parameters, given,
           given->struct_size < sizeof(*given) ? PARAMETERS_SIZE_MINIMUM : sizeof(*given));
    if (!parameters->queues_a_unit) {
        parameters->queues_a_unit = 1;
    }
    return 0;
}

static int check_parameters(const VhostUserDeviceParameters *parameters)
{
    const VhostUserDeviceOperations *operations = parameters->operations;

    if (!operations || parameters->operations_size < sizeof(*operations)) {
        return -EINVAL;
    }
    if (parameters->features & RESERVED_FEATURES & ~KNOWN_RING_FEATURES) {
        return -EINVAL;
    }
    if (parameters->queues < 1 || parameters->queues > VHOST_USER_DEVICE_QUEUES_MAXIMUM ||
        parameters->queues % parameters->queues_a_unit != 0 ||
        parameters->queue_size_maximum > VHOST_USER_MAX_VRING_SIZE ||
        parameters->memory_slots > VHOST_USER_DEVICE_MEMORY_SLOTS_MAXIMUM) {
        return -EINVAL;
    }
    return !operations->queue_start != !operations->queue_stop ? -EINVAL : 0;
}

static int watch(VhostUserDevice *device, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};

    return epoll_ctl(device->epoll_fd, EPOLL_CTL_ADD, fd, &event) == -1 ? -errno : 0;
}

static int open_descriptors(VhostUserDevice *device)
{
    int flags = fcntl(device->stream.socket, F_GETFL);
    int result;

    if (flags == -1 || fcntl(device->stream.socket, F_SETFL, flags | O_NONBLOCK) == -1) {
        return -EINVAL;
    }
    device->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    device->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (device->epoll_fd == -1 || device->wake_fd == -1) {
        return -errno;
    }
    result = watch(device, device->wake_fd);
    if (result == 0) {
        result = watch(device, device->stream.socket);
        device->socket_events = EPOLLIN;
    }
    return result;
}

/* All that can fail; vhost_user_device_free() undoes any part of it. */
static int set_up(VhostUserDevice *device, const VhostUserDeviceParameters *parameters)
{
    int result = open_descriptors(device);

    if (result < 0) {
        return result;
    }
    device->map = vhost_user_map_new(device->memory_slots, device->wake_fd);
    if (!device->map) {
        return -ENOMEM;
    }
    device->environment = (VhostUserQueueEnvironment){
        .device = device,
        .map = device->map,
        .log = &device->log,
        .log_fd = -1,
        .queue_size_maximum =
            parameters->queue_size_maximum ? parameters->queue_size_maximum : QUEUE_SIZE_DEFAULT,
        .request_size = parameters->request_size,
        .broken = ring_broken,
        .stopped = queue_stopped,
    };
    return vhost_user_device_rings_new(device);
}

VhostUserDevice *vhost_user_device_new(int socket, const VhostUserDeviceParameters *parameters)
{
    VhostUserDeviceParameters known;
    int result = read_parameters(parameters, &known);
    VhostUserDevice *device = NULL;

    if (result == 0) {
        result = check_parameters(&known);
    }
    if (result == 0) {
        device = calloc(1, sizeof(*device));
    }
    if (!device) {
        close(socket);
        errno = result == 0 ? ENOMEM : -result;
        return NULL;
    }
    device->operations = *known.operations;
    device->opaque = known.opaque;
    device->queues = known.queues;
    device->queue_units = known.queues / known.queues_a_unit;
    device->memory_slots =
        known.memory_slots ? known.memory_slots : VHOST_USER_DEVICE_MEMORY_SLOTS_DEFAULT;
    device->features_offered = known.features;
    device->epoll_fd = device->wake_fd = device->userfaultfd = device->channel =
        device->environment.log_fd = -1;
    vhost_user_device_stream_init(&device->stream, socket);
    vhost_user_device_message_init(&device->message);
    vhost_user_device_make_offer(device, known.protocol_features_withheld);
    result = set_up(device, &known);
    if (result < 0) {
        vhost_user_device_free(device);
        errno = -result;
        return NULL;
    }
    return device;
}

void vhost_user_device_free(VhostUserDevice *device)
{
    if (!device) {
        return;
    }
    vhost_user_device_message_clear(&device->message);
    vhost_user_device_stream_close(&device->stream);
    vhost_user_device_channel_close(device);
    vhost_user_device_rings_free(device);
    vhost_user_device_postcopy_clear(device);
    vhost_user_inflight_clear(&device->inflight);
    vhost_user_dirty_log_clear(&device->log);
    if (device->environment.log_fd != -1) {
        close(device->environment.log_fd);
    }
    vhost_user_map_free(device->map);
    if (device->wake_fd != -1) {
        close(device->wake_fd);
    }
    if (device->epoll_fd != -1) {
        close(device->epoll_fd);
    }
    free(device);
}

int vhost_user_device_fd(const VhostUserDevice *device)
{
    return device->epoll_fd;
}

/* What the socket is to wake us for follows from the state; told to the kernel if it changed. */
static void update_events(VhostUserDevice *device)
{
    uint32_t wanted = device->phase != VHOST_USER_PHASE_OPEN || device->message_waits ? 0u
                      : vhost_user_device_stream_full(&device->stream)                ? EPOLLOUT
                                                                                      : EPOLLIN;
    struct epoll_event event = {.events = wanted};
    int operation = wanted == 0                  ? EPOLL_CTL_DEL
                    : device->socket_events == 0 ? EPOLL_CTL_ADD
                                                 : EPOLL_CTL_MOD;

    if (wanted == device->socket_events) {
        return;
    }
    device->socket_events = wanted;
    if (epoll_ctl(device->epoll_fd, operation, device->stream.socket, &event) == -1) {
        vhost_user_device_fail(device, "the socket cannot be waited for: %s", strerror(errno));
    }
}

/* What other threads and the front-end's channel have to say. */
static void look_around(VhostUserDevice *device)
{
    uint64_t count;

    if (read(device->wake_fd, &count, sizeof(count)) == sizeof(count)) {
        vhost_user_map_reclaim(device->map);
    }
    vhost_user_device_channel_check(device);
}

void vhost_user_device_check_sent(VhostUserDevice *device, int result)
{
    if (result == -EPIPE || result == -ECONNRESET) {
        begin_end(device); /* the front-end hung up without waiting for the answer */
    } else if (result < 0 && result != -EAGAIN) {
        vhost_user_device_fail(device, "an answer cannot be sent: %s", strerror(-result));
    }
}

/* One message. false: there is none, or what is there may not be read yet. */
static bool step(VhostUserDevice *device)
{
    VhostUserDeviceMessage *message = &device->message;
    const char *reason = NULL;

    if (vhost_user_device_stream_full(&device->stream)) {
        vhost_user_device_check_sent(device, vhost_user_device_stream_flush(&device->stream));
        return device->phase == VHOST_USER_PHASE_OPEN &&
               !vhost_user_device_stream_full(&device->stream);
    }
    if (device->message_waits) {
        if (!vhost_user_device_rings_collect(device)) {
            return false;
        }
        vhost_user_device_dispatch(device);
        return device->phase == VHOST_USER_PHASE_OPEN && !device->message_waits;
    }
    switch (vhost_user_device_stream_receive(&device->stream, message, &reason)) {
    case VHOST_USER_RECEIVED_MESSAGE:
        device->messages++;
        vhost_user_device_dispatch(device);
        return device->phase == VHOST_USER_PHASE_OPEN && !device->message_waits;
    case VHOST_USER_RECEIVED_NOTHING:
        return false;
    case VHOST_USER_RECEIVED_END:
        begin_end(device);
        return false;
    case VHOST_USER_RECEIVED_ERROR:
        break;
    }
    vhost_user_device_fail(device, "%s: %s",
                           device->stream.received < sizeof(message->header)
                               ? "a message"
                               : vhost_user_request_name(message->header.request),
                           reason);
    return false;
}

VhostUserState vhost_user_device_process(VhostUserDevice *device)
{
    unsigned steps = 0;

    if (atomic_load_explicit(&device->faulted, memory_order_relaxed)) {
        vhost_user_device_fail(device, "the front-end cut off a file whose memory we use");
    }
    /* Before it is looked whether a queue has stopped: what comes later wakes us again. */
    if (device->message_waits || device->phase == VHOST_USER_PHASE_ENDING) {
        look_around(device);
    }
    while (device->phase == VHOST_USER_PHASE_OPEN && steps < BATCH && step(device)) {
        steps++;
    }
    /* Nothing was read: something else woke us.  Looking there behind each message, too, would
     * cost every message two system calls. */
    if (!device->message_waits && (steps == 0 || steps == BATCH)) {
        look_around(device);
    }
    if (device->phase == VHOST_USER_PHASE_ENDING) {
        vhost_user_device_rings_collect(device);
        if (vhost_user_device_rings_idle(device)) {
            device->phase = VHOST_USER_PHASE_ENDED;
        }
    }
    update_events(device);
    if (device->phase == VHOST_USER_PHASE_ENDED) {
        /* Only now: a front-end that comes again may rely on nobody writing to its memory. */
        vhost_user_device_stream_close(&device->stream);
        vhost_user_device_channel_close(device);
        return VHOST_USER_ENDED;
    }
    return VHOST_USER_GOES_ON;
}

void vhost_user_device_shut_down(VhostUserDevice *device)
{
    begin_end(device);
}

const char *vhost_user_device_error(const VhostUserDevice *device)
{
    return device->error;
}

VhostUserQueue *vhost_user_device_queue(VhostUserDevice *device, uint32_t index)
{
    return index < device->queues ? device->rings[index].queue : NULL;
}

uint64_t vhost_user_device_features(const VhostUserDevice *device)
{
    return atomic_load_explicit(&device->features, memory_order_relaxed) &
           ~(1ull << VHOST_USER_F_LOG_ALL | 1ull << VHOST_USER_F_PROTOCOL_FEATURES);
}

uint64_t vhost_user_device_protocol_features(const VhostUserDevice *device)
{
    return atomic_load_explicit(&device->protocol_features, memory_order_relaxed);
}

bool vhost_user_device_recover_fault(VhostUserDevice *device, void *address)
{
    if (!vhost_user_map_recover_fault(device->map, address) &&
        !vhost_user_dirty_log_recover_fault(&device->log, address) &&
        !vhost_user_inflight_recover_fault(&device->inflight, address)) {
        return false;
    }
    atomic_store_explicit(&device->faulted, true, memory_order_relaxed);
    vhost_user_device_wake(device);
    return true;
}

void vhost_user_device_statistics(const VhostUserDevice *device,
                                  VhostUserDeviceStatistics *statistics)
{
    VhostUserMapStatistics map;

    vhost_user_map_statistics(device->map, &map);
    *statistics = (VhostUserDeviceStatistics){.messages = device->messages,
                                              .refused = device->refused,
                                              .regions = map.regions,
                                              .regions_peak = map.regions_peak,
                                              .regions_added = map.added,
                                              .regions_removed = map.removed,
                                              .regions_retired = map.retired,
                                              .bytes = map.bytes};
}
