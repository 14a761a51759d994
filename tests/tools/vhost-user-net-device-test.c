/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames through the program: back to the guest, to a second one, into a file; each kind of header,
 * ring and buffer.
 */
#include "qtest/vmm.h"
#include "tools/net-frames.h"
#include "tools/net-guest.h"
#include "tools/net-tool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MILLISECONDS 20000
#define MRG NET_GUEST_FEATURE(MRG_RXBUF)

static guint8 frame[NET_GUEST_FRAME];

/* --- there and back --- */

static const struct {
    const char *name;
    NetGuestOptions options;
    gsize largest;
    const char *arguments;
} kinds[] = {
    {"plain", {0}, 2036, ""},
    {"mergeable", {.features = MRG}, NET_GUEST_FRAME, ""},
    {"mergeable-small", {.features = MRG, .buffer_size = 200, .buffers = 400}, NET_GUEST_FRAME, ""},
    {"legacy", {.legacy = TRUE}, 2038, ""},
    {"legacy-mergeable", {.legacy = TRUE, .features = MRG}, NET_GUEST_FRAME, ""},
    {"packed", {.packed = TRUE}, 2036, ""},
    {"packed-mergeable", {.packed = TRUE, .features = MRG}, NET_GUEST_FRAME, "--sandbox"},
    {"large-buffers", {.buffer_size = 65562}, NET_GUEST_FRAME, ""},
    {"polling", {.features = MRG}, NET_GUEST_FRAME, "--poll-us 200"},
    {"polling-long", {.features = MRG}, NET_GUEST_FRAME, "--poll-us 1000000 --sandbox"},
    {"queues", {.features = MRG, .pairs = 4}, NET_GUEST_FRAME, "--queues 4 --sandbox"},
};

static void test_loopback(gconstpointer data)
{
    static const gsize sizes[] = {14, 15, 60, 1514, 2036, 2038, 9014, NET_GUEST_FRAME};
    guint kind = GPOINTER_TO_UINT(data);
    NetTool *tool = net_tool_start("--loopback", kinds[kind].arguments);
    NetGuest *guest = net_guest_connect(tool->names->socket, &kinds[kind].options);

    for (guint pair = 0; pair < guest->options.pairs; pair++) {
        for (guint i = 0; i < 3 * G_N_ELEMENTS(sizes); i++) {
            gsize size = MIN(sizes[i % G_N_ELEMENTS(sizes)], kinds[kind].largest);

            net_tool_send(guest, pair, size, i);
            net_tool_expect(guest, pair, size, i);
        }
    }
    net_guest_leave(guest);
    net_tool_end(tool);
}

/* Many at a time, in their order; a kick or an interrupt that is lost would end it. */
static void test_many(gconstpointer arguments)
{
    const NetGuestOptions options = {.features = MRG, .buffers = 256};
    NetTool *tool = net_tool_start("--loopback", arguments);
    NetGuest *guest = net_guest_connect(tool->names->socket, &options);
    guint received = 0;

    for (guint sent = 0; sent < 20000;) {
        guint burst = 1 + sent % NET_GUEST_SLOTS;

        for (guint i = 0; i < burst; i++) {
            net_tool_send(guest, 0, 60 + (sent + i) % 1000, sent + i);
        }
        sent += burst;
        for (; received < sent; received++) {
            net_tool_expect(guest, 0, 60 + received % 1000, received);
        }
    }
    net_guest_wait_sent(guest, 0);
    net_guest_leave(guest);
    net_tool_end(tool);
}

/* --- MTU, configuration, announcement --- */

