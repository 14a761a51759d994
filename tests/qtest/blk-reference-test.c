/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-user-blk against Debian's qemu-storage-daemon: the same random requests to both, side by
 * side in one machine, give the same status and the same bytes.
 */
#include "qtest/blk-random.h"
#include "qtest/daemon-rig.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define REQUESTS 1500
#define PATIENCE 30000 /* milliseconds for a request */
#define DISKS 2
#define ANY_TYPE G_MAXUINT32

static const BlkDaemonKind kinds[DISKS] = {BLK_DAEMON_DEBIAN, BLK_DAEMON_OURS};

/* Both disks begin with the bytes of the first. */
static void make_equal(DaemonRig *daemon)
{
    DaemonDisk *from = daemon_disk(daemon, 0), *to = daemon_disk(daemon, 1);
    int file = open(to->image, O_WRONLY | O_CLOEXEC);

    memcpy(to->expected, from->expected, DAEMON_IMAGE);
    if (pwrite(file, to->expected, DAEMON_IMAGE, 0) != (ssize_t)DAEMON_IMAGE) {
        vmm_fail("%s: cannot be written", to->image);
    }
    close(file);
}

static guint submit(DaemonRig *daemon, guint disk, const BlkRandom *request, uint64_t buffer)
{
    VirtBuffer pieces[BLK_RANDOM_PIECES];
    uint64_t address = buffer;

    for (guint i = 0; i < request->pieces; i++) {
        pieces[i] = (VirtBuffer){address, request->sizes[i], request->device_writes};
        address += request->sizes[i];
    }
    if (request->total) {
        qtest_memwrite(daemon->rig->qtest, buffer, request->data, request->total);
    }
    return blk_disk_submit_pieces(rig_disk(daemon->rig, disk), 0, request->type, request->sector,
                                  pieces, request->pieces);
}

/*
 * Where the daemons answer differently, and why; all other requests get the same status from both.
 */
static const struct {
    const char *name; /* of the kind of request, see blk-random.c */
    uint32_t type;    /* of the request, or ANY_TYPE */
    gboolean writable_only;
    int status[DISKS];
} deviations[] = {
    /* The old barrier bit is part of the type in virtio 1.2 (5.2.6 knows no such type: UNSUPP);
     * Debian's daemon masks it and reads. */
    {"unknown type", 0x80000000u, FALSE, {VIRTIO_BLK_S_OK, VIRTIO_BLK_S_UNSUPP}},
    /* 5.2.6.2 does not say which status a request gets that breaks max_discard_seg. */
    {"too many ranges", ANY_TYPE, TRUE, {VIRTIO_BLK_S_UNSUPP, VIRTIO_BLK_S_IOERR}},
};

static void check_status(const BlkRandom *request, gboolean read_only, const int *status)
{
    for (guint i = 0; i < G_N_ELEMENTS(deviations); i++) {
        if (!strcmp(request->name, deviations[i].name) &&
            (deviations[i].type == ANY_TYPE || deviations[i].type == request->type) &&
            !(deviations[i].writable_only && read_only)) {
            g_assert_cmpint(status[0], ==, deviations[i].status[0]);
            g_assert_cmpint(status[1], ==, deviations[i].status[1]);
            return;
        }
    }
    g_assert_cmpint(status[0], ==, status[1]);
}

/* 5.2.6: "a NUL-padded ASCII string up to 20 bytes long".  Debian's daemon ends it with one NUL and
 * leaves the bytes behind as they were. */
static void check_identity(uint8_t bytes[DISKS][BLK_RANDOM_DATA])
{
    static const char wanted[VIRTIO_BLK_ID_BYTES] = "vhost_user_blk";

    g_assert_cmpmem(bytes[0], strlen(wanted) + 1, wanted, strlen(wanted) + 1);
    g_assert_cmpmem(bytes[1], sizeof(wanted), wanted, sizeof(wanted));
}

