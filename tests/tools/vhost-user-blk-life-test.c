/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where front ends come from and go to: sockets of its own and inherited ones, one front end after
 * the other, those that break the rules; the background, pidfiles, and what a killed one left.
 */
#include "qtest/process.h"
#include "qtest/vmm.h"
#include "tools/blk-guest.h"
#include "tools/names.h"
#include "tools/program.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define IMAGE_SIZE (1u << 20)
#define MILLISECONDS 20000

static ToolNames *names_new(void)
{
    ToolNames *names = tool_names_new();

    names->image = blk_image("disk", IMAGE_SIZE);
    return names;
}

/* The image holds each sector's number (blk_image()). */
static void check_reads(BlkGuest *guest, guint64 sector)
{
    guint64 words[64] = {0};

    g_assert_cmpuint(blk_guest_do(guest, 0, VIRTIO_BLK_T_IN, sector, words, sizeof(words)), ==,
                     VIRTIO_BLK_S_OK);
    g_assert_cmpuint(words[0], ==, sector);
}

static void visit(const char *socket, guint64 sector)
{
    BlkGuest *guest = blk_guest_connect(socket, NULL);

    check_reads(guest, sector);
    blk_guest_leave(guest);
}

/* --- the background --- */

static pid_t read_pidfile(const char *path)
{
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    pid_t pid = atoi(text);
    g_autofree char *wanted = g_strdup_printf("%d\n", pid);
    g_assert_cmpstr(text, ==, wanted);
    return pid;
}

/* When the parent has ended the socket listens and the pidfile names who serves it. */
static void test_daemonize(gconstpointer extra)
{
    g_autoptr(ToolNames) names = names_new();
    g_autofree char *output = NULL, *errors = NULL;

    g_assert_true(g_file_set_contents(names->pidfile, "999999 long and stale\n", -1, NULL));
    g_assert_cmpint(tool_program_run(&output, &errors,
                                     "--daemonize --blk-file %s --socket-path %s --pidfile %s %s",
                                     names->image, names->socket, names->pidfile,
                                     (const char *)extra),
                    ==, 0);
    g_assert_cmpstr(errors, ==, "");
    g_assert_cmpstr(output, ==, "");
    pid_t pid = read_pidfile(names->pidfile);
    VhostUserFrontEnd *front = vhost_user_front_end_connect(names->socket, 0);
    g_assert_nonnull(front); /* at the first try */
    vhost_user_front_end_free(front);
    visit(names->socket, 3);
    g_autofree char *link = g_strdup_printf("/proc/%d/fd/2", pid);
    g_autofree char *target = g_file_read_link(link, NULL);
    g_assert_cmpstr(target, ==, "/dev/null");
    g_assert_cmpint(kill(pid, SIGTERM), ==, 0);
    tool_name_wait_gone(names->pidfile);
    tool_name_wait_gone(names->socket);
}

/* Relative names stay right when the daemon is at "/". */
static void test_daemonize_relative(void)
{
    g_autoptr(ToolNames) names = names_new();
    g_autofree char *directory = g_path_get_dirname(names->image);
    g_autofree char *before = g_get_current_dir();
    g_autofree char *output = NULL, *errors = NULL;

    g_assert_cmpint(g_chdir(directory), ==, 0);
    g_assert_cmpint(tool_program_run(&output, &errors,
                                     "--daemonize --blk-file disk --socket-path relative.sock "
                                     "--pidfile relative.pid --log relative.log"),
                    ==, 0);
    visit("relative.sock", 5);
    g_assert_cmpint(kill(read_pidfile("relative.pid"), SIGTERM), ==, 0);
    tool_name_wait_gone("relative.pid");
    tool_name_wait_gone("relative.sock");
    g_autofree char *log = NULL;
    g_assert_true(g_file_get_contents("relative.log", &log, NULL, NULL));
    g_assert_nonnull(strstr(log, "front end connected\n"));
    unlink("relative.log");
    g_assert_cmpint(g_chdir(before), ==, 0);
}

