/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The structures, one function each (DMTF DSP0134, 3.7.0; section numbers in comments are of that),
 * and the 64-bit entry point before them.
 */
#include "hw/smbios/smbios.h"

#include "smbios-options.h"

#include "util/error.h"
#include "util/uuid.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ENTRY_POINT_SIZE 24u
#define STRUCTURES_AT 32u /* behind the entry point, where SMBIOS_AREA begins */

#define MIB (UINT64_C(1) << 20)
#define DEVICE_SIZE (UINT64_C(16) << 30) /* RAM is told in devices of this size */
#define DEVICES_MAXIMUM 64u              /* and in larger ones rather than in more */
#define UNKNOWN 2                        /* in many of the enumerations */
#define NO_HANDLE 0xfffeu                /* 7.17.6 */

/* First handle of a kind of structure; numbers count up from there. */
enum {
    HANDLE_BIOS = 0x0000,
    HANDLE_SYSTEM = 0x0100,
    HANDLE_BOARD = 0x0200,
    HANDLE_CHASSIS = 0x0300,
    HANDLE_PROCESSOR = 0x0400,
    HANDLE_STRINGS = 0x0e00,
    HANDLE_ARRAY = 0x1000,
    HANDLE_MEMORY = 0x1100,
    HANDLE_MAPPED = 0x1300,
    HANDLE_BOOT = 0x2000,
    HANDLE_END = 0x7f00,
};

typedef struct Tables {
    const SmbiosBoard *board;
    GByteArray *bytes;
    guint start;        /* of the structure that is under construction */
    GPtrArray *strings; /* its strings: char * */
} Tables;

/* --- writing (6.1.2, 6.1.3) --- */

static void put(Tables *tables, uint64_t value, guint size)
{
    value = GUINT64_TO_LE(value);
    g_byte_array_append(tables->bytes, (const uint8_t *)&value, size);
}

static void begin(Tables *tables, uint8_t type, uint16_t handle)
{
    tables->start = tables->bytes->len;
    g_ptr_array_set_size(tables->strings, 0);
    put(tables, type, 1);
    put(tables, 0, 1); /* length */
    put(tables, handle, 2);
}

/* The number of a string of this structure; "" and NULL are none. */
static void put_string(Tables *tables, const char *text)
{
    if (!text || !*text) {
        put(tables, 0, 1);
        return;
    }
    g_ptr_array_add(tables->strings, g_strdup(text));
    put(tables, tables->strings->len, 1);
}

static void put_option(Tables *tables, guint type, const char *key, const char *otherwise)
{
    put_string(tables, smbios_option(tables->board->options, type, key, otherwise));
}

static void end(Tables *tables)
{
    tables->bytes->data[tables->start + 1] = (uint8_t)(tables->bytes->len - tables->start);
    for (guint i = 0; i < tables->strings->len; i++) {
        const char *text = g_ptr_array_index(tables->strings, i);
        g_byte_array_append(tables->bytes, (const uint8_t *)text, (guint)strlen(text) + 1);
    }
    put(tables, 0, tables->strings->len ? 1 : 2);
}

/* --- the structures --- */

/* 7.1: who starts the guest, which here is this program. */
static void write_bios(Tables *tables)
{
    const char *release = smbios_option(tables->board->options, 0, "release", NULL);
    unsigned major = 0, minor = 0;

    if (release) {
        sscanf(release, "%3u.%3u", &major, &minor);
    }
    begin(tables, 0, HANDLE_BIOS);
    put_option(tables, 0, "vendor", "hotslot");
    put_option(tables, 0, "version", HOTSLOT_VERSION);
    put(tables, SMBIOS_AREA >> 4, 2); /* segment */
    put_option(tables, 0, "date", "01/01/2026");
    put(tables, SMBIOS_AREA_SIZE / 0x10000 - 1, 1); /* size in 64 KiB, less 1 */
    put(tables, 1u << 3, 8);                        /* characteristics are not told */
    put(tables, 0, 1);
    put(tables, 1u << 4 | 1u << 2, 1); /* a virtual machine; targeted distribution */
    put(tables, release ? major : 0xff, 1);
    put(tables, release ? minor : 0xff, 1);
    put(tables, 0xff, 1); /* no embedded controller */
    put(tables, 0xff, 1);
    put(tables, 0, 2); /* extended size: not used */
    end(tables);
}

/* 7.2 */
static void write_system(Tables *tables)
{
    uint8_t uuid[UUID_BYTES] = {0};

    uuid_to_bytes(smbios_option(tables->board->options, 1, "uuid", tables->board->uuid), uuid);
    begin(tables, 1, HANDLE_SYSTEM);
    put_option(tables, 1, "manufacturer", "hotslot");
    put_option(tables, 1, "product", "PC");
    put_option(tables, 1, "version", tables->board->machine);
    put_option(tables, 1, "serial", NULL);
    g_byte_array_append(tables->bytes, uuid, sizeof(uuid));
    put(tables, 6, 1); /* woken by the power switch */
    put_option(tables, 1, "sku", NULL);
    put_option(tables, 1, "family", "Virtual Machine");
    end(tables);
}

