/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disks of real backends, Debian's qemu-storage-daemon and vhost-user-blk: every kind of request,
 * rings of each kind, stops and resets in between, and data through DIMMs that come and go while
 * requests are out.
 */
#include "qtest/daemon-rig.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 4096
#define SECTOR 512
#define PATIENCE 30000 /* milliseconds for a request */

static void command(DaemonRig *daemon, const char *name)
{
    json_object_put(qmp_command_or_fail(daemon->rig->qmp, "{'execute':'%s'}", name));
}

static int request(DaemonRig *daemon, uint32_t type, uint64_t sector, uint64_t address,
                   uint32_t size)
{
    return blk_disk_request(rig_disk(daemon->rig, 0), 0, type, sector, address, size);
}

/* --- requests --- */

typedef struct RingCase {
    const char *name;
    guint queues;
    BlkOptions options;
} RingCase;

static const RingCase ring_cases[] = {
    {"interrupt-line", 1, {0}},
    {"msix", 1, {.msix = TRUE}},
    {"indirect", 1, {.msix = TRUE, .indirect = TRUE}},
    {"event-index", 1, {.msix = TRUE, .event_index = TRUE}},
    {"event-index-interrupt-line", 1, {.event_index = TRUE, .indirect = TRUE}},
    {"4-queues", 4, {.queues = 4, .msix = TRUE}},
    {"4-queues-interrupt-line", 4, {.queues = 4, .indirect = TRUE, .event_index = TRUE}},
};

/* An interrupt of @queue comes; the daemon may write the used ring some time before it. */
static void await_interrupt(DaemonRig *daemon, guint queue)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE * 1000;

    while (!virt_device_interrupt(daemon->rig->drivers->pdata[0], (int)queue)) {
        if (g_get_monotonic_time() > deadline) {
            vmm_fail("no interrupt of queue %u", queue);
        }
        g_usleep(200);
    }
}

static void test_ring(gconstpointer data)
{
    const RingCase *one = data;
    DaemonOptions options = {.queues = one->queues};
    DaemonRig *daemon = daemon_rig_start(&options);
    uint64_t buffer;

    rig_boot(daemon->rig, &one->options);
    buffer = guest_memory_alloc(&daemon->rig->memory, 65536, BLOCK);
    g_assert_cmpuint(blk_disk_sectors(rig_disk(daemon->rig, 0)), ==, DAEMON_IMAGE / SECTOR);
    for (guint queue = 0; queue < one->queues; queue++) {
        for (guint i = 0; i < 8; i++) {
            daemon_check(daemon, 0, queue, (queue * 8 + i) * 65536, buffer, BLOCK << (i % 5));
            await_interrupt(daemon, queue);
        }
    }
    daemon_rig_end(daemon);
}

/* Many pieces of a request, of odd sizes: a chain, or a table of its own. */
static void test_pieces(gconstpointer data)
{
    BlkOptions options = {.indirect = GPOINTER_TO_INT(data), .msix = TRUE};
    DaemonRig *daemon = daemon_rig_start(NULL);
    DaemonDisk *disk = daemon_disk(daemon, 0);
    VirtBuffer pieces[16];
    uint64_t offset = 1 << 20;
    guint tag;

    rig_boot(daemon->rig, &options);
    for (guint i = 0; i < G_N_ELEMENTS(pieces); i++) {
        pieces[i].size = i % 2 ? 1000 : 24;
        pieces[i].address = guest_memory_alloc(&daemon->rig->memory, BLOCK, BLOCK) + i;
        pieces[i].device_writes = FALSE;
        daemon_fill(daemon, disk, offset, pieces[i].address, pieces[i].size);
        offset += pieces[i].size;
    }
    g_assert_cmpuint(offset % SECTOR, ==, 0);
    tag = blk_disk_submit_pieces(rig_disk(daemon->rig, 0), 0, VIRTIO_BLK_T_OUT, (1 << 20) / SECTOR,
                                 pieces, G_N_ELEMENTS(pieces));
    g_assert_cmpint(blk_disk_finish(rig_disk(daemon->rig, 0), tag, PATIENCE), ==, VIRTIO_BLK_S_OK);
    daemon_compare_image(disk);
    daemon_rig_end(daemon);
}

