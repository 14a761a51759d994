/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The image of vhost-user-blk: opening and refusing, locks, sizes, and all that can be done. */
#include "blk-image.h"
#include "tools/loop-device.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIB UINT64_C(1024)

/* --- opening --- */

static void assert_refused(const BlkDiskOptions *options, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(blk_disk_open(options, &error));
    g_assert_cmpstr(error->message, ==, message);
}

static void test_refused(void)
{
    g_autoptr(BlkImage) image = blk_image_new(BLK_IMAGE_ON_DISK, 511);
    g_autofree char *message = NULL;
    g_autofree char *missing = NULL;
    g_autofree char *fifo = NULL;

    if (image == NULL) {
        return;
    }
    missing = g_strconcat(image->path, "-missing", NULL);
    message = g_strconcat(missing, ": No such file or directory", NULL);
    assert_refused(&(BlkDiskOptions){.path = missing}, message);

    g_free(message);
    message = g_strconcat(image->directory,
                          ": is a directory; an image is a regular file or a block device", NULL);
    assert_refused(&(BlkDiskOptions){.path = image->directory}, message);
    assert_refused(&(BlkDiskOptions){.path = "/dev/null"},
                   "/dev/null: is a special file; an image is a regular file or a block device");

    g_free(message);
    fifo = g_strconcat(image->path, "-fifo", NULL);
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    message = g_strconcat(fifo, ": is a special file; an image is a regular file or a block device",
                          NULL);
    assert_refused(&(BlkDiskOptions){.path = fifo, .read_only = TRUE}, message);
    g_remove(fifo);

    g_free(message);
    message = g_strconcat(image->path, ": has 511 bytes, less than one block of 512", NULL);
    assert_refused(&(BlkDiskOptions){.path = image->path}, message);
}

/* --- sizes --- */

static void test_size_is_rounded_down(void)
{
    g_autoptr(BlkImage) image = blk_image_new(BLK_IMAGE_ON_DISK, 16 * KIB + 513);
    g_autoptr(BlkDisk) disk = NULL;
    g_autofree char *warning = NULL;
    gboolean changed = FALSE;
    GError *error = NULL;

    if (image == NULL) {
        return;
    }
    disk = blk_image_open(image, (BlkDiskOptions){.block_size = 512});
    g_assert_cmpuint(blk_disk_size(disk), ==, 16 * KIB + 512);
    warning = g_strconcat(image->path,
                          ": has 16897 bytes, no multiple of the block size 512; the last 1 are "
                          "not used",
                          NULL);
    g_assert_cmpstr(blk_disk_warning(disk), ==, warning);

    g_assert_cmpint(truncate(image->path, 32 * KIB), ==, 0);
    g_assert_true(blk_disk_refresh(disk, &changed, &error));
    g_assert_true(changed);
    g_assert_cmpuint(blk_disk_size(disk), ==, 32 * KIB);
    g_assert_null(blk_disk_warning(disk));

    g_assert_cmpint(truncate(image->path, 32 * KIB + 1), ==, 0);
    g_assert_true(blk_disk_refresh(disk, &changed, &error));
    g_assert_false(changed);
    g_assert_nonnull(blk_disk_warning(disk));

    g_assert_cmpint(truncate(image->path, 0), ==, 0);
    g_assert_false(blk_disk_refresh(disk, &changed, &error));
    g_assert_true(g_str_has_suffix(error->message, ": has 0 bytes, less than one block of 512"));
    g_assert_cmpuint(blk_disk_size(disk), ==, 32 * KIB);
    g_error_free(error);
}

static void test_block_sizes(void)
{
    g_autoptr(BlkImage) image = blk_image_new(BLK_IMAGE_ON_DISK, 64 * KIB);
    BlkDisk *disk;

    if (image == NULL) {
        return;
    }
    disk = blk_image_open(image, (BlkDiskOptions){0});
    g_assert_cmpuint(blk_disk_block_size(disk), ==, 512);
    g_assert_cmpuint(blk_disk_physical_block_size(disk) % 512, ==, 0);
    g_assert_cmpuint(blk_disk_offset_alignment(disk), ==, 1);
    g_assert_false(blk_disk_in_memory(disk));
    blk_disk_close(disk);

    disk = blk_image_open(image, (BlkDiskOptions){.block_size = 4096});
    g_assert_cmpuint(blk_disk_block_size(disk), ==, 4096);
    g_assert_cmpuint(blk_disk_physical_block_size(disk), ==, 4096);
    blk_disk_close(disk);
}

/* --- locks --- */

