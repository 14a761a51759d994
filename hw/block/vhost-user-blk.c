/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-user-blk-pci: a disk whose backend is another process (virtio 1.2, 5.2).  Everything but
 * the properties below is the backend's: size, block size, serial number.
 */
#include "hw/virtio/vhost-user-pci.h"
#include "util/error.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#define BIT(number) (UINT64_C(1) << (number))

/* Virtio 1.2, 5.2.3. */
#define BLOCK_FEATURES                                                                             \
    (BIT(VIRTIO_BLK_F_SIZE_MAX) | BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_GEOMETRY) |         \
     BIT(VIRTIO_BLK_F_RO) | BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_FLUSH) |                 \
     BIT(VIRTIO_BLK_F_TOPOLOGY) | BIT(VIRTIO_BLK_F_CONFIG_WCE) | BIT(VIRTIO_BLK_F_MQ) |            \
     BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES) | BIT(BLK_F_LIFETIME) |            \
     BIT(BLK_F_SECURE_ERASE))
#define BLK_F_LIFETIME 15
#define BLK_F_SECURE_ERASE 16

/* Bytes of configuration: up to the fields of WRITE_ZEROES, which every backend has, and with
 * those of SECURE_ERASE (virtio 1.2, 5.2.4). */
#define CONFIG_MINIMUM 60
#define CONFIG_SIZE 72
#define QUEUE_SIZE_MAX 32768

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
    uint16_t num_queues;
    uint16_t queue_size;
    gboolean config_wce;
} VhostUserBlk;

typedef struct VhostUserBlkClass {
    VhostUserPciClass parent;
} VhostUserBlkClass;

#define TYPE_VHOST_USER_BLK (vhost_user_blk_get_type())
VM_DECLARE_TYPE(VhostUserBlk, vhost_user_blk, VHOST_USER_BLK)
GType vhost_user_blk_pci_get_type(void);
GType vhost_user_blk_modern_get_type(void);
GType vhost_user_blk_transitional_get_type(void);

static gboolean prepare(VhostUserPci *device, GError **error)
{
    VhostUserBlk *block = VHOST_USER_BLK(device);

    if ((block->queue_size & (block->queue_size - 1)) != 0) {
        vm_error_set(error, "device '%s': queue-size=%u is not a power of two",
                     pci_device_name(PCI_DEVICE(device)), block->queue_size);
        return FALSE;
    }
    device->queue_size = block->queue_size;
    device->needs = (VhostUserNeeds){
        .features = BLOCK_FEATURES,
        .feature_names = feature_names,
        .config_size = CONFIG_SIZE,
        .config_minimum = CONFIG_MINIMUM,
        .needs_config = TRUE,
        .queues = block->num_queues,
        .needs_mq = TRUE,
    };
    return TRUE;
}

