/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What memory-map.c (the writer) and memory-reader.c share. */
#ifndef VHOST_USER_MEMORY_INTERNAL_H
#define VHOST_USER_MEMORY_INTERNAL_H

#include <stdalign.h>

#include "memory-region.h"

/* No generation: of a reader that uses none, or when nothing waits for one. */
#define VHOST_USER_GENERATION_NONE UINT64_MAX

/* Oldest first. */
typedef struct VhostUserRetiredList {
    VhostUserRetired *first, *last;
} VhostUserRetiredList;

struct VhostUserMap {
    /* Published: read by the readers. The generation rises with each table, after it. */
    alignas(64) _Atomic(VhostUserTable *) table;
    _Atomic uint64_t generation;
    _Atomic uint64_t waiting; /* generation of the first region that waits to be unmapped */
    int wake_fd;

    /* The control thread's own. */
    alignas(64) VhostUserTable *by_user_address;
    VhostUserReader *readers;
    VhostUserRegionPool pool;
    VhostUserRetiredList parts;   /* roots and leaves: needed by who is between enter and leave */
    VhostUserRetiredList regions; /* also by who holds a token */
    uint32_t slots;
    int userfaultfd;
    VhostUserMapStatistics statistics;
};

/* Tokens of one generation. Those that are in use form a list, oldest first. */
typedef struct VhostUserTokens {
    uint64_t generation;
    uint32_t count;
    uint32_t older, newer; /* indices; newer also links the free ones */
} VhostUserTokens;

struct VhostUserReader {
    /*
     * Written by the queue thread, read by others: the oldest generation whose tables it may use,
     * and the oldest whose regions it may use for its tokens' sake.
     */
    alignas(64) _Atomic uint64_t entered;
    _Atomic uint64_t held;
    _Atomic uint64_t lookups, hits;

    /* The queue thread's own. */
    alignas(64) VhostUserMap *map;
    const VhostUserTable *table; /* NULL outside of enter and leave */
    uint64_t generation;         /* of the last enter */
    uint64_t lowest;             /* what it needed since it last looked whether something waits */
    uint64_t cached_generation;  /* of the table that the cache is of */
    VhostUserSpan cache[2];      /* the last hit, and the one before in another region */
    VhostUserTokens *tokens;
    uint32_t oldest, newest, free; /* indices into tokens */

    VhostUserReader *next; /* the control thread's */
};

#endif
