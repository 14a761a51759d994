/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the monitor share: the registered tables in parsed form,
 * requests, and the session that a command runs for.  Main thread.
 */
#ifndef MONITOR_QMP_INTERNAL_H
#define MONITOR_QMP_INTERNAL_H

#include "monitor/qmp.h"

/* --- types (qmp-types.c) --- */

/* A use of a type: @lists counts the brackets around @type. */
typedef struct QmpTypeUse {
    char *type;
    guint lists;
} QmpTypeUse;

typedef struct QmpMember {
    char *name;
    QmpTypeUse use;
    gboolean optional;
} QmpMember;

/* A parsed member list. */
typedef struct QmpMembers {
    GArray *members; /* QmpMember, in order of the table */
    gboolean open;   /* "**": further members are the command's own business */
} QmpMembers;

/* One value of a union's tag and the type whose members come with it. */
typedef struct QmpVariant {
    char *value;
    char *type;
} QmpVariant;

/* A registered type with its text parsed; what does not apply to @source->kind is NULL. */
typedef struct QmpTypeInfo {
    const QmpType *source;
    QmpMembers *members; /* object, and base of a union */
    char **values;       /* enum */
    char *tag;           /* union */
    GArray *variants;    /* union: QmpVariant */
} QmpTypeInfo;

typedef enum {
    QMP_BUILTIN_NONE, /* not a built-in type */
    QMP_BUILTIN_STRING,
    QMP_BUILTIN_SIGNED,
    QMP_BUILTIN_UNSIGNED,
    QMP_BUILTIN_NUMBER,
    QMP_BUILTIN_BOOLEAN,
    QMP_BUILTIN_ANY,
    QMP_BUILTIN_NULL,
} QmpBuiltin;

/* Parses a member list; NULL and @error if the table is malformed. @text may be NULL. */
QmpMembers *qmp_members_parse(const char *text, GError **error);
void qmp_members_free(QmpMembers *members);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpMembers, qmp_members_free)

/* Parses "T" or "[T]". */
gboolean qmp_type_use_parse(const char *text, QmpTypeUse *use, GError **error);
void qmp_type_use_clear(QmpTypeUse *use);
/* "[T]" again; caller frees. */
char *qmp_type_use_text(const QmpTypeUse *use);

/* What kind of built-in type @name is; for unsigned ones @maximum (may be NULL) is the bound. */
QmpBuiltin qmp_builtin(const char *name, guint64 *maximum);

/* The type called @name, parsed once and kept; NULL with @error if unknown or malformed. */
const QmpTypeInfo *qmp_type_find(const char *name, GError **error);

/* --- registry (qmp-dispatch.c) --- */

/* Sorted by name; borrowed for ever; elements point into the registered tables. */
GPtrArray *qmp_commands(void);
GPtrArray *qmp_events(void);
GPtrArray *qmp_types(void);
const QmpCommand *qmp_command_find(const char *name);

/* Registers the types of object-add's properties, which come from GObject; once (qmp-object.c). */
void qmp_object_types_register(void);

/* --- argument checks (qmp-check.c) --- */

/* Checks @arguments, a JSON object, against the table. */
gboolean qmp_check_arguments(const QmpMembers *members, json_object *arguments, GError **error);

/* --- requests and sessions (qmp-session.c) --- */

typedef struct QmpSession QmpSession;

struct QmpRequest {
    QmpSession *session; /* NULL: the client is gone, or this is a test */
    json_object *id;     /* echoed when @has_id; JSON null is NULL */
    gboolean has_id;
    gboolean out_of_band;
    GError *error; /* found while reading: becomes the answer */
    const QmpCommand *command;
    char *command_name;
    json_object *arguments; /* NULL: none */
    /* Of qmp_execute(): gets the answer in place of a session. */
    void (*answered)(json_object *result, const GError *error, gpointer opaque);
    gpointer opaque;
};

/* Splits @value (ownership taken; NULL with @parse_error, taken too) into a request. */
QmpRequest *qmp_request_new(QmpSession *session, json_object *value, GError *parse_error);
void qmp_request_free(QmpRequest *request);

