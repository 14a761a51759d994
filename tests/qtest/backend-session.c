/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection of the scripted backend: reads messages, counts them, answers truly or as a fault
 * says.
 */
#include "qtest/backend-session.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Descriptors accepted with one message: more than any message may carry. */
#define FDS_MAX 16

void session_begin(Backend *backend)
{
    backend->features = 0;
    backend->protocol_features = 0;
    backend->slots_asked = 0;
    backend->status = 0;
    backend->refused = FALSE;
    backend->memory.count_only = backend->config.count_only;
}

void session_end(Backend *backend)
{
    memory_clear(&backend->memory);
    g_ptr_array_set_size(backend->rings, 0);
    if (backend->channel >= 0) {
        close(backend->channel);
        backend->channel = -1;
    }
    g_atomic_int_set(&backend->hung, FALSE);
}

/* --- reading --- */

typedef struct Incoming {
    VhostUserHeader header;
    VhostUserPayload payload;
    int fds[FDS_MAX];
    guint fd_count;
} Incoming;

static gboolean read_header(int socket, Incoming *message)
{
    char control[CMSG_SPACE(sizeof(int) * FDS_MAX)];
    struct iovec vector = {.iov_base = &message->header, .iov_len = sizeof(message->header)};
    struct msghdr header = {.msg_iov = &vector,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = sizeof(control)};
    ssize_t got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_WAITALL);

    message->fd_count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); got > 0 && c; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            message->fd_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(message->fds, CMSG_DATA(c), message->fd_count * sizeof(int));
        }
    }
    return got == sizeof(message->header);
}

static gboolean read_message(Backend *backend, Incoming *message)
{
    uint32_t size;

    if (!read_header(backend->socket, message)) {
        return FALSE;
    }
    size = message->header.size;
    if (size > sizeof(message->payload)) {
        return FALSE;
    }
    return size == 0 ||
           recv(backend->socket, &message->payload, size, MSG_WAITALL) == (ssize_t)size;
}

static void close_fds(Incoming *message)
{
    for (guint i = 0; i < message->fd_count; i++) {
        if (message->fds[i] >= 0) {
            close(message->fds[i]);
        }
    }
}

/* --- rules --- */

static gboolean may_be_sent(Backend *backend, const VhostUserMessageInfo *info)
{
    uint64_t features = backend->config.features;

    if (info->allowed_by == VHOST_USER_ALLOWED_BY_BIT_30) {
        return !!(features & (1ull << VHOST_USER_F_PROTOCOL_FEATURES));
    }
    return info->allowed_by == VHOST_USER_ALLOWED_ALWAYS ||
           !!(backend->protocol_features & (1ull << info->allowed_by));
}

static gboolean acks(Backend *backend)
{
    return !!(backend->protocol_features & (1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK));
}

/* FALSE if the message is malformed: then nothing but an answer may be made of it. */
static gboolean check(Backend *backend, const Incoming *message)
{
    const VhostUserMessageInfo *info = vhost_user_message_info(message->header.request);
    const char *name = vhost_user_request_name(message->header.request);
    const char *wrong = vhost_user_validate_request(&message->header, &message->payload,
                                                    message->fd_count, UINT32_MAX);

    if (wrong) {
        session_violation(backend, name, wrong);
    } else if (!may_be_sent(backend, info)) {
        session_violation(backend, name, "sent without the feature that allows it");
    } else if ((message->header.flags & VHOST_USER_FLAG_NEED_REPLY) && !acks(backend)) {
        session_violation(backend, name, "need_reply without REPLY_ACK");
    }
    return wrong == NULL;
}

static void keep(Backend *backend, const Incoming *message)
{
    if (message->header.request < VHOST_USER_REQUEST_COUNT) {
        backend->counts[message->header.request]++;
    }
    backend->total++;
    if (backend->config.keep_log) {
        BackendMessage entry = {.header = message->header,
                                .fds = message->fd_count,
                                .connection = backend->connections,
                                .time = g_get_monotonic_time(),
                                .payload = message->payload};

        g_array_append_val(backend->log, entry);
    }
}

/* The fault for this message; each one that names its request counts it. */
static gboolean find_fault(Backend *backend, uint32_t request, BackendFault *fault)
{
    gboolean found = FALSE;

    for (guint i = 0; i < backend->faults->len; i++) {
        ArmedFault *armed = &g_array_index(backend->faults, ArmedFault, i);

        if (armed->fault.request != request) {
            continue;
        }
        armed->seen++;
        if (!found && (armed->fault.occurrence == 0 || armed->fault.occurrence == armed->seen)) {
            *fault = armed->fault;
            found = TRUE;
        }
    }
    return found;
}

/* --- answering --- */

static gboolean send_bytes(int socket, const void *bytes, gsize size, int fd)
{
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec vector = {.iov_base = (void *)bytes, .iov_len = size};
    struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};

    if (fd >= 0) {
        struct cmsghdr *ancillary;

        header.msg_control = control;
        header.msg_controllen = sizeof(control);
        ancillary = CMSG_FIRSTHDR(&header);
        ancillary->cmsg_level = SOL_SOCKET;
        ancillary->cmsg_type = SCM_RIGHTS;
        ancillary->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(ancillary), &fd, sizeof(int));
    }
    return sendmsg(socket, &header, MSG_NOSIGNAL) == (ssize_t)size;
}

