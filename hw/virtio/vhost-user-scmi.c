/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vhost-user-scmi-pci: system control and management by another process (virtio 1.2, 5.17). */
#include "hw/virtio/vhost-user-pci.h"

#include <linux/virtio_ids.h>
#include <linux/virtio_scmi.h>

/* Not VIRTIO_SCMI_F_SHARED_MEMORY: there is no shared memory region to lend (4.1.4.7). */
static const VhostUserFeatureName feature_names[] = {
    {VIRTIO_SCMI_F_P2A_CHANNELS, "SCMI_P2A_CHANNELS"},
    {0, NULL},
};

static const VmField fields[] = {
    VHOST_USER_FIELD_CHARDEV,
    {.name = NULL},
};

static const VhostUserKind kind = {
    .description = "SCMI platform served by a vhost-user backend",
    .category = "misc",
    .virtio_id = VIRTIO_ID_SCMI,
    .pci_class = 0xff00, /* unassigned */
    .features = feature_names,
    .queues = 2, /* commands, events */
    .queue_size = 256,
    .fields = fields,
};

VHOST_USER_DEFINE("vhost-user-scmi", VhostUserPci, vhost_user_scmi, &kind);
