/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting a Linux kernel: its files, and what both of its entries need. */
#include "linux-boot-internal.h"

#include "accel/vcpu.h"
#include "system/memory.h"
#include "util/error.h"
#include "util/fd.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PAGE_SIZE UINT64_C(4096)

/* --- files --- */

static GMappedFile *map_file(const char *option, const char *path, GError **error)
{
    g_autoptr(GError) reason = NULL;
    GMappedFile *file = NULL;
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* waits for no writer of a FIFO */

    if (fd < 0 || fstat(fd, &status) < 0) {
        vm_error_set_errno(error, errno, "%s %s: cannot be read", option, path);
    } else if (!S_ISREG(status.st_mode) || status.st_size == 0) {
        vm_error_set(error, "%s %s: is %s", option, path,
                     S_ISREG(status.st_mode) ? "empty" : "not a regular file");
    } else if (!(file = g_mapped_file_new_from_fd(fd, FALSE, &reason))) {
        vm_error_set(error, "%s %s: cannot be mapped: %s", option, path, reason->message);
    }
    fd_clear(&fd);
    return file;
}

#define PACKED(name, command) "is packed with " name "; unpack it with " command " first"
#define FOREIGN(name) "is a kernel for " name "; use one for x86-64"

/* Files that a user may take for a kernel of ours, with what can be done about it. */
static gboolean refuse_others(const LinuxBoot *boot, GError **error)
{
    static const struct {
        gsize offset;
        const char *magic;
        gsize size;
        const char *message;
    } others[] = {
        {0,
         "\xfd"
         "7zXZ",
         5, PACKED("xz", "unxz")},
        {0, "\x5d\0\0", 3, PACKED("lzma", "unlzma")},
        {0, "\x28\xb5\x2f\xfd", 4, PACKED("zstd", "unzstd")},
        {0, "\x04\x22\x4d\x18", 4, PACKED("LZ4", "unlz4")},
        {0, "\x02\x21\x4c\x18", 4, PACKED("LZ4", "unlz4")}, /* its older format */
        {0, "BZh", 3, PACKED("bzip2", "bunzip2")},
        {0, "\x89LZO", 4, PACKED("LZO", "lzop -d")},
        {0, "\x27\x05\x19\x56", 4, "is an image for U-Boot; use the bzImage"},
        {4, "zimg", 4, "is a zboot image, which EFI firmware unpacks; use the kernel within it"},
        {0x38, "ARM\x64", 4, FOREIGN("64-bit ARM")}, /* Documentation/arch/arm64/booting.rst */
        {0x38, "RSC\x05", 4, FOREIGN("RISC-V")},     /* arch/riscv/boot-image-header.rst */
    };
    const char *bytes = g_bytes_get_data(boot->kernel, NULL);
    gsize size = g_bytes_get_size(boot->kernel);

    for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
        if (size >= others[i].offset + others[i].size &&
            memcmp(bytes + others[i].offset, others[i].magic, others[i].size) == 0) {
            vm_error_set(error, "-kernel %s: %s", boot->kernel_path, others[i].message);
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean is_elf(const LinuxBoot *boot)
{
    return g_bytes_get_size(boot->kernel) >= SELFMAG &&
           memcmp(g_bytes_get_data(boot->kernel, NULL), ELFMAG, SELFMAG) == 0;
}

/* The kernel, unpacked if it is packed with gzip. */
static GBytes *read_kernel(const char *path, GError **error)
{
    g_autoptr(GMappedFile) file = map_file("-kernel", path, error);
    g_autoptr(GBytes) bytes = file ? g_mapped_file_get_bytes(file) : NULL;

    return bytes && boot_is_gzip(bytes) ? boot_unpack_gzip(path, bytes, error)
                                        : g_steal_pointer(&bytes);
}

LinuxBoot *linux_boot_new(const char *kernel, const char *initrd, const char *command_line,
                          GError **error)
{
    g_autoptr(LinuxBoot) boot = g_new0(LinuxBoot, 1);

    boot->kernel_path = g_strdup(kernel);
    boot->initrd_path = g_strdup(initrd);
    boot->command_line = g_strdup(command_line ? command_line : "");
    boot->kernel = read_kernel(kernel, error);
    if (!boot->kernel) {
        return NULL;
    }
    if (initrd) {
        boot->initrd = map_file("-initrd", initrd, error);
        if (!boot->initrd) {
            return NULL;
        }
    }
    boot->elf = is_elf(boot);
    if (refuse_others(boot, error) ||
        !(boot->elf ? pvh_check(boot, error) : bzimage_check(boot, error))) {
        return NULL;
    }
    return g_steal_pointer(&boot);
}

void linux_boot_free(LinuxBoot *boot)
{
    if (!boot) {
        return;
    }
    g_clear_pointer(&boot->kernel, g_bytes_unref);
    g_clear_pointer(&boot->initrd, g_mapped_file_unref);
    g_free(boot->kernel_path);
    g_free(boot->initrd_path);
    g_free(boot->command_line);
    g_free(boot);
}

gboolean linux_boot_load(LinuxBoot *boot, const BootBoard *board, GError **error)
{
    gboolean good = boot->elf ? pvh_load(boot, board, error) : bzimage_load(boot, board, error);

    if (boot->initrd) {
        /* The next reset reads it again; until then its pages need not be ours. */
        madvise(g_mapped_file_get_contents(boot->initrd), g_mapped_file_get_length(boot->initrd),
                MADV_DONTNEED);
    }
    return good;
}

/* --- guest memory --- */

gboolean boot_write(uint64_t address, const void *bytes, gsize size, const char *what,
                    GError **error)
{
    if (!memory_copy_out(address, bytes, size)) {
        vm_error_set(error,
                     "-kernel: %s does not fit: %zu bytes at guest address 0x%" PRIx64
                     " are not all RAM; give the guest more with -m",
                     what, size, address);
        return FALSE;
    }
    return TRUE;
}

/* Bytes of an initrd that fit; what they begin with is a page of their own. */
static uint64_t initrd_room(uint64_t floor, uint64_t limit)
{
    return limit > floor + PAGE_SIZE ? limit - floor - PAGE_SIZE : 0;
}

gboolean boot_place_initrd(LinuxBoot *boot, const BootBoard *board, uint64_t floor, uint64_t limit,
                           uint64_t *address, GError **error)
{
    uint64_t most = initrd_room(floor, MIN(limit, board->low_limit));
    gsize size;

    *address = 0;
    if (!boot->initrd) {
        return TRUE;
    }
    size = g_mapped_file_get_length(boot->initrd);
    if (size > most) {
        vm_error_set(error,
                     "-initrd %s: has %zu bytes, and this kernel and machine take %" PRIu64
                     " at most, which lie below guest address 0x%" PRIx64 " however much RAM "
                     "there is; use a smaller one",
                     boot->initrd_path, size, most, MIN(limit, board->low_limit));
        return FALSE;
    }
    limit = MIN(limit, board->low_ram);
    if (size > initrd_room(floor, limit)) {
        vm_error_set(
            error,
            "-initrd %s: %zu bytes do not fit between the kernel and guest address 0x%" PRIx64
            "; give the guest more with -m",
            boot->initrd_path, size, limit);
        return FALSE;
    }
    *address = (limit - size) / PAGE_SIZE * PAGE_SIZE;
    return boot_write(*address, g_mapped_file_get_contents(boot->initrd), size, "the initrd",
                      error);
}

gboolean boot_place_command_line(LinuxBoot *boot, gsize maximum, GError **error)
{
    gsize length = strlen(boot->command_line);

    maximum = MIN(maximum, BOOT_COMMAND_LINE_ROOM - 1);
    if (length > maximum) {
        vm_error_set(error, "-append: has %zu bytes, this kernel takes %zu at most", length,
                     maximum);
        return FALSE;
    }
    return boot_write(BOOT_COMMAND_LINE, boot->command_line, length + 1, "the command line", error);
}

gboolean boot_place_gdt(gboolean long_mode, uint16_t *limit, GError **error)
{
    uint64_t table[VCPU_BOOT_DESCRIPTORS];

    vcpu_boot_descriptors(long_mode, table);
    *limit = sizeof(table) - 1;
    return boot_write(BOOT_GDT, table, sizeof(table), "the descriptor table", error);
}
