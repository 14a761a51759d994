/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engines of vhost-user-blk, each through the same tests: work, waiting, and doing without. */
#include "tools/vhost-user-blk/engine.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <unistd.h>

#include "blk-guest.h"
#include "blk-image.h"
#include "util/fd.h"

#define PLACES 300u /* more than a ring has entries */
#define PLACE_SIZE 8192u
#define DEADLINE 60 /* seconds, for a busy machine: what hangs would not end at all */

typedef struct Work {
    BlkIo io;
    struct iovec *pieces;
    uint8_t *buffer;
    gboolean done;
} Work;

typedef struct Fixture {
    BlkImage *image;
    BlkDisk *disk;
    BlkPool *pool;
    BlkEngine *engine;
    unsigned outstanding;
} Fixture;

static void done(void *opaque, BlkIo *io)
{
    Work *work = (Work *)((char *)io - offsetof(Work, io));

    g_assert_false(work->done);
    work->done = TRUE;
    ((Fixture *)opaque)->outstanding--;
}

static gboolean begin(Fixture *fixture, gconstpointer kind, BlkDiskOptions options)
{
    GError *error = NULL;

    *fixture = (Fixture){.image = blk_image_new(BLK_IMAGE_ON_DISK, PLACES * PLACE_SIZE)};
    if (fixture->image == NULL) {
        return FALSE;
    }
    fixture->disk = blk_image_open(fixture->image, options);
    fixture->pool = blk_pool_new(fixture->disk, 2, &error);
    g_assert_no_error(error);
    fixture->engine = GPOINTER_TO_INT(kind) == BLK_ENGINE_THREADS
                          ? blk_engine_threads_new(&error)
                          : blk_engine_uring_new(fixture->disk, 32, &error);
    if (fixture->engine == NULL) {
        g_test_skip(error->message);
        g_clear_error(&error);
        return FALSE;
    }
    g_assert_true(
        blk_engine_connect(fixture->engine, fixture->disk, fixture->pool, done, fixture, &error));
    return TRUE;
}

static void end(Fixture *fixture)
{
    blk_pool_free(fixture->pool);
    blk_engine_free(fixture->engine);
    blk_disk_close(fixture->disk);
    blk_image_free(fixture->image);
}

static void wait_for_all(Fixture *fixture)
{
    gint64 until = g_get_monotonic_time() + DEADLINE * G_USEC_PER_SEC;

    while (fixture->outstanding > 0) {
        fixture->engine->class->wait(fixture->engine, 10000);
        g_assert_cmpint(g_get_monotonic_time(), <, until);
    }
}

/* --- work --- */

/* A whole place, its buffer cut into @count pieces and moved by @skew. */
static void submit(Fixture *fixture, Work *work, BlkOperation operation, unsigned place,
                   unsigned count, unsigned skew)
{
    work->buffer = g_malloc0(PLACE_SIZE + skew);
    work->pieces = g_new(struct iovec, count);
    for (unsigned i = 0; i < count; i++) {
        size_t size = PLACE_SIZE / count;

        work->pieces[i] = (struct iovec){work->buffer + skew + i * size, size};
    }
    work->io = (BlkIo){.operation = operation,
                       .offset = place * PLACE_SIZE,
                       .length = PLACE_SIZE,
                       .pieces = work->pieces,
                       .count = count};
    if (operation == BLK_OPERATION_WRITE) {
        memcpy(work->buffer + skew, fixture->image->model + place * PLACE_SIZE, PLACE_SIZE);
    }
    fixture->outstanding++;
    fixture->engine->class->submit(fixture->engine, &work->io);
    g_assert_false(work->done);
}

static void clear(Work *work)
{
    g_free(work->buffer);
    g_free(work->pieces);
}

static void all_places(Fixture *fixture, BlkOperation operation)
{
    /* 2048 pieces are more than one system call takes. */
    static const unsigned counts[] = {1, 2, 16, 2048};
    g_autofree Work *works = g_new0(Work, PLACES);

    for (unsigned i = 0; i < PLACES; i++) {
        submit(fixture, &works[i], operation, i, counts[i % G_N_ELEMENTS(counts)], i % 5);
    }
    wait_for_all(fixture);
    for (unsigned i = 0; i < PLACES; i++) {
        g_assert_cmpint(works[i].io.result, ==, 0);
        g_assert_cmpmem(works[i].buffer + i % 5, PLACE_SIZE, fixture->image->model + i * PLACE_SIZE,
                        PLACE_SIZE);
        clear(&works[i]);
    }
}

