/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest memory that a front-end lends: regions mapped into our process, found by guest address
 * (queues) and by user address of the front-end (control thread).  Private to the library.
 *
 * One writer, the control thread; one VhostUserReader a queue.  A reader takes no lock and is never
 * waited for: the writer publishes a new table, which shares with the old one all that did not
 * change, and unmaps what was removed when no reader can use a table of the time before.  A reader
 * uses a table between enter and leave, and beyond that for as long as it holds a token: a request
 * in flight has pointers into guest memory.
 */
#ifndef VHOST_USER_MEMORY_MAP_H
#define VHOST_USER_MEMORY_MAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libvhost-user/wire.h"

typedef struct VhostUserMap VhostUserMap;
typedef struct VhostUserRegion VhostUserRegion;
typedef struct VhostUserReader VhostUserReader;

/* @wake_fd, an eventfd that stays the caller's, is written when vhost_user_map_reclaim() may find
 * something.  NULL: out of memory. */
VhostUserMap *vhost_user_map_new(uint32_t slots, int wake_fd);

/* Unmaps all; no reader is left. NULL is allowed. */
void vhost_user_map_free(VhostUserMap *map);

/*
 * Adds one region (ADD_MEM_REG).  @fd stays the caller's.  Checks: the range, overlap in guest or
 * user addresses with others, a free slot, the file's size behind the offset (fstat), mmap.  0 or a
 * negative errno with @reason, a static string that goes on after "ADD_MEM_REG: ".  A retired
 * region counts as a slot too once more than @slots of them wait.  Takes the same time for the
 * first region and for the last: O(sqrt n) words copied at most, three system calls.
 */
int vhost_user_map_add(VhostUserMap *map, const VhostUserMemoryRegion *region, int fd,
                       const char **reason);

/* Removes the region with this guest address, size and user address (REM_MEM_REG; the offset is not
 * compared, as the specification leaves it out).  -ENOENT, or -EBUSY if it is pinned. */
int vhost_user_map_remove(VhostUserMap *map, const VhostUserMemoryRegion *region,
                          const char **reason);

/*
 * SET_MEM_TABLE: the new table is exactly this, or nothing has changed.  A region that is there
 * already with the same address, size, offset and file (st_dev, st_ino) keeps its mapping.  Pins of
 * what went are still valid until unpinned.
 */
int vhost_user_map_replace(VhostUserMap *map, const VhostUserMemoryRegion *regions, const int *fds,
                           uint32_t count, const char **reason);

/* Unmaps removed regions that no reader and no pin needs any more. Returns how many still wait. */
uint32_t vhost_user_map_reclaim(VhostUserMap *map);

/*
 * Control thread: the host address of @size bytes at a user address, all in one region, or NULL.
 * The region is pinned: not removed until vhost_user_map_unpin().  @guest_address may be NULL.
 */
void *vhost_user_map_pin(VhostUserMap *map, uint64_t user_address, uint64_t size,
                         VhostUserRegion **region, uint64_t *guest_address);
void vhost_user_map_unpin(VhostUserMap *map, VhostUserRegion *region);

/*
 * Post-copy.  With @userfaultfd not -1, memory of regions that are added from now on is registered
 * there for missing pages, and empty until the front-end fills it.  -1: all are unregistered
 * (POSTCOPY_END).  0 or a negative errno.
 */
int vhost_user_map_set_userfaultfd(VhostUserMap *map, int userfaultfd);

/* Where the region with this guest address lies in our process, as the post-copy answers name it; 0
 * if there is none. */
uint64_t vhost_user_map_base(const VhostUserMap *map, uint64_t guest_address);

/* See vhost_user_device_recover_fault().  Async-signal-safe.  Finds removed regions too that a
 * request in flight still uses. */
bool vhost_user_map_recover_fault(VhostUserMap *map, void *address);

typedef struct VhostUserMapStatistics {
    uint64_t regions, regions_peak, added, removed, retired, bytes;
} VhostUserMapStatistics;
void vhost_user_map_statistics(const VhostUserMap *map, VhostUserMapStatistics *statistics);

/*
 * A reader, one a queue.  @tokens: how many it will hold at most.  Made and ended by the control
 * thread while the queue does not run; used by the queue thread.  NULL: out of memory.
 */
VhostUserReader *vhost_user_reader_new(VhostUserMap *map, uint32_t tokens);
void vhost_user_reader_free(VhostUserReader *reader);

/* From here on lookups see one table, the newest at this moment. Never waits. */
void vhost_user_reader_enter(VhostUserReader *reader);
void vhost_user_reader_leave(VhostUserReader *reader);

/*
 * Between enter and leave: like a leave and an enter, but costs next to nothing while there is no
 * newer table.  For each request before its first lookup and behind the load that has shown it: the
 * driver may have made it for memory that came, or was replaced, since enter.
 */
void vhost_user_reader_refresh(VhostUserReader *reader);

/* Between enter and leave: what was looked up since enter or the last refresh stays mapped until
 * the token is released, which may be later (also outside of enter and leave, on the queue thread).
 */
uint32_t vhost_user_reader_hold(VhostUserReader *reader);
void vhost_user_reader_release(VhostUserReader *reader, uint32_t token);

/*
 * Between enter and leave: the host address of a guest address, and how many of the @size bytes
 * (not 0) follow there in one region; NULL if none.  Binary search, with the last two regions that
 * were hit tried first.
 */
void *vhost_user_reader_translate(VhostUserReader *reader, uint64_t guest_address, uint64_t size,
                                  uint64_t *contiguous);

/* Any thread. */
uint64_t vhost_user_reader_lookups(const VhostUserReader *reader);
uint64_t vhost_user_reader_hits(const VhostUserReader *reader);

#endif
