/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver of network cards (virtio 1.2, 5.1) over qtest: packets on any pair of queues, commands
 * on the control queue.  Packets here are without their header of 12 bytes, which is zero.
 */
#ifndef QTEST_VIRTIO_NET_H
#define QTEST_VIRTIO_NET_H

#include "qtest/virtio-pci.h"

#include <linux/virtio_net.h>

#define NET_HEADER_SIZE 12 /* with VERSION_1 (5.1.6) */
#define NET_PACKET_MAX 1514

typedef struct NetDriver {
    VirtDevice *device; /* borrowed */
    GuestMemory *memory;
    guint pairs;
    VirtRing **receive, **transmit; /* by pair */
    VirtRing *control;              /* NULL: none */
    uint64_t **buffers;             /* by pair and head: where packets come to */
    uint64_t scratch;               /* guest memory for one packet or command */
} NetDriver;

/*
 * From reset to DRIVER_OK: of @features what is offered, rings of @pairs pairs (0: one), @posted
 * receive buffers in each, and the control queue if it was negotiated.
 */
NetDriver *net_driver_start(VirtDevice *device, GuestMemory *memory, uint64_t features, guint pairs,
                            guint posted);
void net_driver_free(NetDriver *driver); /* the device is not reset */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetDriver, net_driver_free)

/* Sends a packet; TRUE if the device took it within @milliseconds. */
gboolean net_driver_send(NetDriver *driver, guint pair, const void *bytes, gsize size,
                         guint milliseconds);
/* The next packet: its size, at most @room bytes copied; -1 after @milliseconds.  Its buffer is
 * posted again. */
gssize net_driver_receive(NetDriver *driver, guint pair, void *bytes, gsize room,
                          guint milliseconds);
/* A command with @size bytes behind its header: VIRTIO_NET_OK, VIRTIO_NET_ERR, or -1 if no answer
 * came within some seconds. */
int net_driver_command(NetDriver *driver, uint8_t class, uint8_t command, const void *bytes,
                       gsize size);

uint16_t net_driver_status(NetDriver *driver);        /* of the configuration */
void net_driver_mac(NetDriver *driver, uint8_t *mac); /* 6 bytes */

#endif
