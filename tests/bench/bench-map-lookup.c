/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library's lookup of a guest address, alone: in the region of the lookup before, and anywhere,
 * as regions become many.
 */
#include "libvhost-user/guest-memory.h"
#include "memory-map.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define REGION_SIZE (64u << 10) /* bytes */
#define MEMORY_START (4ull << 30)
#define GAP (1ull << 20)
#define ADDRESSES 8192 /* different ones, looked up in turn */
#define ROUNDS 15      /* of all of them; the median counts */

static const guint counts[] = {1, 8, 64, 512, 1024, 4096, 32768};

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

/* Nanoseconds of one lookup among @addresses. */
static double measure(VhostUserReader *reader, const guint64 *addresses)
{
    double times[ROUNDS];

    for (guint round = 0; round < ROUNDS; round++) {
        double begin = now();

        for (guint i = 0; i < ADDRESSES; i++) {
            guint64 contiguous;

            if (!vhost_user_reader_translate(reader, addresses[i], 16, &contiguous)) {
                fail("a region is not found");
            }
        }
        times[round] = (now() - begin) / ADDRESSES;
    }
    qsort(times, ROUNDS, sizeof(times[0]), compare);
    return times[ROUNDS / 2];
}

static void measure_count(guint count, bool first)
{
    static guint64 same[ADDRESSES], any[ADDRESSES];
    VhostUserGuestMemory *memory =
        vhost_user_guest_memory_new(MEMORY_START, REGION_SIZE, count, GAP);
    int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    VhostUserMap *map = vhost_user_map_new(count, wake);
    const char *reason = "out of memory";

    if (!memory || !map) {
        fail(reason);
    }
    for (guint i = 0; i < count; i++) {
        const VhostUserMemoryArea *area = &memory->areas[i];
        VhostUserMemoryRegion region = {area->guest_address, area->size, (uintptr_t)area->host,
                                        area->offset};

        if (vhost_user_map_add(map, &region, area->fd, &reason) < 0) {
            fail(reason);
        }
    }
    for (guint i = 0; i < ADDRESSES; i++) {
        guint64 offset = g_random_int_range(0, REGION_SIZE - 16);

        same[i] = memory->areas[count / 2].guest_address + offset;
        any[i] = memory->areas[g_random_int_range(0, (gint)count)].guest_address + offset;
    }
    VhostUserReader *reader = vhost_user_reader_new(map, 1);
    if (!reader) {
        fail(reason);
    }
    vhost_user_reader_enter(reader);
    printf("%s{\"regions\":%u,\"hit_ns\":%.2f,\"miss_ns\":%.2f}", first ? "" : ",", count,
           measure(reader, same), measure(reader, any));
    vhost_user_reader_leave(reader);
    vhost_user_reader_free(reader);
    vhost_user_map_free(map);
    vhost_user_guest_memory_free(memory);
    close(wake);
}

int main(void)
{
    g_random_set_seed(1);
    printf("{\"points\":[");
    for (guint i = 0; i < G_N_ELEMENTS(counts); i++) {
        measure_count(counts[i], i == 0);
    }
    printf("]}\n");
    return 0;
}