static void work_of_all_kinds(Fixture *fixture)
{
    struct virtio_blk_discard_write_zeroes segment = {.sector = 16, .num_sectors = 16};
    Work flush = {.io.operation = BLK_OPERATION_FLUSH};
    Work zeroes = {
        .io = {.operation = BLK_OPERATION_WRITE_ZEROES, .segments = &segment, .segment_count = 1}};

    all_places(fixture, BLK_OPERATION_READ);
    for (unsigned i = 0; i < fixture->image->size; i++) {
        fixture->image->model[i] ^= (uint8_t)(i * 7 + 1);
    }
    all_places(fixture, BLK_OPERATION_WRITE);
    fixture->outstanding += 2;
    fixture->engine->class->submit(fixture->engine, &flush.io);
    fixture->engine->class->submit(fixture->engine, &zeroes.io);
    wait_for_all(fixture);
    g_assert_cmpint(flush.io.result, ==, 0);
    g_assert_cmpint(zeroes.io.result, ==, 0);
    memset(fixture->image->model + 16 * 512, 0, 16 * 512);
    all_places(fixture, BLK_OPERATION_READ);
    blk_image_check(fixture->image);
}

static void test_work(gconstpointer kind)
{
    Fixture fixture;

    if (begin(&fixture, kind, (BlkDiskOptions){0})) {
        work_of_all_kinds(&fixture);
        blk_disk_set_write_through(fixture.disk, TRUE);
        all_places(&fixture, BLK_OPERATION_WRITE);
    }
    end(&fixture);
}

static void test_direct(gconstpointer kind)
{
    Fixture fixture;

    if (begin(&fixture, kind, (BlkDiskOptions){.direct = TRUE, .block_size = 4096})) {
        work_of_all_kinds(&fixture);
    }
    end(&fixture);
}

static void test_errors(gconstpointer kind)
{
    Fixture fixture;

    if (begin(&fixture, kind, (BlkDiskOptions){.read_only = TRUE})) {
        Work read = {0}, write = {0};

        g_assert_cmpint(truncate(fixture.image->path, PLACE_SIZE / 2), ==, 0);
        submit(&fixture, &read, BLK_OPERATION_READ, 0, 4, 0);
        submit(&fixture, &write, BLK_OPERATION_WRITE, 1, 1, 0);
        wait_for_all(&fixture);
        g_assert_cmpint(read.io.result, ==, -EIO);
        g_assert_cmpint(write.io.result, ==, -EBADF);
        clear(&read);
        clear(&write);
    }
    end(&fixture);
}

/* What the page cache has lost is not stable because a later flush finds nothing to write. */
static void test_failed_flush(gconstpointer kind)
{
    for (int direct = 0; direct < 2; direct++) {
        Fixture fixture;

        if (begin(&fixture, kind, (BlkDiskOptions){.direct = direct, .block_size = 4096})) {
            static const int errors[] = {0, -ENOSPC, -EIO};

            for (unsigned i = 0; i < G_N_ELEMENTS(errors); i++) {
                Work flush = {.io.operation = BLK_OPERATION_FLUSH};

                g_assert_cmpint(blk_disk_flush_result(fixture.disk, errors[i]), ==, errors[i]);
                fixture.outstanding++;
                fixture.engine->class->submit(fixture.engine, &flush.io);
                wait_for_all(&fixture);
                g_assert_cmpint(flush.io.result, ==, i == 0 || direct ? 0 : -ENOSPC);
            }
        }
        end(&fixture);
    }
}

/* --- waiting --- */

typedef struct TestWatch {
    BlkWatch watch;
    unsigned ready, removed;
} TestWatch;

static void ready(BlkWatch *watch)
{
    g_assert_cmpuint(((TestWatch *)watch)->removed, ==, 0);
    ((TestWatch *)watch)->ready++;
}

static void removed(BlkWatch *watch)
{
    ((TestWatch *)watch)->removed++;
}

/* Waits until @count is @wanted. */
static void wait_until(Fixture *fixture, const unsigned *count, unsigned wanted)
{
    gint64 until = g_get_monotonic_time() + DEADLINE * G_USEC_PER_SEC;

    while (*count < wanted) {
        fixture->engine->class->wait(fixture->engine, 10000);
        g_assert_cmpint(g_get_monotonic_time(), <, until);
    }
    g_assert_cmpuint(*count, ==, wanted);
}

static void look(Fixture *fixture)
{
    for (unsigned i = 0; i < 3; i++) {
        fixture->engine->class->wait(fixture->engine, 0);
    }
}

static TestWatch *watch_new(Fixture *fixture)
{
    TestWatch *watch = g_new0(TestWatch, 1);
    GError *error = NULL;

    watch->watch.fd = event_fd_new(&error);
    g_assert_no_error(error);
    watch->watch.ready = ready;
    watch->watch.removed = removed;
    g_assert_true(fixture->engine->class->watch(fixture->engine, &watch->watch, &error));
    return watch;
}

