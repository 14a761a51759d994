/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QMP session: one client at a time on a pair of descriptors.  Requests are answered in
 * order; an asynchronous command holds up its own session and nobody else.
 * What a client makes us keep is bounded: requests wait in the socket once
 * some are queued here, and nothing is read or run for a client that leaves
 * its answers unread.
 */
#include "qmp-internal.h"

#include "system/main-loop.h"
#include "util/fd.h"
#include "util/trace.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Requests kept beside the one that runs before we stop reading. */
#define REQUESTS_LIMIT 8
/* Microseconds of commands in one go; then others get the VM lock and the main loop. */
#define TURN_TIME 2000
/* Descriptors kept for commands to come; a client has no reason to send more ahead. */
#define DESCRIPTORS_LIMIT 64
/* The kernel's limit for one message (SCM_MAX_FD, unix(7)). */
#define DESCRIPTORS_PER_MESSAGE 253

TRACE_EVENT(qmp_connected, "a QMP client has connected");
TRACE_EVENT(qmp_disconnected, "a QMP client has left or was disconnected");
TRACE_EVENT(qmp_request, "a QMP command starts");
TRACE_EVENT(qmp_response, "the answer of a QMP command leaves");
TRACE_EVENT(qmp_event_dropped, "an event is dropped because the client does not read");

struct QmpSession {
    char *name; /* for traces and messages */
    void (*disconnected)(gpointer opaque);
    gpointer opaque;
    gboolean pretty;
    gboolean executing; /* one of its commands is on the stack */

    /* The rest belongs to one connection. */
    gboolean connected;
    gboolean greeted;
    gboolean negotiated;
    gboolean oob;
    gboolean ended; /* no more input will come */
    gboolean socket;
    int input;
    QmpOutput output;
    JsonReader *reader;
    GQueue arrived;      /* Arrival, read and not looked at */
    GQueue waiting;      /* QmpRequest, in order */
    QmpRequest *running; /* holds up @waiting */
    GArray *descriptors; /* int */
    guint input_watch, output_watch, resume_source;
    GIOCondition output_condition;
};

static GPtrArray *sessions; /* all, in order of creation */
static gboolean sessions_started;

static void session_watch(QmpSession *session);
static gboolean session_resume(gpointer opaque);
static void arrival_free(gpointer arrival);

/* --- descriptors --- */

static void descriptors_close(QmpSession *session)
{
    for (guint i = 0; i < session->descriptors->len; i++) {
        close(g_array_index(session->descriptors, int, i));
    }
    g_array_set_size(session->descriptors, 0);
}

int qmp_session_take_fd(QmpSession *session)
{
    int fd;

    if (session->descriptors->len == 0) {
        return -1;
    }
    fd = g_array_index(session->descriptors, int, 0);
    g_array_remove_index(session->descriptors, 0);
    return fd;
}

static void descriptors_keep(QmpSession *session, struct msghdr *message)
{
    struct cmsghdr *header;

    for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        gsize count;

        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (gsize i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
            if (session->descriptors->len < DESCRIPTORS_LIMIT) {
                g_array_append_val(session->descriptors, fd);
            } else {
                close(fd);
            }
        }
    }
}

/* --- the connection --- */

static void request_free(gpointer request)
{
    qmp_request_free(request);
}

static void session_source_clear(guint *source)
{
    if (*source) {
        g_source_remove(*source);
        *source = 0;
    }
}

/* Forgets the connection without closing its descriptors. */
static void session_reset(QmpSession *session)
{
    session_source_clear(&session->input_watch);
    session_source_clear(&session->output_watch);
    session_source_clear(&session->resume_source);
    if (session->running) {
        session->running->session = NULL;
        session->running = NULL;
    }
    g_queue_clear_full(&session->arrived, arrival_free);
    g_queue_clear_full(&session->waiting, request_free);
    g_clear_pointer(&session->reader, json_reader_free);
    descriptors_close(session);
    qmp_output_clear(&session->output);
    session->connected = session->greeted = session->negotiated = session->oob = FALSE;
    session->ended = FALSE;
    session->input = -1;
}

