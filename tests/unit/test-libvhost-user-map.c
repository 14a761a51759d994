/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The map of guest memory against a naive model over random changes, each refusal with its reason,
 * and what stays mapped for how long.  One thread; test-libvhost-user-churn.c has the others.
 */
#include "memory-map.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "map-fixture.h"

#define SLOTS 4096u

typedef struct Fixture {
    VhostUserMap *map;
    VhostUserReader *reader;
    int wake_fd;
    int file; /* PAGES stamped pages */
} Fixture;

/* So few that random regions meet each other all the time. */
#define PAGES 600u

static void set_up(Fixture *fixture, gconstpointer slots)
{
    fixture->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    fixture->map = vhost_user_map_new(slots ? GPOINTER_TO_UINT(slots) : SLOTS, fixture->wake_fd);
    fixture->reader = vhost_user_reader_new(fixture->map, 64);
    fixture->file = map_file_new_stamped(PAGES, 0);
}

static void tear_down(Fixture *fixture, gconstpointer slots)
{
    (void)slots;
    vhost_user_reader_free(fixture->reader);
    vhost_user_map_free(fixture->map);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 0);
    close(fixture->file);
    close(fixture->wake_fd);
}

static void add(Fixture *fixture, VhostUserMemoryRegion region)
{
    const char *reason = NULL;
    int result = vhost_user_map_add(fixture->map, &region, fixture->file, &reason);

    g_assert_cmpstr(reason, ==, NULL);
    g_assert_cmpint(result, ==, 0);
}

static void remove_region(Fixture *fixture, VhostUserMemoryRegion region)
{
    const char *reason = NULL;
    int result = vhost_user_map_remove(fixture->map, &region, &reason);

    g_assert_cmpstr(reason, ==, NULL);
    g_assert_cmpint(result, ==, 0);
}

static VhostUserMapStatistics statistics_of(Fixture *fixture)
{
    VhostUserMapStatistics statistics;

    vhost_user_map_statistics(fixture->map, &statistics);
    return statistics;
}

/* A translation in a table of its own. */
static guint8 *look_up(Fixture *fixture, guint64 address, guint64 size, guint64 *contiguous)
{
    guint8 *host;

    vhost_user_reader_enter(fixture->reader);
    host = vhost_user_reader_translate(fixture->reader, address, size, contiguous);
    vhost_user_reader_leave(fixture->reader);
    return host;
}

static gboolean woken(Fixture *fixture)
{
    guint64 count;

    return read(fixture->wake_fd, &count, sizeof(count)) == sizeof(count);
}

/*
 * The model: for each page of an arena of guest memory, the region that it is in.
 */

#define ARENA 0x40000000ull

typedef struct Model {
    gint owner[PAGES]; /* -1: none */
    VhostUserMemoryRegion regions[PAGES];
} Model;

static void model_clear(Model *model)
{
    for (guint page = 0; page < PAGES; page++) {
        model->owner[page] = -1;
    }
}

static gboolean model_is_free(const Model *model, guint first, guint pages)
{
    for (guint page = first; page < first + pages; page++) {
        if (page >= PAGES || model->owner[page] != -1) {
            return FALSE;
        }
    }
    return TRUE;
}

static void model_add(Model *model, guint first, const VhostUserMemoryRegion *region)
{
    for (guint page = first; page < first + region->size / MAP_PAGE; page++) {
        model->owner[page] = (gint)first;
    }
    model->regions[first] = *region;
}

static void model_remove(Model *model, guint first)
{
    for (guint page = 0; page < PAGES; page++) {
        if (model->owner[page] == (gint)first) {
            model->owner[page] = -1;
        }
    }
}

/* A region at this page with random length and place in the file, not checked against others. */
static VhostUserMemoryRegion random_region(guint first)
{
    guint pages = (guint)g_test_rand_int_range(1, 5);

    pages = MIN(pages, PAGES - first);
    return map_region(ARENA + (guint64)first * MAP_PAGE, (guint64)pages * MAP_PAGE,
                      (guint64)g_test_rand_int_range(0, (gint)(PAGES - pages + 1)) * MAP_PAGE);
}

