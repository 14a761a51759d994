/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network cards: packets both ways, pairs of queues, the control queue, links, back-ends that come
 * late, misbehave or go away, and the commands about networks.
 */
#include "qtest/backend.h"
#include "qtest/rig.h"
#include "qtest/virtio-net.h"

#include <string.h>

#define BIT(number) (1ull << (number))
#define SECOND 1000
#define WAIT (20 * SECOND)
#define SLOT 4
#define LINK_UP VIRTIO_NET_S_LINK_UP

/* --- a machine with one card --- */

typedef struct Net {
    Vmm *vmm;
    Backend *backend;
    PciAddresses addresses;
    GuestMemory memory;
    VirtDevice *device;
} Net;

/* What DPDK offers, more or less: no memory slots, no CONFIG. */
static void net_config_init(BackendConfig *config)
{
    memset(config, 0, sizeof(*config));
    config->features = BIT(VHOST_USER_F_PROTOCOL_FEATURES) | BIT(VIRTIO_F_VERSION_1) |
                       BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_CSUM) |
                       BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4);
    config->protocol_features =
        BIT(VHOST_USER_PROTOCOL_F_MQ) | BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) |
        BIT(VHOST_USER_PROTOCOL_F_RARP) | BIT(VHOST_USER_PROTOCOL_F_NET_MTU) |
        BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD);
    config->queues = 8;
    config->keep_log = TRUE;
    config->network = TRUE;
}

static void find_device(Net *net)
{
    pci_addresses_init(&net->addresses);
    guest_memory_init(&net->memory, 1 << 20, 64 << 20);
    net->device = virt_device_new(net->vmm->qtest, &net->addresses, SLOT);
    g_assert_nonnull(net->device);
}

static void net_start(Net *net, const BackendConfig *config, const char *chardev,
                      const char *netdev, const char *device)
{
    memset(net, 0, sizeof(*net));
    net->backend = backend_start(config);
    net->vmm = vmm_start_or_fail(
        NULL,
        "-M pc -m 64M,slots=16,maxmem=1G -chardev socket,id=c0,path=%s%s "
        "-netdev vhost-user,id=hs0,chardev=c0%s -device virtio-net-pci,id=n0,netdev=hs0,addr=%d%s",
        backend_path(net->backend), chardev, netdev, SLOT, device);
    find_device(net);
}

static void net_end(Net *net)
{
    virt_device_free(net->device);
    vmm_end(net->vmm);
    g_assert_cmpstr(backend_violation(net->backend), ==, NULL);
    backend_free(net->backend);
}

static void fill(uint8_t *bytes, gsize size, guint seed)
{
    for (gsize i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(i * 7 + seed);
    }
}

/* A packet each way. */
static void exchange(Net *net, NetDriver *driver, guint pair, gsize size)
{
    uint8_t out[NET_HEADER_SIZE + NET_PACKET_MAX] = {0}, in[sizeof(out)];

    fill(out + NET_HEADER_SIZE, size, pair + (guint)size);
    g_assert_true(net_driver_send(driver, pair, out + NET_HEADER_SIZE, size, WAIT));
    g_assert_cmpint(backend_take_packet(net->backend, pair, in, sizeof(in), WAIT), ==,
                    NET_HEADER_SIZE + size);
    g_assert_cmpmem(in, NET_HEADER_SIZE + size, out, NET_HEADER_SIZE + size);

    fill(out + NET_HEADER_SIZE, size, pair + (guint)size + 1);
    g_assert_true(backend_send_packet(net->backend, pair, out, NET_HEADER_SIZE + size));
    g_assert_cmpint(net_driver_receive(driver, pair, in, sizeof(in), WAIT), ==, size);
    g_assert_cmpmem(in, size, out + NET_HEADER_SIZE, size);
}

static void wait_rings(Net *net, guint count)
{
    for (guint tries = 0; backend_rings_running(net->backend) != count; tries++) {
        g_assert_cmpuint(tries, <, 20000);
        g_usleep(1000);
    }
}

static void command(Net *net, const char *text)
{
    json_object_put(qmp_command_or_fail(net->vmm->qmp, "%s", text));
}

static json_object *expect_event(Net *net, const char *name)
{
    return qmp_event_or_fail(net->vmm->qmp, name, WAIT);
}

