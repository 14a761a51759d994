/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control queue of network cards (virtio 1.2, 5.1.6.5): each command right and wrong, what
 * the monitor and the back-end hear of it.
 */
#include "qtest/net-rig.h"

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

static json_object *rx_filter(NetRig *net)
{
    return qmp_command_or_fail(net->vmm->qmp,
                               "{'execute':'query-rx-filter','arguments':{'name':'n0'}}");
}

static void test_control(void)
{
    BackendConfig config;
    NetRig net;
    uint8_t mac[6];

    net_rig_config(&config);
    net_rig_start(&net, &config, "", "", ",mac=02:00:00:00:00:01");
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
    net_rig_end(&net);
}

/* More addresses than the table takes: it says so, and is empty. */
static void test_table_overflow(void)
{
    g_autofree uint8_t *bytes = g_malloc0(8 + 65 * 6);
    BackendConfig config;
    NetRig net;

    net_rig_config(&config);
    net_rig_start(&net, &config, "", "", "");
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
    net_rig_end(&net);
}

/* One event, and another only after somebody has asked. */
static void test_filter_event(void)
{
    static const uint8_t on = 1;
    BackendConfig config;
    NetRig net;

    net_rig_config(&config);
    net_rig_start(&net, &config, "", "", "");
    g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 0);

    for (guint round = 0; round < 2; round++) {
        for (guint i = 0; i < 5; i++) {
            g_assert_cmpint(net_driver_command(driver, 0, 0, &on, 1), ==, VIRTIO_NET_OK);
        }
        g_autoptr(json_object) event = net_rig_event(&net, "NIC_RX_FILTER_CHANGED");
        g_assert_cmpstr(qmp_get_string(event, "data/name"), ==, "n0");
        g_assert_cmpstr(qmp_get_string(event, "data/path"), ==, "/machine/peripheral/n0");
        json_object_put(rx_filter(&net));
        qmp_expect_no_event(net.vmm->qmp, "NIC_RX_FILTER_CHANGED", 0);
    }
    net_rig_end(&net);
}

/* Buffers that are no command: the device asks for a reset, and works after it. */
static void test_control_broken(void)
{
    BackendConfig config;
    NetRig net;

    net_rig_config(&config);
    net_rig_start(&net, &config, "", "", "");
    for (guint i = 0; i < 4; i++) {
        VirtBuffer buffers[2] = {
            {.address = 0x2000, .size = i == 0 ? 1 : 2},
            {.address = i == 1 ? 0x7ffffff0 : 0x3000, .size = 1, .device_writes = i != 2}};
        g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 4);
        guint tries = 0;

        net_rig_wait_rings(&net, 2);
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
    net_rig_wait_rings(&net, 2);
    net_rig_exchange(&net, driver, 0, 99);
    net_rig_end(&net);
}

/* Of the last SET_FEATURES in the log. */
static uint64_t last_features(NetRig *net)
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
    const uint64_t uso = BIT(54) | BIT(55); /* VIRTIO_NET_F_GUEST_USO4 and 6 */
    uint64_t offloads = BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(54);
    BackendConfig config;
    NetRig net;

    net_rig_config(&config);
    config.features |= BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) | uso;
    net_rig_start(&net, &config, "", "", "");
    g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 4);

    net_rig_wait_rings(&net, 2);
    backend_clear(net.backend);
    g_assert_cmpint(net_driver_command(driver, 5, 0, &offloads, 8), ==, VIRTIO_NET_OK);
    g_assert_true(backend_wait(net.backend, VHOST_USER_SET_FEATURES, 1, NET_RIG_WAIT));
    g_assert_cmphex(last_features(&net), ==,
                    config.features & ~(BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(55)));
    /* They stay so over a pause, and until a reset. */
    backend_clear(net.backend);
    net_rig_command(&net, "{'execute':'stop'}");
    net_rig_command(&net, "{'execute':'cont'}");
    net_rig_wait_rings(&net, 2);
    g_assert_cmphex(last_features(&net), ==,
                    config.features & ~(BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(55)));
    offloads = BIT(VIRTIO_NET_F_GUEST_TSO6); /* not offered */
    g_assert_cmpint(net_driver_command(driver, 5, 0, &offloads, 8), ==, VIRTIO_NET_ERR);
    net_rig_exchange(&net, driver, 0, 99);
    virt_device_reset(net.device);
    g_autoptr(NetDriver) again = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 4);
    net_rig_wait_rings(&net, 2);
    g_assert_cmphex(last_features(&net), ==, config.features);
    net_rig_exchange(&net, again, 0, 99);
    net_rig_end(&net);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vhost-user-net/control", test_control);
    g_test_add_func("/vhost-user-net/control/overflow", test_table_overflow);
    g_test_add_func("/vhost-user-net/control/event", test_filter_event);
    g_test_add_func("/vhost-user-net/control/broken", test_control_broken);
    g_test_add_func("/vhost-user-net/control/offloads", test_offloads);
    return g_test_run();
}