/* One address, any, with any size: what the reader says and what the model says. */
static void check_address(Fixture *fixture, const Model *model, guint64 address, guint64 size)
{
    guint64 page = address / MAP_PAGE - ARENA / MAP_PAGE;
    gint owner = address >= ARENA && page < PAGES ? model->owner[page] : -1;
    guint64 contiguous = 0;
    guint8 *host = vhost_user_reader_translate(fixture->reader, address, size, &contiguous);
    const VhostUserMemoryRegion *region;
    guint64 offset, stamp;

    if (owner == -1) {
        g_assert_null(host);
        return;
    }
    region = &model->regions[owner];
    offset = address - region->guest_address;
    g_assert_nonnull(host);
    g_assert_cmpuint(contiguous, ==, MIN(size, region->size - offset));
    memcpy(&stamp, host - offset % MAP_PAGE, sizeof(stamp));
    g_assert_cmpuint(stamp, ==, (region->mmap_offset + offset) / MAP_PAGE);
}

/* Edges of each page, and random places in and around the arena. */
static void check_random(Fixture *fixture, const Model *model, guint count)
{
    vhost_user_reader_enter(fixture->reader);
    for (guint i = 0; i < count; i++) {
        guint64 page = (guint64)g_test_rand_int_range(-3, PAGES + 3);
        guint64 edge = ARENA + page * MAP_PAGE;
        guint64 size = (guint64)g_test_rand_int_range(1, 5 * MAP_PAGE);

        check_address(fixture, model, edge, size);
        check_address(fixture, model, edge - 1, size);
        check_address(fixture, model, edge + (guint64)g_test_rand_int_range(0, MAP_PAGE), size);
    }
    check_address(fixture, model, 0, UINT64_MAX);
    check_address(fixture, model, UINT64_MAX, 1);
    vhost_user_reader_leave(fixture->reader);
}

/* The pin of a ring, by user address: the same memory. */
static void check_pin(Fixture *fixture, const Model *model, guint page)
{
    gint owner = model->owner[page];
    guint64 guest = ARENA + (guint64)page * MAP_PAGE;
    VhostUserRegion *pinned = NULL;
    guint64 found = 0, contiguous = 0;
    const VhostUserMemoryRegion *region;
    guint64 user, rest;
    guint8 *host;

    if (owner == -1) {
        return;
    }
    region = &model->regions[owner];
    user = region->user_address + (guest - region->guest_address);
    rest = region->size - (guest - region->guest_address);
    host = vhost_user_map_pin(fixture->map, user, rest, &pinned, &found);
    g_assert_true(host == look_up(fixture, guest, 1, &contiguous));
    g_assert_cmpuint(found, ==, guest);
    vhost_user_map_unpin(fixture->map, pinned);
    g_assert_null(vhost_user_map_pin(fixture->map, user, rest + 1, &pinned, NULL));
    g_assert_null(vhost_user_map_pin(fixture->map, user, UINT64_MAX, &pinned, NULL));
    g_assert_null(vhost_user_map_pin(fixture->map, user, 0, &pinned, NULL));
    g_assert_cmphex(vhost_user_map_base(fixture->map, guest), ==,
                    guest == region->guest_address ? (guint64)(gsize)host : 0);
}

static void random_change(Fixture *fixture, Model *model)
{
    guint first = (guint)g_test_rand_int_range(0, PAGES);
    VhostUserMemoryRegion region = random_region(first);
    gboolean fits = model_is_free(model, first, (guint)(region.size / MAP_PAGE));
    const char *reason = NULL;
    int result;

    if (model->owner[first] == (gint)first && g_test_rand_bit()) {
        region = model->regions[first];
        region.mmap_offset = 0; /* not looked at */
        remove_region(fixture, region);
        model_remove(model, first);
        return;
    }
    result = vhost_user_map_add(fixture->map, &region, fixture->file, &reason);
    if (fits) {
        g_assert_cmpint(result, ==, 0);
        model_add(model, first, &region);
    } else {
        g_assert_cmpint(result, ==, -EEXIST);
        g_assert_cmpstr(reason, ==, "the region overlaps another one in guest memory");
    }
}

/* A new table in which some regions are as they were, some changed and some new. */
static void random_replace(Fixture *fixture, Model *model)
{
    g_autofree VhostUserMemoryRegion *regions = g_new(VhostUserMemoryRegion, PAGES);
    g_autofree int *fds = g_new(int, PAGES);
    Model new;
    const char *reason = NULL;
    guint count = 0;

    model_clear(&new);
    for (guint page = 0; page < PAGES; page++) {
        VhostUserMemoryRegion region = random_region(page);

        if (model->owner[page] == (gint)page && g_test_rand_int_range(0, 4) != 0) {
            region = model->regions[page];
        }
        if (g_test_rand_int_range(0, 3) == 0 &&
            model_is_free(&new, page, (guint)(region.size / MAP_PAGE))) {
            model_add(&new, page, &region);
            regions[count] = region;
            fds[count] = fixture->file;
            count++;
        }
    }
    for (guint i = 0; i + 1 < count; i++) { /* in any order */
        guint other = (guint)g_test_rand_int_range((gint)i, (gint)count);
        VhostUserMemoryRegion region = regions[i];

        regions[i] = regions[other];
        regions[other] = region;
    }
    g_assert_cmpint(vhost_user_map_replace(fixture->map, regions, fds, count, &reason), ==, 0);
    g_assert_cmpuint(statistics_of(fixture).regions, ==, count);
    *model = new;
}

