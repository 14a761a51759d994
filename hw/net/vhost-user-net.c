/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net-pci: a network card (virtio 1.2, 5.1) whose packets are another process's.  The
 * backend has the pairs of queues; configuration, link and control queue are ours.
 */
#include "vhost-user-net.h"

#include "libvhost-user/wire.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/report.h"

#include <linux/ethtool.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

#define BIT(number) (UINT64_C(1) << (number))
#define CONTROL_QUEUE_SIZE 64
#define QUEUES_A_PAIR 2

/* --- queues --- */

/* Behind the pairs that the driver knows of: it has to know of one only (5.1.2). */
static unsigned control_index(VhostUserNet *net)
{
    return QUEUES_A_PAIR * (virtio_has_feature(VIRTIO_PCI(net), VIRTIO_NET_F_MQ) ? net->pairs : 1u);
}

static gboolean has_control(VhostUserNet *net)
{
    return virtio_has_feature(VIRTIO_PCI(net), VIRTIO_NET_F_CTRL_VQ);
}

static gboolean queue_is_local(VhostUserPci *device, unsigned index)
{
    VhostUserNet *net = VHOST_USER_NET(device);

    return index >= (unsigned)QUEUES_A_PAIR * net->pairs ||
           (has_control(net) && index == control_index(net));
}

static uint16_t size_of_queue(VhostUserPci *device, unsigned index)
{
    VhostUserNet *net = VHOST_USER_NET(device);

    if (index == (unsigned)QUEUES_A_PAIR * net->pairs) {
        return CONTROL_QUEUE_SIZE;
    }
    return index % QUEUES_A_PAIR == 0 ? net->rx_queue_size : net->tx_queue_size;
}

static gboolean is_plugged_in(const VhostUserNet *net)
{
    return !net->card.down && !net->netdev->down;
}

/* The backend sets up every ring, and works on those that the driver uses. */
static gboolean queue_works(VhostUserPci *device, unsigned index)
{
    VhostUserNet *net = VHOST_USER_NET(device);

    return is_plugged_in(net) && index < (unsigned)QUEUES_A_PAIR * net->pairs_active;
}

static void apply_rings(VhostUserNet *net, unsigned first_pair, unsigned pairs, gboolean works)
{
    VhostUserPci *device = VHOST_USER_PCI(net);

    if (VIRTIO_PCI(net)->started && device->session && pairs > 0) {
        vhost_user_session_rings_enable(device->session, QUEUES_A_PAIR * first_pair,
                                        QUEUES_A_PAIR * pairs, works);
    }
}

/* --- link --- */

/* The bits of the configuration's status (5.1.4). */
static uint16_t status_of(VhostUserNet *net)
{
    return (net_card_link_is_up(&net->card) ? VIRTIO_NET_S_LINK_UP : 0) |
           (net->announcing ? VIRTIO_NET_S_ANNOUNCE : 0);
}

static void link_changed(NetCard *card)
{
    VhostUserNet *net = VHOST_USER_NET(card->device);

    if (!VIRTIO_PCI(net)->set_up) {
        return;
    }
    apply_rings(net, 0, net->pairs_active, is_plugged_in(net));
    if (virtio_has_feature(VIRTIO_PCI(net), VIRTIO_NET_F_STATUS)) {
        virtio_pci_config_changed(VIRTIO_PCI(net));
    }
}

/* The network may look for the card elsewhere: the driver says where it is (5.1.6.5.4), or the
 * backend in its name (vhost-user, SEND_RARP). */
static void announce(VhostUserNet *net)
{
    uint64_t mac = 0;

    if (virtio_has_feature(VIRTIO_PCI(net), VIRTIO_NET_F_GUEST_ANNOUNCE)) {
        net->announcing = TRUE;
        virtio_pci_config_changed(VIRTIO_PCI(net));
        return;
    }
    memcpy(&mac, net->card.mac, NET_MAC_SIZE);
    vhost_user_session_tell(VHOST_USER_PCI(net)->session, VHOST_USER_SEND_RARP, mac);
}

static void tell_mtu(VhostUserNet *net)
{
    if (net->host_mtu) {
        vhost_user_session_tell(VHOST_USER_PCI(net)->session, VHOST_USER_NET_SET_MTU,
                                net->host_mtu);
    }
}

static void lost(VhostUserPci *device)
{
    netdev_set_connected(VHOST_USER_NET(device)->netdev, FALSE);
}

static void returned(VhostUserPci *device)
{
    VhostUserNet *net = VHOST_USER_NET(device);

    tell_mtu(net);
    netdev_set_connected(net->netdev, TRUE);
    if (VIRTIO_PCI(net)->status & VIRTIO_CONFIG_S_DRIVER_OK) {
        announce(net);
    }
}

/* --- what the driver asks for --- */

static VhostUserNet *net_of(VirtioNetControl *control)
{
    return (VhostUserNet *)((char *)control - offsetof(VhostUserNet, control));
}

