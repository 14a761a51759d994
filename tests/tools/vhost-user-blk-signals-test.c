/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals: the end under load, with everything flushed; a new size and the guest that learns of
 * it; statistics; and the log that they go to.
 */
#include "qtest/forbid.h"
#include "qtest/vmm.h"
#include "tools/blk-guest.h"
#include "tools/names.h"
#include "tools/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define IMAGE_SIZE (4u << 20)
#define SECTORS (IMAGE_SIZE / 512)
#define QUEUES 2
#define DEPTH 32
#define WRITE_SIZE 4096u
#define WRITE_SECTORS (WRITE_SIZE / 512)
#define MILLISECONDS 20000

typedef struct Rig {
    ToolNames *names;
    ToolProgram *program;
    BlkGuest *guest;
} Rig;

static Rig *rig_new(const BlkGuestOptions *guest, const char *arguments)
{
    Rig *rig = g_new0(Rig, 1);

    rig->names = tool_names_new();
    rig->names->image = blk_image("disk", IMAGE_SIZE);
    rig->program = tool_program_start(NULL, "--blk-file %s --socket-path %s --num-queues %u %s",
                                      rig->names->image, rig->names->socket, QUEUES, arguments);
    rig->guest = blk_guest_connect(rig->names->socket, guest);
    return rig;
}

/* The program has been waited for. */
static void rig_free(Rig *rig)
{
    g_assert_false(tool_name_exists(rig->names->socket));
    blk_guest_free(rig->guest);
    tool_names_free(rig->names);
    g_free(rig);
}

/* --- the end under load --- */

/* Writes under way and done: the request of slot s writes @value to block @block. */
typedef struct Load {
    guint64 block[QUEUES][DEPTH], value[QUEUES][DEPTH];
    guint64 done[SECTORS / WRITE_SECTORS]; /* what an answered write has left in a block */
    guint64 next;
    guint answered;
} Load;

static void submit_write(Rig *rig, Load *load, guint queue, guint slot)
{
    /* Each slot has blocks of its own, so that the order of writes is known. */
    guint64 block = (load->next / (QUEUES * DEPTH)) % (G_N_ELEMENTS(load->done) / (QUEUES * DEPTH));
    guint64 *words = blk_guest_data(rig->guest, queue, slot);

    load->block[queue][slot] = block * QUEUES * DEPTH + queue * DEPTH + slot;
    load->value[queue][slot] = ++load->next;
    for (guint i = 0; i < WRITE_SIZE / sizeof(*words); i++) {
        words[i] = load->next;
    }
    blk_guest_submit(rig->guest, queue, slot, VIRTIO_BLK_T_OUT,
                     load->block[queue][slot] * WRITE_SECTORS, WRITE_SIZE);
}

/* Returns FALSE when nothing more is answered. */
static gboolean collect_write(Rig *rig, Load *load, guint queue, int milliseconds, gboolean again)
{
    int slot = blk_guest_collect(rig->guest, queue, milliseconds);

    if (slot < 0) {
        return FALSE;
    }
    g_assert_cmpuint(blk_guest_status(rig->guest, queue, (guint)slot), ==, VIRTIO_BLK_S_OK);
    load->done[load->block[queue][slot]] = load->value[queue][slot];
    load->answered++;
    if (again) {
        submit_write(rig, load, queue, (guint)slot);
    }
    return TRUE;
}

/* Each block holds the value of the last answered write to it, or of one under way: whole. */
static void check_image(const Rig *rig, const Load *load)
{
    g_autofree guint64 *words = g_malloc(WRITE_SIZE);
    int fd = open(rig->names->image, O_RDONLY | O_CLOEXEC);

    for (guint block = 0; block < G_N_ELEMENTS(load->done); block++) {
        g_assert_cmpint(pread(fd, words, WRITE_SIZE, (off_t)block * WRITE_SIZE), ==, WRITE_SIZE);
        if (load->done[block]) {
            g_assert_cmpuint(words[0], ==, load->done[block]);
            g_assert_cmpuint(words[WRITE_SIZE / sizeof(*words) - 1], ==, words[0]);
        }
    }
    close(fd);
}

