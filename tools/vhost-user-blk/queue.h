/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue in the hands of a worker: requests out of the ring, through the
 * engine, and back. Everything in the worker's thread.
 */
#ifndef VHOST_USER_BLK_QUEUE_H
#define VHOST_USER_BLK_QUEUE_H

#include "worker-internal.h"

/* Takes over @queue from the library, and has it served. */
BlkQueue *blk_queue_start(BlkWorker *worker, VhostUserQueue *queue);

/* No more requests are taken; when all are answered the library gets the queue back, and @queue is
 * freed. */
void blk_queue_stop(BlkQueue *queue);

/* Has the worker serve @queue in its next turn. */
void blk_queue_enlist(BlkQueue *queue);

/* One turn of the queue that has waited longest in worker->ready, which is not empty: answers what
 * is done, takes what is there. */
void blk_queue_serve_first(BlkWorker *worker);

/* The engine has done a request's @io. */
void blk_queue_io_done(BlkIo *io);

#endif
