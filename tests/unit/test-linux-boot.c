/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernels: what of them is put where in guest RAM, and each reason to refuse one. */
#include "../qtest/linux-images.h"
#include "accel/vcpu.h"
#include "hw/i386/linux-boot.h"
#include "system/main-loop.h"
#include "system/memory.h"

#include <glib/gstdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#define RAM_SIZE (UINT64_C(8) << 20)
#define LOW_RAM (RAM_SIZE - 0x3000) /* tables lie above */
#define RSDP UINT64_C(0x7fd000)
#define INITRD_SIZE 10000u

static char *folder, *kernel_path, *initrd_path;
static const uint8_t *ram;
static GArray *memory_map;

static void save(const char *path, gconstpointer bytes, gsize size)
{
    GError *error = NULL;

    g_file_set_contents(path, bytes, (gssize)size, &error);
    g_assert_no_error(error);
}

/* The kernel's file is @image, which is freed. */
static void save_kernel(GByteArray *image)
{
    save(kernel_path, image->data, image->len);
    g_byte_array_unref(image);
}

static void save_initrd(gsize size)
{
    g_autofree char *bytes = g_malloc(size);

    for (gsize i = 0; i < size; i++) {
        bytes[i] = (char)(i * 13 + 5);
    }
    save(initrd_path, bytes, size);
}

static BootBoard board(void)
{
    return (BootBoard){.memory = memory_map, .low_ram = LOW_RAM, .rsdp = RSDP};
}

static gboolean start(const char *initrd, const char *command_line, GError **error)
{
    const BootBoard chosen = board();
    g_autoptr(LinuxBoot) boot = linux_boot_new(kernel_path, initrd, command_line, error);

    return boot && linux_boot_load(boot, &chosen, error);
}

static void start_or_fail(const char *initrd, const char *command_line)
{
    GError *error = NULL;

    g_assert_true(start(initrd, command_line, &error));
    g_assert_no_error(error);
}

/* @format is the whole message; %s in it the kernel's path. */
static void check_refused(const char *initrd, const char *command_line, const char *format)
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

/* --- what both have --- */

static uint64_t word(uint64_t address)
{
    uint64_t value;

    memcpy(&value, ram + address, sizeof(value));
    return value;
}

static void check_kernel_at(uint64_t address)
{
    for (guint i = 0; i < IMAGE_KERNEL_SIZE; i++) {
        g_assert_cmphex(ram[address + i], ==, image_byte(i));
    }
}

/* As high as whole pages below @limit allow. */
static void check_initrd(uint64_t address, uint64_t limit)
{
    g_assert_cmphex(address, ==, (limit - INITRD_SIZE) & ~UINT64_C(4095));
    for (guint i = 0; i < INITRD_SIZE; i++) {
        g_assert_cmphex(ram[address + i], ==, (guint8)(i * 13 + 5));
    }
}

static void check_gdt(const VcpuBoot *state, uint64_t code)
{
    g_assert_cmpuint(state->gdt_limit, ==, 31);
    g_assert_cmphex(word(state->gdt), ==, 0);
    g_assert_cmphex(word(state->gdt + 16), ==, code);
    g_assert_cmphex(word(state->gdt + 24), ==, UINT64_C(0x00cf93000000ffff));
}

/* --- bzImage --- */

/* Every address below 4 GiB is itself, present and writable, in pages of 2 MiB. */
static void check_page_tables(uint64_t root)
{
    for (uint64_t address = 0; address < UINT64_C(4) << 30; address += UINT64_C(2) << 20) {
        uint64_t entry = word(root + (address >> 39) * 8);
        g_assert_cmphex(entry & 0xfff, ==, 3);
        entry = word((entry & ~UINT64_C(0xfff)) + (address >> 30) * 8);
        g_assert_cmphex(entry & 0xfff, ==, 3);
        entry = word((entry & ~UINT64_C(0xfff)) + (address >> 21 & 511) * 8);
        g_assert_cmphex(entry, ==, address | 0x83);
    }
    g_assert_cmphex(word(root + 8), ==, 0);
}

