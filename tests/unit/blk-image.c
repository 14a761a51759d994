/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images for the tests of vhost-user-blk, and a model of one. */
#include "blk-image.h"

#include <glib/gstdio.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#define TMPFS "/dev/shm"

static char *make_directory(BlkImagePlace place)
{
    struct statfs status;
    char *directory;

    if (place == BLK_IMAGE_ON_DISK) {
        directory = g_dir_make_tmp("test-blk-XXXXXX", NULL);
        g_assert_nonnull(directory);
        g_assert_cmpint(statfs(directory, &status), ==, 0);
        if (status.f_type == TMPFS_MAGIC) {
            g_test_skip("the directory for temporary files is on tmpfs");
            g_rmdir(directory);
            g_clear_pointer(&directory, g_free);
        }
        return directory;
    }
    if (statfs(TMPFS, &status) != 0 || status.f_type != TMPFS_MAGIC) {
        g_test_skip(TMPFS " is no tmpfs");
        return NULL;
    }
    directory = g_strdup(TMPFS "/test-blk-XXXXXX");
    g_assert_nonnull(g_mkdtemp(directory));
    return directory;
}

BlkImage *blk_image_new(BlkImagePlace place, uint64_t size)
{
    char *directory = make_directory(place);
    BlkImage *image;

    if (directory == NULL) {
        return NULL;
    }
    image = g_new0(BlkImage, 1);
    image->directory = directory;
    image->path = g_build_filename(directory, "image", NULL);
    image->size = size;
    image->model = g_malloc(size);
    for (uint64_t i = 0; i < size; i++) {
        image->model[i] = (uint8_t)g_test_rand_int();
    }
    g_assert_true(g_file_set_contents(image->path, (char *)image->model, (gssize)size, NULL));
    return image;
}

void blk_image_free(BlkImage *image)
{
    if (image != NULL) {
        g_remove(image->path);
        g_rmdir(image->directory);
        g_free(image->path);
        g_free(image->directory);
        g_free(image->model);
        g_free(image);
    }
}

BlkDisk *blk_image_open(const BlkImage *image, BlkDiskOptions options)
{
    g_autoptr(GError) error = NULL;

    options.path = image->path;
    BlkDisk *disk = blk_disk_open(&options, &error);

    g_assert_no_error(error);
    return disk;
}

void blk_image_check(const BlkImage *image)
{
    g_autofree char *contents = NULL;
    gsize size;

    g_assert_true(g_file_get_contents(image->path, &contents, &size, NULL));
    g_assert_cmpuint(size, ==, image->size);
    for (uint64_t i = 0; i < size; i++) {
        if ((uint8_t)contents[i] != image->model[i]) {
            g_error("byte %" G_GUINT64_FORMAT " is %#x, not %#x", (guint64)i, (uint8_t)contents[i],
                    image->model[i]);
        }
    }
}