/* --- packets --- */

static void test_packets(void)
{
    static const uint64_t features[] = {
        0,
        BIT(VIRTIO_NET_F_MRG_RXBUF),
        BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_NET_F_CTRL_VQ),
    };
    BackendConfig config;
    Net net;

    net_config_init(&config);
    config.features |= BIT(VIRTIO_RING_F_EVENT_IDX);
    net_start(&net, &config, "", "", "");
    for (guint i = 0; i < G_N_ELEMENTS(features); i++) {
        g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, features[i], 1, 16);

        wait_rings(&net, 2);
        for (guint n = 0; n < 40; n++) {
            exchange(&net, driver, 0, 60 + 36 * n);
        }
        virt_device_reset(net.device);
    }
    /* What is in flight when a backend ends is lost, as on a wire. */
    g_assert_cmpuint(backend_count(net.backend, VHOST_USER_GET_INFLIGHT_FD), ==, 0);
    net_end(&net);
}

/* --- configuration --- */

static void test_configuration(void)
{
    static const uint8_t first[] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
    BackendConfig config;
    uint8_t mac[6];
    Net net;

    net_config_init(&config);
    net_start(&net, &config, "", ",queues=3", ",mq=on,host_mtu=9000,speed=1000,duplex=full");
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
    net_end(&net);
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

    net_config_init(&config);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        Net net;

        net_start(&net, &config, "", "", rows[i].properties);
        g_test_message("%s", rows[i].properties);
        g_assert_cmphex(virt_device_offered(net.device), ==, rows[i].offered);
        net_end(&net);
    }
}

/* --- pairs of queues --- */

static int set_pairs(NetDriver *driver, uint16_t pairs)
{
    return net_driver_command(driver, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &pairs,
                              sizeof(pairs));
}

static void test_pairs(void)
{
    static const uint16_t counts[] = {4, 2, 3, 1, 4};
    BackendConfig config;
    Net net;

    net_config_init(&config);
    net_start(&net, &config, "", ",queues=4", ",mq=on");
    g_autoptr(NetDriver) driver = net_driver_start(
        net.device, &net.memory, BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_CTRL_VQ), 4, 8);

    /* All rings are there, and one pair works. */
    g_assert_true(backend_wait(net.backend, VHOST_USER_SET_VRING_KICK, 8, WAIT));
    wait_rings(&net, 2);
    exchange(&net, driver, 0, 100);
    g_autoptr(json_object) info =
        qmp_command_or_fail(net.vmm->qmp, "{'execute':'x-query-vhost-user'}");
    g_assert_true(json_object_get_boolean(qmp_get(info, "0/rings/1/enabled")));
    g_assert_false(json_object_get_boolean(qmp_get(info, "0/rings/2/enabled")));
    g_assert_nonnull(qmp_get(info, "0/rings/7"));
    g_assert_null(qmp_get(info, "0/rings/8"));
    g_assert_false(backend_send_packet(net.backend, 1, "0123456789abcdef", 16));
    for (guint i = 0; i < G_N_ELEMENTS(counts); i++) {
        g_assert_cmpint(set_pairs(driver, counts[i]), ==, VIRTIO_NET_OK);
        wait_rings(&net, 2u * counts[i]);
        for (guint pair = 0; pair < counts[i]; pair++) {
            exchange(&net, driver, pair, 200 + pair);
        }
    }
    g_assert_cmpint(set_pairs(driver, 0), ==, VIRTIO_NET_ERR);
    g_assert_cmpint(set_pairs(driver, 5), ==, VIRTIO_NET_ERR);
    wait_rings(&net, 8);
    /* A pause changes nothing, a reset leaves one pair. */
    command(&net, "{'execute':'stop'}");
    wait_rings(&net, 0);
    command(&net, "{'execute':'cont'}");
    wait_rings(&net, 8);
    exchange(&net, driver, 3, 300);
    virt_device_reset(net.device);
    g_autoptr(NetDriver) again = net_driver_start(
        net.device, &net.memory, BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_CTRL_VQ), 4, 8);
    wait_rings(&net, 2);
    exchange(&net, again, 0, 301);
    net_end(&net);
}

