/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A queue that several threads may serve. */
#include "tools/vhost-user-net/ring.h"

void net_ring_init(NetRing *ring)
{
    *ring = (NetRing){.kick_fd = -1};
    pthread_mutex_init(&ring->mutex, NULL);
}

void net_ring_clear(NetRing *ring)
{
    pthread_mutex_destroy(&ring->mutex);
}

static void change(NetRing *ring, VhostUserQueue *queue)
{
    __atomic_store_n(&ring->wanted, 1, __ATOMIC_RELAXED);
    pthread_mutex_lock(&ring->mutex);
    __atomic_store_n(&ring->wanted, 0, __ATOMIC_RELAXED);
    ring->queue = queue;
    __atomic_store_n(&ring->running, queue != NULL, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->kick_fd, queue ? vhost_user_queue_kick_fd(queue) : -1,
                     __ATOMIC_RELAXED);
    pthread_mutex_unlock(&ring->mutex);
}

void net_ring_start(NetRing *ring, VhostUserQueue *queue)
{
    change(ring, queue);
}

void net_ring_stop(NetRing *ring)
{
    VhostUserQueue *queue = ring->queue; /* which this thread alone changes */

    change(ring, NULL);
    if (queue) {
        vhost_user_queue_stopped(queue);
    }
}

gboolean net_ring_begin(NetRing *ring, gboolean polling)
{
    if (!net_ring_running(ring) || __atomic_load_n(&ring->wanted, __ATOMIC_RELAXED)) {
        return FALSE;
    }
    pthread_mutex_lock(&ring->mutex);
    if (!ring->queue || !vhost_user_queue_begin(ring->queue)) {
        pthread_mutex_unlock(&ring->mutex);
        return FALSE;
    }
    vhost_user_queue_set_polling(ring->queue, polling);
    return TRUE;
}

void net_ring_end(NetRing *ring)
{
    vhost_user_queue_end(ring->queue);
    pthread_mutex_unlock(&ring->mutex);
}

gboolean net_ring_running(const NetRing *ring)
{
    return __atomic_load_n(&ring->running, __ATOMIC_RELAXED);
}

int net_ring_kick_fd(const NetRing *ring)
{
    return __atomic_load_n(&ring->kick_fd, __ATOMIC_RELAXED);
}

void net_ring_clear_kick(NetRing *ring)
{
    pthread_mutex_lock(&ring->mutex);
    if (ring->queue) {
        vhost_user_queue_clear_kick(ring->queue);
    }
    pthread_mutex_unlock(&ring->mutex);
}
