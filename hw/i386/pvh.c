/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ELF image and its PVH entry: 32-bit protected mode without paging, ebx points to
 * hvm_start_info (Xen, docs/misc/pvh.pandoc and public/arch-x86/hvm/start_info.h).
 */
#include "linux-boot-internal.h"

#include "accel/vcpu.h"
#include "util/error.h"

#include <elf.h>
#include <inttypes.h>
#include <string.h>

#define NOTE_NAME "Xen"
#define NOTE_PHYS32_ENTRY 18u /* XEN_ELFNOTE_PHYS32_ENTRY */
#define START_MAGIC 0x336ec578u
#define COMMAND_LINE_MAXIMUM 2047u /* what Linux for x86 keeps of it */

/* Version 1 of the structure, and its lists. */
typedef struct StartInfo {
    uint32_t magic, version, flags, modules_count;
    uint64_t modules, command_line, rsdp, memory_map;
    uint32_t memory_map_entries, reserved;
} StartInfo;

typedef struct Module {
    uint64_t address, size, command_line, reserved;
} Module;

typedef struct MapEntry {
    uint64_t address, size;
    uint32_t type, reserved;
} MapEntry;

G_STATIC_ASSERT(sizeof(StartInfo) == 56);
G_STATIC_ASSERT(sizeof(Module) == 32);
G_STATIC_ASSERT(sizeof(MapEntry) == 24);

#define MODULE_ADDRESS (BOOT_PARAMETERS + sizeof(StartInfo))
#define MAP_ADDRESS (MODULE_ADDRESS + sizeof(Module))

/* --- the file; every offset in it is checked before it is used --- */

/* @size bytes at @offset of the file, or NULL. */
static const void *file_range(const LinuxBoot *boot, uint64_t offset, uint64_t size)
{
    gsize length = g_bytes_get_size(boot->kernel);

    return offset <= length && size <= length - offset
               ? (const char *)g_bytes_get_data(boot->kernel, NULL) + offset
               : NULL;
}

/* Copies the file's head and segment @index; FALSE if there is none. */
static gboolean read_head(const LinuxBoot *boot, Elf64_Ehdr *head)
{
    const void *bytes = file_range(boot, 0, sizeof(*head));

    if (bytes) {
        memcpy(head, bytes, sizeof(*head));
    }
    return bytes != NULL;
}

static gboolean read_segment(const LinuxBoot *boot, const Elf64_Ehdr *head, guint index,
                             Elf64_Phdr *segment)
{
    uint64_t offset = head->e_phoff + (uint64_t)index * sizeof(*segment);
    const void *bytes = offset >= head->e_phoff ? file_range(boot, offset, sizeof(*segment)) : NULL;

    if (bytes) {
        memcpy(segment, bytes, sizeof(*segment));
    }
    return bytes != NULL;
}

/* The entry among the notes of one segment (ELF: name and description are padded to 4 bytes). */
static gboolean find_in_notes(const LinuxBoot *boot, const Elf64_Phdr *segment, uint64_t *entry)
{
    const char *bytes = file_range(boot, segment->p_offset, segment->p_filesz);
    uint64_t left = segment->p_filesz;
    Elf64_Nhdr note;

    while (bytes && left >= sizeof(note)) {
        memcpy(&note, bytes, sizeof(note));
        uint64_t name = ((uint64_t)note.n_namesz + 3) & ~UINT64_C(3);
        uint64_t description = ((uint64_t)note.n_descsz + 3) & ~UINT64_C(3);
        bytes += sizeof(note);
        left -= sizeof(note);
        if (name + description > left) {
            return FALSE;
        }
        if (note.n_type == NOTE_PHYS32_ENTRY && note.n_namesz == sizeof(NOTE_NAME) &&
            memcmp(bytes, NOTE_NAME, sizeof(NOTE_NAME)) == 0 &&
            (note.n_descsz == 4 || note.n_descsz == 8)) {
            *entry = 0;
            memcpy(entry, bytes + name, note.n_descsz);
            return TRUE;
        }
        bytes += name + description;
        left -= name + description;
    }
    return FALSE;
}

static gboolean find_entry(const LinuxBoot *boot, const Elf64_Ehdr *head, uint64_t *entry)
{
    Elf64_Phdr segment;

    for (guint i = 0; i < head->e_phnum; i++) {
        if (read_segment(boot, head, i, &segment) && segment.p_type == PT_NOTE &&
            find_in_notes(boot, &segment, entry)) {
            return TRUE;
        }
    }
    return FALSE;
}

gboolean pvh_check(const LinuxBoot *boot, GError **error)
{
    Elf64_Ehdr head;
    uint64_t entry;

    if (!read_head(boot, &head) || head.e_ident[EI_CLASS] != ELFCLASS64 ||
        head.e_ident[EI_DATA] != ELFDATA2LSB || head.e_machine != EM_X86_64 ||
        head.e_phentsize != sizeof(Elf64_Phdr)) {
        vm_error_set(error, "-kernel %s: is an ELF image, but not one for x86-64",
                     boot->kernel_path);
        return FALSE;
    }
    if (!find_entry(boot, &head, &entry)) {
        vm_error_set(error,
                     "-kernel %s: is an ELF image without a PVH entry; use the bzImage, or a "
                     "kernel with CONFIG_PVH",
                     boot->kernel_path);
        return FALSE;
    }
    return TRUE;
}

