/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queues that translate addresses and hold memory while regions come and go by the thousand: what
 * is surely there is found, what is surely gone is not, and memory that is held keeps its contents.
 * Made for ThreadSanitizer.
 */
#include "memory-map.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "map-fixture.h"

#define REGIONS 4096u /* of one page each, side by side */
#define READERS 3u
#define TOKENS 32u

/* Of a region's page: its own number, then a word for each reader. */
#define WORD_OF(reader) (64 * ((reader) + 1))

typedef enum State { ABSENT, COMING, PRESENT, GOING } State;

typedef struct Churn {
    VhostUserMap *map;
    int wake_fd;
    int file;
    atomic_bool stop;
    /* Counts through the states, so that whoever sees the same number twice knows that nothing
     * happened in between. */
    _Atomic guint states[REGIONS];
} Churn;

typedef struct Held {
    guint32 token;
    guint region;
    guint8 *page;
} Held;

typedef struct Reader {
    Churn *churn;
    VhostUserReader *reader;
    GThread *thread;
    GRand *random;
    guint index;
    guint64 last[REGIONS]; /* what we wrote into each region */
    Held held[TOKENS];
    guint held_count;
    _Atomic guint64 found;
} Reader;

static guint64 *word(guint8 *page, gsize offset)
{
    return (guint64 *)(void *)(page + offset);
}

static void check_page(const Reader *reader, guint region, guint8 *page)
{
    g_assert_cmpuint(*word(page, 0), ==, region);
    g_assert_cmpuint(*word(page, WORD_OF(reader->index)), ==, reader->last[region]);
}

/* One lookup; its memory may be held on. */
static void look_up(Reader *reader, guint region, guint before)
{
    guint64 contiguous = 0;
    guint8 *page = vhost_user_reader_translate(reader->reader, (guint64)region * MAP_PAGE,
                                               3 * MAP_PAGE, &contiguous);
    guint after = atomic_load(&reader->churn->states[region]);

    if (before == after && before % 4 == PRESENT) {
        g_assert_nonnull(page);
    } else if (before == after && before % 4 == ABSENT) {
        g_assert_null(page);
    }
    if (!page) {
        return;
    }
    atomic_fetch_add(&reader->found, 1);
    g_assert_cmpuint(contiguous, ==, MAP_PAGE);
    check_page(reader, region, page);
    *word(page, WORD_OF(reader->index)) = ++reader->last[region];
    if (reader->held_count < TOKENS) {
        reader->held[reader->held_count++] =
            (Held){vhost_user_reader_hold(reader->reader), region, page};
    }
}

static void release_one(Reader *reader)
{
    guint which = (guint)g_rand_int_range(reader->random, 0, (gint)reader->held_count);
    Held *held = &reader->held[which];

    check_page(reader, held->region, held->page);
    vhost_user_reader_release(reader->reader, held->token);
    *held = reader->held[--reader->held_count];
}

static gpointer reader_run(gpointer opaque)
{
    Reader *reader = opaque;

    while (!atomic_load(&reader->churn->stop)) {
        guint regions[8], before[8];

        for (guint i = 0; i < G_N_ELEMENTS(regions); i++) {
            regions[i] = (guint)g_rand_int_range(reader->random, 0, REGIONS);
            before[i] = atomic_load(&reader->churn->states[regions[i]]);
        }
        vhost_user_reader_enter(reader->reader);
        for (guint i = 0; i < G_N_ELEMENTS(regions); i++) {
            if (g_rand_boolean(reader->random)) {
                for (guint j = i; j < G_N_ELEMENTS(regions); j++) {
                    before[j] = atomic_load(&reader->churn->states[regions[j]]);
                }
                vhost_user_reader_refresh(reader->reader);
            }
            look_up(reader, regions[i], before[i]);
        }
        if (reader->held_count > 0 && g_rand_boolean(reader->random)) {
            release_one(reader);
        }
        vhost_user_reader_leave(reader->reader);
        while (reader->held_count > (guint)g_rand_int_range(reader->random, 1, TOKENS)) {
            release_one(reader);
        }
    }
    while (reader->held_count > 0) {
        release_one(reader);
    }
    return NULL;
}

static void start(Churn *churn, Reader *readers)
{
    churn->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    churn->map = vhost_user_map_new(REGIONS, churn->wake_fd);
    churn->file = map_file_new_stamped(REGIONS, 0);
    for (guint i = 0; i < READERS; i++) {
        readers[i].churn = churn;
        readers[i].index = i;
        readers[i].random = g_rand_new_with_seed((guint32)g_test_rand_int());
        readers[i].reader = vhost_user_reader_new(churn->map, TOKENS);
        readers[i].thread = g_thread_new("reader", reader_run, &readers[i]);
    }
}

