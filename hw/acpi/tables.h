/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ACPI tables of the pc machine (ACPI 6.4, 5.2) as one piece of memory.  Each table and each
 * part of the DSDT has a function of its own.
 */
#ifndef HW_ACPI_TABLES_H
#define HW_ACPI_TABLES_H

#include "aml.h"

#include "hw/acpi/acpi.h"

/* Tables that are under construction. */
typedef struct AcpiTables {
    GByteArray *bytes;
    uint64_t address; /* of bytes, guest physical */
    GArray *listed;   /* of uint64_t: addresses for the XSDT */
} AcpiTables;

/* A header of @signature, to be finished when what follows has been appended (5.2.6). Returns where
 * the table begins in bytes. */
guint acpi_table_begin(AcpiTables *tables, const char *signature, uint8_t revision);
/* Fills in length and checksum. @list: the XSDT names it. */
void acpi_table_end(AcpiTables *tables, guint start, gboolean list);
void acpi_table_put(AcpiTables *tables, uint64_t value, guint size); /* little-endian */

/* --- dsdt.c --- */
void acpi_dsdt_write(Aml *aml, const AcpiBoard *board);

/*
 * --- memory-slots-aml.c ---
 * Devices of memory slots come in groups, each a table of its own that the guest loads when it
 * needs it: thousands of devices would make its boot take minutes under emulation and seconds
 * elsewhere, since an operating system makes an object of each.
 */
#define ACPI_MEMORY_GROUP 64u /* slots; Linux takes 999 tables and there are 32,000 slots */
/* The groups' table, what is loaded, and HLOD(group) that loads one. */
void acpi_memory_slots_write_loader(Aml *aml, uint32_t slots);
/* HTFY(slot, event): notifies the slot's device, whose group is loaded. */
void acpi_memory_slots_write_notify(Aml *aml, uint32_t slots);

/* --- board-aml.c: devices beside PCI, within \\_SB; and their events, within \\_GPE --- */
void acpi_board_write_devices(Aml *aml, const AcpiBoard *board);
void acpi_board_write_events(Aml *aml, const AcpiBoard *board);

/* A Name of a number, and _HID of an EISA id. */
void acpi_write_integer_name(Aml *aml, const char *name, uint64_t value);
void acpi_write_id(Aml *aml, const char *id);

/* --- memory-hotplug-aml.c, pci-hotplug-aml.c --- */
void acpi_memory_hotplug_write_aml(Aml *aml, uint32_t slots);
void acpi_pci_hotplug_write_slots(Aml *aml); /* within the scope of the host bridge */
void acpi_pci_hotplug_write_event(Aml *aml); /* within \_GPE */
void acpi_memory_hotplug_write_event(Aml *aml);

#endif
