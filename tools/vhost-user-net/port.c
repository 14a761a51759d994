/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's network card. */
#include "tools/vhost-user-net/port.h"

#include "tools/common/log.h"
#include "tools/vhost-user-net/worker.h"
#include "util/error.h"

#include <string.h>
#include <unistd.h>

#define MTU_OTHERWISE 1500u
#define MTU_MAXIMUM 65535u

void net_port_init(NetPort *port, const NetOptions *options)
{
    *port = (NetPort){.queues = options->queues, .poll_us = options->poll_us};
    port->mtu = options->mtu ? options->mtu : MTU_OTHERWISE;
    port->mtu_limit = options->mtu ? options->mtu : MTU_MAXIMUM;
    port->transmit = g_new0(NetRing, port->queues);
    port->receive = g_new0(NetReceiver, port->queues);
    for (guint i = 0; i < port->queues; i++) {
        net_ring_init(&port->transmit[i]);
        net_receiver_init(&port->receive[i]);
    }
}

void net_port_clear(NetPort *port)
{
    for (guint i = 0; i < port->queues; i++) {
        net_ring_clear(&port->transmit[i]);
        net_receiver_clear(&port->receive[i]);
    }
    g_free(port->transmit);
    g_free(port->receive);
}

/* --- features and configuration --- */

/*
 * The front end has the control queue and the address: their bits are offered because nothing here
 * stands against them.  CTRL_GUEST_OFFLOADS comes as another SET_FEATURES.
 */
#define OF_THE_FRONT_END                                                                           \
    (NET_FEATURE(VIRTIO_NET_F_STATUS) | NET_FEATURE(VIRTIO_NET_F_CTRL_VQ) |                        \
     NET_FEATURE(VIRTIO_NET_F_CTRL_RX) | NET_FEATURE(VIRTIO_NET_F_CTRL_VLAN) |                     \
     NET_FEATURE(VIRTIO_NET_F_CTRL_RX_EXTRA) | NET_FEATURE(VIRTIO_NET_F_GUEST_ANNOUNCE) |          \
     NET_FEATURE(VIRTIO_NET_F_CTRL_MAC_ADDR) | NET_FEATURE(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS))

#define OFFLOADS                                                                                   \
    (NET_FEATURE(VIRTIO_NET_F_CSUM) | NET_FEATURE(VIRTIO_NET_F_GUEST_CSUM) |                       \
     NET_FEATURE(VIRTIO_NET_F_GUEST_TSO4) | NET_FEATURE(VIRTIO_NET_F_GUEST_TSO6) |                 \
     NET_FEATURE(VIRTIO_NET_F_GUEST_ECN) | NET_FEATURE(VIRTIO_NET_F_HOST_TSO4) |                   \
     NET_FEATURE(VIRTIO_NET_F_HOST_TSO6) | NET_FEATURE(VIRTIO_NET_F_HOST_ECN))

uint64_t net_port_features_offered(const NetPort *port)
{
    uint64_t features =
        OF_THE_FRONT_END | NET_FEATURE(VIRTIO_NET_F_MTU) | NET_FEATURE(VIRTIO_NET_F_MRG_RXBUF);

    if (port->queues > 1) {
        features |= NET_FEATURE(VIRTIO_NET_F_MQ);
    }
    /* What a file shows are whole frames. */
    return port->pcap ? features : features | OFFLOADS;
}

gboolean net_port_set_features(NetPort *port, uint64_t features, GError **error)
{
    if (port->tap && !net_tap_set_features(port->tap, features, error)) {
        return FALSE;
    }
    __atomic_store_n(&port->features, features, __ATOMIC_RELAXED);
    return TRUE;
}

gboolean net_port_set_mtu(NetPort *port, guint mtu, GError **error)
{
    if (mtu > port->mtu_limit) {
        vm_error_set(error, "NET_SET_MTU: %u is above --mtu %u", mtu, port->mtu_limit);
        return FALSE;
    }
    __atomic_store_n(&port->mtu, mtu, __ATOMIC_RELAXED);
    return TRUE;
}

