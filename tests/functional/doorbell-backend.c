/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doorbell-backend SOCKET: a disk that hands over a page to be the doorbell of its first queue
 * (VRING_HOST_NOTIFIER_MSG) when SIGUSR1 comes, and takes it back with SIGUSR2.  Each makes a line:
 * what the page held until then, and the front end's answer, 0 for yes.
 */
#include "qtest/backend.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define UNTOUCHED 0xffff
#define PATIENCE 10000

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static uint64_t ask(Backend *backend, const VhostUserVringArea *area, const int *fd)
{
    struct {
        VhostUserHeader header;
        VhostUserVringArea area;
    } __attribute__((packed)) message = {
        {VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG,
         VHOST_USER_VERSION | VHOST_USER_FLAG_NEED_REPLY, sizeof(*area)},
        *area,
    };
    struct {
        VhostUserHeader header;
        uint64_t value;
    } __attribute__((packed)) answer;

    if (!backend_send_fds(backend, &message, sizeof(message), fd, fd != NULL) ||
        !backend_receive(backend, &answer, sizeof(answer), PATIENCE)) {
        return G_MAXUINT64;
    }
    return answer.value;
}

int main(int argc, char **argv)
{
    int file = memfd_create("doorbell", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    g_autoptr(GError) error = NULL;
    volatile uint16_t *page;
    BackendConfig config;
    sigset_t signals;
    Backend *backend;
    int number;

    if (file < 0 || ftruncate(file, PAGE) < 0 || fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK) < 0) {
        fail("the page");
    }
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (page == MAP_FAILED) {
        fail("the page");
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGUSR2);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* in the backend's thread, too */
    setvbuf(stdout, NULL, _IOLBF, 0);
    backend_config_init(&config);
    config.protocol_features |=
        BIT(VHOST_USER_PROTOCOL_F_HOST_NOTIFIER) | BIT(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD);
    backend = backend_new(&config);
    if (argc != 2 || !backend_listen(backend, argv[1], &error)) {
        fprintf(stderr, "usage: doorbell-backend SOCKET\n%s\n", error ? error->message : "");
        return EXIT_FAILURE;
    }
    while (sigwait(&signals, &number) == 0) {
        uint16_t held = *page;
        uint64_t answer;

        if (number == SIGUSR1) {
            *page = UNTOUCHED;
            answer = ask(backend, &(VhostUserVringArea){.size = PAGE}, &file);
        } else {
            answer = ask(backend, &(VhostUserVringArea){.index = VHOST_USER_VRING_NOFD_MASK}, NULL);
        }
        printf("0x%x %" G_GINT64_MODIFIER "u\n", held, answer);
    }
    return EXIT_FAILURE;
}
