/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vhost-user PCI device: what the driver does to the transport becomes jobs of the session,
 * and what the session reports becomes status and interrupts of the transport.
 */
#include "vhost-user-pci-internal.h"

#include "util/error.h"
#include "util/report.h"

#include <linux/virtio_config.h>

/* Where a packed ring begins: both wrap counters are 1 (vhost-user, "Vring base"). */
#define PACKED_RING_BASE 0x80008000u

static GQueue devices = G_QUEUE_INIT; /* of VhostUserPci that have a session */

void vhost_user_pci_foreach(void (*visit)(VhostUserPci *device, gpointer opaque), gpointer opaque)
{
    for (GList *link = devices.head; link != NULL; link = link->next) {
        visit(link->data, opaque);
    }
}

static const char *name_of(VhostUserPci *device)
{
    return pci_device_name(PCI_DEVICE(device));
}

/* --- news from the session --- */

static void config_changed(gpointer opaque)
{
    virtio_pci_config_changed(VIRTIO_PCI(opaque));
}

static void start_failed(gpointer opaque, const GError *error)
{
    report_warning("%s; the device waits for a reset", error->message);
    virtio_pci_set_broken(VIRTIO_PCI(opaque));
}

static void lost(gpointer opaque, const GError *error)
{
    VhostUserPci *device = opaque;

    device->lost = TRUE;
    report_warning("%s; the device is dead from now on", error->message);
    virtio_pci_set_broken(VIRTIO_PCI(device));
}

static const VhostUserCallbacks callbacks = {
    .config_changed = config_changed,
    .start_failed = start_failed,
    .lost = lost,
};

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

static void start(VirtioPci *virtio)
{
    VhostUserPci *device = VHOST_USER_PCI(virtio);
    g_autoptr(GArray) rings = g_array_new(FALSE, FALSE, sizeof(VhostUserRing));

    if (device->session == NULL) {
        return;
    }
    if (device->lost) {
        virtio_pci_set_broken(virtio);
        return;
    }
    vhost_user_local_start(device);
    for (unsigned i = 0; i < virtio_pci_queue_count(virtio); i++) {
        const VirtQueue *queue = virtio_pci_queue(virtio, i);

        if (queue->enabled && !vhost_user_queue_is_local(device, i)) {
            VhostUserRing ring = ring_of(device, queue);

            if (device->resume) {
                ring.base = vhost_user_session_ring_base(device->session, i);
            }
            g_array_append_val(rings, ring);
        }
    }
    device->resume = FALSE;
    vhost_user_session_start(device->session, virtio->driver_features,
                             (const VhostUserRing *)rings->data, rings->len);
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
    } else if (device->session != NULL) {
        VhostUserRing ring = ring_of(device, queue);

        vhost_user_session_ring_start(device->session, &ring);
    }
}

static void reset(VirtioPci *virtio)
{
    VhostUserPci *device = VHOST_USER_PCI(virtio);

    device->resume = FALSE;
    if (device->session != NULL && !device->lost) {
        vhost_user_session_reset(device->session);
    }
    if (vhost_user_kind(device)->reset != NULL) {
        vhost_user_kind(device)->reset(device);
    }
}

/* --- realize --- */

/* A backend maps the files behind guest memory, so each must be a shared one.  Checked again when
 * the connection stands, because from then on only the session checks what is added. */
static gboolean check_memory_is_shared(VhostUserPci *device, GError **error)
{
    GArray *sections = memory_sections_copy(NULL);
    gboolean ok = TRUE;

    for (guint i = 0; i < sections->len && ok; i++) {
        const RamBlock *block = g_array_index(sections, MemorySection, i).block;

        if (!block->shared || block->fd < 0) {
            vm_error_set(
                error,
                "device '%s': vhost-user needs shared memory; memory backend '%s' has share=off",
                name_of(device), block->name);
            ok = FALSE;
        }
    }
    memory_sections_free(sections);
    return ok;
}

/* The session has ended after a failed realize. */
static void failure_ended(gpointer opaque, const GError *error G_GNUC_UNUSED)
{
    VhostUserPci *device = opaque;

    virtio_pci_teardown(VIRTIO_PCI(device));
    chardev_detach(device->chardev);
    device_realize_done(DEVICE(device), g_steal_pointer(&device->failure));
    g_object_unref(device);
}

static void end_session(VhostUserPci *device, VhostUserDone *done)
{
    g_queue_remove(&devices, device);
    /* Who ends the session takes the session's reference to the device. */
    vhost_user_session_end(g_steal_pointer(&device->session), done, device);
}