/* A driver that does not know of pairs has its control queue behind the first (5.1.2). */
static void test_no_pairs_chosen(void)
{
    BackendConfig config;
    Net net;
    uint8_t on = 1;

    net_config_init(&config);
    net_start(&net, &config, "", ",queues=2", ",mq=on");
    g_autoptr(NetDriver) driver = net_driver_start(
        net.device, &net.memory, BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX), 1, 4);

    wait_rings(&net, 2);
    g_assert_cmpint(
        net_driver_command(driver, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &on, 1), ==,
        VIRTIO_NET_OK);
    exchange(&net, driver, 0, 64);
    g_assert_cmpuint(backend_count(net.backend, VHOST_USER_SET_VRING_KICK), ==, 2);
    net_end(&net);
}

/* --- the control queue --- */

typedef struct ControlRow {
    uint8_t class, command;
    guint size;
    uint8_t bytes[24];
    int answer;
} ControlRow;

static const ControlRow control_rows[] = {
    {0, 0, 1, {1}, 0},
    {0, 0, 1, {0}, 0},
    {0, 0, 1, {2}, 1},
    {0, 0, 0, {0}, 1},
    {0, 0, 2, {1, 1}, 1},
    {0, 1, 1, {1}, 0},
    {0, 2, 1, {1}, 0},
    {0, 3, 1, {0}, 0},
    {0, 4, 1, {0}, 0},
    {0, 5, 1, {1}, 0},
    {0, 6, 1, {1}, 1},
    {1, 1, 6, {2, 1, 2, 3, 4, 5}, 0},
    {1, 1, 6, {3, 1, 2, 3, 4, 5}, 1}, /* a group's */
    {1, 1, 5, {2, 1, 2, 3, 4}, 1},
    {1, 1, 7, {2, 1, 2, 3, 4, 5, 6}, 1},
    {1, 0, 8, {0}, 0},
    {1, 0, 4, {0}, 1}, /* one table only */
    {1, 0, 7, {0}, 1},
    {1, 0, 9, {0}, 1},
    {1, 0, 20, {1, 0, 0, 0, 2, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0x5e, 0, 0, 1}, 0},
    {1, 0, 20, {2, 0, 0, 0, 2, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0x5e, 0, 0, 1}, 1},
    {1, 0, 8, {255, 255, 255, 255, 0, 0, 0, 0}, 1},
    {1, 2, 8, {0}, 1},
    {2, 0, 2, {5, 0}, 0},
    {2, 0, 2, {0xff, 0x0f}, 0},
    {2, 0, 2, {0x00, 0x10}, 1},
    {2, 0, 1, {5}, 1},
    {2, 1, 2, {0xff, 0x0f}, 0},
    {2, 1, 2, {0x00, 0x10}, 1},
    {2, 2, 2, {5, 0}, 1},
    {3, 0, 0, {0}, 1}, /* nobody asked for an announcement */
    {3, 1, 0, {0}, 1},
    {4, 0, 2, {1, 0}, 1}, /* without VIRTIO_NET_F_MQ */
    {4, 1, 8, {0}, 1},
    {5, 0, 8, {0}, 1}, /* the backend cannot change offloads */
    {6, 0, 0, {0}, 1},
    {255, 255, 24, {0}, 1},
};

static json_object *rx_filter(Net *net)
{
    return qmp_command_or_fail(net->vmm->qmp,
                               "{'execute':'query-rx-filter','arguments':{'name':'n0'}}");
}

