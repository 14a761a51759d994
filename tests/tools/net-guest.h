/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest with a network card: a connection to a back-end, some memory, and queue pairs with slots
 * to send from and buffers to receive into.  What goes wrong with the protocol ends the test
 * program.
 */
#ifndef TESTS_TOOLS_NET_GUEST_H
#define TESTS_TOOLS_NET_GUEST_H

#include "libvhost-user/driver.h"

#include <glib.h>
#include <linux/virtio_net.h>

#define NET_GUEST_FRAME 65550u /* the largest frame (virtio 1.2, 5.1.6.3.1) */
#define NET_GUEST_SLOTS 32u    /* to send from, in each queue */

#define NET_GUEST_FEATURE(name) (UINT64_C(1) << VIRTIO_NET_F_##name)
#define NET_GUEST_OFFLOADS                                                                         \
    (NET_GUEST_FEATURE(CSUM) | NET_GUEST_FEATURE(GUEST_CSUM) | NET_GUEST_FEATURE(GUEST_TSO4) |     \
     NET_GUEST_FEATURE(GUEST_TSO6) | NET_GUEST_FEATURE(GUEST_ECN) | NET_GUEST_FEATURE(HOST_TSO4) | \
     NET_GUEST_FEATURE(HOST_TSO6) | NET_GUEST_FEATURE(HOST_ECN))

typedef struct NetGuestOptions {
    guint pairs;       /* 0: 1 */
    guint buffers;     /* posted in each receive queue, 0: 64 */
    guint buffer_size; /* bytes, 0: 2048 */
    uint64_t features; /* of virtio-net, those of a network card by themselves */
    gboolean legacy;   /* without VERSION_1 */
    gboolean packed;
    gboolean keeps_buffers; /* does not post them again when they have been used */
} NetGuestOptions;

typedef struct NetGuest {
    NetGuestOptions options;
    guint header_size;
    VhostUserFrontEnd *front;
    VhostUserGuestMemory *memory;
    VhostUserDriverQueue **receive, **transmit; /* of each pair */
    guint *next_slot;                           /* of each pair */
} NetGuest;

/* Connects to the unix socket @path, waiting until it listens; @options may be NULL. */
NetGuest *net_guest_connect(const char *path, const NetGuestOptions *options);

/* The same over a connected @socket, which it takes. */
NetGuest *net_guest_new(int socket, const NetGuestOptions *options);

/* Hangs up. */
void net_guest_free(NetGuest *guest);

/* Stops the rings and hangs up. */
void net_guest_leave(NetGuest *guest);

/* Sends a frame; @header may be NULL for one without offloads.  Waits for a free slot. */
void net_guest_send(NetGuest *guest, guint pair, const struct virtio_net_hdr *header,
                    const void *frame, guint32 size);

/* Waits until the device has given back all that was sent. */
void net_guest_wait_sent(NetGuest *guest, guint pair);

/* The next frame, at most NET_GUEST_FRAME bytes; its size, -1 if none comes in @milliseconds.
 * @header, with num_buffers of 1 where the header has none, may be NULL. */
gssize net_guest_receive(NetGuest *guest, guint pair, void *frame,
                         struct virtio_net_hdr_mrg_rxbuf *header, int milliseconds);

/* Posts all buffers that the guest has kept. */
void net_guest_post(NetGuest *guest, guint pair);

/* Ends the test program unless @result, of a call of the front end, is not negative. */
void net_guest_check(NetGuest *guest, int result, const char *what);

/* SET_VRING_ENABLE for both queues of a pair. */
void net_guest_enable(NetGuest *guest, guint pair, gboolean enable);

#endif
