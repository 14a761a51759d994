/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Properties of a network card, and the features that follow from them (virtio 1.2, 5.1.3).  Some
 * features are about packets, so that the backend must have them; the others are ours.
 */
#include "util/error.h"
#include "vhost-user-net.h"

#include <linux/virtio_config.h>

#define BIT(number) (UINT64_C(1) << (number))
/* The smallest that there is, that of IPv4 (5.1.4.1). */
#define VIRTIO_NET_MTU_MINIMUM 68

/* What this process does itself, whatever the backend. */
#define OURS                                                                                       \
    (BIT(VIRTIO_NET_F_MTU) | BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS) |                    \
     BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_CTRL_VLAN) |         \
     BIT(VIRTIO_NET_F_CTRL_RX_EXTRA) | BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) | BIT(VIRTIO_NET_F_MQ) |   \
     BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) | BIT(VIRTIO_NET_F_SPEED_DUPLEX))

/* Commands of the control queue. */
#define NEED_CONTROL                                                                               \
    (BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_CTRL_VLAN) | BIT(VIRTIO_NET_F_CTRL_RX_EXTRA) |   \
     BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) | BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) |   \
     BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS))

/* Features that have a property of their own. */
#define SWITCHED                                                                                   \
    (BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) |                                       \
     BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) | BIT(VIRTIO_NET_F_GSO) |                               \
     BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN) |   \
     BIT(VIRTIO_NET_F_GUEST_UFO) | BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) |     \
     BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_HOST_UFO) | BIT(VIRTIO_NET_F_MRG_RXBUF) |       \
     BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) |            \
     BIT(VIRTIO_NET_F_CTRL_VLAN) | BIT(VIRTIO_NET_F_CTRL_RX_EXTRA) |                               \
     BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) | BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) |                          \
     BIT(VIRTIO_NET_F_GUEST_USO4) | BIT(VIRTIO_NET_F_GUEST_USO6) | BIT(VIRTIO_NET_F_HOST_USO) |    \
     BIT(VIRTIO_NET_F_RSC_EXT))

/* A feature without those that it needs is not offered (5.1.3.1). */
static const struct {
    uint8_t feature, needs;
} dependencies[] = {
    {VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_CSUM},
    {VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_CSUM},
    {VIRTIO_NET_F_GUEST_UFO, VIRTIO_NET_F_GUEST_CSUM},
    {VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_CSUM},
    {VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_CSUM},
    {VIRTIO_NET_F_HOST_UFO, VIRTIO_NET_F_CSUM},
    {VIRTIO_NET_F_GUEST_USO4, VIRTIO_NET_F_GUEST_CSUM},
    {VIRTIO_NET_F_GUEST_USO6, VIRTIO_NET_F_GUEST_CSUM},
    {VIRTIO_NET_F_HOST_USO, VIRTIO_NET_F_CSUM},
    {VIRTIO_NET_F_CTRL_RX_EXTRA, VIRTIO_NET_F_CTRL_RX},
    {VIRTIO_NET_F_CTRL_VLAN, VIRTIO_NET_F_CTRL_VQ},
    {VIRTIO_NET_F_GUEST_ANNOUNCE, VIRTIO_NET_F_STATUS},
};