static void test_control(void)
{
    BackendConfig config;
    Net net;
    uint8_t mac[6];

    net_config_init(&config);
    net_start(&net, &config, "", "", ",mac=02:00:00:00:00:01");
    g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 0);
    g_autoptr(json_object) before = rx_filter(&net);

    g_assert_true(json_object_get_boolean(qmp_get(before, "0/promiscuous")));
    for (guint i = 0; i < G_N_ELEMENTS(control_rows); i++) {
        const ControlRow *row = &control_rows[i];

        g_test_message("row %u: class %u command %u size %u", i, row->class, row->command,
                       row->size);
        g_assert_cmpint(net_driver_command(driver, row->class, row->command, row->bytes, row->size),
                        ==, row->answer);
    }
    g_autoptr(json_object) after = rx_filter(&net);
    g_assert_cmpstr(qmp_get_string(after, "0/name"), ==, "n0");
    g_assert_cmpstr(qmp_get_string(after, "0/main-mac"), ==, "02:01:02:03:04:05");
    g_assert_false(json_object_get_boolean(qmp_get(after, "0/promiscuous")));
    g_assert_false(json_object_get_boolean(qmp_get(after, "0/broadcast-allowed")));
    g_assert_cmpstr(qmp_get_string(after, "0/multicast"), ==, "all");
    g_assert_cmpstr(qmp_get_string(after, "0/unicast"), ==, "all");
    g_assert_cmpstr(qmp_get_string(after, "0/vlan"), ==, "normal");
    g_assert_cmpint(qmp_get_int(after, "0/vlan-table/0", -1), ==, 5);
    g_assert_null(qmp_get(after, "0/vlan-table/1"));
    g_assert_cmpstr(qmp_get_string(after, "0/unicast-table/0"), ==, "02:00:00:00:00:01");
    g_assert_cmpstr(qmp_get_string(after, "0/multicast-table/0"), ==, "01:00:5e:00:00:01");
    net_driver_mac(driver, mac);
    g_assert_cmpuint(mac[5], ==, 5);
    virt_device_reset(net.device);
    g_autoptr(json_object) reset = rx_filter(&net);
    g_assert_cmpstr(qmp_get_string(reset, "0/main-mac"), ==, "02:00:00:00:00:01");
    g_assert_null(qmp_get(reset, "0/vlan-table/0"));
    net_end(&net);
}

/* More addresses than the table takes: it says so, and is empty. */
static void test_table_overflow(void)
{
    g_autofree uint8_t *bytes = g_malloc0(8 + 65 * 6);
    BackendConfig config;
    Net net;

    net_config_init(&config);
    net_start(&net, &config, "", "", "");
    g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 0);

    bytes[0] = 64;
    g_assert_cmpint(net_driver_command(driver, 1, 0, bytes, 8 + 64 * 6), ==, VIRTIO_NET_OK);
    g_autoptr(json_object) full = rx_filter(&net);
    g_assert_false(json_object_get_boolean(qmp_get(full, "0/unicast-overflow")));
    g_assert_nonnull(qmp_get(full, "0/unicast-table/63"));
    bytes[0] = 65;
    g_assert_cmpint(net_driver_command(driver, 1, 0, bytes, 8 + 65 * 6), ==, VIRTIO_NET_OK);
    g_autoptr(json_object) over = rx_filter(&net);
    g_assert_true(json_object_get_boolean(qmp_get(over, "0/unicast-overflow")));
    g_assert_null(qmp_get(over, "0/unicast-table/0"));
    net_end(&net);
}

/* One event, and another only after somebody has asked. */
static void test_filter_event(void)
{
    static const uint8_t on = 1;
    BackendConfig config;
    Net net;

    net_config_init(&config);
    net_start(&net, &config, "", "", "");
    g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 0);

    for (guint round = 0; round < 2; round++) {
        for (guint i = 0; i < 5; i++) {
            g_assert_cmpint(net_driver_command(driver, 0, 0, &on, 1), ==, VIRTIO_NET_OK);
        }
        g_autoptr(json_object) event = expect_event(&net, "NIC_RX_FILTER_CHANGED");
        g_assert_cmpstr(qmp_get_string(event, "data/name"), ==, "n0");
        g_assert_cmpstr(qmp_get_string(event, "data/path"), ==, "/machine/peripheral/n0");
        json_object_put(rx_filter(&net));
        qmp_expect_no_event(net.vmm->qmp, "NIC_RX_FILTER_CHANGED", 0);
    }
    net_end(&net);
}

