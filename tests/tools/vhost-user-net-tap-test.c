/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tap behind the program, in a network namespace of the test's own: the host's own answers to ARP
 * and ping, large frames both ways with and without the guest's offloads, several queues, inherited
 * descriptors, and an interface that disappears.  Skipped where no namespace or tap can be made.
 */
#include "qtest/vmm.h"
#include "tools/host-network.h"
#include "tools/names.h"
#include "tools/net-frames.h"
#include "tools/net-guest.h"
#include "tools/program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MILLISECONDS 20000
#define MRG NET_GUEST_FEATURE(MRG_RXBUF)

static const char *unavailable; /* why nothing can be tested here; NULL: it can */
static guint8 frame[NET_GUEST_FRAME];

/* --- the host's side --- */

/* An interface that stays without us. */
static void tap_persist(const char *name, short flags, gboolean persist)
{
    int fd = host_tap_new(name, flags);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ioctl(fd, TUNSETPERSIST, (unsigned long)persist), ==, 0);
    close(fd);
}

/* Everything that passes the interface, with the header that says which work was left. */
static int packet_socket(const char *name)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ALL),
                                  .sll_ifindex = (int)if_nametoindex(name)};
    const struct timeval patience = {.tv_sec = MILLISECONDS / 1000};

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &(int){1}, sizeof(int)), ==, 0);
    g_assert_cmpint(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), ==, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    return fd;
}

typedef struct Rig {
    ToolNames *names;
    ToolProgram *program;
    int packets;
} Rig;

/* @network is made by the program or was made before; the name is always tap0. */
static Rig *rig_new(const ChildOptions *options, const char *network, const char *arguments)
{
    Rig *rig = g_new0(Rig, 1);

    rig->names = tool_names_new();
    rig->program = tool_program_start(options, "%s --socket-path %s --log info --stats %s", network,
                                      rig->names->socket, arguments);
    tool_program_expect(rig->program, "ready");
    host_network_set_up("tap0");
    rig->packets = packet_socket("tap0");
    return rig;
}

static void rig_end(Rig *rig)
{
    tool_program_end(rig->program);
    close(rig->packets);
    tool_names_free(rig->names);
    g_free(rig);
}

/* The next frame of an experimental or TCP type that passes: what else the host sends is not
 * ours. */
static gssize next_packet(Rig *rig, struct virtio_net_hdr *header, guint wanted)
{
    static guint8 bytes[NET_GUEST_FRAME + sizeof(*header)];

    for (;;) {
        ssize_t size = recv(rig->packets, bytes, sizeof(bytes), 0);

        if (size < 0) {
            tool_program_fail("no frame comes out of the tap: %s", g_strerror(errno));
        }
        if (size > 24 && ((guint)bytes[22] << 8 | bytes[23]) == wanted && bytes[16] == 0x52) {
            memcpy(header, bytes, sizeof(*header));
            memcpy(frame, bytes + sizeof(*header), (gsize)size - sizeof(*header));
            return size - (gssize)sizeof(*header);
        }
    }
}

static void send_packet(Rig *rig, const struct virtio_net_hdr *header, gsize size)
{
    struct iovec pieces[] = {{(void *)(guintptr)header, sizeof(*header)}, {frame, size}};
    const struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};

    g_assert_cmpint(sendmsg(rig->packets, &message, 0), ==, (gssize)(size + sizeof(*header)));
}

/* The next frame of type @wanted that the guest gets; what else the host sends is not ours. */
static gssize next_frame(NetGuest *guest, guint pairs, guint wanted,
                         struct virtio_net_hdr_mrg_rxbuf *header)
{
    for (guint i = 0; i < 20000; i++) {
        gssize size =
            net_guest_receive(guest, i % pairs, frame, header, pairs > 1 ? 1 : MILLISECONDS);

        if (size >= 14 && ((guint)frame[12] << 8 | frame[13]) == wanted) {
            return size;
        }
    }
    tool_program_fail("no frame of type 0x%x comes out of the tap", wanted);
}

/* --- tests --- */

