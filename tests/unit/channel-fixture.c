/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A channel with a scripted peer in a thread. */
#include "channel-fixture.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

__thread int sendmsg_fail_count, sendmsg_errno;
__thread gsize sendmsg_most;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct msghdr shorter = *message;
    struct iovec part = message->msg_iov[0];

    if (sendmsg_fail_count > 0) {
        sendmsg_fail_count--;
        errno = sendmsg_errno;
        return -1;
    }
    if (sendmsg_most > 0) {
        part.iov_len = MIN(part.iov_len, sendmsg_most);
        shorter.msg_iov = &part;
        shorter.msg_iovlen = 1;
    }
    return syscall(SYS_sendmsg, fd, &shorter, flags);
}

static guint fixture_open_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    guint entries = 0;

    while (readdir(directory)) {
        entries++;
    }
    closedir(directory);
    return entries;
}

static gboolean peer_read_all(int socket, void *buffer, gsize size, guint *fds)
{
    gsize done = 0;

    while (done < size) {
        char control[CMSG_SPACE(sizeof(int) * 8)] __attribute__((aligned(8)));
        struct iovec part = {(char *)buffer + done, size - done};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = sizeof(control)};
        ssize_t length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        struct cmsghdr *first = CMSG_FIRSTHDR(&message);

        if (length <= 0) {
            return FALSE;
        }
        for (guint i = 0; first && i < (first->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(first) + i * sizeof(fd), sizeof(fd));
            close(fd);
            *fds += 1;
        }
        done += length;
    }
    return TRUE;
}

gboolean peer_read(int socket, PeerRequest *request)
{
    memset(request, 0, sizeof(*request));
    return peer_read_all(socket, &request->header, sizeof(request->header), &request->fds) &&
           request->header.size <= sizeof(request->payload) &&
           peer_read_all(socket, &request->payload, request->header.size, &request->fds);
}

void peer_write(int socket, const void *bytes, gsize size, guint fd_count)
{
    char control[CMSG_SPACE(sizeof(int) * 8)] __attribute__((aligned(8))) = {0};
    struct iovec part = {(void *)bytes, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    struct cmsghdr *header = (struct cmsghdr *)control;
    int fds[8];

    if (fd_count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        for (guint i = 0; i < fd_count; i++) {
            fds[i] = eventfd(0, EFD_CLOEXEC);
        }
        memcpy(CMSG_DATA(header), fds, sizeof(int) * fd_count);
    }
    g_assert_cmpint(syscall(SYS_sendmsg, socket, &message, MSG_NOSIGNAL), ==, (ssize_t)size);
    for (guint i = 0; i < fd_count; i++) {
        close(fds[i]);
    }
}

void peer_answer(int socket, uint32_t request, uint32_t flags, uint64_t value, uint32_t size,
                 guint fd_count)
{
    struct {
        VhostUserHeader header;
        uint8_t payload[VHOST_USER_PAYLOAD_MAXIMUM];
    } message = {.header = {request, flags, size}};

    memcpy(message.payload, &value, sizeof(value));
    peer_write(socket, &message, sizeof(message.header) + size, fd_count);
}

void peer_ack(int socket, uint32_t request, uint64_t value)
{
    peer_answer(socket, request, REPLY_FLAGS, value, 8, 0);
}

void peer_good(int socket)
{
    PeerRequest request;

    while (peer_read(socket, &request)) {
        if (vhost_user_answer_due(&request.header, FALSE) == VHOST_USER_ANSWER_REPLY) {
            peer_ack(socket, request.header.request, 42);
        } else if (request.header.flags & VHOST_USER_FLAG_NEED_REPLY) {
            peer_ack(socket, request.header.request, 0);
        }
    }
}

static gpointer run_peer(gpointer data)
{
    Fixture *fixture = data;

    fixture->script(fixture->peer_socket);
    close(fixture->peer_socket);
    return NULL;
}

void fixture_deadline(Fixture *fixture, guint milliseconds)
{
    vhost_user_channel_set_deadline(fixture->channel,
                                    g_get_monotonic_time() + (gint64)milliseconds * 1000);
}

void fixture_begin(Fixture *fixture, PeerScript *script)
{
    int sockets[2];

    fixture->fds_before = fixture_open_fds();
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), ==, 0);
    fixture->channel = vhost_user_channel_new("vhost-user device 'b0'", sockets[0]);
    fixture->peer_socket = sockets[1];
    fixture->script = script;
    vhost_user_channel_set_reply_ack(fixture->channel, TRUE);
    fixture_deadline(fixture, 10000);
    fixture->thread = g_thread_new("peer", run_peer, fixture);
}

void fixture_end(Fixture *fixture)
{
    vhost_user_channel_free(fixture->channel);
    g_thread_join(fixture->thread);
    g_assert_cmpuint(fixture_open_fds(), ==, fixture->fds_before);
}

gboolean fixture_add_region(Fixture *fixture, guint number, GError **error)
{
    VhostUserMemRegMsg message = {
        .region = {.guest_address = number * 0x1000ull, .size = 0x1000, .user_address = 0x7f0000},
    };
    int fd = eventfd(0, EFD_CLOEXEC);
    gboolean sent =
        vhost_user_channel_send(fixture->channel, VHOST_USER_ADD_MEM_REG, &message, sizeof(message),
                                &fd, 1, GUINT_TO_POINTER(number), error);

    close(fd);
    return sent;
}

void fixture_on_ack(gpointer opaque, uint32_t request, gpointer tag, const GError *error)
{
    Acks *acks = opaque;

    g_assert_cmpuint(request, ==, VHOST_USER_ADD_MEM_REG);
    g_assert_cmpuint(GPOINTER_TO_UINT(tag), ==, acks->calls);
    acks->calls++;
    if (!error) {
        acks->accepted++;
    } else if (g_error_matches(error, VHOST_USER_ERROR, VHOST_USER_ERROR_REFUSED)) {
        acks->refused++;
        acks->last_refused = GPOINTER_TO_UINT(tag);
    } else {
        acks->unknown++;
    }
}

gboolean fixture_get_u64(Fixture *fixture, uint32_t request, uint64_t *value, GError **error)
{
    return vhost_user_channel_call(fixture->channel, request, NULL, 0, value, sizeof(*value),
                                   sizeof(*value), NULL, NULL, error);
}

const VhostUserCount *fixture_counts(Fixture *fixture, uint32_t request)
{
    return &vhost_user_channel_counts(fixture->channel)[request];
}

void peer_read_one(int socket)
{
    PeerRequest request;

    g_assert_true(peer_read(socket, &request));
}

void peer_silent(int socket)
{
    PeerRequest request;

    while (peer_read(socket, &request)) {
    }
}

void peer_hangs_up_before(int socket)
{
    (void)socket;
}