static void mac_set(VirtioNetControl *control, const uint8_t *mac)
{
    memcpy(net_of(control)->card.mac, mac, NET_MAC_SIZE);
}

static gboolean pairs_set(VirtioNetControl *control, uint16_t pairs)
{
    VhostUserNet *net = net_of(control);
    uint16_t before = net->pairs_active;

    net->pairs_active = pairs;
    if (is_plugged_in(net)) {
        apply_rings(net, MIN(before, pairs), (unsigned)ABS(pairs - before), pairs > before);
    }
    return TRUE;
}

static gboolean announce_acknowledged(VirtioNetControl *control)
{
    VhostUserNet *net = net_of(control);
    gboolean asked = net->announcing;

    net->announcing = FALSE;
    return asked;
}

static uint64_t features_in_use(VhostUserPci *device)
{
    return VIRTIO_PCI(device)->driver_features & ~VHOST_USER_NET(device)->offloads_off;
}

/*
 * The backend gets its features again, while its rings run, without the offloads that are off.  A
 * driver can only ask if the backend offered VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, and who offers that
 * can take it.
 */
static gboolean offloads_set(VirtioNetControl *control, uint64_t offloads)
{
    VhostUserNet *net = net_of(control);

    net->offloads_off = VIRTIO_NET_OFFLOADS & ~offloads;
    vhost_user_session_set_features(VHOST_USER_PCI(net)->session,
                                    features_in_use(VHOST_USER_PCI(net)));
    return TRUE;
}

static void filter_changed(VirtioNetControl *control)
{
    net_card_filter_changed(&net_of(control)->card);
}

static const VirtioNetControlOps control_ops = {
    .mac_set = mac_set,
    .pairs_set = pairs_set,
    .announce_acknowledged = announce_acknowledged,
    .offloads_set = offloads_set,
    .filter_changed = filter_changed,
};

static json_object *rx_filter(NetCard *card)
{
    VhostUserNet *net = VHOST_USER_NET(card->device);

    return virtio_net_control_filter(&net->control, VIRTIO_PCI(net)->driver_features);
}

/* --- the control queue --- */

static void queue_started(VhostUserPci *device, VirtQueue *queue, gboolean resume)
{
    VhostUserNet *net = VHOST_USER_NET(device);

    if (has_control(net) && queue->index == control_index(net) && !resume) {
        virtqueue_init(&net->control_ring, queue, VIRTIO_PCI(net)->driver_features);
    }
}

