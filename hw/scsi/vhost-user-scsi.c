/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-user-scsi-pci: a SCSI host whose targets are another process (virtio 1.2, 5.6).  Its
 * backends have no configuration space, so that what the host is like is said here.
 */
#include "hw/virtio/vhost-user-pci.h"

#include <linux/virtio_ids.h>
#include <linux/virtio_scsi.h>

#define BIT(number) (UINT64_C(1) << (number))

/* What 5.6.4 says or allows. */
enum { TARGET_MAX = 255, LUN_MAX = 16383 };

typedef struct VhostUserScsi {
    VhostUserPci parent;
    uint32_t max_sectors;
    uint32_t cmd_per_lun;
    uint32_t boot_tpgt;
    gboolean hotplug, param_change, t10_pi;
} VhostUserScsi;

VM_DECLARE_TYPE(VhostUserScsi, vhost_user_scsi, VHOST_USER_SCSI)

static const VhostUserFeatureName feature_names[] = {
    {VIRTIO_SCSI_F_INOUT, "SCSI_INOUT"},
    {VIRTIO_SCSI_F_HOTPLUG, "SCSI_HOTPLUG"},
    {VIRTIO_SCSI_F_CHANGE, "SCSI_CHANGE"},
    {VIRTIO_SCSI_F_T10_PI, "SCSI_T10_PI"},
    {0, NULL},
};

static gboolean connected(VhostUserPci *device, uint64_t *features, GError **error G_GNUC_UNUSED)
{
    const VhostUserScsi *scsi = VHOST_USER_SCSI(device);

    *features &= ~((scsi->hotplug ? 0 : BIT(VIRTIO_SCSI_F_HOTPLUG)) |
                   (scsi->param_change ? 0 : BIT(VIRTIO_SCSI_F_CHANGE)) |
                   (scsi->t10_pi ? 0 : BIT(VIRTIO_SCSI_F_T10_PI)));
    return TRUE;
}

/* sense_size and cdb_size stay: nothing could tell the backend of other ones. */
static void config_filter(VhostUserPci *device, uint8_t *config, uint32_t size)
{
    const VhostUserScsi *scsi = VHOST_USER_SCSI(device);
    const struct virtio_scsi_config values = {
        .num_queues = GUINT32_TO_LE(device->num_queues),
        /* Request and answer take a descriptor each. */
        .seg_max = GUINT32_TO_LE(MAX(device->queue_size, 3) - 2),
        .max_sectors = GUINT32_TO_LE(scsi->max_sectors),
        .cmd_per_lun = GUINT32_TO_LE(scsi->cmd_per_lun),
        .event_info_size = GUINT32_TO_LE(sizeof(struct virtio_scsi_event)),
        .sense_size = GUINT32_TO_LE(VIRTIO_SCSI_SENSE_DEFAULT_SIZE),
        .cdb_size = GUINT32_TO_LE(VIRTIO_SCSI_CDB_DEFAULT_SIZE),
        .max_target = GUINT16_TO_LE(TARGET_MAX),
        .max_lun = GUINT32_TO_LE(LUN_MAX),
    };

    memcpy(config, &values, MIN(sizeof(values), size));
}

static const VmField fields[] = {
    VHOST_USER_FIELD_CHARDEV,
    VHOST_USER_FIELD_QUEUES("num_queues", "number of request queues", 1, VHOST_USER_QUEUE_MAX - 2),
    VHOST_USER_FIELD_QUEUE_SIZE("virtqueue_size", 128, VHOST_USER_QUEUE_SIZE_MAX),
    {.name = "max_sectors",
     .doc = "sectors that one request moves at most",
     .kind = VM_FIELD_UINT32,
     .offset = offsetof(VhostUserScsi, max_sectors),
     .default_value = 65535,
     .minimum = 1,
     .maximum = UINT32_MAX},
    {.name = "cmd_per_lun",
     .doc = "requests to one logical unit that may be out at once",
     .kind = VM_FIELD_UINT32,
     .offset = offsetof(VhostUserScsi, cmd_per_lun),
     .default_value = 128,
     .minimum = 1,
     .maximum = UINT32_MAX},
    {.name = "hotplug",
     .doc = "tell the driver of logical units that come and go, if the backend does",
     .kind = VM_FIELD_BOOL,
     .offset = offsetof(VhostUserScsi, hotplug),
     .default_value = TRUE},
    {.name = "param_change",
     .doc = "tell the driver of logical units that change, if the backend does",
     .kind = VM_FIELD_BOOL,
     .offset = offsetof(VhostUserScsi, param_change),
     .default_value = TRUE},
    {.name = "t10_pi",
     .doc = "protection information beside the data, if the backend knows it",
     .kind = VM_FIELD_BOOL,
     .offset = offsetof(VhostUserScsi, t10_pi)},
    {.name = "boot_tpgt",
     .doc = "target portal group to boot from; without firmware nobody asks",
     .kind = VM_FIELD_UINT32,
     .offset = offsetof(VhostUserScsi, boot_tpgt)},
    VHOST_USER_FIELD_BOOTINDEX,
    {.name = NULL},
};

static const VhostUserKind kind = {
    .description = "SCSI host served by a vhost-user backend",
    .category = "storage",
    .virtio_id = VIRTIO_ID_SCSI,
    .pci_class = 0x0100, /* mass storage, SCSI */
    .transitional = TRUE,
    .features = feature_names,
    .config_source = VHOST_USER_CONFIG_OURS,
    .config_size = sizeof(struct virtio_scsi_config),
    .queues = 2, /* control, events */
    .fields = fields,
    .connected = connected,
    .config_filter = config_filter,
};

VHOST_USER_DEFINE_ALL("vhost-user-scsi", VhostUserScsi, vhost_user_scsi, &kind);