/* Buffers that are no command: the device asks for a reset, and works after it. */
static void test_control_broken(void)
{
    BackendConfig config;
    Net net;

    net_config_init(&config);
    net_start(&net, &config, "", "", "");
    for (guint i = 0; i < 4; i++) {
        VirtBuffer buffers[2] = {
            {.address = 0x2000, .size = i == 0 ? 1 : 2},
            {.address = i == 1 ? 0x7ffffff0 : 0x3000, .size = 1, .device_writes = i != 2}};
        g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 4);
        guint tries = 0;

        wait_rings(&net, 2);
        buffers[0].address = i == 3 ? 0x7ffffff0 : buffers[0].address;
        virt_ring_add(driver->control, buffers, 2);
        virt_ring_notify(driver->control);
        while (!(virt_device_status(net.device) & VIRTIO_CONFIG_S_NEEDS_RESET)) {
            g_assert_cmpuint(tries++, <, 10000);
            g_usleep(1000);
        }
        virt_device_reset(net.device);
    }
    g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 4);
    wait_rings(&net, 2);
    exchange(&net, driver, 0, 99);
    net_end(&net);
}

/* Of the last SET_FEATURES in the log. */
static uint64_t last_features(Net *net)
{
    BackendMessage message;
    uint64_t features = 0;

    for (guint i = 0; backend_message(net->backend, i, &message); i++) {
        if (message.header.request == VHOST_USER_SET_FEATURES) {
            features = message.payload.u64;
        }
    }
    return features;
}

/* A backend that can change offloads gets its features anew. */
static void test_offloads(void)
{
    uint64_t offloads = BIT(VIRTIO_NET_F_GUEST_CSUM);
    BackendConfig config;
    Net net;

    net_config_init(&config);
    config.features |= BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);
    net_start(&net, &config, "", "", "");
    g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 4);

    wait_rings(&net, 2);
    backend_clear(net.backend);
    g_assert_cmpint(net_driver_command(driver, 5, 0, &offloads, 8), ==, VIRTIO_NET_OK);
    g_assert_true(backend_wait(net.backend, VHOST_USER_SET_FEATURES, 1, WAIT));
    g_assert_cmphex(last_features(&net), ==, config.features & ~BIT(VIRTIO_NET_F_GUEST_TSO4));
    /* They stay so over a pause, and until a reset. */
    backend_clear(net.backend);
    command(&net, "{'execute':'stop'}");
    command(&net, "{'execute':'cont'}");
    wait_rings(&net, 2);
    g_assert_cmphex(last_features(&net), ==, config.features & ~BIT(VIRTIO_NET_F_GUEST_TSO4));
    offloads = BIT(VIRTIO_NET_F_GUEST_TSO6); /* not offered */
    g_assert_cmpint(net_driver_command(driver, 5, 0, &offloads, 8), ==, VIRTIO_NET_ERR);
    exchange(&net, driver, 0, 99);
    virt_device_reset(net.device);
    g_autoptr(NetDriver) again = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 4);
    wait_rings(&net, 2);
    g_assert_cmphex(last_features(&net), ==, config.features);
    exchange(&net, again, 0, 99);
    net_end(&net);
}

/* --- links --- */

static void wait_status(NetDriver *driver, uint16_t status)
{
    for (guint tries = 0; net_driver_status(driver) != status; tries++) {
        g_assert_cmpuint(tries, <, 20000);
        g_usleep(1000);
    }
}

static void test_set_link(void)
{
    static const char *const names[] = {"n0", "hs0"};
    BackendConfig config;
    Net net;

    net_config_init(&config);
    net_start(&net, &config, "", "", "");
    g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 4);

    wait_rings(&net, 2);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *down = g_strdup_printf(
            "{'execute':'set_link','arguments':{'name':'%s','up':false}}", names[i]);
        g_autofree char *up =
            g_strdup_printf("{'execute':'set_link','arguments':{'name':'%s','up':true}}", names[i]);

        virt_device_interrupt(net.device, -1);
        command(&net, down);
        g_assert_cmpuint(net_driver_status(driver), ==, 0);
        g_assert_true(virt_device_interrupt(net.device, -1));
        wait_rings(&net, 0);
        g_assert_false(backend_send_packet(net.backend, 0, "0123456789abcdef", 16));
        command(&net, down);
        g_assert_false(virt_device_interrupt(net.device, -1));
        command(&net, up);
        g_assert_cmpuint(net_driver_status(driver), ==, LINK_UP);
        g_assert_true(virt_device_interrupt(net.device, -1));
        wait_rings(&net, 2);
        exchange(&net, driver, 0, 70 + i);
    }
    g_autoptr(json_object) text =
        qmp_command_or_fail(net.vmm->qmp, "{'execute':'x-query-network'}");
    rig_assert_names(qmp_get_string(text, "human-readable-text"), "n0", "hs0", "virtio-net-pci",
                     "52:54:00:12:34:56", "link up", NULL);
    net_end(&net);
}

