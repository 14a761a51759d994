/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A driver of network cards over qtest. */
#include "qtest/virtio-net.h"

#include <stddef.h>
#include <string.h>

#define BUFFER_SIZE (NET_HEADER_SIZE + NET_PACKET_MAX)
#define SCRATCH_SIZE 4096
#define COMMAND_MILLISECONDS 10000

static void post(NetDriver *driver, guint pair, uint64_t address)
{
    VirtBuffer buffer = {.address = address, .size = BUFFER_SIZE, .device_writes = TRUE};
    uint16_t head = virt_ring_add(driver->receive[pair], &buffer, 1);

    driver->buffers[pair][head] = address;
}

static void add_pair(NetDriver *driver, guint pair, guint posted)
{
    driver->receive[pair] = virt_ring_new(driver->device, 2 * pair, driver->memory, NULL);
    driver->transmit[pair] = virt_ring_new(driver->device, 2 * pair + 1, driver->memory, NULL);
    driver->buffers[pair] = g_new0(uint64_t, virt_ring_size(driver->receive[pair]));
    for (guint i = 0; i < posted; i++) {
        post(driver, pair, guest_memory_alloc(driver->memory, BUFFER_SIZE, 64));
    }
}

/* Behind the pairs that the driver knows of (5.1.2). */
static guint control_index(NetDriver *driver)
{
    uint64_t address =
        driver->device->config + offsetof(struct virtio_net_config, max_virtqueue_pairs);

    return driver->device->features & 1ull << VIRTIO_NET_F_MQ
               ? 2u * qtest_readw(driver->device->qtest, address)
               : 2;
}

NetDriver *net_driver_start(VirtDevice *device, GuestMemory *memory, uint64_t features, guint pairs,
                            guint posted)
{
    NetDriver *driver = g_new0(NetDriver, 1);

    if (!virt_device_negotiate(device, features, FALSE)) {
        vmm_fail("virtio-net: the device refuses features 0x%" G_GINT64_MODIFIER "x",
                 device->features);
    }
    driver->device = device;
    driver->memory = memory;
    driver->pairs = MAX(pairs, 1);
    driver->receive = g_new0(VirtRing *, driver->pairs);
    driver->transmit = g_new0(VirtRing *, driver->pairs);
    driver->buffers = g_new0(uint64_t *, driver->pairs);
    driver->scratch = guest_memory_alloc(memory, SCRATCH_SIZE, 64);
    for (guint pair = 0; pair < driver->pairs; pair++) {
        add_pair(driver, pair, posted);
    }
    if (device->features & 1ull << VIRTIO_NET_F_CTRL_VQ) {
        driver->control = virt_ring_new(device, (uint16_t)control_index(driver), memory, NULL);
    }
    virt_device_driver_ok(device);
    for (guint pair = 0; pair < driver->pairs && posted; pair++) {
        virt_ring_notify(driver->receive[pair]);
    }
    return driver;
}

void net_driver_free(NetDriver *driver)
{
    if (!driver) {
        return;
    }
    for (guint pair = 0; pair < driver->pairs; pair++) {
        g_free(driver->buffers[pair]);
    }
    g_free(driver->buffers);
    g_free(driver->receive);
    g_free(driver->transmit);
    g_free(driver);
}

gboolean net_driver_send(NetDriver *driver, guint pair, const void *bytes, gsize size,
                         guint milliseconds)
{
    VirtBuffer buffer = {.address = driver->scratch, .size = (uint32_t)(NET_HEADER_SIZE + size)};

    qtest_memset(driver->device->qtest, driver->scratch, 0, NET_HEADER_SIZE);
    qtest_memwrite(driver->device->qtest, driver->scratch + NET_HEADER_SIZE, bytes, size);
    virt_ring_add(driver->transmit[pair], &buffer, 1);
    virt_ring_kick(driver->transmit[pair]);
    return virt_ring_wait(driver->transmit[pair], NULL, milliseconds) >= 0;
}

gssize net_driver_receive(NetDriver *driver, guint pair, void *bytes, gsize room,
                          guint milliseconds)
{
    uint32_t length = 0;
    int head = virt_ring_wait(driver->receive[pair], &length, milliseconds);
    uint64_t address;
    gsize size;

    if (head < 0) {
        return -1;
    }
    if (length < NET_HEADER_SIZE) {
        vmm_fail("virtio-net: a packet of %u bytes, less than its header", length);
    }
    address = driver->buffers[pair][head];
    size = length - NET_HEADER_SIZE;
    qtest_memread(driver->device->qtest, address + NET_HEADER_SIZE, bytes, MIN(room, size));
    post(driver, pair, address);
    virt_ring_kick(driver->receive[pair]);
    return (gssize)size;
}

int net_driver_command(NetDriver *driver, uint8_t class, uint8_t command, const void *bytes,
                       gsize size)
{
    Qtest *qtest = driver->device->qtest;
    uint8_t header[] = {class, command};
    uint64_t answer = driver->scratch + SCRATCH_SIZE - 1;
    VirtBuffer buffers[] = {
        {.address = driver->scratch, .size = sizeof(header)},
        {.address = driver->scratch + sizeof(header), .size = (uint32_t)size},
        {.address = answer, .size = 1, .device_writes = TRUE},
    };

    if (size == 0) {
        buffers[1] = buffers[2];
    } else {
        qtest_memwrite(qtest, buffers[1].address, bytes, size);
    }
    qtest_memwrite(qtest, driver->scratch, header, sizeof(header));
    qtest_writeb(qtest, answer, 0xff);
    virt_ring_add(driver->control, buffers, size == 0 ? 2 : 3);
    virt_ring_notify(driver->control);
    return virt_ring_wait(driver->control, NULL, COMMAND_MILLISECONDS) < 0
               ? -1
               : qtest_readb(qtest, answer);
}

uint16_t net_driver_status(NetDriver *driver)
{
    return qtest_readw(driver->device->qtest,
                       driver->device->config + offsetof(struct virtio_net_config, status));
}

void net_driver_mac(NetDriver *driver, uint8_t *mac)
{
    for (unsigned i = 0; i < 6; i++) {
        mac[i] = qtest_readb(driver->device->qtest, driver->device->config + i);
    }
}
