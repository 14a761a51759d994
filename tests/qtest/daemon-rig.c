/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine over real disk backends, and the comparison of every byte.
 */
#include "qtest/daemon-rig.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512

/* --- a test for each kind of daemon --- */

typedef struct DaemonTest {
    BlkDaemonKind kind;
    const char *arguments; /* further ones for each daemon, or NULL */
    gconstpointer data;
    GTestDataFunc function;
} DaemonTest;

static const DaemonTest *current; /* NULL before the first test */

BlkDaemonKind daemon_kind(void)
{
    return current->kind;
}

static void run_test(gconstpointer opaque)
{
    const DaemonTest *test = opaque;
    g_autoptr(GError) error = NULL;
    g_autofree char *program = blk_daemon_program(test->kind, &error);

    if (!program) {
        g_test_skip(error->message);
        return;
    }
    current = test;
    test->function(test->data);
}

static void add(const char *path, const DaemonTest *test)
{
    g_test_add_data_func_full(path, g_memdup2(test, sizeof(*test)), run_test, g_free);
}

void daemon_test_add_for(BlkDaemonKind kind, const char *path, gconstpointer data,
                         GTestDataFunc function)
{
    g_autofree char *name = g_strdup_printf("/%s%s", blk_daemon_name(kind), path);

    add(name, &(DaemonTest){kind, NULL, data, function});
}

void daemon_test_add(const char *path, gconstpointer data, GTestDataFunc function)
{
    for (guint kind = 0; kind < BLK_DAEMON_KINDS; kind++) {
        daemon_test_add_for(kind, path, data, function);
    }
}

void daemon_test_add_variant(const char *variant, const char *arguments, const char *path,
                             gconstpointer data, GTestDataFunc function)
{
    g_autofree char *name =
        g_strdup_printf("/%s/%s%s", blk_daemon_name(BLK_DAEMON_OURS), variant, path);

    add(name, &(DaemonTest){BLK_DAEMON_OURS, arguments, data, function});
}

/* --- daemons --- */

static void randomize(uint8_t *bytes, gsize size)
{
    for (gsize i = 0; i < size; i += sizeof(guint32)) {
        guint32 word = g_random_int();

        memcpy(bytes + i, &word, MIN(sizeof(word), size - i));
    }
}

static char *numbered_path(guint number, const char *what)
{
    g_autofree char *name = g_strdup_printf("disk%u.%s", number, what);

    return vmm_temporary_path(name);
}

void daemon_disk_restart(DaemonDisk *disk)
{
    g_autoptr(GError) error = NULL;

    disk->pid = blk_daemon_start(&disk->options, &error);
    if (!disk->pid) {
        vmm_fail("%s", error->message);
    }
}

/* What the test says and what its variant says. */
static char *daemon_arguments(const DaemonOptions *options)
{
    return g_strdup_printf("%s %s", options->daemon_arguments ? options->daemon_arguments : "",
                           current->arguments ? current->arguments : "");
}

DaemonDisk *daemon_disk_new(BlkDaemonKind kind, const DaemonOptions *options)
{
    static const DaemonOptions defaults;
    static guint number;
    const DaemonOptions *o = options ? options : &defaults;
    g_autoptr(GError) error = NULL;
    DaemonDisk *disk = g_new0(DaemonDisk, 1);

    disk->image = numbered_path(number, "img");
    disk->socket = numbered_path(number, "sock");
    disk->options =
        (BlkDaemonOptions){.kind = kind,
                           .image = disk->image,
                           .socket = disk->socket,
                           .log = o->log ? numbered_path(number, "log") : NULL,
                           .queues = o->queues,
                           .slots = o->slots,
                           .read_only = o->read_only,
                           .arguments = kind == BLK_DAEMON_OURS ? daemon_arguments(o) : NULL};
    number++;
    disk->expected = g_malloc(DAEMON_IMAGE);
    randomize(disk->expected, DAEMON_IMAGE);
    if (!g_file_set_contents(disk->image, (char *)disk->expected, DAEMON_IMAGE, &error)) {
        vmm_fail("%s", error->message);
    }
    disk->file = open(disk->image, O_RDONLY | O_CLOEXEC);
    daemon_disk_restart(disk);
    return disk;
}

