/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The devices of memory slots.  They are in no table that the guest has at boot but in a buffer,
 * which holds the table of the first group; HLOD() turns it into that of any group, by its name,
 * its first slot and its checksum, and loads it.  So the DSDT of 32,000 slots has some kilobytes.
 */
#include "tables.h"

#include <string.h>

#define HEADER_CHECKSUM 9u /* 5.2.6 */
#define NAME_DIGITS 3u
#define FIRST_NAME "G000"
#define BASE_NAME "HBAS"
#define BASE_PREFIX 1u /* of a number with four bytes (20.2.3) */
#define BASE_SIZE 4u

/* --- the table of a group --- */

static void write_slot_number(Aml *aml, unsigned slot)
{
    aml_operator(aml, AML_ADD);
    aml_reference(aml, BASE_NAME);
    aml_integer(aml, slot);
    aml_no_target(aml);
}

/* A method that answers what the controller's @method does for the slot. */
static void write_answer(Aml *aml, const char *name, const char *method, unsigned slot)
{
    aml_method(aml, name, 0, FALSE);
    aml_operator(aml, AML_RETURN);
    if (method) {
        aml_reference(aml, method);
    }
    write_slot_number(aml, slot);
    aml_end(aml);
}

static void slot_name(char name[5], unsigned slot)
{
    g_snprintf(name, 5, "S%03X", slot & 0xfffu);
}

static void write_slot(Aml *aml, unsigned slot)
{
    char name[5];

    slot_name(name, slot);
    aml_device(aml, name);
    aml_name(aml, "_HID");
    aml_eisa_id(aml, "PNP0C80");
    write_answer(aml, "_UID", NULL, slot);
    write_answer(aml, "_STA", "HSTA", slot);
    write_answer(aml, "_CRS", "HCRS", slot);
    write_answer(aml, "_PXM", "HPXM", slot);
    aml_method(aml, "_OST", 3, FALSE);
    aml_reference(aml, "HRPT");
    write_slot_number(aml, slot);
    aml_argument(aml, 0);
    aml_argument(aml, 1);
    aml_end(aml);
    aml_method(aml, "_EJ0", 1, FALSE);
    aml_reference(aml, "HEJ0");
    write_slot_number(aml, slot);
    aml_end(aml);
    aml_end(aml);
}

/*
 * Writes what is done for one of @first to @last, the one that @number holds: a tree of
 * comparisons, since the language cannot compute a name.
 */
typedef void ChoiceWriter(Aml *aml, uint32_t choice);
static void write_choice(Aml *aml, const char *number, uint32_t first, uint32_t last,
                         ChoiceWriter *write)
{
    if (first == last) {
        write(aml, first);
        return;
    }
    uint32_t middle = first + (last - first + 1) / 2;
    aml_if(aml);
    aml_operator(aml, AML_LESS);
    aml_reference(aml, number);
    aml_integer(aml, middle);
    write_choice(aml, number, first, middle - 1, write);
    aml_end(aml);
    aml_else(aml);
    write_choice(aml, number, middle, last, write);
    aml_end(aml);
}

static void write_notify_slot(Aml *aml, uint32_t slot)
{
    char name[5];

    slot_name(name, slot);
    aml_operator(aml, AML_NOTIFY);
    aml_reference(aml, name);
    aml_reference(aml, "HNEV");
}

static void write_group(Aml *aml)
{
    aml_scope(aml, "\\_SB.MHPC");
    aml_device(aml, FIRST_NAME);
    aml_name(aml, BASE_NAME);
    aml_integer(aml, UINT32_MAX); /* four bytes, see make_group_table() */
    aml_name(aml, "_HID");
    aml_string(aml, "ACPI0004"); /* module device (9.12): a container */
    write_answer(aml, "_UID", NULL, 0);
    for (unsigned slot = 0; slot < ACPI_MEMORY_GROUP; slot++) {
        write_slot(aml, slot);
    }
    aml_method(aml, "HNTF", 0, FALSE);
    write_choice(aml, "HNSL", 0, ACPI_MEMORY_GROUP - 1, write_notify_slot);
    aml_operator(aml, AML_RETURN);
    aml_integer(aml, 0);
    aml_end(aml);
    aml_end(aml);
    aml_end(aml);
}

