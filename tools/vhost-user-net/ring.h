/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue that several threads may serve: one at a time, under a mutex.  The control thread starts
 * and stops it under the same, so that no command has to travel; that it is never kept waiting by
 * threads that take turns, it announces itself first.
 */
#ifndef VHOST_USER_NET_RING_H
#define VHOST_USER_NET_RING_H

#include "libvhost-user/queue.h"

#include <glib.h>
#include <pthread.h>

typedef struct NetRing {
    pthread_mutex_t mutex;
    VhostUserQueue *queue; /* under the mutex; NULL while stopped */
    int wanted;            /* the control thread waits; atomic */
    int running;           /* there is a queue; atomic */
    int kick_fd;           /* -1: none; atomic */
} NetRing;

void net_ring_init(NetRing *ring);
void net_ring_clear(NetRing *ring);

/* For the library's queue_start and queue_stop; stop gives the queue back.  Control thread. */
void net_ring_start(NetRing *ring, VhostUserQueue *queue);
void net_ring_stop(NetRing *ring);

/* TRUE: the queue is the caller's, between vhost_user_queue_begin() and _end(), until
 * net_ring_end().  @polling: see vhost_user_queue_set_polling().  Any thread. */
gboolean net_ring_begin(NetRing *ring, gboolean polling);
void net_ring_end(NetRing *ring);

/* What may be asked without the mutex, and be over the next moment.  Any thread. */
gboolean net_ring_running(const NetRing *ring);
int net_ring_kick_fd(const NetRing *ring);

/* Any thread. */
void net_ring_clear_kick(NetRing *ring);

#endif
