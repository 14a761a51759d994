/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this folder share: bus bookkeeping and configuration space. */
#ifndef HW_PCI_INTERNAL_H
#define HW_PCI_INTERNAL_H

#include "hw/pci/pci.h"

#include <linux/pci_regs.h>
#include <string.h>

/* --- pci-bus.c --- */

/* Gives @device the address that it asks for, or a free slot, and its interrupt source. */
gboolean pci_bus_reserve(PciBus *bus, PciDevice *device, GError **error);
/* The reverse. */
void pci_bus_forget(PciDevice *device);
const PciHotplugOps *pci_bus_hotplug(PciBus *bus); /* never NULL; hooks may be */

/* --- pci-config.c --- */

/* A guest's access of @size 1, 2 or 4 bytes, which does not cross a multiple of 4. */
uint32_t pci_config_read(PciDevice *device, unsigned offset, unsigned size);
void pci_config_write(PciDevice *device, unsigned offset, uint32_t value, unsigned size);
/* Maps and unmaps the regions of the BARs as the registers say. */
void pci_config_update_bars(PciDevice *device);
/* Drives the interrupt line as state and command register say. */
void pci_config_update_intx(PciDevice *device);

static inline uint16_t pci_config_word(const PciDevice *device, unsigned offset)
{
    uint16_t value;

    memcpy(&value, device->config + offset, sizeof(value));
    return GUINT16_FROM_LE(value);
}

static inline uint32_t pci_config_long(const PciDevice *device, unsigned offset)
{
    uint32_t value;

    memcpy(&value, device->config + offset, sizeof(value));
    return GUINT32_FROM_LE(value);
}

/* --- msix.c --- */

/* The message control or the command register may have changed. */
void msix_config_written(PciDevice *device);

#endif
