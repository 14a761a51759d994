/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest RAM with a memory map, and the files that a kernel is started from. */
#ifndef TESTS_UNIT_LINUX_BOOT_FIXTURE_H
#define TESTS_UNIT_LINUX_BOOT_FIXTURE_H

#include "hw/i386/linux-boot.h"

#define RAM_SIZE (UINT64_C(8) << 20)
#define LOW_RAM (RAM_SIZE - 0x3000)   /* tables lie above */
#define LOW_LIMIT (UINT64_C(3) << 30) /* where a PC's RAM has its hole */
#define RSDP UINT64_C(0x7fd000)

#define GZIP_DAMAGED                                                                               \
    "is packed with gzip, and damaged or not alone in its file; try to unpack it with gunzip"

extern char *kernel_path, *initrd_path;
extern const uint8_t *guest_ram;
extern GArray *memory_map; /* of BootMemory */

/* Before and after all tests of a program. */
void boot_fixture_begin(void);
void boot_fixture_end(void);

void save(const char *path, gconstpointer bytes, gsize size);
/* The kernel's file is @image, which is freed. */
void save_kernel(GByteArray *image);
/* @size bytes, of which byte N is N * 13 + 5. */
void save_initrd(gsize size);

BootBoard board(void);
/* Reads the kernel's file and puts all in its place. */
gboolean start(const char *initrd, const char *command_line, GError **error);
void start_or_fail(const char *initrd, const char *command_line);
/* @format is the whole message; KERNEL and INITRD in it are the files' paths. */
void check_refused(const char *initrd, const char *command_line, const char *format);
/* The kernel of linux-images.h lies there. */
void check_kernel_at(uint64_t address);

#endif