static void compare_data(DaemonRig *daemon, const BlkRandom *request, const uint64_t *buffers)
{
    static uint8_t bytes[DISKS][BLK_RANDOM_DATA];

    for (guint i = 0; i < DISKS; i++) {
        qtest_memread(daemon->rig->qtest, buffers[i], bytes[i], request->total);
    }
    if (request->type == VIRTIO_BLK_T_GET_ID) {
        check_identity(bytes);
        return;
    }
    if (memcmp(bytes[0], bytes[1], request->total)) {
        g_autofree char *text = blk_random_describe(request);

        vmm_fail("%s: the daemons gave different bytes", text);
    }
}

static void compare_images(DaemonRig *daemon, const char *after)
{
    g_autofree uint8_t *first = g_malloc(DAEMON_IMAGE), *second = g_malloc(DAEMON_IMAGE);

    if (pread(daemon_disk(daemon, 0)->file, first, DAEMON_IMAGE, 0) != (ssize_t)DAEMON_IMAGE ||
        pread(daemon_disk(daemon, 1)->file, second, DAEMON_IMAGE, 0) != (ssize_t)DAEMON_IMAGE) {
        vmm_fail("the images cannot be read");
    }
    for (gsize i = 0; i < DAEMON_IMAGE; i++) {
        if (first[i] != second[i]) {
            vmm_fail("%s: byte %" G_GSIZE_FORMAT " of the images is 0x%02x and 0x%02x", after, i,
                     first[i], second[i]);
        }
    }
}

static void test_random(gconstpointer data)
{
    DaemonOptions options = {.kinds = kinds,
                             .disks = DISKS,
                             .read_only = GPOINTER_TO_INT(data),
                             .log = TRUE,
                             .daemon_arguments = "--serial vhost_user_blk"};
    BlkOptions blk = {.indirect = TRUE};
    g_autofree BlkRandom *request = g_new0(BlkRandom, 1);
    DaemonRig *daemon = daemon_rig_start(&options);
    uint64_t buffers[DISKS];

    make_equal(daemon);
    rig_boot(daemon->rig, &blk);
    for (guint i = 0; i < DISKS; i++) {
        buffers[i] = guest_memory_alloc(&daemon->rig->memory, BLK_RANDOM_DATA, 4096);
    }
    for (guint n = 0; n < REQUESTS; n++) {
        g_autofree char *text = NULL;
        int status[DISKS];
        guint tags[DISKS];

        blk_random_next(request, DAEMON_IMAGE / 512);
        text = blk_random_describe(request);
        for (guint i = 0; i < DISKS; i++) {
            tags[i] = submit(daemon, i, request, buffers[i]);
        }
        for (guint i = 0; i < DISKS; i++) {
            status[i] = blk_disk_finish(rig_disk(daemon->rig, i), tags[i], PATIENCE);
            g_test_message("%s: %s: status %d", blk_daemon_name(kinds[i]), text, status[i]);
        }
        check_status(request, options.read_only, status);
        /* Otherwise what the driver lent may hold anything. */
        if (status[0] == VIRTIO_BLK_S_OK &&
            (request->type == VIRTIO_BLK_T_IN || request->type == VIRTIO_BLK_T_GET_ID)) {
            compare_data(daemon, request, buffers);
        }
        if (n % 64 == 0) {
            compare_images(daemon, text);
        }
    }
    compare_images(daemon, "at the end");
    for (guint i = 0; i < DISKS; i++) { /* the rig compares the files once more: what they are */
        if (pread(daemon_disk(daemon, i)->file, daemon_disk(daemon, i)->expected, DAEMON_IMAGE,
                  0) != (ssize_t)DAEMON_IMAGE) {
            vmm_fail("the images cannot be read");
        }
    }
    daemon_rig_end(daemon);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    daemon_test_add_for(BLK_DAEMON_OURS, "/reference/writable", GINT_TO_POINTER(FALSE),
                        test_random);
    daemon_test_add_for(BLK_DAEMON_OURS, "/reference/read-only", GINT_TO_POINTER(TRUE),
                        test_random);
    return g_test_run();
}
