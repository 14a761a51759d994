/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Feature bits and configuration space of a virtio block device, virtio 1.2, 5.2.3 to 5.2.5. */
#include "config.h"

#include <linux/virtio_blk.h>
#include <string.h>

#include "util/error.h"

#define FEATURE(bit) (UINT64_C(1) << (bit))

/* Heads and sectors of the geometry that BIOS conventions give to disks of any size. */
#define GEOMETRY_HEADS 16u
#define GEOMETRY_SECTORS 63u

struct BlkConfig {
    BlkDisk *disk;
    uint16_t num_queues, queue_size;
    uint64_t features; /* the driver's */
    gboolean writeback;
};

BlkConfig *blk_config_new(BlkDisk *disk, uint16_t num_queues, uint16_t queue_size)
{
    BlkConfig *config = g_new0(BlkConfig, 1);

    config->disk = disk;
    config->num_queues = num_queues;
    config->queue_size = queue_size;
    blk_config_set_driver_features(config, 0);
    return config;
}

void blk_config_free(BlkConfig *config)
{
    g_free(config);
}

uint64_t blk_config_features(const BlkConfig *config)
{
    uint64_t features = FEATURE(VIRTIO_BLK_F_SIZE_MAX) | FEATURE(VIRTIO_BLK_F_SEG_MAX) |
                        FEATURE(VIRTIO_BLK_F_GEOMETRY) | FEATURE(VIRTIO_BLK_F_BLK_SIZE) |
                        FEATURE(VIRTIO_BLK_F_FLUSH) | FEATURE(VIRTIO_BLK_F_TOPOLOGY);

    if (config->num_queues > 1) {
        features |= FEATURE(VIRTIO_BLK_F_MQ);
    }
    if (blk_disk_read_only(config->disk)) {
        return features | FEATURE(VIRTIO_BLK_F_RO);
    }
    features |= FEATURE(VIRTIO_BLK_F_CONFIG_WCE) | FEATURE(VIRTIO_BLK_F_WRITE_ZEROES);
    if (blk_disk_can_discard(config->disk)) {
        features |= FEATURE(VIRTIO_BLK_F_DISCARD);
    }
    return features;
}

static void set_writeback(BlkConfig *config, gboolean writeback)
{
    config->writeback = writeback;
    blk_disk_set_write_through(config->disk, !writeback);
}

/*
 * virtio 1.2, 5.2.5.2 and 5.2.6.2: a driver that knows no flush gets writes that are stable when
 * they complete; one that does has a write cache, and may turn it off if it has CONFIG_WCE.
 */
void blk_config_set_driver_features(BlkConfig *config, uint64_t features)
{
    const uint64_t deciding = FEATURE(VIRTIO_BLK_F_FLUSH) | FEATURE(VIRTIO_BLK_F_CONFIG_WCE);
    gboolean same = ((config->features ^ features) & deciding) == 0;

    config->features = features;
    /* SET_FEATURES comes again while the device runs, to switch logging on for a migration: what
     * the driver wrote to `writeback` stays. */
    if (features == 0 || !same) {
        set_writeback(config, (features & FEATURE(VIRTIO_BLK_F_FLUSH)) != 0);
    }
}

uint32_t blk_config_size(void)
{
    return offsetof(struct virtio_blk_config, unused1) +
           sizeof(((struct virtio_blk_config *)NULL)->unused1);
}

static void fill_geometry(struct virtio_blk_config *space, uint64_t sectors)
{
    uint64_t cylinders = sectors / (GEOMETRY_HEADS * GEOMETRY_SECTORS);

    space->geometry.cylinders = (uint16_t)CLAMP(cylinders, 1, UINT16_MAX);
    space->geometry.heads = GEOMETRY_HEADS;
    space->geometry.sectors = GEOMETRY_SECTORS;
}

/* virtio 1.2, 5.2.4. All little-endian, which is this machine's order. */
static void fill_space(const BlkConfig *config, struct virtio_blk_config *space)
{
    uint32_t block = blk_disk_block_size(config->disk);
    uint32_t physical = blk_disk_physical_block_size(config->disk);
    /* Of a chain that fills the queue, two descriptors are the header's and the status'. */
    uint32_t segments = config->queue_size > 2 ? config->queue_size - 2u : 1;

    /*
     * A front end reads the space before a driver has chosen its features, and may keep what it
     * read.  So it is told of the write cache that nearly every driver gets: one that was told of
     * none would never flush.
     */
    *space = (struct virtio_blk_config){
        .capacity = blk_disk_size(config->disk) / BLK_SECTOR_SIZE,
        .size_max = BLK_SIZE_MAX,
        .seg_max = segments,
        .blk_size = block,
        .physical_block_exp = (uint8_t)__builtin_ctz(physical / block),
        .min_io_size = (uint16_t)(physical / block),
        .wce = config->features == 0 || config->writeback,
        .num_queues = config->num_queues,
    };
    fill_geometry(space, space->capacity);
    if (blk_disk_read_only(config->disk)) {
        return;
    }
    space->max_write_zeroes_sectors = BLK_DISCARD_SECTORS_MAX;
    space->max_write_zeroes_seg = BLK_DISCARD_SEGMENTS_MAX;
    space->write_zeroes_may_unmap = blk_disk_can_discard(config->disk);
    if (blk_disk_can_discard(config->disk)) {
        space->max_discard_sectors = BLK_DISCARD_SECTORS_MAX;
        space->max_discard_seg = BLK_DISCARD_SEGMENTS_MAX;
        /* The host gives back whole physical blocks only. */
        space->discard_sector_alignment = physical / BLK_SECTOR_SIZE;
    }
}

void blk_config_read(const BlkConfig *config, uint32_t offset, uint32_t size, void *bytes)
{
    struct virtio_blk_config space;
    uint32_t there = blk_config_size();

    memset(bytes, 0, size);
    if (offset < there) {
        fill_space(config, &space);
        memcpy(bytes, (const uint8_t *)&space + offset, MIN(size, there - offset));
    }
}

gboolean blk_config_write(BlkConfig *config, uint32_t offset, uint32_t size, const void *bytes,
                          GError **error)
{
    uint8_t value;

    if (offset != offsetof(struct virtio_blk_config, wce) || size != sizeof(value)) {
        vm_error_set(error,
                     "configuration space: %u bytes at offset %u cannot be written; a driver may "
                     "write the byte `writeback` at %u and nothing else",
                     size, offset, (unsigned)offsetof(struct virtio_blk_config, wce));
        return FALSE;
    }
    if ((config->features & FEATURE(VIRTIO_BLK_F_CONFIG_WCE)) == 0) {
        vm_error_set(error, "configuration space: `writeback` cannot be written: the driver has "
                            "not negotiated VIRTIO_BLK_F_CONFIG_WCE");
        return FALSE;
    }
    memcpy(&value, bytes, sizeof(value));
    if (value > 1) {
        vm_error_set(error, "configuration space: `writeback` cannot be %u, only 0 or 1", value);
        return FALSE;
    }
    set_writeback(config, value);
    return TRUE;
}
