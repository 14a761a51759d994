/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bzImage and its 64-bit entry (Linux, Documentation/arch/x86/boot.rst; section names in
 * comments are of that document).
 */
#include "linux-boot-internal.h"

#include "accel/vcpu.h"
#include "util/error.h"

#include <asm/bootparam.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#define HEADER_OFFSET 0x1f1u
#define HEADER_JUMP 0x200u
#define HEADER_MAGIC 0x53726448u /* "HdrS" */
#define PROTOCOL_FLAGS 0x0200u   /* 2.00: loadflags */
#define PROTOCOL_NEEDED 0x020cu  /* 2.12: xloadflags */
#define BOOT_FLAG 0xaa55u
#define SECTOR 512u
#define PARAGRAPH 16u
#define SETUP_SECTORS_DEFAULT 4u
#define LOADER_UNDEFINED 0xffu
#define ENTRY_64 0x200u /* "64-bit Boot Protocol": bytes behind the load address */
#define SETUP_RNG_SEED_TYPE 9u

#define MIB (UINT64_C(1) << 20)
#define TABLE_ENTRIES 512u
#define PAGE_BYTES 4096u
#define PAGE_PRESENT_WRITABLE 0x3u
#define PAGE_LARGE 0x80u
#define LARGE_PAGE_BYTES (UINT64_C(2) << 20)
#define IDENTITY_GIGABYTES 4u

/* "The Real-Mode Kernel Header": it ends where the jump instruction at 0x200 leads; behind that is
 * code.
 */
static void read_header(const LinuxBoot *boot, struct setup_header *header)
{
    const char *bytes = g_bytes_get_data(boot->kernel, NULL);
    gsize size = g_bytes_get_size(boot->kernel);

    memset(header, 0, sizeof(*header));
    if (size > HEADER_JUMP + 1) {
        gsize end = HEADER_JUMP + 2 + (uint8_t)bytes[HEADER_JUMP + 1];
        memcpy(header, bytes + HEADER_OFFSET, MIN(sizeof(*header), MIN(end, size) - HEADER_OFFSET));
    }
}

/* Bytes of the real-mode part in front of the kernel proper. */
static gsize setup_size(const struct setup_header *header)
{
    guint sectors = header->setup_sects ? header->setup_sects : SETUP_SECTORS_DEFAULT;

    return (gsize)(sectors + 1) * SECTOR;
}

/* Microsoft, "PE Format": MS-DOS stub. */
static gboolean is_efi_program(const LinuxBoot *boot)
{
    return g_bytes_get_size(boot->kernel) > 2 &&
           memcmp(g_bytes_get_data(boot->kernel, NULL), "MZ", 2) == 0;
}

/* "syssize": paragraphs behind the setup; the last may be shorter in the file. */
static gboolean check_whole(const LinuxBoot *boot, const struct setup_header *header,
                            GError **error)
{
    gsize size = g_bytes_get_size(boot->kernel);
    gsize start = setup_size(header);
    gsize end = start + (gsize)header->syssize * PARAGRAPH;

    if (start >= size) {
        vm_error_set(error, "-kernel %s: ends before the kernel begins", boot->kernel_path);
        return FALSE;
    }
    if (end >= size + PARAGRAPH) {
        vm_error_set(error, "-kernel %s: is cut off: it has %zu bytes, and %zu by its header",
                     boot->kernel_path, size, end);
        return FALSE;
    }
    return TRUE;
}

gboolean bzimage_check(const LinuxBoot *boot, GError **error)
{
    struct setup_header header;

    read_header(boot, &header);
    if (header.boot_flag != BOOT_FLAG || header.header != HEADER_MAGIC) {
        vm_error_set(error, "-kernel %s: is %s", boot->kernel_path,
                     is_efi_program(boot)
                         ? "an EFI program, and there is no EFI here; use the bzImage within it"
                         : "neither a bzImage nor an ELF image");
        return FALSE;
    }
    if (header.version >= PROTOCOL_FLAGS && !(header.loadflags & LOADED_HIGH)) {
        vm_error_set(error, "-kernel %s: is a zImage, which runs below 1 MiB; use the bzImage",
                     boot->kernel_path);
        return FALSE;
    }
    if (header.version < PROTOCOL_NEEDED) {
        vm_error_set(
            error, "-kernel %s: has boot protocol %u.%02u, at least %u.%02u is needed (Linux 3.8)",
            boot->kernel_path, header.version >> 8, header.version & 0xff, PROTOCOL_NEEDED >> 8,
            PROTOCOL_NEEDED & 0xff);
        return FALSE;
    }
    if (!(header.xloadflags & XLF_KERNEL_64)) {
        vm_error_set(error, "-kernel %s: has no 64-bit entry; use a kernel for x86-64",
                     boot->kernel_path);
        return FALSE;
    }
    return check_whole(boot, &header, error);
}

/* --- boot_params --- */

/* "struct boot_params": the memory map; one that has more entries than the page has room for
 * would need setup_data, and the board has fewer. */
static void set_memory_map(struct boot_params *parameters, const GArray *memory)
{
    guint count = MIN(memory->len, E820_MAX_ENTRIES_ZEROPAGE);

    for (guint i = 0; i < count; i++) {
        const BootMemory *entry = &g_array_index(memory, BootMemory, i);
        parameters->e820_table[i].addr = entry->address;
        parameters->e820_table[i].size = entry->size;
        parameters->e820_table[i].type = entry->type;
    }
    parameters->e820_entries = (uint8_t)count;
}

