/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames, buffers and rings that make no sense: the program counts them, and goes on. */
#include "tools/net-frames.h"
#include "tools/net-guest.h"
#include "tools/net-tool.h"

#include <string.h>
#include <unistd.h>

#define MILLISECONDS 20000
#define MRG NET_GUEST_FEATURE(MRG_RXBUF)

static guint8 frame[NET_GUEST_FRAME];

static const struct virtio_net_hdr wrong_headers[] = {
    {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 99, .csum_offset = 0},
    {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 65535, .csum_offset = 65535},
    {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 0, .csum_offset = 65535},
    {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1448},
    {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4},
    {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_UDP, .gso_size = 1000},
    {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = 0x7f, .gso_size = 1000},
    {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_ECN, .gso_size = 1},
};

static void test_malformed(void)
{
    const NetGuestOptions options = {.features = MRG | NET_GUEST_OFFLOADS};
    const struct virtio_net_hdr plain = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM};
    NetTool *tool = net_tool_start("--loopback", "");
    NetGuest *guest = net_guest_connect(tool->names->socket, &options);

    for (guint i = 0; i < G_N_ELEMENTS(wrong_headers); i++) {
        net_frame_fill(frame, 100, 1);
        net_guest_send(guest, 0, &wrong_headers[i], frame, 100);
        net_tool_check_goes_on(guest);
    }
    for (guint size = 0; size < 14; size++) {
        net_guest_send(guest, 0, NULL, frame, size);
    }
    net_tool_check_goes_on(guest);
    tool_program_expect_counter(tool->program, "dropped-malformed: 22");
    net_guest_leave(guest);

    /* Not without the feature, either. */
    guest = net_guest_connect(tool->names->socket, NULL);
    net_guest_send(guest, 0, &plain, frame, 100);
    net_tool_check_goes_on(guest);
    tool_program_expect_counter(tool->program, "dropped-malformed: 23");
    net_guest_leave(guest);
    net_tool_end(tool);
}

/* Chains that the program gets as they are: nowhere in memory, longer than any frame, empty. */
static void test_hostile_chains(void)
{
    NetTool *tool = net_tool_start("--loopback", "");
    NetGuest *guest = net_guest_connect(tool->names->socket, NULL);
    const uint64_t base = guest->memory->areas[0].guest_address;
    const VhostUserDriverBuffer nowhere = {0x7000000000000000, 100}, small = {base, 3};
    const VhostUserDriverBuffer large[] = {{base, 65562}, {base, 65562}};
    VhostUserDriverQueue *transmit = guest->transmit[0];

    net_guest_check(guest, vhost_user_driver_queue_add(transmit, &nowhere, 1, 0, 0, NULL), "add");
    net_guest_check(guest, vhost_user_driver_queue_add(transmit, &small, 1, 0, 0, NULL), "add");
    net_guest_check(guest, vhost_user_driver_queue_add(transmit, large, 0, 2, 0, NULL), "add");
    memset(guest->memory->areas[0].host, 0, 12);
    net_guest_check(guest, vhost_user_driver_queue_add(transmit, large, 2, 0, 0, NULL), "add");
    vhost_user_driver_queue_kick(transmit);
    net_tool_check_goes_on(guest);
    tool_program_expect_counter(tool->program, "dropped-malformed: 3");
    tool_program_expect_counter(tool->program, "dropped-oversize: 1");
    net_guest_leave(guest);
    net_tool_end(tool);
}

/* Buffers that no header fits into, that are read-only, or nowhere: back empty, others are used. */
static void test_bad_buffers(void)
{
    const NetGuestOptions options = {.keeps_buffers = TRUE, .buffers = 8};
    NetTool *tool = net_tool_start("--loopback", "");
    NetGuest *guest = net_guest_connect(tool->names->socket, &options);
    const uint64_t base = guest->memory->areas[0].guest_address;
    const VhostUserDriverBuffer small = {base, 11}, nowhere = {0x7000000000000000, 2048};
    VhostUserDriverQueue *receive = guest->receive[0];
    VhostUserDriverUsed used[4];

    net_guest_check(guest, vhost_user_driver_queue_add(receive, &small, 0, 1, 0, NULL), "add");
    net_guest_check(guest, vhost_user_driver_queue_add(receive, &nowhere, 0, 1, 0, NULL), "add");
    net_guest_check(guest, vhost_user_driver_queue_add(receive, &small, 1, 0, 0, NULL), "add");
    net_guest_post(guest, 0);
    net_tool_send(guest, 0, 100, 1);
    for (guint got = 0; got < 3;) {
        g_assert_cmpint(vhost_user_driver_queue_wait(receive, MILLISECONDS), ==, 1);
        int count = vhost_user_driver_queue_collect(receive, used, 3 - got);

        g_assert_cmpint(count, >, 0);
        for (int i = 0; i < count; i++) {
            g_assert_cmpuint(used[i].written, ==, 0);
        }
        got += (guint)count;
    }
    net_tool_expect(guest, 0, 100, 1);
    tool_program_expect_counter(tool->program, "bad-buffers: 3");
    net_guest_leave(guest);
    net_tool_end(tool);
}

static void test_short_buffer(void)
{
    const NetGuestOptions options = {.buffer_size = 512};
    NetTool *tool = net_tool_start("--loopback", "");
    NetGuest *guest = net_guest_connect(tool->names->socket, &options);

    net_tool_send(guest, 0, 501, 1);
    net_tool_check_goes_on(guest);
    net_tool_send(guest, 0, 500, 2);
    net_tool_expect(guest, 0, 500, 2);
    tool_program_expect_counter(tool->program, "dropped-short-buffer: 1");
    net_guest_leave(guest);
    net_tool_end(tool);
}

/* A ring that makes no sense stops alone. */
static void test_broken_ring(void)
{
    const NetGuestOptions options = {.pairs = 2, .features = NET_GUEST_FEATURE(MQ)};
    NetTool *tool = net_tool_start("--loopback", "--queues 2");
    NetGuest *guest = net_guest_connect(tool->names->socket, &options);
    VhostUserRingSetup setup;
    uint64_t value;

    vhost_user_driver_queue_setup(guest->transmit[1], &setup);
    ((uint16_t *)(guintptr)setup.available)[1] = 60000; /* idx */
    g_assert_cmpint(write(setup.kick, &(uint64_t){1}, 8), ==, 8);
    for (guint i = 0; i < 2000 && read(setup.error, &value, sizeof(value)) < 0; i++) {
        g_usleep(1000);
    }
    tool_program_expect(tool->program, "queue 3");
    net_tool_check_goes_on(guest);
    net_guest_free(guest);
    net_tool_end(tool);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vhost-user-net-hostile/malformed", test_malformed);
    g_test_add_func("/vhost-user-net-hostile/hostile-chains", test_hostile_chains);
    g_test_add_func("/vhost-user-net-hostile/bad-buffers", test_bad_buffers);
    g_test_add_func("/vhost-user-net-hostile/short-buffer", test_short_buffer);
    g_test_add_func("/vhost-user-net-hostile/broken-ring", test_broken_ring);
    return g_test_run();
}
