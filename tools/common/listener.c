/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where front ends come from. */
#include "tools/common/listener.h"

#include "util/error.h"
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 8 /* one front end is served at a time, the next ones wait */

static int refuse_path(int fd, const char *option, const char *path, GError **error)
{
    struct stat status;

    if (errno == EADDRINUSE) {
        gboolean served = stat(path, &status) == 0 && S_ISSOCK(status.st_mode);
        vm_error_set(error, "%s %s: %s", option, path,
                     served ? "another process listens there"
                            : "a file that is no socket lies there");
    } else {
        vm_error_set_errno(error, errno, "%s %s: cannot listen there", option, path);
    }
    fd_clear(&fd);
    return -1;
}

static int listen_at(const char *option, const char *path, GError **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct sockaddr *generic = (const struct sockaddr *)&address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    strcpy(address.sun_path, path); /* whose length was checked with the option */
    if (fd < 0) {
        return refuse_path(fd, option, path, error);
    }
    int result = bind(fd, generic, sizeof(address));
    if (result < 0 && errno == EADDRINUSE) {
        gboolean gone = unix_socket_remove_stale(path);
        errno = EADDRINUSE;
        result = gone ? bind(fd, generic, sizeof(address)) : -1;
    }
    if (result < 0 || listen(fd, BACKLOG) < 0) {
        return refuse_path(fd, option, path, error);
    }
    return fd;
}

static int socket_number(int fd, int option)
{
    int value = -1;
    socklen_t length = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &length) < 0 ? -1 : value;
}

static gboolean is_connected(int fd)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof(peer);

    return getpeername(fd, (struct sockaddr *)&peer, &length) == 0;
}

static gboolean inherit(Listener *listener, int fd, GError **error)
{
    int listening = socket_number(fd, SO_ACCEPTCONN);

    if (listening < 0) {
        vm_error_set(error, "--fd %d: %s; expected a listening or a connected unix socket", fd,
                     errno == ENOTSOCK ? "the descriptor is no socket" : "no such descriptor");
        return FALSE;
    }
    if (socket_number(fd, SO_DOMAIN) != AF_UNIX || socket_number(fd, SO_TYPE) != SOCK_STREAM) {
        vm_error_set(error, "--fd %d: not a unix stream socket, which descriptors can be sent over",
                     fd);
        return FALSE;
    }
    if (!listening && !is_connected(fd)) {
        vm_error_set(error, "--fd %d: the socket neither listens nor is connected", fd);
        return FALSE;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    *(listening ? &listener->fd : &listener->connected) = fd;
    return fd_set_nonblocking(fd, TRUE, error);
}

gboolean listener_open_at(Listener *listener, const char *option, const char *path, GError **error)
{
    *listener = (Listener){.fd = listen_at(option, path, error), .connected = -1};
    if (listener->fd >= 0) {
        unix_socket_file_note(&listener->file, path);
    }
    return listener->fd >= 0;
}

gboolean listener_open(Listener *listener, const ServiceOptions *options, GError **error)
{
    if (options->socket_path) {
        return listener_open_at(listener, "--socket-path", options->socket_path, error);
    }
    *listener = (Listener){.fd = -1, .connected = -1};
    return inherit(listener, options->fd, error);
}

gboolean listener_is_exhausted(const Listener *listener)
{
    return listener->fd < 0 && listener->connected < 0;
}

int listener_accept(Listener *listener)
{
    int fd = listener->connected;

    if (fd >= 0) {
        listener->connected = -1;
        return fd;
    }
    return accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

void listener_close(Listener *listener)
{
    fd_clear(&listener->fd);
    fd_clear(&listener->connected);
}
