/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checksums and TCP segments that a sender left to us and a receiver does not take: done here,
 * on bytes of our own.
 */
#ifndef VHOST_USER_NET_SEGMENT_H
#define VHOST_USER_NET_SEGMENT_H

#include <glib.h>
#include <linux/virtio_net.h>

/*
 * Puts the checksum (RFC 1071) of @frame from @start on into the two bytes at @start + @offset,
 * which hold the sum of the pseudo-header: virtio 1.2, 5.1.6.2.  All within @size.
 */
void net_checksum_complete(guint8 *frame, gsize size, gsize start, gsize offset);

/* A large frame that is being cut. */
typedef struct NetSegments {
    const guint8 *frame;
    gsize size;
    gsize network, transport, payload; /* where the headers and the data begin */
    gsize done;                        /* bytes of data that segments have carried */
    guint gso_size;
    gboolean version_6;
} NetSegments;

/* FALSE unless @frame is TCP over IPv4 or IPv6 as @header says. */
gboolean net_segments_begin(NetSegments *segments, const guint8 *frame, gsize size,
                            const struct virtio_net_hdr *header);

/* The next segment, complete, into @out, which holds as many bytes as the frame has.  Returns its
 * size, 0 behind the last one. */
gsize net_segments_next(NetSegments *segments, guint8 *out);

#endif
