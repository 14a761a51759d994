/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What queues do in either format: life, descriptors, held while they work, moved, polled; and the
 * control thread against the queue thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "queue-fixture.h"

#define SIZE 8u

static const bool formats[] = {false, true};

static QueueOptions options_for(const bool *packed)
{
    return (QueueOptions){.size = SIZE,
                          .features = *packed ? VHOST_USER_RING_F_PACKED : 0,
                          .base = *packed ? VHOST_USER_DRIVER_PACKED_BASE : 0,
                          .request_size = 8};
}

static void add(QueueFixture *fixture, uint32_t size)
{
    const VhostUserDriverBuffer buffer = {fixture->data, size};

    g_assert_cmpint(vhost_user_driver_queue_add(fixture->driver, &buffer, 0, 1, 0, NULL), ==, 0);
    vhost_user_driver_queue_publish(fixture->driver);
}

static void collect_one(QueueFixture *fixture)
{
    VhostUserDriverUsed used;

    g_assert_cmpint(vhost_user_driver_queue_collect(fixture->driver, &used, 1), ==, 1);
}

static void test_descriptors(void)
{
    const bool packed = false;
    const QueueOptions options = options_for(&packed);
    QueueFixture *fixture = queue_fixture_new(&options);
    VhostUserQueue *queue = vhost_user_queue_new(&fixture->environment, 7);
    int data, ends[2], event = eventfd(UINT32_MAX, EFD_CLOEXEC);

    g_assert_cmpuint(vhost_user_queue_index(queue), ==, 7);
    g_assert_true(vhost_user_queue_device(queue) == fixture->environment.device);
    g_assert_null(vhost_user_queue_data(queue));
    vhost_user_queue_set_data(queue, &data);
    g_assert_true(vhost_user_queue_data(queue) == &data);
    g_assert_cmpint(vhost_user_queue_kick_fd(queue), ==, -1);
    vhost_user_queue_clear_kick(queue); /* nothing to read from */

    g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
    g_assert_cmpint(vhost_user_queue_set_call(queue, ends[1]), ==, -EINVAL);
    g_assert_cmpint(fcntl(ends[1], F_GETFD), ==, -1); /* closed */
    close(ends[0]);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
    g_assert_cmpint(vhost_user_queue_set_error(queue, ends[1]), ==, -EINVAL);
    close(ends[0]);

    /* Neither a full counter nor an empty one holds us up. */
    g_assert_cmpint(vhost_user_queue_set_kick(queue, dup(event)), ==, 0);
    g_assert_cmpint(fcntl(event, F_GETFL) & O_NONBLOCK, ==, O_NONBLOCK);
    for (const uint64_t full = UINT64_MAX - 1 - UINT32_MAX; write(event, &full, 8) == 8;) {
    }
    vhost_user_queue_kick(queue);
    vhost_user_queue_clear_kick(queue);
    vhost_user_queue_clear_kick(queue);
    vhost_user_queue_kick(queue);
    g_assert_true(queue_fixture_signalled(event));
    g_assert_cmpint(vhost_user_queue_set_kick(queue, -1), ==, 0);
    g_assert_cmpint(vhost_user_queue_kick_fd(queue), ==, -1);
    close(event);
    vhost_user_queue_free(queue);
    vhost_user_queue_free(NULL);
    queue_fixture_free(fixture);
}

