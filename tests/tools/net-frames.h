/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames for tests of network back-ends, and what must hold of those that come. */
#ifndef TESTS_TOOLS_NET_FRAMES_H
#define TESTS_TOOLS_NET_FRAMES_H

#include <glib.h>
#include <linux/virtio_net.h>

/* A frame of an experimental type whose bytes all follow from @seed. */
void net_frame_fill(guint8 *frame, gsize size, guint seed);
gboolean net_frame_is(const guint8 *frame, gssize size, gsize wanted, guint seed);

#define NET_FRAME_TCP 54u /* Ethernet, IPv4 and TCP headers */

/* A TCP segment over IPv4 of @size bytes with headers; its checksum is for somebody else to
 * complete, as @header, which also says that it is to be cut if @gso_size is not 0, tells. */
void net_frame_tcp(guint8 *frame, gsize size, guint gso_size, struct virtio_net_hdr *header);

/* Whether both checksums of such a segment are right. */
gboolean net_frame_tcp_is_right(const guint8 *frame, gsize size);

/* Asks the host's address for its hardware address (RFC 826), NET_FRAME_ARP bytes. */
#define NET_FRAME_ARP 60u
void net_frame_arp(guint8 *frame);
/* Whether it is the answer, whose sender is at frame + 6. */
gboolean net_frame_arp_is_answer(const guint8 *frame, gssize size);

/* An ICMP echo request (RFC 792) of @size bytes with headers to hardware address @to. */
void net_frame_ping(guint8 *frame, const guint8 *to, gsize size, guint sequence);
/* Whether it is the answer to it. */
gboolean net_frame_ping_is_answer(const guint8 *frame, gssize size, gsize wanted, guint sequence);

/* RFC 1071: 0 if the bytes, among them a checksum, are right. */
guint net_frame_sum(const guint8 *bytes, gsize size, guint64 sum);

#endif
