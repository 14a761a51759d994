/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Base of every vhost-user PCI device: a virtio-pci transport over a
 * vhost-user session.  A type gives a table; what is truly its own are a few lines.
 */
#ifndef HW_VIRTIO_VHOST_USER_PCI_H
#define HW_VIRTIO_VHOST_USER_PCI_H

#include "chardev/chardev.h"
#include "hw/virtio/vhost-user.h"
#include "hw/virtio/virtio-pci.h"

typedef struct VhostUserPci {
    VirtioPci parent;
    Chardev *chardev; /* link property "chardev" */
    VhostUserSession *session;
    VhostUserNeeds needs;
    guint queues; /* wanted: from the type's property; 0: the type's default */
    guint queue_size;
} VhostUserPci;

typedef struct VhostUserPciClass {
    VirtioPciClass parent;
    uint64_t features; /* by specification of the type (virtio 1.2, 5) */
    gboolean needs_config;
    gboolean needs_mq;
    /* Checks the type's properties, fills in queues, queue_size and needs. */
    gboolean (*prepare)(VhostUserPci *device, GError **error);
    /* Connected: may adjust the offered @features or refuse. May be NULL. */
    gboolean (*connected)(VhostUserPci *device, uint64_t *features, GError **error);
    /* Patches configuration bytes before the guest sees them. May be NULL. */
    void (*config_filter)(VhostUserPci *device, uint8_t *config, uint32_t size);
} VhostUserPciClass;

#define TYPE_VHOST_USER_PCI (vhost_user_pci_get_type())
VM_DECLARE_TYPE(VhostUserPci, vhost_user_pci, VHOST_USER_PCI)
#define VHOST_USER_PCI_GET_CLASS(object)                                                           \
    (G_TYPE_INSTANCE_GET_CLASS((object), TYPE_VHOST_USER_PCI, VhostUserPciClass))

#endif
