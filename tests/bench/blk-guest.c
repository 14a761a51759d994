/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest with a virtio block device, over the library's driver side. */
#include "blk-guest.h"

#include "qtest/vmm.h"

#include <errno.h>
#include <string.h>

#define DEADLINE 10000            /* ms for each answer */
#define MEMORY (128ull << 20)     /* bytes, whatever the number of regions */
#define MEMORY_START (4ull << 30) /* guest address */
#define HEADER_SIZE 16u           /* virtio 1.2, 5.2.6: type, reserved, sector */
#define ALIGNMENT 64u             /* of vhost_user_driver_place() */
#define SLOT_SIZE 32u             /* a header and behind it the status byte */
#define CAPACITY_OFFSET 0u        /* 5.2.4, in the configuration space */
#define FEATURE_MQ (1ull << 12)   /* 5.2.3 */
#define FEATURE_FLUSH (1ull << 9)
#define TYPE_IN 0u
#define TYPE_OUT 1u
#define STATUS_UNSET 0xffu

static void check(const BlkGuest *guest, int result)
{
    if (result < 0) {
        vmm_fail("%s: %s", guest->options.socket, vhost_user_front_end_error(guest->front));
    }
}

static void negotiate(BlkGuest *guest)
{
    guint64 features = VHOST_USER_RING_F_VERSION_1 | VHOST_USER_RING_F_EVENT_IDX | FEATURE_MQ |
                       FEATURE_FLUSH |
                       (guest->options.direct ? 0 : VHOST_USER_RING_F_INDIRECT_DESC) |
                       (guest->options.packed ? VHOST_USER_RING_F_PACKED : 0);
    guint64 protocol = 1ull << VHOST_USER_PROTOCOL_F_MQ | 1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK |
                       1ull << VHOST_USER_PROTOCOL_F_CONFIG |
                       1ull << VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS;

    check(guest, vhost_user_front_end_negotiate(guest->front, features, protocol));
    if (vhost_user_front_end_queues(guest->front) < guest->options.queues) {
        vmm_fail("--queues %u: the back-end has %u", guest->options.queues,
                 (guint)vhost_user_front_end_queues(guest->front));
    }
    if (guest->options.regions >
        MAX(vhost_user_front_end_memory_slots(guest->front), VHOST_USER_MAX_REGIONS_IN_MESSAGE)) {
        vmm_fail("--regions %u: the back-end has %u slots", guest->options.regions,
                 (guint)vhost_user_front_end_memory_slots(guest->front));
    }
    if (guest->options.packed &&
        !(vhost_user_front_end_features(guest->front) & VHOST_USER_RING_F_PACKED)) {
        vmm_fail("--packed: the back-end has no packed rings");
    }
    check(guest, vhost_user_front_end_get_config(guest->front, CAPACITY_OFFSET, &guest->capacity,
                                                 sizeof(guest->capacity)));
}

/* Space of @size bytes within one region, from @offset of memory on; returns where it begins:
 * aligned, so that what is placed there is as long as when it was placed at 0. */
