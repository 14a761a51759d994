/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network card, as its files share it. */
#ifndef HW_NET_VHOST_USER_NET_H
#define HW_NET_VHOST_USER_NET_H

#include "hw/virtio/vhost-user-pci.h"
#include "virtio-net-control.h"

typedef struct VhostUserNet {
    VhostUserPci parent;
    /* --- properties --- */
    Netdev *netdev;
    char *mac, *duplex;
    gboolean mq, rss, hash, failover;
    uint16_t host_mtu, rx_queue_size, tx_queue_size;
    int32_t speed;
    gboolean feature_wanted[64]; /* by feature bit */

    uint16_t pairs;        /* of queues that there are */
    uint16_t pairs_active; /* of those, which the driver uses */
    uint64_t offloads_off; /* of VIRTIO_NET_OFFLOADS, those that the driver switched off */
    gboolean announcing;   /* the driver was asked to, and has not answered */
    uint8_t mac_at_reset[NET_MAC_SIZE]; /* of property mac; zeros until one was chosen */
    NetCard card;
    VirtioNetControl control;
    VirtqueueRing control_ring;
} VhostUserNet;

VM_DECLARE_TYPE(VhostUserNet, vhost_user_net, VHOST_USER_NET)

/* --- vhost-user-net-properties.c --- */

/* Which property switches which feature of the card; ends with name NULL. */
extern const VmField vhost_user_net_fields[];
extern const VhostUserFeatureName vhost_user_net_features[];
/* Checks them, and takes the address over. */
gboolean vhost_user_net_check(VhostUserNet *net, GError **error);
/* What the card offers if the backend and the transport offer @features. */
uint64_t vhost_user_net_offer(VhostUserNet *net, uint64_t features);

#endif
