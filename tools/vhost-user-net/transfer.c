/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The frame path of one queue pair. */
#include "tools/vhost-user-net/transfer.h"

#include "tools/common/log.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

/* A turn ends after so many frames: the driver sees them while the next turn goes on, and the
 * control thread, which may have to wait for its end, never waits long. */
#define TURN_FRAMES 64u

/*
 * A frame waits so long in the sender's queue for a receiver that has posted no buffers; then
 * frames are dropped until it has, so that a guest that hangs stops no other.
 */
#define PATIENCE_NANOSECONDS INT64_C(10000000)

int64_t net_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void net_transfer_init(NetTransfer *transfer, NetPort *port, guint index, NetStatistics *statistics)
{
    *transfer = (NetTransfer){.port = port, .index = index, .statistics = statistics};
    transfer->scratch = g_new(NetScratch, 1);
    transfer->held = g_ptr_array_new();
    net_pcap_batch_init(&transfer->batch);
}

void net_transfer_clear(NetTransfer *transfer)
{
    net_pcap_batch_clear(&transfer->batch);
    g_ptr_array_unref(transfer->held);
    g_free(transfer->scratch);
}

static void count_drop(NetTransfer *transfer, NetDrop drop, guint frames)
{
    counter_add(&transfer->statistics->dropped[drop], frames);
}

/* --- out of the guest --- */

/* Takes what the driver has sent next; FALSE if it is dropped. */
static gboolean take(NetTransfer *transfer, const VhostUserElement *element, NetFrame *frame)
{
    const NetPort *port = transfer->port;
    NetDrop drop = net_frame_parse(frame, element, net_port_features(port), net_port_mtu(port));

    if (drop != NET_DROP_COUNT) {
        counter_add(&transfer->statistics->transmit_packets, 1);
        count_drop(transfer, drop, 1);
    }
    return drop == NET_DROP_COUNT;
}

static void count_taken(NetTransfer *transfer, const NetFrame *frame)
{
    counter_add(&transfer->statistics->transmit_packets, 1);
    counter_add(&transfer->statistics->transmit_bytes, frame->size);
}

static guint transmit_to_tap(NetTransfer *transfer, VhostUserQueue *queue)
{
    int fd = net_tap_fd(transfer->port->tap, transfer->index);
    VhostUserElement *element;
    NetFrame frame;
    guint count = 0;

    for (; count < TURN_FRAMES && (element = vhost_user_queue_pop(queue)); count++) {
        if (take(transfer, element, &frame)) {
            count_taken(transfer, &frame);
            if (writev(fd, frame.pieces, (int)frame.piece_count) < 0) {
                count_drop(transfer, NET_DROP_REFUSED, 1);
            }
        }
        vhost_user_queue_push(queue, element, 0);
    }
    return count;
}

static void flush_batch(NetTransfer *transfer, VhostUserQueue *queue)
{
    count_drop(transfer, NET_DROP_REFUSED, net_pcap_flush(transfer->port->pcap, &transfer->batch));
    for (guint i = 0; i < transfer->held->len; i++) {
        vhost_user_queue_push(queue, transfer->held->pdata[i], 0);
    }
    g_ptr_array_set_size(transfer->held, 0);
}

static void add_to_batch(NetTransfer *transfer, VhostUserQueue *queue, const NetFrame *frame)
{
    if (net_pcap_add(&transfer->batch, frame)) {
        return;
    }
    flush_batch(transfer, queue);
    if (!net_pcap_add(&transfer->batch, frame)) {
        count_drop(transfer, NET_DROP_REFUSED, 1);
    }
}

static guint transmit_to_file(NetTransfer *transfer, VhostUserQueue *queue)
{
    VhostUserElement *element;
    NetFrame frame;
    guint count = 0;

    for (; count < TURN_FRAMES && (element = vhost_user_queue_pop(queue)); count++) {
        if (take(transfer, element, &frame)) {
            count_taken(transfer, &frame);
            add_to_batch(transfer, queue, &frame);
        }
        g_ptr_array_add(transfer->held, element);
    }
    flush_batch(transfer, queue);
    return count;
}

/* Whether the frame that no buffer is there for stays in the sender's queue. */
static gboolean shall_wait(NetTransfer *transfer, NetReceiver *receiver)
{
    int64_t now = net_clock();

    transfer->waiting_since = transfer->waiting_since ? transfer->waiting_since : now;
    if (now - transfer->waiting_since >= PATIENCE_NANOSECONDS) {
        return FALSE;
    }
    transfer->waiting_for = receiver;
    return TRUE;
}

int64_t net_transfer_patience(const NetTransfer *transfer)
{
    return transfer->waiting_since + PATIENCE_NANOSECONDS - net_clock();
}