static void test_random(Fixture *fixture, gconstpointer unused)
{
    g_autofree Model *model = g_new(Model, 1);

    (void)unused;
    model_clear(model);
    for (guint i = 0; i < 20000; i++) {
        random_change(fixture, model);
        check_pin(fixture, model, (guint)g_test_rand_int_range(0, PAGES));
        check_random(fixture, model, 3);
        if (i % 1000 == 999) {
            random_replace(fixture, model);
            check_random(fixture, model, 1000);
        }
    }
    for (guint page = 0; page < PAGES; page++) {
        if (model->owner[page] == (gint)page) {
            remove_region(fixture, model->regions[page]);
            model_remove(model, page);
        }
    }
    check_random(fixture, model, 1000);
    g_assert_cmpuint(statistics_of(fixture).regions, ==, 0);
    g_assert_cmpuint(statistics_of(fixture).bytes, ==, 0);
    g_assert_cmpuint(statistics_of(fixture).retired, ==, 0);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 0);
}

/* As many as a device may have, added in one order and removed in another. */
static void test_many(Fixture *fixture, gconstpointer slots)
{
    guint count = GPOINTER_TO_UINT(slots);
    g_autofree guint *order = g_new(guint, count);
    VhostUserMemoryRegion region;
    const char *reason = NULL;
    guint64 contiguous;

    for (guint i = 0; i < count; i++) {
        order[i] = i;
    }
    for (guint round = 0; round < 2; round++) {
        for (guint i = 0; i < count; i++) {
            add(fixture, map_region(order[i] * 2ull * MAP_PAGE, MAP_PAGE,
                                    order[i] % PAGES * (guint64)MAP_PAGE));
        }
        g_assert_cmpuint(statistics_of(fixture).regions, ==, count);
        region = map_region(count * 2ull * MAP_PAGE, MAP_PAGE, 0);
        g_assert_cmpint(vhost_user_map_add(fixture->map, &region, fixture->file, &reason), ==,
                        -ENOSPC);
        g_assert_cmpstr(reason, ==, "no memory slot is free");
        for (guint i = 0; i < count; i++) {
            guint8 *host = look_up(fixture, i * 2ull * MAP_PAGE, 2 * MAP_PAGE, &contiguous);

            g_assert_nonnull(host);
            g_assert_cmpuint(contiguous, ==, MAP_PAGE);
            g_assert_cmpuint(*(guint64 *)(void *)host, ==, i % PAGES);
            g_assert_null(look_up(fixture, (i * 2ull + 1) * MAP_PAGE, 1, &contiguous));
        }
        for (guint i = 0; i + 1 < count; i++) {
            guint other = (guint)g_test_rand_int_range((gint)i, (gint)count);
            guint swapped = order[i];

            order[i] = order[other];
            order[other] = swapped;
        }
        for (guint i = 0; i < count; i++) {
            remove_region(fixture, map_region(order[i] * 2ull * MAP_PAGE, MAP_PAGE, 0));
        }
        g_assert_cmpuint(statistics_of(fixture).regions, ==, 0);
    }
    g_assert_cmpuint(statistics_of(fixture).regions_peak, ==, count);
    g_assert_cmpuint(statistics_of(fixture).added, ==, 2 * count);
    g_assert_cmpuint(statistics_of(fixture).removed, ==, 2 * count);
}

/*
 * Refusals: nothing changes, nothing stays open or mapped.
 */

static void refuse(Fixture *fixture, VhostUserMemoryRegion region, int fd, int error,
                   const char *expected)
{
    VhostUserMapStatistics before = statistics_of(fixture);
    VhostUserMapStatistics after;
    guint descriptors = map_count_descriptors();
    guint mappings = map_count_mappings(fixture->file, NULL);
    const char *reason = NULL;

    g_assert_cmpint(vhost_user_map_add(fixture->map, &region, fd, &reason), ==, error);
    g_assert_cmpstr(reason, ==, expected);
    reason = NULL;
    /* Not as a whole table either, behind a region that is well. */
    g_assert_cmpint(
        vhost_user_map_replace(
            fixture->map,
            (VhostUserMemoryRegion[]){map_region(0x70000000, MAP_PAGE, MAP_PAGE),
                                      map_region(0x10000, 4 * MAP_PAGE, 2 * MAP_PAGE), region},
            (int[]){fixture->file, fixture->file, fd}, 3, &reason),
        ==, error);
    g_assert_cmpstr(reason, ==, expected);
    after = statistics_of(fixture);
    g_assert_cmpmem(&before, sizeof(before), &after, sizeof(after));
    g_assert_cmpuint(map_count_descriptors(), ==, descriptors);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, mappings);
}

