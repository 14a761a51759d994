/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Base class of PCI devices: life, header, INTA. */
#include "pci-internal.h"
#include "util/error.h"

static GObjectClass *parent_class;

const char *pci_device_name(PciDevice *device)
{
    VmObject *object = VM_OBJECT(device);

    if (object->id) {
        return object->id;
    }
    return object->tree_name ? object->tree_name : G_OBJECT_TYPE_NAME(device);
}

/* --- registers --- */

static void set_bytes(uint8_t *bytes, unsigned offset, uint16_t value)
{
    bytes[offset] = value;
    bytes[offset + 1] = value >> 8;
}

/* The header of PCI 3.0, 6.1, as the class describes it. */
static void fill_header(PciDevice *device)
{
    PciDeviceClass *class = PCI_DEVICE_GET_CLASS(device);

    memset(device->config, 0, sizeof(device->config));
    memset(device->writable, 0, sizeof(device->writable));
    memset(device->write_clear, 0, sizeof(device->write_clear));
    device->next_capability = 0;
    pci_device_set_word(device, PCI_VENDOR_ID, class->vendor_id);
    pci_device_set_word(device, PCI_DEVICE_ID, class->device_id);
    pci_device_set_word(device, PCI_SUBSYSTEM_VENDOR_ID, class->subsystem_vendor_id);
    pci_device_set_word(device, PCI_SUBSYSTEM_ID, class->subsystem_id);
    device->config[PCI_REVISION_ID] = class->revision;
    memcpy(device->config + PCI_CLASS_PROG, class->class_code, sizeof(class->class_code));
    device->config[PCI_HEADER_TYPE] =
        PCI_HEADER_TYPE_NORMAL | (device->multifunction ? 0x80 : 0); /* 6.2.1: bit 7 */

    set_bytes(device->writable, PCI_COMMAND,
              PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
                  PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
    set_bytes(device->write_clear, PCI_STATUS,
              PCI_STATUS_PARITY | PCI_STATUS_SIG_TARGET_ABORT | PCI_STATUS_REC_TARGET_ABORT |
                  PCI_STATUS_REC_MASTER_ABORT | PCI_STATUS_SIG_SYSTEM_ERROR |
                  PCI_STATUS_DETECTED_PARITY);
    device->writable[PCI_CACHE_LINE_SIZE] = 0xff;
    device->writable[PCI_LATENCY_TIMER] = 0xff;
    device->writable[PCI_INTERRUPT_LINE] = 0xff;
}

static void clear_writable(PciDevice *device, unsigned offset, unsigned size)
{
    for (unsigned at = offset; at < offset + size; at++) {
        device->config[at] &= ~(device->writable[at] | device->write_clear[at]);
    }
}

void pci_device_reset_registers(PciDevice *device)
{
    clear_writable(device, 0, PCI_STD_HEADER_SIZEOF);
    device->intx_level = FALSE;
    msix_reset(device);
    pci_config_update_bars(device);
    pci_config_update_intx(device);
}

gboolean pci_device_bus_master(PciDevice *device)
{
    return (pci_config_word(device, PCI_COMMAND) & PCI_COMMAND_MASTER) != 0;
}

void pci_device_set_intx(PciDevice *device, gboolean high)
{
    device->intx_level = high != FALSE;
    pci_config_update_intx(device);
}

/* --- life --- */

void pci_device_set_visible(PciDevice *device)
{
    const PciHotplugOps *ops = pci_bus_hotplug(device->bus);

    device->visible = TRUE;
    if (DEVICE(device)->hotplugged && ops->plugged) {
        ops->plugged(device, ops->opaque);
    }
}

void pci_device_hide(PciDevice *device)
{
    device->visible = FALSE;
    pci_config_update_bars(device);
    pci_config_update_intx(device);
}

void pci_device_release(PciDevice *device)
{
    pci_device_hide(device);
    msix_free(device);
    for (unsigned bar = 0; bar < PCI_BAR_COUNT; bar++) {
        g_clear_pointer(&device->bars[bar].region, io_region_free);
    }
    pci_bus_forget(device);
}

/* Two devices cannot have the same place in the boot order. */
static gboolean check_boot_index(PciBus *bus, PciDevice *device, GError **error)
{
    if (device->boot_index < 0) {
        return TRUE;
    }
    for (guint devfn = 0; devfn < PCI_DEVFN(PCI_SLOT_COUNT, 0); devfn++) {
        PciDevice *other = pci_bus_device(bus, devfn, FALSE);

        if (other && other != device && other->boot_index == device->boot_index) {
            vm_error_set(error, "device '%s': bootindex %d is taken by device '%s'",
                         pci_device_name(device), device->boot_index, pci_device_name(other));
            return FALSE;
        }
    }
    return TRUE;
}

/* Properties that exist because they are written, with values that change nothing. */
static gboolean check_options(PciDevice *device, GError **error)
{
    if (device->rom_file && *device->rom_file) {
        vm_error_set(error,
                     "device '%s': romfile=%s is not possible: nothing would run an option ROM; "
                     "leave it empty",
                     pci_device_name(device), device->rom_file);
        return FALSE;
    }
    if (device->acpi_index) {
        vm_error_set(error,
                     "device '%s': acpi-index=%u is not possible: the guest is not told such "
                     "numbers; leave it 0",
                     pci_device_name(device), device->acpi_index);
        return FALSE;
    }
    return TRUE;
}

static DeviceProgress pci_device_realize(Device *base, GError **error)
{
    PciDevice *device = PCI_DEVICE(base);
    PciBus *bus = pci_bus_root();
    DeviceProgress progress = DEVICE_DONE;

    if (!bus) {
        vm_error_set(error, "device '%s': this machine has no PCI bus; use -machine pc",
                     pci_device_name(device));
        return DEVICE_FAILED;
    }
    if (!check_options(device, error) || !check_boot_index(bus, device, error) ||
        !pci_bus_reserve(bus, device, error)) {
        return DEVICE_FAILED;
    }
    fill_header(device);
    if (PCI_DEVICE_GET_CLASS(device)->realize) {
        progress = PCI_DEVICE_GET_CLASS(device)->realize(device, error);
    }
    if (progress == DEVICE_FAILED) {
        pci_device_release(device);
    }
    return progress;
}

static DeviceProgress pci_device_unrealize(Device *base)
{
    PciDevice *device = PCI_DEVICE(base);
    DeviceProgress progress = DEVICE_DONE;

    pci_device_hide(device);
    if (device->bus && pci_bus_hotplug(device->bus)->unplugged) {
        const PciHotplugOps *ops = pci_bus_hotplug(device->bus);
        ops->unplugged(device, ops->opaque);
    }
    if (PCI_DEVICE_GET_CLASS(device)->unrealize) {
        progress = PCI_DEVICE_GET_CLASS(device)->unrealize(device);
    }
    if (progress == DEVICE_DONE) {
        pci_device_release(device);
    }
    return progress;
}

static gboolean pci_device_unplug_request(Device *base, GError **error)
{
    PciDevice *device = PCI_DEVICE(base);
    const PciHotplugOps *ops = pci_bus_hotplug(device->bus);

    if (!ops->unplug_request) {
        vm_error_set(error, "device '%s': bus '" PCI_BUS_NAME "' of this machine has no hot-plug",
                     pci_device_name(device));
        return FALSE;
    }
    return ops->unplug_request(device, ops->opaque, error);
}

static void pci_device_reset(Device *base)
{
    PciDevice *device = PCI_DEVICE(base);

    if (PCI_DEVICE_GET_CLASS(device)->reset) {
        PCI_DEVICE_GET_CLASS(device)->reset(device);
    }
    pci_device_reset_registers(device);
}

static void pci_device_dispose(GObject *object)
{
    /* What a realize that failed in the background has left. */
    pci_device_release(PCI_DEVICE(object));
    parent_class->dispose(object);
}

static const VmField pci_device_fields[] = {
    {.name = "addr",
     .doc = "slot and function on the bus, hexadecimal: 4, 04.0, 0x1f.7 (default: a free slot)",
     .kind = VM_FIELD_STRING,
     .offset = offsetof(PciDevice, address)},
    {.name = "multifunction",
     .doc = "function 0 of a slot that holds several functions",
     .kind = VM_FIELD_BOOL,
     .offset = offsetof(PciDevice, multifunction)},
    {.name = "romfile",
     .doc = "file of an option ROM; only none is possible",
     .kind = VM_FIELD_STRING,
     .offset = offsetof(PciDevice, rom_file)},
    {.name = "rombar",
     .doc = "whether the option ROM has a BAR; without one nobody asks",
     .kind = VM_FIELD_UINT32,
     .offset = offsetof(PciDevice, rom_bar),
     .default_value = 1,
     .minimum = 0,
     .maximum = 1},
    {.name = "acpi-index",
     .doc = "number by which the guest names the device; only 0, none, is possible",
     .kind = VM_FIELD_UINT32,
     .offset = offsetof(PciDevice, acpi_index)},
    {.name = NULL},
};

static void pci_device_init(PciDevice *device)
{
    device->boot_index = -1;
}

static void pci_device_class_init(PciDeviceClass *class)
{
    DeviceClass *device_class = DEVICE_CLASS(class);

    parent_class = g_type_class_peek_parent(class);
    G_OBJECT_CLASS(class)->dispose = pci_device_dispose;
    device_class->bus = "PCI";
    device_class->hotpluggable = TRUE;
    device_class->realize = pci_device_realize;
    device_class->unrealize = pci_device_unrealize;
    device_class->unplug_request = pci_device_unplug_request;
    device_class->reset = pci_device_reset;
    vm_object_class_install_fields(class, pci_device_fields);
}

VM_DEFINE_TYPE("pci-device", PciDevice, PciDeviceClass, pci_device, TYPE_DEVICE,
               G_TYPE_FLAG_ABSTRACT);
