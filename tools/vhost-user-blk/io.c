/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pieces of work for the image, done in the calling thread. */
#include "io.h"

#include <errno.h>

static int each_segment(BlkDisk *disk, const BlkIo *io)
{
    int result = 0;

    for (unsigned i = 0; i < io->segment_count && result == 0; i++) {
        const struct virtio_blk_discard_write_zeroes *segment = &io->segments[i];
        uint64_t offset = segment->sector * BLK_SECTOR_SIZE;
        uint64_t length = (uint64_t)segment->num_sectors * BLK_SECTOR_SIZE;

        result =
            io->operation == BLK_OPERATION_DISCARD
                ? blk_disk_discard(disk, offset, length)
                : blk_disk_write_zeroes(disk, offset, length,
                                        (segment->flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP) != 0);
    }
    return result;
}

int blk_io_execute(BlkDisk *disk, BlkIo *io)
{
    switch (io->operation) {
    case BLK_OPERATION_READ:
        io->result = blk_disk_read(disk, io->offset, io->pieces, io->count);
        break;
    case BLK_OPERATION_WRITE:
        io->result = blk_disk_write(disk, io->offset, io->pieces, io->count);
        break;
    case BLK_OPERATION_FLUSH:
        io->result = blk_disk_flush(disk);
        break;
    case BLK_OPERATION_DISCARD:
    case BLK_OPERATION_WRITE_ZEROES:
        io->result = each_segment(disk, io);
        break;
    default:
        io->result = -EOPNOTSUPP;
        break;
    }
    return io->result;
}
