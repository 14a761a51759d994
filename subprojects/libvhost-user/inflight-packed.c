/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The in-flight area of a packed ring.  Entries that are not in flight are linked to a list.  A
 * request is in flight once old_free_head has gone past its entries.  It is used once the flags of
 * the used descriptor are in the ring: whoever finds old_used behind used looks there to see
 * whether the driver was told, and makes both the new or both the old position.
 *
 * Each used descriptor is a batch of its own here: no descriptor behind the first one has flags
 * that a driver could take for used before the batch is told of.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "inflight-track.h"

_Static_assert(sizeof(VhostUserInflightPackedEntry) == 32, "entry");
_Static_assert(offsetof(VhostUserInflightPackedArea, used) == 16, "positions");
_Static_assert(offsetof(VhostUserInflightPackedArea, entry) == 32, "entries");
_Static_assert(sizeof(VhostUserPackedDescriptor) == 16, "descriptor");

#define STORE VHOST_USER_INFLIGHT_STORE
#define LOAD VHOST_USER_INFLIGHT_LOAD

/* The four position members as they lie in the area, two bytes of padding behind them. */
typedef union Positions {
    struct {
        uint16_t used, old_used;
        uint8_t used_wrap, old_used_wrap;
        uint8_t padding[2];
    };
    uint64_t whole;
} Positions;

_Static_assert(sizeof(Positions) == 8, "positions");

/*
 * All four in one store.  One after the other there would always be a moment at which a position
 * has the other one's wrap counter.
 */
static void store_positions(VhostUserInflightPackedArea *area, const Positions *positions)
{
    __atomic_store_n((uint64_t *)(void *)&area->used, positions->whole, __ATOMIC_RELEASE);
}

static Positions load_positions(const VhostUserInflightPackedArea *area)
{
    Positions positions = {
        .whole = __atomic_load_n((const uint64_t *)(const void *)&area->used, __ATOMIC_RELAXED)};

    return positions;
}

static void make_both_new(Positions *positions)
{
    positions->old_used = positions->used;
    positions->old_used_wrap = positions->used_wrap;
}

static void initialize(VhostUserInflightPackedArea *area, uint32_t size, uint16_t used,
                       bool used_wrap)
{
    Positions positions = {.used = used, .used_wrap = used_wrap};

    memset(area->entry, 0, size * sizeof(area->entry[0]));
    for (uint32_t i = 0; i < size; i++) {
        area->entry[i].next = (uint16_t)(i + 1);
    }
    area->features = 0;
    area->entries = (uint16_t)size;
    area->free_head = 0;
    area->old_free_head = 0;
    make_both_new(&positions);
    store_positions(area, &positions);
    STORE(area->version, VHOST_USER_INFLIGHT_VERSION);
}

/* Whether the descriptor is still as the driver made it available. */
static bool is_available(const VhostUserPackedDescriptor *descriptor, bool wrap)
{
    uint16_t flags = __atomic_load_n(&descriptor->flags, __ATOMIC_ACQUIRE);
    bool available = flags & VHOST_USER_PACKED_AVAILABLE, used = flags & VHOST_USER_PACKED_USED;

    return available == wrap && used != wrap;
}

/* Ends the update that was under way, or takes it back. */
static const char *settle(VhostUserInflightPackedArea *area, uint32_t size,
                          const VhostUserPackedDescriptor *ring, Positions *positions)
{
    *positions = load_positions(area);
    if (positions->used >= size || positions->old_used >= size || positions->used_wrap > 1 ||
        positions->old_used_wrap > 1) {
        return "the in-flight area's used index is not below the ring's size";
    }
    /* The wrap counter as well: a chain may be as long as the ring. */
    if ((positions->used != positions->old_used ||
         positions->used_wrap != positions->old_used_wrap) &&
        !is_available(&ring[positions->old_used], positions->old_used_wrap)) {
        STORE(area->old_free_head, LOAD(area->free_head));
        make_both_new(positions);
        store_positions(area, positions);
    }
    STORE(area->free_head, LOAD(area->old_free_head));
    positions->used = positions->old_used;
    positions->used_wrap = positions->old_used_wrap;
    store_positions(area, positions);
    return NULL;
}

static void clear_free_entries(VhostUserInflightPackedArea *area, uint32_t size)
{
    uint16_t entry = LOAD(area->old_free_head);

    /* Other back-ends may link the last one to any place. */
    for (uint32_t i = 0; i < size && entry < size; i++) {
        STORE(area->entry[entry].in_flight, 0);
        entry = LOAD(area->entry[entry].next);
    }
}

/* Copies one chain's descriptors and marks its entries in track->next. */
static const char *collect_chain(VhostUserInflightTrack *track, uint16_t first, uint32_t size)
{
    VhostUserInflightPackedArea *area = track->packed;
    uint32_t count = LOAD(area->entry[first].count);
    uint16_t entry = first, last = first;

    if (count == 0 || count > size) {
        return "the in-flight area has a request without descriptors or with too many";
    }
    for (uint32_t i = 0; i < count; i++) {
        VhostUserPackedDescriptor *copy;

        if (entry >= size || track->last[entry] != size) {
            return "the in-flight area has two requests in one entry, or one outside of it";
        }
        copy = &track->recovered[entry];
        copy->address = LOAD(area->entry[entry].address);
        copy->length = LOAD(area->entry[entry].length);
        copy->id = LOAD(area->entry[entry].id);
        copy->flags = LOAD(area->entry[entry].flags);
        track->last[entry] = 0;
        last = entry;
        entry = LOAD(area->entry[entry].next);
        track->next[last] = entry;
    }
    track->last[first] = last;
    track->descriptors += count;
    return NULL;
}

