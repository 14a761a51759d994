/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The map and the accessors: pieces, gaps, both ends of the address space, files that shrink. */
#include "system/main-loop.h"
#include "system/memory.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

static RamBlock *new_block(gboolean read_only)
{
    return ram_block_new("m0", -1, 0, 4 * PAGE, 0, 0, TRUE, read_only, NULL);
}

static void map(uint64_t address, uint64_t size, RamBlock *block, uint64_t offset)
{
    MemorySection section = {address, size, block, offset};
    g_autoptr(GError) error = NULL;

    memory_add_boot(&section, &error);
    g_assert_no_error(error);
}

static void test_pieces(void)
{
    g_autoptr(RamBlock) block = new_block(FALSE);
    g_autoptr(GError) error = NULL;
    char text[16] = "";
    uint8_t bytes[8] = {9, 9, 9, 9, 9, 9, 9, 9};

    /* Two neighbours whose host memory is not in that order, and a gap behind. */
    map(0x10000, PAGE, block, 2 * PAGE);
    map(0x11000, PAGE, block, 0);
    g_assert_true(memory_copy_out(0x10ffc, "12345678", 8));
    g_assert_cmpint(memcmp((char *)block->host_address + 3 * PAGE - 4, "1234", 4), ==, 0);
    g_assert_cmpint(memcmp(block->host_address, "5678", 4), ==, 0);
    g_assert_true(memory_copy_in(text, 0x10ffc, 8));
    g_assert_cmpstr(text, ==, "12345678");

    g_assert_null(memory_pointer(0x10ffc, 8, MEMORY_READ, &error));
    g_assert_nonnull(strstr(error->message, "guest address 0x10ffc"));
    g_assert_null(memory_pointer(0x10ffc, 0, MEMORY_READ, NULL));
    g_assert_null(memory_pointer(0x10000, UINT64_MAX, MEMORY_READ, NULL));
    g_assert_null(memory_pointer(UINT64_MAX, 2, MEMORY_READ, NULL));
    g_assert_true(memory_pointer(0x11000, PAGE, MEMORY_WRITE, NULL) == block->host_address);

    /* All or nothing for a device model. */
    g_assert_false(memory_copy_out(0x11ffc, "abcdefgh", 8));
    g_assert_cmpint(((char *)block->host_address)[PAGE - 4], ==, 0);
    g_assert_false(memory_copy_in(text, 0x11ffc, 8));
    g_assert_cmpstr(text, ==, "12345678");
    g_assert_false(memory_copy_in(text, UINT64_MAX - 3, 8));
    g_assert_true(memory_copy_in(text, 0x999999, 0));

    /* A CPU gets what is there. */
    memory_write(ADDRESS_SPACE_MEMORY, 0x11ffc, "abcdefgh", 8);
    memory_read(ADDRESS_SPACE_MEMORY, 0x11ffc, bytes, 8);
    g_assert_cmpint(memcmp(bytes, "abcd\0\0\0\0", 8), ==, 0);
    memory_read(ADDRESS_SPACE_MEMORY, 0xfffc, bytes, 8);
    g_assert_cmpint(memcmp(bytes, "\0\0\0\0\0\0\0\0", 8), ==, 0);
    memory_read(ADDRESS_SPACE_IO, 0x80, bytes, 8);
    g_assert_cmpint(memcmp(bytes, "\xff\xff\xff\xff\xff\xff\xff\xff", 8), ==, 0);
    memory_clear();
}

static void test_ends_of_space(void)
{
    g_autoptr(RamBlock) block = new_block(FALSE);
    char text[9] = "";

    map(0, PAGE, block, 0);
    map(0 - (uint64_t)PAGE, PAGE, block, PAGE);
    g_assert_cmpuint(memory_section_count(), ==, 2);
    g_assert_true(memory_copy_out(UINT64_MAX - 7, "12345678", 8));
    g_assert_false(memory_copy_out(UINT64_MAX - 3, "xxxxyyyy", 8)); /* does not wrap to 0 */
    g_assert_true(memory_copy_in(text, UINT64_MAX - 7, 8));
    g_assert_cmpstr(text, ==, "12345678");
    g_assert_false(memory_range_is_free(0, 1));
    g_assert_true(memory_range_is_free(PAGE, 0 - (uint64_t)(2 * PAGE)));
    g_assert_false(memory_range_is_free(PAGE, 0 - (uint64_t)(2 * PAGE) + 1));
    g_assert_false(memory_range_is_free(UINT64_MAX, UINT64_MAX));
    memory_clear();
    g_assert_true(memory_range_is_free(0, UINT64_MAX));
    memory_read(ADDRESS_SPACE_MEMORY, UINT64_MAX - 3, text,
                8); /* nobody there: no loop, no crash */
    memory_write(ADDRESS_SPACE_MEMORY, UINT64_MAX - 3, text, 8);
}

