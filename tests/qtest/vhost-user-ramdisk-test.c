/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The example of docs/devel/libvhost-user.rst as a program of its own.  Under a driver: each ring
 * format, each status, buffers over borders of regions, regions that come and go, its end.  Under
 * the machine: data through DIMMs.
 */
#include "libvhost-user/driver.h"
#include "qtest/child.h"
#include "qtest/rig.h"
#include "qtest/temporary.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE 20000 /* milliseconds */
#define MEBIBYTES 8u
#define SECTORS ((uint64_t)MEBIBYTES << 11)
#define QUEUE_SIZE 16
#define AREA_SIZE ((uint64_t)1 << 20)
#define AREAS 12 /* more than one table can hold */
#define GUEST_START 0x100000
#define DATA (GUEST_START + AREA_SIZE - 4096) /* 8 KiB, half of it in the second area */
#define DATA_SIZE 8192u
#define HEAD (GUEST_START + 0x80000)
#define BATCHING (VHOST_USER_RING_F_INDIRECT_DESC | VHOST_USER_RING_F_EVENT_IDX)
#define STATUS (HEAD + sizeof(struct virtio_blk_outhdr))

typedef struct Disk {
    char *socket;
    pid_t pid;
    int pidfd;
    int errors; /* what it wrote to standard error */
} Disk;

typedef struct Bench {
    Disk disk;
    VhostUserFrontEnd *front;
    VhostUserGuestMemory *memory;
    VhostUserDriverQueue *queue;
} Bench;

#define CHECK(bench, call)                                                                         \
    do {                                                                                           \
        int result_ = (call);                                                                      \
                                                                                                   \
        if (result_ < 0) {                                                                         \
            g_error("%s: %s: %s", #call, g_strerror(-result_),                                     \
                    vhost_user_front_end_error((bench)->front));                                   \
        }                                                                                          \
    } while (0)

static void *host(Bench *bench, uint64_t address, uint64_t size)
{
    void *bytes =
        vhost_user_guest_memory_host(bench->memory->areas, bench->memory->count, address, size);

    g_assert_nonnull(bytes);
    return bytes;
}

/* --- the program --- */

static void disk_start(Disk *disk)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *size = g_strdup_printf("%u", MEBIBYTES);
    char *arguments[] = {(char *)g_getenv("QTEST_VHOST_USER_RAMDISK"), disk->socket, size, NULL};
    ChildOptions options = {.output = STDERR_FILENO, .errors = disk->errors};

    if (!arguments[0]) {
        g_error("QTEST_VHOST_USER_RAMDISK does not name the program");
    }
    disk->pid = child_start(arguments, &options, &disk->pidfd, &error);
    g_assert_no_error(error);
}

static void disk_new(Disk *disk)
{
    *disk = (Disk){.socket = g_build_filename(temporary_directory(), "ramdisk", NULL),
                   .errors = child_output_new()};
    disk_start(disk);
}

/* SIGTERM ends it in order: status 0, no socket left. */
static void disk_end(Disk *disk)
{
    int status;

    g_assert_cmpint(kill(disk->pid, SIGTERM), ==, 0);
    g_assert_true(child_wait(disk->pid, disk->pidfd, DEADLINE, &status));
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
    g_assert_false(g_file_test(disk->socket, G_FILE_TEST_EXISTS));
    close(disk->pidfd);
}

static void disk_free(Disk *disk)
{
    disk_end(disk);
    close(disk->errors);
    g_free(disk->socket);
}

static void disk_assert_said(const Disk *disk, const char *text)
{
    g_autofree char *said = child_read(disk->errors);

    if (!strstr(said, text)) {
        g_error("the disk did not say \"%s\", but:\n%s", text, said);
    }
}

/* --- connection and ring --- */

static void connect_front_end(Bench *bench, uint64_t ring_features)
{
    bench->front = vhost_user_front_end_connect(bench->disk.socket, DEADLINE);
    g_assert_nonnull(bench->front);
    CHECK(bench, vhost_user_front_end_negotiate(
                     bench->front, VHOST_USER_RING_F_VERSION_1 | ring_features, UINT64_MAX));
    g_assert_cmpuint(vhost_user_front_end_features(bench->front) & ring_features, ==,
                     ring_features);
    g_assert_cmpuint(vhost_user_front_end_queues(bench->front), ==, 2);
    g_assert_cmpuint(vhost_user_front_end_memory_slots(bench->front), ==,
                     VHOST_USER_DEVICE_MEMORY_SLOTS_DEFAULT);
    g_assert_false(vhost_user_front_end_has(bench->front, VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD));
    CHECK(bench, vhost_user_front_end_add_memory(bench->front, bench->memory->areas,
                                                 bench->memory->count));
}

