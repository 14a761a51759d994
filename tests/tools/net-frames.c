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

void net_frame_arp(guint8 *frame)
{
    static const guint8 request[] = {
        0x08, 0x06, 0, 1, 0x08, 0, 6,  4,  0, 1, /* Ethernet, IPv4, a request */
        0x52, 0x54, 0, 0, 0,    1, 10, 77, 0, 2, /* from us */
        0,    0,    0, 0, 0,    0, 10, 77, 0, 1, /* for the host */
    };

    memset(frame, 0, NET_FRAME_ARP);
    memset(frame, 0xff, 6);
    memcpy(frame + 6, addresses + 6, 6);
    memcpy(frame + 12, request, sizeof(request));
}

gboolean net_frame_arp_is_answer(const guint8 *frame, gssize size)
{
    static const guint8 answer[] = {0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 2};
    static const guint8 host[] = {10, 77, 0, 1};

    return size >= 42 && !memcmp(frame + 12, answer, sizeof(answer)) &&
           !memcmp(frame, addresses + 6, 6) && !memcmp(frame + 6, frame + 22, 6) &&
           !memcmp(frame + 28, host, 4);
}

void net_frame_ping(guint8 *frame, const guint8 *to, gsize size, guint sequence)
{
    static const guint8 head[] = {
        0x08, 0x00,                                         /* IPv4 */
        0x45, 0,    0, 0, 0x12, 0x34, 0x40, 0, 64, 1, 0, 0, /* no fragments, 64 hops, ICMP */
        10,   77,   0, 2, 10,   77,   0,    1,              /* addresses */
        8,    0,    0, 0, 0x30, 0x39,                       /* echo request, identifier */
    };

    net_frame_fill(frame, size, sequence);
    memcpy(frame, to, 6);
    memcpy(frame + 12, head, sizeof(head));
    put_16(frame + ETHERNET + 2, (guint)(size - ETHERNET));
    put_16(frame + ETHERNET + 10, net_frame_sum(frame + ETHERNET, IPV4, 0));
    put_16(frame + TRANSPORT + 6, sequence);
    put_16(frame + TRANSPORT + 2, net_frame_sum(frame + TRANSPORT, size - TRANSPORT, 0));
}

gboolean net_frame_ping_is_answer(const guint8 *frame, gssize size, gsize wanted, guint sequence)
{
    static const guint8 host[] = {10, 77, 0, 1, 10, 77, 0, 2};
    g_autofree guint8 *request = g_malloc(wanted);

    net_frame_ping(request, frame, wanted, sequence);
    return size == (gssize)wanted && frame[12] == 0x08 && frame[13] == 0 &&
           !memcmp(frame, addresses + 6, 6) && frame[ETHERNET + 9] == 1 &&
           !memcmp(frame + ETHERNET + 12, host, sizeof(host)) && frame[TRANSPORT] == 0 &&
           net_frame_sum(frame + ETHERNET, IPV4, 0) == 0 &&
           net_frame_sum(frame + TRANSPORT, wanted - TRANSPORT, 0) == 0 &&
           !memcmp(frame + TRANSPORT + 4, request + TRANSPORT + 4, wanted - TRANSPORT - 4);
}
