/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue's view of guest memory: announces which generation it uses, so that the control thread
 * unmaps nothing under it, and translates guest addresses.  Why it works without a lock is told in
 * memory-map.c.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory-internal.h"

#define NO_TOKENS UINT32_MAX

/* Generations that a reader tells apart while it holds tokens of them; with more, tokens join an
 * older generation, which keeps more memory mapped than they need, and never less. */
#define GENERATIONS_HELD_MAXIMUM 256u

VhostUserReader *vhost_user_reader_new(VhostUserMap *map, uint32_t tokens)
{
    VhostUserReader *reader = aligned_alloc(alignof(VhostUserReader), sizeof(*reader));
    uint32_t count = tokens == 0                         ? 1
                     : tokens > GENERATIONS_HELD_MAXIMUM ? GENERATIONS_HELD_MAXIMUM
                                                         : tokens;

    if (!reader) {
        return NULL;
    }
    memset(reader, 0, sizeof(*reader));
    reader->tokens = calloc(count, sizeof(*reader->tokens));
    if (!reader->tokens) {
        free(reader);
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        reader->tokens[i].newer = i + 1 < count ? i + 1 : NO_TOKENS;
    }
    reader->oldest = reader->newest = NO_TOKENS;
    reader->map = map;
    reader->lowest = VHOST_USER_GENERATION_NONE;
    atomic_init(&reader->entered, VHOST_USER_GENERATION_NONE);
    atomic_init(&reader->held, VHOST_USER_GENERATION_NONE);
    reader->next = map->readers;
    map->readers = reader;
    return reader;
}

void vhost_user_reader_free(VhostUserReader *reader)
{
    VhostUserReader **link;

    if (!reader) {
        return;
    }
    for (link = &reader->map->readers; *link != reader; link = &(*link)->next) {
    }
    *link = reader->next;
    vhost_user_map_reclaim(reader->map);
    free(reader->tokens);
    free(reader);
}

static uint64_t oldest_held(const VhostUserReader *reader)
{
    return reader->oldest == NO_TOKENS ? VHOST_USER_GENERATION_NONE
                                       : reader->tokens[reader->oldest].generation;
}

/*
 * The reader needs less than before: if that was what the first retired region waited for, the
 * control thread has to look.  In the one order of all sequentially consistent operations either
 * our announcement comes before its look, or the waiting mark that it sets before looking comes
 * before ours.
 */
static void wake_if_waited_for(VhostUserReader *reader)
{
    uint64_t waiting = atomic_load(&reader->map->waiting);
    uint64_t oldest = oldest_held(reader);
    const uint64_t one = 1;

    if (reader->table && reader->generation < oldest) {
        oldest = reader->generation;
    }

    if (reader->lowest <= waiting && waiting < oldest) {
        /* The counter can only be full, and then the descriptor is readable anyway. */
        ssize_t written = write(reader->map->wake_fd, &one, sizeof(one));

        (void)written;
    }
    reader->lowest = oldest;
}

void vhost_user_reader_enter(VhostUserReader *reader)
{
    VhostUserMap *map = reader->map;

    /* The generation may be old when it is announced: that keeps too much, never too little. */
    reader->generation = atomic_load(&map->generation);
    atomic_store(&reader->entered, reader->generation);
    reader->table = atomic_load(&map->table);
    if (reader->generation < reader->lowest) {
        reader->lowest = reader->generation;
    }
    if (reader->cached_generation != reader->table->generation) {
        reader->cached_generation = reader->table->generation;
        reader->cache[0].size = reader->cache[1].size = 0;
    }
}

void vhost_user_reader_leave(VhostUserReader *reader)
{
    reader->table = NULL;
    atomic_store(&reader->entered, VHOST_USER_GENERATION_NONE);
    wake_if_waited_for(reader);
}

void vhost_user_reader_refresh(VhostUserReader *reader)
{
    if (atomic_load_explicit(&reader->map->generation, memory_order_acquire) !=
        reader->generation) {
        vhost_user_reader_enter(reader);
        wake_if_waited_for(reader);
    }
}

uint32_t vhost_user_reader_hold(VhostUserReader *reader)
{
    uint32_t newest = reader->newest;
    uint32_t token = reader->free;

    if (newest != NO_TOKENS &&
        (reader->tokens[newest].generation == reader->generation || token == NO_TOKENS)) {
        reader->tokens[newest].count++;
        return newest;
    }
    reader->free = reader->tokens[token].newer;
    reader->tokens[token] = (VhostUserTokens){reader->generation, 1, newest, NO_TOKENS};
    reader->newest = token;
    if (newest != NO_TOKENS) {
        reader->tokens[newest].newer = token;
    } else {
        /* Seen by whoever sees that we left: that store comes later. */
        reader->oldest = token;
        atomic_store_explicit(&reader->held, reader->generation, memory_order_release);
    }
    return token;
}

/* Announces the oldest generation of which there are tokens. */
static void announce_held(VhostUserReader *reader)
{
    uint64_t held = oldest_held(reader);

    if (reader->table) {
        /* Between enter and leave, where leave will look whether something waited for this. */
        atomic_store_explicit(&reader->held, held, memory_order_release);
    } else {
        atomic_store(&reader->held, held);
        wake_if_waited_for(reader);
    }
}

void vhost_user_reader_release(VhostUserReader *reader, uint32_t token)
{
    VhostUserTokens *tokens = &reader->tokens[token];
    uint32_t older = tokens->older;
    uint32_t newer = tokens->newer;

    if (--tokens->count > 0) {
        return;
    }
    if (newer != NO_TOKENS) {
        reader->tokens[newer].older = older;
    } else {
        reader->newest = older;
    }
    tokens->newer = reader->free;
    reader->free = token;
    if (older != NO_TOKENS) {
        reader->tokens[older].newer = newer;
    } else {
        reader->oldest = newer;
        announce_held(reader);
    }
}

/* Only the queue thread writes it, so it need not be one operation. */
static void count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static void *inside(const VhostUserSpan *span, uint64_t guest_address, uint64_t size,
                    uint64_t *contiguous)
{
    uint64_t offset = guest_address - span->address;
    uint64_t rest = span->size - offset;

    *contiguous = size < rest ? size : rest;
    return span->host + offset;
}

void *vhost_user_reader_translate(VhostUserReader *reader, uint64_t guest_address, uint64_t size,
                                  uint64_t *contiguous)
{
    VhostUserSpan *cache = reader->cache;
    VhostUserSpan before;

    count(&reader->lookups);
    if (guest_address - cache[0].address < cache[0].size) {
        count(&reader->hits);
        return inside(&cache[0], guest_address, size, contiguous);
    }
    /* A request has its header and its data in different places, in turn. */
    before = cache[0];
    if (guest_address - cache[1].address < cache[1].size) {
        count(&reader->hits);
        cache[0] = cache[1];
    } else if (!vhost_user_table_find_span(reader->table, guest_address, &cache[0])) {
        return NULL;
    }
    cache[1] = before;
    return inside(&cache[0], guest_address, size, contiguous);
}

uint64_t vhost_user_reader_lookups(const VhostUserReader *reader)
{
    return atomic_load_explicit(&reader->lookups, memory_order_relaxed);
}

uint64_t vhost_user_reader_hits(const VhostUserReader *reader)
{
    return atomic_load_explicit(&reader->hits, memory_order_relaxed);
}
