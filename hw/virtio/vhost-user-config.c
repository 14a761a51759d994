/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration space of a vhost-user session, and the requests that a backend makes itself on a
 * socket of its own ("Back-end message types"): a changed configuration, and what a ring reports.
 */
#include "vhost-user-internal.h"

#include "system/main-loop.h"
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

/* --- reading --- */

void vhost_user_session_config(VhostUserSession *session, uint8_t *bytes, uint32_t size)
{
    pthread_mutex_lock(&session->lock);
    memcpy(bytes, session->config, MIN(size, session->needs->config_size));
    pthread_mutex_unlock(&session->lock);
}

/* GET_CONFIG number @number brought @bytes; one that came later may be there already. */
static void keep_config(VhostUserSession *session, const uint8_t *bytes, guint64 number)
{
    pthread_mutex_lock(&session->lock);
    if (number > session->config_fetch) {
        session->config_fetch = number;
        memcpy(session->config, bytes, session->needs->config_size);
    }
    pthread_mutex_unlock(&session->lock);
}

uint32_t vhost_user_session_config_length(VhostUserSession *session)
{
    return session->config_length;
}

/* *@length is 0 if the backend says that it cannot. */
static gboolean fetch(VhostUserSession *session, uint32_t size, uint8_t *bytes, uint32_t *length,
                      GError **error)
{
    VhostUserConfig ask = {.size = size};
    VhostUserConfig answer = {0};
    uint32_t received;

    if (!vhost_user_channel_call(session->channel, VHOST_USER_GET_CONFIG, &ask,
                                 VHOST_USER_CONFIG_HEAD + size, &answer, 0, sizeof(answer),
                                 &received, NULL, error)) {
        return FALSE;
    }
    *length = received > VHOST_USER_CONFIG_HEAD ? MIN(answer.size, size) : 0;
    memcpy(bytes, answer.bytes, *length);
    return TRUE;
}

/*
 * A backend refuses to give more bytes than its own definition of the device has, and the
 * specifications of devices grow: what it lacks at the end are zeros.
 */
gboolean vhost_user_config_fetch(VhostUserSession *session, uint8_t *bytes, uint32_t *length,
                                 GError **error)
{
    const VhostUserNeeds *needs = session->needs;

    memset(bytes, 0, needs->config_size);
    if (!fetch(session, needs->config_size, bytes, length, error)) {
        return FALSE;
    }
    if (*length == 0 && needs->config_minimum != 0 &&
        !fetch(session, needs->config_minimum, bytes, length, error)) {
        return FALSE;
    }
    if (*length < (needs->config_minimum != 0 ? needs->config_minimum : needs->config_size)) {
        vm_error_set(error, "%s: GET_CONFIG of %u bytes brought %u", session->label,
                     needs->config_size, *length);
        return FALSE;
    }
    return TRUE;
}

/* --- writing --- */

typedef struct ConfigJob {
    VhostUserJob job;
    VhostUserConfig config;
    gboolean ask_again;
} ConfigJob;

static gboolean refresh_config(VhostUserSession *session, GError **error);

static gboolean fetch_again(VhostUserSession *session, GError **error)
{
    uint8_t bytes[VHOST_USER_MAX_CONFIG_SIZE];
    uint32_t length;

    if (!vhost_user_config_fetch(session, bytes, &length, error)) {
        return FALSE;
    }
    keep_config(session, bytes, ++session->config_fetches);
    return TRUE;
}

static gboolean run_config_write(VhostUserSession *session, VhostUserJob *job, GError **error)
{
    const ConfigJob *write = (const ConfigJob *)job;
    const VhostUserConfig *config = &write->config;

    if (!vhost_user_has_protocol(session, VHOST_USER_PROTOCOL_F_CONFIG)) {
        return TRUE;
    }
    if (vhost_user_channel_send(session->channel, VHOST_USER_SET_CONFIG, config,
                                VHOST_USER_CONFIG_HEAD + config->size, NULL, 0, NULL, error) &&
        vhost_user_settle(session, error)) {
        return !write->ask_again || fetch_again(session, error);
    }
    /* The driver believes in what it wrote until it is told what the backend kept. */
    refresh_config(session, NULL);
    return FALSE;
}

static const VhostUserJobKind config_write_kind = {.name = "config-write", .run = run_config_write};

/* Sends the cached bytes; the job's number. */
static guint64 queue_write(VhostUserSession *session, uint32_t offset, uint32_t size)
{
    ConfigJob *write = g_new0(ConfigJob, 1);

    write->config.offset = offset;
    write->config.size = size;
    write->config.flags = VHOST_USER_CONFIG_WRITABLE;
    write->ask_again = session->kept->config_is_live;
    pthread_mutex_lock(&session->lock);
    memcpy(write->config.bytes, session->config + offset, size);
    pthread_mutex_unlock(&session->lock);
    return vhost_user_job_queue(session, &write->job, &config_write_kind, NULL, NULL);
}

void vhost_user_session_config_write(VhostUserSession *session, uint32_t offset, const void *bytes,
                                     uint32_t size, gboolean ask_again)
{
    guint64 number;

    if (size == 0 || offset > session->needs->config_size ||
        size > session->needs->config_size - offset) {
        return;
    }
    pthread_mutex_lock(&session->lock);
    memcpy(session->config + offset, bytes, size);
    pthread_mutex_unlock(&session->lock);
    for (uint32_t i = offset; i < offset + size; i++) {
        session->kept->config_written[i] = TRUE;
    }
    session->kept->config_is_live = ask_again;
    number = queue_write(session, offset, size);
    if (ask_again) {
        vhost_user_job_wait(session, number);
    }
}

