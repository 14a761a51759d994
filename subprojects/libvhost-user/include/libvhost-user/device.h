/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection of a vhost-user back-end: it answers the front-end's messages, keeps the guest
 * memory that the front-end lends, and starts and stops the queues (queue.h) that the program
 * serves.  Needs libc only.  May be included from C++.
 *
 * Threads.  The library makes none.  A device is served by one thread at a time, its control
 * thread; each queue by one thread at a time, its queue thread, which may be the control thread as
 * well.  Nothing here blocks for the peer: vhost_user_device_fd() becomes readable when
 * vhost_user_device_process() has something to do, under poll, epoll, a GLib main loop or io_uring
 * alike.
 *
 * Life.  One VhostUserDevice is one connection: make it with the connected socket, free it when
 * the connection has ended, make another for the next.  All state of the protocol comes anew with
 * each connection.
 *
 * Trust.  Nothing that the front-end or the guest sends is trusted.  A request that cannot be done
 * is answered with an error where REPLY_ACK was asked for, otherwise the connection ends, as the
 * front-end could not learn of the failure in another way; a message that is malformed ends the
 * connection always.  A bad ring stops that ring alone (queue.h).
 *
 * Errors.  Functions return 0 or a negative errno; nothing is printed, nothing exits, there are no
 * mutable globals.  What a person may want to read goes to the log operation.
 */
#ifndef LIBVHOST_USER_DEVICE_H
#define LIBVHOST_USER_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libvhost-user/wire.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct VhostUserDevice VhostUserDevice;
typedef struct VhostUserQueue VhostUserQueue;

/* virtio 1.2, section 6 "Reserved Feature Bits": what the library does for every kind of device. */
#define VHOST_USER_RING_F_INDIRECT_DESC (1ull << 28)
#define VHOST_USER_RING_F_EVENT_IDX (1ull << 29)
#define VHOST_USER_RING_F_VERSION_1 (1ull << 32)
#define VHOST_USER_RING_F_PACKED (1ull << 34)
#define VHOST_USER_RING_F_IN_ORDER (1ull << 35)
#define VHOST_USER_RING_F_RING_RESET (1ull << 40)

/* The usual offer.  IN_ORDER is not in it: it makes a quick request wait for a slow one before. */
#define VHOST_USER_RING_FEATURES                                                                   \
    (VHOST_USER_RING_F_INDIRECT_DESC | VHOST_USER_RING_F_EVENT_IDX | VHOST_USER_RING_F_VERSION_1 | \
     VHOST_USER_RING_F_PACKED | VHOST_USER_RING_F_RING_RESET)

#define VHOST_USER_DEVICE_QUEUES_MAXIMUM 256u         /* an index has 8 bits in SET_VRING_KICK */
#define VHOST_USER_DEVICE_MEMORY_SLOTS_DEFAULT 4096u  /* regions */
#define VHOST_USER_DEVICE_MEMORY_SLOTS_MAXIMUM 32768u /* regions */

typedef enum VhostUserLogLevel {
    VHOST_USER_LOG_ERROR,   /* the connection or a ring has ended because of this */
    VHOST_USER_LOG_WARNING, /* a request was refused, the connection goes on */
    VHOST_USER_LOG_INFO,    /* negotiated features, rings that start and stop */
    VHOST_USER_LOG_DEBUG,   /* each message */
} VhostUserLogLevel;

/*
 * What the program does for its kind of device.  Any member may be NULL; features of the protocol
 * that need a missing one are not offered.  All are called on the control thread, out of
 * vhost_user_device_process(), except log, which comes on the thread that meets the matter (a queue
 * thread for a broken ring).  None may free the device.  @opaque is the member of the parameters.
 */