/* --- loading --- */

static gboolean load_segment(LinuxBoot *boot, const BootBoard *board, const Elf64_Phdr *segment,
                             GError **error)
{
    const void *bytes = file_range(boot, segment->p_offset, segment->p_filesz);

    if (!bytes || segment->p_filesz > segment->p_memsz) {
        vm_error_set(error, "-kernel %s: a segment at offset 0x%" PRIx64 " is not in the file",
                     boot->kernel_path, (uint64_t)segment->p_offset);
        return FALSE;
    }
    if (segment->p_paddr < BOOT_KERNEL_LOWEST) {
        vm_error_set(error,
                     "-kernel %s: a segment wants guest address 0x%" PRIx64
                     ", expected 1 MiB or above",
                     boot->kernel_path, (uint64_t)segment->p_paddr);
        return FALSE;
    }
    if (segment->p_paddr > board->low_ram || segment->p_memsz > board->low_ram - segment->p_paddr) {
        gboolean possible = segment->p_paddr <= board->low_limit &&
                            segment->p_memsz <= board->low_limit - segment->p_paddr;
        vm_error_set(error,
                     "-kernel %s: a segment needs %" PRIu64 " bytes at guest address 0x%" PRIx64
                     ", where RAM ends at 0x%" PRIx64 "; %s",
                     boot->kernel_path, (uint64_t)segment->p_memsz, (uint64_t)segment->p_paddr,
                     board->low_ram,
                     possible ? "give the guest more with -m"
                              : "this machine never has so much in one piece, use another kernel");
        return FALSE;
    }
    /* What follows in memory begins as zeros: RAM is at the first start, and a reset kernel clears
     * its own (.bss). */
    return segment->p_filesz == 0 ||
           boot_write(segment->p_paddr, bytes, segment->p_filesz, "the kernel", error);
}

static gboolean load_segments(LinuxBoot *boot, const BootBoard *board, const Elf64_Ehdr *head,
                              uint64_t *end, GError **error)
{
    Elf64_Phdr segment;

    *end = BOOT_KERNEL_LOWEST;
    for (guint i = 0; i < head->e_phnum; i++) {
        if (!read_segment(boot, head, i, &segment) || segment.p_type != PT_LOAD) {
            continue;
        }
        if (!load_segment(boot, board, &segment, error)) {
            return FALSE;
        }
        *end = MAX(*end, segment.p_paddr + segment.p_memsz);
    }
    return TRUE;
}

static gboolean place_start_info(LinuxBoot *boot, const BootBoard *board, uint64_t initrd,
                                 GError **error)
{
    g_autofree MapEntry *map = g_new0(MapEntry, board->memory->len);
    Module module = {.address = initrd};
    StartInfo start = {
        .magic = START_MAGIC,
        .version = 1,
        .modules_count = boot->initrd ? 1 : 0,
        .modules = boot->initrd ? MODULE_ADDRESS : 0,
        .command_line = BOOT_COMMAND_LINE,
        .rsdp = board->rsdp,
        .memory_map = MAP_ADDRESS,
        .memory_map_entries = board->memory->len,
    };

    if (boot->initrd) {
        module.size = g_mapped_file_get_length(boot->initrd);
    }
    for (guint i = 0; i < board->memory->len; i++) {
        const BootMemory *entry = &g_array_index(board->memory, BootMemory, i);
        map[i] = (MapEntry){entry->address, entry->size, entry->type, 0};
    }
    return boot_write(BOOT_PARAMETERS, &start, sizeof(start), "the boot parameters", error) &&
           boot_write(MODULE_ADDRESS, &module, sizeof(module), "the boot parameters", error) &&
           boot_write(MAP_ADDRESS, map, board->memory->len * sizeof(MapEntry), "the memory map",
                      error);
}

gboolean pvh_load(LinuxBoot *boot, const BootBoard *board, GError **error)
{
    VcpuBoot state = {.gdt = BOOT_GDT, .rbx = BOOT_PARAMETERS};
    Elf64_Ehdr head;
    uint64_t initrd, end;

    if (!read_head(boot, &head) || !find_entry(boot, &head, &state.entry) ||
        !load_segments(boot, board, &head, &end, error) ||
        !boot_place_initrd(boot, board, end, board->low_limit, &initrd, error) ||
        !boot_place_command_line(boot, COMMAND_LINE_MAXIMUM, error) ||
        !place_start_info(boot, board, initrd, error) ||
        !boot_place_gdt(FALSE, &state.gdt_limit, error)) {
        return FALSE;
    }
    vcpu_set_boot(&state);
    return TRUE;
}
