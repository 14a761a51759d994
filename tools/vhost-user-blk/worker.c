/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The threads that serve a disk's queues, and what the control thread tells them. */
#include "worker.h"

#include "queue.h"
#include "util/error.h"
#include "util/fd.h"

/* In place of io_uring the pool does all requests; beside it only those io_uring can't. */
#define POOL_THREADS_ALONE 16u
#define POOL_THREADS_BESIDE 2u

#define CACHE_LINE 64u

/* How long a worker sleeps that has a ring to poll because the driver gave it no kick. */
#define POLL_MICROSECONDS 50

struct BlkWorkers {
    BlkDisk *disk;
    BlkRequestRules rules;
    BlkEngineKind kind; /* not BEST */
    unsigned queue_size;
    BlkRequestTrace trace, failed;
    void *trace_opaque;
    BlkPool *pool;
    GPtrArray *workers; /* of BlkWorker */
    char *notice;
};

typedef enum BlkCommandKind {
    COMMAND_START,
    COMMAND_STOP,
    COMMAND_END,
} BlkCommandKind;

typedef struct BlkCommand {
    BlkCommandKind kind;
    VhostUserQueue *queue;
} BlkCommand;

/* --- the worker's thread --- */

static void execute_command(BlkWorker *worker, const BlkCommand *command)
{
    switch (command->kind) {
    case COMMAND_START:
        blk_queue_start(worker, command->queue);
        break;
    case COMMAND_STOP:
        blk_queue_stop(vhost_user_queue_data(command->queue));
        break;
    case COMMAND_END:
        worker->ending = TRUE;
        break;
    }
}

static void commands_ready(BlkWatch *watch)
{
    BlkWorker *worker = (BlkWorker *)((char *)watch - offsetof(BlkWorker, command_watch));
    GQueue commands;
    BlkCommand *command;

    event_fd_clear(watch->fd);
    pthread_mutex_lock(&worker->mutex);
    commands = worker->commands;
    g_queue_init(&worker->commands);
    pthread_mutex_unlock(&worker->mutex);
    while ((command = g_queue_pop_head(&commands)) != NULL) {
        execute_command(worker, command);
        g_free(command);
    }
}

static void io_done(void *opaque G_GNUC_UNUSED, BlkIo *io)
{
    blk_queue_io_done(io);
}

/* One turn for each queue that was ready when it began; one that becomes ready waits its turn. */
static void serve_ready(BlkWorker *worker)
{
    for (unsigned left = worker->ready.length; left > 0 && worker->ready.length > 0; left--) {
        blk_queue_serve_first(worker);
    }
}

static void enlist_polled(BlkWorker *worker)
{
    for (unsigned i = 0; i < worker->queues->len; i++) {
        blk_queue_enlist(worker->queues->pdata[i]);
    }
}

static void work(BlkWorker *worker)
{
    while (!worker->ending) {
        int patience = worker->ready.length > 0 ? 0 : worker->polled > 0 ? POLL_MICROSECONDS : -1;

        if (patience < 0) {
            counter_add(&worker->statistics.waits, 1);
        }
        worker->engine->class->wait(worker->engine, patience);
        if (patience > 0) {
            enlist_polled(worker);
        }
        serve_ready(worker);
    }
}

/* In the worker's thread: the kernel spares locks when one thread alone uses a ring. */
static gboolean make_engine(BlkWorker *worker, GError **error)
{
    const BlkWorkers *workers = worker->workers;

    worker->engine = workers->kind == BLK_ENGINE_THREADS
                         ? blk_engine_threads_new(error)
                         : blk_engine_uring_new(workers->disk, workers->queue_size, error);
    return worker->engine != NULL &&
           blk_engine_connect(worker->engine, workers->disk, workers->pool, io_done, worker,
                              error) &&
           worker->engine->class->watch(worker->engine, &worker->command_watch, error);
}

static gpointer run(gpointer data)
{
    BlkWorker *worker = data;
    gboolean made = make_engine(worker, &worker->start_error);

    pthread_mutex_lock(&worker->mutex);
    worker->state = made ? WORKER_WORKS : WORKER_FAILED;
    pthread_cond_signal(&worker->state_changed);
    pthread_mutex_unlock(&worker->mutex);
    if (made) {
        work(worker);
    }
    return NULL;
}

/* --- the control thread --- */

static void send_command(BlkWorker *worker, BlkCommandKind kind, VhostUserQueue *queue)
{
    BlkCommand *command = g_new(BlkCommand, 1);

    *command = (BlkCommand){kind, queue};
    pthread_mutex_lock(&worker->mutex);
    g_queue_push_tail(&worker->commands, command);
    pthread_mutex_unlock(&worker->mutex);
    event_fd_signal(worker->command_watch.fd);
}

static BlkWorker *worker_of(const BlkWorkers *workers, const VhostUserQueue *queue)
{
    return workers->workers->pdata[vhost_user_queue_index(queue) % workers->workers->len];
}

uint32_t blk_workers_request_size(void)
{
    return sizeof(BlkRequest);
}

void blk_workers_queue_start(BlkWorkers *workers, VhostUserQueue *queue)
{
    send_command(worker_of(workers, queue), COMMAND_START, queue);
}

