/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads and writes on their way: what is left of the buffers, and bounce buffers. */
#include "transfer.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Whether O_DIRECT can use the pieces as they are: addresses and lengths, open(2). */
static gboolean pieces_are_aligned(const BlkTransfer *transfer, uint32_t memory_alignment,
                                   uint32_t offset_alignment)
{
    for (unsigned i = 0; i < transfer->count; i++) {
        if ((uintptr_t)transfer->pieces[i].iov_base % memory_alignment != 0 ||
            transfer->pieces[i].iov_len % offset_alignment != 0) {
            return FALSE;
        }
    }
    return TRUE;
}

int blk_transfer_begin(BlkTransfer *transfer, const BlkDisk *disk, gboolean writing,
                       uint64_t offset, struct iovec *pieces, unsigned count)
{
    uint32_t memory_alignment = blk_disk_memory_alignment(disk);
    uint32_t offset_alignment = blk_disk_offset_alignment(disk);

    *transfer =
        (BlkTransfer){.pieces = pieces, .count = count, .offset = offset, .writing = writing};
    for (unsigned i = 0; i < count; i++) {
        transfer->left += pieces[i].iov_len;
    }
    if ((memory_alignment > 1 || offset_alignment > 1) && transfer->left > 0 &&
        !pieces_are_aligned(transfer, memory_alignment, offset_alignment)) {
        size_t alignment = MAX(MAX(memory_alignment, offset_alignment), sizeof(void *));

        if (posix_memalign(&transfer->bounce, alignment, BLK_BOUNCE_SIZE) != 0) {
            transfer->bounce = NULL;
            return -ENOMEM;
        }
    }
    return 0;
}

/* Copies the first @bytes of what is left into the bounce buffer. */
static void gather(const BlkTransfer *transfer, size_t bytes)
{
    uint8_t *to = transfer->bounce;

    for (const struct iovec *piece = transfer->pieces; bytes > 0; piece++) {
        size_t part = MIN(bytes, piece->iov_len);

        memcpy(to, piece->iov_base, part);
        to += part;
        bytes -= part;
    }
}

const struct iovec *blk_transfer_next(BlkTransfer *transfer, unsigned *count)
{
    if (transfer->bounce == NULL) {
        *count = MIN(transfer->count, (unsigned)IOV_MAX);
        return transfer->pieces;
    }
    transfer->portion =
        (struct iovec){transfer->bounce, MIN(transfer->left, (uint64_t)BLK_BOUNCE_SIZE)};
    if (transfer->writing) {
        gather(transfer, transfer->portion.iov_len);
    }
    *count = 1;
    return &transfer->portion;
}

gboolean blk_transfer_advance(BlkTransfer *transfer, size_t bytes)
{
    const uint8_t *from = transfer->writing ? NULL : transfer->bounce;

    transfer->offset += bytes;
    transfer->left -= bytes;
    while (transfer->count > 0 && bytes >= transfer->pieces->iov_len) {
        if (from != NULL) {
            memcpy(transfer->pieces->iov_base, from, transfer->pieces->iov_len);
            from += transfer->pieces->iov_len;
        }
        bytes -= transfer->pieces->iov_len;
        transfer->pieces++;
        transfer->count--;
    }
    if (bytes > 0) {
        if (from != NULL) {
            memcpy(transfer->pieces->iov_base, from, bytes);
        }
        transfer->pieces->iov_base = (uint8_t *)transfer->pieces->iov_base + bytes;
        transfer->pieces->iov_len -= bytes;
    }
    return transfer->left == 0;
}

void blk_transfer_end(BlkTransfer *transfer)
{
    free(transfer->bounce);
    transfer->bounce = NULL;
}