static void assert_locked(const BlkImage *image, gboolean read_only, const char *why)
{
    g_autofree char *message = g_strconcat(image->path, why, NULL);

    assert_refused(&(BlkDiskOptions){.path = image->path, .read_only = read_only}, message);
}

static void test_locks(void)
{
    g_autoptr(BlkImage) image = blk_image_new(BLK_IMAGE_ON_DISK, 64 * KIB);
    BlkDisk *writer, *reader, *another;

    if (image == NULL) {
        return;
    }
    writer = blk_image_open(image, (BlkDiskOptions){0});
    assert_locked(image, FALSE,
                  ": another program has it locked, and two writers would destroy it; end that "
                  "first, or use --read-only in both");
    assert_locked(image, TRUE, ": another program has it open for writing; end that first");
    blk_disk_close(writer);

    reader = blk_image_open(image, (BlkDiskOptions){.read_only = TRUE});
    another = blk_image_open(image, (BlkDiskOptions){.read_only = TRUE});
    assert_locked(image, FALSE,
                  ": another program has it locked, and two writers would destroy it; end that "
                  "first, or use --read-only in both");
    blk_disk_close(reader);
    blk_disk_close(another);
    blk_disk_close(blk_image_open(image, (BlkDiskOptions){0}));
}

/* A program that locks single bytes of its own choice, as others do. */
static void test_locks_of_others(void)
{
    g_autoptr(BlkImage) image = blk_image_new(BLK_IMAGE_ON_DISK, 64 * KIB);
    struct flock lock = {.l_type = F_RDLCK, .l_start = 203, .l_len = 1};
    int fd;

    if (image == NULL) {
        return;
    }
    fd = open(image->path, O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(fcntl(fd, F_OFD_SETLK, &lock), ==, 0);
    assert_locked(image, FALSE,
                  ": another program has it locked, and two writers would destroy it; end that "
                  "first, or use --read-only in both");
    blk_disk_close(blk_image_open(image, (BlkDiskOptions){.read_only = TRUE}));
    close(fd);
}

/* --- what can be done, against a model --- */

/* Cuts [@bytes, @bytes + @size) into pieces at random places. */
static unsigned random_pieces(uint8_t *bytes, size_t size, struct iovec *pieces, unsigned most)
{
    unsigned count = 0;

    while (size > 0 && count < most - 1) {
        size_t part = (size_t)g_test_rand_int_range(1, (int)size + 1);

        pieces[count++] = (struct iovec){bytes, part};
        bytes += part;
        size -= part;
    }
    if (size > 0) {
        pieces[count++] = (struct iovec){bytes, size};
    }
    return count;
}

/* A random range of the image in units of @unit; not empty. */
static void random_range(const BlkImage *image, uint32_t unit, uint64_t *offset, uint64_t *length)
{
    int units = (int)(image->size / unit);
    int first = g_test_rand_int_range(0, units);

    *offset = (uint64_t)first * unit;
    *length = (uint64_t)g_test_rand_int_range(1, MIN(units - first, 64) + 1) * unit;
}

static void random_read(const BlkImage *image, BlkDisk *disk, uint64_t offset, uint64_t length)
{
    g_autofree uint8_t *buffer = g_malloc0(length);
    struct iovec pieces[12];
    unsigned count = random_pieces(buffer, length, pieces, G_N_ELEMENTS(pieces));

    g_assert_cmpint(blk_disk_read(disk, offset, pieces, count), ==, 0);
    g_assert_cmpmem(buffer, length, image->model + offset, length);
}

static void random_write(BlkImage *image, BlkDisk *disk, uint64_t offset, uint64_t length)
{
    struct iovec pieces[12];

    for (uint64_t i = 0; i < length; i++) {
        image->model[offset + i] = (uint8_t)g_test_rand_int();
    }
    unsigned count = random_pieces(image->model + offset, length, pieces, G_N_ELEMENTS(pieces));

    g_assert_cmpint(blk_disk_write(disk, offset, pieces, count), ==, 0);
}

/* Undefined contents: neither file system nor device of this test does anything but zeroes. */
static void random_discard(BlkImage *image, BlkDisk *disk, uint64_t offset, uint64_t length)
{
    g_autofree uint8_t *now = g_malloc(length);
    struct iovec piece = {now, length};

    g_assert_cmpint(blk_disk_discard(disk, offset, length), ==, 0);
    g_assert_cmpint(blk_disk_read(disk, offset, &piece, 1), ==, 0);
    for (uint64_t i = 0; i < length; i++) {
        g_assert_true(now[i] == 0 || now[i] == image->model[offset + i]);
    }
    memcpy(image->model + offset, now, length);
}

static void random_operations(BlkImage *image, BlkDisk *disk, uint32_t unit, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t offset, length;

        random_range(image, unit, &offset, &length);
        switch (g_test_rand_int_range(0, 6)) {
        case 0:
        case 1:
            random_read(image, disk, offset, length);
            break;
        case 2:
        case 3:
            random_write(image, disk, offset, length);
            break;
        case 4:
            random_discard(image, disk, offset, length);
            break;
        case 5:
            g_assert_cmpint(
                blk_disk_write_zeroes(disk, offset, length, g_test_rand_int_range(0, 2)), ==, 0);
            memset(image->model + offset, 0, length);
            break;
        }
    }
    g_assert_cmpint(blk_disk_flush(disk), ==, 0);
}

