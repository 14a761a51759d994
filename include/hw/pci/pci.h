/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI Local Bus 3.0 as one flat bus 0: configuration space of type 0 devices,
 * BARs, capabilities, INTx.  VM lock held.
 */
#ifndef HW_PCI_PCI_H
#define HW_PCI_PCI_H

#include "hw/core/device.h"
#include "system/irq.h"
#include "system/memory.h"

#define PCI_BUS_NAME "pci.0" /* id of the root bus */
#define PCI_CONFIG_SIZE 256
#define PCI_BAR_COUNT 6
#define PCI_SLOT_COUNT 32
#define PCI_DEVFN(slot, function) (((slot) << 3) | (function))

typedef struct PciDevice PciDevice;
typedef struct PciDeviceClass PciDeviceClass;
typedef struct PciBus PciBus;
typedef struct Msix Msix;

typedef struct PciBar {
    IoRegion *region; /* NULL: unused; owned */
    uint64_t size;    /* bytes, a power of two */
    uint64_t mapped;  /* where the region is mapped now, 0: it is not */
    uint8_t flags;    /* PCI_BASE_ADDRESS_* type bits (linux/pci_regs.h) */
} PciBar;

struct PciDevice {
    Device parent;
    char *address;          /* property "addr": "4", "04.0", "0x6.1"; NULL: the next free slot */
    gboolean multifunction; /* property */
    char *rom_file;         /* property "romfile": only the empty one is possible */
    uint32_t rom_bar;       /* property "rombar": without a ROM either value means none */
    uint32_t acpi_index;    /* property "acpi-index": only 0 is possible */
    int32_t boot_index;     /* property "bootindex" of types that boot; unique, -1 unset */
    PciBus *bus;            /* NULL outside */
    uint8_t devfn;
    gboolean visible; /* answers configuration accesses */
    uint8_t config[PCI_CONFIG_SIZE];
    uint8_t writable[PCI_CONFIG_SIZE];    /* bits a guest can write */
    uint8_t write_clear[PCI_CONFIG_SIZE]; /* bits a guest clears by writing 1 */
    PciBar bars[PCI_BAR_COUNT];
    uint16_t next_capability; /* where the next capability goes */
    IrqSource *intx;          /* private: on the line that slot and pin select */
    gboolean intx_level;
    Msix *msix; /* NULL: none */
};

struct PciDeviceClass {
    DeviceClass parent;
    uint16_t vendor_id, device_id, subsystem_vendor_id, subsystem_id;
    uint8_t revision;
    uint8_t class_code[3]; /* programming interface, subclass, base class */
    /* Called by PciDevice's realize once devfn is reserved and the header filled in. */
    DeviceProgress (*realize)(PciDevice *device, GError **error);
    /* Called when the device is hidden from the guest already. */
    DeviceProgress (*unrealize)(PciDevice *device);
    /* Machine reset; pci_device_reset_registers() follows. */
    void (*reset)(PciDevice *device);
    /* After a guest's write to configuration space took effect. May be NULL. */
    void (*config_written)(PciDevice *device, unsigned offset, unsigned size);
    /* The message of MSI-X vector @vector, or whether it can be sent, may be another one now.  May
     * be NULL. */
    void (*vector_changed)(PciDevice *device, unsigned vector);
    /* Before a guest reads: lets a device fill a window (virtio's PCI_CFG). May be NULL. */
    void (*config_read)(PciDevice *device, unsigned offset, unsigned size);
};

#define TYPE_PCI_DEVICE (pci_device_get_type())
VM_DECLARE_TYPE(PciDevice, pci_device, PCI_DEVICE)
#define PCI_DEVICE_GET_CLASS(object)                                                               \
    (G_TYPE_INSTANCE_GET_CLASS((object), TYPE_PCI_DEVICE, PciDeviceClass))
#define PCI_DEVICE_CLASS(class) ((PciDeviceClass *)(class))

/*
 * The bus: @intx_lines are the GSIs of the four
 * interrupt lines; slot s pin p (0 = INTA) drives intx_lines[(s + p) % 4].  Registers ports 0xcf8
 * and 0xcfc (configuration mechanism 1).
 */