/* 7.3: its asset tag is the guest's name. */
static void write_board(Tables *tables)
{
    begin(tables, 2, HANDLE_BOARD);
    put_option(tables, 2, "manufacturer", "hotslot");
    put_option(tables, 2, "product", "PC");
    put_option(tables, 2, "version", tables->board->machine);
    put_option(tables, 2, "serial", NULL);
    put_option(tables, 2, "asset", tables->board->name);
    put(tables, 1, 1); /* a hosting board */
    put_option(tables, 2, "location", NULL);
    put(tables, HANDLE_CHASSIS, 2);
    put(tables, 0x0a, 1); /* motherboard */
    put(tables, 0, 1);    /* contains nothing else */
    end(tables);
}

/* 7.4 */
static void write_chassis(Tables *tables)
{
    begin(tables, 3, HANDLE_CHASSIS);
    put_option(tables, 3, "manufacturer", "hotslot");
    put(tables, 1, 1); /* type: other */
    put_option(tables, 3, "version", tables->board->machine);
    put_option(tables, 3, "serial", NULL);
    put_option(tables, 3, "asset", NULL);
    put(tables, 3, 1); /* safe: at boot, its power supply, its temperature */
    put(tables, 3, 1);
    put(tables, 3, 1);
    put(tables, UNKNOWN, 1); /* security */
    put(tables, 0, 4);       /* OEM-defined */
    put(tables, 0, 1);       /* height */
    put(tables, 0, 1);       /* power cords */
    put(tables, 0, 2);       /* contained elements */
    put_option(tables, 3, "sku", NULL);
    end(tables);
}

/* 7.5: one a socket. */
static void write_processor(Tables *tables, guint socket)
{
    const SmbiosBoard *board = tables->board;
    g_autofree char *name =
        g_strdup_printf("%s%02x", smbios_option(board->options, 4, "sock_pfx", "CPU"), socket);
    guint threads = board->cores * board->threads;

    begin(tables, 4, (uint16_t)(HANDLE_PROCESSOR + socket));
    put_string(tables, name);
    put(tables, 3, 1);    /* a central processor */
    put(tables, 0xfe, 1); /* its family is in the word below */
    put_option(tables, 4, "manufacturer", "hotslot");
    put(tables, 0, 8); /* id */
    put_option(tables, 4, "version", board->machine);
    put(tables, 0, 1); /* voltage */
    put(tables, 0, 2); /* external clock: unknown */
    put(tables, smbios_option_number(board->options, 4, "max-speed", 2000), 2);
    put(tables, smbios_option_number(board->options, 4, "current-speed", 2000), 2);
    put(tables, 0x41, 1);   /* in its socket, enabled */
    put(tables, 1, 1);      /* upgrade: other */
    put(tables, 0xffff, 2); /* caches: not told */
    put(tables, 0xffff, 2);
    put(tables, 0xffff, 2);
    put_option(tables, 4, "serial", NULL);
    put_option(tables, 4, "asset", NULL);
    put_option(tables, 4, "part", NULL);
    put(tables, MIN(board->cores, 0xff), 1);
    put(tables, MIN(board->cores, 0xff), 1);
    put(tables, MIN(threads, 0xff), 1);
    put(tables, 1u << 2, 2); /* 64 bits */
    put(tables, UNKNOWN, 2); /* family */
    put(tables, board->cores, 2);
    put(tables, board->cores, 2);
    put(tables, threads, 2);
    end(tables);
}

static void add_oem_string(const char *value, gpointer tables)
{
    g_ptr_array_add(((Tables *)tables)->strings, g_strdup(*value ? value : " "));
}

/* 7.12 */
static void write_oem_strings(Tables *tables)
{
    begin(tables, 11, HANDLE_STRINGS);
    smbios_option_foreach(tables->board->options, 11, "value", add_oem_string, tables);
    put(tables, MIN(tables->strings->len, UINT8_MAX), 1);
    end(tables);
}

/* 7.17: memory that is there, and room for memory that may come. */
static void write_memory_array(Tables *tables, guint devices)
{
    uint64_t kib = tables->board->maximum_ram >> 10;
    gboolean extended = kib >= 0x80000000u;

    begin(tables, 16, HANDLE_ARRAY);
    put(tables, 1, 1); /* location: other */
    put(tables, 3, 1); /* system memory */
    put(tables, 6, 1); /* as if error correction were of many bits */
    put(tables, extended ? 0x80000000u : kib, 4);
    put(tables, NO_HANDLE, 2);
    put(tables, MIN(devices + tables->board->memory_slots, UINT16_MAX), 2);
    put(tables, extended ? tables->board->maximum_ram : 0, 8);
    end(tables);
}

