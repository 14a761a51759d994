/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vhost-user-gpio-pci: input and output lines of another process (virtio 1.2, 5.18). */
#include "hw/virtio/vhost-user-pci.h"

#include <linux/virtio_gpio.h>
#include <linux/virtio_ids.h>

static const VhostUserFeatureName feature_names[] = {
    {VIRTIO_GPIO_F_IRQ, "GPIO_IRQ"},
    {0, NULL},
};

static const VmField fields[] = {
    VHOST_USER_FIELD_CHARDEV,
    {.name = NULL},
};

static const VhostUserKind kind = {
    .description = "GPIO lines served by a vhost-user backend",
    .category = "misc",
    .virtio_id = VIRTIO_ID_GPIO,
    .pci_class = 0x0880, /* system peripheral, other */
    .features = feature_names,
    .config_source = VHOST_USER_CONFIG_BACKEND,
    .config_size = sizeof(struct virtio_gpio_config),
    .queues = 2, /* requests, events */
    .queue_size = 256,
    .fields = fields,
};

VHOST_USER_DEFINE("vhost-user-gpio", VhostUserPci, vhost_user_gpio, &kind);
