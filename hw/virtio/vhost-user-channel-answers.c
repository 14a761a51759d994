/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A backend's answers, in order.  One settles the first request that waits for one, and every
 * request in front of it that has none of its own, because a backend works in order.
 */
#include "vhost-user-channel-internal.h"

#include <string.h>

#include "libvhost-user/wire.h"
#include "util/trace.h"

TRACE_EVENT(vhost_user_answer, "the backend answered a request");

gboolean channel_expected_answer(const VhostUserChannel *channel, ExpectedAnswer *expected)
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
        channel_count(&channel->counts[entry->request].refused);
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
        return channel_fail(channel, error, VHOST_USER_ERROR_PROTOCOL,
                            "answered request %u (%s) where the answer to %s is due",
                            header->request, vhost_user_request_name(header->request), name);
    }
    if ((header->flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION ||
        !(header->flags & VHOST_USER_FLAG_REPLY)) {
        return channel_fail(
            channel, error, VHOST_USER_ERROR_PROTOCOL,
            "answered %s with flags 0x%x where version 1 and the reply flag (0x5) are due", name,
            header->flags);
    }
    if (header->size >= expected->size_minimum && header->size <= expected->size_maximum) {
        return TRUE;
    }
    if (expected->size_minimum == expected->size_maximum) {
        return channel_fail(channel, error, VHOST_USER_ERROR_PROTOCOL,
                            "answered %s with %u bytes where %u are due", name, header->size,
                            expected->size_maximum);
    }
    return channel_fail(channel, error, VHOST_USER_ERROR_PROTOCOL,
                        "answered %s with %u bytes where %u to %u are due", name, header->size,
                        expected->size_minimum, expected->size_maximum);
}

static gboolean check_fds(VhostUserChannel *channel, const ExpectedAnswer *expected, GError **error)
{
    guint allowed = expected->fd_allowed ? 1 : 0;

    if (channel->stream.fds_lost && channel->stream.fd_count < allowed) {
        return channel_fail(
            channel, error, VHOST_USER_ERROR_SYSTEM,
            "%s: the descriptor of the answer cannot be received: too many open files",
            vhost_user_request_name(expected->request));
    }
    if (channel->stream.fds_lost || channel->stream.fd_count > allowed) {
        return channel_fail(channel, error, VHOST_USER_ERROR_PROTOCOL,
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
        return channel_fail(channel, error, VHOST_USER_ERROR_PROTOCOL, "answered %s wrongly: %s",
                            name, problem);
    }
    channel_count(&channel->counts[expected->request].answered);
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

gboolean channel_process(VhostUserChannel *channel, GError **error)
{
    VhostUserStream *stream = &channel->stream;

    while (stream->used > 0) {
        VhostUserHeader header;
        ExpectedAnswer expected;

        if (!channel_expected_answer(channel, &expected)) {
            return channel_fail(channel, error, VHOST_USER_ERROR_PROTOCOL,
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

gsize channel_read_limit(const VhostUserChannel *channel)
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