static void start_queue(Bench *bench, uint32_t index, uint64_t ring_features)
{
    VhostUserDriverParameters parameters = {
        .areas = bench->memory->areas,
        .area_count = bench->memory->count,
        .features = ring_features,
        .index = index,
        .size = QUEUE_SIZE,
        .base = ring_features & VHOST_USER_RING_F_PACKED ? VHOST_USER_DRIVER_PACKED_BASE : 0,
        .indirect_size = 4,
    };
    VhostUserRingSetup setup;

    vhost_user_driver_place(&parameters, GUEST_START);
    bench->queue = vhost_user_driver_queue_new(&parameters);
    g_assert_nonnull(bench->queue);
    vhost_user_driver_queue_setup(bench->queue, &setup);
    CHECK(bench, vhost_user_front_end_start_ring(bench->front, &setup));
}

static void stop_queue(Bench *bench, uint32_t index)
{
    uint32_t base;

    CHECK(bench, vhost_user_front_end_stop_ring(bench->front, index, &base));
    g_assert_cmpuint(base, ==, vhost_user_driver_queue_base(bench->queue));
    g_clear_pointer(&bench->queue, vhost_user_driver_queue_free);
}

static void bench_start(Bench *bench)
{
    *bench = (Bench){0};
    disk_new(&bench->disk);
    bench->memory = vhost_user_guest_memory_new(GUEST_START, AREA_SIZE, AREAS, 0);
    g_assert_nonnull(bench->memory);
}

static void bench_end(Bench *bench)
{
    vhost_user_front_end_free(bench->front);
    disk_free(&bench->disk);
    vhost_user_driver_queue_free(bench->queue);
    vhost_user_guest_memory_free(bench->memory);
}

/* --- requests --- */

#define NO_STATUS 0xee /* still there: the disk has not written one */

/* Returns the status; *@written is what the disk reports. */
static uint8_t request(Bench *bench, uint32_t type, uint64_t sector, uint64_t address,
                       uint32_t size, uint32_t *written)
{
    struct virtio_blk_outhdr head = {.type = type, .sector = sector};
    gboolean read = type != VIRTIO_BLK_T_OUT;
    VhostUserDriverBuffer buffers[] = {
        {HEAD, sizeof(head)},
        {address, size},
        {STATUS, 1},
    };
    uint8_t *status = host(bench, STATUS, 1);
    VhostUserDriverUsed used;

    memcpy(host(bench, HEAD, sizeof(head)), &head, sizeof(head));
    *status = NO_STATUS;
    CHECK(bench, vhost_user_driver_queue_add(bench->queue, buffers, read ? 1 : 2, read ? 2 : 1, 0,
                                             status));
    vhost_user_driver_queue_kick(bench->queue);
    g_assert_cmpint(vhost_user_driver_queue_wait(bench->queue, DEADLINE), ==, 1);
    g_assert_cmpint(vhost_user_driver_queue_collect(bench->queue, &used, 1), ==, 1);
    g_assert_true(used.cookie == status);
    *written = used.written;
    return *status;
}

/* DATA_SIZE bytes at DATA, which lie in two areas. */
static void fill(Bench *bench, uint8_t *bytes, guint seed)
{
    for (guint i = 0; i < DATA_SIZE; i++) {
        bytes[i] = (uint8_t)(seed + i * 7 + i / 251);
    }
    memcpy(host(bench, DATA, DATA_SIZE / 2), bytes, DATA_SIZE / 2);
    memcpy(host(bench, DATA + DATA_SIZE / 2, DATA_SIZE / 2), bytes + DATA_SIZE / 2, DATA_SIZE / 2);
}

static void assert_data(Bench *bench, const uint8_t *bytes)
{
    g_assert_cmpmem(host(bench, DATA, DATA_SIZE / 2), DATA_SIZE / 2, bytes, DATA_SIZE / 2);
    g_assert_cmpmem(host(bench, DATA + DATA_SIZE / 2, DATA_SIZE / 2), DATA_SIZE / 2,
                    bytes + DATA_SIZE / 2, DATA_SIZE / 2);
}

