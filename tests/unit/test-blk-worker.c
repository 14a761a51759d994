/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The workers of vhost-user-blk behind the real library: requests at random, many at a time, with
 * each engine, against a model; queues that stop and start with requests under way.
 */
#include "blk-guest.h"
#include "blk-image.h"

#include <linux/virtio_blk.h>
#include <string.h>

#define IMAGE_SIZE (BLK_GUEST_DEPTH * BLK_GUEST_DATA)
#define SECTORS_A_PLACE (BLK_GUEST_DATA / 512u)

typedef struct Case {
    const char *name;
    BlkImagePlace place;
    BlkDiskOptions disk;
    BlkGuestOptions guest;
} Case;

/* A request that is under way, and what it should do. Each place has a part of the disk of its
 * own, so that no two at a time touch the same. */
typedef struct Expected {
    BlkGuestRequest request;
    uint8_t status;
} Expected;

typedef struct Run {
    const Case *what;
    BlkImage *image;
    BlkGuest *guest;
    BlkDisk *disk;
    Expected expected[BLK_GUEST_DEPTH];
    uint32_t unit; /* sectors */
} Run;

static gboolean begin(Run *run, const Case *what)
{
    *run = (Run){.what = what, .unit = what->disk.block_size == 4096 ? 8 : 1};
    run->image = blk_image_new(what->place, IMAGE_SIZE);
    if (run->image == NULL) {
        return FALSE;
    }
    run->disk = blk_image_open(run->image, what->disk);
    run->guest = blk_guest_new(run->disk, &what->guest);
    return run->guest != NULL;
}

static void end(Run *run)
{
    blk_guest_free(run->guest);
    blk_disk_close(run->disk);
    if (run->image != NULL) {
        blk_image_check(run->image);
    }
    blk_image_free(run->image);
}

/* --- random requests --- */

static uint8_t *model_of(Run *run, uint64_t sector)
{
    return run->image->model + sector * 512;
}

static void make_transfer(Run *run, BlkGuestRequest *request, gboolean writing)
{
    unsigned units = SECTORS_A_PLACE / run->unit;
    unsigned first = (unsigned)g_test_rand_int_range(0, (int)units);
    unsigned count = (unsigned)g_test_rand_int_range(1, (int)(units - first) + 1);

    request->sector = (uint64_t)request->place * SECTORS_A_PLACE + first * run->unit;
    request->size = count * run->unit * 512;
    request->skew = (unsigned)g_test_rand_int_range(0, (int)BLK_GUEST_DATA - 1024);
    if (writing) {
        uint8_t *model = model_of(run, request->sector);

        for (unsigned i = 0; i < request->size; i += 8) {
            uint32_t value = g_test_rand_int();

            memcpy(model + i, &value, sizeof(value));
        }
        request->type = VIRTIO_BLK_T_OUT;
        request->data = model;
    } else {
        request->type = VIRTIO_BLK_T_IN;
    }
}

/* Segment memory lives until the request is added, which copies it. */
static void make_zeroes(Run *run, BlkGuestRequest *request,
                        struct virtio_blk_discard_write_zeroes *segment)
{
    BlkGuestRequest range = {.place = request->place};

    make_transfer(run, &range, FALSE);
    *segment =
        (struct virtio_blk_discard_write_zeroes){.sector = range.sector,
                                                 .num_sectors = range.size / 512,
                                                 .flags = (uint32_t)g_test_rand_int_range(0, 2)};
    memset(model_of(run, range.sector), 0, range.size);
    request->type = VIRTIO_BLK_T_WRITE_ZEROES;
    request->data = segment;
    request->size = sizeof(*segment);
}

static void add_random(Run *run, unsigned queue, unsigned place)
{
    struct virtio_blk_discard_write_zeroes segment;
    Expected *expected = &run->expected[place];
    BlkGuestRequest *request = &expected->request;

    *expected = (Expected){.request.place = place, .status = VIRTIO_BLK_S_OK};
    switch (g_test_rand_int_range(0, 10)) {
    case 0:
        request->type = VIRTIO_BLK_T_FLUSH;
        break;
    case 1:
        make_zeroes(run, request, &segment);
        break;
    case 2:
        request->type = VIRTIO_BLK_T_IN;
        request->sector = IMAGE_SIZE / 512;
        request->size = 512;
        expected->status = VIRTIO_BLK_S_IOERR;
        break;
    case 3:
        request->type = 77;
        expected->status = VIRTIO_BLK_S_UNSUPP;
        break;
    default:
        make_transfer(run, request, g_test_rand_int_range(0, 2));
        break;
    }
    blk_guest_add(run->guest, queue, request);
}

static void check(Run *run, unsigned place, uint8_t status, const uint8_t *data)
{
    const Expected *expected = &run->expected[place];

    g_assert_cmpuint(status, ==, expected->status);
    if (expected->request.type == VIRTIO_BLK_T_IN && status == VIRTIO_BLK_S_OK) {
        g_assert_cmpmem(data, expected->request.size, model_of(run, expected->request.sector),
                        expected->request.size);
    }
}

