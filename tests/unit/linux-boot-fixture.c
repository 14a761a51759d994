/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest RAM with a memory map, and the files that a kernel is started from. */
#include "linux-boot-fixture.h"

#include "../qtest/linux-images.h"
#include "system/main-loop.h"
#include "system/memory.h"

#include <glib/gstdio.h>

char *kernel_path, *initrd_path;
const uint8_t *guest_ram;
GArray *memory_map;

static char *folder;
static RamBlock *block;

void save(const char *path, gconstpointer bytes, gsize size)
{
    GError *error = NULL;

    g_file_set_contents(path, bytes, (gssize)size, &error);
    g_assert_no_error(error);
}

void save_kernel(GByteArray *image)
{
    save(kernel_path, image->data, image->len);
    g_byte_array_unref(image);
}

void save_initrd(gsize size)
{
    g_autofree char *bytes = g_malloc(size);

    for (gsize i = 0; i < size; i++) {
        bytes[i] = (char)(i * 13 + 5);
    }
    save(initrd_path, bytes, size);
}

BootBoard board(void)
{
    return (BootBoard){
        .memory = memory_map, .low_ram = LOW_RAM, .low_limit = LOW_LIMIT, .rsdp = RSDP};
}

gboolean start(const char *initrd, const char *command_line, GError **error)
{
    const BootBoard chosen = board();
    g_autoptr(LinuxBoot) boot = linux_boot_new(kernel_path, initrd, command_line, error);

    return boot && linux_boot_load(boot, &chosen, error);
}

void start_or_fail(const char *initrd, const char *command_line)
{
    GError *error = NULL;

    g_assert_true(start(initrd, command_line, &error));
    g_assert_no_error(error);
}

void check_refused(const char *initrd, const char *command_line, const char *format)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) parts = g_strsplit(format, "KERNEL", 2);
    g_autofree char *kernel = g_strjoinv(kernel_path, parts);
    g_auto(GStrv) pieces = g_strsplit(kernel, "INITRD", 2);
    g_autofree char *message = g_strjoinv(initrd_path, pieces);

    g_assert_false(start(initrd, command_line, &error));
    g_assert_nonnull(error);
    g_assert_cmpstr(error->message, ==, message);
}

void check_kernel_at(uint64_t address)
{
    for (guint i = 0; i < IMAGE_KERNEL_SIZE; i++) {
        g_assert_cmphex(guest_ram[address + i], ==, image_byte(i));
    }
}

static void add_memory(uint64_t address, uint64_t end, BootMemoryType type)
{
    BootMemory entry = {address, end - address, type};

    g_array_append_val(memory_map, entry);
}

void boot_fixture_begin(void)
{
    main_loop_init();
    folder = g_dir_make_tmp("linux-boot-XXXXXX", NULL);
    kernel_path = g_build_filename(folder, "kernel", NULL);
    initrd_path = g_build_filename(folder, "initrd", NULL);
    block = ram_block_new("ram", -1, 0, RAM_SIZE, 0, 0, TRUE, FALSE, NULL);
    guest_ram = block->host_address;
    g_assert_true(memory_add_boot(&(MemorySection){0, RAM_SIZE, block, 0}, NULL));
    memory_map = g_array_new(FALSE, FALSE, sizeof(BootMemory));
    add_memory(0, 0x9fc00, BOOT_MEMORY_RAM);
    add_memory(0x9fc00, 0x100000, BOOT_MEMORY_RESERVED);
    add_memory(0x100000, LOW_RAM, BOOT_MEMORY_RAM);
    add_memory(LOW_RAM, RAM_SIZE, BOOT_MEMORY_ACPI);
}

void boot_fixture_end(void)
{
    g_unlink(kernel_path);
    g_unlink(initrd_path);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
    g_array_unref(memory_map);
    memory_clear();
    g_clear_pointer(&block, ram_block_unref);
    g_free(kernel_path);
    g_free(initrd_path);
    g_free(folder);
}
