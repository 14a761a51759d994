/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one lock.  A plain pthread mutex, so that thread checkers see it, and a
 * flag a thread for the assertions of our own code.
 *
 * A mutex alone goes to whoever is running, so that a main loop with much to do would take it
 * again and again before a thread that waits wakes up.  Hence the second one, the place at the
 * head of the line: who waits keeps it, and the one who has just let go stands behind.
 */
#include "system/vm-lock.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t next = PTHREAD_MUTEX_INITIALIZER;
static __thread gboolean held;

void vm_lock(void)
{
    g_assert(!held);
    pthread_mutex_lock(&next);
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&next);
    held = TRUE;
}

void vm_unlock(void)
{
    g_assert(held);
    held = FALSE;
    pthread_mutex_unlock(&lock);
}

gboolean vm_lock_held(void)
{
    return held;
}