/* The backend goes and comes: the link follows, packets flow again, the network is told. */
static void test_reconnect(gconstpointer announces)
{
    uint64_t features = BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_CTRL_VQ);
    BackendConfig config;
    Net net;

    features |= announces ? BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) : 0;
    net_config_init(&config);
    net_start(&net, &config, ",reconnect-ms=10", ",queues=2", ",mq=on,host_mtu=1500");
    g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, features, 2, 8);

    wait_rings(&net, 2);
    g_assert_cmpint(set_pairs(driver, 2), ==, VIRTIO_NET_OK);
    wait_rings(&net, 4);
    for (guint round = 1; round < 4; round++) {
        exchange(&net, driver, 1, 64 + round);
        qmp_events_clear(net.vmm->qmp);
        backend_hang_up(net.backend);
        g_autoptr(json_object) lost = expect_event(&net, "NETDEV_VHOST_USER_DISCONNECTED");
        g_assert_cmpstr(qmp_get_string(lost, "data/netdev-id"), ==, "hs0");
        g_autoptr(json_object) back = expect_event(&net, "NETDEV_VHOST_USER_CONNECTED");
        g_assert_cmpstr(qmp_get_string(back, "data/netdev-id"), ==, "hs0");
        g_assert_cmpstr(qmp_get_string(back, "data/chardev-id"), ==, "c0");
        wait_rings(&net, 4);
        if (announces) {
            wait_status(driver, LINK_UP | VIRTIO_NET_S_ANNOUNCE);
            g_assert_cmpint(net_driver_command(driver, 3, 0, NULL, 0), ==, VIRTIO_NET_OK);
            g_assert_cmpuint(net_driver_status(driver), ==, LINK_UP);
        } else {
            g_assert_true(backend_wait(net.backend, VHOST_USER_SEND_RARP, round, WAIT));
        }
        exchange(&net, driver, 0, 80 + round);
    }
    g_assert_cmpuint(backend_count(net.backend, VHOST_USER_SEND_RARP), ==, announces ? 0 : 3);
    g_assert_true(backend_wait(net.backend, VHOST_USER_NET_SET_MTU, 4, WAIT));
    net_end(&net);
}

/* Packed rings are offered only where the backend is not expected to come back. */
static void test_packed(void)
{
    const uint64_t packed = BIT(VIRTIO_F_RING_PACKED);
    BackendConfig config;
    Net net;

    net_config_init(&config);
    config.features |= packed;
    net_start(&net, &config, "", "", "");
    g_assert_cmphex(virt_device_offered(net.device) & packed, ==, packed);
    net_end(&net);
    net_start(&net, &config, ",reconnect-ms=10", "", "");
    g_assert_cmphex(virt_device_offered(net.device) & packed, ==, 0);
    net_end(&net);
}

/* --- starts --- */

/* The command line of QEMU's own test clients, word for word. */
static void test_command_line(void)
{
    g_autofree char *path = vmm_temporary_path("server");
    g_autoptr(GError) error = NULL;
    BackendConfig config;
    Net net = {0};

    net_config_init(&config);
    net.backend = backend_new(&config);
    g_assert_true(backend_connect(net.backend, path, &error));
    net.vmm =
        vmm_start_or_fail(NULL,
                          "-display none -audio none -run-with exit-with-parent=on -M pc "
                          "-device virtio-net-pci,netdev=hs0,addr=04.0,mq=on -m 256 "
                          "-object memory-backend-memfd,id=mem,size=256M, -numa node,memdev=mem "
                          "-chardev socket,id=chr0,path=%s,server=on "
                          "-netdev vhost-user,id=hs0,chardev=chr0,vhostforce=on "
                          "-set netdev.hs0.queues=2 -global virtio-net-pci.vectors=6 -accel qtest",
                          path);
    find_device(&net);
    g_assert_cmpuint(virt_device_queues(net.device), ==, 5);
    g_assert_cmpuint(net.device->pci->vectors, ==, 6);
    g_autoptr(NetDriver) driver = net_driver_start(
        net.device, &net.memory, BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_CTRL_VQ), 2, 4);
    g_assert_true(backend_wait(net.backend, VHOST_USER_SET_VRING_KICK, 4, WAIT));
    wait_rings(&net, 2);
    exchange(&net, driver, 0, 60);
    net_end(&net);
}

