/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernels and initial RAM disks that are refused: each reason has its message. */
#include "../qtest/linux-images.h"
#include "linux-boot-fixture.h"

#include <glib/gstdio.h>
#include <unistd.h>

static void test_not_a_kernel(void)
{
    static const struct {
        const char *bytes;
        gsize size;
        const char *message;
    } cases[] = {
        {"\x1f\x8b\x08", 3, GZIP_DAMAGED},
        {"\xfd"
         "7zXZ",
         6, "is packed with xz; unpack it with unxz first"},
        {"\x28\xb5\x2f\xfd", 4, "is packed with zstd; unpack it with unzstd first"},
        {"\x04\x22\x4d\x18", 4, "is packed with LZ4; unpack it with unlz4 first"},
        {"\x02\x21\x4c\x18", 4, "is packed with LZ4; unpack it with unlz4 first"},
        {"BZh9", 4, "is packed with bzip2; unpack it with bunzip2 first"},
        {"\x5d\0\0\x80", 4, "is packed with lzma; unpack it with unlzma first"},
        {"\x89LZO\0\r\n\x1a\n", 9, "is packed with LZO; unpack it with lzop -d first"},
        {"\x27\x05\x19\x56", 4, "is an image for U-Boot; use the bzImage"},
        {"MZ\0\0zimg", 8, "is a zboot image, which EFI firmware unpacks; use the kernel within it"},
        {"MZ\0", 3, "is an EFI program, and there is no EFI here; use the bzImage within it"},
        {"x", 1, "is neither a bzImage nor an ELF image"},
        {"#!/bin/sh\n", 10, "is neither a bzImage nor an ELF image"},
        {"\x7f"
         "ELF",
         4, "is an ELF image, but not one for x86-64"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *message = g_strconcat("-kernel KERNEL: ", cases[i].message, NULL);
        save(kernel_path, cases[i].bytes, cases[i].size);
        check_refused(NULL, NULL, message);
    }
    char image[0x3c] = "MZ";
    memcpy(image + 0x38, "ARM\x64", 4);
    save(kernel_path, image, sizeof(image));
    check_refused(NULL, NULL, "-kernel KERNEL: is a kernel for 64-bit ARM; use one for x86-64");
    memcpy(image + 0x38, "RSC\x05", 4);
    save(kernel_path, image, sizeof(image));
    check_refused(NULL, NULL, "-kernel KERNEL: is a kernel for RISC-V; use one for x86-64");
    save(kernel_path, "", 0);
    check_refused(NULL, NULL, "-kernel KERNEL: is empty");
    g_assert_cmpint(g_unlink(kernel_path), ==, 0);
    check_refused(NULL, NULL, "-kernel KERNEL: cannot be read: No such file or directory");
    g_assert_cmpint(g_mkdir(kernel_path, 0700), ==, 0);
    check_refused(NULL, NULL, "-kernel KERNEL: is not a regular file");
    g_assert_cmpint(g_rmdir(kernel_path), ==, 0);
    g_assert_cmpint(mkfifo(kernel_path, 0600), ==, 0); /* nobody writes to it */
    check_refused(NULL, NULL, "-kernel KERNEL: is not a regular file");
    g_assert_cmpint(g_unlink(kernel_path), ==, 0);
}

static void test_bad_bzimage(void)
{
    GByteArray *image = image_bzimage();

    image_header(image)->version = 0x0207;
    save_kernel(image);
    check_refused(NULL, NULL,
                  "-kernel KERNEL: has boot protocol 2.07, at least 2.12 is needed (Linux 3.8)");
    image = image_bzimage();
    image_header(image)->xloadflags = 0;
    save_kernel(image);
    check_refused(NULL, NULL, "-kernel KERNEL: has no 64-bit entry; use a kernel for x86-64");
    image = image_bzimage();
    image_header(image)->loadflags = 0;
    image_header(image)->version = 0x0204; /* as old as the last zImages */
    save_kernel(image);
    check_refused(NULL, NULL,
                  "-kernel KERNEL: is a zImage, which runs below 1 MiB; use the bzImage");
    image = image_bzimage();
    g_byte_array_set_size(image, IMAGE_SETUP_SIZE);
    save_kernel(image);
    check_refused(NULL, NULL, "-kernel KERNEL: ends before the kernel begins");
    image = image_bzimage();
    g_byte_array_set_size(image, image->len - 9); /* 8: less than a paragraph, but for the last */
    save_kernel(image);
    check_refused(NULL, NULL,
                  "-kernel KERNEL: is cut off: it has 6527 bytes, and 6544 by its header");
    image = image_bzimage();
    image_header(image)->syssize = UINT32_MAX;
    save_kernel(image);
    check_refused(NULL, NULL,
                  "-kernel KERNEL: is cut off: it has 6536 bytes, and 68719478256 by its header");
    image = image_bzimage();
    image_header(image)->boot_flag = 0;
    save_kernel(image);
    check_refused(NULL, NULL, "-kernel KERNEL: is neither a bzImage nor an ELF image");
    image = image_bzimage();
    image->data[0x201] = 4; /* the header ends before xloadflags */
    save_kernel(image);
    check_refused(NULL, NULL,
                  "-kernel KERNEL: has boot protocol 0.00, at least 2.12 is needed "
                  "(Linux 3.8)");
}

#define NEEDED " of RAM to start, and free RAM ends at 0x7fd000; "
#define MORE_RAM "give the guest more with -m"
#define NEVER "this machine never has so much in one piece, use another kernel"

static void test_bzimage_does_not_fit(void)
{
    static const struct {
        uint64_t address;
        guint32 init_size;
        const char *message;
    } cases[] = {
        {0x200000, 0x800000, "10 MiB" NEEDED MORE_RAM},
        {0x10000000, 1, "257 MiB" NEEDED MORE_RAM},
        {0xbfff0000, 0x10000, "3072 MiB" NEEDED MORE_RAM},
        {0xbfff0000, 0x10001, "3073 MiB" NEEDED NEVER},
        {UINT64_MAX, 1, "17592186044417 MiB" NEEDED NEVER},
        {UINT64_MAX, UINT32_MAX, "17592186048512 MiB" NEEDED NEVER},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        GByteArray *image = image_bzimage();
        g_autofree char *message =
            g_strconcat("-kernel KERNEL: needs the first ", cases[i].message, NULL);
        image_header(image)->pref_address = cases[i].address;
        image_header(image)->init_size = cases[i].init_size;
        save_kernel(image);
        check_refused(NULL, NULL, message);
    }
}

/* What more RAM does not help: the kernel's own limit, or the hole below 4 GiB. */
#define AT_MOST(bytes, limit)                                                                      \
    ", and this kernel and machine take " bytes " at most, which lie below guest address " limit   \
    " however much RAM there is; use a smaller one"

static void test_initrd_and_command_line(void)
{
    g_autofree char *fits = g_strnfill(255, 'a');
    g_autofree char *too_long = g_strnfill(256, 'a');
    g_autofree char *much = g_strnfill(2048, 'b');
    GByteArray *image;

    save_kernel(image_bzimage());
    start_or_fail(NULL, fits);
    check_refused(NULL, too_long, "-append: has 256 bytes, this kernel takes 255 at most");
    save_initrd(6 << 20);
    check_refused(initrd_path, NULL,
                  "-initrd INITRD: 6291456 bytes do not fit between the kernel and guest address "
                  "0x7fd000; give the guest more with -m");
    image = image_bzimage();
    image_header(image)->initrd_addr_max = 0x1000; /* below the kernel */
    save_kernel(image);
    save_initrd(1);
    check_refused(initrd_path, NULL, "-initrd INITRD: has 1 bytes" AT_MOST("0", "0x1001"));
    save(initrd_path, "", 0);
    check_refused(initrd_path, NULL, "-initrd INITRD: is empty");
    g_assert_cmpint(g_unlink(initrd_path), ==, 0);
    check_refused(initrd_path, NULL, "-initrd INITRD: cannot be read: No such file or directory");

    save_kernel(image_elf());
    check_refused(NULL, much, "-append: has 2048 bytes, this kernel takes 2047 at most");
    save_initrd(6 << 20);
    check_refused(initrd_path, NULL,
                  "-initrd INITRD: 6291456 bytes do not fit between the kernel and guest address "
                  "0x7fd000; give the guest more with -m");
}

/* A fresh ELF image whose head the caller changes. */
static ElfImage *elf(GByteArray **image)
{
    *image = image_elf();
    return image_elf_head(*image);
}

static void test_elf_of_others(void)
{
    const char *message = "-kernel KERNEL: is an ELF image, but not one for x86-64";
    GByteArray *image;

    elf(&image)->head.e_ident[EI_CLASS] = ELFCLASS32;
    save_kernel(image);
    check_refused(NULL, NULL, message);
    elf(&image)->head.e_machine = EM_AARCH64;
    save_kernel(image);
    check_refused(NULL, NULL, message);
    elf(&image)->head.e_ident[EI_DATA] = ELFDATA2MSB;
    save_kernel(image);
    check_refused(NULL, NULL, message);
    elf(&image)->head.e_phentsize = 32;
    save_kernel(image);
    check_refused(NULL, NULL, message);
    elf(&image);
    g_byte_array_set_size(image, sizeof(Elf64_Ehdr) - 1);
    save_kernel(image);
    check_refused(NULL, NULL, message);
}

static void test_elf_without_note(void)
{
    const char *message = "-kernel KERNEL: is an ELF image without a PVH entry; use the bzImage, "
                          "or a kernel with CONFIG_PVH";
    GByteArray *image;

    elf(&image)->note.n_type = 17;
    save_kernel(image);
    check_refused(NULL, NULL, message);
    elf(&image)->name[0] = 'Y';
    save_kernel(image);
    check_refused(NULL, NULL, message);
    elf(&image)->note.n_descsz = 2;
    save_kernel(image);
    check_refused(NULL, NULL, message);
    elf(&image)->other.n_namesz = UINT32_MAX; /* leads out of the segment */
    save_kernel(image);
    check_refused(NULL, NULL, message);
    elf(&image)->note_segment.p_filesz = UINT64_MAX; /* and of the file */
    save_kernel(image);
    check_refused(NULL, NULL, message);
    elf(&image)->note_segment.p_offset = UINT64_MAX;
    save_kernel(image);
    check_refused(NULL, NULL, message);
    elf(&image)->head.e_phoff = UINT64_MAX - 8;
    save_kernel(image);
    check_refused(NULL, NULL, message);
    elf(&image)->head.e_phnum = 0;
    save_kernel(image);
    check_refused(NULL, NULL, message);
}

static void test_bad_segments(void)
{
    GByteArray *image;

    g_byte_array_set_size((elf(&image), image), sizeof(ElfImage) + IMAGE_KERNEL_SIZE - 1);
    save_kernel(image);
    check_refused(NULL, NULL, "-kernel KERNEL: a segment at offset 0xe0 is not in the file");
    elf(&image)->load_segment.p_memsz = IMAGE_KERNEL_SIZE - 1;
    save_kernel(image);
    check_refused(NULL, NULL, "-kernel KERNEL: a segment at offset 0xe0 is not in the file");
    elf(&image)->load_segment.p_paddr = 0x7000;
    save_kernel(image);
    check_refused(NULL, NULL,
                  "-kernel KERNEL: a segment wants guest address 0x7000, expected 1 MiB or above");
}

/* What follows in memory counts as well: neither the tables nor the initrd may lie in it. */
#define ENDS ", where RAM ends at 0x7fd000; "

static void test_segments_do_not_fit(void)
{
    static const struct {
        uint64_t address, size;
        const char *message;
    } cases[] = {
        {0x200000, 0x5fd001, "6279169 bytes at guest address 0x200000" ENDS MORE_RAM},
        {0x200000, UINT64_MAX, "18446744073709551615 bytes at guest address 0x200000" ENDS NEVER},
        {0x7fe000, 5000, "5000 bytes at guest address 0x7fe000" ENDS MORE_RAM},
        {UINT64_C(1) << 32, 5000, "5000 bytes at guest address 0x100000000" ENDS NEVER},
        {UINT64_MAX - 10, 5000, "5000 bytes at guest address 0xfffffffffffffff5" ENDS NEVER},
    };
    GByteArray *image;

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *message =
            g_strconcat("-kernel KERNEL: a segment needs ", cases[i].message, NULL);
        elf(&image)->load_segment.p_paddr = cases[i].address;
        image_elf_head(image)->load_segment.p_memsz = cases[i].size;
        save_kernel(image);
        check_refused(NULL, NULL, message);
    }
    elf(&image)->load_segment.p_memsz = 0x5fd000;
    save_kernel(image);
    start_or_fail(NULL, NULL);
    save_initrd(1);
    check_refused(initrd_path, NULL,
                  "-initrd INITRD: 1 bytes do not fit between the kernel and guest address "
                  "0x7fd000; give the guest more with -m");
}

