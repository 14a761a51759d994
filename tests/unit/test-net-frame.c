/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Headers before frames, checksums and segments of vhost-user-net, against values worked out by
 * hand. */
#include "tools/vhost-user-net/frame.h"
#include "tools/vhost-user-net/segment.h"

#include <string.h>

#define F(name) NET_FEATURE(VIRTIO_NET_F_##name)
#define ALL                                                                                        \
    (F(CSUM) | F(GUEST_CSUM) | F(HOST_TSO4) | F(HOST_TSO6) | F(HOST_ECN) | F(GUEST_TSO4) |         \
     F(GUEST_TSO6) | F(GUEST_ECN))

static void test_header_size(void)
{
    g_assert_cmpuint(net_header_size(0), ==, 10);
    g_assert_cmpuint(net_header_size(F(MRG_RXBUF)), ==, 12);
    g_assert_cmpuint(net_header_size(VHOST_USER_RING_F_VERSION_1), ==, 12);
    g_assert_cmpuint(net_header_size(ALL), ==, 10);
}

static void test_header_check(void)
{
    const guint8 csum = VIRTIO_NET_HDR_F_NEEDS_CSUM, tso4 = VIRTIO_NET_HDR_GSO_TCPV4;
    const guint8 tso6 = VIRTIO_NET_HDR_GSO_TCPV6, ecn = VIRTIO_NET_HDR_GSO_ECN;
    const struct {
        struct virtio_net_hdr header;
        gsize size;
        uint64_t features;
        guint mtu;
        NetDrop expected;
    } rows[] = {
        {{0}, 14, 0, 0, NET_DROP_COUNT},
        {{0}, 13, 0, 0, NET_DROP_MALFORMED},
        {{0}, 65550, 0, 0, NET_DROP_COUNT},
        {{0}, 65551, 0, 0, NET_DROP_OVERSIZE},
        {{0}, 1522, 0, 1500, NET_DROP_COUNT},
        {{0}, 1523, 0, 1500, NET_DROP_OVERSIZE},
        {{.flags = csum, .csum_start = 34, .csum_offset = 16}, 52, ALL, 0, NET_DROP_COUNT},
        {{.flags = csum, .csum_start = 34, .csum_offset = 16}, 51, ALL, 0, NET_DROP_MALFORMED},
        {{.flags = csum, .csum_start = 34, .csum_offset = 16}, 52, 0, 0, NET_DROP_MALFORMED},
        {{.flags = csum, .csum_start = 65535, .csum_offset = 65535},
         65550,
         ALL,
         0,
         NET_DROP_MALFORMED},
        {{.flags = csum, .gso_type = tso4, .gso_size = 1}, 9000, ALL, 1500, NET_DROP_COUNT},
        {{.flags = csum, .gso_type = tso4, .gso_size = 0}, 9000, ALL, 0, NET_DROP_MALFORMED},
        {{.flags = 0, .gso_type = tso4, .gso_size = 1}, 9000, ALL, 0, NET_DROP_MALFORMED},
        {{.flags = csum, .gso_type = tso4, .gso_size = 1},
         9000,
         ALL & ~F(HOST_TSO4),
         0,
         NET_DROP_MALFORMED},
        {{.flags = csum, .gso_type = tso6, .gso_size = 1},
         9000,
         ALL & ~F(HOST_TSO6),
         0,
         NET_DROP_MALFORMED},
        {{.flags = csum, .gso_type = tso4 | ecn, .gso_size = 1}, 9000, ALL, 0, NET_DROP_COUNT},
        {{.flags = csum, .gso_type = tso4 | ecn, .gso_size = 1},
         9000,
         ALL & ~F(HOST_ECN),
         0,
         NET_DROP_MALFORMED},
        {{.flags = csum, .gso_type = 3, .gso_size = 1}, 9000, ALL, 0, NET_DROP_MALFORMED},
        {{.flags = csum, .gso_type = ecn, .gso_size = 1}, 9000, ALL, 0, NET_DROP_MALFORMED},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_test_message("row %u", i);
        g_assert_cmpint(
            net_header_check(&rows[i].header, rows[i].size, rows[i].features, rows[i].mtu), ==,
            rows[i].expected);
    }
}