/*
 * SIGTERM while all queues are full: every request that was taken is answered and in the image,
 * the program ends with status 0, and what it had not taken stays in the ring.
 */
static void test_end_under_load(gconstpointer arguments)
{
    const BlkGuestOptions options = {.queues = QUEUES, .depth = DEPTH};
    Rig *rig = rig_new(&options, arguments);
    g_autofree Load *load = g_new0(Load, 1);

    for (guint slot = 0; slot < QUEUES * DEPTH; slot++) {
        submit_write(rig, load, slot % QUEUES, slot / QUEUES);
    }
    while (load->answered < 2000) {
        for (guint queue = 0; queue < QUEUES; queue++) {
            g_assert_true(collect_write(rig, load, queue, MILLISECONDS, TRUE));
        }
    }
    tool_program_signal(rig->program, strstr(arguments, "info") ? SIGINT : SIGTERM);
    int copy = dup(rig->program->output);
    tool_program_wait_success(rig->program);
    g_autofree char *output = child_read(copy);
    close(copy);
    for (guint queue = 0; queue < QUEUES; queue++) {
        while (collect_write(rig, load, queue, 0, FALSE)) {
        }
        g_assert_null(vhost_user_driver_queue_error(rig->guest->queues[queue]));
    }
    check_image(rig, load);
    g_autofree char *requests = g_strdup_printf("write-requests: %u\n", load->answered);
    g_assert_nonnull(strstr(output, requests)); /* of --stats */
    rig_free(rig);
}

/* Whatever a front end is at, or without one, the end comes at once. */
static void test_end_idle(void)
{
    const VhostUserHeader half = {VHOST_USER_SET_FEATURES, VHOST_USER_VERSION, 8};
    const gsize sizes[] = {0, 5, sizeof(half)};

    for (guint i = 0; i <= G_N_ELEMENTS(sizes); i++) {
        g_autofree char *image = blk_image("disk", IMAGE_SIZE);
        g_autofree char *socket = vmm_temporary_path("socket");
        ToolProgram *program =
            tool_program_start(NULL, "--blk-file %s --socket-path %s --log info", image, socket);
        VhostUserFrontEnd *front = vhost_user_front_end_connect(socket, MILLISECONDS);

        tool_program_expect(program, "front end connected");
        if (i < G_N_ELEMENTS(sizes)) {
            vhost_user_front_end_send_bytes(front, &half, sizes[i], NULL, 0);
        } else {
            vhost_user_front_end_free(front);
            front = NULL;
            tool_program_expect(program, "front end left");
        }
        tool_program_end(program);
        vhost_user_front_end_free(front);
        unlink(image);
    }
}

static void forbid_fdatasync(void)
{
    forbid_call(SYS_fdatasync, EIO);
}

/* On a host where nothing can be made stable the end says so, unless nobody asked for it. */
static void test_end_flushes(void)
{
    static const char *const modes[] = {"writeback", "unsafe"};
    const ChildOptions options = {.prepare = forbid_fdatasync};

    for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
        g_autofree char *image = blk_image("disk", IMAGE_SIZE);
        g_autofree char *socket = vmm_temporary_path("socket");
        ToolProgram *program = tool_program_start(
            &options, "--blk-file %s --socket-path %s --cache %s", image, socket, modes[i]);
        BlkGuest *guest = blk_guest_connect(socket, NULL);
        char data[512] = {0};

        g_assert_cmpuint(blk_guest_do(guest, 0, VIRTIO_BLK_T_OUT, 0, data, sizeof(data)), ==,
                         VIRTIO_BLK_S_OK);
        blk_guest_leave(guest);
        tool_program_signal(program, SIGTERM);
        int copy = dup(program->output);
        int status = tool_program_wait(program);
        g_autofree char *output = child_read(copy);
        close(copy);
        g_assert_true(WIFEXITED(status));
        g_assert_cmpint(WEXITSTATUS(status), ==, i == 0 ? 1 : 0);
        g_assert_cmpint(strstr(output, "cannot be made stable") != NULL, ==, i == 0);
        g_assert_false(tool_name_exists(socket));
        unlink(image);
    }
}

/* --- a limit of the host --- */

static void limit_file_size(void)
{
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){IMAGE_SIZE / 2, IMAGE_SIZE / 2});
}

