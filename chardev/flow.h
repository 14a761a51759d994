/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes that move from one descriptor to another through a filter: what a log file, telnet and a
 * multiplexer put between a connection and its front end.  Nothing is read while the other
 * side does not take what was read before.  Main thread, VM lock held.
 */
#ifndef CHARDEV_FLOW_H
#define CHARDEV_FLOW_H

#include <glib.h>

typedef struct Flow Flow;

/*
 * Appends to @output what becomes of @bytes; returns how many of them it took, at least one. Those
 * it leaves are offered again when @output has left.  It must not free the flow.
 */
typedef gsize FlowFilter(gpointer opaque, const guint8 *bytes, gsize length, GByteArray *output);

/*
 * Both descriptors are non-blocking and borrowed; @sink -1: what comes vanishes.  @filter may be
 * NULL.  @ended: the source is at its end and all of it has left, or the sink takes no more; the
 * flow stands still then, and may be freed within the call.
 */
Flow *flow_new(int source, int sink, FlowFilter *filter, void (*ended)(gpointer opaque),
               gpointer opaque);
/* Where the bytes go that the filter has not seen yet; within the filter with empty output. */
void flow_set_sink(Flow *flow, int sink);
/* Sends bytes of our own, behind those under way. */
void flow_insert(Flow *flow, const char *bytes, gsize length);
/* Moves what is there now; waits for the sink until the monotonic clock reaches @deadline (us). */
void flow_drain(Flow *flow, gint64 deadline);
/* NULL is fine. */
void flow_free(Flow *flow);

#endif
