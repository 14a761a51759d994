/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct virtio_net_hdr, which lies before each frame (virtio 1.2, 5.1.6): what a driver may put
 * there, and what a receiver gets.  Pure functions; nothing that they read is trusted.
 */
#ifndef VHOST_USER_NET_HEADER_H
#define VHOST_USER_NET_HEADER_H

#include "tools/vhost-user-net/statistics.h"

#include <linux/virtio_net.h>

/* 5.1.6.3.1: the largest frame, and with the longest header before it, 65562 bytes. */
#define NET_FRAME_MAXIMUM 65550u
#define NET_HEADER_MAXIMUM 12u

/* An Ethernet header with two VLAN tags: what a frame may have beside the MTU. */
#define NET_LINK_HEADER_MAXIMUM 22u

#define NET_FEATURE(bit) (UINT64_C(1) << (bit))

/* 12 bytes with num_buffers, 10 without: 5.1.6.1 "Legacy Interface: Device Operation". */
guint net_header_size(uint64_t features);

/*
 * Whether a driver with @features may send a frame of @size bytes behind @header: NET_DROP_COUNT if
 * so.  @mtu is 0 where the driver was not told of one.
 */
NetDrop net_header_check(const struct virtio_net_hdr *header, gsize size, uint64_t features,
                         guint mtu);

/* What a receiver with @features cannot do by itself. */
typedef enum NetCompletion {
    NET_COMPLETE_NOTHING,
    NET_COMPLETE_CHECKSUM,
    NET_COMPLETE_SEGMENTS, /* and their checksums */
} NetCompletion;

NetCompletion net_header_completion(const struct virtio_net_hdr *header, uint64_t features);

#endif
