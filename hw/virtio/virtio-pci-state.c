/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device status of virtio 1.2, 2.1 and 3.1, and what follows from it: queues run while the
 * driver has set DRIVER_OK and the machine runs.  stop() and queue_reset() of the device type may
 * let go of the VM lock, so whoever called them checks afterwards that its reset is still the
 * latest one.
 */
#include "util/fd.h"
#include "util/report.h"
#include "util/trace.h"
#include "virtio-pci-internal.h"

TRACE_EVENT(virtio_pci_status, "a driver writes device status");
TRACE_EVENT(virtio_pci_features_refused, "a driver chose features that it must not choose");
TRACE_EVENT(virtio_pci_broken, "a device asks its driver to reset it");

/* What a driver may set; DEVICE_NEEDS_RESET is the device's. */
#define DRIVER_BITS                                                                                \
    (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_DRIVER_OK |            \
     VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_FAILED)

void virtio_pci_set_broken(VirtioPci *device)
{
    if (device->status & VIRTIO_CONFIG_S_NEEDS_RESET) {
        return;
    }
    trace(virtio_pci_broken, "device %s", pci_device_name(PCI_DEVICE(device)));
    device->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
    virtio_pci_notify_config(device);
}

void virtio_pci_driver_error(VirtioPci *device, const char *format, ...)
{
    g_autofree char *message = NULL;
    va_list arguments;

    virtio_pci_set_broken(device);
    if (device->driver_reported) {
        return;
    }
    device->driver_reported = TRUE;
    va_start(arguments, format);
    message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    report_warning("device '%s': %s", pci_device_name(PCI_DEVICE(device)), message);
}

gboolean virtio_has_feature(VirtioPci *device, unsigned bit)
{
    return (device->driver_features >> bit) & 1;
}

/* --- start and stop --- */

static void start(VirtioPci *device)
{
    const uint8_t ready = VIRTIO_CONFIG_S_DRIVER_OK;

    if (!device->set_up || device->started || device->resetting ||
        (device->status & (ready | VIRTIO_CONFIG_S_NEEDS_RESET)) != ready) {
        return;
    }
    device->started = TRUE;
    virtio_pci_watch_calls(device);
    VIRTIO_PCI_GET_CLASS(device)->start(device);
}

static void stop(VirtioPci *device, gboolean wait)
{
    if (!device->started) {
        return;
    }
    device->started = FALSE;
    virtio_pci_remove_notify_pages(device);
    virtio_pci_unwatch_calls(device);
    VIRTIO_PCI_GET_CLASS(device)->stop(device, wait);
}

static void run_state_changed(gpointer opaque, gboolean running)
{
    VirtioPci *device = opaque;

    if (running) {
        start(device);
        return;
    }
    device->pausing = TRUE;
    stop(device, FALSE);
    device->pausing = FALSE;
}

void virtio_pci_watch_run_state(VirtioPci *device)
{
    device->run_state = (RunStateListener){.changed = run_state_changed, .opaque = device};
    run_state_listener_add(&device->run_state);
}

void virtio_pci_end(VirtioPci *device)
{
    run_state_listener_remove(&device->run_state);
    virtio_pci_unwatch_calls(device);
    virtio_pci_remove_notify_pages(device);
    device->started = FALSE;
    device->resetting = FALSE;
    device->reset_epoch++;
}

/* --- reset (2.4) --- */

void virtio_pci_clear_queue(VirtQueue *queue)
{
    queue->size = queue->max_size;
    queue->vector = VIRTIO_NO_VECTOR;
    queue->enabled = FALSE;
    queue->resetting = FALSE;
    queue->legacy_page = 0;
    queue->descriptor_area = 0;
    queue->driver_area = 0;
    queue->device_area = 0;
}

static void clear_registers(VirtioPci *device)
{
    device->status = 0;
    device->legacy_driver = FALSE;
    device->driver_features = 0;
    device->feature_select[0] = 0;
    device->feature_select[1] = 0;
    device->queue_select = 0;
    device->config_vector = VIRTIO_NO_VECTOR;
    virtio_pci_take_isr(device);
    for (guint index = 0; index < device->queues->len; index++) {
        VirtQueue *queue = virtio_pci_queue(device, index);
        virtio_pci_clear_queue(queue);
        /* Signals of the life before must not reach the next one. */
        event_fd_clear(queue->kick);
        event_fd_clear(queue->call);
    }
}

static void finish_reset(VirtioPci *device)
{
    device->resetting = FALSE;
    if (VIRTIO_PCI_GET_CLASS(device)->reset) {
        VIRTIO_PCI_GET_CLASS(device)->reset(device);
    }
    clear_registers(device);
}

void virtio_pci_driver_reset(VirtioPci *device)
{
    guint epoch = ++device->reset_epoch;

    if (!device->set_up) {
        return;
    }
    if (device->started) {
        /* Status reads as it was until the queues have stopped (4.1.4.3.1). */
        device->resetting = TRUE;
        stop(device, TRUE);
        if (device->reset_epoch != epoch) {
            return; /* the machine was reset or the device unplugged while we waited */
        }
    }
    finish_reset(device);
}

void virtio_pci_machine_reset(PciDevice *pci)
{
    VirtioPci *device = VIRTIO_PCI(pci);

    device->reset_epoch++;
    if (device->set_up) {
        /* The session does its jobs in order, so that a later start waits for this stop. */
        stop(device, FALSE);
        finish_reset(device);
    }
}

/* --- queues --- */

static gboolean area_is_valid(uint64_t address, uint64_t size, uint64_t alignment,
                              MemoryDirection direction)
{
    return address % alignment == 0 && memory_pointer(address, size, direction, NULL);
}

