/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QMP client: one session on a connected socket.  Every wait has a deadline.
 * One thread at a time a session.
 */
#ifndef QTEST_QMP_H
#define QTEST_QMP_H

#include <glib.h>
#include <json-c/json.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_object, json_object_put)

/* The answer was an error object: the code is its class, the message its desc. */
#define QMP_ERROR (qmp_error_quark())
typedef enum {
    QMP_ERROR_GENERIC,
    QMP_ERROR_COMMAND_NOT_FOUND,
    QMP_ERROR_DEVICE_NOT_FOUND,
    QMP_ERROR_DEVICE_NOT_ACTIVE,
    QMP_ERROR_UNKNOWN_CLASS,
    QMP_ERROR_TIMEOUT, /* no answer in time */
    QMP_ERROR_CLOSED,  /* the peer closed the session */
    QMP_ERROR_BROKEN,  /* what came is not QMP */
} QmpErrorCode;
GQuark qmp_error_quark(void);

typedef struct Qmp Qmp;

/* Takes @socket.  @timeout: seconds for each answer. */
Qmp *qmp_new(int socket, guint timeout);
void qmp_free(Qmp *qmp);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Qmp, qmp_free)
/* Connects to a listening monitor, trying until the timeout.  NULL with @error. */
Qmp *qmp_connect(const char *path, guint timeout, GError **error);
int qmp_socket(Qmp *qmp);
void qmp_set_timeout(Qmp *qmp, guint milliseconds);

/* Reads the greeting and sends qmp_capabilities.  The greeting is kept: qmp_greeting(). */
gboolean qmp_negotiate(Qmp *qmp, GError **error);
json_object *qmp_greeting(Qmp *qmp); /* borrowed */

/*
 * Sends the printf-style command and returns what "return" holds (new reference).  In the text,
 * after formatting, each ' becomes " so that C strings stay readable.  Events that come meanwhile
 * are queued.
 */
json_object *qmp_command(Qmp *qmp, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* For tests: an error ends the test program. */
json_object *qmp_command_or_fail(Qmp *qmp, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* The answer must be an error: returns its desc, caller frees. */
char *qmp_command_refused(Qmp *qmp, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The two halves of qmp_command(), for commands that are answered later. */
void qmp_send(Qmp *qmp, const char *format, ...) G_GNUC_PRINTF(2, 3);
json_object *qmp_answer(Qmp *qmp, GError **error);
/* TRUE if an answer is there within @milliseconds (it stays for qmp_answer()). */
gboolean qmp_answer_ready(Qmp *qmp, guint milliseconds);

/* As qmp_command() but with descriptors (SCM_RIGHTS), which stay the caller's. */
json_object *qmp_command_fds(Qmp *qmp, const int *fds, guint fd_count, GError **error,
                             const char *format, ...) G_GNUC_PRINTF(5, 6);

/*
 * The next event named @name (NULL: any), queued or still to come; others stay queued in order.
 * NULL after @milliseconds.  New reference.
 */
json_object *qmp_event(Qmp *qmp, const char *name, guint milliseconds);
/* The same where a member of "data" must be the string @value. */
json_object *qmp_event_where(Qmp *qmp, const char *name, const char *member, const char *value,
                             guint milliseconds);
/* For tests: an event that does not come ends the test program. */
json_object *qmp_event_or_fail(Qmp *qmp, const char *name, guint milliseconds);
json_object *qmp_event_where_or_fail(Qmp *qmp, const char *name, const char *member,
                                     const char *value, guint milliseconds);
void qmp_expect_event(Qmp *qmp, const char *name, guint milliseconds);
/* And so does one that comes within @milliseconds. */
void qmp_expect_no_event(Qmp *qmp, const char *name, guint milliseconds);
void qmp_events_clear(Qmp *qmp);

/* For hostile tests: bytes as they are, no waiting for an answer. FALSE if the peer is gone. */
gboolean qmp_send_bytes(Qmp *qmp, const void *bytes, gsize size);
/* The next whole message, event or not: for order and format.  New reference. */
json_object *qmp_message(Qmp *qmp, GError **error);
/* The raw text of the message read last, with its line end; borrowed until the next read. */
const char *qmp_message_text(Qmp *qmp);

/* Value at a path such as "qemu/major" or "0/id" (array index), borrowed; NULL if missing. */
json_object *qmp_get(json_object *object, const char *path);
const char *qmp_get_string(json_object *object, const char *path); /* NULL if missing */
gint64 qmp_get_int(json_object *object, const char *path, gint64 otherwise);

#endif
