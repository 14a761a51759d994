/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting a Linux kernel without firmware: a bzImage by the 64-bit entry of the x86 boot
 * protocol (Linux, Documentation/arch/x86/boot.rst), or an ELF image by its PVH entry (Xen,
 * docs/misc/pvh.pandoc).  VM lock held, main thread.
 */
#ifndef HW_I386_LINUX_BOOT_H
#define HW_I386_LINUX_BOOT_H

#include <glib.h>
#include <stdint.h>

/* Types of memory map entries, the same in e820 (ACPI 6.4, 15.1) and PVH. */
typedef enum BootMemoryType {
    BOOT_MEMORY_RAM = 1,
    BOOT_MEMORY_RESERVED = 2,
    BOOT_MEMORY_ACPI = 3, /* tables that the kernel may overwrite when it has read them */
} BootMemoryType;

typedef struct BootMemory {
    uint64_t address, size; /* bytes */
    BootMemoryType type;
} BootMemory;

/* What the board tells the kernel. */
typedef struct BootBoard {
    const GArray *memory; /* of BootMemory, sorted, without overlaps */
    uint64_t low_ram;     /* end of the RAM that begins at 1 MiB: kernel and initrd go below */
    uint64_t low_limit;   /* where that end would be with as much RAM as can be */
    uint64_t rsdp;        /* of the ACPI tables, 0: none */
} BootBoard;

typedef struct LinuxBoot LinuxBoot;

/*
 * Reads -kernel, -initrd and -append (the latter two may be NULL).  NULL with @error, which names
 * the option, for a file that cannot be read, is no kernel, or is one of another kind than these.
 */
LinuxBoot *linux_boot_new(const char *kernel, const char *initrd, const char *command_line,
                          GError **error);
void linux_boot_free(LinuxBoot *boot);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinuxBoot, linux_boot_free)

/* Puts all of it into guest RAM and sets the first CPU's state (vcpu_set_boot()): before the
 * machine runs first, and again at each reset. FALSE with @error: it does not fit. */
gboolean linux_boot_load(LinuxBoot *boot, const BootBoard *board, GError **error);

#endif
