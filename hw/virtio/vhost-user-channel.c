/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to a vhost-user backend: sending, waiting, the end of a connection.  What was sent
 * stands in one list until the next flush, and is settled by vhost-user-channel-answers.c.
 */
#include "vhost-user-channel-internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "libvhost-user/wire.h"
#include "util/fd.h"
#include "util/trace.h"

TRACE_EVENT(vhost_user_send, "a request leaves for the backend");
TRACE_EVENT(vhost_user_break, "a connection to a backend ends with an error");

#define WINDOW_DEFAULT 64

/* clang-format off */
G_DEFINE_QUARK(vhost-user-error-quark, vhost_user_error)
/* clang-format on */

static void clear_sent(gpointer entry)
{
    g_clear_error(&((SentRequest *)entry)->refusal);
}

static GArray *new_sent(void)
{
    GArray *sent = g_array_new(FALSE, FALSE, sizeof(SentRequest));

    g_array_set_clear_func(sent, clear_sent);
    return sent;
}

VhostUserChannel *vhost_user_channel_new(const char *name, int socket)
{
    VhostUserChannel *channel = g_new0(VhostUserChannel, 1);

    /* GLib's macro keeps the number without a lock: here, before there is a second thread. */
    vhost_user_error_quark();
    channel->name = g_strdup(name);
    channel->window = WINDOW_DEFAULT;
    channel->sent = new_sent();
    vhost_user_stream_init(&channel->stream, socket);
    return channel;
}

void vhost_user_channel_free(VhostUserChannel *channel)
{
    vhost_user_stream_close(&channel->stream);
    g_array_unref(channel->sent);
    g_clear_error(&channel->broken);
    g_free(channel->name);
    g_free(channel);
}

int vhost_user_channel_fd(const VhostUserChannel *channel)
{
    return channel->stream.socket;
}

gboolean vhost_user_channel_broken(const VhostUserChannel *channel)
{
    return channel->broken != NULL;
}

void vhost_user_channel_set_deadline(VhostUserChannel *channel, gint64 deadline)
{
    channel->deadline = deadline;
    channel->patience = MAX(deadline - g_get_monotonic_time(), 0);
}

void vhost_user_channel_serve_beside(VhostUserChannel *channel, const int *socket,
                                     void (*serve)(gpointer opaque), gpointer opaque)
{
    channel->beside = socket;
    channel->serve_beside = serve;
    channel->beside_opaque = opaque;
}

void vhost_user_channel_set_reply_ack(VhostUserChannel *channel, gboolean enabled)
{
    channel->reply_ack = enabled;
}

void vhost_user_channel_set_window(VhostUserChannel *channel, guint window)
{
    channel->window = MAX(window, 1);
}

const VhostUserCount *vhost_user_channel_counts(const VhostUserChannel *channel)
{
    return channel->counts;
}

void vhost_user_channel_add_counts(VhostUserChannel *channel, const VhostUserChannel *before)
{
    for (guint request = 0; request < VHOST_USER_REQUEST_COUNT; request++) {
        const VhostUserCount *count = &before->counts[request];

        channel->counts[request] = (VhostUserCount){
            .sent = __atomic_load_n(&count->sent, __ATOMIC_RELAXED),
            .answered = __atomic_load_n(&count->answered, __ATOMIC_RELAXED),
            .refused = __atomic_load_n(&count->refused, __ATOMIC_RELAXED),
        };
    }
}

const char *vhost_user_channel_culprit(const VhostUserChannel *channel)
{
    return channel->culprit != 0 ? vhost_user_request_name(channel->culprit) : NULL;
}

void vhost_user_channel_break(VhostUserChannel *channel, const GError *reason)
{
    if (!channel->broken) {
        trace(vhost_user_break, "%s", reason->message);
        channel->broken = g_error_copy(reason);
    }
    vhost_user_stream_close(&channel->stream);
}

gboolean channel_fail(VhostUserChannel *channel, GError **error, VhostUserErrorCode code,
                      const char *format, ...)
{
    g_autoptr(GError) reason = NULL;
    g_autofree char *text = NULL;
    ExpectedAnswer expected;
    va_list arguments;

    channel_expected_answer(channel, &expected);
    channel->culprit = channel->sending != 0 ? channel->sending : expected.request;
    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(&reason, VHOST_USER_ERROR, code, "%s: %s", channel->name, text);
    vhost_user_channel_break(channel, reason);
    g_propagate_error(error, g_steal_pointer(&reason));
    return FALSE;
}

static gboolean check_unbroken(VhostUserChannel *channel, GError **error)
{
    if (channel->broken && error) {
        *error = g_error_copy(channel->broken);
    }
    return channel->broken == NULL;
}

/* "10 s", "50 ms": the time that the caller granted, not what scheduling made of it. */
static gboolean fail_timeout(VhostUserChannel *channel, GError **error, uint32_t request,
                             const char *what)
{
    gint64 milliseconds = (channel->patience + 500) / 1000;
    g_autofree char *time = milliseconds < 1000
                                ? g_strdup_printf("%d ms", (int)milliseconds)
                                : g_strdup_printf("%.3g s", (double)milliseconds / 1000);

    return channel_fail(channel, error, VHOST_USER_ERROR_TIMEOUT, "%s: %s within %s",
                        vhost_user_request_name(request), what, time);
}

