/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network cards: packets both ways, what a card offers and is configured with, pairs of queues.
 */
#include "qtest/net-rig.h"

#define LINK_UP VIRTIO_NET_S_LINK_UP

/* --- packets --- */

static void test_packets(void)
{
    static const uint64_t features[] = {
        0,
        BIT(VIRTIO_NET_F_MRG_RXBUF),
        BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_NET_F_CTRL_VQ),
    };
    BackendConfig config;
    NetRig net;

    net_rig_config(&config);
    config.features |= BIT(VIRTIO_RING_F_EVENT_IDX);
    net_rig_start(&net, &config, "", "", "");
    for (guint i = 0; i < G_N_ELEMENTS(features); i++) {
        g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, features[i], 1, 16);

        net_rig_wait_rings(&net, 2);
        for (guint n = 0; n < 40; n++) {
            net_rig_exchange(&net, driver, 0, 60 + 36 * n);
        }
        virt_device_reset(net.device);
    }
    /* What is in flight when a backend ends is lost, as on a wire. */
    g_assert_cmpuint(backend_count(net.backend, VHOST_USER_GET_INFLIGHT_FD), ==, 0);
    net_rig_end(&net);
}

/* --- configuration --- */

static void test_configuration(void)
{
    static const uint8_t first[] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
    BackendConfig config;
    uint8_t mac[6];
    NetRig net;

    net_rig_config(&config);
    net_rig_start(&net, &config, "", ",queues=3", ",mq=on,host_mtu=9000,speed=1000,duplex=full");
    g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 0);

    g_assert_cmpuint(virt_device_queues(net.device), ==, 7);
    net_driver_mac(driver, mac);
    g_assert_cmpmem(mac, 6, first, 6);
    g_assert_cmpuint(net_driver_status(driver), ==, LINK_UP);
    g_assert_cmpuint(qtest_readw(net.vmm->qtest, net.device->config + 8), ==, 3);
    g_assert_cmpuint(qtest_readw(net.vmm->qtest, net.device->config + 10), ==, 9000);
    g_assert_cmpuint(qtest_readl(net.vmm->qtest, net.device->config + 12), ==, 1000);
    g_assert_cmpuint(qtest_readb(net.vmm->qtest, net.device->config + 16), ==, 1);
    g_assert_cmpuint(backend_count(net.backend, VHOST_USER_NET_SET_MTU), ==, 1);
    g_assert_cmpuint(virt_ring_size(driver->receive[0]), ==, 256);
    g_assert_cmpuint(virt_ring_size(driver->control), ==, 64);
    net_rig_end(&net);
}

/* What is not told is unknown, and each kind of queue has its own size. */
static void test_sizes(void)
{
    static const struct {
        const char *properties;
        guint receive, transmit;
        uint32_t speed;
        uint8_t duplex;
        gboolean told;
    } rows[] = {
        {"", 256, 256, UINT32_MAX, 0xff, FALSE},
        {",rx_queue_size=1024,tx_queue_size=64,duplex=half", 1024, 64, UINT32_MAX, 0, TRUE},
        {",rx_queue_size=64,tx_queue_size=1024,speed=0", 64, 1024, 0, 0xff, TRUE},
    };
    const uint64_t told = BIT(VIRTIO_NET_F_SPEED_DUPLEX);
    BackendConfig config;

    net_rig_config(&config);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        NetRig net;

        net_rig_start(&net, &config, "", "", rows[i].properties);
        g_assert_cmphex(virt_device_offered(net.device) & told, ==, rows[i].told ? told : 0);
        NetDriver *driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 4);
        g_assert_cmpuint(virt_ring_size(driver->receive[0]), ==, rows[i].receive);
        g_assert_cmpuint(virt_ring_size(driver->transmit[0]), ==, rows[i].transmit);
        g_assert_cmphex(qtest_readl(net.vmm->qtest, net.device->config + 12), ==, rows[i].speed);
        g_assert_cmphex(qtest_readb(net.vmm->qtest, net.device->config + 16), ==, rows[i].duplex);
        net_rig_wait_rings(&net, 2);
        net_rig_exchange(&net, driver, 0, 60);
        net_driver_free(driver);
        net_rig_end(&net);
    }
}

