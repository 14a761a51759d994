/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A non-blocking unix stream socket that carries descriptors: bytes out, bytes in a buffer.
 * Knows no messages.  Private to hw/virtio; owned by one thread.
 */
#ifndef HW_VIRTIO_VHOST_USER_STREAM_H
#define HW_VIRTIO_VHOST_USER_STREAM_H

#include <glib.h>
#include <stdint.h>

#include "libvhost-user/wire.h"

/* An answer carries at most one descriptor; room for more shows that there are more. */
#define VHOST_USER_STREAM_FDS 4

typedef struct VhostUserStream {
    int socket; /* -1 once closed */
    gsize used; /* bytes in @buffer */
    uint8_t buffer[sizeof(VhostUserHeader) + VHOST_USER_PAYLOAD_MAXIMUM];
    guint fd_count;
    int fds[VHOST_USER_STREAM_FDS]; /* arrived since the last vhost_user_stream_take_fd() */
    gboolean fds_lost;              /* more arrived than fit, or than this process may have */
} VhostUserStream;

/* Takes @socket and makes it non-blocking. */
void vhost_user_stream_init(VhostUserStream *stream, int socket);
/* Closes the socket and the descriptors that nobody took. May be called again. */
void vhost_user_stream_close(VhostUserStream *stream);

/*
 * Writes what it can of @header and @payload without the first @skip bytes; @fds go with the
 * first byte.  Returns the number of bytes, or -errno.  Never raises SIGPIPE.
 */
gssize vhost_user_stream_write(VhostUserStream *stream, const VhostUserHeader *header,
                               const void *payload, gsize skip, const int *fds, guint fd_count);

/*
 * One read of at most @limit bytes into the buffer's free part, with descriptors.  Returns the
 * number of bytes, 0 at the end of the stream, or -errno.
 */
gssize vhost_user_stream_read(VhostUserStream *stream, gsize limit);

/* Drops the first @size bytes of the buffer. */
void vhost_user_stream_consume(VhostUserStream *stream, gsize size);

/* The first descriptor that arrived, now the caller's, or -1; the others are closed. */
int vhost_user_stream_take_fd(VhostUserStream *stream);

/*
 * Waits for @events until @deadline (g_get_monotonic_time()).  Returns poll's result events, 0 at
 * the deadline, or -errno.  *@beside: something came from the socket @other (-1: none) before the
 * deadline; then it may be 0 earlier.
 */
int vhost_user_stream_wait(VhostUserStream *stream, short events, gint64 deadline, int other,
                           gboolean *beside);

#endif
