/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One region of guest memory mapped into our process, and the pool that regions come from.  The
 * pool's memory is given back only with the map, so that a signal handler may walk it at any time.
 * Private to the memory map.
 */
#ifndef VHOST_USER_MEMORY_REGION_H
#define VHOST_USER_MEMORY_REGION_H

#include <stdatomic.h>
#include <sys/types.h>

#include "memory-table.h"

struct VhostUserRegion {
    uint64_t guest_address, size, user_address, mmap_offset;
    uint8_t *host;
    VhostUserRetired retired; /* also links the free ones of the pool */
    dev_t device;             /* with inode: the file behind it */
    ino_t inode;
    uint32_t pins;
    bool removed;    /* from the newest table */
    bool registered; /* at the userfaultfd */

    /* What is mapped; address 0: nothing.  Atomic because a signal handler reads them. */
    _Atomic uintptr_t pages;
    _Atomic size_t pages_size;
};

/* The region of a link in a list. */
static inline VhostUserRegion *vhost_user_region_of(VhostUserRetired *retired)
{
    return (VhostUserRegion *)((char *)retired - offsetof(VhostUserRegion, retired));
}

#define VHOST_USER_CHUNK_REGIONS 64u

typedef struct VhostUserRegionChunk {
    VhostUserRegion regions[VHOST_USER_CHUNK_REGIONS];
    struct VhostUserRegionChunk *next;
} VhostUserRegionChunk;

typedef struct VhostUserRegionPool {
    _Atomic(VhostUserRegionChunk *) chunks; /* newest first */
    VhostUserRetired *free;
} VhostUserRegionPool;

/* Unmaps every region and frees the pool, which must not be used any more. */
void vhost_user_region_pool_clear(VhostUserRegionPool *pool);

/* Makes a region that is mapped but in no table yet.  0, or a negative errno and @reason. */
int vhost_user_region_map(VhostUserRegionPool *pool, const VhostUserMemoryRegion *description,
                          int fd, VhostUserRegion **region, const char **reason);
/* Unmaps it and gives it back to the pool. */
void vhost_user_region_unmap(VhostUserRegionPool *pool, VhostUserRegion *region);

/* Whether mapping @description of @fd would give just what @region is. */
bool vhost_user_region_is_same(const VhostUserRegion *region,
                               const VhostUserMemoryRegion *description, int fd);

/* At a userfaultfd, for missing pages. 0 or a negative errno. */
int vhost_user_region_register(VhostUserRegion *region, int userfaultfd);
/* All of them, also those that are in no table any more. */
int vhost_user_region_pool_unregister(VhostUserRegionPool *pool, int userfaultfd);

/* Zeros of our own over the mapping that @address lies in. Async-signal-safe. */
bool vhost_user_region_pool_recover_fault(VhostUserRegionPool *pool, void *address);

#endif