/*
 * Runs @request: returns TRUE when it has finished, with *@result or @error set; FALSE when it
 * was started and answers later (or has done so already).
 */
gboolean qmp_dispatch(QmpRequest *request, json_object **result, GError **error);

/*
 * Runs command @name with @arguments (ownership taken) for our own process; @answered is called
 * once, within this call or later.  Result and error are borrowed.
 */
void qmp_execute(const char *name, json_object *arguments,
                 void (*answered)(json_object *result, const GError *error, gpointer opaque),
                 gpointer opaque);

/* The request whose run() is being executed, or NULL. */
QmpRequest *qmp_request_current(void);

/*
 * A session without a connection; @name is for messages.  @disconnected is
 * called when the client has left and the descriptors are no longer used; it may connect again.
 */
QmpSession *qmp_session_new(const char *name, gboolean pretty,
                            void (*disconnected)(gpointer opaque), gpointer opaque);
/* Not from within one of its own commands: qmp_session_is_executing(). */
void qmp_session_free(QmpSession *session);
gboolean qmp_session_is_executing(const QmpSession *session);

/* A client is there.  The descriptors are non-blocking and borrowed; @input may be -1. */
void qmp_session_connect(QmpSession *session, int input, int output);
/* Greets the clients that are there, and from now on those that come. */
void qmp_sessions_start(void);
/* Writes what is queued until all is gone or the monotonic clock reaches @deadline (us). */
void qmp_session_drain(QmpSession *session, gint64 deadline);

gboolean qmp_session_is_negotiated(const QmpSession *session);
gboolean qmp_session_has_oob(const QmpSession *session);
/* qmp_capabilities succeeded. */
void qmp_session_set_negotiated(QmpSession *session, gboolean oob);
/* The oldest descriptor that came and was not taken, now the caller's; -1 if there is none. */
int qmp_session_take_fd(QmpSession *session);
/* Sends @event to every session that has finished negotiation. */
void qmp_sessions_send_event(json_object *event);

/* query-version's answer, also part of the greeting.  New reference (qmp-control.c). */
json_object *qmp_version(void);

/* --- sessions on chardevs (monitor.c) --- */

typedef struct Chardev Chardev;
typedef struct Monitor Monitor;

/* NULL with @error if another front end uses @chardev. */
Monitor *monitor_new(Chardev *chardev, gboolean pretty, GError **error);
/* FALSE with @error while one of its own commands is being executed. */
gboolean monitor_can_free(const Monitor *monitor, GError **error);
/* Ends it and its connection; nothing if monitor_cleanup() has done so. */
void monitor_free(Monitor *monitor);

/* --- connection output (qmp-output.c) --- */

/*
 * Lines on their way to a client: written at once when the client reads,
 * queued otherwise.  Never blocks.
 */
typedef struct QmpOutput {
    int fd;          /* borrowed; -1: closed, everything is dropped */
    gboolean socket; /* @fd is a socket */
    gboolean pretty;
    gboolean failed; /* the peer is gone: what is sent from now on is dropped */
    GByteArray *queue;
    gsize sent; /* bytes of @queue that have left */
} QmpOutput;

/* Beyond the first limit events are dropped, beyond the second no command is read or run. */
#define QMP_OUTPUT_EVENT_LIMIT (8 * 1024 * 1024)
#define QMP_OUTPUT_LIMIT (16 * 1024 * 1024)

void qmp_output_init(QmpOutput *output, int fd, gboolean pretty);
void qmp_output_clear(QmpOutput *output);
/* Sends @value as one line. */
void qmp_output_send(QmpOutput *output, json_object *value);
/* Sends bytes as they are. */
void qmp_output_bytes(QmpOutput *output, const char *bytes, gsize length);
/* Writes what the client takes of the queue. */
void qmp_output_flush(QmpOutput *output);
gsize qmp_output_pending(const QmpOutput *output);
/* Writes what is queued until all is gone or the monotonic clock reaches @deadline (us). */
void qmp_output_drain(QmpOutput *output, gint64 deadline);

/* --- absent-commands.c --- */

/* Why the command @name of QMP or of the human monitor is not there; NULL: nobody knows it. */
const char *monitor_absent_reason(const char *name);

#endif