static void check_seed(uint64_t address)
{
    const struct setup_data *data = (const void *)(ram + address);
    guint zeros = 0;

    g_assert_cmphex(data->next, ==, 0);
    g_assert_cmpuint(data->type, ==, 9); /* SETUP_RNG_SEED */
    g_assert_cmpuint(data->len, ==, 32);
    for (guint i = 0; i < 32; i++) {
        zeros += data->data[i] == 0;
    }
    g_assert_cmpuint(zeros, <, 16);
}

static const struct boot_params *parameters(void)
{
    return (const void *)(ram + vcpu_boot()->rsi);
}

static void check_e820(void)
{
    g_assert_cmpuint(parameters()->e820_entries, ==, memory_map->len);
    for (guint i = 0; i < memory_map->len; i++) {
        const BootMemory *entry = &g_array_index(memory_map, BootMemory, i);
        g_assert_cmphex(parameters()->e820_table[i].addr, ==, entry->address);
        g_assert_cmphex(parameters()->e820_table[i].size, ==, entry->size);
        g_assert_cmpuint(parameters()->e820_table[i].type, ==, entry->type);
    }
}

static void test_bzimage(void)
{
    save_kernel(image_bzimage());
    save_initrd(INITRD_SIZE);
    start_or_fail(initrd_path, "console=ttyS0 quiet");

    const VcpuBoot *state = vcpu_boot();
    const struct setup_header *header = &parameters()->hdr;
    g_assert_true(state->long_mode);
    g_assert_cmphex(state->entry, ==, IMAGE_KERNEL_ADDRESS + 0x200);
    check_kernel_at(IMAGE_KERNEL_ADDRESS);
    check_page_tables(state->page_table);
    check_gdt(state, UINT64_C(0x00af9b000000ffff));
    check_e820();
    check_seed(header->setup_data);
    check_initrd(header->ramdisk_image, LOW_RAM);
    g_assert_cmpuint(header->ramdisk_size, ==, INITRD_SIZE);
    g_assert_cmpstr((const char *)ram + header->cmd_line_ptr, ==, "console=ttyS0 quiet");
    g_assert_cmphex(header->type_of_loader, ==, 0xff);
    g_assert_cmphex(header->code32_start, ==, IMAGE_KERNEL_ADDRESS);
    g_assert_cmphex(header->boot_flag, ==, 0xaa55); /* the rest is the file's */
    g_assert_cmphex(header->init_size, ==, IMAGE_INIT_SIZE);
    g_assert_cmphex(parameters()->acpi_rsdp_addr, ==, RSDP);
    /* Nothing of the file behind the header's end: the kernel takes that for other fields. */
    g_assert_cmphex(ram[state->rsi + IMAGE_HEADER + sizeof(*header)], ==, 0);
    g_assert_cmphex(ram[state->rsi + IMAGE_HEADER - 1], ==, 0);
}

static void test_bzimage_bare(void)
{
    GByteArray *image = image_bzimage();

    image_header(image)->pref_address = 0; /* below 1 MiB nothing is loaded */
    image_header(image)->initrd_addr_max = 0x2fffff;
    save_kernel(image);
    start_or_fail(NULL, NULL);
    g_assert_cmphex(vcpu_boot()->entry, ==, 0x100200);
    check_kernel_at(0x100000);
    g_assert_cmphex(parameters()->hdr.ramdisk_image, ==, 0);
    g_assert_cmphex(parameters()->hdr.ramdisk_size, ==, 0);
    g_assert_cmphex(ram[parameters()->hdr.cmd_line_ptr], ==, 0);

    start_or_fail(initrd_path, NULL); /* the kernel's own limit */
    check_initrd(parameters()->hdr.ramdisk_image, 0x300000);
}