static void test_identity(gconstpointer data G_GNUC_UNUSED)
{
    DaemonOptions options = {.daemon_arguments = "--serial hotslot-test"};
    DaemonRig *daemon = daemon_rig_start(&options);
    uint64_t buffer;
    char serial[VIRTIO_BLK_ID_BYTES + 1] = "";

    rig_boot(daemon->rig, NULL);
    buffer = guest_memory_alloc(&daemon->rig->memory, BLOCK, BLOCK);
    g_assert_cmpint(request(daemon, VIRTIO_BLK_T_GET_ID, 0, buffer, VIRTIO_BLK_ID_BYTES), ==,
                    VIRTIO_BLK_S_OK);
    qtest_memread(daemon->rig->qtest, buffer, serial, VIRTIO_BLK_ID_BYTES);
    g_assert_cmpstr(serial, ==,
                    daemon_kind() == BLK_DAEMON_DEBIAN ? "vhost_user_blk" : "hotslot-test");
    g_assert_cmpint(request(daemon, VIRTIO_BLK_T_FLUSH, 0, 0, 0), ==, VIRTIO_BLK_S_OK);
    daemon_rig_end(daemon);
}

/* TRUE if the image's file system makes holes, without which a discard cannot be seen. */
static gboolean makes_holes(void)
{
    g_autofree char *path = vmm_temporary_path("hole");
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    gboolean can = file >= 0 && ftruncate(file, BLOCK) == 0 &&
                   fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, BLOCK) == 0;

    if (file >= 0) {
        close(file);
    }
    unlink(path);
    return can;
}

static void test_zeroes(gconstpointer data)
{
    uint32_t type = GPOINTER_TO_UINT(data);
    struct virtio_blk_discard_write_zeroes range = {.sector = 64, .num_sectors = 256};
    DaemonRig *daemon;
    uint64_t buffer;

    if (!makes_holes()) {
        g_test_skip("the file system of the temporary directory makes no holes");
        return;
    }
    daemon = daemon_rig_start(NULL);
    rig_boot(daemon->rig, NULL);
    buffer = guest_memory_alloc(&daemon->rig->memory, 65536, BLOCK);
    qtest_memwrite(daemon->rig->qtest, buffer, &range, sizeof(range));
    g_assert_cmpint(request(daemon, type, 0, buffer, sizeof(range)), ==, VIRTIO_BLK_S_OK);
    memset(daemon_disk(daemon, 0)->expected + 64 * SECTOR, 0, 256 * SECTOR);
    daemon_compare_image(daemon_disk(daemon, 0));
    g_assert_cmpint(request(daemon, VIRTIO_BLK_T_IN, 60, buffer, 65536), ==, VIRTIO_BLK_S_OK);
    daemon_compare(daemon, daemon_disk(daemon, 0), 60 * SECTOR, buffer, 65536);
    /* A range that leaves the disk changes nothing. */
    range.sector = DAEMON_IMAGE / SECTOR - 1;
    qtest_memwrite(daemon->rig->qtest, buffer, &range, sizeof(range));
    g_assert_cmpint(request(daemon, type, 0, buffer, sizeof(range)), ==, VIRTIO_BLK_S_IOERR);
    daemon_rig_end(daemon);
}

/* What the daemon refuses comes back as a status, and the rings go on. */
static void test_refused(gconstpointer data G_GNUC_UNUSED)
{
    DaemonRig *daemon = daemon_rig_start(NULL);
    uint64_t end = DAEMON_IMAGE / SECTOR;
    uint64_t buffer;

    rig_boot(daemon->rig, NULL);
    buffer = guest_memory_alloc(&daemon->rig->memory, 65536, BLOCK);
    g_assert_cmpint(request(daemon, VIRTIO_BLK_T_IN, end, buffer, BLOCK), ==, VIRTIO_BLK_S_IOERR);
    g_assert_cmpint(request(daemon, VIRTIO_BLK_T_IN, end - 1, buffer, BLOCK), ==,
                    VIRTIO_BLK_S_IOERR);
    g_assert_cmpint(request(daemon, VIRTIO_BLK_T_OUT, end - 7, buffer, BLOCK), ==,
                    VIRTIO_BLK_S_IOERR);
    g_assert_cmpint(request(daemon, VIRTIO_BLK_T_OUT, UINT64_MAX / SECTOR, buffer, BLOCK), ==,
                    VIRTIO_BLK_S_IOERR);
    g_assert_cmpint(request(daemon, 99, 0, buffer, BLOCK), ==, VIRTIO_BLK_S_UNSUPP);
    daemon_check(daemon, 0, 0, DAEMON_IMAGE - BLOCK, buffer, BLOCK);
    daemon_rig_end(daemon);
}

/* --- data through DIMMs --- */

#define REQUESTS 32

