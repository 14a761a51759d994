/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters that one thread writes and any may read at any time. */
#ifndef TOOLS_COUNTER_H
#define TOOLS_COUNTER_H

#include <glib.h>
#include <stdint.h>

/* For the one thread that owns the counter.  Relaxed: readers need no order between counters. */
static inline void counter_add(uint64_t *counter, uint64_t by)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + by, __ATOMIC_RELAXED);
}

/* Adds @count counters, which their owner may be writing at the moment, to those at @sums. */
static inline void counters_sum(uint64_t *sums, const uint64_t *counters, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sums[i] += __atomic_load_n(&counters[i], __ATOMIC_RELAXED);
    }
}

/* Appends "name: value" and a newline. */
static inline void counter_append(GString *text, const char *name, uint64_t value)
{
    g_string_append_printf(text, "%s: %" G_GUINT64_FORMAT "\n", name, (guint64)value);
}

#endif