static void check_one(Run *run, unsigned queue, GQueue *places)
{
    const uint8_t *data;
    uint8_t status;
    unsigned place = blk_guest_wait(run->guest, queue, &status, &data);

    check(run, place, status, data);
    g_queue_push_tail(places, GUINT_TO_POINTER(place));
}

/* Places are dealt to the queues; each has several requests under way. */
static void random_requests(Run *run, unsigned count)
{
    unsigned queues = MAX(run->what->guest.queues, 1);
    g_autofree GQueue *places = g_new0(GQueue, queues);
    unsigned each = BLK_GUEST_DEPTH / queues;

    for (unsigned i = 0; i < each * queues; i++) {
        g_queue_push_tail(&places[i / each], GUINT_TO_POINTER(i));
    }
    for (unsigned i = 0; i < count; i++) {
        unsigned queue = (unsigned)g_test_rand_int_range(0, (int)queues);

        if (places[queue].length == 0 ||
            (places[queue].length < each && g_test_rand_int_range(0, 3) == 0)) {
            blk_guest_kick(run->guest, queue);
            check_one(run, queue, &places[queue]);
            continue;
        }
        add_random(run, queue, GPOINTER_TO_UINT(g_queue_pop_head(&places[queue])));
        if (g_test_rand_int_range(0, 4) != 0) {
            blk_guest_kick(run->guest, queue);
        }
    }
    for (unsigned queue = 0; queue < queues; queue++) {
        blk_guest_kick(run->guest, queue);
        while (places[queue].length < each) {
            check_one(run, queue, &places[queue]);
        }
        g_queue_clear(&places[queue]);
    }
}

static void test_random(gconstpointer what)
{
    Run run;

    if (begin(&run, what)) {
        BlkStatistics statistics = {0};

        random_requests(&run, 1500);
        blk_workers_statistics(blk_guest_workers(run.guest), &statistics);
        g_assert_cmpuint(statistics.requests[BLK_OPERATION_READ], >, 0);
        g_assert_cmpuint(statistics.requests[BLK_OPERATION_WRITE], >, 0);
        g_assert_cmpuint(statistics.requests[BLK_OPERATION_UNSUPPORTED], >, 0);
        g_assert_cmpuint(statistics.errors, >, 0);
        g_assert_cmpuint(statistics.malformed, ==, 0);
        g_assert_cmpuint(statistics.in_place > 0, ==, run.what->place == BLK_IMAGE_IN_MEMORY);
    }
    end(&run);
}

/* Each request that came to be done has its latency, once. No queue runs. */
static void check_statistics(Run *run)
{
    BlkStatistics sum = {0};
    uint64_t executed = 0, latencies = 0;

    blk_workers_statistics(blk_guest_workers(run->guest), &sum);
    for (unsigned i = 0; i < BLK_OPERATION_COUNT; i++) {
        executed += sum.requests[i];
    }
    for (unsigned i = 0; i < BLK_LATENCY_BUCKETS; i++) {
        latencies += sum.latency[i];
    }
    g_assert_cmpuint(latencies, ==, executed - sum.errors); /* those that this test makes */
    if (run->what->place == BLK_IMAGE_IN_MEMORY) {
        g_assert_cmpuint(sum.in_place, >, 0);
        g_assert_cmpuint(sum.in_place, <=, latencies);
    }
}

/* A queue is stopped with requests under way: all of them are answered, none is lost. */
static void test_stop_and_start(gconstpointer what)
{
    Run run;

    if (begin(&run, what)) {
        for (unsigned round = 0; round < 20; round++) {
            unsigned count = (unsigned)g_test_rand_int_range(1, BLK_GUEST_DEPTH + 1);
            GQueue places = G_QUEUE_INIT;

            for (unsigned place = 0; place < count; place++) {
                add_random(&run, 0, place);
            }
            blk_guest_kick(run.guest, 0);
            blk_guest_stop(run.guest, 0);
            blk_guest_start(run.guest, 0);
            while (places.length < count) {
                check_one(&run, 0, &places);
            }
            g_queue_clear(&places);
        }
        blk_guest_stop(run.guest, 0);
        check_statistics(&run);
    }
    end(&run);
}

/* The front-end is gone while requests are under way: what was taken is done all the same. */
static void test_hang_up(gconstpointer what)
{
    Run run;

    if (begin(&run, what)) {
        unsigned seen = 0;

        for (unsigned place = 0; place < BLK_GUEST_DEPTH; place++) {
            run.expected[place].request.place = place;
            make_transfer(&run, &run.expected[place].request, TRUE);
            blk_guest_add(run.guest, 0, &run.expected[place].request);
        }
        blk_guest_kick(run.guest, 0);
        while (seen < BLK_GUEST_DEPTH) {
            GQueue places = G_QUEUE_INIT;

            check_one(&run, 0, &places);
            g_queue_clear(&places);
            seen++;
        }
        for (unsigned place = 0; place < BLK_GUEST_DEPTH; place++) {
            run.expected[place].request = (BlkGuestRequest){.place = place};
            make_transfer(&run, &run.expected[place].request, FALSE);
            blk_guest_add(run.guest, 0, &run.expected[place].request);
        }
        blk_guest_kick(run.guest, 0);
    }
    end(&run);
}

