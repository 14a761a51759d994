/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The header before each frame. */
#include "tools/vhost-user-net/header.h"

#include "libvhost-user/device.h"

#define ETHERNET_HEADER 14u

guint net_header_size(uint64_t features)
{
    return features & (VHOST_USER_RING_F_VERSION_1 | NET_FEATURE(VIRTIO_NET_F_MRG_RXBUF)) ? 12 : 10;
}

/* The feature that a driver needs to send (or, @guest, to receive) a kind of large frame; 0 if no
 * feature allows it here. */
static uint64_t needed_feature(uint8_t type, gboolean guest)
{
    switch (type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_TCPV4:
        return NET_FEATURE(guest ? VIRTIO_NET_F_GUEST_TSO4 : VIRTIO_NET_F_HOST_TSO4);
    case VIRTIO_NET_HDR_GSO_TCPV6:
        return NET_FEATURE(guest ? VIRTIO_NET_F_GUEST_TSO6 : VIRTIO_NET_F_HOST_TSO6);
    default:
        return 0;
    }
}

static uint64_t needed_features(uint8_t type, gboolean guest)
{
    uint64_t kind = needed_feature(type, guest);
    uint64_t ecn = NET_FEATURE(guest ? VIRTIO_NET_F_GUEST_ECN : VIRTIO_NET_F_HOST_ECN);

    return kind && (type & VIRTIO_NET_HDR_GSO_ECN) ? kind | ecn : kind;
}

/* 5.1.6.2.1: the driver's duties. */
static gboolean large_is_right(const struct virtio_net_hdr *header, uint64_t features)
{
    uint64_t needed = needed_features(header->gso_type, FALSE);

    return needed && (features & needed) == needed && header->gso_size > 0 &&
           (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
}

NetDrop net_header_check(const struct virtio_net_hdr *header, gsize size, uint64_t features,
                         guint mtu)
{
    gboolean large = header->gso_type != VIRTIO_NET_HDR_GSO_NONE;

    if (size < ETHERNET_HEADER || (large && !large_is_right(header, features))) {
        return NET_DROP_MALFORMED;
    }
    if (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
        gsize end = (gsize)header->csum_start + header->csum_offset + sizeof(uint16_t);

        if (!(features & NET_FEATURE(VIRTIO_NET_F_CSUM)) || end > size) {
            return NET_DROP_MALFORMED;
        }
    }
    if (size > NET_FRAME_MAXIMUM || (!large && mtu && size > mtu + NET_LINK_HEADER_MAXIMUM)) {
        return NET_DROP_OVERSIZE;
    }
    return NET_DROP_COUNT;
}

NetCompletion net_header_completion(const struct virtio_net_hdr *header, uint64_t features)
{
    uint64_t needed = needed_features(header->gso_type, TRUE);

    if (header->gso_type != VIRTIO_NET_HDR_GSO_NONE && (features & needed) != needed) {
        return NET_COMPLETE_SEGMENTS;
    }
    if ((header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
        !(features & NET_FEATURE(VIRTIO_NET_F_GUEST_CSUM))) {
        return NET_COMPLETE_CHECKSUM;
    }
    return NET_COMPLETE_NOTHING;
}
