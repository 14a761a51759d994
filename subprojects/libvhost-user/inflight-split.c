/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The in-flight area of a split ring.  A request is in flight from the store to in_flight on.  A
 * batch is used from the store to the ring's used index on: whoever finds that the area's copy of
 * this index is behind clears in_flight for as many entries of the list of the last batch.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "inflight-track.h"

_Static_assert(sizeof(VhostUserInflightSplitEntry) == 16, "entry");
_Static_assert(offsetof(VhostUserInflightSplitArea, entry) == 16, "entries");

#define STORE VHOST_USER_INFLIGHT_STORE
#define LOAD VHOST_USER_INFLIGHT_LOAD

void vhost_user_inflight_track_end(VhostUserInflightTrack *track)
{
    free(track->requests);
    free(track->recovered);
    free(track->next);
    free(track->last);
    memset(track, 0, sizeof(*track));
}

static int by_counter(const void *a, const void *b)
{
    const VhostUserInflightRequest *left = a, *right = b;

    if (left->counter != right->counter) {
        return left->counter < right->counter ? -1 : 1;
    }
    return (int)left->index - (int)right->index;
}

void vhost_user_inflight_track_sort(VhostUserInflightTrack *track)
{
    if (track->count > 0) {
        qsort(track->requests, track->count, sizeof(*track->requests), by_counter);
        track->counter = track->requests[track->count - 1].counter + 1;
    }
}

/* The batch that the driver saw used before the area knew of it. */
static const char *finish_last_batch(VhostUserInflightSplitArea *area, uint32_t size, uint16_t used)
{
    uint16_t batch = (uint16_t)(used - LOAD(area->used));
    uint16_t entry = LOAD(area->last_batch_head);

    if (batch > size) {
        return "the in-flight area's used index is not near the ring's";
    }
    for (; batch > 0; batch--) {
        if (entry >= size) {
            return "the in-flight area's last batch names an entry that it does not have";
        }
        STORE(area->entry[entry].in_flight, 0);
        entry = LOAD(area->entry[entry].next);
    }
    STORE(area->used, used);
    return NULL;
}

static bool anything_in_flight(const VhostUserInflightSplitArea *area, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        if (LOAD(area->entry[i].in_flight) != 0) {
            return true;
        }
    }
    return false;
}

static int collect(VhostUserInflightTrack *track, uint32_t size)
{
    track->requests = malloc(size * sizeof(*track->requests));
    if (!track->requests) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < size; i++) {
        if (LOAD(track->split->entry[i].in_flight) != 0) {
            track->requests[track->count].index = (uint16_t)i;
            track->requests[track->count].counter = LOAD(track->split->entry[i].counter);
            track->count++;
        }
    }
    vhost_user_inflight_track_sort(track);
    return 0;
}

int vhost_user_inflight_split_start(VhostUserInflightTrack *track, void *area, uint32_t size,
                                    uint16_t used, bool *recovered, const char **reason)
{
    VhostUserInflightSplitArea *split = area;
    uint16_t version = LOAD(split->version);

    memset(track, 0, sizeof(*track));
    *recovered = version == VHOST_USER_INFLIGHT_VERSION;
    if (version == 0) {
        memset(split->entry, 0, size * sizeof(split->entry[0]));
        split->features = 0;
        split->entries = (uint16_t)size;
        split->last_batch_head = 0;
        split->used = used;
        STORE(split->version, VHOST_USER_INFLIGHT_VERSION);
    } else if (version != VHOST_USER_INFLIGHT_VERSION || LOAD(split->features) != 0) {
        *reason = "the in-flight area has an unknown version or features";
        return -EINVAL;
    } else if (!anything_in_flight(split, size)) {
        /* Nothing to finish; the driver may have set up the ring anew since. */
        STORE(split->used, used);
    } else {
        *reason = finish_last_batch(split, size, used);
        if (*reason) {
            return -EINVAL;
        }
    }
    track->split = split;
    track->active = true;
    return collect(track, size);
}

void vhost_user_inflight_split_pop(VhostUserInflightTrack *track, uint16_t head)
{
    STORE(track->split->entry[head].counter, track->counter);
    track->counter++;
    STORE(track->split->entry[head].in_flight, 1);
}

void vhost_user_inflight_split_unpop(VhostUserInflightTrack *track, uint16_t head)
{
    STORE(track->split->entry[head].in_flight, 0);
}

void vhost_user_inflight_split_use(VhostUserInflightTrack *track, uint16_t head)
{
    STORE(track->split->entry[head].next, LOAD(track->split->last_batch_head));
    STORE(track->split->last_batch_head, head);
}

void vhost_user_inflight_split_used(VhostUserInflightTrack *track, uint16_t head)
{
    STORE(track->split->entry[head].in_flight, 0);
}

void vhost_user_inflight_split_used_index(VhostUserInflightTrack *track, uint16_t used)
{
    STORE(track->split->used, used);
}
