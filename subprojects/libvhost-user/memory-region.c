/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pool of regions.  A region's memory is used again for another one but never freed before the
 * map, so that a signal handler that looks for the mapping of an address can walk all of them
 * without a lock; its mapping is made known last and taken back first.
 */
#include "memory-region.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "file-mapping.h"

static bool pool_grow(VhostUserRegionPool *pool)
{
    VhostUserRegionChunk *chunk = calloc(1, sizeof(*chunk));

    if (!chunk) {
        return false;
    }
    for (uint32_t i = VHOST_USER_CHUNK_REGIONS; i > 0; i--) {
        chunk->regions[i - 1].retired.next = pool->free;
        pool->free = &chunk->regions[i - 1].retired;
    }
    chunk->next = atomic_load(&pool->chunks);
    atomic_store(&pool->chunks, chunk);
    return true;
}

void vhost_user_region_pool_clear(VhostUserRegionPool *pool)
{
    VhostUserRegionChunk *chunk = atomic_load(&pool->chunks);

    while (chunk) {
        VhostUserRegionChunk *next = chunk->next;

        for (uint32_t i = 0; i < VHOST_USER_CHUNK_REGIONS; i++) {
            if (atomic_load(&chunk->regions[i].pages) != 0) {
                vhost_user_region_unmap(pool, &chunk->regions[i]);
            }
        }
        free(chunk);
        chunk = next;
    }
}

int vhost_user_region_map(VhostUserRegionPool *pool, const VhostUserMemoryRegion *description,
                          int fd, VhostUserRegion **region, const char **reason)
{
    VhostUserFileMapping mapping;
    VhostUserRegion *new;
    struct stat file;
    int result;

    if (!pool->free && !pool_grow(pool)) {
        *reason = "out of memory";
        return -ENOMEM;
    }
    result = vhost_user_file_map(&mapping, fd, description->mmap_offset, description->size, &file,
                                 reason);
    if (result != 0) {
        return result;
    }
    new = vhost_user_region_of(pool->free);
    pool->free = pool->free->next;
    new->guest_address = description->guest_address;
    new->size = description->size;
    new->host = mapping.bytes;
    new->user_address = description->user_address;
    new->mmap_offset = description->mmap_offset;
    new->device = file.st_dev;
    new->inode = file.st_ino;
    new->pins = 0;
    new->removed = false;
    new->registered = false;
    /* In this order: whoever sees the address sees the size as well. */
    atomic_store(&new->pages_size, mapping.pages_size);
    atomic_store(&new->pages, (uintptr_t)mapping.pages);
    *region = new;
    return 0;
}

void vhost_user_region_unmap(VhostUserRegionPool *pool, VhostUserRegion *region)
{
    VhostUserFileMapping mapping = {
        .pages = (void *)atomic_exchange(&region->pages, 0),
        .pages_size = atomic_load(&region->pages_size),
    };

    vhost_user_file_unmap(&mapping);
    region->retired.next = pool->free;
    pool->free = &region->retired;
}

bool vhost_user_region_is_same(const VhostUserRegion *region,
                               const VhostUserMemoryRegion *description, int fd)
{
    struct stat file;

    return region->guest_address == description->guest_address &&
           region->size == description->size && region->user_address == description->user_address &&
           region->mmap_offset == description->mmap_offset && fstat(fd, &file) == 0 &&
           region->device == file.st_dev && region->inode == file.st_ino &&
           !vhost_user_file_check(&file, description->mmap_offset, description->size);
}

int vhost_user_region_register(VhostUserRegion *region, int userfaultfd)
{
    uintptr_t pages = atomic_load(&region->pages);
    size_t size = atomic_load(&region->pages_size);
    struct uffdio_register request = {
        .range = {.start = pages, .len = size},
        .mode = UFFDIO_REGISTER_MODE_MISSING,
    };

    /* Pages that we have seen already must fault again once the front-end has punched them out. */
    if (madvise((void *)pages, size, MADV_DONTNEED) != 0 ||
        ioctl(userfaultfd, UFFDIO_REGISTER, &request) != 0) {
        return -errno;
    }
    region->registered = true;
    return 0;
}

int vhost_user_region_pool_unregister(VhostUserRegionPool *pool, int userfaultfd)
{
    int result = 0;

    for (VhostUserRegionChunk *chunk = atomic_load(&pool->chunks); chunk; chunk = chunk->next) {
        for (uint32_t i = 0; i < VHOST_USER_CHUNK_REGIONS; i++) {
            VhostUserRegion *region = &chunk->regions[i];
            struct uffdio_range range = {
                .start = atomic_load(&region->pages),
                .len = atomic_load(&region->pages_size),
            };

            if (range.start == 0 || !region->registered) {
                continue;
            }
            region->registered = false;
            if (ioctl(userfaultfd, UFFDIO_UNREGISTER, &range) != 0) {
                result = -errno;
            }
        }
    }
    return result;
}

bool vhost_user_region_pool_recover_fault(VhostUserRegionPool *pool, void *address)
{
    VhostUserRegionChunk *chunk = atomic_load(&pool->chunks);

    for (; chunk; chunk = chunk->next) {
        for (uint32_t i = 0; i < VHOST_USER_CHUNK_REGIONS; i++) {
            VhostUserRegion *region = &chunk->regions[i];
            uintptr_t pages = atomic_load(&region->pages);
            size_t size = atomic_load(&region->pages_size);

            /* Looked at twice, as the size of a region that is made anew changes in between.  The
             * one that the fault is in stands still: the faulting thread uses it. */
            if (pages != 0 && atomic_load(&region->pages) == pages &&
                (uintptr_t)address - pages < size) {
                return vhost_user_file_recover_fault((void *)pages, size, address);
            }
        }
    }
    return false;
}