/* Where the table first has @name: there it is defined. */
static guint find_name(const GByteArray *table, const char *name)
{
    const uint8_t *place = memmem(table->data, table->len, name, strlen(name));

    return (guint)(place - table->data);
}

static guint base_offset(const GByteArray *table)
{
    return find_name(table, BASE_NAME) + (guint)strlen(BASE_NAME) + BASE_PREFIX;
}

/* The table of group 0. */
static GByteArray *make_group_table(void)
{
    g_autoptr(Aml) aml = aml_new();
    AcpiTables table = {.bytes = g_byte_array_new()};
    guint start = acpi_table_begin(&table, "SSDT", 2);

    write_group(aml);
    g_byte_array_append(table.bytes, aml_bytes(aml)->data, aml_bytes(aml)->len);
    memset(table.bytes->data + base_offset(table.bytes), 0, BASE_SIZE);
    acpi_table_end(&table, start, FALSE);
    return table.bytes;
}

/* --- loading one --- */

/* The byte or doubleword of the table at @offset, as @name. */
static void write_window(Aml *aml, AmlOperator operator, guint offset, const char *name)
{
    aml_operator(aml, operator);
    aml_reference(aml, "HTAB");
    aml_integer(aml, offset);
    aml_reference(aml, name);
}

/* The digit of Arg0 above @shift bits as a character, in Local@local and in @field. */
static void write_digit(Aml *aml, unsigned shift, unsigned local, const char *field)
{
    aml_operator(aml, AML_STORE);
    aml_operator(aml, AML_DEREFERENCE);
    aml_operator(aml, AML_INDEX);
    aml_reference(aml, "HDIG");
    aml_operator(aml, AML_AND);
    aml_operator(aml, AML_SHIFT_RIGHT);
    aml_argument(aml, 0);
    aml_integer(aml, shift);
    aml_no_target(aml);
    aml_integer(aml, 0xf);
    aml_no_target(aml);
    aml_no_target(aml);
    aml_local(aml, local);
    aml_operator(aml, AML_STORE);
    aml_local(aml, local);
    aml_reference(aml, field);
}

/* Local4 -= Local@local >> @shift, of which the lowest byte counts. */
static void write_subtract(Aml *aml, unsigned local, unsigned shift)
{
    aml_operator(aml, AML_SUBTRACT);
    aml_local(aml, 4);
    aml_operator(aml, AML_SHIFT_RIGHT);
    aml_local(aml, local);
    aml_integer(aml, shift);
    aml_no_target(aml);
    aml_local(aml, 4);
}

/*
 * HLOD(group).  Local0 to Local2: its name's digits; Local3: its first slot, whose number has two
 * bytes; Local4: the checksum, which is @rest less all of those.
 */