/* Writes past the limit of a file's size, which kill a program that does nothing about it, are
 * answered with errors, of which the log tells the first; all else goes on. */
static void test_file_size_limit(gconstpointer arguments)
{
    const ChildOptions options = {.prepare = limit_file_size};
    g_autofree char *image = blk_image("disk", IMAGE_SIZE);
    g_autofree char *socket = vmm_temporary_path("socket");
    ToolProgram *program = tool_program_start(&options, "--blk-file %s --socket-path %s %s", image,
                                              socket, (const char *)arguments);
    BlkGuest *guest = blk_guest_connect(socket, NULL);
    char data[4096] = {0};

    for (guint i = 0; i < 3; i++) {
        g_assert_cmpuint(
            blk_guest_do(guest, 0, VIRTIO_BLK_T_OUT, SECTORS / 2 + 8 * i, data, sizeof(data)), ==,
            VIRTIO_BLK_S_IOERR);
        g_assert_cmpuint(
            blk_guest_do(guest, 0, VIRTIO_BLK_T_OUT, SECTORS / 2 - 8, data, sizeof(data)), ==,
            VIRTIO_BLK_S_OK);
        g_assert_cmpuint(blk_guest_do(guest, 0, VIRTIO_BLK_T_IN, SECTORS - 8, data, sizeof(data)),
                         ==, VIRTIO_BLK_S_OK);
    }
    g_autofree char *warning =
        g_strdup_printf("warning: %s: write %u 4096: File too large\n", image, SECTORS / 2);
    g_assert_cmpuint(tool_program_count(program, warning), ==, 1);
    g_assert_cmpuint(tool_program_count(program, "File too large"), ==, 1);
    blk_guest_leave(guest);
    tool_program_end(program);
    unlink(image);
}

/* --- its new size --- */

static void resize(const Rig *rig, off_t size)
{
    g_assert_cmpint(truncate(rig->names->image, size), ==, 0);
    tool_program_signal(rig->program, SIGHUP);
}

static void expect_config_change(Rig *rig, guint64 capacity)
{
    VhostUserFrontEndMessage message;

    blk_guest_check(rig->guest, vhost_user_front_end_receive_request(rig->guest->front, &message),
                    "notification");
    g_assert_cmpuint(message.header.request, ==, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG);
    vhost_user_front_end_message_clear(&message);
    g_assert_cmpuint(blk_guest_capacity(rig->guest), ==, capacity);
}

static void test_resize(gconstpointer arguments)
{
    Rig *rig = rig_new(NULL, arguments);
    guint64 words[64] = {17};

    blk_guest_check(rig->guest, vhost_user_front_end_open_channel(rig->guest->front), "channel");
    g_assert_cmpuint(blk_guest_capacity(rig->guest), ==, SECTORS);
    g_assert_cmpuint(blk_guest_do(rig->guest, 0, VIRTIO_BLK_T_OUT, SECTORS, words, sizeof(words)),
                     ==, VIRTIO_BLK_S_IOERR);
    resize(rig, IMAGE_SIZE * 2);
    expect_config_change(rig, SECTORS * 2);
    g_assert_cmpuint(blk_guest_do(rig->guest, 0, VIRTIO_BLK_T_OUT, SECTORS, words, sizeof(words)),
                     ==, VIRTIO_BLK_S_OK);
    resize(rig, IMAGE_SIZE / 2);
    expect_config_change(rig, SECTORS / 2);
    g_assert_cmpuint(
        blk_guest_do(rig->guest, 0, VIRTIO_BLK_T_IN, SECTORS / 2, words, sizeof(words)), ==,
        VIRTIO_BLK_S_IOERR);
    /* the same size is no news, and neither is one that cannot be */
    resize(rig, IMAGE_SIZE / 2);
    tool_program_expect(rig->program, "the size is still 2097152 bytes");
    resize(rig, 0);
    tool_program_expect(rig->program, "warning: ");
    struct pollfd poller = {vhost_user_front_end_channel(rig->guest->front), POLLIN, 0};
    g_assert_cmpint(poll(&poller, 1, 0), ==, 0);
    g_assert_cmpuint(blk_guest_capacity(rig->guest), ==, SECTORS / 2);
    tool_program_end(rig->program);
    rig_free(rig);
}