typedef struct Batch {
    guint tags[REQUESTS];
    uint64_t offset[REQUESTS], address[REQUESTS];
    gboolean reads[REQUESTS];
    guint count;
} Batch;

static void submit(DaemonRig *daemon, Batch *batch, uint64_t address)
{
    guint i = batch->count++;

    batch->address[i] = address;
    batch->offset[i] = i * 2 * BLOCK;
    batch->reads[i] = i % 2;
    if (batch->reads[i]) {
        qtest_memset(daemon->rig->qtest, address, 0, BLOCK);
    } else {
        daemon_fill(daemon, daemon_disk(daemon, 0), batch->offset[i], address, BLOCK);
    }
    batch->tags[i] = blk_disk_submit(rig_disk(daemon->rig, 0), 0,
                                     batch->reads[i] ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT,
                                     batch->offset[i] / SECTOR, address, BLOCK);
}

static void finish(DaemonRig *daemon, Batch *batch)
{
    for (guint i = 0; i < batch->count; i++) {
        g_assert_cmpint(blk_disk_finish(rig_disk(daemon->rig, 0), batch->tags[i], PATIENCE), ==,
                        VIRTIO_BLK_S_OK);
        if (batch->reads[i]) {
            daemon_compare(daemon, daemon_disk(daemon, 0), batch->offset[i], batch->address[i],
                           BLOCK);
        }
    }
    daemon_compare_image(daemon_disk(daemon, 0));
    batch->count = 0;
}

/* Plugs and unplugs while requests are out, through RAM and through the DIMMs that stay. */
static void test_in_flight(gconstpointer data G_GNUC_UNUSED)
{
    BlkOptions options = {.indirect = TRUE, .event_index = TRUE, .msix = TRUE};
    DaemonRig *daemon = daemon_rig_start(NULL);
    uint64_t buffer, dimms[8];
    Batch batch = {.count = 0};

    rig_boot(daemon->rig, &options);
    buffer = guest_memory_alloc(&daemon->rig->memory, REQUESTS * BLOCK, BLOCK);
    for (guint round = 0; round < G_N_ELEMENTS(dimms); round++) {
        for (guint i = 0; i < 16; i++) {
            submit(daemon, &batch, buffer + i * BLOCK);
        }
        rig_plug(daemon->rig, round);
        dimms[round] = rig_dimm_address(daemon->rig, round);
        for (guint i = 0; i < 16; i++) {
            submit(daemon, &batch, dimms[i % (round + 1)] + (16 + i) * BLOCK);
        }
        finish(daemon, &batch);
    }
    for (guint round = 0; round < G_N_ELEMENTS(dimms) - 1; round++) {
        for (guint i = 0; i < REQUESTS; i++) {
            submit(daemon, &batch,
                   i % 2 ? buffer + i * BLOCK
                         : dimms[G_N_ELEMENTS(dimms) - 1] + RIG_DIMM - (i + 1) * BLOCK);
        }
        rig_unplug(daemon->rig, round);
        finish(daemon, &batch);
    }
    g_assert_cmpint(daemon_sent(daemon, 0, "ADD_MEM_REG"), ==, 1 + G_N_ELEMENTS(dimms));
    g_assert_cmpint(daemon_sent(daemon, 0, "REM_MEM_REG"), ==, G_N_ELEMENTS(dimms) - 1);
    g_assert_cmpint(daemon_sent(daemon, 0, "SET_MEM_TABLE"), ==, 0);
    g_assert_cmpint(daemon_sent(daemon, 0, "SET_VRING_ADDR"), ==, 1);
    daemon_rig_end(daemon);
}

/* A buffer over the border of two DIMMs, which are neighbours for the guest and two mappings for
 * the daemon: as a descriptor for each side, and as one that the daemon has to split. */
static void test_straddle(gconstpointer data)
{
    guint count = GPOINTER_TO_UINT(data);
    DaemonRig *daemon = daemon_rig_start(NULL);
    DaemonDisk *disk = daemon_disk(daemon, 0);
    uint64_t border;
    guint tag;

    rig_boot(daemon->rig, NULL);
    rig_plug(daemon->rig, 0);
    rig_plug(daemon->rig, 1);
    border = rig_dimm_address(daemon->rig, 1);
    g_assert_cmpuint(border, ==, rig_dimm_address(daemon->rig, 0) + RIG_DIMM);
    for (guint i = 0; i < 2; i++) {
        uint32_t size = 2 * BLOCK;
        VirtBuffer pieces[] = {{border - BLOCK, count == 2 ? BLOCK : size, i == 1},
                               {border, BLOCK, i == 1}};

        if (i == 0) {
            daemon_fill(daemon, disk, 0, border - BLOCK, size);
        } else {
            qtest_memset(daemon->rig->qtest, border - BLOCK, 0, size);
        }
        tag = blk_disk_submit_pieces(rig_disk(daemon->rig, 0), 0,
                                     i ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, 0, pieces, count);
        g_assert_cmpint(blk_disk_finish(rig_disk(daemon->rig, 0), tag, PATIENCE), ==,
                        VIRTIO_BLK_S_OK);
        daemon_compare_image(disk);
    }
    daemon_compare(daemon, disk, 0, border - BLOCK, 2 * BLOCK);
    daemon_rig_end(daemon);
}

