/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest with a network card, made of the driver's side of libvhost-user. */
#include "tools/net-guest.h"

#include "tools/program.h"

#include <errno.h>
#include <string.h>

#define MILLISECONDS 20000
#define MEMORY_BASE 0x100000u
#define RINGS_SIZE 0x40000u /* of a pair */

/* A slot: the header, then the frame. */
#define FRAME_OFFSET 64u
#define SLOT_SIZE (FRAME_OFFSET + 66048u)

/* Protocol features that tests of the program need; it may offer fewer. */
#define PROTOCOL_FEATURES                                                                          \
    (1ull << VHOST_USER_PROTOCOL_F_MQ | 1ull << VHOST_USER_PROTOCOL_F_LOG_SHMFD |                  \
     1ull << VHOST_USER_PROTOCOL_F_RARP | 1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK |                \
     1ull << VHOST_USER_PROTOCOL_F_NET_MTU | 1ull << VHOST_USER_PROTOCOL_F_CONFIG |                \
     1ull << VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS | 1ull << VHOST_USER_PROTOCOL_F_STATUS)

void net_guest_check(NetGuest *guest, int result, const char *what)
{
    if (result < 0) {
        tool_program_fail("%s: %s (%s)", what, vhost_user_front_end_error(guest->front),
                          g_strerror(-result));
    }
}

/* --- memory: of each pair the slots, then the buffers; behind all of them the rings --- */

static guint64 pair_size(const NetGuest *guest)
{
    return NET_GUEST_SLOTS * SLOT_SIZE +
           (guint64)guest->options.buffers * guest->options.buffer_size;
}

static guint64 slot_address(const NetGuest *guest, guint pair, guint slot)
{
    return MEMORY_BASE + pair * pair_size(guest) + (guint64)slot * SLOT_SIZE;
}

static guint64 buffer_address(const NetGuest *guest, guint pair, guint buffer)
{
    return slot_address(guest, pair, NET_GUEST_SLOTS) +
           (guint64)buffer * guest->options.buffer_size;
}

static guint8 *host(const NetGuest *guest, guint64 address)
{
    return (guint8 *)guest->memory->areas[0].host + (address - MEMORY_BASE);
}

/* --- start and end --- */

static guint64 ring_features(const NetGuest *guest)
{
    return VHOST_USER_RING_F_EVENT_IDX | (guest->options.legacy ? 0 : VHOST_USER_RING_F_VERSION_1) |
           (guest->options.packed ? VHOST_USER_RING_F_PACKED : 0);
}

static guint32 ring_size(guint elements)
{
    guint32 size = 16;

    while (size < elements) {
        size *= 2;
    }
    return size;
}

static VhostUserDriverQueue *make_queue(NetGuest *guest, guint index, guint elements,
                                        guint64 *place)
{
    VhostUserDriverParameters parameters = {
        .areas = guest->memory->areas,
        .area_count = guest->memory->count,
        .features = ring_features(guest) & ~VHOST_USER_RING_F_VERSION_1,
        .index = index,
        .size = ring_size(elements),
        .base = guest->options.packed ? VHOST_USER_DRIVER_PACKED_BASE : 0,
    };

    *place = vhost_user_driver_place(&parameters, *place);
    VhostUserDriverQueue *queue = vhost_user_driver_queue_new(&parameters);
    if (!queue) {
        tool_program_fail("queue %u: %s", index, g_strerror(errno));
    }
    return queue;
}

static void start_queue(NetGuest *guest, VhostUserDriverQueue *queue)
{
    VhostUserRingSetup setup;

    vhost_user_driver_queue_setup(queue, &setup);
    net_guest_check(guest, vhost_user_front_end_start_ring(guest->front, &setup), "ring");
}

static void start_pair(NetGuest *guest, guint pair, guint64 *place)
{
    guest->receive[pair] = make_queue(guest, 2 * pair, guest->options.buffers, place);
    guest->transmit[pair] = make_queue(guest, 2 * pair + 1, 4 * NET_GUEST_SLOTS, place);
    if (!guest->options.keeps_buffers) {
        net_guest_post(guest, pair);
    }
    start_queue(guest, guest->receive[pair]);
    start_queue(guest, guest->transmit[pair]);
}

