/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine with one network card, n0, over a scripted back-end that speaks as DPDK does.
 * Expectations that fail end the test program.
 */
#ifndef QTEST_NET_RIG_H
#define QTEST_NET_RIG_H

#include "qtest/backend.h"
#include "qtest/rig.h"
#include "qtest/virtio-net.h"

#define NET_RIG_WAIT 20000 /* milliseconds, for anything */
#define NET_RIG_SLOT 4     /* of the card */

typedef struct NetRig {
    Vmm *vmm;
    Backend *backend;
    PciAddresses addresses;
    GuestMemory memory;
    VirtDevice *device;
} NetRig;

/* What DPDK offers, more or less: no memory slots, no CONFIG; eight queues. */
void net_rig_config(BackendConfig *config);

/* Chardev c0, network hs0 and card n0 with further options of each, such as ",queues=2". */
void net_rig_start(NetRig *net, const BackendConfig *config, const char *chardev,
                   const char *netdev, const char *device);
/* The back-end must have seen nothing that the protocol forbids. */
void net_rig_end(NetRig *net);
/* For a machine that the test has started itself: @device, @addresses and @memory. */
void net_rig_find_device(NetRig *net);

/* A packet of @size bytes each way. */
void net_rig_exchange(NetRig *net, NetDriver *driver, guint pair, gsize size);
/* Until exactly @count rings of the back-end run. */
void net_rig_wait_rings(NetRig *net, guint count);
/* Until the driver reads @status (VIRTIO_NET_S_...). */
void net_rig_wait_status(NetDriver *driver, uint16_t status);
/* By the control queue; the answer, VIRTIO_NET_OK or VIRTIO_NET_ERR. */
int net_rig_set_pairs(NetDriver *driver, uint16_t pairs);

/* A QMP command that must succeed. */
void net_rig_command(NetRig *net, const char *text);
/* The next event @name, which must come; caller owns. */
json_object *net_rig_event(NetRig *net, const char *name);

#endif
