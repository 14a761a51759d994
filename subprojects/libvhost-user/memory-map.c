/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The map of guest memory: adds, removes and replaces regions while queues translate addresses.
 *
 * Why readers take no lock.  Each request looks up several addresses, in as many threads as there
 * are queues; changes are rare, but come by the thousand when they come.  A lock, also one of many
 * readers, is a cache line that all queues write for each batch, and lets one slow reader hold up
 * the answer to ADD_MEM_REG, or a change hold up all queues.  A table for each queue, changed by
 * its own thread, makes each change cost as much as there are queues, and its answer wait until the
 * last of them has come around.  So the table is never changed but replaced (read, copy, update):
 *
 *   writer    makes a new root and leaf (memory-table.c), publishes the root with one store, raises
 *             the generation, and retires the old root, leaf and region with the generation in
 *             which they could last be found
 *   reader    announces the generation in which it begins, then loads the root: one store to a
 *             cache line of its own for each batch of requests, and one more when a request finds
 *             that the generation has risen since
 *   writer    looks at all announcements and frees what was retired in a generation before the
 *             oldest of them
 *
 * Both the announcement and the root are sequentially consistent.  If the writer's look misses an
 * announcement, the reader's load of the root comes behind that look, hence behind the new root:
 * it cannot find what is freed.
 *
 * Roots and leaves are used only between enter and leave, where nothing blocks; what requests in
 * flight use is the memory of regions.  The two are announced and waited for apart, so that one
 * request that hangs keeps regions mapped but does not make tables pile up.
 *
 * Regions that were removed but are still mapped are limited as well (their number above that of
 * all slots takes slots away), because a front-end could otherwise add and remove for ever while
 * one request hangs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "memory-internal.h"

VhostUserMap *vhost_user_map_new(uint32_t slots, int wake_fd)
{
    VhostUserMap *map = aligned_alloc(alignof(VhostUserMap), sizeof(*map));
    VhostUserTable *table = vhost_user_table_new(VHOST_USER_ORDER_GUEST);
    VhostUserTable *by_user_address = vhost_user_table_new(VHOST_USER_ORDER_USER);

    if (!map || !table || !by_user_address) {
        free(map);
        vhost_user_table_free(table);
        vhost_user_table_free(by_user_address);
        return NULL;
    }
    memset(map, 0, sizeof(*map));
    table->generation = 1; /* a reader that never entered has its cache from 0 */
    atomic_init(&map->table, table);
    atomic_init(&map->generation, table->generation);
    atomic_init(&map->waiting, VHOST_USER_GENERATION_NONE);
    map->by_user_address = by_user_address;
    map->slots = slots;
    map->wake_fd = wake_fd;
    map->userfaultfd = -1;
    return map;
}

void vhost_user_map_free(VhostUserMap *map)
{
    if (!map) {
        return;
    }
    while (map->parts.first) {
        VhostUserRetired *part = map->parts.first;

        map->parts.first = part->next;
        free(part);
    }
    vhost_user_table_free(atomic_load(&map->table));
    vhost_user_table_free(map->by_user_address);
    vhost_user_region_pool_clear(&map->pool);
    free(map);
}

static void retire(VhostUserRetiredList *list, VhostUserRetired *retired, uint64_t generation)
{
    retired->generation = generation;
    retired->next = NULL;
    if (list->first) {
        list->last->next = retired;
    } else {
        list->first = retired;
    }
    list->last = retired;
}

/* The first of the list if it was retired before @oldest, taken out, or NULL. */
static VhostUserRetired *take_retired(VhostUserRetiredList *list, uint64_t oldest)
{
    VhostUserRetired *first = list->first;

    if (!first || first->generation >= oldest) {
        return NULL;
    }
    list->first = first->next;
    return first;
}

static void reclaim_once(VhostUserMap *map)
{
    uint64_t oldest_entered = VHOST_USER_GENERATION_NONE;
    uint64_t oldest = VHOST_USER_GENERATION_NONE;
    VhostUserRetired *retired;

    for (VhostUserReader *reader = map->readers; reader; reader = reader->next) {
        /* In this order: a reader that was seen to have left has announced its tokens before. */
        uint64_t entered = atomic_load(&reader->entered);
        uint64_t held = atomic_load(&reader->held);

        oldest_entered = entered < oldest_entered ? entered : oldest_entered;
        oldest = held < oldest ? held : oldest;
    }
    oldest = oldest_entered < oldest ? oldest_entered : oldest;
    while ((retired = take_retired(&map->parts, oldest_entered)) != NULL) {
        free(retired);
    }
    while ((retired = take_retired(&map->regions, oldest)) != NULL) {
        vhost_user_region_unmap(&map->pool, vhost_user_region_of(retired));
        map->statistics.retired--;
    }
}