static void test_refusals(Fixture *fixture, gconstpointer unused)
{
    VhostUserMemoryRegion region = map_region(0x10000, 4 * MAP_PAGE, 2 * MAP_PAGE);
    VhostUserMemoryRegion other = map_region(0x40000, MAP_PAGE, 0);
    int read_only, sealed = memfd_create("sealed", MFD_ALLOW_SEALING);
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fixture->file);

    (void)unused;
    add(fixture, region);
    other.size = 0;
    refuse(fixture, other, fixture->file, -EINVAL, "the region's size is 0");
    other = map_region(UINT64_MAX - MAP_PAGE + 1, MAP_PAGE, 0);
    refuse(fixture, other, fixture->file, -EINVAL,
           "the region's guest address plus its size wraps");
    other = map_region(0x40000, MAP_PAGE, 0);
    other.user_address = UINT64_MAX - 1;
    refuse(fixture, other, fixture->file, -EINVAL, "the region's user address plus its size wraps");
    other = map_region(0x40000, MAP_PAGE, UINT64_MAX - 1);
    refuse(fixture, other, fixture->file, -EINVAL, "the region's mmap offset plus its size wraps");
    other = map_region(0x40000, MAP_PAGE, INT64_MAX - 1);
    refuse(fixture, other, fixture->file, -EINVAL, "offset plus size is more than a file can have");

    /* One byte too many at either side; all of it, and within. */
    other = map_region(0x10000 - 1, 2, 0);
    refuse(fixture, other, fixture->file, -EEXIST,
           "the region overlaps another one in guest memory");
    other = map_region(0x10000 + 4 * MAP_PAGE - 1, 2, 0);
    refuse(fixture, other, fixture->file, -EEXIST,
           "the region overlaps another one in guest memory");
    other = map_region(0, 0x100000, 0);
    refuse(fixture, other, fixture->file, -EEXIST,
           "the region overlaps another one in guest memory");
    refuse(fixture, region, fixture->file, -EEXIST,
           "the region overlaps another one in guest memory");
    other = map_region(0x40000, 2 * MAP_PAGE, 0);
    other.user_address = region.user_address + region.size - 1;
    refuse(fixture, other, fixture->file, -EEXIST,
           "the region overlaps another one in user addresses");

    other = map_region(0x40000, MAP_PAGE, (guint64)PAGES * MAP_PAGE);
    refuse(fixture, other, fixture->file, -EINVAL, "the file is shorter than offset plus size");
    other = map_region(0x40000, 2, (guint64)PAGES * MAP_PAGE - 1);
    refuse(fixture, other, fixture->file, -EINVAL, "the file is shorter than offset plus size");

    other = map_region(0x40000, MAP_PAGE, 0);
    refuse(fixture, other, -1, -EBADF, "there is no usable descriptor");
    read_only = open(path, O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(read_only, >=, 0);
    refuse(fixture, other, read_only, -EACCES, "the file is not open for reading and writing");
    close(read_only);
    refuse(fixture, other, fixture->wake_fd, -ENODEV,
           "the descriptor is of a kind that cannot be mapped");
    g_assert_cmpint(ftruncate(sealed, MAP_PAGE), ==, 0);
    g_assert_cmpint(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE), ==, 0);
    refuse(fixture, other, sealed, -EPERM, "the file is sealed against writing");
    g_assert_cmpint(ftruncate(sealed, MAP_PAGE), ==, 0);
    close(sealed);
}

static void test_refused_removes(Fixture *fixture, gconstpointer unused)
{
    const VhostUserMemoryRegion region = map_region(0x10000, 4 * MAP_PAGE, 2 * MAP_PAGE);
    VhostUserMemoryRegion wrong[4] = {region, region, region, region};
    const char *reason;

    (void)unused;
    add(fixture, region);
    wrong[0].guest_address += MAP_PAGE;
    wrong[1].size -= MAP_PAGE;
    wrong[2].user_address += MAP_PAGE;
    wrong[3].guest_address = 0;
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        reason = NULL;
        g_assert_cmpint(vhost_user_map_remove(fixture->map, &wrong[i], &reason), ==, -ENOENT);
        g_assert_cmpstr(reason, ==, "there is no region with these addresses and this size");
    }
    remove_region(fixture, region);
    g_assert_cmpint(vhost_user_map_remove(fixture->map, &region, &reason), ==, -ENOENT);
}