static void session_disconnect(QmpSession *session)
{
    trace(qmp_disconnected, "%s", session->name);
    session_reset(session);
    session->disconnected(session->opaque);
}

static gboolean session_is_idle(const QmpSession *session)
{
    return !session->running && session->waiting.length == 0;
}

/* TRUE while the client leaves so many answers unread that we do nothing more for it. */
static gboolean session_is_clogged(const QmpSession *session)
{
    return qmp_output_pending(&session->output) >= QMP_OUTPUT_LIMIT;
}

/* Reads a piece of input with the descriptors that come with it; as read(2). */
static ssize_t session_receive(QmpSession *session, char *bytes, gsize size)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(DESCRIPTORS_PER_MESSAGE * sizeof(int))];
    } control;
    struct iovec vector = {.iov_base = bytes, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    ssize_t count;

    if (!session->socket) {
        return read(session->input, bytes, size);
    }
    count = recvmsg(session->input, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (count < 0 && errno == ENOTSOCK) {
        session->socket = FALSE;
        return read(session->input, bytes, size);
    }
    if (count >= 0) {
        descriptors_keep(session, &message);
    }
    return count;
}

/* --- requests --- */

/* A value as the reader found it: what it means may depend on the values before it. */
typedef struct Arrival {
    json_object *value;
    GError *error;
} Arrival;

static void arrival_free(gpointer opaque)
{
    Arrival *arrival = opaque;

    json_object_put(arrival->value);
    g_clear_error(&arrival->error);
    g_free(arrival);
}

static void session_value(json_object *value, GError *error, gpointer opaque)
{
    Arrival *arrival = g_new(Arrival, 1);

    *arrival = (Arrival){.value = value, .error = error};
    g_queue_push_tail(&((QmpSession *)opaque)->arrived, arrival);
}

static json_object *error_object(const GError *error)
{
    json_object *object = json_object_new_object();

    json_add_string(object, "class", vm_error_class(error));
    json_add_string(object, "desc", error->message);
    return object;
}

/* Sends the answer: @result NULL is the empty object, @error NULL is success. */
static void session_respond(QmpSession *session, QmpRequest *request, json_object *result,
                            const GError *error)
{
    g_autoptr(json_object) response = json_object_new_object();

    if (error) {
        json_object_object_add(response, "error", error_object(error));
    } else {
        json_object_object_add(response, "return",
                               result ? json_object_get(result) : json_object_new_object());
    }
    if (request->has_id) {
        json_object_object_add(response, "id", json_object_get(request->id));
    }
    trace(qmp_response, "%s %s: %s", session->name,
          request->command_name ? request->command_name : "(none)",
          error ? error->message : "success");
    qmp_output_send(&session->output, response);
}

/* Runs @request (ownership taken); a command that answers later stays session->running. */
static void session_execute(QmpSession *session, QmpRequest *request)
{
    g_autoptr(json_object) result = NULL;
    g_autoptr(GError) error = NULL;
    gboolean outer = session->executing;

    trace(qmp_request, "%s %s", session->name,
          request->command_name ? request->command_name : "(none)");
    if (!request->out_of_band) {
        session->running = request;
    }
    session->executing = TRUE;
    if (qmp_dispatch(request, &result, &error)) {
        session_respond(session, request, result, error);
        if (!request->out_of_band) {
            session->running = NULL;
        }
        qmp_request_free(request);
    }
    session->executing = outer;
}

/* TRUE if session_run() would do something, as far as one can tell without it. */
static gboolean session_has_work(QmpSession *session)
{
    return !g_queue_is_empty(&session->waiting) || !g_queue_is_empty(&session->arrived) ||
           session->ended || session->output.failed || qmp_output_pending(&session->output) > 0;
}

void qmp_request_answer(QmpRequest *request, json_object *result, GError *error)
{
    QmpSession *session = request->session;

    if (session) {
        session_respond(session, request, result, error);
        session->running = NULL;
        if (!session->executing && !session->resume_source && session_has_work(session)) {
            session->resume_source =
                g_idle_add_full(G_PRIORITY_DEFAULT, session_resume, session, NULL);
        }
    } else if (request->answered) {
        request->answered(result, error, request->opaque);
    }
    json_object_put(result);
    g_clear_error(&error);
    qmp_request_free(request);
}

/* Leaves the rest for the next turn of the main loop. */
static void session_yield(QmpSession *session)
{
    if (!session->resume_source) {
        session->resume_source = g_idle_add_full(G_PRIORITY_DEFAULT, session_resume, session, NULL);
    }
}

/* Looks at what has arrived: out-of-band requests run at once, the others get in line. */
static void session_sort(QmpSession *session, gint64 until)
{
    while (session->connected && !session_is_clogged(session) &&
           !g_queue_is_empty(&session->arrived)) {
        if (g_get_monotonic_time() >= until) {
            session_yield(session);
            return;
        }
        Arrival *arrival = g_queue_pop_head(&session->arrived);
        QmpRequest *request = qmp_request_new(session, g_steal_pointer(&arrival->value),
                                              g_steal_pointer(&arrival->error));

        arrival_free(arrival);
        if (request->out_of_band || session_is_idle(session)) {
            session_execute(session, request);
        } else {
            g_queue_push_tail(&session->waiting, request);
        }
    }
}

/* Does what can be done now.  May end the connection. */
static void session_run(QmpSession *session)
{
    gint64 until = g_get_monotonic_time() + TURN_TIME;

    while (!session->running && !session_is_clogged(session) &&
           !g_queue_is_empty(&session->waiting)) {
        if (g_get_monotonic_time() >= until) {
            session_yield(session);
            break;
        }
        session_execute(session, g_queue_pop_head(&session->waiting));
    }
    session_sort(session, until);
    if (session->output.failed ||
        (session->ended && session_is_idle(session) && g_queue_is_empty(&session->arrived) &&
         qmp_output_pending(&session->output) == 0)) {
        session_disconnect(session);
        return;
    }
    session_watch(session);
}

static gboolean session_resume(gpointer opaque)
{
    QmpSession *session = opaque;

    session->resume_source = 0;
    session_run(session);
    return G_SOURCE_REMOVE;
}

/* --- the connection's events --- */

/*
 * Descriptors that no command took are closed once all that was read is done.  They may still
 * belong to a request of which only a part has been read: that one does not end in a brace.
 */
static void session_close_surplus(QmpSession *session, const char *bytes, gsize length)
{
    while (length > 0 && g_ascii_isspace(bytes[length - 1])) {
        length--;
    }
    if (length > 0 && bytes[length - 1] == '}' && session_is_idle(session) &&
        g_queue_is_empty(&session->arrived)) {
        descriptors_close(session);
    }
}

static gboolean session_input(gint fd G_GNUC_UNUSED, GIOCondition condition G_GNUC_UNUSED,
                              gpointer opaque)
{
    QmpSession *session = opaque;
    char bytes[16 * 1024];
    ssize_t count = session_receive(session, bytes, sizeof(bytes));

    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return G_SOURCE_CONTINUE;
    }
    if (count <= 0) {
        session->ended = TRUE;
    } else {
        json_reader_feed(session->reader, bytes, count, session_value, session);
        session_sort(session, g_get_monotonic_time() + TURN_TIME);
        session_close_surplus(session, bytes, count);
    }
    session_run(session);
    return G_SOURCE_CONTINUE; /* session_run() removed the source where that is right */
}

