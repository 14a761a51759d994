/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a worker counts.  Each worker writes its own; anybody may read at any time. */
#ifndef VHOST_USER_NET_STATISTICS_H
#define VHOST_USER_NET_STATISTICS_H

#include "tools/common/counter.h"

/* Why a frame does not arrive. */
typedef enum NetDrop {
    NET_DROP_MALFORMED,    /* no frame, buffers outside of memory, or a header that cannot be */
    NET_DROP_OVERSIZE,     /* longer than the MTU, or than any frame */
    NET_DROP_NO_RECEIVER,  /* nobody is connected, or has no queue started */
    NET_DROP_NO_BUFFERS,   /* the receiver has posted none for too long */
    NET_DROP_SHORT_BUFFER, /* the receiver's buffer is too small */
    NET_DROP_OFFLOAD,      /* the receiver cannot take it, and it cannot be cut into segments */
    NET_DROP_REFUSED,      /* the tap or the file did not take it */
    NET_DROP_COUNT
} NetDrop;

/* "transmit" and "receive" are the guest's. */
typedef struct NetStatistics {
    uint64_t transmit_packets, transmit_bytes; /* taken from guests, dropped ones as well */
    uint64_t receive_packets, receive_bytes;   /* given to guests */
    uint64_t dropped[NET_DROP_COUNT];
    uint64_t bad_buffers; /* of a receive queue that no frame fits into: given back empty */
    uint64_t segments;    /* that frames were cut into here, for a guest without that offload */
    uint64_t checksums;   /* completed here, for the same reason */
    uint64_t batches;     /* turns in which at least one frame was taken or given */
    uint64_t sleeps;      /* times that a worker went to sleep */
} NetStatistics;

void net_statistics_add(NetStatistics *sum, const NetStatistics *more);

/* Appends lines of text for --stats, each "name: value" and a newline. */
void net_statistics_format(const NetStatistics *statistics, GString *text);

#endif
