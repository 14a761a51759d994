/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The example of the back-end guide, as a program of its own under a driver: each ring format,
 * each status, buffers over borders of regions, regions that come and go, its end.
 */
#include "libvhost-user/driver.h"

#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <linux/virtio_blk.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

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

typedef struct Rig {
    char *directory, *socket;
    GPid pid;
    VhostUserFrontEnd *front;
    VhostUserGuestMemory *memory;
    VhostUserDriverQueue *queue;
} Rig;

#define CHECK(rig, call)                                                                           \
    do {                                                                                           \
        int result_ = (call);                                                                      \
                                                                                                   \
        if (result_ < 0) {                                                                         \
            g_error("%s: %s: %s", #call, g_strerror(-result_),                                     \
                    vhost_user_front_end_error((rig)->front));                                     \
        }                                                                                          \
    } while (0)

static void *host(Rig *rig, uint64_t address, uint64_t size)
{
    void *bytes =
        vhost_user_guest_memory_host(rig->memory->areas, rig->memory->count, address, size);

    g_assert_nonnull(bytes);
    return bytes;
}

/* --- the program --- */

static void start_program(Rig *rig)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *size = g_strdup_printf("%u", MEBIBYTES);
    char *arguments[] = {(char *)g_getenv("VHOST_USER_RAMDISK"), rig->socket, size, NULL};

    g_assert_nonnull(arguments[0]);
    g_spawn_async(NULL, arguments, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &rig->pid, &error);
    g_assert_no_error(error);
}

static void end_program(Rig *rig)
{
    int status;

    g_assert_cmpint(kill(rig->pid, SIGTERM), ==, 0);
    g_assert_cmpint(waitpid(rig->pid, &status, 0), ==, rig->pid);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
    g_assert_false(g_file_test(rig->socket, G_FILE_TEST_EXISTS));
}

/* --- connection and ring --- */

static void connect_front_end(Rig *rig, uint64_t ring_features)
{
    rig->front = vhost_user_front_end_connect(rig->socket, DEADLINE);
    g_assert_nonnull(rig->front);
    CHECK(rig, vhost_user_front_end_negotiate(
                   rig->front, VHOST_USER_RING_F_VERSION_1 | ring_features, UINT64_MAX));
    g_assert_cmpuint(vhost_user_front_end_features(rig->front) & ring_features, ==, ring_features);
    g_assert_cmpuint(vhost_user_front_end_queues(rig->front), ==, 2);
    g_assert_cmpuint(vhost_user_front_end_memory_slots(rig->front), ==,
                     VHOST_USER_DEVICE_MEMORY_SLOTS_DEFAULT);
    g_assert_false(vhost_user_front_end_has(rig->front, VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD));
    CHECK(rig, vhost_user_front_end_add_memory(rig->front, rig->memory->areas, rig->memory->count));
}

static void start_queue(Rig *rig, uint32_t index, uint64_t ring_features)
{
    VhostUserDriverParameters parameters = {
        .areas = rig->memory->areas,
        .area_count = rig->memory->count,
        .features = ring_features,
        .index = index,
        .size = QUEUE_SIZE,
        .base = ring_features & VHOST_USER_RING_F_PACKED ? VHOST_USER_DRIVER_PACKED_BASE : 0,
        .indirect_size = 4,
    };
    VhostUserRingSetup setup;

    vhost_user_driver_place(&parameters, GUEST_START);
    rig->queue = vhost_user_driver_queue_new(&parameters);
    g_assert_nonnull(rig->queue);
    vhost_user_driver_queue_setup(rig->queue, &setup);
    CHECK(rig, vhost_user_front_end_start_ring(rig->front, &setup));
}

static void stop_queue(Rig *rig, uint32_t index)
{
    uint32_t base;

    CHECK(rig, vhost_user_front_end_stop_ring(rig->front, index, &base));
    g_assert_cmpuint(base, ==, vhost_user_driver_queue_base(rig->queue));
    g_clear_pointer(&rig->queue, vhost_user_driver_queue_free);
}

static void rig_start(Rig *rig)
{
    g_autoptr(GError) error = NULL;

    *rig = (Rig){.directory = g_dir_make_tmp("ramdisk-XXXXXX", &error)};
    g_assert_no_error(error);
    rig->socket = g_build_filename(rig->directory, "socket", NULL);
    rig->memory = vhost_user_guest_memory_new(GUEST_START, AREA_SIZE, AREAS, 0);
    g_assert_nonnull(rig->memory);
    start_program(rig);
}

