/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fixed tables of ACPI 6.4, 5.2; section numbers in comments are of that. */
#include "tables.h"

#include "hw/rtc/mc146818rtc.h"

#include <string.h>

#define HEADER_SIZE 36u
#define OEM_ID "HOTSLT"
#define OEM_TABLE_ID "HOTSLOT "
#define CREATOR_ID "HSLT"

enum { MADT_LOCAL_APIC = 0, MADT_IO_APIC = 1, MADT_OVERRIDE = 2, MADT_LOCAL_NMI = 4 };
enum { SRAT_CPU = 0, SRAT_MEMORY = 1 };
#define SRAT_MEMORY_ENABLED 1u
#define SRAT_MEMORY_HOTPLUGGABLE 2u

/* Fixed feature flags (5.2.9). */
#define FADT_WBINVD (1u << 0)
#define FADT_C1 (1u << 2)
#define FADT_NO_SLEEP_BUTTON (1u << 5)
#define FADT_NO_RTC_WAKE (1u << 6)
#define FADT_TIMER_32_BITS (1u << 8)
#define FADT_RESET_REGISTER (1u << 10)
/* IA-PC boot flags (5.2.9.3). */
#define FADT_LEGACY_DEVICES (1u << 0)
#define FADT_NO_VGA (1u << 2)

#define IO_APIC_ADDRESS 0xfec00000u
#define LOCAL_APIC_ADDRESS 0xfee00000u
#define LEVEL_HIGH 0x000du /* MPS INTI flags: active high, level */
#define PIT_LINE 2u        /* pin of the I/O APIC that the timer is wired to */

void acpi_table_put(AcpiTables *tables, uint64_t value, guint size)
{
    value = GUINT64_TO_LE(value);
    g_byte_array_append(tables->bytes, (const uint8_t *)&value, size);
}

static void put_text(AcpiTables *tables, const char *text)
{
    g_byte_array_append(tables->bytes, (const uint8_t *)text, (guint)strlen(text));
}

static void put_zeros(AcpiTables *tables, guint size)
{
    guint start = tables->bytes->len;

    if (size == 0) {
        return; /* an empty array has no bytes to point at */
    }
    g_byte_array_set_size(tables->bytes, start + size);
    memset(tables->bytes->data + start, 0, size);
}

/* Generic address structure (5.2.3.2) of @bits at an I/O port; @access 1 byte, 2 word, 3 dword. */
static void put_port_address(AcpiTables *tables, uint16_t port, uint8_t bits, uint8_t access)
{
    acpi_table_put(tables, port ? 1 : 0, 1);
    acpi_table_put(tables, bits, 1);
    acpi_table_put(tables, 0, 1);
    acpi_table_put(tables, access, 1);
    acpi_table_put(tables, port, 8);
}

static void align(AcpiTables *tables, guint to)
{
    put_zeros(tables, (to - tables->bytes->len % to) % to);
}

static void set_bytes(AcpiTables *tables, guint offset, uint64_t value, guint size)
{
    value = GUINT64_TO_LE(value);
    memcpy(tables->bytes->data + offset, &value, size);
}

/* Makes the bytes from @start to @end sum up to 0 by the one at @checksum. */
static void set_checksum(AcpiTables *tables, guint start, guint end, guint checksum)
{
    uint8_t sum = 0;

    tables->bytes->data[checksum] = 0;
    for (guint i = start; i < end; i++) {
        sum += tables->bytes->data[i];
    }
    tables->bytes->data[checksum] = (uint8_t)-sum;
}

/* --- every table --- */

guint acpi_table_begin(AcpiTables *tables, const char *signature, uint8_t revision)
{
    guint start;

    align(tables, 16);
    start = tables->bytes->len;
    put_text(tables, signature);
    acpi_table_put(tables, 0, 4); /* length */
    acpi_table_put(tables, revision, 1);
    acpi_table_put(tables, 0, 1); /* checksum */
    put_text(tables, OEM_ID);
    put_text(tables, OEM_TABLE_ID);
    acpi_table_put(tables, 1, 4); /* OEM revision */
    put_text(tables, CREATOR_ID);
    acpi_table_put(tables, 1, 4);
    return start;
}

void acpi_table_end(AcpiTables *tables, guint start, gboolean list)
{
    uint64_t address = tables->address + start;

    set_bytes(tables, start + 4, tables->bytes->len - start, 4);
    set_checksum(tables, start, tables->bytes->len, start + 9);
    if (list) {
        g_array_append_val(tables->listed, address);
    }
}

/* --- 5.2.10 FACS: nothing wakes this machine up, but the table is not optional --- */

static uint64_t write_facs(AcpiTables *tables)
{
    align(tables, 64);
    uint64_t address = tables->address + tables->bytes->len;
    put_text(tables, "FACS");
    acpi_table_put(tables, 64, 4);
    put_zeros(tables, 24);
    acpi_table_put(tables, 2, 1); /* version */
    put_zeros(tables, 31);
    return address;
}

