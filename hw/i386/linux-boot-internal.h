/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two ways to start a kernel share: files, and where things lie below 1 MiB. */
#ifndef HW_I386_LINUX_BOOT_INTERNAL_H
#define HW_I386_LINUX_BOOT_INTERNAL_H

#include "hw/i386/linux-boot.h"

/* Guest physical addresses, all in the RAM below 640 KiB. */
#define BOOT_GDT UINT64_C(0x500)
#define BOOT_PARAMETERS UINT64_C(0x7000)  /* struct boot_params, or hvm_start_info and its lists */
#define BOOT_PAGE_TABLES UINT64_C(0x9000) /* six pages */
#define BOOT_SETUP_DATA UINT64_C(0x10000)
#define BOOT_COMMAND_LINE UINT64_C(0x20000)
#define BOOT_COMMAND_LINE_ROOM 0x10000u
#define BOOT_KERNEL_LOWEST UINT64_C(0x100000)

#define BOOT_RANDOM_SEED_SIZE 32

struct LinuxBoot {
    GBytes *kernel;      /* unpacked */
    GMappedFile *initrd; /* NULL: none */
    char *kernel_path, *initrd_path, *command_line;
    gboolean elf; /* PVH */
};

/* Writes guest RAM.  FALSE with @error "@what does not fit ..." if it is not all RAM. */
gboolean boot_write(uint64_t address, const void *bytes, gsize size, const char *what,
                    GError **error);

/* Puts the initrd as high as possible below @limit (exclusive), which is the kernel's, and the end
 * of RAM, and above @floor; *@address is 0 without one. */
gboolean boot_place_initrd(LinuxBoot *boot, const BootBoard *board, uint64_t floor, uint64_t limit,
                           uint64_t *address, GError **error);

/* The command line at BOOT_COMMAND_LINE; at most @maximum bytes without its NUL. */
gboolean boot_place_command_line(LinuxBoot *boot, gsize maximum, GError **error);

/* Flat segments at BOOT_GDT; @long_mode: 64-bit code. */
gboolean boot_place_gdt(gboolean long_mode, uint16_t *limit, GError **error);

/* --- unpack.c --- */
gboolean boot_is_gzip(GBytes *file);
/* What is in @packed, the bytes of the gzip file @path; NULL with @error "-kernel @path: ...". */
GBytes *boot_unpack_gzip(const char *path, GBytes *packed, GError **error);

/* --- bzimage.c --- */
gboolean bzimage_check(const LinuxBoot *boot, GError **error);
gboolean bzimage_load(LinuxBoot *boot, const BootBoard *board, GError **error);

/* --- pvh.c --- */
gboolean pvh_check(const LinuxBoot *boot, GError **error);
gboolean pvh_load(LinuxBoot *boot, const BootBoard *board, GError **error);

#endif
