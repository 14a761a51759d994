/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest with a disk, both ends in one process. */
#include "blk-guest.h"

#include <linux/virtio_blk.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "libvhost-user/device.h"

/* Guest memory: regions that meet in the middle of every place for data. */
#define REGION (2u * BLK_GUEST_DATA)
#define REGIONS (BLK_GUEST_DEPTH + 8u)
#define PLACE(index) ((uint64_t)(index)*REGION + REGION / 2 + REGION / 4)
#define HEADERS ((uint64_t)BLK_GUEST_DEPTH * REGION + REGION) /* behind all places */
#define RINGS (HEADERS + REGION)
#define RING_SIZE 128u

#define WRITTEN_BY_NOBODY 0xee

/* The header and the status of a request, which are read and written by the disk. */
typedef struct Envelope {
    struct virtio_blk_outhdr header;
    uint8_t status;
    uint8_t padding[15];
    BlkGuestRequest request;
} Envelope;

struct BlkGuest {
    BlkWorkers *workers;
    VhostUserDevice *device;
    GThread *control;
    VhostUserGuestMemory *memory;
    VhostUserFrontEnd *front;
    VhostUserDriverQueue **queues;
    gboolean polled, indirect;
    uint32_t *bases; /* where the back-end stands in each */
    unsigned queue_count;
};

/* --- the back-end --- */

static void queue_start(void *opaque, VhostUserQueue *queue)
{
    blk_workers_queue_start(((BlkGuest *)opaque)->workers, queue);
}

static void queue_stop(void *opaque, VhostUserQueue *queue)
{
    blk_workers_queue_stop(((BlkGuest *)opaque)->workers, queue);
}

static gpointer control(gpointer data)
{
    BlkGuest *guest = data;
    struct pollfd due = {.fd = vhost_user_device_fd(guest->device), .events = POLLIN};

    while (vhost_user_device_process(guest->device) == VHOST_USER_GOES_ON) {
        g_assert_cmpint(poll(&due, 1, BLK_GUEST_DEADLINE), >=, 0);
    }
    return NULL;
}

static void start_device(BlkGuest *guest, int socket)
{
    static const VhostUserDeviceOperations operations = {.queue_start = queue_start,
                                                         .queue_stop = queue_stop};
    VhostUserDeviceParameters parameters = {.struct_size = sizeof(parameters),
                                            .operations = &operations,
                                            .operations_size = sizeof(operations),
                                            .opaque = guest,
                                            .features = VHOST_USER_RING_FEATURES |
                                                        VHOST_USER_RING_F_IN_ORDER,
                                            .queues = guest->queue_count,
                                            .request_size = blk_workers_request_size()};

    guest->device = vhost_user_device_new(socket, &parameters);
    g_assert_nonnull(guest->device);
    guest->control = g_thread_new("control", control, guest);
}

/* --- the guest --- */

static void set_up_queue(BlkGuest *guest, unsigned index, uint64_t features, uint64_t *address)
{
    VhostUserDriverParameters parameters = {
        .areas = guest->memory->areas,
        .area_count = guest->memory->count,
        .features = features,
        .index = index,
        .size = RING_SIZE,
        .indirect_size = guest->indirect ? 4 : 0,
        .base = features & VHOST_USER_RING_F_PACKED ? VHOST_USER_DRIVER_PACKED_BASE : 0};

    *address = vhost_user_driver_place(&parameters, *address);
    guest->queues[index] = vhost_user_driver_queue_new(&parameters);
    g_assert_nonnull(guest->queues[index]);
    guest->bases[index] = parameters.base;
}

void blk_guest_start(BlkGuest *guest, unsigned queue)
{
    VhostUserRingSetup setup;

    vhost_user_driver_queue_setup(guest->queues[queue], &setup);
    setup.base = guest->bases[queue];
    if (guest->polled) {
        setup.kick = -1;
    }
    g_assert_cmpint(vhost_user_front_end_start_ring(guest->front, &setup), ==, 0);
}

void blk_guest_stop(BlkGuest *guest, unsigned queue)
{
    g_assert_cmpint(vhost_user_front_end_stop_ring(guest->front, queue, &guest->bases[queue]), ==,
                    0);
}