/* What may not change while it runs. */
static void test_running(gconstpointer data)
{
    const QueueOptions options = options_for(data);
    QueueFixture *fixture = queue_fixture_new(&options);
    VhostUserVringAddr addresses = queue_fixture_addresses(fixture);

    g_assert_true(vhost_user_queue_started(fixture->queue));
    g_assert_cmpint(vhost_user_queue_set_size(fixture->queue, SIZE), ==, 0);
    g_assert_cmpint(vhost_user_queue_set_size(fixture->queue, SIZE * 2), ==, -EBUSY);
    g_assert_cmpuint(vhost_user_queue_size(fixture->queue), ==, SIZE);
    g_assert_cmpint(vhost_user_queue_set_base(fixture->queue, 0), ==, -EBUSY);
    addresses.flags = VHOST_USER_VRING_ADDR_F_LOG;
    addresses.log = 4096;
    g_assert_cmpint(vhost_user_queue_set_addresses(fixture->queue, &addresses), ==, 0);
    addresses.used += 64;
    g_assert_cmpint(vhost_user_queue_set_addresses(fixture->queue, &addresses), ==, -EBUSY);
    vhost_user_queue_stopped(fixture->queue);
    g_assert_cmpuint(fixture->stopped, ==, 1);
    vhost_user_queue_stop(fixture->queue);
    vhost_user_queue_stop(fixture->queue);
    g_assert_false(vhost_user_queue_started(fixture->queue));
    g_assert_cmpint(vhost_user_queue_set_size(fixture->queue, SIZE * 2), ==, 0);
    queue_fixture_free(fixture);
}

/* Given back and stopped: the next start finds them again. */
static void test_unpop_and_stop(gconstpointer data)
{
    const QueueOptions options = options_for(data);
    QueueFixture *fixture = queue_fixture_new(&options);
    VhostUserElement *elements[3];
    uint32_t base;

    for (uint32_t i = 0; i < 3; i++) {
        add(fixture, 10 + i);
        elements[i] = queue_fixture_pop(fixture);
    }
    memset(elements[1]->data, 0x55, 8);
    g_assert_true(vhost_user_queue_begin(fixture->queue));
    vhost_user_queue_unpop(fixture->queue, elements[2]);
    vhost_user_queue_unpop(fixture->queue, elements[1]);
    g_assert_true(vhost_user_queue_pop(fixture->queue) == elements[1]);
    g_assert_cmpint(((uint8_t *)elements[1]->data)[7], ==, 0x55);
    vhost_user_queue_unpop(fixture->queue, elements[1]);
    g_assert_true(vhost_user_queue_pending(fixture->queue));
    vhost_user_queue_push(fixture->queue, elements[0], 10);
    g_assert_cmpuint(vhost_user_queue_in_flight(fixture->queue), ==, 0);
    vhost_user_queue_end(fixture->queue);
    collect_one(fixture);
    vhost_user_queue_stop(fixture->queue);
    base = vhost_user_queue_base(fixture->queue);
    g_assert_cmpuint(base, ==, *(const bool *)data ? 0x80018001 : 1);
    queue_fixture_replace(fixture, base);
    for (uint32_t i = 1; i < 3; i++) {
        VhostUserElement *element = queue_fixture_pop(fixture);

        g_assert_nonnull(element);
        g_assert_cmpuint(element->writable_size, ==, 10 + i);
        queue_fixture_push(fixture, element, 10 + i);
        collect_one(fixture);
    }
    g_assert_null(queue_fixture_pop(fixture));
    queue_fixture_free(fixture);
}

/* A program that polls is not kicked, even when it has found nothing. */
static void check_polling(const QueueOptions *options)
{
    QueueFixture *fixture = queue_fixture_new(options);

    g_assert_true(vhost_user_queue_begin(fixture->queue));
    vhost_user_queue_set_polling(fixture->queue, true);
    g_assert_null(vhost_user_queue_pop(fixture->queue));
    vhost_user_queue_end(fixture->queue);
    for (unsigned i = 0; i < 3 * SIZE; i++) {
        add(fixture, 1);
        g_assert_false(vhost_user_driver_queue_kick(fixture->driver));
        queue_fixture_push(fixture, queue_fixture_pop(fixture), 1);
        collect_one(fixture);
        g_assert_null(queue_fixture_pop(fixture));
    }
    for (unsigned i = 0; i < 2; i++) {
        g_assert_true(vhost_user_queue_begin(fixture->queue));
        vhost_user_queue_set_polling(fixture->queue, false);
        g_assert_null(vhost_user_queue_pop(fixture->queue));
        vhost_user_queue_set_polling(fixture->queue, i == 0);
        vhost_user_queue_end(fixture->queue);
        add(fixture, 1);
        g_assert_cmpint(vhost_user_driver_queue_kick(fixture->driver), ==, i == 1);
        queue_fixture_push(fixture, queue_fixture_pop(fixture), 1);
        collect_one(fixture);
    }
    queue_fixture_free(fixture);
}

