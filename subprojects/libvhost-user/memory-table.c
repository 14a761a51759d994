/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sorted table of regions: a root, which is an array of leaves, and leaves, which are arrays
 * of regions.  Two levels and not a balanced tree, because then a lookup is two binary searches in
 * arrays and a change copies two arrays.
 *
 * Leaves stay so full that the root stays short: two neighbours together always hold more than
 * half of what one could, whatever order regions come and go in.
 */
#include "memory-table.h"

#include <stdlib.h>
#include <string.h>

#include "memory-region.h"

#define HALF (VHOST_USER_LEAF_REGIONS / 2)

static uint64_t address_in(VhostUserOrder order, const VhostUserRegion *region)
{
    return order == VHOST_USER_ORDER_GUEST ? region->guest_address : region->user_address;
}

static VhostUserTable *table_alloc(VhostUserOrder order, uint32_t regions, uint32_t count)
{
    VhostUserTable *table = malloc(sizeof(*table) + count * sizeof(table->leaves[0]));

    if (table) {
        table->generation = 0;
        table->order = order;
        table->regions = regions;
        table->count = count;
    }
    return table;
}

VhostUserTable *vhost_user_table_new(VhostUserOrder order)
{
    return table_alloc(order, 0, 0);
}

void vhost_user_table_free(VhostUserTable *table)
{
    for (uint32_t i = 0; table && i < table->count; i++) {
        free(table->leaves[i].leaf);
    }
    free(table);
}

void vhost_user_table_free_old(const VhostUserTableChange *change)
{
    free(change->old_leaves[0]);
    free(change->old_leaves[1]);
    free(change->old);
}

void vhost_user_table_free_new(const VhostUserTableChange *change)
{
    free(change->new_leaves[0]);
    free(change->new_leaves[1]);
    free(change->new);
}

/*
 * How many leaves begin at or below the address.  Here and below the loop takes the same steps
 * whatever the address is, without a branch on what it finds: such a branch would be predicted
 * wrongly every other time, which costs more than the step.
 */
static uint32_t leaves_up_to(const VhostUserTable *table, uint64_t address)
{
    uint32_t base = 0;

    if (table->count == 0 || table->leaves[0].address > address) {
        return 0;
    }
    for (uint32_t count = table->count; count > 1; count -= count / 2) {
        base += count / 2 * (table->leaves[base + count / 2].address <= address);
    }
    return base + 1;
}

static uint32_t regions_up_to(const VhostUserLeaf *leaf, uint64_t address)
{
    uint32_t base = 0;

    if (leaf->addresses[0] > address) {
        return 0;
    }
    for (uint32_t count = leaf->count; count > 1; count -= count / 2) {
        base += count / 2 * (leaf->addresses[base + count / 2] <= address);
    }
    return base + 1;
}

/* The leaf and place in it of the last region that begins at or below the address, which may lie
 * behind its end; NULL if there is none. */
static const VhostUserLeaf *floor_of(const VhostUserTable *table, uint64_t address, uint32_t *place)
{
    uint32_t leaves = leaves_up_to(table, address);
    const VhostUserLeaf *leaf;

    if (leaves == 0) {
        return NULL;
    }
    leaf = table->leaves[leaves - 1].leaf;
    *place = regions_up_to(leaf, address) - 1; /* the leaf begins at or below */
    return leaf;
}

bool vhost_user_table_find_span(const VhostUserTable *table, uint64_t address, VhostUserSpan *span)
{
    uint32_t place;
    const VhostUserLeaf *leaf = floor_of(table, address, &place);

    if (!leaf || address - leaf->addresses[place] >= leaf->spans[place].size) {
        return false;
    }
    *span =
        (VhostUserSpan){leaf->addresses[place], leaf->spans[place].size, leaf->spans[place].host};
    return true;
}

VhostUserRegion *vhost_user_table_find(const VhostUserTable *table, uint64_t address)
{
    uint32_t place;
    const VhostUserLeaf *leaf = floor_of(table, address, &place);

    return leaf && address - leaf->addresses[place] < leaf->spans[place].size ? leaf->regions[place]
                                                                              : NULL;
}

bool vhost_user_table_overlaps(const VhostUserTable *table, uint64_t address, uint64_t size)
{
    uint32_t place;
    const VhostUserLeaf *leaf = floor_of(table, address + size - 1, &place);

    /* The regions of the table do not overlap: all before this one end before it begins. */
    return leaf && leaf->addresses[place] + leaf->spans[place].size > address;
}

static void leaf_append(VhostUserLeaf *leaf, const VhostUserLeaf *from, uint32_t begin,
                        uint32_t end)
{
    memcpy(&leaf->addresses[leaf->count], &from->addresses[begin],
           (end - begin) * sizeof(from->addresses[0]));
    memcpy(&leaf->spans[leaf->count], &from->spans[begin], (end - begin) * sizeof(from->spans[0]));
    memcpy(&leaf->regions[leaf->count], &from->regions[begin],
           (end - begin) * sizeof(from->regions[0]));
    leaf->count += end - begin;
}

static void leaf_append_region(VhostUserLeaf *leaf, uint64_t address, VhostUserRegion *region)
{
    leaf->addresses[leaf->count] = address;
    leaf->spans[leaf->count].size = region->size;
    leaf->spans[leaf->count].host = region->host;
    leaf->regions[leaf->count] = region;
    leaf->count++;
}

/* Makes the new root of a change whose leaves are there: a copy in which they stand in place of
 * @removed leaves from @index on; the table then has @regions. */
