/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ACPI register blocks and tables of the pc machine (ACPI 6.4; memory and PCI hot-plug
 * blocks as their published register maps have them).  VM lock held.
 */
#ifndef HW_ACPI_ACPI_H
#define HW_ACPI_ACPI_H

#include "hw/pci/pci.h"

#define ACPI_PM_BASE 0x600     /* PM1a event, control, PM timer (ACPI 6.4, 4.8.3) */
#define ACPI_GPE_BASE 0xafe0   /* GPE0 status and enable (4.8.4) */
#define ACPI_PCI_BASE 0xae00   /* PCI hot-plug */
#define ACPI_MEMORY_BASE 0xa00 /* memory hot-plug */
#define ACPI_SCI_LINE 9
#define ACPI_RESET_PORT 0xcf9 /* of the PCI bus; writing ACPI_RESET_VALUE there resets */
#define ACPI_RESET_VALUE 0x06
#define ACPI_SLEEP_TYPE_S5 0 /* SLP_TYP that powers off: what the package _S5 holds (7.4.2) */
enum { ACPI_GPE_PCI = 1, ACPI_GPE_MEMORY = 3, ACPI_GPE_VMGENID = 5 };

/* Maps power management registers, GPE block and both hot-plug controllers; wires them to @bus, to
 * memory devices, to reset and to the power button. */
void acpi_init(PciBus *bus);
void acpi_free(void);

/* A serial port as the tables describe it. */
typedef struct AcpiSerialPort {
    uint16_t port;
    uint8_t line;
} AcpiSerialPort;

/* What the tables tell of the board. */
typedef struct AcpiBoard {
    const GArray *apic_ids;     /* of guint: local APICs of the CPUs, in order */
    const GArray *serial_ports; /* of AcpiSerialPort, COM1 first */
    const guint *intx_lines;    /* of INTA to INTD at slot 0, as pci_bus_new() has them */
    uint64_t low_ram;           /* end of RAM below 4 GiB; PCI's window begins there or higher */
    uint64_t pci_window;        /* its first byte, up to the I/O APIC */
    uint64_t ram_size;          /* bytes at the start, above and below 4 GiB */
    uint64_t high_ram;          /* where RAM above 4 GiB begins */
    uint64_t hotplug_base, hotplug_size; /* where memory devices may come; size 0: none */
    uint32_t memory_slots;
    uint16_t fw_cfg_port;     /* of the firmware configuration, 0: none */
    uint8_t fw_cfg_ports;     /* how many */
    uint16_t panic_port;      /* of pvpanic, 0: none */
    uint64_t generation_page; /* guest physical: that of vmgenid, 0: none */
} AcpiBoard;

/* The AML of the DSDT, most of the tables' size, which depends on no address.  The caller frees. */
GByteArray *acpi_dsdt_new(const AcpiBoard *board);

/*
 * All tables as they are to lie at guest physical @address (a multiple of 64), with @dsdt of the
 * same board in them; their size does not depend on @address.  The RSDP is the first thing in them.
 * The caller frees.
 */
GByteArray *acpi_tables_new(const AcpiBoard *board, const GByteArray *dsdt, uint64_t address);

/* Raises general purpose event @gpe; SCI follows the enable bits. */
void acpi_gpe_raise(unsigned gpe);

#endif