static NetGuest *guest_new(VhostUserFrontEnd *front, const NetGuestOptions *options)
{
    NetGuest *guest = g_new0(NetGuest, 1);
    uint64_t features;

    guest->options = options ? *options : (NetGuestOptions){0};
    guest->options.pairs = MAX(guest->options.pairs, 1);
    guest->options.buffers = guest->options.buffers ? guest->options.buffers : 64;
    guest->options.buffer_size = guest->options.buffer_size ? guest->options.buffer_size : 2048;
    guest->front = front;
    guest->receive = g_new0(VhostUserDriverQueue *, guest->options.pairs);
    guest->transmit = g_new0(VhostUserDriverQueue *, guest->options.pairs);
    guest->next_slot = g_new0(guint, guest->options.pairs);
    guint64 place = slot_address(guest, guest->options.pairs, 0);
    guint64 size = place - MEMORY_BASE + guest->options.pairs * RINGS_SIZE;
    guest->memory = vhost_user_guest_memory_new(MEMORY_BASE, (size + 4095) & ~4095ull, 1, 0);
    features = ring_features(guest) | guest->options.features;
    net_guest_check(guest, vhost_user_front_end_negotiate(front, features, PROTOCOL_FEATURES),
                    "negotiation");
    features = vhost_user_front_end_features(front);
    g_assert_cmphex(features & guest->options.features, ==, guest->options.features);
    guest->header_size =
        features & (VHOST_USER_RING_F_VERSION_1 | NET_GUEST_FEATURE(MRG_RXBUF)) ? 12 : 10;
    net_guest_check(
        guest, vhost_user_front_end_add_memory(front, guest->memory->areas, guest->memory->count),
        "memory");
    for (guint i = 0; i < guest->options.pairs; i++) {
        start_pair(guest, i, &place);
    }
    return guest;
}

NetGuest *net_guest_connect(const char *path, const NetGuestOptions *options)
{
    VhostUserFrontEnd *front = vhost_user_front_end_connect(path, MILLISECONDS);

    if (!front) {
        tool_program_fail("%s: %s", path, g_strerror(errno));
    }
    return guest_new(front, options);
}

NetGuest *net_guest_new(int socket, const NetGuestOptions *options)
{
    VhostUserFrontEnd *front = vhost_user_front_end_new(socket, MILLISECONDS);

    if (!front) {
        tool_program_fail("descriptor %d: %s", socket, g_strerror(errno));
    }
    return guest_new(front, options);
}

void net_guest_free(NetGuest *guest)
{
    vhost_user_front_end_free(guest->front);
    for (guint i = 0; i < guest->options.pairs; i++) {
        vhost_user_driver_queue_free(guest->receive[i]);
        vhost_user_driver_queue_free(guest->transmit[i]);
    }
    vhost_user_guest_memory_free(guest->memory);
    g_free(guest->receive);
    g_free(guest->transmit);
    g_free(guest->next_slot);
    g_free(guest);
}

void net_guest_leave(NetGuest *guest)
{
    for (guint i = 0; i < 2 * guest->options.pairs; i++) {
        uint32_t base;
        net_guest_check(guest, vhost_user_front_end_stop_ring(guest->front, i, &base), "stop");
    }
    net_guest_free(guest);
}

void net_guest_enable(NetGuest *guest, guint pair, gboolean enable)
{
    for (guint i = 2 * pair; i < 2 * pair + 2; i++) {
        net_guest_check(guest,
                        vhost_user_front_end_set_ring_state(
                            guest->front, VHOST_USER_SET_VRING_ENABLE, i, (uint32_t)enable),
                        "enable");
    }
}

/* --- frames --- */

static void collect_sent(NetGuest *guest, guint pair)
{
    VhostUserDriverQueue *queue = guest->transmit[pair];
    VhostUserDriverUsed used[NET_GUEST_SLOTS];

    if (vhost_user_driver_queue_collect(queue, used, NET_GUEST_SLOTS) < 0) {
        tool_program_fail("transmit queue %u: %s", pair, vhost_user_driver_queue_error(queue));
    }
}

static void wait_sent(NetGuest *guest, guint pair, guint left)
{
    VhostUserDriverQueue *queue = guest->transmit[pair];

    collect_sent(guest, pair);
    while (vhost_user_driver_queue_outstanding(queue) > left) {
        if (vhost_user_driver_queue_wait(queue, MILLISECONDS) <= 0) {
            tool_program_fail("transmit queue %u: frames are not taken", pair);
        }
        collect_sent(guest, pair);
    }
}

void net_guest_wait_sent(NetGuest *guest, guint pair)
{
    wait_sent(guest, pair, 0);
}