GByteArray *acpi_dsdt_new(const AcpiBoard *board)
{
    g_autoptr(Aml) aml = aml_new();
    GByteArray *bytes = g_byte_array_new();

    acpi_dsdt_write(aml, board);
    return g_byte_array_append(bytes, aml_bytes(aml)->data, aml_bytes(aml)->len);
}

static uint64_t write_dsdt(AcpiTables *tables, const GByteArray *dsdt)
{
    guint start = acpi_table_begin(tables, "DSDT", 2); /* 2: integers have 64 bits */

    g_byte_array_append(tables->bytes, dsdt->data, dsdt->len);
    acpi_table_end(tables, start, FALSE);
    return tables->address + start;
}

/* --- 5.2.9 FADT --- */

static void write_fadt(AcpiTables *tables, uint64_t facs, uint64_t dsdt)
{
    guint start = acpi_table_begin(tables, "FACP", 6);

    acpi_table_put(tables, facs, 4);
    acpi_table_put(tables, dsdt, 4);
    acpi_table_put(tables, 0, 1); /* reserved */
    acpi_table_put(tables, 0, 1); /* preferred profile: unspecified */
    acpi_table_put(tables, ACPI_SCI_LINE, 2);
    put_zeros(tables, 4 + 4); /* no SMI command port: always in ACPI mode */
    acpi_table_put(tables, ACPI_PM_BASE, 4);
    acpi_table_put(tables, 0, 4);
    acpi_table_put(tables, ACPI_PM_BASE + 4, 4); /* PM1a control */
    acpi_table_put(tables, 0, 4);
    acpi_table_put(tables, 0, 4);
    acpi_table_put(tables, ACPI_PM_BASE + 8, 4); /* timer */
    acpi_table_put(tables, ACPI_GPE_BASE, 4);
    acpi_table_put(tables, 0, 4);
    acpi_table_put(tables, 4, 1); /* lengths: PM1 event, control, PM2, timer, GPE0, GPE1 */
    acpi_table_put(tables, 2, 1);
    acpi_table_put(tables, 0, 1);
    acpi_table_put(tables, 4, 1);
    acpi_table_put(tables, 4, 1);
    put_zeros(tables, 1 + 1 + 1);
    acpi_table_put(tables, 0xfff, 2);         /* no C2: its latency is above 100 us */
    acpi_table_put(tables, 0xfff, 2);         /* no C3: above 1000 us */
    put_zeros(tables, 2 + 2 + 1 + 1 + 1 + 1); /* up to the alarm's month */
    acpi_table_put(tables, RTC_CENTURY, 1);
    acpi_table_put(tables, FADT_LEGACY_DEVICES | FADT_NO_VGA, 2);
    acpi_table_put(tables, 0, 1);
    acpi_table_put(tables,
                   FADT_WBINVD | FADT_C1 | FADT_NO_SLEEP_BUTTON | FADT_NO_RTC_WAKE |
                       FADT_TIMER_32_BITS | FADT_RESET_REGISTER,
                   4);
    put_port_address(tables, ACPI_RESET_PORT, 8, 1);
    acpi_table_put(tables, ACPI_RESET_VALUE, 1);
    acpi_table_put(tables, 0, 2); /* ARM */
    acpi_table_put(tables, 4, 1); /* minor version: 6.4 */
    acpi_table_put(tables, facs, 8);
    acpi_table_put(tables, dsdt, 8);
    put_port_address(tables, ACPI_PM_BASE, 32, 2);
    put_port_address(tables, 0, 0, 0);
    put_port_address(tables, ACPI_PM_BASE + 4, 16, 2);
    put_port_address(tables, 0, 0, 0);
    put_port_address(tables, 0, 0, 0);
    put_port_address(tables, ACPI_PM_BASE + 8, 32, 3);
    put_port_address(tables, ACPI_GPE_BASE, 32, 1);
    put_port_address(tables, 0, 0, 0);
    put_port_address(tables, 0, 0, 0); /* sleep control and status: not hardware-reduced */
    put_port_address(tables, 0, 0, 0);
    acpi_table_put(tables, 0, 8); /* hypervisor vendor */
    acpi_table_end(tables, start, TRUE);
}

/* --- 5.2.12 MADT --- */

static void put_override(AcpiTables *tables, uint8_t source, uint32_t line, uint16_t flags)
{
    acpi_table_put(tables, MADT_OVERRIDE, 1);
    acpi_table_put(tables, 10, 1);
    acpi_table_put(tables, 0, 1); /* ISA */
    acpi_table_put(tables, source, 1);
    acpi_table_put(tables, line, 4);
    acpi_table_put(tables, flags, 2);
}

