/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One read or write of an image while it is on its way: what is left of the
 * buffers after a short transfer, in portions that one system call takes, and
 * a bounce buffer where O_DIRECT cannot use the guest's own. One thread at a time.
 */
#ifndef VHOST_USER_BLK_TRANSFER_H
#define VHOST_USER_BLK_TRANSFER_H

#include "disk.h"

/* A guest decides how long its requests are, so a bounce buffer goes back and forth in portions. */
#define BLK_BOUNCE_SIZE (256u << 10)

typedef struct BlkTransfer {
    struct iovec *pieces; /* what is left: changed in place by each advance */
    unsigned count;
    uint64_t offset; /* in the image, of what is left */
    uint64_t left;   /* bytes */
    gboolean writing;
    void *bounce;         /* NULL without */
    struct iovec portion; /* of the bounce buffer */
} BlkTransfer;

/*
 * Begins a transfer between @offset of @disk and @pieces, which are used up by it. Returns 0, or
 * -ENOMEM when there is no memory for a bounce buffer. Every successful beginning has one end.
 */
int blk_transfer_begin(BlkTransfer *transfer, const BlkDisk *disk, gboolean writing,
                       uint64_t offset, struct iovec *pieces, unsigned count);

/*
 * The buffers for the next preadv() or pwritev() at transfer->offset, at most IOV_MAX of them;
 * valid until the next call for @transfer. Something is left.
 */
const struct iovec *blk_transfer_next(BlkTransfer *transfer, unsigned *count);

/* @bytes, at most what was next, were transferred. TRUE when nothing is left. */
gboolean blk_transfer_advance(BlkTransfer *transfer, size_t bytes);

void blk_transfer_end(BlkTransfer *transfer);

#endif
