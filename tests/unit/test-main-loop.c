/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The main loop: order of posts from threads, wake-ups, the lock, what a post costs. */
#include "system/main-loop.h"
#include "system/vm-lock.h"

#include <unistd.h>

#define THREADS 4
#define POSTS 5000

typedef struct Item {
    guint thread;
    guint number;
} Item;

static Item items[THREADS][POSTS];
static guint next_number[THREADS];
static guint received;
static GThread *main_thread;

static void receive(gpointer opaque)
{
    Item *item = opaque;

    g_assert_true(vm_lock_held());
    g_assert_true(g_thread_self() == main_thread);
    g_assert_cmpuint(item->number, ==, next_number[item->thread]++);
    if (++received == THREADS * POSTS) {
        main_loop_quit();
    }
}

static gpointer post_all(gpointer opaque)
{
    guint thread = GPOINTER_TO_UINT(opaque);

    for (guint i = 0; i < POSTS; i++) {
        items[thread][i] = (Item){thread, i};
        main_loop_post(receive, &items[thread][i]);
        if (i % 1000 == 0) {
            g_usleep(500); /* let the loop fall asleep now and then */
        }
    }
    return NULL;
}

static void test_threads(void)
{
    GThread *threads[THREADS];

    for (guint i = 0; i < THREADS; i++) {
        threads[i] = g_thread_new("poster", post_all, GUINT_TO_POINTER(i));
    }
    main_loop_run();
    for (guint i = 0; i < THREADS; i++) {
        g_thread_join(threads[i]);
    }
    g_assert_cmpuint(received, ==, THREADS * POSTS);
}

static gpointer take_lock(gpointer opaque G_GNUC_UNUSED)
{
    vm_lock(); /* only possible because the loop polls without it */
    main_loop_quit();
    vm_unlock();
    return NULL;
}

static void test_lock(void)
{
    GThread *thread = g_thread_new("locker", take_lock, NULL);

    g_assert_true(vm_lock_held());
    main_loop_run();
    g_thread_join(thread);
}

static gboolean readable(gint fd, GIOCondition condition, gpointer opaque)
{
    char byte;

    g_assert_true(condition & G_IO_IN);
    g_assert_true(vm_lock_held());
    g_assert_cmpint(read(fd, &byte, 1), ==, 1);
    *(char *)opaque = byte;
    return G_SOURCE_REMOVE;
}

static void test_watch(void)
{
    int ends[2];
    char seen = 0;

    g_assert_cmpint(pipe(ends), ==, 0);
    main_loop_watch(ends[0], G_IO_IN, readable, &seen);
    g_assert_cmpint(write(ends[1], "x", 1), ==, 1);
    while (!seen) {
        main_loop_turn();
    }
    g_assert_cmpint(seen, ==, 'x');
    close(ends[0]);
    close(ends[1]);
}

static void again(gpointer opaque)
{
    guint *left = opaque;

    if (--*left == 0) {
        main_loop_quit();
    } else {
        main_loop_post(again, left);
    }
}

static void test_post_within(void)
{
    guint left = 10000;
    gint64 start = g_get_monotonic_time();

    main_loop_post(again, &left);
    main_loop_run();
    g_test_message("%.2f us for a post and its turn",
                   (double)(g_get_monotonic_time() - start) / 10000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_thread = g_thread_self();
    main_loop_init();
    g_test_add_func("/main-loop/threads", test_threads);
    g_test_add_func("/main-loop/lock", test_lock);
    g_test_add_func("/main-loop/watch", test_watch);
    g_test_add_func("/main-loop/post-within", test_post_within);
    return g_test_run();
}
