/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bus 0: which device has which address, and configuration mechanism 1, the two ports through
 * which a CPU reaches configuration space (PCI 3.0, 3.2.2.3.2).
 */
#include "pci-internal.h"
#include "system/run-state.h"
#include "util/error.h"
#include "util/trace.h"

TRACE_EVENT(pci_config_read, "the guest reads configuration space");
TRACE_EVENT(pci_config_write, "the guest writes configuration space");

#define CONFIG_ADDRESS_PORT 0xcf8
/* Narrower accesses mean another device of the chip set that lies behind the same ports: reset
 * control at 0xcf9, whose bit 2 resets and whose bit 1 says how hard (82371SB data sheet, "RC"). */
#define RESET_CONTROL 1
#define RESET_CPU 0x04
#define CONFIG_DATA_PORT 0xcfc
#define CONFIG_ENABLE 0x80000000u

#define FUNCTION_COUNT 8
/* 00 and 01 are the bridges of a PC. */
#define FIRST_FREE_SLOT 2

struct PciBus {
    PciDevice *devices[PCI_SLOT_COUNT * FUNCTION_COUNT]; /* borrowed */
    guint intx_lines[4];
    IoRegion *address_port;
    IoRegion *data_port;
    uint32_t latch; /* what the guest wrote to the address port */
    PciHotplugOps hotplug;
};

static PciBus *root_bus;

/* --- configuration mechanism 1 --- */

static uint64_t address_port_read(gpointer opaque, uint64_t offset, unsigned size)
{
    PciBus *bus = opaque;

    return offset == RESET_CONTROL && size == 1 ? 0 : bus->latch >> (8 * offset);
}

static void address_port_write(gpointer opaque, uint64_t offset, uint64_t value, unsigned size)
{
    PciBus *bus = opaque;

    if (offset == 0 && size == 4) {
        bus->latch = value;
    } else if (offset == RESET_CONTROL && size == 1 && (value & RESET_CPU)) {
        run_state_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
    }
}

/* The function that the latch selects; NULL if there is none. */
static PciDevice *selected_device(PciBus *bus)
{
    unsigned number = (bus->latch >> 16) & 0xff;

    if (!(bus->latch & CONFIG_ENABLE) || number != 0) {
        return NULL;
    }
    return pci_bus_device(bus, (bus->latch >> 8) & 0xff, TRUE);
}

/*
 * The register that an access of @size bytes at @offset of the data port means.  Software by the
 * specification leaves bits 0 and 1 of the address 0 and says the byte by the port.  There is other
 * that says it in these bits and always uses the first port; both work.  An access stays naturally
 * aligned.
 */
static unsigned selected_register(PciBus *bus, uint64_t offset, unsigned size)
{
    return ((bus->latch & 0xff) | offset) & ~(size - 1);
}

static uint64_t data_port_read(gpointer opaque, uint64_t offset, unsigned size)
{
    PciBus *bus = opaque;
    PciDevice *device = selected_device(bus);
    uint32_t value;

    if (!device) {
        return ~UINT64_C(0);
    }
    value = pci_config_read(device, selected_register(bus, offset, size), size);
    trace(pci_config_read, "%02x.%x register 0x%02x size %u value 0x%x", device->devfn >> 3,
          device->devfn & 7, selected_register(bus, offset, size), size, value);
    return value;
}

static void data_port_write(gpointer opaque, uint64_t offset, uint64_t value, unsigned size)
{
    PciBus *bus = opaque;
    PciDevice *device = selected_device(bus);

    if (!device) {
        return;
    }
    trace(pci_config_write, "%02x.%x register 0x%02x size %u value 0x%x", device->devfn >> 3,
          device->devfn & 7, selected_register(bus, offset, size), size, (uint32_t)value);
    pci_config_write(device, selected_register(bus, offset, size), value, size);
}

static const IoOps address_port_ops = {
    .read = address_port_read,
    .write = address_port_write,
};

static const IoOps data_port_ops = {
    .read = data_port_read,
    .write = data_port_write,
};

/* --- the bus --- */

PciBus *pci_bus_new(const guint intx_lines[4])
{
    PciBus *bus = g_new0(PciBus, 1);

    memcpy(bus->intx_lines, intx_lines, sizeof(bus->intx_lines));
    bus->address_port =
        io_region_new(NULL, "pci-config-address", &address_port_ops, bus, sizeof(uint32_t));
    bus->data_port = io_region_new(NULL, "pci-config-data", &data_port_ops, bus, sizeof(uint32_t));
    io_region_map(bus->address_port, ADDRESS_SPACE_IO, CONFIG_ADDRESS_PORT);
    io_region_map(bus->data_port, ADDRESS_SPACE_IO, CONFIG_DATA_PORT);
    root_bus = bus;
    return bus;
}

