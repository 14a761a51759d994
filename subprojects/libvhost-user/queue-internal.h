/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the device (control thread) does with a queue; the queue thread's side is queue.h.  Private
 * to the library.
 */
#ifndef VHOST_USER_QUEUE_INTERNAL_H
#define VHOST_USER_QUEUE_INTERNAL_H

#include "dirty-log.h"
#include "inflight.h"
#include "libvhost-user/queue.h"
#include "memory-map.h"

/* What all queues of a device share.  Owned by the device; changed only while every queue is
 * stopped or held. */
typedef struct VhostUserQueueEnvironment {
    VhostUserDevice *device;
    VhostUserMap *map;
    VhostUserDirtyLog *log;
    bool log_writes;   /* F_LOG_ALL is negotiated and a log is there */
    int log_fd;        /* of SET_LOG_FD: written behind what was logged; -1: none */
    uint64_t features; /* negotiated */
    uint32_t queue_size_maximum;
    uint32_t request_size;
    /* The ring is broken (queue thread): log it. The queue writes its error descriptor itself. */
    void (*broken)(VhostUserDevice *device, VhostUserQueue *queue, const char *reason);
    /* vhost_user_queue_stopped() was called (any thread). */
    void (*stopped)(VhostUserDevice *device, VhostUserQueue *queue);
} VhostUserQueueEnvironment;

/* NULL: out of memory. The environment outlives the queue. */
VhostUserQueue *vhost_user_queue_new(const VhostUserQueueEnvironment *environment, uint32_t index);
/* Closes its descriptors. The queue does not run. */
void vhost_user_queue_free(VhostUserQueue *queue);

/* Below: control thread, while the queue is stopped or held. */

/* SET_VRING_NUM: 0, or -EINVAL: 0, above the maximum; power of 2 is checked at start as only split
 * rings need it. Not while it runs: -EBUSY. */
int vhost_user_queue_set_size(VhostUserQueue *queue, uint32_t size);
uint32_t vhost_user_queue_size(const VhostUserQueue *queue);

/* SET_VRING_ADDR: remembered until the start. On a held, running queue only the log flag and
 * address may change, or the same ring be named again; otherwise -EBUSY. */
int vhost_user_queue_set_addresses(VhostUserQueue *queue, const VhostUserVringAddr *addresses);

/* SET_VRING_BASE and the answer of GET_VRING_BASE: split: index of the next available entry;
 * packed: bits 0 to 14 available index, 15 its wrap counter, 16 to 30 used index, 31 its wrap
 * counter. */
int vhost_user_queue_set_base(VhostUserQueue *queue, uint32_t base);
uint32_t vhost_user_queue_base(const VhostUserQueue *queue);

/* A descriptor from the front-end that we write to or read like an eventfd, in place of *@place,
 * which is closed: as below. */
int vhost_user_queue_take_fd(int *place, int fd);

/* SET_VRING_KICK, CALL, ERR: @fd is the queue's from here on, -1 for none; the old one is closed.
 * 0, or -EINVAL for a pipe or socket, whose writers a peer may kill by SIGPIPE: then @fd is closed
 * as well, and the queue has none. */
int vhost_user_queue_set_kick(VhostUserQueue *queue, int fd);
int vhost_user_queue_set_call(VhostUserQueue *queue, int fd);
int vhost_user_queue_set_error(VhostUserQueue *queue, int fd);

/* The area in the in-flight buffer that the next start uses, or NULL, and how many descriptors it
 * is made for (VhostUserInflightBuffer.queue_size: what the area says of itself is the peer's to
 * change). */
void vhost_user_queue_set_inflight(VhostUserQueue *queue, void *area, uint32_t descriptors);

/* Resolves and pins the ring, reads the in-flight area, makes the reader; then the queue thread may
 * begin.  0, or a negative errno with a static @reason: size or addresses never set, alignment, not
 * in memory, base out of range. */
int vhost_user_queue_start(VhostUserQueue *queue, const char **reason);
bool vhost_user_queue_started(const VhostUserQueue *queue);

/* After vhost_user_queue_stopped(): unpins, keeps base, size and addresses. */
void vhost_user_queue_stop(VhostUserQueue *queue);

/* After a whole new memory table, while held: finds the ring's place again. If it has none, the
 * ring is broken: told like any other break. */
void vhost_user_queue_relocate(VhostUserQueue *queue);

/*
 * Waits until the queue thread is between end and begin (bounded by what the program does there)
 * and keeps it out; release lets it in and kicks.  Nothing to do for a queue that does not run. May
 * not nest.
 */
void vhost_user_queue_hold(VhostUserQueue *queue);
void vhost_user_queue_release(VhostUserQueue *queue);

/* Like a kick of the driver: makes the program look into the ring. */
void vhost_user_queue_kick(VhostUserQueue *queue);

#endif