/* Without a front end a new size is there for the next one; without a channel it is said. */
static void test_resize_alone(void)
{
    Rig *rig = rig_new(NULL, "--log info");

    resize(rig, IMAGE_SIZE * 2);
    tool_program_expect(rig->program, "warning: the front end cannot be told of the new size");
    blk_guest_leave(rig->guest);
    tool_program_expect(rig->program, "front end left");
    resize(rig, IMAGE_SIZE);
    tool_program_expect(rig->program, "the size is now 4194304 bytes");
    rig->guest = blk_guest_connect(rig->names->socket, NULL);
    g_assert_cmpuint(blk_guest_capacity(rig->guest), ==, SECTORS);
    tool_program_end(rig->program);
    rig_free(rig);
}

/* --- statistics and the log --- */

/* The number behind "@name: " at the beginning of a line of the program's output, the last one. */
static guint64 statistic(Rig *rig, const char *name)
{
    g_autofree char *lines = tool_program_output(rig->program);
    g_autofree char *output = g_strconcat("\n", lines, NULL);
    g_autofree char *begin = g_strdup_printf("\n%s: ", name);
    char *line = g_strrstr(output, begin);

    if (!line) {
        vmm_fail("no %s in: %s", name, output);
    }
    return g_ascii_strtoull(line + strlen(begin), NULL, 10);
}

static void ask_statistics(Rig *rig)
{
    guint before = tool_program_count(rig->program, "\ninterrupts-spared: ");

    tool_program_signal(rig->program, SIGUSR1);
    for (guint i = 0; i < 4000; i++) {
        if (tool_program_count(rig->program, "\ninterrupts-spared: ") > before) {
            return;
        }
        g_usleep(5000);
    }
    tool_program_fail("no statistics");
}

