/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine for hosts that forbid io_uring: epoll to wait, a pool of threads to work. */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "engine.h"
#include "util/error.h"

#define EVENTS_AT_A_TIME 32

typedef struct ThreadsEngine {
    BlkEngine base;
    int epoll;
    BlkWatch *removed; /* to be told */
} ThreadsEngine;

static void threads_submit(BlkEngine *engine, BlkIo *io)
{
    blk_pool_submit(engine->port, io);
}

static gboolean threads_watch(BlkEngine *base, BlkWatch *watch, GError **error)
{
    ThreadsEngine *engine = (ThreadsEngine *)base;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = watch};

    watch->removing = FALSE;
    if (epoll_ctl(engine->epoll, EPOLL_CTL_ADD, watch->fd, &event) != 0) {
        vm_error_set_errno(error, errno, "descriptor %d cannot be waited for", watch->fd);
        return FALSE;
    }
    return TRUE;
}

static void threads_unwatch(BlkEngine *base, BlkWatch *watch)
{
    ThreadsEngine *engine = (ThreadsEngine *)base;

    epoll_ctl(engine->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->removing = TRUE;
    watch->next = engine->removed;
    engine->removed = watch;
}

static void tell_removed(ThreadsEngine *engine)
{
    BlkWatch *next;

    for (BlkWatch *watch = g_steal_pointer(&engine->removed); watch != NULL; watch = next) {
        next = watch->next;
        watch->removed(watch);
    }
}

static void threads_wait(BlkEngine *base, int microseconds)
{
    ThreadsEngine *engine = (ThreadsEngine *)base;
    struct epoll_event events[EVENTS_AT_A_TIME];
    int timeout = microseconds < 0 ? -1 : (microseconds + 999) / 1000;

    if (engine->removed != NULL) {
        tell_removed(engine);
        timeout = 0;
    }
    int count = epoll_wait(engine->epoll, events, EVENTS_AT_A_TIME, timeout);

    for (int i = 0; i < count; i++) {
        BlkWatch *watch = events[i].data.ptr;

        /* One that an earlier event of this round has removed is still there, see above. */
        if (!watch->removing) {
            watch->ready(watch);
        }
    }
}

static void threads_free(BlkEngine *base)
{
    ThreadsEngine *engine = (ThreadsEngine *)base;

    close(engine->epoll);
    g_free(engine);
}

static const BlkEngineClass threads_class = {
    .submit = threads_submit,
    .watch = threads_watch,
    .unwatch = threads_unwatch,
    .wait = threads_wait,
    .free = threads_free,
};

BlkEngine *blk_engine_threads_new(GError **error)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    ThreadsEngine *engine;

    if (epoll < 0) {
        vm_error_set_errno(error, errno, "a worker's epoll descriptor");
        return NULL;
    }
    engine = g_new0(ThreadsEngine, 1);
    engine->base.class = &threads_class;
    engine->epoll = epoll;
    return &engine->base;
}