static void write_and_read(Bench *bench, uint64_t sector, guint seed)
{
    uint8_t bytes[DATA_SIZE], other[DATA_SIZE];
    uint32_t written;

    fill(bench, bytes, seed);
    g_assert_cmpuint(request(bench, VIRTIO_BLK_T_OUT, sector, DATA, DATA_SIZE, &written), ==,
                     VIRTIO_BLK_S_OK);
    g_assert_cmpuint(written, ==, 1);
    fill(bench, other, seed + 1);
    g_assert_cmpuint(request(bench, VIRTIO_BLK_T_IN, sector, DATA, DATA_SIZE, &written), ==,
                     VIRTIO_BLK_S_OK);
    g_assert_cmpuint(written, ==, DATA_SIZE + 1);
    assert_data(bench, bytes);
}

/* --- tests --- */

static void test_format(gconstpointer data)
{
    uint64_t features = *(const uint64_t *)data;
    struct virtio_blk_config config;
    Bench bench;

    bench_start(&bench);
    connect_front_end(&bench, features);
    CHECK(&bench, vhost_user_front_end_get_config(bench.front, 0, &config, sizeof(config)));
    g_assert_cmpuint(config.capacity, ==, SECTORS);
    g_assert_cmpuint(config.num_queues, ==, 2);
    g_assert_cmpint(
        vhost_user_front_end_set_config(bench.front, 0, &config, 8, VHOST_USER_CONFIG_WRITABLE), ==,
        -EREMOTEIO);
    for (uint32_t index = 0; index < 2; index++) {
        start_queue(&bench, index, features);
        /* Several times around the ring. */
        for (guint i = 0; i < 3 * QUEUE_SIZE; i++) {
            write_and_read(&bench, i * (DATA_SIZE / 512), i);
        }
        write_and_read(&bench, SECTORS - DATA_SIZE / 512, index);
        stop_queue(&bench, index);
    }
    bench_end(&bench);
}

static void test_status(void)
{
    const struct {
        uint32_t type;
        uint64_t sector, address;
        uint32_t size;
        uint8_t status;
    } cases[] = {
        {VIRTIO_BLK_T_IN, SECTORS, HEAD + 64, 512, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_IN, SECTORS - 1, HEAD + 64, 1024, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_OUT, UINT64_MAX, HEAD + 64, 512, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_OUT, UINT64_MAX / 512 + 1, HEAD + 64, 512, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_IN, 0, HEAD + 64, 500, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_GET_ID, 0, HEAD + 64, 20, VIRTIO_BLK_S_UNSUPP},
        {VIRTIO_BLK_T_DISCARD, 0, HEAD + 64, 16, VIRTIO_BLK_S_UNSUPP},
    };
    uint32_t written;
    Bench bench;

    bench_start(&bench);
    connect_front_end(&bench, 0);
    start_queue(&bench, 0, 0);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_cmpuint(request(&bench, cases[i].type, cases[i].sector, cases[i].address,
                                 cases[i].size, &written),
                         ==, cases[i].status);
        /* Of a read that failed nothing was written in front of the status. */
        g_assert_cmpuint(written, ==, cases[i].type == VIRTIO_BLK_T_OUT ? 1 : 0);
    }
    write_and_read(&bench, 0, 1);
    bench_end(&bench);
}

/* Without room for a status there is nothing to say. */
static void test_no_status(void)
{
    VhostUserDriverBuffer buffer = {HEAD, sizeof(struct virtio_blk_outhdr)};
    VhostUserDriverUsed used;
    Bench bench;

    bench_start(&bench);
    connect_front_end(&bench, 0);
    start_queue(&bench, 0, 0);
    CHECK(&bench, vhost_user_driver_queue_add(bench.queue, &buffer, 1, 0, 0, NULL));
    vhost_user_driver_queue_kick(bench.queue);
    g_assert_cmpint(vhost_user_driver_queue_wait(bench.queue, DEADLINE), ==, 1);
    g_assert_cmpint(vhost_user_driver_queue_collect(bench.queue, &used, 1), ==, 1);
    g_assert_cmpuint(used.written, ==, 0);
    bench_end(&bench);
}