static void test_polling(gconstpointer data)
{
    QueueOptions options = options_for(data);

    check_polling(&options);
    if (*(const bool *)data) {
        /* A split ring's event index cannot say "never". */
        options.features |= VHOST_USER_RING_F_EVENT_IDX;
        check_polling(&options);
    }
}

/* A batch that is refused is not forgotten: the release kicks. */
static void test_held(gconstpointer data)
{
    const QueueOptions options = options_for(data);
    QueueFixture *fixture = queue_fixture_new(&options);
    int kick = vhost_user_queue_kick_fd(fixture->queue);

    vhost_user_queue_hold(fixture->queue);
    g_assert_false(vhost_user_queue_begin(fixture->queue));
    g_assert_false(queue_fixture_signalled(kick));
    vhost_user_queue_release(fixture->queue);
    g_assert_true(queue_fixture_signalled(kick));
    g_assert_true(vhost_user_queue_begin(fixture->queue));
    vhost_user_queue_end(fixture->queue);
    queue_fixture_free(fixture);
}

/* The call descriptor may come when the queue runs: what was used before calls then. */
static void test_late_call(gconstpointer data)
{
    const QueueOptions options = options_for(data);
    QueueFixture *fixture = queue_fixture_new(&options);
    int call = vhost_user_driver_queue_call_fd(fixture->driver);
    VhostUserQueueStatistics statistics;

    g_assert_cmpint(vhost_user_queue_set_call(fixture->queue, -1), ==, 0);
    vhost_user_driver_queue_enable_calls(fixture->driver, 1);
    add(fixture, 1);
    queue_fixture_push(fixture, queue_fixture_pop(fixture), 1);
    vhost_user_queue_statistics(fixture->queue, &statistics);
    g_assert_cmpuint(statistics.calls + statistics.calls_spared, ==, 0);
    g_assert_cmpint(vhost_user_queue_set_call(fixture->queue, dup(call)), ==, 0);
    g_assert_true(queue_fixture_signalled(call));
    g_assert_cmpint(vhost_user_queue_set_call(fixture->queue, dup(call)), ==, 0);
    g_assert_false(queue_fixture_signalled(call));
    queue_fixture_free(fixture);
}

/* Log and driver's interrupt wishes as of each batch, while elements are in flight. */
static void test_log_comes_and_goes(gconstpointer data)
{
    QueueOptions options = options_for(data);
    QueueFixture *fixture;
    uint64_t page;

    options.log = true;
    fixture = queue_fixture_new(&options);
    page = fixture->data;
    fixture->environment.log_writes = false;
    add(fixture, 100);
    queue_fixture_push(fixture, queue_fixture_pop(fixture), 100);
    for (uint64_t at = 0; at < fixture->end; at += VHOST_USER_LOG_PAGE_SIZE) {
        g_assert_false(queue_fixture_logged(fixture, at));
    }
    add(fixture, 100);
    VhostUserElement *element = queue_fixture_pop(fixture);
    vhost_user_queue_hold(fixture->queue);
    fixture->environment.log_writes = true;
    vhost_user_queue_release(fixture->queue);
    queue_fixture_push(fixture, element, 0);
    g_assert_true(queue_fixture_logged(fixture, *(const bool *)data ? fixture->parameters.descriptor
                                                                    : fixture->parameters.used));
    add(fixture, 100);
    queue_fixture_push(fixture, queue_fixture_pop(fixture), 100);
    g_assert_true(queue_fixture_logged(fixture, page));
    queue_fixture_free(fixture);
}

