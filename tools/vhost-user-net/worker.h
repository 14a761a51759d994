/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread for one queue pair: what the guest sends goes out, what comes for it goes in. */
#ifndef VHOST_USER_NET_WORKER_H
#define VHOST_USER_NET_WORKER_H

#include "tools/vhost-user-net/port.h"

/* Starts the thread for pair @index of @port, which outlives it.  NULL with @error. */
NetWorker *net_worker_new(NetPort *port, guint index, GError **error);

/* Ends it; its queues have been stopped.  NULL is fine. */
void net_worker_free(NetWorker *worker);

/* One of its queues was started or stopped.  Any thread. */
void net_worker_wake(NetWorker *worker);

/* Adds up what it has counted so far.  Any thread. */
void net_worker_statistics(const NetWorker *worker, NetStatistics *sum);

/* System calls of workers beside those of every back-end. */
extern const SandboxCall net_worker_calls[];
extern const gsize net_worker_call_count;

#endif