static void write_load_method(Aml *aml, uint8_t rest)
{
    aml_method(aml, "HLOD", 1, TRUE);
    write_digit(aml, 8, 0, "HTN0");
    write_digit(aml, 4, 1, "HTN1");
    write_digit(aml, 0, 2, "HTN2");
    aml_operator(aml, AML_STORE);
    aml_operator(aml, AML_SHIFT_LEFT);
    aml_argument(aml, 0);
    aml_integer(aml, 6);
    aml_no_target(aml);
    aml_local(aml, 3);
    aml_operator(aml, AML_STORE);
    aml_local(aml, 3);
    aml_reference(aml, "HTBA");
    aml_operator(aml, AML_STORE);
    aml_integer(aml, rest);
    aml_local(aml, 4);
    for (unsigned local = 0; local <= 3; local++) {
        write_subtract(aml, local, 0);
    }
    write_subtract(aml, 3, 8);
    aml_operator(aml, AML_STORE);
    aml_operator(aml, AML_AND);
    aml_local(aml, 4);
    aml_integer(aml, UINT8_MAX);
    aml_no_target(aml);
    aml_reference(aml, "HTCS");
    aml_operator(aml, AML_STORE);
    aml_integer(aml, 1);
    aml_operator(aml, AML_INDEX);
    aml_reference(aml, "HGRP");
    aml_argument(aml, 0);
    aml_no_target(aml);
    aml_operator(aml, AML_LOAD);
    aml_reference(aml, "HTAB");
    aml_local(aml, 5);
    aml_operator(aml, AML_RETURN); /* a table's handle cannot be given back itself */
    aml_operator(aml, AML_OBJECT_TYPE);
    aml_local(aml, 5);
    aml_end(aml);
}

static uint32_t group_count(uint32_t slots)
{
    return (slots + ACPI_MEMORY_GROUP - 1) / ACPI_MEMORY_GROUP;
}

void acpi_memory_slots_write_loader(Aml *aml, uint32_t slots)
{
    static const char digits[] = "0123456789ABCDEF";
    g_autoptr(GByteArray) table = make_group_table();
    g_autofree uint8_t *loaded = g_malloc0(group_count(slots));
    guint name = find_name(table, FIRST_NAME) + 1;
    uint8_t rest = (uint8_t)(table->data[HEADER_CHECKSUM] + NAME_DIGITS * '0');

    G_STATIC_ASSERT(ACPI_MEMORY_GROUP == 1u << 6); /* HLOD() shifts by that */
    aml_name(aml, "HTAB");
    aml_buffer(aml, table->data, table->len);
    write_window(aml, AML_CREATE_BYTE_FIELD, HEADER_CHECKSUM, "HTCS");
    write_window(aml, AML_CREATE_BYTE_FIELD, name, "HTN0");
    write_window(aml, AML_CREATE_BYTE_FIELD, name + 1, "HTN1");
    write_window(aml, AML_CREATE_BYTE_FIELD, name + 2, "HTN2");
    write_window(aml, AML_CREATE_DWORD_FIELD, base_offset(table), "HTBA");
    aml_name(aml, "HDIG");
    aml_buffer(aml, digits, strlen(digits));
    aml_name(aml, "HGRP");
    aml_buffer(aml, loaded, group_count(slots));
    write_load_method(aml, rest);
}

/* --- notifying --- */

/* A method without arguments is called where a value is wanted: there is no other way to call one
 * that is unknown while the method is read. */
static void write_notify_group(Aml *aml, uint32_t group)
{
    g_autofree char *method = g_strdup_printf("^G%03X.HNTF", group);

    aml_operator(aml, AML_RETURN);
    aml_reference(aml, method);
}

void acpi_memory_slots_write_notify(Aml *aml, uint32_t slots)
{
    aml_name(aml, "HNGR");
    aml_integer(aml, 0);
    aml_name(aml, "HNSL");
    aml_integer(aml, 0);
    aml_name(aml, "HNEV");
    aml_integer(aml, 0);
    aml_method(aml, "HTFY", 2, TRUE);
    aml_operator(aml, AML_SHIFT_RIGHT);
    aml_argument(aml, 0);
    aml_integer(aml, 6);
    aml_reference(aml, "HNGR");
    aml_operator(aml, AML_AND);
    aml_argument(aml, 0);
    aml_integer(aml, ACPI_MEMORY_GROUP - 1);
    aml_reference(aml, "HNSL");
    aml_operator(aml, AML_STORE);
    aml_argument(aml, 1);
    aml_reference(aml, "HNEV");
    write_choice(aml, "HNGR", 0, group_count(slots) - 1, write_notify_group);
    aml_end(aml);
}