static int replace_table(QueueFixture *fixture, size_t count)
{
    VhostUserMemoryRegion regions[8];
    int fds[8];
    const char *reason = NULL;

    for (size_t i = 0; i < count; i++) {
        const VhostUserMemoryArea *area = &fixture->memory->areas[i];

        regions[i] = (VhostUserMemoryRegion){.guest_address = area->guest_address,
                                             .size = area->size,
                                             .user_address = (uintptr_t)area->host,
                                             .mmap_offset = area->offset};
        fds[i] = area->fd;
    }
    return vhost_user_map_replace(fixture->map, regions, fds, (uint32_t)count, &reason);
}

/* A new memory table under a running ring: with its memory, then without. */
static void test_relocate(gconstpointer data)
{
    const QueueOptions options = options_for(data);
    QueueFixture *fixture = queue_fixture_new(&options);
    const char *lost = "new memory table: descriptor area is not in one region of memory, or not"
                       " aligned";
    VhostUserElement *element;

    add(fixture, 1);
    element = queue_fixture_pop(fixture);
    vhost_user_queue_hold(fixture->queue);
    g_assert_cmpint(replace_table(fixture, fixture->memory->count), ==, 0);
    vhost_user_queue_relocate(fixture->queue);
    vhost_user_queue_release(fixture->queue);
    g_assert_cmpuint(fixture->broken, ==, 0);
    queue_fixture_push(fixture, element, 1);
    collect_one(fixture);

    add(fixture, 1);
    element = queue_fixture_pop(fixture);
    vhost_user_queue_hold(fixture->queue);
    g_assert_cmpint(replace_table(fixture, 0), ==, 0);
    vhost_user_queue_relocate(fixture->queue);
    vhost_user_queue_release(fixture->queue);
    g_assert_cmpuint(fixture->broken, ==, 1);
    g_assert_cmpstr(fixture->reason, ==, lost);
    g_assert_true(queue_fixture_signalled(vhost_user_driver_queue_error_fd(fixture->driver)));
    add(fixture, 1);
    g_assert_null(queue_fixture_pop(fixture));
    queue_fixture_push(fixture, element, 1); /* in the old place, which is the driver's still */
    collect_one(fixture);
    queue_fixture_free(fixture);
}

static void test_read_and_write(gconstpointer data)
{
    QueueOptions options = options_for(data);
    QueueFixture *fixture = queue_fixture_new(&options);
    uint64_t border = fixture->memory->areas[1].guest_address;
    const VhostUserDriverBuffer buffers[] = {{border - 3, 8}, {border + 100, 2}, {border - 10, 4}};
    VhostUserElement *element;
    char bytes[20] = "";

    g_assert_cmpint(vhost_user_driver_queue_add(fixture->driver, buffers, 2, 1, 0, NULL), ==, 0);
    memcpy(queue_fixture_host(fixture, border - 3, 3), "abc", 3);
    memcpy(queue_fixture_host(fixture, border, 5), "defgh", 5);
    memcpy(queue_fixture_host(fixture, border + 100, 2), "ij", 2);
    vhost_user_driver_queue_publish(fixture->driver);
    element = queue_fixture_pop(fixture);
    g_assert_cmpuint(element->readable_count, ==, 3);
    g_assert_cmpuint(vhost_user_element_read(element, 0, bytes, 20), ==, 10);
    g_assert_cmpstr(bytes, ==, "abcdefghij");
    g_assert_cmpuint(vhost_user_element_read(element, 2, bytes, 7), ==, 7);
    g_assert_cmpint(memcmp(bytes, "cdefghi", 7), ==, 0);
    g_assert_cmpuint(vhost_user_element_read(element, 10, bytes, 1), ==, 0);
    g_assert_cmpuint(vhost_user_element_read(element, UINT64_MAX, bytes, 20), ==, 0);
    g_assert_cmpuint(vhost_user_element_write(element, 1, "xyzw", 4), ==, 3);
    g_assert_cmpint(memcmp((char *)queue_fixture_host(fixture, border - 10, 4) + 1, "xyz", 3), ==,
                    0);
    queue_fixture_push(fixture, element, 4);
    queue_fixture_free(fixture);
}

