/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query-pci: what a guest would find on the bus. */
#include "monitor/qmp.h"
#include "pci-internal.h"

typedef struct PciClassName {
    uint16_t class; /* base class and subclass */
    const char *name;
} PciClassName;

/* PCI Code and ID Assignment Specification 1.11, chapter 1: the classes that can be here. */
static const PciClassName class_names[] = {
    {0x0100, "SCSI controller"},     {0x0180, "Mass storage controller"},
    {0x0200, "Ethernet controller"}, {0x0280, "Network controller"},
    {0x0401, "Audio device"},        {0x0300, "VGA controller"},
    {0x0380, "Display controller"},  {0x0480, "Multimedia controller"},
    {0x0600, "Host bridge"},         {0x0601, "ISA bridge"},
    {0x0604, "PCI bridge"},          {0x0780, "Communication controller"},
    {0x0980, "Input device"},        {0x00ff, "Other device"},
};

static json_object *class_info(PciDevice *device)
{
    uint16_t class = pci_config_word(device, PCI_CLASS_DEVICE);
    json_object *info = json_object_new_object();

    for (unsigned i = 0; i < G_N_ELEMENTS(class_names); i++) {
        if (class_names[i].class == class) {
            json_add_string(info, "desc", class_names[i].name);
        }
    }
    json_add_int(info, "class", class);
    return info;
}

static json_object *device_identity(PciDevice *device)
{
    json_object *identity = json_object_new_object();

    json_add_int(identity, "device", pci_config_word(device, PCI_DEVICE_ID));
    json_add_int(identity, "vendor", pci_config_word(device, PCI_VENDOR_ID));
    json_add_int(identity, "subsystem", pci_config_word(device, PCI_SUBSYSTEM_ID));
    json_add_int(identity, "subsystem-vendor", pci_config_word(device, PCI_SUBSYSTEM_VENDOR_ID));
    return identity;
}

static json_object *region_info(const PciBar *bar, unsigned index)
{
    json_object *info = json_object_new_object();
    gboolean io = bar->flags & PCI_BASE_ADDRESS_SPACE_IO;

    json_add_int(info, "bar", index);
    json_add_string(info, "type", io ? "io" : "memory");
    json_add_int(info, "address", bar->mapped ? (gint64)bar->mapped : -1);
    json_add_uint(info, "size", bar->size);
    if (!io) {
        json_add_bool(info, "prefetch", (bar->flags & PCI_BASE_ADDRESS_MEM_PREFETCH) != 0);
        json_add_bool(info, "mem_type_64",
                      (bar->flags & PCI_BASE_ADDRESS_MEM_TYPE_MASK) ==
                          PCI_BASE_ADDRESS_MEM_TYPE_64);
    }
    return info;
}

static json_object *device_info(PciDevice *device)
{
    json_object *info = json_object_new_object();
    json_object *regions = json_object_new_array();
    uint8_t pin = device->config[PCI_INTERRUPT_PIN];

    json_add_int(info, "bus", 0);
    json_add_int(info, "slot", device->devfn >> 3);
    json_add_int(info, "function", device->devfn & 7);
    json_object_object_add(info, "class_info", class_info(device));
    json_object_object_add(info, "id", device_identity(device));
    if (pin) {
        json_add_int(info, "irq", device->config[PCI_INTERRUPT_LINE]);
    }
    json_add_int(info, "irq_pin", pin);
    json_add_string(info, "qdev_id", VM_OBJECT(device)->id ? VM_OBJECT(device)->id : "");
    for (unsigned index = 0; index < PCI_BAR_COUNT; index++) {
        if (device->bars[index].region) {
            json_object_array_add(regions, region_info(&device->bars[index], index));
        }
    }
    json_object_object_add(info, "regions", regions);
    return info;
}

static json_object *query_pci(json_object *arguments G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    json_object *buses = json_object_new_array();
    PciBus *root = pci_bus_root();
    json_object *bus, *devices;

    if (!root) {
        return buses;
    }
    bus = json_object_new_object();
    devices = json_object_new_array();
    for (unsigned devfn = 0; devfn < PCI_DEVFN(PCI_SLOT_COUNT, 0); devfn++) {
        PciDevice *device = pci_bus_device(root, devfn, TRUE);
        if (device) {
            json_object_array_add(devices, device_info(device));
        }
    }
    json_add_int(bus, "bus", 0);
    json_object_object_add(bus, "devices", devices);
    json_object_array_add(buses, bus);
    return buses;
}

static const QmpCommand pci_commands[] = {
    {.name = "query-pci",
     .returns = "[PciInfo]",
     .doc = "The PCI devices that the guest can see, with the addresses it gave their regions.",
     .run = query_pci},
    {.name = NULL},
};

static const QmpType pci_types[] = {
    {.name = "PciMemoryRegion",
     .kind = QMP_OBJECT,
     .members = "bar:int, type:str, address:int, size:int, *prefetch:bool, *mem_type_64:bool",
     .doc = "A BAR: its number, \"io\" or \"memory\", guest address (-1 while not mapped), bytes."},
    {.name = "PciDeviceClass",
     .kind = QMP_OBJECT,
     .members = "*desc:str, class:int",
     .doc = "The class code of a device."},
    {.name = "PciDeviceId",
     .kind = QMP_OBJECT,
     .members = "device:int, vendor:int, *subsystem:int, *subsystem-vendor:int",
     .doc = "The identity of a device."},
    {.name = "PciDeviceInfo",
     .kind = QMP_OBJECT,
     .members = "bus:int, slot:int, function:int, class_info:PciDeviceClass, id:PciDeviceId, "
                "*irq:int, irq_pin:int, qdev_id:str, regions:[PciMemoryRegion]",
     .doc = "A PCI function; qdev_id is the id that the user gave it, or empty."},
    {.name = "PciInfo",
     .kind = QMP_OBJECT,
     .members = "bus:int, devices:[PciDeviceInfo]",
     .doc = "A PCI bus and what is on it."},
    {.name = NULL},
};

QMP_REGISTER(pci_commands, NULL, pci_types);