int daemon_disk_end(DaemonDisk *disk, int signal)
{
    int status = blk_daemon_end(disk->pid, signal);

    disk->pid = 0;
    return status;
}

void daemon_disk_kill(DaemonDisk *disk)
{
    daemon_disk_end(disk, SIGKILL);
}

char *daemon_disk_log(DaemonDisk *disk)
{
    g_autoptr(GError) error = NULL;
    char *text = NULL;

    if (!g_file_get_contents(disk->options.log, &text, NULL, &error)) {
        vmm_fail("%s", error->message);
    }
    return text;
}

void daemon_disk_free(DaemonDisk *disk)
{
    if (disk->pid) {
        daemon_disk_kill(disk);
    }
    close(disk->file);
    unlink(disk->image);
    unlink(disk->socket);
    if (disk->options.log) {
        unlink(disk->options.log);
    }
    g_free(disk->image);
    g_free(disk->socket);
    g_free((char *)disk->options.log);
    g_free((char *)disk->options.arguments);
    g_free(disk->expected);
    g_free(disk);
}

/* --- the machine --- */

DaemonRig *daemon_rig_start(const DaemonOptions *options)
{
    static const DaemonOptions defaults;
    const DaemonOptions *o = options ? options : &defaults;
    guint queues = o->queues ? o->queues : 1;
    g_autofree char *arguments = g_strdup_printf("-global vhost-user-blk-pci.num-queues=%u %s",
                                                 queues, o->arguments ? o->arguments : "");
    g_autoptr(GPtrArray) sockets = g_ptr_array_new();
    RigOptions rig_options = {.devices = o->disks ? o->disks : 1,
                              .monitors = o->monitors,
                              .memory_slots = o->memory_slots ? o->memory_slots : 64,
                              .arguments = arguments,
                              .chardev = o->chardev,
                              .binary = o->binary};
    DaemonRig *daemon = g_new0(DaemonRig, 1);

    daemon->disks = g_ptr_array_new();
    if (!o->served) {
        g_ptr_array_set_free_func(daemon->disks, (GDestroyNotify)daemon_disk_free);
    }
    for (guint i = 0; i < rig_options.devices; i++) {
        DaemonDisk *disk =
            o->served ? o->served[i] : daemon_disk_new(o->kinds ? o->kinds[i] : daemon_kind(), o);

        g_ptr_array_add(daemon->disks, disk);
        g_ptr_array_add(sockets, disk->socket);
    }
    rig_options.sockets = (const char *const *)sockets->pdata;
    daemon->rig = rig_start(NULL, &rig_options);
    return daemon;
}

void daemon_rig_free(DaemonRig *daemon)
{
    rig_free(daemon->rig);
    g_ptr_array_free(daemon->disks, TRUE);
    g_free(daemon);
}

void daemon_rig_end(DaemonRig *daemon)
{
    g_autoptr(GError) error = NULL;

    if (!vmm_quit(daemon->rig->vmm, &error)) {
        vmm_fail("%s", error->message);
    }
    for (guint i = 0; i < daemon->disks->len; i++) {
        daemon_compare_image(daemon_disk(daemon, i));
    }
    daemon_rig_free(daemon);
}

DaemonDisk *daemon_disk(DaemonRig *daemon, guint index)
{
    return daemon->disks->pdata[index];
}

/* --- bytes --- */

void daemon_fill(DaemonRig *daemon, DaemonDisk *disk, uint64_t offset, uint64_t address,
                 uint32_t size)
{
    randomize(disk->expected + offset, size);
    qtest_memwrite(daemon->rig->qtest, address, disk->expected + offset, size);
}