/* A region that has gone is no memory any more, and one that came back is. */
static void test_regions(void)
{
    const VhostUserMemoryArea *last;
    uint32_t written;
    Bench bench;

    bench_start(&bench);
    connect_front_end(&bench, 0);
    start_queue(&bench, 0, 0);
    last = &bench.memory->areas[AREAS - 1];
    g_assert_cmpuint(request(&bench, VIRTIO_BLK_T_OUT, 0, last->guest_address, 512, &written), ==,
                     VIRTIO_BLK_S_OK);
    CHECK(&bench, vhost_user_front_end_remove_region(bench.front, last));
    /* Pieces end in front of what is not memory, so there is no room for a status. */
    g_assert_cmpuint(request(&bench, VIRTIO_BLK_T_OUT, 0, last->guest_address, 512, &written), ==,
                     NO_STATUS);
    g_assert_cmpuint(written, ==, 0);
    /* The first area has the ring in it. */
    g_assert_cmpint(vhost_user_front_end_remove_region(bench.front, &bench.memory->areas[0]), ==,
                    -EREMOTEIO);
    CHECK(&bench, vhost_user_front_end_add_region(bench.front, last, NULL));
    g_assert_cmpuint(request(&bench, VIRTIO_BLK_T_OUT, 0, last->guest_address, 512, &written), ==,
                     VIRTIO_BLK_S_OK);
    bench_end(&bench);
}

/* The next connection finds the same bytes; one that ends in nonsense harms no other. */
static void test_reconnect(void)
{
    const char nonsense[] = "this is not a message";
    uint8_t bytes[DATA_SIZE], other[DATA_SIZE];
    uint32_t written;
    Bench bench;

    bench_start(&bench);
    connect_front_end(&bench, 0);
    start_queue(&bench, 0, 0);
    write_and_read(&bench, 8, 3);
    vhost_user_front_end_free(bench.front);
    g_clear_pointer(&bench.queue, vhost_user_driver_queue_free);

    bench.front = vhost_user_front_end_connect(bench.disk.socket, DEADLINE);
    g_assert_nonnull(bench.front);
    CHECK(&bench,
          vhost_user_front_end_send_bytes(bench.front, nonsense, sizeof(nonsense), NULL, 0));
    g_assert_cmpint(vhost_user_front_end_barrier(bench.front), ==, -ECONNRESET);
    disk_assert_said(&bench.disk, "longer than any message");
    vhost_user_front_end_free(bench.front);

    connect_front_end(&bench, 0);
    start_queue(&bench, 0, 0);
    fill(&bench, bytes, 3);
    fill(&bench, other, 4);
    g_assert_cmpuint(request(&bench, VIRTIO_BLK_T_IN, 8, DATA, DATA_SIZE, &written), ==,
                     VIRTIO_BLK_S_OK);
    assert_data(&bench, bytes);
    bench_end(&bench);
}

/* SIGTERM while a front-end is connected and its queue runs. */
static void test_end(void)
{
    Bench bench;

    bench_start(&bench);
    connect_front_end(&bench, 0);
    start_queue(&bench, 0, 0);
    write_and_read(&bench, 0, 0);
    disk_end(&bench.disk);
    vhost_user_front_end_free(bench.front);
    disk_start(&bench.disk);
    connect_front_end(&bench, 0);
    bench_end(&bench);
}

/* Memory that is cut under the disk ends the connection and not the disk. */
static void test_truncation(void)
{
    int fd = memfd_create("guest", MFD_CLOEXEC);
    VhostUserMemoryArea area = {.guest_address = GUEST_START + AREAS * AREA_SIZE,
                                .size = AREA_SIZE,
                                .host = &area, /* a name, nothing is there */
                                .fd = fd};
    VhostUserDriverBuffer buffers[] = {{area.guest_address, sizeof(struct virtio_blk_outhdr)},
                                       {STATUS, 1}};
    Bench bench;

    g_assert_cmpint(ftruncate(fd, AREA_SIZE), ==, 0);
    bench_start(&bench);
    connect_front_end(&bench, 0);
    CHECK(&bench, vhost_user_front_end_add_region(bench.front, &area, NULL));
    g_assert_cmpint(ftruncate(fd, 0), ==, 0);
    start_queue(&bench, 0, 0);
    CHECK(&bench, vhost_user_driver_queue_add(bench.queue, buffers, 1, 1, 0, NULL));
    vhost_user_driver_queue_kick(bench.queue);
    while (vhost_user_front_end_barrier(bench.front) == 0) {
        g_usleep(1000);
    }
    vhost_user_front_end_free(bench.front);
    bench.front = NULL;
    g_clear_pointer(&bench.queue, vhost_user_driver_queue_free);
    connect_front_end(&bench, 0);
    start_queue(&bench, 0, 0);
    write_and_read(&bench, 0, 7);
    bench_end(&bench);
    close(fd);
}

