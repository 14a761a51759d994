/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sorted table of regions that never changes: an insertion or removal makes a new root and one
 * or two new leaves and shares all others with the table before, so that readers may go on with the
 * old one.  Private to the memory map.
 */
#ifndef VHOST_USER_MEMORY_TABLE_H
#define VHOST_USER_MEMORY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory-map.h"

/* What was published once and waits until nobody can use it any more; first in what it is part of.
 */
typedef struct VhostUserRetired {
    struct VhostUserRetired *next;
    uint64_t generation; /* the last one in which a reader could find it */
} VhostUserRetired;

typedef enum VhostUserOrder {
    VHOST_USER_ORDER_GUEST, /* by guest address */
    VHOST_USER_ORDER_USER,  /* by user address of the front-end */
} VhostUserOrder;

/* At 128 a leaf is 5 KiB, and the table of 32,768 regions has a root of 4 to 8 KiB: what one change
 * has to copy. */
#define VHOST_USER_LEAF_REGIONS 128u

typedef struct VhostUserLeaf {
    VhostUserRetired retired;
    uint32_t count; /* at least 1 */
    uint64_t addresses[VHOST_USER_LEAF_REGIONS];
    struct {
        uint64_t size;
        uint8_t *host;
    } spans[VHOST_USER_LEAF_REGIONS]; /* copied from the regions: a lookup goes no further */
    VhostUserRegion *regions[VHOST_USER_LEAF_REGIONS];
} VhostUserLeaf;

/* A region as a lookup needs it. */
typedef struct VhostUserSpan {
    uint64_t address, size; /* size 0: none */
    uint8_t *host;
} VhostUserSpan;

typedef struct VhostUserTable {
    VhostUserRetired retired;
    uint64_t generation; /* set when it is published, unique in its map */
    VhostUserOrder order;
    uint32_t regions;
    uint32_t count; /* leaves */
    struct {
        uint64_t address; /* of the leaf's first region */
        VhostUserLeaf *leaf;
    } leaves[];
} VhostUserTable;

/* From one table to the next: what each has that the other has not. NULL where there is none. */
typedef struct VhostUserTableChange {
    VhostUserTable *old, *new;
    VhostUserLeaf *old_leaves[2], *new_leaves[2];
} VhostUserTableChange;

VhostUserTable *vhost_user_table_new(VhostUserOrder order);
/* The root and every leaf; not the regions. NULL is allowed. */
void vhost_user_table_free(VhostUserTable *table);

/* The region that @address lies in, or NULL. */
VhostUserRegion *vhost_user_table_find(const VhostUserTable *table, uint64_t address);

/* Where the region that @address lies in is in our process. @span stays as it is if there is none.
 */
bool vhost_user_table_find_span(const VhostUserTable *table, uint64_t address, VhostUserSpan *span);

/* Whether a region of the table shares a byte with the range, which neither is empty nor wraps. */
bool vhost_user_table_overlaps(const VhostUserTable *table, uint64_t address, uint64_t size);

/*
 * Makes the table with @region, which overlaps none in it, or without @region, which is in it.
 * @table stays as it is.  Then either the old parts are freed, at once or when no reader can be in
 * them, or the new ones.  false: out of memory.
 */
bool vhost_user_table_insert(VhostUserTable *table, VhostUserRegion *region,
                             VhostUserTableChange *change);
bool vhost_user_table_remove(VhostUserTable *table, const VhostUserRegion *region,
                             VhostUserTableChange *change);
void vhost_user_table_free_old(const VhostUserTableChange *change);
void vhost_user_table_free_new(const VhostUserTableChange *change);

/* Calls @visit for each region, in order. */
void vhost_user_table_for_each(const VhostUserTable *table,
                               void (*visit)(VhostUserRegion *region, void *opaque), void *opaque);

#endif
