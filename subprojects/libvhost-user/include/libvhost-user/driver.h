/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtqueue from the driver's side, split or packed (virtio 1.2, 2.7 and 2.8), for what plays the
 * guest against a back-end: tests, load generators, user-space drivers.  Needs libc only.  May be
 * included from C++.
 *
 * A queue is used by one thread at a time.  It looks like this:
 *
 *     vhost_user_driver_queue_add(queue, buffers, readable, writable, 0, cookie)
 *         (as often as wanted)
 *     vhost_user_driver_queue_kick(queue)
 *     vhost_user_driver_queue_wait(queue, milliseconds)
 *     vhost_user_driver_queue_collect(queue, used, count)
 *
 * The device is not trusted: what it gives back is checked against what is in its hands; an element
 * that it does not have, or has given back before, an index that runs ahead, or a length above what
 * was writable makes the queue broken (-EPROTO, vhost_user_driver_queue_error()).
 */
#ifndef LIBVHOST_USER_DRIVER_H
#define LIBVHOST_USER_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libvhost-user/device.h" /* VHOST_USER_RING_F_... */
#include "libvhost-user/front-end.h"
#include "libvhost-user/guest-memory.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct VhostUserDriverQueue VhostUserDriverQueue;

typedef struct VhostUserDriverParameters {
    const VhostUserMemoryArea *areas; /* sorted by guest address; not copied */
    size_t area_count;
    uint64_t features; /* EVENT_IDX, PACKED and IN_ORDER of VHOST_USER_RING_F_... count here */
    uint32_t index;
    uint32_t size; /* descriptors; 1 to 32768, a power of 2 unless packed */

    /*
     * Where to begin, in the form of SET_VRING_BASE: split: an index; packed: bits 0 to 14 an
     * index, 15 its wrap counter, and the same in the upper 16 bits.  A fresh queue has 0, packed
     * VHOST_USER_DRIVER_PACKED_BASE.
     */
    uint32_t base;

    uint32_t indirect_size; /* descriptors of a request's indirect table; 0: there are none */

    /* Guest addresses of the parts, each within one area; vhost_user_driver_place() fills them in.
     */
    uint64_t descriptor; /* aligned to 16 */
    uint64_t available;  /* packed: driver area; aligned to 4, split 2 */
    uint64_t used;       /* packed: device area; aligned to 4 */
    uint64_t indirect;   /* a table for each descriptor, aligned to 16 */
} VhostUserDriverParameters;

#define VHOST_USER_DRIVER_PACKED_BASE 0x80008000u /* index 0, wrap counter 1, twice */

/*
 * Puts all parts of a queue one behind the other from @guest_address on (aligned up to 64); size,
 * features and indirect_size are given.  Returns the guest address behind them.
 */
uint64_t vhost_user_driver_place(VhostUserDriverParameters *parameters, uint64_t guest_address);

/*
 * Makes the queue and clears its memory; makes eventfds for kicks, calls and errors.  NULL with
 * errno: EINVAL (size, base), EFAULT (a part is not in memory or not aligned), ENOMEM, EMFILE.
 */
VhostUserDriverQueue *vhost_user_driver_queue_new(const VhostUserDriverParameters *parameters);

/* NULL is allowed.  The device has been stopped before. */
void vhost_user_driver_queue_free(VhostUserDriverQueue *queue);

/*
 * What vhost_user_front_end_start_ring() needs, enable set.  The base is where the device stands:
 * what it has given back (split: as memory says; packed: as collected).  That is right for a first
 * start, after a stop with nothing in its hands, and, with an in-flight buffer, after its death.
 */
void vhost_user_driver_queue_setup(const VhostUserDriverQueue *queue, VhostUserRingSetup *setup);

/* The queue's own descriptors. */
int vhost_user_driver_queue_kick_fd(const VhostUserDriverQueue *queue);
int vhost_user_driver_queue_call_fd(const VhostUserDriverQueue *queue);
int vhost_user_driver_queue_error_fd(const VhostUserDriverQueue *queue);

/* A buffer. A length of 0 is sent as it is. */
typedef struct VhostUserDriverBuffer {
    uint64_t guest_address; /* see vhost_user_guest_memory_address(); not checked */
    uint32_t size;          /* bytes */
} VhostUserDriverBuffer;

#define VHOST_USER_DRIVER_INDIRECT 0x1u /* put this request into its indirect table */

/*
 * A request of @readable buffers for the device to read and behind them @writable ones for it to
 * write.  The device sees it after the next publish or kick.  0, -ENOSPC (room only after more have
 * been collected), -EINVAL (no buffer, more than fit at all, flags).
 */
int vhost_user_driver_queue_add(VhostUserDriverQueue *queue, const VhostUserDriverBuffer *buffers,
                                unsigned readable, unsigned writable, unsigned flags, void *cookie);

/* Shows the device what was added, without a kick. */
void vhost_user_driver_queue_publish(VhostUserDriverQueue *queue);

/* Shows it, and kicks the device if it wants that. Returns whether it was kicked. */
bool vhost_user_driver_queue_kick(VhostUserDriverQueue *queue);

/* A request that the device has given back. */
typedef struct VhostUserDriverUsed {
    void *cookie;
    uint32_t written; /* bytes; under IN_ORDER, for one that the device skipped, all that there were
                         (virtio 1.2, 2.7.9 and 2.8.9) */
} VhostUserDriverUsed;

/* Collects at most @most requests; returns their number, or -EPROTO: the queue is broken. */
int vhost_user_driver_queue_collect(VhostUserDriverQueue *queue, VhostUserDriverUsed *used,
                                    unsigned most);

/* Whether collect would find something. */
bool vhost_user_driver_queue_pending(const VhostUserDriverQueue *queue);

/*
 * Asks for a call when @after more requests have been used (with EVENT_IDX; more than are there
 * count as all of them; never later, with packed rings and long chains earlier; without EVENT_IDX
 * at each).  True: there is something to collect already, and maybe no call will come.
 */
bool vhost_user_driver_queue_enable_calls(VhostUserDriverQueue *queue, unsigned after);

/* Asks for no calls; with a split ring's EVENT_IDX one may come still. So it is at first. */
void vhost_user_driver_queue_disable_calls(VhostUserDriverQueue *queue);

/*
 * Enables calls, waits for one as long as nothing is to be collected, disables them again.
 * @deadline in milliseconds, -1 for ever.  1: there is something, 0: not in time, or a negative
 * errno.
 */
int vhost_user_driver_queue_wait(VhostUserDriverQueue *queue, int deadline);

/* Requests in the device's hands, published or not. */
unsigned vhost_user_driver_queue_outstanding(const VhostUserDriverQueue *queue);

/* Descriptors that are free. */
unsigned vhost_user_driver_queue_room(const VhostUserDriverQueue *queue);

/* What the device did wrong, or NULL. */
const char *vhost_user_driver_queue_error(const VhostUserDriverQueue *queue);

/*
 * What GET_VRING_BASE has to answer when the device has taken all that was published and, for
 * packed rings, has given all of it back.
 */
uint32_t vhost_user_driver_queue_base(const VhostUserDriverQueue *queue);

typedef struct VhostUserDriverStatistics {
    uint64_t added, collected;
    uint64_t kicks, kicks_spared; /* by vhost_user_driver_queue_kick() with something new */
    uint64_t calls;               /* that wait() has seen */
} VhostUserDriverStatistics;

void vhost_user_driver_queue_statistics(const VhostUserDriverQueue *queue,
                                        VhostUserDriverStatistics *statistics);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
