/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients: connecting at once with a deadline, or again and again in the background. */
#include "chardev/char-socket.h"
#include "chardev/socket-address.h"
#include "system/main-loop.h"
#include "system/vm-lock.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/trace.h"

#include <errno.h>
#include <poll.h>

#define CONNECT_SECONDS 5
#define BUSY_MILLISECONDS 10 /* between tries at a listener whose queue is full */

TRACE_EVENT(chardev_retry, "a client could not connect and will try again");

guint chardev_socket_interval(const ChardevSocket *socket)
{
    return socket->reconnect ? socket->reconnect * 1000 : socket->reconnect_ms;
}

static int socket_error(int fd)
{
    int code = 0;
    socklen_t length = sizeof(code);

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length) < 0 ? errno : code;
}

/* Waits without the VM lock: the guest goes on. */
static int poll_unlocked(int fd, gint64 deadline)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLOUT};
    gint64 left = (deadline - g_get_monotonic_time()) / 1000;

    vm_unlock();
    int ready = poll(&pollfd, fd >= 0 ? 1 : 0, fd >= 0 ? (int)MAX(left, 0) : BUSY_MILLISECONDS);
    vm_lock();
    return ready;
}

/* The connected descriptor, or -1 and errno. */
static int connect_until(const SocketAddress *address, gint64 deadline)
{
    gboolean pending;
    int fd = socket_address_connect(address, &pending);

    while (fd < 0 && errno == EAGAIN && g_get_monotonic_time() < deadline) {
        poll_unlocked(-1, deadline);
        fd = socket_address_connect(address, &pending);
    }
    if (fd < 0 || !pending) {
        return fd;
    }
    int ready = poll_unlocked(fd, deadline);
    int code = ready > 0 ? socket_error(fd) : ready == 0 ? ETIMEDOUT : errno;
    if (code) {
        fd_clear(&fd);
        errno = code;
    }
    return fd;
}

gboolean chardev_socket_connect_now(ChardevSocket *socket, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + CONNECT_SECONDS * G_USEC_PER_SEC;
    int code = 0;

    for (guint i = 0; i < socket->addresses->len; i++) {
        int fd = connect_until(&g_array_index(socket->addresses, SocketAddress, i), deadline);
        if (fd >= 0) {
            chardev_socket_connected(socket, fd);
            return TRUE;
        }
        code = errno;
    }
    vm_error_set_errno(error, code, "chardev '%s': cannot connect to '%s'",
                       socket->parent.parent.id, socket->name);
    return FALSE;
}

/* --- in the background --- */

static void try_next(ChardevSocket *socket);

static gboolean connect_ended(gint fd, GIOCondition condition G_GNUC_UNUSED, gpointer opaque)
{
    ChardevSocket *socket = opaque;

    socket->watch = 0;
    socket->connecting = -1;
    if (socket_error(fd)) {
        fd_clear(&fd);
        try_next(socket);
    } else {
        chardev_socket_connected(socket, fd);
    }
    return G_SOURCE_REMOVE;
}

static void try_next(ChardevSocket *socket)
{
    while (socket->next < socket->addresses->len) {
        gboolean pending;
        int fd = socket_address_connect(
            &g_array_index(socket->addresses, SocketAddress, socket->next++), &pending);
        if (fd >= 0 && pending) {
            socket->connecting = fd;
            socket->watch = main_loop_watch(fd, G_IO_OUT, connect_ended, socket);
            return;
        }
        if (fd >= 0) {
            chardev_socket_connected(socket, fd);
            return;
        }
    }
    chardev_socket_connect_later(socket);
}

static gboolean try_again(gpointer opaque)
{
    ChardevSocket *socket = opaque;

    socket->timer = 0;
    socket->next = 0;
    try_next(socket);
    return G_SOURCE_REMOVE;
}

guint chardev_socket_delay(guint interval, guint *doubled)
{
    guint longest = MAX(interval, CHARDEV_SOCKET_DELAY_MAXIMUM);

    if (*doubled == 0) {
        *doubled = interval;
        return interval;
    }
    *doubled = *doubled > longest / 2 ? longest : 2 * *doubled;
    return *doubled - (guint)g_random_int_range(0, (gint32)(*doubled / 4 + 1));
}

void chardev_socket_connect_later(ChardevSocket *socket)
{
    guint milliseconds;

    if (!socket->timer && socket->connecting < 0) {
        milliseconds = chardev_socket_delay(chardev_socket_interval(socket), &socket->delay_ms);
        trace(chardev_retry, "%s: %s, next try in %u ms", socket->parent.parent.id, socket->name,
              milliseconds);
        socket->timer = g_timeout_add(milliseconds, try_again, socket);
    }
}

void chardev_socket_client_close(ChardevSocket *socket)
{
    fd_clear(&socket->connecting);
}