static void test_get_id(gconstpointer what)
{
    BlkGuestRequest request = {.type = VIRTIO_BLK_T_GET_ID, .size = 20};
    const uint8_t *data;
    uint8_t status;
    Run run;

    if (begin(&run, what)) {
        blk_guest_add(run.guest, 0, &request);
        blk_guest_kick(run.guest, 0);
        blk_guest_wait(run.guest, 0, &status, &data);
        g_assert_cmpuint(status, ==, VIRTIO_BLK_S_OK);
        g_assert_cmpmem(data, 20, "guest\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
    }
    end(&run);
}

/* --- the trace --- */

static void append_line(void *opaque, const char *line)
{
    g_string_append_printf(opaque, "%s\n", line);
}

static void test_trace(void)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const Case what = {.place = BLK_IMAGE_ON_DISK, .guest = {.trace = append_line, .opaque = text}};
    Run run;

    if (begin(&run, &what)) {
        BlkGuestRequest read = {.type = VIRTIO_BLK_T_IN, .sector = 7, .size = 1024};
        BlkGuestRequest flush = {.type = VIRTIO_BLK_T_FLUSH};
        BlkGuestRequest behind = {.type = VIRTIO_BLK_T_IN, .sector = 70000, .size = 512};

        g_assert_cmpuint(blk_guest_ask(run.guest, 0, &read), ==, VIRTIO_BLK_S_OK);
        g_assert_cmpuint(blk_guest_ask(run.guest, 0, &flush), ==, VIRTIO_BLK_S_OK);
        g_assert_cmpuint(blk_guest_ask(run.guest, 0, &behind), ==, VIRTIO_BLK_S_IOERR);
        blk_guest_stop(run.guest, 0);
        g_assert_cmpstr(text->str, ==, "read 7 1024\nflush\nread 70000 512\n");
    }
    end(&run);
}

#define ENGINE(kind) .guest.engine = BLK_ENGINE_##kind
#define PACKED .guest.ring_features = VHOST_USER_RING_F_PACKED | VHOST_USER_RING_F_EVENT_IDX
#define SPLIT .guest.ring_features = VHOST_USER_RING_F_EVENT_IDX
#define DIRECT .disk = {.cache = BLK_CACHE_NONE, .block_size = 4096}

static const Case cases[] = {
    {.name = "uring/on-disk", .place = BLK_IMAGE_ON_DISK, ENGINE(IO_URING), SPLIT},
    {.name = "uring/in-memory", .place = BLK_IMAGE_IN_MEMORY, ENGINE(IO_URING), PACKED},
    {.name = "uring/direct", .place = BLK_IMAGE_ON_DISK, ENGINE(IO_URING), DIRECT, PACKED},
    {.name = "uring/queues", .place = BLK_IMAGE_ON_DISK, ENGINE(IO_URING), .guest.queues = 4},
    {.name = "uring/shared",
     .place = BLK_IMAGE_IN_MEMORY,
     ENGINE(IO_URING),
     .guest.queues = 4,
     .guest.workers = 2},
    {.name = "uring/polled",
     .place = BLK_IMAGE_ON_DISK,
     ENGINE(IO_URING),
     .guest.queues = 2,
     .guest.polled = TRUE},
    {.name = "uring/indirect-in-order",
     .place = BLK_IMAGE_ON_DISK,
     ENGINE(IO_URING),
     .guest.ring_features = VHOST_USER_RING_F_INDIRECT_DESC | VHOST_USER_RING_F_IN_ORDER},
    {.name = "threads/polled", .place = BLK_IMAGE_IN_MEMORY, ENGINE(THREADS), .guest.polled = TRUE},
    {.name = "threads/on-disk", .place = BLK_IMAGE_ON_DISK, ENGINE(THREADS), PACKED},
    {.name = "threads/in-memory", .place = BLK_IMAGE_IN_MEMORY, ENGINE(THREADS), SPLIT},
    {.name = "threads/direct", .place = BLK_IMAGE_ON_DISK, ENGINE(THREADS), DIRECT, SPLIT},
    {.name = "threads/queues", .place = BLK_IMAGE_ON_DISK, ENGINE(THREADS), .guest.queues = 4},
    {.name = "threads/shared",
     .place = BLK_IMAGE_ON_DISK,
     ENGINE(THREADS),
     .guest.queues = 4,
     .guest.workers = 1},
};

static void add(const char *name, const Case *what, GTestDataFunc test)
{
    g_autofree char *path = g_strdup_printf("/blk-worker/%s/%s", what->name, name);

    g_test_add_data_func(path, what, test);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        add("random", &cases[i], test_random);
        add("stop-and-start", &cases[i], test_stop_and_start);
        add("hang-up", &cases[i], test_hang_up);
        add("get-id", &cases[i], test_get_id);
    }
    g_test_add_func("/blk-worker/trace", test_trace);
    return g_test_run();
}