static void compare(const uint8_t *have, const uint8_t *wanted, gsize size, uint64_t offset,
                    const char *where)
{
    for (gsize i = 0; i < size; i++) {
        if (have[i] != wanted[i]) {
            vmm_fail("%s: byte %" G_GUINT64_FORMAT " of the disk is 0x%02x and not 0x%02x", where,
                     offset + i, have[i], wanted[i]);
        }
    }
}

void daemon_compare(DaemonRig *daemon, DaemonDisk *disk, uint64_t offset, uint64_t address,
                    uint32_t size)
{
    g_autofree uint8_t *have = g_malloc(size);
    g_autofree char *where = g_strdup_printf("guest memory at 0x%" G_GINT64_MODIFIER "x", address);

    qtest_memread(daemon->rig->qtest, address, have, size);
    compare(have, disk->expected + offset, size, offset, where);
}

static void compare_file(DaemonDisk *disk, uint64_t offset, gsize size)
{
    g_autofree uint8_t *have = g_malloc(size);

    if (pread(disk->file, have, size, (off_t)offset) != (ssize_t)size) {
        vmm_fail("%s: %" G_GSIZE_FORMAT " bytes at %" G_GUINT64_FORMAT " cannot be read",
                 disk->image, size, offset);
    }
    compare(have, disk->expected + offset, size, offset, disk->image);
}

void daemon_compare_image(DaemonDisk *disk)
{
    compare_file(disk, 0, DAEMON_IMAGE);
}

void daemon_check(DaemonRig *daemon, guint index, guint queue, uint64_t offset, uint64_t address,
                  uint32_t size)
{
    static const uint32_t types[] = {VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_IN};
    DaemonDisk *disk = daemon_disk(daemon, index);

    daemon_fill(daemon, disk, offset, address, size);
    for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
        int status = blk_disk_request(rig_disk(daemon->rig, index), queue, types[i],
                                      offset / SECTOR, address, size);

        if (status != VIRTIO_BLK_S_OK) {
            vmm_fail("disk %u, queue %u: %s of %u bytes at 0x%" G_GINT64_MODIFIER "x: status %d",
                     index, queue, i ? "read" : "write", size, address, status);
        }
        if (i == 0) {
            compare_file(disk, offset, size);
            qtest_memset(daemon->rig->qtest, address, 0x5a, size);
        }
    }
    daemon_compare(daemon, disk, offset, address, size);
}

/* --- what the program says --- */

char *daemon_info(DaemonRig *daemon, const char *path)
{
    g_autoptr(json_object) list =
        qmp_command_or_fail(daemon->rig->qmp, "{'execute':'x-query-vhost-user'}");
    json_object *member = qmp_get(list, path);

    return member ? g_strdup(json_object_get_string(member)) : NULL;
}

gint64 daemon_sent(DaemonRig *daemon, guint index, const char *request)
{
    g_autoptr(json_object) list =
        qmp_command_or_fail(daemon->rig->qmp, "{'execute':'x-query-vhost-user'}");
    json_object *messages = qmp_get(json_object_array_get_idx(list, index), "messages");

    for (gsize i = 0; i < json_object_array_length(messages); i++) {
        json_object *message = json_object_array_get_idx(messages, i);

        if (!g_strcmp0(qmp_get_string(message, "request"), request)) {
            return qmp_get_int(message, "sent", 0);
        }
    }
    return 0;
}

void daemon_wait_lost(DaemonRig *daemon, guint index)
{
    g_autofree char *path = g_strdup_printf("%u/connected", index);
    gint64 deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;

    for (;;) {
        g_autofree char *connected = daemon_info(daemon, path);

        if (!g_strcmp0(connected, "false")) {
            return;
        }
        if (g_get_monotonic_time() > deadline) {
            vmm_fail("device %u is still connected to a daemon that has ended", index);
        }
        g_usleep(1000);
    }
}
