/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI hot-plug controller: the published register block at 0xae00, a bit a slot.
 *
 *     +0x00  read   slots with a new device; reading takes the bits
 *     +0x04  read   slots whose device shall go; a bit stays until the eject
 *     +0x08  read   features: none;  write: ejects the devices in these slots
 *     +0x0c  read   slots that can be ejected
 *     +0x10  both   number of the bus that the others are about; there is bus 0 only
 */
#include "acpi-internal.h"
#include "util/error.h"
#include "util/trace.h"

TRACE_EVENT(acpi_pci_unplug_request, "the guest is asked to let go of a PCI slot");
TRACE_EVENT(acpi_pci_eject, "the guest ejects PCI slots");

enum {
    PCI_UP = 0x00,
    PCI_DOWN = 0x04,
    PCI_EJECT = 0x08,
    PCI_REMOVABLE = 0x0c,
    PCI_BUS_SELECT = 0x10,
    PCI_BLOCK_SIZE = 0x14,
};

#define FUNCTION_COUNT 8

static struct {
    IoRegion *region;
    PciBus *bus;
    uint32_t up, down;
    uint32_t bus_select;
} hotplug;

static uint32_t slot_bit(PciDevice *device)
{
    return UINT32_C(1) << (device->devfn >> 3);
}

/* --- what the bus tells --- */

static void plugged(PciDevice *device, gpointer opaque G_GNUC_UNUSED)
{
    /* Software finds the other functions of a slot from function 0. */
    if ((device->devfn & (FUNCTION_COUNT - 1)) == 0) {
        hotplug.up |= slot_bit(device);
        acpi_gpe_raise(ACPI_GPE_PCI);
    }
}

static gboolean unplug_request(PciDevice *device, gpointer opaque G_GNUC_UNUSED,
                               GError **error G_GNUC_UNUSED)
{
    trace(acpi_pci_unplug_request, "device %s slot %u", pci_device_name(device),
          device->devfn >> 3);
    hotplug.down |= slot_bit(device);
    acpi_gpe_raise(ACPI_GPE_PCI);
    return TRUE;
}

static void unplugged(PciDevice *device, gpointer opaque G_GNUC_UNUSED)
{
    hotplug.up &= ~slot_bit(device);
    hotplug.down &= ~slot_bit(device);
}

/* --- registers --- */

static gboolean can_eject(PciDevice *device)
{
    return device && DEVICE_GET_CLASS(device)->hotpluggable && DEVICE(device)->realized;
}

/* A slot goes with all its functions. */
static void eject_slot(unsigned slot)
{
    for (unsigned function = 0; function < FUNCTION_COUNT; function++) {
        PciDevice *device = pci_bus_device(hotplug.bus, PCI_DEVFN(slot, function), TRUE);
        if (can_eject(device)) {
            pci_device_hide(device); /* at once: the guest looks whether it is gone */
            acpi_eject(DEVICE(device));
        }
    }
}

static void eject(uint32_t slots)
{
    trace(acpi_pci_eject, "slots 0x%x", slots);
    hotplug.up &= ~slots;
    hotplug.down &= ~slots;
    for (; slots; slots &= slots - 1) {
        eject_slot(__builtin_ctz(slots));
    }
}

static uint32_t removable_slots(void)
{
    uint32_t slots = 0;

    for (unsigned slot = 0; slot < PCI_SLOT_COUNT; slot++) {
        PciDevice *device = pci_bus_device(hotplug.bus, PCI_DEVFN(slot, 0), FALSE);
        if (!device || DEVICE_GET_CLASS(device)->hotpluggable) {
            slots |= UINT32_C(1) << slot;
        }
    }
    return slots;
}

static uint32_t read_slots(uint64_t offset)
{
    uint32_t slots;

    switch (offset) {
    case PCI_UP:
        slots = hotplug.up;
        hotplug.up = 0;
        return slots;
    case PCI_DOWN:
        return hotplug.down;
    case PCI_REMOVABLE:
        return removable_slots();
    default:
        return 0;
    }
}

static uint64_t hotplug_read(gpointer opaque G_GNUC_UNUSED, uint64_t offset,
                             unsigned size G_GNUC_UNUSED)
{
    if (offset == PCI_BUS_SELECT) {
        return hotplug.bus_select;
    }
    return hotplug.bus_select == 0 ? read_slots(offset) : 0;
}

static void hotplug_write(gpointer opaque G_GNUC_UNUSED, uint64_t offset, uint64_t value,
                          unsigned size G_GNUC_UNUSED)
{
    if (offset == PCI_BUS_SELECT) {
        hotplug.bus_select = value;
    } else if (offset == PCI_EJECT && hotplug.bus_select == 0) {
        eject(value);
    }
}

static const IoOps hotplug_ops = {
    .read = hotplug_read,
    .write = hotplug_write,
    .min_access = 4,
    .max_access = 4,
};

/* --- life --- */

/* Not those that shall go: they say so until they are gone, and a guest would be asked in a loop. */
gboolean acpi_pci_hotplug_waiting(void)
{
    return hotplug.up != 0;
}

void acpi_pci_hotplug_reset(void)
{
    hotplug.up = 0;
    hotplug.down = 0;
    hotplug.bus_select = 0;
}

void acpi_pci_hotplug_init(PciBus *bus)
{
    static const PciHotplugOps ops = {
        .plugged = plugged,
        .unplug_request = unplug_request,
        .unplugged = unplugged,
    };

    hotplug.bus = bus;
    hotplug.region = io_region_new(NULL, "acpi-pci-hotplug", &hotplug_ops, NULL, PCI_BLOCK_SIZE);
    io_region_map(hotplug.region, ADDRESS_SPACE_IO, ACPI_PCI_BASE);
    pci_bus_set_hotplug(bus, &ops);
}

void acpi_pci_hotplug_free(void)
{
    pci_bus_set_hotplug(hotplug.bus, NULL);
    g_clear_pointer(&hotplug.region, io_region_free);
    hotplug.bus = NULL;
}
