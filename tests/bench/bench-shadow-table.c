/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The difference of two tables, and an insertion into one. */
#include "hw/virtio/shadow-table.h"

#include <stdio.h>

#include "times.h"

#define REGIONS 4096
#define ROUNDS 2001
#define REGION_SIZE (16ull << 20)

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
        gint64 begin = nanoseconds(CLOCK_MONOTONIC);
        shadow_diff(old, REGIONS, new, REGIONS + 1, &diff);
        times[i] = nanoseconds(CLOCK_MONOTONIC) - begin;
        if (diff.removes->len != 0 || diff.adds->len != 1) {
            fprintf(stderr, "the difference is wrong\n");
            return 1;
        }
    }
    shadow_diff_clear(&diff);
    printf("{\"diff_us\":%.2f,\"regions\":%d}\n", median(times, ROUNDS) / 1000.0, REGIONS);
    return 0;
}
