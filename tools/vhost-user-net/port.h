/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's network card: its queues, what its driver negotiated, and where its frames go. */
#ifndef VHOST_USER_NET_PORT_H
#define VHOST_USER_NET_PORT_H

#include "tools/vhost-user-net/options.h"
#include "tools/vhost-user-net/pcap.h"
#include "tools/vhost-user-net/receiver.h"
#include "tools/vhost-user-net/tap.h"

typedef struct NetWorker NetWorker;

typedef struct NetPort {
    guint queues; /* pairs */
    guint poll_us;
    /* Where frames go: to one of these. */
    struct NetPort *peer; /* another guest, or this one itself */
    NetTap *tap;
    NetPcap *pcap;

    NetRing *transmit;       /* of each pair */
    NetReceiver *receive;    /* of each pair */
    NetWorker **workers;     /* of each pair; NULL before the start */
    uint64_t features;       /* of the driver; atomic */
    guint mtu_limit;         /* the largest that may be set */
    guint mtu;               /* what the guest was told; atomic */
    uint64_t announced;      /* SEND_RARP; control thread */
    NetStatistics control;   /* frames that the control thread has sent */
    VhostUserDevice *device; /* NULL without a front end; control thread */
} NetPort;

void net_port_init(NetPort *port, const NetOptions *options);
void net_port_clear(NetPort *port);

/* Feature bits to offer, without those of the rings. */
uint64_t net_port_features_offered(const NetPort *port);

/* The driver's features; any thread. */
static inline uint64_t net_port_features(const NetPort *port)
{
    return __atomic_load_n(&port->features, __ATOMIC_RELAXED);
}

static inline guint net_port_mtu(const NetPort *port)
{
    return __atomic_load_n(&port->mtu, __ATOMIC_RELAXED);
}

/* SET_FEATURES; FALSE with @error if the tap does not follow.  Control thread, as all below. */
gboolean net_port_set_features(NetPort *port, uint64_t features, GError **error);

/* NET_SET_MTU; FALSE with @error if it is above the limit. */
gboolean net_port_set_mtu(NetPort *port, guint mtu, GError **error);

/* Reads @size bytes of the configuration space (virtio 1.2, 5.1.4) from @offset. */
void net_port_read_config(const NetPort *port, uint32_t offset, uint32_t size, void *bytes);

/* queue_start and queue_stop. */
void net_port_queue_start(NetPort *port, VhostUserQueue *queue);
void net_port_queue_stop(NetPort *port, VhostUserQueue *queue);

/* SEND_RARP: sends a frame that says where @address is now. */
void net_port_announce(NetPort *port, const guint8 address[6]);

/* The front end has gone. */
void net_port_reset(NetPort *port);

/* The receive queue for frames that belong to pair @index: that one, or another one that runs;
 * NULL if none does.  Any thread. */
NetReceiver *net_port_receiver(NetPort *port, guint index);

#endif
