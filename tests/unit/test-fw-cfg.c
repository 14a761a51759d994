/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/i386/fw-cfg.h"

#include "system/main-loop.h"
#include "system/memory.h"

static void select_item(uint16_t key)
{
    uint16_t value = GUINT16_TO_LE(key);

    memory_write(ADDRESS_SPACE_IO, FW_CFG_PORT, &value, sizeof(value));
}

static void read_bytes(void *bytes, gsize size)
{
    for (gsize i = 0; i < size; i++) {
        memory_read(ADDRESS_SPACE_IO, FW_CFG_PORT + 1, (uint8_t *)bytes + i, 1);
    }
}

static void test_items(void)
{
    g_autoptr(FwCfg) config G_GNUC_UNUSED = fw_cfg_new();
    uint8_t bytes[6];
    uint64_t number;

    select_item(FW_CFG_SIGNATURE);
    read_bytes(bytes, 6);
    g_assert_cmpmem(bytes, 6, "QEMU\0\0", 6);
    select_item(FW_CFG_ID);
    read_bytes(bytes, 5);
    g_assert_cmpmem(bytes, 5, "\3\0\0\0\0", 5);
    fw_cfg_set_u64(config, FW_CFG_RAM_SIZE, UINT64_C(0x123456789a));
    select_item(FW_CFG_RAM_SIZE);
    read_bytes(&number, sizeof(number));
    g_assert_cmphex(GUINT64_FROM_LE(number), ==, 0x123456789a);
}

static void test_nothing_selected(void)
{
    g_autoptr(FwCfg) config G_GNUC_UNUSED = fw_cfg_new();
    uint8_t byte = 0xff;

    read_bytes(&byte, 1);
    g_assert_cmphex(byte, ==, 0);
    select_item(0x3ffe);
    read_bytes(&byte, 1);
    g_assert_cmphex(byte, ==, 0);
    select_item(0xffff);
    read_bytes(&byte, 1);
    g_assert_cmphex(byte, ==, 0);
}

static void test_files(void)
{
    g_autoptr(FwCfg) config G_GNUC_UNUSED = fw_cfg_new();
    g_autoptr(GError) error = NULL;
    uint8_t directory[4 + 2 * 64];
    uint8_t bytes[5];
    g_autofree char *longest = g_strnfill(FW_CFG_FILE_NAME_SIZE - 1, 'n');
    g_autofree char *too_long = g_strnfill(FW_CFG_FILE_NAME_SIZE, 'n');

    g_assert_true(fw_cfg_add_file(config, "etc/first", "hello", 5, NULL));
    g_assert_true(fw_cfg_add_file(config, longest, "x", 1, NULL));
    g_assert_false(fw_cfg_add_file(config, "etc/first", "again", 5, &error));
    g_assert_nonnull(strstr(error->message, "etc/first"));
    g_assert_false(fw_cfg_add_file(config, too_long, "x", 1, NULL));
    select_item(FW_CFG_FILE_DIRECTORY);
    read_bytes(directory, sizeof(directory));
    g_assert_cmpmem(directory, 4, "\0\0\0\2", 4);
    g_assert_cmpmem(directory + 4, 18, "\0\0\0\5\0\x20\0\0etc/first\0", 18);
    g_assert_cmpmem(directory + 68, 8, "\0\0\0\1\0\x21\0\0", 8);
    g_assert_cmpstr((const char *)directory + 76, ==, longest);
    select_item(FW_CFG_FILE_FIRST);
    read_bytes(bytes, 5);
    g_assert_cmpmem(bytes, 5, "hello", 5);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    g_test_add_func("/fw-cfg/items", test_items);
    g_test_add_func("/fw-cfg/nothing-selected", test_nothing_selected);
    g_test_add_func("/fw-cfg/files", test_files);
    return g_test_run();
}
