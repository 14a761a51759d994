/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vhost-user-snd-pci: a sound card of another process (virtio 1.2, 5.14). */
#include "hw/virtio/vhost-user-pci.h"

#include <linux/virtio_ids.h>
#include <linux/virtio_snd.h>

static const VmField fields[] = {
    VHOST_USER_FIELD_CHARDEV,
    {.name = NULL},
};

static const VhostUserKind kind = {
    .description = "sound card served by a vhost-user backend",
    .category = "sound",
    .virtio_id = VIRTIO_ID_SOUND,
    .pci_class = 0x0401, /* multimedia, audio */
    .config_source = VHOST_USER_CONFIG_BACKEND,
    .config_size = sizeof(struct virtio_snd_config),
    .queues = 4, /* control, events, to the card, from the card */
    .queue_size = 64,
    .fields = fields,
};

VHOST_USER_DEFINE("vhost-user-snd", VhostUserPci, vhost_user_snd, &kind);
