/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtio-blk request, virtio 1.2, 5.2.6: taken out of an element's buffers,
 * checked on a copy of what the guest can change, and answered in its status byte.
 */
#ifndef VHOST_USER_BLK_REQUEST_H
#define VHOST_USER_BLK_REQUEST_H

#include "io.h"
#include "libvhost-user/queue.h"

#define BLK_REQUEST_PIECES 8u /* that need no memory of their own */

/* What the requests of a disk have in common. Not changed while there are any. */
typedef struct BlkRequestRules {
    BlkDisk *disk;
    char id[VIRTIO_BLK_ID_BYTES]; /* what GET_ID answers; ends at 20 bytes or at a NUL */
} BlkRequestRules;

/* @serial is cut to 20 bytes; @disk outlives @rules. */
void blk_request_rules_init(BlkRequestRules *rules, BlkDisk *disk, const char *serial);

typedef enum BlkRequestNext {
    BLK_REQUEST_EXECUTE, /* request->io is to be done */
    BLK_REQUEST_ANSWER,  /* request->status is final */
    BLK_REQUEST_DROP,    /* nothing can be answered: written is 0 */
} BlkRequestNext;

/* Lives in an element's data. */
typedef struct BlkRequest BlkRequest;
struct BlkRequest {
    BlkIo io;
    VhostUserElement *element;
    BlkOperation operation;
    uint8_t status; /* VIRTIO_BLK_S_... */
    uint64_t sector;
    uint64_t bytes;   /* of the disk; of all segments together */
    void *allocation; /* of this request, NULL without */
    /* The worker's: */
    int64_t started; /* ns */
    void *owner;
    BlkRequest *next_done;
    struct iovec pieces[BLK_REQUEST_PIECES]; /* last: not cleared */
};

/* Fills in all of @request, whose memory holds anything. */
BlkRequestNext blk_request_parse(BlkRequest *request, const BlkRequestRules *rules,
                                 VhostUserElement *element);

/* The io was done: its result decides about the status. */
void blk_request_executed(BlkRequest *request);

/*
 * Writes the status and frees what the request has. Returns the length for the used ring: all
 * bytes up to the status, every one of which has been written (virtio 1.2, 2.7.8.2); 0 where
 * that would be too many, and then only the status was.
 */
uint32_t blk_request_answer(BlkRequest *request);

/* Tells @trace what was asked for: see worker.h. */
typedef void (*BlkRequestTrace)(void *opaque, const char *line);
void blk_request_trace(const BlkRequest *request, BlkRequestTrace trace, void *opaque);

#endif
