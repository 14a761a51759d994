/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a vhost-user backend has, as a sorted array, and the difference of two
 * such arrays in one merge pass.
 */
#include "hw/virtio/shadow-table.h"

void shadow_table_init(ShadowTable *table)
{
    table->regions = g_array_new(FALSE, FALSE, sizeof(ShadowRegion));
}

void shadow_table_clear(ShadowTable *table)
{
    g_clear_pointer(&table->regions, g_array_unref);
}

guint shadow_table_length(const ShadowTable *table)
{
    return table->regions->len;
}

const ShadowRegion *shadow_table_at(const ShadowTable *table, guint index)
{
    return &g_array_index(table->regions, ShadowRegion, index);
}

/* Without branches between the members: the diff of two nearly equal tables spends its time here.
 */
static inline gboolean same_region(const ShadowRegion *a, const ShadowRegion *b)
{
    return ((a->guest_address ^ b->guest_address) | (a->size ^ b->size) |
            (a->user_address ^ b->user_address) | (a->mmap_offset ^ b->mmap_offset) |
            ((uintptr_t)a->file ^ (uintptr_t)b->file)) == 0;
}

/* Empty, or a sum that does not fit 64 bits: nothing that a backend may be told. */
static gboolean region_valid(const ShadowRegion *region)
{
    return region->size > 0 && region->size <= UINT64_MAX - region->guest_address &&
           region->size <= UINT64_MAX - region->user_address &&
           region->size <= UINT64_MAX - region->mmap_offset;
}

/* Both valid, so that the sum does not wrap. */
static gboolean ends_before(const ShadowRegion *first, const ShadowRegion *second)
{
    return first->guest_address + first->size <= second->guest_address;
}

/* The index of the first region that begins at @guest_address or behind it. */
static guint lower_bound(const ShadowTable *table, uint64_t guest_address)
{
    guint low = 0, high = table->regions->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (shadow_table_at(table, middle)->guest_address < guest_address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const ShadowRegion *shadow_table_find(const ShadowTable *table, uint64_t guest_address)
{
    guint index = lower_bound(table, guest_address);

    if (index == table->regions->len ||
        shadow_table_at(table, index)->guest_address != guest_address) {
        return NULL;
    }
    return shadow_table_at(table, index);
}

gboolean shadow_table_insert(ShadowTable *table, const ShadowRegion *region)
{
    guint length = table->regions->len;
    guint index = length;

    if (!region_valid(region)) {
        return FALSE;
    }
    if (length > 0 && !ends_before(shadow_table_at(table, length - 1), region)) {
        index = lower_bound(table, region->guest_address);
        if ((index > 0 && !ends_before(shadow_table_at(table, index - 1), region)) ||
            (index < length && !ends_before(region, shadow_table_at(table, index)))) {
            return FALSE;
        }
    }
    g_array_insert_val(table->regions, index, *region);
    return TRUE;
}

gboolean shadow_table_remove(ShadowTable *table, const ShadowRegion *region)
{
    guint index = lower_bound(table, region->guest_address);

    if (index == table->regions->len || !same_region(shadow_table_at(table, index), region)) {
        return FALSE;
    }
    g_array_remove_index(table->regions, index);
    return TRUE;
}

gboolean shadow_regions_valid(const ShadowRegion *regions, guint count)
{
    for (guint i = 0; i < count; i++) {
        if (!region_valid(&regions[i]) || (i > 0 && !ends_before(&regions[i - 1], &regions[i]))) {
            return FALSE;
        }
    }
    return TRUE;
}

void shadow_diff_init(ShadowDiff *diff)
{
    diff->removes = g_array_new(FALSE, FALSE, sizeof(ShadowRegion));
    diff->adds = g_array_new(FALSE, FALSE, sizeof(ShadowRegion));
}

void shadow_diff_clear(ShadowDiff *diff)
{
    g_clear_pointer(&diff->removes, g_array_unref);
    g_clear_pointer(&diff->adds, g_array_unref);
}

void shadow_diff(const ShadowRegion *old, guint old_count, const ShadowRegion *new, guint new_count,
                 ShadowDiff *diff)
{
    guint i = 0, j = 0;

    while (i < old_count && j < new_count) {
        if (same_region(&old[i], &new[j])) {
            i++;
            j++;
        } else if (old[i].guest_address <= new[j].guest_address) {
            /* At the same address, the new one is added when its turn comes in a later round. */
            g_array_append_val(diff->removes, old[i]);
            i++;
        } else {
            g_array_append_val(diff->adds, new[j]);
            j++;
        }
    }
    if (i < old_count) {
        g_array_append_vals(diff->removes, &old[i], old_count - i);
    }
    if (j < new_count) {
        g_array_append_vals(diff->adds, &new[j], new_count - j);
    }
}
