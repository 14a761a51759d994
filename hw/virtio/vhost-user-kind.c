/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kinds of vhost-user devices: types, wants and configuration space as a kind's table says.
 */
#include "vhost-user-pci-internal.h"

#include "util/error.h"

#include <string.h>

const VhostUserKind *vhost_user_kind(VhostUserPci *device)
{
    return VHOST_USER_PCI_GET_CLASS(device)->kind;
}

guint vhost_user_pci_backend_queues(VhostUserPci *device)
{
    return vhost_user_session_queues(device->session);
}

/* --- what is wanted of the backend --- */

static uint64_t features_of(const VhostUserKind *kind)
{
    uint64_t features = 0;

    for (const VhostUserFeatureName *name = kind->features; name != NULL && name->name != NULL;
         name++) {
        features |= UINT64_C(1) << name->bit;
    }
    return features;
}

/* A ring's size is a power of two (2.7); the property has its name from the kind. */
static gboolean check_queue_size(VhostUserPci *device, GError **error)
{
    const VmField *field = vhost_user_kind(device)->fields;

    if ((device->queue_size & (device->queue_size - 1)) == 0) {
        return TRUE;
    }
    while (field->offset != offsetof(VhostUserPci, queue_size)) {
        field++;
    }
    vm_error_set(error, "device '%s': %s=%u is not a power of two",
                 pci_device_name(PCI_DEVICE(device)), field->name, device->queue_size);
    return FALSE;
}

gboolean vhost_user_kind_prepare(VhostUserPci *device, GError **error)
{
    const VhostUserKind *kind = vhost_user_kind(device);
    gboolean from_backend = kind->config_source == VHOST_USER_CONFIG_BACKEND;

    if (device->queue_size == 0) {
        device->queue_size = kind->queue_size;
    }
    if (!check_queue_size(device, error)) {
        return FALSE;
    }
    device->local_queues = kind->local_queues;
    VIRTIO_PCI(device)->config_size = kind->config_size;
    device->needs = (VhostUserNeeds){
        .features = features_of(kind),
        .feature_names = kind->features,
        .config_size = from_backend ? kind->config_size : 0,
        .config_minimum = from_backend ? kind->config_minimum : 0,
        .needs_config = from_backend,
        .queues = kind->queues + device->num_queues,
        .queues_of_kind = kind->queues,
        /* Queues that every device of the kind has need no asking. */
        .queues_without_mq = kind->queues + MIN(device->num_queues, 1),
        .needs_mq = TRUE,
        .host_notifiers = virtio_pci_has_page_per_queue(VIRTIO_PCI(device)),
    };
    if (kind->prepare != NULL && !kind->prepare(device, error)) {
        return FALSE;
    }
    if (device->chardev == NULL) {
        vm_error_set(error,
                     "device '%s': property 'chardev' is missing; it names the socket of "
                     "the backend",
                     pci_device_name(PCI_DEVICE(device)));
        return FALSE;
    }
    return TRUE;
}

void vhost_user_kind_release(VhostUserPci *device)
{
    if (vhost_user_kind(device)->released != NULL) {
        vhost_user_kind(device)->released(device);
    }
}

/* --- configuration space --- */

void vhost_user_kind_config_read(VirtioPci *virtio, uint32_t offset, void *bytes, uint32_t size)
{
    VhostUserPci *device = VHOST_USER_PCI(virtio);
    const VhostUserKind *kind = vhost_user_kind(device);
    uint32_t length = virtio->config_size;
    g_autofree uint8_t *config = NULL;

    memset(bytes, 0, size);
    if (device->session == NULL || offset >= length) {
        return;
    }
    config = g_malloc0(length);
    vhost_user_session_config(device->session, config, length);
    if (kind->config_filter != NULL) {
        kind->config_filter(device, config, length);
    }
    memcpy(bytes, config + offset, MIN(size, length - offset));
}

static gboolean is_writable(VhostUserPci *device, uint32_t offset, uint32_t size)
{
    for (const VhostUserWritable *range = vhost_user_kind(device)->writable;
         range != NULL && range->size != 0; range++) {
        if (offset >= range->offset && offset + size <= range->offset + range->size) {
            return range->feature == VHOST_USER_ALWAYS ||
                   virtio_has_feature(VIRTIO_PCI(device), range->feature);
        }
    }
    return FALSE;
}

void vhost_user_kind_config_write(VirtioPci *virtio, uint32_t offset, const void *bytes,
                                  uint32_t size)
{
    VhostUserPci *device = VHOST_USER_PCI(virtio);
    const VhostUserKind *kind = vhost_user_kind(device);

    if (device->session == NULL || !is_writable(device, offset, size)) {
        return;
    }
    if (kind->config_source == VHOST_USER_CONFIG_BACKEND) {
        vhost_user_session_config_write(device->session, offset, bytes, size, kind->config_is_live);
    } else if (kind->config_written != NULL) {
        kind->config_written(device, offset, bytes, size);
    }
}

/* --- types --- */

static void abstract_class_init(gpointer class, gpointer data)
{
    const VhostUserKind *kind = data;
    DeviceClass *device_class = DEVICE_CLASS(class);
    PciDeviceClass *pci_class = PCI_DEVICE_CLASS(class);
    VirtioPciClass *virtio_class = VIRTIO_PCI_CLASS(class);

    VM_OBJECT_CLASS(class)->description = kind->description;
    device_class->category = kind->category;
    device_class->bus = "PCI";
    device_class->hotpluggable = TRUE;
    pci_class->class_code[1] = kind->pci_class & 0xff;
    pci_class->class_code[2] = kind->pci_class >> 8;
    virtio_class->virtio_id = kind->virtio_id;
    virtio_class->transitional = kind->transitional;
    VHOST_USER_PCI_CLASS(class)->kind = kind;
    vm_object_class_install_fields(class, kind->fields);
}

static void creatable_class_init(gpointer class, gpointer data G_GNUC_UNUSED)
{
    DEVICE_CLASS(class)->user_creatable = TRUE;
}

static void modern_class_init(gpointer class, gpointer data)
{
    creatable_class_init(class, data);
    VIRTIO_PCI_CLASS(class)->transitional = FALSE;
}

/* The types that users create differ in the legacy interface alone (virtio 1.2, 4.1.3). */
GType vhost_user_kind_register(const char *name, GType parent, gsize instance_size,
                               const VhostUserKind *kind, VhostUserVariant variant)
{
    static const GClassInitFunc class_inits[] = {
        [VHOST_USER_ABSTRACT] = abstract_class_init,
        [VHOST_USER_GENERIC] = creatable_class_init,
        [VHOST_USER_TRANSITIONAL] = creatable_class_init,
        [VHOST_USER_MODERN] = modern_class_init,
    };
    const GTypeInfo info = {
        .class_size = sizeof(VhostUserPciClass),
        .class_init = class_inits[variant],
        .class_data = kind,
        .instance_size = instance_size,
    };

    return g_type_register_static(parent, name, &info,
                                  variant == VHOST_USER_ABSTRACT ? G_TYPE_FLAG_ABSTRACT : 0);
}