/* "setup_data": entropy for the kernel's generator. */
static gboolean place_seed(struct boot_params *parameters, GError **error)
{
    struct {
        uint64_t next; /* a struct setup_data with its contents */
        uint32_t type, size;
        uint8_t seed[BOOT_RANDOM_SEED_SIZE];
    } node = {.type = SETUP_RNG_SEED_TYPE, .size = BOOT_RANDOM_SEED_SIZE};

    if (getrandom(node.seed, sizeof(node.seed), GRND_NONBLOCK) != sizeof(node.seed)) {
        return TRUE; /* the host has none yet: the guest begins without */
    }
    parameters->hdr.setup_data = BOOT_SETUP_DATA;
    return boot_write(BOOT_SETUP_DATA, &node, sizeof(node), "the random seed", error);
}

/* --- CPU state --- */

/* Identity pages of 2 MiB for 4 GiB (SDM volume 3, 4.5). */
static gboolean place_page_tables(GError **error)
{
    g_autofree uint64_t *tables = g_malloc0((2 + IDENTITY_GIGABYTES) * PAGE_BYTES);
    uint64_t *root = tables;
    uint64_t *pointers = tables + TABLE_ENTRIES;
    uint64_t *directories = tables + 2 * TABLE_ENTRIES;

    root[0] = (BOOT_PAGE_TABLES + PAGE_BYTES) | PAGE_PRESENT_WRITABLE;
    for (guint i = 0; i < IDENTITY_GIGABYTES; i++) {
        pointers[i] = (BOOT_PAGE_TABLES + (2 + i) * PAGE_BYTES) | PAGE_PRESENT_WRITABLE;
    }
    for (guint i = 0; i < IDENTITY_GIGABYTES * TABLE_ENTRIES; i++) {
        directories[i] = i * LARGE_PAGE_BYTES | PAGE_PRESENT_WRITABLE | PAGE_LARGE;
    }
    return boot_write(BOOT_PAGE_TABLES, tables, (2 + IDENTITY_GIGABYTES) * PAGE_BYTES,
                      "the page tables", error);
}

static gboolean set_cpu(uint64_t kernel, GError **error)
{
    VcpuBoot state = {
        .long_mode = TRUE,
        .page_table = BOOT_PAGE_TABLES,
        .gdt = BOOT_GDT,
        .entry = kernel + ENTRY_64,
        .rsi = BOOT_PARAMETERS,
    };

    if (!place_page_tables(error) || !boot_place_gdt(TRUE, &state.gdt_limit, error)) {
        return FALSE;
    }
    vcpu_set_boot(&state);
    return TRUE;
}

/* --- the whole --- */

/* Bytes that the kernel takes from its address on until it has found its memory. */
static uint64_t kernel_room(const LinuxBoot *boot, const struct setup_header *header)
{
    return MAX(header->init_size, g_bytes_get_size(boot->kernel));
}

/* Where the kernel goes: the address it was built for, so that it has not to move. */
static gboolean choose_address(const LinuxBoot *boot, const struct setup_header *header,
                               const BootBoard *board, uint64_t *address, GError **error)
{
    uint64_t room = kernel_room(boot, header);

    *address = MAX(header->pref_address, BOOT_KERNEL_LOWEST);
    if (*address > board->low_ram || room > board->low_ram - *address) {
        gboolean possible = *address <= board->low_limit && room <= board->low_limit - *address;
        uint64_t needed = *address / MIB + (*address % MIB + room + MIB - 1) / MIB;
        vm_error_set(error,
                     "-kernel %s: needs the first %" PRIu64
                     " MiB of RAM to start, and free RAM ends at 0x%" PRIx64 "; %s",
                     boot->kernel_path, needed, board->low_ram,
                     possible ? "give the guest more with -m"
                              : "this machine never has so much in one piece, use another kernel");
        return FALSE;
    }
    return TRUE;
}

gboolean bzimage_load(LinuxBoot *boot, const BootBoard *board, GError **error)
{
    g_autofree struct boot_params *parameters = g_new0(struct boot_params, 1);
    struct setup_header *header = &parameters->hdr;
    const char *bytes = g_bytes_get_data(boot->kernel, NULL);
    uint64_t kernel, initrd;

    read_header(boot, header);
    if (!choose_address(boot, header, board, &kernel, error)) {
        return FALSE;
    }
    if (!boot_place_initrd(boot, board, kernel + kernel_room(boot, header),
                           (uint64_t)header->initrd_addr_max + 1, &initrd, error) ||
        !boot_place_command_line(boot, header->cmdline_size, error) ||
        !boot_write(kernel, bytes + setup_size(header),
                    g_bytes_get_size(boot->kernel) - setup_size(header), "the kernel", error) ||
        !place_seed(parameters, error)) {
        return FALSE;
    }
    header->type_of_loader = LOADER_UNDEFINED;
    header->code32_start = (uint32_t)kernel;
    header->cmd_line_ptr = BOOT_COMMAND_LINE;
    header->ramdisk_image = (uint32_t)initrd;
    header->ramdisk_size = boot->initrd ? g_mapped_file_get_length(boot->initrd) : 0;
    parameters->acpi_rsdp_addr = board->rsdp;
    set_memory_map(parameters, board->memory);
    return boot_write(BOOT_PARAMETERS, parameters, sizeof(*parameters), "the boot parameters",
                      error) &&
           set_cpu(kernel, error);
}
