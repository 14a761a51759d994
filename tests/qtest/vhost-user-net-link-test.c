/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The link of network cards: set down and up, back-ends that come late or go away and come
 * back, networks and memory added and removed.
 */
#include "qtest/net-rig.h"

#include <string.h>

#define LINK_UP VIRTIO_NET_S_LINK_UP

/* --- links --- */

static void test_set_link(void)
{
    static const char *const names[] = {"n0", "hs0"};
    BackendConfig config;
    NetRig net;

    net_rig_config(&config);
    net_rig_start(&net, &config, "", "", "");
    g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 4);

    net_rig_wait_rings(&net, 2);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *down = g_strdup_printf(
            "{'execute':'set_link','arguments':{'name':'%s','up':false}}", names[i]);
        g_autofree char *up =
            g_strdup_printf("{'execute':'set_link','arguments':{'name':'%s','up':true}}", names[i]);

        virt_device_interrupt(net.device, -1);
        net_rig_command(&net, down);
        g_assert_cmpuint(net_driver_status(driver), ==, 0);
        g_assert_true(virt_device_interrupt(net.device, -1));
        net_rig_wait_rings(&net, 0);
        g_assert_false(backend_send_packet(net.backend, 0, "0123456789abcdef", 16));
        net_rig_command(&net, down);
        g_assert_false(virt_device_interrupt(net.device, -1));
        net_rig_command(&net, up);
        g_assert_cmpuint(net_driver_status(driver), ==, LINK_UP);
        g_assert_true(virt_device_interrupt(net.device, -1));
        net_rig_wait_rings(&net, 2);
        net_rig_exchange(&net, driver, 0, 70 + i);
    }
    g_autoptr(json_object) text =
        qmp_command_or_fail(net.vmm->qmp, "{'execute':'x-query-network'}");
    rig_assert_names(qmp_get_string(text, "human-readable-text"), "n0", "hs0", "virtio-net-pci",
                     "52:54:00:12:34:56", "link up", NULL);
    net_rig_end(&net);
}

/* The backend goes and comes: the link follows, packets flow again, the network is told. */
static void test_reconnect(gconstpointer announces)
{
    uint64_t features = BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_CTRL_VQ);
    BackendConfig config;
    NetRig net;

    features |= announces ? BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) : 0;
    net_rig_config(&config);
    net_rig_start(&net, &config, ",reconnect-ms=10", ",queues=2", ",mq=on,host_mtu=1500");
    g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, features, 2, 8);

    net_rig_wait_rings(&net, 2);
    g_assert_cmpint(net_rig_set_pairs(driver, 2), ==, VIRTIO_NET_OK);
    net_rig_wait_rings(&net, 4);
    for (guint round = 1; round < 4; round++) {
        net_rig_exchange(&net, driver, 1, 64 + round);
        qmp_events_clear(net.vmm->qmp);
        backend_hang_up(net.backend);
        g_autoptr(json_object) lost = net_rig_event(&net, "NETDEV_VHOST_USER_DISCONNECTED");
        g_assert_cmpstr(qmp_get_string(lost, "data/netdev-id"), ==, "hs0");
        g_autoptr(json_object) back = net_rig_event(&net, "NETDEV_VHOST_USER_CONNECTED");
        g_assert_cmpstr(qmp_get_string(back, "data/netdev-id"), ==, "hs0");
        g_assert_cmpstr(qmp_get_string(back, "data/chardev-id"), ==, "c0");
        net_rig_wait_rings(&net, 4);
        if (announces) {
            net_rig_wait_status(driver, LINK_UP | VIRTIO_NET_S_ANNOUNCE);
            g_assert_cmpint(net_driver_command(driver, 3, 0, NULL, 0), ==, VIRTIO_NET_OK);
            g_assert_cmpuint(net_driver_status(driver), ==, LINK_UP);
        } else {
            g_assert_true(backend_wait(net.backend, VHOST_USER_SEND_RARP, round, NET_RIG_WAIT));
        }
        net_rig_exchange(&net, driver, 0, 80 + round);
    }
    g_assert_cmpuint(backend_count(net.backend, VHOST_USER_SEND_RARP), ==, announces ? 0 : 3);
    g_assert_true(backend_wait(net.backend, VHOST_USER_NET_SET_MTU, 4, NET_RIG_WAIT));
    net_rig_end(&net);
}

