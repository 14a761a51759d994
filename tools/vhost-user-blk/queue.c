/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A queue in the hands of a worker: requests out of the ring, through the engine, and back. */
#include "queue.h"

#include <errno.h>
#include <time.h>

/*
 * A turn ends after so many requests that were done in place, or bytes of them: the driver sees
 * answers while the next turn goes on, and the control thread, which may have to wait for the end
 * of a turn, never waits long.  Requests for the engine only have to be taken; many at a time make
 * one system call.
 */
#define TURN_REQUESTS 128u
#define TURN_IN_PLACE 16u
#define TURN_IN_PLACE_BYTES (256u << 10)

/* What is done in place is not larger, for the same reasons. */
#define IN_PLACE_BYTES (128u << 10)

/*
 * Reads from memory that are at least so large are nothing but copying, which takes longer than to
 * wake a thread for it: while there is more to do, other threads copy so many of them beside us.
 * Not writes: the kernel lets one thread at a time write to a file.
 */
#define ASIDE_BYTES (128u << 10)
#define ASIDE_REQUESTS 4u

struct BlkQueue {
    BlkWorker *worker;
    VhostUserQueue *queue;
    BlkWatch kick; /* fd -1: the ring is polled */
    GList link;    /* in worker->ready */
    gboolean enlisted;
    gboolean stopping; /* no more is taken */
    gboolean leaving;  /* all is answered; the engine has still to let go of the kick */
    unsigned in_work;  /* requests that the engine has */
    BlkRequest *done;  /* that it has done, linked by next_done */
    /* The turn: */
    int64_t now; /* when it began, ns */
    unsigned in_place;
    uint64_t in_place_bytes;
};

/* Failures are told once in this time: a guest goes on with its requests, failing or not. */
#define QUIET_NANOSECONDS (INT64_C(10) * 1000 * 1000 * 1000)

static int64_t clock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void blk_queue_enlist(BlkQueue *queue)
{
    if (!queue->enlisted) {
        queue->enlisted = TRUE;
        g_queue_push_tail_link(&queue->worker->ready, &queue->link);
    }
}

/* --- start and stop --- */

static void kicked(BlkWatch *watch)
{
    BlkQueue *queue = (BlkQueue *)((char *)watch - offsetof(BlkQueue, kick));

    counter_add(&queue->worker->statistics.kicks, 1);
    blk_queue_enlist(queue);
}

/* The last thing that happens to a queue. */
static void give_back(BlkQueue *queue)
{
    BlkWorker *worker = queue->worker;
    VhostUserQueue *library_queue = queue->queue;

    if (queue->enlisted) {
        g_queue_unlink(&worker->ready, &queue->link);
    }
    g_ptr_array_remove_fast(worker->queues, queue);
    g_free(queue);
    vhost_user_queue_stopped(library_queue);
}

static void kick_removed(BlkWatch *watch)
{
    give_back((BlkQueue *)((char *)watch - offsetof(BlkQueue, kick)));
}

BlkQueue *blk_queue_start(BlkWorker *worker, VhostUserQueue *library_queue)
{
    BlkQueue *queue = g_new0(BlkQueue, 1);

    queue->worker = worker;
    queue->queue = library_queue;
    queue->link.data = queue;
    queue->kick.fd = vhost_user_queue_kick_fd(library_queue);
    queue->kick.ready = kicked;
    queue->kick.removed = kick_removed;
    vhost_user_queue_set_data(library_queue, queue);
    g_ptr_array_add(worker->queues, queue);
    if (queue->kick.fd >= 0 && !worker->engine->class->watch(worker->engine, &queue->kick, NULL)) {
        queue->kick.fd = -1; /* what can't be waited for is polled */
    }
    if (queue->kick.fd < 0) {
        worker->polled++;
    }
    blk_queue_enlist(queue); /* there may be requests from before the first kick */
    return queue;
}

void blk_queue_stop(BlkQueue *queue)
{
    queue->stopping = TRUE;
    blk_queue_enlist(queue);
}

static void leave(BlkQueue *queue)
{
    queue->leaving = TRUE;
    if (queue->kick.fd >= 0) {
        queue->worker->engine->class->unwatch(queue->worker->engine, &queue->kick);
    } else {
        queue->worker->polled--;
        give_back(queue);
    }
}

/* --- requests --- */

static void push(BlkQueue *queue, BlkRequest *request)
{
    BlkStatistics *statistics = &queue->worker->statistics;

    if (request->status != VIRTIO_BLK_S_OK) {
        counter_add(&statistics->errors, 1);
    }
    uint32_t length = blk_request_answer(request);

    if (length == 0) {
        vhost_user_queue_log(queue->queue, request->element, request->element->writable_size - 1,
                             1);
    }
    vhost_user_queue_push(queue->queue, request->element, length);
}

static void tell_line(void *opaque, const char *line)
{
    g_string_assign(opaque, line);
}

/* What the guest is told as an error without a reason, who runs the host learns with one. Not of
 * guest memory that is gone, which is no fault of the image. */
static void tell_failure(BlkQueue *queue, const BlkRequest *request)
{
    BlkWorker *worker = queue->worker;
    g_autoptr(GString) line = NULL;

    if (worker->failed == NULL || request->io.result == -EFAULT || queue->now < worker->quiet) {
        return;
    }
    worker->quiet = queue->now + QUIET_NANOSECONDS;
    line = g_string_new(NULL);
    blk_request_trace(request, tell_line, line);
    g_string_append_printf(line, ": %s", g_strerror(-request->io.result));
    worker->failed(worker->trace_opaque, line->str);
}