/* --- threads --- */

#define THREAD_REQUESTS 3000u

typedef struct Threads {
    QueueFixture *fixture;
    gint end;        /* atomic */
    unsigned inside; /* whoever is between begin and end, or holds: plain, so that TSan watches */
} Threads;

static gpointer queue_thread(gpointer data)
{
    Threads *threads = data;
    VhostUserQueue *queue = threads->fixture->queue;

    while (!g_atomic_int_get(&threads->end)) {
        VhostUserElement *element;

        vhost_user_queue_clear_kick(queue);
        if (!vhost_user_queue_begin(queue)) {
            g_thread_yield();
            continue;
        }
        g_assert_cmpuint(threads->inside++, ==, 0);
        while ((element = vhost_user_queue_pop(queue)) != NULL) {
            vhost_user_queue_push(queue, element, (uint32_t)element->writable_size);
        }
        g_assert_cmpuint(threads->inside--, ==, 1);
        vhost_user_queue_end(queue);
        g_thread_yield();
    }
    return NULL;
}

static gpointer control_thread(gpointer data)
{
    Threads *threads = data;
    QueueFixture *fixture = threads->fixture;

    while (!g_atomic_int_get(&threads->end)) {
        vhost_user_queue_hold(fixture->queue);
        g_assert_cmpuint(threads->inside++, ==, 0);
        fixture->environment.log_writes = !fixture->environment.log_writes;
        g_assert_cmpint(replace_table(fixture, fixture->memory->count), ==, 0);
        vhost_user_queue_relocate(fixture->queue);
        g_assert_cmpuint(threads->inside--, ==, 1);
        vhost_user_queue_release(fixture->queue);
        vhost_user_map_reclaim(fixture->map);
        g_usleep(100);
    }
    return NULL;
}

/* Driver, queue thread and control thread: nobody is in another's way, no request is lost. */
static void test_threads(gconstpointer data)
{
    QueueOptions options = options_for(data);
    Threads threads = {0};
    GThread *queue, *control;
    unsigned added = 0, done = 0;

    options.features |= VHOST_USER_RING_F_EVENT_IDX;
    options.log = true;
    threads.fixture = queue_fixture_new(&options);
    queue = g_thread_new("queue", queue_thread, &threads);
    control = g_thread_new("control", control_thread, &threads);
    while (done < THREAD_REQUESTS) {
        const VhostUserDriverBuffer buffer = {threads.fixture->data, 64};
        VhostUserDriverUsed used;

        if (added < THREAD_REQUESTS &&
            vhost_user_driver_queue_add(threads.fixture->driver, &buffer, 0, 1, 0, NULL) == 0) {
            added++;
            vhost_user_driver_queue_kick(threads.fixture->driver);
            continue;
        }
        g_assert_cmpint(vhost_user_driver_queue_wait(threads.fixture->driver, 30000), ==, 1);
        while (vhost_user_driver_queue_collect(threads.fixture->driver, &used, 1) == 1) {
            g_assert_cmpuint(used.written, ==, 64);
            done++;
        }
    }
    g_atomic_int_set(&threads.end, 1);
    g_thread_join(queue);
    g_thread_join(control);
    queue_fixture_free(threads.fixture);
}

static void add_tests(const bool *packed)
{
    static const struct {
        const char *name;
        GTestDataFunc function;
    } tests[] = {
        {"running", test_running},     {"unpop-and-stop", test_unpop_and_stop},
        {"polling", test_polling},     {"held", test_held},
        {"late-call", test_late_call}, {"log-comes-and-goes", test_log_comes_and_goes},
        {"relocate", test_relocate},   {"read-and-write", test_read_and_write},
        {"threads", test_threads},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path =
            g_strdup_printf("/queue/%s/%s", *packed ? "packed" : "split", tests[i].name);

        g_test_add_data_func(path, packed, tests[i].function);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/queue/descriptors", test_descriptors);
    for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++) {
        add_tests(&formats[i]);
    }
    return g_test_run();
}
