/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removes files for a program that may not do it itself. */
#include "tools/common/janitor.h"

#include "util/error.h"
#include "util/fd.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

/* Holds nothing of the program's: neither its listener, nor its image, nor its terminal. */
static void close_all_but(int fd)
{
    if (fd > 0) {
        close_range(0, (unsigned)fd - 1, 0);
    }
    close_range((unsigned)fd + 1, UINT_MAX, 0);
}

G_NORETURN static void wait_and_remove(int fd, Listener *listeners, gsize count, Pidfile *pidfile)
{
    ssize_t length;
    char byte;

    /* Signals stay blocked as they are in the program: what a terminal sends to the whole group is
     * for the program to obey. */
    close_all_but(fd);
    do {
        length = read(fd, &byte, 1);
    } while (length < 0 && errno == EINTR);
    if (length == 1) {
        for (gsize i = 0; i < count; i++) {
            unix_socket_file_remove(&listeners[i].file);
        }
        if (pidfile->path) {
            unlink(pidfile->path);
        }
    }
    _exit(0);
}

int janitor_start(Listener *listeners, gsize count, Pidfile *pidfile, GError **error)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        vm_error_set_errno(error, errno, "--sandbox: cannot make a socket pair");
        return -1;
    }
    pid_t child = fork();
    if (child == 0) {
        wait_and_remove(pair[1], listeners, count, pidfile);
    }
    close(pair[1]);
    if (child < 0) {
        vm_error_set_errno(error, errno, "--sandbox: cannot fork");
        fd_clear(&pair[0]);
    }
    return child < 0 ? -1 : pair[0];
}

void janitor_finish(int janitor)
{
    char byte = 0;

    /* The answer is the end of its life. */
    if (write(janitor, &byte, 1) == 1) {
        while (read(janitor, &byte, 1) < 0 && errno == EINTR) {
        }
    }
    close(janitor);
}