/* What a killed one has left is no obstacle; what a living one has is (options-test). */
static void test_stale(gconstpointer extra)
{
    g_autoptr(ToolNames) names = names_new();

    for (guint i = 0; i < 3; i++) {
        ToolProgram *program =
            tool_program_start(NULL, "--blk-file %s --socket-path %s --pidfile %s --log info %s",
                               names->image, names->socket, names->pidfile, (const char *)extra);
        tool_program_expect(program, "ready\n"); /* before that the old file is there */
        visit(names->socket, i);
        g_assert_cmpint(read_pidfile(names->pidfile), ==, program->pid);
        tool_program_signal(program, SIGKILL);
        g_assert_true(WIFSIGNALED(tool_program_wait(program)));
        g_assert_true(tool_name_exists(names->socket));
        g_assert_true(tool_name_exists(names->pidfile));
    }
    ToolProgram *program =
        tool_program_start(NULL, "--blk-file %s --socket-path %s --pidfile %s --log info %s",
                           names->image, names->socket, names->pidfile, (const char *)extra);
    tool_program_expect(program, "ready\n");
    visit(names->socket, 9);
    tool_program_end(program);
    g_assert_false(tool_name_exists(names->socket));
    g_assert_false(tool_name_exists(names->pidfile));
}

/* --- inherited sockets --- */

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(fd, 4), ==, 0);
    return fd;
}

static void test_fd_listening(void)
{
    g_autoptr(ToolNames) names = names_new();
    int fd = listen_at(names->socket);
    const ChildOptions options = {.inherit = &fd, .inherit_count = 1};
    ToolProgram *program = tool_program_start(&options, "--blk-file %s --fd %d", names->image, fd);

    visit(names->socket, 1);
    visit(names->socket, 2);
    tool_program_end(program);
    g_assert_true(tool_name_exists(names->socket)); /* not its own */
    unlink(names->socket);
    close(fd);
}

/* The program at one end of a connection; *@front is the other one. */
static ToolProgram *start_connected(const ToolNames *names, int *front)
{
    int pair[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    const ChildOptions options = {.inherit = &pair[1], .inherit_count = 1};
    ToolProgram *program =
        tool_program_start(&options, "--blk-file=%s --fd=%d", names->image, pair[1]);
    close(pair[1]);
    *front = pair[0];
    return program;
}

/* One connection, and when it ends so does the program. */
static void test_fd_connected(void)
{
    g_autoptr(ToolNames) names = names_new();
    int front;
    ToolProgram *program = start_connected(names, &front);

    BlkGuest *guest = blk_guest_new(front, NULL);
    check_reads(guest, 7);
    blk_guest_leave(guest);
    tool_program_wait_success(program);
}

/* The same when the front end breaks the protocol: status 1 and one line. */
static void test_fd_connected_broken(void)
{
    g_autoptr(ToolNames) names = names_new();
    int front;
    ToolProgram *program = start_connected(names, &front);

    g_assert_cmpint(write(front, "this is not the protocol", 24), ==, 24);
    tool_program_expect(program, "error: front end disconnected: ");
    int status = tool_program_wait(program);
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    close(front);
}

/* Sockets of other kinds are refused by one line. */
static void test_fd_refused(void)
{
    static const struct {
        int domain, type;
        const char *words;
    } rows[] = {
        {AF_UNIX, SOCK_STREAM, "neither listens nor is connected"},
        {AF_UNIX, SOCK_DGRAM, "not a unix stream socket"},
        {AF_INET, SOCK_STREAM, "not a unix stream socket"},
    };
    g_autoptr(ToolNames) names = names_new();

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        int fd = socket(rows[i].domain, rows[i].type | SOCK_CLOEXEC, 0);
        const ChildOptions options = {.inherit = &fd, .inherit_count = 1};
        ToolProgram *program =
            tool_program_start(&options, "--blk-file %s --fd %d", names->image, fd);
        int copy = dup(program->output);
        int status = tool_program_wait(program);
        g_autofree char *output = child_read(copy);
        g_autofree char *begin = g_strdup_printf("vhost-user-blk: --fd %d: ", fd);

        g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
        g_assert_true(g_str_has_prefix(output, begin));
        g_assert_nonnull(strstr(output, rows[i].words));
        g_assert_true(strchr(output, '\n') == output + strlen(output) - 1);
        close(copy);
        close(fd);
    }
}

