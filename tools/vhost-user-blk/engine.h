/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What does a worker's slow work and its waiting: io_uring, or a pool of
 * threads and epoll where io_uring is forbidden. One engine a worker, used by its thread only.
 */
#ifndef VHOST_USER_BLK_ENGINE_H
#define VHOST_USER_BLK_ENGINE_H

#include "io.h"
#include "pool.h"

typedef struct BlkEngine BlkEngine;

/*
 * An event fd that the engine waits for as well. Edge-triggered: @ready comes once after it was
 * added if it is readable then, and after each time that somebody writes to it, whether or not it
 * was read in between. So kicks cost no read(2).
 */
typedef struct BlkWatch BlkWatch;
struct BlkWatch {
    int fd;
    void (*ready)(BlkWatch *watch);
    void (*removed)(BlkWatch *watch); /* the engine has done with the watch and its descriptor */
    BlkWatch *next;                   /* these are the engine's */
    gboolean removing, armed;
};

typedef struct BlkEngineClass {
    /* Begins @io; it is done out of some later wait, never in here. */
    void (*submit)(BlkEngine *engine, BlkIo *io);
    /* FALSE with @error if the kernel cannot wait for it. */
    gboolean (*watch)(BlkEngine *engine, BlkWatch *watch, GError **error);
    /* removed() comes out of some later wait, and ready() no more. */
    void (*unwatch)(BlkEngine *engine, BlkWatch *watch);
    /* Starts what was submitted, and reports what is done and ready. Waits for @microseconds at
     * most if that is nothing; 0: only looks, -1: for ever. May report nothing. */
    void (*wait)(BlkEngine *engine, int microseconds);
    void (*free)(BlkEngine *engine);
} BlkEngineClass;

struct BlkEngine {
    const BlkEngineClass *class;
    BlkDisk *disk;
    void (*done)(void *opaque, BlkIo *io); /* its result is set */
    void *opaque;
    BlkPoolPort *port; /* to the pool of all workers */
    BlkWatch port_watch;
};

/* @queue_size: requests to expect at a time. NULL with @error, which tells a person why not. */
BlkEngine *blk_engine_uring_new(const BlkDisk *disk, unsigned queue_size, GError **error);
BlkEngine *blk_engine_threads_new(GError **error);

/* Gives a new engine its disk, its pool and whom to tell. FALSE with @error. */
gboolean blk_engine_connect(BlkEngine *engine, BlkDisk *disk, BlkPool *pool,
                            void (*done)(void *opaque, BlkIo *io), void *opaque, GError **error);

/* Nothing is in work, no watch is left but the engine's own, and the pool has ended. NULL is
 * fine. */
void blk_engine_free(BlkEngine *engine);

#endif
