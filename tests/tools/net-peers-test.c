/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network cards between real programs: our monitor and Debian's QEMU in front, DPDK's testpmd and
 * our vhost-user-net behind.  Frames go from and to boot memory and every DIMM, up to the last that
 * a peer takes.  What is not installed is skipped.
 */
#include "qtest/process.h"
#include "qtest/rig.h"
#include "qtest/virtio-net.h"
#include "tools/host-network.h"
#include "tools/net-frames.h"
#include "tools/program.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define WAIT 20000 /* milliseconds */
#define POSTED 16  /* receive buffers of a queue */
#define CARDS 2    /* of a machine, at most */
#define PAIRS 4    /* of queues, at most */
#define ALL_FEATURES (~(UINT64_C(1) << VIRTIO_F_RING_PACKED))

/* The regions of boot memory and of DIMMs that DPDK takes (rte_vhost of 22.11). */
#define TESTPMD_REGIONS 8

typedef enum { TESTPMD, TESTPMD_TWO, OUR_TAP, OUR_LOOPBACK, OUR_PAIR } Peer;

/* What comes back of a frame. */
typedef enum { PINGS, SAME, SWAPPED, ACROSS } Answers;

typedef struct Case {
    const char *name;
    Peer peer;
    const char *arguments; /* of the peer */
    Answers answers;
    guint pairs;
    guint dimms;     /* that fit, 0: another number with each version of the monitor */
    gboolean debian; /* Debian's QEMU in front */
} Case;

static const Case cases[] = {
    {"testpmd/icmpecho", TESTPMD, "--forward-mode=icmpecho", PINGS, 1, TESTPMD_REGIONS - 1, FALSE},
    {"testpmd/icmpecho-4", TESTPMD, "--forward-mode=icmpecho --rxq=4 --txq=4", PINGS, 4,
     TESTPMD_REGIONS - 1, FALSE},
    {"testpmd/io", TESTPMD, "--forward-mode=io --port-topology=loop", SAME, 1, TESTPMD_REGIONS - 1,
     FALSE},
    {"testpmd/macswap", TESTPMD, "--forward-mode=macswap --port-topology=loop", SWAPPED, 1,
     TESTPMD_REGIONS - 1, FALSE},
    {"testpmd/two-cards", TESTPMD_TWO, "--forward-mode=io", ACROSS, 1, TESTPMD_REGIONS - 1, FALSE},
    {"testpmd/debian-qemu", TESTPMD, "--forward-mode=icmpecho", PINGS, 1, 0, TRUE},
    {"vhost-user-net/tap", OUR_TAP, "", PINGS, 1, 40, FALSE},
    {"vhost-user-net/tap-4", OUR_TAP, "", PINGS, 4, 40, FALSE},
    {"vhost-user-net/tap/debian-qemu", OUR_TAP, "", PINGS, 1, 40, TRUE},
    {"vhost-user-net/loopback", OUR_LOOPBACK, "", SAME, 1, 40, FALSE},
    {"vhost-user-net/loopback/debian-qemu", OUR_LOOPBACK, "", SAME, 1, 40, TRUE},
    {"vhost-user-net/pair", OUR_PAIR, "", ACROSS, 1, 40, FALSE},
    {"vhost-user-net/pair/debian-qemu", OUR_PAIR, "", ACROSS, 1, 40, TRUE},
};

static const char *no_tap; /* why there are no taps here; NULL: there are */

typedef struct Net {
    const Case *row;
    char *sockets[CARDS];
    ToolProgram *peer;
    Rig *rig;
    guint cards;
    VirtDevice *devices[CARDS];
    NetDriver *drivers[CARDS];
    guint seed;
} Net;

/* --- peers --- */

static gboolean is_testpmd(const Case *row)
{
    return row->peer == TESTPMD || row->peer == TESTPMD_TWO;
}

/* Without --stats-period it ends together with its standard input. */
static ToolProgram *start_testpmd(Net *net)
{
    GString *ports = g_string_new(NULL);

    for (guint i = 0; i < net->cards; i++) {
        g_string_append_printf(ports, " --vdev net_vhost%u,iface=%s,queues=%u", i, net->sockets[i],
                               net->row->pairs);
    }
    g_autofree char *vdevs = g_string_free(ports, FALSE);
    return tool_program_start_other("dpdk-testpmd",
                                    "--lcores 0@(0-%u),1@(0-%u) --no-huge -m 256 --no-shconf "
                                    "--no-pci --no-telemetry%s -- --auto-start %s "
                                    "--total-num-mbufs=4096 --stats-period 60",
                                    g_get_num_processors() - 1, g_get_num_processors() - 1, vdevs,
                                    net->row->arguments);
}