static void test_mtu(void)
{
    const NetGuestOptions options = {.features = NET_GUEST_FEATURE(MTU), .buffer_size = 4096};
    NetTool *tool = net_tool_start("--loopback", "--mtu 2000 --queues 3");
    NetGuest *guest = net_guest_connect(tool->names->socket, &options);
    struct virtio_net_config config;

    net_guest_check(guest,
                    vhost_user_front_end_get_config(guest->front, 0, &config, sizeof(config)),
                    "configuration");
    g_assert_cmpuint(config.mtu, ==, 2000);
    g_assert_cmpuint(config.max_virtqueue_pairs, ==, 3);
    g_assert_cmpuint(vhost_user_front_end_queues(guest->front), ==, 3); /* pairs as well */
    g_assert_cmpuint(config.status, ==, VIRTIO_NET_S_LINK_UP);
    net_tool_send(guest, 0, 2022, 1);
    net_tool_expect(guest, 0, 2022, 1);
    net_tool_send(guest, 0, 2023, 2);
    net_tool_check_goes_on(guest);
    tool_program_expect_counter(tool->program, "dropped-oversize: 1");
    g_assert_cmpint(vhost_user_front_end_set(guest->front, VHOST_USER_NET_SET_MTU, 2001), ==,
                    -EREMOTEIO);
    tool_program_expect(tool->program, "NET_SET_MTU: 2001 is above --mtu 2000");
    net_guest_check(guest, vhost_user_front_end_set(guest->front, VHOST_USER_NET_SET_MTU, 1000),
                    "MTU");
    net_tool_send(guest, 0, 1023, 3);
    net_tool_check_goes_on(guest);
    g_assert_cmpint(
        vhost_user_front_end_set_config(guest->front, 0, &config, 6, VHOST_USER_CONFIG_WRITABLE),
        ==, -EREMOTEIO);
    net_guest_leave(guest);
    net_tool_end(tool);
}

