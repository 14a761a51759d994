/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two bridges that software expects on a PC's bus 0: the host bridge at 00.0 and the ISA
 * bridge at 01.0, with the identities of Intel's 440FX and PIIX3.  They have no registers beyond
 * the header.
 */
#include "pci-internal.h"

#define VENDOR_INTEL 0x8086

static DeviceProgress bridge_realize(PciDevice *device, GError **error G_GNUC_UNUSED)
{
    pci_device_set_visible(device);
    return DEVICE_DONE;
}

static void bridge_class_setup(PciDeviceClass *class, uint16_t device_id, uint8_t subclass,
                               const char *description)
{
    DEVICE_CLASS(class)->category = "bridge";
    DEVICE_CLASS(class)->user_creatable = FALSE;
    DEVICE_CLASS(class)->hotpluggable = FALSE;
    VM_OBJECT_CLASS(class)->description = description;
    class->vendor_id = VENDOR_INTEL;
    class->device_id = device_id;
    class->class_code[1] = subclass; /* PCI Code and ID Assignment 1.11, 1.7: bridges */
    class->class_code[2] = 0x06;
    class->realize = bridge_realize;
}

static void host_bridge_class_init(PciDeviceClass *class)
{
    bridge_class_setup(class, 0x1237, 0x00, "PCI host bridge");
    class->revision = 2;
}

static void host_bridge_init(PciDevice *device G_GNUC_UNUSED)
{
}

VM_DECLARE_TYPE(PciDevice, host_bridge, HOST_BRIDGE)
VM_DEFINE_TYPE("i440FX", PciDevice, PciDeviceClass, host_bridge, TYPE_PCI_DEVICE, 0);

static void isa_bridge_class_init(PciDeviceClass *class)
{
    bridge_class_setup(class, 0x7000, 0x01, "PCI to ISA bridge");
    DEVICE_CLASS(class)->bus_behind = "ISA";
}

static void isa_bridge_init(PciDevice *device G_GNUC_UNUSED)
{
}

VM_DECLARE_TYPE(PciDevice, isa_bridge, ISA_BRIDGE)
VM_DEFINE_TYPE("PIIX3", PciDevice, PciDeviceClass, isa_bridge, TYPE_PCI_DEVICE, 0);

static gboolean add_bridge(GType type, const char *name, const char *address, GError **error)
{
    g_autoptr(VmObject) bridge = vm_object_new(type, NULL, error);

    return bridge && vm_object_set_string(bridge, "addr", address, error) &&
           vm_object_add_child(vm_object_container("machine/unattached"), name, bridge, error) &&
           device_realize_now(DEVICE(bridge), error);
}

gboolean pci_bus_add_bridges(PciBus *bus G_GNUC_UNUSED, GError **error)
{
    return add_bridge(host_bridge_get_type(), "i440FX", "0", error) &&
           add_bridge(isa_bridge_get_type(), "PIIX3", "1", error);
}
