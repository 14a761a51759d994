/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that do pieces of work for the image, and the way back for the results. */
#include "pool.h"

#include <pthread.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

/* Pieces of work linked by next, first in, first out. */
typedef struct IoList {
    BlkIo *first;
    BlkIo **end; /* where the next is linked */
} IoList;

/* Plain pthread mutexes, so that thread checkers see them. */
struct BlkPool {
    BlkDisk *disk;
    GPtrArray *threads;    /* of GThread */
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t more;
    IoList waiting;
    gboolean ending;
};

struct BlkPoolPort {
    BlkPool *pool;
    int fd;
    pthread_mutex_t mutex; /* of what follows */
    IoList done;
};

static void list_init(IoList *list)
{
    list->first = NULL;
    list->end = &list->first;
}

static void list_append(IoList *list, BlkIo *io)
{
    io->next = NULL;
    *list->end = io;
    list->end = &io->next;
}

static BlkIo *list_take_first(IoList *list)
{
    BlkIo *io = list->first;

    list->first = io->next;
    if (list->first == NULL) {
        list->end = &list->first;
    }
    return io;
}

/* Waits for work. NULL: the pool ends. */
static BlkIo *take_work(BlkPool *pool)
{
    BlkIo *io;

    pthread_mutex_lock(&pool->mutex);
    while (pool->waiting.first == NULL && !pool->ending) {
        pthread_cond_wait(&pool->more, &pool->mutex);
    }
    io = pool->waiting.first != NULL ? list_take_first(&pool->waiting) : NULL;
    pthread_mutex_unlock(&pool->mutex);
    return io;
}

static void give_back(BlkPoolPort *port, BlkIo *io)
{
    gboolean was_empty;

    pthread_mutex_lock(&port->mutex);
    was_empty = port->done.first == NULL;
    list_append(&port->done, io);
    pthread_mutex_unlock(&port->mutex);
    if (was_empty) {
        event_fd_signal(port->fd);
    }
}

static gpointer run(gpointer data)
{
    BlkPool *pool = data;
    BlkIo *io;

    while ((io = take_work(pool)) != NULL) {
        blk_io_execute(pool->disk, io);
        give_back(io->port, io);
    }
    return NULL;
}

BlkPool *blk_pool_new(BlkDisk *disk, unsigned threads, GError **error)
{
    g_autoptr(BlkPool) pool = g_new0(BlkPool, 1);

    pool->disk = disk;
    pool->threads = g_ptr_array_new();
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->more, NULL);
    list_init(&pool->waiting);
    for (unsigned i = 0; i < threads; i++) {
        GThread *thread = g_thread_try_new("blk-pool", run, pool, error);

        if (thread == NULL) {
            g_prefix_error(error, "thread %u of %u for slow requests: ", i + 1, threads);
            return NULL;
        }
        g_ptr_array_add(pool->threads, thread);
    }
    return g_steal_pointer(&pool);
}

void blk_pool_free(BlkPool *pool)
{
    if (pool == NULL) {
        return;
    }
    pthread_mutex_lock(&pool->mutex);
    pool->ending = TRUE;
    pthread_cond_broadcast(&pool->more);
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->threads->len; i++) {
        g_thread_join(pool->threads->pdata[i]);
    }
    g_ptr_array_unref(pool->threads);
    pthread_cond_destroy(&pool->more);
    pthread_mutex_destroy(&pool->mutex);
    g_free(pool);
}

BlkPoolPort *blk_pool_port_new(BlkPool *pool, GError **error)
{
    int fd = event_fd_new(error);
    BlkPoolPort *port;

    if (fd < 0) {
        return NULL;
    }
    port = g_new0(BlkPoolPort, 1);
    port->pool = pool;
    port->fd = fd;
    pthread_mutex_init(&port->mutex, NULL);
    list_init(&port->done);
    return port;
}

void blk_pool_port_free(BlkPoolPort *port)
{
    if (port != NULL) {
        pthread_mutex_destroy(&port->mutex);
        close(port->fd);
        g_free(port);
    }
}

int blk_pool_port_fd(const BlkPoolPort *port)
{
    return port->fd;
}

void blk_pool_submit(BlkPoolPort *port, BlkIo *io)
{
    BlkPool *pool = port->pool;

    io->port = port;
    pthread_mutex_lock(&pool->mutex);
    list_append(&pool->waiting, io);
    pthread_cond_signal(&pool->more);
    pthread_mutex_unlock(&pool->mutex);
}

BlkIo *blk_pool_collect(BlkPoolPort *port)
{
    BlkIo *done;

    event_fd_clear(port->fd); /* before: what is given back after it signals again */
    pthread_mutex_lock(&port->mutex);
    done = port->done.first;
    list_init(&port->done);
    pthread_mutex_unlock(&port->mutex);
    return done;
}
