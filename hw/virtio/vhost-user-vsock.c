/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-user-vsock-pci: sockets between host and guest (virtio 1.2, 5.10).  The guest's address
 * is the backend's to say, unless the user says it here.  The event queue is ours: it tells of a
 * move to another host, so that nothing is ever put in.
 */
#include "hw/virtio/vhost-user-pci.h"
#include "util/error.h"

#include <linux/virtio_ids.h>
#include <linux/virtio_vsock.h>

#define VSOCK_F_STREAM 0 /* virtio 1.2, 5.10.3; not in the kernel's header */

/* Addresses that mean something else (5.10.4). */
#define CID_FIRST 3
#define CID_LAST UINT32_C(0xfffffffe)

enum { AUTO, ON, OFF };
static const char *const auto_names[] = {"auto", "on", "off", NULL};

typedef struct VhostUserVsock {
    VhostUserPci parent;
    uint64_t guest_cid;
    int seqpacket;
} VhostUserVsock;

VM_DECLARE_TYPE(VhostUserVsock, vhost_user_vsock, VHOST_USER_VSOCK)

static const VhostUserFeatureName feature_names[] = {
    {VSOCK_F_STREAM, "VSOCK_STREAM"},
    {VIRTIO_VSOCK_F_SEQPACKET, "VSOCK_SEQPACKET"},
    {0, NULL},
};

static gboolean prepare(VhostUserPci *device, GError **error)
{
    uint64_t cid = VHOST_USER_VSOCK(device)->guest_cid;

    if (cid == 0) {
        return TRUE;
    }
    if (cid < CID_FIRST || cid > CID_LAST) {
        vm_error_set(error,
                     "device '%s': guest-cid=%" G_GUINT64_FORMAT
                     " is reserved; use %u to %u, or 0 for what the backend says",
                     pci_device_name(PCI_DEVICE(device)), (guint64)cid, CID_FIRST, CID_LAST);
        return FALSE;
    }
    device->needs.config_size = 0;
    device->needs.needs_config = FALSE;
    return TRUE;
}

static gboolean connected(VhostUserPci *device, uint64_t *features, GError **error)
{
    uint64_t bit = UINT64_C(1) << VIRTIO_VSOCK_F_SEQPACKET;
    int wanted = VHOST_USER_VSOCK(device)->seqpacket;

    if (wanted == ON && !(*features & bit)) {
        vm_error_set(error,
                     "device '%s': seqpacket=on is not possible: the backend does not offer "
                     "VIRTIO_VSOCK_F_SEQPACKET",
                     pci_device_name(PCI_DEVICE(device)));
        return FALSE;
    }
    if (wanted == OFF) {
        *features &= ~bit;
    }
    return TRUE;
}

static void config_filter(VhostUserPci *device, uint8_t *config, uint32_t size G_GNUC_UNUSED)
{
    uint64_t cid = GUINT64_TO_LE(VHOST_USER_VSOCK(device)->guest_cid);

    if (cid != 0) {
        memcpy(config, &cid, sizeof(cid));
    }
}

static const VmField fields[] = {
    VHOST_USER_FIELD_CHARDEV,
    {.name = "guest-cid",
     .doc = "the guest's address, 3 to 4294967294; 0 for what the backend says",
     .kind = VM_FIELD_UINT64,
     .offset = offsetof(VhostUserVsock, guest_cid)},
    {.name = "seqpacket",
     .doc = "sockets that keep the borders of messages; auto: if the backend can",
     .kind = VM_FIELD_ENUM,
     .offset = offsetof(VhostUserVsock, seqpacket),
     .names = auto_names},
    {.name = NULL},
};

static const VhostUserKind kind = {
    .description = "sockets to the host, served by a vhost-user backend",
    .category = "misc",
    .virtio_id = VIRTIO_ID_VSOCK,
    .pci_class = 0x0780, /* communication, other */
    .features = feature_names,
    .config_source = VHOST_USER_CONFIG_BACKEND,
    .config_size = sizeof(struct virtio_vsock_config),
    .queues = 2,       /* to the guest, from the guest */
    .local_queues = 1, /* events */
    .queue_size = 128,
    .fields = fields,
    .prepare = prepare,
    .connected = connected,
    .config_filter = config_filter,
};

VHOST_USER_DEFINE_BOTH("vhost-user-vsock", VhostUserVsock, vhost_user_vsock, &kind);
