/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where front ends come from: a unix socket of our own, or an inherited descriptor. Main thread. */
#ifndef TOOLS_LISTENER_H
#define TOOLS_LISTENER_H

#include "tools/common/service-options.h"
#include "util/unix-socket.h"

typedef struct Listener {
    int fd;              /* listening; -1 if only one connection was inherited */
    int connected;       /* the inherited connection until it is taken, else -1 */
    UnixSocketFile file; /* that a socket of our own is bound to */
} Listener;

/*
 * Listens at --socket-path, replacing a file that nobody listens at, or finds out what --fd is.
 * Descriptors are non-blocking and close-on-exec.  FALSE with @error naming option and value.
 */
gboolean listener_open(Listener *listener, const ServiceOptions *options, GError **error);

/* Listens at @path, the value of @option, in the same way. */
gboolean listener_open_at(Listener *listener, const char *option, const char *path, GError **error);

/* TRUE if there will be no further connection. */
gboolean listener_is_exhausted(const Listener *listener);

/* A connection, owned by the caller; -1 with errno, EAGAIN if nobody waits. */
int listener_accept(Listener *listener);

/* Closes what is open; the file stays, see unix_socket_file_remove(). */
void listener_close(Listener *listener);

#endif
