/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disk that a backend shows beside its requests: configuration, read-only images, resize while
 * it is in use, the write cache, and buffers cut in every way.
 */
#include "qtest/daemon-rig.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 4096
#define SECTOR 512
#define PATIENCE 30000 /* milliseconds */
#define CONFIG(member) (driver(daemon)->config + offsetof(struct virtio_blk_config, member))

static VirtDevice *driver(DaemonRig *daemon)
{
    return daemon->rig->drivers->pdata[0];
}

static int request(DaemonRig *daemon, uint32_t type, uint64_t sector, uint64_t address,
                   uint32_t size)
{
    return blk_disk_request(rig_disk(daemon->rig, 0), 0, type, sector, address, size);
}

static uint64_t allocate(DaemonRig *daemon, uint64_t size)
{
    return guest_memory_alloc(&daemon->rig->memory, size, BLOCK);
}

static void await_config_interrupt(DaemonRig *daemon)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE * 1000;

    while (!virt_device_interrupt(driver(daemon), -1)) {
        if (g_get_monotonic_time() > deadline) {
            vmm_fail("no interrupt for a configuration change");
        }
        g_usleep(1000);
    }
}

/* --- configuration --- */

static void test_config(gconstpointer data G_GNUC_UNUSED)
{
    DaemonOptions options = {.queues = 3, .daemon_arguments = "--block-size 4096"};
    BlkOptions blk = {.queues = 3};
    uint64_t wanted = BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_BLK_SIZE) |
                      BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_TOPOLOGY) |
                      BIT(VIRTIO_BLK_F_CONFIG_WCE) | BIT(VIRTIO_BLK_F_MQ) |
                      BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES);
    DaemonRig *daemon = daemon_rig_start(&options);
    Qtest *qtest = daemon->rig->qtest;

    rig_boot(daemon->rig, &blk);
    g_assert_cmphex(virt_device_offered(driver(daemon)) & wanted, ==, wanted);
    g_assert_cmphex(virt_device_offered(driver(daemon)) & BIT(VIRTIO_BLK_F_RO), ==, 0);
    g_assert_cmpuint(qtest_readq(qtest, CONFIG(capacity)), ==, DAEMON_IMAGE / SECTOR);
    g_assert_cmpuint(qtest_readl(qtest, CONFIG(blk_size)), ==, 4096);
    g_assert_cmpuint(qtest_readw(qtest, CONFIG(num_queues)), ==, 3);
    g_assert_cmpuint(qtest_readl(qtest, CONFIG(seg_max)), >, 0);
    g_assert_cmpuint(qtest_readl(qtest, CONFIG(max_discard_sectors)), >, 0);
    g_assert_cmpuint(qtest_readl(qtest, CONFIG(max_discard_seg)), >, 0);
    g_assert_cmpuint(qtest_readl(qtest, CONFIG(max_write_zeroes_sectors)), >, 0);
    g_assert_cmpuint(qtest_readl(qtest, CONFIG(max_write_zeroes_seg)), >, 0);
    daemon_check(daemon, 0, 2, 0, allocate(daemon, BLOCK), BLOCK);
    daemon_rig_end(daemon);
}