static ToolProgram *start_ours(Net *net)
{
    static const char *const where[] = {
        [OUR_TAP] = "--tap tap0", [OUR_LOOPBACK] = "--loopback", [OUR_PAIR] = "--pair"};
    Peer peer = net->row->peer;

    return tool_program_start(NULL, "%s %s --socket-path %s --queues %u --stats", where[peer],
                              peer == OUR_PAIR ? net->sockets[1] : "", net->sockets[0],
                              net->row->pairs);
}

static void start_peer(Net *net)
{
    gint64 deadline = g_get_monotonic_time() + WAIT * 1000LL;

    for (guint i = 0; i < net->cards; i++) {
        g_unlink(net->sockets[i]); /* DPDK leaves what a killed one left */
    }
    net->peer = is_testpmd(net->row) ? start_testpmd(net) : start_ours(net);
    for (guint i = 0; i < net->cards; i++) {
        while (!process_listens(net->sockets[i])) {
            if (g_get_monotonic_time() > deadline || !tool_program_runs(net->peer)) {
                tool_program_fail("the peer does not listen at %s", net->sockets[i]);
            }
            g_usleep(2000);
        }
    }
    if (net->row->peer == OUR_TAP) {
        host_network_set_up("tap0");
        host_network_add_neighbour("tap0"); /* nobody here answers when the host asks */
    }
}

static void end_peer(Net *net)
{
    if (is_testpmd(net->row)) { /* it sends itself the signal again when it has cleaned up */
        tool_program_signal(net->peer, SIGTERM);
        int status = tool_program_wait(net->peer);
        g_assert_true(status == 0 || WTERMSIG(status) == SIGTERM);
    } else {
        tool_program_end(net->peer);
    }
}

/* --- the machine --- */

static void start_driver(Net *net, guint card, GuestMemory *memory)
{
    const guint16 pairs = GUINT16_TO_LE(net->row->pairs);
    NetDriver *driver;

    net_driver_free(net->drivers[card]);
    net->drivers[card] = driver =
        net_driver_start(net->devices[card], memory, ALL_FEATURES, net->row->pairs, POSTED);
    if (net->row->pairs > 1) {
        g_assert_cmpint(net_driver_command(driver, VIRTIO_NET_CTRL_MQ,
                                           VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &pairs, sizeof(pairs)),
                        ==, VIRTIO_NET_OK);
    }
}

/* The software CPU of Debian's QEMU 7.2 does not survive MSI-X with vhost-user-net. */
static Net *net_new(const Case *row, const char *qemu)
{
    Net *net = g_new0(Net, 1);

    net->row = row;
    net->cards = row->answers == ACROSS ? 2 : 1;
    for (guint i = 0; i < net->cards; i++) {
        g_autofree char *name = g_strdup_printf("peer%u", i);

        net->sockets[i] = vmm_temporary_path(name);
    }
    start_peer(net);
    g_autofree char *netdev = g_strdup_printf(",queues=%u", row->pairs);
    g_autofree char *device = g_strdup_printf(
        "virtio-net-pci,mq=%s%s", row->pairs > 1 ? "on" : "off", row->debian ? ",vectors=0" : "");
    const RigOptions options = {.devices = net->cards,
                                .sockets = (const char *const *)net->sockets,
                                .netdev = netdev,
                                .device = device,
                                .memory_slots = 64,
                                .chardev = row->debian ? "" : ",reconnect-ms=20",
                                .binary = qemu};
    net->rig = rig_start(NULL, &options);
    for (guint i = 0; i < net->cards; i++) {
        net->devices[i] = virt_device_new(net->rig->qtest, &net->rig->addresses, RIG_DISK_SLOT + i);
    }
    return net;
}

static void net_free(Net *net)
{
    for (guint i = 0; i < net->cards; i++) {
        net_driver_free(net->drivers[i]);
        virt_device_free(net->devices[i]);
    }
    rig_end(net->rig);
    end_peer(net);
    for (guint i = 0; i < net->cards; i++) {
        g_free(net->sockets[i]);
    }
    g_free(net);
}