/* @receiver was begun if @ready.  FALSE: the frame waits. */
static gboolean deliver(NetTransfer *transfer, const NetFrame *frame, NetReceiver *receiver,
                        gboolean ready)
{
    NetDrop drop = NET_DROP_NO_RECEIVER;
    NetOutcome outcome = NET_DROPPED;

    if (ready) {
        outcome = net_frame_deliver(frame, receiver, transfer->scratch, &drop);
    } else if (receiver) {
        outcome = NET_WAITS; /* the control thread is changing it */
    }
    if (outcome == NET_WAITS) {
        if (shall_wait(transfer, receiver)) {
            return FALSE;
        }
        drop = NET_DROP_NO_BUFFERS;
    }
    count_taken(transfer, frame);
    if (outcome == NET_DELIVERED) {
        transfer->waiting_since = 0;
    } else {
        count_drop(transfer, drop, 1);
    }
    return TRUE;
}

static guint transmit_to_peer(NetTransfer *transfer, VhostUserQueue *queue, gboolean polling)
{
    NetPort *peer = transfer->port->peer;
    NetReceiver *receiver = net_port_receiver(peer, transfer->index);
    gboolean ready = receiver && net_receiver_begin(receiver, polling, net_port_features(peer),
                                                    transfer->statistics);
    VhostUserElement *element;
    NetFrame frame;
    guint count = 0;

    for (; count < TURN_FRAMES && (element = vhost_user_queue_pop(queue)); count++) {
        if (take(transfer, element, &frame) && !deliver(transfer, &frame, receiver, ready)) {
            vhost_user_queue_unpop(queue, element);
            break;
        }
        vhost_user_queue_push(queue, element, 0);
    }
    if (ready) {
        net_receiver_end(receiver);
    }
    return count;
}

static guint transmit(NetTransfer *transfer, gboolean polling)
{
    NetPort *port = transfer->port;
    NetRing *ring = &port->transmit[transfer->index];
    guint count;

    transfer->waiting_for = NULL;
    if (!net_ring_begin(ring, polling)) {
        return 0;
    }
    if (port->tap) {
        count = transmit_to_tap(transfer, ring->queue);
    } else if (port->pcap) {
        count = transmit_to_file(transfer, ring->queue);
    } else {
        count = transmit_to_peer(transfer, ring->queue, polling);
    }
    net_ring_end(ring);
    return count;
}

/* --- from the tap into the guest --- */

static void tap_failed(NetTransfer *transfer)
{
    log_error("%s: frames cannot be read: %s", net_tap_name(transfer->port->tap),
              g_strerror(errno));
    transfer->tap_failed = TRUE;
}

/* One frame into what is reserved.  FALSE: there is none. */
static gboolean receive_frame(NetTransfer *transfer, NetReceiver *receiver, gsize reserved)
{
    /* What comes behind the guest's buffers shows that the frame is longer than they are. */
    struct iovec spare = {transfer->scratch->frame, sizeof(transfer->scratch->frame)};
    int fd = net_tap_fd(transfer->port->tap, transfer->index);

    g_array_append_val(receiver->pieces, spare);
    ssize_t size =
        readv(fd, (const struct iovec *)(void *)receiver->pieces->data, (int)receiver->pieces->len);
    if (size < 0) {
        if (errno == EFAULT) {
            count_drop(transfer, NET_DROP_MALFORMED, 1); /* guest memory is gone, and the frame */
            return TRUE;
        }
        if (errno != EAGAIN && errno != EINTR) {
            tap_failed(transfer);
        }
        return FALSE;
    }
    if ((gsize)size > reserved) {
        count_drop(transfer, receiver->dry ? NET_DROP_NO_BUFFERS : NET_DROP_SHORT_BUFFER, 1);
    } else if ((gsize)size > receiver->header_size) {
        net_receiver_commit(receiver, (gsize)size);
    } else {
        count_drop(transfer, NET_DROP_MALFORMED, 1); /* the header was just made larger */
    }
    return TRUE;
}

static guint receive(NetTransfer *transfer, gboolean polling)
{
    NetPort *port = transfer->port;
    NetReceiver *receiver = &port->receive[transfer->index];
    uint64_t features = net_port_features(port);
    guint count = 0;

    transfer->starved = FALSE;
    if (transfer->tap_failed ||
        !net_receiver_begin(receiver, polling, features, transfer->statistics)) {
        return 0;
    }
    gboolean large = (features & (NET_FEATURE(VIRTIO_NET_F_GUEST_TSO4) |
                                  NET_FEATURE(VIRTIO_NET_F_GUEST_TSO6))) != 0;
    gsize frame = large ? NET_FRAME_MAXIMUM : net_tap_mtu(port->tap) + NET_LINK_HEADER_MAXIMUM;
    for (; count < TURN_FRAMES; count++) {
        gsize reserved = net_receiver_reserve(receiver, receiver->header_size + frame);

        if (reserved == 0 && receiver->dry) {
            transfer->starved = TRUE;
            break;
        }
        if (reserved > 0 && !receive_frame(transfer, receiver, reserved)) {
            break;
        }
    }
    net_receiver_end(receiver);
    return count;
}

gboolean net_transfer_turn(NetTransfer *transfer, gboolean polling)
{
    guint count = transmit(transfer, polling);

    if (transfer->port->tap) {
        count += receive(transfer, polling);
    }
    if (count > 0) {
        counter_add(&transfer->statistics->batches, 1);
    }
    return count > 0;
}
