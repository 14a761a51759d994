/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Firmware configuration (the register map is published as a specification): a write to the
 * selector starts an item from its first byte, each read of the data port gives the next one and
 * 0 behind the end.
 */
#include "fw-cfg-internal.h"

#include "system/run-state.h"
#include "util/error.h"

#include <string.h>

#define FW_CFG_KEY_MASK 0x3fff /* bits 14 and 15 are write mode and architecture */

enum { /* item FW_CFG_ID */
       FW_CFG_INTERFACE_PORTS = 1 << 0,
       FW_CFG_INTERFACE_DMA = 1 << 1,
};

/* An entry of the directory, all numbers big-endian. */
typedef struct DirectoryEntry {
    uint32_t size;
    uint16_t key;
    uint16_t reserved;
    char name[FW_CFG_FILE_NAME_SIZE];
} DirectoryEntry;

G_STATIC_ASSERT(sizeof(DirectoryEntry) == 64);

void fw_cfg_select(FwCfg *config, uint16_t key)
{
    config->selected = g_hash_table_lookup(config->items, GUINT_TO_POINTER(key & FW_CFG_KEY_MASK));
    config->offset = 0;
}

static uint64_t read_register(gpointer opaque, uint64_t offset, unsigned size G_GNUC_UNUSED)
{
    FwCfg *config = opaque;

    if (offset != 1 || !config->selected || config->offset >= config->selected->len) {
        return 0;
    }
    return config->selected->data[config->offset++];
}

static void write_register(gpointer opaque, uint64_t offset, uint64_t value,
                           unsigned size G_GNUC_UNUSED)
{
    if (offset == 0) {
        fw_cfg_select(opaque, (uint16_t)value);
    }
}

static const IoOps fw_cfg_ops = {
    .read = read_register,
    .write = write_register,
    .min_access = 1,
    .max_access = 2,
};

static void reset(gpointer opaque)
{
    FwCfg *config = opaque;

    fw_cfg_select(config, FW_CFG_SIGNATURE);
    config->dma_upper_half = 0;
}

FwCfg *fw_cfg_new(void)
{
    static const uint32_t interface = GUINT32_TO_LE(FW_CFG_INTERFACE_PORTS | FW_CFG_INTERFACE_DMA);
    static const uint32_t no_files = 0;
    FwCfg *config = g_new0(FwCfg, 1);

    config->items = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_byte_array_unref);
    config->names = g_ptr_array_new_with_free_func(g_free);
    fw_cfg_set(config, FW_CFG_SIGNATURE, "QEMU", 4);
    fw_cfg_set(config, FW_CFG_ID, &interface, sizeof(interface));
    fw_cfg_set(config, FW_CFG_FILE_DIRECTORY, &no_files, sizeof(no_files));
    config->region = io_region_new(NULL, "fw-cfg", &fw_cfg_ops, config, 2);
    io_region_map(config->region, ADDRESS_SPACE_IO, FW_CFG_PORT);
    config->dma_region = io_region_new(NULL, "fw-cfg-dma", &fw_cfg_dma_ops, config, 8);
    io_region_map(config->dma_region, ADDRESS_SPACE_IO, FW_CFG_DMA_PORT);
    run_state_reset_handler_add(reset, config);
    return config;
}

void fw_cfg_free(FwCfg *config)
{
    run_state_reset_handler_remove(reset, config);
    io_region_free(config->region);
    io_region_free(config->dma_region);
    g_hash_table_unref(config->items);
    g_ptr_array_unref(config->names);
    g_free(config);
}

/* The array of @key stays where it is: the guest may be reading it. */
static GByteArray *item_of(FwCfg *config, uint16_t key)
{
    GByteArray *item = g_hash_table_lookup(config->items, GUINT_TO_POINTER(key));

    if (!item) {
        item = g_byte_array_new();
        g_hash_table_insert(config->items, GUINT_TO_POINTER(key), item);
    }
    return item;
}

void fw_cfg_set(FwCfg *config, uint16_t key, const void *bytes, gsize size)
{
    GByteArray *item = item_of(config, key);

    g_byte_array_set_size(item, 0);
    g_byte_array_append(item, bytes, (guint)size);
}

void fw_cfg_set_u16(FwCfg *config, uint16_t key, uint16_t value)
{
    value = GUINT16_TO_LE(value);
    fw_cfg_set(config, key, &value, sizeof(value));
}

void fw_cfg_set_u64(FwCfg *config, uint16_t key, uint64_t value)
{
    value = GUINT64_TO_LE(value);
    fw_cfg_set(config, key, &value, sizeof(value));
}

static void enter_in_directory(FwCfg *config, uint16_t key, const char *name, gsize size)
{
    GByteArray *directory = item_of(config, FW_CFG_FILE_DIRECTORY);
    uint32_t count = GUINT32_TO_BE(config->names->len);
    DirectoryEntry entry = {.size = GUINT32_TO_BE((uint32_t)size), .key = GUINT16_TO_BE(key)};

    g_strlcpy(entry.name, name, sizeof(entry.name));
    g_byte_array_append(directory, (const guint8 *)&entry, sizeof(entry));
    memcpy(directory->data, &count, sizeof(count));
}

gboolean fw_cfg_add_file(FwCfg *config, const char *name, const void *bytes, gsize size,
                         GError **error)
{
    uint16_t key = (uint16_t)(FW_CFG_FILE_FIRST + config->names->len);

    if (strlen(name) >= FW_CFG_FILE_NAME_SIZE) {
        vm_error_set(error, "fw_cfg file '%s': the name has more than %d bytes", name,
                     FW_CFG_FILE_NAME_SIZE - 1);
        return FALSE;
    }
    if (g_ptr_array_find_with_equal_func(config->names, name, g_str_equal, NULL)) {
        vm_error_set(error, "fw_cfg file '%s' exists already", name);
        return FALSE;
    }
    if (size > UINT32_MAX || key > FW_CFG_KEY_MASK) {
        vm_error_set(error, "fw_cfg file '%s': %s", name,
                     size > UINT32_MAX ? "it has 4 GiB or more" : "all item numbers are in use");
        return FALSE;
    }
    g_ptr_array_add(config->names, g_strdup(name));
    fw_cfg_set(config, key, bytes, size);
    enter_in_directory(config, key, name, size);
    return TRUE;
}