/* One read and what follows from it; nothing to read is fine. */
static gboolean receive(VhostUserChannel *channel, GError **error)
{
    gssize length = vhost_user_stream_read(&channel->stream, channel_read_limit(channel));
    ExpectedAnswer expected;

    if (length > 0) {
        return channel_process(channel, error);
    }
    if (length == -EAGAIN) {
        return TRUE;
    }
    if (length < 0 && length != -ECONNRESET) {
        return channel_fail(channel, error, VHOST_USER_ERROR_SYSTEM,
                            "cannot read from the backend: %s", g_strerror(-length));
    }
    if (!channel_expected_answer(channel, &expected)) {
        return channel_fail(channel, error, VHOST_USER_ERROR_CLOSED, "backend hung up");
    }
    return channel_fail(channel, error, VHOST_USER_ERROR_CLOSED,
                        "backend hung up while waiting for the answer to %s",
                        vhost_user_request_name(expected.request));
}

/* As vhost_user_stream_wait(), serving what comes beside. */
static int wait_for(VhostUserChannel *channel, short events)
{
    gboolean beside = TRUE;
    int ready = 0;

    while (ready == 0 && beside) {
        ready = vhost_user_stream_wait(&channel->stream, events, channel->deadline,
                                       channel->beside != NULL ? *channel->beside : -1, &beside);
        if (beside) {
            channel->serve_beside(channel->beside_opaque);
        }
    }
    return ready;
}

/* Waits for the next bytes of the answer that is due. */
static gboolean receive_more(VhostUserChannel *channel, GError **error)
{
    int events = wait_for(channel, POLLIN);
    ExpectedAnswer expected;

    if (events > 0) {
        return receive(channel, error);
    }
    if (events < 0) {
        return channel_fail(channel, error, VHOST_USER_ERROR_SYSTEM,
                            "cannot wait for the backend: %s", g_strerror(-events));
    }
    channel_expected_answer(channel, &expected);
    return fail_timeout(channel, error, expected.request, "no answer");
}

