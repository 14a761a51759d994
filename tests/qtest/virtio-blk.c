/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block driver over qtest: headers and status bytes beside the rings, data where the test says.
 */
#include "qtest/virtio-blk.h"

#include <stddef.h>

#define DATA_PIECES 250 /* of one request, without header and status */

typedef struct Queue {
    VirtRing *ring;
    uint64_t headers;  /* guest memory: 16 bytes a head */
    uint64_t statuses; /* guest memory: 1 byte a head */
    guint *tags;       /* by head; 0: none */
    gboolean *busy;    /* by slot: header and status in use */
    guint next_slot;
} Queue;

struct BlkDisk {
    VirtDevice *device;
    Queue *queues;
    guint queue_count;
    guint next_tag;
    GHashTable *finished; /* tag -> status + 1 */
    GHashTable *places;   /* tag -> slot + 1, while out */
};

static const uint64_t default_features =
    1ull << VIRTIO_BLK_F_FLUSH | 1ull << VIRTIO_BLK_F_DISCARD | 1ull << VIRTIO_BLK_F_WRITE_ZEROES |
    1ull << VIRTIO_BLK_F_MQ | 1ull << VIRTIO_BLK_F_SEG_MAX | 1ull << VIRTIO_BLK_F_BLK_SIZE;

BlkDisk *blk_disk_start(VirtDevice *device, GuestMemory *memory, const BlkOptions *options)
{
    static const BlkOptions defaults;
    const BlkOptions *o = options ? options : &defaults;
    uint64_t wanted = o->features ? o->features : default_features;
    VirtRingOptions ring_options = {.size = o->queue_size, .indirect = o->indirect};
    BlkDisk *disk = g_new0(BlkDisk, 1);

    wanted |= o->indirect ? 1ull << VIRTIO_RING_F_INDIRECT_DESC : 0;
    wanted |= o->event_index ? 1ull << VIRTIO_RING_F_EVENT_IDX : 0;
    if (!virt_device_negotiate(device, wanted, o->msix)) {
        vmm_fail("virtio-blk: the device refuses features 0x%" G_GINT64_MODIFIER "x",
                 device->features);
    }
    disk->device = device;
    disk->queue_count = o->queues ? o->queues : 1;
    disk->queues = g_new0(Queue, disk->queue_count);
    disk->next_tag = 1;
    disk->finished = g_hash_table_new(NULL, NULL);
    disk->places = g_hash_table_new(NULL, NULL);
    for (guint i = 0; i < disk->queue_count; i++) {
        Queue *queue = &disk->queues[i];

        queue->ring = virt_ring_new(device, i, memory, &ring_options);
        queue->headers = guest_memory_alloc(memory, 16ull * virt_ring_size(queue->ring), 16);
        queue->statuses = guest_memory_alloc(memory, virt_ring_size(queue->ring), 16);
        queue->tags = g_new0(guint, virt_ring_size(queue->ring));
        queue->busy = g_new0(gboolean, virt_ring_size(queue->ring));
    }
    virt_device_driver_ok(device);
    return disk;
}

void blk_disk_free(BlkDisk *disk)
{
    if (!disk) {
        return;
    }
    for (guint i = 0; i < disk->queue_count; i++) {
        g_free(disk->queues[i].tags);
        g_free(disk->queues[i].busy);
    }
    g_free(disk->queues);
    g_hash_table_destroy(disk->finished);
    g_hash_table_destroy(disk->places);
    g_free(disk);
}

VirtRing *blk_disk_ring(BlkDisk *disk, guint queue)
{
    return disk->queues[queue].ring;
}

uint64_t blk_disk_sectors(BlkDisk *disk)
{
    return qtest_readq(disk->device->qtest,
                       disk->device->config + offsetof(struct virtio_blk_config, capacity));
}

