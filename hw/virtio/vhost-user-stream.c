/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes and descriptors over a non-blocking unix stream socket, unix(7) and
 * cmsg(3); every descriptor that arrives has an owner from its first moment.
 */
#include "hw/virtio/vhost-user-stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "util/fd.h"

void vhost_user_stream_init(VhostUserStream *stream, int socket)
{
    int flags = fcntl(socket, F_GETFL);

    stream->socket = socket;
    if (flags >= 0) {
        fcntl(socket, F_SETFL, flags | O_NONBLOCK);
    }
}

void vhost_user_stream_close(VhostUserStream *stream)
{
    int fd = vhost_user_stream_take_fd(stream);

    fd_clear_foreign(&fd);
    fd_clear(&stream->socket);
    stream->used = 0;
}

/* Builds the vector of what is left behind @skip bytes. Returns the number of parts. */
static guint remaining_parts(struct iovec parts[2], const VhostUserHeader *header,
                             const void *payload, gsize skip)
{
    guint count = 0;

    if (skip < sizeof(*header)) {
        parts[count].iov_base = (uint8_t *)header + skip;
        parts[count++].iov_len = sizeof(*header) - skip;
        skip = 0;
    } else {
        skip -= sizeof(*header);
    }
    if (skip < header->size) {
        parts[count].iov_base = (uint8_t *)payload + skip;
        parts[count++].iov_len = header->size - skip;
    }
    return count;
}

gssize vhost_user_stream_write(VhostUserStream *stream, const VhostUserHeader *header,
                               const void *payload, gsize skip, const int *fds, guint fd_count)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * VHOST_USER_MAX_REGIONS_IN_MESSAGE)];
    } control;
    struct iovec parts[2];
    struct msghdr message = {
        .msg_iov = parts,
        .msg_iovlen = remaining_parts(parts, header, payload, skip),
    };
    gssize length;

    if (skip == 0 && fd_count > 0) {
        memset(&control, 0, sizeof(control));
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * fd_count);
    }
    do {
        length = sendmsg(stream->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (length < 0 && errno == EINTR);
    return length < 0 ? -errno : length;
}

/* Keeps what fits and closes the rest. */
static void keep_fds(VhostUserStream *stream, struct cmsghdr *control)
{
    guint count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);

    for (guint i = 0; i < count; i++) {
        int fd;

        memcpy(&fd, CMSG_DATA(control) + i * sizeof(fd), sizeof(fd));
        if (stream->fd_count < VHOST_USER_STREAM_FDS) {
            stream->fds[stream->fd_count++] = fd;
        } else {
            fd_clear_foreign(&fd);
            stream->fds_lost = TRUE;
        }
    }
}

gssize vhost_user_stream_read(VhostUserStream *stream, gsize limit)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * VHOST_USER_STREAM_FDS)];
    } control;
    struct iovec part = {
        .iov_base = stream->buffer + stream->used,
        .iov_len = MIN(limit, sizeof(stream->buffer) - stream->used),
    };
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    gssize length;

    do {
        length = recvmsg(stream->socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    } while (length < 0 && errno == EINTR);
    if (length < 0) {
        return -errno;
    }
    for (struct cmsghdr *each = CMSG_FIRSTHDR(&message); each; each = CMSG_NXTHDR(&message, each)) {
        if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_RIGHTS) {
            keep_fds(stream, each);
        }
    }
    if (message.msg_flags & MSG_CTRUNC) {
        stream->fds_lost = TRUE;
    }
    stream->used += length;
    return length;
}

void vhost_user_stream_consume(VhostUserStream *stream, gsize size)
{
    stream->used -= size;
    if (stream->used > 0) {
        memmove(stream->buffer, stream->buffer + size, stream->used);
    }
}

int vhost_user_stream_take_fd(VhostUserStream *stream)
{
    int first = stream->fd_count > 0 ? stream->fds[0] : -1;

    for (guint i = 1; i < stream->fd_count; i++) {
        fd_clear_foreign(&stream->fds[i]);
    }
    stream->fd_count = 0;
    stream->fds_lost = FALSE;
    return first;
}

int vhost_user_stream_wait(VhostUserStream *stream, short events, gint64 deadline, int other,
                           gboolean *beside)
{
    struct pollfd fds[] = {
        {.fd = stream->socket, .events = events},
        {.fd = other, .events = POLLIN},
    };
    gint64 left;
    int ready;

    do {
        struct timespec timeout;

        left = MAX(deadline - g_get_monotonic_time(), 0);
        timeout.tv_sec = left / G_USEC_PER_SEC;
        timeout.tv_nsec = left % G_USEC_PER_SEC * 1000;
        ready = ppoll(fds, G_N_ELEMENTS(fds), &timeout, NULL);
    } while (ready < 0 && errno == EINTR);
    *beside = ready > 0 && fds[1].revents != 0 && left > 0;
    if (ready < 0) {
        return -errno;
    }
    return fds[0].revents;
}