static void connect_guest(BlkGuest *guest, int socket, uint64_t ring_features)
{
    uint64_t protocol = (UINT64_C(1) << VHOST_USER_PROTOCOL_F_MQ) |
                        (UINT64_C(1) << VHOST_USER_PROTOCOL_F_REPLY_ACK) |
                        (UINT64_C(1) << VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
    uint64_t address = RINGS;

    guest->front = vhost_user_front_end_new(socket, BLK_GUEST_DEADLINE);
    g_assert_cmpint(vhost_user_front_end_negotiate(
                        guest->front, ring_features | VHOST_USER_RING_F_VERSION_1, protocol),
                    ==, 0);
    g_assert_cmpint(
        vhost_user_front_end_add_memory(guest->front, guest->memory->areas, guest->memory->count),
        ==, 0);
    for (unsigned i = 0; i < guest->queue_count; i++) {
        set_up_queue(guest, i, ring_features, &address);
        address = (address + REGION - 1) / REGION * REGION; /* no part straddles regions */
        blk_guest_start(guest, i);
    }
}

BlkGuest *blk_guest_new(BlkDisk *disk, const BlkGuestOptions *options)
{
    BlkGuest *guest = g_new0(BlkGuest, 1);
    g_autoptr(GError) error = NULL;
    int sockets[2];
    BlkWorkersOptions workers = {.queue_size = RING_SIZE,
                                 .engine = options->engine,
                                 .serial = "guest",
                                 .trace = options->trace,
                                 .opaque = options->opaque};

    guest->queue_count = MAX(options->queues, 1);
    guest->polled = options->polled;
    guest->indirect = (options->ring_features & VHOST_USER_RING_F_INDIRECT_DESC) != 0;
    workers.count = options->workers > 0 ? options->workers : guest->queue_count;
    guest->workers = blk_workers_new(disk, &workers, &error);
    if (guest->workers == NULL) {
        g_test_skip(error->message);
        g_free(guest);
        return NULL;
    }
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), ==, 0);
    guest->memory = vhost_user_guest_memory_new(0, REGION, REGIONS, 0);
    g_assert_nonnull(guest->memory);
    guest->queues = g_new0(VhostUserDriverQueue *, guest->queue_count);
    guest->bases = g_new0(uint32_t, guest->queue_count);
    start_device(guest, sockets[0]);
    connect_guest(guest, sockets[1], options->ring_features);
    return guest;
}

void blk_guest_free(BlkGuest *guest)
{
    if (guest == NULL) {
        return;
    }
    vhost_user_front_end_free(guest->front);
    g_thread_join(guest->control);
    vhost_user_device_free(guest->device);
    blk_workers_free(guest->workers);
    for (unsigned i = 0; i < guest->queue_count; i++) {
        vhost_user_driver_queue_free(guest->queues[i]);
    }
    g_free(guest->queues);
    g_free(guest->bases);
    vhost_user_guest_memory_free(guest->memory);
    g_free(guest);
}

VhostUserDriverQueue *blk_guest_queue(BlkGuest *guest, unsigned queue)
{
    return guest->queues[queue];
}

BlkWorkers *blk_guest_workers(BlkGuest *guest)
{
    return guest->workers;
}

/* --- requests --- */

static void *host(BlkGuest *guest, uint64_t address)
{
    /* The areas lie one right behind the other here as well. */
    return (uint8_t *)guest->memory->areas[0].host + address;
}

static uint64_t envelope_address(unsigned place)
{
    return HEADERS + place * sizeof(Envelope);
}

static uint64_t data_address(const BlkGuestRequest *request)
{
    return PLACE(request->place) + request->skew;
}

void blk_guest_add(BlkGuest *guest, unsigned queue, const BlkGuestRequest *request)
{
    uint64_t at = envelope_address(request->place);
    Envelope *envelope = host(guest, at);
    gboolean to_disk = request->data != NULL;
    VhostUserDriverBuffer buffers[3] = {{at, sizeof(envelope->header)}};
    unsigned count = 1;

    envelope->header = (struct virtio_blk_outhdr){.type = request->type, .sector = request->sector};
    envelope->status = WRITTEN_BY_NOBODY;
    envelope->request = *request;
    if (request->size > 0) {
        void *data = host(guest, data_address(request));

        if (to_disk) {
            memcpy(data, request->data, request->size);
        } else {
            memset(data, WRITTEN_BY_NOBODY, request->size);
        }
        buffers[count++] = (VhostUserDriverBuffer){data_address(request), request->size};
    }
    buffers[count++] = (VhostUserDriverBuffer){at + offsetof(Envelope, status), 1};

    unsigned readable = to_disk ? count - 1 : 1;
    unsigned flags = guest->indirect && request->place % 2 == 0 ? VHOST_USER_DRIVER_INDIRECT : 0;

    g_assert_cmpint(vhost_user_driver_queue_add(guest->queues[queue], buffers, readable,
                                                count - readable, flags, envelope),
                    ==, 0);
}

void blk_guest_kick(BlkGuest *guest, unsigned queue)
{
    vhost_user_driver_queue_kick(guest->queues[queue]);
}

unsigned blk_guest_wait(BlkGuest *guest, unsigned queue, uint8_t *status, const uint8_t **data)
{
    VhostUserDriverUsed used;
    Envelope *envelope;

    g_assert_cmpint(vhost_user_driver_queue_wait(guest->queues[queue], BLK_GUEST_DEADLINE), ==, 1);
    g_assert_cmpint(vhost_user_driver_queue_collect(guest->queues[queue], &used, 1), ==, 1);
    envelope = used.cookie;
    g_assert_cmpuint(used.written, ==,
                     1 + (envelope->request.data != NULL ? 0 : envelope->request.size));
    *status = envelope->status;
    if (data != NULL) {
        *data = host(guest, data_address(&envelope->request));
    }
    return envelope->request.place;
}

uint8_t blk_guest_ask(BlkGuest *guest, unsigned queue, const BlkGuestRequest *request)
{
    uint8_t status;

    g_assert_cmpuint(request->place, ==, 0);
    blk_guest_add(guest, queue, request);
    blk_guest_kick(guest, queue);
    g_assert_cmpuint(blk_guest_wait(guest, queue, &status, NULL), ==, 0);
    return status;
}
