/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The example of docs/devel/adding-a-device.rst: an entropy device whose backend is another
 * process (virtio 1.2, 5.4).  It is built and looked at by tests/unit/test-example-device.c and
 * is no part of the program.
 */
#include "hw/virtio/vhost-user-pci.h"

#include <linux/virtio_ids.h>

static const VmField fields[] = {
    VHOST_USER_FIELD_CHARDEV,
    VHOST_USER_FIELD_QUEUE_SIZE("queue-size", 64, 1024),
    {.name = NULL},
};

static const VhostUserKind kind = {
    .description = "entropy served by a vhost-user backend",
    .category = "misc",
    .virtio_id = VIRTIO_ID_RNG,
    .pci_class = 0xff00, /* PCI code and ID assignment: unassigned */
    .queues = 1,
    .fields = fields,
};

/* Makes "vhost-user-example-pci". */
VHOST_USER_DEFINE("vhost-user-example", VhostUserPci, example_device, &kind);