/* Files with holes: their sizes are all that is looked at before they are refused. */
static void test_initrd_too_large(void)
{
    g_autofree char *limit = g_strdup_printf("%" G_GUINT64_FORMAT, (guint64)0x80000000 - 0x209000);
    g_autofree char *own = g_strconcat(
        "-initrd INITRD: has 2147483648 bytes, and this kernel and machine take ", limit, NULL);
    GByteArray *image = image_bzimage();

    image_header(image)->initrd_addr_max = 0x7fffffff;
    save_kernel(image);
    save_initrd(1);
    g_assert_cmpint(truncate(initrd_path, G_GINT64_CONSTANT(0x80000000)), ==, 0);
    g_autofree char *message =
        g_strconcat(own,
                    " at most, which lie below guest address 0x80000000 however much RAM "
                    "there is; use a smaller one",
                    NULL);
    check_refused(initrd_path, NULL, message);
    /* One that would fit into more RAM. */
    g_assert_cmpint(truncate(initrd_path, G_GINT64_CONSTANT(0x80000000) - 0x209000), ==, 0);
    check_refused(initrd_path, NULL,
                  "-initrd INITRD: 2145349632 bytes do not fit between the kernel and guest "
                  "address 0x7fd000; give the guest more with -m");
    /* A PVH kernel says nothing of a limit: the hole below 4 GiB is it. */
    save_kernel(image_elf());
    g_assert_cmpint(truncate(initrd_path, G_GINT64_CONSTANT(0xc0000000)), ==, 0);
    check_refused(initrd_path, NULL,
                  "-initrd INITRD: has 3221225472 bytes" AT_MOST("3219091456", "0xc0000000"));
}