void net_port_read_config(const NetPort *port, uint32_t offset, uint32_t size, void *bytes)
{
    const struct virtio_net_config space = {
        .status = VIRTIO_NET_S_LINK_UP,
        .max_virtqueue_pairs = (uint16_t)port->queues,
        .mtu = (uint16_t)net_port_mtu(port),
    };

    memset(bytes, 0, size);
    if (offset < sizeof(space)) {
        memcpy(bytes, (const uint8_t *)&space + offset, MIN(size, sizeof(space) - offset));
    }
}

/* --- queues: receive and transmit in turn (virtio 1.2, 5.1.2) --- */

static void change_queue(NetPort *port, VhostUserQueue *queue, gboolean start)
{
    guint index = vhost_user_queue_index(queue);
    guint pair = index / 2;
    gboolean transmit = index % 2;
    NetRing *ring = transmit ? &port->transmit[pair] : &port->receive[pair].ring;

    if (port->tap && !transmit) {
        net_tap_enable(port->tap, pair, start);
    }
    if (start) {
        net_ring_start(ring, queue);
    } else {
        net_ring_stop(ring);
    }
    net_worker_wake(port->workers[pair]);
}

void net_port_queue_start(NetPort *port, VhostUserQueue *queue)
{
    change_queue(port, queue, TRUE);
}

void net_port_queue_stop(NetPort *port, VhostUserQueue *queue)
{
    change_queue(port, queue, FALSE);
}

NetReceiver *net_port_receiver(NetPort *port, guint index)
{
    for (guint i = 0; i < port->queues; i++) {
        NetReceiver *receiver = &port->receive[(index + i) % port->queues];

        if (net_ring_running(&receiver->ring)) {
            return receiver;
        }
    }
    return NULL;
}

void net_port_reset(NetPort *port)
{
    g_autoptr(GError) error = NULL;

    if (!net_port_set_features(port, 0, &error)) {
        log_warning("%s", error->message);
    }
}

/* --- announcements --- */

/* Only the tap wants a header; its size is that of the driver's. */
static gboolean announce_to_tap(NetPort *port, const NetFrame *frame)
{
    static const guint8 header[NET_HEADER_MAXIMUM];
    struct iovec pieces[] = {
        {(void *)(guintptr)header, net_header_size(net_port_features(port))},
        frame->pieces[0],
    };

    return writev(net_tap_fd(port->tap, 0), pieces, G_N_ELEMENTS(pieces)) > 0;
}

static gboolean announce_to_file(NetPort *port, const NetFrame *frame)
{
    NetPcapBatch batch;

    net_pcap_batch_init(&batch);
    gboolean good = net_pcap_add(&batch, frame) && net_pcap_flush(port->pcap, &batch) == 0;
    net_pcap_batch_clear(&batch);
    return good;
}

static gboolean announce_to_peer(NetPort *port, const NetFrame *frame)
{
    NetReceiver *receiver = net_port_receiver(port->peer, 0);
    NetDrop drop;

    if (!receiver ||
        !net_receiver_begin(receiver, FALSE, net_port_features(port->peer), &port->control)) {
        return FALSE;
    }
    /* Without offloads nothing has to be completed. */
    gboolean good = net_frame_deliver(frame, receiver, NULL, &drop) == NET_DELIVERED;
    net_receiver_end(receiver);
    return good;
}

void net_port_announce(NetPort *port, const guint8 address[6])
{
    guint8 bytes[NET_ANNOUNCEMENT_SIZE];
    struct iovec piece;
    gboolean good;

    net_announcement(bytes, address);
    NetFrame frame = net_frame_of_bytes(bytes, sizeof(bytes), &piece);
    if (port->tap) {
        good = announce_to_tap(port, &frame);
    } else if (port->pcap) {
        good = announce_to_file(port, &frame);
    } else {
        good = announce_to_peer(port, &frame);
    }
    if (good) {
        port->announced++;
    } else {
        log_warning("SEND_RARP: nobody has taken the announcement");
    }
}
