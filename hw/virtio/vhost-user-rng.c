/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vhost-user-rng-pci: entropy from another process (virtio 1.2, 5.4). */
#include "hw/virtio/vhost-user-pci.h"

#include <linux/virtio_ids.h>

static const VmField fields[] = {
    VHOST_USER_FIELD_CHARDEV,
    {.name = NULL},
};

static const VhostUserKind kind = {
    .description = "entropy source served by a vhost-user backend",
    .category = "misc",
    .virtio_id = VIRTIO_ID_RNG,
    .pci_class = 0xff00, /* unassigned */
    .queues = 1,
    .queue_size = 64,
    .fields = fields,
};

VHOST_USER_DEFINE("vhost-user-rng", VhostUserPci, vhost_user_rng, &kind);
