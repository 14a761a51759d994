/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The example of docs/devel/adding-a-device.rst: an entropy device whose backend is another
 * process (virtio 1.2, 5.4).  It is built and looked at by tests/unit/test-example-device.c and
 * is no part of the program.
 */
#include "hw/virtio/vhost-user-pci.h"
#include "util/error.h"

#include <linux/virtio_ids.h>

typedef struct ExampleDevice {
    VhostUserPci parent;
    uint16_t queue_size;
} ExampleDevice;

typedef struct ExampleDeviceClass {
    VhostUserPciClass parent;
} ExampleDeviceClass;

VM_DECLARE_TYPE(ExampleDevice, example_device, EXAMPLE_DEVICE)

static const VmField fields[] = {
    {.name = "queue-size",
     .doc = "descriptors in the queue, a power of two",
     .kind = VM_FIELD_UINT16,
     .offset = offsetof(ExampleDevice, queue_size),
     .default_value = 64,
     .minimum = 2,
     .maximum = 1024},
    {.name = NULL},
};

/* Before the backend is asked: are the properties good, and what is wanted of it? */
static gboolean prepare(VhostUserPci *device, GError **error)
{
    uint16_t size = EXAMPLE_DEVICE(device)->queue_size;

    if ((size & (size - 1)) != 0) {
        vm_error_set(error, "device '%s': queue-size=%u is not a power of two",
                     pci_device_name(PCI_DEVICE(device)), size);
        return FALSE;
    }
    device->queue_size = size;
    device->needs = (VhostUserNeeds){.queues = 1};
    return TRUE;
}

static void example_device_init(ExampleDevice *device G_GNUC_UNUSED)
{
}

static void example_device_class_init(ExampleDeviceClass *class)
{
    VM_OBJECT_CLASS(class)->description = "entropy served by a vhost-user backend";
    DEVICE_CLASS(class)->category = "misc";
    DEVICE_CLASS(class)->bus = "PCI";
    DEVICE_CLASS(class)->hotpluggable = TRUE;
    DEVICE_CLASS(class)->user_creatable = TRUE;
    PCI_DEVICE_CLASS(class)->class_code[2] = 0xff; /* PCI code and ID assignment: unassigned */
    VIRTIO_PCI_CLASS(class)->virtio_id = VIRTIO_ID_RNG;
    VHOST_USER_PCI_CLASS(class)->prepare = prepare;
    vm_object_class_install_fields(class, fields);
}

VM_DEFINE_TYPE("vhost-user-example-pci", ExampleDevice, ExampleDeviceClass, example_device,
               TYPE_VHOST_USER_PCI, 0);