/* As many segments as it says in one request, each elsewhere. */
static void test_segments(gconstpointer data)
{
    uint32_t type = GPOINTER_TO_UINT(data);
    struct virtio_blk_discard_write_zeroes *ranges;
    DaemonRig *daemon = daemon_rig_start(NULL);
    uint64_t buffer;
    uint32_t count;

    rig_boot(daemon->rig, NULL);
    count = qtest_readl(daemon->rig->qtest, type == VIRTIO_BLK_T_DISCARD
                                                ? CONFIG(max_discard_seg)
                                                : CONFIG(max_write_zeroes_seg));
    g_assert_cmpuint(count, >, 1);
    ranges = g_new0(struct virtio_blk_discard_write_zeroes, count);
    for (uint32_t i = 0; i < count; i++) {
        ranges[i].sector = 16 * i;
        ranges[i].num_sectors = 8;
        memset(daemon_disk(daemon, 0)->expected + 16 * i * SECTOR, 0, 8 * SECTOR);
    }
    buffer = allocate(daemon, count * sizeof(ranges[0]));
    qtest_memwrite(daemon->rig->qtest, buffer, ranges, count * sizeof(ranges[0]));
    g_assert_cmpint(request(daemon, type, 0, buffer, count * sizeof(ranges[0])), ==,
                    VIRTIO_BLK_S_OK);
    daemon_compare_image(daemon_disk(daemon, 0));
    /* One bad segment, and none is done. */
    ranges[0].sector = 8;
    ranges[count - 1].sector = DAEMON_IMAGE / SECTOR - 4;
    qtest_memwrite(daemon->rig->qtest, buffer, ranges, count * sizeof(ranges[0]));
    g_assert_cmpint(request(daemon, type, 0, buffer, count * sizeof(ranges[0])), ==,
                    VIRTIO_BLK_S_IOERR);
    daemon_compare_image(daemon_disk(daemon, 0));
    g_free(ranges);
    daemon_rig_end(daemon);
}

/* --- read-only --- */

static void test_read_only(gconstpointer data G_GNUC_UNUSED)
{
    struct virtio_blk_discard_write_zeroes range = {.sector = 8, .num_sectors = 8};
    DaemonOptions options = {.read_only = TRUE};
    BlkOptions blk = {.features = BIT(VIRTIO_BLK_F_RO) | BIT(VIRTIO_BLK_F_FLUSH)};
    DaemonRig *daemon = daemon_rig_start(&options);
    uint64_t buffer;

    rig_boot(daemon->rig, &blk);
    g_assert_cmphex(driver(daemon)->features & BIT(VIRTIO_BLK_F_RO), !=, 0);
    buffer = allocate(daemon, BLOCK);
    g_assert_cmpint(request(daemon, VIRTIO_BLK_T_IN, 8, buffer, BLOCK), ==, VIRTIO_BLK_S_OK);
    daemon_compare(daemon, daemon_disk(daemon, 0), BLOCK, buffer, BLOCK);
    qtest_memset(daemon->rig->qtest, buffer, 0, BLOCK);
    g_assert_cmpint(request(daemon, VIRTIO_BLK_T_OUT, 8, buffer, BLOCK), ==, VIRTIO_BLK_S_IOERR);
    qtest_memwrite(daemon->rig->qtest, buffer, &range, sizeof(range));
    g_assert_cmpint(request(daemon, VIRTIO_BLK_T_DISCARD, 0, buffer, sizeof(range)), ==,
                    VIRTIO_BLK_S_IOERR);
    g_assert_cmpint(request(daemon, VIRTIO_BLK_T_WRITE_ZEROES, 0, buffer, sizeof(range)), ==,
                    VIRTIO_BLK_S_IOERR);
    g_assert_cmpint(request(daemon, VIRTIO_BLK_T_FLUSH, 0, 0, 0), ==, VIRTIO_BLK_S_OK);
    daemon_rig_end(daemon); /* compares the image */
}

/* --- resize --- */

static void resize(DaemonRig *daemon, uint64_t size)
{
    DaemonDisk *disk = daemon_disk(daemon, 0);

    if (truncate(disk->image, (off_t)size) != 0) {
        vmm_fail("%s cannot be resized", disk->image);
    }
    kill(disk->pid, SIGHUP);
}

/* The image grows and shrinks while the disk is in use: the driver is told, and the new end
 * counts at once. */