/* --- frames --- */

/* The next frame of any pair; what is sent may be lost while a peer comes back. */
static gssize receive(Net *net, guint card, guint8 *frame, guint milliseconds)
{
    gint64 deadline = g_get_monotonic_time() + milliseconds * 1000LL;

    do {
        for (guint pair = 0; pair < net->row->pairs; pair++) {
            gssize size = net_driver_receive(net->drivers[card], pair, frame, NET_PACKET_MAX, 1);

            if (size >= 0) {
                return size;
            }
        }
    } while (g_get_monotonic_time() < deadline);
    return -1;
}

static void send_frame(Net *net, guint card, guint pair, const guint8 *frame, gsize size)
{
    if (!net_driver_send(net->drivers[card], pair, frame, size, WAIT)) {
        tool_program_fail("card %u, pair %u: a frame of %zu bytes is not taken", card, pair, size);
    }
}

/* Two cards start one after the other, and what reaches a port that has not is dropped: until one
 * frame came through, and then all that were on the way. */
static void wait_path(Net *net, guint from, guint to)
{
    guint8 frame[NET_PACKET_MAX];
    guint tries = 0;

    net_frame_fill(frame, 60, 0);
    do {
        if (tries++ > 200) {
            tool_program_fail("nothing comes from card %u to card %u", from, to);
        }
        send_frame(net, from, 0, frame, 60);
    } while (receive(net, to, frame, 100) < 0);
    while (receive(net, to, frame, 200) >= 0) {
    }
}

/* Drivers from reset on, with rings and buffers in @area only, or in boot memory. */
static void start_cards(Net *net, GuestMemory *area)
{
    for (guint i = 0; i < net->cards; i++) {
        start_driver(net, i, area ? area : &net->rig->memory);
    }
    if (net->cards > 1) {
        wait_path(net, 0, 1);
        wait_path(net, 1, 0);
    }
}

/* Nothing has come; our peer says what it counted. */
static G_NORETURN void fail_lost(Net *net, const char *what, guint pair)
{
    if (!is_testpmd(net->row)) {
        tool_program_signal(net->peer, SIGUSR1);
        g_usleep(200000);
    }
    tool_program_fail("%s, pair %u, %u DIMMs: %s", net->row->name, pair, rig_dimms(net->rig), what);
}

/* Finds the host by ARP and pings it; the host may send more than answers. */
static void exchange_pings(Net *net, guint pair, gsize size)
{
    guint8 frame[NET_PACKET_MAX], host[6];
    gssize got;

    net_frame_arp(frame);
    send_frame(net, 0, pair, frame, NET_FRAME_ARP);
    do {
        got = receive(net, 0, frame, WAIT);
        if (got < 0) {
            fail_lost(net, "ARP is not answered", pair);
        }
    } while (!net_frame_arp_is_answer(frame, got));
    memcpy(host, frame + 6, sizeof(host));
    net_frame_ping(frame, host, size, net->seed);
    send_frame(net, 0, pair, frame, size);
    do {
        got = receive(net, 0, frame, WAIT);
        if (got < 0) {
            fail_lost(net, "a ping is not answered", pair);
        }
    } while (!net_frame_ping_is_answer(frame, got, size, net->seed));
}

/* From card @from comes to card @to what was sent. */
static void exchange_frames(Net *net, guint from, guint to, guint pair, gsize size)
{
    guint8 sent[NET_PACKET_MAX], got[NET_PACKET_MAX];

    net_frame_fill(sent, size, net->seed);
    send_frame(net, from, pair, sent, size);
    if (net->row->answers == SWAPPED) {
        guint8 address[6];

        memcpy(address, sent, 6);
        memcpy(sent, sent + 6, 6);
        memcpy(sent + 6, address, 6);
    }
    gssize length = receive(net, to, got, WAIT);
    if (length < 0) {
        fail_lost(net, "a frame does not come", pair);
    }
    g_assert_cmpmem(got, (gsize)length, sent, size);
}

