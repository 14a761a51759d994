/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image behind a vhost-user disk: a regular file or a block device, its
 * size, its lock, and the operations that a virtio-blk request can ask of it.
 */
#ifndef VHOST_USER_BLK_DISK_H
#define VHOST_USER_BLK_DISK_H

#include <glib.h>
#include <stdint.h>
#include <sys/uio.h>

#define BLK_SECTOR_SIZE 512u /* the protocol's unit, whatever the block size; virtio 1.2, 5.2.4 */

/* --cache: what a completed write and a completed flush promise. */
typedef enum BlkCache {
    BLK_CACHE_WRITEBACK, /* the host's page cache; a flush makes it stable */
    BLK_CACHE_NONE,      /* around the page cache (O_DIRECT); a flush makes it stable */
    BLK_CACHE_UNSAFE,    /* the host's page cache; a flush does nothing */
} BlkCache;

typedef struct BlkDiskOptions {
    const char *path;    /* --blk-file */
    gboolean read_only;  /* --read-only */
    gboolean direct;     /* --direct: O_DIRECT with any cache; BLK_CACHE_NONE implies it */
    BlkCache cache;      /* --cache */
    uint32_t block_size; /* --block-size: 512 or 4096; 0 is 512, or what a block device has */
} BlkDiskOptions;

typedef struct BlkDisk BlkDisk;

/*
 * Opens and locks the image. Two programs that write one image, or one that
 * writes what another reads, are refused here. Returns NULL with @error, which begins with the
 * option or path at fault. Main thread.
 */
BlkDisk *blk_disk_open(const BlkDiskOptions *options, GError **error);

/* Closes the image and with that its lock. No request may be in flight. NULL is fine. */
void blk_disk_close(BlkDisk *disk);

/*
 * Something the user should be told about the image, or NULL: a size that is no multiple of the
 * block size. Begins with the path. Valid until the next blk_disk_refresh() or close.
 */
const char *blk_disk_warning(const BlkDisk *disk);

/*
 * Reads the image's size again (SIGHUP). *@changed says whether the size that the guest sees is
 * another one. FALSE with @error, and the old size, when it can't be read or would be 0.
 * Requests may be in flight: each looks at the size once. Control thread.
 */
gboolean blk_disk_refresh(BlkDisk *disk, gboolean *changed, GError **error);

/* What the image is. Sizes in bytes. Any thread. */
const char *blk_disk_path(const BlkDisk *disk);
int blk_disk_fd(const BlkDisk *disk);        /* for registering and for polling; not to close */
uint64_t blk_disk_size(const BlkDisk *disk); /* a multiple of the block size, not 0 */
uint32_t blk_disk_block_size(const BlkDisk *disk);
uint32_t blk_disk_physical_block_size(const BlkDisk *disk); /* not below the block size */
gboolean blk_disk_read_only(const BlkDisk *disk);
gboolean blk_disk_direct(const BlkDisk *disk);
BlkCache blk_disk_cache(const BlkDisk *disk);
gboolean blk_disk_in_memory(const BlkDisk *disk); /* on tmpfs or ramfs: I/O waits for no device */

gboolean blk_disk_can_discard(const BlkDisk *disk); /* the host can give ranges back */

/* With --direct: file offsets and lengths, and buffers, are multiples of these. 1 without. */
uint32_t blk_disk_offset_alignment(const BlkDisk *disk);
uint32_t blk_disk_memory_alignment(const BlkDisk *disk);

/*
 * While set each write is stable before it completes: virtio 1.2, 5.2.6.2, no flush negotiated or
 * `writeback` written as 0. Set on the control thread, read by any; has no effect on
 * BLK_CACHE_UNSAFE.
 */
void blk_disk_set_write_through(BlkDisk *disk, gboolean write_through);
gboolean blk_disk_write_through(const BlkDisk *disk);
/* RWF_... that writes need because of that; not to be kept. */
int blk_disk_write_flags(const BlkDisk *disk);

/*
 * The operations, done at once in the calling thread, whole or not at all as far as the status
 * goes: 0 or a negative errno value. Any thread, any number at a time. @offset and @length are in
 * bytes, multiples of the sector size and inside blk_disk_size(); the caller has checked that.
 * Buffers may have any alignment; @pieces is used up.
 */
int blk_disk_read(BlkDisk *disk, uint64_t offset, struct iovec *pieces, unsigned count);
int blk_disk_write(BlkDisk *disk, uint64_t offset, struct iovec *pieces, unsigned count);
int blk_disk_flush(BlkDisk *disk);

/*
 * What a flush is to answer that was done elsewhere and ended with @result, 0 or a negative errno
 * value. Where the page cache lies between, one that failed makes all later ones fail: the kernel
 * tells of pages that it could not write once, and forgets what was in them, fsync(2).
 */
int blk_disk_flush_result(BlkDisk *disk, int result);
/* Gives the range back where the host can; its contents are undefined after that. */
int blk_disk_discard(BlkDisk *disk, uint64_t offset, uint64_t length);
/* Reads as zeroes after that; @unmap: may give the range back. Writes zeroes if all else fails. */
int blk_disk_write_zeroes(BlkDisk *disk, uint64_t offset, uint64_t length, gboolean unmap);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlkDisk, blk_disk_close)

#endif
