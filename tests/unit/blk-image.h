/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images for the tests of vhost-user-blk, and a model of one: an array of bytes. */
#ifndef TESTS_BLK_IMAGE_H
#define TESTS_BLK_IMAGE_H

#include "tools/vhost-user-blk/disk.h"

/* Where an image lies decides how it is done. */
typedef enum BlkImagePlace {
    BLK_IMAGE_ON_DISK,   /* the directory for temporary files */
    BLK_IMAGE_IN_MEMORY, /* tmpfs */
} BlkImagePlace;

typedef struct BlkImage {
    char *directory;
    char *path;
    uint64_t size;
    uint8_t *model; /* what the image should hold */
} BlkImage;

/* An image of @size random bytes; NULL if there is no such place, and then the test is skipped. */
BlkImage *blk_image_new(BlkImagePlace place, uint64_t size);
void blk_image_free(BlkImage *image);

/* Opens it; @options.path is filled in. The test fails if that fails. */
BlkDisk *blk_image_open(const BlkImage *image, BlkDiskOptions options);

/* The file and the model are the same. */
void blk_image_check(const BlkImage *image);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlkImage, blk_image_free)

#endif