static void exchange(Net *net)
{
    static const gsize sizes[] = {60, 61, 590, NET_PACKET_MAX};

    for (guint i = 0; i < G_N_ELEMENTS(sizes) * net->row->pairs; i++) {
        guint pair = i % net->row->pairs;
        gsize size = sizes[i / net->row->pairs];

        net->seed++;
        if (net->row->answers == PINGS) {
            exchange_pings(net, pair, size);
        } else if (net->row->answers == ACROSS) {
            exchange_frames(net, 0, 1, pair, size);
            exchange_frames(net, 1, 0, pair, size);
        } else {
            exchange_frames(net, 0, 0, pair, size);
        }
    }
}

/* With nothing of the cards anywhere but in the DIMM at @address. */
static void exchange_from(Net *net, guint64 address)
{
    GuestMemory area;

    guest_memory_init(&area, address, address + RIG_DIMM);
    start_cards(net, &area);
    exchange(net);
}

/* --- memory --- */

/* As many as fit, but no more than @most; what the refusal of one more says, caller frees. */
static char *plug(Net *net, guint most, guint *count)
{
    g_autoptr(GError) error = NULL;

    for (*count = 0; *count < most; ++*count) {
        if (!rig_plug_at(net->rig, *count, 0, &error)) {
            return g_strdup(error->message);
        }
        exchange(net); /* while the table changes below running rings */
    }
    return NULL;
}

/* The last DIMM is refused by the name of the card and of the limit, and nothing is lost. */
static void check_refusal(Net *net)
{
    g_autofree char *limit = g_strdup_printf("%u memory slots", TESTPMD_REGIONS);
    g_autofree char *text = rig_fill(net->rig, net->row->dimms, 0);

    g_test_message("%u DIMMs, and one more is refused: %s", rig_dimms(net->rig), text);
    rig_assert_names(text, "'b0'", limit, NULL);
    g_assert_cmpuint(rig_dimms(net->rig), ==, net->row->dimms);
    exchange(net);
}

/* A peer that is killed and started again has all memory back, by the chardev's "reconnect". */
static void check_return(Net *net)
{
    tool_program_signal(net->peer, SIGKILL);
    tool_program_wait(net->peer);
    for (guint i = 0; i < net->cards; i++) {
        qmp_expect_event(net->rig->qmp, "NETDEV_VHOST_USER_DISCONNECTED", WAIT);
    }
    start_peer(net);
    for (guint i = 0; i < net->cards; i++) {
        qmp_expect_event(net->rig->qmp, "NETDEV_VHOST_USER_CONNECTED", WAIT);
    }
    if (net->cards > 1) {
        wait_path(net, 0, 1);
        wait_path(net, 1, 0);
    }
}

static void test_peer(gconstpointer data)
{
    const Case *row = data;
    g_autofree char *program = g_find_program_in_path(is_testpmd(row) ? "dpdk-testpmd" : "true");
    g_autofree char *qemu = row->debian ? g_find_program_in_path("qemu-system-x86_64") : NULL;
    guint count;

    if (!program || (row->debian && !qemu) || (row->peer == OUR_TAP && no_tap)) {
        g_test_skip(!program       ? "dpdk-testpmd is not installed (Debian: dpdk-dev)"
                    : !row->debian ? no_tap
                    : !qemu        ? "qemu-system-x86_64 is not installed"
                                   : no_tap);
        return;
    }
    Net *net = net_new(row, qemu);
    start_cards(net, NULL);
    exchange(net);
    g_autofree char *refusal = plug(net, row->dimms ? row->dimms : TESTPMD_REGIONS, &count);
    if (row->dimms) {
        g_assert_cmpstr(refusal, ==, NULL);
        if (is_testpmd(row)) {
            check_refusal(net);
        }
    } else {
        g_assert_cmpuint(count, >, 0);
        g_assert_nonnull(refusal);
    }
    g_autofree uint64_t *addresses = rig_dimm_addresses(net->rig, 0, count);
    for (guint i = 0; i<count; i += count> 10 ? 5 : 1) {
        exchange_from(net, addresses[i]);
    }
    start_cards(net, NULL);
    for (guint i = 0; i < count; i += 2) {
        rig_unplug(net->rig, i);
        exchange(net);
    }
    rig_plug(net->rig, count); /* into the room of one of them */
    exchange_from(net, rig_dimm_address(net->rig, count));
    if (!row->debian) {
        check_return(net);
        exchange(net);
    }
    net_free(net);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    no_tap = host_network_enter();
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strconcat("/net-peers/", cases[i].name, NULL);

        g_test_add_data_func(path, &cases[i], test_peer);
    }
    return g_test_run();
}
