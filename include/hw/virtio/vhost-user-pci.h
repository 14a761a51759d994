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

/* SET_VRING_KICK and its like have 8 bits for the number of a ring. */
#define VHOST_USER_QUEUE_MAX 256

typedef struct VhostUserPci {
    VirtioPci parent;
    Chardev *chardev; /* link property "chardev" */
    ChardevFrontend frontend;
    VhostUserSession *session; /* NULL before realize and from unrealize on */
    VhostUserNeeds needs;      /* filled in by prepare() */
    uint16_t queue_size;       /* descriptors a queue; filled in by prepare() */
    gboolean resume;           /* private: the rings go on where they were paused */
    gboolean lost;             /* private: the backend is gone for good */
    GError *failure;           /* private: why realize fails, while the session ends */
} VhostUserPci;

typedef struct VhostUserPciClass {
    VirtioPciClass parent;
    /* Checks the type's properties, fills in queue_size and needs. */
    gboolean (*prepare)(VhostUserPci *device, GError **error);
    /* Connected: may take bits from the offered @features, or refuse. May be NULL. */
    gboolean (*connected)(VhostUserPci *device, uint64_t *features, GError **error);
    /* Patches configuration bytes before the guest sees them. May be NULL. */
    void (*config_filter)(VhostUserPci *device, uint8_t *config, uint32_t size);
    /* Whether the driver may write there; other stores vanish. NULL: nowhere. */
    gboolean (*config_writable)(VhostUserPci *device, uint32_t offset, uint32_t size);
} VhostUserPciClass;

#define TYPE_VHOST_USER_PCI (vhost_user_pci_get_type())
VM_DECLARE_TYPE(VhostUserPci, vhost_user_pci, VHOST_USER_PCI)
#define VHOST_USER_PCI_GET_CLASS(object)                                                           \
    (G_TYPE_INSTANCE_GET_CLASS((object), TYPE_VHOST_USER_PCI, VhostUserPciClass))
#define VHOST_USER_PCI_CLASS(class) ((VhostUserPciClass *)(class))

/* Visits every device that has a session, in order of realization. VM lock held. */
void vhost_user_pci_foreach(void (*visit)(VhostUserPci *device, gpointer opaque), gpointer opaque);

#endif
