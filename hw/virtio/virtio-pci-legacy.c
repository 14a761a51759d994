/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The legacy interface of a transitional device: I/O BAR 0 (virtio 1.2, 4.1.4.10).  Its registers
 * answer whoever probes them, but a driver that goes on to DRIVER_OK is refused, since
 * rings and configuration of before virtio 1.0 are not served.
 */
#include "virtio-pci-internal.h"

#include <linux/pci_regs.h>

#define LEGACY_HEADER_MAX VIRTIO_PCI_CONFIG_OFF(1)

static VirtQueue *selected_queue(VirtioPci *device)
{
    return virtio_pci_queue(device, device->queue_select);
}

static void refuse_driver(VirtioPci *device)
{
    device->status |= VIRTIO_CONFIG_S_FAILED;
    virtio_pci_driver_error(device,
                            "its driver is of the legacy kind, from before virtio 1.0, and gets no "
                            "service; use a driver that knows VIRTIO_F_VERSION_1");
}

static void write_status(VirtioPci *device, uint8_t value)
{
    if (value & VIRTIO_CONFIG_S_DRIVER_OK) {
        refuse_driver(device);
    } else {
        virtio_pci_set_status(device, value);
    }
}

/* The vectors are there while MSI-X is enabled; the device's configuration follows. */
static unsigned header_size(VirtioPci *device)
{
    return VIRTIO_PCI_CONFIG_OFF(msix_enabled(PCI_DEVICE(device)));
}

static uint32_t read_register(VirtioPci *device, unsigned offset)
{
    VirtQueue *queue = selected_queue(device);

    switch (offset) {
    case VIRTIO_PCI_HOST_FEATURES:
        return device->device_features;
    case VIRTIO_PCI_GUEST_FEATURES:
        return device->driver_features;
    case VIRTIO_PCI_QUEUE_PFN:
        return queue ? queue->legacy_page : 0;
    case VIRTIO_PCI_QUEUE_NUM:
        return queue ? queue->max_size : 0;
    case VIRTIO_PCI_QUEUE_SEL:
        return device->queue_select;
    case VIRTIO_PCI_STATUS:
        return device->status;
    case VIRTIO_PCI_ISR:
        return virtio_pci_take_isr(device);
    case VIRTIO_MSI_CONFIG_VECTOR:
        return device->config_vector;
    case VIRTIO_MSI_QUEUE_VECTOR:
        return queue ? queue->vector : VIRTIO_NO_VECTOR;
    default:
        return 0;
    }
}

static uint64_t legacy_read(gpointer opaque, uint64_t offset, unsigned size)
{
    VirtioPci *device = opaque;
    unsigned header = header_size(device);

    if (offset >= header) {
        return virtio_pci_device_config_read(device, offset - header, size);
    }
    return read_register(device, offset);
}

static void legacy_write(gpointer opaque, uint64_t offset, uint64_t value, unsigned size)
{
    VirtioPci *device = opaque;
    VirtQueue *queue = selected_queue(device);
    unsigned header = header_size(device);

    if (device->resetting) {
        return;
    }
    if (offset >= header) {
        virtio_pci_device_config_write(device, offset - header, value, size);
        return;
    }
    switch (offset) {
    case VIRTIO_PCI_GUEST_FEATURES:
        if (!(device->status & VIRTIO_CONFIG_S_FEATURES_OK)) {
            device->driver_features = (uint32_t)value;
        }
        break;
    case VIRTIO_PCI_QUEUE_PFN:
        if (queue) {
            queue->legacy_page = value;
        }
        break;
    case VIRTIO_PCI_QUEUE_SEL:
        device->queue_select = value;
        break;
    case VIRTIO_PCI_STATUS:
        write_status(device, value);
        break;
    case VIRTIO_MSI_CONFIG_VECTOR:
        device->config_vector = virtio_pci_valid_vector(device, value);
        break;
    case VIRTIO_MSI_QUEUE_VECTOR:
        if (queue) {
            virtio_pci_set_queue_vector(device, queue, value);
        }
        break;
    default: /* read-only, or a kick for a queue that does not run */
        break;
    }
}

static const IoOps legacy_ops = {.read = legacy_read, .write = legacy_write};

void virtio_pci_legacy_setup(VirtioPci *device)
{
    uint32_t wanted = LEGACY_HEADER_MAX + device->config_size;
    uint32_t size = 1u << g_bit_storage(wanted - 1);

    pci_device_add_bar(
        PCI_DEVICE(device), VIRTIO_BAR_LEGACY, PCI_BASE_ADDRESS_SPACE_IO,
        io_region_new(G_OBJECT(device), "virtio-pci-legacy", &legacy_ops, device, size), size);
}
