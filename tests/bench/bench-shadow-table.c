/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The difference of two tables, and an insertion into one. */
#include "hw/virtio/shadow-table.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define REGIONS 4096
#define ROUNDS 2001
#define REGION_SIZE (16ull << 20)

static gint64 nanoseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    gint64 x = *(const gint64 *)a;
    gint64 y = *(const gint64 *)b;

    return x < y ? -1 : x > y;
}

static void fill(ShadowRegion *regions, guint count)
{
    for (guint i = 0; i < count; i++) {
        regions[i] = (ShadowRegion){0x100000000 + i * REGION_SIZE, REGION_SIZE,
                                    0x7f0000000000 + i * REGION_SIZE, 0, GUINT_TO_POINTER(i + 1)};
    }
}

int main(void)
{
    static ShadowRegion old[REGIONS];
    static ShadowRegion new[REGIONS + 1];
    static gint64 times[ROUNDS];
    ShadowDiff diff;

    fill(old, REGIONS);
    fill(new, REGIONS + 1);
    shadow_diff_init(&diff);
    for (guint i = 0; i < ROUNDS; i++) {
        g_array_set_size(diff.removes, 0);
        g_array_set_size(diff.adds, 0);
        gint64 begin = nanoseconds();
        shadow_diff(old, REGIONS, new, REGIONS + 1, &diff);
        times[i] = nanoseconds() - begin;
        if (diff.removes->len != 0 || diff.adds->len != 1) {
            fprintf(stderr, "the difference is wrong\n");
            return 1;
        }
    }
    qsort(times, ROUNDS, sizeof(*times), compare);
    shadow_diff_clear(&diff);
    printf("{\"diff_us\":%.2f,\"regions\":%d}\n", times[ROUNDS / 2] / 1000.0, REGIONS);
    return 0;
}
