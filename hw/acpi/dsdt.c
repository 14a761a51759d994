/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The DSDT: what of the machine cannot be found by asking it (ACPI 6.4, 5.2.11.1).  Names of
 * devices are those that users of PCs know.
 */
#include "tables.h"

#include "hw/rtc/mc146818rtc.h"

#define LINKS 4u        /* INTA to INTD */
#define LINK_STATE 0x0b /* _STA: there, enabled, working; nothing to show to a user (6.3.7) */
#define PCI_LAST_MEMORY 0xfebfffffu /* the I/O APIC follows */

static const char *const link_names[LINKS] = {"LNKA", "LNKB", "LNKC", "LNKD"};

static void write_integer_name(Aml *aml, const char *name, uint64_t value)
{
    aml_name(aml, name);
    aml_integer(aml, value);
}

static void write_id(Aml *aml, const char *id)
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
    write_id(aml, "PNP0C0F");
    write_integer_name(aml, "_UID", index);
    write_integer_name(aml, "_STA", LINK_STATE);
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
    write_id(aml, "PNP0A03");
    write_integer_name(aml, "_UID", 0);
    write_integer_name(aml, "_BBN", 0);
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

/* --- the rest of the board --- */

static void write_serial_port(Aml *aml, unsigned index, const AcpiSerialPort *port)
{
    guint number = index + 1;
    /* A name has four characters, and there is room for 8,192 ports. */
    g_autofree char *name =
        number < 10 ? g_strdup_printf("COM%u", number)
                    : g_strdup_printf("%c%03X", (int)('U' + (number >> 12)), number & 0xfff);
    AmlResources *resources = aml_resources_new();

    aml_device(aml, name);
    write_id(aml, "PNP0501");
    write_integer_name(aml, "_UID", index + 1);
    aml_resource_io(resources, port->port, 8);
    aml_resource_irq(resources, port->line);
    aml_name(aml, "_CRS");
    aml_resources(aml, resources);
    aml_end(aml);
}

static void write_clock(Aml *aml)
{
    AmlResources *resources = aml_resources_new();

    aml_device(aml, "RTC");
    write_id(aml, "PNP0B00");
    aml_resource_io(resources, RTC_PORT, 2);
    aml_resource_irq(resources, RTC_LINE);
    aml_name(aml, "_CRS");
    aml_resources(aml, resources);
    aml_end(aml);
}

/* Ports of the board that belong to nobody else's device (PNP0C02). */
static void write_board_ports(Aml *aml)
{
    AmlResources *resources = aml_resources_new();

    aml_device(aml, "MBRD");
    write_id(aml, "PNP0C02");
    aml_resource_io(resources, ACPI_PM_BASE, 12);
    aml_resource_io(resources, ACPI_GPE_BASE, 4);
    aml_resource_io(resources, ACPI_PCI_BASE, 20);
    aml_name(aml, "_CRS");
    aml_resources(aml, resources);
    aml_end(aml);
}

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
        write_integer_name(aml, "_UID", i);
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
    for (guint i = 0; i < board->serial_ports->len; i++) {
        write_serial_port(aml, i, &g_array_index(board->serial_ports, AcpiSerialPort, i));
    }
    write_clock(aml);
    write_board_ports(aml);
    write_cpus(aml, board);
    if (board->memory_slots > 0) {
        acpi_memory_hotplug_write_aml(aml, board->memory_slots);
    }
    aml_end(aml);
    write_sleep_states(aml);

    aml_scope(aml, "\\_GPE");
    acpi_pci_hotplug_write_event(aml);
    if (board->memory_slots > 0) {
        acpi_memory_hotplug_write_event(aml);
    }
    aml_end(aml);
}