/* Offsets and sizes that are no whole pages; a neighbour begins in the same page of guest memory.
 */
static void test_unaligned(Fixture *fixture, gconstpointer unused)
{
    const guint64 start = 3 * MAP_PAGE - 24;
    guint64 contiguous, stamp;
    guint8 *host;

    (void)unused;
    add(fixture, map_region(0x1001, 100, start));
    add(fixture, map_region(0x1001 + 100, 1, 0));
    host = look_up(fixture, 0x1001, 4096, &contiguous);
    g_assert_nonnull(host);
    g_assert_cmpuint(contiguous, ==, 100);
    memcpy(&stamp, host + 24, sizeof(stamp));
    g_assert_cmpuint(stamp, ==, 3);
    host = look_up(fixture, 0x1001 + 100, 2, &contiguous);
    g_assert_nonnull(host);
    g_assert_cmpuint(contiguous, ==, 1);
    g_assert_null(look_up(fixture, 0x1000, 1, &contiguous));
    g_assert_null(look_up(fixture, 0x1001 + 101, 1, &contiguous));
}

/* Slots: their number is a limit, also for a whole table. */
static void test_slots(Fixture *fixture, gconstpointer slots)
{
    VhostUserMemoryRegion regions[3];
    const int fds[3] = {fixture->file, fixture->file, fixture->file};
    const char *reason = NULL;

    g_assert_cmpuint(GPOINTER_TO_UINT(slots), ==, 2);
    for (guint i = 0; i < 3; i++) {
        regions[i] = map_region(i * MAP_PAGE, MAP_PAGE, i * MAP_PAGE);
    }
    g_assert_cmpint(vhost_user_map_replace(fixture->map, regions, fds, 3, &reason), ==, -ENOSPC);
    g_assert_cmpstr(reason, ==, "there are fewer memory slots than regions");
    g_assert_cmpint(vhost_user_map_replace(fixture->map, regions, fds, 2, &reason), ==, 0);
    g_assert_cmpint(vhost_user_map_add(fixture->map, &regions[2], fds[2], &reason), ==, -ENOSPC);
    g_assert_cmpstr(reason, ==, "no memory slot is free");
    remove_region(fixture, regions[0]);
    add(fixture, regions[2]);
    g_assert_cmpint(vhost_user_map_replace(fixture->map, NULL, NULL, 0, &reason), ==, 0);
    g_assert_cmpuint(statistics_of(fixture).regions, ==, 0);
}

/* While a request hangs, what was removed stays mapped, but not without limit. */
static void test_retired_limit(Fixture *fixture, gconstpointer slots)
{
    const guint limit = GPOINTER_TO_UINT(slots);
    const VhostUserMemoryRegion region = map_region(0, MAP_PAGE, 0);
    const char *reason = NULL;
    guint rounds = 0;
    uint32_t token;

    vhost_user_reader_enter(fixture->reader);
    token = vhost_user_reader_hold(fixture->reader);
    vhost_user_reader_leave(fixture->reader);
    while (vhost_user_map_add(fixture->map, &region, fixture->file, &reason) == 0) {
        remove_region(fixture, region);
        rounds++;
        g_assert_cmpuint(rounds, <=, 2 * limit);
    }
    g_assert_cmpstr(reason, ==, "no memory slot is free");
    g_assert_cmpuint(rounds, ==, 2 * limit);
    g_assert_cmpuint(statistics_of(fixture).retired, ==, 2 * limit);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 2 * limit);
    vhost_user_reader_release(fixture->reader, token);
    g_assert_true(woken(fixture));
    add(fixture, region);
    g_assert_cmpuint(statistics_of(fixture).retired, ==, 0);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 1);
}

/*
 * How long memory stays.
 */

static guint8 *hold(Fixture *fixture, guint64 address, uint32_t *token)
{
    guint64 contiguous;
    guint8 *host;

    vhost_user_reader_enter(fixture->reader);
    host = vhost_user_reader_translate(fixture->reader, address, MAP_PAGE, &contiguous);
    *token = vhost_user_reader_hold(fixture->reader);
    vhost_user_reader_leave(fixture->reader);
    return host;
}