/* A header and status byte that no request in flight uses; heads are known only after adding. */
static guint free_slot(Queue *queue)
{
    guint size = virt_ring_size(queue->ring);

    for (guint i = 0; i < size; i++) {
        guint slot = (queue->next_slot + i) % size;

        if (!queue->busy[slot]) {
            queue->busy[slot] = TRUE;
            queue->next_slot = slot + 1;
            return slot;
        }
    }
    vmm_fail("virtio-blk: %u requests are out", size);
}

guint blk_disk_submit_pieces(BlkDisk *disk, guint queue_index, uint32_t type, uint64_t sector,
                             const VirtBuffer *pieces, guint count)
{
    Queue *queue = &disk->queues[queue_index];
    Qtest *qtest = disk->device->qtest;
    struct virtio_blk_outhdr header = {.type = type, .sector = sector};
    VirtBuffer buffers[DATA_PIECES + 2];
    guint slot = free_slot(queue), tag = disk->next_tag++;
    uint16_t head;

    if (count > DATA_PIECES) {
        vmm_fail("virtio-blk: %u pieces are more than %u", count, DATA_PIECES);
    }
    buffers[0] = (VirtBuffer){queue->headers + 16ull * slot, 16, FALSE};
    for (guint i = 0; i < count; i++) {
        buffers[i + 1] = pieces[i];
    }
    buffers[count + 1] = (VirtBuffer){queue->statuses + slot, 1, TRUE};
    qtest_memwrite(qtest, queue->headers + 16ull * slot, &header, sizeof(header));
    qtest_writeb(qtest, queue->statuses + slot, 0xff);
    head = virt_ring_add(queue->ring, buffers, count + 2);
    queue->tags[head] = tag;
    g_hash_table_insert(disk->places, GUINT_TO_POINTER(tag), GUINT_TO_POINTER(slot + 1));
    virt_ring_kick(queue->ring);
    return tag;
}

guint blk_disk_submit(BlkDisk *disk, guint queue, uint32_t type, uint64_t sector, uint64_t address,
                      uint32_t size)
{
    VirtBuffer data = {address, size, type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID};

    return blk_disk_submit_pieces(disk, queue, type, sector, &data, size ? 1 : 0);
}

/* Collects what a queue has finished. */
static void collect(BlkDisk *disk, Queue *queue)
{
    int head;

    while ((head = virt_ring_take(queue->ring, NULL)) >= 0) {
        gpointer tag = GUINT_TO_POINTER(queue->tags[head]);
        guint slot = GPOINTER_TO_UINT(g_hash_table_lookup(disk->places, tag)) - 1;
        guint status = qtest_readb(disk->device->qtest, queue->statuses + slot);

        if (status == 0xff) {
            vmm_fail("virtio-blk: a request was finished without a status");
        }
        queue->tags[head] = 0;
        queue->busy[slot] = FALSE;
        g_hash_table_remove(disk->places, tag);
        g_hash_table_insert(disk->finished, tag, GUINT_TO_POINTER(status + 1));
    }
}

int blk_disk_finish(BlkDisk *disk, guint tag, guint milliseconds)
{
    gint64 deadline = g_get_monotonic_time() + milliseconds * 1000LL;
    guint tries = 0;

    for (;;) {
        guint status;

        for (guint i = 0; i < disk->queue_count; i++) {
            collect(disk, &disk->queues[i]);
        }
        status = GPOINTER_TO_UINT(g_hash_table_lookup(disk->finished, GUINT_TO_POINTER(tag)));
        if (status) {
            g_hash_table_remove(disk->finished, GUINT_TO_POINTER(tag));
            return status - 1;
        }
        if (g_get_monotonic_time() > deadline) {
            return -1;
        }
        if (tries++ > 20) {
            g_usleep(200);
        }
    }
}

int blk_disk_request(BlkDisk *disk, guint queue, uint32_t type, uint64_t sector, uint64_t address,
                     uint32_t size)
{
    return blk_disk_finish(disk, blk_disk_submit(disk, queue, type, sector, address, size), 30000);
}