static guint64 fit(const BlkGuest *guest, guint64 offset, guint64 size)
{
    guint64 region = MEMORY / guest->options.regions;

    if (size > region) {
        vmm_fail("--regions %u: a ring of %" G_GUINT64_FORMAT " bytes does not fit a region",
                 guest->options.regions, size);
    }
    offset = (offset + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (offset / region != (offset + size - 1) / region) {
        offset = (offset / region + 1) * region;
    }
    return offset;
}

/* Rings are powers of 2; direct requests need three descriptors each. */
static guint ring_size(const BlkGuestOptions *options)
{
    guint size = 128;

    while (size < options->depth * (options->direct ? 3 : 1)) {
        size *= 2;
    }
    return size;
}

/* Makes queue @index at @offset of memory, with its requests' headers behind it; returns the
 * offset behind both. */
static guint64 make_queue(BlkGuest *guest, guint index, guint64 offset)
{
    BlkQueue *queue = &guest->queues[index];
    VhostUserDriverParameters parameters = {
        .areas = guest->memory->areas,
        .area_count = guest->memory->count,
        .features = vhost_user_front_end_features(guest->front),
        .index = index,
        .size = ring_size(&guest->options),
        .base = guest->options.packed ? VHOST_USER_DRIVER_PACKED_BASE : 0,
        .indirect_size = guest->options.direct ? 0 : 3,
    };
    guint64 size = vhost_user_driver_place(&parameters, 0);

    offset = fit(guest, offset, size);
    vhost_user_driver_place(&parameters, MEMORY_START + offset);
    queue->ring = vhost_user_driver_queue_new(&parameters);
    if (!queue->ring) {
        vmm_fail("queue %u: %s", index, g_strerror(errno));
    }
    offset = fit(guest, offset + size, (guint64)guest->options.depth * SLOT_SIZE);
    queue->requests = g_new0(BlkRequest, guest->options.depth);
    for (guint i = 0; i < guest->options.depth; i++) {
        BlkRequest *request = &queue->requests[i];
        guint64 address = MEMORY_START + offset + (guint64)i * SLOT_SIZE;

        request->header = vhost_user_guest_memory_host(guest->memory->areas, guest->memory->count,
                                                       address, SLOT_SIZE);
        request->status = request->header + HEADER_SIZE;
        request->buffers[0] = (VhostUserDriverBuffer){address, HEADER_SIZE};
        request->buffers[2] = (VhostUserDriverBuffer){address + HEADER_SIZE, 1};
    }
    return offset + (guint64)guest->options.depth * SLOT_SIZE;
}

/* Divides what is left of memory among all requests of all queues. */
static void divide_data(BlkGuest *guest, guint64 offset)
{
    guint requests = guest->options.queues * guest->options.depth;

    guest->unit = MAX(guest->options.block_size, BLK_STAMP);
    guest->data = MEMORY_START + (offset + guest->unit - 1) / guest->unit * guest->unit;
    guest->units = (MEMORY_START + MEMORY - guest->data) / guest->unit;
    if (guest->units < requests) {
        vmm_fail("%u requests of %u bytes need more than %u MiB", requests,
                 guest->options.block_size, (guint)(MEMORY >> 20));
    }
    for (guint i = 0; i < requests; i++) {
        BlkRequest *request =
            &guest->queues[i / guest->options.depth].requests[i % guest->options.depth];

        request->first_unit = i;
        request->units = (guest->units - i + requests - 1) / requests;
        blk_guest_place(guest, request, 0);
    }
}

void blk_guest_start(BlkGuest *guest, const BlkGuestOptions *options)
{
    guint64 offset = 0;

    *guest = (BlkGuest){.options = *options};
    guest->front = vhost_user_front_end_connect(options->socket, DEADLINE);
    if (!guest->front) {
        vmm_fail("%s: %s", options->socket, g_strerror(errno));
    }
    negotiate(guest);
    guest->memory =
        vhost_user_guest_memory_new(MEMORY_START, MEMORY / options->regions, options->regions, 0);
    if (!guest->memory) {
        vmm_fail("--regions %u: %s", options->regions, g_strerror(errno));
    }
    check(guest, vhost_user_front_end_add_memory(guest->front, guest->memory->areas,
                                                 guest->memory->count));
    guest->queues = g_new0(BlkQueue, options->queues);
    for (guint i = 0; i < options->queues; i++) {
        offset = make_queue(guest, i, offset);
    }
    divide_data(guest, offset);
    for (guint i = 0; i < options->queues; i++) {
        VhostUserRingSetup setup;

        vhost_user_driver_queue_setup(guest->queues[i].ring, &setup);
        check(guest, vhost_user_front_end_start_ring(guest->front, &setup));
    }
}

void blk_guest_end(BlkGuest *guest)
{
    for (guint i = 0; i < guest->options.queues; i++) {
        guint32 base;

        check(guest, vhost_user_front_end_stop_ring(guest->front, i, &base));
    }
    vhost_user_front_end_free(guest->front);
    for (guint i = 0; i < guest->options.queues; i++) {
        vhost_user_driver_queue_free(guest->queues[i].ring);
        g_free(guest->queues[i].requests);
    }
    g_free(guest->queues);
    vhost_user_guest_memory_free(guest->memory);
}

void blk_guest_place(BlkGuest *guest, BlkRequest *request, guint64 random)
{
    guint requests = guest->options.queues * guest->options.depth;
    guint64 unit = request->first_unit + random % request->units * requests;
    guint64 address = guest->data + unit * guest->unit;
    const VhostUserMemoryArea *first = guest->memory->areas;

    /* All of memory lies in one piece here. */
    request->data = (guint8 *)first->host + (address - first->guest_address);
    request->buffers[1] = (VhostUserDriverBuffer){address, guest->options.block_size};
}

void blk_guest_add(BlkGuest *guest, BlkQueue *queue, BlkRequest *request, gboolean write,
                   guint64 sector)
{
    guint32 type = write ? TYPE_OUT : TYPE_IN;
    guint readable = write ? 2 : 1;

    request->sector = sector;
    memcpy(request->header, &type, sizeof(type));
    memcpy(request->header + 8, &sector, sizeof(sector));
    *request->status = STATUS_UNSET;
    int result = vhost_user_driver_queue_add(queue->ring, request->buffers, readable, 3 - readable,
                                             guest->options.direct ? 0 : VHOST_USER_DRIVER_INDIRECT,
                                             request);

    if (result < 0) {
        vmm_fail("a request cannot be added: %s", g_strerror(-result));
    }
}

guint8 blk_request_status(const BlkRequest *request)
{
    return *request->status;
}

void blk_guest_stamp(const BlkGuest *guest, BlkRequest *request, guint64 sector)
{
    guint64 number = sector / (BLK_STAMP / BLK_SECTOR);

    for (guint offset = 0; offset < guest->options.block_size; offset += BLK_STAMP) {
        memcpy(request->data + offset, &number, sizeof(number));
        number++;
    }
}

gboolean blk_guest_stamped(const BlkGuest *guest, const BlkRequest *request)
{
    guint64 number = request->sector / (BLK_STAMP / BLK_SECTOR);

    for (guint offset = 0; offset < guest->options.block_size; offset += BLK_STAMP) {
        if (memcmp(request->data + offset, &number, sizeof(number)) != 0) {
            return FALSE;
        }
        number++;
    }
    return TRUE;
}