static void test_model(gconstpointer place)
{
    g_autoptr(BlkImage) image = blk_image_new((BlkImagePlace)GPOINTER_TO_INT(place), 512 * KIB);

    if (image == NULL) {
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        BlkDisk *disk = blk_image_open(image, (BlkDiskOptions){0});

        g_assert_cmpint(blk_disk_in_memory(disk), ==, place != NULL);
        blk_disk_set_write_through(disk, i == 1);
        g_assert_cmpint(blk_disk_write_through(disk), ==, i == 1);
        random_operations(image, disk, 512, i == 1 ? 20 : 200);
        blk_disk_close(disk);
        blk_image_check(image);
    }
}

/* Buffers of any alignment, which O_DIRECT refuses, go through a bounce buffer. */
static void test_direct(gconstpointer place)
{
    g_autoptr(BlkImage) image = blk_image_new((BlkImagePlace)GPOINTER_TO_INT(place), 2048 * KIB);
    BlkDiskOptions options = {.cache = BLK_CACHE_NONE, .block_size = 4096};
    g_autoptr(GError) error = NULL;
    BlkDisk *disk;

    if (image == NULL) {
        return;
    }
    options.path = image->path;
    disk = blk_disk_open(&options, &error);
    if (disk == NULL) {
        g_test_skip(error->message);
        return;
    }
    g_assert_true(blk_disk_direct(disk));
    random_operations(image, disk, 4096, 30);
    /* More than a bounce buffer, in pieces that don't fit into its portions. */
    random_write(image, disk, 4096, 2044 * KIB);
    random_read(image, disk, 0, 2048 * KIB);
    blk_disk_close(disk);
    blk_image_check(image);
}

/* More pieces than one system call takes. */
static void test_many_pieces(void)
{
    g_autoptr(BlkImage) image = blk_image_new(BLK_IMAGE_ON_DISK, 64 * KIB);
    g_autoptr(BlkDisk) disk = NULL;
    g_autofree uint8_t *buffer = g_malloc0(16 * KIB);
    g_autofree struct iovec *pieces = g_new(struct iovec, 16 * KIB);

    if (image == NULL) {
        return;
    }
    disk = blk_image_open(image, (BlkDiskOptions){0});
    for (unsigned i = 0; i < 16 * KIB; i++) {
        pieces[i] = (struct iovec){buffer + i, 1};
    }
    g_assert_cmpint(blk_disk_read(disk, 512, pieces, 16 * KIB), ==, 0);
    g_assert_cmpmem(buffer, 16 * KIB, image->model + 512, 16 * KIB);
    for (unsigned i = 0; i < 16 * KIB; i++) {
        pieces[i] = (struct iovec){buffer + i, 1};
    }
    g_assert_cmpint(blk_disk_write(disk, 1024, pieces, 16 * KIB), ==, 0);
    memcpy(image->model + 1024, buffer, 16 * KIB);
    blk_image_check(image);
}

static void test_errors(void)
{
    g_autoptr(BlkImage) image = blk_image_new(BLK_IMAGE_ON_DISK, 64 * KIB);
    uint8_t buffer[4 * KIB] = {0};
    struct iovec piece = {buffer, sizeof(buffer)};
    BlkDisk *disk;

    if (image == NULL) {
        return;
    }
    /* The image was made shorter by somebody else. */
    disk = blk_image_open(image, (BlkDiskOptions){0});
    g_assert_cmpint(truncate(image->path, 62 * KIB), ==, 0);
    g_assert_cmpint(blk_disk_read(disk, 60 * KIB, &piece, 1), ==, -EIO);
    blk_disk_close(disk);

    /* Whoever asks all the same; the requests' rules are looked at earlier. */
    disk = blk_image_open(image, (BlkDiskOptions){.read_only = TRUE});
    piece = (struct iovec){buffer, sizeof(buffer)};
    g_assert_cmpint(blk_disk_write(disk, 0, &piece, 1), ==, -EBADF);
    g_assert_cmpint(blk_disk_flush(disk), ==, 0);
    g_assert_false(blk_disk_can_discard(disk));
    blk_disk_close(disk);
}

