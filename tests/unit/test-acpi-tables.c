/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ACPI tables of boards of several kinds: their structure by the rules of ACPI 6.4, 5.2, and by
 * ACPICA's compiler and interpreter, which know nothing of ours.
 */
#include "hw/acpi/acpi.h"
#include "system/irq.h"

#include <glib/gstdio.h>
#include <string.h>

#define ADDRESS UINT64_C(0x7fe0000)
#define GIB (UINT64_C(1) << 30)
#define HEADER_SIZE 36u
#define COMMAND_SECONDS 100

/* A kind of board; the first two ports are COM1 and COM2. */
typedef struct Kind {
    guint cpus, ports;
    uint32_t slots;
} Kind;

/* A board and what its members borrow. */
typedef struct Board {
    AcpiBoard board;
    GArray *apic_ids, *ports;
} Board;

static void board_init(Board *made, const Kind *kind)
{
    static const guint lines[] = {16, 17, 18, 19};

    made->apic_ids = g_array_new(FALSE, FALSE, sizeof(guint));
    made->ports = g_array_new(FALSE, FALSE, sizeof(AcpiSerialPort));
    for (guint i = 0; i < kind->cpus; i++) {
        guint id = i / 3 * 4 + i % 3; /* three cores a socket: numbers have gaps */
        g_array_append_val(made->apic_ids, id);
    }
    for (guint i = 0; i < kind->ports; i++) {
        AcpiSerialPort port = {(uint16_t)(0x3f8 - 0x100 * i), (uint8_t)(4 - i)};
        if (i >= 2) {
            port = (AcpiSerialPort){(uint16_t)(0x4000 + 8 * i), 5};
        }
        g_array_append_val(made->ports, port);
    }
    made->board = (AcpiBoard){
        .apic_ids = made->apic_ids,
        .serial_ports = made->ports,
        .intx_lines = lines,
        .low_ram = 3 * GIB,
        .pci_window = UINT64_C(0xe0000000),
        .ram_size = 5 * GIB,
        .high_ram = 4 * GIB,
        .hotplug_base = 6 * GIB,
        .hotplug_size = kind->slots ? 64 * GIB : 0,
        .memory_slots = kind->slots,
        .fw_cfg_port = kind->ports ? 0x510 : 0,
        .fw_cfg_ports = 12,
        .panic_port = kind->cpus > 1 ? 0x505 : 0,
        /* Not on all: acpiexec has a handler of its own for that event, and counts it as lost. */
        .generation_page = kind->slots == 64 ? 3 * GIB - 4096 : 0,
    };
}

static void board_clear(Board *made)
{
    g_array_unref(made->apic_ids);
    g_array_unref(made->ports);
}

static GByteArray *make(const Kind *kind)
{
    Board made;

    board_init(&made, kind);
    g_autoptr(GByteArray) dsdt = acpi_dsdt_new(&made.board);
    GByteArray *tables = acpi_tables_new(&made.board, dsdt, ADDRESS);
    board_clear(&made);
    return tables;
}

/* --- reading --- */

static uint64_t number(const uint8_t *bytes, guint size)
{
    uint64_t value = 0;

    memcpy(&value, bytes, size);
    return GUINT64_FROM_LE(value);
}

static void check_sum(const uint8_t *bytes, gsize size)
{
    uint8_t sum = 0;

    for (gsize i = 0; i < size; i++) {
        sum += bytes[i];
    }
    g_assert_cmphex(sum, ==, 0);
}

/* The table at guest @address, all of which lies in @tables; *@size is its length. */
static const uint8_t *table_at(const GByteArray *tables, uint64_t address, const char *signature,
                               guint *size)
{
    g_assert_cmphex(address, >=, ADDRESS);
    g_assert_cmphex(address + HEADER_SIZE, <=, ADDRESS + tables->len);
    const uint8_t *table = tables->data + (address - ADDRESS);
    g_assert_cmpmem(table, 4, signature, 4);
    *size = (guint)number(table + 4, 4);
    g_assert_cmpuint(*size, >=, HEADER_SIZE);
    g_assert_cmphex(address + *size, <=, ADDRESS + tables->len);
    if (strcmp(signature, "FACS") != 0) { /* the only one without a checksum (5.2.10) */
        check_sum(table, *size);
    }
    return table;
}

