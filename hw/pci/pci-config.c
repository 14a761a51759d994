/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration space of a function (PCI 3.0, 6.1 and 6.2): which bits a guest can write, and
 * what follows from a write for BARs and interrupts.
 */
#include "pci-internal.h"

#define PORT_SPACE_SIZE 0x10000

/* --- BARs (6.2.5.1) --- */

static unsigned bar_register(unsigned bar)
{
    return PCI_BASE_ADDRESS_0 + 4 * bar;
}

static gboolean bar_is_io(const PciBar *bar)
{
    return bar->flags & PCI_BASE_ADDRESS_SPACE_IO;
}

static gboolean bar_is_64bit(const PciBar *bar)
{
    return !bar_is_io(bar) &&
           (bar->flags & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;
}

/*
 * Where the registers put a BAR; 0 if nowhere.  The lower half holds ones above its size while a
 * guest asks for the size: nothing is mapped for that.  The upper half of a 64-bit BAR that the
 * guest never writes is 0 from reset.
 */
static uint64_t bar_address(const PciDevice *device, unsigned index)
{
    const PciBar *bar = &device->bars[index];
    uint32_t mask = ~(uint32_t)(bar->size - 1);
    uint32_t low = pci_config_long(device, bar_register(index)) & mask;
    uint32_t high = bar_is_64bit(bar) ? pci_config_long(device, bar_register(index + 1)) : 0;
    uint64_t address = (uint64_t)high << 32 | low;

    if (low == mask && (high == 0 || high == UINT32_MAX)) {
        return 0;
    }
    if (bar_is_io(bar)) {
        return address <= PORT_SPACE_SIZE - bar->size ? address : 0;
    }
    return address <= UINT64_MAX - bar->size ? address : 0;
}

static void update_bar(PciDevice *device, unsigned index)
{
    PciBar *bar = &device->bars[index];
    uint16_t decode = bar_is_io(bar) ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
    gboolean enabled = device->visible && (pci_config_word(device, PCI_COMMAND) & decode);
    uint64_t address = enabled ? bar_address(device, index) : 0;

    if (address == bar->mapped) {
        return;
    }
    bar->mapped = address;
    if (address) {
        io_region_map(bar->region, bar_is_io(bar) ? ADDRESS_SPACE_IO : ADDRESS_SPACE_MEMORY,
                      address);
    } else {
        io_region_unmap(bar->region);
    }
}

void pci_config_update_bars(PciDevice *device)
{
    for (unsigned index = 0; index < PCI_BAR_COUNT; index++) {
        if (device->bars[index].region) {
            update_bar(device, index);
        }
    }
}

void pci_device_add_bar(PciDevice *device, unsigned bar, uint8_t flags, IoRegion *region,
                        uint64_t size)
{
    unsigned offset = bar_register(bar);

    device->bars[bar] = (PciBar){.region = region, .size = size, .flags = flags};
    pci_device_set_long(device, offset, flags);
    for (unsigned byte = 0; byte < 4; byte++) {
        device->writable[offset + byte] = ~(size - 1) >> (8 * byte);
        if (bar_is_64bit(&device->bars[bar])) {
            device->config[offset + 4 + byte] = 0;
            device->writable[offset + 4 + byte] = ~(size - 1) >> (32 + 8 * byte);
        }
    }
}

/* --- INTx (6.2.2, 6.2.3) --- */

void pci_config_update_intx(PciDevice *device)
{
    gboolean disabled = pci_config_word(device, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE;

    if (device->intx_level) {
        device->config[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
    } else {
        device->config[PCI_STATUS] &= ~PCI_STATUS_INTERRUPT;
    }
    if (device->intx) {
        irq_source_set(device->intx, device->visible && device->intx_level && !disabled);
    }
}

/* --- accesses --- */

uint32_t pci_config_read(PciDevice *device, unsigned offset, unsigned size)
{
    PciDeviceClass *class = PCI_DEVICE_GET_CLASS(device);
    uint32_t value = 0;

    if (class->config_read) {
        class->config_read(device, offset, size);
    }
    memcpy(&value, device->config + offset, size);
    return GUINT32_FROM_LE(value);
}

static gboolean touches(unsigned offset, unsigned size, unsigned start, unsigned length)
{
    return offset < start + length && start < offset + size;
}

void pci_config_write(PciDevice *device, unsigned offset, uint32_t value, unsigned size)
{
    /* A device may let go of the VM lock within its hook and be unplugged meanwhile. */
    g_autoptr(VmObject) keep G_GNUC_UNUSED = g_object_ref(VM_OBJECT(device));
    PciDeviceClass *class = PCI_DEVICE_GET_CLASS(device);

    for (unsigned byte = 0; byte < size; byte++) {
        unsigned at = offset + byte;
        uint8_t written = value >> (8 * byte);
        uint8_t writable = device->writable[at];
        uint8_t merged = (device->config[at] & ~writable) | (written & writable);
        device->config[at] = merged & ~(written & device->write_clear[at]);
    }
    if (touches(offset, size, PCI_COMMAND, 2)) {
        pci_config_update_intx(device);
    }
    if (touches(offset, size, PCI_COMMAND, 2) ||
        touches(offset, size, PCI_BASE_ADDRESS_0, 4 * PCI_BAR_COUNT)) {
        pci_config_update_bars(device);
    }
    if (device->msix) {
        msix_config_written(device);
    }
    if (class->config_written) {
        class->config_written(device, offset, size);
    }
}

/* --- for devices --- */

void pci_device_set_word(PciDevice *device, unsigned offset, uint16_t value)
{
    uint16_t little = GUINT16_TO_LE(value);

    memcpy(device->config + offset, &little, sizeof(little));
}

void pci_device_set_long(PciDevice *device, unsigned offset, uint32_t value)
{
    uint32_t little = GUINT32_TO_LE(value);

    memcpy(device->config + offset, &little, sizeof(little));
}

/* The list is in order of addition; the last capability's pointer is 0 (6.7). */
unsigned pci_device_add_capability(PciDevice *device, uint8_t id, unsigned size)
{
    unsigned offset = device->next_capability ? device->next_capability : PCI_STD_HEADER_SIZEOF;
    unsigned link = PCI_CAPABILITY_LIST;

    if (size > PCI_CONFIG_SIZE - offset) {
        return 0;
    }
    while (device->config[link]) {
        link = device->config[link] + PCI_CAP_LIST_NEXT;
    }
    device->config[link] = offset;
    device->config[offset + PCI_CAP_LIST_ID] = id;
    device->config[offset + PCI_CAP_LIST_NEXT] = 0;
    device->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
    device->next_capability = (offset + size + 3) & ~3u; /* each begins at a multiple of 4 */
    return offset;
}