/* Whether each reader has met something: on a busy machine one may not have run at all yet. */
static gboolean all_found(Reader *readers)
{
    for (guint i = 0; i < READERS; i++) {
        if (atomic_load(&readers[i].found) < 10) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean wait_for_wake(const Churn *churn)
{
    struct pollfd poll_fd = {.fd = churn->wake_fd, .events = POLLIN};
    guint64 count;

    return poll(&poll_fd, 1, 10000) == 1 &&
           read(churn->wake_fd, &count, sizeof(count)) == sizeof(count);
}

/* Only looks after having been woken: a wake that is lost makes it fail. */
static void wait_until_unmapped(const Churn *churn)
{
    VhostUserMapStatistics statistics;

    vhost_user_map_statistics(churn->map, &statistics);
    while (statistics.retired > 0) {
        g_assert_true(wait_for_wake(churn));
        vhost_user_map_reclaim(churn->map);
        vhost_user_map_statistics(churn->map, &statistics);
    }
}

static void stop(Churn *churn, Reader *readers)
{
    atomic_store(&churn->stop, true);
    wait_until_unmapped(churn);
    for (guint i = 0; i < READERS; i++) {
        g_thread_join(readers[i].thread);
        vhost_user_reader_free(readers[i].reader);
        g_rand_free(readers[i].random);
    }
    g_assert_cmpuint(vhost_user_map_reclaim(churn->map), ==, 0);
    vhost_user_map_free(churn->map);
    g_assert_cmpuint(map_count_pages(churn->file), ==, 0);
    close(churn->file);
    close(churn->wake_fd);
}

static guint state_of(Churn *churn, guint region)
{
    return atomic_load(&churn->states[region]) % 4;
}

static void step_state(Churn *churn, guint region)
{
    atomic_fetch_add(&churn->states[region], 1);
}

static VhostUserMemoryRegion region_at(guint region)
{
    return map_region((guint64)region * MAP_PAGE, MAP_PAGE, (guint64)region * MAP_PAGE);
}

static void change(Churn *churn, guint index)
{
    const VhostUserMemoryRegion region = region_at(index);
    const char *reason = NULL;
    int result;

    step_state(churn, index);
    if (state_of(churn, index) == COMING) {
        result = vhost_user_map_add(churn->map, &region, churn->file, &reason);
        /* The memory of hanging requests may take all slots; they do not hang for long. */
        while (result == -ENOSPC) {
            g_assert_true(wait_for_wake(churn));
            result = vhost_user_map_add(churn->map, &region, churn->file, &reason);
        }
    } else {
        result = vhost_user_map_remove(churn->map, &region, &reason);
    }
    g_assert_cmpstr(reason, ==, NULL);
    g_assert_cmpint(result, ==, 0);
    step_state(churn, index);
}

/* About half of the regions, some of them there before. */
static void replace(Churn *churn)
{
    g_autofree VhostUserMemoryRegion *regions = g_new(VhostUserMemoryRegion, REGIONS);
    g_autofree int *fds = g_new(int, REGIONS);
    const char *reason = NULL;
    guint count = 0;

    for (guint i = 0; i < REGIONS; i++) {
        gboolean present = state_of(churn, i) == PRESENT;
        gboolean wanted = g_test_rand_bit();

        if (wanted) {
            regions[count] = region_at(i);
            fds[count] = churn->file;
            count++;
        }
        if (wanted != present) {
            step_state(churn, i);
        }
    }
    int result = vhost_user_map_replace(churn->map, regions, fds, count, &reason);
    while (result == -ENOSPC) { /* as in change() */
        g_assert_true(wait_for_wake(churn));
        result = vhost_user_map_replace(churn->map, regions, fds, count, &reason);
    }
    g_assert_cmpint(result, ==, 0);
    for (guint i = 0; i < REGIONS; i++) {
        if (state_of(churn, i) % 2 != 0) { /* COMING or GOING */
            step_state(churn, i);
        }
    }
}

static void test_churn(void)
{
    g_autofree Churn *churn = g_new0(Churn, 1);
    g_autofree Reader *readers = g_new0(Reader, READERS);

    start(churn, readers);
    for (guint i = 0; i < REGIONS; i++) {
        change(churn, i);
    }
    for (guint round = 0; round < 4 || !all_found(readers); round++) {
        for (guint i = 0; i < REGIONS; i++) {
            change(churn, (guint)g_test_rand_int_range(0, REGIONS));
        }
        replace(churn);
    }
    for (guint i = 0; i < REGIONS; i++) {
        if (state_of(churn, i) == PRESENT) {
            change(churn, i);
        }
    }
    stop(churn, readers);
}

/* The control thread sleeps after each change until nothing is retired any more. */
static void test_wakes(void)
{
    g_autofree Churn *churn = g_new0(Churn, 1);
    g_autofree Reader *readers = g_new0(Reader, READERS);

    start(churn, readers);
    for (guint round = 0; round < 100 || !all_found(readers); round++) {
        guint first = (guint)g_test_rand_int_range(0, REGIONS - 64);

        for (guint i = first; i < first + 64; i++) {
            change(churn, i);
        }
        for (guint i = first; i < first + 64; i++) {
            change(churn, i);
        }
        wait_until_unmapped(churn);
    }
    stop(churn, readers);
}

/* What a signal handler does on any thread, for an address that is none of the map's. */
static gpointer prober_run(gpointer opaque)
{
    Churn *churn = opaque;

    do {
        g_assert_false(vhost_user_map_recover_fault(churn->map, &churn));
    } while (!atomic_load(&churn->stop));
    return NULL;
}

static void test_fault_handler(void)
{
    g_autofree Churn *churn = g_new0(Churn, 1);
    g_autofree Reader *readers = g_new0(Reader, READERS);
    GThread *thread;

    start(churn, readers);
    thread = g_thread_new("prober", prober_run, churn);
    for (guint i = 0; i < 4 * 512 || !all_found(readers); i++) {
        change(churn, i % 512);
    }
    atomic_store(&churn->stop, true);
    g_thread_join(thread);
    stop(churn, readers);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/libvhost-user/churn/random", test_churn);
    g_test_add_func("/libvhost-user/churn/wakes", test_wakes);
    g_test_add_func("/libvhost-user/churn/fault-handler", test_fault_handler);
    return g_test_run();
}
