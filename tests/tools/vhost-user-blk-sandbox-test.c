/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the program may and may not do: in its sandbox everything that it offers works and nothing
 * else does; where io_uring is forbidden requests go another way.
 */
#include "qtest/forbid.h"
#include "qtest/process.h"
#include "qtest/vmm.h"
#include "tools/blk-guest.h"
#include "qtest/inject.h"
#include "tools/names.h"
#include "tools/program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define IMAGE_SIZE (4u << 20)
#define QUEUES 2

/* --- io_uring is forbidden --- */

static void forbid_io_uring(void)
{
    forbid_call(SYS_io_uring_setup, EPERM);
}

/* --- what this host allows, sandbox or not --- */

static gboolean host_has_io_uring(void)
{
    struct io_uring_params parameters = {0};
    int fd = (int)syscall(SYS_io_uring_setup, 1, &parameters);

    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static gboolean host_has_userfaultfd(void)
{
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

/* --- everything that it offers --- */

typedef struct Rig {
    ToolNames *names;
    ToolProgram *program;
} Rig;

static Rig *rig_new(gboolean io_uring, const char *arguments)
{
    const ChildOptions options = {.prepare = io_uring ? NULL : forbid_io_uring};
    Rig *rig = g_new0(Rig, 1);

    rig->names = tool_names_new();
    rig->names->image = blk_image("disk", IMAGE_SIZE);
    rig->program = tool_program_start(
        &options, "--blk-file %s --socket-path %s --pidfile %s --num-queues %u %s",
        rig->names->image, rig->names->socket, rig->names->pidfile, QUEUES, arguments);
    return rig;
}

static void rig_end(Rig *rig)
{
    tool_program_end(rig->program);
    g_assert_false(tool_name_exists(rig->names->socket));
    g_assert_false(tool_name_exists(rig->names->pidfile));
    tool_names_free(rig->names);
    g_free(rig);
}

static void expect(BlkGuest *guest, guint queue, guint32 type, guint64 sector, void *data,
                   guint32 size)
{
    guint8 status = blk_guest_do(guest, queue, type, sector, data, size);

    if (status != VIRTIO_BLK_S_OK) {
        tool_program_fail("request of type %u at sector %" G_GUINT64_FORMAT ": status %u", type,
                          sector, status);
    }
}

/* Each type of request, and the bytes that it leaves. */
static void drive_requests(BlkGuest *guest, guint queue)
{
    g_autofree char *pattern = g_malloc(BLK_GUEST_DATA);
    g_autofree char *bytes = g_malloc(BLK_GUEST_DATA);
    struct virtio_blk_discard_write_zeroes range = {.sector = 64, .num_sectors = 64};
    char serial[20];

    memset(pattern, 0x5a, BLK_GUEST_DATA);
    memcpy(bytes, pattern, BLK_GUEST_DATA);
    expect(guest, queue, VIRTIO_BLK_T_OUT, 64, bytes, BLK_GUEST_DATA);
    expect(guest, queue, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
    memset(bytes, 0, BLK_GUEST_DATA);
    expect(guest, queue, VIRTIO_BLK_T_IN, 64, bytes, BLK_GUEST_DATA);
    g_assert_cmpmem(bytes, BLK_GUEST_DATA, pattern, BLK_GUEST_DATA);
    expect(guest, queue, VIRTIO_BLK_T_WRITE_ZEROES, 0, &range, sizeof(range));
    expect(guest, queue, VIRTIO_BLK_T_IN, 64, bytes, BLK_GUEST_DATA);
    g_assert_cmpint(bytes[0], ==, 0);
    g_assert_cmpint(bytes[64 * 512 - 1], ==, 0);
    g_assert_cmpint(bytes[64 * 512], ==, 0x5a);
    range = (struct virtio_blk_discard_write_zeroes){
        .sector = 128, .num_sectors = 64, .flags = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP};
    expect(guest, queue, VIRTIO_BLK_T_WRITE_ZEROES, 0, &range, sizeof(range));
    expect(guest, queue, VIRTIO_BLK_T_IN, 128, bytes, 4096);
    g_assert_cmpint(bytes[0], ==, 0);
    range.flags = 0;
    expect(guest, queue, VIRTIO_BLK_T_DISCARD, 0, &range, sizeof(range));
    expect(guest, queue, VIRTIO_BLK_T_GET_ID, 0, serial, sizeof(serial));
    g_assert_cmpmem(serial, 7, "sandbox", 7);
    g_assert_cmpuint(blk_guest_do(guest, queue, 99, 0, NULL, 0), ==, VIRTIO_BLK_S_UNSUPP);
}

/* All slots at once, so that requests are waited for in batches. */
static void drive_batch(BlkGuest *guest, guint queue)
{
    guint depth = guest->options.depth;

    for (guint slot = 0; slot < depth; slot++) {
        blk_guest_submit(guest, queue, slot, VIRTIO_BLK_T_IN, 8 * slot, 4096);
    }
    for (guint i = 0; i < depth; i++) {
        int slot = blk_guest_collect(guest, queue, 20000);
        g_assert_cmpint(slot, >=, 0);
        g_assert_cmpuint(blk_guest_status(guest, queue, (guint)slot), ==, VIRTIO_BLK_S_OK);
    }
}

static void drive_memory(BlkGuest *guest)
{
    VhostUserGuestMemory *more = vhost_user_guest_memory_new(1ull << 40, 1 << 20, 64, 1 << 20);

    for (guint i = 0; i < more->count; i++) {
        blk_guest_check(guest, vhost_user_front_end_add_region(guest->front, &more->areas[i], NULL),
                        "ADD_MEM_REG");
    }
    drive_batch(guest, 0);
    for (guint i = 0; i < more->count; i++) {
        blk_guest_check(guest, vhost_user_front_end_remove_region(guest->front, &more->areas[i]),
                        "REM_MEM_REG");
    }
    vhost_user_guest_memory_free(more);
}

/* The configuration space, the write cache, the in-flight buffer, the dirty log. */
static void drive_protocol(BlkGuest *guest)
{
    VhostUserInflight inflight = {.num_queues = QUEUES, .queue_size = 128};
    const uint8_t write_through = 0;
    const gsize log_size = 1 << 20;
    int log = memfd_create("log", MFD_CLOEXEC), buffer;

    g_assert_cmpuint(blk_guest_capacity(guest), ==, IMAGE_SIZE / 512);
    blk_guest_check(guest,
                    vhost_user_front_end_set_config(guest->front,
                                                    offsetof(struct virtio_blk_config, wce),
                                                    &write_through, 1, VHOST_USER_CONFIG_WRITABLE),
                    "SET_CONFIG");
    drive_requests(guest, 0);
    blk_guest_check(guest, vhost_user_front_end_get_inflight(guest->front, &inflight, &buffer),
                    "GET_INFLIGHT_FD");
    close(buffer);
    g_assert_cmpint(ftruncate(log, (off_t)log_size), ==, 0);
    blk_guest_check(guest, vhost_user_front_end_set_log(guest->front, log, log_size, 0),
                    "SET_LOG_BASE");
    close(log);
    drive_requests(guest, 0);
}

/* A region that comes while a post-copy migration listens is registered with userfaultfd. */
static void drive_post_copy(BlkGuest *guest)
{
    VhostUserGuestMemory *more = vhost_user_guest_memory_new(1ull << 41, 1 << 20, 1, 0);
    VhostUserFrontEndMessage message;
    uint64_t address = 0, ended = 1;

    if (!host_has_userfaultfd()) {
        g_test_message("this host has no userfaultfd for us: post-copy is left out");
        vhost_user_guest_memory_free(more);
        return;
    }
    blk_guest_check(guest,
                    vhost_user_front_end_transact(guest->front, VHOST_USER_POSTCOPY_ADVISE, NULL, 0,
                                                  NULL, 0, &message),
                    "POSTCOPY_ADVISE");
    g_assert_cmpuint(message.fd_count, ==, 1);
    vhost_user_front_end_message_clear(&message);
    blk_guest_check(guest, vhost_user_front_end_command(guest->front, VHOST_USER_POSTCOPY_LISTEN),
                    "POSTCOPY_LISTEN");
    blk_guest_check(guest, vhost_user_front_end_add_region(guest->front, &more->areas[0], &address),
                    "ADD_MEM_REG");
    g_assert_cmpuint(address, !=, 0);
    blk_guest_check(guest, vhost_user_front_end_get(guest->front, VHOST_USER_POSTCOPY_END, &ended),
                    "POSTCOPY_END");
    g_assert_cmpuint(ended, ==, 0);
    blk_guest_check(guest, vhost_user_front_end_remove_region(guest->front, &more->areas[0]),
                    "REM_MEM_REG");
    vhost_user_guest_memory_free(more);
}

static void drive_statistics(Rig *rig)
{
    guint before = tool_program_count(rig->program, "interrupts-spared: ");

    tool_program_signal(rig->program, SIGUSR1);
    for (guint i = 0; tool_program_count(rig->program, "interrupts-spared: ") == before; i++) {
        g_assert_cmpuint(i, <, 4000);
        g_usleep(5000);
    }
}

static void drive_resize(Rig *rig, BlkGuest *guest)
{
    VhostUserFrontEndMessage message;

    blk_guest_check(guest, vhost_user_front_end_open_channel(guest->front), "channel");
    g_assert_cmpint(truncate(rig->names->image, IMAGE_SIZE * 2), ==, 0);
    tool_program_signal(rig->program, SIGHUP);
    blk_guest_check(guest, vhost_user_front_end_receive_request(guest->front, &message), "resize");
    g_assert_cmpuint(blk_guest_capacity(guest), ==, IMAGE_SIZE * 2 / 512);
    g_assert_cmpint(truncate(rig->names->image, IMAGE_SIZE), ==, 0);
    tool_program_signal(rig->program, SIGHUP);
    blk_guest_check(guest, vhost_user_front_end_receive_request(guest->front, &message), "resize");
}

/* One front end after the other, with each form of ring. */
static void drive(Rig *rig)
{
    for (guint i = 0; i < 4; i++) {
        const BlkGuestOptions options = {.queues = QUEUES, .packed = i & 1, .indirect = i & 2};
        BlkGuest *guest = blk_guest_connect(rig->names->socket, &options);

        for (guint queue = 0; queue < QUEUES; queue++) {
            drive_requests(guest, queue);
            drive_batch(guest, queue);
        }
        drive_memory(guest);
        drive_post_copy(guest);
        drive_resize(rig, guest);
        drive_statistics(rig);
        drive_protocol(guest);
        blk_guest_leave(guest);
    }
}

static void test_everything(gconstpointer arguments)
{
    gboolean io_uring = !g_str_has_prefix(arguments, "--serial=sandbox --stats");
    Rig *rig = rig_new(io_uring, arguments);

    drive(rig);
    guint warnings = io_uring && host_has_io_uring() ? 0 : 1;
    if (tool_program_count(rig->program, "warning: ") != warnings ||
        tool_program_count(rig->program, "io_uring") != warnings) {
        tool_program_fail("not the warnings expected");
    }
    rig_end(rig);
}

/* --- nothing else --- */

static void check_threads(pid_t pid, guint64 mode)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task", pid);
    g_autoptr(GDir) tasks = g_dir_open(path, 0, NULL);
    const char *name;
    guint count = 0;

    while ((name = g_dir_read_name(tasks))) {
        g_autofree char *status = g_strdup_printf("task/%s/status", name);
        g_assert_cmpuint(process_number(pid, status, "Seccomp"), ==, mode);
        count++;
    }
    g_assert_cmpuint(count, >, QUEUES);
}

/* Calls that somebody who took the program over would want; arguments as good as they can be. */
static const struct {
    const char *name;
    long number;
    unsigned long arguments[6];
} wanted[] = {
    {"openat", SYS_openat, {(unsigned long)AT_FDCWD, 0, O_RDONLY}},
    {"open", SYS_open, {0, O_RDONLY}},
    {"unlink", SYS_unlink, {0}},
    {"socket", SYS_socket, {AF_UNIX, SOCK_STREAM}},
    {"connect", SYS_connect, {0}},
    {"execve", SYS_execve, {0}},
    {"execveat", SYS_execveat, {0}},
    {"fork", SYS_fork, {0}},
    {"kill", SYS_kill, {0, 0}},
    {"tgkill of another", SYS_tgkill, {1, 1, 0}},
    {"ptrace", SYS_ptrace, {0}},
    {"io_uring_setup", SYS_io_uring_setup, {1, 0}},
    {"process_vm_readv", SYS_process_vm_readv, {0}},
    {"mmap of code",
     SYS_mmap,
     {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, (unsigned long)-1}},
    {"ioctl TIOCSTI", SYS_ioctl, {0, 0x5412, 0}},
};

/* FALSE if the host lets us trace no child. */
static gboolean check_refused(pid_t pid)
{
    static const unsigned long none[6];
    g_autoptr(GError) error = NULL;
    long result;

    if (!inject_call(pid, SYS_getpid, none, &result, &error)) {
        g_test_skip(error->message);
        return FALSE;
    }
    g_assert_cmpint(result, ==, pid); /* the way is good */
    for (guint i = 0; i < G_N_ELEMENTS(wanted); i++) {
        g_assert_true(inject_call(pid, wanted[i].number, wanted[i].arguments, &result, &error));
        if (result != -EPERM) {
            vmm_fail("%s: %ld", wanted[i].name, result);
        }
    }
    return TRUE;
}

static void test_refused(void)
{
    Rig *rig = rig_new(TRUE, "--sandbox");
    BlkGuest *guest = blk_guest_connect(rig->names->socket, NULL);
    char data[512];

    expect(guest, 0, VIRTIO_BLK_T_IN, 1, data, sizeof(data));
    check_threads(rig->program->pid, SECCOMP_MODE_FILTER);
    if (check_refused(rig->program->pid)) {
        expect(guest, 0, VIRTIO_BLK_T_IN, 2, data, sizeof(data));
    }
    blk_guest_leave(guest);
    rig_end(rig);
}

/* Without --sandbox none of that holds, so the test above can fail. */
static void test_open(void)
{
    Rig *rig = rig_new(TRUE, "");
    BlkGuest *guest = blk_guest_connect(rig->names->socket, NULL);
    const unsigned long arguments[6] = {(unsigned long)AT_FDCWD, 0, O_RDONLY};
    g_autoptr(GError) error = NULL;
    char data[512];
    long result;

    expect(guest, 0, VIRTIO_BLK_T_IN, 1, data, sizeof(data));
    check_threads(rig->program->pid, SECCOMP_MODE_DISABLED);
    if (inject_call(rig->program->pid, SYS_openat, arguments, &result, &error)) {
        g_assert_cmpint(result, ==, -EFAULT);
    } else {
        g_test_skip(error->message);
    }
    blk_guest_leave(guest);
    rig_end(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/vhost-user-blk/everything/plain", "--serial=sandbox", test_everything);
    g_test_add_data_func("/vhost-user-blk/everything/sandbox", "--serial=sandbox --sandbox",
                         test_everything);
    g_test_add_data_func("/vhost-user-blk/everything/sandbox-direct",
                         "--serial=sandbox --sandbox --direct", test_everything);
    g_test_add_data_func("/vhost-user-blk/everything/no-io-uring", "--serial=sandbox --stats",
                         test_everything);
    g_test_add_data_func("/vhost-user-blk/everything/no-io-uring-sandbox",
                         "--serial=sandbox --stats --sandbox", test_everything);
    g_test_add_func("/vhost-user-blk/sandbox/refused", test_refused);
    g_test_add_func("/vhost-user-blk/sandbox/open", test_open);
    return g_test_run();
}