static void test_token(Fixture *fixture, gconstpointer unused)
{
    const VhostUserMemoryRegion regions[] = {map_region(0x1000, MAP_PAGE, 0),
                                             map_region(0x5000, MAP_PAGE, 3 * MAP_PAGE)};
    uint32_t tokens[3];
    guint8 *hosts[3];

    (void)unused;
    add(fixture, regions[0]);
    add(fixture, regions[1]);
    hosts[0] = hold(fixture, 0x1000, &tokens[0]);
    hosts[1] = hold(fixture, 0x5000, &tokens[1]);
    remove_region(fixture, regions[0]);
    g_assert_null(hold(fixture, 0x1000, &tokens[2]));
    remove_region(fixture, regions[1]);
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 2);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 2);
    g_assert_cmpuint(*(guint64 *)(void *)hosts[0], ==, 0);
    g_assert_cmpuint(*(guint64 *)(void *)hosts[1], ==, 3);

    /* In another order than they were taken.  Nobody is woken for nothing. */
    vhost_user_reader_release(fixture->reader, tokens[0]);
    g_assert_false(woken(fixture));
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 2);
    vhost_user_reader_release(fixture->reader, tokens[1]);
    g_assert_true(woken(fixture));
    /* The third was taken when only the second region was there. */
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 1);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 1);
    vhost_user_reader_release(fixture->reader, tokens[2]);
    g_assert_true(woken(fixture));
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 0);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 0);
    hold(fixture, 0x1000, &tokens[0]);
    vhost_user_reader_release(fixture->reader, tokens[0]);
    g_assert_false(woken(fixture));
}

/* Between enter and leave the table is the one of the enter. */
static void test_enter(Fixture *fixture, gconstpointer unused)
{
    const VhostUserMemoryRegion region = map_region(0x1000, MAP_PAGE, 5 * MAP_PAGE);
    guint64 contiguous;
    guint8 *host;

    (void)unused;
    vhost_user_reader_enter(fixture->reader);
    add(fixture, region);
    g_assert_null(vhost_user_reader_translate(fixture->reader, 0x1000, 1, &contiguous));
    vhost_user_reader_leave(fixture->reader);
    g_assert_false(woken(fixture));

    vhost_user_reader_enter(fixture->reader);
    remove_region(fixture, region);
    host = vhost_user_reader_translate(fixture->reader, 0x1000, 1, &contiguous);
    g_assert_nonnull(host);
    g_assert_cmpuint(*(guint64 *)(void *)host, ==, 5);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 1);
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 1);
    vhost_user_reader_leave(fixture->reader);
    g_assert_true(woken(fixture));
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 0);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 0);
    g_assert_null(look_up(fixture, 0x1000, 1, &contiguous));
}

/* Tokens of more generations than a reader tells apart, released in random order: the memory of
 * each is there for as long as it is held. */
static void test_many_tokens(Fixture *fixture, gconstpointer unused)
{
    enum { COUNT = 500 };
    VhostUserReader *reader = vhost_user_reader_new(fixture->map, COUNT);
    guint32 tokens[COUNT];
    guint8 *hosts[COUNT];
    guint order[COUNT];
    guint64 contiguous;

    (void)unused;
    for (guint i = 0; i < COUNT; i++) {
        const VhostUserMemoryRegion region = map_region(0x1000, MAP_PAGE, i * MAP_PAGE);

        add(fixture, region);
        vhost_user_reader_enter(reader);
        hosts[i] = vhost_user_reader_translate(reader, 0x1000, 1, &contiguous);
        tokens[i] = vhost_user_reader_hold(reader);
        vhost_user_reader_leave(reader);
        remove_region(fixture, region);
        order[i] = i;
    }
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, COUNT);
    for (guint i = 0; i < COUNT; i++) {
        guint other = (guint)g_test_rand_int_range((gint)i, COUNT);
        guint chosen = order[other];

        order[other] = order[i];
        order[i] = chosen;
        g_assert_cmpuint(*(guint64 *)(void *)hosts[chosen], ==, chosen);
        vhost_user_reader_release(reader, tokens[chosen]);
        vhost_user_map_reclaim(fixture->map);
    }
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 0);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 0);
    vhost_user_reader_free(reader);
}

/* A reader that is freed holds nothing any more. */
static void test_reader_freed(Fixture *fixture, gconstpointer unused)
{
    const VhostUserMemoryRegion region = map_region(0x1000, MAP_PAGE, 0);
    VhostUserReader *reader = vhost_user_reader_new(fixture->map, 0);

    (void)unused;
    add(fixture, region);
    vhost_user_reader_enter(reader);
    vhost_user_reader_hold(reader);
    vhost_user_reader_leave(reader);
    remove_region(fixture, region);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 1);
    vhost_user_reader_free(reader);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 0);
}

