/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main loop: GLib's default main context, polled without the VM lock and
 * dispatched with it.
 */
#ifndef SYSTEM_MAIN_LOOP_H
#define SYSTEM_MAIN_LOOP_H

#include <glib-unix.h>

/* Takes the VM lock and makes the default context release it while polling. Main thread, once. */
void main_loop_init(void);

/* Runs until main_loop_quit(). Main thread. */
void main_loop_run(void);

/* Makes main_loop_run() return. Any thread. */
void main_loop_quit(void);

/* TRUE from main_loop_quit() until main_loop_run() has returned: start-up code stops waiting. Any
 * thread. */
gboolean main_loop_is_quitting(void);

/* One turn of the loop, waiting for an event: for start-up code that waits for a job. Main thread,
 * top level only. */
void main_loop_turn(void);

/* Runs @function(@opaque) once in the main thread with the VM lock held, in order of posting. Any
 * thread. */
void main_loop_post(void (*function)(gpointer opaque), gpointer opaque);

/*
 * Watches @fd for @condition; @function returns G_SOURCE_REMOVE to end.  Called in the main
 * thread with the VM lock held.  Returns a GSource id for g_source_remove().
 */
guint main_loop_watch(int fd, GIOCondition condition, GUnixFDSourceFunc function, gpointer opaque);

#endif