/* Until at most @most acks are due. */
static gboolean receive_acks(VhostUserChannel *channel, guint most, GError **error)
{
    while (channel->outstanding > most) {
        if (!receive_more(channel, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

/*
 * The kernel has too many descriptors in flight for this user (unix(7), ETOOMANYREFS).  Ours leave
 * the count as the backend takes them; those of other devices need a moment.
 */
static gboolean wait_for_flight(VhostUserChannel *channel, uint32_t request, GError **error)
{
    channel->narrow = TRUE;
    if (channel->outstanding > 0) {
        return receive_acks(channel, 0, error);
    }
    if (g_get_monotonic_time() >= channel->deadline) {
        return fail_timeout(channel, error, request,
                            "too many descriptors in flight, cannot be sent");
    }
    g_usleep(G_USEC_PER_SEC / 1000);
    return TRUE;
}

/* The socket is full: waits for room, and takes answers so that the backend never waits for us. */
static gboolean wait_for_room(VhostUserChannel *channel, uint32_t request, GError **error)
{
    int events = wait_for(channel, POLLOUT | POLLIN);

    if (events == 0) {
        return fail_timeout(channel, error, request, "cannot be sent");
    }
    if (events < 0) {
        return channel_fail(channel, error, VHOST_USER_ERROR_SYSTEM,
                            "cannot wait for the backend: %s", g_strerror(-events));
    }
    return events & POLLIN ? receive(channel, error) : TRUE;
}

static gboolean transmit(VhostUserChannel *channel, const VhostUserHeader *header,
                         const void *payload, const int *fds, guint fd_count, GError **error)
{
    gsize sent = 0;

    channel->sending = header->request;
    while (sent < sizeof(*header) + header->size) {
        gssize length =
            vhost_user_stream_write(&channel->stream, header, payload, sent, fds, fd_count);
        gboolean waited = TRUE;

        if (length >= 0) {
            sent += length;
        } else if (length == -EAGAIN) {
            waited = wait_for_room(channel, header->request, error);
        } else if (length == -ETOOMANYREFS) {
            waited = wait_for_flight(channel, header->request, error);
        } else if (length == -EPIPE || length == -ECONNRESET) {
            return channel_fail(channel, error, VHOST_USER_ERROR_CLOSED,
                                "backend hung up before %s was sent",
                                vhost_user_request_name(header->request));
        } else {
            return channel_fail(channel, error, VHOST_USER_ERROR_SYSTEM, "%s: cannot be sent: %s",
                                vhost_user_request_name(header->request), g_strerror(-length));
        }
        if (!waited) {
            return FALSE;
        }
    }
    channel->sending = 0;
    channel_count(&channel->counts[header->request].sent);
    trace(vhost_user_send, "%s: %s, %u bytes, %u descriptors%s", channel->name,
          vhost_user_request_name(header->request), header->size, fd_count,
          header->flags & VHOST_USER_FLAG_NEED_REPLY ? ", need_reply" : "");
    return TRUE;
}

/* Against the message table and the validator that the backend runs, too. */
static gboolean check_request(VhostUserChannel *channel, const VhostUserHeader *header,
                              const void *payload, guint fd_count, gboolean replied, GError **error)
{
    const VhostUserMessageInfo *info = vhost_user_message_info(header->request);
    const char *problem = vhost_user_validate_request(header, payload, fd_count, UINT32_MAX);

    if (!problem && replied != (info->reply != VHOST_USER_REPLY_NONE) &&
        info->reply != VHOST_USER_REPLY_POSTCOPY) {
        problem = replied ? "has no answer of its own" : "has an answer that must be waited for";
    }
    if (problem) {
        return channel_fail(channel, error, VHOST_USER_ERROR_PROTOCOL, "%s: not sent: %s",
                            vhost_user_request_name(header->request), problem);
    }
    return TRUE;
}

gboolean vhost_user_channel_send(VhostUserChannel *channel, uint32_t request, const void *payload,
                                 uint32_t size, const int *fds, guint fd_count, gpointer tag,
                                 GError **error)
{
    VhostUserHeader header = {
        .request = request,
        .flags = VHOST_USER_VERSION | (channel->reply_ack ? VHOST_USER_FLAG_NEED_REPLY : 0),
        .size = size,
    };
    SentRequest entry = {.request = request, .ack_due = channel->reply_ack, .tag = tag};

    if (!check_unbroken(channel, error) ||
        !check_request(channel, &header, payload, fd_count, FALSE, error) ||
        !receive_acks(channel, (channel->narrow ? 1 : channel->window) - 1, error) ||
        !transmit(channel, &header, payload, fds, fd_count, error)) {
        return FALSE;
    }
    g_array_append_val(channel->sent, entry);
    channel->outstanding += entry.ack_due;
    return TRUE;
}

static gboolean run_call(VhostUserChannel *channel, PendingCall *call, const void *payload,
                         uint32_t size, GError **error)
{
    VhostUserHeader header = {
        .request = call->request,
        .flags = VHOST_USER_VERSION,
        .size = size,
    };

    if (!check_unbroken(channel, error) ||
        !check_request(channel, &header, payload, 0, TRUE, error)) {
        return FALSE;
    }
    if (!transmit(channel, &header, payload, NULL, 0, error)) {
        return FALSE;
    }
    channel->call = call;
    while (!call->done && receive_more(channel, error)) {
    }
    channel->call = NULL;
    if (channel->broken) {
        fd_clear_foreign(&call->fd); /* what came behind the answer was wrong */
    }
    return channel->broken == NULL;
}

gboolean vhost_user_channel_call(VhostUserChannel *channel, uint32_t request, const void *payload,
                                 uint32_t size, void *reply, uint32_t reply_minimum,
                                 uint32_t reply_size, uint32_t *reply_length, int *reply_fd,
                                 GError **error)
{
    PendingCall call = {
        .request = request,
        .reply = reply,
        .reply_minimum = reply_minimum,
        .reply_size = reply_size,
        .takes_fd = reply_fd != NULL,
        .fd = -1,
    };
    gboolean done = run_call(channel, &call, payload, size, error);

    if (reply_length) {
        *reply_length = call.reply_length;
    }
    if (reply_fd) {
        *reply_fd = call.fd;
    }
    return done;
}

/* Acks for what has them; a barrier if the last requests have none. */
static gboolean settle_all(VhostUserChannel *channel, GError **error)
{
    uint64_t features;

    if (!check_unbroken(channel, error)) {
        return FALSE;
    }
    if (channel->sent->len > 0 &&
        !g_array_index(channel->sent, SentRequest, channel->sent->len - 1).ack_due &&
        channel->settled < channel->sent->len) {
        return vhost_user_channel_call(channel, VHOST_USER_GET_FEATURES, NULL, 0, &features,
                                       sizeof(features), sizeof(features), NULL, NULL, error);
    }
    return receive_acks(channel, 0, error);
}

gboolean vhost_user_channel_flush(VhostUserChannel *channel, VhostUserAcked *acked, gpointer opaque,
                                  GError **error)
{
    gboolean done = settle_all(channel, error);
    g_autoptr(GArray) sent = channel->sent;
    guint settled = channel->settled;

    /* The callback may send again: what it sends belongs to the next flush. */
    channel->sent = new_sent();
    channel->settled = 0;
    channel->outstanding = 0;
    channel->narrow = FALSE;
    for (guint i = 0; acked && i < sent->len; i++) {
        const SentRequest *entry = &g_array_index(sent, SentRequest, i);

        acked(opaque, entry->request, entry->tag, i < settled ? entry->refusal : channel->broken);
    }
    return done;
}

gboolean vhost_user_channel_idle(VhostUserChannel *channel, GError **error)
{
    return check_unbroken(channel, error) && receive(channel, error);
}
