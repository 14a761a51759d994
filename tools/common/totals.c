/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a program's connections have counted. */
#include "tools/common/totals.h"

#include "tools/common/counter.h"

void totals_add_device(Totals *totals, VhostUserDevice *device, guint queues, gboolean ended)
{
    VhostUserDeviceStatistics counted;
    VhostUserQueueStatistics queue;

    vhost_user_device_statistics(device, &counted);
    totals->messages += counted.messages;
    totals->refused += counted.refused;
    totals->regions += ended ? 0 : counted.regions;
    totals->bytes += ended ? 0 : counted.bytes;
    totals->regions_added += counted.regions_added;
    totals->regions_removed += counted.regions_removed;
    totals->regions_peak = MAX(totals->regions_peak, counted.regions_peak);
    for (guint i = 0; i < queues; i++) {
        vhost_user_queue_statistics(vhost_user_device_queue(device, i), &queue);
        totals->queues.kicks += queue.kicks;
        totals->queues.calls += queue.calls;
        totals->queues.calls_spared += queue.calls_spared;
        totals->queues.faults += queue.faults;
        totals->queues.lookups += queue.lookups;
        totals->queues.lookup_hits += queue.lookup_hits;
    }
}

void totals_append(const Totals *totals, GString *text)
{
    counter_append(text, "connections", totals->connections);
    counter_append(text, "messages", totals->messages);
    counter_append(text, "messages-refused", totals->refused);
    counter_append(text, "regions", totals->regions);
    counter_append(text, "regions-peak", totals->regions_peak);
    counter_append(text, "regions-added", totals->regions_added);
    counter_append(text, "regions-removed", totals->regions_removed);
    counter_append(text, "guest-memory-bytes", totals->bytes);
    counter_append(text, "lookups", totals->queues.lookups);
    counter_append(text, "lookup-hits", totals->queues.lookup_hits);
    counter_append(text, "faults", totals->queues.faults);
    counter_append(text, "interrupts", totals->queues.calls);
    counter_append(text, "interrupts-spared", totals->queues.calls_spared);
}