/* The host's kernel answers. */
static void check_host_answers(NetGuest *guest, guint pairs, guint pair)
{
    static const guint8 ask[60] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0,    0,    0,  1,  8, 6, /* ARP */
        0,    1,    8,    0,    6,    4,    0,    1,    0x52, 0x54, 0,  0,  0, 1,
        10,   77,   0,    2,    0,    0,    0,    0,    0,    0,    10, 77, 0, 1};
    static const guint8 head[] = {8,  0,  0x45, 0, 0,  92, 0, 1, 0, 0, 64, 1, 0, 0, /* ICMP */
                                  10, 77, 0,    2, 10, 77, 0, 1, 8, 0, 0,  0, 0, 7, 0, 1};
    guint8 ping[106];

    net_guest_send(guest, pair, NULL, ask, sizeof(ask));
    g_assert_cmpint(next_frame(guest, pairs, ETH_P_ARP, NULL), >=, 42);
    g_assert_cmpuint(frame[21], ==, 2); /* reply */
    g_assert_cmpmem(frame + 28, 4, ask + 38, 4);
    memcpy(ping, frame + 6, 6);
    memcpy(ping + 6, ask + 6, 6);
    for (guint i = 12; i < sizeof(ping); i++) {
        ping[i] = i < 12 + sizeof(head) ? head[i - 12] : (guint8)i;
    }
    guint sum = net_frame_sum(ping + 14, 20, 0);
    ping[24] = (guint8)(sum >> 8);
    ping[25] = (guint8)sum;
    sum = net_frame_sum(ping + 34, sizeof(ping) - 34, 0);
    ping[36] = (guint8)(sum >> 8);
    ping[37] = (guint8)sum;
    net_guest_send(guest, pair, NULL, ping, sizeof(ping));
    g_assert_cmpint(next_frame(guest, pairs, ETH_P_IP, NULL), ==, sizeof(ping));
    g_assert_cmpuint(frame[34], ==, 0); /* echo reply */
    g_assert_cmpmem(frame + 38, sizeof(ping) - 38, ping + 38, sizeof(ping) - 38);
}

static const struct {
    const char *name, *arguments;
    NetGuestOptions options;
} kinds[] = {
    {"plain", "", {0}},
    {"legacy", "", {.legacy = TRUE}},
    {"mergeable", "", {.features = MRG}},
    {"sandbox", "--sandbox", {.features = MRG | NET_GUEST_OFFLOADS}},
    {"packed", "", {.packed = TRUE, .features = MRG}},
    {"polling", "--poll-us 500", {.features = MRG}},
};

static gboolean skipped(void)
{
    if (unavailable) {
        g_test_skip(unavailable);
    }
    return unavailable != NULL;
}

static void test_answers(gconstpointer data)
{
    guint kind = GPOINTER_TO_UINT(data);

    if (skipped()) {
        return;
    }
    Rig *rig = rig_new(NULL, "--tap tap0", kinds[kind].arguments);
    for (guint i = 0; i < 2; i++) {
        NetGuest *guest = net_guest_connect(rig->names->socket, &kinds[kind].options);

        check_host_answers(guest, 1, 0);
        net_guest_leave(guest);
    }
    rig_end(rig);
}

/* A large frame leaves the guest in one piece, and the header says what is to be done. */
static void test_large_out(gconstpointer arguments)
{
    const NetGuestOptions options = {.features = MRG | NET_GUEST_OFFLOADS};
    const gsize size = NET_FRAME_TCP + 50000;
    struct virtio_net_hdr sent, got;

    if (skipped()) {
        return;
    }
    Rig *rig = rig_new(NULL, "--tap tap0", arguments);
    NetGuest *guest = net_guest_connect(rig->names->socket, &options);
    g_autofree guint8 *original = g_malloc(size);
    net_frame_tcp(original, size, 1448, &sent);
    net_guest_send(guest, 0, &sent, original, (guint32)size);
    g_assert_cmpint(next_packet(rig, &got, ETH_P_IP), ==, (gssize)size);
    g_assert_cmpmem(frame, size, original, size);
    g_assert_cmpuint(got.gso_type, ==, VIRTIO_NET_HDR_GSO_TCPV4);
    g_assert_cmpuint(got.gso_size, ==, 1448);
    g_assert_cmpuint(got.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, !=, 0);
    /* What the kernel does not believe is dropped. */
    net_frame_fill(frame, 100, 1);
    sent.csum_start = 90;
    sent.csum_offset = 7;
    net_guest_send(guest, 0, &sent, frame, 100);
    net_guest_wait_sent(guest, 0);
    net_guest_leave(guest);
    rig_end(rig);
}

