/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The common configuration structure of virtio 1.2, 4.1.4.3.  A read takes the bytes it wants from
 * whichever fields they belong to; a write must be of one whole field, or of one half of a 64-bit
 * field (4.1.3.1).
 */
#include "virtio-pci-internal.h"

/* The two fields that virtio 1.2 added behind those of linux/virtio_pci.h. */
enum { QUEUE_NOTIFY_DATA = 0x38, QUEUE_RESET = 0x3a };

static const struct {
    uint8_t offset, width;
} common_fields[] = {
    {VIRTIO_PCI_COMMON_DFSELECT, 4},
    {VIRTIO_PCI_COMMON_DF, 4},
    {VIRTIO_PCI_COMMON_GFSELECT, 4},
    {VIRTIO_PCI_COMMON_GF, 4},
    {VIRTIO_PCI_COMMON_MSIX, 2},
    {VIRTIO_PCI_COMMON_NUMQ, 2},
    {VIRTIO_PCI_COMMON_STATUS, 1},
    {VIRTIO_PCI_COMMON_CFGGENERATION, 1},
    {VIRTIO_PCI_COMMON_Q_SELECT, 2},
    {VIRTIO_PCI_COMMON_Q_SIZE, 2},
    {VIRTIO_PCI_COMMON_Q_MSIX, 2},
    {VIRTIO_PCI_COMMON_Q_ENABLE, 2},
    {VIRTIO_PCI_COMMON_Q_NOFF, 2},
    {VIRTIO_PCI_COMMON_Q_DESCLO, 4},
    {VIRTIO_PCI_COMMON_Q_DESCHI, 4},
    {VIRTIO_PCI_COMMON_Q_AVAILLO, 4},
    {VIRTIO_PCI_COMMON_Q_AVAILHI, 4},
    {VIRTIO_PCI_COMMON_Q_USEDLO, 4},
    {VIRTIO_PCI_COMMON_Q_USEDHI, 4},
    {QUEUE_NOTIFY_DATA, 2},
    {QUEUE_RESET, 2},
};

static uint32_t feature_word(uint64_t features, uint32_t select)
{
    return select < 2 ? features >> (32 * select) : 0;
}

/* --- reads --- */

/* @queue NULL: the selected one does not exist, which its size of 0 tells. */
static uint32_t read_queue_field(const VirtQueue *queue, unsigned field)
{
    if (!queue) {
        return field == VIRTIO_PCI_COMMON_Q_MSIX ? VIRTIO_NO_VECTOR : 0;
    }
    switch (field) {
    case VIRTIO_PCI_COMMON_Q_SIZE:
        return queue->size;
    case VIRTIO_PCI_COMMON_Q_MSIX:
        return queue->vector;
    case VIRTIO_PCI_COMMON_Q_ENABLE:
        return queue->enabled && !queue->resetting;
    case VIRTIO_PCI_COMMON_Q_NOFF:
    case QUEUE_NOTIFY_DATA:
        return queue->index;
    case VIRTIO_PCI_COMMON_Q_DESCLO:
        return queue->descriptor_area;
    case VIRTIO_PCI_COMMON_Q_DESCHI:
        return queue->descriptor_area >> 32;
    case VIRTIO_PCI_COMMON_Q_AVAILLO:
        return queue->driver_area;
    case VIRTIO_PCI_COMMON_Q_AVAILHI:
        return queue->driver_area >> 32;
    case VIRTIO_PCI_COMMON_Q_USEDLO:
        return queue->device_area;
    case VIRTIO_PCI_COMMON_Q_USEDHI:
        return queue->device_area >> 32;
    case QUEUE_RESET:
        return queue->resetting;
    default:
        return 0;
    }
}

static uint32_t read_field(VirtioPci *device, unsigned field)
{
    switch (field) {
    case VIRTIO_PCI_COMMON_DFSELECT:
        return device->feature_select[0];
    case VIRTIO_PCI_COMMON_DF:
        return feature_word(device->device_features, device->feature_select[0]);
    case VIRTIO_PCI_COMMON_GFSELECT:
        return device->feature_select[1];
    case VIRTIO_PCI_COMMON_GF:
        return feature_word(device->driver_features, device->feature_select[1]);
    case VIRTIO_PCI_COMMON_MSIX:
        return device->config_vector;
    case VIRTIO_PCI_COMMON_NUMQ:
        return device->queues->len;
    case VIRTIO_PCI_COMMON_STATUS:
        return device->status;
    case VIRTIO_PCI_COMMON_CFGGENERATION:
        return device->config_generation;
    case VIRTIO_PCI_COMMON_Q_SELECT:
        return device->queue_select;
    default:
        return read_queue_field(virtio_pci_queue(device, device->queue_select), field);
    }
}