/* A second load, as at a reset, with another state in RAM. */
static void test_again(void)
{
    const BootBoard chosen = board();
    GError *error = NULL;

    save_kernel(image_bzimage());
    g_autoptr(LinuxBoot) boot = linux_boot_new(kernel_path, NULL, "x", &error);
    g_assert_no_error(error);
    g_assert_true(linux_boot_load(boot, &chosen, &error));
    memset((uint8_t *)ram, 0xee, RAM_SIZE);
    save(kernel_path, "gone", 4); /* the file's new name; the old one stays mapped */
    g_assert_true(linux_boot_load(boot, &chosen, &error));
    check_kernel_at(IMAGE_KERNEL_ADDRESS);
    g_assert_cmpstr((const char *)ram + parameters()->hdr.cmd_line_ptr, ==, "x");
    check_e820();
}

/* --- PVH --- */

static void test_pvh(void)
{
    save_kernel(image_elf());
    save_initrd(INITRD_SIZE);
    start_or_fail(initrd_path, "quiet");

    const VcpuBoot *state = vcpu_boot();
    uint64_t info = state->rbx;
    g_assert_false(state->long_mode);
    g_assert_cmphex(state->entry, ==, IMAGE_ENTRY);
    check_kernel_at(IMAGE_KERNEL_ADDRESS);
    check_gdt(state, UINT64_C(0x00cf9b000000ffff));
    /* struct hvm_start_info: offsets of Xen's public/arch-x86/hvm/start_info.h. */
    g_assert_cmphex(word(info), ==, UINT64_C(0x1336ec578)); /* magic, version 1 */
    g_assert_cmphex(word(info + 8), ==, UINT64_C(1) << 32); /* no flags, one module */
    g_assert_cmpstr((const char *)ram + word(info + 24), ==, "quiet");
    g_assert_cmphex(word(info + 32), ==, RSDP);
    g_assert_cmphex(word(info + 48), ==, memory_map->len);
    check_initrd(word(word(info + 16)), LOW_RAM);
    g_assert_cmpuint(word(word(info + 16) + 8), ==, INITRD_SIZE);
    for (guint i = 0; i < memory_map->len; i++) {
        const BootMemory *entry = &g_array_index(memory_map, BootMemory, i);
        uint64_t at = word(info + 40) + 24 * i;
        g_assert_cmphex(word(at), ==, entry->address);
        g_assert_cmphex(word(at + 8), ==, entry->size);
        g_assert_cmphex(word(at + 16), ==, entry->type);
    }

    start_or_fail(NULL, NULL);
    g_assert_cmphex(word(info + 8), ==, 0);
    g_assert_cmphex(word(info + 16), ==, 0);
}

/* --- packed with gzip --- */

#define GZIP_DAMAGED                                                                               \
    "is packed with gzip, and damaged or not alone in its file; try to unpack it with gunzip"

/* @image as gzip -9 packs it; @image is freed. */
static GByteArray *pack(GByteArray *image)
{
    GByteArray *packed = g_byte_array_new();
    z_stream stream = {.next_in = image->data, .avail_in = image->len};

    g_assert_cmpint(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), ==,
                    Z_OK);
    g_byte_array_set_size(packed, (guint)deflateBound(&stream, image->len));
    stream.next_out = packed->data;
    stream.avail_out = packed->len;
    g_assert_cmpint(deflate(&stream, Z_FINISH), ==, Z_STREAM_END);
    g_byte_array_set_size(packed, (guint)stream.total_out);
    deflateEnd(&stream);
    g_byte_array_unref(image);
    return packed;
}

static void test_gzip(void)
{
    save_kernel(pack(image_bzimage()));
    start_or_fail(NULL, "quiet");
    g_assert_true(vcpu_boot()->long_mode);
    check_kernel_at(IMAGE_KERNEL_ADDRESS);
    memset((uint8_t *)ram, 0, RAM_SIZE);
    save_kernel(pack(image_elf()));
    start_or_fail(NULL, "quiet");
    g_assert_false(vcpu_boot()->long_mode);
    check_kernel_at(IMAGE_KERNEL_ADDRESS);
}

