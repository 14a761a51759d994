/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-user-fs-pci: a file tree that another process shares (virtio 1.2, 5.11).  Its backends
 * know nothing of the configuration: the tag by which a guest mounts it is given here.
 */
#include "hw/virtio/vhost-user-pci.h"
#include "util/error.h"

#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>

#define TAG_SIZE sizeof(((struct virtio_fs_config *)NULL)->tag)

typedef struct VhostUserFs {
    VhostUserPci parent;
    char *tag;
    uint64_t cache_size;
} VhostUserFs;

VM_DECLARE_TYPE(VhostUserFs, vhost_user_fs, VHOST_USER_FS)

static gboolean prepare(VhostUserPci *device, GError **error)
{
    const VhostUserFs *fs = VHOST_USER_FS(device);
    const char *name = pci_device_name(PCI_DEVICE(device));

    if (strlen(fs->tag) > TAG_SIZE) {
        vm_error_set(error, "device '%s': tag '%s' is %zu bytes long; %zu are the most", name,
                     fs->tag, strlen(fs->tag), TAG_SIZE);
        return FALSE;
    }
    if (fs->cache_size != 0) {
        vm_error_set(error,
                     "device '%s': cache-size=%" G_GUINT64_FORMAT
                     " is not possible: there is no window into the backend's page cache; leave "
                     "it 0",
                     name, (guint64)fs->cache_size);
        return FALSE;
    }
    return TRUE;
}

static void config_filter(VhostUserPci *device, uint8_t *config, uint32_t size G_GNUC_UNUSED)
{
    struct virtio_fs_config *fs = (struct virtio_fs_config *)config;
    const char *tag = VHOST_USER_FS(device)->tag;

    memcpy(fs->tag, tag, strlen(tag));
    fs->num_request_queues = GUINT32_TO_LE(device->num_queues);
}

static const VmField fields[] = {
    VHOST_USER_FIELD_CHARDEV,
    {.name = "tag",
     .doc = "name by which the guest mounts it, at most 36 bytes",
     .kind = VM_FIELD_STRING,
     .offset = offsetof(VhostUserFs, tag),
     .flags = VM_FIELD_REQUIRED},
    VHOST_USER_FIELD_QUEUES("num-request-queues", "number of request queues", 1,
                            VHOST_USER_QUEUE_MAX - 1),
    VHOST_USER_FIELD_QUEUE_SIZE("queue-size", 128, VHOST_USER_QUEUE_SIZE_MAX),
    {.name = "cache-size",
     .doc = "size of a window into the backend's page cache; only 0 is possible",
     .kind = VM_FIELD_SIZE,
     .offset = offsetof(VhostUserFs, cache_size)},
    VHOST_USER_FIELD_BOOTINDEX,
    {.name = NULL},
};

/* Not VIRTIO_FS_F_NOTIFICATION, whose queue would lie in front of the request queues. */
static const VhostUserKind kind = {
    .description = "file tree shared by a vhost-user backend",
    .category = "storage",
    .virtio_id = VIRTIO_ID_FS,
    .pci_class = 0x0180, /* mass storage, other */
    .config_source = VHOST_USER_CONFIG_OURS,
    .config_size = sizeof(struct virtio_fs_config),
    .queues = 1, /* high priority */
    .fields = fields,
    .prepare = prepare,
    .config_filter = config_filter,
};

VHOST_USER_DEFINE("vhost-user-fs", VhostUserFs, vhost_user_fs, &kind);
