/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The threads that serve a disk's queues: a queue belongs to one worker, which
 * takes its requests, has them done by the engine, and gives them back.
 */
#ifndef VHOST_USER_BLK_WORKER_H
#define VHOST_USER_BLK_WORKER_H

#include "disk.h"
#include "statistics.h"

typedef struct VhostUserQueue VhostUserQueue; /* libvhost-user/queue.h */

/* How requests are done where that is not up to the kernel. */
typedef enum BlkEngineKind {
    BLK_ENGINE_BEST,     /* io_uring, threads where the host forbids it */
    BLK_ENGINE_IO_URING, /* or an error */
    BLK_ENGINE_THREADS,
} BlkEngineKind;

typedef struct BlkWorkersOptions {
    unsigned count;       /* --iothreads, or the number of queues: one worker each */
    unsigned queue_size;  /* the longest queue, which bounds the requests in flight of each */
    BlkEngineKind engine; /* tests choose, users get the best */
    const char *serial;   /* --serial: what GET_ID answers, its first 20 bytes. Copied */
    /*
     * NULL, or told each request before it is done: "read SECTOR BYTES", "write SECTOR BYTES",
     * "flush", "get-id", "unsupported", and one line a segment: "discard SECTOR BYTES",
     * "write-zeroes SECTOR BYTES". A sector has 512 bytes. A worker's thread calls it; NULL costs
     * nothing.
     */
    void (*trace)(void *opaque, const char *line);
    /* NULL, or told of requests that the host's image has failed: "write SECTOR BYTES: why". Not of
     * each: a few a minute. A worker's thread calls it. */
    void (*failed)(void *opaque, const char *line);
    void *opaque;
} BlkWorkersOptions;

/* All workers of one disk. */
typedef struct BlkWorkers BlkWorkers;

/*
 * Starts every thread that there will ever be, so that a sandbox can close behind it. @disk is
 * not owned and outlives it. NULL with @error.
 */
BlkWorkers *blk_workers_new(BlkDisk *disk, const BlkWorkersOptions *options, GError **error);

/* Ends the threads. Every queue has been stopped. NULL is fine. */
void blk_workers_free(BlkWorkers *workers);

/* A sentence for the log, once: why io_uring is not used; NULL if it is. Static life with @workers.
 */
const char *blk_workers_notice(const BlkWorkers *workers);

/* What the library's request_size has to be. */
uint32_t blk_workers_request_size(void);

/*
 * For the library's queue_start and queue_stop. Start hands @queue to its worker (its index modulo
 * count). Stop tells the worker, returns at once, and the worker calls vhost_user_queue_stopped()
 * when it has finished and pushed everything that it had popped. Control thread.
 */
void blk_workers_queue_start(BlkWorkers *workers, VhostUserQueue *queue);
void blk_workers_queue_stop(BlkWorkers *workers, VhostUserQueue *queue);

/* Adds up what all workers have counted so far. Any thread, at any time. */
void blk_workers_statistics(const BlkWorkers *workers, BlkStatistics *sum);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlkWorkers, blk_workers_free)

#endif
