/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory as the one who lends it sees it: areas with a guest address, a host address and a
 * file behind them.  For what plays the guest against a back-end: tests, load generators,
 * user-space drivers.  Needs libc only.  May be included from C++.
 */
#ifndef LIBVHOST_USER_GUEST_MEMORY_H
#define LIBVHOST_USER_GUEST_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* One area; a region of the protocol.  Whoever made it owns the descriptor and the mapping. */
typedef struct VhostUserMemoryArea {
    uint64_t guest_address;
    uint64_t size;   /* bytes */
    void *host;      /* where it is mapped here; goes over the wire as the user address */
    int fd;          /* the file behind it, for the back-end to map; -1: none */
    uint64_t offset; /* bytes into @fd */
} VhostUserMemoryArea;

/*
 * The host address of @size bytes at @guest_address, or NULL if they do not lie in one of the
 * areas.  @areas are sorted by guest address and do not overlap.  Any thread.
 */
void *vhost_user_guest_memory_host(const VhostUserMemoryArea *areas, size_t count,
                                   uint64_t guest_address, uint64_t size);

/* The guest address of the byte at @host, or UINT64_MAX if it lies in none of the areas; looks at
 * one after the other.  Any thread. */
uint64_t vhost_user_guest_memory_address(const VhostUserMemoryArea *areas, size_t count,
                                         const void *host);

/* Areas over one memfd, which lie in it, and in this process, one right behind the other. */
typedef struct VhostUserGuestMemory {
    VhostUserMemoryArea *areas; /* sorted by guest address */
    size_t count;
} VhostUserGuestMemory;

/*
 * @count areas of @area_size bytes (a multiple of the page size, not 0): the first at
 * @guest_address, each @gap bytes behind the end of the one before (0: guest memory goes on over
 * the border, and a buffer may straddle it).  Zeroed; takes memory only where it is touched; the
 * memfd is sealed against shrinking and growing.  NULL with errno.
 */
VhostUserGuestMemory *vhost_user_guest_memory_new(uint64_t guest_address, uint64_t area_size,
                                                  size_t count, uint64_t gap);

/* Unmaps and closes it.  NULL is allowed. */
void vhost_user_guest_memory_free(VhostUserGuestMemory *memory);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