/* Header and frame in one buffer, in two, or in four: a device looks at bytes, not at buffers. */
static guint cut(const NetGuest *guest, guint64 address, guint32 size, guint kind,
                 VhostUserDriverBuffer *buffers)
{
    guint64 frame = address + guest->header_size;

    switch (kind) {
    case 0:
        buffers[0] = (VhostUserDriverBuffer){address, guest->header_size + size};
        return 1;
    case 1:
        buffers[0] = (VhostUserDriverBuffer){address, guest->header_size};
        buffers[1] = (VhostUserDriverBuffer){frame, size};
        return size ? 2 : 1;
    default:
        buffers[0] = (VhostUserDriverBuffer){address, 5};
        buffers[1] = (VhostUserDriverBuffer){address + 5, guest->header_size - 5 + MIN(size, 1)};
        buffers[2] = (VhostUserDriverBuffer){frame + 1, 7};
        buffers[3] = (VhostUserDriverBuffer){frame + 8, size - 8};
        return size > 8 ? 4 : 2;
    }
}

void net_guest_send(NetGuest *guest, guint pair, const struct virtio_net_hdr *header,
                    const void *frame, guint32 size)
{
    guint slot = guest->next_slot[pair]++ % NET_GUEST_SLOTS;
    guint64 address = slot_address(guest, pair, slot);
    guint8 *bytes = host(guest, address);
    VhostUserDriverBuffer buffers[4];

    wait_sent(guest, pair, NET_GUEST_SLOTS - 1);
    memset(bytes, 0, guest->header_size);
    if (header) {
        memcpy(bytes, header, sizeof(*header));
    }
    memcpy(bytes + guest->header_size, frame, size);
    guint count = cut(guest, address, size, size > 1 && size <= 8 ? 0 : slot % 3, buffers);
    net_guest_check(guest,
                    vhost_user_driver_queue_add(guest->transmit[pair], buffers, count, 0, 0, NULL),
                    "frame");
    vhost_user_driver_queue_kick(guest->transmit[pair]);
}

static void post(NetGuest *guest, guint pair, guint buffer)
{
    const VhostUserDriverBuffer one = {buffer_address(guest, pair, buffer),
                                       guest->options.buffer_size};

    net_guest_check(
        guest,
        vhost_user_driver_queue_add(guest->receive[pair], &one, 0, 1, 0, GUINT_TO_POINTER(buffer)),
        "buffer");
}

void net_guest_post(NetGuest *guest, guint pair)
{
    for (guint i = vhost_user_driver_queue_outstanding(guest->receive[pair]);
         i < guest->options.buffers; i++) {
        post(guest, pair, i);
    }
    vhost_user_driver_queue_kick(guest->receive[pair]);
}

/* A buffer that was used, copied to @to and posted again.  Returns its bytes. */
static guint32 take_buffer(NetGuest *guest, guint pair, guint8 *to, guint32 room)
{
    VhostUserDriverQueue *queue = guest->receive[pair];
    VhostUserDriverUsed used;

    if (vhost_user_driver_queue_collect(queue, &used, 1) != 1) {
        const char *error = vhost_user_driver_queue_error(queue);

        tool_program_fail("receive queue %u: %s", pair, error ? error : "a buffer is missing");
    }
    guint buffer = GPOINTER_TO_UINT(used.cookie);
    if (used.written > room) {
        tool_program_fail("receive queue %u: a frame of more than %u bytes", pair, room);
    }
    memcpy(to, host(guest, buffer_address(guest, pair, buffer)), used.written);
    if (!guest->options.keeps_buffers) {
        post(guest, pair, buffer);
        vhost_user_driver_queue_kick(queue);
    }
    return used.written;
}

gssize net_guest_receive(NetGuest *guest, guint pair, void *frame,
                         struct virtio_net_hdr_mrg_rxbuf *header, int milliseconds)
{
    static guint8 bytes[NET_GUEST_FRAME + 12];
    struct virtio_net_hdr_mrg_rxbuf got = {.num_buffers = 1};
    guint32 size;

    if (vhost_user_driver_queue_wait(guest->receive[pair], milliseconds) <= 0) {
        return -1;
    }
    size = take_buffer(guest, pair, bytes, sizeof(bytes));
    if (size < guest->header_size) {
        tool_program_fail("receive queue %u: a buffer of %u bytes came back", pair, size);
    }
    memcpy(&got, bytes, guest->header_size);
    for (guint i = 1; i < got.num_buffers; i++) {
        size += take_buffer(guest, pair, bytes + size, (guint32)sizeof(bytes) - size);
    }
    memcpy(frame, bytes + guest->header_size, size - guest->header_size);
    if (header) {
        *header = got;
    }
    return (gssize)(size - guest->header_size);
}
