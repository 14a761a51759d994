/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages on the socket: read in as many pieces as they come, with the descriptors of any piece;
 * answers sent without waiting.  Never blocks, never has a descriptor that nobody owns.
 */
#include "device-internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descriptors.h"

void vhost_user_device_stream_init(VhostUserDeviceStream *stream, int socket)
{
    stream->socket = socket;
    stream->received = 0;
    stream->answer_size = stream->answer_sent = 0;
    stream->answer_fd = -1;
    stream->answer_fd_owned = false;
}

static void drop_answer_fd(VhostUserDeviceStream *stream)
{
    if (stream->answer_fd != -1 && stream->answer_fd_owned) {
        close(stream->answer_fd);
    }
    stream->answer_fd = -1;
}

void vhost_user_device_stream_close(VhostUserDeviceStream *stream)
{
    drop_answer_fd(stream);
    stream->answer_size = stream->answer_sent = 0;
    if (stream->socket != -1) {
        close(stream->socket);
    }
    stream->socket = -1;
}

void vhost_user_device_message_init(VhostUserDeviceMessage *message)
{
    message->header = (VhostUserHeader){0};
    message->fd_count = 0;
    message->reply_size = 0;
    message->reply_fd = -1;
    message->reply_fd_owned = false;
}

void vhost_user_device_message_clear(VhostUserDeviceMessage *message)
{
    for (unsigned i = 0; i < message->fd_count; i++) {
        if (message->fds[i] != -1) {
            close(message->fds[i]);
        }
    }
    vhost_user_device_message_init(message);
}

int vhost_user_device_message_take_fd(VhostUserDeviceMessage *message, unsigned index)
{
    int fd = -1;

    if (index < message->fd_count) {
        fd = message->fds[index];
        message->fds[index] = -1;
    }
    return fd;
}

/* One read into @size bytes. > 0: bytes; 0: the front-end hung up; or a negative errno. */
static ssize_t receive(VhostUserDeviceStream *stream, VhostUserDeviceMessage *message, void *bytes,
                       size_t size, const char **reason)
{
    VhostUserDescriptorControl control;
    struct iovec part = {bytes, size};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control)};
    ssize_t length;

    do {
        length = recvmsg(stream->socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    } while (length < 0 && errno == EINTR);
    if (length < 0) {
        return -errno;
    }
    if (!vhost_user_descriptors_take(&header, message->fds, VHOST_USER_MAX_REGIONS_IN_MESSAGE,
                                     &message->fd_count)) {
        *reason = "more than 8 descriptors came with it, or more than we may have open";
        return -EPROTO;
    }
    return length;
}

VhostUserDeviceReceived vhost_user_device_stream_receive(VhostUserDeviceStream *stream,
                                                         VhostUserDeviceMessage *message,
                                                         const char **reason)
{
    const size_t head = sizeof(message->header);

    for (;;) {
        bool in_header = stream->received < head;
        uint8_t *bytes = in_header ? (uint8_t *)&message->header + stream->received
                                   : message->bytes + (stream->received - head);
        size_t end = in_header ? head : head + message->header.size;
        ssize_t length;

        if (!in_header && message->header.size > sizeof(message->bytes)) {
            *reason = "the payload is longer than any message";
            return VHOST_USER_RECEIVED_ERROR;
        }
        if (stream->received == end) {
            stream->received = 0;
            return VHOST_USER_RECEIVED_MESSAGE;
        }
        length = receive(stream, message, bytes, end - stream->received, reason);
        if (length == -EAGAIN) {
            return VHOST_USER_RECEIVED_NOTHING;
        }
        if ((length == 0 || length == -ECONNRESET) && stream->received == 0) {
            return VHOST_USER_RECEIVED_END;
        }
        if (length <= 0) {
            *reason = length == -EPROTO ? *reason
                      : length == 0     ? "the front-end hung up in the middle of it"
                                        : strerror((int)-length);
            return VHOST_USER_RECEIVED_ERROR;
        }
        stream->received += (size_t)length;
    }
}

int vhost_user_device_stream_flush(VhostUserDeviceStream *stream)
{
    while (stream->answer_sent < stream->answer_size) {
        VhostUserDescriptorControl control;
        struct iovec part = {stream->answer + stream->answer_sent,
                             stream->answer_size - stream->answer_sent};
        struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
        ssize_t length;

        /* goes with the first byte */
        vhost_user_descriptors_put(&header, &control, &stream->answer_fd,
                                   stream->answer_fd != -1 ? 1 : 0);
        length = sendmsg(stream->socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (length < 0) {
            if (errno == EINTR) {
                continue;
            }
            return -errno;
        }
        stream->answer_sent += (size_t)length;
        drop_answer_fd(stream);
    }
    stream->answer_size = stream->answer_sent = 0;
    return 0;
}

int vhost_user_device_stream_send(VhostUserDeviceStream *stream, const VhostUserHeader *header,
                                  const void *payload, int fd, bool fd_owned)
{
    int result;

    memcpy(stream->answer, header, sizeof(*header));
    memcpy(stream->answer + sizeof(*header), payload, header->size);
    stream->answer_size = sizeof(*header) + header->size;
    stream->answer_sent = 0;
    stream->answer_fd = fd;
    stream->answer_fd_owned = fd_owned;
    result = vhost_user_device_stream_flush(stream);
    return result == -EAGAIN ? 0 : result;
}
