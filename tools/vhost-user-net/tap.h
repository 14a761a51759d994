/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tap device of the host (tun(4)), one descriptor for each queue pair.  A frame has the guest's
 * own header before it (IFF_VNET_HDR), so that it goes between tap and guest memory as it is.
 */
#ifndef VHOST_USER_NET_TAP_H
#define VHOST_USER_NET_TAP_H

#include "tools/common/sandbox.h"

typedef struct NetTap NetTap;

/* Opens, or makes, the device @name with @queues queues.  NULL with @error that begins with --tap.
 */
NetTap *net_tap_open(const char *name, guint queues, GError **error);

/* The same over inherited descriptors, "N" or "N,N,..." with one for each queue. */
NetTap *net_tap_inherit(const char *numbers, guint queues, GError **error);

/* NULL is fine. */
void net_tap_free(NetTap *tap);

/* The interface's name and MTU. */
const char *net_tap_name(const NetTap *tap);
guint net_tap_mtu(const NetTap *tap);

/* Non-blocking; any thread. */
int net_tap_fd(const NetTap *tap, guint queue);

/* What the guest's driver takes: the header's size, checksums and large frames.  Control thread. */
gboolean net_tap_set_features(NetTap *tap, uint64_t features, GError **error);

/* Whether the host sends frames to this queue; without several there is no choice. */
void net_tap_enable(NetTap *tap, guint queue, gboolean enabled);

/* System calls that the above need after the start. */
extern const SandboxCall net_tap_calls[];
extern const gsize net_tap_call_count;

#endif
