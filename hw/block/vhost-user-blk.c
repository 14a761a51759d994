/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-user-blk-pci: a disk whose backend is another process (virtio 1.2, 5.2).  Everything but
 * the properties below is the backend's: size, block size, serial number.
 */
#include "hw/virtio/vhost-user-pci.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#define BIT(number) (UINT64_C(1) << (number))
/* Virtio 1.2, 5.2.3; not in the kernel's header of 6.1. */
#define BLK_F_LIFETIME 15
#define BLK_F_SECURE_ERASE 16

/* Bytes of configuration: up to the fields of WRITE_ZEROES, which every backend has, and with
 * those of SECURE_ERASE (virtio 1.2, 5.2.4). */
#define CONFIG_MINIMUM 60
#define CONFIG_SIZE 72

static const VhostUserFeatureName feature_names[] = {
    {VIRTIO_BLK_F_SIZE_MAX, "BLK_SIZE_MAX"},
    {VIRTIO_BLK_F_SEG_MAX, "BLK_SEG_MAX"},
    {VIRTIO_BLK_F_GEOMETRY, "BLK_GEOMETRY"},
    {VIRTIO_BLK_F_RO, "BLK_RO"},
    {VIRTIO_BLK_F_BLK_SIZE, "BLK_BLK_SIZE"},
    {VIRTIO_BLK_F_FLUSH, "BLK_FLUSH"},
    {VIRTIO_BLK_F_TOPOLOGY, "BLK_TOPOLOGY"},
    {VIRTIO_BLK_F_CONFIG_WCE, "BLK_CONFIG_WCE"},
    {VIRTIO_BLK_F_MQ, "BLK_MQ"},
    {VIRTIO_BLK_F_DISCARD, "BLK_DISCARD"},
    {VIRTIO_BLK_F_WRITE_ZEROES, "BLK_WRITE_ZEROES"},
    {BLK_F_LIFETIME, "BLK_LIFETIME"},
    {BLK_F_SECURE_ERASE, "BLK_SECURE_ERASE"},
    {0, NULL},
};

typedef struct VhostUserBlk {
    VhostUserPci parent;
    gboolean config_wce;
} VhostUserBlk;

VM_DECLARE_TYPE(VhostUserBlk, vhost_user_blk, VHOST_USER_BLK)

static gboolean connected(VhostUserPci *device, uint64_t *features, GError **error G_GNUC_UNUSED)
{
    if (vhost_user_pci_backend_queues(device) == 1) {
        *features &= ~BIT(VIRTIO_BLK_F_MQ);
    }
    if (!VHOST_USER_BLK(device)->config_wce) {
        *features &= ~BIT(VIRTIO_BLK_F_CONFIG_WCE);
    }
    if (vhost_user_session_config_length(device->session) < CONFIG_SIZE) {
        *features &= ~BIT(BLK_F_SECURE_ERASE);
    }
    return TRUE;
}

/* The driver sees the queues that exist here, not those that the backend could have. */
static void config_filter(VhostUserPci *device, uint8_t *config, uint32_t size G_GNUC_UNUSED)
{
    uint16_t queues = GUINT16_TO_LE((uint16_t)vhost_user_pci_backend_queues(device));

    memcpy(config + offsetof(struct virtio_blk_config, num_queues), &queues, sizeof(queues));
}

/* The cache mode is all that a driver may change, if it negotiated that (5.2.4, 5.2.5). */
static const VhostUserWritable writable[] = {
    {offsetof(struct virtio_blk_config, wce), 1, VIRTIO_BLK_F_CONFIG_WCE},
    {0, 0, VHOST_USER_ALWAYS},
};

static const VmField fields[] = {
    VHOST_USER_FIELD_CHARDEV,
    VHOST_USER_FIELD_QUEUES("num-queues", "number of request queues", 1, VHOST_USER_QUEUE_MAX),
    VHOST_USER_FIELD_QUEUE_SIZE("queue-size", 128, VHOST_USER_QUEUE_SIZE_MAX),
    {.name = "config-wce",
     .doc = "let the driver choose between write-back and write-through",
     .kind = VM_FIELD_BOOL,
     .offset = offsetof(VhostUserBlk, config_wce),
     .default_value = TRUE},
    VHOST_USER_FIELD_BOOTINDEX,
    {.name = NULL},
};

static const VhostUserKind kind = {
    .description = "virtio disk served by a vhost-user backend",
    .category = "storage",
    .virtio_id = VIRTIO_ID_BLOCK,
    .pci_class = 0x0100, /* mass storage, SCSI: what virtio disks say they are */
    .transitional = TRUE,
    .features = feature_names,
    .config_source = VHOST_USER_CONFIG_BACKEND,
    .config_size = CONFIG_SIZE,
    .config_minimum = CONFIG_MINIMUM,
    .writable = writable,
    .fields = fields,
    .connected = connected,
    .config_filter = config_filter,
};

VHOST_USER_DEFINE_ALL("vhost-user-blk", VhostUserBlk, vhost_user_blk, &kind);