const VhostUserFeatureName vhost_user_net_features[] = {
    {VIRTIO_NET_F_CSUM, "NET_CSUM"},
    {VIRTIO_NET_F_GUEST_CSUM, "NET_GUEST_CSUM"},
    {VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, "NET_CTRL_GUEST_OFFLOADS"},
    {VIRTIO_NET_F_MTU, "NET_MTU"},
    {VIRTIO_NET_F_MAC, "NET_MAC"},
    {VIRTIO_NET_F_GSO, "NET_GSO"},
    {VIRTIO_NET_F_GUEST_TSO4, "NET_GUEST_TSO4"},
    {VIRTIO_NET_F_GUEST_TSO6, "NET_GUEST_TSO6"},
    {VIRTIO_NET_F_GUEST_ECN, "NET_GUEST_ECN"},
    {VIRTIO_NET_F_GUEST_UFO, "NET_GUEST_UFO"},
    {VIRTIO_NET_F_HOST_TSO4, "NET_HOST_TSO4"},
    {VIRTIO_NET_F_HOST_TSO6, "NET_HOST_TSO6"},
    {VIRTIO_NET_F_HOST_ECN, "NET_HOST_ECN"},
    {VIRTIO_NET_F_HOST_UFO, "NET_HOST_UFO"},
    {VIRTIO_NET_F_MRG_RXBUF, "NET_MRG_RXBUF"},
    {VIRTIO_NET_F_STATUS, "NET_STATUS"},
    {VIRTIO_NET_F_CTRL_VQ, "NET_CTRL_VQ"},
    {VIRTIO_NET_F_CTRL_RX, "NET_CTRL_RX"},
    {VIRTIO_NET_F_CTRL_VLAN, "NET_CTRL_VLAN"},
    {VIRTIO_NET_F_CTRL_RX_EXTRA, "NET_CTRL_RX_EXTRA"},
    {VIRTIO_NET_F_GUEST_ANNOUNCE, "NET_GUEST_ANNOUNCE"},
    {VIRTIO_NET_F_MQ, "NET_MQ"},
    {VIRTIO_NET_F_CTRL_MAC_ADDR, "NET_CTRL_MAC_ADDR"},
    {VIRTIO_NET_F_GUEST_USO4, "NET_GUEST_USO4"},
    {VIRTIO_NET_F_GUEST_USO6, "NET_GUEST_USO6"},
    {VIRTIO_NET_F_HOST_USO, "NET_HOST_USO"},
    {VIRTIO_NET_F_GUEST_HDRLEN, "NET_GUEST_HDRLEN"},
    {VIRTIO_NET_F_RSC_EXT, "NET_RSC_EXT"},
    {VIRTIO_NET_F_SPEED_DUPLEX, "NET_SPEED_DUPLEX"},
    {0, NULL},
};

/* --- features --- */

static uint64_t wanted(const VhostUserNet *net)
{
    uint64_t features = BIT(VIRTIO_NET_F_MAC);

    for (unsigned bit = 0; bit < G_N_ELEMENTS(net->feature_wanted); bit++) {
        features |= (SWITCHED & BIT(bit)) && net->feature_wanted[bit] ? BIT(bit) : 0;
    }
    features |= net->host_mtu ? BIT(VIRTIO_NET_F_MTU) : 0;
    features |= net->pairs > 1 ? BIT(VIRTIO_NET_F_MQ) : 0;
    features |= net->speed >= 0 || net->duplex ? BIT(VIRTIO_NET_F_SPEED_DUPLEX) : 0;
    return features;
}

uint64_t vhost_user_net_offer(VhostUserNet *net, uint64_t features)
{
    uint64_t ours = SWITCHED | OURS;
    uint64_t offer = (features & ~ours) | (wanted(net) & (features | OURS));

    if (!(offer & BIT(VIRTIO_NET_F_CTRL_VQ))) {
        offer &= ~NEED_CONTROL;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(dependencies); i++) {
        if (!(offer & BIT(dependencies[i].needs))) {
            offer &= ~BIT(dependencies[i].feature);
        }
    }
    if (!(offer & (BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6)))) {
        offer &= ~BIT(VIRTIO_NET_F_GUEST_ECN);
    }
    if (!(offer & (BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6)))) {
        offer &= ~(BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_RSC_EXT));
    }
    return offer;
}

/* --- checks --- */

static gboolean check_size(VhostUserNet *net, const char *name, uint16_t size, GError **error)
{
    if (size & (size - 1)) {
        vm_error_set(error, "device '%s': %s=%u is not a power of two",
                     pci_device_name(PCI_DEVICE(net)), name, size);
        return FALSE;
    }
    return TRUE;
}