static void test_resize(gconstpointer data)
{
    BlkOptions blk = {.msix = GPOINTER_TO_INT(data)};
    DaemonRig *daemon = daemon_rig_start(NULL);
    uint64_t end = DAEMON_IMAGE / SECTOR, buffer;

    rig_boot(daemon->rig, &blk);
    buffer = allocate(daemon, BLOCK);
    g_assert_cmpint(request(daemon, VIRTIO_BLK_T_IN, end, buffer, BLOCK), ==, VIRTIO_BLK_S_IOERR);
    g_assert_false(virt_device_interrupt(driver(daemon), -1));
    resize(daemon, 2 * DAEMON_IMAGE);
    await_config_interrupt(daemon);
    g_assert_cmpuint(blk_disk_sectors(rig_disk(daemon->rig, 0)), ==, 2 * end);
    qtest_memset(daemon->rig->qtest, buffer, 0x77, BLOCK);
    g_assert_cmpint(request(daemon, VIRTIO_BLK_T_IN, end, buffer, BLOCK), ==, VIRTIO_BLK_S_OK);
    g_assert_cmphex(qtest_readq(daemon->rig->qtest, buffer + BLOCK - 8), ==, 0);
    g_assert_cmpint(request(daemon, VIRTIO_BLK_T_OUT, 2 * end - 8, buffer, BLOCK), ==,
                    VIRTIO_BLK_S_OK);
    resize(daemon, DAEMON_IMAGE);
    await_config_interrupt(daemon);
    g_assert_cmpuint(blk_disk_sectors(rig_disk(daemon->rig, 0)), ==, end);
    g_assert_cmpint(request(daemon, VIRTIO_BLK_T_OUT, end, buffer, BLOCK), ==, VIRTIO_BLK_S_IOERR);
    daemon_check(daemon, 0, 0, DAEMON_IMAGE - BLOCK, buffer, BLOCK);
    /* A signal and no change: nobody is told. */
    kill(daemon_disk(daemon, 0)->pid, SIGHUP);
    daemon_check(daemon, 0, 0, 0, buffer, BLOCK);
    g_usleep(100000);
    g_assert_false(virt_device_interrupt(driver(daemon), -1));
    daemon_rig_end(daemon);
}

/* --- the write cache --- */

static void test_write_cache(gconstpointer data G_GNUC_UNUSED)
{
    BlkOptions blk = {.features = BIT(VIRTIO_BLK_F_CONFIG_WCE) | BIT(VIRTIO_BLK_F_FLUSH)};
    DaemonRig *daemon = daemon_rig_start(NULL);
    Qtest *qtest = daemon->rig->qtest;
    uint64_t buffer;

    rig_boot(daemon->rig, &blk);
    buffer = allocate(daemon, BLOCK);
    g_assert_cmphex(driver(daemon)->features & BIT(VIRTIO_BLK_F_CONFIG_WCE), !=, 0);
    for (guint round = 0; round < 4; round++) {
        uint8_t mode = (round + 1) % 2; /* it begins with the cache on (5.2.6.2) */

        g_assert_cmpuint(qtest_readb(qtest, CONFIG(wce)), ==, mode);
        daemon_check(daemon, 0, 0, round * BLOCK, buffer, BLOCK);
        g_assert_cmpint(request(daemon, VIRTIO_BLK_T_FLUSH, 0, 0, 0), ==, VIRTIO_BLK_S_OK);
        qtest_writeb(qtest, CONFIG(wce), !mode);
        for (guint tries = 0; qtest_readb(qtest, CONFIG(wce)) == mode; tries++) {
            g_assert_cmpuint(tries, <, 30000);
            g_usleep(1000);
        }
    }
    /* What was written is read back at once and sent behind it; a reset waits for all of that. */
    virt_device_reset(driver(daemon));
    g_assert_cmpint(daemon_sent(daemon, 0, "SET_CONFIG"), ==, 4);
    daemon_rig_end(daemon);
}

/* --- buffers --- */

static int finish(DaemonRig *daemon, uint64_t status, uint32_t *length)
{
    VirtRing *ring = blk_disk_ring(rig_disk(daemon->rig, 0), 0);

    virt_ring_kick(ring);
    if (virt_ring_wait(ring, length, PATIENCE) < 0) {
        vmm_fail("a request does not come back");
    }
    return qtest_readb(daemon->rig->qtest, status);
}

/* A driver may cut header, data and status as it likes (2.7.4.2 of virtio 1.2: the device makes no
 * assumptions about the framing). */