/* Tries to connect until the third time, as a backend of the facts does. */
static gpointer come_thrice(gpointer opaque)
{
    Backend *backend = opaque;

    for (guint connection = 1; connection < 3; connection++) {
        g_assert_true(backend_wait_connections(backend, connection, WAIT));
        while (backend_connected(backend)) {
            g_usleep(1000);
        }
        if (connection == 1) {
            BackendConfig config;

            net_config_init(&config);
            config.features = 0;
            backend_set_config(backend, &config);
        }
        g_assert_true(backend_connect(backend, backend_path(backend), NULL));
        if (connection == 2) {
            BackendConfig config;

            net_config_init(&config);
            backend_set_config(backend, &config);
        }
    }
    return NULL;
}

/* Hangs up at the first message, then offers nothing, then is well. */
static void test_late_start(void)
{
    g_autofree char *path = vmm_temporary_path("server");
    g_autoptr(GError) error = NULL;
    BackendFault fault = {
        .request = VHOST_USER_GET_FEATURES, .occurrence = 1, .kind = FAULT_CLOSE_BEFORE};
    BackendConfig config;
    Net net = {0};

    net_config_init(&config);
    net.backend = backend_new(&config);
    backend_fault(net.backend, &fault);
    g_assert_true(backend_connect(net.backend, path, &error));
    GThread *thread = g_thread_new("come-thrice", come_thrice, net.backend);
    net.vmm = vmm_start_or_fail(NULL,
                                "-M pc -m 64M -chardev socket,id=c0,path=%s,server=on "
                                "-netdev vhost-user,id=hs0,chardev=c0 "
                                "-device virtio-net-pci,id=n0,netdev=hs0,addr=%d",
                                path, SLOT);
    g_thread_join(thread);
    g_assert_cmpuint(backend_connections(net.backend), ==, 3);
    find_device(&net);
    g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 4);
    wait_rings(&net, 2);
    exchange(&net, driver, 0, 60);
    net_end(&net);
}

/* Hangs up at SET_FEATURES, comes back without features, then well. */
static void test_late_restart(void)
{
    BackendFault fault = {
        .request = VHOST_USER_SET_FEATURES, .occurrence = 1, .kind = FAULT_CLOSE_BEFORE};
    BackendConfig config, nothing;
    Net net;

    net_config_init(&config);
    config.protocol_features &= ~BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK);
    net_start(&net, &config, ",reconnect-ms=10", "", "");
    nothing = config;
    nothing.features = 0;
    backend_set_config(net.backend, &nothing);
    backend_fault(net.backend, &fault);
    g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 4);

    /* Two of them: the first was turned away. */
    g_assert_true(backend_wait_connections(net.backend, 3, WAIT));
    g_assert_cmpuint(net_driver_status(driver), ==, 0);
    backend_set_config(net.backend, &config);
    wait_rings(&net, 2);
    wait_status(driver, LINK_UP | VIRTIO_NET_S_ANNOUNCE);
    exchange(&net, driver, 0, 60);
    net_end(&net);
}

/* --- hot-plug --- */

