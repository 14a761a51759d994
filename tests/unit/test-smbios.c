/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMBIOS tables: their structure by the rules of DSP0134, 6.1, what dmidecode reads in them, and
 * options that are refused.
 */
#include "hw/smbios/smbios.h"
#include "util/options.h"

#include <glib/gstdio.h>
#include <string.h>

#define GIB (UINT64_C(1) << 30)
#define STRUCTURES 32

static SmbiosBoard board_of(json_object *options)
{
    return (SmbiosBoard){
        .machine = "pc-i440fx-8.2",
        .name = "my guest",
        .uuid = "00112233-4455-6677-8899-aabbccddeeff",
        .sockets = 2,
        .cores = 3,
        .threads = 2,
        .low_ram = 3 * GIB,
        .high_base = 4 * GIB,
        .high_ram = 37 * GIB,
        .maximum_ram = 4096 * GIB,
        .memory_slots = 64,
        .options = options,
    };
}

/* The array that the command line's words, up to NULL, make. */
static json_object *options_of(const char *const *words)
{
    static const char *const lists[] = {"value", NULL};
    json_object *all = json_object_new_array();

    for (guint i = 0; words[i]; i++) {
        g_autoptr(GError) error = NULL;
        json_object *options = options_parse(words[i], NULL, lists, &error);
        g_assert_no_error(error);
        json_object_array_add(all, options);
    }
    return all;
}

static GByteArray *make(const char *const *words)
{
    g_autoptr(GError) error = NULL;
    json_object *options = options_of(words);
    SmbiosBoard board = board_of(options);
    GByteArray *tables = smbios_tables_new(&board, &error);

    g_assert_no_error(error);
    json_object_put(options);
    return tables;
}

/* Each structure has a length, strings that end, a handle of its own; the last is type 127. */
static void test_structure(void)
{
    const char *const words[] = {"type=11,value=a,value=b,,c,value=", NULL};
    g_autoptr(GByteArray) tables = make(words);
    g_autoptr(GHashTable) handles = g_hash_table_new(NULL, NULL);
    guint counts[128] = {0};
    uint8_t sum = 0;
    guint at = STRUCTURES;
    uint32_t size;
    guint type = 0;

    g_assert_cmpmem(tables->data, 5, "_SM3_", 5);
    for (guint i = 0; i < tables->data[6]; i++) {
        sum += tables->data[i];
    }
    g_assert_cmpuint(sum, ==, 0);
    memcpy(&size, tables->data + 12, sizeof(size));
    g_assert_cmpuint(GUINT32_FROM_LE(size), ==, tables->len - STRUCTURES);
    while (at < tables->len) {
        type = tables->data[at];
        guint length = tables->data[at + 1];
        guint handle = tables->data[at + 2] | tables->data[at + 3] << 8;
        g_assert_cmpuint(length, >=, 4);
        g_assert_cmpuint(type, <, 128);
        g_assert_true(g_hash_table_add(handles, GUINT_TO_POINTER(handle)));
        counts[type]++;
        at += length;
        while (tables->data[at] || tables->data[at + 1]) {
            g_assert_cmpuint(++at + 1, <, tables->len);
        }
        at += 2;
    }
    g_assert_cmpuint(at, ==, tables->len);
    g_assert_cmpuint(type, ==, 127);
    for (guint i = 0; i < 4; i++) {
        g_assert_cmpuint(counts[i], ==, 1);
    }
    g_assert_cmpuint(counts[4], ==, 2);
    g_assert_cmpuint(counts[11], ==, 1);
    g_assert_cmpuint(counts[17], ==, 3); /* 16, 16 and 8 GiB */
    g_assert_cmpuint(counts[19], ==, 2);
}

/* --- by dmidecode --- */

/* A dump as dmidecode reads it: the entry point, whose address is an offset in the file. */
static char *dump(GByteArray *tables)
{
    g_autofree char *folder = g_dir_make_tmp("smbios-XXXXXX", NULL);
    char *path = g_build_filename(folder, "dump", NULL);
    uint64_t offset = GUINT64_TO_LE(STRUCTURES);

    tables->data[5] = 0;
    memcpy(tables->data + 16, &offset, sizeof(offset));
    for (guint i = 0; i < tables->data[6]; i++) {
        tables->data[5] -= i == 5 ? 0 : tables->data[i];
    }
    g_assert_true(g_file_set_contents(path, (const char *)tables->data, tables->len, NULL));
    return path;
}

static void remove_dump(char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);

    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
    g_free(path);
}

/* What dmidecode prints; NULL if it is not installed. */
static char *decode(const char *const *words)
{
    g_autoptr(GByteArray) tables = make(words);
    g_autofree char *program = g_find_program_in_path("dmidecode");
    g_autofree char *in_sbin = NULL;
    g_autofree char *errors = NULL;
    g_autoptr(GError) error = NULL;
    char *output = NULL;
    int status;

    if (!program && g_file_test("/usr/sbin/dmidecode", G_FILE_TEST_IS_EXECUTABLE)) {
        in_sbin = g_strdup("/usr/sbin/dmidecode");
    }
    if (!program && !in_sbin) {
        g_test_skip("no dmidecode (Debian: dmidecode)");
        return NULL;
    }
    char *path = dump(tables);
    char *arguments[] = {program ? program : in_sbin, (char *)"--from-dump", path, NULL};
    g_assert_true(g_spawn_sync(NULL, arguments, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, &errors,
                               &status, &error));
    remove_dump(path);
    g_assert_cmpint(status, ==, 0);
    g_assert_cmpstr(errors, ==, "");
    return output;
}