uint32_t vhost_user_map_reclaim(VhostUserMap *map)
{
    uint64_t waiting;

    /* Once more after the mark is changed: a reader that did not see the mark is seen now. */
    reclaim_once(map);
    while ((waiting =
                map->regions.first ? map->regions.first->generation : VHOST_USER_GENERATION_NONE) !=
           atomic_load(&map->waiting)) {
        atomic_store(&map->waiting, waiting);
        reclaim_once(map);
    }
    return (uint32_t)map->statistics.retired;
}

/* Returns the generation that is over: in it the parts of the old table could last be found. */
static uint64_t publish(VhostUserMap *map, VhostUserTable *table)
{
    uint64_t generation = atomic_load(&map->generation);

    table->generation = generation + 1;
    atomic_store(&map->table, table);
    atomic_store(&map->generation, generation + 1);
    return generation;
}

static void retire_parts(VhostUserMap *map, const VhostUserTableChange *change, uint64_t generation)
{
    for (uint32_t i = 0; i < 2; i++) {
        if (change->old_leaves[i]) {
            retire(&map->parts, &change->old_leaves[i]->retired, generation);
        }
    }
    retire(&map->parts, &change->old->retired, generation);
}

/* The region is in no table any more. A pinned one waits for its last unpin first. */
static void retire_region(VhostUserMap *map, VhostUserRegion *region, uint64_t generation)
{
    region->removed = true;
    map->statistics.regions--;
    map->statistics.removed++;
    map->statistics.retired++;
    map->statistics.bytes -= region->size;
    if (region->pins == 0) {
        retire(&map->regions, &region->retired, generation);
    }
}

static void count_added(VhostUserMapStatistics *statistics, const VhostUserRegion *region)
{
    statistics->regions++;
    statistics->added++;
    statistics->bytes += region->size;
    if (statistics->regions > statistics->regions_peak) {
        statistics->regions_peak = statistics->regions;
    }
}

/* Whether @count regions at once are too many. */
static bool exceeds_slots(const VhostUserMap *map, uint64_t count)
{
    uint64_t retired = map->statistics.retired;

    return count + (retired > map->slots ? retired - map->slots : 0) > map->slots;
}

/* What of a region can be checked without looking at its file. 0 or a negative errno. */
static int check(const VhostUserMemoryRegion *region, const VhostUserTable *by_guest_address,
                 const VhostUserTable *by_user_address, const char **reason)
{
    *reason = vhost_user_validate_region(region);
    if (*reason) {
        return -EINVAL;
    }
    if (vhost_user_table_overlaps(by_guest_address, region->guest_address, region->size)) {
        *reason = "the region overlaps another one in guest memory";
        return -EEXIST;
    }
    if (vhost_user_table_overlaps(by_user_address, region->user_address, region->size)) {
        *reason = "the region overlaps another one in user addresses";
        return -EEXIST;
    }
    return 0;
}

/* Maps the region, and registers it when post-copy is under way. 0 or a negative errno. */
static int map_region(VhostUserMap *map, const VhostUserMemoryRegion *description, int fd,
                      VhostUserRegion **region, const char **reason)
{
    int result = vhost_user_region_map(&map->pool, description, fd, region, reason);

    if (result != 0 || map->userfaultfd == -1) {
        return result;
    }
    result = vhost_user_region_register(*region, map->userfaultfd);
    if (result != 0) {
        *reason = "the region cannot be registered at the userfaultfd";
        vhost_user_region_unmap(&map->pool, *region);
    }
    return result;
}

int vhost_user_map_add(VhostUserMap *map, const VhostUserMemoryRegion *description, int fd,
                       const char **reason)
{
    VhostUserTable *table = atomic_load(&map->table);
    VhostUserTableChange guest, user;
    VhostUserRegion *region;
    int result;

    result = check(description, table, map->by_user_address, reason);
    if (result != 0) {
        return result;
    }
    vhost_user_map_reclaim(map);
    if (exceeds_slots(map, map->statistics.regions + 1)) {
        *reason = "no memory slot is free";
        return -ENOSPC;
    }
    result = map_region(map, description, fd, &region, reason);
    if (result != 0) {
        return result;
    }
    if (!vhost_user_table_insert(map->by_user_address, region, &user)) {
        goto no_memory;
    }
    if (!vhost_user_table_insert(table, region, &guest)) {
        vhost_user_table_free_new(&user);
        goto no_memory;
    }
    map->by_user_address = user.new;
    vhost_user_table_free_old(&user);
    retire_parts(map, &guest, publish(map, guest.new));
    count_added(&map->statistics, region);
    vhost_user_map_reclaim(map);
    return 0;

no_memory:
    vhost_user_region_unmap(&map->pool, region);
    *reason = "out of memory";
    return -ENOMEM;
}