/* Packet features only if the backend has them; ours without it; each off by its property. */
static void test_features(void)
{
    const uint64_t ours = BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS) |
                          BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) |
                          BIT(VIRTIO_NET_F_CTRL_VLAN) | BIT(VIRTIO_NET_F_CTRL_RX_EXTRA) |
                          BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) | BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) |
                          BIT(VIRTIO_F_VERSION_1);
    const uint64_t packets = BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_CSUM) |
                             BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4);
    const struct {
        const char *properties;
        uint64_t offered;
    } rows[] = {
        {"", ours | packets},
        {",csum=off", (ours | packets) & ~BIT(VIRTIO_NET_F_CSUM)},
        {",guest_csum=off",
         (ours | packets) & ~(BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4))},
        {",mrg_rxbuf=off,guest_tso4=off",
         (ours | packets) & ~(BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_GUEST_TSO4))},
        {",ctrl_vq=off",
         packets | BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_F_VERSION_1)},
        {",status=off",
         (ours | packets) & ~(BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_GUEST_ANNOUNCE))},
        {",ctrl_rx=off,ctrl_vlan=off,ctrl_mac_addr=off,guest_announce=off",
         packets | BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_CTRL_VQ) |
             BIT(VIRTIO_F_VERSION_1)},
    };
    BackendConfig config;

    net_rig_config(&config);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        NetRig net;

        net_rig_start(&net, &config, "", "", rows[i].properties);
        g_test_message("%s", rows[i].properties);
        g_assert_cmphex(virt_device_offered(net.device), ==, rows[i].offered);
        net_rig_end(&net);
    }
}

/* Each property takes away its feature, and those that cannot be without (virtio 1.2, 5.1.3.1). */
static void test_switches(void)
{
    enum { USO4 = 54, USO6, HOST_USO, HASH_REPORT, HDRLEN = 59, RSS, RSC_EXT, STANDBY };
    static const struct {
        const char *property;
        uint64_t gone;
    } rows[] = {
        {"csum", BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) |
                     BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_HOST_ECN) |
                     BIT(VIRTIO_NET_F_HOST_UFO) | BIT(HOST_USO) | BIT(RSC_EXT)},
        {"guest_csum", BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |
                           BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN) |
                           BIT(VIRTIO_NET_F_GUEST_UFO) | BIT(USO4) | BIT(USO6)},
        {"gso", BIT(VIRTIO_NET_F_GSO)},
        {"guest_tso4", BIT(VIRTIO_NET_F_GUEST_TSO4)},
        {"guest_tso6", BIT(VIRTIO_NET_F_GUEST_TSO6)},
        {"guest_ecn", BIT(VIRTIO_NET_F_GUEST_ECN)},
        {"guest_ufo", BIT(VIRTIO_NET_F_GUEST_UFO)},
        {"guest_uso4", BIT(USO4)},
        {"guest_uso6", BIT(USO6)},
        {"guest_rsc_ext", BIT(RSC_EXT)},
        {"guest_announce", BIT(VIRTIO_NET_F_GUEST_ANNOUNCE)},
        {"host_tso4", BIT(VIRTIO_NET_F_HOST_TSO4)},
        {"host_tso6", BIT(VIRTIO_NET_F_HOST_TSO6)},
        {"host_ecn", BIT(VIRTIO_NET_F_HOST_ECN)},
        {"host_ufo", BIT(VIRTIO_NET_F_HOST_UFO)},
        {"host_uso", BIT(HOST_USO)},
        {"mrg_rxbuf", BIT(VIRTIO_NET_F_MRG_RXBUF)},
        {"status", BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_GUEST_ANNOUNCE)},
        {"ctrl_vq", BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) |
                        BIT(VIRTIO_NET_F_CTRL_VLAN) | BIT(VIRTIO_NET_F_CTRL_RX_EXTRA) |
                        BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) | BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) |
                        BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS)},
        {"ctrl_rx", BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_CTRL_RX_EXTRA)},
        {"ctrl_vlan", BIT(VIRTIO_NET_F_CTRL_VLAN)},
        {"ctrl_rx_extra", BIT(VIRTIO_NET_F_CTRL_RX_EXTRA)},
        {"ctrl_mac_addr", BIT(VIRTIO_NET_F_CTRL_MAC_ADDR)},
        {"ctrl_guest_offloads", BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS)},
        /* Two without which a third cannot be. */
        {"guest_tso4=off,guest_tso6",
         BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN)},
        {"host_tso4=off,host_tso6", BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) |
                                        BIT(VIRTIO_NET_F_HOST_ECN) | BIT(RSC_EXT)},
    };
    /* The backend has what there is, and what needs more than it: queues, hashes, another card. */
    const uint64_t never = BIT(HASH_REPORT) | BIT(RSS) | BIT(STANDBY) | BIT(53) | BIT(4) |
                           BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_MTU) |
                           BIT(VIRTIO_NET_F_SPEED_DUPLEX);
    const uint64_t kept = BIT(VIRTIO_NET_F_MAC) | BIT(HDRLEN) | BIT(VIRTIO_F_VERSION_1);
    uint64_t all = kept;
    BackendConfig config;

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        all |= rows[i].gone;
    }
    net_rig_config(&config);
    config.features |= all | never;
    for (guint i = 0; i <= G_N_ELEMENTS(rows); i++) {
        gboolean off = i < G_N_ELEMENTS(rows);
        g_autofree char *property =
            off ? g_strdup_printf(",%s=off", rows[i].property) : g_strdup("");
        NetRig net;

        g_test_message("%s", property);
        net_rig_start(&net, &config, "", "", property);
        g_assert_cmphex(virt_device_offered(net.device), ==, off ? all & ~rows[i].gone : all);
        net_rig_end(&net);
    }
}

