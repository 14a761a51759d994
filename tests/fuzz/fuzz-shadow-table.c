/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two tables from any bytes: inserting keeps a table valid whatever comes, and the difference of
 * two tables leads from the one to the other in single steps that all succeed.
 */
#include "fuzz.h"
#include "hw/virtio/shadow-table.h"

#include <string.h>

static char files[4];

/* Eight bytes a region: small numbers, so that they meet; some members near 2^64. */
static ShadowRegion decode(const uint8_t *bytes)
{
    ShadowRegion region = {
        .guest_address = bytes[0] * 0x1000ull,
        .size = bytes[1] % 8 * 0x1000ull,
        .user_address = bytes[2] * 0x1000ull,
        .mmap_offset = bytes[3] * 0x1000ull,
        .file = &files[bytes[4] % sizeof(files)],
    };

    region.guest_address = bytes[5] & 1 ? 0 - region.guest_address : region.guest_address;
    region.user_address = bytes[5] & 2 ? 0 - region.user_address : region.user_address;
    region.mmap_offset = bytes[5] & 4 ? 0 - region.mmap_offset : region.mmap_offset;
    region.size = bytes[5] & 8 ? 0 - region.size : region.size;
    return region;
}

static const ShadowRegion *raw(const ShadowTable *table)
{
    return (const ShadowRegion *)table->regions->data;
}

static void check_difference(ShadowTable *from, const ShadowTable *to)
{
    guint length = shadow_table_length(to);
    ShadowDiff diff;

    shadow_diff_init(&diff);
    shadow_diff(raw(from), shadow_table_length(from), raw(to), length, &diff);
    for (guint i = 0; i < diff.removes->len; i++) {
        fuzz_require(shadow_table_remove(from, &g_array_index(diff.removes, ShadowRegion, i)));
    }
    for (guint i = 0; i < diff.adds->len; i++) {
        fuzz_require(shadow_table_insert(from, &g_array_index(diff.adds, ShadowRegion, i)));
    }
    fuzz_require(shadow_table_length(from) == length);
    fuzz_require(length == 0 || memcmp(raw(from), raw(to), length * sizeof(ShadowRegion)) == 0);
    shadow_diff_clear(&diff);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ShadowTable tables[2];

    shadow_table_init(&tables[0]);
    shadow_table_init(&tables[1]);
    for (; size >= 8; data += 8, size -= 8) {
        ShadowTable *table = &tables[data[6] & 1];
        ShadowRegion region = decode(data);
        gboolean found = shadow_table_find(table, region.guest_address) != NULL;

        if (data[6] & 2) {
            gboolean removed = shadow_table_remove(table, &region);

            fuzz_require(found || !removed);
        } else if (shadow_table_insert(table, &region)) {
            fuzz_require(!found && shadow_table_find(table, region.guest_address) != NULL);
        }
        fuzz_require(shadow_regions_valid(raw(table), shadow_table_length(table)));
    }
    check_difference(&tables[0], &tables[1]);
    shadow_table_clear(&tables[0]);
    shadow_table_clear(&tables[1]);
    return 0;
}