static void test_statistics(void)
{
    Rig *rig = rig_new(NULL, "--log error");
    char data[4096] = {0};

    for (guint i = 0; i < 10; i++) {
        blk_guest_do(rig->guest, 0, VIRTIO_BLK_T_OUT, i, data, 512);
        blk_guest_do(rig->guest, 0, VIRTIO_BLK_T_IN, i, data, 4096);
    }
    blk_guest_do(rig->guest, 0, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
    g_assert_cmpuint(blk_guest_do(rig->guest, 0, 77, 0, NULL, 0), ==, VIRTIO_BLK_S_UNSUPP);
    ask_statistics(rig);
    g_assert_cmpuint(statistic(rig, "write-requests"), ==, 10);
    g_assert_cmpuint(statistic(rig, "write-bytes"), ==, 5120);
    g_assert_cmpuint(statistic(rig, "read-requests"), ==, 10);
    g_assert_cmpuint(statistic(rig, "read-bytes"), ==, 40960);
    g_assert_cmpuint(statistic(rig, "flush-requests"), ==, 1);
    g_assert_cmpuint(statistic(rig, "errors"), ==, 1);
    g_assert_cmpuint(statistic(rig, "connections"), ==, 1);
    g_assert_cmpuint(statistic(rig, "regions"), ==, 1);
    guint64 lookups = statistic(rig, "lookups"), messages = statistic(rig, "messages");
    g_assert_cmpuint(lookups, >, 0);
    g_assert_cmpuint(statistic(rig, "lookup-hits"), <=, lookups);
    g_assert_cmpuint(messages, >, 5);
    g_assert_cmpuint(statistic(rig, "kicks"), >, 0);
    /* what was counted stays when the front end has left */
    blk_guest_leave(rig->guest);
    rig->guest = blk_guest_connect(rig->names->socket, NULL);
    blk_guest_do(rig->guest, 0, VIRTIO_BLK_T_IN, 0, data, 512);
    ask_statistics(rig);
    g_assert_cmpuint(statistic(rig, "read-requests"), ==, 11);
    g_assert_cmpuint(statistic(rig, "connections"), ==, 2);
    g_assert_cmpuint(statistic(rig, "messages"), >, messages);
    g_assert_cmpuint(statistic(rig, "lookups"), >, lookups);
    g_assert_cmpuint(statistic(rig, "regions-peak"), ==, 1);
    tool_program_end(rig->program);
    rig_free(rig);
}

/* --log debug: each request is in the file before it is done, and stays there when the program is
 * killed; the next one appends. */
static void test_request_log(void)
{
    g_autofree char *image = blk_image("disk", IMAGE_SIZE);
    g_autofree char *socket = vmm_temporary_path("socket");
    g_autofree char *log = vmm_temporary_path("log");
    g_autofree char *text = NULL;
    char data[4096] = {0};

    for (guint i = 0; i < 2; i++) {
        ToolProgram *program = tool_program_start(
            NULL, "--blk-file %s --socket-path %s --log debug --log %s", image, socket, log);
        BlkGuest *guest = blk_guest_connect(socket, NULL);
        blk_guest_do(guest, 0, VIRTIO_BLK_T_OUT, 8 + i, data, 4096);
        blk_guest_do(guest, 0, VIRTIO_BLK_T_IN, 16 + i, data, 512);
        blk_guest_do(guest, 0, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
        g_assert_cmpuint(tool_program_count(program, "write"), ==, 0); /* not to standard error */
        tool_program_signal(program, SIGKILL);
        tool_program_wait(program);
        blk_guest_free(guest);
    }
    g_assert_true(g_file_get_contents(log, &text, NULL, NULL));
    const char *lines[] = {"\nwrite 8 4096\n", "\nread 16 512\n", "\nflush\n",
                           "\nwrite 9 4096\n", "\nread 17 512\n", "\nflush\n"};
    const char *at = text;
    for (guint i = 0; i < G_N_ELEMENTS(lines); i++) {
        at = strstr(at, lines[i]);
        if (!at) {
            vmm_fail("no%sin its place in: %s", lines[i], text);
        }
        at++;
    }
    g_assert_nonnull(strstr(text, "GET_FEATURES")); /* each message, too */
    unlink(socket);
    unlink(log);
}

/* The level says which lines there are. */
static void test_levels(void)
{
    static const struct {
        const char *level;
        guint info, debug;
    } rows[] = {{"error", 0, 0}, {"warning", 0, 0}, {"info", 1, 0}, {"debug", 1, 1}};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *arguments = g_strdup_printf("--log %s", rows[i].level);
        Rig *rig = rig_new(NULL, arguments);
        char data[512];

        blk_guest_do(rig->guest, 0, VIRTIO_BLK_T_IN, 5, data, sizeof(data));
        g_assert_cmpuint(tool_program_count(rig->program, "front end connected\n"), ==,
                         rows[i].info);
        g_assert_cmpuint(tool_program_count(rig->program, "read 5 512\n"), ==, rows[i].debug);
        tool_program_end(rig->program);
        rig_free(rig);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/vhost-user-blk/end/term", "--stats", test_end_under_load);
    g_test_add_data_func("/vhost-user-blk/end/int", "--stats --log info", test_end_under_load);
    g_test_add_data_func("/vhost-user-blk/end/one-thread", "--stats --iothreads 1",
                         test_end_under_load);
    g_test_add_data_func("/vhost-user-blk/end/sandbox", "--stats --sandbox", test_end_under_load);
    g_test_add_func("/vhost-user-blk/end/idle", test_end_idle);
    g_test_add_func("/vhost-user-blk/end/flushes", test_end_flushes);
    g_test_add_data_func("/vhost-user-blk/file-size-limit/plain", "", test_file_size_limit);
    g_test_add_data_func("/vhost-user-blk/file-size-limit/sandbox-direct", "--sandbox --direct",
                         test_file_size_limit);
    g_test_add_data_func("/vhost-user-blk/resize/plain", "--log info", test_resize);
    g_test_add_data_func("/vhost-user-blk/resize/sandbox", "--log info --sandbox", test_resize);
    g_test_add_func("/vhost-user-blk/resize/alone", test_resize_alone);
    g_test_add_func("/vhost-user-blk/statistics", test_statistics);
    g_test_add_func("/vhost-user-blk/log/requests", test_request_log);
    g_test_add_func("/vhost-user-blk/log/levels", test_levels);
    return g_test_run();
}
