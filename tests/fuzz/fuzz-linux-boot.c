/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any file as -kernel: the first byte says whether there is an initrd, the rest is the file.  It
 * is refused with an error that names the option, or it is loaded, and then nothing was written
 * above the RAM that kernels may use.
 */
#include "fuzz.h"
#include "hw/i386/linux-boot.h"
#include "system/main-loop.h"
#include "system/memory.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM_SIZE (UINT64_C(4) << 20)
#define TABLES 0x3000u /* at the end of RAM */
#define TABLES_BYTE 0xa5

static uint8_t *ram;
static GArray *memory_map;
static int kernel_file, initrd_file;

int LLVMFuzzerInitialize(int *argc G_GNUC_UNUSED, char ***argv G_GNUC_UNUSED)
{
    const BootMemory entry = {0, RAM_SIZE, BOOT_MEMORY_RAM};
    RamBlock *block;

    main_loop_init();
    block = ram_block_new("ram", -1, 0, RAM_SIZE, 0, 0, TRUE, FALSE, NULL);
    fuzz_require(memory_add_boot(&(MemorySection){0, RAM_SIZE, block, 0}, NULL));
    ram = block->host_address;
    memory_map = g_array_new(FALSE, FALSE, sizeof(BootMemory));
    g_array_append_val(memory_map, entry);
    kernel_file = memfd_create("kernel", MFD_CLOEXEC);
    initrd_file = memfd_create("initrd", MFD_CLOEXEC);
    fuzz_require(write(initrd_file, "initrd", 6) == 6);
    return 0;
}

static gboolean load(const char *kernel, const char *initrd, GError **error)
{
    const BootBoard board = {.memory = memory_map,
                             .low_ram = RAM_SIZE - TABLES,
                             .low_limit = UINT64_C(3) << 30,
                             .rsdp = RAM_SIZE - TABLES};
    g_autoptr(LinuxBoot) boot = linux_boot_new(kernel, initrd, "quiet", error);

    return boot && linux_boot_load(boot, &board, error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *kernel = g_strdup_printf("/proc/self/fd/%d", kernel_file);
    g_autofree char *initrd = g_strdup_printf("/proc/self/fd/%d", initrd_file);
    g_autoptr(GError) error = NULL;
    gboolean with_initrd = size > 0 && (data[0] & 1);

    if (size > 0) {
        data++;
        size--;
    }
    fuzz_require(ftruncate(kernel_file, 0) == 0);
    fuzz_require(pwrite(kernel_file, data, size, 0) == (ssize_t)size);
    memset(ram + RAM_SIZE - TABLES, TABLES_BYTE, TABLES);
    if (!load(kernel, with_initrd ? initrd : NULL, &error)) {
        fuzz_require(error && (g_str_has_prefix(error->message, "-kernel") ||
                               g_str_has_prefix(error->message, "-initrd") ||
                               g_str_has_prefix(error->message, "-append")));
    }
    for (uint64_t i = RAM_SIZE - TABLES; i < RAM_SIZE; i++) {
        fuzz_require(ram[i] == TABLES_BYTE);
    }
    return 0;
}
