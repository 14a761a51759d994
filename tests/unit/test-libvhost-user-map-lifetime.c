/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long the map of guest memory keeps a region mapped: for readers, requests in flight and
 * rings; when its file was cut; and in post-copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
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
    g_assert_cmpuint(map_count_pages(fixture->file), ==, 2 * limit);
    vhost_user_reader_release(fixture->reader, token);
    g_assert_true(map_woken(fixture));
    map_add(fixture, region);
    g_assert_cmpuint(map_statistics(fixture).retired, ==, 0);
    g_assert_cmpuint(map_count_pages(fixture->file), ==, 1);
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
    g_assert_cmpuint(map_count_pages(fixture->file), ==, 2);
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
    g_assert_cmpuint(map_count_pages(fixture->file), ==, 1);
    vhost_user_reader_release(fixture->reader, tokens[2]);
    g_assert_true(map_woken(fixture));
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 0);
    g_assert_cmpuint(map_count_pages(fixture->file), ==, 0);
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
    g_assert_cmpuint(map_count_pages(fixture->file), ==, 1);
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 1);
    vhost_user_reader_leave(fixture->reader);
    g_assert_true(map_woken(fixture));
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 0);
    g_assert_cmpuint(map_count_pages(fixture->file), ==, 0);
    g_assert_null(map_look_up(fixture, 0x1000, 1, &contiguous));
}

/* A refresh brings the newest table and gives up the old one, but not what is held. */
static void test_refresh(MapFixture *fixture, gconstpointer unused)
{
    VhostUserMemoryRegion region = map_region(0x1000, MAP_PAGE, 5 * MAP_PAGE);
    guint64 contiguous;
    uint32_t token;
    guint8 *held;

    (void)unused;
    vhost_user_reader_enter(fixture->reader);
    map_add(fixture, region);
    g_assert_null(vhost_user_reader_translate(fixture->reader, 0x1000, 1, &contiguous));
    vhost_user_reader_refresh(fixture->reader);
    held = vhost_user_reader_translate(fixture->reader, 0x1000, 1, &contiguous);
    g_assert_cmpuint(*(guint64 *)(void *)held, ==, 5);
    token = vhost_user_reader_hold(fixture->reader);

    /* Another one takes its place. */
    map_remove(fixture, region);
    region.mmap_offset = 7 * MAP_PAGE;
    map_add(fixture, region);
    vhost_user_reader_refresh(fixture->reader);
    g_assert_cmpuint(
        *(guint64 *)vhost_user_reader_translate(fixture->reader, 0x1000, 1, &contiguous), ==, 7);
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 1);
    g_assert_cmpuint(*(guint64 *)(void *)held, ==, 5);
    g_assert_false(map_woken(fixture));
    vhost_user_reader_release(fixture->reader, token);
    vhost_user_reader_leave(fixture->reader);
    g_assert_true(map_woken(fixture));
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 0);

    /* Without a token the refresh itself gives up what waits. */
    vhost_user_reader_enter(fixture->reader);
    map_remove(fixture, region);
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 1);
    vhost_user_reader_refresh(fixture->reader);
    g_assert_true(map_woken(fixture));
    g_assert_cmpuint(vhost_user_map_reclaim(fixture->map), ==, 0);
    vhost_user_reader_leave(fixture->reader);
    g_assert_false(map_woken(fixture));
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
    g_assert_cmpuint(map_count_pages(fixture->file), ==, COUNT);
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
    g_assert_cmpuint(map_count_pages(fixture->file), ==, 0);
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
    g_assert_cmpuint(map_count_pages(fixture->file), ==, 1);
    vhost_user_reader_free(reader);
    g_assert_cmpuint(map_count_pages(fixture->file), ==, 0);
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
    g_assert_cmpuint(map_count_pages(fixture->file), ==, 0);

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
    for (guint i = 0; i < 2; i++) {
        g_assert_cmpuint(hosts[i][MAP_PAGE], ==, 0);
        hosts[i][4 * MAP_PAGE - 1] = 7;
        g_assert_cmpuint(hosts[i][4 * MAP_PAGE - 1], ==, 7);
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
}

/*
 * Post-copy.
 */

/* -1 if the kernel gives us none. */
static int open_userfaultfd(void)
{
    struct uffdio_api api = {.api = UFFD_API};
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

    if (fd >= 0) {
        g_assert_cmpint(ioctl(fd, UFFDIO_API, &api), ==, 0);
    }
    return fd;
}

static gpointer read_first_byte(gpointer page)
{
    return GUINT_TO_POINTER(*(volatile guint8 *)page);
}