/* The XSDT, found as a kernel finds it. */
static const uint8_t *find_xsdt(const GByteArray *tables, guint *size)
{
    const uint8_t *root = tables->data;

    g_assert_cmpmem(root, 8, "RSD PTR ", 8);
    g_assert_cmpuint(root[15], ==, 2);
    g_assert_cmpuint(number(root + 16, 4), ==, 0); /* no RSDT */
    g_assert_cmpuint(number(root + 20, 4), ==, 36);
    check_sum(root, 20);
    check_sum(root, 36);
    return table_at(tables, number(root + 24, 8), "XSDT", size);
}

/* What the XSDT lists as @signature. */
static const uint8_t *find(const GByteArray *tables, const char *signature, guint *size)
{
    guint xsdt_size;
    const uint8_t *xsdt = find_xsdt(tables, &xsdt_size);

    for (guint at = HEADER_SIZE; at < xsdt_size; at += 8) {
        uint64_t address = number(xsdt + at, 8);
        g_assert_cmphex(address, <, ADDRESS + tables->len);
        if (memcmp(tables->data + (address - ADDRESS), signature, 4) == 0) {
            return table_at(tables, address, signature, size);
        }
    }
    g_error("no table %s", signature);
}

static const uint8_t *find_dsdt(const GByteArray *tables, guint *size)
{
    guint fadt_size;
    const uint8_t *fadt = find(tables, "FACP", &fadt_size);

    return table_at(tables, number(fadt + 140, 8), "DSDT", size);
}

/* --- structure --- */

static void check_fadt(const GByteArray *tables)
{
    guint size, facs_size;
    const uint8_t *fadt = find(tables, "FACP", &size);

    g_assert_cmpuint(size, ==, 276); /* of revision 6 (table 5-33) */
    g_assert_cmpuint(fadt[8], ==, 6);
    g_assert_cmpuint(fadt[131], ==, 4);
    g_assert_cmphex(number(fadt + 36, 4), ==, number(fadt + 132, 8)); /* FACS twice */
    g_assert_cmphex(number(fadt + 40, 4), ==, number(fadt + 140, 8)); /* DSDT twice */
    g_assert_cmpuint(number(fadt + 46, 2), ==, ACPI_SCI_LINE);
    g_assert_cmphex(number(fadt + 56, 4), ==, ACPI_PM_BASE);
    g_assert_cmphex(number(fadt + 148 + 4, 8), ==, ACPI_PM_BASE);
    g_assert_cmphex(number(fadt + 80, 4), ==, ACPI_GPE_BASE);
    g_assert_cmphex(number(fadt + 220 + 4, 8), ==, ACPI_GPE_BASE);
    g_assert_cmphex(number(fadt + 116 + 4, 8), ==, ACPI_RESET_PORT);
    g_assert_cmphex(fadt[128], ==, ACPI_RESET_VALUE);
    g_assert_cmphex(number(fadt + 132, 8) % 64, ==, 0); /* 5.2.10 */
    const uint8_t *facs = table_at(tables, number(fadt + 132, 8), "FACS", &facs_size);
    g_assert_cmpuint(facs_size, ==, 64);
    g_assert_cmpuint(facs[32], ==, 2);
}

/* Entries of MADT or SRAT from @first on: type and length are their first bytes. */
typedef void EntryVisitor(const uint8_t *entry, gpointer opaque);
static void foreach_entry(const uint8_t *table, guint size, guint first, EntryVisitor *visitor,
                          gpointer opaque)
{
    guint at = first;

    while (at < size) {
        g_assert_cmpuint(at + 2, <=, size);
        g_assert_cmpuint(table[at + 1], >=, 2);
        visitor(table + at, opaque);
        at += table[at + 1];
    }
    g_assert_cmpuint(at, ==, size);
}

/* What was met so far. */
typedef struct Tally {
    const Kind *kind;
    guint cpus, io_apics, overrides, ranges, hotplug_ranges;
} Tally;

static guint expected_apic_id(guint cpu)
{
    return cpu / 3 * 4 + cpu % 3;
}