/* --- one after the other --- */

static void test_waiting(void)
{
    g_autoptr(ToolNames) names = names_new();
    ToolProgram *program = tool_program_start(NULL, "--blk-file %s --socket-path %s --log info",
                                              names->image, names->socket);
    BlkGuest *first = blk_guest_connect(names->socket, NULL);
    VhostUserFrontEnd *second = vhost_user_front_end_connect(names->socket, MILLISECONDS);
    uint64_t features = 0;

    tool_program_expect(program, "another front end waits");
    check_reads(first, 1);
    g_assert_cmpint(vhost_user_front_end_send(second, VHOST_USER_GET_FEATURES, 0, NULL, 0, NULL, 0),
                    ==, 0);
    check_reads(first, 2); /* as long as it stays */
    struct pollfd poller = {vhost_user_front_end_socket(second), POLLIN, 0};
    g_assert_cmpint(poll(&poller, 1, 0), ==, 0);
    blk_guest_leave(first);
    VhostUserFrontEndMessage answer;
    g_assert_cmpint(vhost_user_front_end_receive_answer(second, VHOST_USER_GET_FEATURES,
                                                        VHOST_USER_ANSWER_REPLY, &answer),
                    ==, 0);
    features = answer.content.payload.u64;
    g_assert_cmpuint(features & VHOST_USER_RING_F_VERSION_1, !=, 0);
    vhost_user_front_end_free(second);
    g_assert_cmpuint(tool_program_count(program, "another front end waits"), ==, 1);
    tool_program_end(program);
}

