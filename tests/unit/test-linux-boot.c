/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernels: what of them is put where in guest RAM, and those that are packed.  Other reasons to
 * refuse one are in test-linux-boot-refused.c. */
#include "../qtest/linux-images.h"
#include "accel/vcpu.h"
#include "linux-boot-fixture.h"

#include <zlib.h>

#define INITRD_SIZE 10000u

/* --- what both have --- */

static uint64_t word(uint64_t address)
{
    uint64_t value;

    memcpy(&value, guest_ram + address, sizeof(value));
    return value;
}

/* As high as whole pages below @limit allow. */
static void check_initrd(uint64_t address, uint64_t limit)
{
    g_assert_cmphex(address, ==, (limit - INITRD_SIZE) & ~UINT64_C(4095));
    for (guint i = 0; i < INITRD_SIZE; i++) {
        g_assert_cmphex(guest_ram[address + i], ==, (guint8)(i * 13 + 5));
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
    const struct setup_data *data = (const void *)(guest_ram + address);
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
    return (const void *)(guest_ram + vcpu_boot()->rsi);
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
    g_assert_cmpstr((const char *)guest_ram + header->cmd_line_ptr, ==, "console=ttyS0 quiet");
    g_assert_cmphex(header->type_of_loader, ==, 0xff);
    g_assert_cmphex(header->code32_start, ==, IMAGE_KERNEL_ADDRESS);
    g_assert_cmphex(header->boot_flag, ==, 0xaa55); /* the rest is the file's */
    g_assert_cmphex(header->init_size, ==, IMAGE_INIT_SIZE);
    g_assert_cmphex(parameters()->acpi_rsdp_addr, ==, RSDP);
    /* Nothing of the file behind the header's end: the kernel takes that for other fields. */
    g_assert_cmphex(guest_ram[state->rsi + IMAGE_HEADER + sizeof(*header)], ==, 0);
    g_assert_cmphex(guest_ram[state->rsi + IMAGE_HEADER - 1], ==, 0);
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
    g_assert_cmphex(guest_ram[parameters()->hdr.cmd_line_ptr], ==, 0);

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
    memset((uint8_t *)guest_ram, 0xee, RAM_SIZE);
    save(kernel_path, "gone", 4); /* the file's new name; the old one stays mapped */
    g_assert_true(linux_boot_load(boot, &chosen, &error));
    check_kernel_at(IMAGE_KERNEL_ADDRESS);
    g_assert_cmpstr((const char *)guest_ram + parameters()->hdr.cmd_line_ptr, ==, "x");
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
    g_assert_cmpstr((const char *)guest_ram + word(info + 24), ==, "quiet");
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
    memset((uint8_t *)guest_ram, 0, RAM_SIZE);
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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    boot_fixture_begin();
    g_test_add_func("/linux-boot/bzimage", test_bzimage);
    g_test_add_func("/linux-boot/bzimage-bare", test_bzimage_bare);
    g_test_add_func("/linux-boot/again", test_again);
    g_test_add_func("/linux-boot/pvh", test_pvh);
    g_test_add_func("/linux-boot/gzip", test_gzip);
    g_test_add_func("/linux-boot/bad-gzip", test_bad_gzip);
    g_test_add_func("/linux-boot/gzip-bomb", test_gzip_bomb);
    int result = g_test_run();
    boot_fixture_end();
    return result;
}
