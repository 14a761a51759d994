/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks: network back-ends that a user names (-netdev, netdev_add), network cards as their
 * devices register them, and the links between them.  Knows no device.  Main thread, VM lock held.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include "chardev/chardev.h"

#define NET_MAC_SIZE 6

/* SET_VRING_KICK has 8 bits for the number of a ring, and a pair has two (vhost-user). */
#define NETDEV_QUEUE_PAIRS_MAX 128

typedef struct NetCard NetCard;

/* --- network back-ends --- */

/* -netdev vhost-user: the other end of the network is a process on the socket of a chardev. */
typedef struct Netdev {
    VmObject parent;
    Chardev *chardev;   /* link property "chardev": a socket that no other uses */
    uint16_t queues;    /* property: pairs of queues */
    gboolean force;     /* property "vhostforce": accepted, there is no other way here */
    NetCard *card;      /* that uses it, or NULL; borrowed */
    gboolean down;      /* set_link */
    gboolean connected; /* private: netdev_set_connected() */
} Netdev;

#define TYPE_NETDEV (netdev_get_type())
VM_DECLARE_TYPE(Netdev, netdev, NETDEV)

/*
 * -netdev, netdev_add: takes "type" and "id" out of @options and creates the back-end under
 * /netdevs/ID.  Types other than vhost-user are refused by name.
 */
gboolean netdev_create(json_object *options, GError **error);
/* netdev_del; refused while a card uses it. */
gboolean netdev_remove(const char *id, GError **error);

/* The card's session has a back-end at its other end, or lost it: an event, and the link follows.
 */
void netdev_set_connected(Netdev *netdev, gboolean connected);

void netdev_print_help(void); /* -netdev help */
/* -netdev TYPE,help; FALSE with @error if there is no such type. */
gboolean netdev_print_type_help(const char *kind, GError **error);
/* Forgets all; at exit, when no device uses one. */
void netdev_cleanup(void);

/* --- network cards --- */

/* What a card's device tells and is told. */
struct NetCard {
    const char *model;         /* name of the type; static */
    VmObject *device;          /* borrowed */
    Netdev *netdev;            /* borrowed; the card's use of it lasts until net_card_remove() */
    uint8_t mac[NET_MAC_SIZE]; /* the main one, as it is now */
    gboolean down;             /* set_link */
    gboolean filter_silent;    /* private: an event was sent, and nobody asked since */
    char *name;                /* private: the device's id, or "MODEL.N" */
    GList link;                /* private */
    /* The link went up or down: net_card_link_is_up() says which. */
    void (*link_changed)(NetCard *card);
    /* A new JSON object of type RxFilterInfo, without its name and main-mac. */
    json_object *(*rx_filter)(NetCard *card);
};

/*
 * @card (kept by the caller) uses its netdev from now on.  A MAC of zeros is replaced by the first
 * free one from 52:54:00:12:34:56 on.  FALSE with @error if another card has the netdev.
 */
gboolean net_card_add(NetCard *card, GError **error);
void net_card_remove(NetCard *card);

/* Neither end was set down, and there is a back-end. */
gboolean net_card_link_is_up(const NetCard *card);

/* The driver changed what the card lets in: NIC_RX_FILTER_CHANGED, once until somebody asks. */
void net_card_filter_changed(NetCard *card);

/* "52:54:00:12:34:56"; caller frees. */
char *net_mac_text(const uint8_t *mac);
/* FALSE with @error unless @text is such an address, of one station and not zero. */
gboolean net_mac_parse(const char *text, uint8_t *mac, GError **error);

#endif
