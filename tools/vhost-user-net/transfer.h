/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The frame path of one queue pair: a turn takes and gives what is there, and never waits. */
#ifndef VHOST_USER_NET_TRANSFER_H
#define VHOST_USER_NET_TRANSFER_H

#include "tools/vhost-user-net/frame.h"
#include "tools/vhost-user-net/port.h"

typedef struct NetTransfer {
    NetPort *port;
    guint index;
    NetStatistics *statistics;
    NetScratch *scratch;
    NetPcapBatch batch;
    GPtrArray *held; /* of VhostUserElement: in the batch */

    /* After a turn, what more work waits for: */
    NetReceiver *waiting_for; /* the other guest's queue without buffers; NULL: the guest's own */
    int64_t waiting_since;    /* ns; 0: not since the last frame that arrived */
    gboolean starved;         /* buffers of the guest's receive queue, not the tap */
    gboolean tap_failed;      /* it is gone, which was told */
} NetTransfer;

void net_transfer_init(NetTransfer *transfer, NetPort *port, guint index,
                       NetStatistics *statistics);
void net_transfer_clear(NetTransfer *transfer);

/* Returns whether there was anything to do.  @polling: kicks are not wanted. */
gboolean net_transfer_turn(NetTransfer *transfer, gboolean polling);

/* With .waiting_for: nanoseconds until the frame is dropped. */
int64_t net_transfer_patience(const NetTransfer *transfer);

/* Monotonic, ns. */
int64_t net_clock(void);

#endif