static void write_madt(AcpiTables *tables, const AcpiBoard *board)
{
    guint start = acpi_table_begin(tables, "APIC", 5);

    acpi_table_put(tables, LOCAL_APIC_ADDRESS, 4);
    acpi_table_put(tables, 1, 4); /* the two 8259 are there as well */
    for (guint i = 0; i < board->apic_ids->len; i++) {
        acpi_table_put(tables, MADT_LOCAL_APIC, 1);
        acpi_table_put(tables, 8, 1);
        acpi_table_put(tables, i, 1);
        acpi_table_put(tables, g_array_index(board->apic_ids, guint, i), 1);
        acpi_table_put(tables, 1, 4); /* enabled */
    }
    acpi_table_put(tables, MADT_IO_APIC, 1);
    acpi_table_put(tables, 12, 1);
    acpi_table_put(tables, 0, 1);
    acpi_table_put(tables, 0, 1);
    acpi_table_put(tables, IO_APIC_ADDRESS, 4);
    acpi_table_put(tables, 0, 4); /* first interrupt */
    put_override(tables, 0, PIT_LINE, 0);
    put_override(tables, ACPI_SCI_LINE, ACPI_SCI_LINE, LEVEL_HIGH);
    acpi_table_put(tables, MADT_LOCAL_NMI, 1);
    acpi_table_put(tables, 6, 1);
    acpi_table_put(tables, 0xff, 1); /* every CPU */
    acpi_table_put(tables, 0, 2);
    acpi_table_put(tables, 1, 1); /* LINT1 */
    acpi_table_end(tables, start, TRUE);
}

/* --- 5.2.16 SRAT: where memory may come --- */

static void put_memory_range(AcpiTables *tables, uint64_t base, uint64_t size, uint32_t flags)
{
    if (size == 0) {
        return;
    }
    acpi_table_put(tables, SRAT_MEMORY, 1);
    acpi_table_put(tables, 40, 1);
    acpi_table_put(tables, 0, 4); /* node */
    acpi_table_put(tables, 0, 2);
    acpi_table_put(tables, base, 8);
    acpi_table_put(tables, size, 8);
    acpi_table_put(tables, 0, 4);
    acpi_table_put(tables, flags, 4);
    acpi_table_put(tables, 0, 8);
}

static void write_srat(AcpiTables *tables, const AcpiBoard *board)
{
    guint start = acpi_table_begin(tables, "SRAT", 3);

    acpi_table_put(tables, 1, 4);
    acpi_table_put(tables, 0, 8);
    for (guint i = 0; i < board->apic_ids->len; i++) {
        acpi_table_put(tables, SRAT_CPU, 1);
        acpi_table_put(tables, 16, 1);
        acpi_table_put(tables, 0, 1); /* node, its lowest byte */
        acpi_table_put(tables, g_array_index(board->apic_ids, guint, i), 1);
        acpi_table_put(tables, 1, 4); /* enabled */
        acpi_table_put(tables, 0, 8);
    }
    put_memory_range(tables, 0, board->low_ram, SRAT_MEMORY_ENABLED);
    put_memory_range(tables, board->high_ram, board->ram_size - board->low_ram,
                     SRAT_MEMORY_ENABLED);
    put_memory_range(tables, board->hotplug_base, board->hotplug_size,
                     SRAT_MEMORY_ENABLED | SRAT_MEMORY_HOTPLUGGABLE);
    acpi_table_end(tables, start, TRUE);
}

/* --- 5.2.8 XSDT, 5.2.5.3 RSDP --- */

#define RSDP_SIZE 36u
#define RSDP_FIRST_SIZE 20u /* what its first checksum covers */

static uint64_t write_xsdt(AcpiTables *tables)
{
    guint start = acpi_table_begin(tables, "XSDT", 1);

    for (guint i = 0; i < tables->listed->len; i++) {
        acpi_table_put(tables, g_array_index(tables->listed, uint64_t, i), 8);
    }
    acpi_table_end(tables, start, FALSE);
    return tables->address + start;
}

static void write_rsdp(AcpiTables *tables, uint64_t xsdt)
{
    memcpy(tables->bytes->data, "RSD PTR ", 8);
    memcpy(tables->bytes->data + 9, OEM_ID, 6);
    tables->bytes->data[15] = 2; /* revision */
    set_bytes(tables, 20, RSDP_SIZE, 4);
    set_bytes(tables, 24, xsdt, 8);
    set_checksum(tables, 0, RSDP_FIRST_SIZE, 8);
    set_checksum(tables, 0, RSDP_SIZE, 32);
}

GByteArray *acpi_tables_new(const AcpiBoard *board, const GByteArray *dsdt, uint64_t address)
{
    AcpiTables tables = {
        .bytes = g_byte_array_new(),
        .address = address,
        .listed = g_array_new(FALSE, FALSE, sizeof(uint64_t)),
    };

    put_zeros(&tables, RSDP_SIZE);
    uint64_t facs = write_facs(&tables);
    write_fadt(&tables, facs, write_dsdt(&tables, dsdt));
    write_madt(&tables, board);
    write_srat(&tables, board);
    write_rsdp(&tables, write_xsdt(&tables));
    g_array_unref(tables.listed);
    return tables.bytes;
}
