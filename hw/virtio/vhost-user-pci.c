/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vhost-user PCI device: what the driver does to the transport becomes jobs of the session,
 * and what the session reports becomes status and interrupts of the transport.
 */
#include "vhost-user-pci-internal.h"

#include "util/report.h"

#include <linux/virtio_config.h>

/* Where a packed ring begins: both wrap counters are 1 (vhost-user, "Vring base"). */
#define PACKED_RING_BASE 0x80008000u

/* --- rings --- */

static VhostUserRing ring_of(VhostUserPci *device, const VirtQueue *queue)
{
    const VhostUserKind *kind = vhost_user_kind(device);
    gboolean packed = virtio_has_feature(VIRTIO_PCI(device), VIRTIO_F_RING_PACKED);

    return (VhostUserRing){
        .index = queue->index,
        .size = queue->size,
        .descriptor_area = queue->descriptor_area,
        .driver_area = queue->driver_area,
        .device_area = queue->device_area,
        .base = packed ? PACKED_RING_BASE : 0,
        .enabled = kind->queue_enabled == NULL || kind->queue_enabled(device, queue->index),
        .kick = queue->kick,
        .call = queue->call,
    };
}

void vhost_user_pci_start_rings(VhostUserPci *device)
{
    const VhostUserKind *kind = vhost_user_kind(device);
    VirtioPci *virtio = VIRTIO_PCI(device);
    gboolean packed = virtio_has_feature(virtio, VIRTIO_F_RING_PACKED);
    g_autoptr(GArray) rings = g_array_new(FALSE, FALSE, sizeof(VhostUserRing));
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < virtio_pci_queue_count(virtio); i++) {
        const VirtQueue *queue = virtio_pci_queue(virtio, i);

        if (queue->enabled && !vhost_user_queue_is_local(device, i)) {
            VhostUserRing ring = ring_of(device, queue);

            if (!vhost_user_session_resume_ring(device->session, &ring, packed, &error)) {
                report_warning("%s; the device waits for a reset", error->message);
                vhost_user_pci_report(device, NULL, error, VHOST_USER_NEEDS_RESET);
                virtio_pci_set_broken(virtio);
                return;
            }
            g_array_append_val(rings, ring);
        }
    }
    vhost_user_session_start(device->session,
                             kind->features_in_use != NULL ? kind->features_in_use(device)
                                                           : virtio->driver_features,
                             (const VhostUserRing *)rings->data, rings->len);
}

/* A driver that finds a dead device is told so while it can still let it alone (3.1.1, step 6): a
 * guest that boots would wait for ever for the first sector of a dead disk. */
static gboolean features_chosen(VirtioPci *virtio)
{
    VhostUserPci *device = VHOST_USER_PCI(virtio);

    return !device->away || vhost_user_pci_comes_back(device);
}

static void start(VirtioPci *virtio)
{
    VhostUserPci *device = VHOST_USER_PCI(virtio);

    if (device->session == NULL) {
        return;
    }
    if (device->away && !vhost_user_pci_comes_back(device)) {
        virtio_pci_set_broken(virtio);
        return;
    }
    vhost_user_local_start(device);
    device->resume = FALSE;
    /* Without a backend the rings wait for the next one. */
    if (!device->away) {
        vhost_user_pci_start_rings(device);
    }
}

static void paused(gpointer opaque G_GNUC_UNUSED, const GError *error G_GNUC_UNUSED)
{
    run_state_stop_release();
}

static void stop(VirtioPci *virtio, gboolean wait)
{
    VhostUserPci *device = VHOST_USER_PCI(virtio);

    if (device->session == NULL) {
        return;
    }
    vhost_user_local_stop(device);
    if (virtio->pausing) {
        device->resume = TRUE;
        run_state_stop_hold();
        vhost_user_session_stop(device->session, FALSE, paused, NULL);
    } else {
        vhost_user_session_stop(device->session, wait, NULL, NULL);
    }
}

static void queue_reset(VirtioPci *virtio, VirtQueue *queue)
{
    VhostUserPci *device = VHOST_USER_PCI(virtio);

    if (vhost_user_queue_is_local(device, queue->index)) {
        vhost_user_local_queue_stop(device, queue);
    } else if (device->session != NULL) {
        vhost_user_session_ring_stop(device->session, queue->index, TRUE);
    }
}

static void queue_enabled(VirtioPci *virtio, VirtQueue *queue)
{
    VhostUserPci *device = VHOST_USER_PCI(virtio);

    if (vhost_user_queue_is_local(device, queue->index)) {
        vhost_user_local_queue_start(device, queue, FALSE);
    } else if (vhost_user_pci_is_connected(device)) {
        VhostUserRing ring = ring_of(device, queue);

        vhost_user_session_ring_start(device->session, &ring);
    }
}

static void reset(VirtioPci *virtio)
{
    VhostUserPci *device = VHOST_USER_PCI(virtio);

    device->resume = FALSE;
    if (device->session != NULL) {
        vhost_user_session_reset(device->session);
    }
    if (vhost_user_kind(device)->reset != NULL) {
        vhost_user_kind(device)->reset(device);
    }
}

/* --- type --- */

static const VmField vhost_user_pci_fields[] = {
    {.name = "reply-timeout",
     .doc = "milliseconds that the backend has for each answer",
     .kind = VM_FIELD_UINT32,
     .offset = offsetof(VhostUserPci, reply_timeout),
     .default_value = VHOST_USER_REPLY_TIMEOUT,
     .minimum = 1,
     .maximum = VHOST_USER_REPLY_TIMEOUT_MAXIMUM},
    {.name = NULL},
};

static void vhost_user_pci_init(VhostUserPci *device G_GNUC_UNUSED)
{
}

static void vhost_user_pci_class_init(VhostUserPciClass *class)
{
    PciDeviceClass *pci_class = PCI_DEVICE_CLASS(class);
    VirtioPciClass *virtio_class = VIRTIO_PCI_CLASS(class);

    DEVICE_CLASS(class)->hurry = vhost_user_pci_hurry;
    pci_class->realize = vhost_user_pci_realize;
    pci_class->unrealize = vhost_user_pci_unrealize;
    virtio_class->features_chosen = features_chosen;
    virtio_class->start = start;
    virtio_class->stop = stop;
    virtio_class->queue_reset = queue_reset;
    virtio_class->queue_enabled = queue_enabled;
    virtio_class->reset = reset;
    virtio_class->config_read = vhost_user_kind_config_read;
    virtio_class->config_write = vhost_user_kind_config_write;
    vm_object_class_install_fields(class, vhost_user_pci_fields);
}

VM_DEFINE_TYPE("vhost-user-pci", VhostUserPci, VhostUserPciClass, vhost_user_pci, TYPE_VIRTIO_PCI,
               G_TYPE_FLAG_ABSTRACT);
