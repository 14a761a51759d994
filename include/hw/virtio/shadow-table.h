/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shadow memory-region table: what a vhost-user backend has, as sorted
 * arrays, and the one-pass difference between two of them.  No I/O, no
 * locks, no references: plain data, any thread that owns it.
 */
#ifndef HW_VIRTIO_SHADOW_TABLE_H
#define HW_VIRTIO_SHADOW_TABLE_H

#include <glib.h>
#include <stdint.h>

/*
 * A region as VHOST_USER_ADD_MEM_REG names it, and the file behind it.  All
 * six members are its identity: two regions are the same only if all are equal.
 */
typedef struct ShadowRegion {
    uint64_t guest_address; /* bytes, guest physical */
    uint64_t size;          /* bytes, not 0 */
    uint64_t user_address;  /* bytes, our virtual address */
    uint64_t mmap_offset;   /* bytes into the file */
    gconstpointer file;     /* identity of the file (a RamBlock); compared, never followed */
} ShadowRegion;

/* Regions sorted by guest address that do not overlap. */
typedef struct ShadowTable {
    GArray *regions; /* of ShadowRegion */
} ShadowTable;

void shadow_table_init(ShadowTable *table);
void shadow_table_clear(ShadowTable *table); /* frees the array */

guint shadow_table_length(const ShadowTable *table);
const ShadowRegion *shadow_table_at(const ShadowTable *table, guint index);

/* The region that begins at @guest_address, or NULL. O(log n). */
const ShadowRegion *shadow_table_find(const ShadowTable *table, uint64_t guest_address);

/* FALSE if @region is empty, wraps or overlaps one that is there.  At the end in O(1), else a
 * memmove. */
gboolean shadow_table_insert(ShadowTable *table, const ShadowRegion *region);
/* FALSE if exactly this region is not there. */
gboolean shadow_table_remove(ShadowTable *table, const ShadowRegion *region);

/* TRUE if @regions is sorted, without empty, wrapping or overlapping entries. */
gboolean shadow_regions_valid(const ShadowRegion *regions, guint count);

/*
 * What leads from @old to @new in one merge pass: removes first, then adds, each in order of
 * address.  A region in both (all members equal) appears in neither.
 */
typedef struct ShadowDiff {
    GArray *removes; /* of ShadowRegion */
    GArray *adds;
} ShadowDiff;
void shadow_diff_init(ShadowDiff *diff);
void shadow_diff_clear(ShadowDiff *diff);
/* Appends to @diff, which the caller has initialised or emptied. Allocates nothing else. */
void shadow_diff(const ShadowRegion *old, guint old_count, const ShadowRegion *new, guint new_count,
                 ShadowDiff *diff);

#endif
