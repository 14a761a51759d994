/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where front ends of vhost-user-net come from and go to: sockets of its own and inherited ones,
 * one front end after the other at each, those that break the rules or cut their memory; the
 * background, the sandbox and what leaves nothing behind.
 */
#include "qtest/vmm.h"
#include "tools/names.h"
#include "tools/net-frames.h"
#include "tools/net-guest.h"
#include "tools/program.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MILLISECONDS 20000
#define SHORTLY 50

/* A frame from @from to @to, which may be the same. */
static void check_way(NetGuest *from, NetGuest *to, guint seed)
{
    guint8 frame[NET_GUEST_FRAME];

    net_frame_fill(frame, 300, seed);
    net_guest_send(from, 0, NULL, frame, 300);
    gssize size = net_guest_receive(to, 0, frame, NULL, MILLISECONDS);
    g_assert_true(net_frame_is(frame, size, 300, seed));
}

/* A front end that comes, sends itself a frame, and leaves. */
static void visit(const char *socket, guint seed)
{
    NetGuest *guest = net_guest_connect(socket, NULL);

    check_way(guest, guest, seed);
    net_guest_leave(guest);
}

/* --- the background --- */

static void test_daemonize(gconstpointer extra)
{
    g_autoptr(ToolNames) names = tool_names_new();
    g_autofree char *output = NULL, *errors = NULL, *text = NULL;

    g_assert_cmpint(
        tool_program_run(&output, &errors, "--daemonize --pair %s --socket-path %s --pidfile %s %s",
                         names->second, names->socket, names->pidfile, (const char *)extra),
        ==, 0);
    g_assert_cmpstr(errors, ==, "");
    g_assert_cmpstr(output, ==, "");
    g_assert_true(g_file_get_contents(names->pidfile, &text, NULL, NULL));
    NetGuest *one = net_guest_connect(names->socket, NULL);
    NetGuest *two = net_guest_connect(names->second, NULL);
    check_way(one, two, 1);
    check_way(two, one, 2);
    net_guest_leave(one);
    net_guest_leave(two);
    g_assert_cmpint(kill(atoi(text), SIGTERM), ==, 0);
    tool_name_wait_gone(names->pidfile);
    tool_name_wait_gone(names->socket);
    tool_name_wait_gone(names->second);
}

/* Killed, it leaves its sockets; the next one takes their places. */
static void test_stale(void)
{
    g_autoptr(ToolNames) names = tool_names_new();

    for (guint i = 0; i < 2; i++) {
        ToolProgram *program =
            tool_program_start(NULL, "--pair %s --socket-path %s", names->second, names->socket);
        NetGuest *one = net_guest_connect(names->socket, NULL);
        NetGuest *two = net_guest_connect(names->second, NULL);

        check_way(one, two, i);
        net_guest_free(one);
        net_guest_free(two);
        tool_program_signal(program, SIGKILL);
        g_assert_true(WIFSIGNALED(tool_program_wait(program)));
        g_assert_true(tool_name_exists(names->socket) && tool_name_exists(names->second));
    }
}

/* --- inherited connections --- */

