/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See queue-fixture.h. */
#include "queue-fixture.h"

#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define AREAS 4
#define SOME_DATA 65536

static void on_broken(VhostUserDevice *device, VhostUserQueue *queue, const char *reason)
{
    QueueFixture *fixture = (QueueFixture *)(void *)device;

    g_assert_true(queue == fixture->queue);
    fixture->broken++;
    g_free(fixture->reason);
    fixture->reason = g_strdup(reason);
}

static void on_stopped(VhostUserDevice *device, VhostUserQueue *queue)
{
    QueueFixture *fixture = (QueueFixture *)(void *)device;

    g_assert_true(queue == fixture->queue);
    fixture->stopped++;
}

/* The ring lies in the first area; the data, behind it, goes on over the borders of all. */
static void make_memory(QueueFixture *fixture)
{
    const QueueOptions *options = &fixture->options;
    uint64_t data_size = options->data_size ? options->data_size : SOME_DATA;
    uint64_t ring_end, area_size;

    fixture->parameters = (VhostUserDriverParameters){.features = options->features,
                                                      .size = options->size,
                                                      .base = options->base,
                                                      .indirect_size = options->indirect_size};
    ring_end = vhost_user_driver_place(&fixture->parameters, QUEUE_GUEST_BASE);
    area_size = ring_end - QUEUE_GUEST_BASE + data_size / AREAS;
    area_size = (area_size + 4095) / 4096 * 4096;
    fixture->memory = vhost_user_guest_memory_new(QUEUE_GUEST_BASE, area_size, AREAS, 0);
    g_assert_nonnull(fixture->memory);
    fixture->parameters.areas = fixture->memory->areas;
    fixture->parameters.area_count = fixture->memory->count;
    fixture->data = ring_end;
    fixture->end = QUEUE_GUEST_BASE + AREAS * area_size;
}

static void make_map(QueueFixture *fixture)
{
    const char *reason = NULL;

    fixture->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fixture->map = vhost_user_map_new(64, fixture->wake);
    g_assert_nonnull(fixture->map);
    for (size_t i = 0; i < fixture->memory->count; i++) {
        const VhostUserMemoryArea *area = &fixture->memory->areas[i];
        const VhostUserMemoryRegion region = {.guest_address = area->guest_address,
                                              .size = area->size,
                                              .user_address = (uintptr_t)area->host,
                                              .mmap_offset = area->offset};

        g_assert_cmpint(vhost_user_map_add(fixture->map, &region, area->fd, &reason), ==, 0);
    }
}

static void make_log(QueueFixture *fixture)
{
    const VhostUserLog description = {.size = fixture->end / VHOST_USER_LOG_PAGE_SIZE / 8 + 1};
    int fd = memfd_create("log", MFD_CLOEXEC);
    const char *reason = NULL;

    g_assert_cmpint(ftruncate(fd, (off_t)description.size), ==, 0);
    g_assert_cmpint(vhost_user_dirty_log_set(&fixture->log, &description, fd, &reason), ==, 0);
    close(fd);
}

static void make_inflight(QueueFixture *fixture)
{
    bool packed = fixture->options.features & VHOST_USER_RING_F_PACKED;
    const char *reason = NULL;

    fixture->inflight_description =
        (VhostUserInflight){.num_queues = 1, .queue_size = (uint16_t)fixture->options.size};
    fixture->inflight_fd = vhost_user_inflight_create(&fixture->inflight_description, packed);
    g_assert_cmpint(fixture->inflight_fd, >=, 0);
    g_assert_cmpint(vhost_user_inflight_set(&fixture->inflight, &fixture->inflight_description,
                                            fixture->inflight_fd, packed, &reason),
                    ==, 0);
}

