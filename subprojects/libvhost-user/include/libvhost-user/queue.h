/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtqueue from the device's side, split or packed (virtio 1.2, 2.7 and 2.8): pop what the
 * driver made available, push it when it is used.  Needs libc only.  May be included from C++.
 *
 * All functions are called on the queue thread, between queue_start and vhost_user_queue_stopped()
 * (device.h), unless they say otherwise.  A queue thread looks like this:
 *
 *     wait for vhost_user_queue_kick_fd() or for a request of its own to finish
 *     vhost_user_queue_clear_kick(queue)
 *     if (vhost_user_queue_begin(queue)) {
 *         while ((element = vhost_user_queue_pop(queue)) != NULL)
 *             start the request, or do it at once and vhost_user_queue_push(queue, element, bytes)
 *         vhost_user_queue_end(queue)
 *     }
 *
 * Between begin and end the ring and its addresses stand still, and the control thread may have to
 * wait for the end to change them: nothing there may block.  Elements stay valid outside, until
 * they are pushed, whatever happens to the memory map: the memory that they point to is not
 * unmapped while one of them may use it.
 *
 * The guest is not trusted: each descriptor is copied once, checked, then used.  If the ring itself
 * makes no sense (an index out of range, a chain that loops, an element made available twice) the
 * ring is broken: pop returns NULL from then on, the front-end is told through its error
 * descriptor, the log says what it was; elements already popped are pushed as usual.  An element
 * whose buffers do not lie in guest memory is no fault of the ring: it comes with @fault.
 */
#ifndef LIBVHOST_USER_QUEUE_H
#define LIBVHOST_USER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "libvhost-user/device.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * One request: its buffers as pieces that lie in one region each (a buffer that straddles two
 * regions gives two pieces).  Belongs to the queue; the program has it from pop to push.
 */
typedef struct VhostUserElement {
    const struct iovec *readable; /* what the device may read, in the driver's order */
    const struct iovec *writable; /* what it may write, behind all readable ones */
    uint32_t readable_count, writable_count;
    uint64_t readable_size, writable_size; /* bytes in all pieces */
    bool resubmitted; /* was in flight when an earlier back-end ended: may have been done already */
    bool fault;       /* some buffer is not in guest memory: pieces only up to there; report an
                         error to the driver if there is room, and push */
    void *data;       /* request_size bytes of the program, aligned to 16; not cleared */
} VhostUserElement;

/* Any thread, at any time. */
uint32_t vhost_user_queue_index(const VhostUserQueue *queue);
VhostUserDevice *vhost_user_queue_device(const VhostUserQueue *queue);

/* A pointer of the program's for each queue, NULL at first; unsynchronised. */
void vhost_user_queue_set_data(VhostUserQueue *queue, void *data);
void *vhost_user_queue_data(const VhostUserQueue *queue);

/*
 * The descriptor that becomes readable when the driver kicks; -1 if the front-end wants us to poll
 * the ring.  It may change only while the queue is stopped: a new one on a running queue stops and
 * starts it.  Also from queue_start.
 */
int vhost_user_queue_kick_fd(const VhostUserQueue *queue);

/* Reads the kick descriptor, so that it is not readable any more. */
void vhost_user_queue_clear_kick(VhostUserQueue *queue);

/*
 * true: the queue stands still until vhost_user_queue_end().  false: the control thread is
 * changing it; do nothing, it kicks when it is done.
 */
bool vhost_user_queue_begin(VhostUserQueue *queue);

/*
 * Makes what was pushed visible to the driver, with one interrupt at most, if the driver wants one.
 */
void vhost_user_queue_end(VhostUserQueue *queue);

/*
 * The next element, first those that were in flight when an earlier back-end ended; NULL if there
 * is none (then kicks are wanted again, and the ring was looked at once more after saying so), the
 * ring is broken, or memory is short.  Between begin and end.
 */
VhostUserElement *vhost_user_queue_pop(VhostUserQueue *queue);

/* Gives back the element that was popped last, so that the next pop returns it.  Between begin and
 * end. */
void vhost_user_queue_unpop(VhostUserQueue *queue, VhostUserElement *element);

/*
 * The element is used: @written bytes from the start of its writable pieces were written (more than
 * there are count as all).  The program may push in any order; under IN_ORDER the library holds
 * back what came early.  Writes are logged for a migration here.  Between begin and end.
 */
void vhost_user_queue_push(VhostUserQueue *queue, VhostUserElement *element, uint32_t written);

/*
 * Logs @size bytes from @offset of the writable pieces as written, beyond what push logs: for a
 * program that wrote behind the @written bytes that it reports.  Between begin and end.
 */
void vhost_user_queue_log(VhostUserQueue *queue, const VhostUserElement *element, uint64_t offset,
                          uint64_t size);

/*
 * Copies bytes from the readable or to the writable pieces, from @offset bytes into them.  Returns
 * the bytes copied, fewer than @size where the pieces end.  Any time while the element is the
 * program's.
 */
size_t vhost_user_element_read(const VhostUserElement *element, uint64_t offset, void *bytes,
                               size_t size);
size_t vhost_user_element_write(const VhostUserElement *element, uint64_t offset, const void *bytes,
                                size_t size);

/* true: the program polls the ring and wants no kicks, even when it is empty.  false at first and
 * after each start.  Between begin and end. */
void vhost_user_queue_set_polling(VhostUserQueue *queue, bool polling);

/* Whether the driver has made something available that pop would return (or find broken). Reads
 * guest memory once, changes nothing.  Between begin and end. */
bool vhost_user_queue_pending(VhostUserQueue *queue);

/*
 * The program's last word on this queue after queue_stop: everything popped has been pushed, and
 * the queue thread will not touch it again until the next queue_start.  Any thread, but behind all
 * calls of the queue thread.
 */
void vhost_user_queue_stopped(VhostUserQueue *queue);

/* What is wrong with the ring, or NULL. Valid until the next start. */
const char *vhost_user_queue_error(const VhostUserQueue *queue);

/* Elements popped and not yet pushed. */
uint32_t vhost_user_queue_in_flight(const VhostUserQueue *queue);

typedef struct VhostUserQueueStatistics {
    uint64_t popped, pushed, resubmitted, faults;
    uint64_t kicks;        /* read by vhost_user_queue_clear_kick() */
    uint64_t calls;        /* interrupts sent */
    uint64_t calls_spared; /* batches for which the driver wanted none */
    uint64_t lookups;      /* guest addresses translated */
    uint64_t lookup_hits;  /* of them in one of the two regions that were hit before */
} VhostUserQueueStatistics;

/* Any thread, at any time while the device lives: each number by itself is right, not the set. */
void vhost_user_queue_statistics(const VhostUserQueue *queue, VhostUserQueueStatistics *statistics);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
