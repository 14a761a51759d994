/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest with a disk: a connection to a back-end, some memory, and queues with a slot for each
 * request that may be under way.  What goes wrong with the protocol ends the test program; the
 * status of a request is the caller's to judge.
 */
#ifndef TESTS_TOOLS_BLK_GUEST_H
#define TESTS_TOOLS_BLK_GUEST_H

#include "libvhost-user/driver.h"

#include <glib.h>
#include <linux/virtio_blk.h>

#define BLK_GUEST_DATA 65536u /* bytes of data that one request may have */

typedef struct BlkGuestOptions {
    guint queues; /* 0: 1 */
    guint depth;  /* requests under way in each queue, 0: 16 */
    gboolean packed;
    gboolean indirect; /* each request in an indirect table */
} BlkGuestOptions;

typedef struct BlkGuest {
    BlkGuestOptions options;
    VhostUserFrontEnd *front;
    VhostUserGuestMemory *memory;
    VhostUserDriverQueue **queues;
} BlkGuest;

/* Connects to the unix socket @path, waiting until it listens; @options may be NULL. */
BlkGuest *blk_guest_connect(const char *path, const BlkGuestOptions *options);

/* The same over a connected @socket, which it takes. */
BlkGuest *blk_guest_new(int socket, const BlkGuestOptions *options);

/* Hangs up. */
void blk_guest_free(BlkGuest *guest);

/* Stops the rings and hangs up. */
void blk_guest_leave(BlkGuest *guest);

/* The data of a slot: BLK_GUEST_DATA bytes. */
void *blk_guest_data(BlkGuest *guest, guint queue, guint slot);

/* Starts a request with the first @size bytes of the slot's data, written by the device for
 * VIRTIO_BLK_T_IN and VIRTIO_BLK_T_GET_ID. */
void blk_guest_submit(BlkGuest *guest, guint queue, guint slot, guint32 type, guint64 sector,
                      guint32 size);

/* Waits for any request of @queue and returns its slot; -1 if none ends in @milliseconds. */
int blk_guest_collect(BlkGuest *guest, guint queue, int milliseconds);

/* What the device answered to the request of a slot: VIRTIO_BLK_S_... */
guint8 blk_guest_status(BlkGuest *guest, guint queue, guint slot);

/* One request from beginning to end in slot 0, with nothing else under way; @data is copied to or
 * from the guest.  Returns the status. */
guint8 blk_guest_do(BlkGuest *guest, guint queue, guint32 type, guint64 sector, void *data,
                    guint32 size);

/* capacity of the configuration space, in sectors. */
guint64 blk_guest_capacity(BlkGuest *guest);

/* Ends the test program unless @result, of a call of the front end, is not negative. */
void blk_guest_check(BlkGuest *guest, int result, const char *what);

/* A file of @size bytes, all 0 but with its own sector number in each sector's first bytes, in the
 * directory of this test.  Caller frees the path. */
char *blk_image(const char *name, guint64 size);

#endif
