/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The least that a plug can cost: memfd, size, seals, mapping, one message with
 * the descriptor, its answer.  No emulator: a loop over the bare calls, with
 * the same backend in another thread.
 */
#include "process.h"
#include "times.h"

#include "qtest/backend.h"
#include "qtest/vmm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS 1024
#define SIZE (16 << 20)

static void send_message(int socket, uint32_t request, const void *payload, uint32_t size, int fd)
{
    /* An ack comes only once REPLY_ACK has been negotiated. */
    uint32_t reply = request == VHOST_USER_SET_PROTOCOL_FEATURES ? 0 : VHOST_USER_FLAG_NEED_REPLY;
    VhostUserHeader header = {request, VHOST_USER_VERSION | reply, size};
    struct iovec parts[] = {{&header, sizeof(header)}, {(void *)payload, size}};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = size ? 2 : 1};

    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &fd, sizeof(fd));
    }
    if (sendmsg(socket, &message, 0) < 0) {
        vmm_fail("sendmsg: %m");
    }
}

static void receive_answer(int socket)
{
    char answer[sizeof(VhostUserHeader) + sizeof(uint64_t)];

    if (recv(socket, answer, sizeof(answer), MSG_WAITALL) != sizeof(answer)) {
        vmm_fail("the backend does not answer: %m");
    }
}

static void one_round(int socket, uint64_t address)
{
    VhostUserMemRegMsg region = {0};
    int fd = memfd_create("floor", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, SIZE) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
        vmm_fail("memfd: %m");
    }
    void *mapping = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (mapping == MAP_FAILED) {
        vmm_fail("mmap: %m");
    }
    region.region.guest_address = address;
    region.region.size = SIZE;
    region.region.user_address = (uintptr_t)mapping;
    send_message(socket, VHOST_USER_ADD_MEM_REG, &region, sizeof(region), fd);
    receive_answer(socket);
}

int main(void)
{
    static gint64 times[ROUNDS];
    uint64_t protocol =
        (1u << VHOST_USER_PROTOCOL_F_REPLY_ACK) | (1u << VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
    BackendConfig config;
    int pair[2];

    process_raise_descriptors();
    backend_config_init(&config);
    config.count_only = TRUE;
    config.keep_log = FALSE;
    config.slots = ROUNDS;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        vmm_fail("socketpair: %m");
    }
    Backend *backend = backend_new(&config);
    backend_take_socket(backend, pair[1]);
    send_message(pair[0], VHOST_USER_SET_PROTOCOL_FEATURES, &protocol, sizeof(protocol), -1);
    for (guint i = 0; i < ROUNDS; i++) {
        gint64 begin = nanoseconds(CLOCK_MONOTONIC);
        one_round(pair[0], 0x100000000 + (uint64_t)i * SIZE);
        times[i] = nanoseconds(CLOCK_MONOTONIC) - begin;
    }
    printf("{\"floor_us\":%.1f,\"rounds\":%d}\n", median(times, ROUNDS) / 1000.0, ROUNDS);
    backend_free(backend);
    return 0;
}
