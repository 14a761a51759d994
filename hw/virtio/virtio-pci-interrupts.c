/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts of a virtio device: MSI-X vectors or the ISR byte and INTA (virtio 1.2, 4.1.5.1,
 * 4.1.4.5), and the event fds by which the other side asks for them.
 */
#include "system/main-loop.h"
#include "util/fd.h"
#include "util/trace.h"
#include "virtio-pci-internal.h"

TRACE_EVENT(virtio_pci_call, "the device side of a queue asks for an interrupt");

static void notify(VirtioPci *device, uint16_t vector, uint8_t reason)
{
    PciDevice *pci = PCI_DEVICE(device);

    if (msix_enabled(pci)) {
        if (vector != VIRTIO_NO_VECTOR) {
            msix_notify(pci, vector);
        }
        return;
    }
    device->isr |= reason;
    pci_device_set_intx(pci, TRUE);
}

uint8_t virtio_pci_take_isr(VirtioPci *device)
{
    uint8_t isr = device->isr;

    device->isr = 0;
    pci_device_set_intx(PCI_DEVICE(device), FALSE);
    return isr;
}

void virtio_pci_notify_config(VirtioPci *device)
{
    /* Before DRIVER_OK a device sends nothing (3.1.1). */
    if (device->status & VIRTIO_CONFIG_S_DRIVER_OK) {
        notify(device, device->config_vector, VIRTIO_ISR_CONFIG);
    }
}

void virtio_pci_config_changed(VirtioPci *device)
{
    device->config_generation++;
    virtio_pci_notify_config(device);
}

uint16_t virtio_pci_valid_vector(VirtioPci *device, uint16_t vector)
{
    return vector < msix_vectors(PCI_DEVICE(device)) ? vector : VIRTIO_NO_VECTOR;
}

/* --- call event fds --- */

static VirtQueue *queue_of_call(VirtioPci *device, int fd)
{
    for (guint index = 0; index < device->queues->len; index++) {
        VirtQueue *queue = virtio_pci_queue(device, index);
        if (queue->call == fd) {
            return queue;
        }
    }
    return NULL;
}

static gboolean call_signalled(int fd, GIOCondition condition G_GNUC_UNUSED, gpointer opaque)
{
    VirtioPci *device = opaque;
    VirtQueue *queue = queue_of_call(device, fd);

    if (queue && event_fd_clear(fd)) {
        trace(virtio_pci_call, "device %s queue %u vector 0x%x",
              pci_device_name(PCI_DEVICE(device)), queue->index, queue->vector);
        notify(device, queue->vector, VIRTIO_ISR_QUEUE);
    }
    return G_SOURCE_CONTINUE;
}

/* Without the guest's processor leaving it and without this process, where that is possible now. */
static gboolean deliver_directly(VirtioPci *device, VirtQueue *queue)
{
    uint64_t address;
    uint32_t data;

    if (queue->vector == VIRTIO_NO_VECTOR ||
        !msix_message(PCI_DEVICE(device), queue->vector, &address, &data)) {
        return FALSE;
    }
    if (!queue->route) {
        queue->route = irq_route_new(queue->call);
    }
    return queue->route && irq_route_connect(queue->route, address, data);
}

/*
 * Decides who looks at the call event fd: the accelerator while the vector's message can be sent,
 * otherwise the main loop, which knows pending bits and INTA.  Signals in between stay in the
 * event fd.
 */
static void choose_delivery(VirtioPci *device, VirtQueue *queue)
{
    if (!device->calls_wanted || !deliver_directly(device, queue)) {
        if (queue->route) {
            irq_route_disconnect(queue->route);
        }
        if (device->calls_wanted && !queue->call_watch) {
            queue->call_watch = main_loop_watch(queue->call, G_IO_IN, call_signalled, device);
        }
    }
    if (!device->calls_wanted || (queue->route && irq_route_is_connected(queue->route))) {
        g_clear_handle_id(&queue->call_watch, g_source_remove);
    }
}

static void choose_all(VirtioPci *device)
{
    for (guint index = 0; index < device->queues->len; index++) {
        choose_delivery(device, virtio_pci_queue(device, index));
    }
}

void virtio_pci_watch_calls(VirtioPci *device)
{
    device->calls_wanted = TRUE;
    choose_all(device);
}

void virtio_pci_unwatch_calls(VirtioPci *device)
{
    device->calls_wanted = FALSE;
    choose_all(device);
}

void virtio_pci_set_queue_vector(VirtioPci *device, VirtQueue *queue, uint16_t vector)
{
    queue->vector = virtio_pci_valid_vector(device, vector);
    choose_delivery(device, queue);
}

void virtio_pci_vector_changed(PciDevice *pci, unsigned vector)
{
    VirtioPci *device = VIRTIO_PCI(pci);

    for (guint index = 0; device->queues && index < device->queues->len; index++) {
        VirtQueue *queue = virtio_pci_queue(device, index);
        if (queue->vector == vector) {
            choose_delivery(device, queue);
        }
    }
}
