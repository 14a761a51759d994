/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Load on a disk of a rig: reads and writes of random blocks that are kept in flight, with their
 * data in whatever guest memory the test lends.  Every byte read is compared with what was written
 * last, and no two requests that are out touch the same block.
 */
#ifndef QTEST_BLK_LOAD_H
#define QTEST_BLK_LOAD_H

#include "qtest/daemon-rig.h"

#define BLK_LOAD_BLOCK 4096 /* bytes of a request and of a buffer */

typedef struct BlkLoad BlkLoad;

/* For disk @disk through @queue, with at most @depth requests out.  @depth of 0: as many as there
 * are buffers. */
BlkLoad *blk_load_new(DaemonRig *daemon, guint disk, guint queue, guint depth);
void blk_load_free(BlkLoad *load); /* the last call was blk_load_drain() */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlkLoad, blk_load_free)

/* Lends the block of guest memory at @address. */
void blk_load_lend(BlkLoad *load, uint64_t address);
/* Takes it back, once the request that uses it is done. */
void blk_load_take_back(BlkLoad *load, uint64_t address);

/* Sees @count requests finished, and goes on with others. */
void blk_load_run(BlkLoad *load, guint count);
/* Sees all requests finished. */
void blk_load_drain(BlkLoad *load);
/* How many have finished so far. */
guint blk_load_finished(const BlkLoad *load);

#endif