/* Packed rings are offered only where the backend is not expected to come back. */
static void test_packed(void)
{
    const uint64_t packed = BIT(VIRTIO_F_RING_PACKED);
    BackendConfig config;
    NetRig net;

    net_rig_config(&config);
    config.features |= packed;
    net_rig_start(&net, &config, "", "", "");
    g_assert_cmphex(virt_device_offered(net.device) & packed, ==, packed);
    net_rig_end(&net);
    net_rig_start(&net, &config, ",reconnect-ms=10", "", "");
    g_assert_cmphex(virt_device_offered(net.device) & packed, ==, 0);
    net_rig_end(&net);
}

/* --- starts --- */

/* The command line of QEMU's own test clients, word for word. */
static void test_command_line(void)
{
    g_autofree char *path = vmm_temporary_path("server");
    g_autoptr(GError) error = NULL;
    BackendConfig config;
    NetRig net = {0};

    net_rig_config(&config);
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
    net_rig_find_device(&net);
    g_assert_cmpuint(virt_device_queues(net.device), ==, 5);
    g_assert_cmpuint(net.device->pci->vectors, ==, 6);
    g_autoptr(NetDriver) driver = net_driver_start(
        net.device, &net.memory, BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_CTRL_VQ), 2, 4);
    g_assert_true(backend_wait(net.backend, VHOST_USER_SET_VRING_KICK, 4, NET_RIG_WAIT));
    net_rig_wait_rings(&net, 2);
    net_rig_exchange(&net, driver, 0, 60);
    net_rig_end(&net);
}

/* Tries to connect until the third time, as a backend of the facts does. */
static gpointer come_thrice(gpointer opaque)
{
    Backend *backend = opaque;

    for (guint connection = 1; connection < 3; connection++) {
        g_assert_true(backend_wait_connections(backend, connection, NET_RIG_WAIT));
        while (backend_connected(backend)) {
            g_usleep(1000);
        }
        if (connection == 1) {
            BackendConfig config;

            net_rig_config(&config);
            config.features = 0;
            backend_set_config(backend, &config);
        }
        g_assert_true(backend_connect(backend, backend_path(backend), NULL));
        if (connection == 2) {
            BackendConfig config;

            net_rig_config(&config);
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
    NetRig net = {0};

    net_rig_config(&config);
    net.backend = backend_new(&config);
    backend_fault(net.backend, &fault);
    g_assert_true(backend_connect(net.backend, path, &error));
    GThread *thread = g_thread_new("come-thrice", come_thrice, net.backend);
    net.vmm = vmm_start_or_fail(NULL,
                                "-M pc -m 64M -chardev socket,id=c0,path=%s,server=on "
                                "-netdev vhost-user,id=hs0,chardev=c0 "
                                "-device virtio-net-pci,id=n0,netdev=hs0,addr=%d",
                                path, NET_RIG_SLOT);
    g_thread_join(thread);
    g_assert_cmpuint(backend_connections(net.backend), ==, 3);
    net_rig_find_device(&net);
    g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 4);
    net_rig_wait_rings(&net, 2);
    net_rig_exchange(&net, driver, 0, 60);
    net_rig_end(&net);
}

/* Hangs up at SET_FEATURES, comes back without features, then well. */
static void test_late_restart(void)
{
    BackendFault fault = {
        .request = VHOST_USER_SET_FEATURES, .occurrence = 1, .kind = FAULT_CLOSE_BEFORE};
    BackendConfig config, nothing;
    NetRig net;

    net_rig_config(&config);
    config.protocol_features &= ~BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK);
    net_rig_start(&net, &config, ",reconnect-ms=10", "", "");
    nothing = config;
    nothing.features = 0;
    backend_set_config(net.backend, &nothing);
    backend_fault(net.backend, &fault);
    g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 4);

    /* Two of them: the first was turned away. */
    g_assert_true(backend_wait_connections(net.backend, 3, NET_RIG_WAIT));
    g_assert_cmpuint(net_driver_status(driver), ==, 0);
    backend_set_config(net.backend, &config);
    net_rig_wait_rings(&net, 2);
    net_rig_wait_status(driver, LINK_UP | VIRTIO_NET_S_ANNOUNCE);
    net_rig_exchange(&net, driver, 0, 60);
    net_rig_end(&net);
}

/* --- hot-plug --- */

