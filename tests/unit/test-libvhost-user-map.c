/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The map of guest memory against a naive model over random changes, and each refusal with its
 * reason.  One thread; test-libvhost-user-churn.c has the others.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "map-fixture.h"

/*
 * The model: for each page of an arena of guest memory, the region that it is in.
 */

#define ARENA 0x40000000ull

typedef struct Model {
    gint owner[MAP_FILE_PAGES]; /* -1: none */
    VhostUserMemoryRegion regions[MAP_FILE_PAGES];
} Model;

static void model_clear(Model *model)
{
    for (guint page = 0; page < MAP_FILE_PAGES; page++) {
        model->owner[page] = -1;
    }
}

static gboolean model_is_free(const Model *model, guint first, guint pages)
{
    for (guint page = first; page < first + pages; page++) {
        if (page >= MAP_FILE_PAGES || model->owner[page] != -1) {
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
    for (guint page = 0; page < MAP_FILE_PAGES; page++) {
        if (model->owner[page] == (gint)first) {
            model->owner[page] = -1;
        }
    }
}

/* A region at this page with random length and place in the file, not checked against others. */
static VhostUserMemoryRegion random_region(guint first)
{
    guint pages = (guint)g_test_rand_int_range(1, 5);

    pages = MIN(pages, MAP_FILE_PAGES - first);
    return map_region(ARENA + (guint64)first * MAP_PAGE, (guint64)pages * MAP_PAGE,
                      (guint64)g_test_rand_int_range(0, (gint)(MAP_FILE_PAGES - pages + 1)) *
                          MAP_PAGE);
}

/* One address, any, with any size: what the reader says and what the model says. */
static void check_address(MapFixture *fixture, const Model *model, guint64 address, guint64 size)
{
    guint64 page = address / MAP_PAGE - ARENA / MAP_PAGE;
    gint owner = address >= ARENA && page < MAP_FILE_PAGES ? model->owner[page] : -1;
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
static void check_random(MapFixture *fixture, const Model *model, guint count)
{
    vhost_user_reader_enter(fixture->reader);
    for (guint i = 0; i < count; i++) {
        guint64 page = (guint64)g_test_rand_int_range(-3, MAP_FILE_PAGES + 3);
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
static void check_pin(MapFixture *fixture, const Model *model, guint page)
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
    g_assert_true(host == map_look_up(fixture, guest, 1, &contiguous));
    g_assert_cmpuint(found, ==, guest);
    vhost_user_map_unpin(fixture->map, pinned);
    g_assert_null(vhost_user_map_pin(fixture->map, user, rest + 1, &pinned, NULL));
    g_assert_null(vhost_user_map_pin(fixture->map, user, UINT64_MAX, &pinned, NULL));
    g_assert_null(vhost_user_map_pin(fixture->map, user, 0, &pinned, NULL));
    g_assert_cmphex(vhost_user_map_base(fixture->map, guest), ==,
                    guest == region->guest_address ? (guint64)(gsize)host : 0);
}

static void random_change(MapFixture *fixture, Model *model)
{
    guint first = (guint)g_test_rand_int_range(0, MAP_FILE_PAGES);
    VhostUserMemoryRegion region = random_region(first);
    gboolean fits = model_is_free(model, first, (guint)(region.size / MAP_PAGE));
    const char *reason = NULL;
    int result;

    if (model->owner[first] == (gint)first && g_test_rand_bit()) {
        region = model->regions[first];
        region.mmap_offset = 0; /* not looked at */
        map_remove(fixture, region);
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
static void random_replace(MapFixture *fixture, Model *model)
{
    g_autofree VhostUserMemoryRegion *regions = g_new(VhostUserMemoryRegion, MAP_FILE_PAGES);
    g_autofree int *fds = g_new(int, MAP_FILE_PAGES);
    Model new;
    const char *reason = NULL;
    guint count = 0;

    model_clear(&new);
    for (guint page = 0; page < MAP_FILE_PAGES; page++) {
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
    g_assert_cmpuint(map_statistics(fixture).regions, ==, count);
    *model = new;
}

static void test_random(MapFixture *fixture, gconstpointer unused)
{
    g_autofree Model *model = g_new(Model, 1);

    (void)unused;
    model_clear(model);
    for (guint i = 0; i < 20000; i++) {
        random_change(fixture, model);
        check_pin(fixture, model, (guint)g_test_rand_int_range(0, MAP_FILE_PAGES));
        check_random(fixture, model, 3);
        if (i % 1000 == 999) {
            random_replace(fixture, model);
            check_random(fixture, model, 1000);
        }
    }
    for (guint page = 0; page < MAP_FILE_PAGES; page++) {
        if (model->owner[page] == (gint)page) {
            map_remove(fixture, model->regions[page]);
            model_remove(model, page);
        }
    }
    check_random(fixture, model, 1000);
    g_assert_cmpuint(map_statistics(fixture).regions, ==, 0);
    g_assert_cmpuint(map_statistics(fixture).bytes, ==, 0);
    g_assert_cmpuint(map_statistics(fixture).retired, ==, 0);
    g_assert_cmpuint(map_count_pages(fixture->file), ==, 0);
}

/* As many as a device may have, added in one order and removed in another. */
static void test_many(MapFixture *fixture, gconstpointer slots)
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
            map_add(fixture, map_region(order[i] * 2ull * MAP_PAGE, MAP_PAGE,
                                        order[i] % MAP_FILE_PAGES * (guint64)MAP_PAGE));
        }
        g_assert_cmpuint(map_statistics(fixture).regions, ==, count);
        region = map_region(count * 2ull * MAP_PAGE, MAP_PAGE, 0);
        g_assert_cmpint(vhost_user_map_add(fixture->map, &region, fixture->file, &reason), ==,
                        -ENOSPC);
        g_assert_cmpstr(reason, ==, "no memory slot is free");
        for (guint i = 0; i < count; i++) {
            guint8 *host = map_look_up(fixture, i * 2ull * MAP_PAGE, 2 * MAP_PAGE, &contiguous);

            g_assert_nonnull(host);
            g_assert_cmpuint(contiguous, ==, MAP_PAGE);
            g_assert_cmpuint(*(guint64 *)(void *)host, ==, i % MAP_FILE_PAGES);
            g_assert_null(map_look_up(fixture, (i * 2ull + 1) * MAP_PAGE, 1, &contiguous));
        }
        for (guint i = 0; i + 1 < count; i++) {
            guint other = (guint)g_test_rand_int_range((gint)i, (gint)count);
            guint swapped = order[i];

            order[i] = order[other];
            order[other] = swapped;
        }
        for (guint i = 0; i < count; i++) {
            map_remove(fixture, map_region(order[i] * 2ull * MAP_PAGE, MAP_PAGE, 0));
        }
        g_assert_cmpuint(map_statistics(fixture).regions, ==, 0);
    }
    g_assert_cmpuint(map_statistics(fixture).regions_peak, ==, count);
    g_assert_cmpuint(map_statistics(fixture).added, ==, 2 * count);
    g_assert_cmpuint(map_statistics(fixture).removed, ==, 2 * count);
}

/*
 * Refusals: nothing changes, nothing stays open or mapped.
 */

static void refuse(MapFixture *fixture, VhostUserMemoryRegion region, int fd, int error,
                   const char *expected)
{
    VhostUserMapStatistics before = map_statistics(fixture);
    VhostUserMapStatistics after;
    guint descriptors = map_count_descriptors();
    guint pages = map_count_pages(fixture->file);
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
    after = map_statistics(fixture);
    g_assert_cmpmem(&before, sizeof(before), &after, sizeof(after));
    g_assert_cmpuint(map_count_descriptors(), ==, descriptors);
    g_assert_cmpuint(map_count_pages(fixture->file), ==, pages);
}

static void test_refusals(MapFixture *fixture, gconstpointer unused)
{
    VhostUserMemoryRegion region = map_region(0x10000, 4 * MAP_PAGE, 2 * MAP_PAGE);
    VhostUserMemoryRegion other = map_region(0x40000, MAP_PAGE, 0);
    int read_only, sealed = memfd_create("sealed", MFD_ALLOW_SEALING);
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fixture->file);

    (void)unused;
    map_add(fixture, region);
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

    other = map_region(0x40000, MAP_PAGE, (guint64)MAP_FILE_PAGES * MAP_PAGE);
    refuse(fixture, other, fixture->file, -EINVAL, "the file is shorter than offset plus size");
    other = map_region(0x40000, 2, (guint64)MAP_FILE_PAGES * MAP_PAGE - 1);
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

static void test_refused_removes(MapFixture *fixture, gconstpointer unused)
{
    const VhostUserMemoryRegion region = map_region(0x10000, 4 * MAP_PAGE, 2 * MAP_PAGE);
    VhostUserMemoryRegion wrong[4] = {region, region, region, region};
    const char *reason;

    (void)unused;
    map_add(fixture, region);
    wrong[0].guest_address += MAP_PAGE;
    wrong[1].size -= MAP_PAGE;
    wrong[2].user_address += MAP_PAGE;
    wrong[3].guest_address = 0;
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        reason = NULL;
        g_assert_cmpint(vhost_user_map_remove(fixture->map, &wrong[i], &reason), ==, -ENOENT);
        g_assert_cmpstr(reason, ==, "there is no region with these addresses and this size");
    }
    map_remove(fixture, region);
    g_assert_cmpint(vhost_user_map_remove(fixture->map, &region, &reason), ==, -ENOENT);
}

/* Offsets and sizes that are no whole pages; a neighbour begins in the same page of guest memory.
 */
static void test_unaligned(MapFixture *fixture, gconstpointer unused)
{
    const guint64 start = 3 * MAP_PAGE - 24;
    guint64 contiguous, stamp;
    guint8 *host;

    (void)unused;
    map_add(fixture, map_region(0x1001, 100, start));
    map_add(fixture, map_region(0x1001 + 100, 1, 0));
    host = map_look_up(fixture, 0x1001, 4096, &contiguous);
    g_assert_nonnull(host);
    g_assert_cmpuint(contiguous, ==, 100);
    memcpy(&stamp, host + 24, sizeof(stamp));
    g_assert_cmpuint(stamp, ==, 3);
    host = map_look_up(fixture, 0x1001 + 100, 2, &contiguous);
    g_assert_nonnull(host);
    g_assert_cmpuint(contiguous, ==, 1);
    g_assert_null(map_look_up(fixture, 0x1000, 1, &contiguous));
    g_assert_null(map_look_up(fixture, 0x1001 + 101, 1, &contiguous));
}

/* Slots: their number is a limit, also for a whole table. */
static void test_slots(MapFixture *fixture, gconstpointer slots)
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
    map_remove(fixture, regions[0]);
    map_add(fixture, regions[2]);
    g_assert_cmpint(vhost_user_map_replace(fixture->map, NULL, NULL, 0, &reason), ==, 0);
    g_assert_cmpuint(map_statistics(fixture).regions, ==, 0);
}

/* What keeps its mapping in a new table, and what does not. */
static void test_replace_identity(MapFixture *fixture, gconstpointer unused)
{
    const VhostUserMemoryRegion region = map_region(0x1000, 2 * MAP_PAGE, 4 * MAP_PAGE);
    VhostUserMemoryRegion changed[4] = {region, region, region, region};
    int same = dup(fixture->file), other = map_file_new_stamped(MAP_FILE_PAGES, 1000);
    const char *reason = NULL;
    guint64 contiguous, base;

    (void)unused;
    map_add(fixture, region);
    base = vhost_user_map_base(fixture->map, 0x1000);
    g_assert_cmpint(vhost_user_map_replace(fixture->map, &region, &same, 1, &reason), ==, 0);
    g_assert_cmphex(vhost_user_map_base(fixture->map, 0x1000), ==, base);
    g_assert_cmpuint(map_statistics(fixture).added, ==, 1);

    g_assert_cmpint(vhost_user_map_replace(fixture->map, &region, &other, 1, &reason), ==, 0);
    g_assert_cmpuint(*(guint64 *)(void *)map_look_up(fixture, 0x1000, 1, &contiguous), ==, 1004);
    changed[0].mmap_offset += MAP_PAGE;
    changed[1].size -= MAP_PAGE;
    changed[2].user_address += MAP_PAGE;
    changed[3].guest_address += 0x100000;
    for (guint i = 0; i < G_N_ELEMENTS(changed); i++) {
        g_assert_cmpint(vhost_user_map_replace(fixture->map, &changed[i], &same, 1, &reason), ==,
                        0);
        g_assert_cmpuint(map_statistics(fixture).added, ==, 3 + i);
        g_assert_cmpuint(map_statistics(fixture).regions, ==, 1);
        g_assert_cmpuint(map_statistics(fixture).bytes, ==, changed[i].size);
        g_assert_cmpuint(map_count_pages(fixture->file), ==, changed[i].size / MAP_PAGE);
    }
    g_assert_cmpuint(map_count_pages(other), ==, 0);
    close(same);
    close(other);
}

/* Lookups are counted; those in the region of the one before, or of the one before that, are hits.
 */
static void test_hits(MapFixture *fixture, gconstpointer unused)
{
    const guint64 addresses[] = {0x1000, 0x1008, 0x5000, 0x1010, 0x5010, 0x9000, 0x1000, 0x3000};
    const guint64 hits[] = {0, 1, 1, 2, 3, 3, 3, 3};
    guint64 contiguous;

    (void)unused;
    for (guint64 address = 0x1000; address < 0x10000; address += 0x4000) {
        map_add(fixture, map_region(address, MAP_PAGE, 0));
    }
    for (guint i = 0; i < G_N_ELEMENTS(addresses); i++) {
        map_look_up(fixture, addresses[i], 1, &contiguous);
        g_assert_cmpuint(vhost_user_reader_lookups(fixture->reader), ==, i + 1);
        g_assert_cmpuint(vhost_user_reader_hits(fixture->reader), ==, hits[i]);
    }
}

#define TEST(name, slots, function)                                                                \
    g_test_add("/libvhost-user/map/" name, MapFixture, GUINT_TO_POINTER(slots), map_set_up,        \
               function, map_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("random", 0, test_random);
    TEST("many", 32768, test_many);
    TEST("refusals", 0, test_refusals);
    TEST("refused-removes", 0, test_refused_removes);
    TEST("unaligned", 0, test_unaligned);
    TEST("slots", 2, test_slots);
    TEST("replace-identity", 0, test_replace_identity);
    TEST("hits", 0, test_hits);
    return g_test_run();
}