/* A thread that reads the missing page waits until we, as the front-end, have put it there. */
static void check_missing(int userfaultfd, guint64 page, guint8 byte)
{
    struct pollfd poll_fd = {.fd = userfaultfd, .events = POLLIN};
    GThread *thread = g_thread_new("fault", read_first_byte, GSIZE_TO_POINTER(page));
    guint8 contents[MAP_PAGE] = {byte};
    struct uffdio_copy copy = {.dst = page, .src = (gsize)contents, .len = MAP_PAGE};
    struct uffd_msg message;

    g_assert_cmpint(poll(&poll_fd, 1, 10000), ==, 1);
    g_assert_cmpint(read(userfaultfd, &message, sizeof(message)), ==, sizeof(message));
    g_assert_cmpint(message.event, ==, UFFD_EVENT_PAGEFAULT);
    g_assert_cmphex(message.arg.pagefault.address & ~(guint64)(MAP_PAGE - 1), ==, page);
    g_assert_cmpint(ioctl(userfaultfd, UFFDIO_COPY, &copy), ==, 0);
    g_assert_cmpuint(GPOINTER_TO_UINT(g_thread_join(thread)), ==, byte);
}

static void test_postcopy(MapFixture *fixture, gconstpointer unused)
{
    const VhostUserMemoryRegion before = map_region(0x1000, 2 * MAP_PAGE, 0);
    const VhostUserMemoryRegion added = map_region(0x5000, 2 * MAP_PAGE, 2 * MAP_PAGE);
    VhostUserMemoryRegion both[2] = {before, added};
    int empty = map_file_new(4), userfaultfd = open_userfaultfd();
    const char *reason = NULL;
    uint32_t token;

    (void)unused;
    if (userfaultfd < 0) {
        g_test_skip("the kernel gives us no userfaultfd");
        close(empty);
        return;
    }
    g_assert_cmpint(vhost_user_map_add(fixture->map, &before, empty, &reason), ==, 0);
    g_assert_cmpint(vhost_user_map_set_userfaultfd(fixture->map, userfaultfd), ==, 0);
    g_assert_cmpint(vhost_user_map_add(fixture->map, &added, empty, &reason), ==, 0);
    check_missing(userfaultfd, vhost_user_map_base(fixture->map, 0x5000), 42);

    /* The whole table: what is kept is registered as well, and only once. */
    g_assert_cmpint(
        vhost_user_map_replace(fixture->map, both, (const int[]){empty, empty}, 2, &reason), ==, 0);
    check_missing(userfaultfd, vhost_user_map_base(fixture->map, 0x1000), 43);

    /* At the end also what a request in flight keeps: nobody would fill its pages any more. */
    g_assert_nonnull(hold(fixture, 0x5000, &token));
    both[0].user_address = vhost_user_map_base(fixture->map, 0x1000);
    both[1].user_address = vhost_user_map_base(fixture->map, 0x5000);
    map_remove(fixture, added);
    g_assert_cmpint(vhost_user_map_set_userfaultfd(fixture->map, -1), ==, 0);
    for (guint i = 0; i < 2; i++) {
        g_assert_cmpuint(*(guint8 *)GSIZE_TO_POINTER(both[i].user_address + MAP_PAGE), ==, 0);
    }
    vhost_user_reader_release(fixture->reader, token);
    g_assert_cmpint(vhost_user_map_add(fixture->map, &added, empty, &reason), ==, 0);
    g_assert_cmpuint(*map_look_up(fixture, 0x5000, 1, &(guint64){0}), ==, 42);

    /* A userfaultfd that is none refuses the region. */
    map_remove(fixture, added);
    g_assert_cmpint(vhost_user_map_set_userfaultfd(fixture->map, fixture->wake_fd), ==, 0);
    g_assert_cmpint(vhost_user_map_add(fixture->map, &added, empty, &reason), ==, -ENOTTY);
    g_assert_cmpstr(reason, ==, "the region cannot be registered at the userfaultfd");
    g_assert_cmpuint(map_count_pages(empty), ==, before.size / MAP_PAGE);
    close(userfaultfd);
    close(empty);
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
    TEST("refresh", 0, test_refresh);
    TEST("many-tokens", 0, test_many_tokens);
    TEST("reader-freed", 0, test_reader_freed);
    TEST("pin", 0, test_pin);
    TEST("fault", 0, test_fault);
    TEST("fault-of-unmapped", 0, test_fault_of_unmapped);
    TEST("postcopy", 0, test_postcopy);
    return g_test_run();
}