/* --- at a return --- */

void vhost_user_session_configs(VhostUserSession *session, VhostUserSession *before, uint8_t **now,
                                uint8_t **then)
{
    uint32_t size = session->needs->config_size;

    *now = g_malloc0(MAX(size, 1));
    *then = g_malloc0(MAX(size, 1));
    vhost_user_session_config(before, *then, size);
    pthread_mutex_lock(&session->lock);
    for (uint32_t i = 0; i < size; i++) {
        if (session->kept->config_written[i]) {
            session->config[i] = (*then)[i];
        }
        (*now)[i] = session->config[i];
    }
    pthread_mutex_unlock(&session->lock);
}

void vhost_user_session_adopt(VhostUserSession *session)
{
    const gboolean *written = session->kept->config_written;
    uint32_t size = session->needs->config_size;

    session->kept->connections++;
    for (uint32_t end, offset = 0; offset < size; offset = end + 1) {
        for (end = offset; end < size && written[end]; end++) {
        }
        if (end > offset) {
            queue_write(session, offset, end - offset);
        }
    }
}

/* --- a change that the backend made --- */

typedef struct ConfigNews {
    VhostUserSession *session;
    guint64 number;
    uint8_t bytes[VHOST_USER_MAX_CONFIG_SIZE];
} ConfigNews;

/* In the main thread. */
static void tell_config(gpointer data)
{
    ConfigNews *news = data;
    VhostUserSession *session = news->session;

    if (session->state == VHOST_USER_CONNECTED) {
        keep_config(session, news->bytes, news->number);
        if (session->callbacks.config_changed != NULL) {
            session->callbacks.config_changed(session->opaque);
        }
    }
    g_free(news);
}

static gboolean refresh_config(VhostUserSession *session, GError **error)
{
    ConfigNews *news;
    uint32_t length;

    if (!vhost_user_has_protocol(session, VHOST_USER_PROTOCOL_F_CONFIG) ||
        session->needs->config_size == 0) {
        return TRUE;
    }
    news = g_new0(ConfigNews, 1);
    news->session = session;
    if (!vhost_user_config_fetch(session, news->bytes, &length, error)) {
        g_free(news);
        return FALSE;
    }
    news->number = ++session->config_fetches;
    main_loop_post(tell_config, news);
    return TRUE;
}

/* --- the backend's requests --- */

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
static gboolean serve(VhostUserSession *session, uint32_t request, const VhostUserVringState *ring,
                      gboolean *config_changed)
{
    gboolean in_band = vhost_user_has_protocol(session, VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS);

    switch (request) {
    case VHOST_USER_BACKEND_CONFIG_CHANGE_MSG:
        *config_changed = TRUE;
        return TRUE;
    case VHOST_USER_BACKEND_VRING_CALL:
        return in_band && vhost_user_rings_called(session, ring->index);
    case VHOST_USER_BACKEND_VRING_ERR:
        return in_band && vhost_user_rings_failed(session, ring->index);
    default:
        return FALSE;
    }
}

/* Why the requests of this backend are not served any more; NULL while they are. */
static const char *serve_one(VhostUserSession *session, gboolean *config_changed)
{
    VhostUserStream *stream = &session->requests;
    VhostUserHeader header;
    const char *problem;
    VhostUserVringState ring = {0};
    gboolean served;

    memcpy(&header, stream->buffer, sizeof(header));
    problem = vhost_user_validate_backend_request(&header, stream->buffer + sizeof(header),
                                                  stream->fd_count, session->queues);
    if (problem != NULL) {
        return problem;
    }
    if (flooded(session)) {
        return "floods us with requests";
    }
    trace(vhost_user_backend_request, "device %s: %s", session->id,
          vhost_user_backend_request_name(header.request));
    memcpy(&ring, stream->buffer + sizeof(header), MIN(header.size, sizeof(ring)));
    served = serve(session, header.request, &ring, config_changed);
    fd_clear(&(int){vhost_user_stream_take_fd(stream)});
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

void vhost_user_requests_serve(VhostUserSession *session)
{
    VhostUserStream *stream = &session->requests;
    g_autoptr(GError) error = NULL;
    const char *problem = NULL;
    gboolean config_changed = FALSE;
    gssize got = vhost_user_stream_read(stream, sizeof(stream->buffer));

    if (got == 0 || (got < 0 && got != -EAGAIN && got != -EINTR)) {
        vhost_user_stream_close(stream);
        return;
    }
    while (problem == NULL && message_is_whole(stream, &problem)) {
        problem = serve_one(session, &config_changed);
    }
    if (problem != NULL) {
        g_set_error(&error, VHOST_USER_ERROR, VHOST_USER_ERROR_PROTOCOL,
                    "%s: the backend's requests are not heard any more: %s", session->label,
                    problem);
        report_warning("%s", error->message);
        vhost_user_note_error(session, error);
        vhost_user_stream_close(stream);
        g_clear_error(&error);
    }
    if (config_changed && !refresh_config(session, &error)) {
        vhost_user_note_error(session, error);
        vhost_user_notice_loss(session, error);
    }
}