static void test_pin(Fixture *fixture, gconstpointer unused)
{
    const VhostUserMemoryRegion region = map_region(0x1000, 2 * MAP_PAGE, 4 * MAP_PAGE);
    VhostUserRegion *first = NULL, *second = NULL;
    const char *reason = NULL;
    guint8 *host;

    (void)unused;
    add(fixture, region);
    host = vhost_user_map_pin(fixture->map, region.user_address, MAP_PAGE, &first, NULL);
    g_assert_nonnull(host);
    g_assert_nonnull(
        vhost_user_map_pin(fixture->map, region.user_address + MAP_PAGE, 1, &second, NULL));
    g_assert_cmpint(vhost_user_map_remove(fixture->map, &region, &reason), ==, -EBUSY);
    g_assert_cmpstr(reason, ==, "a ring that runs lies in the region");

    /* A whole new table takes it away nevertheless, but not its memory. */
    g_assert_cmpint(vhost_user_map_replace(fixture->map, NULL, NULL, 0, &reason), ==, 0);
    g_assert_null(vhost_user_map_pin(fixture->map, region.user_address, 1, &second, NULL));
    g_assert_cmpuint(statistics_of(fixture).retired, ==, 1);
    vhost_user_map_unpin(fixture->map, first);
    g_assert_cmpuint(*(guint64 *)(void *)host, ==, 4);
    vhost_user_map_unpin(fixture->map, second);
    g_assert_cmpuint(statistics_of(fixture).retired, ==, 0);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 0);

    add(fixture, region);
    g_assert_nonnull(vhost_user_map_pin(fixture->map, region.user_address, 1, &first, NULL));
    vhost_user_map_unpin(fixture->map, first);
    remove_region(fixture, region);
}

/* What keeps its mapping in a new table, and what does not. */
static void test_replace_identity(Fixture *fixture, gconstpointer unused)
{
    const VhostUserMemoryRegion region = map_region(0x1000, 2 * MAP_PAGE, 4 * MAP_PAGE);
    VhostUserMemoryRegion changed[4] = {region, region, region, region};
    int same = dup(fixture->file), other = map_file_new_stamped(PAGES, 1000);
    const char *reason = NULL;
    guint64 contiguous, base;

    (void)unused;
    add(fixture, region);
    base = vhost_user_map_base(fixture->map, 0x1000);
    g_assert_cmpint(vhost_user_map_replace(fixture->map, &region, &same, 1, &reason), ==, 0);
    g_assert_cmphex(vhost_user_map_base(fixture->map, 0x1000), ==, base);
    g_assert_cmpuint(statistics_of(fixture).added, ==, 1);

    g_assert_cmpint(vhost_user_map_replace(fixture->map, &region, &other, 1, &reason), ==, 0);
    g_assert_cmpuint(*(guint64 *)(void *)look_up(fixture, 0x1000, 1, &contiguous), ==, 1004);
    changed[0].mmap_offset += MAP_PAGE;
    changed[1].size -= MAP_PAGE;
    changed[2].user_address += MAP_PAGE;
    changed[3].guest_address += 0x100000;
    for (guint i = 0; i < G_N_ELEMENTS(changed); i++) {
        g_assert_cmpint(vhost_user_map_replace(fixture->map, &changed[i], &same, 1, &reason), ==,
                        0);
        g_assert_cmpuint(statistics_of(fixture).added, ==, 3 + i);
        g_assert_cmpuint(statistics_of(fixture).regions, ==, 1);
        g_assert_cmpuint(statistics_of(fixture).bytes, ==, changed[i].size);
        g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 1);
    }
    g_assert_cmpuint(map_count_mappings(other, NULL), ==, 0);
    close(same);
    close(other);
}

/* Lookups are counted; those in the region of the one before, or of the one before that, are hits.
 */
static void test_hits(Fixture *fixture, gconstpointer unused)
{
    const guint64 addresses[] = {0x1000, 0x1008, 0x5000, 0x1010, 0x5010, 0x9000, 0x1000, 0x3000};
    const guint64 hits[] = {0, 1, 1, 2, 3, 3, 3, 3};
    guint64 contiguous;

    (void)unused;
    for (guint64 address = 0x1000; address < 0x10000; address += 0x4000) {
        add(fixture, map_region(address, MAP_PAGE, 0));
    }
    for (guint i = 0; i < G_N_ELEMENTS(addresses); i++) {
        look_up(fixture, addresses[i], 1, &contiguous);
        g_assert_cmpuint(vhost_user_reader_lookups(fixture->reader), ==, i + 1);
        g_assert_cmpuint(vhost_user_reader_hits(fixture->reader), ==, hits[i]);
    }
}

