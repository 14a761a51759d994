/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The legacy interface of a transitional device: I/O BAR 0 (virtio 1.2, 4.1.4.10), for drivers from
 * before virtio 1.0.  They choose among the first 32 features without FEATURES_OK, and give each
 * ring as one run of pages (2.7.2).
 */
#include "util/fd.h"
#include "virtio-pci-internal.h"

#include <linux/pci_regs.h>
#include <linux/virtio_ring.h>

#define LEGACY_HEADER_MAX VIRTIO_PCI_CONFIG_OFF(1)
#define PAGE (UINT64_C(1) << VIRTIO_PCI_QUEUE_ADDR_SHIFT)

static VirtQueue *selected_queue(VirtioPci *device)
{
    return virtio_pci_queue(device, device->queue_select);
}

/* Where 2.7.2 has the parts of a ring whose size the driver cannot choose. */
static void place_queue(VirtioPci *device, VirtQueue *queue, uint32_t page)
{
    queue->legacy_page = page;
    queue->size = queue->max_size;
    queue->descriptor_area = page * PAGE;
    queue->driver_area = queue->descriptor_area + queue->size * sizeof(struct vring_desc);
    queue->device_area =
        (queue->driver_area + sizeof(uint16_t) * (3 + queue->size) + PAGE - 1) & ~(PAGE - 1);
    virtio_pci_enable_queue(device, queue);
}

/* Page 0 ends the queue (4.1.5.1.3.1). */
static void write_page(VirtioPci *device, VirtQueue *queue, uint32_t page)
{
    uint16_t vector = queue->vector;

    if (queue->enabled && !virtio_pci_end_queue(device, queue)) {
        return;
    }
    queue->vector = vector;
    if (page) {
        place_queue(device, queue, page);
    }
}

static void write_status(VirtioPci *device, uint8_t value)
{
    if (value & VIRTIO_CONFIG_S_DRIVER_OK && virtio_pci_features_open(device)) {
        device->legacy_driver = TRUE;
        device->driver_features &= device->device_features & UINT32_MAX;
    }
    virtio_pci_set_status(device, value);
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
        if (virtio_pci_features_open(device)) {
            device->driver_features = (uint32_t)value;
        }
        break;
    case VIRTIO_PCI_QUEUE_PFN:
        if (queue && !queue->resetting) {
            write_page(device, queue, value);
        }
        break;
    case VIRTIO_PCI_QUEUE_SEL:
        device->queue_select = value;
        break;
    case VIRTIO_PCI_QUEUE_NOTIFY:
        queue = virtio_pci_queue(device, (uint16_t)value);
        if (queue) {
            event_fd_signal_shared(queue->kick);
        }
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
    default: /* read-only */
        break;
    }
}

static const IoOps legacy_ops = {.read = legacy_read, .write = legacy_write};

void virtio_pci_legacy_setup(VirtioPci *device)
{
    uint32_t wanted = LEGACY_HEADER_MAX + device->config_size;
    uint32_t size = 1u << g_bit_storage(wanted - 1);

    IoRegion *region =
        io_region_new(G_OBJECT(device), "virtio-pci-legacy", &legacy_ops, device, size);

    pci_device_add_bar(PCI_DEVICE(device), VIRTIO_BAR_LEGACY, PCI_BASE_ADDRESS_SPACE_IO, region,
                       size);
    /* All queues have one doorbell; what is written there says which (4.1.5.2). */
    for (guint index = 0; index < device->queues->len; index++) {
        io_region_add_store_fd(region, VIRTIO_PCI_QUEUE_NOTIFY, (IoStore){2, index},
                               virtio_pci_queue(device, index)->kick);
    }
}
