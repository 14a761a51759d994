/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI seen from a guest: configuration mechanism 1 on bus 0, BARs, capabilities, MSI-X (PCI Local
 * Bus 3.0).  The part of a firmware that gives out addresses is here too.
 */
#ifndef QTEST_PCI_H
#define QTEST_PCI_H

#include "qtest/vmm.h"

#include <linux/pci_regs.h>

#define PCI_SLOT_FUNCTION(slot, function) (((slot) << 3) | (function))
#define PCI_MESSAGE_MEMORY 0x80000 /* guest RAM below 1 MiB where MSI-X messages are stored */

/* Addresses given out so far; one a machine. */
typedef struct PciAddresses {
    uint32_t next_io;      /* from 0xc000 */
    uint64_t next_memory;  /* from 0xe0000000 */
    uint64_t next_message; /* from PCI_MESSAGE_MEMORY, 4 bytes a vector */
} PciAddresses;

typedef struct PciFunction {
    Qtest *qtest;
    PciAddresses *addresses;
    uint8_t devfn;
    struct {
        uint64_t address; /* bytes; 0: not there */
        uint64_t size;
        gboolean io;
    } bars[6];
    uint8_t msix;          /* offset of the capability, 0: none */
    uint16_t vectors;      /* of MSI-X */
    uint64_t msix_table;   /* address of the table */
    uint64_t msix_pending; /* of the pending bits */
    uint64_t *messages;    /* guest address for each vector */
} PciFunction;

void pci_addresses_init(PciAddresses *addresses);

/* Vendor and device of @devfn, device in the upper half; 0xffffffff: nothing there. */
uint32_t pci_identify(Qtest *qtest, uint8_t devfn);

/* Sizes and places all BARs, switches on I/O, memory and bus mastering.  NULL if there is no
 * function at @devfn. */
PciFunction *pci_function_new(Qtest *qtest, PciAddresses *addresses, uint8_t devfn);
void pci_function_free(PciFunction *function);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PciFunction, pci_function_free)

uint8_t pci_config_readb(PciFunction *function, uint8_t offset);
uint16_t pci_config_readw(PciFunction *function, uint8_t offset);
uint32_t pci_config_readl(PciFunction *function, uint8_t offset);
void pci_config_writeb(PciFunction *function, uint8_t offset, uint8_t value);
void pci_config_writew(PciFunction *function, uint8_t offset, uint16_t value);
void pci_config_writel(PciFunction *function, uint8_t offset, uint32_t value);

/* The next capability with @id behind @after (0: the first), or 0. */
uint8_t pci_capability(PciFunction *function, uint8_t id, uint8_t after);

/* MSI-X: every vector stores its number + 1 to a guest RAM word of its own, and is unmasked. */
void pci_msix_enable(PciFunction *function);
void pci_msix_disable(PciFunction *function);
void pci_msix_mask(PciFunction *function, uint16_t vector, gboolean masked);
/* TRUE if the message of @vector came since the last call. */
gboolean pci_msix_take(PciFunction *function, uint16_t vector);

#endif