static void visit_madt(const uint8_t *entry, gpointer opaque)
{
    Tally *tally = opaque;

    switch (entry[0]) {
    case 0: /* processor local APIC (5.2.12.2) */
        g_assert_cmpuint(entry[1], ==, 8);
        g_assert_cmpuint(entry[2], ==, tally->cpus); /* the _UID in the DSDT */
        g_assert_cmpuint(entry[3], ==, expected_apic_id(tally->cpus));
        g_assert_cmpuint(number(entry + 4, 4), ==, 1);
        tally->cpus++;
        break;
    case 1: /* I/O APIC */
        g_assert_cmpuint(entry[1], ==, 12);
        g_assert_cmphex(number(entry + 4, 4), ==, 0xfec00000);
        tally->io_apics++;
        break;
    case 2: /* interrupt source override: the timer at pin 2, the SCI level and high */
        g_assert_cmpuint(entry[1], ==, 10);
        g_assert_cmpuint(entry[3], ==, tally->overrides ? ACPI_SCI_LINE : 0);
        g_assert_cmpuint(number(entry + 4, 4), ==, tally->overrides ? ACPI_SCI_LINE : 2);
        g_assert_cmphex(number(entry + 8, 2), ==, tally->overrides ? 0x000d : 0);
        tally->overrides++;
        break;
    default:
        g_assert_cmpuint(entry[0], ==, 4); /* local APIC NMI */
        g_assert_cmpuint(entry[1], ==, 6);
    }
}

static void visit_srat(const uint8_t *entry, gpointer opaque)
{
    Tally *tally = opaque;

    if (entry[0] == 0) { /* 5.2.16.1 */
        g_assert_cmpuint(entry[1], ==, 16);
        g_assert_cmpuint(entry[3], ==, expected_apic_id(tally->cpus));
        tally->cpus++;
        return;
    }
    g_assert_cmpuint(entry[0], ==, 1); /* 5.2.16.2 */
    g_assert_cmpuint(entry[1], ==, 40);
    static const uint64_t bases[] = {0, 4 * GIB, 6 * GIB};
    static const uint64_t sizes[] = {3 * GIB, 2 * GIB, 64 * GIB};
    g_assert_cmpuint(tally->ranges, <, 3);
    g_assert_cmphex(number(entry + 8, 8), ==, bases[tally->ranges]);
    g_assert_cmphex(number(entry + 16, 8), ==, sizes[tally->ranges]);
    g_assert_cmpuint(number(entry + 28, 4), ==, tally->ranges == 2 ? 3 : 1);
    tally->ranges++;
}

static void check_structure(const Kind *kind, const GByteArray *tables)
{
    Tally madt = {.kind = kind}, srat = {.kind = kind};
    guint size;
    const uint8_t *table;

    find_xsdt(tables, &size);
    g_assert_cmpuint(size, ==, HEADER_SIZE + 3 * 8);
    check_fadt(tables);
    table = find(tables, "APIC", &size);
    g_assert_cmphex(number(table + 36, 4), ==, 0xfee00000);
    foreach_entry(table, size, 44, visit_madt, &madt);
    g_assert_cmpuint(madt.cpus, ==, kind->cpus);
    g_assert_cmpuint(madt.io_apics, ==, 1);
    g_assert_cmpuint(madt.overrides, ==, 2);
    table = find(tables, "SRAT", &size);
    foreach_entry(table, size, 48, visit_srat, &srat);
    g_assert_cmpuint(srat.cpus, ==, kind->cpus);
    g_assert_cmpuint(srat.ranges, ==, kind->slots ? 3 : 2);
    table = find_dsdt(tables, &size);
    g_assert_cmpuint(table[8], ==, 2); /* 64-bit integers */
}

/* --- ACPICA --- */

static char *folder;