/* --- pairs of queues --- */

static void test_pairs(void)
{
    static const uint16_t counts[] = {4, 2, 3, 1, 4};
    BackendConfig config;
    NetRig net;

    net_rig_config(&config);
    net_rig_start(&net, &config, "", ",queues=4", ",mq=on");
    g_autoptr(NetDriver) driver = net_driver_start(
        net.device, &net.memory, BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_CTRL_VQ), 4, 8);

    /* All rings are there, and one pair works. */
    g_assert_true(backend_wait(net.backend, VHOST_USER_SET_VRING_KICK, 8, NET_RIG_WAIT));
    net_rig_wait_rings(&net, 2);
    net_rig_exchange(&net, driver, 0, 100);
    g_autoptr(json_object) info =
        qmp_command_or_fail(net.vmm->qmp, "{'execute':'x-query-vhost-user'}");
    g_assert_true(json_object_get_boolean(qmp_get(info, "0/rings/1/enabled")));
    g_assert_false(json_object_get_boolean(qmp_get(info, "0/rings/2/enabled")));
    g_assert_nonnull(qmp_get(info, "0/rings/7"));
    g_assert_null(qmp_get(info, "0/rings/8"));
    g_assert_false(backend_send_packet(net.backend, 1, "0123456789abcdef", 16));
    for (guint i = 0; i < G_N_ELEMENTS(counts); i++) {
        g_assert_cmpint(net_rig_set_pairs(driver, counts[i]), ==, VIRTIO_NET_OK);
        net_rig_wait_rings(&net, 2u * counts[i]);
        for (guint pair = 0; pair < counts[i]; pair++) {
            net_rig_exchange(&net, driver, pair, 200 + pair);
        }
    }
    g_assert_cmpint(net_rig_set_pairs(driver, 0), ==, VIRTIO_NET_ERR);
    g_assert_cmpint(net_rig_set_pairs(driver, 5), ==, VIRTIO_NET_ERR);
    net_rig_wait_rings(&net, 8);
    /* A pause changes nothing, a reset leaves one pair. */
    net_rig_command(&net, "{'execute':'stop'}");
    net_rig_wait_rings(&net, 0);
    net_rig_command(&net, "{'execute':'cont'}");
    net_rig_wait_rings(&net, 8);
    net_rig_exchange(&net, driver, 3, 300);
    virt_device_reset(net.device);
    g_autoptr(NetDriver) again = net_driver_start(
        net.device, &net.memory, BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_CTRL_VQ), 4, 8);
    net_rig_wait_rings(&net, 2);
    net_rig_exchange(&net, again, 0, 301);
    net_rig_end(&net);
}

/* A driver that does not know of pairs has its control queue behind the first (5.1.2). */
static void test_no_pairs_chosen(void)
{
    BackendConfig config;
    NetRig net;
    uint8_t on = 1;

    net_rig_config(&config);
    net_rig_start(&net, &config, "", ",queues=2", ",mq=on");
    g_autoptr(NetDriver) driver = net_driver_start(
        net.device, &net.memory, BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX), 1, 4);

    net_rig_wait_rings(&net, 2);
    g_assert_cmpint(
        net_driver_command(driver, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &on, 1), ==,
        VIRTIO_NET_OK);
    net_rig_exchange(&net, driver, 0, 64);
    g_assert_cmpuint(backend_count(net.backend, VHOST_USER_SET_VRING_KICK), ==, 2);
    net_rig_end(&net);
}

/* --- what is refused --- */