gboolean virtio_pci_size_fits(VirtioPci *device, unsigned size)
{
    return virtio_has_feature(device, VIRTIO_F_RING_PACKED) || (size & (size - 1)) == 0;
}

/* Sizes and alignments are those of 2.7 (split) and 2.8.10 (packed). */
static gboolean queue_is_valid(VirtioPci *device, const VirtQueue *queue)
{
    uint64_t size = queue->size;

    if (virtio_has_feature(device, VIRTIO_F_RING_PACKED)) {
        return area_is_valid(queue->descriptor_area, 16 * size, 16, MEMORY_WRITE) &&
               area_is_valid(queue->driver_area, 4, 4, MEMORY_READ) &&
               area_is_valid(queue->device_area, 4, 4, MEMORY_WRITE);
    }
    return area_is_valid(queue->descriptor_area, 16 * size, 16, MEMORY_READ) &&
           area_is_valid(queue->driver_area, 6 + 2 * size, 2, MEMORY_READ) &&
           area_is_valid(queue->device_area, 6 + 8 * size, 4, MEMORY_WRITE);
}

static gboolean check_queue(VirtioPci *device, const VirtQueue *queue)
{
    /* Its size may have been written before the features that it goes by. */
    if (!virtio_pci_size_fits(device, queue->size)) {
        virtio_pci_driver_error(device,
                                "the driver's queue %u has %u entries, a split ring has a power of "
                                "two; the device waits for a reset",
                                queue->index, queue->size);
        return FALSE;
    }
    if (queue_is_valid(device, queue)) {
        return TRUE;
    }
    virtio_pci_driver_error(
        device,
        "the driver's queue %u (%u entries at 0x%" G_GINT64_MODIFIER "x, 0x%" G_GINT64_MODIFIER
        "x, 0x%" G_GINT64_MODIFIER "x) is misaligned or outside of RAM; the device waits for a "
        "reset",
        queue->index, queue->size, queue->descriptor_area, queue->driver_area, queue->device_area);
    return FALSE;
}

void virtio_pci_enable_queue(VirtioPci *device, VirtQueue *queue)
{
    queue->enabled = TRUE;
    if (!(device->status & VIRTIO_CONFIG_S_DRIVER_OK) || !check_queue(device, queue)) {
        return;
    }
    if (device->started && VIRTIO_PCI_GET_CLASS(device)->queue_enabled) {
        VIRTIO_PCI_GET_CLASS(device)->queue_enabled(device, queue);
    }
}

gboolean virtio_pci_end_queue(VirtioPci *device, VirtQueue *queue)
{
    guint epoch = device->reset_epoch;

    if (device->started && VIRTIO_PCI_GET_CLASS(device)->queue_reset) {
        queue->resetting = TRUE;
        virtio_pci_remove_notify_page(device, queue->index);
        VIRTIO_PCI_GET_CLASS(device)->queue_reset(device, queue);
        if (device->reset_epoch != epoch) {
            return FALSE;
        }
    }
    virtio_pci_clear_queue(queue);
    return TRUE;
}

void virtio_pci_reset_queue(VirtioPci *device, unsigned index)
{
    VirtQueue *queue = virtio_pci_queue(device, index);

    if (!virtio_has_feature(device, VIRTIO_F_RING_RESET) || !queue->enabled || queue->resetting) {
        return;
    }
    virtio_pci_end_queue(device, queue);
}

/* --- status --- */

gboolean virtio_pci_features_open(VirtioPci *device)
{
    return !(device->status & (VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK));
}

static gboolean features_are_valid(VirtioPci *device)
{
    VirtioPciClass *class = VIRTIO_PCI_GET_CLASS(device);

    return !(device->driver_features & ~device->device_features) &&
           virtio_has_feature(device, VIRTIO_F_VERSION_1) &&
           (!class->features_chosen || class->features_chosen(device));
}

static void driver_ok(VirtioPci *device)
{
    if (!(device->status & VIRTIO_CONFIG_S_FEATURES_OK) && !device->legacy_driver) {
        virtio_pci_driver_error(device, "the driver set DRIVER_OK without FEATURES_OK; the device "
                                        "waits for a reset");
        return;
    }
    for (guint index = 0; index < device->queues->len; index++) {
        const VirtQueue *queue = virtio_pci_queue(device, index);
        if (queue->enabled && !check_queue(device, queue)) {
            return;
        }
    }
    if (run_state_is_running()) {
        start(device);
    }
}

void virtio_pci_set_status(VirtioPci *device, uint8_t value)
{
    uint8_t added = value & DRIVER_BITS & ~device->status;

    trace(virtio_pci_status, "device %s status 0x%x written 0x%x",
          pci_device_name(PCI_DEVICE(device)), device->status, value);
    if (device->resetting) {
        return; /* a driver waits until it reads 0 */
    }
    if (value == 0) {
        virtio_pci_driver_reset(device);
        return;
    }
    if ((added & VIRTIO_CONFIG_S_FEATURES_OK) && !features_are_valid(device)) {
        trace(virtio_pci_features_refused,
              "device %s offered 0x%" G_GINT64_MODIFIER "x chosen 0x%" G_GINT64_MODIFIER "x",
              pci_device_name(PCI_DEVICE(device)), device->device_features,
              device->driver_features);
        added &= ~VIRTIO_CONFIG_S_FEATURES_OK;
    }
    device->status |= added; /* a driver never clears a bit (2.1.1) */
    if (added & VIRTIO_CONFIG_S_DRIVER_OK) {
        driver_ok(device);
    }
}
