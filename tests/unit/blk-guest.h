/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest with a disk, both ends in one process: the workers of vhost-user-blk behind the real
 * library, and in front of it the library's driver, whose requests go through a real ring.
 */
#ifndef TESTS_BLK_GUEST_H
#define TESTS_BLK_GUEST_H

#include "libvhost-user/driver.h"
#include "tools/vhost-user-blk/worker.h"

#define BLK_GUEST_DEADLINE 10000 /* ms */

typedef struct BlkGuest BlkGuest;

typedef struct BlkGuestOptions {
    BlkEngineKind engine;
    unsigned queues;        /* 0: 1 */
    unsigned workers;       /* 0: one a queue */
    uint64_t ring_features; /* with INDIRECT_DESC every other request is in a table of its own */
    gboolean polled;        /* the disk gets no kick descriptor */
    void (*trace)(void *opaque, const char *line);
    void *opaque;
} BlkGuestOptions;

/* Connects and starts all queues. NULL, with the test skipped, if the host has no such engine. */
BlkGuest *blk_guest_new(BlkDisk *disk, const BlkGuestOptions *options);

/* Hangs up, which stops the queues, and ends the workers. */
void blk_guest_free(BlkGuest *guest);

/* A request in guest memory, at a place of its own: up to BLK_GUEST_DATA bytes. */
#define BLK_GUEST_DEPTH 32u
#define BLK_GUEST_DATA (64u << 10)

typedef struct BlkGuestRequest {
    unsigned place; /* below BLK_GUEST_DEPTH; free */
    uint32_t type;
    uint64_t sector;
    const void *data; /* for the disk, @size bytes; NULL: to come from it */
    uint32_t size;
    unsigned skew; /* bytes that the data are moved by: alignment, and the border of regions */
} BlkGuestRequest;

/* Gives it to the disk. The kick is left to blk_guest_kick(). */
void blk_guest_add(BlkGuest *guest, unsigned queue, const BlkGuestRequest *request);
void blk_guest_kick(BlkGuest *guest, unsigned queue);

/* Waits for one. Returns its place; its status, and where the data came to if not NULL. */
unsigned blk_guest_wait(BlkGuest *guest, unsigned queue, uint8_t *status, const uint8_t **data);

/* All of that for one request at place 0. Returns the status. */
uint8_t blk_guest_ask(BlkGuest *guest, unsigned queue, const BlkGuestRequest *request);

/* Stops the queue (GET_VRING_BASE), and starts it again where it was. */
void blk_guest_stop(BlkGuest *guest, unsigned queue);
void blk_guest_start(BlkGuest *guest, unsigned queue);

VhostUserDriverQueue *blk_guest_queue(BlkGuest *guest, unsigned queue);
BlkWorkers *blk_guest_workers(BlkGuest *guest);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlkGuest, blk_guest_free)

#endif
