/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times and what stands for many of them. */
#ifndef BENCH_TIMES_H
#define BENCH_TIMES_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* What @clock says. */
int64_t nanoseconds(clockid_t clock);

/* What @part (0 to 1) of @values, which it sorts, are below; 0 of none. */
int64_t quantile(int64_t *values, size_t count, double part);

/* The median of @values, which it sorts; 0 of none. */
int64_t median(int64_t *values, size_t count);

#endif