/* One comes in as it is to a guest that takes it, else in segments with their checksums. */
static void test_large_in(gconstpointer arguments)
{
    const NetGuestOptions with = {.features = MRG | NET_GUEST_OFFLOADS};
    const NetGuestOptions whole = {.features = NET_GUEST_OFFLOADS, .buffer_size = 65562};
    const NetGuestOptions without = {.features = MRG};
    const gsize payload = 50000;
    struct virtio_net_hdr_mrg_rxbuf got;
    struct virtio_net_hdr sent;

    if (skipped()) {
        return;
    }
    Rig *rig = rig_new(NULL, "--tap tap0", arguments);
    for (guint i = 0; i < 2; i++) {
        NetGuest *guest = net_guest_connect(rig->names->socket, i ? &whole : &with);

        net_frame_tcp(frame, NET_FRAME_TCP + payload, 1448, &sent);
        g_autofree guint8 *original = g_memdup2(frame, NET_FRAME_TCP + payload);
        send_packet(rig, &sent, NET_FRAME_TCP + payload);
        g_assert_cmpint(next_frame(guest, 1, ETH_P_IP, &got), ==, NET_FRAME_TCP + payload);
        g_assert_cmpmem(frame, NET_FRAME_TCP + payload, original, NET_FRAME_TCP + payload);
        g_assert_cmpuint(got.hdr.gso_type, ==, VIRTIO_NET_HDR_GSO_TCPV4);
        g_assert_cmpuint(got.hdr.gso_size, ==, 1448);
        g_assert_cmpuint(got.num_buffers, ==, i ? 1 : (NET_FRAME_TCP + payload + 12 + 2047) / 2048);
        net_guest_leave(guest);
    }
    NetGuest *guest = net_guest_connect(rig->names->socket, &without);
    gsize done = 0;
    net_frame_tcp(frame, NET_FRAME_TCP + payload, 1448, &sent);
    send_packet(rig, &sent, NET_FRAME_TCP + payload);
    while (done < payload) {
        gssize size = next_frame(guest, 1, ETH_P_IP, &got);

        g_assert_cmpint(size, <=, NET_FRAME_TCP + 1448);
        g_assert_cmpuint(got.hdr.gso_type, ==, VIRTIO_NET_HDR_GSO_NONE);
        g_assert_true(net_frame_tcp_is_right(frame, (gsize)size));
        done += (gsize)size - NET_FRAME_TCP;
    }
    g_assert_cmpuint(done, ==, payload);
    net_guest_leave(guest);
    rig_end(rig);
}

/* Frames of all sizes both ways, many under way, none lost while the guest keeps up. */
static void test_stream(gconstpointer arguments)
{
    const NetGuestOptions options = {.features = MRG, .buffers = 256};
    const struct virtio_net_hdr none = {0};
    struct virtio_net_hdr got;

    if (skipped()) {
        return;
    }
    Rig *rig = rig_new(NULL, "--tap tap0", arguments);
    NetGuest *guest = net_guest_connect(rig->names->socket, &options);
    for (guint i = 0; i < 600; i++) {
        gsize size = 60 + i * 7 % 1454;

        net_frame_fill(frame, size, i);
        net_guest_send(guest, 0, NULL, frame, (guint32)size);
        gssize came = next_packet(rig, &got, 0x88b5);
        g_assert_true(net_frame_is(frame, came, size, i));
        net_frame_fill(frame, size, i + 1);
        send_packet(rig, &none, size);
        came = next_frame(guest, 1, 0x88b5, NULL);
        g_assert_true(net_frame_is(frame, came, size, i + 1));
    }
    net_guest_leave(guest);
    rig_end(rig);
}

/* Each pair sends; the host chooses the queue to answer to, among those that run. */
static void test_queues(gconstpointer arguments)
{
    const NetGuestOptions options = {
        .features = MRG | NET_GUEST_FEATURE(MQ), .pairs = 4, .buffers = 16};

    if (skipped()) {
        return;
    }
    Rig *rig = rig_new(NULL, "--tap tap0 --queues 4", arguments);
    NetGuest *guest = net_guest_connect(rig->names->socket, &options);
    for (guint pair = 0; pair < 4; pair++) {
        check_host_answers(guest, 4, pair);
    }
    for (guint pair = 3; pair > 0; pair--) {
        net_guest_enable(guest, pair, FALSE);
        check_host_answers(guest, pair, 0);
    }
    net_guest_enable(guest, 2, TRUE);
    check_host_answers(guest, 4, 2);
    net_guest_leave(guest);
    rig_end(rig);
}

