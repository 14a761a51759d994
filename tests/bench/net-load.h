/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's part of a network benchmark: a receive and a transmit queue over memory that somebody
 * lends to a back-end which sends each frame back.  Sleeps while there is nothing to collect, as a
 * guest sleeps on its interrupt.  What goes wrong ends the program.
 */
#ifndef BENCH_NET_LOAD_H
#define BENCH_NET_LOAD_H

#include "libvhost-user/driver.h"

#include <glib.h>

#define NET_LOAD_QUEUES 2     /* receive, transmit (virtio 1.2, 5.1.2) */
#define NET_LOAD_RING 256     /* descriptors of each, what network cards offer by default */
#define NET_LOAD_DEPTH 128    /* frames under way at most; twice as many can be received */
#define NET_LOAD_FRAME_MIN 14 /* bytes: an Ethernet header */
#define NET_LOAD_FRAME_MAX 2036
#define NET_LOAD_FEATURES (VHOST_USER_RING_F_VERSION_1 | VHOST_USER_RING_F_EVENT_IDX)

typedef struct NetLoad {
    VhostUserDriverQueue *queues[NET_LOAD_QUEUES];
    VhostUserDriverParameters places[NET_LOAD_QUEUES]; /* where the rings lie */
    guint64 slots;    /* guest address: those to send from, then those to receive into */
    guint frame_size; /* bytes, without the header; may be changed between two runs */
    guint free_slots[NET_LOAD_DEPTH];
    guint free_count;
} NetLoad;

/* Puts slots and rings at guest address @place of @areas, which stay the caller's, and makes the
 * receive buffers available.  Returns the guest address behind all of it. */
guint64 net_load_init(NetLoad *load, const VhostUserMemoryArea *areas, size_t count, guint64 place);
void net_load_clear(NetLoad *load); /* after the back-end has been stopped */

/* Sends single frames until one comes back: ports that open one after the other, as DPDK's, drop
 * what has no way out yet. */
void net_load_reach(NetLoad *load);

typedef struct NetLoadRun {
    guint64 frames;      /* that came back */
    int64_t took;        /* nanoseconds */
    int64_t longest_gap; /* nanoseconds in which no frame came */
    GArray *latencies;   /* of int64_t, nanoseconds of each frame, with a window of 1; or NULL */
} NetLoadRun;

/* Keeps @window frames under way for @duration nanoseconds, or until *@stop is set (may be NULL);
 * then waits for those that are under way.  @run->latencies is the caller's. */
void net_load_run(NetLoad *load, guint window, int64_t duration, const gint *stop, NetLoadRun *run);

/*
 * Throughput, then the way of one frame, then a rest, with frames of each of @sizes (zero ends
 * them): prints a JSON array with an object for each.  @pid is the back-end's process.
 */
void net_load_measure(NetLoad *load, const guint *sizes, pid_t pid, int64_t duration);

/* "64,1514" and the like as sizes for the above, or NULL; the caller frees. */
guint *net_load_sizes(const char *text);

#endif
