/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What both engines have in common: the way to the pool of threads and back. */
#include "engine.h"

/* The pool has done something. */
static void port_ready(BlkWatch *watch)
{
    BlkEngine *engine = (BlkEngine *)((char *)watch - offsetof(BlkEngine, port_watch));
    BlkIo *next;

    for (BlkIo *io = blk_pool_collect(engine->port); io != NULL; io = next) {
        next = io->next;
        engine->done(engine->opaque, io);
    }
}

gboolean blk_engine_connect(BlkEngine *engine, BlkDisk *disk, BlkPool *pool,
                            void (*done)(void *opaque, BlkIo *io), void *opaque, GError **error)
{
    engine->disk = disk;
    engine->done = done;
    engine->opaque = opaque;
    engine->port = blk_pool_port_new(pool, error);
    if (engine->port == NULL) {
        return FALSE;
    }
    engine->port_watch.fd = blk_pool_port_fd(engine->port);
    engine->port_watch.ready = port_ready;
    return engine->class->watch(engine, &engine->port_watch, error);
}

void blk_engine_free(BlkEngine *engine)
{
    if (engine != NULL) {
        BlkPoolPort *port = engine->port;

        engine->class->free(engine);
        blk_pool_port_free(port);
    }
}