/* A bzImage that is larger than it says: the initrd stays behind all of it. */
static void test_initrd_behind_file(void)
{
    GByteArray *image = image_bzimage();

    image_header(image)->init_size = 1;
    image_header(image)->initrd_addr_max = IMAGE_KERNEL_ADDRESS + 0x1fff;
    save_kernel(image);
    save_initrd(1);
    check_refused(initrd_path, NULL, "-initrd INITRD: has 1 bytes" AT_MOST("0", "0x202000"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    boot_fixture_begin();
    g_test_add_func("/linux-boot/not-a-kernel", test_not_a_kernel);
    g_test_add_func("/linux-boot/bad-bzimage", test_bad_bzimage);
    g_test_add_func("/linux-boot/bzimage-does-not-fit", test_bzimage_does_not_fit);
    g_test_add_func("/linux-boot/initrd-and-command-line", test_initrd_and_command_line);
    g_test_add_func("/linux-boot/elf-of-others", test_elf_of_others);
    g_test_add_func("/linux-boot/elf-without-note", test_elf_without_note);
    g_test_add_func("/linux-boot/bad-segments", test_bad_segments);
    g_test_add_func("/linux-boot/segments-do-not-fit", test_segments_do_not_fit);
    g_test_add_func("/linux-boot/initrd-too-large", test_initrd_too_large);
    g_test_add_func("/linux-boot/initrd-behind-file", test_initrd_behind_file);
    int result = g_test_run();
    boot_fixture_end();
    return result;
}
