/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to a vhost-user backend and their answers, in order.  What was sent
 * stands in one list until the next flush; an answer settles the first entry
 * that waits for one, and every entry in front of it that has none of its own,
 * because a backend works in order.
 */
#include "hw/virtio/vhost-user-channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "hw/virtio/vhost-user-stream.h"
#include "libvhost-user/wire.h"
#include "util/fd.h"
#include "util/trace.h"

TRACE_EVENT(vhost_user_send, "a request leaves for the backend");
TRACE_EVENT(vhost_user_answer, "the backend answered a request");
TRACE_EVENT(vhost_user_break, "a connection to a backend ends with an error");

#define WINDOW_DEFAULT 64

/* A state-changing request since the last flush. */
typedef struct SentRequest {
    uint32_t request;
    gboolean ack_due; /* it carried need_reply */
    gpointer tag;
    GError *refusal; /* owned */
} SentRequest;

/* The request with an answer of its own that vhost_user_channel_call() waits for. */
typedef struct PendingCall {
    uint32_t request;
    void *reply;
    uint32_t reply_minimum, reply_size;
    uint32_t reply_length;
    gboolean takes_fd;
    int fd;
    gboolean done;
} PendingCall;

struct VhostUserChannel {
    char *name;
    VhostUserStream stream;
    GError *broken; /* the first error, or NULL */
    gint64 deadline;
    gint64 patience; /* microseconds from when the deadline was set, for messages */
    gboolean reply_ack;
    guint window;
    gboolean narrow;   /* ETOOMANYREFS: one request at a time until the next flush */
    GArray *sent;      /* of SentRequest, since the last flush */
    guint settled;     /* of these, how many are known to have passed or been refused */
    guint outstanding; /* of the others, how many wait for an ack */
    PendingCall *call; /* behind all of them, or NULL */
    VhostUserCount counts[VHOST_USER_REQUEST_COUNT];
    const int *beside; /* another socket, served while this one waits; NULL: none */
    void (*serve_beside)(gpointer opaque);
    gpointer beside_opaque;
    uint32_t sending; /* request on its way out, 0: none */
    uint32_t culprit; /* request of the last failure, 0: none */
};

/* What the next answer has to be. */
typedef struct ExpectedAnswer {
    uint32_t request;
    VhostUserAnswer kind;
    uint32_t size_minimum, size_maximum;
    gboolean fd_allowed;
} ExpectedAnswer;

/* clang-format off */
G_DEFINE_QUARK(vhost-user-error-quark, vhost_user_error)
/* clang-format on */

