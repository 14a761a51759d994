/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread for one queue pair: its turns and its sleep. */
#include "tools/vhost-user-net/worker.h"

#include "tools/vhost-user-net/transfer.h"
#include "util/error.h"
#include "util/fd.h"

#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <time.h>

#define CACHE_LINE 64u

/* How long a worker sleeps that has a ring to poll because the driver gave it no kick. */
#define POLL_NANOSECONDS INT64_C(50000)

struct NetWorker {
    NetTransfer transfer;
    NetStatistics statistics;
    GThread *thread;
    int wake;
    int ending; /* atomic */
};

const SandboxCall net_worker_calls[] = {{SCMP_SYS(ppoll), -1, 0, 0}};
const gsize net_worker_call_count = G_N_ELEMENTS(net_worker_calls);

/* --- sleep --- */

typedef struct Sleep {
    struct pollfd watched[3];
    NetRing *rings[3]; /* whose kick it is */
    guint count;
    int64_t patience; /* ns; -1: for ever */
} Sleep;

static void watch(Sleep *sleep, int fd, NetRing *ring)
{
    sleep->rings[sleep->count] = ring;
    sleep->watched[sleep->count++] = (struct pollfd){fd, POLLIN, 0};
}

static void shorten(Sleep *sleep, int64_t patience)
{
    if (sleep->patience < 0 || patience < sleep->patience) {
        sleep->patience = MAX(patience, 0);
    }
}

static void watch_ring(Sleep *sleep, NetRing *ring)
{
    int fd = net_ring_kick_fd(ring);

    if (fd >= 0) {
        watch(sleep, fd, ring);
    } else if (net_ring_running(ring)) {
        shorten(sleep, POLL_NANOSECONDS);
    }
}

static void prepare(const NetWorker *worker, Sleep *sleep)
{
    const NetTransfer *transfer = &worker->transfer;
    NetPort *port = transfer->port;
    NetReceiver *receiver = &port->receive[transfer->index];

    *sleep = (Sleep){.patience = -1};
    watch(sleep, worker->wake, NULL);
    if (transfer->waiting_for) {
        watch_ring(sleep, &transfer->waiting_for->ring);
        shorten(sleep, net_transfer_patience(transfer));
    } else {
        watch_ring(sleep, &port->transmit[transfer->index]);
    }
    if (port->tap && net_ring_running(&receiver->ring)) {
        if (transfer->starved) {
            watch_ring(sleep, &receiver->ring);
        } else if (!transfer->tap_failed) {
            watch(sleep, net_tap_fd(port->tap, transfer->index), NULL);
        }
    }
}

static void sleep_until_needed(NetWorker *worker)
{
    Sleep sleep;

    prepare(worker, &sleep);
    const struct timespec patience = {.tv_sec = sleep.patience / 1000000000,
                                      .tv_nsec = sleep.patience % 1000000000};
    counter_add(&worker->statistics.sleeps, 1);
    if (ppoll(sleep.watched, sleep.count, sleep.patience < 0 ? NULL : &patience, NULL) <= 0) {
        return;
    }
    event_fd_clear(worker->wake);
    for (guint i = 1; i < sleep.count; i++) {
        if (sleep.watched[i].revents && sleep.rings[i]) {
            net_ring_clear_kick(sleep.rings[i]);
        }
    }
}

/* --- turns --- */

static gpointer run(gpointer data)
{
    NetWorker *worker = data;
    int64_t patience = (int64_t)worker->transfer.port->poll_us * 1000;
    int64_t idle_since = 0; /* 0: not idle */

    while (!__atomic_load_n(&worker->ending, __ATOMIC_RELAXED)) {
        if (net_transfer_turn(&worker->transfer, patience > 0)) {
            idle_since = 0;
            continue;
        }
        if (patience > 0) {
            int64_t now = net_clock();

            idle_since = idle_since ? idle_since : now;
            if (now - idle_since < patience) {
                continue;
            }
            /* Asks for kicks, and looks once more. */
            idle_since = 0;
            if (net_transfer_turn(&worker->transfer, FALSE)) {
                continue;
            }
        }
        sleep_until_needed(worker);
    }
    return NULL;
}

/* --- life --- */

NetWorker *net_worker_new(NetPort *port, guint index, GError **error)
{
    /* Workers count at a high rate: none in the cache lines of another. */
    NetWorker *worker = g_aligned_alloc0(1, sizeof(*worker), CACHE_LINE);

    net_transfer_init(&worker->transfer, port, index, &worker->statistics);
    worker->wake = event_fd_new(error);
    if (worker->wake >= 0) {
        worker->thread = g_thread_try_new("net-worker", run, worker, error);
    }
    if (!worker->thread) {
        g_prefix_error(error, "thread of queue pair %u: ", index);
        net_worker_free(worker);
        return NULL;
    }
    return worker;
}

void net_worker_free(NetWorker *worker)
{
    if (!worker) {
        return;
    }
    if (worker->thread) {
        __atomic_store_n(&worker->ending, 1, __ATOMIC_RELAXED);
        net_worker_wake(worker);
        g_thread_join(worker->thread);
    }
    net_transfer_clear(&worker->transfer);
    fd_clear(&worker->wake);
    g_aligned_free(worker);
}

void net_worker_wake(NetWorker *worker)
{
    event_fd_signal(worker->wake);
}

void net_worker_statistics(const NetWorker *worker, NetStatistics *sum)
{
    net_statistics_add(sum, &worker->statistics);
}
