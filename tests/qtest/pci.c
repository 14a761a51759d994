/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI configuration, BAR placement and MSI-X as a small firmware would do them.
 */
#include "qtest/pci.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc

void pci_addresses_init(PciAddresses *addresses)
{
    addresses->next_io = 0xc000;
    addresses->next_memory = 0xe0000000;
    addresses->next_message = PCI_MESSAGE_MEMORY;
}

static uint16_t select_register(Qtest *qtest, uint8_t devfn, uint8_t offset)
{
    qtest_outl(qtest, CONFIG_ADDRESS, 0x80000000u | ((uint32_t)devfn << 8) | (offset & 0xfc));
    return CONFIG_DATA + (offset & 3);
}

uint32_t pci_identify(Qtest *qtest, uint8_t devfn)
{
    return qtest_inl(qtest, select_register(qtest, devfn, PCI_VENDOR_ID));
}

uint8_t pci_config_readb(PciFunction *function, uint8_t offset)
{
    return qtest_inb(function->qtest, select_register(function->qtest, function->devfn, offset));
}

uint16_t pci_config_readw(PciFunction *function, uint8_t offset)
{
    return qtest_inw(function->qtest, select_register(function->qtest, function->devfn, offset));
}

uint32_t pci_config_readl(PciFunction *function, uint8_t offset)
{
    return qtest_inl(function->qtest, select_register(function->qtest, function->devfn, offset));
}

void pci_config_writeb(PciFunction *function, uint8_t offset, uint8_t value)
{
    qtest_outb(function->qtest, select_register(function->qtest, function->devfn, offset), value);
}

void pci_config_writew(PciFunction *function, uint8_t offset, uint16_t value)
{
    qtest_outw(function->qtest, select_register(function->qtest, function->devfn, offset), value);
}

void pci_config_writel(PciFunction *function, uint8_t offset, uint32_t value)
{
    qtest_outl(function->qtest, select_register(function->qtest, function->devfn, offset), value);
}

/* Sizes BAR @bar and gives it an address (PCI 3.0, 6.2.5.1).  TRUE if it takes two registers. */
static gboolean place_bar(PciFunction *function, unsigned bar)
{
    uint8_t offset = PCI_BASE_ADDRESS_0 + 4 * bar;
    PciAddresses *addresses = function->addresses;
    uint32_t ones, size;
    uint64_t address;
    gboolean io, wide;

    pci_config_writel(function, offset, 0xffffffff);
    ones = pci_config_readl(function, offset);
    if (ones == 0) {
        return FALSE;
    }
    io = ones & PCI_BASE_ADDRESS_SPACE_IO;
    wide = !io && (ones & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;
    size = ~(ones & (io ? ~3u : ~15u)) + 1;
    if (io) {
        size &= 0xffff;
        address = addresses->next_io = (addresses->next_io + size - 1) & ~(size - 1);
        addresses->next_io += size;
    } else {
        address = addresses->next_memory =
            (addresses->next_memory + size - 1) & ~((uint64_t)size - 1);
        addresses->next_memory += size;
    }
    pci_config_writel(function, offset, (uint32_t)address);
    if (wide) {
        pci_config_writel(function, offset + 4, 0);
    }
    function->bars[bar].address = address;
    function->bars[bar].size = size;
    function->bars[bar].io = io;
    return wide;
}

static void find_msix(PciFunction *function)
{
    uint32_t table, pending;

    function->msix = pci_capability(function, PCI_CAP_ID_MSIX, 0);
    if (!function->msix) {
        return;
    }
    function->vectors =
        (pci_config_readw(function, function->msix + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE) + 1;
    table = pci_config_readl(function, function->msix + PCI_MSIX_TABLE);
    pending = pci_config_readl(function, function->msix + PCI_MSIX_PBA);
    if ((table & 7) >= 6 || (pending & 7) >= 6) {
        vmm_fail("PCI: MSI-X table of function 0x%x lies in no BAR", function->devfn);
    }
    function->msix_table = function->bars[table & 7].address + (table & ~7u);
    function->msix_pending = function->bars[pending & 7].address + (pending & ~7u);
}

PciFunction *pci_function_new(Qtest *qtest, PciAddresses *addresses, uint8_t devfn)
{
    PciFunction *function;

    if (pci_identify(qtest, devfn) == 0xffffffff) {
        return NULL;
    }
    function = g_new0(PciFunction, 1);
    function->qtest = qtest;
    function->addresses = addresses;
    function->devfn = devfn;
    for (unsigned bar = 0; bar < 6; bar++) {
        bar += place_bar(function, bar);
    }
    pci_config_writew(function, PCI_COMMAND,
                      PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    find_msix(function);
    return function;
}

void pci_function_free(PciFunction *function)
{
    if (function) {
        g_free(function->messages);
        g_free(function);
    }
}

uint8_t pci_capability(PciFunction *function, uint8_t id, uint8_t after)
{
    uint8_t next = after ? pci_config_readb(function, after + PCI_CAP_LIST_NEXT)
                         : pci_config_readb(function, PCI_CAPABILITY_LIST);

    for (unsigned hops = 0; next && hops < 48; hops++) {
        if (pci_config_readb(function, next) == id) {
            return next;
        }
        next = pci_config_readb(function, next + PCI_CAP_LIST_NEXT);
    }
    return 0;
}

void pci_msix_mask(PciFunction *function, uint16_t vector, gboolean masked)
{
    qtest_writel(function->qtest,
                 function->msix_table + vector * PCI_MSIX_ENTRY_SIZE + PCI_MSIX_ENTRY_VECTOR_CTRL,
                 masked ? PCI_MSIX_ENTRY_CTRL_MASKBIT : 0);
}

void pci_msix_enable(PciFunction *function)
{
    if (!function->messages) {
        function->messages = g_new(uint64_t, function->vectors);
        for (unsigned i = 0; i < function->vectors; i++) {
            function->messages[i] = function->addresses->next_message;
            function->addresses->next_message += 4;
        }
    }
    for (unsigned i = 0; i < function->vectors; i++) {
        uint64_t entry = function->msix_table + i * PCI_MSIX_ENTRY_SIZE;

        qtest_writel(function->qtest, function->messages[i], 0);
        qtest_writel(function->qtest, entry + PCI_MSIX_ENTRY_LOWER_ADDR,
                     (uint32_t)function->messages[i]);
        qtest_writel(function->qtest, entry + PCI_MSIX_ENTRY_UPPER_ADDR, 0);
        qtest_writel(function->qtest, entry + PCI_MSIX_ENTRY_DATA, i + 1);
        pci_msix_mask(function, i, FALSE);
    }
    pci_config_writew(function, function->msix + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE);
}

void pci_msix_disable(PciFunction *function)
{
    pci_config_writew(function, function->msix + PCI_MSIX_FLAGS, 0);
}

gboolean pci_msix_take(PciFunction *function, uint16_t vector)
{
    if (qtest_readl(function->qtest, function->messages[vector]) != vector + 1u) {
        return FALSE;
    }
    qtest_writel(function->qtest, function->messages[vector], 0);
    return TRUE;
}