static void test_announcement(void)
{
    static const guint8 address[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
    static const guint8 head[] = {0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3};
    NetTool *tool = net_tool_start(NULL, "");
    NetGuest *one = net_guest_connect(tool->names->socket, NULL);
    uint64_t payload = 0;

    memcpy(&payload, address, sizeof(address));
    /* Nobody hears it. */
    net_guest_check(one, vhost_user_front_end_set(one->front, VHOST_USER_SEND_RARP, payload),
                    "announcement");
    tool_program_expect(tool->program, "nobody has taken the announcement");
    NetGuest *two = net_guest_connect(tool->names->second, NULL);
    net_guest_check(one, vhost_user_front_end_set(one->front, VHOST_USER_SEND_RARP, payload),
                    "announcement");
    g_assert_cmpint(net_guest_receive(two, 0, frame, NULL, MILLISECONDS), ==, 60);
    for (guint i = 0; i < 6; i++) {
        g_assert_cmpuint(frame[i], ==, 0xff);
    }
    g_assert_cmpmem(frame + 6, 6, address, 6);
    g_assert_cmpmem(frame + 12, sizeof(head), head, sizeof(head));
    g_assert_cmpmem(frame + 22, 6, address, 6);
    g_assert_cmpmem(frame + 32, 6, address, 6);
    tool_program_expect_counter(tool->program, "announcements: 1");
    net_guest_leave(one);
    net_guest_leave(two);
    net_tool_end(tool);
}

/* --- two guests --- */

static void test_pair(gconstpointer arguments)
{
    const NetGuestOptions options[] = {
        {.pairs = 4, .features = MRG | NET_GUEST_FEATURE(MQ)},
        {.pairs = 4, .features = NET_GUEST_FEATURE(MQ), .packed = TRUE, .buffer_size = 65562},
    };
    NetTool *tool = net_tool_start(NULL, arguments);
    NetGuest *guests[] = {net_guest_connect(tool->names->socket, &options[0]),
                          net_guest_connect(tool->names->second, &options[1])};

    for (guint i = 0; i < 400; i++) {
        guint pair = i % 4, from = i / 4 % 2;
        gsize size = i % 7 == 0 ? 60000 : 60 + i;

        net_tool_send(guests[from], pair, size, i);
        net_tool_expect(guests[1 - from], pair, size, i);
    }
    net_guest_leave(guests[0]);
    net_guest_leave(guests[1]);
    tool_program_expect_counter(tool->program, "transmit-packets: 400");
    tool_program_expect_counter(tool->program, "receive-packets: 400");
    net_tool_end(tool);
}

/* A guest with fewer pairs gets everything, and what it disables is not used. */
static void test_pair_uneven(void)
{
    const NetGuestOptions many = {.pairs = 4, .features = NET_GUEST_FEATURE(MQ)};
    const NetGuestOptions two_pairs = {.pairs = 2, .features = NET_GUEST_FEATURE(MQ)};
    NetTool *tool = net_tool_start(NULL, "--queues 4");
    NetGuest *one = net_guest_connect(tool->names->socket, &many);

    net_tool_send(one, 0, 100, 0);
    net_guest_wait_sent(one, 0);
    tool_program_expect_counter(tool->program, "dropped-no-receiver: 1");
    NetGuest *two = net_guest_connect(tool->names->second, &two_pairs);
    net_tool_send(one, 1, 100, 1);
    net_tool_expect(two, 1, 100, 1);
    net_tool_send(one, 3, 100, 3);
    net_tool_expect(two, 0, 100, 3);
    net_guest_enable(two, 0, FALSE);
    net_tool_send(one, 0, 100, 4);
    net_tool_expect(two, 1, 100, 4);
    net_guest_enable(two, 1, FALSE);
    net_tool_send(one, 0, 100, 5);
    net_guest_wait_sent(one, 0);
    tool_program_expect_counter(tool->program, "dropped-no-receiver: 2");
    net_guest_enable(two, 0, TRUE);
    net_tool_send(one, 1, 100, 6);
    net_tool_expect(two, 0, 100, 6);
    /* What a disabled queue has sent goes when it is enabled. */
    net_guest_enable(one, 2, FALSE);
    net_tool_send(one, 2, 100, 7);
    net_tool_expect_none(two, 0);
    net_guest_enable(one, 2, TRUE);
    net_tool_expect(two, 0, 100, 7);
    net_guest_leave(two);
    net_tool_send(one, 0, 100, 8);
    net_guest_wait_sent(one, 0);
    tool_program_expect_counter(tool->program, "dropped-no-receiver: 3");
    net_guest_leave(one);
    net_tool_end(tool);
}

/* A guest that posts no buffers holds up nobody for long, and gets frames again when it does. */
static void test_no_buffers(gconstpointer arguments)
{
    const NetGuestOptions options = {.keeps_buffers = TRUE, .buffers = 4};
    NetTool *tool = net_tool_start(NULL, arguments);
    NetGuest *one = net_guest_connect(tool->names->socket, NULL);
    NetGuest *two = net_guest_connect(tool->names->second, &options);

    for (guint i = 0; i < 100; i++) {
        net_tool_send(one, 0, 100, i);
    }
    net_guest_wait_sent(one, 0);
    net_tool_send(two, 0, 99, 1);
    net_tool_expect(one, 0, 99, 1);
    tool_program_expect_counter(tool->program, "dropped-no-buffers: 100");
    net_guest_post(two, 0);
    for (guint i = 0; i < 4; i++) {
        net_tool_send(one, 0, 100, i);
        net_tool_expect(two, 0, 100, i);
    }
    /* One that waits a little is not lost. */
    net_tool_send(one, 0, 100, 5);
    g_usleep(2000);
    net_guest_post(two, 0);
    net_tool_expect(two, 0, 100, 5);
    net_guest_leave(one);
    net_guest_leave(two);
    net_tool_end(tool);
}

/* --- offloads --- */

static void check_segments(NetGuest *guest, gsize payload, guint gso_size)
{
    g_autofree guint8 *original = g_malloc(NET_GUEST_FRAME);
    struct virtio_net_hdr_mrg_rxbuf header;
    struct virtio_net_hdr unused;
    gsize done = 0;

    net_frame_tcp(original, NET_FRAME_TCP + payload, gso_size, &unused);
    while (done < payload) {
        gsize part = MIN(payload - done, gso_size);
        gboolean last = done + part == payload;

        g_assert_cmpint(net_guest_receive(guest, 0, frame, &header, MILLISECONDS), ==,
                        NET_FRAME_TCP + part);
        g_assert_cmpuint(header.hdr.flags, ==, 0);
        g_assert_cmpuint(header.hdr.gso_type, ==, VIRTIO_NET_HDR_GSO_NONE);
        g_assert_true(net_frame_tcp_is_right(frame, NET_FRAME_TCP + part));
        g_assert_cmpmem(frame + NET_FRAME_TCP, part, original + NET_FRAME_TCP + done, part);
        /* The sequence number began at 1; FIN and PSH are the last one's. */
        g_assert_cmpuint((guint)frame[40] << 8 | frame[41], ==, (1 + done) & 0xffff);
        g_assert_cmpuint(frame[47], ==, last ? 0x19 : 0x10);
        done += part;
    }
}

/* What the receiver does not take is done here; what it takes comes as it was sent. */
static void test_offloads(gconstpointer arguments)
{
    const NetGuestOptions with = {.features = MRG | NET_GUEST_OFFLOADS};
    NetTool *tool = net_tool_start(NULL, arguments);
    NetGuest *one = net_guest_connect(tool->names->socket, &with);
    NetGuest *two = net_guest_connect(tool->names->second, NULL);
    struct virtio_net_hdr header;
    struct virtio_net_hdr_mrg_rxbuf got;
    const gsize size = NET_FRAME_TCP + 40000;

    net_frame_tcp(frame, NET_FRAME_TCP + 101, 0, &header);
    net_guest_send(one, 0, &header, frame, NET_FRAME_TCP + 101);
    g_assert_cmpint(net_guest_receive(two, 0, frame, &got, MILLISECONDS), ==, NET_FRAME_TCP + 101);
    g_assert_cmpuint(got.hdr.flags, ==, 0);
    g_assert_true(net_frame_tcp_is_right(frame, NET_FRAME_TCP + 101));
    net_frame_tcp(frame, size, 1448, &header);
    net_guest_send(one, 0, &header, frame, (guint32)size);
    check_segments(two, 40000, 1448);
    tool_program_expect_counter(tool->program, "segments: 28");
    tool_program_expect_counter(tool->program, "checksums: 1");
    /* It says that it is TCP and is not. */
    net_frame_fill(frame, 1000, 3);
    net_guest_send(one, 0, &header, frame, 1000);
    net_guest_wait_sent(one, 0);
    tool_program_expect_counter(tool->program, "dropped-offload: 1");
    net_guest_leave(two);

    two = net_guest_connect(tool->names->second, &with);
    net_frame_tcp(frame, size, 1448, &header);
    net_guest_send(one, 0, &header, frame, (guint32)size);
    g_assert_cmpint(net_guest_receive(two, 0, frame, &got, MILLISECONDS), ==, (gssize)size);
    g_assert_cmpmem(&got.hdr, sizeof(header), &header, sizeof(header));
    g_assert_cmpuint(got.num_buffers, ==, (size + 12 + 2047) / 2048);
    net_guest_leave(one);
    net_guest_leave(two);
    net_tool_end(tool);
}

/* --- a file --- */

static void check_records(const guint8 *bytes, gsize length, guint count)
{
    gsize at = 24;

    g_assert_cmphex(*(const guint32 *)(const void *)bytes, ==, 0xa1b2c3d4);
    g_assert_cmpuint(*(const guint16 *)(const void *)(bytes + 4), ==, 2);
    g_assert_cmpuint(*(const guint16 *)(const void *)(bytes + 6), ==, 4);
    g_assert_cmpuint(*(const guint32 *)(const void *)(bytes + 20), ==, 1);
    for (guint i = 0; i < count; i++) {
        guint32 record[4];

        g_assert_cmpuint(at + sizeof(record), <=, length);
        memcpy(record, bytes + at, sizeof(record));
        g_assert_cmpint(ABS((gint64)record[0] - g_get_real_time() / G_USEC_PER_SEC), <, 120);
        g_assert_cmpuint(record[1], <, 1000000);
        g_assert_cmpuint(record[2], ==, record[3]);
        g_assert_cmpuint(record[2], ==, 60 + i * 5);
        g_assert_true(net_frame_is(bytes + at + 16, record[2], record[2], i));
        at += sizeof(record) + record[2];
    }
    g_assert_cmpuint(at, ==, length);
}

static void test_pcap(gconstpointer arguments)
{
    g_autofree char *path = vmm_temporary_path("frames.pcap");
    g_autofree char *network = g_strdup_printf("--pcap %s", path);
    g_autofree char *bytes = NULL;
    gsize length;

    g_assert_true(g_file_set_contents(path, "what was there before", -1, NULL));
    NetTool *tool = net_tool_start(network, arguments);
    NetGuest *guest = net_guest_connect(tool->names->socket, NULL);
    g_assert_cmphex(vhost_user_front_end_features(guest->front) & NET_GUEST_OFFLOADS, ==, 0);
    for (guint i = 0; i < 500; i++) {
        net_tool_send(guest, 0, 60 + i * 5, i);
    }
    net_guest_wait_sent(guest, 0);
    net_tool_expect_none(guest, 0);
    net_guest_leave(guest);
    net_tool_end(tool);
    g_assert_true(g_file_get_contents(path, &bytes, &length, NULL));
    check_records((const guint8 *)bytes, length, 500);
}

/* A file that may not grow loses frames, but holds no part of one. */
static void test_pcap_full(void)
{
    g_autofree char *path = vmm_temporary_path("full.pcap");
    g_autofree char *network = g_strdup_printf("--pcap %s", path);
    g_autofree char *bytes = NULL;
    gsize length;
    NetTool *tool = net_tool_start(network, "");
    NetGuest *guest = net_guest_connect(tool->names->socket, NULL);
    g_autofree char *limit =
        g_strdup_printf("prlimit --pid %d --fsize=1000:1000", tool->program->pid);

    g_assert_cmpint(system(limit), ==, 0);
    for (guint i = 0; i < 20; i++) {
        net_tool_send(guest, 0, 60 + i * 5, i);
        net_guest_wait_sent(guest, 0);
    }
    g_assert_cmpuint(tool_program_count(tool->program, "frames are lost"), ==, 1);
    tool_program_expect_counter(tool->program, "dropped-refused: 11");
    net_guest_leave(guest);
    net_tool_end(tool);
    g_assert_true(g_file_get_contents(path, &bytes, &length, NULL));
    check_records((const guint8 *)bytes, length, 9);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *path = g_strconcat("/vhost-user-net/loopback/", kinds[i].name, NULL);

        g_test_add_data_func(path, GUINT_TO_POINTER(i), test_loopback);
    }
    g_test_add_data_func("/vhost-user-net/many/waiting", "", test_many);
    g_test_add_data_func("/vhost-user-net/many/polling", "--poll-us 50", test_many);
    g_test_add_func("/vhost-user-net/mtu", test_mtu);
    g_test_add_func("/vhost-user-net/announcement", test_announcement);
    g_test_add_data_func("/vhost-user-net/pair/waiting", "--queues 4", test_pair);
    g_test_add_data_func("/vhost-user-net/pair/polling", "--queues 4 --poll-us 100 --sandbox",
                         test_pair);
    g_test_add_func("/vhost-user-net/pair/uneven", test_pair_uneven);
    g_test_add_data_func("/vhost-user-net/no-buffers/waiting", "", test_no_buffers);
    g_test_add_data_func("/vhost-user-net/no-buffers/polling", "--poll-us 500", test_no_buffers);
    g_test_add_data_func("/vhost-user-net/offloads/plain", "", test_offloads);
    g_test_add_data_func("/vhost-user-net/offloads/sandbox", "--sandbox", test_offloads);
    g_test_add_data_func("/vhost-user-net/pcap/plain", "", test_pcap);
    g_test_add_data_func("/vhost-user-net/pcap/sandbox", "--sandbox", test_pcap);
    g_test_add_func("/vhost-user-net/pcap/full", test_pcap_full);
    return g_test_run();
}
