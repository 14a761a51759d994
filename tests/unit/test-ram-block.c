/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RamBlock: mapping, alignment, references, errors that name the memory. */
#include "system/ram-block.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

static int memory_file(uint64_t size, gboolean sealed)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, (off_t)size), ==, 0);
    if (sealed) {
        g_assert_cmpint(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), ==, 0);
    }
    return fd;
}

static void test_shared_file(void)
{
    g_autoptr(GError) error = NULL;
    int fd = memory_file(4 * PAGE, TRUE);
    int other = dup(fd);
    char *view = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);
    RamBlock *block =
        ram_block_new("m0", fd, PAGE, 2 * PAGE, PAGE, 2 * 1024 * 1024, TRUE, FALSE, &error);

    g_assert_no_error(error);
    g_assert_cmpuint(ram_block_count(), ==, 1);
    g_assert_cmpuint((uintptr_t)block->host_address % (2 * 1024 * 1024), ==, 0);
    g_assert_false(block->may_shrink);
    strcpy(block->host_address, "seen");
    g_assert_cmpstr(view + PAGE, ==, "seen");

    g_assert_true(ram_block_ref(block) == block);
    ram_block_unref(block);
    g_assert_cmpuint(ram_block_count(), ==, 1);
    ram_block_unref(block);
    g_assert_cmpuint(ram_block_count(), ==, 0);
    g_assert_cmpint(fcntl(fd, F_GETFD), ==, -1);
    munmap(view, 4 * PAGE);
    close(other);
}

static void test_anonymous(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(RamBlock) block = ram_block_new("m0", -1, 0, 5 * PAGE, 0, 0, FALSE, FALSE, &error);

    g_assert_no_error(error);
    g_assert_false(block->may_shrink);
    g_assert_cmpuint(block->page_size, ==, (uint64_t)sysconf(_SC_PAGESIZE));
    memset(block->host_address, 1, block->size);
}

static void test_unsealed(void)
{
    g_autoptr(RamBlock) block =
        ram_block_new("m0", memory_file(PAGE, FALSE), 0, PAGE, PAGE, 0, TRUE, FALSE, NULL);

    g_assert_true(block->may_shrink);
}

static void check_refused(uint64_t offset, uint64_t size, uint64_t alignment, const char *text)
{
    g_autoptr(GError) error = NULL;
    int fd = memory_file(PAGE, TRUE);

    g_assert_null(ram_block_new("m7", fd, offset, size, PAGE, alignment, TRUE, FALSE, &error));
    g_assert_nonnull(error);
    g_assert_true(g_str_has_prefix(error->message, "memory 'm7': "));
    g_assert_nonnull(strstr(error->message, text));
    g_assert_cmpint(fcntl(fd, F_GETFD), ==, -1);
    g_assert_cmpuint(ram_block_count(), ==, 0);
}

static void test_errors(void)
{
    check_refused(0, 0, 0, "size is 0");
    check_refused(100, PAGE, 0, "offset 0x64");
    check_refused(0, PAGE, 3 * PAGE, "not a power of two");
    check_refused(PAGE, UINT64_MAX - 1, 0, "beyond what a file can hold");
    check_refused(0, INT64_MAX - PAGE, 0, "cannot map");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ram-block/shared-file", test_shared_file);
    g_test_add_func("/ram-block/anonymous", test_anonymous);
    g_test_add_func("/ram-block/unsealed", test_unsealed);
    g_test_add_func("/ram-block/errors", test_errors);
    return g_test_run();
}
