/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk over a block device: all requests against a model, a new size, one program at a time, and
 * writes that go on when the program is killed.
 */
#include "qtest/forbid.h"
#include "qtest/vmm.h"
#include "tools/blk-guest.h"
#include "tools/loop-device.h"
#include "tools/program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECTOR 512u
#define IMAGE_SIZE (1u << 20)
#define PAGE 4096u

typedef struct Rig {
    char *file, *socket;
    LoopDevice *device;
    const char *arguments;
    ToolProgram *program;
    BlkGuest *guest;
    guint8 *model;
    gsize size; /* of file, device and model */
} Rig;

static void forbid_io_uring(void)
{
    forbid_call(SYS_io_uring_setup, EPERM);
}

static void rig_start_program(Rig *rig, const ChildOptions *options)
{
    rig->program = tool_program_start(options, "--blk-file %s --socket-path %s --log info %s",
                                      rig->device->path, rig->socket, rig->arguments);
    tool_program_expect(rig->program, "ready\n");
    rig->guest = blk_guest_connect(rig->socket, NULL);
}

/* NULL, with the test skipped, where there are no loop devices. */
static Rig *rig_new(guint block_size, const char *arguments)
{
    g_autofree char *file = blk_image("backing", IMAGE_SIZE);
    LoopDevice *device = loop_device_new(file, block_size);

    if (!device) {
        unlink(file);
        return NULL;
    }
    Rig *rig = g_new0(Rig, 1);
    rig->file = g_steal_pointer(&file);
    rig->device = device;
    rig->socket = vmm_temporary_path("socket");
    rig->arguments = arguments;
    g_assert_true(g_file_get_contents(rig->file, (char **)&rig->model, &rig->size, NULL));
    return rig;
}

/* Guest and program have ended. */
static void rig_free(Rig *rig)
{
    g_autofree char *bytes = NULL;
    gsize size;

    loop_device_free(rig->device);
    g_assert_true(g_file_get_contents(rig->file, &bytes, &size, NULL));
    g_assert_cmpuint(size, ==, rig->size);
    for (gsize i = 0; i < size; i++) {
        if ((guint8)bytes[i] != rig->model[i]) {
            vmm_fail("byte %zu is 0x%02x, not 0x%02x", i, (guint8)bytes[i], rig->model[i]);
        }
    }
    unlink(rig->file);
    g_free(rig->file);
    g_free(rig->socket);
    g_free(rig->model);
    g_free(rig);
}

/* --- requests --- */

static void expect(Rig *rig, guint32 type, guint64 sector, void *data, guint32 size)
{
    guint8 status = blk_guest_do(rig->guest, 0, type, sector, data, size);

    if (status != VIRTIO_BLK_S_OK) {
        tool_program_fail("request of type %u at sector %" G_GUINT64_FORMAT ": status %u", type,
                          sector, status);
    }
}

static void write_random(Rig *rig, guint64 sector, guint32 size)
{
    guint8 *model = rig->model + sector * SECTOR;

    for (guint i = 0; i < size; i++) {
        model[i] = (guint8)g_test_rand_int();
    }
    g_autofree guint8 *data = g_memdup2(model, size);
    expect(rig, VIRTIO_BLK_T_OUT, sector, data, size);
}

static void read_back(Rig *rig, guint64 sector, guint32 size)
{
    g_autofree guint8 *data = g_malloc0(size);

    expect(rig, VIRTIO_BLK_T_IN, sector, data, size);
    g_assert_cmpmem(data, size, rig->model + sector * SECTOR, size);
}

/* What was discarded may be anything (virtio 1.2, 5.2.6.2); a loop device makes it zeroes or
 * leaves it. */
static void discard(Rig *rig, guint64 sector, guint32 size)
{
    struct virtio_blk_discard_write_zeroes range = {.sector = sector, .num_sectors = size / SECTOR};
    guint8 *model = rig->model + sector * SECTOR;
    g_autofree guint8 *data = g_malloc0(size);

    expect(rig, VIRTIO_BLK_T_DISCARD, 0, &range, sizeof(range));
    expect(rig, VIRTIO_BLK_T_IN, sector, data, size);
    for (guint i = 0; i < size; i++) {
        g_assert_true(data[i] == 0 || data[i] == model[i]);
    }
    memcpy(model, data, size);
}

static void write_zeroes(Rig *rig, guint64 sector, guint32 size, gboolean unmap)
{
    struct virtio_blk_discard_write_zeroes range = {
        .sector = sector,
        .num_sectors = size / SECTOR,
        .flags = unmap ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0};

    expect(rig, VIRTIO_BLK_T_WRITE_ZEROES, 0, &range, sizeof(range));
    memset(rig->model + sector * SECTOR, 0, size);
}