static void test_completion(void)
{
    struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM};

    g_assert_cmpint(net_header_completion(&header, ALL), ==, NET_COMPLETE_NOTHING);
    g_assert_cmpint(net_header_completion(&header, 0), ==, NET_COMPLETE_CHECKSUM);
    header.gso_type = VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN;
    g_assert_cmpint(net_header_completion(&header, ALL), ==, NET_COMPLETE_NOTHING);
    g_assert_cmpint(net_header_completion(&header, ALL & ~F(GUEST_ECN)), ==, NET_COMPLETE_SEGMENTS);
    g_assert_cmpint(net_header_completion(&header, ALL & ~F(GUEST_TSO6)), ==,
                    NET_COMPLETE_SEGMENTS);
    g_assert_cmpint(net_header_completion(&header, ALL & ~F(GUEST_TSO4)), ==, NET_COMPLETE_NOTHING);
}

/* RFC 1071, 3: 00 01 f2 03 f4 f5 f6 f7 has the sum dd f2. */
static void test_checksum(void)
{
    guint8 even[] = {9, 0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7, 0, 0};
    guint8 odd[] = {0x12, 0x34, 0x56, 0, 0};
    guint8 zero[] = {0xff, 0xff, 0, 0};

    net_checksum_complete(even, sizeof(even), 1, 8);
    g_assert_cmphex((guint)even[9] << 8 | even[10], ==, 0xffff - 0xddf2);
    net_checksum_complete(odd, sizeof(odd), 0, 3);
    /* 1234 + 5600 + 0000 */
    g_assert_cmphex((guint)odd[3] << 8 | odd[4], ==, 0xffff - 0x6834);
    net_checksum_complete(zero, sizeof(zero), 0, 2);
    g_assert_cmphex((guint)zero[2] << 8 | zero[3], ==, 0xffff);
}