static void rig_end(Rig *rig)
{
    vhost_user_front_end_free(rig->front);
    end_program(rig);
    vhost_user_driver_queue_free(rig->queue);
    vhost_user_guest_memory_free(rig->memory);
    g_rmdir(rig->directory);
    g_free(rig->socket);
    g_free(rig->directory);
}

/* --- requests --- */

/* Returns the status; *@written is what the disk reports. */
static uint8_t request(Rig *rig, uint32_t type, uint64_t sector, uint64_t address, uint32_t size,
                       uint32_t *written)
{
    struct virtio_blk_outhdr head = {.type = type, .sector = sector};
    gboolean read = type != VIRTIO_BLK_T_OUT;
    VhostUserDriverBuffer buffers[] = {
        {HEAD, sizeof(head)},
        {address, size},
        {STATUS, 1},
    };
    uint8_t *status = host(rig, STATUS, 1);
    VhostUserDriverUsed used;

    memcpy(host(rig, HEAD, sizeof(head)), &head, sizeof(head));
    *status = 0xee;
    CHECK(rig,
          vhost_user_driver_queue_add(rig->queue, buffers, read ? 1 : 2, read ? 2 : 1, 0, status));
    vhost_user_driver_queue_kick(rig->queue);
    g_assert_cmpint(vhost_user_driver_queue_wait(rig->queue, DEADLINE), ==, 1);
    g_assert_cmpint(vhost_user_driver_queue_collect(rig->queue, &used, 1), ==, 1);
    g_assert_true(used.cookie == status);
    *written = used.written;
    return *status;
}

/* DATA_SIZE bytes at DATA, which lie in two areas. */
static void fill(Rig *rig, uint8_t *bytes, guint seed)
{
    for (guint i = 0; i < DATA_SIZE; i++) {
        bytes[i] = (uint8_t)(seed + i * 7 + i / 251);
    }
    memcpy(host(rig, DATA, DATA_SIZE / 2), bytes, DATA_SIZE / 2);
    memcpy(host(rig, DATA + DATA_SIZE / 2, DATA_SIZE / 2), bytes + DATA_SIZE / 2, DATA_SIZE / 2);
}

static void assert_data(Rig *rig, const uint8_t *bytes)
{
    g_assert_cmpmem(host(rig, DATA, DATA_SIZE / 2), DATA_SIZE / 2, bytes, DATA_SIZE / 2);
    g_assert_cmpmem(host(rig, DATA + DATA_SIZE / 2, DATA_SIZE / 2), DATA_SIZE / 2,
                    bytes + DATA_SIZE / 2, DATA_SIZE / 2);
}

static void write_and_read(Rig *rig, uint64_t sector, guint seed)
{
    uint8_t bytes[DATA_SIZE], other[DATA_SIZE];
    uint32_t written;

    fill(rig, bytes, seed);
    g_assert_cmpuint(request(rig, VIRTIO_BLK_T_OUT, sector, DATA, DATA_SIZE, &written), ==,
                     VIRTIO_BLK_S_OK);
    g_assert_cmpuint(written, ==, 1);
    fill(rig, other, seed + 1);
    g_assert_cmpuint(request(rig, VIRTIO_BLK_T_IN, sector, DATA, DATA_SIZE, &written), ==,
                     VIRTIO_BLK_S_OK);
    g_assert_cmpuint(written, ==, DATA_SIZE + 1);
    assert_data(rig, bytes);
}

/* --- tests --- */

static void test_format(gconstpointer data)
{
    uint64_t features = *(const uint64_t *)data;
    struct virtio_blk_config config;
    Rig rig;

    rig_start(&rig);
    connect_front_end(&rig, features);
    CHECK(&rig, vhost_user_front_end_get_config(rig.front, 0, &config, sizeof(config)));
    g_assert_cmpuint(config.capacity, ==, SECTORS);
    g_assert_cmpuint(config.num_queues, ==, 2);
    g_assert_cmpint(
        vhost_user_front_end_set_config(rig.front, 0, &config, 8, VHOST_USER_CONFIG_WRITABLE), ==,
        -EREMOTEIO);
    for (uint32_t index = 0; index < 2; index++) {
        start_queue(&rig, index, features);
        /* Several times around the ring. */
        for (guint i = 0; i < 3 * QUEUE_SIZE; i++) {
            write_and_read(&rig, i * (DATA_SIZE / 512), i);
        }
        write_and_read(&rig, SECTORS - DATA_SIZE / 512, index);
        stop_queue(&rig, index);
    }
    rig_end(&rig);
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
    Rig rig;

    rig_start(&rig);
    connect_front_end(&rig, 0);
    start_queue(&rig, 0, 0);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_cmpuint(request(&rig, cases[i].type, cases[i].sector, cases[i].address,
                                 cases[i].size, &written),
                         ==, cases[i].status);
        /* Of a read that failed nothing was written in front of the status. */
        g_assert_cmpuint(written, ==, cases[i].type == VIRTIO_BLK_T_OUT ? 1 : 0);
    }
    write_and_read(&rig, 0, 1);
    rig_end(&rig);
}