/* To the last slot: 31 DIMMs beside the boot memory, and a refusal that names the limit. */
static void test_last_slot(gconstpointer data G_GNUC_UNUSED)
{
    DaemonOptions options = {.slots = DAEMON_SLOTS};
    DaemonRig *daemon = daemon_rig_start(&options);
    g_autofree char *text = NULL, *used = NULL, *again = NULL;

    rig_boot(daemon->rig, NULL);
    text = rig_fill(daemon->rig, 0, DAEMON_SLOTS - 1);
    rig_assert_names(text, "'b0'", "32 memory slots", "32 in use", NULL);
    used = daemon_info(daemon, "0/slots-used");
    g_assert_cmpstr(used, ==, "32");
    g_assert_cmpuint(rig_dimms(daemon->rig), ==, DAEMON_SLOTS - 1);
    for (guint i = 0; i < DAEMON_SLOTS - 1; i++) {
        daemon_check(daemon, 0, 0, i * 2 * BLOCK, rig_dimm_address(daemon->rig, i), BLOCK);
    }
    rig_unplug(daemon->rig, 7);
    again = rig_fill(daemon->rig, 100, 1);
    g_assert_cmpstr(again, !=, NULL);
    daemon_check(daemon, 0, 0, 0, rig_dimm_address(daemon->rig, 100), BLOCK);
    daemon_rig_end(daemon);
}

static void test_two_disks(gconstpointer data G_GNUC_UNUSED)
{
    DaemonOptions options = {.disks = 2, .queues = 2};
    BlkOptions disk = {.queues = 2, .msix = TRUE, .event_index = TRUE};
    DaemonRig *daemon = daemon_rig_start(&options);

    rig_boot(daemon->rig, &disk);
    for (guint i = 0; i < 6; i++) {
        rig_plug(daemon->rig, i);
        for (guint j = 0; j < 4; j++) {
            daemon_check(daemon, j / 2, j % 2, i * BLOCK, rig_dimm_address(daemon->rig, i) + BLOCK,
                         BLOCK);
        }
    }
    daemon_rig_end(daemon);
}

/* --- stops and resets --- */

/*
 * Rings go on where they were: what came while the machine stood is served after "cont".  Nothing
 * is out at "stop": the daemon of Debian 12 gives up a ring whose request ends after
 * GET_VRING_BASE.
 */
static void test_stop(gconstpointer data G_GNUC_UNUSED)
{
    BlkOptions options = {.msix = TRUE, .event_index = TRUE};
    DaemonRig *daemon = daemon_rig_start(NULL);
    Batch batch = {.count = 0};
    uint64_t buffer;

    rig_boot(daemon->rig, &options);
    buffer = guest_memory_alloc(&daemon->rig->memory, REQUESTS * BLOCK, BLOCK);
    for (guint round = 0; round < 5; round++) {
        for (guint i = 0; i < 8; i++) {
            submit(daemon, &batch, buffer + i * BLOCK);
        }
        finish(daemon, &batch);
        command(daemon, "stop");
        for (guint i = 8; i < 16; i++) {
            submit(daemon, &batch, buffer + i * BLOCK);
        }
        rig_plug(daemon->rig, round);
        command(daemon, "cont");
        submit(daemon, &batch, rig_dimm_address(daemon->rig, round));
        finish(daemon, &batch);
    }
    g_assert_cmpint(daemon_sent(daemon, 0, "GET_VRING_BASE"), ==, 5);
    daemon_rig_end(daemon);
}

