/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checksums and TCP segments in software. */
#include "tools/vhost-user-net/segment.h"

#include <string.h>

#define ETHERNET_TYPE 12u
#define ETHERNET_VLAN 0x8100u
#define ETHERNET_VLAN_OUTER 0x88a8u
#define ETHERNET_IPV4 0x0800u
#define ETHERNET_IPV6 0x86ddu
#define VLAN_TAG 4u
#define VLAN_TAGS 2u
#define IPV4_HEADER 20u
#define IPV6_HEADER 40u
#define TCP_HEADER 20u
#define PROTOCOL_TCP 6u

/* Offsets: RFC 791, 8200 and 9293. */
#define IPV4_LENGTH 2u
#define IPV4_ID 4u
#define IPV4_PROTOCOL 9u
#define IPV4_CHECKSUM 10u
#define IPV4_ADDRESSES 12u
#define IPV6_LENGTH 4u
#define IPV6_NEXT 6u
#define IPV6_ADDRESSES 8u
#define TCP_SEQUENCE 4u
#define TCP_DATA_OFFSET 12u
#define TCP_FLAGS 13u
#define TCP_CHECKSUM 16u
#define TCP_FIN 0x01u
#define TCP_PSH 0x08u
#define TCP_CWR 0x80u

static guint get_16(const guint8 *bytes)
{
    return (guint)bytes[0] << 8 | bytes[1];
}

static void put_16(guint8 *bytes, guint value)
{
    bytes[0] = (guint8)(value >> 8);
    bytes[1] = (guint8)value;
}

static guint32 get_32(const guint8 *bytes)
{
    return (guint32)get_16(bytes) << 16 | get_16(bytes + 2);
}

static void put_32(guint8 *bytes, guint32 value)
{
    put_16(bytes, value >> 16);
    put_16(bytes + 2, value & 0xffff);
}

/* --- checksums --- */

static guint64 sum_bytes(guint64 sum, const guint8 *bytes, gsize size)
{
    gsize i = 0;

    for (; i + 1 < size; i += 2) {
        sum += get_16(bytes + i);
    }
    return i < size ? sum + ((guint)bytes[i] << 8) : sum;
}

static guint fold(guint64 sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (guint)sum;
}

void net_checksum_complete(guint8 *frame, gsize size, gsize start, gsize offset)
{
    guint sum = ~fold(sum_bytes(0, frame + start, size - start)) & 0xffff;

    /* RFC 768: a UDP checksum of 0 would say that there is none; TCP does not mind. */
    put_16(frame + start + offset, sum ? sum : 0xffff);
}

/* --- segments --- */

/* Where the network header begins; 0 if it is not of the kind that @type says. */
static gsize find_network(const guint8 *frame, gsize size, guint expected)
{
    gsize at = ETHERNET_TYPE;

    for (guint tags = 0; tags <= VLAN_TAGS && at + 2 <= size; tags++, at += VLAN_TAG) {
        guint type = get_16(frame + at);

        if (type == expected) {
            return at + 2;
        }
        if (type != ETHERNET_VLAN && type != ETHERNET_VLAN_OUTER) {
            return 0;
        }
    }
    return 0;
}

static gboolean find_transport(NetSegments *segments)
{
    const guint8 *network = segments->frame + segments->network;
    gsize left = segments->size - segments->network;

    if (segments->version_6) {
        /* Extension headers do not go with large frames that Linux sends. */
        segments->transport = segments->network + IPV6_HEADER;
        return left >= IPV6_HEADER && network[IPV6_NEXT] == PROTOCOL_TCP;
    }
    if (left < IPV4_HEADER || network[IPV4_PROTOCOL] != PROTOCOL_TCP) {
        return FALSE;
    }
    gsize header = (gsize)(network[0] & 0xf) * 4;
    segments->transport = segments->network + header;
    return header >= IPV4_HEADER && header <= left;
}

gboolean net_segments_begin(NetSegments *segments, const guint8 *frame, gsize size,
                            const struct virtio_net_hdr *header)
{
    gboolean version_6 = (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) == VIRTIO_NET_HDR_GSO_TCPV6;

    *segments = (NetSegments){
        .frame = frame, .size = size, .gso_size = header->gso_size, .version_6 = version_6};
    segments->network = find_network(frame, size, version_6 ? ETHERNET_IPV6 : ETHERNET_IPV4);
    if (!segments->network || !find_transport(segments) ||
        segments->transport + TCP_HEADER > size || header->gso_size == 0) {
        return FALSE;
    }
    gsize tcp = (gsize)(frame[segments->transport + TCP_DATA_OFFSET] >> 4) * 4;
    segments->payload = segments->transport + tcp;
    return tcp >= TCP_HEADER && segments->payload < size;
}

static void set_network(const NetSegments *segments, guint8 *out, gsize size, guint number)
{
    guint8 *network = out + segments->network;

    if (segments->version_6) {
        put_16(network + IPV6_LENGTH, (guint)(size - segments->network - IPV6_HEADER));
        return;
    }
    put_16(network + IPV4_LENGTH, (guint)(size - segments->network));
    put_16(network + IPV4_ID, (get_16(network + IPV4_ID) + number) & 0xffff);
    put_16(network + IPV4_CHECKSUM, 0);
    put_16(network + IPV4_CHECKSUM,
           ~fold(sum_bytes(0, network, segments->transport - segments->network)) & 0xffff);
}

/* The sum of addresses, protocol and length that TCP's checksum begins with. */
static guint pseudo_header(const NetSegments *segments, const guint8 *out, gsize size)
{
    const guint8 *network = out + segments->network;
    guint64 sum = PROTOCOL_TCP + (size - segments->transport);

    return fold(segments->version_6 ? sum_bytes(sum, network + IPV6_ADDRESSES, 32)
                                    : sum_bytes(sum, network + IPV4_ADDRESSES, 8));
}

static void set_transport(const NetSegments *segments, guint8 *out, gsize size, gboolean last)
{
    guint8 *tcp = out + segments->transport;

    put_32(tcp + TCP_SEQUENCE, get_32(tcp + TCP_SEQUENCE) + (guint32)segments->done);
    if (!last) {
        tcp[TCP_FLAGS] &= (guint8) ~(TCP_FIN | TCP_PSH);
    }
    if (segments->done > 0) {
        tcp[TCP_FLAGS] &= (guint8)~TCP_CWR; /* RFC 3168, 6.1.2: once */
    }
    put_16(tcp + TCP_CHECKSUM, pseudo_header(segments, out, size));
    net_checksum_complete(out, size, segments->transport, TCP_CHECKSUM);
}

gsize net_segments_next(NetSegments *segments, guint8 *out)
{
    gsize left = segments->size - segments->payload - segments->done;
    gsize part = MIN(left, segments->gso_size);
    gsize size = segments->payload + part;

    if (left == 0) {
        return 0;
    }
    memcpy(out, segments->frame, segments->payload);
    memcpy(out + segments->payload, segments->frame + segments->payload + segments->done, part);
    set_network(segments, out, size, (guint)(segments->done / segments->gso_size));
    set_transport(segments, out, size, part == left);
    segments->done += part;
    return size;
}