static void lower_descriptor_limit(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* All the queues that the protocol can name, on a host whose limit of descriptors is low. */
static void test_many_queues(void)
{
    g_autoptr(ToolNames) names = names_new();
    const ChildOptions child = {.prepare = lower_descriptor_limit};
    const BlkGuestOptions options = {.queues = 256, .depth = 1};
    ToolProgram *program = tool_program_start(
        &child, "--blk-file %s --socket-path %s --num-queues 256", names->image, names->socket);
    BlkGuest *guest = blk_guest_connect(names->socket, &options);

    for (guint i = 0; i < options.queues; i++) {
        guint64 words[64];
        g_assert_cmpuint(blk_guest_do(guest, i, VIRTIO_BLK_T_IN, i, words, sizeof(words)), ==,
                         VIRTIO_BLK_S_OK);
        g_assert_cmpuint(words[0], ==, i);
    }
    blk_guest_leave(guest);
    tool_program_end(program);
}

/* Front ends that come and go, in order or not, leave no descriptor and no mapping behind. */
static void test_reconnect(void)
{
    g_autoptr(ToolNames) names = names_new();
    ToolProgram *program = tool_program_start(NULL, "--blk-file %s --socket-path %s --num-queues 2",
                                              names->image, names->socket);
    const BlkGuestOptions options = {.queues = 2};
    guint descriptors = 0, mappings = 0;

    for (guint i = 0; i < 12; i++) {
        BlkGuest *guest = blk_guest_connect(names->socket, i % 2 ? &options : NULL);
        check_reads(guest, i);
        if (i == 4) {
            g_autofree char *maps = process_read(program->pid, "maps");
            descriptors = process_descriptors(program->pid);
            for (const char *at = maps; (at = strchr(at, '\n')); at++) {
                mappings++;
            }
        }
        if (i == 10) {
            g_autofree char *maps = process_read(program->pid, "maps");
            g_assert_cmpuint(process_descriptors(program->pid), ==, descriptors);
            for (const char *at = maps; (at = strchr(at, '\n')); at++) {
                mappings--;
            }
            g_assert_cmpuint(mappings + 8, <, 16); /* stacks and heaps of the C library may vary */
        }
        if (i % 3) {
            blk_guest_leave(guest);
        } else {
            blk_guest_free(guest);
        }
    }
    tool_program_end(program);
}

/* The next front end is served whatever the one before did. */
static void test_broken_front_ends(void)
{
    g_autoptr(ToolNames) names = names_new();
    ToolProgram *program =
        tool_program_start(NULL, "--blk-file %s --socket-path %s", names->image, names->socket);
    const struct {
        VhostUserHeader header;
        uint32_t payload; /* its first bytes, if the header says that there are some */
    } rows[] = {
        {{VHOST_USER_GET_FEATURES, 0x3, 0}, 0},
        {{VHOST_USER_SET_FEATURES, VHOST_USER_VERSION, 4}, 1},
        {{VHOST_USER_SET_MEM_TABLE, VHOST_USER_VERSION, 0xffffffff}, 1},
        {{VHOST_USER_GET_FEATURES, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY, 0}, 0},
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

/* --- memory that is cut --- */

/*
 * A region whose file is cut while a request's header lies in it: the front end loses its
 * connection, the program serves the next.
 */
static void test_cut_memory(gconstpointer extra)
{
    g_autoptr(ToolNames) names = names_new();
    ToolProgram *program = tool_program_start(NULL, "--blk-file %s --socket-path %s %s",
                                              names->image, names->socket, (const char *)extra);
    BlkGuest *guest = blk_guest_connect(names->socket, NULL);
    const gsize size = 1 << 20;
    int fd = memfd_create("cut", MFD_CLOEXEC);
    VhostUserFrontEndMessage message;

    g_assert_cmpint(ftruncate(fd, (off_t)size), ==, 0);
    VhostUserMemoryArea area = {
        .guest_address = 1ull << 40,
        .size = size,
        .host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
        .fd = fd,
    };
    blk_guest_check(guest, vhost_user_front_end_add_region(guest->front, &area, NULL), "region");
    g_assert_cmpint(ftruncate(fd, 0), ==, 0);
    const VhostUserDriverBuffer buffers[] = {{area.guest_address, sizeof(struct virtio_blk_outhdr)},
                                             {area.guest_address + 4096, 1}};
    g_assert_cmpint(vhost_user_driver_queue_add(guest->queues[0], buffers, 1, 1, 0, NULL), ==, 0);
    vhost_user_driver_queue_kick(guest->queues[0]);
    g_assert_cmpint(vhost_user_front_end_receive(guest->front, &message), ==, -ECONNRESET);
    tool_program_expect(program, "error: front end disconnected: ");
    munmap(area.host, size);
    close(fd);
    blk_guest_free(guest);
    visit(names->socket, 11);
    tool_program_end(program);
}

/* The same signal from anybody else ends it, as it does other programs. */
static void test_foreign_fault(void)
{
    g_autoptr(ToolNames) names = names_new();
    ToolProgram *program =
        tool_program_start(NULL, "--blk-file %s --socket-path %s", names->image, names->socket);

    visit(names->socket, 0);
    tool_program_signal(program, SIGBUS);
    int status = tool_program_wait(program);
    g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    unlink(names->socket);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/vhost-user-blk/daemonize/plain", "", test_daemonize);
    g_test_add_data_func("/vhost-user-blk/daemonize/sandbox", "--sandbox", test_daemonize);
    g_test_add_func("/vhost-user-blk/daemonize/relative", test_daemonize_relative);
    g_test_add_data_func("/vhost-user-blk/stale/plain", "", test_stale);
    g_test_add_data_func("/vhost-user-blk/stale/sandbox", "--sandbox", test_stale);
    g_test_add_func("/vhost-user-blk/fd/listening", test_fd_listening);
    g_test_add_func("/vhost-user-blk/fd/connected", test_fd_connected);
    g_test_add_func("/vhost-user-blk/fd/broken", test_fd_connected_broken);
    g_test_add_func("/vhost-user-blk/fd/refused", test_fd_refused);
    g_test_add_func("/vhost-user-blk/waiting", test_waiting);
    g_test_add_func("/vhost-user-blk/many-queues", test_many_queues);
    g_test_add_func("/vhost-user-blk/reconnect", test_reconnect);
    g_test_add_func("/vhost-user-blk/broken-front-ends", test_broken_front_ends);
    g_test_add_data_func("/vhost-user-blk/fault/cut-memory", "", test_cut_memory);
    g_test_add_data_func("/vhost-user-blk/fault/cut-memory-sandbox", "--sandbox", test_cut_memory);
    g_test_add_func("/vhost-user-blk/fault/foreign", test_foreign_fault);
    return g_test_run();
}