/* "stop" with requests out: each is finished once, before it or after "cont". */
static void test_stop_in_flight(gconstpointer data G_GNUC_UNUSED)
{
    BlkOptions options = {.msix = TRUE, .indirect = TRUE};
    DaemonRig *daemon = daemon_rig_start(NULL);
    Batch batch = {.count = 0};
    uint64_t buffer;

    rig_boot(daemon->rig, &options);
    buffer = guest_memory_alloc(&daemon->rig->memory, REQUESTS * BLOCK, BLOCK);
    for (guint round = 0; round < 10; round++) {
        for (guint i = 0; i < REQUESTS; i++) {
            submit(daemon, &batch, buffer + i * BLOCK);
        }
        command(daemon, "stop");
        command(daemon, "cont");
        finish(daemon, &batch);
    }
    /* The requests may be back before the last "stop" is sent; a reset, one more, waits for it. */
    virt_device_reset(daemon->rig->drivers->pdata[0]);
    g_assert_cmpint(daemon_sent(daemon, 0, "GET_VRING_BASE"), ==, 11);
    daemon_rig_end(daemon);
}

static void test_reset(gconstpointer data)
{
    gboolean machine = GPOINTER_TO_INT(data);
    DaemonRig *daemon = daemon_rig_start(NULL);
    Rig *rig = daemon->rig;

    for (guint round = 0; round < 4; round++) {
        BlkOptions options = {.msix = round & 1, .indirect = !!(round & 2)};

        rig_boot(rig, &options);
        rig_plug(rig, round);
        for (guint i = 0; i <= round; i++) {
            daemon_check(daemon, 0, 0, i * BLOCK, rig_dimm_address(rig, i), BLOCK);
        }
        if (machine) {
            command(daemon, "system_reset");
            qmp_expect_event(rig->qmp, "RESET", PATIENCE);
            rig_forget_drivers(rig);
        } else {
            virt_device_reset(rig->drivers->pdata[0]);
        }
    }
    g_assert_cmpint(daemon_sent(daemon, 0, "ADD_MEM_REG"), ==, 5);
    g_assert_cmpint(daemon_sent(daemon, 0, "REM_MEM_REG"), ==, 0);
    daemon_rig_end(daemon);
}

static const struct {
    const char *path;
    GTestDataFunc function;
    guint data;
    gboolean all_variants; /* and not only our backend as it runs by default */
} tests[] = {
    {"/pieces/chain", test_pieces, FALSE, TRUE},
    {"/pieces/indirect", test_pieces, TRUE, FALSE},
    {"/identity", test_identity, 0, FALSE},
    {"/discard", test_zeroes, VIRTIO_BLK_T_DISCARD, TRUE},
    {"/write-zeroes", test_zeroes, VIRTIO_BLK_T_WRITE_ZEROES, TRUE},
    {"/refused", test_refused, 0, FALSE},
    {"/dimms/in-flight", test_in_flight, 0, TRUE},
    {"/dimms/straddle/2", test_straddle, 2, FALSE},
    {"/dimms/straddle/1", test_straddle, 1, FALSE},
    {"/dimms/last-slot", test_last_slot, 0, FALSE},
    {"/two-disks", test_two_disks, 0, TRUE},
    {"/stop", test_stop, 0, FALSE},
    {"/reset/device", test_reset, FALSE, FALSE},
    {"/reset/machine", test_reset, TRUE, FALSE},
};

/* Ways to run vhost-user-blk that must make no difference to a guest. */
static const struct {
    const char *name, *arguments;
} variants[] = {
    {"sandbox", "--sandbox"},
    {"direct", "--cache none"},
    {"iothread", "--iothreads 1"},
};

static gboolean has_direct_io(void)
{
    g_autofree char *path = vmm_temporary_path("direct");
    int file = open(path, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);

    unlink(path);
    return file >= 0 && close(file) == 0;
}

static void skip_direct(gconstpointer data G_GNUC_UNUSED)
{
    g_test_skip("the file system of the temporary directory has no O_DIRECT");
}

static void add(const char *path, gconstpointer data, GTestDataFunc function, gboolean all_variants)
{
    daemon_test_add(path, data, function);
    for (guint i = 0; all_variants && i < G_N_ELEMENTS(variants); i++) {
        gboolean skip = !strcmp(variants[i].name, "direct") && !has_direct_io();

        daemon_test_add_variant(variants[i].name, variants[i].arguments, path, data,
                                skip ? skip_direct : function);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(ring_cases); i++) {
        g_autofree char *name = g_strdup_printf("/ring/%s", ring_cases[i].name);

        add(name, &ring_cases[i], test_ring, TRUE);
    }
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++) {
        add(tests[i].path, GUINT_TO_POINTER(tests[i].data), tests[i].function,
            tests[i].all_variants);
    }
    daemon_test_add_for(BLK_DAEMON_OURS, "/stop-in-flight", NULL, test_stop_in_flight);
    return g_test_run();
}