/* Without room for a status there is nothing to say. */
static void test_no_status(void)
{
    VhostUserDriverBuffer buffer = {HEAD, sizeof(struct virtio_blk_outhdr)};
    VhostUserDriverUsed used;
    Rig rig;

    rig_start(&rig);
    connect_front_end(&rig, 0);
    start_queue(&rig, 0, 0);
    CHECK(&rig, vhost_user_driver_queue_add(rig.queue, &buffer, 1, 0, 0, NULL));
    vhost_user_driver_queue_kick(rig.queue);
    g_assert_cmpint(vhost_user_driver_queue_wait(rig.queue, DEADLINE), ==, 1);
    g_assert_cmpint(vhost_user_driver_queue_collect(rig.queue, &used, 1), ==, 1);
    g_assert_cmpuint(used.written, ==, 0);
    rig_end(&rig);
}

/* A region that has gone is no memory any more, and one that came back is. */
static void test_regions(void)
{
    const VhostUserMemoryArea *last;
    uint32_t written;
    Rig rig;

    rig_start(&rig);
    connect_front_end(&rig, 0);
    start_queue(&rig, 0, 0);
    last = &rig.memory->areas[AREAS - 1];
    g_assert_cmpuint(request(&rig, VIRTIO_BLK_T_OUT, 0, last->guest_address, 512, &written), ==,
                     VIRTIO_BLK_S_OK);
    CHECK(&rig, vhost_user_front_end_remove_region(rig.front, last));
    g_assert_cmpuint(request(&rig, VIRTIO_BLK_T_OUT, 0, last->guest_address, 512, &written), ==,
                     VIRTIO_BLK_S_IOERR);
    /* The first area has the ring in it. */
    g_assert_cmpint(vhost_user_front_end_remove_region(rig.front, &rig.memory->areas[0]), ==,
                    -EREMOTEIO);
    CHECK(&rig, vhost_user_front_end_add_region(rig.front, last, NULL));
    g_assert_cmpuint(request(&rig, VIRTIO_BLK_T_OUT, 0, last->guest_address, 512, &written), ==,
                     VIRTIO_BLK_S_OK);
    rig_end(&rig);
}

/* The next connection finds the same bytes; one that ends in nonsense harms no other. */
static void test_reconnect(void)
{
    const char nonsense[] = "this is not a message";
    uint8_t bytes[DATA_SIZE], other[DATA_SIZE];
    uint32_t written;
    Rig rig;

    rig_start(&rig);
    connect_front_end(&rig, 0);
    start_queue(&rig, 0, 0);
    write_and_read(&rig, 8, 3);
    vhost_user_front_end_free(rig.front);
    g_clear_pointer(&rig.queue, vhost_user_driver_queue_free);

    rig.front = vhost_user_front_end_connect(rig.socket, DEADLINE);
    g_assert_nonnull(rig.front);
    CHECK(&rig, vhost_user_front_end_send_bytes(rig.front, nonsense, sizeof(nonsense), NULL, 0));
    g_assert_cmpint(vhost_user_front_end_command(rig.front, VHOST_USER_SET_OWNER), ==, -ECONNRESET);
    vhost_user_front_end_free(rig.front);

    connect_front_end(&rig, 0);
    start_queue(&rig, 0, 0);
    fill(&rig, bytes, 3);
    fill(&rig, other, 4);
    g_assert_cmpuint(request(&rig, VIRTIO_BLK_T_IN, 8, DATA, DATA_SIZE, &written), ==,
                     VIRTIO_BLK_S_OK);
    assert_data(&rig, bytes);
    rig_end(&rig);
}

/* SIGTERM while a front-end is connected and its queue runs. */
static void test_end(void)
{
    Rig rig;

    rig_start(&rig);
    connect_front_end(&rig, 0);
    start_queue(&rig, 0, 0);
    write_and_read(&rig, 0, 0);
    end_program(&rig);
    vhost_user_front_end_free(rig.front);
    rig.front = NULL;
    start_program(&rig);
    connect_front_end(&rig, 0);
    rig_end(&rig);
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
    return g_test_run();
}
