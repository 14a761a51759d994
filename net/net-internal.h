/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of networks share. */
#ifndef NET_NET_INTERNAL_H
#define NET_NET_INTERNAL_H

#include "net/net.h"

#define NETDEV_CONTAINER "netdevs"

/* Calls @visit for each card, in order of addition. */
void net_card_foreach(void (*visit)(NetCard *card, gpointer opaque), gpointer opaque);
/* The card that a user names, or NULL. */
NetCard *net_card_find(const char *name);

#endif
