/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main loop.  GLib polls through poll_unlocked(), which is the only place
 * where the main thread lets go of the VM lock by itself.
 *
 * Posted functions stand in one array under a mutex; a GSource hands them out.
 * The wake-up system call is made only when the main thread is in poll(2): it
 * announces that in `polling` and looks at the queue once more afterwards, so
 * that either it sees the new entry or the poster sees the flag.
 */
#include "system/main-loop.h"

#include "system/vm-lock.h"

#include <pthread.h>

typedef struct Post {
    void (*function)(gpointer opaque);
    gpointer opaque;
} Post;

static pthread_mutex_t post_lock = PTHREAD_MUTEX_INITIALIZER;
static GArray *posts; /* of Post; under post_lock */
static gint posted;   /* atomic: number of entries in posts */
static gint polling;  /* atomic: the main thread waits, or is about to */
static gint quit;     /* atomic */

static gint poll_unlocked(GPollFD *fds, guint count, gint timeout)
{
    gint ready;

    g_atomic_int_set(&polling, 1);
    if (g_atomic_int_get(&posted) > 0 || g_atomic_int_get(&quit)) {
        timeout = 0;
    }
    vm_unlock();
    ready = g_poll(fds, count, timeout);
    vm_lock();
    g_atomic_int_set(&polling, 0);
    return ready;
}

static void wake(void)
{
    if (g_atomic_int_compare_and_exchange(&polling, 1, 0)) {
        g_main_context_wakeup(NULL);
    }
}

static gboolean posts_prepare(GSource *source G_GNUC_UNUSED, gint *timeout)
{
    *timeout = -1;
    return g_atomic_int_get(&posted) > 0;
}

static gboolean posts_check(GSource *source G_GNUC_UNUSED)
{
    return g_atomic_int_get(&posted) > 0;
}

static gboolean posts_dispatch(GSource *source G_GNUC_UNUSED, GSourceFunc callback G_GNUC_UNUSED,
                               gpointer data G_GNUC_UNUSED)
{
    /* What is posted from now on goes to the next turn, so that posts cannot starve the watches. */
    pthread_mutex_lock(&post_lock);
    g_autoptr(GArray) batch = posts;
    posts = NULL;
    g_atomic_int_set(&posted, 0);
    pthread_mutex_unlock(&post_lock);

    for (guint i = 0; batch && i < batch->len; i++) {
        Post *post = &g_array_index(batch, Post, i);

        post->function(post->opaque);
    }
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs posts_functions = {
    .prepare = posts_prepare,
    .check = posts_check,
    .dispatch = posts_dispatch,
};

void main_loop_init(void)
{
    GSource *source = g_source_new(&posts_functions, sizeof(GSource));

    g_source_set_static_name(source, "main_loop_post");
    g_source_set_can_recurse(source, TRUE); /* see main_loop_watch() */
    g_source_attach(source, NULL);
    g_source_unref(source);
    g_main_context_set_poll_func(NULL, poll_unlocked);
    vm_lock();
}

void main_loop_run(void)
{
    while (!g_atomic_int_get(&quit)) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_atomic_int_set(&quit, 0);
}

void main_loop_quit(void)
{
    g_atomic_int_set(&quit, 1);
    wake();
}

gboolean main_loop_is_quitting(void)
{
    return g_atomic_int_get(&quit);
}

void main_loop_turn(void)
{
    g_main_context_iteration(NULL, TRUE);
}

void main_loop_post(void (*function)(gpointer opaque), gpointer opaque)
{
    Post post = {function, opaque};

    pthread_mutex_lock(&post_lock);
    if (!posts) {
        posts = g_array_sized_new(FALSE, FALSE, sizeof(Post), 8);
    }
    g_array_append_val(posts, post);
    g_atomic_int_inc(&posted);
    pthread_mutex_unlock(&post_lock);
    wake();
}

guint main_loop_watch(int fd, GIOCondition condition, GUnixFDSourceFunc function, gpointer opaque)
{
    GSource *source = g_unix_fd_source_new(fd, condition);
    guint id;

    g_source_set_callback(source, G_SOURCE_FUNC(function), opaque, NULL);
    /*
     * No loop runs inside a callback, so none recurses.  Said so, GLib does not take the descriptor
     * out of the poll and back around each call, which would wake up the loop twice each time.
     */
    g_source_set_can_recurse(source, TRUE);
    id = g_source_attach(source, NULL);
    g_source_unref(source);
    return id;
}