static gboolean check_absent(VhostUserNet *net, const char *name, gboolean on, GError **error)
{
    if (on) {
        vm_error_set(error, "device '%s': %s=on is not supported; leave it off",
                     pci_device_name(PCI_DEVICE(net)), name);
    }
    return !on;
}

gboolean vhost_user_net_check(VhostUserNet *net, GError **error)
{
    const char *id = pci_device_name(PCI_DEVICE(net));

    if (!check_size(net, "rx_queue_size", net->rx_queue_size, error) ||
        !check_size(net, "tx_queue_size", net->tx_queue_size, error) ||
        !check_absent(net, "rss", net->rss, error) ||
        !check_absent(net, "hash", net->hash, error) ||
        !check_absent(net, "failover", net->failover, error)) {
        return FALSE;
    }
    if (net->host_mtu != 0 && net->host_mtu < VIRTIO_NET_MTU_MINIMUM) {
        vm_error_set(error, "device '%s': host_mtu=%u is too small; use 0 for none, or %u to 65535",
                     id, net->host_mtu, VIRTIO_NET_MTU_MINIMUM);
        return FALSE;
    }
    if (net->duplex && strcmp(net->duplex, "half") != 0 && strcmp(net->duplex, "full") != 0) {
        vm_error_set(error, "device '%s': duplex=%s: expected half or full", id, net->duplex);
        return FALSE;
    }
    if (net->mq && !net->feature_wanted[VIRTIO_NET_F_CTRL_VQ]) {
        vm_error_set(error, "device '%s': mq=on needs ctrl_vq=on, by which drivers choose queues",
                     id);
        return FALSE;
    }
    if (net->mac) {
        g_autoptr(GError) reason = NULL;

        if (!net_mac_parse(net->mac, net->mac_at_reset, &reason)) {
            vm_error_set(error, "device '%s': mac: %s", id, reason->message);
            return FALSE;
        }
    }
    return TRUE;
}

/* --- fields --- */

#define SWITCH(name_, feature_, doc_)                                                              \
    {                                                                                              \
        .name = (name_), .doc = (doc_), .kind = VM_FIELD_BOOL,                                     \
        .offset = offsetof(VhostUserNet, feature_wanted) + (feature_) * sizeof(gboolean),          \
        .default_value = TRUE                                                                      \
    }
#define QUEUE_SIZE(name_, member_, doc_)                                                           \
    {                                                                                              \
        .name = (name_), .doc = (doc_), .kind = VM_FIELD_UINT16,                                   \
        .offset = offsetof(VhostUserNet, member_), .default_value = 256, .minimum = 64,            \
        .maximum = 1024                                                                            \
    }
#define REFUSED(name_, member_, doc_)                                                              \
    {                                                                                              \
        .name = (name_), .doc = (doc_), .kind = VM_FIELD_BOOL,                                     \
        .offset = offsetof(VhostUserNet, member_)                                                  \
    }