int vhost_user_map_remove(VhostUserMap *map, const VhostUserMemoryRegion *description,
                          const char **reason)
{
    VhostUserTable *table = atomic_load(&map->table);
    VhostUserRegion *region = vhost_user_table_find(table, description->guest_address);
    VhostUserTableChange guest, user;
    uint64_t generation;

    if (!region || region->guest_address != description->guest_address ||
        region->size != description->size || region->user_address != description->user_address) {
        *reason = "there is no region with these addresses and this size";
        return -ENOENT;
    }
    if (region->pins > 0) {
        *reason = "a ring that runs lies in the region";
        return -EBUSY;
    }
    if (!vhost_user_table_remove(map->by_user_address, region, &user)) {
        goto no_memory;
    }
    if (!vhost_user_table_remove(table, region, &guest)) {
        vhost_user_table_free_new(&user);
        goto no_memory;
    }
    map->by_user_address = user.new;
    vhost_user_table_free_old(&user);
    generation = publish(map, guest.new);
    retire_parts(map, &guest, generation);
    retire_region(map, region, generation);
    vhost_user_map_reclaim(map);
    return 0;

no_memory:
    *reason = "out of memory";
    return -ENOMEM;
}

/* A whole new table in the making. */
typedef struct Replacement {
    VhostUserTable *by_guest_address, *by_user_address;
    VhostUserRegion **regions; /* @count of them are in the tables */
    bool *kept;                /* from the table before */
    uint32_t count;
} Replacement;

/* Nobody has seen the tables yet: the old parts go at once. */
static bool replacement_insert(Replacement *replacement, VhostUserRegion *region)
{
    VhostUserTableChange guest, user;

    if (!vhost_user_table_insert(replacement->by_guest_address, region, &guest)) {
        return false;
    }
    if (!vhost_user_table_insert(replacement->by_user_address, region, &user)) {
        vhost_user_table_free_new(&guest);
        return false;
    }
    vhost_user_table_free_old(&guest);
    vhost_user_table_free_old(&user);
    replacement->by_guest_address = guest.new;
    replacement->by_user_address = user.new;
    return true;
}

static int replacement_add(VhostUserMap *map, Replacement *replacement,
                           const VhostUserMemoryRegion *description, int fd, const char **reason)
{
    VhostUserRegion *region;
    bool keep;
    int result;

    result =
        check(description, replacement->by_guest_address, replacement->by_user_address, reason);
    if (result != 0) {
        return result;
    }
    region = vhost_user_table_find(atomic_load(&map->table), description->guest_address);
    keep = region && vhost_user_region_is_same(region, description, fd);
    if (!keep) {
        result = map_region(map, description, fd, &region, reason);
        if (result != 0) {
            return result;
        }
    }
    if (!replacement_insert(replacement, region)) {
        if (!keep) {
            vhost_user_region_unmap(&map->pool, region);
        }
        *reason = "out of memory";
        return -ENOMEM;
    }
    replacement->regions[replacement->count] = region;
    replacement->kept[replacement->count] = keep;
    replacement->count++;
    return 0;
}

/* Only the arrays, or with the tables and mappings, if it came to nothing. */
static void replacement_clear(VhostUserMap *map, Replacement *replacement, bool all)
{
    for (uint32_t i = 0; all && i < replacement->count; i++) {
        if (!replacement->kept[i]) {
            vhost_user_region_unmap(&map->pool, replacement->regions[i]);
        }
    }
    if (all) {
        vhost_user_table_free(replacement->by_guest_address);
        vhost_user_table_free(replacement->by_user_address);
    }
    free(replacement->regions);
    free(replacement->kept);
}

static int replacement_make(VhostUserMap *map, Replacement *replacement,
                            const VhostUserMemoryRegion *regions, const int *fds, uint32_t count,
                            const char **reason)
{
    *replacement = (Replacement){
        .by_guest_address = vhost_user_table_new(VHOST_USER_ORDER_GUEST),
        .by_user_address = vhost_user_table_new(VHOST_USER_ORDER_USER),
        .regions = calloc(count + 1, sizeof(*replacement->regions)),
        .kept = calloc(count + 1, sizeof(*replacement->kept)),
    };
    if (!replacement->by_guest_address || !replacement->by_user_address || !replacement->regions ||
        !replacement->kept) {
        *reason = "out of memory";
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        int result = replacement_add(map, replacement, &regions[i], fds[i], reason);

        if (result != 0) {
            return result;
        }
    }
    return 0;
}