static gboolean session_output(gint fd G_GNUC_UNUSED, GIOCondition condition, gpointer opaque)
{
    QmpSession *session = opaque;

    qmp_output_flush(&session->output);
    if (condition & (G_IO_ERR | G_IO_HUP)) {
        session->output.failed = TRUE;
    }
    session_run(session);
    return G_SOURCE_CONTINUE;
}

/* Reads while there is room, writes while something is queued; notices a client that leaves. */
static void session_watch(QmpSession *session)
{
    gboolean read = session->greeted && !session->ended && session->input >= 0 &&
                    !session_is_clogged(session) && g_queue_is_empty(&session->arrived) &&
                    g_queue_get_length(&session->waiting) < REQUESTS_LIMIT;
    GIOCondition condition = qmp_output_pending(&session->output) > 0 ? G_IO_OUT : 0;

    if (!read && session->greeted) {
        condition |= G_IO_HUP | G_IO_ERR;
    }
    if (read && !session->input_watch) {
        session->input_watch =
            main_loop_watch(session->input, G_IO_IN | G_IO_HUP | G_IO_ERR, session_input, session);
    } else if (!read) {
        session_source_clear(&session->input_watch);
    }
    if (condition != session->output_condition || !session->output_watch) {
        session_source_clear(&session->output_watch);
        session->output_condition = condition;
        if (condition) {
            session->output_watch =
                main_loop_watch(session->output.fd, condition, session_output, session);
        }
    }
}