static gboolean connected(VhostUserPci *device, uint64_t *features, GError **error G_GNUC_UNUSED)
{
    if (vhost_user_session_queues(device->session) == 1) {
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
    uint16_t queues = GUINT16_TO_LE((uint16_t)vhost_user_session_queues(device->session));

    memcpy(config + offsetof(struct virtio_blk_config, num_queues), &queues, sizeof(queues));
}

/* The cache mode is all that a driver may change, if it negotiated that (5.2.4, 5.2.5). */
static gboolean config_writable(VhostUserPci *device, uint32_t offset, uint32_t size)
{
    return offset == offsetof(struct virtio_blk_config, wce) && size == 1 &&
           virtio_has_feature(VIRTIO_PCI(device), VIRTIO_BLK_F_CONFIG_WCE);
}

static const VmField vhost_user_blk_fields[] = {
    {.name = "num-queues",
     .doc = "number of request queues",
     .kind = VM_FIELD_UINT16,
     .offset = offsetof(VhostUserBlk, num_queues),
     .default_value = 1,
     .minimum = 1,
     .maximum = VHOST_USER_QUEUE_MAX},
    {.name = "queue-size",
     .doc = "descriptors in a queue, a power of two",
     .kind = VM_FIELD_UINT16,
     .offset = offsetof(VhostUserBlk, queue_size),
     .default_value = 128,
     .minimum = 2,
     .maximum = QUEUE_SIZE_MAX},
    {.name = "config-wce",
     .doc = "let the driver choose between write-back and write-through",
     .kind = VM_FIELD_BOOL,
     .offset = offsetof(VhostUserBlk, config_wce),
     .default_value = TRUE},
    {.name = "bootindex",
     .doc = "place in the firmware's boot order, -1 for none; without firmware nobody asks",
     .kind = VM_FIELD_INT32,
     .offset = offsetof(PciDevice, boot_index),
     .default_value = -1,
     .minimum = -1,
     .maximum = INT32_MAX},
    {.name = NULL},
};

static void vhost_user_blk_init(VhostUserBlk *block G_GNUC_UNUSED)
{
}

static void vhost_user_blk_class_init(VhostUserBlkClass *class)
{
    DeviceClass *device_class = DEVICE_CLASS(class);
    PciDeviceClass *pci_class = PCI_DEVICE_CLASS(class);
    VirtioPciClass *virtio_class = VIRTIO_PCI_CLASS(class);
    VhostUserPciClass *vhost_user_class = VHOST_USER_PCI_CLASS(class);

    VM_OBJECT_CLASS(class)->description = "virtio disk served by a vhost-user backend";
    device_class->category = "storage";
    device_class->bus = "PCI";
    device_class->hotpluggable = TRUE;
    pci_class->class_code[2] = 0x01; /* mass storage, SCSI: what virtio disks say they are */
    virtio_class->virtio_id = VIRTIO_ID_BLOCK;
    virtio_class->transitional = TRUE;
    virtio_class->config_size = CONFIG_SIZE;
    vhost_user_class->prepare = prepare;
    vhost_user_class->connected = connected;
    vhost_user_class->config_filter = config_filter;
    vhost_user_class->config_writable = config_writable;
    vm_object_class_install_fields(class, vhost_user_blk_fields);
}

VM_DEFINE_TYPE("vhost-user-blk", VhostUserBlk, VhostUserBlkClass, vhost_user_blk,
               TYPE_VHOST_USER_PCI, G_TYPE_FLAG_ABSTRACT);

/* The types that users create differ in the legacy interface alone (virtio 1.2, 4.1.3). */

static void vhost_user_blk_pci_init(VhostUserBlk *block G_GNUC_UNUSED)
{
}

static void vhost_user_blk_pci_class_init(VhostUserBlkClass *class)
{
    DEVICE_CLASS(class)->user_creatable = TRUE;
}

VM_DEFINE_TYPE("vhost-user-blk-pci", VhostUserBlk, VhostUserBlkClass, vhost_user_blk_pci,
               TYPE_VHOST_USER_BLK, 0);

static void vhost_user_blk_transitional_init(VhostUserBlk *block G_GNUC_UNUSED)
{
}

static void vhost_user_blk_transitional_class_init(VhostUserBlkClass *class)
{
    DEVICE_CLASS(class)->user_creatable = TRUE;
}

VM_DEFINE_TYPE("vhost-user-blk-pci-transitional", VhostUserBlk, VhostUserBlkClass,
               vhost_user_blk_transitional, TYPE_VHOST_USER_BLK, 0);

static void vhost_user_blk_modern_init(VhostUserBlk *block G_GNUC_UNUSED)
{
}

static void vhost_user_blk_modern_class_init(VhostUserBlkClass *class)
{
    DEVICE_CLASS(class)->user_creatable = TRUE;
    VIRTIO_PCI_CLASS(class)->transitional = FALSE;
}

VM_DEFINE_TYPE("vhost-user-blk-pci-non-transitional", VhostUserBlk, VhostUserBlkClass,
               vhost_user_blk_modern, TYPE_VHOST_USER_BLK, 0);