typedef struct VhostUserDeviceOperations {
    /*
     * A line without a line end, valid during the call.
     */
    void (*log)(void *opaque, VhostUserLogLevel level, const char *text);

    /*
     * GET_CONFIG, SET_CONFIG (protocol feature CONFIG needs both): @size bytes (1 to 256) of the
     * virtio configuration space from @offset.  @flags is VHOST_USER_CONFIG_WRITABLE or
     * VHOST_USER_CONFIG_MIGRATION.  0, or a negative errno for "no such bytes".  Bytes behind the
     * end of what the device has read as zeros: that is the program's decision.
     */
    int (*get_config)(void *opaque, uint32_t offset, void *bytes, uint32_t size);
    int (*set_config)(void *opaque, uint32_t offset, const void *bytes, uint32_t size,
                      uint32_t flags);

    /*
     * SET_FEATURES: the virtio features that the driver took, a subset of those offered, without
     * the bits 26 and 30, which are the library's.  May come more than once.  A negative errno
     * refuses.
     */
    int (*set_features)(void *opaque, uint64_t features);

    /*
     * The queue is set up and enabled.  From now on until vhost_user_queue_stopped() it belongs to
     * the program, which calls the functions of queue.h from its queue thread, and looks into
     * the ring once without waiting for a kick.  A queue that is disabled belongs to nobody: what
     * the driver puts there waits.
     */
    void (*queue_start)(void *opaque, VhostUserQueue *queue);

    /*
     * The program is to pop no more, to finish and push all that it has popped, and then to call
     * vhost_user_queue_stopped(), here or later, from any thread.  The device answers no message
     * until then, because the front-end's next one may build on it.
     */
    void (*queue_stop)(void *opaque, VhostUserQueue *queue);

    /*
     * RESET_DEVICE, or SET_STATUS with 0: the device as it was before the driver came.  All queues
     * have been stopped before.  (Protocol feature RESET_DEVICE is offered if this is there.)
     */
    int (*reset)(void *opaque);

    /* SET_STATUS: virtio 1.2, 2.1 "Device Status Field". Protocol feature STATUS needs none; this
     * only tells. A negative errno refuses. */
    int (*set_status)(void *opaque, uint8_t status);

    /* NET_SET_MTU (NET_MTU), SEND_RARP (RARP). */
    int (*net_set_mtu)(void *opaque, uint16_t mtu);
    int (*send_rarp)(void *opaque, const uint8_t address[6]);

    /*
     * DEVICE_STATE (needs both): @fd, owned by the program from here on, is a pipe's end; the
     * program saves to it (@load false) or loads from it up to its end (@load true), here or on a
     * thread of its own.  CHECK_DEVICE_STATE asks the result: 0 or a negative errno; it may wait
     * for that thread.  All queues are stopped meanwhile.
     */
    int (*device_state)(void *opaque, bool load, int fd);
    int (*device_state_check)(void *opaque);
} VhostUserDeviceOperations;

typedef struct VhostUserDeviceParameters {
    size_t struct_size; /* sizeof(VhostUserDeviceParameters): members may be added at the end */
    const VhostUserDeviceOperations *operations; /* copied */
    size_t operations_size;                      /* sizeof(VhostUserDeviceOperations) */
    void *opaque;

    /*
     * Virtio features to offer: the device type's own bits and those of VHOST_USER_RING_F_... that
     * are wanted.  The library adds bits 26 (logging) and 30.  Other bits from 24 to 41 are
     * refused with -EINVAL, because they would change the rings or the memory.
     */
    uint64_t features;
    /* Protocol features not to offer, one bit each (1ull << VHOST_USER_PROTOCOL_F_...). */
    uint64_t protocol_features_withheld;

    uint32_t queues;             /* 1 to VHOST_USER_DEVICE_QUEUES_MAXIMUM */
    uint32_t queue_size_maximum; /* descriptors, 1 to 32768; 0: 1024 */
    uint32_t memory_slots;       /* regions, 1 to ..._MAXIMUM; 0: ..._DEFAULT */
    uint32_t request_size;       /* bytes of VhostUserElement.data, may be 0 */
    /*
     * Queues that GET_QUEUE_NUM counts as one: 2 for a network card, whose front-ends count pairs;
     * 0:
     * 1.  @queues is a multiple of it.
     */
    uint32_t queues_a_unit;
} VhostUserDeviceParameters;

