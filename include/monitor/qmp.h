/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QMP commands, events and types.  Each room describes its commands in a
 * table and registers it; dispatch, argument checks, query-commands,
 * query-qmp-schema and docs/interop/qmp.rst all come from these tables.
 * Main thread, VM lock held, unless it says otherwise.
 */
#ifndef MONITOR_QMP_H
#define MONITOR_QMP_H

#include "util/error.h"
#include "util/json.h"
#include "util/object.h"

/*
 * Types are written as in "name:str, *size:size, tags:[str]": a comma
 * separated list of members, '*' for optional ones, [T] for a list.  Built-in
 * types: str, int, uint8, uint16, uint32, uint64, size, number, bool, any, null.
 * Others are names of QmpType.  A final "**" accepts any further member.
 */
typedef struct QmpType {
    const char *name;
    enum { QMP_OBJECT, QMP_ENUM, QMP_UNION } kind;
    /* QMP_OBJECT: member list; QMP_ENUM: "a, b, c"; QMP_UNION: "base members | tag-member |
     * value=Type, ..." */
    const char *members;
    const char *doc;
    const char *features; /* "a, b" or NULL */
} QmpType;

typedef struct QmpRequest QmpRequest;

enum {
    QMP_COMMAND_OOB = 1 << 0,       /* may be run by exec-oob */
    QMP_COMMAND_NO_MACHINE = 1 << 1 /* reserved: also before the machine exists */
};

typedef struct QmpCommand {
    const char *name;
    const char *arguments; /* member list, NULL or "": none */
    const char *returns;   /* type, "[T]", or NULL: an empty object */
    const char *doc;       /* one or more sentences for qmp.rst */
    guint flags;
    const char *features; /* "a, b" or NULL: for the schema */
    /*
     * Exactly one of the two.  @arguments is a checked JSON object, borrowed (it may be changed);
     * members have the described types and every required one is there.  run returns a new
     * reference (NULL without error: the empty object).  start keeps @request and answers later.
     */
    json_object *(*run)(json_object *arguments, GError **error);
    void (*start)(QmpRequest *request, json_object *arguments);
    /*
     * The QmpType that the schema and the document show instead of @arguments, for a command
     * that leaves a part of the check to itself ("**"). NULL: @arguments says all.
     */
    const char *argument_type;
} QmpCommand;

typedef struct QmpEvent {
    const char *name;
    const char *data; /* member list, NULL: none */
    const char *doc;
} QmpEvent;

/* Tables end with an entry whose name is NULL and are static.  Any may be NULL. */
void qmp_register(const QmpCommand *commands, const QmpEvent *events, const QmpType *types);

/* QMP_REGISTER(commands, events, types) at file scope registers before main(). */
#define QMP_REGISTER(commands, events, types)                                                      \
    __attribute__((constructor)) static void qmp_register_tables(void)                             \
    {                                                                                              \
        qmp_register(commands, events, types);                                                     \
    }                                                                                              \
    struct qmp_register_swallow_semicolon

/*
 * Ends an asynchronous command, exactly once: with @result (reference taken, NULL: the empty
 * object) or @error (ownership taken).  The client may be gone: then it is dropped.
 */
void qmp_request_answer(QmpRequest *request, json_object *result, GError *error);

/*
 * The descriptor that came with the command (SCM_RIGHTS, in order of arrival), now the caller's.
 * -1 if there is none.  @request NULL: that of the synchronous command being run.
 */
int qmp_request_take_fd(QmpRequest *request);

/* Sends @name with @data (reference taken, may be NULL) and a time stamp to every session that has
 * finished capability negotiation. Main thread. */
void qmp_event_send(const char *name, json_object *data);

/* Type-safe access to checked arguments: NULL, @otherwise if the member is missing. */
const char *qmp_string(json_object *arguments, const char *name);
gint64 qmp_int(json_object *arguments, const char *name, gint64 otherwise);
guint64 qmp_uint(json_object *arguments, const char *name, guint64 otherwise);
gboolean qmp_bool(json_object *arguments, const char *name, gboolean otherwise);

/* [ObjectPropertyInfo] of @type, for commands that describe types. New reference. */
json_object *qmp_property_list(GType type);

/* query-qmp-schema's answer; docs/interop/qmp.rst's text.  New reference; caller frees. */
json_object *qmp_schema(void);
char *qmp_document(void);

#endif
