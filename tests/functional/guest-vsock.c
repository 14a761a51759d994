/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs in a guest: sends bytes to the host over a vsock stream, whose other end is to echo them,
 * and compares what comes back.  Sends while it receives, as fast as the other end takes it.
 */
#include <errno.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK 16384

/* The byte at a place of the stream; no two neighbourhoods are alike. */
static uint8_t byte_at(uint64_t place, uint64_t seed)
{
    return (uint8_t)((place * UINT64_C(0x9e3779b97f4a7c15) + seed) >> 56);
}

static void fail(const char *what)
{
    printf("%s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static void send_some(int fd, uint64_t *sent, uint64_t total, uint64_t seed)
{
    uint8_t bytes[CHUNK];
    size_t size = total - *sent < CHUNK ? (size_t)(total - *sent) : CHUNK;
    ssize_t result;

    for (size_t i = 0; i < size; i++) {
        bytes[i] = byte_at(*sent + i, seed);
    }
    result = send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (result < 0 && errno != EAGAIN) {
        fail("send");
    }
    *sent += result > 0 ? (uint64_t)result : 0;
}

static void receive_some(int fd, uint64_t *received, uint64_t sent, uint64_t seed)
{
    uint8_t bytes[CHUNK];
    ssize_t result = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (result < 0 && errno != EAGAIN) {
        fail("recv");
    }
    if (result == 0 || (result > 0 && (uint64_t)result > sent - *received)) {
        printf("after %llu of %llu bytes: %s\n", (unsigned long long)*received,
               (unsigned long long)sent, result ? "too many came back" : "the other end closed");
        exit(EXIT_FAILURE);
    }
    for (ssize_t i = 0; i < result; i++, ++*received) {
        if (bytes[i] != byte_at(*received, seed)) {
            printf("byte %llu is %u, sent was %u\n", (unsigned long long)*received, bytes[i],
                   byte_at(*received, seed));
            exit(EXIT_FAILURE);
        }
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST};
    uint64_t total = argc == 4 ? strtoull(argv[2], NULL, 10) : 0;
    uint64_t seed = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;
    uint64_t sent = 0, received = 0;
    int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

    if (total == 0) {
        fprintf(stderr, "usage: guest-vsock PORT BYTES SEED\n");
        return EXIT_FAILURE;
    }
    address.svm_port = (unsigned)strtoul(argv[1], NULL, 10);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        fail("connect");
    }
    while (received < total) {
        struct pollfd wait = {fd, (short)(POLLIN | (sent < total ? POLLOUT : 0)), 0};

        if (poll(&wait, 1, 20000) <= 0) {
            errno = ETIMEDOUT;
            fail("nothing comes back");
        }
        if (wait.revents & POLLOUT) {
            send_some(fd, &sent, total, seed);
        }
        receive_some(fd, &received, sent, seed);
    }
    close(fd);
    printf("%llu bytes came back\n", (unsigned long long)received);
    return EXIT_SUCCESS;
}
