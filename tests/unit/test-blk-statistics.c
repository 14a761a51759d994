/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters and latency buckets of vhost-user-blk. */
#include "tools/vhost-user-blk/statistics.h"

#include <string.h>

static void test_buckets(void)
{
    unsigned last = 0;

    for (unsigned bucket = 1; bucket < BLK_LATENCY_BUCKETS; bucket++) {
        uint64_t floor = blk_latency_floor(bucket);

        g_assert_cmpuint(floor, >, blk_latency_floor(bucket - 1));
        g_assert_cmpuint(blk_latency_bucket(floor), ==, bucket);
        g_assert_cmpuint(blk_latency_bucket(floor - 1), ==, bucket - 1);
        last = bucket;
    }
    g_assert_cmpuint(blk_latency_floor(0), ==, 0);
    g_assert_cmpuint(blk_latency_bucket(UINT64_MAX), ==, last);
}

/* A bucket is an eighth of its power of two wide, so its end is at most 12.5 % above its floor. */
static void test_precision(void)
{
    for (uint64_t value = 8; value < UINT64_MAX / 3; value += value / 3 + 1) {
        uint64_t end = blk_latency_floor(blk_latency_bucket(value) + 1);

        g_assert_cmpuint(end, >, value);
        g_assert_cmpuint((end - value) * 8, <=, value);
    }
}

static uint64_t latency(const BlkStatistics *statistics, unsigned permille)
{
    return blk_statistics_latency(statistics, permille);
}

static void test_percentiles(void)
{
    BlkStatistics statistics = {0};

    g_assert_cmpuint(latency(&statistics, 500), ==, 0);
    counter_add(&statistics.latency[blk_latency_bucket(5)], 1);
    g_assert_cmpuint(latency(&statistics, 0), ==, 5);
    g_assert_cmpuint(latency(&statistics, 1000), ==, 5);
    counter_add(&statistics.latency[blk_latency_bucket(3)], 998);
    counter_add(&statistics.latency[blk_latency_bucket(1 << 20)], 1);
    g_assert_cmpuint(latency(&statistics, 500), ==, 3);
    g_assert_cmpuint(latency(&statistics, 998), ==, 3);
    g_assert_cmpuint(latency(&statistics, 999), ==, 5);
    g_assert_cmpuint(latency(&statistics, 1000), ==, (1 << 20) + (1 << 17) - 1);
    statistics.latency[BLK_LATENCY_BUCKETS - 1] = 1;
    g_assert_cmpuint(latency(&statistics, 1000), ==, UINT64_MAX);
}

static void test_sum_and_text(void)
{
    BlkStatistics one = {0}, sum = {0};
    g_autoptr(GString) text = g_string_new(NULL);

    counter_add(&one.requests[BLK_OPERATION_WRITE_ZEROES], 2);
    counter_add(&one.bytes[BLK_OPERATION_WRITE_ZEROES], 4096);
    counter_add(&one.errors, 7);
    counter_add(&one.latency[BLK_LATENCY_BUCKETS - 1], 1);
    blk_statistics_add(&sum, &one);
    blk_statistics_add(&sum, &one);
    blk_statistics_format(&sum, text);
    g_assert_nonnull(strstr(text->str, "write-zeroes-requests: 4\n"));
    g_assert_nonnull(strstr(text->str, "write-zeroes-bytes: 8192\n"));
    g_assert_nonnull(strstr(text->str, "errors: 14\n"));
    g_assert_nonnull(strstr(text->str, "read-requests: 0\n"));
    g_assert_cmpuint(sum.latency[BLK_LATENCY_BUCKETS - 1], ==, 2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/blk-statistics/buckets", test_buckets);
    g_test_add_func("/blk-statistics/precision", test_precision);
    g_test_add_func("/blk-statistics/percentiles", test_percentiles);
    g_test_add_func("/blk-statistics/sum-and-text", test_sum_and_text);
    return g_test_run();
}
