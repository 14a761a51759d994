/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest with a disk, made of the driver's side of libvhost-user. */
#include "tools/blk-guest.h"

#include "qtest/vmm.h"
#include "tools/program.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MILLISECONDS 20000
#define MEMORY_BASE 0x100000u
#define INDIRECT_SIZE 4u
#define SECTOR 512

/* A slot in guest memory: the data, then the header, then the status. */
#define HEADER_OFFSET BLK_GUEST_DATA
#define STATUS_OFFSET (HEADER_OFFSET + sizeof(struct virtio_blk_outhdr))
#define SLOT_SIZE (BLK_GUEST_DATA + 4096u)

/* Protocol features that tests of the program need; it may offer fewer. */
#define PROTOCOL_FEATURES                                                                          \
    (1ull << VHOST_USER_PROTOCOL_F_MQ | 1ull << VHOST_USER_PROTOCOL_F_LOG_SHMFD |                  \
     1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK | 1ull << VHOST_USER_PROTOCOL_F_BACKEND_REQ |         \
     1ull << VHOST_USER_PROTOCOL_F_PAGEFAULT | 1ull << VHOST_USER_PROTOCOL_F_CONFIG |              \
     1ull << VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD |                                               \
     1ull << VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD | 1ull << VHOST_USER_PROTOCOL_F_RESET_DEVICE |   \
     1ull << VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS | 1ull << VHOST_USER_PROTOCOL_F_STATUS)

void blk_guest_check(BlkGuest *guest, int result, const char *what)
{
    if (result < 0) {
        tool_program_fail("%s: %s (%s)", what, vhost_user_front_end_error(guest->front),
                          g_strerror(-result));
    }
}

static guint64 slot_address(const BlkGuest *guest, guint queue, guint slot)
{
    return MEMORY_BASE + (guint64)(queue * guest->options.depth + slot) * SLOT_SIZE;
}

static char *slot_host(const BlkGuest *guest, guint queue, guint slot)
{
    return (char *)guest->memory->areas[0].host + (slot_address(guest, queue, slot) - MEMORY_BASE);
}

static guint64 ring_features(const BlkGuest *guest)
{
    return VHOST_USER_RING_F_VERSION_1 | VHOST_USER_RING_F_EVENT_IDX |
           (guest->options.packed ? VHOST_USER_RING_F_PACKED : 0) |
           (guest->options.indirect ? VHOST_USER_RING_F_INDIRECT_DESC : 0);
}

/* The rings lie behind all slots. */
static void start_queue(BlkGuest *guest, guint index, guint64 *place)
{
    VhostUserDriverParameters parameters = {
        .areas = guest->memory->areas,
        .area_count = guest->memory->count,
        .features = ring_features(guest) & ~VHOST_USER_RING_F_VERSION_1,
        .index = index,
        .size = guest->options.depth * 4,
        .base = guest->options.packed ? VHOST_USER_DRIVER_PACKED_BASE : 0,
        .indirect_size = guest->options.indirect ? INDIRECT_SIZE : 0,
    };
    VhostUserRingSetup setup;

    *place = vhost_user_driver_place(&parameters, *place);
    guest->queues[index] = vhost_user_driver_queue_new(&parameters);
    if (!guest->queues[index]) {
        tool_program_fail("queue %u: %s", index, g_strerror(errno));
    }
    vhost_user_driver_queue_setup(guest->queues[index], &setup);
    blk_guest_check(guest, vhost_user_front_end_start_ring(guest->front, &setup), "ring");
}

static BlkGuest *guest_new(VhostUserFrontEnd *front, const BlkGuestOptions *options)
{
    BlkGuest *guest = g_new0(BlkGuest, 1);

    guest->options = options ? *options : (BlkGuestOptions){0};
    guest->options.queues = MAX(guest->options.queues, 1);
    guest->options.depth = guest->options.depth ? guest->options.depth : 16;
    guest->front = front;
    guest->queues = g_new0(VhostUserDriverQueue *, guest->options.queues);
    guint64 place = slot_address(guest, guest->options.queues, 0);
    guint64 size = place - MEMORY_BASE + guest->options.queues * 0x100000ull;
    guest->memory = vhost_user_guest_memory_new(MEMORY_BASE, size, 1, 0);
    blk_guest_check(
        guest,
        vhost_user_front_end_negotiate(front, ring_features(guest) | 0xffffff, PROTOCOL_FEATURES),
        "negotiation");
    blk_guest_check(
        guest, vhost_user_front_end_add_memory(front, guest->memory->areas, guest->memory->count),
        "memory");
    for (guint i = 0; i < guest->options.queues; i++) {
        start_queue(guest, i, &place);
    }
    return guest;
}

