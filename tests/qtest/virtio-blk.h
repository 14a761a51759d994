/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block requests (virtio 1.2, 5.2.6) on a ring, with their data at any guest address.
 */
#ifndef QTEST_VIRTIO_BLK_H
#define QTEST_VIRTIO_BLK_H

#include "qtest/virtio-pci.h"

#include <linux/virtio_blk.h>

/* A disk in use: queues with their rings and a header for each possible request. */
typedef struct BlkDisk BlkDisk;

typedef struct BlkOptions {
    uint64_t features; /* wanted, on top of VERSION_1; 0: FLUSH, DISCARD, WRITE_ZEROES, MQ */
    guint queues;      /* 0: 1 */
    gboolean msix, indirect, event_index;
    uint16_t queue_size; /* 0: what the device offers */
} BlkOptions;

/* The whole way from reset to DRIVER_OK, rings in @memory.  @options may be NULL. */
BlkDisk *blk_disk_start(VirtDevice *device, GuestMemory *memory, const BlkOptions *options);
void blk_disk_free(BlkDisk *disk); /* the device is not reset */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlkDisk, blk_disk_free)

VirtRing *blk_disk_ring(BlkDisk *disk, guint queue);
uint64_t blk_disk_sectors(BlkDisk *disk); /* of 512 bytes */

/* Queues and kicks a request: @type is VIRTIO_BLK_T_*, data of @size bytes at guest address
 * @address (size 0: none).  Returns a tag for blk_disk_finish(). */
guint blk_disk_submit(BlkDisk *disk, guint queue, uint32_t type, uint64_t sector, uint64_t address,
                      uint32_t size);
/* The same in @count pieces, for long chains. */
guint blk_disk_submit_pieces(BlkDisk *disk, guint queue, uint32_t type, uint64_t sector,
                             const VirtBuffer *pieces, guint count);
/* Waits for that request; its status (VIRTIO_BLK_S_*), -1 after @milliseconds. */
int blk_disk_finish(BlkDisk *disk, guint tag, guint milliseconds);

/* Submit and finish within 30 s; the status, -1 at the deadline. */
int blk_disk_request(BlkDisk *disk, guint queue, uint32_t type, uint64_t sector, uint64_t address,
                     uint32_t size);

#endif