static void test_usage(void)
{
    const char *program = g_getenv("QTEST_VHOST_USER_RAMDISK");
    char *const cases[][4] = {
        {(char *)program, NULL},
        {(char *)program, "socket", "0", NULL},
        {(char *)program, "socket", "many", NULL},
        {(char *)program, "/nowhere/at/all", "1", NULL},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *said = NULL;
        int status;

        g_spawn_sync(temporary_directory(), (char **)cases[i], NULL, G_SPAWN_DEFAULT, NULL, NULL,
                     NULL, &said, &status, &error);
        g_assert_no_error(error);
        g_assert_true(WIFEXITED(status));
        g_assert_cmpint(WEXITSTATUS(status), ==, 1);
        g_assert_nonnull(strchr(said, '\n'));
    }
}

/* --- under the machine --- */

static void check_data(Rig *rig, guint queue, uint64_t address, guint seed)
{
    uint8_t out[4096], in[sizeof(out)];
    uint64_t sector = seed * (sizeof(out) / 512);

    for (guint i = 0; i < sizeof(out); i++) {
        out[i] = (uint8_t)(seed * 31 + i * 7 + i / 251);
    }
    qtest_memwrite(rig->qtest, address, out, sizeof(out));
    g_assert_cmpint(
        blk_disk_request(rig_disk(rig, 0), queue, VIRTIO_BLK_T_OUT, sector, address, sizeof(out)),
        ==, VIRTIO_BLK_S_OK);
    qtest_memset(rig->qtest, address, 0, sizeof(in));
    g_assert_cmpint(
        blk_disk_request(rig_disk(rig, 0), queue, VIRTIO_BLK_T_IN, sector, address, sizeof(in)), ==,
        VIRTIO_BLK_S_OK);
    qtest_memread(rig->qtest, address, in, sizeof(in));
    g_assert_cmpmem(in, sizeof(in), out, sizeof(out));
}

/* More DIMMs than one table can hold, unplugged and plugged again, with data through each. */
static void test_machine(void)
{
    BlkOptions blk = {.queues = 2, .features = UINT64_C(1) << VIRTIO_BLK_F_MQ};
    Disk disk;
    const char *sockets[1];
    RigOptions options = {.sockets = sockets,
                          .arguments = "-global vhost-user-blk-pci.num-queues=2"};
    Rig *rig;

    disk_new(&disk);
    sockets[0] = disk.socket;
    while (!g_file_test(disk.socket, G_FILE_TEST_EXISTS)) {
        g_usleep(1000);
    }
    rig = rig_start(NULL, &options);
    rig_boot(rig, &blk);
    for (guint i = 0; i < 20; i++) {
        rig_plug(rig, i);
        check_data(rig, i % 2, rig_dimm_address(rig, i), i);
    }
    for (guint i = 0; i < 20; i += 2) {
        rig_unplug(rig, i);
    }
    for (guint i = 0; i < 20; i += 2) {
        rig_plug(rig, i);
    }
    for (guint i = 0; i < 20; i++) {
        check_data(rig, i % 2, rig_dimm_address(rig, i), 20 + i);
    }
    rig_end(rig);
    disk_free(&disk);
}

int main(int argc, char **argv)
{
    static const uint64_t split = 0, split_all = BATCHING, packed = VHOST_USER_RING_F_PACKED,
                          packed_all = VHOST_USER_RING_F_PACKED | BATCHING;

    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);
    g_test_add_data_func("/vhost-user-ramdisk/split", &split, test_format);
    g_test_add_data_func("/vhost-user-ramdisk/split-event-index", &split_all, test_format);
    g_test_add_data_func("/vhost-user-ramdisk/packed", &packed, test_format);
    g_test_add_data_func("/vhost-user-ramdisk/packed-event-index", &packed_all, test_format);
    g_test_add_func("/vhost-user-ramdisk/status", test_status);
    g_test_add_func("/vhost-user-ramdisk/no-status", test_no_status);
    g_test_add_func("/vhost-user-ramdisk/regions", test_regions);
    g_test_add_func("/vhost-user-ramdisk/reconnect", test_reconnect);
    g_test_add_func("/vhost-user-ramdisk/end", test_end);
    g_test_add_func("/vhost-user-ramdisk/truncation", test_truncation);
    g_test_add_func("/vhost-user-ramdisk/usage", test_usage);
    g_test_add_func("/vhost-user-ramdisk/machine", test_machine);
    return g_test_run();
}
