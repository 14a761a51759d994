/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The requests that a backend makes itself, on a socket of its own ("Back-end message types"): a
 * changed configuration, what a ring reports, a page to be a ring's doorbell.  They are served
 * while a job waits for the backend, too, which may wait for us in that moment.
 */
#include "vhost-user-internal.h"

#include "util/error.h"
#include "util/fd.h"
#include "util/report.h"
#include "util/trace.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

TRACE_EVENT(vhost_user_backend_request, "a backend asks for something");

/* Requests of a backend in one second beyond which nobody listens to them any more. */
#define REQUESTS_A_SECOND 1000

/* Both wait for each other otherwise ("Back-end communication"), until the deadline. */
static void serve_beside(gpointer session)
{
    vhost_user_requests_serve(session);
}

gboolean vhost_user_requests_open(VhostUserSession *session, GError **error)
{
    int ends[2];
    gboolean sent;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        vm_error_set_errno(error, errno, "%s: cannot make a socket for the backend's requests",
                           session->label);
        return FALSE;
    }
    vhost_user_stream_init(&session->requests, ends[0]);
    vhost_user_channel_serve_beside(session->channel, &session->requests.socket, serve_beside,
                                    session);
    sent = vhost_user_channel_send(session->channel, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0,
                                   &ends[1], 1, NULL, error);
    close(ends[1]);
    return sent;
}

/* Takes one request; TRUE if the backend may expect more of the same from us. */
static gboolean flooded(VhostUserSession *session)
{
    gint64 second = g_get_monotonic_time() / G_USEC_PER_SEC;

    if (second != session->requests_second) {
        session->requests_second = second;
        session->requests_this_second = 0;
    }
    return ++session->requests_this_second > REQUESTS_A_SECOND;
}

static void answer_request(VhostUserSession *session, const VhostUserHeader *request,
                           uint64_t result)
{
    VhostUserHeader header = {
        .request = request->request,
        .flags = VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY,
        .size = sizeof(result),
    };

    /* The socket's buffer holds many answers; who does not read them is not waited for. */
    if (request->flags & VHOST_USER_FLAG_NEED_REPLY &&
        vhost_user_stream_write(&session->requests, &header, &result, 0, NULL, 0) !=
            (gssize)(sizeof(header) + sizeof(result))) {
        vhost_user_stream_close(&session->requests);
    }
}

/* What is asked for is done or refused. */
static gboolean serve(VhostUserSession *session, uint32_t request, const VhostUserVringState *ring)
{
    gboolean in_band = vhost_user_has_protocol(session, VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS);

    switch (request) {
    case VHOST_USER_BACKEND_CONFIG_CHANGE_MSG:
        session->config_stale = TRUE;
        return TRUE;
    case VHOST_USER_BACKEND_VRING_CALL:
        return in_band && vhost_user_rings_called(session, ring->index);
    case VHOST_USER_BACKEND_VRING_ERR:
        return in_band && vhost_user_rings_failed(session, ring->index);
    default:
        return FALSE;
    }
}

/* With @problem, what the validator says of it; refusals are named in the log. */
static gboolean serve_notifier(VhostUserSession *session, const VhostUserVringArea *area,
                               const char *problem)
{
    VhostUserStream *stream = &session->requests;
    g_autofree char *reason = NULL;
    gboolean lost = stream->fds_lost && stream->fd_count == 0;
    int fd = vhost_user_stream_take_fd(stream);

    if (lost) {
        problem = "its descriptor cannot be received: too many open files";
    }
    reason = problem != NULL ? g_strdup(problem) : vhost_user_notifier_set(session, area, fd);
    fd_clear_foreign(&fd);
    if (reason != NULL) {
        vhost_user_notifier_refused(session, reason);
    }
    return reason == NULL;
}