uint32_t virtio_pci_common_read(VirtioPci *device, unsigned offset, unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(common_fields); i++) {
        unsigned start = common_fields[i].offset, width = common_fields[i].width;
        if (start >= offset + size || offset >= start + width) {
            continue;
        }
        uint32_t field = read_field(device, start);
        value |=
            start >= offset ? field << (8 * (start - offset)) : field >> (8 * (offset - start));
    }
    return size < 4 ? value & ((1u << (8 * size)) - 1) : value;
}

/* --- writes --- */

static void write_driver_features(VirtioPci *device, uint32_t value)
{
    unsigned shift = 32 * device->feature_select[1];

    if (device->feature_select[1] < 2 && virtio_pci_features_open(device)) {
        device->driver_features &= ~((uint64_t)UINT32_MAX << shift);
        device->driver_features |= (uint64_t)value << shift;
    }
}

static void write_queue_size(VirtioPci *device, VirtQueue *queue, uint16_t value)
{
    if (value > 0 && value <= queue->max_size && virtio_pci_size_fits(device, value)) {
        queue->size = value;
    }
}

static void set_half(uint64_t *address, unsigned half, uint32_t value)
{
    unsigned shift = 32 * half;

    *address = (*address & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

/* What describes a queue is fixed while the queue is enabled (4.1.4.3.2). */
static void write_disabled_queue(VirtioPci *device, VirtQueue *queue, unsigned field,
                                 uint32_t value)
{
    switch (field) {
    case VIRTIO_PCI_COMMON_Q_SIZE:
        write_queue_size(device, queue, value);
        break;
    case VIRTIO_PCI_COMMON_Q_ENABLE:
        if (value == 1) {
            virtio_pci_enable_queue(device, queue);
        }
        break;
    case VIRTIO_PCI_COMMON_Q_DESCLO:
    case VIRTIO_PCI_COMMON_Q_DESCHI:
        set_half(&queue->descriptor_area, field == VIRTIO_PCI_COMMON_Q_DESCHI, value);
        break;
    case VIRTIO_PCI_COMMON_Q_AVAILLO:
    case VIRTIO_PCI_COMMON_Q_AVAILHI:
        set_half(&queue->driver_area, field == VIRTIO_PCI_COMMON_Q_AVAILHI, value);
        break;
    case VIRTIO_PCI_COMMON_Q_USEDLO:
    case VIRTIO_PCI_COMMON_Q_USEDHI:
        set_half(&queue->device_area, field == VIRTIO_PCI_COMMON_Q_USEDHI, value);
        break;
    default:
        break;
    }
}

static void write_queue_field(VirtioPci *device, unsigned field, uint32_t value)
{
    VirtQueue *queue = virtio_pci_queue(device, device->queue_select);

    if (!queue) {
        return;
    }
    if (field == VIRTIO_PCI_COMMON_Q_MSIX) {
        virtio_pci_set_queue_vector(device, queue, value);
    } else if (field == QUEUE_RESET) {
        if (value == 1) {
            virtio_pci_reset_queue(device, queue->index);
        }
    } else if (!queue->enabled) {
        write_disabled_queue(device, queue, field, value);
    }
}

static void write_field(VirtioPci *device, unsigned field, uint32_t value)
{
    switch (field) {
    case VIRTIO_PCI_COMMON_STATUS:
        virtio_pci_set_status(device, value);
        break;
    case VIRTIO_PCI_COMMON_DFSELECT:
        device->feature_select[0] = value;
        break;
    case VIRTIO_PCI_COMMON_GFSELECT:
        device->feature_select[1] = value;
        break;
    case VIRTIO_PCI_COMMON_GF:
        write_driver_features(device, value);
        break;
    case VIRTIO_PCI_COMMON_MSIX:
        device->config_vector = virtio_pci_valid_vector(device, value);
        break;
    case VIRTIO_PCI_COMMON_Q_SELECT:
        device->queue_select = value;
        break;
    default:
        write_queue_field(device, field, value);
        break;
    }
}

void virtio_pci_common_write(VirtioPci *device, unsigned offset, uint32_t value, unsigned size)
{
    if (device->resetting) {
        return; /* the registers are about to be cleared */
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(common_fields); i++) {
        if (common_fields[i].offset == offset && common_fields[i].width == size) {
            write_field(device, offset, value);
            return;
        }
    }
}
