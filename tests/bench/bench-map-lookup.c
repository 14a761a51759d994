/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the memory map of the back-end library costs by number of regions: a lookup in the region of
 * the one before, anywhere, at ascending addresses, and of requests (header and status in one
 * place, data in another); and an add and a remove of one region.  Nanoseconds, medians of rounds.
 */
#include "memory-map.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "times.h"

#define PAGE 4096ull
#define REGION_SIZE (2 * PAGE)
#define BATCH 1024u /* lookups between enter and leave */
#define ROUNDS 201u
#define CHANGES 501u

static VhostUserMap *map;
static int file;
static uint64_t sink; /* of what was found, so that nothing is optimised away */

static void fail(const char *what)
{
    fprintf(stderr, "bench-map-lookup: %s\n", what);
    exit(1);
}

/* Regions side by side, as DIMMs are, all of the same pages of one file: what is measured is our
 * table and not the cache misses of the guest's memory. */
static VhostUserMemoryRegion region_at(uint64_t index)
{
    return (VhostUserMemoryRegion){index * REGION_SIZE, REGION_SIZE,
                                   0x100000000000 + index * REGION_SIZE, 0};
}

static void add(uint64_t index)
{
    const VhostUserMemoryRegion region = region_at(index);
    const char *reason;

    if (vhost_user_map_add(map, &region, file, &reason) != 0) {
        fail(reason);
    }
}

static void take_away(uint64_t index)
{
    const VhostUserMemoryRegion region = region_at(index);
    const char *reason;

    if (vhost_user_map_remove(map, &region, &reason) != 0) {
        fail(reason);
    }
}

typedef enum Pattern {
    SAME,       /* one region */
    RANDOM,     /* any region each time */
    SEQUENTIAL, /* 4 KiB steps through all memory */
    REQUESTS,   /* header and status in the first region, between them data anywhere */
} Pattern;

static void make_addresses(uint64_t *addresses, uint32_t regions, Pattern pattern, unsigned round)
{
    for (unsigned i = 0; i < BATCH; i++) {
        uint64_t page = (uint64_t)random();

        if (pattern == SEQUENTIAL) {
            page = (uint64_t)round * BATCH + i;
        } else if (pattern == SAME || (pattern == REQUESTS && i % 3 != 1)) {
            page = 0;
        }
        addresses[i] = page * PAGE % (regions * REGION_SIZE);
    }
}

typedef struct Lookup {
    double ns;
    double hit_rate;
} Lookup;

static Lookup measure_lookups(uint32_t regions, Pattern pattern)
{
    static uint64_t addresses[BATCH];
    static int64_t times[ROUNDS];
    VhostUserReader *reader = vhost_user_reader_new(map, 1);
    Lookup result;

    if (!reader) {
        fail("out of memory");
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        int64_t begin;

        make_addresses(addresses, regions, pattern, round);
        begin = nanoseconds(CLOCK_MONOTONIC);
        vhost_user_reader_enter(reader);
        for (unsigned i = 0; i < BATCH; i++) {
            uint64_t contiguous;
            void *host = vhost_user_reader_translate(reader, addresses[i], 512, &contiguous);

            if (!host || contiguous != 512) {
                fail("a lookup is wrong");
            }
            sink += (uintptr_t)host;
        }
        vhost_user_reader_leave(reader);
        times[round] = nanoseconds(CLOCK_MONOTONIC) - begin;
    }
    result.ns = (double)median(times, ROUNDS) / BATCH;
    result.hit_rate =
        (double)vhost_user_reader_hits(reader) / (double)vhost_user_reader_lookups(reader);
    vhost_user_reader_free(reader);
    return result;
}

typedef struct Changes {
    double add_ns, remove_ns, mmap_ns;
} Changes;

/* One region more, and less; beside it what the kernel takes of that for an mmap() and munmap(). */
static Changes measure_changes(uint32_t regions)
{
    static int64_t adds[CHANGES], removes[CHANGES], maps[CHANGES];

    for (unsigned i = 0; i < CHANGES; i++) {
        uint64_t victim = (uint64_t)random() % regions;
        int64_t times[4];
        void *pages;

        times[0] = nanoseconds(CLOCK_MONOTONIC);
        take_away(victim);
        times[1] = nanoseconds(CLOCK_MONOTONIC);
        add(victim);
        times[2] = nanoseconds(CLOCK_MONOTONIC);
        pages = mmap(NULL, REGION_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (pages == MAP_FAILED || munmap(pages, REGION_SIZE) != 0) {
            fail("mmap");
        }
        times[3] = nanoseconds(CLOCK_MONOTONIC);
        removes[i] = times[1] - times[0];
        adds[i] = times[2] - times[1];
        maps[i] = times[3] - times[2];
    }
    return (Changes){(double)median(adds, CHANGES), (double)median(removes, CHANGES),
                     (double)median(maps, CHANGES)};
}

static void print_row(uint32_t regions, const char *separator)
{
    Lookup same = measure_lookups(regions, SAME);
    Lookup anywhere = measure_lookups(regions, RANDOM);
    Lookup ascending = measure_lookups(regions, SEQUENTIAL);
    Lookup requests = measure_lookups(regions, REQUESTS);
    Changes changes = measure_changes(regions);

    printf("%s{\"regions\":%u,\"hit_ns\":%.2f,\"miss_ns\":%.2f,"
           "\"sequential_ns\":%.2f,\"sequential_hit_rate\":%.3f,"
           "\"request_ns\":%.2f,\"request_hit_rate\":%.3f,"
           "\"add_ns\":%.0f,\"remove_ns\":%.0f,\"mmap_munmap_ns\":%.0f}",
           separator, regions, same.ns, anywhere.ns, ascending.ns, ascending.hit_rate, requests.ns,
           requests.hit_rate, changes.add_ns, changes.remove_ns, changes.mmap_ns);
}

int main(void)
{
    static const uint32_t counts[] = {1, 8, 64, 512, 1024, 4096, 32768};
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uint32_t added = 0;

    file = memfd_create("guest", MFD_CLOEXEC);
    map = vhost_user_map_new(32768, wake_fd);
    if (wake_fd == -1 || file == -1 || ftruncate(file, (off_t)REGION_SIZE) != 0 || !map) {
        fail("cannot begin");
    }
    srandom(1);
    printf("{\"points\":[");
    for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        while (added < counts[i]) {
            add(added++);
        }
        print_row(counts[i], i == 0 ? "" : ",");
    }
    printf("]}\n");
    vhost_user_map_free(map);
    close(file);
    close(wake_fd);
    return sink == 0; /* never */
}
