/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads for work that makes its caller wait: all of it where there is no
 * io_uring, and what io_uring has no operation for where there is.
 */
#ifndef VHOST_USER_BLK_POOL_H
#define VHOST_USER_BLK_POOL_H

#include "io.h"

typedef struct BlkPool BlkPool;

/*
 * Where the results of one worker arrive. Its owner waits for @fd, an event fd that is readable
 * when there are any.
 */
typedef struct BlkPoolPort BlkPoolPort;

/* Starts @threads threads, which work on @disk. NULL with @error. */
BlkPool *blk_pool_new(BlkDisk *disk, unsigned threads, GError **error);

/* Ends them; ports are freed after that. Nothing is in work. NULL is fine. */
void blk_pool_free(BlkPool *pool);

BlkPoolPort *blk_pool_port_new(BlkPool *pool, GError **error);
void blk_pool_port_free(BlkPoolPort *port);
int blk_pool_port_fd(const BlkPoolPort *port);

/* Has @io done by some thread; it comes back at @port. The thread of @port. */
void blk_pool_submit(BlkPoolPort *port, BlkIo *io);

/* Takes all that is done, linked by next, first done first; NULL if nothing is. Clears the event
 * fd. The thread of @port. */
BlkIo *blk_pool_collect(BlkPoolPort *port);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlkPool, blk_pool_free)

#endif
