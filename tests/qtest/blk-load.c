/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Load: a request for each free buffer, oldest first.
 */
#include "qtest/blk-load.h"

#define SECTOR 512
#define BLOCKS (DAEMON_IMAGE / BLK_LOAD_BLOCK)
#define PATIENCE 60000 /* milliseconds for a request */

typedef struct Request {
    guint tag;
    guint block; /* of the disk */
    uint64_t address;
    gboolean reads;
} Request;

struct BlkLoad {
    DaemonRig *daemon;
    guint disk, queue, depth;
    GQueue *buffers; /* of uint64_t on the heap: lent and free */
    GQueue *out;     /* of Request, oldest first */
    gboolean busy[BLOCKS];
    guint finished;
};

BlkLoad *blk_load_new(DaemonRig *daemon, guint disk, guint queue, guint depth)
{
    BlkLoad *load = g_new0(BlkLoad, 1);

    load->daemon = daemon;
    load->disk = disk;
    load->queue = queue;
    load->depth = depth ? depth : G_MAXUINT;
    load->buffers = g_queue_new();
    load->out = g_queue_new();
    return load;
}

void blk_load_free(BlkLoad *load)
{
    g_queue_free_full(load->buffers, g_free);
    g_queue_free_full(load->out, g_free);
    g_free(load);
}

void blk_load_lend(BlkLoad *load, uint64_t address)
{
    g_queue_push_tail(load->buffers, g_memdup2(&address, sizeof(address)));
}

static guint free_block(BlkLoad *load)
{
    guint block;

    do {
        block = (guint)g_random_int_range(0, BLOCKS);
    } while (load->busy[block]);
    load->busy[block] = TRUE;
    return block;
}

static void submit(BlkLoad *load)
{
    g_autofree uint64_t *address = g_queue_pop_head(load->buffers);
    DaemonDisk *disk = daemon_disk(load->daemon, load->disk);
    Request *request = g_new0(Request, 1);
    uint64_t offset;

    request->block = free_block(load);
    request->address = *address;
    request->reads = g_random_boolean();
    offset = request->block * (uint64_t)BLK_LOAD_BLOCK;
    if (request->reads) {
        qtest_memset(load->daemon->rig->qtest, *address, 0x5a, BLK_LOAD_BLOCK);
    } else {
        daemon_fill(load->daemon, disk, offset, *address, BLK_LOAD_BLOCK);
    }
    request->tag = blk_disk_submit(rig_disk(load->daemon->rig, load->disk), load->queue,
                                   request->reads ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT,
                                   offset / SECTOR, *address, BLK_LOAD_BLOCK);
    g_queue_push_tail(load->out, request);
}

/* Waits for @request, which is no longer in the queue. */
static void finish(BlkLoad *load, Request *request)
{
    int status = blk_disk_finish(rig_disk(load->daemon->rig, load->disk), request->tag, PATIENCE);

    if (status != VIRTIO_BLK_S_OK) {
        vmm_fail("disk %u: %s of block %u at 0x%" G_GINT64_MODIFIER "x: status %d", load->disk,
                 request->reads ? "read" : "write", request->block, request->address, status);
    }
    if (request->reads) {
        daemon_compare(load->daemon, daemon_disk(load->daemon, load->disk),
                       request->block * (uint64_t)BLK_LOAD_BLOCK, request->address, BLK_LOAD_BLOCK);
    }
    load->busy[request->block] = FALSE;
    load->finished++;
    blk_load_lend(load, request->address);
    g_free(request);
}

static void fill(BlkLoad *load)
{
    while (load->buffers->length && load->out->length < load->depth) {
        submit(load);
    }
}

void blk_load_run(BlkLoad *load, guint count)
{
    fill(load);
    for (guint i = 0; i < count && load->out->length; i++) {
        finish(load, g_queue_pop_head(load->out));
        fill(load);
    }
}

void blk_load_drain(BlkLoad *load)
{
    while (load->out->length) {
        finish(load, g_queue_pop_head(load->out));
    }
}

void blk_load_take_back(BlkLoad *load, uint64_t address)
{
    for (GList *link = load->out->head; link; link = link->next) {
        Request *request = link->data;

        if (request->address == address) {
            g_queue_delete_link(load->out, link);
            finish(load, request);
            break;
        }
    }
    for (GList *link = load->buffers->head; link; link = link->next) {
        if (*(uint64_t *)link->data == address) {
            g_free(link->data);
            g_queue_delete_link(load->buffers, link);
            return;
        }
    }
}

guint blk_load_finished(const BlkLoad *load)
{
    return load->finished;
}