/* FALSE with @error if the driver broke the rules. */
static gboolean serve(VhostUserNet *net, VirtqueueElement *element, GError **error)
{
    uint64_t features = VIRTIO_PCI(net)->driver_features;

    /* A queue holds no more than its size, so a driver cannot keep the main loop here. */
    for (unsigned i = 0; i < net->control_ring.size; i++) {
        switch (virtqueue_pop(&net->control_ring, element, error)) {
        case VIRTQUEUE_EMPTY:
            return TRUE;
        case VIRTQUEUE_BROKEN:
            return FALSE;
        case VIRTQUEUE_POPPED:
            break;
        }
        if (!virtio_net_control_run(&net->control, features, element, error) ||
            !virtqueue_push(&net->control_ring, element, sizeof(virtio_net_ctrl_ack), error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static void queue_kicked(VhostUserPci *device, VirtQueue *queue)
{
    VhostUserNet *net = VHOST_USER_NET(device);
    g_auto(VirtqueueElement) element = {0};
    g_autoptr(GError) error = NULL;

    if (!has_control(net) || queue->index != control_index(net) ||
        (VIRTIO_PCI(net)->status & VIRTIO_CONFIG_S_NEEDS_RESET)) {
        return;
    }
    virtqueue_element_init(&element);
    if (!serve(net, &element, &error)) {
        virtio_pci_driver_error(VIRTIO_PCI(net),
                                "the driver's control queue: %s; the device waits "
                                "for a reset",
                                error->message);
        return;
    }
    if (virtqueue_must_notify(&net->control_ring)) {
        event_fd_signal_shared(queue->call);
    }
}

static void reset(VhostUserPci *device)
{
    VhostUserNet *net = VHOST_USER_NET(device);

    memcpy(net->card.mac, net->mac_at_reset, NET_MAC_SIZE);
    virtio_net_control_reset(&net->control);
    net->pairs_active = 1;
    net->offloads_off = 0;
    net->announcing = FALSE;
}

/* --- configuration --- */

static void config_filter(VhostUserPci *device, uint8_t *bytes, uint32_t size)
{
    VhostUserNet *net = VHOST_USER_NET(device);
    struct virtio_net_config config = {
        .status = GUINT16_TO_LE(status_of(net)),
        .max_virtqueue_pairs = GUINT16_TO_LE(net->pairs),
        .mtu = GUINT16_TO_LE(net->host_mtu),
        .speed = GUINT32_TO_LE(net->speed < 0 ? SPEED_UNKNOWN : (uint32_t)net->speed),
        .duplex = DUPLEX_UNKNOWN,
    };

    memcpy(config.mac, net->card.mac, NET_MAC_SIZE);
    if (net->duplex) {
        config.duplex = strcmp(net->duplex, "full") == 0 ? DUPLEX_FULL : DUPLEX_HALF;
    }
    memcpy(bytes, &config, MIN(size, sizeof(config)));
}

/* --- life --- */

static gboolean prepare(VhostUserPci *device, GError **error)
{
    VhostUserNet *net = VHOST_USER_NET(device);

    if (!vhost_user_net_check(net, error)) {
        return FALSE;
    }
    net->card = (NetCard){
        .model = G_OBJECT_TYPE_NAME(net),
        .device = VM_OBJECT(net),
        .netdev = net->netdev,
        .link_changed = link_changed,
        .rx_filter = rx_filter,
    };
    memcpy(net->card.mac, net->mac_at_reset, NET_MAC_SIZE);
    if (!net_card_add(&net->card, error)) {
        g_prefix_error(error, "device '%s': ", pci_device_name(PCI_DEVICE(device)));
        return FALSE;
    }
    memcpy(net->mac_at_reset, net->card.mac, NET_MAC_SIZE);
    g_free(net->mac);
    net->mac = net_mac_text(net->card.mac);
    net->pairs = net->mq ? net->netdev->queues : 1;
    net->pairs_active = 1;
    virtio_net_control_init(&net->control, &control_ops);
    net->control.pairs_maximum = net->pairs;

    device->chardev = net->netdev->chardev;
    device->keeper = VM_OBJECT(net->netdev);
    device->local_queues = net->feature_wanted[VIRTIO_NET_F_CTRL_VQ];
    device->needs.queues = QUEUES_A_PAIR * net->pairs;
    device->needs.queues_a_unit = QUEUES_A_PAIR;
    device->needs.queues_without_mq = QUEUES_A_PAIR;
    device->needs.protocol_features = BIT(VHOST_USER_PROTOCOL_F_RARP);
    if (net->host_mtu) {
        device->needs.protocol_features |= BIT(VHOST_USER_PROTOCOL_F_NET_MTU);
    }
    /* A network may lose packets: what was in flight when a backend ends is gone. */
    device->needs.protocol_features_unused = BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD);
    return TRUE;
}

/* What prepare() took. */
static void released(VhostUserPci *device)
{
    VhostUserNet *net = VHOST_USER_NET(device);

    net_card_remove(&net->card);
    virtio_net_control_clear(&net->control);
    device->chardev = NULL;
    device->keeper = NULL;
}

static gboolean connected(VhostUserPci *device, uint64_t *features, GError **error)
{
    VhostUserNet *net = VHOST_USER_NET(device);

    if (net->host_mtu &&
        !vhost_user_session_has_protocol(device->session, VHOST_USER_PROTOCOL_F_NET_MTU)) {
        vm_error_set(error,
                     "device '%s': host_mtu=%u: the back-end lacks protocol feature NET_MTU, it "
                     "cannot be told",
                     pci_device_name(PCI_DEVICE(device)), net->host_mtu);
        return FALSE;
    }
    *features = vhost_user_net_offer(net, *features);
    if (vhost_user_pci_comes_back(device)) {
        /* No record of requests in flight is kept for packets, and without one nobody knows where a
         * packed ring goes on. */
        *features &= ~BIT(VIRTIO_F_RING_PACKED);
    }
    return TRUE;
}

static void realized(VhostUserPci *device)
{
    VhostUserNet *net = VHOST_USER_NET(device);

    tell_mtu(net);
    netdev_set_connected(net->netdev, TRUE);
}

static const VhostUserKind kind = {
    .description = "virtio network card served by a vhost-user backend",
    .category = "network",
    .virtio_id = VIRTIO_ID_NET,
    .pci_class = 0x0200, /* network, Ethernet */
    .transitional = TRUE,
    .features = vhost_user_net_features,
    .config_source = VHOST_USER_CONFIG_OURS,
    .config_size = offsetof(struct virtio_net_config, rss_max_key_size),
    .fields = vhost_user_net_fields,
    .prepare = prepare,
    .connected = connected,
    .realized = realized,
    .released = released,
    .config_filter = config_filter,
    .size_of_queue = size_of_queue,
    .queue_is_local = queue_is_local,
    .queue_started = queue_started,
    .queue_kicked = queue_kicked,
    .features_in_use = features_in_use,
    .queue_enabled = queue_works,
    .reset = reset,
    .lost = lost,
    .returned = returned,
};

VHOST_USER_DEFINE_ALL("virtio-net", VhostUserNet, vhost_user_net, &kind);