static void watch_free(TestWatch *watch)
{
    close(watch->watch.fd);
    g_free(watch);
}

/* Nobody reads the event fd: each signal is told, and an old one once. */
static void test_watch(gconstpointer kind)
{
    Fixture fixture;

    if (begin(&fixture, kind, (BlkDiskOptions){0})) {
        TestWatch *watch = watch_new(&fixture);

        look(&fixture);
        g_assert_cmpuint(watch->ready, ==, 0);
        for (unsigned i = 1; i <= 100; i++) {
            event_fd_signal(watch->watch.fd);
            wait_until(&fixture, &watch->ready, i);
        }
        look(&fixture);
        g_assert_cmpuint(watch->ready, ==, 100);

        fixture.engine->class->unwatch(fixture.engine, &watch->watch);
        wait_until(&fixture, &watch->removed, 1);
        event_fd_signal(watch->watch.fd);
        look(&fixture);
        g_assert_cmpuint(watch->ready, ==, 100);
        watch->removed = 0;
        g_assert_true(fixture.engine->class->watch(fixture.engine, &watch->watch, NULL));
        wait_until(&fixture, &watch->ready, 101);
        fixture.engine->class->unwatch(fixture.engine, &watch->watch);
        wait_until(&fixture, &watch->removed, 1);
        watch_free(watch);
    }
    end(&fixture);
}

/* Removed right after it was added, and with a signal that is not told yet. */
static void test_unwatch(gconstpointer kind)
{
    Fixture fixture;

    if (begin(&fixture, kind, (BlkDiskOptions){0})) {
        for (unsigned i = 0; i < 200; i++) {
            TestWatch *watch = watch_new(&fixture);

            if (i % 2 == 1) {
                look(&fixture);
            }
            if (i % 4 >= 2) {
                event_fd_signal(watch->watch.fd);
            }
            fixture.engine->class->unwatch(fixture.engine, &watch->watch);
            wait_until(&fixture, &watch->removed, 1);
            look(&fixture);
            g_assert_cmpuint(watch->removed, ==, 1);
            watch_free(watch);
        }
    }
    end(&fixture);
}

/* --- a host that forbids io_uring --- */

static void forbid_io_uring(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    g_assert_nonnull(filter);
    g_assert_cmpint(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(io_uring_setup), 0),
                    ==, 0);
    g_assert_cmpint(seccomp_load(filter), ==, 0);
    seccomp_release(filter);
}

static void work_without_io_uring(void)
{
    g_autoptr(BlkImage) image = blk_image_new(BLK_IMAGE_ON_DISK, 64 * 1024);
    BlkGuestRequest request = {.sector = 5, .size = 1024};
    g_autoptr(GError) error = NULL;
    BlkWorkersOptions strict = {
        .count = 1, .queue_size = 128, .engine = BLK_ENGINE_IO_URING, .serial = ""};
    g_autoptr(BlkDisk) disk = NULL;
    BlkGuest *guest;

    if (image == NULL) {
        return;
    }
    disk = blk_image_open(image, (BlkDiskOptions){0});
    forbid_io_uring();
    g_assert_null(blk_workers_new(disk, &strict, &error));
    g_assert_cmpstr(error->message, ==, "I/O thread 1 of 1: io_uring: Operation not permitted");

    guest = blk_guest_new(disk, &(BlkGuestOptions){0});
    g_assert_nonnull(guest);
    g_assert_cmpstr(blk_workers_notice(blk_guest_workers(guest)), ==,
                    "I/O thread 1 of 1: io_uring: Operation not permitted; requests are done by 16 "
                    "threads instead, which costs more time a request");
    g_assert_cmpuint(blk_guest_ask(guest, 0, &request), ==, VIRTIO_BLK_S_OK);
    blk_guest_free(guest);
}

static void test_forbidden(void)
{
    if (g_test_subprocess()) {
        work_without_io_uring();
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
}

static void add(const char *name, GTestDataFunc test)
{
    g_autofree char *uring = g_strconcat("/blk-engine/io-uring/", name, NULL);
    g_autofree char *threads = g_strconcat("/blk-engine/threads/", name, NULL);

    g_test_add_data_func(uring, GINT_TO_POINTER(BLK_ENGINE_IO_URING), test);
    g_test_add_data_func(threads, GINT_TO_POINTER(BLK_ENGINE_THREADS), test);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("work", test_work);
    add("direct", test_direct);
    add("errors", test_errors);
    add("failed-flush", test_failed_flush);
    add("watch", test_watch);
    add("unwatch", test_unwatch);
    g_test_add_func("/blk-engine/forbidden", test_forbidden);
    return g_test_run();
}