const VmField vhost_user_net_fields[] = {
    {.name = "netdev",
     .doc = "the network back-end (-netdev) that the card is plugged into",
     .kind = VM_FIELD_LINK,
     .offset = offsetof(VhostUserNet, netdev),
     .link_type = netdev_get_type,
     .flags = VM_FIELD_REQUIRED},
    {.name = "mac",
     .doc = "the card's address; the first free one from 52:54:00:12:34:56 on without it",
     .kind = VM_FIELD_STRING,
     .offset = offsetof(VhostUserNet, mac)},
    {.name = "mq",
     .doc = "let the driver use all pairs of queues that the netdev has",
     .kind = VM_FIELD_BOOL,
     .offset = offsetof(VhostUserNet, mq)},
    {.name = "host_mtu",
     .doc = "largest packet that the network takes, told to driver and back-end; 0: not told",
     .kind = VM_FIELD_UINT16,
     .offset = offsetof(VhostUserNet, host_mtu)},
    QUEUE_SIZE("rx_queue_size", rx_queue_size, "descriptors of a receive queue, a power of two"),
    QUEUE_SIZE("tx_queue_size", tx_queue_size, "descriptors of a transmit queue, a power of two"),
    {.name = "speed",
     .doc = "told to the driver: megabits in a second, -1: nothing",
     .kind = VM_FIELD_INT32,
     .offset = offsetof(VhostUserNet, speed),
     .default_value = (guint64)-1,
     .minimum = (guint64)-1,
     .maximum = INT32_MAX},
    {.name = "duplex",
     .doc = "told to the driver: half or full",
     .kind = VM_FIELD_STRING,
     .offset = offsetof(VhostUserNet, duplex)},
    SWITCH("csum", VIRTIO_NET_F_CSUM, "the driver may leave checksums to the back-end"),
    SWITCH("guest_csum", VIRTIO_NET_F_GUEST_CSUM, "the driver takes packets without checksums"),
    SWITCH("gso", VIRTIO_NET_F_GSO, "segmentation as drivers from before virtio 1.0 name it"),
    SWITCH("guest_tso4", VIRTIO_NET_F_GUEST_TSO4, "the driver takes long TCP packets over IPv4"),
    SWITCH("guest_tso6", VIRTIO_NET_F_GUEST_TSO6, "the driver takes long TCP packets over IPv6"),
    SWITCH("guest_ecn", VIRTIO_NET_F_GUEST_ECN, "the same with congestion notification"),
    SWITCH("guest_ufo", VIRTIO_NET_F_GUEST_UFO, "the driver takes long UDP packets"),
    SWITCH("guest_uso4", VIRTIO_NET_F_GUEST_USO4, "the driver takes UDP packets to cut, over IPv4"),
    SWITCH("guest_uso6", VIRTIO_NET_F_GUEST_USO6, "the driver takes UDP packets to cut, over IPv6"),
    SWITCH("guest_rsc_ext", VIRTIO_NET_F_RSC_EXT,
           "the driver learns of how many TCP packets a long one was made"),
    SWITCH("guest_announce", VIRTIO_NET_F_GUEST_ANNOUNCE,
           "the driver tells the network where it is when asked to"),
    SWITCH("host_tso4", VIRTIO_NET_F_HOST_TSO4, "the back-end takes long TCP packets over IPv4"),
    SWITCH("host_tso6", VIRTIO_NET_F_HOST_TSO6, "the back-end takes long TCP packets over IPv6"),
    SWITCH("host_ecn", VIRTIO_NET_F_HOST_ECN, "the same with congestion notification"),
    SWITCH("host_ufo", VIRTIO_NET_F_HOST_UFO, "the back-end takes long UDP packets"),
    SWITCH("host_uso", VIRTIO_NET_F_HOST_USO, "the back-end takes UDP packets to cut"),
    SWITCH("mrg_rxbuf", VIRTIO_NET_F_MRG_RXBUF, "a packet may take several receive buffers"),
    SWITCH("status", VIRTIO_NET_F_STATUS, "the driver sees whether the link is up"),
    SWITCH("ctrl_vq", VIRTIO_NET_F_CTRL_VQ, "there is a control queue"),
    SWITCH("ctrl_rx", VIRTIO_NET_F_CTRL_RX, "the driver may filter what it receives"),
    SWITCH("ctrl_vlan", VIRTIO_NET_F_CTRL_VLAN, "the driver may filter VLANs"),
    SWITCH("ctrl_rx_extra", VIRTIO_NET_F_CTRL_RX_EXTRA, "more ways to filter"),
    SWITCH("ctrl_mac_addr", VIRTIO_NET_F_CTRL_MAC_ADDR, "the driver may change the address"),
    SWITCH("ctrl_guest_offloads", VIRTIO_NET_F_CTRL_GUEST_OFFLOADS,
           "the driver may switch what it receives with, if the back-end can change it"),
    REFUSED("rss", rss, "must be off: receive-side scaling is not there"),
    REFUSED("hash", hash, "must be off: hash reports are not there"),
    REFUSED("failover", failover, "must be off: there is no device to fail over to"),
    VHOST_USER_FIELD_BOOTINDEX,
    {.name = NULL},
};
