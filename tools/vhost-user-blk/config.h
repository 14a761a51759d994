/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device as a driver sees it outside of requests: feature bits and the
 * configuration space of virtio 1.2, 5.2.3 and 5.2.4. Control thread only.
 */
#ifndef VHOST_USER_BLK_CONFIG_H
#define VHOST_USER_BLK_CONFIG_H

#include "disk.h"

/* Bounds of one request; the configuration space tells them, the requests are held to them. */
#define BLK_SIZE_MAX (4u << 20)            /* bytes of a segment that a driver should not exceed */
#define BLK_DISCARD_SECTORS_MAX (1u << 22) /* of a segment of DISCARD or WRITE_ZEROES: 2 GiB */
#define BLK_DISCARD_SEGMENTS_MAX 32u       /* segments of one such request */

typedef struct BlkConfig BlkConfig;

/* @disk is not owned and outlives it. @num_queues from 1, @queue_size from 2. */
BlkConfig *blk_config_new(BlkDisk *disk, uint16_t num_queues, uint16_t queue_size);
void blk_config_free(BlkConfig *config);

/* VIRTIO_BLK_F_... to offer, as a mask. Those of the ring and of vhost-user are not in it. */
uint64_t blk_config_features(const BlkConfig *config);

/*
 * The driver's choice (SET_FEATURES), which decides about the write cache: virtio 1.2, 5.2.6.2.
 * 0 when a front end has left or the device was reset.
 */
void blk_config_set_driver_features(BlkConfig *config, uint64_t features);

/* Bytes of the configuration space; what lies behind reads as 0. */
uint32_t blk_config_size(void);

/* Copies @size bytes from @offset to @bytes; any @offset and @size are valid. */
void blk_config_read(const BlkConfig *config, uint32_t offset, uint32_t size, void *bytes);

/*
 * A driver's write. Only `writeback` can be written, and only once CONFIG_WCE was negotiated:
 * FALSE with @error otherwise, and nothing has changed.
 */
gboolean blk_config_write(BlkConfig *config, uint32_t offset, uint32_t size, const void *bytes,
                          GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlkConfig, blk_config_free)

#endif
