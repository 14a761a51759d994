/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-user-input-pci: a keyboard, mouse or tablet of another process (virtio 1.2, 5.8).  The
 * driver selects what the configuration shows by writing to it.
 */
#include "hw/virtio/vhost-user-pci.h"

#include <linux/virtio_ids.h>
#include <linux/virtio_input.h>

static const VhostUserWritable writable[] = {
    {offsetof(struct virtio_input_config, select), 2, VHOST_USER_ALWAYS}, /* and subsel */
    {0, 0, VHOST_USER_ALWAYS},
};

static const VmField fields[] = {
    VHOST_USER_FIELD_CHARDEV,
    {.name = NULL},
};

static const VhostUserKind kind = {
    .description = "input device served by a vhost-user backend",
    .category = "input",
    .virtio_id = VIRTIO_ID_INPUT,
    .pci_class = 0x0980, /* input device, other */
    .config_source = VHOST_USER_CONFIG_BACKEND,
    .config_size = sizeof(struct virtio_input_config),
    .writable = writable,
    .config_is_live = TRUE,
    .queues = 2, /* events, status */
    .queue_size = 64,
    .fields = fields,
};

VHOST_USER_DEFINE("vhost-user-input", VhostUserPci, vhost_user_input, &kind);