PciBus *pci_bus_new(const guint intx_lines[4]);
/* Puts the host bridge at 00.0 and the ISA bridge at 01.0, as a PC has them. */
gboolean pci_bus_add_bridges(PciBus *bus, GError **error);
void pci_bus_free(PciBus *bus);
PciBus *pci_bus_root(void); /* NULL on a machine without PCI */

/* The device at @devfn, or NULL; only visible ones with @visible. */
PciDevice *pci_bus_device(PciBus *bus, uint8_t devfn, gboolean visible);
/* The device that is first in the boot order (bootindex), or NULL. */
PciDevice *pci_bus_boot_device(PciBus *bus);

/*
 * Slot and function of an address as users write it, in hexadecimal: "4", "04.0", "0x06.1".
 * FALSE with @error quoting @text.
 */
gboolean pci_address_parse(const char *text, uint8_t *devfn, GError **error);

/* Asked when the guest shall let go of a slot or has got a new one: the ACPI controller sets this.
 */
typedef struct PciHotplugOps {
    void (*plugged)(PciDevice *device, gpointer opaque);
    gboolean (*unplug_request)(PciDevice *device, gpointer opaque, GError **error);
    void (*unplugged)(PciDevice *device, gpointer opaque);
    gpointer opaque;
} PciHotplugOps;
void pci_bus_set_hotplug(PciBus *bus, const PciHotplugOps *ops);

/* For devices, within realize. */
void pci_device_set_word(PciDevice *device, unsigned offset, uint16_t value);
void pci_device_set_long(PciDevice *device, unsigned offset, uint32_t value);
/* Takes ownership of @region; @size a power of two of bytes; @flags PCI_BASE_ADDRESS_SPACE_IO or
 * memory type bits. */
void pci_device_add_bar(PciDevice *device, unsigned bar, uint8_t flags, IoRegion *region,
                        uint64_t size);
/* Appends a capability of @size bytes (header included) to the list; returns its offset, 0 if it
 * does not fit. */
unsigned pci_device_add_capability(PciDevice *device, uint8_t id, unsigned size);
/* The header and BARs are complete: from now on the guest sees it. */
void pci_device_set_visible(PciDevice *device);
/* INTA of the device; masked by PCI_COMMAND_INTX_DISABLE. */
void pci_device_set_intx(PciDevice *device, gboolean high);
gboolean pci_device_bus_master(PciDevice *device);
/* The id that the user gave it, or what else names it best.  Borrowed. */
const char *pci_device_name(PciDevice *device);
/* Registers back to what they are after power-on: command, BARs, interrupt line, MSI-X. */
void pci_device_reset_registers(PciDevice *device);
/* The guest sees it no more: it lets go of its BARs and of INTA.  The address stays reserved. */
void pci_device_hide(PciDevice *device);
/*
 * Frees BARs, MSI-X and address.  Happens by itself when realize fails at once, when unrealize ends
 * at once and with the last reference; one that does these in the background calls it at their
 * end.  Harmless to repeat.
 */
void pci_device_release(PciDevice *device);

/* --- MSI-X (PCI 3.0, 6.8.2) --- */

/* Table at @table_offset and PBA at @pba_offset of BAR @bar, whose region is @device's own: the
 * MSI-X code makes the region of that BAR.  @vectors 1..2048. */
gboolean msix_init(PciDevice *device, unsigned vectors, unsigned bar, uint32_t table_offset,
                   uint32_t pba_offset, uint64_t bar_size, GError **error);
void msix_free(PciDevice *device);
void msix_reset(PciDevice *device);
gboolean msix_enabled(PciDevice *device);
unsigned msix_vectors(PciDevice *device);
/* Sends the vector's message, or sets its pending bit while it is masked. */
void msix_notify(PciDevice *device, unsigned vector);
/* What msix_notify() would send now; FALSE if it would set the pending bit or do nothing. */
gboolean msix_message(PciDevice *device, unsigned vector, uint64_t *address, uint32_t *data);

#endif
