/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One queue's area of the in-flight buffer, written so that a back-end that is killed between any
 * two stores leaves a state from which the next one resubmits exactly what the driver has not seen
 * used.  Layout and order of the stores: vhost-user, "Inflight I/O tracking".
 *
 * The front-end can write the area at any time.  So it is read at the start only, each value once
 * and checked; later on it is only written, and what we need of it we keep for ourselves.
 */
#ifndef VHOST_USER_INFLIGHT_TRACK_H
#define VHOST_USER_INFLIGHT_TRACK_H

#include <stdbool.h>
#include <stdint.h>

#define VHOST_USER_INFLIGHT_VERSION 1u /* 0: nobody has written to the area yet */

/* Area of a split ring. */
typedef struct VhostUserInflightSplitEntry {
    uint8_t in_flight; /* of the first descriptor of a chain */
    uint8_t padding[5];
    uint16_t next; /* entry that was used before, in the list of the last batch */
    uint64_t counter;
} VhostUserInflightSplitEntry;

typedef struct VhostUserInflightSplitArea {
    uint64_t features; /* 0 */
    uint16_t version;
    uint16_t entries;
    uint16_t last_batch_head;
    uint16_t used; /* the used index up to which the entries are right */
    VhostUserInflightSplitEntry entry[];
} VhostUserInflightSplitArea;

/* Area of a packed ring.  The descriptors themselves are kept, as the ring overwrites them. */
typedef struct VhostUserInflightPackedEntry {
    uint8_t in_flight; /* of the first entry of a chain, as are last, count and counter */
    uint8_t padding;
    uint16_t next; /* entry behind this one, in a chain or in the list of free ones */
    uint16_t last;
    uint16_t count;
    uint64_t counter;
    uint16_t id; /* the descriptor, in the ring's order of members but for the address */
    uint16_t flags;
    uint32_t length;
    uint64_t address;
} VhostUserInflightPackedEntry;

typedef struct VhostUserInflightPackedArea {
    uint64_t features; /* 0 */
    uint16_t version;
    uint16_t entries;
    uint16_t free_head, old_free_head;
    uint16_t used, old_used;
    uint8_t used_wrap, old_used_wrap;
    uint8_t padding[7];
    VhostUserInflightPackedEntry entry[];
} VhostUserInflightPackedArea;

/* A descriptor of a packed ring (virtio 1.2, 2.8.13). */
typedef struct VhostUserPackedDescriptor {
    uint64_t address;
    uint32_t length;
    uint16_t id;
    uint16_t flags;
} VhostUserPackedDescriptor;

/* virtio 1.2, 2.8.1: both equal the ring's wrap counter once used, USED is its inverse before. */
#define VHOST_USER_PACKED_AVAILABLE 0x80u
#define VHOST_USER_PACKED_USED 0x8000u

/* A request that was in flight when the earlier back-end ended. */
typedef struct VhostUserInflightRequest {
    uint64_t counter;
    uint16_t index; /* split: first descriptor; packed: first entry */
} VhostUserInflightRequest;

typedef struct VhostUserInflightTrack {
    union {
        VhostUserInflightSplitArea *split;
        VhostUserInflightPackedArea *packed;
    };
    bool active;                        /* there is an area */
    uint64_t counter;                   /* of the next request */
    VhostUserInflightRequest *requests; /* oldest first */
    uint32_t count;
    /* Packed. */
    uint32_t descriptors;                 /* in the ring, of all requests */
    VhostUserPackedDescriptor *recovered; /* of all requests, by entry */
    uint16_t *next;                       /* our own copy of the links */
    uint16_t *last;                       /* of the first entry of a chain */
    uint16_t free_head;                   /* the number of entries: none is free */
} VhostUserInflightTrack;

/* The members are cleared and memory is freed; the area stays as it is. */
void vhost_user_inflight_track_end(VhostUserInflightTrack *track);

/* Puts the requests in order and lets the counter go on behind them. */
void vhost_user_inflight_track_sort(VhostUserInflightTrack *track);

/*
 * Reads what an earlier back-end left, if any (*@recovered), and brings it up to date with the used
 * index *@used of the ring.  @area has room for @size entries at least.  0, -ENOMEM, or -EINVAL
 * with @reason.
 */
int vhost_user_inflight_split_start(VhostUserInflightTrack *track, void *area, uint32_t size,
                                    uint16_t used, bool *recovered, const char **reason);

/* A request was popped: in flight from here on. */
void vhost_user_inflight_split_pop(VhostUserInflightTrack *track, uint16_t head);
/* It was not, after all. */
void vhost_user_inflight_split_unpop(VhostUserInflightTrack *track, uint16_t head);
/* Before the used index of a batch is written, for each of it, and after it is: for each, then
 * once. */
void vhost_user_inflight_split_use(VhostUserInflightTrack *track, uint16_t head);
void vhost_user_inflight_split_used(VhostUserInflightTrack *track, uint16_t head);
void vhost_user_inflight_split_used_index(VhostUserInflightTrack *track, uint16_t used);

/*
 * The same for a packed ring.  *@used and *@used_wrap go in as the front-end gave them and come out
 * as the area knows them, if it does.
 */
int vhost_user_inflight_packed_start(VhostUserInflightTrack *track, void *area, uint32_t size,
                                     const VhostUserPackedDescriptor *ring, uint16_t *used,
                                     bool *used_wrap, bool *recovered, const char **reason);

/* A request of @count descriptors. Returns its first entry. */
uint16_t vhost_user_inflight_packed_pop(VhostUserInflightTrack *track,
                                        const VhostUserPackedDescriptor *descriptors,
                                        uint32_t count);
void vhost_user_inflight_packed_unpop(VhostUserInflightTrack *track, uint16_t entry);
/* Before and after the flags of a used descriptor are written; @used is the position behind. */
void vhost_user_inflight_packed_use(VhostUserInflightTrack *track, uint16_t entry, uint16_t used,
                                    bool used_wrap);
void vhost_user_inflight_packed_used(VhostUserInflightTrack *track, uint16_t entry, uint16_t used,
                                     bool used_wrap);

/* Stores of a process that is killed are seen in the order in which it made them; release keeps the
 * compiler to that order, and the processor towards a peer that looks on.  What is loaded is loaded
 * once. */
#define VHOST_USER_INFLIGHT_STORE(place, value)                                                    \
    __atomic_store_n(&(place), (value), __ATOMIC_RELEASE)
#define VHOST_USER_INFLIGHT_LOAD(place) __atomic_load_n(&(place), __ATOMIC_RELAXED)

#endif