/* A notifier of the right form whose content is wrong is refused like one that cannot be mapped. */
static gboolean is_notifier(const VhostUserHeader *header)
{
    return header->request == VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG &&
           header->size == sizeof(VhostUserVringArea) &&
           (header->flags & VHOST_USER_VERSION_MASK) == VHOST_USER_VERSION;
}

/* Why the requests of this backend are not served any more; NULL while they are. */
static const char *serve_one(VhostUserSession *session)
{
    VhostUserStream *stream = &session->requests;
    VhostUserHeader header;
    const char *problem;
    VhostUserPayload payload = {0};
    gboolean served;

    memcpy(&header, stream->buffer, sizeof(header));
    problem = vhost_user_validate_backend_request(&header, stream->buffer + sizeof(header),
                                                  stream->fd_count, session->queues);
    if (problem != NULL && !is_notifier(&header)) {
        return problem;
    }
    if (flooded(session)) {
        return "floods us with requests";
    }
    trace(vhost_user_backend_request, "device %s: %s", session->id,
          vhost_user_backend_request_name(header.request));
    memcpy(&payload, stream->buffer + sizeof(header), MIN(header.size, sizeof(payload)));
    served = is_notifier(&header) ? serve_notifier(session, &payload.area, problem)
                                  : serve(session, header.request, &payload.state);
    fd_clear_foreign(&(int){vhost_user_stream_take_fd(stream)});
    vhost_user_stream_consume(stream, sizeof(header) + header.size);
    answer_request(session, &header, served ? 0 : 1);
    return NULL;
}

/* TRUE if a whole message is in the buffer; *@problem if there never will be one. */
static gboolean message_is_whole(const VhostUserStream *stream, const char **problem)
{
    VhostUserHeader header;

    if (stream->used < sizeof(header)) {
        return FALSE;
    }
    memcpy(&header, stream->buffer, sizeof(header));
    if (header.size > VHOST_USER_PAYLOAD_MAXIMUM) {
        *problem = "sent a request that is too long";
        return FALSE;
    }
    return stream->used >= sizeof(header) + header.size;
}

/* A descriptor belongs to the message with whose bytes it comes, so no read goes beyond one. */
static gsize read_limit(const VhostUserStream *stream)
{
    VhostUserHeader header;

    if (stream->used < sizeof(header)) {
        return sizeof(header) - stream->used;
    }
    memcpy(&header, stream->buffer, sizeof(header));
    return sizeof(header) + header.size - stream->used;
}

/* Reads until there is nothing more, at most what a second may bring. */
static const char *serve_all(VhostUserSession *session)
{
    VhostUserStream *stream = &session->requests;
    const char *problem = NULL;

    while (problem == NULL && stream->socket >= 0) {
        gssize got = vhost_user_stream_read(stream, read_limit(stream));

        if (got == -EAGAIN) {
            return NULL;
        }
        if (got <= 0) {
            vhost_user_stream_close(stream);
            return NULL;
        }
        if (message_is_whole(stream, &problem)) {
            problem = serve_one(session);
        }
    }
    return problem;
}

void vhost_user_requests_serve(VhostUserSession *session)
{
    const char *problem = serve_all(session);
    g_autoptr(GError) error = NULL;

    if (problem != NULL) {
        g_set_error(&error, VHOST_USER_ERROR, VHOST_USER_ERROR_PROTOCOL,
                    "%s: the backend's requests are not heard any more: %s", session->label,
                    problem);
        report_warning("%s", error->message);
        vhost_user_note_error(session, error);
        vhost_user_stream_close(&session->requests);
    }
}

void vhost_user_requests_follow_up(VhostUserSession *session)
{
    g_autoptr(GError) error = NULL;

    if (!session->config_stale || session->lost) {
        return;
    }
    session->config_stale = FALSE;
    vhost_user_deadline_renew(session);
    if (!vhost_user_config_refresh(session, &error)) {
        vhost_user_note_error(session, error);
        vhost_user_notice_loss(session, error);
    }
}
