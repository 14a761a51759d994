/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ACPI register blocks of the pc machine (ACPI 6.4; memory and PCI hot-plug
 * blocks as their published register maps have them).  No AML yet.  VM lock held.
 */
#ifndef HW_ACPI_ACPI_H
#define HW_ACPI_ACPI_H

#include "hw/pci/pci.h"

#define ACPI_PM_BASE 0x600     /* PM1a event, control, PM timer (ACPI 6.4, 4.8.3) */
#define ACPI_GPE_BASE 0xafe0   /* GPE0 status and enable (4.8.4) */
#define ACPI_PCI_BASE 0xae00   /* PCI hot-plug */
#define ACPI_MEMORY_BASE 0xa00 /* memory hot-plug */
#define ACPI_SCI_LINE 9
#define ACPI_SLEEP_TYPE_S5 0 /* SLP_TYP that powers off: what the package _S5 holds (7.4.2) */
enum { ACPI_GPE_PCI = 1, ACPI_GPE_MEMORY = 3 };

/* Maps power management registers, GPE block and both hot-plug controllers; wires them to @bus, to
 * memory devices, to reset and to the power button. */
void acpi_init(PciBus *bus);
void acpi_free(void);

/* Raises general purpose event @gpe; SCI follows the enable bits. */
void acpi_gpe_raise(unsigned gpe);

#endif
