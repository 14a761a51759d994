/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vhost-user-i2c-pci: an I2C bus of another process (virtio 1.2, 5.21). */
#include "hw/virtio/vhost-user-pci.h"

#include <linux/virtio_i2c.h>
#include <linux/virtio_ids.h>

static const VhostUserFeatureName feature_names[] = {
    {VIRTIO_I2C_F_ZERO_LENGTH_REQUEST, "I2C_ZERO_LENGTH_REQUEST"},
    {0, NULL},
};

static const VmField fields[] = {
    VHOST_USER_FIELD_CHARDEV,
    {.name = NULL},
};

static const VhostUserKind kind = {
    .description = "I2C adapter served by a vhost-user backend",
    .category = "misc",
    .virtio_id = VIRTIO_ID_I2C_ADAPTER,
    .pci_class = 0x0c80, /* serial bus, other */
    .features = feature_names,
    .queues = 1,
    .queue_size = 64,
    .fields = fields,
};

VHOST_USER_DEFINE("vhost-user-i2c", VhostUserPci, vhost_user_i2c, &kind);
