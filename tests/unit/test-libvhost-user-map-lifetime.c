/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long the map of guest memory keeps a region mapped: for readers, requests in flight and
 * rings; when its file was cut; and in post-copy.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "map-fixture.h"

static guint8 *hold(MapFixture *fixture, guint64 address, uint32_t *token)
{
    guint64 contiguous;
    guint8 *host;

    vhost_user_reader_enter(fixture->reader);
    host = vhost_user_reader_translate(fixture->reader, address, MAP_PAGE, &contiguous);
    *token = vhost_user_reader_hold(fixture->reader);
    vhost_user_reader_leave(fixture->reader);
    return host;
}

/* While a request hangs, what was removed stays mapped, but not without limit. */
static void test_retired_limit(MapFixture *fixture, gconstpointer slots)
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
        map_remove(fixture, region);
        rounds++;
        g_assert_cmpuint(rounds, <=, 2 * limit);
    }
    g_assert_cmpstr(reason, ==, "no memory slot is free");
    g_assert_cmpuint(rounds, ==, 2 * limit);
    g_assert_cmpuint(map_statistics(fixture).retired, ==, 2 * limit);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 2 * limit);
    vhost_user_reader_release(fixture->reader, token);
    g_assert_true(map_woken(fixture));
    map_add(fixture, region);
    g_assert_cmpuint(map_statistics(fixture).retired, ==, 0);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 1);
}

static void test_token(MapFixture *fixture, gconstpointer unused)
{
    const VhostUserMemoryRegion regions[] = {map_region(0x1000, MAP_PAGE, 0),
                                             map_region(0x5000, MAP_PAGE, 3 * MAP_PAGE)};
    uint32_t tokens[3];
    guint8 *hosts[3];

    (void)unused;
    map_add(fixture, regions[0]);
    map_add(fixture, regions[1]);
    hosts[0] = hold(fixture, 0x1000, &tokens[0]);
    hosts[1] = hold(fixture, 0x5000, &tokens[1]);
    map_remove(fixture, regions[0]);
    g_assert_null(hold(fixture, 0x1000, &tokens[2]));
    map_remove(fixture, regions[1]);
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 2);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 2);
    g_assert_cmpuint(*(guint64 *)(void *)hosts[0], ==, 0);
    g_assert_cmpuint(*(guint64 *)(void *)hosts[1], ==, 3);

    /* In another order than they were taken.  Nobody is woken for nothing. */
    vhost_user_reader_release(fixture->reader, tokens[0]);
    g_assert_false(map_woken(fixture));
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 2);
    vhost_user_reader_release(fixture->reader, tokens[1]);
    g_assert_true(map_woken(fixture));
    /* The third was taken when only the second region was there. */
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 1);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 1);
    vhost_user_reader_release(fixture->reader, tokens[2]);
    g_assert_true(map_woken(fixture));
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 0);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 0);
    hold(fixture, 0x1000, &tokens[0]);
    vhost_user_reader_release(fixture->reader, tokens[0]);
    g_assert_false(map_woken(fixture));
}

/* Between enter and leave the table is the one of the enter. */
static void test_enter(MapFixture *fixture, gconstpointer unused)
{
    const VhostUserMemoryRegion region = map_region(0x1000, MAP_PAGE, 5 * MAP_PAGE);
    guint64 contiguous;
    guint8 *host;

    (void)unused;
    vhost_user_reader_enter(fixture->reader);
    map_add(fixture, region);
    g_assert_null(vhost_user_reader_translate(fixture->reader, 0x1000, 1, &contiguous));
    vhost_user_reader_leave(fixture->reader);
    g_assert_false(map_woken(fixture));

    vhost_user_reader_enter(fixture->reader);
    map_remove(fixture, region);
    host = vhost_user_reader_translate(fixture->reader, 0x1000, 1, &contiguous);
    g_assert_nonnull(host);
    g_assert_cmpuint(*(guint64 *)(void *)host, ==, 5);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 1);
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 1);
    vhost_user_reader_leave(fixture->reader);
    g_assert_true(map_woken(fixture));
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 0);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 0);
    g_assert_null(map_look_up(fixture, 0x1000, 1, &contiguous));
}

/* Tokens of more generations than a reader tells apart, released in random order: the memory of
 * each is there for as long as it is held. */
static void test_many_tokens(MapFixture *fixture, gconstpointer unused)
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

        map_add(fixture, region);
        vhost_user_reader_enter(reader);
        hosts[i] = vhost_user_reader_translate(reader, 0x1000, 1, &contiguous);
        tokens[i] = vhost_user_reader_hold(reader);
        vhost_user_reader_leave(reader);
        map_remove(fixture, region);
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
static void test_reader_freed(MapFixture *fixture, gconstpointer unused)
{
    const VhostUserMemoryRegion region = map_region(0x1000, MAP_PAGE, 0);
    VhostUserReader *reader = vhost_user_reader_new(fixture->map, 0);

    (void)unused;
    map_add(fixture, region);
    vhost_user_reader_enter(reader);
    vhost_user_reader_hold(reader);
    vhost_user_reader_leave(reader);
    map_remove(fixture, region);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 1);
    vhost_user_reader_free(reader);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 0);
}

