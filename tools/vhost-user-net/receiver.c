/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's receive queue. */
#include "tools/vhost-user-net/receiver.h"

#include "tools/vhost-user-net/header.h"

/* A frame takes at most so many buffers and pieces, of what one readv(2) takes. */
#define BUFFERS_OF_FRAME 512u
#define PIECES_OF_FRAME 1000u

void net_receiver_init(NetReceiver *receiver)
{
    *receiver = (NetReceiver){0};
    net_ring_init(&receiver->ring);
    receiver->window = g_ptr_array_new();
    receiver->pieces = g_array_new(FALSE, FALSE, sizeof(struct iovec));
}

void net_receiver_clear(NetReceiver *receiver)
{
    net_ring_clear(&receiver->ring);
    g_ptr_array_unref(receiver->window);
    g_array_unref(receiver->pieces);
}

gboolean net_receiver_begin(NetReceiver *receiver, gboolean polling, uint64_t features,
                            NetStatistics *statistics)
{
    if (!net_ring_begin(&receiver->ring, polling)) {
        return FALSE;
    }
    receiver->features = features;
    receiver->header_size = net_header_size(features);
    receiver->mergeable = (features & NET_FEATURE(VIRTIO_NET_F_MRG_RXBUF)) != 0;
    receiver->statistics = statistics;
    receiver->dry = FALSE;
    return TRUE;
}

void net_receiver_end(NetReceiver *receiver)
{
    for (guint i = receiver->window->len; i > receiver->first; i--) {
        vhost_user_queue_unpop(receiver->ring.queue, receiver->window->pdata[i - 1]);
    }
    g_ptr_array_set_size(receiver->window, 0);
    receiver->first = 0;
    net_ring_end(&receiver->ring);
}

/* A buffer that takes at least a header; others go back to the driver, which made a mistake. */
static gboolean pop_buffer(NetReceiver *receiver)
{
    for (guint bad = 0; bad < BUFFERS_OF_FRAME; bad++) {
        VhostUserElement *element = vhost_user_queue_pop(receiver->ring.queue);

        if (!element) {
            receiver->dry = TRUE;
            return FALSE;
        }
        if (!element->fault && element->writable_size >= receiver->header_size &&
            element->writable_count < PIECES_OF_FRAME) {
            g_ptr_array_add(receiver->window, element);
            return TRUE;
        }
        vhost_user_queue_push(receiver->ring.queue, element, 0);
        counter_add(&receiver->statistics->bad_buffers, 1);
    }
    return FALSE;
}

gsize net_receiver_reserve(NetReceiver *receiver, gsize wanted)
{
    guint most = receiver->mergeable ? BUFFERS_OF_FRAME : 1;
    gsize bytes = 0;

    receiver->dry = FALSE;
    g_array_set_size(receiver->pieces, 0);
    for (guint i = 0; i < most && bytes < wanted; i++) {
        if (receiver->first + i == receiver->window->len && !pop_buffer(receiver)) {
            break;
        }
        const VhostUserElement *element = receiver->window->pdata[receiver->first + i];

        if (receiver->pieces->len + element->writable_count > PIECES_OF_FRAME) {
            break;
        }
        g_array_append_vals(receiver->pieces, element->writable, element->writable_count);
        bytes += element->writable_size;
    }
    return bytes;
}

void net_receiver_commit(NetReceiver *receiver, gsize bytes)
{
    VhostUserElement **buffers = (VhostUserElement **)receiver->window->pdata + receiver->first;
    gsize left = bytes;
    uint16_t count = 0;

    while (left > 0) {
        left -= MIN(left, buffers[count]->writable_size);
        count++;
    }
    if (receiver->header_size == NET_HEADER_MAXIMUM) {
        vhost_user_element_write(buffers[0], offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers),
                                 &count, sizeof(count));
    }
    left = bytes;
    for (guint i = 0; i < count; i++) {
        gsize part = MIN(left, buffers[i]->writable_size);

        left -= part;
        vhost_user_queue_push(receiver->ring.queue, buffers[i], (uint32_t)part);
    }
    receiver->first += count;
    counter_add(&receiver->statistics->receive_packets, 1);
    counter_add(&receiver->statistics->receive_bytes, bytes - receiver->header_size);
}
