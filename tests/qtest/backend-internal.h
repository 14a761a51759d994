/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the scripted backend among themselves: memory, rings, the rest.  Everything here is
 * called with the backend's lock held.
 */
#ifndef QTEST_BACKEND_INTERNAL_H
#define QTEST_BACKEND_INTERNAL_H

#include "qtest/backend.h"

/* --- memory: backend-memory.c --- */

typedef struct MappedRegion {
    VhostUserMemoryRegion wire;
    uint8_t *bytes; /* of the region's first byte; NULL if only counted */
    void *mapping;  /* what munmap() needs */
    gsize mapping_size;
} MappedRegion;

typedef struct BackendMemory {
    GArray *regions;     /* of MappedRegion, by guest address */
    uint64_t generation; /* grows with each change: cached pointers are void then */
    gboolean count_only;
} BackendMemory;

void memory_init(BackendMemory *memory);
void memory_clear(BackendMemory *memory); /* unmaps all; usable again */
void memory_free(BackendMemory *memory);
/* NULL, or why not (static string). @fd stays the caller's. */
const char *memory_add_region(BackendMemory *memory, const VhostUserMemoryRegion *region, int fd);
const char *memory_remove_region(BackendMemory *memory, const VhostUserMemoryRegion *region);
/* Host address of a guest address; *@left: bytes from there to the region's end.  O(log n). */
uint8_t *memory_by_guest(BackendMemory *memory, uint64_t address, uint64_t *left);
/* The same for a front-end user address; O(n). NULL unless @size bytes are there. */
uint8_t *memory_by_user(BackendMemory *memory, uint64_t address, uint64_t size);

/* --- rings: backend-ring.c --- */

typedef struct BackendRing {
    uint32_t size;
    gboolean packed; /* not served, only passed through */
    uint32_t base;   /* as it came, for a packed ring */
    uint16_t next;   /* of the available ring */
    VhostUserVringAddr address;
    int kick, call, err; /* -1: none */
    gboolean running, enabled;
    uint64_t generation; /* of the memory for which the pointers are good */
    struct vring_desc *descriptors;
    struct vring_avail *available;
    struct vring_used *used;
} BackendRing;

typedef struct BackendDisk {
    uint8_t *bytes;
    uint64_t size; /* 0: echo requests */
    uint64_t requests;
} BackendDisk;

BackendRing *ring_new(void);
void ring_free(BackendRing *ring);
/* Makes the pointers good for the memory as it is. FALSE: the ring lies outside it. */
gboolean ring_resolve(BackendRing *ring, BackendMemory *memory);
/* What a request does, as pieces of host memory; the bytes written to the driver's. */
typedef uint32_t RingExecutor(gpointer opaque, GArray *pieces);
/* Serves what is available, @most requests. NULL, or what is wrong with the ring. */
const char *ring_serve(BackendRing *ring, BackendMemory *memory, gboolean event_index, guint most,
                       RingExecutor *execute, gpointer opaque);
/* Copies out of the readable pieces (or into the writable ones) from @offset on; bytes copied. */
uint64_t ring_copy(GArray *pieces, gboolean writable, uint64_t offset, void *bytes, uint64_t size);
/* Of a BackendDisk; one of no size gives everything back. */
uint32_t disk_execute(gpointer opaque, GArray *pieces);

/* --- packets: backend-network.c --- */

typedef struct BackendNetwork {
    GQueue packets; /* that came */
    guint pair;     /* being served */
} BackendNetwork;

const char *network_serve(BackendNetwork *network, BackendRing *ring, guint index,
                          BackendMemory *memory, gboolean event_index);
void network_clear(BackendNetwork *network);

#endif
