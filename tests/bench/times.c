/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times and what stands for many of them. */
#include "times.h"

#include <stdlib.h>

int64_t nanoseconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

int64_t quantile(int64_t *values, size_t count, double part)
{
    if (count == 0) {
        return 0;
    }
    qsort(values, count, sizeof(*values), compare);
    size_t index = (size_t)((double)count * part);

    return values[index < count ? index : count - 1];
}

int64_t median(int64_t *values, size_t count)
{
    return quantile(values, count, 0.5);
}
