/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A qtest connection: a thread that reads commands, runs each and answers.
 * It takes the VM lock for one command, or one piece of a long one, at a time.
 */
#ifndef ACCEL_QTEST_SESSION_H
#define ACCEL_QTEST_SESSION_H

#include <glib.h>
#include <stdint.h>
#include <stdio.h>

/* Longest command line; a longer one is answered with FAIL and skipped. */
#define QTEST_LINE_MAX (128 * 1024 * 1024)
/* Longest piece of memory that one command reads or writes. */
#define QTEST_SIZE_MAX (256 * 1024 * 1024)
/* Memory goes through buffers of this size; a multiple of 3 for base64 and of 8 for registers. */
#define QTEST_PIECE (48 * 1024)

typedef struct QtestSession QtestSession;

/*
 * Serves @input and @output (non-blocking, the caller's, may be equal) in a
 * new thread.  @log is the caller's, NULL: none.  @ended is posted to the main loop when the
 * client has gone or does not read; it does not say which session, which may have been
 * freed meanwhile.
 */
QtestSession *qtest_session_new(int input, int output, FILE *log, void (*ended)(gpointer opaque),
                                GError **error);
/* TRUE after the thread has left. */
gboolean qtest_session_has_ended(QtestSession *session);
/* Ends the thread. VM lock held, released within. */
void qtest_session_free(QtestSession *session);

/* --- for the commands, in the session's thread --- */

/* Appends to the answer; it goes out when the command has ended or a piece is full. */
void qtest_put(QtestSession *session, const char *text, gsize length);
void qtest_printf(QtestSession *session, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* From now on changes of interrupt lines are reported. VM lock held. */
void qtest_intercept_irqs(QtestSession *session);

/* qtest-command.c: runs @line, which it may change, and puts the answer. */
void qtest_command(QtestSession *session, char *line);

#endif
