/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the vhost-user PCI device share.  VM lock held. */
#ifndef HW_VIRTIO_VHOST_USER_PCI_INTERNAL_H
#define HW_VIRTIO_VHOST_USER_PCI_INTERNAL_H

#include "hw/virtio/vhost-user-pci.h"

/* --- vhost-user-kind.c: what the kind's table says --- */

const VhostUserKind *vhost_user_kind(VhostUserPci *device);
/* Checks the properties and fills in what is wanted of the backend. */
gboolean vhost_user_kind_prepare(VhostUserPci *device, GError **error);
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