static void test_inherited(void)
{
    if (skipped()) {
        return;
    }
    int fds[] = {host_tap_new("tap0", IFF_MULTI_QUEUE), host_tap_new("tap0", IFF_MULTI_QUEUE)};
    const ChildOptions options = {.inherit = fds, .inherit_count = 2};
    g_autofree char *network = g_strdup_printf("--queues 2 --tap-fd %d,%d", fds[0], fds[1]);
    Rig *rig = rig_new(&options, network, "--sandbox");
    close(fds[0]);
    close(fds[1]);
    NetGuest *guest = net_guest_connect(rig->names->socket, NULL);
    check_host_answers(guest, 1, 0);
    net_guest_leave(guest);
    rig_end(rig);
    g_assert_cmpuint(if_nametoindex("tap0"), ==, 0);
}

static void check_refused(const char *arguments, const char *text)
{
    g_autofree char *output = NULL, *errors = NULL;

    g_assert_cmpint(
        tool_program_run(&output, &errors, "--socket-path /nonexistent/s %s", arguments), ==, 1);
    if (!strstr(errors, text) || strchr(errors, '\n') != errors + strlen(errors) - 1) {
        vmm_fail("%s: no '%s' in: %s", arguments, text, errors);
    }
}

/* Taps of another make are refused by one line that says which one would be right. */
static void test_refused(void)
{
    if (skipped()) {
        return;
    }
    tap_persist("tap1", 0, TRUE);
    check_refused("--tap tap1 --queues 2",
                  "--tap tap1: the interface is no tap with several queues");
    check_refused("--tap lo", "--tap lo: the interface is no tap");
    int busy = host_tap_new("tap1", 0);
    check_refused("--tap tap1", "--tap tap1: ");
    close(busy);
    tap_persist("tap1", 0, FALSE);
    /* One for several queues serves a single one, and stays. */
    tap_persist("tap0", IFF_MULTI_QUEUE, TRUE);
    Rig *rig = rig_new(NULL, "--tap tap0", "");
    NetGuest *guest = net_guest_connect(rig->names->socket, NULL);
    check_host_answers(guest, 1, 0);
    net_guest_leave(guest);
    rig_end(rig);
    g_assert_cmpuint(if_nametoindex("tap0"), !=, 0);
    tap_persist("tap0", IFF_MULTI_QUEUE, FALSE);
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    g_strlcpy(request.ifr_name, "tap2", sizeof(request.ifr_name));
    g_assert_cmpint(ioctl(fd, TUNSETIFF, &request), ==, 0);
    const ChildOptions options = {.inherit = &fd, .inherit_count = 1};
    ToolProgram *program =
        tool_program_start(&options, "--socket-path /nonexistent/s --tap-fd %d", fd);
    tool_program_expect(program, "expected a tap that was attached with IFF_TAP");
    g_assert_cmpint(tool_program_wait(program), !=, 0);
    close(fd);
}

/* SEND_RARP reaches the host's side with a driver that has chosen its header, and before. */
static void test_announcement(void)
{
    uint64_t address = 0x563412005452ull;
    struct virtio_net_hdr got;

    if (skipped()) {
        return;
    }
    Rig *rig = rig_new(NULL, "--tap tap0", "--sandbox");
    NetGuest *guest = net_guest_connect(rig->names->socket, NULL);
    net_guest_check(guest, vhost_user_front_end_set(guest->front, VHOST_USER_SEND_RARP, address),
                    "announcement");
    g_assert_cmpint(next_packet(rig, &got, 0x8035), ==, 60);
    net_guest_leave(guest);
    rig_end(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    unavailable = host_network_enter();
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *path = g_strconcat("/vhost-user-net/tap/answers/", kinds[i].name, NULL);

        g_test_add_data_func(path, GUINT_TO_POINTER(i), test_answers);
    }
    g_test_add_data_func("/vhost-user-net/tap/large-out/plain", "", test_large_out);
    g_test_add_data_func("/vhost-user-net/tap/large-out/sandbox", "--sandbox", test_large_out);
    g_test_add_data_func("/vhost-user-net/tap/large-in/plain", "", test_large_in);
    g_test_add_data_func("/vhost-user-net/tap/large-in/sandbox", "--sandbox", test_large_in);
    g_test_add_data_func("/vhost-user-net/tap/stream/waiting", "", test_stream);
    g_test_add_data_func("/vhost-user-net/tap/stream/polling", "--poll-us 100", test_stream);
    g_test_add_data_func("/vhost-user-net/tap/queues/plain", "", test_queues);
    g_test_add_data_func("/vhost-user-net/tap/queues/sandbox", "--sandbox", test_queues);
    g_test_add_func("/vhost-user-net/tap/inherited", test_inherited);
    g_test_add_func("/vhost-user-net/tap/refused", test_refused);
    g_test_add_func("/vhost-user-net/tap/announcement", test_announcement);
    return g_test_run();
}
