/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket chardev, as its own files and the option parser share it. */
#ifndef CHARDEV_CHAR_SOCKET_H
#define CHARDEV_CHAR_SOCKET_H

#include "chardev/chardev.h"
#include "util/unix-socket.h"

typedef struct ChardevSocket {
    Chardev parent;
    char *path, *host, *port, *fd_text;
    gboolean abstract, tight; /* unix(7) */
    int ipv4, ipv6;           /* FamilyChoice */
    uint16_t to;              /* last port that a listener may take */
    gboolean server, wait, nodelay, delay, telnet;
    uint32_t reconnect, reconnect_ms; /* seconds, milliseconds; 0: never */

    GArray *addresses; /* of SocketAddress; NULL with fd= */
    int listener;
    int connecting; /* a connect(2) that has not ended */
    guint next;     /* address to try */
    guint watch;    /* of listener or connecting */
    guint timer;
    guint delay_ms;      /* chardev_socket_delay() since the last connection that was of use */
    UnixSocketFile file; /* the listener made it */
    char *name;          /* "unix:/path", "tcp:host:port", "fd:3" */
} ChardevSocket;

VM_DECLARE_TYPE(ChardevSocket, chardev_socket, CHARDEV_SOCKET)

/* A connected @fd is there: options of the connection, then chardev_set_connection(). */
void chardev_socket_connected(ChardevSocket *socket, int fd);

/* Client (char-socket-client.c). */
guint chardev_socket_interval(const ChardevSocket *socket); /* first delay in ms; 0: no tries */
/* The longest delay between two tries in ms, unless the interval is longer. */
#define CHARDEV_SOCKET_DELAY_MAXIMUM 10000
/* Waits for the connection, a few seconds at most. */
gboolean chardev_socket_connect_now(ChardevSocket *socket, GError **error);
/*
 * Milliseconds until the next try: at first @interval, then delays that double up to the maximum,
 * each shortened by up to a quarter at random, so that many clients of one server do not come all
 * at once.  *@doubled is the delay without that, 0 before the first.
 */
guint chardev_socket_delay(guint interval, guint *doubled);
/* Tries in the background, again and again. */
void chardev_socket_connect_later(ChardevSocket *socket);
void chardev_socket_client_close(ChardevSocket *socket);

#endif
