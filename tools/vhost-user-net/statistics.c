/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters of a worker, the sums of them, and their text. */
#include "tools/vhost-user-net/statistics.h"

void net_statistics_add(NetStatistics *sum, const NetStatistics *more)
{
    /* Nothing in it but counters. */
    G_STATIC_ASSERT(sizeof(NetStatistics) % sizeof(uint64_t) == 0);

    counters_sum((uint64_t *)(void *)sum, (const uint64_t *)(const void *)more,
                 sizeof(NetStatistics) / sizeof(uint64_t));
}

void net_statistics_format(const NetStatistics *statistics, GString *text)
{
    static const char *const drops[NET_DROP_COUNT] = {
        [NET_DROP_MALFORMED] = "dropped-malformed",
        [NET_DROP_OVERSIZE] = "dropped-oversize",
        [NET_DROP_NO_RECEIVER] = "dropped-no-receiver",
        [NET_DROP_NO_BUFFERS] = "dropped-no-buffers",
        [NET_DROP_SHORT_BUFFER] = "dropped-short-buffer",
        [NET_DROP_OFFLOAD] = "dropped-offload",
        [NET_DROP_REFUSED] = "dropped-refused",
    };

    counter_append(text, "transmit-packets", statistics->transmit_packets);
    counter_append(text, "transmit-bytes", statistics->transmit_bytes);
    counter_append(text, "receive-packets", statistics->receive_packets);
    counter_append(text, "receive-bytes", statistics->receive_bytes);
    for (unsigned i = 0; i < NET_DROP_COUNT; i++) {
        counter_append(text, drops[i], statistics->dropped[i]);
    }
    counter_append(text, "bad-buffers", statistics->bad_buffers);
    counter_append(text, "segments", statistics->segments);
    counter_append(text, "checksums", statistics->checksums);
    counter_append(text, "batches", statistics->batches);
    counter_append(text, "sleeps", statistics->sleeps);
}