static void executed(BlkQueue *queue, BlkRequest *request)
{
    if (request->io.result < 0) {
        tell_failure(queue, request);
    }
    blk_request_executed(request);
}

/* Whether the calling thread does @io itself: where nothing waits for a device, a system call
 * takes less than half of what a round through the engine takes. */
static gboolean belongs_in_place(const BlkDisk *disk, const BlkIo *io)
{
    switch (io->operation) {
    case BLK_OPERATION_READ:
    case BLK_OPERATION_WRITE:
        return blk_disk_in_memory(disk) && io->length <= IN_PLACE_BYTES;
    case BLK_OPERATION_FLUSH:
        return blk_disk_in_memory(disk) || blk_disk_cache(disk) == BLK_CACHE_UNSAFE ||
               blk_disk_read_only(disk);
    default:
        return FALSE;
    }
}

static gboolean belongs_aside(const BlkQueue *queue, const BlkIo *io)
{
    return io->operation == BLK_OPERATION_READ && io->length >= ASIDE_BYTES &&
           blk_disk_in_memory(queue->worker->rules->disk) && queue->in_work < ASIDE_REQUESTS &&
           vhost_user_queue_pending(queue->queue);
}

static void execute(BlkQueue *queue, BlkRequest *request)
{
    BlkWorker *worker = queue->worker;

    request->io.aside = belongs_aside(queue, &request->io);
    if (!request->io.aside && belongs_in_place(worker->rules->disk, &request->io)) {
        blk_io_execute(worker->rules->disk, &request->io);
        executed(queue, request);
        push(queue, request);
        queue->in_place++;
        queue->in_place_bytes += request->bytes;
    } else {
        request->owner = queue;
        request->started = queue->now;
        queue->in_work++;
        worker->engine->class->submit(worker->engine, &request->io);
    }
}

static void take(BlkQueue *queue, VhostUserElement *element)
{
    BlkWorker *worker = queue->worker;
    BlkStatistics *statistics = &worker->statistics;
    BlkRequest *request = element->data;
    BlkRequestNext next = blk_request_parse(request, worker->rules, element);

    if (element->resubmitted) {
        counter_add(&statistics->resubmitted, 1);
    }
    if (next == BLK_REQUEST_DROP) {
        counter_add(&statistics->malformed, 1);
        vhost_user_queue_push(queue->queue, element, 0);
        return;
    }
    counter_add(&statistics->requests[request->operation], 1);
    if (worker->trace != NULL) {
        blk_request_trace(request, worker->trace, worker->trace_opaque);
    }
    if (next == BLK_REQUEST_EXECUTE) {
        counter_add(&statistics->bytes[request->operation], request->bytes);
        execute(queue, request);
    } else {
        push(queue, request);
    }
}

void blk_queue_io_done(BlkIo *io)
{
    BlkRequest *request = (BlkRequest *)((char *)io - offsetof(BlkRequest, io));
    BlkQueue *queue = request->owner;

    request->next_done = queue->done;
    queue->done = request;
    blk_queue_enlist(queue);
}

static void push_done(BlkQueue *queue)
{
    BlkRequest *next;

    for (BlkRequest *request = g_steal_pointer(&queue->done); request != NULL; request = next) {
        int64_t took = queue->now - request->started;

        next = request->next_done;
        counter_add(&queue->worker->statistics.latency[blk_latency_bucket((uint64_t)took)], 1);
        executed(queue, request);
        push(queue, request);
        queue->in_work--;
    }
}

/* TRUE if the ring may hold more. */
static gboolean take_some(BlkQueue *queue)
{
    VhostUserElement *element;

    for (unsigned i = 0; i < TURN_REQUESTS && queue->in_place < TURN_IN_PLACE &&
                         queue->in_place_bytes < TURN_IN_PLACE_BYTES;
         i++) {
        element = vhost_user_queue_pop(queue->queue);
        if (element == NULL) {
            return FALSE;
        }
        take(queue, element);
    }
    return TRUE;
}

static void count_in_place(BlkQueue *queue)
{
    BlkStatistics *statistics = &queue->worker->statistics;
    uint64_t took = (uint64_t)(clock_now() - queue->now);

    /* The driver sees all of them at the end of the turn. */
    counter_add(&statistics->latency[blk_latency_bucket(took)], queue->in_place);
    counter_add(&statistics->in_place, queue->in_place);
}

static void serve(BlkQueue *queue)
{
    gboolean more = FALSE;

    /* False: the control thread is changing the queue, and kicks when it is done. */
    if (queue->leaving || !vhost_user_queue_begin(queue->queue)) {
        return;
    }
    queue->now = clock_now();
    queue->in_place = 0;
    queue->in_place_bytes = 0;
    push_done(queue);
    if (!queue->stopping) {
        more = take_some(queue);
    }
    vhost_user_queue_end(queue->queue);
    if (queue->in_place > 0) {
        count_in_place(queue);
    }
    if (more) {
        blk_queue_enlist(queue);
    } else if (queue->stopping && queue->in_work == 0) {
        leave(queue);
    }
}

void blk_queue_serve_first(BlkWorker *worker)
{
    BlkQueue *queue = g_queue_pop_head_link(&worker->ready)->data;

    queue->enlisted = FALSE;
    serve(queue);
}