static const char *collect(VhostUserInflightTrack *track, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        track->last[i] = (uint16_t)size; /* nobody's */
    }
    for (uint32_t i = 0; i < size; i++) {
        if (LOAD(track->packed->entry[i].in_flight) != 0) {
            const char *reason = collect_chain(track, (uint16_t)i, size);

            if (reason) {
                return reason;
            }
            track->requests[track->count].index = (uint16_t)i;
            track->requests[track->count].counter = LOAD(track->packed->entry[i].counter);
            track->count++;
        }
    }
    vhost_user_inflight_track_sort(track);
    return NULL;
}

/* A free list of all entries that no request has, in the area and here. */
static void link_free_entries(VhostUserInflightTrack *track, uint32_t size)
{
    track->free_head = (uint16_t)size;
    for (uint32_t i = size; i-- > 0;) {
        if (track->last[i] == size) {
            track->next[i] = track->free_head;
            STORE(track->packed->entry[i].next, track->free_head);
            track->free_head = (uint16_t)i;
        }
    }
    STORE(track->packed->free_head, track->free_head);
    STORE(track->packed->old_free_head, track->free_head);
}

static bool allocate(VhostUserInflightTrack *track, uint32_t size)
{
    track->next = malloc(size * sizeof(*track->next));
    track->last = malloc(size * sizeof(*track->last));
    track->requests = malloc(size * sizeof(*track->requests));
    track->recovered = malloc(size * sizeof(*track->recovered));
    return track->next && track->last && track->requests && track->recovered;
}

int vhost_user_inflight_packed_start(VhostUserInflightTrack *track, void *area, uint32_t size,
                                     const VhostUserPackedDescriptor *ring, uint16_t *used,
                                     bool *used_wrap, bool *recovered, const char **reason)
{
    VhostUserInflightPackedArea *packed = area;
    uint16_t version = LOAD(packed->version);
    Positions positions;

    memset(track, 0, sizeof(*track));
    track->packed = packed;
    track->active = true;
    *recovered = version == VHOST_USER_INFLIGHT_VERSION;
    if (version == 0) {
        initialize(packed, size, *used, *used_wrap);
    } else if (version != VHOST_USER_INFLIGHT_VERSION || LOAD(packed->features) != 0) {
        *reason = "the in-flight area has an unknown version or features";
        return -EINVAL;
    }
    *reason = settle(packed, size, ring, &positions);
    if (*reason) {
        return -EINVAL;
    }
    *used = positions.used;
    *used_wrap = positions.used_wrap;
    if (!allocate(track, size)) {
        return -ENOMEM;
    }
    clear_free_entries(packed, size);
    *reason = collect(track, size);
    if (*reason) {
        return -EINVAL;
    }
    link_free_entries(track, size);
    return 0;
}

uint16_t vhost_user_inflight_packed_pop(VhostUserInflightTrack *track,
                                        const VhostUserPackedDescriptor *descriptors,
                                        uint32_t count)
{
    VhostUserInflightPackedArea *area = track->packed;
    uint16_t first = track->free_head, last = first;

    for (uint32_t i = 0; i < count; i++) {
        VhostUserInflightPackedEntry *entry;

        last = track->free_head;
        track->free_head = track->next[last];
        entry = &area->entry[last];
        entry->address = descriptors[i].address;
        entry->length = descriptors[i].length;
        entry->id = descriptors[i].id;
        entry->flags = descriptors[i].flags;
    }
    track->last[first] = last;
    area->entry[first].count = (uint16_t)count;
    area->entry[first].last = last;
    area->entry[first].counter = track->counter++;
    STORE(area->entry[first].in_flight, 1);
    STORE(area->free_head, track->free_head);
    STORE(area->old_free_head, track->free_head);
    return first;
}

static void put_on_free_list(VhostUserInflightTrack *track, uint16_t entry)
{
    uint16_t last = track->last[entry];

    STORE(track->packed->entry[last].next, track->free_head);
    track->next[last] = track->free_head;
    track->free_head = entry;
    STORE(track->packed->free_head, entry);
}

void vhost_user_inflight_packed_unpop(VhostUserInflightTrack *track, uint16_t entry)
{
    STORE(track->packed->entry[entry].in_flight, 0);
    put_on_free_list(track, entry);
    STORE(track->packed->old_free_head, entry);
}

void vhost_user_inflight_packed_use(VhostUserInflightTrack *track, uint16_t entry, uint16_t used,
                                    bool used_wrap)
{
    Positions positions = load_positions(track->packed);

    put_on_free_list(track, entry);
    positions.used = used;
    positions.used_wrap = used_wrap;
    store_positions(track->packed, &positions);
}

void vhost_user_inflight_packed_used(VhostUserInflightTrack *track, uint16_t entry, uint16_t used,
                                     bool used_wrap)
{
    Positions positions = {.used = used, .used_wrap = used_wrap};

    make_both_new(&positions);
    STORE(track->packed->entry[entry].in_flight, 0);
    STORE(track->packed->old_free_head, entry);
    store_positions(track->packed, &positions);
}