static blkcnt_t blocks_of(const BlkImage *image)
{
    struct stat status;

    g_assert_cmpint(stat(image->path, &status), ==, 0);
    return status.st_blocks;
}

/* A discard gives memory back, a write of zeroes without unmap does not. */
static void test_space(void)
{
    g_autoptr(BlkImage) image = blk_image_new(BLK_IMAGE_IN_MEMORY, 256 * KIB);
    g_autoptr(BlkDisk) disk = NULL;

    if (image == NULL) {
        return;
    }
    disk = blk_image_open(image, (BlkDiskOptions){0});
    g_assert_true(blk_disk_can_discard(disk));
    g_assert_cmpint(blocks_of(image), ==, 512);
    g_assert_cmpint(blk_disk_write_zeroes(disk, 0, 128 * KIB, FALSE), ==, 0);
    g_assert_cmpint(blocks_of(image), ==, 512);
    g_assert_cmpint(blk_disk_write_zeroes(disk, 0, 64 * KIB, TRUE), ==, 0);
    g_assert_cmpint(blocks_of(image), ==, 384);
    g_assert_cmpint(blk_disk_discard(disk, 64 * KIB, 64 * KIB), ==, 0);
    g_assert_cmpint(blocks_of(image), ==, 256);
    g_assert_cmpint(blk_disk_discard(disk, 64 * KIB, 0), ==, 0);
    memset(image->model, 0, 128 * KIB);
    blk_image_check(image);
}

/* --- a block device --- */

static void test_block_device(gconstpointer block_size)
{
    uint32_t block = GPOINTER_TO_UINT(block_size);
    g_autoptr(BlkImage) image = blk_image_new(BLK_IMAGE_ON_DISK, 1024 * KIB);
    g_autoptr(LoopDevice) loop = NULL;
    g_autoptr(GError) error = NULL;
    BlkDiskOptions options = {0};
    BlkDisk *disk;

    if (image == NULL || (loop = loop_device_new(image->path, block)) == NULL) {
        return;
    }
    options.path = loop->path;
    disk = blk_disk_open(&options, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(blk_disk_size(disk), ==, 1024 * KIB);
    g_assert_cmpuint(blk_disk_block_size(disk), ==, block);
    g_assert_true(blk_disk_can_discard(disk));
    /* Also sectors of a larger block: the page cache can do them. */
    random_operations(image, disk, 512, 200);
    blk_disk_close(disk);

    options.direct = TRUE;
    disk = blk_disk_open(&options, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(blk_disk_offset_alignment(disk), ==, block);
    random_operations(image, disk, block, 100);
    blk_disk_close(disk);

    if (block == 4096) {
        g_autofree char *message = g_strconcat(
            loop->path,
            ": can be read and written around the page cache in blocks of 4096 bytes only, not of "
            "512; use --block-size 4096",
            NULL);

        options.block_size = 512;
        assert_refused(&options, message);
    }
    blk_image_check(image);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/blk-disk/refused", test_refused);
    g_test_add_func("/blk-disk/size-is-rounded-down", test_size_is_rounded_down);
    g_test_add_func("/blk-disk/block-sizes", test_block_sizes);
    g_test_add_func("/blk-disk/locks", test_locks);
    g_test_add_func("/blk-disk/locks-of-others", test_locks_of_others);
    g_test_add_data_func("/blk-disk/model/on-disk", GINT_TO_POINTER(BLK_IMAGE_ON_DISK), test_model);
    g_test_add_data_func("/blk-disk/model/in-memory", GINT_TO_POINTER(BLK_IMAGE_IN_MEMORY),
                         test_model);
    g_test_add_data_func("/blk-disk/direct/on-disk", GINT_TO_POINTER(BLK_IMAGE_ON_DISK),
                         test_direct);
    g_test_add_data_func("/blk-disk/direct/in-memory", GINT_TO_POINTER(BLK_IMAGE_IN_MEMORY),
                         test_direct);
    g_test_add_func("/blk-disk/many-pieces", test_many_pieces);
    g_test_add_func("/blk-disk/errors", test_errors);
    g_test_add_func("/blk-disk/space", test_space);
    g_test_add_data_func("/blk-disk/block-device/512", GUINT_TO_POINTER(512), test_block_device);
    g_test_add_data_func("/blk-disk/block-device/4096", GUINT_TO_POINTER(4096), test_block_device);
    return g_test_run();
}