static VhostUserVringAddr addresses_of(const QueueFixture *fixture,
                                       const VhostUserDriverQueue *driver)
{
    VhostUserRingSetup setup;

    vhost_user_driver_queue_setup(driver, &setup);
    return (VhostUserVringAddr){
        .flags = fixture->options.log ? VHOST_USER_VRING_ADDR_F_LOG : 0,
        .descriptor = (uintptr_t)setup.descriptor,
        .available = (uintptr_t)setup.available,
        .used = (uintptr_t)setup.used,
        .log = vhost_user_guest_memory_address(fixture->memory->areas, fixture->memory->count,
                                               setup.used),
    };
}

VhostUserVringAddr queue_fixture_addresses(const QueueFixture *fixture)
{
    return addresses_of(fixture, fixture->driver);
}

static int copy_of(int fd)
{
    int copy = dup(fd);

    g_assert_cmpint(copy, >=, 0);
    return copy;
}

/* All but the start. */
static VhostUserQueue *new_queue(const QueueFixture *fixture, const VhostUserDriverQueue *driver,
                                 uint32_t index, uint32_t base)
{
    VhostUserQueue *queue = vhost_user_queue_new(&fixture->environment, index);
    VhostUserVringAddr addresses = addresses_of(fixture, driver);
    VhostUserRingSetup setup;

    g_assert_nonnull(queue);
    vhost_user_driver_queue_setup(driver, &setup);
    g_assert_cmpint(vhost_user_queue_set_size(queue, setup.size), ==, 0);
    g_assert_cmpint(vhost_user_queue_set_addresses(queue, &addresses), ==, 0);
    g_assert_cmpint(vhost_user_queue_set_base(queue, base), ==, 0);
    g_assert_cmpint(vhost_user_queue_set_kick(queue, copy_of(setup.kick)), ==, 0);
    g_assert_cmpint(vhost_user_queue_set_call(queue, copy_of(setup.call)), ==, 0);
    g_assert_cmpint(vhost_user_queue_set_error(queue, copy_of(setup.error)), ==, 0);
    return queue;
}

static void start(VhostUserQueue *queue)
{
    const char *reason = NULL;
    int result = vhost_user_queue_start(queue, &reason);

    g_assert_cmpstr(reason, ==, NULL);
    g_assert_cmpint(result, ==, 0);
}

void queue_fixture_replace(QueueFixture *fixture, uint32_t base)
{
    vhost_user_queue_free(fixture->queue);
    fixture->queue = new_queue(fixture, fixture->driver, 0, base);
    if (fixture->options.inflight) {
        vhost_user_queue_set_inflight(fixture->queue,
                                      vhost_user_inflight_area(&fixture->inflight, 0),
                                      fixture->inflight.queue_size);
    }
    start(fixture->queue);
}

void queue_fixture_add_other(QueueFixture *fixture)
{
    VhostUserDriverParameters parameters = fixture->parameters;

    fixture->data = vhost_user_driver_place(&parameters, fixture->data);
    parameters.index = 1;
    fixture->other_driver = vhost_user_driver_queue_new(&parameters);
    g_assert_nonnull(fixture->other_driver);
    fixture->other = new_queue(fixture, fixture->other_driver, 1, fixture->options.base);
    start(fixture->other);
}

void queue_fixture_other_goes_on(QueueFixture *fixture)
{
    const VhostUserDriverBuffer buffer = {fixture->data, 1};
    VhostUserDriverUsed used = {0};
    VhostUserElement *element;

    g_assert_cmpint(vhost_user_driver_queue_add(fixture->other_driver, &buffer, 0, 1, 0, fixture),
                    ==, 0);
    vhost_user_driver_queue_publish(fixture->other_driver);
    g_assert_true(vhost_user_queue_begin(fixture->other));
    element = vhost_user_queue_pop(fixture->other);
    g_assert_nonnull(element);
    vhost_user_queue_push(fixture->other, element, 1);
    vhost_user_queue_end(fixture->other);
    g_assert_cmpint(vhost_user_driver_queue_collect(fixture->other_driver, &used, 1), ==, 1);
    g_assert_true(used.cookie == fixture);
}