static void expect(const char *output, const char *const *lines)
{
    for (guint i = 0; lines[i]; i++) {
        if (!strstr(output, lines[i])) {
            g_test_message("%s", output);
            g_error("dmidecode does not show: %s", lines[i]);
        }
    }
}

static void test_decoded(void)
{
    const char *const words[] = {NULL};
    const char *const lines[] = {
        "SMBIOS 3.0.0 present.",
        "Vendor: hotslot",
        "Manufacturer: hotslot\n\tProduct Name: PC\n\tVersion: pc-i440fx-8.2",
        "UUID: 00112233-4455-6677-8899-aabbccddeeff",
        "Asset Tag: my guest",
        "Socket Designation: CPU00",
        "Socket Designation: CPU01",
        "Core Count: 3",
        "Thread Count: 6",
        "Maximum Capacity: 4 TB",
        "Number Of Devices: 67",
        "Size: 16 GB",
        "Size: 8 GB",
        "Range Size: 3 GB",
        "Range Size: 37 GB",
        "End Of Table",
        NULL,
    };
    g_autofree char *output = decode(words);

    if (output) {
        expect(output, lines);
        g_assert_null(strstr(output, "<TRUNCATED>"));
        g_assert_null(strstr(output, "BAD INDEX"));
        g_assert_null(strstr(output, "Wrong"));
    }
}

static void test_options(void)
{
    const char *const words[] = {
        "type=0,vendor=v0,version=v1,date=02/03/2004,release=4.56",
        "type=1,manufacturer=m1,product=p1,version=x1,serial=s1,"
        "uuid=ffeeddcc-bbaa-9988-7766-554433221100,sku=k1,family=f1",
        "type=2,manufacturer=m2,product=p2,version=x2,serial=s2,asset=a2,location=l2",
        "type=3,manufacturer=m3,version=x3,serial=s3,asset=a3,sku=k3",
        "type=4,sock_pfx=SOCKET,manufacturer=m4,version=x4,serial=s4,asset=a4,part=p4,"
        "max-speed=4321,current-speed=1234",
        "type=11,value=one,value=two,,with a comma",
        "type=11,value=three",
        "type=17,loc_pfx=SLOT,bank=b17,manufacturer=m17,serial=s17,asset=a17,part=p17,speed=3200",
        "type=1,sku=again",
        NULL,
    };
    const char *const lines[] = {
        "Vendor: v0\n\tVersion: v1\n\tRelease Date: 02/03/2004",
        "BIOS Revision: 4.56",
        "Manufacturer: m1\n\tProduct Name: p1\n\tVersion: x1\n\tSerial Number: s1\n"
        "\tUUID: ffeeddcc-bbaa-9988-7766-554433221100",
        "SKU Number: again\n\tFamily: f1",
        "Manufacturer: m2\n\tProduct Name: p2\n\tVersion: x2\n\tSerial Number: s2\n\tAsset Tag: a2",
        "Location In Chassis: l2",
        "Manufacturer: m3",
        "Asset Tag: a3",
        "SKU Number: k3",
        "Socket Designation: SOCKET01",
        "Max Speed: 4321 MHz\n\tCurrent Speed: 1234 MHz",
        "Part Number: p4",
        "String 1: one\n\tString 2: two,with a comma\n\tString 3: three",
        "Locator: SLOT 1\n\tBank Locator: b17",
        "Speed: 3200 MT/s",
        "Part Number: p17",
        NULL,
    };
    g_autofree char *output = decode(words);

    if (output) {
        expect(output, lines);
    }
}

/* More than the area has room for: a sentence, and no table. */
static void test_too_long(void)
{
    g_autofree char *text = g_strnfill(70000, 'x');
    g_autofree char *word = g_strconcat("type=11,value=", text, NULL);
    const char *const words[] = {word, NULL};
    g_autoptr(GError) error = NULL;
    json_object *options = options_of(words);
    SmbiosBoard board = board_of(options);

    g_assert_null(smbios_tables_new(&board, &error));
    g_assert_nonnull(strstr(error->message, "there is room for 65536"));
    json_object_put(options);
}

/* A machine of many sockets and terabytes has room, too. */
static void test_large(void)
{
    g_autoptr(GError) error = NULL;
    SmbiosBoard board = board_of(NULL);

    board.sockets = 240;
    board.high_ram = UINT64_C(1) << 50;
    g_autoptr(GByteArray) tables = smbios_tables_new(&board, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(tables->len, <=, SMBIOS_AREA_SIZE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/smbios/structure", test_structure);
    g_test_add_func("/smbios/decoded", test_decoded);
    g_test_add_func("/smbios/options", test_options);
    g_test_add_func("/smbios/too-long", test_too_long);
    g_test_add_func("/smbios/large", test_large);
    return g_test_run();
}
