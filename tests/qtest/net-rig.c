/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qtest/net-rig.h"

#include <string.h>

void net_rig_config(BackendConfig *config)
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

void net_rig_find_device(NetRig *net)
{
    pci_addresses_init(&net->addresses);
    guest_memory_init(&net->memory, 1 << 20, 64 << 20);
    net->device = virt_device_new(net->vmm->qtest, &net->addresses, NET_RIG_SLOT);
    g_assert_nonnull(net->device);
}

void net_rig_start(NetRig *net, const BackendConfig *config, const char *chardev,
                   const char *netdev, const char *device)
{
    memset(net, 0, sizeof(*net));
    net->backend = backend_start(config);
    net->vmm = vmm_start_or_fail(
        NULL,
        "-M pc -m 64M,slots=16,maxmem=1G -chardev socket,id=c0,path=%s%s "
        "-netdev vhost-user,id=hs0,chardev=c0%s -device virtio-net-pci,id=n0,netdev=hs0,addr=%d%s",
        backend_path(net->backend), chardev, netdev, NET_RIG_SLOT, device);
    net_rig_find_device(net);
}

void net_rig_end(NetRig *net)
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

void net_rig_exchange(NetRig *net, NetDriver *driver, guint pair, gsize size)
{
    uint8_t out[NET_HEADER_SIZE + NET_PACKET_MAX] = {0}, in[sizeof(out)];

    fill(out + NET_HEADER_SIZE, size, pair + (guint)size);
    g_assert_true(net_driver_send(driver, pair, out + NET_HEADER_SIZE, size, NET_RIG_WAIT));
    g_assert_cmpint(backend_take_packet(net->backend, pair, in, sizeof(in), NET_RIG_WAIT), ==,
                    NET_HEADER_SIZE + size);
    g_assert_cmpmem(in, NET_HEADER_SIZE + size, out, NET_HEADER_SIZE + size);

    fill(out + NET_HEADER_SIZE, size, pair + (guint)size + 1);
    g_assert_true(backend_send_packet(net->backend, pair, out, NET_HEADER_SIZE + size));
    g_assert_cmpint(net_driver_receive(driver, pair, in, sizeof(in), NET_RIG_WAIT), ==, size);
    g_assert_cmpmem(in, size, out + NET_HEADER_SIZE, size);
}

void net_rig_wait_rings(NetRig *net, guint count)
{
    for (guint tries = 0; backend_rings_running(net->backend) != count; tries++) {
        g_assert_cmpuint(tries, <, 20000);
        g_usleep(1000);
    }
}

void net_rig_command(NetRig *net, const char *text)
{
    json_object_put(qmp_command_or_fail(net->vmm->qmp, "%s", text));
}

json_object *net_rig_event(NetRig *net, const char *name)
{
    return qmp_event_or_fail(net->vmm->qmp, name, NET_RIG_WAIT);
}

int net_rig_set_pairs(NetDriver *driver, uint16_t pairs)
{
    return net_driver_command(driver, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &pairs,
                              sizeof(pairs));
}

void net_rig_wait_status(NetDriver *driver, uint16_t status)
{
    for (guint tries = 0; net_driver_status(driver) != status; tries++) {
        g_assert_cmpuint(tries, <, 20000);
        g_usleep(1000);
    }
}
