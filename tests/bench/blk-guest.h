/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plays a guest with a virtio block device (virtio 1.2, 5.2) against a vhost-user back-end: its
 * memory in any number of regions, its queues, its requests.  What goes wrong ends the program.
 */
#ifndef BENCH_BLK_GUEST_H
#define BENCH_BLK_GUEST_H

#include "libvhost-user/driver.h"

#include <glib.h>

#define BLK_SECTOR 512u
#define BLK_STAMP 4096u /* bytes of the disk that begin with their own number, with stamps */

typedef struct BlkGuestOptions {
    const char *socket;
    guint queues, depth, regions;
    guint block_size; /* bytes of a request */
    gboolean packed;  /* a packed ring, if the back-end has them */
    gboolean direct;  /* no indirect descriptors */
} BlkGuestOptions;

typedef struct BlkRequest {
    gint64 begin; /* nanoseconds, the caller's */
    guint64 sector;
    guint8 *data;                     /* where its data lies here */
    VhostUserDriverBuffer buffers[3]; /* header, data, status */
    guint8 *header, *status;
    guint64 units; /* of the guest's memory that its data may be in; see blk_guest_place() */
    guint64 first_unit;
} BlkRequest;

typedef struct BlkQueue {
    VhostUserDriverQueue *ring;
    BlkRequest *requests; /* depth of them */
} BlkQueue;

typedef struct BlkGuest {
    BlkGuestOptions options;
    VhostUserFrontEnd *front;
    VhostUserGuestMemory *memory;
    BlkQueue *queues;
    guint64 capacity; /* sectors */
    guint64 data;     /* guest address of the first unit of data */
    guint64 unit, units;
} BlkGuest;

/* Connects, negotiates, lends memory, starts all queues. */
void blk_guest_start(BlkGuest *guest, const BlkGuestOptions *options);
void blk_guest_end(BlkGuest *guest);

/*
 * Puts @request's data to another place in memory, one of its own, chosen by @random: the places of
 * all requests together cover all regions.
 */
void blk_guest_place(BlkGuest *guest, BlkRequest *request, guint64 random);

/* Adds the request to the queue's ring; kicks are the caller's. */
void blk_guest_add(BlkGuest *guest, BlkQueue *queue, BlkRequest *request, gboolean write,
                   guint64 sector);

/* Status byte of a request that came back; 0 is VIRTIO_BLK_S_OK. */
guint8 blk_request_status(const BlkRequest *request);

/* Every 4 KiB of the disk begin with their own number: puts them into data to be written; tells
 * whether data that was read has them. */
void blk_guest_stamp(const BlkGuest *guest, BlkRequest *request, guint64 sector);
gboolean blk_guest_stamped(const BlkGuest *guest, const BlkRequest *request);

#endif