static ToolProgram *start_connected(const char *network, int *front)
{
    int pair[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    const ChildOptions options = {.inherit = &pair[1], .inherit_count = 1};
    ToolProgram *program = tool_program_start(&options, "%s --fd=%d", network, pair[1]);
    close(pair[1]);
    *front = pair[0];
    return program;
}

static void test_fd(void)
{
    int front;
    ToolProgram *program = start_connected("--loopback", &front);
    NetGuest *guest = net_guest_new(front, NULL);

    check_way(guest, guest, 1);
    net_guest_leave(guest);
    tool_program_wait_success(program);
}

/* When it ends so does the program, and the second guest's connection. */
static void test_fd_pair(void)
{
    g_autoptr(ToolNames) names = tool_names_new();
    g_autofree char *network = g_strdup_printf("--pair %s", names->second);
    VhostUserFrontEndMessage message;
    int front;
    ToolProgram *program = start_connected(network, &front);
    NetGuest *one = net_guest_new(front, NULL);
    NetGuest *two = net_guest_connect(names->second, NULL);

    check_way(one, two, 1);
    net_guest_leave(two);
    two = net_guest_connect(names->second, NULL); /* this one may come again */
    check_way(two, one, 2);
    net_guest_leave(one);
    g_assert_cmpint(vhost_user_front_end_receive(two->front, &message), ==, -ECONNRESET);
    net_guest_free(two);
    tool_program_wait_success(program);
    g_assert_false(tool_name_exists(names->second));
}

static void test_fd_broken(void)
{
    int front;
    ToolProgram *program = start_connected("--loopback", &front);

    g_assert_cmpint(write(front, "this is not the protocol", 24), ==, 24);
    tool_program_expect(program, "error: front end disconnected: ");
    int status = tool_program_wait(program);
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    close(front);
}

/* --- one after the other --- */

static void test_reconnect(gconstpointer extra)
{
    g_autoptr(ToolNames) names = tool_names_new();
    ToolProgram *program = tool_program_start(NULL, "--pair %s --socket-path %s %s", names->second,
                                              names->socket, (const char *)extra);
    NetGuest *one = net_guest_connect(names->socket, NULL);

    for (guint i = 0; i < 50; i++) {
        NetGuest *two = net_guest_connect(names->second, NULL);

        check_way(one, two, i);
        check_way(two, one, i);
        if (i % 2) {
            net_guest_leave(two);
        } else {
            net_guest_free(two); /* with its queues running */
        }
    }
    net_guest_leave(one);
    tool_program_end(program);
    g_assert_false(tool_name_exists(names->socket) || tool_name_exists(names->second));
}

static void test_broken_front_ends(void)
{
    g_autoptr(ToolNames) names = tool_names_new();
    ToolProgram *program = tool_program_start(NULL, "--loopback --socket-path %s", names->socket);
    const struct {
        VhostUserHeader header;
        uint32_t payload;
    } rows[] = {
        {{VHOST_USER_GET_FEATURES, 0x3, 0}, 0},
        {{VHOST_USER_SET_FEATURES, VHOST_USER_VERSION, 4}, 1},
        {{VHOST_USER_SEND_RARP, VHOST_USER_VERSION, 4}, 1},
        {{VHOST_USER_NET_SET_MTU, VHOST_USER_VERSION, 0xffffffff}, 1},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        VhostUserFrontEnd *front = vhost_user_front_end_connect(names->socket, MILLISECONDS);
        gsize size = sizeof(rows[i].header) + (rows[i].payload ? sizeof(rows[i].payload) : 0);
        VhostUserFrontEndMessage answer;

        g_assert_cmpint(vhost_user_front_end_send_bytes(front, &rows[i], size, NULL, 0), ==, 0);
        g_assert_cmpint(vhost_user_front_end_receive(front, &answer), ==, -ECONNRESET);
        vhost_user_front_end_free(front);
        visit(names->socket, i);
        g_assert_cmpuint(tool_program_count(program, "error: front end disconnected: "), ==, i + 1);
    }
    tool_program_end(program);
}

/* Frames that lie in memory which its front end cuts: that one loses its connection, the other
 * guest goes on. */
static void test_cut_memory(gconstpointer extra)
{
    g_autoptr(ToolNames) names = tool_names_new();
    ToolProgram *program = tool_program_start(NULL, "--pair %s --socket-path %s %s", names->second,
                                              names->socket, (const char *)extra);
    NetGuest *one = net_guest_connect(names->socket, NULL);
    NetGuest *two = net_guest_connect(names->second, NULL);
    const gsize size = 1 << 20;
    guint8 frame[NET_GUEST_FRAME];
    int fd = memfd_create("cut", MFD_CLOEXEC);
    VhostUserFrontEndMessage message;

    g_assert_cmpint(ftruncate(fd, (off_t)size), ==, 0);
    VhostUserMemoryArea area = {
        .guest_address = 1ull << 40,
        .size = size,
        .host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
        .fd = fd,
    };
    net_guest_check(two, vhost_user_front_end_add_region(two->front, &area, NULL), "region");
    g_assert_cmpint(ftruncate(fd, 0), ==, 0);
    const VhostUserDriverBuffer buffer = {area.guest_address, 1000};
    g_assert_cmpint(vhost_user_driver_queue_add(two->transmit[0], &buffer, 1, 0, 0, NULL), ==, 0);
    vhost_user_driver_queue_kick(two->transmit[0]);
    g_assert_cmpint(vhost_user_front_end_receive(two->front, &message), ==, -ECONNRESET);
    tool_program_expect(program, "error: front end disconnected: ");
    munmap(area.host, size);
    close(fd);
    net_guest_free(two);
    two = net_guest_connect(names->second, NULL);
    check_way(one, two, 1);
    /* The zeros that took the place of the memory may have come as a frame. */
    while (net_guest_receive(one, 0, frame, NULL, SHORTLY) >= 0) {
    }
    check_way(two, one, 2);
    net_guest_leave(one);
    net_guest_leave(two);
    tool_program_end(program);
}

/* As many queue pairs as there may be. */
static void test_many_queues(void)
{
    const NetGuestOptions options = {.pairs = 128, .buffers = 4, .buffer_size = 1024};
    g_autoptr(ToolNames) names = tool_names_new();
    ToolProgram *program =
        tool_program_start(NULL, "--loopback --queues 128 --socket-path %s", names->socket);
    NetGuest *guest = net_guest_connect(names->socket, &options);
    guint8 frame[NET_GUEST_FRAME];

    for (guint pair = 0; pair < 128; pair++) {
        net_frame_fill(frame, 100, pair);
        net_guest_send(guest, pair, NULL, frame, 100);
    }
    for (guint pair = 0; pair < 128; pair++) {
        gssize size = net_guest_receive(guest, pair, frame, NULL, MILLISECONDS);

        g_assert_true(net_frame_is(frame, size, 100, pair));
    }
    net_guest_leave(guest);
    tool_program_end(program);
}

/* SIGTERM while frames are under way: status 0, statistics, nothing left behind. */
static void test_end_under_load(gconstpointer extra)
{
    g_autoptr(ToolNames) names = tool_names_new();
    ToolProgram *program =
        tool_program_start(NULL, "--loopback --socket-path %s --pidfile %s --stats %s",
                           names->socket, names->pidfile, (const char *)extra);
    NetGuest *guest = net_guest_connect(names->socket, NULL);
    guint8 frame[1500];

    net_frame_fill(frame, sizeof(frame), 1);
    for (guint i = 0; i < NET_GUEST_SLOTS; i++) {
        net_guest_send(guest, 0, NULL, frame, sizeof(frame));
    }
    tool_program_signal(program, SIGTERM);
    tool_program_expect(program, "transmit-packets: ");
    tool_program_expect(program, "interrupts-spared: ");
    tool_program_wait_success(program);
    net_guest_free(guest);
    g_assert_false(tool_name_exists(names->socket) || tool_name_exists(names->pidfile));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/vhost-user-net/daemonize/plain", "", test_daemonize);
    g_test_add_data_func("/vhost-user-net/daemonize/sandbox", "--sandbox", test_daemonize);
    g_test_add_func("/vhost-user-net/stale", test_stale);
    g_test_add_func("/vhost-user-net/fd/loopback", test_fd);
    g_test_add_func("/vhost-user-net/fd/pair", test_fd_pair);
    g_test_add_func("/vhost-user-net/fd/broken", test_fd_broken);
    g_test_add_data_func("/vhost-user-net/reconnect/plain", "", test_reconnect);
    g_test_add_data_func("/vhost-user-net/reconnect/sandbox", "--sandbox --poll-us 100",
                         test_reconnect);
    g_test_add_func("/vhost-user-net/broken-front-ends", test_broken_front_ends);
    g_test_add_data_func("/vhost-user-net/cut-memory/plain", "", test_cut_memory);
    g_test_add_data_func("/vhost-user-net/cut-memory/sandbox", "--sandbox", test_cut_memory);
    g_test_add_func("/vhost-user-net/many-queues", test_many_queues);
    g_test_add_data_func("/vhost-user-net/end/plain", "", test_end_under_load);
    g_test_add_data_func("/vhost-user-net/end/sandbox", "--sandbox --poll-us 1000",
                         test_end_under_load);
    return g_test_run();
}
