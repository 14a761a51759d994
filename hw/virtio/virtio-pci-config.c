/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The modern BAR, the capabilities in configuration space that say where its structures are
 * (virtio 1.2, 4.1.4), the window through which they can be reached without a BAR (4.1.4.9),
 * and function-level reset (PCI ECN "Advanced Capabilities for Conventional PCI").
 */
#include "util/error.h"
#include "virtio-pci-internal.h"

#include <linux/pci_regs.h>
#include <stddef.h>
#include <string.h>

#define ADVANCED_FEATURES_SIZE 6

/* --- device configuration --- */

uint32_t virtio_pci_device_config_read(VirtioPci *device, uint32_t offset, unsigned size)
{
    VirtioPciClass *class = VIRTIO_PCI_GET_CLASS(device);
    uint32_t value = 0;

    if (device->set_up && class->config_read && offset < device->config_size) {
        class->config_read(device, offset, &value, MIN(size, device->config_size - offset));
    }
    return GUINT32_FROM_LE(value);
}

void virtio_pci_device_config_write(VirtioPci *device, uint32_t offset, uint32_t value,
                                    unsigned size)
{
    VirtioPciClass *class = VIRTIO_PCI_GET_CLASS(device);
    uint32_t little = GUINT32_TO_LE(value);

    if (device->set_up && class->config_write && offset < device->config_size &&
        size <= device->config_size - offset) {
        class->config_write(device, offset, &little, size);
    }
}

/* --- modern BAR --- */

uint32_t virtio_pci_modern_read(VirtioPci *device, unsigned offset, unsigned size)
{
    if (offset < VIRTIO_AREA_ISR) {
        return virtio_pci_common_read(device, offset, size);
    }
    if (offset < VIRTIO_AREA_DEVICE) {
        return offset == VIRTIO_AREA_ISR ? virtio_pci_take_isr(device) : 0;
    }
    if (offset < VIRTIO_AREA_NOTIFY) {
        return virtio_pci_device_config_read(device, offset - VIRTIO_AREA_DEVICE, size);
    }
    return 0;
}

void virtio_pci_modern_write(VirtioPci *device, unsigned offset, uint32_t value, unsigned size)
{
    if (offset < VIRTIO_AREA_ISR) {
        virtio_pci_common_write(device, offset, value, size);
    } else if (offset >= VIRTIO_AREA_NOTIFY) {
        virtio_pci_notify(device, offset - VIRTIO_AREA_NOTIFY, value, size);
    } else if (offset >= VIRTIO_AREA_DEVICE) {
        virtio_pci_device_config_write(device, offset - VIRTIO_AREA_DEVICE, value, size);
    }
}

/* --- capabilities --- */

/* Returns the offset; 0 with @error when configuration space is full. */
static unsigned add_capability(VirtioPci *device, uint8_t type, uint32_t offset, uint32_t length,
                               unsigned size, GError **error)
{
    PciDevice *pci = PCI_DEVICE(device);
    unsigned at = pci_device_add_capability(pci, PCI_CAP_ID_VNDR, size);

    if (!at) {
        vm_error_set(error, "device '%s': no room for the capabilities of virtio",
                     pci_device_name(pci));
        return 0;
    }
    pci->config[at + VIRTIO_PCI_CAP_LEN] = size;
    pci->config[at + VIRTIO_PCI_CAP_CFG_TYPE] = type;
    pci->config[at + VIRTIO_PCI_CAP_BAR] = type == VIRTIO_PCI_CAP_PCI_CFG ? 0 : VIRTIO_BAR_MODERN;
    pci_device_set_long(pci, at + VIRTIO_PCI_CAP_OFFSET, offset);
    pci_device_set_long(pci, at + VIRTIO_PCI_CAP_LENGTH, length);
    return at;
}

static gboolean add_area(VirtioPci *device, uint8_t type, uint32_t offset, GError **error)
{
    return add_capability(device, type, offset, VIRTIO_AREA_SIZE, sizeof(struct virtio_pci_cap),
                          error) != 0;
}

static gboolean add_window(VirtioPci *device, GError **error)
{
    PciDevice *pci = PCI_DEVICE(device);

    device->window = add_capability(device, VIRTIO_PCI_CAP_PCI_CFG, 0, 0,
                                    sizeof(struct virtio_pci_cfg_cap), error);
    if (!device->window) {
        return FALSE;
    }
    pci->writable[device->window + VIRTIO_PCI_CAP_BAR] = 0xff;
    memset(pci->writable + device->window + VIRTIO_PCI_CAP_OFFSET, 0xff,
           sizeof(struct virtio_pci_cfg_cap) - VIRTIO_PCI_CAP_OFFSET);
    return TRUE;
}