void blk_workers_queue_stop(BlkWorkers *workers, VhostUserQueue *queue)
{
    send_command(worker_of(workers, queue), COMMAND_STOP, queue);
}

/* Its thread has ended, or there was none. */
static void worker_free(BlkWorker *worker)
{
    blk_engine_free(worker->engine);
    g_queue_clear_full(&worker->commands, g_free);
    fd_clear(&worker->command_watch.fd);
    g_ptr_array_unref(worker->queues);
    g_clear_error(&worker->start_error);
    pthread_cond_destroy(&worker->state_changed);
    pthread_mutex_destroy(&worker->mutex);
    g_aligned_free(worker);
}

/* Ends all threads. Ports are freed behind the pool's threads, which signal them. */
static void end_all(BlkWorkers *workers)
{
    for (unsigned i = 0; i < workers->workers->len; i++) {
        BlkWorker *worker = workers->workers->pdata[i];

        if (worker->thread != NULL) {
            send_command(worker, COMMAND_END, NULL);
            g_thread_join(worker->thread);
        }
    }
    g_clear_pointer(&workers->pool, blk_pool_free);
    for (unsigned i = 0; i < workers->workers->len; i++) {
        worker_free(workers->workers->pdata[i]);
    }
    g_ptr_array_set_size(workers->workers, 0);
}

static BlkWorker *worker_new(BlkWorkers *workers)
{
    /* Workers count at a high rate: none in the cache lines of another. */
    BlkWorker *worker = g_aligned_alloc0(1, sizeof(*worker), CACHE_LINE);

    worker->workers = workers;
    worker->rules = &workers->rules;
    worker->trace = workers->trace;
    worker->failed = workers->failed;
    worker->trace_opaque = workers->trace_opaque;
    worker->queues = g_ptr_array_new();
    g_queue_init(&worker->ready);
    g_queue_init(&worker->commands);
    pthread_mutex_init(&worker->mutex, NULL);
    pthread_cond_init(&worker->state_changed, NULL);
    worker->command_watch.fd = -1;
    worker->command_watch.ready = commands_ready;
    g_ptr_array_add(workers->workers, worker);
    return worker;
}

static gboolean worker_start(BlkWorker *worker, GError **error)
{
    worker->command_watch.fd = event_fd_new(error);
    if (worker->command_watch.fd < 0) {
        return FALSE;
    }
    worker->thread = g_thread_try_new("blk-worker", run, worker, error);
    if (worker->thread == NULL) {
        return FALSE;
    }
    pthread_mutex_lock(&worker->mutex);
    while (worker->state == WORKER_STARTS) {
        pthread_cond_wait(&worker->state_changed, &worker->mutex);
    }
    pthread_mutex_unlock(&worker->mutex);
    if (worker->state == WORKER_FAILED) {
        g_propagate_error(error, g_steal_pointer(&worker->start_error));
        return FALSE;
    }
    return TRUE;
}

/* All with the same engine, or none. */
static gboolean start_all(BlkWorkers *workers, BlkEngineKind kind, unsigned count, GError **error)
{
    workers->kind = kind;
    workers->pool =
        blk_pool_new(workers->disk,
                     kind == BLK_ENGINE_THREADS ? POOL_THREADS_ALONE : POOL_THREADS_BESIDE, error);
    if (workers->pool == NULL) {
        return FALSE;
    }
    for (unsigned i = 0; i < count; i++) {
        if (!worker_start(worker_new(workers), error)) {
            g_prefix_error(error, "I/O thread %u of %u: ", i + 1, count);
            end_all(workers);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean start_best(BlkWorkers *workers, unsigned count, GError **error)
{
    g_autoptr(GError) why = NULL;

    if (start_all(workers, BLK_ENGINE_IO_URING, count, &why)) {
        return TRUE;
    }
    workers->notice = g_strdup_printf("%s; requests are done by %u threads instead, which costs "
                                      "more time a request",
                                      why->message, POOL_THREADS_ALONE);
    return start_all(workers, BLK_ENGINE_THREADS, count, error);
}

BlkWorkers *blk_workers_new(BlkDisk *disk, const BlkWorkersOptions *options, GError **error)
{
    g_autoptr(BlkWorkers) workers = g_new0(BlkWorkers, 1);

    workers->disk = disk;
    workers->queue_size = options->queue_size;
    workers->trace = options->trace;
    workers->failed = options->failed;
    workers->trace_opaque = options->opaque;
    workers->workers = g_ptr_array_new();
    blk_request_rules_init(&workers->rules, disk, options->serial);
    if (options->engine == BLK_ENGINE_BEST
            ? !start_best(workers, options->count, error)
            : !start_all(workers, options->engine, options->count, error)) {
        return NULL;
    }
    return g_steal_pointer(&workers);
}

void blk_workers_free(BlkWorkers *workers)
{
    if (workers != NULL) {
        end_all(workers);
        g_ptr_array_unref(workers->workers);
        g_free(workers->notice);
        g_free(workers);
    }
}

const char *blk_workers_notice(const BlkWorkers *workers)
{
    return workers->notice;
}

void blk_workers_statistics(const BlkWorkers *workers, BlkStatistics *sum)
{
    for (unsigned i = 0; i < workers->workers->len; i++) {
        const BlkWorker *worker = workers->workers->pdata[i];

        blk_statistics_add(sum, &worker->statistics);
    }
}