static void set_content_size(GByteArray *packed, guint32 size)
{
    size = GUINT32_TO_LE(size);
    memcpy(packed->data + packed->len - sizeof(size), &size, sizeof(size));
}

static void test_bad_gzip(void)
{
    g_autoptr(GByteArray) good = pack(image_bzimage());

    for (guint length = 2; length < good->len; length += length < 20 ? 1 : 97) {
        save(kernel_path, good->data, length);
        check_refused(NULL, NULL, "-kernel KERNEL: " GZIP_DAMAGED);
    }
    for (guint i = 0; i < 8; i++) { /* CRC32 and ISIZE */
        good->data[good->len - 1 - i] ^= 1;
        save(kernel_path, good->data, good->len);
        check_refused(NULL, NULL, "-kernel KERNEL: " GZIP_DAMAGED);
        good->data[good->len - 1 - i] ^= 1;
    }
    save_kernel(pack(pack(image_bzimage())));
    check_refused(NULL, NULL, "-kernel KERNEL: is neither a bzImage nor an ELF image");
}

/* Neither what a file says nor what it holds makes us take more memory than it can need. */
static void test_gzip_bomb(void)
{
    GByteArray *zeros = g_byte_array_new();
    GByteArray *packed;

    g_byte_array_set_size(zeros, 16 << 20);
    memset(zeros->data, 0, zeros->len);
    packed = pack(zeros);
    set_content_size(packed, 5000); /* it holds more than it says */
    save(kernel_path, packed->data, packed->len);
    check_refused(NULL, NULL, "-kernel KERNEL: " GZIP_DAMAGED);
    set_content_size(packed, 1 << 30); /* it says more than it can hold */
    save(kernel_path, packed->data, packed->len);
    check_refused(NULL, NULL, "-kernel KERNEL: " GZIP_DAMAGED);
    g_byte_array_set_size(packed, 4 << 20); /* as large as one that holds that much would be */
    set_content_size(packed, UINT32_MAX);
    save_kernel(packed);
    check_refused(NULL, NULL,
                  "-kernel KERNEL: is packed with gzip and has 4095 MiB, expected 1024 at most");
}

/* --- refusals --- */

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