static void session_greet(QmpSession *session)
{
    g_autoptr(json_object) line = json_object_new_object();
    json_object *greeting = json_object_new_object();
    json_object *capabilities = json_object_new_array();

    json_object_array_add(capabilities, json_object_new_string("oob"));
    json_object_object_add(greeting, "version", qmp_version());
    json_object_object_add(greeting, "capabilities", capabilities);
    json_object_object_add(line, "QMP", greeting);
    session->greeted = TRUE;
    qmp_output_send(&session->output, line);
    session_watch(session);
}

void qmp_session_connect(QmpSession *session, int input, int output)
{
    session_reset(session);
    trace(qmp_connected, "%s", session->name);
    session->connected = TRUE;
    session->input = input;
    session->socket = TRUE;
    session->reader = json_reader_new();
    qmp_output_init(&session->output, output, session->pretty);
    if (sessions_started) {
        session_greet(session);
    }
}

/* --- life --- */

QmpSession *qmp_session_new(const char *name, gboolean pretty,
                            void (*disconnected)(gpointer opaque), gpointer opaque)
{
    QmpSession *session = g_new0(QmpSession, 1);

    session->name = g_strdup(name);
    session->disconnected = disconnected;
    session->opaque = opaque;
    session->pretty = pretty;
    session->descriptors = g_array_new(FALSE, FALSE, sizeof(int));
    session->output.fd = -1;
    session->input = -1;
    if (!sessions) {
        sessions = g_ptr_array_new();
    }
    g_ptr_array_add(sessions, session);
    return session;
}

void qmp_session_free(QmpSession *session)
{
    g_ptr_array_remove(sessions, session);
    session_reset(session);
    g_array_unref(session->descriptors);
    g_free(session->name);
    g_free(session);
}

gboolean qmp_session_is_executing(const QmpSession *session)
{
    return session->executing;
}

void qmp_sessions_start(void)
{
    sessions_started = TRUE;
    for (guint i = 0; sessions && i < sessions->len; i++) {
        QmpSession *session = g_ptr_array_index(sessions, i);

        if (session->connected && !session->greeted) {
            session_greet(session);
        }
    }
}

void qmp_session_drain(QmpSession *session, gint64 deadline)
{
    qmp_output_drain(&session->output, deadline);
}

gboolean qmp_session_is_negotiated(const QmpSession *session)
{
    return session->negotiated;
}

gboolean qmp_session_has_oob(const QmpSession *session)
{
    return session->oob;
}

void qmp_session_set_negotiated(QmpSession *session, gboolean oob)
{
    session->negotiated = TRUE;
    session->oob = oob;
}

void qmp_sessions_send_event(json_object *event)
{
    for (guint i = 0; sessions && i < sessions->len; i++) {
        QmpSession *session = g_ptr_array_index(sessions, i);

        if (!session->negotiated) {
            continue;
        }
        if (qmp_output_pending(&session->output) >= QMP_OUTPUT_EVENT_LIMIT) {
            trace(qmp_event_dropped, "%s", session->name);
            continue;
        }
        qmp_output_send(&session->output, event);
        session_watch(session);
    }
}