static void count(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

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

/* Fills @expected; FALSE if no answer is due. */
static gboolean expected_answer(const VhostUserChannel *channel, ExpectedAnswer *expected)
{
    const PendingCall *call = channel->call;

    *expected = (ExpectedAnswer){0};
    for (guint i = channel->settled; channel->outstanding > 0 && i < channel->sent->len; i++) {
        const SentRequest *entry = &g_array_index(channel->sent, SentRequest, i);

        if (entry->ack_due) {
            *expected = (ExpectedAnswer){
                .request = entry->request,
                .kind = VHOST_USER_ANSWER_ACK,
                .size_minimum = VHOST_USER_ACK_SIZE,
                .size_maximum = VHOST_USER_ACK_SIZE,
            };
            return TRUE;
        }
    }
    if (!call || call->done) {
        return FALSE;
    }
    *expected = (ExpectedAnswer){
        .request = call->request,
        .kind = VHOST_USER_ANSWER_REPLY,
        .size_minimum = call->reply_minimum,
        .size_maximum = call->reply_size,
        .fd_allowed = call->takes_fd,
    };
    return TRUE;
}

/* Breaks the channel with a message that begins with its name. Always FALSE. */
static gboolean G_GNUC_PRINTF(4, 5) fail(VhostUserChannel *channel, GError **error,
                                         VhostUserErrorCode code, const char *format, ...)
{
    g_autoptr(GError) reason = NULL;
    g_autofree char *text = NULL;
    ExpectedAnswer expected;
    va_list arguments;

    expected_answer(channel, &expected);
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

    return fail(channel, error, VHOST_USER_ERROR_TIMEOUT, "%s: %s within %s",
                vhost_user_request_name(request), what, time);
}

static void settle_ack(VhostUserChannel *channel, uint64_t value)
{
    SentRequest *entry = &g_array_index(channel->sent, SentRequest, channel->settled);

    while (!entry->ack_due) {
        entry++;
        channel->settled++;
    }
    channel->settled++;
    channel->outstanding--;
    if (value != 0) {
        channel->culprit = entry->request;
        count(&channel->counts[entry->request].refused);
        g_set_error(&entry->refusal, VHOST_USER_ERROR, VHOST_USER_ERROR_REFUSED,
                    "%s: %s: backend refused (code %" G_GUINT64_FORMAT ")", channel->name,
                    vhost_user_request_name(entry->request), value);
    }
}

static void settle_call(VhostUserChannel *channel, const uint8_t *payload, uint32_t size)
{
    PendingCall *call = channel->call;

    if (size > 0) {
        memcpy(call->reply, payload, size);
    }
    call->reply_length = size;
    call->fd = vhost_user_stream_take_fd(&channel->stream);
    call->done = TRUE;
    channel->settled = channel->sent->len;
}

/* Header of the answer as soon as it is there, so that a wrong one is not waited for. */
static gboolean check_header(VhostUserChannel *channel, const ExpectedAnswer *expected,
                             const VhostUserHeader *header, GError **error)
{
    const char *name = vhost_user_request_name(expected->request);

    if (header->request != expected->request) {
        return fail(channel, error, VHOST_USER_ERROR_PROTOCOL,
                    "answered request %u (%s) where the answer to %s is due", header->request,
                    vhost_user_request_name(header->request), name);
    }
    if ((header->flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION ||
        !(header->flags & VHOST_USER_FLAG_REPLY)) {
        return fail(channel, error, VHOST_USER_ERROR_PROTOCOL,
                    "answered %s with flags 0x%x where version 1 and the reply flag (0x5) are due",
                    name, header->flags);
    }
    if (header->size >= expected->size_minimum && header->size <= expected->size_maximum) {
        return TRUE;
    }
    if (expected->size_minimum == expected->size_maximum) {
        return fail(channel, error, VHOST_USER_ERROR_PROTOCOL,
                    "answered %s with %u bytes where %u are due", name, header->size,
                    expected->size_maximum);
    }
    return fail(channel, error, VHOST_USER_ERROR_PROTOCOL,
                "answered %s with %u bytes where %u to %u are due", name, header->size,
                expected->size_minimum, expected->size_maximum);
}

static gboolean check_fds(VhostUserChannel *channel, const ExpectedAnswer *expected, GError **error)
{
    guint allowed = expected->fd_allowed ? 1 : 0;

    if (channel->stream.fds_lost && channel->stream.fd_count < allowed) {
        return fail(channel, error, VHOST_USER_ERROR_SYSTEM,
                    "%s: the descriptor of the answer cannot be received: too many open files",
                    vhost_user_request_name(expected->request));
    }
    if (channel->stream.fds_lost || channel->stream.fd_count > allowed) {
        return fail(channel, error, VHOST_USER_ERROR_PROTOCOL,
                    "answered %s with more descriptors than the %u allowed",
                    vhost_user_request_name(expected->request), allowed);
    }
    return TRUE;
}

/* One whole answer in the buffer. */
static gboolean settle(VhostUserChannel *channel, const ExpectedAnswer *expected,
                       const VhostUserHeader *header, GError **error)
{
    const uint8_t *payload = channel->stream.buffer + sizeof(*header);
    const char *name = vhost_user_request_name(expected->request);
    const char *problem = vhost_user_validate_reply(expected->request, expected->kind, header,
                                                    payload, channel->stream.fd_count);
    uint64_t value = 0;

    if (problem) {
        return fail(channel, error, VHOST_USER_ERROR_PROTOCOL, "answered %s wrongly: %s", name,
                    problem);
    }
    count(&channel->counts[expected->request].answered);
    memcpy(&value, payload, MIN(header->size, sizeof(value)));
    trace(vhost_user_answer, "%s: %s, %u bytes, first 0x%" G_GINT64_MODIFIER "x", channel->name,
          name, header->size, value);
    if (expected->kind == VHOST_USER_ANSWER_ACK) {
        settle_ack(channel, value);
    } else {
        settle_call(channel, payload, header->size);
    }
    vhost_user_stream_consume(&channel->stream, sizeof(*header) + header->size);
    return TRUE;
}

/* Everything in the buffer; an incomplete message stays. */
static gboolean process(VhostUserChannel *channel, GError **error)
{
    VhostUserStream *stream = &channel->stream;

    while (stream->used > 0) {
        VhostUserHeader header;
        ExpectedAnswer expected;

        if (!expected_answer(channel, &expected)) {
            return fail(channel, error, VHOST_USER_ERROR_PROTOCOL,
                        "backend sent a message that nobody asked for");
        }
        if (!check_fds(channel, &expected, error)) {
            return FALSE;
        }
        if (stream->used < sizeof(header)) {
            break;
        }
        memcpy(&header, stream->buffer, sizeof(header));
        if (!check_header(channel, &expected, &header, error)) {
            return FALSE;
        }
        if (stream->used < sizeof(header) + header.size) {
            break;
        }
        if (!settle(channel, &expected, &header, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

/*
 * How much to read at once.  A stream tells which bytes a descriptor came with only by where a
 * read ends, so where one is allowed no read goes beyond its message.
 */
static gsize read_limit(const VhostUserChannel *channel)
{
    const VhostUserStream *stream = &channel->stream;
    VhostUserHeader header;

    if (!channel->call || !channel->call->takes_fd) {
        return sizeof(stream->buffer);
    }
    if (stream->used < sizeof(header)) {
        return sizeof(header) - stream->used;
    }
    memcpy(&header, stream->buffer, sizeof(header));
    return sizeof(header) + header.size - stream->used;
}

/* One read and what follows from it; nothing to read is fine. */
static gboolean receive(VhostUserChannel *channel, GError **error)
{
    gssize length = vhost_user_stream_read(&channel->stream, read_limit(channel));
    ExpectedAnswer expected;

    if (length > 0) {
        return process(channel, error);
    }
    if (length == -EAGAIN) {
        return TRUE;
    }
    if (length < 0 && length != -ECONNRESET) {
        return fail(channel, error, VHOST_USER_ERROR_SYSTEM, "cannot read from the backend: %s",
                    g_strerror(-length));
    }
    if (!expected_answer(channel, &expected)) {
        return fail(channel, error, VHOST_USER_ERROR_CLOSED, "backend hung up");
    }
    return fail(channel, error, VHOST_USER_ERROR_CLOSED,
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
        return fail(channel, error, VHOST_USER_ERROR_SYSTEM, "cannot wait for the backend: %s",
                    g_strerror(-events));
    }
    expected_answer(channel, &expected);
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
        return fail(channel, error, VHOST_USER_ERROR_SYSTEM, "cannot wait for the backend: %s",
                    g_strerror(-events));
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
            return fail(channel, error, VHOST_USER_ERROR_CLOSED,
                        "backend hung up before %s was sent",
                        vhost_user_request_name(header->request));
        } else {
            return fail(channel, error, VHOST_USER_ERROR_SYSTEM, "%s: cannot be sent: %s",
                        vhost_user_request_name(header->request), g_strerror(-length));
        }
        if (!waited) {
            return FALSE;
        }
    }
    channel->sending = 0;
    count(&channel->counts[header->request].sent);
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
        return fail(channel, error, VHOST_USER_ERROR_PROTOCOL, "%s: not sent: %s",
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
