/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Socket addresses of chardevs: made from options, listened at, connected to.  No state. */
#ifndef CHARDEV_SOCKET_ADDRESS_H
#define CHARDEV_SOCKET_ADDRESS_H

#include <glib.h>
#include <sys/socket.h>

typedef struct SocketAddress {
    struct sockaddr_storage storage;
    socklen_t length;
} SocketAddress;

typedef enum { FAMILY_AUTO, FAMILY_ON, FAMILY_OFF } FamilyChoice;

/* Each returns a new GArray of SocketAddress, or NULL with @error naming the address.
 * Abstract names (unix(7)) are as long as they are with @tight, else padded to the end. */
GArray *socket_address_unix(const char *path, gboolean abstract, gboolean tight, GError **error);
/* Resolves; may wait for a name server unless @host is a number.  @host NULL: any (a listener). */
GArray *socket_address_inet(const char *host, const char *port, FamilyChoice ipv4,
                            FamilyChoice ipv6, gboolean listener, GError **error);

/*
 * Listens at the first of @addresses that works, and for TCP at the first free port from its own
 * to @last_port (0: only its own).  A unix socket file that nobody serves any more is replaced.
 * Non-blocking; -1 with @error.
 */
int socket_address_listen(const GArray *addresses, guint16 last_port, GError **error);

/*
 * Begins to connect, without waiting: TRUE in *@pending if the end is yet to come (writable, then
 * SO_ERROR).  -1 and errno if it failed; EAGAIN when a unix listener's queue is full.
 */
int socket_address_connect(const SocketAddress *address, gboolean *pending);

/* "/path", "@name" or "host:port" ("[::1]:80"). Caller frees. */
char *socket_address_text(const SocketAddress *address);

/* As text, of @fd's own end or its peer. */
char *socket_address_of(int fd, gboolean peer);

#endif
