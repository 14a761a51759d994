/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What disk.c opens and disk-io.c works on. */
#ifndef VHOST_USER_BLK_DISK_INTERNAL_H
#define VHOST_USER_BLK_DISK_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "disk.h"

struct BlkDisk {
    char *path;
    int fd;
    int lock_fd; /* the lock; also for ranges, which only the holder of O_EXCL may give back */
    gboolean is_block_device;
    gboolean read_only;
    gboolean direct;
    gboolean in_memory;
    gboolean can_discard;
    BlkCache cache;
    uint32_t block_size, physical_block_size;
    uint32_t offset_alignment, memory_alignment;
    uint32_t device_block_size; /* of a block device; 1 of a file */
    char *size_warning;         /* control thread */
    char *lock_warning;
    char *warning; /* both */

    _Atomic uint64_t size;
    atomic_bool write_through;
    atomic_int flush_error; /* of the first flush that failed, negative; 0 without */
    /* What the host turned out not to know, so that it isn't asked each time. */
    atomic_bool no_punch_hole, no_zero_range;
};

#endif