static void test_read_only(void)
{
    g_autoptr(RamBlock) block = new_block(TRUE);
    g_autoptr(GError) error = NULL;
    uint32_t value = 0x12345678;

    map(0, PAGE, block, 0);
    g_assert_null(memory_pointer(0, 4, MEMORY_WRITE, &error));
    g_assert_cmpstr(error->message, ==, "guest address 0x0: memory 'm0' is read-only");
    g_assert_nonnull(memory_pointer(0, 4, MEMORY_READ, NULL));
    g_assert_false(memory_copy_out(0, &value, 4));
    memory_write(ADDRESS_SPACE_MEMORY, 0, &value, 4);
    memory_read(ADDRESS_SPACE_MEMORY, 0, &value, 4);
    g_assert_cmpuint(value, ==, 0);
    memory_clear();
}

/* Somebody truncates the file of a memory-backend-file: an access must not be SIGBUS. */
static void test_truncated(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    int other = dup(fd);
    uint32_t value = 5;

    g_assert_cmpint(ftruncate(fd, 2 * PAGE), ==, 0);
    RamBlock *block = ram_block_new("m0", fd, 0, 2 * PAGE, 0, 0, TRUE, FALSE, NULL);
    map(0, 2 * PAGE, block, 0);
    memory_write(ADDRESS_SPACE_MEMORY, PAGE, &value, 4);
    g_assert_true(memory_copy_out(PAGE + 4, &value, 4));
    g_assert_cmpint(ftruncate(other, PAGE), ==, 0);
    memory_read(ADDRESS_SPACE_MEMORY, PAGE, &value, 4);
    g_assert_cmpuint(value, ==, 0);
    g_assert_false(memory_copy_in(&value, PAGE, 4));
    g_assert_false(memory_copy_out(PAGE, &value, 4));
    memory_write(ADDRESS_SPACE_MEMORY, PAGE, &value, 4);
    g_assert_true(memory_copy_in(&value, 0, 4));
    memory_clear();
    ram_block_unref(block);
    close(other);
}

/* Many sections in random order against a naive list of pages. */
static void test_random(void)
{
    g_autoptr(RamBlock) block = new_block(FALSE);
    gboolean present[2048] = {FALSE};
    guint count = 0;

    for (guint step = 0; step < 4000; step++) {
        guint page = (guint)g_test_rand_int_range(0, G_N_ELEMENTS(present));
        guint probe = (guint)g_test_rand_int_range(0, G_N_ELEMENTS(present));
        MemorySection section = {(uint64_t)page * PAGE, PAGE, block, 0};
        const MemorySection *found;

        g_assert_true(memory_add_boot(&section, NULL) == !present[page]);
        count += !present[page];
        present[page] = TRUE;
        g_assert_cmpuint(memory_section_count(), ==, count);
        found = memory_section_find((uint64_t)probe * PAGE + 7);
        g_assert_true((found != NULL) == present[probe]);
        g_assert_true(!found || found->guest_address == (uint64_t)probe * PAGE);
    }

    g_autofree uint64_t *seen = g_new(uint64_t, 1);
    GArray *copy = memory_sections_copy(seen);
    g_assert_cmpuint(*seen, ==, memory_generation());
    g_assert_cmpint(g_atomic_int_get(&block->references), ==, (gint)(1 + 2 * count));
    for (guint i = 1; i < copy->len; i++) {
        g_assert_cmpuint(g_array_index(copy, MemorySection, i - 1).guest_address, <,
                         g_array_index(copy, MemorySection, i).guest_address);
    }
    memory_sections_free(copy);
    memory_clear();
    g_assert_cmpint(g_atomic_int_get(&block->references), ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    g_test_add_func("/memory/pieces", test_pieces);
    g_test_add_func("/memory/ends-of-space", test_ends_of_space);
    g_test_add_func("/memory/read-only", test_read_only);
    g_test_add_func("/memory/truncated", test_truncated);
    g_test_add_func("/memory/random", test_random);
    return g_test_run();
}
