/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The DSDT: what of the machine cannot be found by asking it (ACPI 6.4, 5.2.11.1).  Names of
 * devices are those that users of PCs know.
 */
#include "tables.h"

#define LINKS 4u        /* INTA to INTD */
#define LINK_STATE 0x0b /* _STA: there, enabled, working; nothing to show to a user (6.3.7) */
#define PCI_LAST_MEMORY 0xfebfffffu /* the I/O APIC follows */

static const char *const link_names[LINKS] = {"LNKA", "LNKB", "LNKC", "LNKD"};

void acpi_write_integer_name(Aml *aml, const char *name, uint64_t value)
{
    aml_name(aml, name);
    aml_integer(aml, value);
}

void acpi_write_id(Aml *aml, const char *id)
{
    aml_name(aml, "_HID");
    aml_eisa_id(aml, id);
}

/* --- PCI --- */

/* _PRT (6.2.13): pin p of slot s is at link (s + p) % 4. */
static void write_routing(Aml *aml)
{
    aml_name(aml, "_PRT");
    aml_package(aml, PCI_SLOT_COUNT * LINKS);
    for (unsigned slot = 0; slot < PCI_SLOT_COUNT; slot++) {
        for (unsigned pin = 0; pin < LINKS; pin++) {
            aml_package(aml, 4);
            aml_integer(aml, (uint64_t)slot << 16 | 0xffff);
            aml_integer(aml, pin);
            aml_reference(aml, link_names[(slot + pin) % LINKS]);
            aml_integer(aml, 0);
            aml_end(aml);
        }
    }
    aml_end(aml);
}

/* A link that always leads to the same pin of the I/O APIC (6.2.12 is where others could be
 * chosen). */
static void write_link(Aml *aml, unsigned index, const AcpiBoard *board)
{
    AmlResources *possible = aml_resources_new();
    AmlResources *current = aml_resources_new();

    aml_device(aml, link_names[index]);
    acpi_write_id(aml, "PNP0C0F");
    acpi_write_integer_name(aml, "_UID", index);
    acpi_write_integer_name(aml, "_STA", LINK_STATE);
    aml_resource_interrupt(possible, board->intx_lines[index]);
    aml_resource_interrupt(current, board->intx_lines[index]);
    aml_name(aml, "_PRS");
    aml_resources(aml, possible);
    aml_name(aml, "_CRS");
    aml_resources(aml, current);
    aml_method(aml, "_SRS", 1, FALSE);
    aml_end(aml);
    aml_end(aml);
}

static void write_host_bridge(Aml *aml, const AcpiBoard *board)
{
    AmlResources *resources = aml_resources_new();

    aml_device(aml, "PCI0");
    acpi_write_id(aml, "PNP0A03");
    acpi_write_integer_name(aml, "_UID", 0);
    acpi_write_integer_name(aml, "_BBN", 0);
    aml_resource_buses(resources, 0, 0);
    aml_resource_io(resources, 0xcf8, 8);
    aml_resource_ports(resources, 0, 0xcf7);
    aml_resource_ports(resources, 0xd00, 0xffff);
    aml_resource_memory32(resources, (uint32_t)board->pci_window, PCI_LAST_MEMORY);
    aml_name(aml, "_CRS");
    aml_resources(aml, resources);
    write_routing(aml);
    acpi_pci_hotplug_write_slots(aml);
    aml_end(aml);
}

/* --- the whole --- */

/* 7.4.2.6: what goes into SLP_TYP of PM1 control. */
static void write_sleep_states(Aml *aml)
{
    aml_name(aml, "\\_S5");
    aml_package(aml, 4);
    for (unsigned i = 0; i < 4; i++) {
        aml_integer(aml, ACPI_SLEEP_TYPE_S5);
    }
    aml_end(aml);
}

static void write_cpus(Aml *aml, const AcpiBoard *board)
{
    for (guint i = 0; i < board->apic_ids->len; i++) {
        g_autofree char *name = g_strdup_printf("C%03X", i);
        aml_device(aml, name);
        aml_name(aml, "_HID");
        aml_string(aml, "ACPI0007");
        acpi_write_integer_name(aml, "_UID", i);
        aml_end(aml);
    }
}

void acpi_dsdt_write(Aml *aml, const AcpiBoard *board)
{
    aml_scope(aml, "\\_SB");
    write_host_bridge(aml, board);
    for (unsigned i = 0; i < LINKS; i++) {
        write_link(aml, i, board);
    }
    acpi_board_write_devices(aml, board);
    write_cpus(aml, board);
    if (board->memory_slots > 0) {
        acpi_memory_hotplug_write_aml(aml, board->memory_slots);
    }
    aml_end(aml);
    write_sleep_states(aml);

    aml_scope(aml, "\\_GPE");
    acpi_pci_hotplug_write_event(aml);
    acpi_board_write_events(aml, board);
    if (board->memory_slots > 0) {
        acpi_memory_hotplug_write_event(aml);
    }
    aml_end(aml);
}
