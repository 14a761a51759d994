/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The in-flight buffer: made, mapped, refused, and what it may say.  What it is for is in
 * test-libvhost-user-inflight-killed.c.
 */
#include "inflight-track.h"
#include "queue-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE 8u

/* --- the buffer --- */

static const VhostUserInflight right = {.num_queues = 2, .queue_size = SIZE};

static void test_create(gconstpointer data)
{
    bool packed = data != NULL;
    VhostUserInflight description = right;
    int fd = vhost_user_inflight_create(&description, packed);
    VhostUserInflightBuffer buffer = {0};
    const char *reason = NULL;
    uint64_t area = packed ? 32 + SIZE * 32 : 16 + SIZE * 16; /* the specification's structs */

    g_assert_cmpint(fd, >=, 0);
    area = (area + 63) / 64 * 64;
    g_assert_cmpuint(description.mmap_size, ==, 2 * area);
    g_assert_cmpuint(description.mmap_offset, ==, 0);
    g_assert_cmpint(fcntl(fd, F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), ==,
                    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    g_assert_cmpint(fcntl(fd, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
    g_assert_null(vhost_user_inflight_area(&buffer, 0));
    g_assert_cmpint(vhost_user_inflight_set(&buffer, &description, fd, packed, &reason), ==, 0);
    g_assert_true((uint8_t *)vhost_user_inflight_area(&buffer, 1) -
                      (uint8_t *)vhost_user_inflight_area(&buffer, 0) ==
                  (ptrdiff_t)area);
    g_assert_null(vhost_user_inflight_area(&buffer, 2));
    /* It outlives its descriptor; a fault in it, and only in it, is mended. */
    close(fd);
    memset(vhost_user_inflight_area(&buffer, 1), 1, area);
    g_assert_false(vhost_user_inflight_recover_fault(&buffer, &buffer));
    g_assert_true(vhost_user_inflight_recover_fault(
        &buffer, (uint8_t *)vhost_user_inflight_area(&buffer, 1) + 1));
    g_assert_cmpuint(*(uint8_t *)vhost_user_inflight_area(&buffer, 1), ==, 0);
    vhost_user_inflight_clear(&buffer);
    g_assert_null(vhost_user_inflight_area(&buffer, 0));
}

typedef struct Refused {
    const char *name;
    VhostUserInflight description;
    const char *reason;
} Refused;

static const Refused refused_cases[] = {
    {"no-queues",
     {.mmap_size = 4096, .num_queues = 0, .queue_size = 8},
     "number of queues not from 1 to 256, or queue size not from 1 to 32768"},
    {"many-queues",
     {.mmap_size = 1 << 20, .num_queues = 257, .queue_size = 8},
     "number of queues not from 1 to 256, or queue size not from 1 to 32768"},
    {"size-0",
     {.mmap_size = 4096, .num_queues = 1, .queue_size = 0},
     "number of queues not from 1 to 256, or queue size not from 1 to 32768"},
    {"size-32769",
     {.mmap_size = 1 << 20, .num_queues = 1, .queue_size = 32769},
     "number of queues not from 1 to 256, or queue size not from 1 to 32768"},
    {"mmap-size",
     {.mmap_size = 2 * 192 - 1, .num_queues = 2, .queue_size = 8},
     "mmap size is too small for the queues"},
    {"offset",
     {.mmap_size = 4096, .mmap_offset = 4, .num_queues = 2, .queue_size = 8},
     "mmap offset is not a multiple of 8"},
    {"offset-wraps",
     {.mmap_size = 4096, .mmap_offset = UINT64_MAX - 7, .num_queues = 2, .queue_size = 8},
     "offset plus size is more than a file can have"},
    {"short-file",
     {.mmap_size = 1 << 20, .num_queues = 2, .queue_size = 2048},
     "the file is shorter than offset plus size"},
    {"behind-file",
     {.mmap_size = 4096, .mmap_offset = 4096 - 376, .num_queues = 2, .queue_size = 8},
     "the file is shorter than offset plus size"},
};

static void test_refused(gconstpointer data)
{
    const Refused *refused = data;
    VhostUserInflightBuffer buffer = {0};
    const char *reason = NULL;
    int fd = memfd_create("inflight", MFD_CLOEXEC);

    g_assert_cmpint(ftruncate(fd, 4096), ==, 0);
    g_assert_cmpint(vhost_user_inflight_set(&buffer, &refused->description, fd, false, &reason), <,
                    0);
    g_assert_cmpstr(reason, ==, refused->reason);
    g_assert_null(buffer.mapping);
    close(fd);
}

/* Not at the beginning of a page, not even of a cache line. */
static void test_offset(void)
{
    const VhostUserInflight description = {
        .mmap_size = 2 * 192, .mmap_offset = 3000, .num_queues = 2, .queue_size = SIZE};
    VhostUserInflightBuffer buffer = {0};
    const char *reason = NULL;
    int fd = memfd_create("inflight", MFD_CLOEXEC), zero = open("/dev/zero", O_RDWR | O_CLOEXEC);

    g_assert_cmpint(ftruncate(fd, 4096), ==, 0);
    g_assert_cmpint(pwrite(fd, "x", 1, 3000 + 192), ==, 1);
    g_assert_cmpint(vhost_user_inflight_set(&buffer, &description, fd, false, &reason), ==, 0);
    g_assert_cmpint(*(char *)vhost_user_inflight_area(&buffer, 1), ==, 'x');
    g_assert_cmpint(vhost_user_inflight_set(&buffer, &description, zero, false, &reason), ==,
                    -EINVAL);
    g_assert_cmpstr(reason, ==, "the descriptor is not a file");
    g_assert_cmpint(*(char *)vhost_user_inflight_area(&buffer, 1), ==, 'x'); /* as it was */
    vhost_user_inflight_clear(&buffer);
    close(fd);
    close(zero);
}

/* --- what an area may say --- */

typedef struct Hostile {
    const char *name;
    const char *reason; /* NULL: it starts */
    void (*write)(void *area);
    bool packed;
} Hostile;

static void split_version(void *area)
{
    ((VhostUserInflightSplitArea *)area)->version = 2;
}

static void split_features(void *area)
{
    *(VhostUserInflightSplitArea *)area = (VhostUserInflightSplitArea){.version = 1, .features = 1};
}

static void split_used_far(void *area)
{
    VhostUserInflightSplitArea *split = area;

    *split = (VhostUserInflightSplitArea){.version = 1, .used = 100};
    split->entry[3].in_flight = 1;
}

static void split_batch_head(void *area)
{
    VhostUserInflightSplitArea *split = area;

    *split =
        (VhostUserInflightSplitArea){.version = 1, .used = (uint16_t)-2, .last_batch_head = SIZE};
    split->entry[3].in_flight = 1;
}

static void split_batch_next(void *area)
{
    VhostUserInflightSplitArea *split = area;

    *split = (VhostUserInflightSplitArea){.version = 1, .used = (uint16_t)-2};
    split->entry[0].next = 65535;
    split->entry[3].in_flight = 1;
}

/* Nothing in flight: the ring's own index counts, whatever the area has. */
static void split_used_stale(void *area)
{
    *(VhostUserInflightSplitArea *)area =
        (VhostUserInflightSplitArea){.version = 1, .used = 1234, .last_batch_head = 9999};
}

static void packed_version(void *area)
{
    ((VhostUserInflightPackedArea *)area)->version = 7;
}

static void packed_used(void *area)
{
    *(VhostUserInflightPackedArea *)area =
        (VhostUserInflightPackedArea){.version = 1, .used = SIZE, .used_wrap = 1};
}

static void packed_wrap(void *area)
{
    *(VhostUserInflightPackedArea *)area =
        (VhostUserInflightPackedArea){.version = 1, .old_used_wrap = 2};
}

/* No entry is free but where a test says so: the free list ends at once. */
static VhostUserInflightPackedArea *packed_area(void *area)
{
    VhostUserInflightPackedArea *packed = area;

    *packed = (VhostUserInflightPackedArea){
        .version = 1, .free_head = SIZE, .old_free_head = SIZE, .used_wrap = 1, .old_used_wrap = 1};
    for (unsigned i = 0; i < SIZE; i++) {
        packed->entry[i].next = (uint16_t)(i + 1);
    }
    return packed;
}

static void packed_no_descriptors(void *area)
{
    packed_area(area)->entry[2].in_flight = 1;
}

static void packed_many_descriptors(void *area)
{
    VhostUserInflightPackedArea *packed = packed_area(area);

    packed->entry[2].in_flight = 1;
    packed->entry[2].count = SIZE + 1;
}

static void packed_outside(void *area)
{
    VhostUserInflightPackedArea *packed = packed_area(area);

    packed->entry[2].in_flight = 1;
    packed->entry[2].count = 2;
    packed->entry[2].next = 65535;
}

static void packed_shared_entry(void *area)
{
    VhostUserInflightPackedArea *packed = packed_area(area);

    packed->entry[2].in_flight = 1;
    packed->entry[2].count = 2;
    packed->entry[3].in_flight = 1;
    packed->entry[3].count = 1;
}

static void packed_loop(void *area)
{
    VhostUserInflightPackedArea *packed = packed_area(area);

    packed->entry[2].in_flight = 1;
    packed->entry[2].count = 3;
    packed->entry[2].next = 2;
}

/* A free list that loops, and says of nothing that it is in flight. */
static void packed_free_loop(void *area)
{
    VhostUserInflightPackedArea *packed = packed_area(area);

    packed->free_head = packed->old_free_head = 4;
    packed->entry[4].next = 4;
    packed->entry[4].in_flight = 1;
}

static const Hostile hostile_cases[] = {
    {"split/version", "the in-flight area has an unknown version or features", split_version,
     false},
    {"split/features", "the in-flight area has an unknown version or features", split_features,
     false},
    {"split/used-far", "the in-flight area's used index is not near the ring's", split_used_far,
     false},
    {"split/batch-head", "the in-flight area's last batch names an entry that it does not have",
     split_batch_head, false},
    {"split/batch-next", "the in-flight area's last batch names an entry that it does not have",
     split_batch_next, false},
    {"split/used-stale", NULL, split_used_stale, false},
    {"packed/version", "the in-flight area has an unknown version or features", packed_version,
     true},
    {"packed/used", "the in-flight area's used index is not below the ring's size", packed_used,
     true},
    {"packed/wrap", "the in-flight area's used index is not below the ring's size", packed_wrap,
     true},
    {"packed/no-descriptors",
     "the in-flight area has a request without descriptors or with too many", packed_no_descriptors,
     true},
    {"packed/many-descriptors",
     "the in-flight area has a request without descriptors or with too many",
     packed_many_descriptors, true},
    {"packed/outside", "the in-flight area has two requests in one entry, or one outside of it",
     packed_outside, true},
    {"packed/shared-entry",
     "the in-flight area has two requests in one entry, or one outside of it", packed_shared_entry,
     true},
    {"packed/loop", "the in-flight area has two requests in one entry, or one outside of it",
     packed_loop, true},
    {"packed/free-loop", NULL, packed_free_loop, true},
};

static void expect_only_new_one(QueueFixture *fixture)
{
    const VhostUserDriverBuffer buffer = {fixture->data, 4};
    VhostUserDriverUsed used;
    VhostUserElement *element;

    g_assert_cmpint(vhost_user_driver_queue_add(fixture->driver, &buffer, 0, 1, 0, NULL), ==, 0);
    vhost_user_driver_queue_publish(fixture->driver);
    element = queue_fixture_pop(fixture);
    g_assert_true(element && !element->resubmitted);
    g_assert_null(queue_fixture_pop(fixture));
    queue_fixture_push(fixture, element, 4);
    g_assert_cmpint(vhost_user_driver_queue_collect(fixture->driver, &used, 1), ==, 1);
}

static void test_hostile(gconstpointer data)
{
    const Hostile *hostile = data;
    const QueueOptions options = {.size = SIZE,
                                  .features = hostile->packed ? VHOST_USER_RING_F_PACKED : 0,
                                  .base = hostile->packed ? VHOST_USER_DRIVER_PACKED_BASE : 0,
                                  .inflight = true};
    QueueFixture *fixture = queue_fixture_new(&options);
    const char *reason = NULL;

    vhost_user_queue_stop(fixture->queue);
    memset(vhost_user_inflight_area(&fixture->inflight, 0), 0, fixture->inflight.area_size);
    hostile->write(vhost_user_inflight_area(&fixture->inflight, 0));
    if (hostile->reason) {
        g_assert_cmpint(vhost_user_queue_start(fixture->queue, &reason), ==, -EINVAL);
        g_assert_cmpstr(reason, ==, hostile->reason);
    } else {
        queue_fixture_replace(fixture, options.base);
        expect_only_new_one(fixture);
    }
    queue_fixture_free(fixture);
}

/* What was never in the ring can be in flight; the ring is broken then, and nothing worse. */
static void test_invented(void)
{
    const QueueOptions options = {.size = SIZE, .inflight = true};
    QueueFixture *fixture = queue_fixture_new(&options);
    VhostUserInflightSplitArea *area = vhost_user_inflight_area(&fixture->inflight, 0);
    uint16_t *descriptor = queue_fixture_host(fixture, fixture->parameters.descriptor, 16);

    vhost_user_queue_stop(fixture->queue);
    area->entry[0].in_flight = 1;
    descriptor[6] = 1; /* NEXT */
    descriptor[7] = SIZE;
    queue_fixture_replace(fixture, 0);
    queue_fixture_expect_broken(fixture, "next descriptor 8 is not below the ring's size 8");
    queue_fixture_free(fixture);
}

/* The area belongs to a buffer for shorter rings. */
static void test_short_buffer(void)
{
    const QueueOptions options = {.size = SIZE, .inflight = true};
    QueueFixture *fixture = queue_fixture_new(&options);
    const char *reason = NULL;

    vhost_user_queue_stop(fixture->queue);
    vhost_user_queue_set_inflight(fixture->queue, vhost_user_inflight_area(&fixture->inflight, 0),
                                  SIZE - 1);
    g_assert_cmpint(vhost_user_queue_start(fixture->queue, &reason), ==, -EINVAL);
    g_assert_cmpstr(reason, ==, "the in-flight buffer is made for shorter rings");
    queue_fixture_free(fixture);
}

/*
 * Another back-end's batch of two, killed when the second used descriptor was written and the
 * first was not: the driver has to see neither, and then each once.
 */
static void test_half_a_batch(void)
{
    const QueueOptions options = {.size = SIZE,
                                  .features = VHOST_USER_RING_F_PACKED,
                                  .base = VHOST_USER_DRIVER_PACKED_BASE,
                                  .inflight = true};
    QueueFixture *fixture = queue_fixture_new(&options);
    const VhostUserDriverBuffer buffer = {fixture->data, 4};
    VhostUserDriverUsed used;
    uint16_t *flags = queue_fixture_host(fixture, fixture->parameters.descriptor, SIZE * 16);
    VhostUserElement *elements[2];
    int number[2];

    flags += 7; /* of the first descriptor */
    for (unsigned i = 0; i < 2; i++) {
        g_assert_cmpint(vhost_user_driver_queue_add(fixture->driver, &buffer, 0, 1, 0, &number[i]),
                        ==, 0);
        vhost_user_driver_queue_publish(fixture->driver);
        g_assert_nonnull(queue_fixture_pop(fixture));
    }
    flags[8] = VHOST_USER_PACKED_AVAILABLE | VHOST_USER_PACKED_USED;
    queue_fixture_replace(fixture, options.base);
    for (unsigned i = 0; i < 2; i++) {
        elements[i] = queue_fixture_pop(fixture);
        g_assert_true(elements[i] && elements[i]->resubmitted);
    }
    for (unsigned i = 0; i < 2; i++) {
        g_assert_cmpint(vhost_user_driver_queue_collect(fixture->driver, &used, 1), ==, 0);
        queue_fixture_push(fixture, elements[i], 4);
        g_assert_cmpint(vhost_user_driver_queue_collect(fixture->driver, &used, 1), ==, 1);
        g_assert_true(used.cookie == &number[i]);
    }
    queue_fixture_free(fixture);
}

/* The driver may have been told, but not called: the successor calls. */
static void test_called(void)
{
    const QueueOptions options = {.size = SIZE, .inflight = true};
    QueueFixture *fixture = queue_fixture_new(&options);
    int call = vhost_user_driver_queue_call_fd(fixture->driver);

    g_assert_false(queue_fixture_signalled(call)); /* there was nobody before */
    vhost_user_driver_queue_enable_calls(fixture->driver, 1);
    queue_fixture_replace(fixture, 0);
    g_assert_true(queue_fixture_signalled(call));
    vhost_user_driver_queue_disable_calls(fixture->driver);
    queue_fixture_replace(fixture, 0);
    g_assert_false(queue_fixture_signalled(call));
    queue_fixture_free(fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/inflight/create/split", NULL, test_create);
    g_test_add_data_func("/inflight/create/packed", "packed", test_create);
    for (unsigned i = 0; i < G_N_ELEMENTS(refused_cases); i++) {
        g_autofree char *path = g_strdup_printf("/inflight/refused/%s", refused_cases[i].name);

        g_test_add_data_func(path, &refused_cases[i], test_refused);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(hostile_cases); i++) {
        g_autofree char *path = g_strdup_printf("/inflight/hostile/%s", hostile_cases[i].name);

        g_test_add_data_func(path, &hostile_cases[i], test_hostile);
    }
    g_test_add_func("/inflight/offset", test_offset);
    g_test_add_func("/inflight/hostile/invented", test_invented);
    g_test_add_func("/inflight/short-buffer", test_short_buffer);
    g_test_add_func("/inflight/half-a-batch", test_half_a_batch);
    g_test_add_func("/inflight/called", test_called);
    return g_test_run();
}
