/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backend of test-vhost-user: one message after the other, each answered at once.
 */
#include "session-backend.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static gboolean receive(Backend *backend, VhostUserHeader *header, uint8_t *payload, int *fds,
                        guint *fd_count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(8 * sizeof(int))];
    } control;
    struct iovec vector = {header, sizeof(*header)};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};

    *fd_count = 0;
    if (recvmsg(backend->socket, &message, MSG_WAITALL | MSG_CMSG_CLOEXEC) !=
        (ssize_t)sizeof(*header)) {
        return FALSE;
    }
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
        *fd_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(c), *fd_count * sizeof(int));
    }
    return header->size == 0 ||
           recv(backend->socket, payload, header->size, MSG_WAITALL) == (ssize_t)header->size;
}

static void reply(Backend *backend, const VhostUserHeader *request, const void *payload,
                  uint32_t size)
{
    VhostUserHeader header = {request->request, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY, size};
    struct iovec vector[] = {{&header, sizeof(header)}, {(void *)payload, size}};
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = 2};

    sendmsg(backend->socket, &message, MSG_NOSIGNAL);
}

static void reply_u64(Backend *backend, const VhostUserHeader *request, uint64_t value)
{
    reply(backend, request, &value, sizeof(value));
}

static gboolean refuses(const Backend *backend, uint32_t request, const VhostUserPayload *payload)
{
    return backend->behaviour[request] == REFUSE &&
           (request != VHOST_USER_ADD_MEM_REG || backend->refused_address == 0 ||
            backend->refused_address == payload->region.region.guest_address);
}

/* With the lock held. */
static void answer(Backend *backend, const VhostUserHeader *request, VhostUserPayload *payload)
{
    switch (request->request) {
    case VHOST_USER_GET_FEATURES:
        reply_u64(backend, request, backend->features);
        break;
    case VHOST_USER_GET_PROTOCOL_FEATURES:
        reply_u64(backend, request, backend->protocol_features);
        break;
    case VHOST_USER_GET_QUEUE_NUM:
        reply_u64(backend, request, 4);
        break;
    case VHOST_USER_GET_MAX_MEM_SLOTS:
        reply_u64(backend, request, backend->slots);
        break;
    case VHOST_USER_GET_CONFIG:
        memset(payload->config.bytes, backend->config_byte, payload->config.size);
        reply(backend, request, payload, request->size);
        break;
    case VHOST_USER_GET_VRING_BASE:
        payload->state.num = 7;
        reply(backend, request, payload, sizeof(payload->state));
        break;
    default:
        if (request->flags & VHOST_USER_FLAG_NEED_REPLY) {
            reply_u64(backend, request, refuses(backend, request->request, payload) ? 5 : 0);
        }
    }
}

static void keep_fds(Backend *backend, uint32_t request, int *fds, guint count)
{
    for (guint i = 0; i < count; i++) {
        if (request == VHOST_USER_SET_BACKEND_REQ_FD) {
            backend->requests = fds[i];
        } else {
            close(fds[i]);
        }
    }
}

gpointer backend_thread(gpointer data)
{
    Backend *backend = data;
    VhostUserHeader header;
    VhostUserPayload payload;
    int fds[8];
    guint fd_count;

    while (receive(backend, &header, (uint8_t *)&payload, fds, &fd_count)) {
        Behaviour behaviour;

        g_assert_null(vhost_user_validate_request(&header, &payload, fd_count, UINT32_MAX));
        keep_fds(backend, header.request, fds, fd_count);
        pthread_mutex_lock(&backend->lock);
        g_string_append_printf(backend->log, "%s ", vhost_user_request_name(header.request));
        backend->counts[header.request]++;
        behaviour = backend->behaviour[header.request];
        if (behaviour == ACCEPT || behaviour == REFUSE) {
            answer(backend, &header, &payload);
        }
        pthread_mutex_unlock(&backend->lock);
        if (behaviour == HANG_UP) {
            break;
        }
    }
    shutdown(backend->socket, SHUT_RDWR);
    return NULL;
}

guint backend_count(Backend *backend, uint32_t request)
{
    guint count;

    pthread_mutex_lock(&backend->lock);
    count = backend->counts[request];
    pthread_mutex_unlock(&backend->lock);
    return count;
}

void backend_set_behaviour(Backend *backend, uint32_t request, Behaviour behaviour)
{
    pthread_mutex_lock(&backend->lock);
    backend->behaviour[request] = behaviour;
    pthread_mutex_unlock(&backend->lock);
}
