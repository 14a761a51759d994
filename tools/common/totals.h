/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a program's connections have counted, those that have ended and those of now. */
#ifndef TOOLS_TOTALS_H
#define TOOLS_TOTALS_H

#include "libvhost-user/queue.h"

#include <glib.h>

typedef struct Totals {
    uint64_t connections;
    uint64_t messages, refused;
    uint64_t regions, bytes; /* of memory that is lent now; 0 in those of ended connections */
    uint64_t regions_added, regions_removed, regions_peak;
    VhostUserQueueStatistics queues;
} Totals;

/* Adds what @device with @queues queues has counted; @ended: its memory is not lent any more. */
void totals_add_device(Totals *totals, VhostUserDevice *device, guint queues, gboolean ended);

/* Appends "name: value" lines. */
void totals_append(const Totals *totals, GString *text);

#endif
