/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A front-end's connection: bytes and messages in both directions, each wait with a deadline.  The
 * calls over it are in front-end-calls.c.
 */
#include "front-end-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "descriptors.h"

#define RETRY 10 /* milliseconds between two attempts to connect */

int vhost_user_front_end_fail(VhostUserFrontEnd *front, int result, const char *request,
                              const char *format, ...)
{
    int head = snprintf(front->error, sizeof(front->error), "%s: ", request);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(front->error + head, sizeof(front->error) - (size_t)head, format, arguments);
    va_end(arguments);
    return result;
}

static int64_t milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/* When a wait that begins now is over; negative: never. */
static int64_t end_of_wait(const VhostUserFrontEnd *front)
{
    return front->deadline < 0 ? -1 : milliseconds() + front->deadline;
}

/* 1: @events are there, 0: not before the end, or a negative errno. */
static int wait_until(int socket, short events, int64_t end)
{
    for (;;) {
        struct pollfd waited = {.fd = socket, .events = events};
        int64_t left = end < 0 ? -1 : end - milliseconds();
        int result = poll(&waited, 1, end < 0 ? -1 : left > 0 ? (int)left : 0);

        if (result >= 0) {
            return result;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
}

static VhostUserFrontEnd *take_socket(int socket, int deadline)
{
    VhostUserFrontEnd *front = calloc(1, sizeof(*front));
    int flags = fcntl(socket, F_GETFL);

    if (!front || flags < 0 || fcntl(socket, F_SETFL, flags | O_NONBLOCK) < 0) {
        int error = errno;

        free(front);
        close(socket);
        errno = error;
        return NULL;
    }
    front->socket = socket;
    front->channel = -1;
    front->deadline = deadline;
    front->queues = 1;
    return front;
}

VhostUserFrontEnd *vhost_user_front_end_new(int socket, int deadline)
{
    return take_socket(socket, deadline);
}

/* A back-end that was just started may not have made its socket yet, or not listen on it. */
static bool may_come(int error)
{
    return error == ENOENT || error == ECONNREFUSED || error == EAGAIN;
}

VhostUserFrontEnd *vhost_user_front_end_connect(const char *path, int deadline)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int64_t end = deadline < 0 ? -1 : milliseconds() + deadline;

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    memcpy(address.sun_path, path, strlen(path));
    for (;;) {
        int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (connection < 0) {
            return NULL;
        }
        if (connect(connection, (struct sockaddr *)&address, sizeof(address)) == 0) {
            return take_socket(connection, deadline);
        }
        int error = errno;

        close(connection);
        if (!may_come(error) || (end >= 0 && milliseconds() >= end)) {
            errno = error;
            return NULL;
        }
        poll(NULL, 0, RETRY);
    }
}

void vhost_user_front_end_free(VhostUserFrontEnd *front)
{
    if (!front) {
        return;
    }
    close(front->socket);
    if (front->channel >= 0) {
        close(front->channel);
    }
    free(front);
}

int vhost_user_front_end_socket(const VhostUserFrontEnd *front)
{
    return front->socket;
}

void vhost_user_front_end_set_deadline(VhostUserFrontEnd *front, int deadline)
{
    front->deadline = deadline;
}

const char *vhost_user_front_end_error(const VhostUserFrontEnd *front)
{
    return front->error;
}

void vhost_user_front_end_message_clear(VhostUserFrontEndMessage *message)
{
    for (unsigned i = 0; i < message->fd_count; i++) {
        close(message->fds[i]);
    }
    message->fd_count = 0;
}

/* --- sending --- */

static int send_failure(VhostUserFrontEnd *front, const char *request, int error)
{
    if (error == EPIPE || error == ECONNRESET) {
        return vhost_user_front_end_fail(front, -ECONNRESET, request, "the back-end hung up");
    }
    return vhost_user_front_end_fail(front, -error, request, "cannot be sent: %s", strerror(error));
}

int vhost_user_front_end_send_through(VhostUserFrontEnd *front, int socket, const char *request,
                                      const void *bytes, size_t size, const int *fds,
                                      unsigned fd_count)
{
    int64_t end = end_of_wait(front);
    size_t sent = 0;
    VhostUserDescriptorControl control;

    if (fd_count > VHOST_USER_FRONT_END_FDS) {
        return vhost_user_front_end_fail(front, -EINVAL, request,
                                         "%u descriptors, at most %u go with a message", fd_count,
                                         VHOST_USER_FRONT_END_FDS);
    }
    while (sent < size) {
        struct iovec rest = {(uint8_t *)bytes + sent, size - sent};
        struct msghdr message = {.msg_iov = &rest, .msg_iovlen = 1};

        vhost_user_descriptors_put(&message, &control, fds, sent ? 0 : fd_count);
        ssize_t count = sendmsg(socket, &message, MSG_NOSIGNAL);

        if (count >= 0) {
            sent += (size_t)count;
        } else if (errno == EAGAIN) {
            int result = wait_until(socket, POLLOUT, end);

            if (result <= 0) {
                return vhost_user_front_end_fail(front, result < 0 ? result : -ETIMEDOUT, request,
                                                 "the back-end reads nothing for %d ms",
                                                 front->deadline);
            }
        } else if (errno != EINTR) {
            return send_failure(front, request, errno);
        }
    }
    return 0;
}

int vhost_user_front_end_send_bytes(VhostUserFrontEnd *front, const void *bytes, size_t size,
                                    const int *fds, unsigned fd_count)
{
    return vhost_user_front_end_send_through(front, front->socket, "bytes", bytes, size, fds,
                                             fd_count);
}

int vhost_user_front_end_send(VhostUserFrontEnd *front, uint32_t request, uint32_t flags,
                              const void *payload, uint32_t size, const int *fds, unsigned fd_count)
{
    const char *name = vhost_user_request_name(request);
    VhostUserHeader header = {request, VHOST_USER_VERSION | flags, size};
    uint8_t bytes[sizeof(header) + VHOST_USER_PAYLOAD_MAXIMUM];

    if (size > VHOST_USER_PAYLOAD_MAXIMUM) {
        return vhost_user_front_end_fail(front, -EINVAL, name, "%u bytes of payload, at most %u",
                                         size, VHOST_USER_PAYLOAD_MAXIMUM);
    }
    memcpy(bytes, &header, sizeof(header));
    if (size > 0) {
        memcpy(bytes + sizeof(header), payload, size);
    }
    int result = vhost_user_front_end_send_through(front, front->socket, name, bytes,
                                                   sizeof(header) + size, fds, fd_count);

    if (result == 0 && request == VHOST_USER_POSTCOPY_LISTEN) {
        front->postcopy = true;
    } else if (result == 0 && request == VHOST_USER_POSTCOPY_END) {
        front->postcopy = false;
    }
    return result;
}

/* --- receiving --- */

/* Reads exactly @size bytes before @end. */
static int receive_bytes(VhostUserFrontEnd *front, int socket, const char *request, int64_t end,
                         void *bytes, size_t size, VhostUserFrontEndMessage *message)
{
    size_t received = 0;

    while (received < size) {
        VhostUserDescriptorControl control;
        struct iovec rest = {(uint8_t *)bytes + received, size - received};
        struct msghdr part = {.msg_iov = &rest,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof(control)};
        ssize_t count = recvmsg(socket, &part, MSG_CMSG_CLOEXEC);

        if (count == 0 || (count < 0 && errno == ECONNRESET)) {
            return vhost_user_front_end_fail(front, -ECONNRESET, request, "the back-end hung up");
        }
        if (count > 0) {
            received += (size_t)count;
            if (!vhost_user_descriptors_take(&part, message->fds, VHOST_USER_FRONT_END_FDS,
                                             &message->fd_count)) {
                return vhost_user_front_end_fail(front, -EPROTO, request,
                                                 "more than %u descriptors came with the answer",
                                                 VHOST_USER_FRONT_END_FDS);
            }
        } else if (errno == EAGAIN) {
            int result = wait_until(socket, POLLIN, end);

            if (result <= 0) {
                return vhost_user_front_end_fail(front, result < 0 ? result : -ETIMEDOUT, request,
                                                 "no answer in %d ms", front->deadline);
            }
        } else if (errno != EINTR) {
            return vhost_user_front_end_fail(front, -errno, request, "cannot receive: %s",
                                             strerror(errno));
        }
    }
    return 0;
}

int vhost_user_front_end_receive_from(VhostUserFrontEnd *front, int socket, const char *request,
                                      VhostUserFrontEndMessage *message)
{
    int64_t end = end_of_wait(front);

    memset(message, 0, sizeof(*message));
    int result = receive_bytes(front, socket, request, end, &message->header,
                               sizeof(message->header), message);

    if (result == 0 && message->header.size > VHOST_USER_PAYLOAD_MAXIMUM) {
        result = vhost_user_front_end_fail(front, -EPROTO, request,
                                           "a message of %u bytes came, at most %u are allowed",
                                           message->header.size, VHOST_USER_PAYLOAD_MAXIMUM);
    }
    if (result == 0) {
        result = receive_bytes(front, socket, request, end, message->content.bytes,
                               message->header.size, message);
    }
    if (result < 0) {
        vhost_user_front_end_message_clear(message);
    }
    return result;
}

int vhost_user_front_end_receive(VhostUserFrontEnd *front, VhostUserFrontEndMessage *message)
{
    return vhost_user_front_end_receive_from(front, front->socket, "message", message);
}

int vhost_user_front_end_receive_answer(VhostUserFrontEnd *front, uint32_t request,
                                        VhostUserAnswer due, VhostUserFrontEndMessage *message)
{
    const char *name = vhost_user_request_name(request);
    int result = vhost_user_front_end_receive_from(front, front->socket, name, message);

    if (result < 0) {
        return result;
    }
    const char *problem = vhost_user_validate_reply(request, due, &message->header,
                                                    message->content.bytes, message->fd_count);

    if (problem) {
        vhost_user_front_end_message_clear(message);
        return vhost_user_front_end_fail(front, -EPROTO, name, "%s (it is for %s)", problem,
                                         vhost_user_request_name(message->header.request));
    }
    return 0;
}

int vhost_user_front_end_receive_ack(VhostUserFrontEnd *front, uint32_t request)
{
    VhostUserFrontEndMessage message;
    int result =
        vhost_user_front_end_receive_answer(front, request, VHOST_USER_ANSWER_ACK, &message);

    if (result == 0 && message.content.payload.u64 != 0) {
        return vhost_user_front_end_fail(front, -EREMOTEIO, vhost_user_request_name(request),
                                         "the back-end refuses (%llu)",
                                         (unsigned long long)message.content.payload.u64);
    }
    return result;
}
