/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames from a guest's transmit queue, and their way into another guest's receive queue. */
#ifndef VHOST_USER_NET_FRAME_H
#define VHOST_USER_NET_FRAME_H

#include "tools/vhost-user-net/header.h"
#include "tools/vhost-user-net/receiver.h"

/* A frame in the sender's memory, which may change at any time, behind its header. */
typedef struct NetFrame {
    struct virtio_net_hdr header; /* a copy */
    const struct iovec *pieces;   /* header and frame */
    guint piece_count;
    gsize header_size; /* bytes of @pieces before the frame */
    gsize size;        /* of the frame */
} NetFrame;

/* Describes @element, from a driver with @features; see net_header_check(). */
NetDrop net_frame_parse(NetFrame *frame, const VhostUserElement *element, uint64_t features,
                        guint mtu);

/* SEND_RARP: a frame that tells switches where the guest with @address is now. */
#define NET_ANNOUNCEMENT_SIZE 60u
void net_announcement(guint8 bytes[NET_ANNOUNCEMENT_SIZE], const guint8 address[6]);

/* The same as a frame; @piece and @bytes stay as long as the frame does. */
NetFrame net_frame_of_bytes(const guint8 *bytes, gsize size, struct iovec *piece);

/* A worker's own bytes, for frames that are not copied from guest to guest as they are. */
typedef struct NetScratch {
    guint8 frame[NET_FRAME_MAXIMUM];
    guint8 segment[NET_FRAME_MAXIMUM];
} NetScratch;

typedef enum NetOutcome {
    NET_DELIVERED,
    NET_WAITS,   /* the receiver has no buffers; a kick is wanted when it has */
    NET_DROPPED, /* @drop says why */
} NetOutcome;

/*
 * Copies @frame to a receiver that was begun; nothing is used there unless all of it fits, except
 * that of segments that are made here the last ones may be lost.
 */
NetOutcome net_frame_deliver(const NetFrame *frame, NetReceiver *receiver, NetScratch *scratch,
                             NetDrop *drop);

#endif