BlkGuest *blk_guest_connect(const char *path, const BlkGuestOptions *options)
{
    VhostUserFrontEnd *front = vhost_user_front_end_connect(path, MILLISECONDS);

    if (!front) {
        tool_program_fail("%s: %s", path, g_strerror(errno));
    }
    return guest_new(front, options);
}

BlkGuest *blk_guest_new(int socket, const BlkGuestOptions *options)
{
    VhostUserFrontEnd *front = vhost_user_front_end_new(socket, MILLISECONDS);

    if (!front) {
        tool_program_fail("descriptor %d: %s", socket, g_strerror(errno));
    }
    return guest_new(front, options);
}

void blk_guest_free(BlkGuest *guest)
{
    vhost_user_front_end_free(guest->front);
    for (guint i = 0; i < guest->options.queues; i++) {
        vhost_user_driver_queue_free(guest->queues[i]);
    }
    vhost_user_guest_memory_free(guest->memory);
    g_free(guest->queues);
    g_free(guest);
}

void blk_guest_leave(BlkGuest *guest)
{
    for (guint i = 0; i < guest->options.queues; i++) {
        uint32_t base;
        blk_guest_check(guest, vhost_user_front_end_stop_ring(guest->front, i, &base), "stop");
    }
    blk_guest_free(guest);
}

void *blk_guest_data(BlkGuest *guest, guint queue, guint slot)
{
    return slot_host(guest, queue, slot);
}

void blk_guest_submit(BlkGuest *guest, guint queue, guint slot, guint32 type, guint64 sector,
                      guint32 size)
{
    guint64 address = slot_address(guest, queue, slot);
    char *host = slot_host(guest, queue, slot);
    const struct virtio_blk_outhdr header = {.type = type, .sector = sector};
    gboolean writes = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
    VhostUserDriverBuffer buffers[3] = {{address + HEADER_OFFSET, sizeof(header)}};
    guint count = 1;

    memcpy(host + HEADER_OFFSET, &header, sizeof(header));
    host[STATUS_OFFSET] = (char)0xff;
    if (size) {
        buffers[count++] = (VhostUserDriverBuffer){address, size};
    }
    buffers[count++] = (VhostUserDriverBuffer){address + STATUS_OFFSET, 1};
    guint writable = size && writes ? 2 : 1;
    blk_guest_check(
        guest,
        vhost_user_driver_queue_add(guest->queues[queue], buffers, count - writable, writable,
                                    guest->options.indirect ? VHOST_USER_DRIVER_INDIRECT : 0,
                                    GUINT_TO_POINTER(slot)),
        "request");
    vhost_user_driver_queue_kick(guest->queues[queue]);
}

int blk_guest_collect(BlkGuest *guest, guint queue, int milliseconds)
{
    VhostUserDriverUsed used;

    if (vhost_user_driver_queue_wait(guest->queues[queue], milliseconds) <= 0) {
        return -1;
    }
    int count = vhost_user_driver_queue_collect(guest->queues[queue], &used, 1);
    if (count != 1) {
        tool_program_fail("queue %u: %s", queue,
                          vhost_user_driver_queue_error(guest->queues[queue]));
    }
    return (int)GPOINTER_TO_UINT(used.cookie);
}

guint8 blk_guest_status(BlkGuest *guest, guint queue, guint slot)
{
    return (guint8)slot_host(guest, queue, slot)[STATUS_OFFSET];
}

guint8 blk_guest_do(BlkGuest *guest, guint queue, guint32 type, guint64 sector, void *data,
                    guint32 size)
{
    if (size) {
        memcpy(blk_guest_data(guest, queue, 0), data, size);
    }
    blk_guest_submit(guest, queue, 0, type, sector, size);
    if (blk_guest_collect(guest, queue, MILLISECONDS) != 0) {
        tool_program_fail("request of type %u is not answered", type);
    }
    if (size) {
        memcpy(data, blk_guest_data(guest, queue, 0), size);
    }
    return blk_guest_status(guest, queue, 0);
}

guint64 blk_guest_capacity(BlkGuest *guest)
{
    guint64 capacity;

    blk_guest_check(guest,
                    vhost_user_front_end_get_config(guest->front, 0, &capacity, sizeof(capacity)),
                    "configuration");
    return capacity;
}

char *blk_image(const char *name, guint64 size)
{
    char *path = vmm_temporary_path(name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    g_assert_cmpint(ftruncate(fd, (off_t)size), ==, 0);
    for (guint64 sector = 0; sector < size / SECTOR; sector++) {
        g_assert_cmpint(pwrite(fd, &sector, sizeof(sector), (off_t)(sector * SECTOR)), ==,
                        sizeof(sector));
    }
    close(fd);
    return path;
}
