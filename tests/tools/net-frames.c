/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames for tests of network back-ends. */
#include "tools/net-frames.h"

#include <string.h>

#define ETHERNET 14u
#define IPV4 20u
#define TRANSPORT (ETHERNET + IPV4)
#define TCP_CHECKSUM 16u

static const guint8 addresses[12] = {0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 1};

void net_frame_fill(guint8 *frame, gsize size, guint seed)
{
    memcpy(frame, addresses, MIN(size, sizeof(addresses)));
    for (gsize i = sizeof(addresses); i < size; i++) {
        /* 0x88b5: an experimental type, IEEE 802 */
        frame[i] = i == 12 ? 0x88 : i == 13 ? 0xb5 : (guint8)(i * 31 + (i >> 8) * 7 + seed * 131);
    }
}

gboolean net_frame_is(const guint8 *frame, gssize size, gsize wanted, guint seed)
{
    g_autofree guint8 *expected = g_malloc(wanted);

    net_frame_fill(expected, wanted, seed);
    return size == (gssize)wanted && memcmp(frame, expected, wanted) == 0;
}

guint net_frame_sum(const guint8 *bytes, gsize size, guint64 sum)
{
    for (gsize i = 0; i < size; i++) {
        sum += i % 2 ? bytes[i] : (guint)bytes[i] << 8;
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (guint)(~sum & 0xffff);
}

static void put_16(guint8 *at, guint value)
{
    at[0] = (guint8)(value >> 8);
    at[1] = (guint8)value;
}

static guint pseudo_header(const guint8 *frame, gsize size)
{
    return ~net_frame_sum(frame + ETHERNET + 12, 8, 6 + size - TRANSPORT) & 0xffff;
}

void net_frame_tcp(guint8 *frame, gsize size, guint gso_size, struct virtio_net_hdr *header)
{
    static const guint8 head[] = {
        0x08, 0x00,                                          /* IPv4 */
        0x45, 0,    0,  0, 0x12, 0x34, 0x40, 0, 64, 6, 0, 0, /* no fragments, 64 hops, TCP */
        10,   77,   0,  2, 10,   77,   0,    1,              /* addresses */
        0x30, 0x39, 0,  9, 0,    0,    0,    1, 0,  0, 0, 1, /* ports, sequence, acknowledged */
        0x50, 0x19, 16, 0, 0,    0,    0,    0,              /* FIN, PSH, ACK */
    };

    net_frame_fill(frame, size, 99);
    memcpy(frame + 12, head, sizeof(head));
    put_16(frame + ETHERNET + 2, (guint)(size - ETHERNET));
    put_16(frame + ETHERNET + 10, net_frame_sum(frame + ETHERNET, IPV4, 0));
    put_16(frame + TRANSPORT + TCP_CHECKSUM, pseudo_header(frame, size));
    *header = (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = TRANSPORT, .csum_offset = TCP_CHECKSUM};
    if (gso_size) {
        header->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
        header->gso_size = (guint16)gso_size;
        header->hdr_len = NET_FRAME_TCP;
    }
}

gboolean net_frame_tcp_is_right(const guint8 *frame, gsize size)
{
    return size >= NET_FRAME_TCP && net_frame_sum(frame + ETHERNET, IPV4, 0) == 0 &&
           net_frame_sum(frame + TRANSPORT, size - TRANSPORT, pseudo_header(frame, size)) == 0;
}
