/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One piece of work for the image: what a valid request comes down to, and what an engine does. */
#ifndef VHOST_USER_BLK_IO_H
#define VHOST_USER_BLK_IO_H

#include <linux/virtio_blk.h>

#include "statistics.h"
#include "transfer.h"

typedef struct BlkIo BlkIo;

struct BlkIo {
    BlkOperation operation; /* READ, WRITE, FLUSH, DISCARD or WRITE_ZEROES */
    int result;             /* when it is done: 0 or a negative errno value */
    uint64_t offset;        /* bytes; of READ and WRITE */
    uint64_t length;
    struct iovec *pieces; /* used up */
    unsigned count;
    unsigned segment_count; /* of DISCARD and WRITE_ZEROES */
    struct virtio_blk_discard_write_zeroes *segments;
    gboolean aside; /* the engine is to do it in another thread from the start */

    /* The engine's, from submit to done: */
    BlkTransfer transfer;
    BlkIo *next;
    struct BlkPoolPort *port; /* where it comes back from the pool */
};

/* Does @io at once in the calling thread. Returns its result, which goes into @io as well. */
int blk_io_execute(BlkDisk *disk, BlkIo *io);

#endif