/*
 * Truncated files.
 */

static VhostUserMap *faulting_map;
static sigjmp_buf not_ours;

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    if (!vhost_user_map_recover_fault(faulting_map, info->si_addr)) {
        siglongjmp(not_ours, 1);
    }
}

/* Runs the rest of the test with our handler. */
static void catch_bus_errors(VhostUserMap *map)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};

    faulting_map = map;
    g_assert_cmpint(sigaction(SIGBUS, &action, NULL), ==, 0);
}

static void test_fault(Fixture *fixture, gconstpointer unused)
{
    const VhostUserMemoryRegion cut = map_region(0x100000, 4 * MAP_PAGE, 4 * MAP_PAGE);
    const VhostUserMemoryRegion removed = map_region(0x200000, 4 * MAP_PAGE, 8 * MAP_PAGE);
    int elsewhere = map_file_new(1);
    volatile guint8 *outside =
        mmap(NULL, MAP_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, elsewhere, 0);
    volatile guint8 *hosts[2];
    uint32_t tokens[2];

    (void)unused;
    add(fixture, cut);
    add(fixture, removed);
    hosts[0] = hold(fixture, 0x100000, &tokens[0]);
    hosts[1] = hold(fixture, 0x200000, &tokens[1]);
    remove_region(fixture, removed);
    g_assert_cmpint(ftruncate(fixture->file, 0), ==, 0);
    g_assert_cmpint(ftruncate(elsewhere, 0), ==, 0);
    catch_bus_errors(fixture->map);
    g_assert_false(vhost_user_map_faulted(fixture->map));
    g_assert_false(woken(fixture));
    for (guint i = 0; i < 2; i++) {
        g_assert_cmpuint(hosts[i][MAP_PAGE], ==, 0);
        hosts[i][4 * MAP_PAGE - 1] = 7;
        g_assert_cmpuint(hosts[i][4 * MAP_PAGE - 1], ==, 7);
        g_assert_true(woken(fixture));
        g_assert_true(vhost_user_map_faulted(fixture->map));
    }
    if (sigsetjmp(not_ours, 1) == 0) {
        outside[0] = 1;
        g_assert_not_reached();
    }
    signal(SIGBUS, SIG_DFL);
    munmap((void *)outside, MAP_PAGE);
    close(elsewhere);
    vhost_user_reader_release(fixture->reader, tokens[0]);
    vhost_user_reader_release(fixture->reader, tokens[1]);
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 0);
    remove_region(fixture, cut);
}

/* An address that was ours once is nobody's: the program's handler must not go on. */
static void test_fault_of_unmapped(Fixture *fixture, gconstpointer unused)
{
    const VhostUserMemoryRegion region = map_region(0x1000, MAP_PAGE, 0);
    guint64 contiguous;
    guint8 *host;

    (void)unused;
    add(fixture, region);
    host = look_up(fixture, 0x1000, 1, &contiguous);
    remove_region(fixture, region);
    g_assert_false(vhost_user_map_recover_fault(fixture->map, host));
    g_assert_false(vhost_user_map_recover_fault(fixture->map, NULL));
    g_assert_false(vhost_user_map_faulted(fixture->map));
    g_assert_false(woken(fixture));
}

#define TEST(name, slots, function)                                                                \
    g_test_add("/libvhost-user/map/" name, Fixture, GUINT_TO_POINTER(slots), set_up, function,     \
               tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("random", 0, test_random);
    TEST("many", 32768, test_many);
    TEST("refusals", 0, test_refusals);
    TEST("refused-removes", 0, test_refused_removes);
    TEST("unaligned", 0, test_unaligned);
    TEST("slots", 2, test_slots);
    TEST("retired-limit", 40, test_retired_limit);
    TEST("token", 0, test_token);
    TEST("enter", 0, test_enter);
    TEST("many-tokens", 0, test_many_tokens);
    TEST("reader-freed", 0, test_reader_freed);
    TEST("pin", 0, test_pin);
    TEST("replace-identity", 0, test_replace_identity);
    TEST("hits", 0, test_hits);
    TEST("fault", 0, test_fault);
    TEST("fault-of-unmapped", 0, test_fault_of_unmapped);
    return g_test_run();
}
