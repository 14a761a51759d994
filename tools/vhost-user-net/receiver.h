/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's receive queue: buffers taken from it, filled with frames, and given back.  With
 * mergeable buffers (virtio 1.2, 5.1.6.3.2) a frame takes as many as it needs, without one.
 */
#ifndef VHOST_USER_NET_RECEIVER_H
#define VHOST_USER_NET_RECEIVER_H

#include "tools/vhost-user-net/ring.h"
#include "tools/vhost-user-net/statistics.h"

typedef struct NetReceiver {
    NetRing ring;
    /* Between begin and end: */
    guint header_size;
    gboolean mergeable;
    uint64_t features;         /* of the driver */
    NetStatistics *statistics; /* of the worker that has begun */
    GPtrArray *window;         /* of VhostUserElement: popped, from .first on not yet used */
    guint first;
    GArray *pieces; /* of struct iovec: what is reserved */
    gboolean dry;   /* the last reservation ended because the queue is empty; kicks are wanted */
} NetReceiver;

void net_receiver_init(NetReceiver *receiver);
void net_receiver_clear(NetReceiver *receiver);

/* As net_ring_begin().  @features are those of the driver, @statistics the calling worker's. */
gboolean net_receiver_begin(NetReceiver *receiver, gboolean polling, uint64_t features,
                            NetStatistics *statistics);
/* Buffers that were not used go back, and the guest is told of the used ones. */
void net_receiver_end(NetReceiver *receiver);

/*
 * Room for a frame that has @wanted bytes with its header: returns the bytes that @pieces hold,
 * fewer if the queue has no more (then .dry) or the buffer is shorter.  Reserving again begins
 * anew.
 */
gsize net_receiver_reserve(NetReceiver *receiver, gsize wanted);

/* The first @bytes of what is reserved were written: header and frame, at least a header.  Fills in
 * num_buffers. */
void net_receiver_commit(NetReceiver *receiver, gsize bytes);

#endif
