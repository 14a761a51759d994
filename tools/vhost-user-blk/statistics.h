/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a worker counts: requests by kind, bytes, errors, and how long they took.
 * Each worker writes its own; anybody may read at any time.
 */
#ifndef VHOST_USER_BLK_STATISTICS_H
#define VHOST_USER_BLK_STATISTICS_H

#include "tools/common/counter.h"

#include <glib.h>
#include <stdint.h>

typedef enum BlkOperation {
    BLK_OPERATION_READ,
    BLK_OPERATION_WRITE,
    BLK_OPERATION_FLUSH,
    BLK_OPERATION_GET_ID,
    BLK_OPERATION_DISCARD,
    BLK_OPERATION_WRITE_ZEROES,
    BLK_OPERATION_UNSUPPORTED, /* any other type of request */
    BLK_OPERATION_COUNT
} BlkOperation;

/*
 * Latencies in nanoseconds, by power of two and within one by eighths: a value is known to 12.5 %.
 * Bucket i below 8 holds the value i; see blk_latency_bucket() and blk_latency_floor().
 */
#define BLK_LATENCY_EIGHTHS 3u
#define BLK_LATENCY_BUCKETS ((64u - BLK_LATENCY_EIGHTHS + 1u) << BLK_LATENCY_EIGHTHS)

typedef struct BlkStatistics {
    uint64_t requests[BLK_OPERATION_COUNT];
    uint64_t bytes[BLK_OPERATION_COUNT];   /* of the disk that were asked for */
    uint64_t errors;                       /* answered IOERR or UNSUPP */
    uint64_t malformed;                    /* without room for a status: dropped */
    uint64_t resubmitted;                  /* found in the inflight buffer after a restart */
    uint64_t in_place;                     /* done by the worker itself, without the engine */
    uint64_t kicks;                        /* of the driver that a worker has seen */
    uint64_t waits;                        /* times that a worker went to sleep */
    uint64_t latency[BLK_LATENCY_BUCKETS]; /* from taking the request to its answer */
} BlkStatistics;

/* The lower-case name of an operation: "read", "write-zeroes". */
const char *blk_operation_name(BlkOperation operation);

unsigned blk_latency_bucket(uint64_t nanoseconds);
uint64_t blk_latency_floor(unsigned bucket); /* the smallest value in it */

/* The value that @permille of all requests were not slower than, rounded up to its bucket's end;
 * 0 without requests. */
uint64_t blk_statistics_latency(const BlkStatistics *statistics, unsigned permille);

/* Adds @more, which its owner may be writing at the moment, to @sum. */
void blk_statistics_add(BlkStatistics *sum, const BlkStatistics *more);

/* Appends lines of text for --stats, each "name: value" and a newline. */
void blk_statistics_format(const BlkStatistics *statistics, GString *text);

#endif
