/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters of a worker, the sums of them, and their text. */
#include "statistics.h"

static const char *const operation_names[BLK_OPERATION_COUNT] = {
    [BLK_OPERATION_READ] = "read",
    [BLK_OPERATION_WRITE] = "write",
    [BLK_OPERATION_FLUSH] = "flush",
    [BLK_OPERATION_GET_ID] = "get-id",
    [BLK_OPERATION_DISCARD] = "discard",
    [BLK_OPERATION_WRITE_ZEROES] = "write-zeroes",
    [BLK_OPERATION_UNSUPPORTED] = "unsupported",
};

const char *blk_operation_name(BlkOperation operation)
{
    return operation_names[operation];
}

/* A bucket's number is the exponent of the value's highest bit and the three bits below it. */
unsigned blk_latency_bucket(uint64_t nanoseconds)
{
    unsigned exponent;

    if (nanoseconds < 1u << BLK_LATENCY_EIGHTHS) {
        return (unsigned)nanoseconds;
    }
    exponent = 63 - (unsigned)__builtin_clzll(nanoseconds) - BLK_LATENCY_EIGHTHS;
    return (exponent << BLK_LATENCY_EIGHTHS) + (unsigned)(nanoseconds >> exponent);
}

uint64_t blk_latency_floor(unsigned bucket)
{
    unsigned exponent = bucket >> BLK_LATENCY_EIGHTHS;
    uint64_t eighths = bucket & ((1u << BLK_LATENCY_EIGHTHS) - 1);

    if (exponent == 0) {
        return eighths;
    }
    return (eighths + (1u << BLK_LATENCY_EIGHTHS)) << (exponent - 1);
}

uint64_t blk_statistics_latency(const BlkStatistics *statistics, unsigned permille)
{
    uint64_t total = 0, seen = 0;

    for (unsigned i = 0; i < BLK_LATENCY_BUCKETS; i++) {
        total += statistics->latency[i];
    }
    /* The rank, rounded up, without a product that could wrap. */
    uint64_t rank = total / 1000 * permille + (total % 1000 * permille + 999) / 1000;

    for (unsigned i = 0; i < BLK_LATENCY_BUCKETS && total > 0; i++) {
        seen += statistics->latency[i];
        if (seen >= MAX(rank, 1)) {
            return i + 1 < BLK_LATENCY_BUCKETS ? blk_latency_floor(i + 1) - 1 : UINT64_MAX;
        }
    }
    return 0;
}

void blk_statistics_add(BlkStatistics *sum, const BlkStatistics *more)
{
    /* Nothing in it but counters. */
    G_STATIC_ASSERT(sizeof(BlkStatistics) % sizeof(uint64_t) == 0);

    counters_sum((uint64_t *)(void *)sum, (const uint64_t *)(const void *)more,
                 sizeof(BlkStatistics) / sizeof(uint64_t));
}

void blk_statistics_format(const BlkStatistics *statistics, GString *text)
{
    static const unsigned permilles[] = {500, 900, 990, 999, 1000};

    for (unsigned i = 0; i < BLK_OPERATION_COUNT; i++) {
        g_string_append_printf(text, "%s-requests: %" G_GUINT64_FORMAT "\n", operation_names[i],
                               (guint64)statistics->requests[i]);
        if (i != BLK_OPERATION_FLUSH && i != BLK_OPERATION_GET_ID &&
            i != BLK_OPERATION_UNSUPPORTED) {
            g_string_append_printf(text, "%s-bytes: %" G_GUINT64_FORMAT "\n", operation_names[i],
                                   (guint64)statistics->bytes[i]);
        }
    }
    g_string_append_printf(text,
                           "errors: %" G_GUINT64_FORMAT "\nmalformed: %" G_GUINT64_FORMAT
                           "\nresubmitted: %" G_GUINT64_FORMAT "\nin-place: %" G_GUINT64_FORMAT
                           "\nkicks: %" G_GUINT64_FORMAT "\nsleeps: %" G_GUINT64_FORMAT "\n",
                           (guint64)statistics->errors, (guint64)statistics->malformed,
                           (guint64)statistics->resubmitted, (guint64)statistics->in_place,
                           (guint64)statistics->kicks, (guint64)statistics->waits);
    for (unsigned i = 0; i < G_N_ELEMENTS(permilles); i++) {
        g_string_append_printf(text, "latency-%u.%u%%-ns: %" G_GUINT64_FORMAT "\n",
                               permilles[i] / 10, permilles[i] % 10,
                               (guint64)blk_statistics_latency(statistics, permilles[i]));
    }
}