static void test_framing(gconstpointer data G_GNUC_UNUSED)
{
    struct virtio_blk_outhdr header = {.type = VIRTIO_BLK_T_OUT, .sector = 24};
    DaemonRig *daemon = daemon_rig_start(NULL);
    DaemonDisk *disk = daemon_disk(daemon, 0);
    Qtest *qtest = daemon->rig->qtest;
    uint64_t at, status;
    uint32_t length;

    rig_boot(daemon->rig, NULL);
    at = allocate(daemon, 2 * BLOCK);
    status = at + 16 + BLOCK;
    for (guint cut = 1; cut < 64; cut += 3) {
        /* header and data lie one behind the other, cut at @cut and in the middle of the data */
        VirtBuffer writes[] = {
            {at, cut, FALSE},
            {at + cut, 16 + 777 - MIN(cut, 700), FALSE},
            {at + cut + 16 + 777 - MIN(cut, 700), BLOCK - 777 - cut + MIN(cut, 700), FALSE},
            {status, 1, TRUE}};

        header.type = VIRTIO_BLK_T_OUT;
        qtest_memwrite(qtest, at, &header, sizeof(header));
        daemon_fill(daemon, disk, 24 * SECTOR, at + 16, BLOCK);
        qtest_writeb(qtest, status, 0xff);
        virt_ring_add(blk_disk_ring(rig_disk(daemon->rig, 0), 0), writes, G_N_ELEMENTS(writes));
        g_assert_cmpint(finish(daemon, status, &length), ==, VIRTIO_BLK_S_OK);
        g_assert_cmpuint(length, ==, 1);
        daemon_compare_image(disk);
    }
    /* Data and status in one buffer. */
    header.type = VIRTIO_BLK_T_IN;
    qtest_memwrite(qtest, at, &header, sizeof(header));
    qtest_memset(qtest, at + 16, 0xff, BLOCK + 1);
    virt_ring_add(blk_disk_ring(rig_disk(daemon->rig, 0), 0),
                  (VirtBuffer[]){{at, 16, FALSE}, {at + 16, BLOCK + 1, TRUE}}, 2);
    g_assert_cmpint(finish(daemon, status, &length), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpuint(length, ==, BLOCK + 1);
    daemon_compare(daemon, disk, 24 * SECTOR, at + 16, BLOCK);
    daemon_rig_end(daemon);
}

static const uint32_t unknown_types[] = {2,  3,  5,  6,   7,          9,           10,         12,
                                         14, 16, 24, 255, 0x01000000, 0x80000001u, 0xffffffffu};

static void test_unknown(gconstpointer data G_GNUC_UNUSED)
{
    DaemonRig *daemon = daemon_rig_start(NULL);
    uint64_t buffer;

    rig_boot(daemon->rig, NULL);
    buffer = allocate(daemon, BLOCK);
    for (guint i = 0; i < G_N_ELEMENTS(unknown_types); i++) {
        g_assert_cmpint(request(daemon, unknown_types[i], 0, buffer, i % 2 ? BLOCK : 0), ==,
                        VIRTIO_BLK_S_UNSUPP);
    }
    daemon_check(daemon, 0, 0, 0, buffer, BLOCK);
    daemon_rig_end(daemon);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    daemon_test_add_for(BLK_DAEMON_OURS, "/device/config", NULL, test_config);
    daemon_test_add_for(BLK_DAEMON_OURS, "/device/segments/discard",
                        GUINT_TO_POINTER(VIRTIO_BLK_T_DISCARD), test_segments);
    daemon_test_add_for(BLK_DAEMON_OURS, "/device/segments/write-zeroes",
                        GUINT_TO_POINTER(VIRTIO_BLK_T_WRITE_ZEROES), test_segments);
    daemon_test_add("/device/read-only", NULL, test_read_only);
    daemon_test_add_for(BLK_DAEMON_OURS, "/device/resize/msix", GINT_TO_POINTER(TRUE), test_resize);
    daemon_test_add_for(BLK_DAEMON_OURS, "/device/resize/interrupt-line", GINT_TO_POINTER(FALSE),
                        test_resize);
    daemon_test_add_for(BLK_DAEMON_OURS, "/device/write-cache", NULL, test_write_cache);
    daemon_test_add("/device/framing", NULL, test_framing);
    daemon_test_add_for(BLK_DAEMON_OURS, "/device/unknown", NULL, test_unknown);
    return g_test_run();
}