static bool change_root(VhostUserTableChange *change, uint32_t index, uint32_t removed,
                        uint32_t regions)
{
    const VhostUserTable *old = change->old;
    uint32_t count = change->new_leaves[1] ? 2 : change->new_leaves[0] ? 1 : 0;
    VhostUserTable *new = table_alloc(old->order, regions, old->count - removed + count);

    if (!new) {
        vhost_user_table_free_new(change);
        return false;
    }
    memcpy(new->leaves, old->leaves, index * sizeof(old->leaves[0]));
    for (uint32_t i = 0; i < count; i++) {
        new->leaves[index + i].address = change->new_leaves[i]->addresses[0];
        new->leaves[index + i].leaf = change->new_leaves[i];
    }
    memcpy(&new->leaves[index + count], &old->leaves[index + removed],
           (old->count - index - removed) * sizeof(old->leaves[0]));
    change->new = new;
    return true;
}

static VhostUserLeaf *leaf_alloc(void)
{
    VhostUserLeaf *leaf = malloc(sizeof(*leaf));

    if (leaf) {
        leaf->count = 0;
    }
    return leaf;
}

/* The leaf of the table that the region goes into, and the place in it. */
static VhostUserLeaf *leaf_for(const VhostUserTable *table, uint64_t address, uint32_t *index,
                               uint32_t *place)
{
    uint32_t leaves = leaves_up_to(table, address);
    VhostUserLeaf *leaf;

    *index = leaves > 0 ? leaves - 1 : 0;
    leaf = table->leaves[*index].leaf;
    *place = regions_up_to(leaf, address);
    return leaf;
}

/* Regions mostly come in ascending order: behind a full last leaf begins a new one, and the full
 * one stays full. */
static bool insert_leaf(VhostUserTableChange *change, VhostUserRegion *region)
{
    VhostUserLeaf *leaf = leaf_alloc();

    if (!leaf) {
        return false;
    }
    leaf_append_region(leaf, address_in(change->old->order, region), region);
    change->new_leaves[0] = leaf;
    return change_root(change, change->old->count, 0, change->old->regions + 1);
}

static bool insert_into(VhostUserTableChange *change, VhostUserRegion *region, uint32_t index,
                        uint32_t place)
{
    VhostUserLeaf *old = change->old->leaves[index].leaf;
    uint64_t address = address_in(change->old->order, region);
    bool split = old->count == VHOST_USER_LEAF_REGIONS;
    uint32_t middle = split ? HALF : old->count;
    VhostUserLeaf *first = leaf_alloc();
    VhostUserLeaf *second = split ? leaf_alloc() : NULL;

    change->old_leaves[0] = old;
    change->new_leaves[0] = first;
    change->new_leaves[1] = second;
    if (!first || (split && !second)) {
        vhost_user_table_free_new(change);
        return false;
    }
    if (place <= middle) {
        leaf_append(first, old, 0, place);
        leaf_append_region(first, address, region);
        leaf_append(first, old, place, middle);
        if (second) {
            leaf_append(second, old, middle, old->count);
        }
    } else if (second) {
        leaf_append(first, old, 0, middle);
        leaf_append(second, old, middle, place);
        leaf_append_region(second, address, region);
        leaf_append(second, old, place, old->count);
    }
    return change_root(change, index, 1, change->old->regions + 1);
}

bool vhost_user_table_insert(VhostUserTable *table, VhostUserRegion *region,
                             VhostUserTableChange *change)
{
    uint32_t index, place;

    *change = (VhostUserTableChange){.old = table};
    if (table->count == 0) {
        return insert_leaf(change, region);
    }
    leaf_for(table, address_in(table->order, region), &index, &place);
    if (index == table->count - 1 && place == VHOST_USER_LEAF_REGIONS) {
        return insert_leaf(change, region);
    }
    return insert_into(change, region, index, place);
}

/* The neighbour with which the leaf, having lost one region, fits into half a leaf; its own index
 * if there is none. */
static uint32_t neighbour_to_merge(const VhostUserTable *table, uint32_t index)
{
    uint32_t rest = table->leaves[index].leaf->count - 1;

    if (index > 0 && table->leaves[index - 1].leaf->count + rest <= HALF) {
        return index - 1;
    }
    if (index + 1 < table->count && table->leaves[index + 1].leaf->count + rest <= HALF) {
        return index + 1;
    }
    return index;
}

bool vhost_user_table_remove(VhostUserTable *table, const VhostUserRegion *region,
                             VhostUserTableChange *change)
{
    uint32_t index, place, other;
    VhostUserLeaf *old = leaf_for(table, address_in(table->order, region), &index, &place);
    VhostUserLeaf *neighbour;
    VhostUserLeaf *leaf;

    other = neighbour_to_merge(table, index);
    neighbour = other != index ? table->leaves[other].leaf : NULL;
    *change = (VhostUserTableChange){.old = table, .old_leaves = {old, neighbour}};
    if (!neighbour && old->count == 1) {
        return change_root(change, index, 1, table->regions - 1);
    }
    leaf = leaf_alloc();
    if (!leaf) {
        return false;
    }
    change->new_leaves[0] = leaf;
    if (neighbour && other < index) {
        leaf_append(leaf, neighbour, 0, neighbour->count);
    }
    leaf_append(leaf, old, 0, place - 1);
    leaf_append(leaf, old, place, old->count);
    if (neighbour && other > index) {
        leaf_append(leaf, neighbour, 0, neighbour->count);
    }
    return change_root(change, other < index ? other : index, neighbour ? 2 : 1,
                       table->regions - 1);
}

void vhost_user_table_for_each(const VhostUserTable *table,
                               void (*visit)(VhostUserRegion *region, void *opaque), void *opaque)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const VhostUserLeaf *leaf = table->leaves[i].leaf;

        for (uint32_t j = 0; j < leaf->count; j++) {
            visit(leaf->regions[j], opaque);
        }
    }
}