/*
 * Takes @socket, a connected stream socket: owned by the device from here on, closed if this
 * fails, made non-blocking.  NULL with errno: EINVAL, ENOMEM, EMFILE.
 */
VhostUserDevice *vhost_user_device_new(int socket, const VhostUserDeviceParameters *parameters);

/*
 * Ends the connection and returns all memory.  The program has no queue in its hands any more:
 * vhost_user_device_process() has returned VHOST_USER_ENDED, or no queue was ever started.
 * NULL is allowed.
 */
void vhost_user_device_free(VhostUserDevice *device);

/* A descriptor, the device's own, that is readable when vhost_user_device_process() is due. Any
 * thread. */
int vhost_user_device_fd(const VhostUserDevice *device);

typedef enum VhostUserState {
    VHOST_USER_GOES_ON, /* wait for the descriptor */
    VHOST_USER_ENDED,   /* the connection is over and no queue belongs to the program any more;
                           vhost_user_device_error() tells whether it ended in order */
} VhostUserState;

/* Does what is due and returns without waiting: reads messages, answers them, goes on with what
 * waited for a queue to stop, gives back memory.  Control thread. */
VhostUserState vhost_user_device_process(VhostUserDevice *device);

/*
 * Begins the end from our side: stops all queues; process() returns VHOST_USER_ENDED when they
 * have stopped.  Used up requests are seen by the guest; nothing is answered any more.  Control
 * thread; may be called again.
 */
void vhost_user_device_shut_down(VhostUserDevice *device);

/* Why the connection ended, or NULL if it goes on or the front-end hung up between two messages
 * or vhost_user_device_shut_down() ended it.  Valid until the device is freed.  Control thread. */
const char *vhost_user_device_error(const VhostUserDevice *device);

/* The queue of an index below the number of queues; lives as long as the device. Any thread. */
VhostUserQueue *vhost_user_device_queue(VhostUserDevice *device, uint32_t index);

/* What was negotiated so far; virtio features without the bits 26 and 30. Any thread. */
uint64_t vhost_user_device_features(const VhostUserDevice *device);
uint64_t vhost_user_device_protocol_features(const VhostUserDevice *device);

/*
 * Tells the front-end that the configuration space has changed (BACKEND_CONFIG_CHANGE_MSG on the
 * back-end channel).  -ENOTSUP if BACKEND_REQ or CONFIG was not negotiated, -ENOTCONN without a
 * channel, -EAGAIN if the front-end does not read it.  Does not wait for an answer.  Control
 * thread.
 */
int vhost_user_device_config_changed(VhostUserDevice *device);

/*
 * For the program's handler of SIGBUS.  A front-end that cuts a file behind our mapping makes each
 * access a SIGBUS; if @address lies in guest memory (or a log, or an in-flight buffer) of this
 * device, zeros of our own are mapped over that whole mapping, the device is marked, so that its
 * next process() ends the connection with an error, and true is returned: the handler may return
 * and the access goes on.  Async-signal-safe; any thread that serves this device; not while the
 * device is being freed.
 */
bool vhost_user_device_recover_fault(VhostUserDevice *device, void *address);

typedef struct VhostUserDeviceStatistics {
    uint64_t messages; /* requests read */
    uint64_t refused;  /* of them answered with an error */
    uint64_t regions;  /* that the front-end has lent now */
    uint64_t regions_peak;
    uint64_t regions_added, regions_removed;
    uint64_t regions_retired; /* removed, but a request still uses memory of the time before */
    uint64_t bytes;           /* of guest memory mapped */
} VhostUserDeviceStatistics;

/* Control thread. */
void vhost_user_device_statistics(const VhostUserDevice *device,
                                  VhostUserDeviceStatistics *statistics);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