/* Runs a program in the folder; its output, which the caller frees. The status must be 0. */
static char *run(const char *program, ...)
{
    g_autoptr(GPtrArray) arguments = g_ptr_array_new();
    g_autofree char *seconds = g_strdup_printf("%d", COMMAND_SECONDS);
    g_autofree char *errors = NULL;
    char *output = NULL;
    GError *error = NULL;
    int status = 0;
    va_list list;

    /* ACPICA's interpreter reads its input until the end. */
    g_ptr_array_add(arguments, (gpointer) "timeout");
    g_ptr_array_add(arguments, seconds);
    g_ptr_array_add(arguments, (gpointer)program);
    va_start(list, program);
    for (char *argument = va_arg(list, char *); argument; argument = va_arg(list, char *)) {
        g_ptr_array_add(arguments, argument);
    }
    va_end(list);
    g_ptr_array_add(arguments, NULL);
    g_spawn_sync(folder, (char **)arguments->pdata, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output,
                 &errors, &status, &error);
    g_assert_no_error(error);
    if (!g_spawn_check_wait_status(status, &error)) {
        g_error("%s: %s\n%s%s", program, error->message, output, errors);
    }
    return output;
}

static gboolean have(const char *program)
{
    g_autofree char *path = g_find_program_in_path(program);

    if (!path) {
        g_test_skip_printf("%s is not installed (Debian: acpica-tools)", program);
    }
    return path != NULL;
}

static void save(const char *name, const uint8_t *table, guint size)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    GError *error = NULL;

    g_file_set_contents(path, (const char *)table, size, &error);
    g_assert_no_error(error);
}

static void clear_folder(void)
{
    GDir *directory = g_dir_open(folder, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(directory))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_assert_cmpint(g_unlink(path), ==, 0);
    }
    g_dir_close(directory);
}

/* iasl reads @name, which may refer to what is in @other, and compiles what it has read.  Only
 * remarks that are named here may come. */
static void check_compiles(const char *name, const uint8_t *table, guint size, const char *other)
{
    g_autofree char *binary = g_strconcat(name, ".dat", NULL);
    g_autofree char *source = g_strconcat(name, ".dsl", NULL);

    save(binary, table, size);
    g_free(other ? run("iasl", "-e", other, "-d", binary, NULL) : run("iasl", "-d", binary, NULL));
    /*
     * 2173: HCRS makes its buffer anew at each call, as two processors may be in two slots' _CRS.
     * 2146: _EJ0 of a slot has no use for its argument, which is always 1 (ACPI 6.4, 6.3.3).
     */
    g_autofree char *output = run("iasl", "-vs", "-vw", "2173", "-vw", "2146", source, NULL);
    if (!strstr(output, "Compilation successful. 0 Errors, 0 Warnings, 0 Remarks")) {
        g_error("iasl has something to say of %s:\n%s", name, output);
    }
}

/* The table of a group of slots, which the DSDT holds in a buffer; NULL if there is none. */
static const uint8_t *find_group_table(const uint8_t *dsdt, guint *size)
{
    const uint8_t *table = memmem(dsdt, *size, "SSDT", 4);

    if (table) {
        guint room = *size - (guint)(table - dsdt);
        *size = (guint)number(table + 4, 4);
        g_assert_cmpuint(*size, <, room);
        check_sum(table, *size);
    }
    return table;
}

static void test_compiler(gconstpointer opaque)
{
    static const char *const signatures[] = {"FACP", "APIC", "SRAT"};
    g_autoptr(GByteArray) tables = make(opaque);
    const uint8_t *table;
    guint size;

    if (!have("iasl")) {
        return;
    }
    for (guint i = 0; i < G_N_ELEMENTS(signatures); i++) {
        table = find(tables, signatures[i], &size);
        check_compiles(signatures[i], table, size, NULL);
    }
    table = find_xsdt(tables, &size);
    check_compiles("XSDT", table, size, NULL);
    table = table_at(tables, number(find(tables, "FACP", &size) + 132, 8), "FACS", &size);
    check_compiles("FACS", table, size, NULL);
    table = find_dsdt(tables, &size);
    check_compiles("DSDT", table, size, NULL);
    table = find_group_table(table, &size);
    if (table) {
        check_compiles("SSDT", table, size, "DSDT.dat");
    }
    g_assert_true((table != NULL) == (((const Kind *)opaque)->slots > 0));
    clear_folder();
}

static void test_structure(gconstpointer opaque)
{
    const Kind *kind = opaque;
    gint64 begin = g_get_monotonic_time();
    g_autoptr(GByteArray) tables = make(kind);
    gint64 end = g_get_monotonic_time();

    check_structure(kind, tables);
    g_assert_cmpuint(tables->len, <, 32 << 10);
    g_test_message("%u slots: %u bytes, built in %" G_GINT64_FORMAT " us", kind->slots, tables->len,
                   end - begin);
}

