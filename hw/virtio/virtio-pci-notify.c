/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doorbells of the modern interface (virtio 1.2, 4.1.4.4): where each queue's is, and the page of
 * a device that may lie over one, so that a driver's notifications go there without us.
 */
#include "util/fd.h"
#include "virtio-pci-internal.h"

#include <sys/mman.h>

gboolean virtio_pci_has_page_per_queue(VirtioPci *device)
{
    return device->options.page_per_vq && !device->options.disable_modern;
}

uint32_t virtio_pci_notify_multiplier(VirtioPci *device)
{
    return virtio_pci_has_page_per_queue(device) ? VIRTIO_NOTIFY_PAGE : VIRTIO_NOTIFY_MULTIPLIER;
}

uint32_t virtio_pci_notify_size(VirtioPci *device)
{
    return MAX(device->queues->len * virtio_pci_notify_multiplier(device), VIRTIO_AREA_SIZE);
}

uint32_t virtio_pci_modern_size(VirtioPci *device)
{
    uint32_t size = VIRTIO_AREA_NOTIFY + virtio_pci_notify_size(device);

    /* A BAR's size is a power of two (PCI 3.0, 6.2.5.1). */
    return 1u << g_bit_storage(size - 1);
}

void virtio_pci_notify(VirtioPci *device, uint32_t offset, uint32_t value, unsigned size)
{
    uint32_t step = virtio_pci_notify_multiplier(device);
    VirtQueue *queue = virtio_pci_queue(device, offset / step);

    if (!queue || !device->set_up) {
        return;
    }
    if (queue->notify_page) {
        io_page_store((char *)queue->notify_page + offset % step, value, size);
    } else {
        event_fd_signal_shared(queue->kick);
    }
}

void virtio_pci_add_doorbells(VirtioPci *device, IoRegion *region)
{
    uint32_t step = virtio_pci_notify_multiplier(device);

    for (guint index = 0; index < device->queues->len; index++) {
        io_region_add_event_fd(region, VIRTIO_AREA_NOTIFY + index * step, step,
                               virtio_pci_queue(device, index)->kick);
    }
}

/* --- pages --- */

gboolean virtio_pci_set_notify_page(VirtioPci *device, unsigned index, void *page)
{
    IoRegion *region = PCI_DEVICE(device)->bars[VIRTIO_BAR_MODERN].region;
    VirtQueue *queue = virtio_pci_queue(device, index);

    if (!virtio_pci_has_page_per_queue(device) || !region || !device->started || !queue ||
        !queue->enabled || queue->resetting || queue->notify_page) {
        return FALSE;
    }
    queue->notify_page = page;
    io_region_add_page(region, VIRTIO_AREA_NOTIFY + index * VIRTIO_NOTIFY_PAGE, VIRTIO_NOTIFY_PAGE,
                       page);
    return TRUE;
}

void virtio_pci_remove_notify_page(VirtioPci *device, unsigned index)
{
    IoRegion *region = PCI_DEVICE(device)->bars[VIRTIO_BAR_MODERN].region;
    VirtQueue *queue = virtio_pci_queue(device, index);

    if (!queue || !queue->notify_page) {
        return;
    }
    if (region) {
        io_region_remove_page(region, VIRTIO_AREA_NOTIFY + index * VIRTIO_NOTIFY_PAGE);
    }
    munmap(queue->notify_page, VIRTIO_NOTIFY_PAGE);
    queue->notify_page = NULL;
}

void virtio_pci_remove_notify_pages(VirtioPci *device)
{
    for (guint index = 0; index < device->queues->len; index++) {
        virtio_pci_remove_notify_page(device, index);
    }
}
