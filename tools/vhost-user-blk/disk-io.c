/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The image of a vhost-user disk: what a request can ask of it, done in the calling thread. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "disk-internal.h"
#include "transfer.h"

#define ZEROES_SIZE (64u << 10)
#define ZEROES_PIECES 16u /* 1 MiB of zeroes a system call */

int blk_disk_write_flags(const BlkDisk *disk)
{
    return blk_disk_write_through(disk) ? RWF_DSYNC : 0;
}

static int transfer(BlkDisk *disk, gboolean writing, uint64_t offset, struct iovec *pieces,
                    unsigned count)
{
    BlkTransfer transfer;
    int result = blk_transfer_begin(&transfer, disk, writing, offset, pieces, count);

    if (result != 0) {
        return result;
    }
    while (transfer.left > 0) {
        unsigned portion;
        const struct iovec *next = blk_transfer_next(&transfer, &portion);
        ssize_t bytes = writing ? pwritev2(disk->fd, next, (int)portion, (off_t)transfer.offset,
                                           blk_disk_write_flags(disk))
                                : preadv(disk->fd, next, (int)portion, (off_t)transfer.offset);

        if (bytes > 0) {
            blk_transfer_advance(&transfer, (size_t)bytes);
        } else if (bytes == 0) {
            result = -EIO; /* the image ends here: it was made shorter behind our back */
            break;
        } else if (errno != EINTR) {
            result = -errno;
            break;
        }
    }
    blk_transfer_end(&transfer);
    return result;
}

int blk_disk_read(BlkDisk *disk, uint64_t offset, struct iovec *pieces, unsigned count)
{
    return transfer(disk, FALSE, offset, pieces, count);
}

int blk_disk_write(BlkDisk *disk, uint64_t offset, struct iovec *pieces, unsigned count)
{
    return transfer(disk, TRUE, offset, pieces, count);
}

int blk_disk_flush_result(BlkDisk *disk, int result)
{
    int none = 0;

    if (result < 0 && !disk->direct) {
        atomic_compare_exchange_strong(&disk->flush_error, &none, result);
    }
    return result < 0 ? result : atomic_load(&disk->flush_error);
}

int blk_disk_flush(BlkDisk *disk)
{
    if (disk->cache == BLK_CACHE_UNSAFE || disk->read_only) {
        return 0;
    }
    return blk_disk_flush_result(disk, fdatasync(disk->fd) == 0 ? 0 : -errno);
}

/* One fallocate() of the whole range. @unknown remembers that the host cannot do @mode. */
static int allocate(BlkDisk *disk, int mode, uint64_t offset, uint64_t length, atomic_bool *unknown)
{
    int result;

    if (atomic_load_explicit(unknown, memory_order_relaxed)) {
        return -EOPNOTSUPP;
    }
    do {
        result =
            fallocate(disk->lock_fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length) == 0
                ? 0
                : -errno;
    } while (result == -EINTR);
    if (result == -EOPNOTSUPP || result == -ENOSYS) {
        atomic_store_explicit(unknown, true, memory_order_relaxed);
        return -EOPNOTSUPP;
    }
    /* A block device takes whole blocks only; the sectors beside them are the fallback's. */
    return result == -EINVAL ? -EOPNOTSUPP : result;
}

static int discard_on_device(BlkDisk *disk, uint64_t offset, uint64_t length)
{
    uint64_t block = disk->device_block_size;
    uint64_t first = (offset + block - 1) / block * block;
    uint64_t end = (offset + length) / block * block;

    if (first >= end) {
        return 0; /* less than a block cannot be given back */
    }
    uint64_t range[2] = {first, end - first};

    return ioctl(disk->lock_fd, BLKDISCARD, range) == 0 ? 0 : -errno;
}

int blk_disk_discard(BlkDisk *disk, uint64_t offset, uint64_t length)
{
    int result;

    if (length == 0) {
        return 0;
    }
    result = disk->is_block_device
                 ? discard_on_device(disk, offset, length)
                 : allocate(disk, FALLOC_FL_PUNCH_HOLE, offset, length, &disk->no_punch_hole);
    /* virtio 1.2, 5.2.6.2: the device MAY deallocate. A host that can't has done its best. */
    return result == -EOPNOTSUPP ? 0 : result;
}

static int write_zeroes_as_data(BlkDisk *disk, uint64_t offset, uint64_t length)
{
    static _Alignas(4096) uint8_t zeroes[ZEROES_SIZE]; /* never written */

    while (length > 0) {
        struct iovec pieces[ZEROES_PIECES];
        unsigned count = 0;
        uint64_t part = 0;

        while (count < ZEROES_PIECES && part < length) {
            size_t size = MIN(length - part, (uint64_t)ZEROES_SIZE);

            pieces[count++] = (struct iovec){zeroes, size};
            part += size;
        }
        int result = blk_disk_write(disk, offset, pieces, count);

        if (result != 0) {
            return result;
        }
        offset += part;
        length -= part;
    }
    return 0;
}

int blk_disk_write_zeroes(BlkDisk *disk, uint64_t offset, uint64_t length, gboolean unmap)
{
    int result = -EOPNOTSUPP;

    if (length == 0) {
        return 0;
    }
    if (unmap) {
        result = allocate(disk, FALLOC_FL_PUNCH_HOLE, offset, length, &disk->no_punch_hole);
    }
    if (result == -EOPNOTSUPP) {
        result = allocate(disk, FALLOC_FL_ZERO_RANGE, offset, length, &disk->no_zero_range);
    }
    if (result == -EOPNOTSUPP) {
        return write_zeroes_as_data(disk, offset, length);
    }
    return result == 0 && blk_disk_write_through(disk) ? blk_disk_flush(disk) : result;
}