/* @unit: bytes; ranges are multiples of it. */
static void random_request(Rig *rig, guint unit)
{
    gint32 units = (gint32)(rig->size / unit), most = (gint32)(BLK_GUEST_DATA / unit);
    gint32 first = g_test_rand_int_range(0, units);
    guint32 size = (guint32)g_test_rand_int_range(1, MIN(units - first, most) + 1) * unit;
    guint64 sector = (guint64)first * unit / SECTOR;

    switch (g_test_rand_int_range(0, 7)) {
    case 0:
    case 1:
        write_random(rig, sector, size);
        break;
    case 2:
    case 3:
        read_back(rig, sector, size);
        break;
    case 4:
        discard(rig, sector, size);
        break;
    case 5:
        write_zeroes(rig, sector, size, g_test_rand_int_range(0, 2));
        break;
    default:
        expect(rig, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
        break;
    }
}

static void resize(Rig *rig, gsize size)
{
    VhostUserFrontEndMessage message;

    g_assert_cmpint(truncate(rig->file, (off_t)size), ==, 0);
    loop_device_resize(rig->device);
    tool_program_signal(rig->program, SIGHUP);
    blk_guest_check(rig->guest, vhost_user_front_end_receive_request(rig->guest->front, &message),
                    "notification");
    g_assert_cmpuint(message.header.request, ==, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG);
    vhost_user_front_end_message_clear(&message);
    g_assert_cmpuint(blk_guest_capacity(rig->guest), ==, size / SECTOR);
    rig->model = g_realloc(rig->model, size);
    if (size > rig->size) {
        memset(rig->model + rig->size, 0, size - rig->size);
    }
    rig->size = size;
}

static void drive(Rig *rig, guint unit)
{
    char serial[20], data[PAGE] = {0};

    expect(rig, VIRTIO_BLK_T_GET_ID, 0, serial, sizeof(serial));
    g_assert_cmpmem(serial, 4, "loop", 4);
    for (guint i = 0; i < 100; i++) {
        random_request(rig, unit);
    }
    blk_guest_check(rig->guest, vhost_user_front_end_open_channel(rig->guest->front), "channel");
    resize(rig, IMAGE_SIZE * 2);
    write_random(rig, IMAGE_SIZE * 2 / SECTOR - 8, PAGE);
    for (guint i = 0; i < 30; i++) {
        random_request(rig, unit);
    }
    resize(rig, IMAGE_SIZE / 2);
    g_assert_cmpuint(
        blk_guest_do(rig->guest, 0, VIRTIO_BLK_T_IN, IMAGE_SIZE / 2 / SECTOR, data, PAGE), ==,
        VIRTIO_BLK_S_IOERR);
    read_back(rig, IMAGE_SIZE / 2 / SECTOR - 8, PAGE);
}

typedef struct Case {
    const char *name;
    const char *arguments;
    guint block_size, unit;
    gboolean no_io_uring;
} Case;

static const Case cases[] = {
    {"plain", "--serial loop", 512, 512, FALSE},
    {"large-blocks", "--serial loop", 4096, 4096, FALSE},
    {"sandbox", "--serial loop --sandbox", 512, 512, FALSE},
    {"direct", "--serial loop --direct", 512, 512, FALSE},
    {"direct-large-blocks", "--serial loop --cache none", 4096, 4096, FALSE},
    {"sandbox-direct", "--serial loop --sandbox --direct", 512, 512, FALSE},
    {"no-io-uring-sandbox-direct", "--serial loop --sandbox --direct", 512, 512, TRUE},
};

static void test_everything(gconstpointer data)
{
    const Case *what = data;
    const ChildOptions options = {.prepare = what->no_io_uring ? forbid_io_uring : NULL};
    Rig *rig = rig_new(what->block_size, what->arguments);

    if (!rig) {
        return;
    }
    rig_start_program(rig, &options);
    drive(rig, what->unit);
    blk_guest_leave(rig->guest);
    tool_program_end(rig->program);
    rig_free(rig);
}

/* --- one program at a time --- */

/* Runs another over the same device, which is to be refused with @text. */
static void expect_refused(Rig *rig, const char *text)
{
    g_autofree char *output = NULL, *errors = NULL;
    int status = tool_program_run(&output, &errors, "--blk-file %s --socket-path %s.other %s",
                                  rig->device->path, rig->socket, rig->arguments);

    g_assert_cmpint(status, ==, 1);
    if (!strstr(errors, rig->device->path) || !strstr(errors, text)) {
        vmm_fail("no '%s' in: %s", text, errors);
    }
}

/* One that runs is in the way, one that was killed or has ended is not. */
static void test_exclusive(gconstpointer arguments)
{
    Rig *rig = rig_new(SECTOR, arguments);

    if (!rig) {
        return;
    }
    for (guint i = 0; i < 4; i++) {
        rig_start_program(rig, NULL);
        write_random(rig, i, SECTOR);
        if (i == 0) {
            expect_refused(rig, "in use by another program");
        }
        if (i % 2) {
            blk_guest_leave(rig->guest);
            tool_program_end(rig->program);
        } else {
            tool_program_signal(rig->program, SIGKILL);
            tool_program_wait(rig->program);
            blk_guest_free(rig->guest);
        }
    }
    unlink(rig->socket);
    rig_free(rig);
}

/* --- writes that go on --- */

/*
 * A process whose write(2) to the file does not end: its buffer is a page that userfaultfd(2) keeps
 * back, so that all other writes, a loop device's among them, wait behind it.  It ends by itself
 * when the test has forgotten it: until then not even the file's name can be removed.
 */
#define OBSTACLE_SECONDS 15

G_NORETURN static void be_obstacle(int file, int ready)
{
    struct uffdio_api api = {.api = UFFD_API};
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_register range = {.range = {(guintptr)page, PAGE},
                                    .mode = UFFDIO_REGISTER_MODE_MISSING};
    int fault = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

    alarm(OBSTACLE_SECONDS);
    if (fault >= 0 && ioctl(fault, UFFDIO_API, &api) == 0 &&
        ioctl(fault, UFFDIO_REGISTER, &range) == 0 && write(ready, "", 1) == 1) {
        _exit(pwrite(file, page, PAGE, 0) == PAGE);
    }
    _exit(1);
}

static void wait_for_write(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/syscall", pid);
    g_autofree char *write_call = g_strdup_printf("%d ", SYS_pwrite64);

    for (guint i = 0; i < 4000; i++) {
        g_autofree char *text = NULL;

        /* "running" while it does not wait, proc(5) */
        if (g_file_get_contents(path, &text, NULL, NULL) && g_str_has_prefix(text, write_call)) {
            return;
        }
        g_usleep(2000);
    }
    vmm_fail("the process that is to be in the way is not");
}

/* 0, with the test skipped, if the machine lets us do no such thing. */
static pid_t obstacle_begin(const Rig *rig)
{
    int file = open(rig->file, O_WRONLY | O_CLOEXEC), ready[2];
    char byte;

    g_assert_cmpint(file, >=, 0);
    g_assert_cmpint(pipe2(ready, O_CLOEXEC), ==, 0);
    pid_t pid = fork();
    g_assert_cmpint(pid, >=, 0);
    if (pid == 0) {
        close(ready[0]);
        be_obstacle(file, ready[1]);
    }
    close(file);
    close(ready[1]);
    gboolean good = read(ready[0], &byte, 1) == 1;
    close(ready[0]);
    if (!good) {
        waitpid(pid, NULL, 0);
        g_test_skip("no userfaultfd for the kernel's faults");
        return 0;
    }
    wait_for_write(pid);
    return pid;
}

/* It ends, having written nothing. */
static void obstacle_end(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFSIGNALED(status));
    g_assert_cmpint(WTERMSIG(status), ==, SIGKILL); /* not its alarm */
}