/* 7.18 */
static void write_memory_device(Tables *tables, guint number, uint64_t size)
{
    json_object *options = tables->board->options;
    uint64_t speed = smbios_option_number(options, 17, "speed", 0);
    uint64_t mib = size / MIB;
    g_autofree char *locator =
        g_strdup_printf("%s %u", smbios_option(options, 17, "loc_pfx", "DIMM"), number);

    begin(tables, 17, (uint16_t)(HANDLE_MEMORY + number));
    put(tables, HANDLE_ARRAY, 2);
    put(tables, NO_HANDLE, 2);
    put(tables, 0xffff, 2); /* widths: unknown */
    put(tables, 0xffff, 2);
    put(tables, mib < 0x7fff ? mib : 0x7fff, 2);
    put(tables, 9, 1); /* DIMM */
    put(tables, 0, 1); /* in no set */
    put_string(tables, locator);
    put_option(tables, 17, "bank", NULL);
    put(tables, 7, 1);       /* type: RAM */
    put(tables, 1u << 1, 2); /* other */
    put(tables, speed, 2);
    put_option(tables, 17, "manufacturer", "hotslot");
    put_option(tables, 17, "serial", NULL);
    put_option(tables, 17, "asset", NULL);
    put_option(tables, 17, "part", NULL);
    put(tables, 0, 1);                      /* rank */
    put(tables, mib < 0x7fff ? 0 : mib, 4); /* extended size */
    put(tables, speed, 2);                  /* configured */
    put(tables, 0, 2 * 3);                  /* voltages */
    end(tables);
}

/* 7.20 */
static void write_mapped_range(Tables *tables, guint number, uint64_t first, uint64_t size,
                               guint devices)
{
    uint64_t last = first + size - 1;
    gboolean extended = last >> 10 >= UINT32_MAX;

    begin(tables, 19, (uint16_t)(HANDLE_MAPPED + number));
    put(tables, extended ? UINT32_MAX : first >> 10, 4);
    put(tables, extended ? UINT32_MAX : last >> 10, 4);
    put(tables, HANDLE_ARRAY, 2);
    put(tables, MIN(devices, UINT8_MAX), 1);
    put(tables, extended ? first : 0, 8);
    put(tables, extended ? last : 0, 8);
    end(tables);
}

static void write_memory(Tables *tables)
{
    const SmbiosBoard *board = tables->board;
    uint64_t total = board->low_ram + board->high_ram;
    uint64_t each = MAX(DEVICE_SIZE, (total / DEVICES_MAXIMUM + MIB) / MIB * MIB);
    guint devices = (guint)((total + each - 1) / each);

    write_memory_array(tables, devices);
    for (guint i = 0; i < devices; i++) {
        write_memory_device(tables, i, MIN(each, total - i * each));
    }
    write_mapped_range(tables, 0, 0, board->low_ram, devices);
    if (board->high_ram > 0) {
        write_mapped_range(tables, 1, board->high_base, board->high_ram, devices);
    }
}

/* 7.33, 7.45 */
static void write_boot_and_end(Tables *tables)
{
    begin(tables, 32, HANDLE_BOOT);
    put(tables, 0, 6);
    put(tables, 0, 1); /* no errors */
    end(tables);
    begin(tables, 127, HANDLE_END);
    end(tables);
}

/* 5.2.2 */
static void write_entry_point(GByteArray *bytes, guint size)
{
    uint8_t *entry = bytes->data;
    uint32_t maximum = GUINT32_TO_LE(size);
    uint64_t address = GUINT64_TO_LE(SMBIOS_AREA + STRUCTURES_AT);
    uint8_t sum = 0;

    memset(entry, 0, STRUCTURES_AT);
    memcpy(entry, "_SM3_", 5);
    entry[6] = ENTRY_POINT_SIZE;
    entry[7] = 3;  /* version 3.0 */
    entry[10] = 1; /* revision of this entry point */
    memcpy(entry + 12, &maximum, sizeof(maximum));
    memcpy(entry + 16, &address, sizeof(address));
    for (guint i = 0; i < ENTRY_POINT_SIZE; i++) {
        sum += entry[i];
    }
    entry[5] = (uint8_t)-sum;
}

GByteArray *smbios_tables_new(const SmbiosBoard *board, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GPtrArray) strings = g_ptr_array_new_with_free_func(g_free);
    Tables tables = {.board = board, .bytes = bytes, .strings = strings};

    if (!smbios_options_check(board->options, error)) {
        return NULL;
    }
    g_byte_array_set_size(bytes, STRUCTURES_AT);
    write_bios(&tables);
    write_system(&tables);
    write_board(&tables);
    write_chassis(&tables);
    for (guint i = 0; i < board->sockets; i++) {
        write_processor(&tables, i);
    }
    if (smbios_option_has(board->options, 11)) {
        write_oem_strings(&tables);
    }
    write_memory(&tables);
    write_boot_and_end(&tables);
    if (bytes->len > SMBIOS_AREA_SIZE) {
        vm_error_set(error, "-smbios: the tables have %u bytes, there is room for %u", bytes->len,
                     SMBIOS_AREA_SIZE);
        return NULL;
    }
    write_entry_point(bytes, bytes->len - STRUCTURES_AT);
    return g_steal_pointer(&bytes);
}
