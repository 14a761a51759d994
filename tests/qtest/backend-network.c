/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scripted backend as a network: packets of the driver are kept for the test, and packets of
 * the test go to the driver.  Ring 2n receives and ring 2n + 1 transmits (virtio 1.2, 5.1.2).
 */
#include "qtest/backend-session.h"

#include <linux/virtio_ring.h>
#include <string.h>

#define PACKET_MAX 65562 /* the longest that there is, with its header (5.1.6.3.1) */

typedef struct Packet {
    guint pair;
    uint32_t size;
    uint8_t bytes[];
} Packet;

static uint32_t keep_packet(gpointer opaque, GArray *pieces)
{
    BackendNetwork *network = opaque;
    g_autofree uint8_t *bytes = g_malloc(PACKET_MAX);
    uint32_t size = (uint32_t)ring_copy(pieces, FALSE, 0, bytes, PACKET_MAX);
    Packet *packet = g_malloc(sizeof(Packet) + size);

    packet->pair = network->pair;
    packet->size = size;
    memcpy(packet->bytes, bytes, size);
    g_queue_push_tail(&network->packets, packet);
    return 0;
}

const char *network_serve(BackendNetwork *network, BackendRing *ring, guint index,
                          BackendMemory *memory, gboolean event_index)
{
    if (index % 2 == 0) {
        return NULL; /* room for packets to come */
    }
    network->pair = index / 2;
    return ring_serve(ring, memory, event_index, UINT_MAX, keep_packet, network);
}

void network_clear(BackendNetwork *network)
{
    g_queue_clear_full(&network->packets, g_free);
}

typedef struct Outgoing {
    const void *bytes;
    gsize size;
    gboolean gone;
} Outgoing;

static uint32_t give_packet(gpointer opaque, GArray *pieces)
{
    Outgoing *packet = opaque;

    packet->gone = TRUE;
    return (uint32_t)ring_copy(pieces, TRUE, 0, (void *)packet->bytes, packet->size);
}

gboolean backend_send_packet(Backend *backend, guint pair, const void *bytes, gsize size)
{
    Outgoing packet = {.bytes = bytes, .size = size};

    g_mutex_lock(&backend->lock);
    if (2 * pair < backend->rings->len) {
        BackendRing *ring = backend->rings->pdata[2 * pair];
        gboolean event_index = !!(backend->features & (1ull << VIRTIO_RING_F_EVENT_IDX));

        if (ring && ring->running && ring->enabled) {
            ring_serve(ring, &backend->memory, event_index, 1, give_packet, &packet);
        }
    }
    g_mutex_unlock(&backend->lock);
    return packet.gone;
}

static Packet *find_packet(Backend *backend, guint pair)
{
    for (GList *link = backend->network.packets.head; link; link = link->next) {
        if (((Packet *)link->data)->pair == pair) {
            Packet *packet = link->data;

            g_queue_delete_link(&backend->network.packets, link);
            return packet;
        }
    }
    return NULL;
}

gssize backend_take_packet(Backend *backend, guint pair, void *bytes, gsize room,
                           guint milliseconds)
{
    gint64 deadline = g_get_monotonic_time() + milliseconds * 1000LL;
    g_autofree Packet *packet = NULL;

    g_mutex_lock(&backend->lock);
    while (!(packet = find_packet(backend, pair)) &&
           g_cond_wait_until(&backend->changed, &backend->lock, deadline)) {
    }
    g_mutex_unlock(&backend->lock);
    if (!packet) {
        return -1;
    }
    memcpy(bytes, packet->bytes, MIN(room, packet->size));
    return packet->size;
}