static guint sum_of(const guint8 *bytes, gsize size, guint64 sum)
{
    for (gsize i = 0; i < size; i++) {
        sum += i % 2 ? bytes[i] : (guint)bytes[i] << 8;
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (guint)sum;
}

/* A frame with @tags VLAN tags and @options bytes of TCP options. */
static gsize make_frame(guint8 *frame, gboolean version_6, guint tags, guint options, gsize data)
{
    gsize at = 12;
    gsize network, tcp;

    memset(frame, 0, 200);
    for (guint i = 0; i < tags; i++, at += 4) {
        frame[at] = i == 0 && tags == 2 ? 0x88 : 0x81;
        frame[at + 1] = i == 0 && tags == 2 ? 0xa8 : 0;
    }
    frame[at] = version_6 ? 0x86 : 0x08;
    frame[at + 1] = version_6 ? 0xdd : 0;
    network = at + 2;
    frame[network] = version_6 ? 0x60 : 0x45;
    frame[network + (version_6 ? 6 : 9)] = 6;
    frame[network + (version_6 ? 23 : 15)] = 77; /* an address */
    tcp = network + (version_6 ? 40 : 20);
    frame[tcp + 4] = 0xff; /* a sequence number that wraps */
    memset(frame + tcp + 5, 0xff, 3);
    frame[tcp + 12] = (guint8)((20 + options) / 4 << 4);
    frame[tcp + 13] = 0x99; /* CWR, ACK, PSH, FIN */
    for (gsize i = 0; i < data; i++) {
        frame[tcp + 20 + options + i] = (guint8)(i * 7);
    }
    return tcp + 20 + options + data;
}

static void check_segment(const guint8 *out, gsize size, gboolean version_6, gsize network)
{
    gsize tcp = network + (version_6 ? 40 : 20);
    guint pseudo =
        sum_of(out + network + (version_6 ? 8 : 12), version_6 ? 32 : 8, 6 + (size - tcp));

    g_assert_cmphex(sum_of(out + tcp, size - tcp, pseudo), ==, 0xffff);
    if (version_6) {
        g_assert_cmpuint((guint)out[network + 4] << 8 | out[network + 5], ==, size - tcp);
    } else {
        g_assert_cmpuint((guint)out[network + 2] << 8 | out[network + 3], ==, size - network);
        g_assert_cmphex(sum_of(out + network, 20, 0), ==, 0xffff);
    }
}

static void check_segments(gboolean version_6, guint tags, guint options, gsize data, guint gso)
{
    static guint8 frame[NET_FRAME_MAXIMUM], out[NET_FRAME_MAXIMUM];
    const struct virtio_net_hdr header = {.gso_size = (uint16_t)gso,
                                          .gso_type = version_6 ? VIRTIO_NET_HDR_GSO_TCPV6
                                                                : VIRTIO_NET_HDR_GSO_TCPV4};
    gsize size = make_frame(frame, version_6, tags, options, data);
    gsize network = 14 + 4 * tags, tcp = network + (version_6 ? 40 : 20), done = 0, part;
    NetSegments segments;

    g_assert_true(net_segments_begin(&segments, frame, size, &header));
    while ((part = net_segments_next(&segments, out)) > 0) {
        gsize payload = part - (tcp + 20 + options);
        gboolean last = done + payload == data;
        guint32 sequence = (guint32)out[tcp + 4] << 24 | (guint32)out[tcp + 5] << 16 |
                           (guint32)out[tcp + 6] << 8 | out[tcp + 7];

        g_assert_cmpuint(payload, ==, MIN(gso, data - done));
        check_segment(out, part, version_6, network);
        g_assert_cmpmem(out + part - payload, payload, frame + size - data + done, payload);
        g_assert_cmpuint(sequence, ==, (guint32)(0xffffffffu + done));
        g_assert_cmphex(out[tcp + 13], ==, 0x10 | (done == 0 ? 0x80 : 0) | (last ? 0x09 : 0));
        done += payload;
    }
    g_assert_cmpuint(done, ==, data);
}

static void test_segments(void)
{
    for (guint version_6 = 0; version_6 < 2; version_6++) {
        for (guint tags = 0; tags <= 2; tags++) {
            check_segments((gboolean)version_6, tags, 0, 5000, 1448);
            check_segments((gboolean)version_6, tags, 12, 1, 1448);
            check_segments((gboolean)version_6, tags, 40, 300, 1);
            check_segments((gboolean)version_6, tags, 4, 2896, 1448);
            check_segments((gboolean)version_6, tags, 0, 65000, 65535);
        }
    }
}

/* Every frame that ends too early, and those of another kind. */
static void test_no_segments(void)
{
    static guint8 frame[400];
    NetSegments segments;

    for (guint version_6 = 0; version_6 < 2; version_6++) {
        const struct virtio_net_hdr header = {.gso_size = 100,
                                              .gso_type = version_6 ? VIRTIO_NET_HDR_GSO_TCPV6
                                                                    : VIRTIO_NET_HDR_GSO_TCPV4};
        gsize size = make_frame(frame, (gboolean)version_6, 1, 8, 50);

        for (gsize cut = 0; cut <= size - 50; cut++) {
            guint8 *exact = g_memdup2(frame, cut);

            g_assert_false(net_segments_begin(&segments, exact, cut, &header));
            g_free(exact);
        }
        g_assert_true(net_segments_begin(&segments, frame, size, &header));
        size = make_frame(frame, !version_6, 0, 0, 50);
        g_assert_false(net_segments_begin(&segments, frame, size, &header));
        size = make_frame(frame, (gboolean)version_6, 0, 0, 50);
        frame[14 + (version_6 ? 6 : 9)] = 17; /* UDP */
        g_assert_false(net_segments_begin(&segments, frame, size, &header));
        size = make_frame(frame, (gboolean)version_6, 0, 0, 50);
        frame[14 + (version_6 ? 40 : 20) + 12] = 0x40; /* a TCP header of 16 bytes */
        g_assert_false(net_segments_begin(&segments, frame, size, &header));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net-frame/header-size", test_header_size);
    g_test_add_func("/net-frame/header-check", test_header_check);
    g_test_add_func("/net-frame/completion", test_completion);
    g_test_add_func("/net-frame/checksum", test_checksum);
    g_test_add_func("/net-frame/segments", test_segments);
    g_test_add_func("/net-frame/no-segments", test_no_segments);
    return g_test_run();
}