static void wait_in_flight(const Rig *rig)
{
    for (guint i = 0; loop_device_in_flight(rig->device) == 0; i++) {
        g_assert_cmpuint(i, <, 4000);
        g_usleep(5000);
    }
}

/*
 * The program is killed while the device has a write of it.  The next one would do it again, and
 * more, before the device comes to it: it is refused until the write has ended, and then starts.
 */
static void test_late_write(gconstpointer arguments)
{
    Rig *rig = rig_new(SECTOR, arguments);
    pid_t obstacle;

    if (!rig) {
        return;
    }
    rig_start_program(rig, NULL);
    obstacle = obstacle_begin(rig);
    if (obstacle) {
        memset(blk_guest_data(rig->guest, 0, 0), 0x3c, PAGE);
        blk_guest_submit(rig->guest, 0, 0, VIRTIO_BLK_T_OUT, 8, PAGE);
        wait_in_flight(rig);
        tool_program_signal(rig->program, SIGKILL);
        g_assert_true(WIFSIGNALED(tool_program_wait(rig->program)));
        g_assert_cmpuint(loop_device_in_flight(rig->device), >, 0);
        expect_refused(rig, "requests of a process that was killed are still under way");
        obstacle_end(obstacle);
        blk_guest_free(rig->guest);
        memset(rig->model + PAGE, 0x3c, PAGE);
        rig_start_program(rig, NULL);
        read_back(rig, 8, PAGE);
    }
    blk_guest_leave(rig->guest);
    tool_program_end(rig->program);
    rig_free(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path =
            g_strconcat("/vhost-user-blk/device/everything/", cases[i].name, NULL);
        g_test_add_data_func(path, &cases[i], test_everything);
    }
    g_test_add_data_func("/vhost-user-blk/device/exclusive", "", test_exclusive);
    g_test_add_data_func("/vhost-user-blk/device/exclusive-direct", "--sandbox --direct",
                         test_exclusive);
    g_test_add_data_func("/vhost-user-blk/device/late-write", "--direct", test_late_write);
    g_test_add_data_func("/vhost-user-blk/device/late-write-sandbox", "--direct --sandbox",
                         test_late_write);
    return g_test_run();
}