static gboolean set_up(VhostUserPci *device, GError **error)
{
    const VhostUserKind *kind = vhost_user_kind(device);
    g_autofree uint16_t *sizes = NULL;
    guint queues = vhost_user_session_queues(device->session) + device->local_queues;
    uint64_t features = vhost_user_session_features(device->session);

    if (!(features >> VIRTIO_F_VERSION_1 & 1)) {
        vm_error_set(
            error,
            "vhost-user device '%s': the backend offers no VIRTIO_F_VERSION_1; only virtio "
            "1.0 and newer backends work",
            name_of(device));
        return FALSE;
    }
    if (kind->connected != NULL && !kind->connected(device, &features, error)) {
        return FALSE;
    }
    sizes = g_new(uint16_t, queues);
    for (guint i = 0; i < queues; i++) {
        sizes[i] =
            kind->size_of_queue != NULL ? kind->size_of_queue(device, i) : device->queue_size;
    }
    return virtio_pci_setup(VIRTIO_PCI(device), features, queues, sizes, error);
}

static void connected(gpointer opaque, const GError *error)
{
    VhostUserPci *device = opaque;

    if (device->session == NULL) {
        return; /* unrealized meanwhile */
    }
    if (error != NULL) {
        device->failure = g_error_copy(error);
    } else if (check_memory_is_shared(device, &device->failure) &&
               set_up(device, &device->failure)) {
        pci_device_set_visible(PCI_DEVICE(device));
        device_realize_done(DEVICE(device), NULL);
        return;
    }
    end_session(device, failure_ended);
}

/* Nothing to do: a connection is needed at realize, and one that comes later has no use yet. */
static void chardev_opened(gpointer opaque G_GNUC_UNUSED, int input G_GNUC_UNUSED,
                           int output G_GNUC_UNUSED)
{
}

/* The connected socket, the caller's; -1 with @error. */
static int take_socket(VhostUserPci *device, GError **error)
{
    int socket;

    device->frontend = (ChardevFrontend){
        .opened = chardev_opened,
        .opaque = device,
        .user = name_of(device),
    };
    if (!chardev_check_socket(device->chardev, error) ||
        !chardev_attach(device->chardev, &device->frontend, error)) {
        g_prefix_error(error, "device '%s': ", name_of(device));
        return -1;
    }
    socket = chardev_steal_socket(device->chardev, error);
    if (socket < 0) {
        chardev_detach(device->chardev);
        g_prefix_error(error, "device '%s': ", name_of(device));
    }
    return socket;
}

static DeviceProgress realize(PciDevice *pci, GError **error)
{
    VhostUserPci *device = VHOST_USER_PCI(pci);
    int socket;

    if (!vhost_user_kind_prepare(device, error) || !check_memory_is_shared(device, error)) {
        return DEVICE_FAILED;
    }
    socket = take_socket(device, error);
    if (socket < 0) {
        return DEVICE_FAILED;
    }
    g_object_ref(device);
    g_queue_push_tail(&devices, device);
    device->session = vhost_user_session_new(name_of(device), VM_OBJECT(device->chardev)->id,
                                             socket, &device->needs, &callbacks, device);
    vhost_user_session_connect(device->session, connected, device);
    return DEVICE_PENDING;
}

static void unrealize_ended(gpointer opaque, const GError *error G_GNUC_UNUSED)
{
    VhostUserPci *device = opaque;

    virtio_pci_teardown(VIRTIO_PCI(device));
    chardev_detach(device->chardev);
    device_unrealize_done(DEVICE(device));
    g_object_unref(device);
}

static DeviceProgress unrealize(PciDevice *pci)
{
    VhostUserPci *device = VHOST_USER_PCI(pci);

    if (VIRTIO_PCI(device)->started) {
        vhost_user_local_stop(device);
        vhost_user_session_stop(device->session, FALSE, NULL, NULL);
    }
    end_session(device, unrealize_ended);
    return DEVICE_PENDING;
}

static void hurry(Device *base)
{
    VhostUserPci *device = VHOST_USER_PCI(base);

    if (device->session != NULL) {
        vhost_user_session_hurry(device->session);
    }
}

/* --- type --- */

static void vhost_user_pci_init(VhostUserPci *device G_GNUC_UNUSED)
{
}

static void vhost_user_pci_class_init(VhostUserPciClass *class)
{
    PciDeviceClass *pci_class = PCI_DEVICE_CLASS(class);
    VirtioPciClass *virtio_class = VIRTIO_PCI_CLASS(class);

    DEVICE_CLASS(class)->hurry = hurry;
    pci_class->realize = realize;
    pci_class->unrealize = unrealize;
    virtio_class->start = start;
    virtio_class->stop = stop;
    virtio_class->queue_reset = queue_reset;
    virtio_class->queue_enabled = queue_enabled;
    virtio_class->reset = reset;
    virtio_class->config_read = vhost_user_kind_config_read;
    virtio_class->config_write = vhost_user_kind_config_write;
}

VM_DEFINE_TYPE("vhost-user-pci", VhostUserPci, VhostUserPciClass, vhost_user_pci, TYPE_VIRTIO_PCI,
               G_TYPE_FLAG_ABSTRACT);