/* --- interpretation --- */

/*
 * Evaluates @expressions over the tables of @kind.  The interpreter's registers begin as @fill in
 * each byte and keep what is written.
 */
static char *interpret(const Kind *kind, const char *fill, const char *expressions)
{
    g_autoptr(GByteArray) tables = make(kind);
    const uint8_t *table;
    guint size;

    table = find(tables, "FACP", &size);
    save("FACP.dat", table, size);
    table = find_dsdt(tables, &size);
    save("DSDT.dat", table, size);
    char *output = run("acpiexec", "-fv", fill, "-b", expressions, "FACP.dat", "DSDT.dat", NULL);
    clear_folder();
    return output;
}

static void expect(const char *output, const char *text)
{
    if (!strstr(output, text)) {
        g_error("'%s' is not in:\n%s", text, output);
    }
}

/* A slot's methods select it, and read its place from the registers. */
static void test_slot_methods(void)
{
    const Kind kind = {.cpus = 1, .ports = 1, .slots = 4096};

    if (!have("acpiexec")) {
        return;
    }
    g_autofree char *there =
        interpret(&kind, "1",
                  "evaluate \\_SB.MHPC.HLOD 0;evaluate \\_SB.MHPC.G000.S005._STA;"
                  "evaluate \\_SB.MHPC.G000.S005._CRS");
    expect(there, "[Integer] = 000000000000000F");
    /* Selecting wrote 5 where the address is read: first 0x0101010100000005, length
     * 0x0101010101010101, last the sum less 1. */
    expect(there, "0000: 8A 2B 00 00 0C 03 00 00 00 00 00 00 00 00 05 00");
    expect(there, "0010: 00 00 01 01 01 01 05 01 01 01 02 02 02 02 00 00");
    expect(there, "0020: 00 00 00 00 00 00 01 01 01 01 01 01 01 01 79 00");
    g_autofree char *absent = interpret(
        &kind, "0", "evaluate \\_SB.MHPC.G000.S03F._STA;evaluate \\_SB.MHPC.G000.S03F._PXM");
    expect(absent, "[Integer] = 0000000000000000");
    g_assert_null(strstr(absent, "000F"));
    g_assert_null(strstr(absent, "Error"));
    /* Inserting: not there before the guest was told. */
    g_autofree char *waiting =
        interpret(&kind, "3", "evaluate \\_SB.MHPC.HLOD 1;evaluate \\_SB.MHPC.G001.S000._STA");
    expect(waiting, "[Integer] = 0000000000000000");
}

/* Groups carry the names and numbers of their slots, and their tables are sound. */
static void test_groups(void)
{
    const Kind kind = {.cpus = 1, .slots = 32000};

    if (!have("acpiexec")) {
        return;
    }
    g_autofree char *output = interpret(
        &kind, "0xff",
        "evaluate \\_SB.MHPC.HLOD 0;evaluate \\_SB.MHPC.HLOD 0x1f3;evaluate \\_SB.MHPC.HLOD 0x2a;"
        "evaluate \\_SB.MHPC.G000._UID;evaluate \\_SB.MHPC.G1F3.S03F._UID;"
        "evaluate \\_SB.MHPC.G02A.S001._UID;evaluate \\_SB.MHPC.G1F3.S001._STA");
    expect(output, "Evaluation of \\_SB.MHPC.G000._UID returned object");
    expect(output, "[Integer] = 0000000000007CFF"); /* 0x1f3 * 64 + 63 */
    expect(output, "[Integer] = 0000000000000A81"); /* 0x2a * 64 + 1 */
    g_assert_null(strstr(output, "hecksum"));
    g_assert_null(strstr(output, "ACPI Error"));
}

/* The groups in which the registers show memory are there once the guest has begun: slot
 * 0x01010101 is none, slot 0 is one. */