static void test_netdev_add(void)
{
    BackendConfig config;
    NetRig net = {0};

    net_rig_config(&config);
    net.backend = backend_start(&config);
    net.vmm = vmm_start_or_fail(NULL, "-M pc -m 64M -net none -nic none");
    for (guint round = 0; round < 3; round++) {
        qmp_events_clear(net.vmm->qmp);
        json_object_put(qmp_command_or_fail(
            net.vmm->qmp,
            "{'execute':'chardev-add','arguments':{'id':'c0','backend':{'type':'socket','data':"
            "{'addr':{'type':'unix','data':{'path':'%s'}},'server':false}}}}",
            backend_path(net.backend)));
        net_rig_command(&net, "{'execute':'netdev_add','arguments':{'type':'vhost-user','id':'hs0',"
                              "'chardev':'c0','queues':2}}");
        static const char *const refused[] = {
            "{'execute':'chardev-remove','arguments':{'id':'c0'}}",
            "{'execute':'chardev-change','arguments':{'id':'c0','backend':{'type':'null','data':"
            "{}}}}",
            "{'execute':'netdev_add','arguments':{'type':'vhost-user','id':'hs1','chardev':'c0'}}",
            "{'execute':'device_add','arguments':{'driver':'vhost-user-blk-pci','id':'b0',"
            "'chardev':'c0'}}",
        };
        for (guint i = 0; i < G_N_ELEMENTS(refused); i++) {
            g_autofree char *kept = qmp_command_refused(net.vmm->qmp, "%s", refused[i]);

            rig_assert_names(kept, "'c0'", "netdev 'hs0'", NULL);
        }
        net_rig_command(&net,
                        "{'execute':'device_add','arguments':{'driver':'virtio-net-pci','id':'n0',"
                        "'netdev':'hs0','addr':'4','mq':true,'mac':'02:00:00:00:00:01'}}");
        json_object_put(net_rig_event(&net, "NETDEV_VHOST_USER_CONNECTED"));
        g_autofree char *used =
            qmp_command_refused(net.vmm->qmp, "{'execute':'netdev_del','arguments':{'id':'hs0'}}");
        g_assert_nonnull(strstr(used, "n0"));
        g_autofree char *changed = qmp_command_refused(
            net.vmm->qmp, "{'execute':'chardev-change','arguments':{'id':'c0','backend':{'type':"
                          "'null','data':{}}}}");
        rig_assert_names(changed, "'c0'", "used by n0", NULL);
        g_autofree char *twice = qmp_command_refused(
            net.vmm->qmp, "{'execute':'device_add','arguments':{'driver':'virtio-net-pci',"
                          "'id':'n1','netdev':'hs0'}}");
        rig_assert_names(twice, "n1", "hs0", "n0", NULL);

        net_rig_find_device(&net);
        NetDriver *driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 2, 4);
        net_rig_exchange(&net, driver, 0, 61);
        net_driver_free(driver);
        g_clear_pointer(&net.device, virt_device_free);

        vmm_unplug(net.vmm, "n0", NET_RIG_SLOT);
        json_object_put(net_rig_event(&net, "NETDEV_VHOST_USER_DISCONNECTED"));
        net_rig_command(&net, "{'execute':'netdev_del','arguments':{'id':'hs0'}}");
        net_rig_command(&net, "{'execute':'chardev-remove','arguments':{'id':'c0'}}");
    }
    net_rig_end(&net);
}

/* Seven DIMMs, since the backend takes eight regions, with packets from each. */
static void test_dimms(void)
{
    BackendConfig config;
    NetRig net;
    Rig rig = {0};

    net_rig_config(&config);
    net_rig_start(&net, &config, "", "", "");
    rig.qmp = net.vmm->qmp;
    rig.qtest = net.vmm->qtest;
    g_autoptr(NetDriver) driver = net_driver_start(net.device, &net.memory, UINT64_MAX, 1, 4);
    net_rig_wait_rings(&net, 2);
    g_autofree char *refused = rig_fill(&rig, 0, 7);
    rig_assert_names(refused, "n0", "8", NULL);
    for (guint i = 0; i < 7; i++) {
        uint64_t scratch = driver->scratch;

        driver->scratch = rig_dimm_address(&rig, i) + 4096;
        net_rig_exchange(&net, driver, 0, 200 + i);
        driver->scratch = scratch;
    }
    rig_unplug(&rig, 3);
    net_rig_exchange(&net, driver, 0, 90);
    net_rig_end(&net);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vhost-user-net/link", test_set_link);
    g_test_add_data_func("/vhost-user-net/reconnect/rarp", NULL, test_reconnect);
    g_test_add_data_func("/vhost-user-net/reconnect/announce", "", test_reconnect);
    g_test_add_func("/vhost-user-net/reconnect/packed", test_packed);
    g_test_add_func("/vhost-user-net/command-line", test_command_line);
    g_test_add_func("/vhost-user-net/late-start", test_late_start);
    g_test_add_func("/vhost-user-net/late-restart", test_late_restart);
    g_test_add_func("/vhost-user-net/netdev-add", test_netdev_add);
    g_test_add_func("/vhost-user-net/dimms", test_dimms);
    return g_test_run();
}
