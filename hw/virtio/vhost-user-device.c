/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-user-device-pci: any virtio device (virtio 1.2, 5) of which the user knows the id, the
 * number of queues and the size of its configuration, and the backend all the rest.
 */
#include "hw/virtio/vhost-user-pci.h"

#include <libvhost-user/wire.h>

/* The bits of 2.2 that belong to device types: 0 to 23 and from 50 on. */
#define TYPE_FEATURES (UINT64_C(0xffffff) | ~UINT64_C(0) << 50)
/* PCI device ids of virtio end at 0x107f (4.1.2). */
#define ID_MAXIMUM 63

typedef struct VhostUserDevice {
    VhostUserPci parent;
    uint16_t virtio_id;
    uint16_t config_size;
} VhostUserDevice;

VM_DECLARE_TYPE(VhostUserDevice, vhost_user_device, VHOST_USER_DEVICE)

static gboolean prepare(VhostUserPci *device, GError **error G_GNUC_UNUSED)
{
    const VhostUserDevice *any = VHOST_USER_DEVICE(device);

    VIRTIO_PCI(device)->virtio_id = any->virtio_id;
    VIRTIO_PCI(device)->config_size = any->config_size;
    device->needs.features = TYPE_FEATURES;
    device->needs.config_size = any->config_size;
    device->needs.needs_config = any->config_size != 0;
    device->needs.queues_without_mq = device->num_queues;
    return TRUE;
}

static const VhostUserWritable writable[] = {
    {0, VHOST_USER_MAX_CONFIG_SIZE, VHOST_USER_ALWAYS},
    {0, 0, VHOST_USER_ALWAYS},
};

static const VmField fields[] = {
    VHOST_USER_FIELD_CHARDEV,
    {.name = "virtio-id",
     .doc = "what the device is, a number of virtio 1.2, section 5",
     .kind = VM_FIELD_UINT16,
     .offset = offsetof(VhostUserDevice, virtio_id),
     .maximum = ID_MAXIMUM,
     .flags = VM_FIELD_REQUIRED},
    VHOST_USER_FIELD_QUEUES("num_vqs", "number of queues", 1, VHOST_USER_QUEUE_MAX),
    VHOST_USER_FIELD_QUEUE_SIZE("vq_size", 64, VHOST_USER_QUEUE_SIZE_MAX),
    {.name = "config_size",
     .doc = "bytes of configuration that the backend has",
     .kind = VM_FIELD_UINT16,
     .offset = offsetof(VhostUserDevice, config_size),
     .maximum = VHOST_USER_MAX_CONFIG_SIZE},
    {.name = NULL},
};

static const VhostUserKind kind = {
    .description = "any virtio device, served by a vhost-user backend",
    .category = "misc",
    .pci_class = 0xff00, /* unassigned */
    .config_source = VHOST_USER_CONFIG_BACKEND,
    .writable = writable,
    .config_is_live = TRUE,
    .fields = fields,
    .prepare = prepare,
};

VHOST_USER_DEFINE("vhost-user-device", VhostUserDevice, vhost_user_device, &kind);
/* The name that it has for those who use it to try a backend. */
VHOST_USER_DEFINE("vhost-user-test-device", VhostUserDevice, vhost_user_test_device, &kind);