/* Sends the answer as @kind spoils it. FALSE: the connection is to end. */
static gboolean send_answer(Backend *backend, uint32_t request, const BackendReply *reply,
                            FaultKind kind)
{
    struct {
        VhostUserHeader header;
        uint8_t payload[sizeof(VhostUserPayload) + 4];
    } message = {.header = {request, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY, reply->size}};
    uint32_t size = reply->size;
    gboolean ok;

    memcpy(message.payload, &reply->payload, reply->size);
    switch (kind) {
    case FAULT_WRONG_REQUEST:
        message.header.request =
            request == VHOST_USER_GET_FEATURES ? VHOST_USER_GET_QUEUE_NUM : VHOST_USER_GET_FEATURES;
        break;
    case FAULT_SHORT:
        message.header.size = size = size >= 4 ? size - 4 : 0;
        break;
    case FAULT_LONG:
        message.header.size = size = size + 4;
        break;
    case FAULT_EMPTY:
        message.header.size = size = 0;
        break;
    case FAULT_HUGE:
        message.header.size = 0xfffffff0;
        break;
    case FAULT_NO_REPLY_FLAG:
        message.header.flags &= ~VHOST_USER_FLAG_REPLY;
        break;
    case FAULT_WRONG_VERSION:
        message.header.flags ^= VHOST_USER_VERSION_MASK;
        break;
    case FAULT_GARBAGE:
        size = 64 - sizeof(message.header);
        for (guint i = 0; i < 64; i++) {
            ((uint8_t *)&message)[i] = (uint8_t)(167 * i + 13);
        }
        break;
    case FAULT_PARTIAL:
        g_atomic_int_set(&backend->hung, TRUE);
        return send_bytes(backend->socket, &message, (sizeof(message.header) + size) / 2, -1);
    default:
        break;
    }
    ok = send_bytes(backend->socket, &message, sizeof(message.header) + size,
                    kind == FAULT_EXTRA_FD ? backend->wake : reply->fd);
    if (ok && kind == FAULT_EXTRA_ANSWER) {
        ok = send_bytes(backend->socket, &message, sizeof(message.header) + size, -1);
    }
    return ok && kind != FAULT_CLOSE_AFTER;
}

/* Sleeps without the lock, but not past backend_free() or backend_hang_up(). */
static void delay(Backend *backend, guint milliseconds)
{
    gint64 deadline = g_get_monotonic_time() + milliseconds * 1000LL;
    gint64 left;

    while (!g_atomic_int_get(&backend->ending) && (left = deadline - g_get_monotonic_time()) > 0) {
        struct pollfd poller = {.fd = backend->wake, .events = POLLIN};

        if (poll(&poller, 1, (int)((left + 999) / 1000)) > 0) {
            eventfd_t value;

            eventfd_read(backend->wake, &value);
        }
    }
}

/* Does what the message says, unless it is to be refused, and fills in the answer. */
static VhostUserAnswer answer(Backend *backend, Incoming *message, gboolean valid,
                              const BackendFault *fault, BackendReply *reply)
{
    VhostUserAnswer due = vhost_user_answer_due(&message->header, FALSE);
    const char *refused = NULL;
    gboolean refuse = fault && fault->kind == FAULT_REFUSE;

    backend->refused |= refuse;

    if (due == VHOST_USER_ANSWER_ACK && !acks(backend)) {
        due = VHOST_USER_ANSWER_NONE;
    }
    if (!valid) {
        refused = "malformed";
    } else if (!refuse || due == VHOST_USER_ANSWER_REPLY) {
        refused = session_handle(backend, &message->header, &message->payload, message->fds,
                                 message->fd_count, reply);
        if (refused && !backend->refused) {
            session_violation(backend, vhost_user_request_name(message->header.request), refused);
        }
    }
    if (due == VHOST_USER_ANSWER_ACK || refuse) {
        reply->payload.u64 = refuse ? (fault->value ? fault->value : 1) : refused != NULL;
        reply->size = VHOST_USER_ACK_SIZE;
    }
    return due;
}

gboolean session_message(Backend *backend)
{
    Incoming message = {0};
    BackendFault fault = {.kind = FAULT_KIND_COUNT};
    BackendReply reply = {.fd = -1};
    VhostUserAnswer due;
    gboolean valid, faulty, ok = TRUE;

    if (!read_message(backend, &message)) {
        close_fds(&message);
        return FALSE;
    }
    g_mutex_lock(&backend->lock);
    keep(backend, &message);
    valid = check(backend, &message);
    faulty = backend->faults->len && find_fault(backend, message.header.request, &fault);
    if (fault.kind == FAULT_CLOSE_BEFORE || fault.kind == FAULT_HANG) {
        g_atomic_int_set(&backend->hung, fault.kind == FAULT_HANG);
        g_cond_broadcast(&backend->changed);
        g_mutex_unlock(&backend->lock);
        close_fds(&message);
        return fault.kind == FAULT_HANG;
    }
    if (fault.kind == FAULT_DELAY) {
        g_cond_broadcast(&backend->changed);
        g_mutex_unlock(&backend->lock);
        delay(backend, fault.milliseconds);
        g_mutex_lock(&backend->lock);
    }
    due = answer(backend, &message, valid, faulty ? &fault : NULL, &reply);
    g_cond_broadcast(&backend->changed);
    g_mutex_unlock(&backend->lock);
    close_fds(&message);
    if (due == VHOST_USER_ANSWER_NONE && fault.kind == FAULT_EXTRA_ANSWER) {
        reply.size = VHOST_USER_ACK_SIZE; /* an answer to nothing */
        ok = send_answer(backend, message.header.request, &reply, FAULT_KIND_COUNT);
    } else if (due == VHOST_USER_ANSWER_NONE) {
        ok = fault.kind != FAULT_CLOSE_AFTER;
    } else if (fault.kind != FAULT_NO_ANSWER) {
        ok = send_answer(backend, message.header.request, &reply, fault.kind);
    }
    if (reply.fd >= 0) {
        close(reply.fd);
    }
    return ok;
}