static void test_pin(MapFixture *fixture, gconstpointer unused)
{
    const VhostUserMemoryRegion region = map_region(0x1000, 2 * MAP_PAGE, 4 * MAP_PAGE);
    VhostUserRegion *first = NULL, *second = NULL;
    const char *reason = NULL;
    guint8 *host;

    (void)unused;
    map_add(fixture, region);
    host = vhost_user_map_pin(fixture->map, region.user_address, MAP_PAGE, &first, NULL);
    g_assert_nonnull(host);
    g_assert_nonnull(
        vhost_user_map_pin(fixture->map, region.user_address + MAP_PAGE, 1, &second, NULL));
    g_assert_cmpint(vhost_user_map_remove(fixture->map, &region, &reason), ==, -EBUSY);
    g_assert_cmpstr(reason, ==, "a ring that runs lies in the region");

    /* A whole new table takes it away nevertheless, but not its memory. */
    g_assert_cmpint(vhost_user_map_replace(fixture->map, NULL, NULL, 0, &reason), ==, 0);
    g_assert_null(vhost_user_map_pin(fixture->map, region.user_address, 1, &second, NULL));
    g_assert_cmpuint(map_statistics(fixture).retired, ==, 1);
    vhost_user_map_unpin(fixture->map, first);
    g_assert_cmpuint(*(guint64 *)(void *)host, ==, 4);
    vhost_user_map_unpin(fixture->map, second);
    g_assert_cmpuint(map_statistics(fixture).retired, ==, 0);
    g_assert_cmpuint(map_count_mappings(fixture->file, NULL), ==, 0);

    map_add(fixture, region);
    g_assert_nonnull(vhost_user_map_pin(fixture->map, region.user_address, 1, &first, NULL));
    vhost_user_map_unpin(fixture->map, first);
    map_remove(fixture, region);
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

static void test_fault(MapFixture *fixture, gconstpointer unused)
{
    const VhostUserMemoryRegion cut = map_region(0x100000, 4 * MAP_PAGE, 4 * MAP_PAGE);
    const VhostUserMemoryRegion removed = map_region(0x200000, 4 * MAP_PAGE, 8 * MAP_PAGE);
    int elsewhere = map_file_new(1);
    volatile guint8 *outside =
        mmap(NULL, MAP_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, elsewhere, 0);
    volatile guint8 *hosts[2];
    uint32_t tokens[2];

    (void)unused;
    map_add(fixture, cut);
    map_add(fixture, removed);
    hosts[0] = hold(fixture, 0x100000, &tokens[0]);
    hosts[1] = hold(fixture, 0x200000, &tokens[1]);
    map_remove(fixture, removed);
    g_assert_cmpint(ftruncate(fixture->file, 0), ==, 0);
    g_assert_cmpint(ftruncate(elsewhere, 0), ==, 0);
    catch_bus_errors(fixture->map);
    g_assert_false(vhost_user_map_faulted(fixture->map));
    g_assert_false(map_woken(fixture));
    for (guint i = 0; i < 2; i++) {
        g_assert_cmpuint(hosts[i][MAP_PAGE], ==, 0);
        hosts[i][4 * MAP_PAGE - 1] = 7;
        g_assert_cmpuint(hosts[i][4 * MAP_PAGE - 1], ==, 7);
        g_assert_true(map_woken(fixture));
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
    map_remove(fixture, cut);
}

/* An address that was ours once is nobody's: the program's handler must not go on. */
static void test_fault_of_unmapped(MapFixture *fixture, gconstpointer unused)
{
    const VhostUserMemoryRegion region = map_region(0x1000, MAP_PAGE, 0);
    guint64 contiguous;
    guint8 *host;

    (void)unused;
    map_add(fixture, region);
    host = map_look_up(fixture, 0x1000, 1, &contiguous);
    map_remove(fixture, region);
    g_assert_false(vhost_user_map_recover_fault(fixture->map, host));
    g_assert_false(vhost_user_map_recover_fault(fixture->map, NULL));
    g_assert_false(vhost_user_map_faulted(fixture->map));
    g_assert_false(map_woken(fixture));
}

#define TEST(name, slots, function)                                                                \
    g_test_add("/libvhost-user/map-lifetime/" name, MapFixture, GUINT_TO_POINTER(slots),           \
               map_set_up, function, map_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("retired-limit", 40, test_retired_limit);
    TEST("token", 0, test_token);
    TEST("enter", 0, test_enter);
    TEST("many-tokens", 0, test_many_tokens);
    TEST("reader-freed", 0, test_reader_freed);
    TEST("pin", 0, test_pin);
    TEST("fault", 0, test_fault);
    TEST("fault-of-unmapped", 0, test_fault_of_unmapped);
    return g_test_run();
}
