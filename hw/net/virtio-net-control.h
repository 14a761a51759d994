/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control queue of a network card (virtio 1.2, 5.1.6.5): what the driver says that it wants to
 * receive, and requests that change the device.  Knows no transport and no back-end.
 */
#ifndef HW_NET_VIRTIO_NET_CONTROL_H
#define HW_NET_VIRTIO_NET_CONTROL_H

#include "hw/virtio/virtqueue.h"
#include "net/net.h"

#include <linux/virtio_net.h>

/* Addresses that each of the two tables takes; a driver that gives more gets all packets. */
#define VIRTIO_NET_TABLE_SIZE 64
#define VIRTIO_NET_VLANS 4096

/* Not in the kernel's headers of Debian 12 (virtio 1.2, 5.1.3). */
#ifndef VIRTIO_NET_F_GUEST_USO4
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#define VIRTIO_NET_F_HOST_USO 56
#endif
#ifndef VIRTIO_NET_F_GUEST_HDRLEN
#define VIRTIO_NET_F_GUEST_HDRLEN 59
#endif

/* The offloads that a driver may switch while the device runs: those it receives with. */
#define VIRTIO_NET_OFFLOADS                                                                        \
    (UINT64_C(1) << VIRTIO_NET_F_GUEST_CSUM | UINT64_C(1) << VIRTIO_NET_F_GUEST_TSO4 |             \
     UINT64_C(1) << VIRTIO_NET_F_GUEST_TSO6 | UINT64_C(1) << VIRTIO_NET_F_GUEST_ECN |              \
     UINT64_C(1) << VIRTIO_NET_F_GUEST_UFO | UINT64_C(1) << VIRTIO_NET_F_GUEST_USO4 |              \
     UINT64_C(1) << VIRTIO_NET_F_GUEST_USO6)

typedef struct VirtioNetTable {
    GArray *entries; /* of uint8_t[NET_MAC_SIZE] */
    gboolean overflow;
} VirtioNetTable;

typedef struct VirtioNetControl VirtioNetControl;

/* What changes the device. FALSE: the command fails. */
typedef struct VirtioNetControlOps {
    void (*mac_set)(VirtioNetControl *control, const uint8_t *mac);
    gboolean (*pairs_set)(VirtioNetControl *control, uint16_t pairs);
    gboolean (*announce_acknowledged)(VirtioNetControl *control);
    gboolean (*offloads_set)(VirtioNetControl *control, uint64_t offloads);
    void (*filter_changed)(VirtioNetControl *control);
} VirtioNetControlOps;

struct VirtioNetControl {
    const VirtioNetControlOps *ops;
    uint16_t pairs_maximum;
    gboolean promiscuous, all_multicast;                          /* VIRTIO_NET_F_CTRL_RX */
    gboolean all_unicast, no_multicast, no_unicast, no_broadcast; /* .._CTRL_RX_EXTRA */
    VirtioNetTable unicast, multicast;
    uint8_t vlans[VIRTIO_NET_VLANS / 8]; /* a bit each */
};

void virtio_net_control_init(VirtioNetControl *control, const VirtioNetControlOps *ops);
void virtio_net_control_clear(VirtioNetControl *control); /* frees the tables */

/* As the driver finds the device: everything comes in. */
void virtio_net_control_reset(VirtioNetControl *control);

/*
 * Carries out the command in @element, of a driver that chose @features, and stores VIRTIO_NET_OK
 * or VIRTIO_NET_ERR behind it.  FALSE with @error if that is no command at all.
 */
gboolean virtio_net_control_run(VirtioNetControl *control, uint64_t features,
                                const VirtqueueElement *element, GError **error);

/* What NetCard.rx_filter() answers. New reference. */
json_object *virtio_net_control_filter(const VirtioNetControl *control, uint64_t features);

#endif
