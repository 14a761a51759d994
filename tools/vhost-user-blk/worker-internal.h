/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A worker as its parts see it: worker.c and queue.c. */
#ifndef VHOST_USER_BLK_WORKER_INTERNAL_H
#define VHOST_USER_BLK_WORKER_INTERNAL_H

#include <pthread.h>

#include "engine.h"
#include "libvhost-user/queue.h"
#include "request.h"
#include "worker.h"

typedef struct BlkQueue BlkQueue;

typedef enum BlkWorkerState {
    WORKER_STARTS,
    WORKER_WORKS,
    WORKER_FAILED,
} BlkWorkerState;

typedef struct BlkWorker {
    BlkWorkers *workers;
    GThread *thread;
    BlkEngine *engine;
    const BlkRequestRules *rules;
    BlkRequestTrace trace, failed; /* NULL without */
    void *trace_opaque;

    /* The worker's thread: */
    GQueue ready;      /* of BlkQueue, to be served */
    GPtrArray *queues; /* of BlkQueue, all */
    unsigned polled;   /* queues without a kick descriptor */
    int64_t quiet;     /* until then, ns, no failure is told */
    gboolean ending;

    /* Between it and the control thread, under the mutex: */
    BlkWatch command_watch;
    pthread_mutex_t mutex;
    pthread_cond_t state_changed;
    BlkWorkerState state;
    GError *start_error; /* with WORKER_FAILED */
    GQueue commands;     /* of BlkCommand */

    BlkStatistics statistics;
} __attribute__((aligned(64))) BlkWorker;

#endif
