/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Statistics that an accelerator keeps, of the machine and of each CPU.  Main thread, VM lock held.
 */
#ifndef ACCEL_STATS_H
#define ACCEL_STATS_H

#include <glib.h>
#include <stdint.h>

typedef enum {
    ACCEL_STAT_CUMULATIVE,
    ACCEL_STAT_INSTANT,
    ACCEL_STAT_PEAK,
    ACCEL_STAT_LINEAR_HISTOGRAM, /* buckets of bucket_size, the last takes the rest */
    ACCEL_STAT_LOG2_HISTOGRAM,   /* bucket n > 0 begins at 2^(n-1) */
    ACCEL_STAT_TYPES,
} AccelStatType;

typedef enum {
    ACCEL_STAT_NO_UNIT,
    ACCEL_STAT_BYTES,
    ACCEL_STAT_SECONDS,
    ACCEL_STAT_CYCLES,
    ACCEL_STAT_BOOLEAN,
    ACCEL_STAT_UNITS,
} AccelStatUnit;

typedef struct AccelStat {
    char *name;
    AccelStatType type;
    AccelStatUnit unit;
    guint base; /* the unit is multiplied by base^exponent: 2 or 10 */
    gint exponent;
    guint bucket_size; /* of a linear histogram */
    guint count;       /* values: 1, or the buckets of a histogram */
    uint64_t *values;
} AccelStat;

#define ACCEL_STATS_MACHINE (-1)

/* GPtrArray of AccelStat, g_ptr_array_unref(); empty where the accelerator has none.  @cpu: its
 * index, or ACCEL_STATS_MACHINE.  NULL with @error. */
GPtrArray *accel_stats(gint cpu, GError **error);

/*
 * Reads the file of statistics that KVM gives (api.rst, KVM_GET_STATS_FD).  NULL with @error if it
 * cannot be read or does not hold together; entries of unknown type or unit are left out.
 */
GPtrArray *kvm_stats_read(int fd, GError **error);

#endif