static void test_refused(void)
{
    static const struct {
        const char *netdev, *device, *names[3];
    } rows[] = {
        {"", ",mac=x", {"n0", "mac", "52:54:00:12:34:56"}},
        {"", ",mac=01:00:00:00:00:01", {"n0", "mac", "one station"}},
        {"", ",mac=00:00:00:00:00:00", {"n0", "mac", "one station"}},
        {"", ",mac=02:00-00:00:00:01", {"n0", "mac", "02:00-00"}},
        {"", ",rx_queue_size=100", {"n0", "rx_queue_size=100", "power of two"}},
        {"", ",tx_queue_size=2048", {"n0", "tx_queue_size", "2048"}},
        {"", ",host_mtu=67", {"n0", "host_mtu=67", "68"}},
        {"", ",host_mtu=1500", {"n0", "host_mtu=1500", "NET_MTU"}},
        {"", ",duplex=both", {"n0", "duplex=both", "half"}},
        {"", ",speed=-2", {"n0", "speed", "-2"}},
        {"", ",rss=on", {"n0", "rss=on", "off"}},
        {"", ",hash=on", {"n0", "hash=on", "off"}},
        {"", ",failover=on", {"n0", "failover=on", "off"}},
        {"", ",mq=on,ctrl_vq=off", {"n0", "mq=on", "ctrl_vq=on"}},
        {"", ",csum=maybe", {"n0", "csum", "maybe"}},
        {",queues=9", ",mq=on", {"n0", "18 queues", "16"}},
    };
    BackendConfig config;

    net_rig_config(&config);
    config.protocol_features &= ~BIT(VHOST_USER_PROTOCOL_F_NET_MTU);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Backend) backend = backend_start(&config);
        g_autoptr(GError) error = NULL;
        Vmm *vmm = vmm_start(NULL, &error,
                             "-M pc -m 64M -chardev socket,id=c0,path=%s "
                             "-netdev vhost-user,id=hs0,chardev=c0%s "
                             "-device virtio-net-pci,id=n0,netdev=hs0%s",
                             backend_path(backend), rows[i].netdev, rows[i].device);

        g_test_message("%s %s", rows[i].netdev, rows[i].device);
        g_assert_null(vmm);
        rig_assert_names(error->message, rows[i].names[0], rows[i].names[1], rows[i].names[2],
                         NULL);
    }
}

/* Addresses are given out in order, past those that are taken. */
static void test_addresses(void)
{
    BackendConfig config;
    GString *line = g_string_new("-M pc -m 64M");
    Backend *backends[3];

    net_rig_config(&config);
    for (guint i = 0; i < 3; i++) {
        backends[i] = backend_start(&config);
        g_string_append_printf(line,
                               " -chardev socket,id=c%u,path=%s -netdev vhost-user,id=h%u,"
                               "chardev=c%u -device virtio-net-pci,netdev=h%u%s",
                               i, backend_path(backends[i]), i, i, i,
                               i == 0 ? ",mac=52:54:00:12:34:56" : "");
    }
    Vmm *vmm = vmm_start_or_fail(NULL, "%s", line->str);
    g_autoptr(json_object) list = qmp_command_or_fail(vmm->qmp, "{'execute':'query-rx-filter'}");
    g_assert_cmpstr(qmp_get_string(list, "1/main-mac"), ==, "52:54:00:12:34:57");
    g_assert_cmpstr(qmp_get_string(list, "2/main-mac"), ==, "52:54:00:12:34:58");
    g_assert_cmpstr(qmp_get_string(list, "0/name"), ==, "virtio-net-pci.0");
    g_assert_cmpstr(qmp_get_string(list, "2/name"), ==, "virtio-net-pci.2");
    vmm_end(vmm);
    for (guint i = 0; i < 3; i++) {
        backend_free(backends[i]);
    }
    g_string_free(line, TRUE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vhost-user-net/packets", test_packets);
    g_test_add_func("/vhost-user-net/configuration", test_configuration);
    g_test_add_func("/vhost-user-net/sizes", test_sizes);
    g_test_add_func("/vhost-user-net/features", test_features);
    g_test_add_func("/vhost-user-net/switches", test_switches);
    g_test_add_func("/vhost-user-net/pairs", test_pairs);
    g_test_add_func("/vhost-user-net/pairs/not-chosen", test_no_pairs_chosen);
    g_test_add_func("/vhost-user-net/refused", test_refused);
    g_test_add_func("/vhost-user-net/addresses", test_addresses);
    return g_test_run();
}
