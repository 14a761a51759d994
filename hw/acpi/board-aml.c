/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The devices of the DSDT that are on no bus: ports, lines and memory at fixed places. */
#include "tables.h"

#include "hw/rtc/mc146818rtc.h"

static void write_serial_port(Aml *aml, unsigned index, const AcpiSerialPort *port)
{
    guint number = index + 1;
    /* A name has four characters, and there is room for 8,192 ports. */
    g_autofree char *name =
        number < 10 ? g_strdup_printf("COM%u", number)
                    : g_strdup_printf("%c%03X", (int)('U' + (number >> 12)), number & 0xfff);
    AmlResources *resources = aml_resources_new();

    aml_device(aml, name);
    acpi_write_id(aml, "PNP0501");
    acpi_write_integer_name(aml, "_UID", index + 1);
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
    acpi_write_id(aml, "PNP0B00");
    aml_resource_io(resources, RTC_PORT, 2);
    aml_resource_irq(resources, RTC_LINE);
    aml_name(aml, "_CRS");
    aml_resources(aml, resources);
    aml_end(aml);
}

#define PRESENT_AND_HIDDEN                                                                         \
    0x0b /* _STA: there, enabled, working; nothing to show to a user (6.3.7) */

/* A device without an EISA id, at @ports ports. */
static void write_port_device(Aml *aml, const char *name, const char *id, uint16_t port,
                              uint8_t ports)
{
    AmlResources *resources = aml_resources_new();

    aml_device(aml, name);
    aml_name(aml, "_HID");
    aml_string(aml, id);
    acpi_write_integer_name(aml, "_STA", PRESENT_AND_HIDDEN);
    aml_resource_io(resources, port, ports);
    aml_name(aml, "_CRS");
    aml_resources(aml, resources);
    aml_end(aml);
}

/* Microsoft, "Virtual Machine Generation ID": drivers find it by _CID and its address by ADDR. */
static void write_generation(Aml *aml, uint64_t page)
{
    aml_device(aml, "VGEN");
    aml_name(aml, "_HID");
    aml_string(aml, "HSLT0001");
    aml_name(aml, "_CID");
    aml_string(aml, "VM_Gen_Counter");
    aml_name(aml, "_DDN");
    aml_string(aml, "VM_Gen_Counter");
    aml_name(aml, "ADDR");
    aml_package(aml, 2);
    aml_integer(aml, page & G_MAXUINT32);
    aml_integer(aml, page >> 32);
    aml_end(aml);
    aml_end(aml);
}

/* Ports of the board that belong to nobody else's device (PNP0C02). */
static void write_board_ports(Aml *aml)
{
    AmlResources *resources = aml_resources_new();

    aml_device(aml, "MBRD");
    acpi_write_id(aml, "PNP0C02");
    aml_resource_io(resources, ACPI_PM_BASE, 12);
    aml_resource_io(resources, ACPI_GPE_BASE, 4);
    aml_resource_io(resources, ACPI_PCI_BASE, 20);
    aml_name(aml, "_CRS");
    aml_resources(aml, resources);
    aml_end(aml);
}

void acpi_board_write_devices(Aml *aml, const AcpiBoard *board)
{
    for (guint i = 0; i < board->serial_ports->len; i++) {
        write_serial_port(aml, i, &g_array_index(board->serial_ports, AcpiSerialPort, i));
    }
    write_clock(aml);
    write_board_ports(aml);
    if (board->fw_cfg_port) {
        write_port_device(aml, "FWCF", "QEMU0002", board->fw_cfg_port, board->fw_cfg_ports);
    }
    if (board->panic_port) {
        write_port_device(aml, "PEVT", "QEMU0001", board->panic_port, 1);
    }
    if (board->generation_page) {
        write_generation(aml, board->generation_page);
    }
}

void acpi_board_write_events(Aml *aml, const AcpiBoard *board)
{
    if (board->generation_page) {
        g_autofree char *method = g_strdup_printf("_E%02X", ACPI_GPE_VMGENID); /* 5.6.4.1: edge */
        aml_method(aml, method, 0, FALSE);
        aml_operator(aml, AML_NOTIFY);
        aml_reference(aml, "\\_SB.VGEN");
        aml_integer(aml, 0x80); /* device specific: the ID has changed */
        aml_end(aml);
    }
}