static void test_start(void)
{
    const Kind kind = {.cpus = 1, .slots = 300};
    const char *look = "evaluate \\_SB.MHPC.HTFY 0 1;evaluate \\_S5";

    if (!have("acpiexec")) {
        return;
    }
    g_autofree char *none = interpret(&kind, "1", look);
    expect(none, "AE_NOT_FOUND");
    g_autofree char *first = interpret(&kind, "0", look);
    g_assert_null(strstr(first, "AE_NOT_FOUND"));
}

static guint count_of(const char *text, const char *part)
{
    guint count = 0;

    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

/* The interpreter reported @event (its number) for the device @name. */
static void expect_notification(const char *output, const char *name, guint event)
{
    g_autofree char *pattern =
        g_strdup_printf("Notify on \\[%s\\] 0x[0-9a-f]+ Value 0x%02X \\(", name, event);

    if (!g_regex_match_simple(pattern, output, 0, 0)) {
        g_error("no event %u for %s in:\n%s", event, name, output);
    }
}

/* The interpreter's threads report events, and it does not wait for them for long: more
 * evaluations give them time, and what is missing then is asked for again. */
static char *notify(guint events, const char *expressions)
{
    const Kind kind = {.cpus = 1, .slots = 300};
    g_autoptr(GString) text = g_string_new(expressions);
    char *output = NULL;

    for (guint i = 0; i < 20; i++) {
        g_string_append(text, ";evaluate \\_S5");
    }
    for (guint attempt = 0; attempt < 10; attempt++) {
        g_free(output);
        output = interpret(&kind, "0xff", text->str);
        if (count_of(output, "Notify on") >= events) {
            break;
        }
    }
    return output;
}

/* Each event reaches the device of its slot, whichever branch of the tree leads there. */
static void test_notifications(void)
{
    if (!have("acpiexec")) {
        return;
    }
    g_autofree char *output =
        notify(6, "evaluate \\_SB.MHPC.HLOD 0;evaluate \\_SB.MHPC.HLOD 2;"
                  "evaluate \\_SB.MHPC.HLOD 4;"
                  "evaluate \\_SB.MHPC.HTFY 0 1;evaluate \\_SB.MHPC.HTFY 149 1;"
                  "evaluate \\_SB.MHPC.HTFY 150 3;evaluate \\_SB.MHPC.HTFY 299 3;"
                  "evaluate \\_SB.PCI0.PCNT 0x80000004 1;"
                  /* No register says that a slot waits. */
                  "evaluate \\_GPE._E03;evaluate \\_SB.MHPC.G000.S005._EJ0 1");
    expect_notification(output, "S000", 1);
    expect_notification(output, "S015", 1); /* 0x95 - 0x80 */
    expect_notification(output, "S016", 3);
    expect_notification(output, "S02B", 3); /* 0x12b - 0x100 */
    expect_notification(output, "S02_", 1);
    expect_notification(output, "S1F_", 1);
    g_assert_cmpuint(count_of(output, "Notify on"), ==, 6);
    expect(output, "Evaluation of \\_S5 returned object");
    g_assert_null(strstr(output, "ACPI Error"));
}

int main(int argc, char **argv)
{
    static const Kind kinds[] = {
        {.cpus = 1, .ports = 1, .slots = 64},    {.cpus = 8, .ports = 0, .slots = 0},
        {.cpus = 3, .ports = 12, .slots = 1},    {.cpus = 8, .ports = 2, .slots = 4096},
        {.cpus = 1, .ports = 0, .slots = 32000},
    };

    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("acpi-tables-XXXXXX", NULL);
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *structure = g_strdup_printf("/acpi-tables/structure/%u", kinds[i].slots);
        g_autofree char *compiler = g_strdup_printf("/acpi-tables/compiler/%u", kinds[i].slots);
        g_test_add_data_func(structure, &kinds[i], test_structure);
        g_test_add_data_func(compiler, &kinds[i], test_compiler);
    }
    g_test_add_func("/acpi-tables/slot-methods", test_slot_methods);
    g_test_add_func("/acpi-tables/groups", test_groups);
    g_test_add_func("/acpi-tables/start", test_start);
    g_test_add_func("/acpi-tables/notifications", test_notifications);
    int result = g_test_run();
    g_assert_cmpint(g_rmdir(folder), ==, 0);
    g_free(folder);
    return result;
}