void pci_bus_free(PciBus *bus)
{
    if (!bus) {
        return;
    }
    for (unsigned devfn = 0; devfn < G_N_ELEMENTS(bus->devices); devfn++) {
        if (bus->devices[devfn]) {
            pci_device_release(bus->devices[devfn]);
        }
    }
    io_region_free(bus->address_port);
    io_region_free(bus->data_port);
    if (root_bus == bus) {
        root_bus = NULL;
    }
    g_free(bus);
}

PciBus *pci_bus_root(void)
{
    return root_bus;
}

PciDevice *pci_bus_device(PciBus *bus, uint8_t devfn, gboolean visible)
{
    PciDevice *device = bus->devices[devfn];

    return device && (device->visible || !visible) ? device : NULL;
}

PciDevice *pci_bus_boot_device(PciBus *bus)
{
    PciDevice *first = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(bus->devices); i++) {
        PciDevice *device = bus->devices[i];
        if (device && device->boot_index >= 0 &&
            (!first || device->boot_index < first->boot_index)) {
            first = device;
        }
    }
    return first;
}

void pci_bus_set_hotplug(PciBus *bus, const PciHotplugOps *ops)
{
    static const PciHotplugOps none;

    bus->hotplug = ops ? *ops : none;
}

const PciHotplugOps *pci_bus_hotplug(PciBus *bus)
{
    return &bus->hotplug;
}

/* --- addresses --- */

static gboolean slot_is_free(PciBus *bus, unsigned slot)
{
    for (unsigned function = 0; function < FUNCTION_COUNT; function++) {
        if (bus->devices[PCI_DEVFN(slot, function)]) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean find_free_slot(PciBus *bus, PciDevice *device, uint8_t *devfn, GError **error)
{
    for (unsigned slot = FIRST_FREE_SLOT; slot < PCI_SLOT_COUNT; slot++) {
        if (slot_is_free(bus, slot)) {
            *devfn = PCI_DEVFN(slot, 0);
            return TRUE;
        }
    }
    vm_error_set(error,
                 "device '%s': no PCI slot of bus '" PCI_BUS_NAME "' is free, all %u are in use; "
                 "unplug a device or use addr=SLOT.FUNCTION with multifunction=on",
                 pci_device_name(device), PCI_SLOT_COUNT);
    return FALSE;
}

/*
 * The rules of a slot with several functions: function 0 must be there and say so in its header
 * type, or software does not look for the others (PCI 3.0, 6.2.1 and 3.2.2.3.4).
 */
static gboolean check_functions(PciBus *bus, PciDevice *device, uint8_t devfn, GError **error)
{
    unsigned slot = devfn >> 3, function = devfn & 7;
    PciDevice *first = bus->devices[PCI_DEVFN(slot, 0)];

    if (function == 0) {
        if (!device->multifunction && !slot_is_free(bus, slot)) {
            vm_error_set(error,
                         "device '%s': PCI slot %02x has other functions already, so function 0 "
                         "needs multifunction=on",
                         pci_device_name(device), slot);
            return FALSE;
        }
        return TRUE;
    }
    if (first && !first->multifunction) {
        vm_error_set(error,
                     "device '%s': PCI function %02x.%u cannot be used, because '%s' at %02x.0 was "
                     "not added with multifunction=on",
                     pci_device_name(device), slot, function, pci_device_name(first), slot);
        return FALSE;
    }
    if (first && DEVICE(device)->hotplugged) {
        vm_error_set(error,
                     "device '%s': PCI function %02x.%u cannot be added any more, because '%s' "
                     "at %02x.0 is there already; hot-plug function 0 of a slot last",
                     pci_device_name(device), slot, function, pci_device_name(first), slot);
        return FALSE;
    }
    return TRUE;
}

static gboolean find_address(PciBus *bus, PciDevice *device, uint8_t *devfn, GError **error)
{
    PciDevice *owner;

    if (!device->address) {
        return find_free_slot(bus, device, devfn, error);
    }
    if (!pci_address_parse(device->address, devfn, error)) {
        g_prefix_error(error, "device '%s': ", pci_device_name(device));
        return FALSE;
    }
    owner = bus->devices[*devfn];
    if (owner) {
        vm_error_set(error, "device '%s': PCI address %02x.%u is in use by '%s'",
                     pci_device_name(device), *devfn >> 3, *devfn & 7, pci_device_name(owner));
        return FALSE;
    }
    return check_functions(bus, device, *devfn, error);
}

gboolean pci_bus_reserve(PciBus *bus, PciDevice *device, GError **error)
{
    uint8_t devfn;

    if (!find_address(bus, device, &devfn, error)) {
        return FALSE;
    }
    bus->devices[devfn] = device;
    device->bus = bus;
    device->devfn = devfn;
    device->intx = irq_source_new(bus->intx_lines[(devfn >> 3) % 4]);
    return TRUE;
}

void pci_bus_forget(PciDevice *device)
{
    if (!device->bus) {
        return;
    }
    device->bus->devices[device->devfn] = NULL;
    device->bus = NULL;
    g_clear_pointer(&device->intx, irq_source_free);
}