void queue_fixture_expect_broken(QueueFixture *fixture, const char *reason)
{
    int fd = vhost_user_driver_queue_error_fd(fixture->driver);

    g_assert_cmpstr(vhost_user_queue_error(fixture->queue), ==, NULL);
    g_assert_false(queue_fixture_signalled(fd));
    g_assert_null(queue_fixture_pop(fixture));
    g_assert_cmpstr(vhost_user_queue_error(fixture->queue), ==, reason);
    g_assert_cmpstr(fixture->reason, ==, reason);
    g_assert_true(queue_fixture_signalled(fd));
    g_assert_null(queue_fixture_pop(fixture));
    g_assert_false(queue_fixture_signalled(fd));
    g_assert_cmpuint(fixture->broken, ==, 1);
    if (fixture->other) {
        queue_fixture_other_goes_on(fixture);
    }
}

QueueFixture *queue_fixture_new(const QueueOptions *options)
{
    QueueFixture *fixture = g_new0(QueueFixture, 1);

    fixture->options = *options;
    fixture->inflight_fd = -1;
    make_memory(fixture);
    make_map(fixture);
    if (options->log) {
        make_log(fixture);
    }
    if (options->inflight) {
        make_inflight(fixture);
    }
    fixture->environment = (VhostUserQueueEnvironment){
        .device = (VhostUserDevice *)(void *)fixture, /* opaque to the queue */
        .map = fixture->map,
        .log = &fixture->log,
        .log_fd = -1,
        .log_writes = options->log,
        .features = options->features,
        .queue_size_maximum = 32768,
        .request_size = options->request_size,
        .broken = on_broken,
        .stopped = on_stopped,
    };
    fixture->driver = vhost_user_driver_queue_new(&fixture->parameters);
    g_assert_nonnull(fixture->driver);
    queue_fixture_replace(fixture, options->base);
    return fixture;
}

void queue_fixture_free(QueueFixture *fixture)
{
    vhost_user_queue_free(fixture->queue);
    vhost_user_driver_queue_free(fixture->driver);
    vhost_user_queue_free(fixture->other);
    vhost_user_driver_queue_free(fixture->other_driver);
    vhost_user_inflight_clear(&fixture->inflight);
    if (fixture->inflight_fd >= 0) {
        close(fixture->inflight_fd);
    }
    vhost_user_dirty_log_clear(&fixture->log);
    vhost_user_map_free(fixture->map);
    close(fixture->wake);
    vhost_user_guest_memory_free(fixture->memory);
    g_free(fixture->reason);
    g_free(fixture);
}

void *queue_fixture_host(const QueueFixture *fixture, uint64_t guest_address, uint64_t size)
{
    void *host = vhost_user_guest_memory_host(fixture->memory->areas, fixture->memory->count,
                                              guest_address, size);

    g_assert_nonnull(host);
    return host;
}

bool queue_fixture_signalled(int fd)
{
    uint64_t count = 0;

    if (read(fd, &count, sizeof(count)) != sizeof(count)) {
        return false;
    }
    g_assert_cmpuint(count, ==, 1);
    return true;
}

VhostUserElement *queue_fixture_pop(QueueFixture *fixture)
{
    VhostUserElement *element;

    g_assert_true(vhost_user_queue_begin(fixture->queue));
    element = vhost_user_queue_pop(fixture->queue);
    vhost_user_queue_end(fixture->queue);
    return element;
}

void queue_fixture_push(QueueFixture *fixture, VhostUserElement *element, uint32_t written)
{
    g_assert_true(vhost_user_queue_begin(fixture->queue));
    vhost_user_queue_push(fixture->queue, element, written);
    vhost_user_queue_end(fixture->queue);
}

bool queue_fixture_logged(const QueueFixture *fixture, uint64_t guest_address)
{
    uint64_t page = guest_address / VHOST_USER_LOG_PAGE_SIZE;

    return fixture->log.bits[page / 8] >> (page % 8) & 1;
}