static void test_netdev_add(void)
{
    BackendConfig config;
    Net net = {0};

    net_config_init(&config);
    net.backend = backend_start(&config);
    net.vmm = vmm_start_or_fail(NULL, "-M pc -m 64M -net none -nic none");
    for (guint round = 0; round < 3; round++) {
        qmp_events_clear(net.vmm->qmp);
        json_object_put(qmp_command_or_fail(
            net.vmm->qmp,
            "{'execute':'chardev-add','arguments':{'id':'c0','backend':{'type':'socket','data':"
            "{'addr':{'type':'unix','data':{'path':'%s'}},'server':false}}}}",
            backend_path(net.backend)));
        command(&net, "{'execute':'netdev_add','arguments':{'type':'vhost-user','id':'hs0',"
                      "'chardev':'c0','queues':2}}");
        g_free(qmp_command_refused(net.vmm->qmp,
                                   "{'execute':'chardev-remove','arguments':{'id':'c0'}}"));
        command(&net, "{'execute':'device_add','arguments':{'driver':'virtio-net-pci','id':'n0',"
                      "'netdev':'hs0','addr':'4','mq':true,'mac':'02:00:00:00:00:01'}}");
        json_object_put(expect_event(&net, "NETDEV_VHOST_USER_CONNECTED"));
        g_autofree char *used =
            qmp_command_refused(net.vmm->qmp, "{'execute':'netdev_del','arguments':{'id':'hs0'}}");
        g_assert_nonnull(strstr(used, "n0"));
        g_autofree char *twice = qmp_command_refused(
            net.vmm->qmp, "{'execute':'device_add','arguments':{'driver':'virtio-net-pci',"
                          "'id':'n1','netdev':'hs0'}}");
        rig_assert_names(twice, "n1", "hs0", "n0", NULL);

        find_device(&net);
        NetDriver *driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 2, 4);
        exchange(&net, driver, 0, 61);
        net_driver_free(driver);
        g_clear_pointer(&net.device, virt_device_free);

        command(&net, "{'execute':'device_del','arguments':{'id':'n0'}}");
        qtest_outl(net.vmm->qtest, 0xae08, 1u << SLOT);
        json_object_put(expect_event(&net, "NETDEV_VHOST_USER_DISCONNECTED"));
        json_object_put(
            qmp_event_where_or_fail(net.vmm->qmp, "DEVICE_DELETED", "device", "n0", WAIT));
        command(&net, "{'execute':'netdev_del','arguments':{'id':'hs0'}}");
        command(&net, "{'execute':'chardev-remove','arguments':{'id':'c0'}}");
    }
    net_end(&net);
}

/* Seven DIMMs, since the backend takes eight regions, with packets from each. */
static void test_dimms(void)
{
    BackendConfig config;
    Net net;
    Rig rig = {0};

    net_config_init(&config);
    net_start(&net, &config, "", "", "");
    rig.qmp = net.vmm->qmp;
    rig.qtest = net.vmm->qtest;
    g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 4);
    wait_rings(&net, 2);
    g_autofree char *refused = rig_fill(&rig, 0, 7);
    rig_assert_names(refused, "n0", "8", NULL);
    for (guint i = 0; i < 7; i++) {
        uint64_t scratch = driver->scratch;

        driver->scratch = rig_dimm_address(&rig, i) + 4096;
        exchange(&net, driver, 0, 200 + i);
        driver->scratch = scratch;
    }
    rig_unplug(&rig, 3);
    exchange(&net, driver, 0, 90);
    net_end(&net);
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

    net_config_init(&config);
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

    net_config_init(&config);
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
    g_test_add_func("/vhost-user-net/features", test_features);
    g_test_add_func("/vhost-user-net/pairs", test_pairs);
    g_test_add_func("/vhost-user-net/pairs/not-chosen", test_no_pairs_chosen);
    g_test_add_func("/vhost-user-net/control", test_control);
    g_test_add_func("/vhost-user-net/control/overflow", test_table_overflow);
    g_test_add_func("/vhost-user-net/control/event", test_filter_event);
    g_test_add_func("/vhost-user-net/control/broken", test_control_broken);
    g_test_add_func("/vhost-user-net/control/offloads", test_offloads);
    g_test_add_func("/vhost-user-net/link", test_set_link);
    g_test_add_data_func("/vhost-user-net/reconnect/rarp", NULL, test_reconnect);
    g_test_add_data_func("/vhost-user-net/reconnect/announce", "", test_reconnect);
    g_test_add_func("/vhost-user-net/reconnect/packed", test_packed);
    g_test_add_func("/vhost-user-net/command-line", test_command_line);
    g_test_add_func("/vhost-user-net/late-start", test_late_start);
    g_test_add_func("/vhost-user-net/late-restart", test_late_restart);
    g_test_add_func("/vhost-user-net/netdev-add", test_netdev_add);
    g_test_add_func("/vhost-user-net/dimms", test_dimms);
    g_test_add_func("/vhost-user-net/refused", test_refused);
    g_test_add_func("/vhost-user-net/addresses", test_addresses);
    return g_test_run();
}
