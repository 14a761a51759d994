/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio over PCI, modern interface: discovery, status, features, interrupts.
 */
#include "qtest/virtio-pci.h"
#include "qtest/virtio-ring.h"

void guest_memory_init(GuestMemory *memory, uint64_t begin, uint64_t end)
{
    memory->next = begin;
    memory->end = end;
}

uint64_t guest_memory_alloc(GuestMemory *memory, uint64_t size, uint64_t alignment)
{
    uint64_t address = (memory->next + alignment - 1) & ~(alignment - 1);

    if (address > memory->end || size > memory->end - address) {
        vmm_fail("guest memory: %" G_GUINT64_FORMAT " bytes at 0x%" G_GINT64_MODIFIER
                 "x do not fit below 0x%" G_GINT64_MODIFIER "x",
                 size, address, memory->end);
    }
    memory->next = address + size;
    return address;
}

/* The four structures from the vendor capabilities (4.1.4): the first of each kind counts. */
static gboolean find_structures(VirtDevice *device)
{
    uint64_t *const places[] = {
        [VIRTIO_PCI_CAP_COMMON_CFG] = &device->common,
        [VIRTIO_PCI_CAP_NOTIFY_CFG] = &device->notify,
        [VIRTIO_PCI_CAP_ISR_CFG] = &device->isr,
        [VIRTIO_PCI_CAP_DEVICE_CFG] = &device->config,
    };
    uint8_t offset = 0;

    while ((offset = pci_capability(device->pci, PCI_CAP_ID_VNDR, offset))) {
        uint8_t type = pci_config_readb(device->pci, offset + VIRTIO_PCI_CAP_CFG_TYPE);
        uint8_t bar = pci_config_readb(device->pci, offset + VIRTIO_PCI_CAP_BAR);

        if (type >= G_N_ELEMENTS(places) || !places[type] || *places[type] || bar >= 6) {
            continue;
        }
        *places[type] = device->pci->bars[bar].address +
                        pci_config_readl(device->pci, offset + VIRTIO_PCI_CAP_OFFSET);
        if (type == VIRTIO_PCI_CAP_NOTIFY_CFG) {
            device->notify_multiplier =
                pci_config_readl(device->pci, offset + VIRTIO_PCI_NOTIFY_CAP_MULT);
        }
    }
    return device->common && device->notify && device->isr;
}

VirtDevice *virt_device_new(Qtest *qtest, PciAddresses *addresses, unsigned slot)
{
    g_autoptr(VirtDevice) device = g_new0(VirtDevice, 1);

    device->qtest = qtest;
    device->rings = g_ptr_array_new_with_free_func((GDestroyNotify)virt_ring_free);
    device->pci = pci_function_new(qtest, addresses, PCI_SLOT_FUNCTION(slot, 0));
    if (!device->pci || !find_structures(device)) {
        return NULL;
    }
    return g_steal_pointer(&device);
}

void virt_device_free(VirtDevice *device)
{
    if (!device) {
        return;
    }
    g_ptr_array_free(device->rings, TRUE);
    pci_function_free(device->pci);
    g_free(device);
}

uint8_t virt_device_status(VirtDevice *device)
{
    return qtest_readb(device->qtest, device->common + VIRTIO_PCI_COMMON_STATUS);
}

void virt_device_set_status(VirtDevice *device, uint8_t status)
{
    qtest_writeb(device->qtest, device->common + VIRTIO_PCI_COMMON_STATUS, status);
}

void virt_device_reset(VirtDevice *device)
{
    gint64 deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;

    virt_device_set_status(device, 0);
    while (virt_device_status(device) != 0) {
        if (g_get_monotonic_time() > deadline) {
            vmm_fail("virtio: the device does not reset");
        }
    }
    if (device->msix) {
        pci_msix_disable(device->pci);
        device->msix = FALSE;
    }
    device->features = 0;
    g_ptr_array_set_size(device->rings, 0);
}

uint64_t virt_device_offered(VirtDevice *device)
{
    uint64_t offered;

    qtest_writel(device->qtest, device->common + VIRTIO_PCI_COMMON_DFSELECT, 0);
    offered = qtest_readl(device->qtest, device->common + VIRTIO_PCI_COMMON_DF);
    qtest_writel(device->qtest, device->common + VIRTIO_PCI_COMMON_DFSELECT, 1);
    return offered |
           ((uint64_t)qtest_readl(device->qtest, device->common + VIRTIO_PCI_COMMON_DF) << 32);
}

gboolean virt_device_negotiate(VirtDevice *device, uint64_t wanted, gboolean msix)
{
    uint8_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE;

    virt_device_reset(device);
    virt_device_set_status(device, status);
    virt_device_set_status(device, status |= VIRTIO_CONFIG_S_DRIVER);
    device->features = virt_device_offered(device) & (wanted | 1ull << VIRTIO_F_VERSION_1);
    for (unsigned i = 0; i < 2; i++) {
        qtest_writel(device->qtest, device->common + VIRTIO_PCI_COMMON_GFSELECT, i);
        qtest_writel(device->qtest, device->common + VIRTIO_PCI_COMMON_GF,
                     (uint32_t)(device->features >> (32 * i)));
    }
    virt_device_set_status(device, status |= VIRTIO_CONFIG_S_FEATURES_OK);
    if (!(virt_device_status(device) & VIRTIO_CONFIG_S_FEATURES_OK)) {
        return FALSE;
    }
    if (msix && device->pci->msix) {
        pci_msix_enable(device->pci);
        device->msix = TRUE;
        qtest_writew(device->qtest, device->common + VIRTIO_PCI_COMMON_MSIX, 0);
    }
    return TRUE;
}

unsigned virt_device_queues(VirtDevice *device)
{
    return qtest_readw(device->qtest, device->common + VIRTIO_PCI_COMMON_NUMQ);
}

void virt_device_driver_ok(VirtDevice *device)
{
    virt_device_set_status(device, virt_device_status(device) | VIRTIO_CONFIG_S_DRIVER_OK);
}

uint16_t virt_device_vector(VirtDevice *device, int queue)
{
    return MIN(queue + 1, device->pci->vectors - 1);
}

gboolean virt_device_interrupt(VirtDevice *device, int queue)
{
    if (device->msix) {
        return pci_msix_take(device->pci, virt_device_vector(device, queue));
    }
    return qtest_readb(device->qtest, device->isr) & (queue < 0 ? 2 : 1);
}