static void test_bzimage_does_not_fit(void)
{
    static const struct {
        uint64_t address;
        guint32 init_size;
        const char *message;
    } cases[] = {
        {0x200000, 0x800000, "needs 10 MiB of RAM below 0x7fd000 to start"},
        {0x10000000, 1, "needs 257 MiB of RAM below 0x7fd000 to start"},
        {UINT64_MAX, 1, "needs 17592186044417 MiB of RAM below 0x7fd000 to start"},
        {UINT64_MAX, UINT32_MAX, "needs 17592186048512 MiB of RAM below 0x7fd000 to start"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        GByteArray *image = image_bzimage();
        g_autofree char *message = g_strconcat("-kernel KERNEL: ", cases[i].message,
                                               "; give the guest more with -m", NULL);
        image_header(image)->pref_address = cases[i].address;
        image_header(image)->init_size = cases[i].init_size;
        save_kernel(image);
        check_refused(NULL, NULL, message);
    }
}

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
    check_refused(initrd_path, NULL,
                  "-initrd INITRD: 1 bytes do not fit between the kernel and guest address 0x1001; "
                  "give the guest more with -m");
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
static void test_segments_do_not_fit(void)
{
    static const struct {
        uint64_t address, size;
        const char *message;
    } cases[] = {
        {0x200000, 0x5fd001, "needs 6279169 bytes at guest address 0x200000"},
        {0x200000, UINT64_MAX, "needs 18446744073709551615 bytes at guest address 0x200000"},
        {0x7fe000, 5000, "needs 5000 bytes at guest address 0x7fe000"},
        {UINT64_C(1) << 32, 5000, "needs 5000 bytes at guest address 0x100000000"},
        {UINT64_MAX - 10, 5000, "needs 5000 bytes at guest address 0xfffffffffffffff5"},
    };
    GByteArray *image;

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *message =
            g_strconcat("-kernel KERNEL: a segment ", cases[i].message,
                        ", where RAM ends at 0x7fd000; give the guest more with -m", NULL);
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

/* A bzImage that is larger than it says: the initrd stays behind all of it. */
static void test_initrd_behind_file(void)
{
    GByteArray *image = image_bzimage();

    image_header(image)->init_size = 1;
    image_header(image)->initrd_addr_max = IMAGE_KERNEL_ADDRESS + 0x1fff;
    save_kernel(image);
    save_initrd(1);
    check_refused(initrd_path, NULL,
                  "-initrd INITRD: 1 bytes do not fit between the kernel and guest address "
                  "0x202000; give the guest more with -m");
}

static void add_memory(uint64_t address, uint64_t end, BootMemoryType type)
{
    BootMemory entry = {address, end - address, type};

    g_array_append_val(memory_map, entry);
}

int main(int argc, char **argv)
{
    g_autoptr(RamBlock) block = NULL;

    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    folder = g_dir_make_tmp("linux-boot-XXXXXX", NULL);
    kernel_path = g_build_filename(folder, "kernel", NULL);
    initrd_path = g_build_filename(folder, "initrd", NULL);
    block = ram_block_new("ram", -1, 0, RAM_SIZE, 0, 0, TRUE, FALSE, NULL);
    ram = block->host_address;
    g_assert_true(memory_add_boot(&(MemorySection){0, RAM_SIZE, block, 0}, NULL));
    memory_map = g_array_new(FALSE, FALSE, sizeof(BootMemory));
    add_memory(0, 0x9fc00, BOOT_MEMORY_RAM);
    add_memory(0x9fc00, 0x100000, BOOT_MEMORY_RESERVED);
    add_memory(0x100000, LOW_RAM, BOOT_MEMORY_RAM);
    add_memory(LOW_RAM, RAM_SIZE, BOOT_MEMORY_ACPI);
    g_test_add_func("/linux-boot/bzimage", test_bzimage);
    g_test_add_func("/linux-boot/bzimage-bare", test_bzimage_bare);
    g_test_add_func("/linux-boot/again", test_again);
    g_test_add_func("/linux-boot/pvh", test_pvh);
    g_test_add_func("/linux-boot/gzip", test_gzip);
    g_test_add_func("/linux-boot/bad-gzip", test_bad_gzip);
    g_test_add_func("/linux-boot/gzip-bomb", test_gzip_bomb);
    g_test_add_func("/linux-boot/not-a-kernel", test_not_a_kernel);
    g_test_add_func("/linux-boot/bad-bzimage", test_bad_bzimage);
    g_test_add_func("/linux-boot/bzimage-does-not-fit", test_bzimage_does_not_fit);
    g_test_add_func("/linux-boot/initrd-and-command-line", test_initrd_and_command_line);
    g_test_add_func("/linux-boot/elf-of-others", test_elf_of_others);
    g_test_add_func("/linux-boot/elf-without-note", test_elf_without_note);
    g_test_add_func("/linux-boot/bad-segments", test_bad_segments);
    g_test_add_func("/linux-boot/segments-do-not-fit", test_segments_do_not_fit);
    g_test_add_func("/linux-boot/initrd-behind-file", test_initrd_behind_file);
    int result = g_test_run();
    g_unlink(kernel_path);
    g_unlink(initrd_path);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
    g_array_unref(memory_map);
    memory_clear();
    g_free(kernel_path);
    g_free(initrd_path);
    g_free(folder);
    return result;
}
