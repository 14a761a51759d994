/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any answers from a backend into a channel over a socket pair.  The input is a list of steps of
 * both ends in one thread; what the peer says is there before the channel waits for it, so that no
 * run takes time.  No descriptor may be left over, and each request sent is reported once.
 */
#include "fuzz.h"

#include <dirent.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hw/virtio/vhost-user-channel.h"
#include "libvhost-user/wire.h"

typedef struct Run {
    FuzzInput input;
    VhostUserChannel *channel;
    int peer;
    guint sent, reported;
} Run;

static guint open_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    guint entries = 0;

    while (readdir(directory)) {
        entries++;
    }
    closedir(directory);
    return entries;
}

/* The socket may be full: then the peer says nothing. */
static void peer_write(Run *run, const void *bytes, size_t size, guint fd_count)
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
    (void)!sendmsg(run->peer, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    for (guint i = 0; i < fd_count; i++) {
        close(fds[i]);
    }
}

/* A message that is right but for what the input makes of it. */
static void peer_answer(Run *run, uint32_t request)
{
    struct {
        VhostUserHeader header;
        uint8_t payload[256];
    } message = {.header = {request, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY, 8}};
    const VhostUserMessageInfo *info = vhost_user_message_info(request);
    uint8_t twist = fuzz_byte(&run->input);
    guint fds = 0;

    if (info && info->reply == VHOST_USER_REPLY_ALWAYS) {
        message.header.size = MIN(info->reply_size_maximum, sizeof(message.payload));
        fds = info->reply_fds_maximum;
    }
    if (request == VHOST_USER_GET_INFLIGHT_FD) {
        message.payload[0] = message.payload[16] = message.payload[18] = 1;
    }
    message.header.flags ^= twist & 1 ? fuzz_byte(&run->input) : 0;
    message.header.size = twist & 2 ? fuzz_byte(&run->input) : message.header.size;
    message.payload[0] = twist & 4 ? fuzz_byte(&run->input) : message.payload[0];
    fds = twist & 8 ? fuzz_byte(&run->input) % 9 : fds;
    peer_write(run, &message, sizeof(message.header) + message.header.size, fds);
}

static void peer_raw(Run *run)
{
    size_t size = 1 + fuzz_byte(&run->input) % 64;

    size = MIN(size, run->input.size);
    if (size > 0) {
        peer_write(run, run->input.data, size, 0);
        run->input.data += size;
        run->input.size -= size;
    }
}

static void on_ack(gpointer opaque, uint32_t request, gpointer tag, const GError *error)
{
    Run *run = opaque;

    (void)error;
    fuzz_require(request == VHOST_USER_ADD_MEM_REG && tag == run);
    run->reported++;
}

static void send_region(Run *run)
{
    const VhostUserMemRegMsg message = {.region = {.size = 0x1000}};

    run->sent += vhost_user_channel_send(run->channel, VHOST_USER_ADD_MEM_REG, &message,
                                         sizeof(message), &run->peer, 1, run, NULL);
}

static void call(Run *run, uint32_t request, const void *payload, uint32_t size, uint32_t minimum,
                 uint32_t maximum, gboolean takes_fd)
{
    VhostUserPayload reply;
    uint32_t length = 0;
    int fd = -1;
    gboolean done = vhost_user_channel_call(run->channel, request, payload, size, &reply, minimum,
                                            maximum, &length, takes_fd ? &fd : NULL, NULL);

    fuzz_require(done != vhost_user_channel_broken(run->channel));
    fuzz_require(!done || (length >= minimum && length <= maximum));
    fuzz_require(done || fd == -1);
    if (fd >= 0) {
        close(fd);
    }
}

static void step(Run *run)
{
    static const VhostUserConfig config = {.size = 60};
    static const VhostUserInflight inflight = {.num_queues = 1, .queue_size = 1};

    switch (fuzz_byte(&run->input) % 12) {
    case 0:
        peer_answer(run, fuzz_byte(&run->input) % VHOST_USER_REQUEST_COUNT);
        break;
    case 1:
        peer_raw(run);
        break;
    case 2:
        peer_answer(run, VHOST_USER_GET_FEATURES);
        break;
    case 3:
        peer_answer(run, VHOST_USER_GET_INFLIGHT_FD);
        break;
    case 4:
        call(run, VHOST_USER_GET_FEATURES, NULL, 0, 8, 8, FALSE);
        break;
    case 5:
        call(run, VHOST_USER_GET_INFLIGHT_FD, &inflight, sizeof(inflight), 20, 24, TRUE);
        break;
    case 6:
        call(run, VHOST_USER_GET_CONFIG, &config, 72, 0, 72, FALSE);
        break;
    case 7:
        vhost_user_channel_flush(run->channel, on_ack, run, NULL);
        fuzz_require(run->reported == run->sent);
        break;
    case 8:
        vhost_user_channel_idle(run->channel, NULL);
        break;
    case 9:
        vhost_user_channel_set_reply_ack(run->channel, fuzz_byte(&run->input) & 1);
        break;
    case 10:
        peer_answer(run, VHOST_USER_ADD_MEM_REG);
        break;
    default:
        send_region(run);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    guint fds = open_fds();
    Run run = {.input = {data, size}};
    int sockets[2];

    fuzz_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
    run.peer = sockets[1];
    run.channel = vhost_user_channel_new("fuzz", sockets[0]);
    vhost_user_channel_set_window(run.channel, 1 + fuzz_byte(&run.input) % 8);
    vhost_user_channel_set_reply_ack(run.channel, TRUE);
    vhost_user_channel_set_deadline(run.channel, g_get_monotonic_time());
    while (run.input.size > 0) {
        step(&run);
    }
    vhost_user_channel_flush(run.channel, on_ack, &run, NULL);
    fuzz_require(run.reported == run.sent);
    vhost_user_channel_free(run.channel);
    close(run.peer);
    fuzz_require(open_fds() == fds);
    return 0;
}
