/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random block requests, right ones and every kind of wrong one, as values that can be sent to
 * several disks.
 */
#ifndef QTEST_BLK_RANDOM_H
#define QTEST_BLK_RANDOM_H

#include "qtest/virtio-blk.h"

#define BLK_RANDOM_DATA 65536 /* bytes of a request's data at most */
#define BLK_RANDOM_PIECES 4

typedef struct BlkRandom {
    const char *name; /* what kind of request it is */
    uint32_t type;
    uint64_t sector;
    uint32_t sizes[BLK_RANDOM_PIECES]; /* bytes of the data's pieces */
    guint pieces;
    gboolean device_writes; /* the data is the device's to write */
    uint32_t total;         /* of the sizes */
    uint8_t data[BLK_RANDOM_DATA];
} BlkRandom;

/* The next request for a disk of @sectors, from GLib's test random numbers. */
void blk_random_next(BlkRandom *request, uint64_t sectors);
/* A description for a failure.  Caller frees. */
char *blk_random_describe(const BlkRandom *request);

#endif