static gboolean add_notify(VirtioPci *device, GError **error)
{
    unsigned at =
        add_capability(device, VIRTIO_PCI_CAP_NOTIFY_CFG, VIRTIO_AREA_NOTIFY,
                       virtio_pci_notify_size(device), sizeof(struct virtio_pci_notify_cap), error);

    if (!at) {
        return FALSE;
    }
    pci_device_set_long(PCI_DEVICE(device), at + VIRTIO_PCI_NOTIFY_CAP_MULT,
                        virtio_pci_notify_multiplier(device));
    return TRUE;
}

static gboolean add_function_reset(VirtioPci *device, GError **error)
{
    PciDevice *pci = PCI_DEVICE(device);
    unsigned at = pci_device_add_capability(pci, PCI_CAP_ID_AF, ADVANCED_FEATURES_SIZE);

    if (!at) {
        vm_error_set(error, "device '%s': no room for function-level reset", pci_device_name(pci));
        return FALSE;
    }
    pci->config[at + PCI_AF_LENGTH] = ADVANCED_FEATURES_SIZE;
    pci->config[at + PCI_AF_CAP] = PCI_AF_CAP_TP | PCI_AF_CAP_FLR;
    pci->writable[at + PCI_AF_CTRL] = PCI_AF_CTRL_FLR;
    device->function_reset = at;
    return TRUE;
}

static gboolean add_structures(VirtioPci *device, GError **error)
{
    return add_window(device, error) && add_notify(device, error) &&
           add_area(device, VIRTIO_PCI_CAP_DEVICE_CFG, VIRTIO_AREA_DEVICE, error) &&
           add_area(device, VIRTIO_PCI_CAP_ISR_CFG, VIRTIO_AREA_ISR, error) &&
           add_area(device, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_AREA_COMMON, error);
}

gboolean virtio_pci_add_capabilities(VirtioPci *device, gboolean modern, GError **error)
{
    return (!modern || add_structures(device, error)) && add_function_reset(device, error);
}

/* --- the window --- */

static gboolean touches(unsigned offset, unsigned size, unsigned start, unsigned length)
{
    return offset < start + length && start < offset + size;
}

static uint32_t window_field(VirtioPci *device, unsigned field)
{
    uint32_t value;

    memcpy(&value, PCI_DEVICE(device)->config + device->window + field, sizeof(value));
    return GUINT32_FROM_LE(value);
}

/* TRUE if an access at [@offset, @offset + @size) is one to the window's data, and
 * the window stands where there is something (4.1.4.9.1). */
static gboolean window_opens(VirtioPci *device, unsigned offset, unsigned size, uint32_t *target,
                             uint32_t *length)
{
    unsigned data = device->window + sizeof(struct virtio_pci_cap);

    if (!device->window || !touches(offset, size, data, sizeof(uint32_t))) {
        return FALSE;
    }
    *target = window_field(device, VIRTIO_PCI_CAP_OFFSET);
    *length = window_field(device, VIRTIO_PCI_CAP_LENGTH);
    return PCI_DEVICE(device)->config[device->window + VIRTIO_PCI_CAP_BAR] == VIRTIO_BAR_MODERN &&
           (*length == 1 || *length == 2 || *length == 4) && *target % *length == 0 &&
           *target < virtio_pci_modern_size(device);
}

void virtio_pci_config_space_read(PciDevice *pci, unsigned offset, unsigned size)
{
    VirtioPci *device = VIRTIO_PCI(pci);
    uint32_t target, length;

    if (window_opens(device, offset, size, &target, &length)) {
        uint32_t value = virtio_pci_modern_read(device, target, length);
        pci_device_set_long(pci, device->window + sizeof(struct virtio_pci_cap), value);
    }
}

void virtio_pci_config_space_written(PciDevice *pci, unsigned offset, unsigned size)
{
    VirtioPci *device = VIRTIO_PCI(pci);
    unsigned control = device->function_reset + PCI_AF_CTRL;
    uint32_t target, length;

    if (device->function_reset && (pci->config[control] & PCI_AF_CTRL_FLR)) {
        pci->config[control] = 0; /* always reads as 0 */
        virtio_pci_driver_reset(device);
        pci_device_reset_registers(pci);
        return;
    }
    if (window_opens(device, offset, size, &target, &length)) {
        uint32_t value = window_field(device, sizeof(struct virtio_pci_cap));
        uint32_t mask = length < 4 ? (1u << (8 * length)) - 1 : UINT32_MAX;
        virtio_pci_modern_write(device, target, value & mask, length);
    }
}
