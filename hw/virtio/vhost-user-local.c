/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queues of a vhost-user device that the backend never sees, as a network card's control queue:
 * the driver's kicks come to the main loop, and from there to the kind of device.
 */
#include "vhost-user-pci-internal.h"

#include "system/main-loop.h"
#include "util/fd.h"

gboolean vhost_user_queue_is_local(VhostUserPci *device, unsigned index)
{
    const VhostUserKind *kind = vhost_user_kind(device);

    if (kind->queue_is_local != NULL) {
        return kind->queue_is_local(device, index);
    }
    return index + device->local_queues >= virtio_pci_queue_count(VIRTIO_PCI(device));
}

static VirtQueue *queue_of_kick(VhostUserPci *device, int fd)
{
    for (unsigned i = 0; i < virtio_pci_queue_count(VIRTIO_PCI(device)); i++) {
        VirtQueue *queue = virtio_pci_queue(VIRTIO_PCI(device), i);

        if (queue->kick == fd) {
            return queue;
        }
    }
    return NULL;
}

static gboolean kicked(int fd, GIOCondition condition G_GNUC_UNUSED, gpointer opaque)
{
    VhostUserPci *device = opaque;
    VirtQueue *queue = queue_of_kick(device, fd);

    if (queue != NULL && event_fd_clear(fd)) {
        vhost_user_kind(device)->queue_kicked(device, queue);
    }
    return G_SOURCE_CONTINUE;
}

void vhost_user_local_queue_start(VhostUserPci *device, VirtQueue *queue, gboolean resume)
{
    const VhostUserKind *kind = vhost_user_kind(device);

    if (kind->queue_started != NULL) {
        kind->queue_started(device, queue, resume);
    }
    if (kind->queue_kicked != NULL && queue->kick_watch == 0) {
        queue->kick_watch = main_loop_watch(queue->kick, G_IO_IN, kicked, device);
        /* The driver may have kicked before anybody looked. */
        event_fd_signal_shared(queue->kick);
    }
}

void vhost_user_local_queue_stop(VhostUserPci *device, VirtQueue *queue)
{
    const VhostUserKind *kind = vhost_user_kind(device);

    g_clear_handle_id(&queue->kick_watch, g_source_remove);
    if (kind->queue_stopped != NULL) {
        kind->queue_stopped(device, queue);
    }
}

void vhost_user_local_start(VhostUserPci *device)
{
    for (unsigned i = 0; i < virtio_pci_queue_count(VIRTIO_PCI(device)); i++) {
        VirtQueue *queue = virtio_pci_queue(VIRTIO_PCI(device), i);

        if (queue->enabled && vhost_user_queue_is_local(device, i)) {
            vhost_user_local_queue_start(device, queue, device->resume);
        }
    }
}

void vhost_user_local_stop(VhostUserPci *device)
{
    for (unsigned i = 0; i < virtio_pci_queue_count(VIRTIO_PCI(device)); i++) {
        VirtQueue *queue = virtio_pci_queue(VIRTIO_PCI(device), i);

        if (queue->enabled && vhost_user_queue_is_local(device, i)) {
            vhost_user_local_queue_stop(device, queue);
        }
    }
}
