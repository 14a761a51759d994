/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands between a virtual machine monitor and its vhost-user back-end, hands each message on, and
 * gives the back-end kick and call descriptors of a NetLoad in the place of the monitor's.  So the
 * benchmark rings the bell and hears the answer itself, as a guest on KVM does through ioeventfd
 * and irqfd: frames pass the monitor by, as they do there, while all else is its own work.
 */
#ifndef BENCH_NET_RELAY_H
#define BENCH_NET_RELAY_H

#include "net-load.h"

typedef struct NetRelay NetRelay;

/* Listens at net_relay_path(); when the monitor comes, it connects to @back_end. */
NetRelay *net_relay_start(const char *back_end);
const char *net_relay_path(const NetRelay *relay);

/* Before the driver sets DRIVER_OK: rings that start from now on get the descriptors of @load. */
void net_relay_set_load(NetRelay *relay, const NetLoad *load);

guint net_relay_replaced(NetRelay *relay);      /* descriptors so far */
guint net_relay_regions_added(NetRelay *relay); /* ADD_MEM_REG so far */

/* After the monitor's end. */
void net_relay_free(NetRelay *relay);

#endif