/* Regions kept from before that post-copy does not know yet. */
static int register_kept(VhostUserMap *map, const Replacement *replacement)
{
    for (uint32_t i = 0; map->userfaultfd != -1 && i < replacement->count; i++) {
        int result;

        if (!replacement->regions[i]->registered) {
            result = vhost_user_region_register(replacement->regions[i], map->userfaultfd);
            if (result != 0) {
                return result;
            }
        }
    }
    return 0;
}

/* Every leaf and every region that is not in the new table. */
static void retire_table(VhostUserMap *map, VhostUserTable *old, uint64_t generation)
{
    const VhostUserTable *new = atomic_load(&map->table);

    for (uint32_t i = 0; i < old->count; i++) {
        VhostUserLeaf *leaf = old->leaves[i].leaf;

        for (uint32_t j = 0; j < leaf->count; j++) {
            if (vhost_user_table_find(new, leaf->addresses[j]) != leaf->regions[j]) {
                retire_region(map, leaf->regions[j], generation);
            }
        }
        retire(&map->parts, &leaf->retired, generation);
    }
    retire(&map->parts, &old->retired, generation);
}

int vhost_user_map_replace(VhostUserMap *map, const VhostUserMemoryRegion *regions, const int *fds,
                           uint32_t count, const char **reason)
{
    VhostUserTable *old = atomic_load(&map->table);
    Replacement replacement;
    int result;

    vhost_user_map_reclaim(map);
    if (exceeds_slots(map, count)) {
        *reason = "there are fewer memory slots than regions";
        return -ENOSPC;
    }
    result = replacement_make(map, &replacement, regions, fds, count, reason);
    if (result == 0) {
        result = register_kept(map, &replacement);
        *reason = result ? "a region cannot be registered at the userfaultfd" : NULL;
    }
    if (result != 0) {
        replacement_clear(map, &replacement, true);
        return result;
    }
    vhost_user_table_free(map->by_user_address);
    map->by_user_address = replacement.by_user_address;
    retire_table(map, old, publish(map, replacement.by_guest_address));
    for (uint32_t i = 0; i < replacement.count; i++) {
        if (!replacement.kept[i]) {
            count_added(&map->statistics, replacement.regions[i]);
        }
    }
    replacement_clear(map, &replacement, false);
    vhost_user_map_reclaim(map);
    return 0;
}

void *vhost_user_map_pin(VhostUserMap *map, uint64_t user_address, uint64_t size,
                         VhostUserRegion **region, uint64_t *guest_address)
{
    VhostUserRegion *found = vhost_user_table_find(map->by_user_address, user_address);
    uint64_t offset;

    if (!found || size == 0) {
        return NULL;
    }
    offset = user_address - found->user_address;
    if (size > found->size - offset) {
        return NULL;
    }
    found->pins++;
    *region = found;
    if (guest_address) {
        *guest_address = found->guest_address + offset;
    }
    return found->host + offset;
}

void vhost_user_map_unpin(VhostUserMap *map, VhostUserRegion *region)
{
    region->pins--;
    if (region->pins == 0 && region->removed) {
        /* It was last found in an earlier generation; the list is in order. */
        retire(&map->regions, &region->retired, atomic_load(&map->generation) - 1);
        vhost_user_map_reclaim(map);
    }
}

int vhost_user_map_set_userfaultfd(VhostUserMap *map, int userfaultfd)
{
    int result = 0;

    if (userfaultfd == -1 && map->userfaultfd != -1) {
        result = vhost_user_region_pool_unregister(&map->pool, map->userfaultfd);
    }
    map->userfaultfd = userfaultfd;
    return result;
}

uint64_t vhost_user_map_base(const VhostUserMap *map, uint64_t guest_address)
{
    const VhostUserTable *table = atomic_load(&map->table);
    const VhostUserRegion *region = vhost_user_table_find(table, guest_address);

    return region && region->guest_address == guest_address ? (uint64_t)(uintptr_t)region->host : 0;
}

bool vhost_user_map_recover_fault(VhostUserMap *map, void *address)
{
    return vhost_user_region_pool_recover_fault(&map->pool, address);
}

void vhost_user_map_statistics(const VhostUserMap *map, VhostUserMapStatistics *statistics)
{
    *statistics = map->statistics;
}
