/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the vhost-user PCI device share.  VM lock held. */
#ifndef HW_VIRTIO_VHOST_USER_PCI_INTERNAL_H
#define HW_VIRTIO_VHOST_USER_PCI_INTERNAL_H

#include "hw/virtio/vhost-user-pci.h"

/* --- vhost-user-pci-connection.c: sessions come and go --- */

const char *vhost_user_pci_name(VhostUserPci *device);
/* PciDeviceClass.realize and unrealize, DeviceClass.hurry. */
DeviceProgress vhost_user_pci_realize(PciDevice *pci, GError **error);
DeviceProgress vhost_user_pci_unrealize(PciDevice *pci);
void vhost_user_pci_hurry(Device *base);

/* --- vhost-user-pci.c --- */

/* Starts the rings with the backend, where they were left. */
void vhost_user_pci_start_rings(VhostUserPci *device);

/* --- qmp-vhost-user.c --- */

/* What becomes of a device whose backend failed. */
typedef enum VhostUserAction {
    VHOST_USER_RECONNECTING,
    VHOST_USER_DEAD,
    VHOST_USER_NEEDS_RESET,
    VHOST_USER_IGNORED,
} VhostUserAction;

/* Event VHOST_USER_DEVICE_ERROR. */
void vhost_user_pci_report(VhostUserPci *device, VhostUserSession *session, const GError *reason,
                           VhostUserAction action);

/* --- vhost-user-kind.c: what the kind's table says --- */

const VhostUserKind *vhost_user_kind(VhostUserPci *device);
/* Checks the properties and fills in what is wanted of the backend. */
gboolean vhost_user_kind_prepare(VhostUserPci *device, GError **error);
/* The reverse, when the device has no session any more. */
void vhost_user_kind_release(VhostUserPci *device);
/* VirtioPciClass.config_read and config_write. */
void vhost_user_kind_config_read(VirtioPci *virtio, uint32_t offset, void *bytes, uint32_t size);
void vhost_user_kind_config_write(VirtioPci *virtio, uint32_t offset, const void *bytes,
                                  uint32_t size);

/* --- vhost-user-local.c: queues that the backend never sees --- */

gboolean vhost_user_queue_is_local(VhostUserPci *device, unsigned index);
/* One queue: its kicks are served from now on, or no more. */
void vhost_user_local_queue_start(VhostUserPci *device, VirtQueue *queue, gboolean resume);
void vhost_user_local_queue_stop(VhostUserPci *device, VirtQueue *queue);
/* All that are enabled; as device->resume says. */
void vhost_user_local_start(VhostUserPci *device);
void vhost_user_local_stop(VhostUserPci *device);

#endif
