/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio-pci transport: identity, BARs and queues of a device whose type knows its features
 * by now (virtio 1.2, 4.1).  Registers are in virtio-pci-common.c and virtio-pci-legacy.c, what
 * happens on status changes in virtio-pci-state.c.
 */
#include "util/error.h"
#include "util/fd.h"
#include "virtio-pci-internal.h"

#include <linux/pci_regs.h>

#define VIRTIO_VENDOR 0x1af4
#define VECTORS_MAX 2048 /* PCI 3.0, 6.8.2.3 */

/* MSI-X BAR: table first, pending bits in the second half; one page as long as they fit. */
#define MSIX_BAR_MINIMUM 0x1000
#define MSIX_ENTRY_SIZE 16

static GObjectClass *parent_class;

/* --- queues --- */

VirtQueue *virtio_pci_queue(VirtioPci *device, unsigned index)
{
    return index < device->queues->len ? &g_array_index(device->queues, VirtQueue, index) : NULL;
}

unsigned virtio_pci_queue_count(VirtioPci *device)
{
    return device->queues->len;
}

static gboolean add_queue(VirtioPci *device, uint16_t size, GError **error)
{
    VirtQueue queue = {.index = device->queues->len, .max_size = size, .kick = -1, .call = -1};

    queue.kick = event_fd_new(error);
    queue.call = queue.kick < 0 ? -1 : event_fd_new(error);
    virtio_pci_clear_queue(&queue);
    g_array_append_val(device->queues, queue);
    if (queue.call < 0) {
        g_prefix_error(error, "device '%s': queue %u: ", pci_device_name(PCI_DEVICE(device)),
                       queue.index);
        return FALSE;
    }
    return TRUE;
}

/* --- identity (4.1.2) --- */

static uint16_t virtio_id_of(VirtioPci *device)
{
    return device->virtio_id ? device->virtio_id : VIRTIO_PCI_GET_CLASS(device)->virtio_id;
}

uint16_t virtio_pci_legacy_id(VirtioPci *device)
{
    static const struct {
        uint16_t virtio, pci;
    } ids[] = {{1, 0x1000}, {2, 0x1001}, {5, 0x1002}, {3, 0x1003},
               {8, 0x1004}, {4, 0x1005}, {9, 0x1009}};

    for (unsigned i = 0; VIRTIO_PCI_GET_CLASS(device)->transitional && i < G_N_ELEMENTS(ids); i++) {
        if (ids[i].virtio == virtio_id_of(device)) {
            return ids[i].pci;
        }
    }
    return 0;
}

static void set_identity(VirtioPci *device, gboolean legacy)
{
    PciDevice *pci = PCI_DEVICE(device);
    uint16_t virtio_id = virtio_id_of(device);

    pci_device_set_word(pci, PCI_VENDOR_ID, VIRTIO_VENDOR);
    pci_device_set_word(pci, PCI_SUBSYSTEM_VENDOR_ID, VIRTIO_VENDOR);
    pci->config[PCI_INTERRUPT_PIN] = 1; /* INTA */
    if (legacy) {
        pci_device_set_word(pci, PCI_DEVICE_ID, virtio_pci_legacy_id(device));
        pci_device_set_word(pci, PCI_SUBSYSTEM_ID, virtio_id);
        pci->config[PCI_REVISION_ID] = 0;
        return;
    }
    pci_device_set_word(pci, PCI_DEVICE_ID, 0x1040 + virtio_id);
    pci_device_set_word(pci, PCI_SUBSYSTEM_ID, 0x40); /* 4.1.2.1: not that of a legacy type */
    pci->config[PCI_REVISION_ID] = 1;
}

/* --- BARs --- */

static uint64_t modern_bar_read(gpointer opaque, uint64_t offset, unsigned size)
{
    return virtio_pci_modern_read(opaque, offset, size);
}

static void modern_bar_write(gpointer opaque, uint64_t offset, uint64_t value, unsigned size)
{
    virtio_pci_modern_write(opaque, offset, value, size);
}

static const IoOps modern_bar_ops = {
    .read = modern_bar_read,
    .write = modern_bar_write,
    .max_access = 4,
};

static void add_modern_bar(VirtioPci *device)
{
    uint32_t size = virtio_pci_modern_size(device);
    IoRegion *region =
        io_region_new(G_OBJECT(device), "virtio-pci-modern", &modern_bar_ops, device, size);

    pci_device_add_bar(PCI_DEVICE(device), VIRTIO_BAR_MODERN,
                       PCI_BASE_ADDRESS_SPACE_MEMORY | PCI_BASE_ADDRESS_MEM_TYPE_64 |
                           PCI_BASE_ADDRESS_MEM_PREFETCH,
                       region, size);
    virtio_pci_add_doorbells(device, region);
}

static gboolean add_vectors(VirtioPci *device, GError **error)
{
    uint32_t size = MSIX_BAR_MINIMUM;

    device->vector_limit = device->vectors == VIRTIO_VECTORS_UNSPECIFIED
                               ? MIN(device->queues->len + 1, VECTORS_MAX)
                               : device->vectors;
    if (device->vector_limit == 0) {
        return TRUE;
    }
    if (device->vector_limit > VECTORS_MAX) {
        vm_error_set(error, "device '%s': vectors=%u is more than MSI-X has; use 0 to %u",
                     pci_device_name(PCI_DEVICE(device)), device->vectors, VECTORS_MAX);
        return FALSE;
    }
    while (size / 2 < device->vector_limit * MSIX_ENTRY_SIZE) {
        size *= 2;
    }
    return msix_init(PCI_DEVICE(device), device->vector_limit, VIRTIO_BAR_MSIX, 0, size / 2, size,
                     error);
}

/* --- life --- */

gboolean virtio_pci_setup(VirtioPci *device, uint64_t device_features, unsigned queues,
                          const uint16_t *queue_sizes, GError **error)
{
    gboolean legacy = virtio_pci_has_legacy(device);
    gboolean modern;

    if (queues < 1 || queues > VIRTIO_QUEUE_MAX) {
        vm_error_set(error, "device '%s': %u queues are not possible; 1 to %u are",
                     pci_device_name(PCI_DEVICE(device)), queues, VIRTIO_QUEUE_MAX);
        return FALSE;
    }
    device->device_features = device_features & virtio_pci_permitted_features(device);
    modern = device->device_features >> VIRTIO_F_VERSION_1 & 1;
    device->config_vector = VIRTIO_NO_VECTOR;
    device->set_up = TRUE;
    virtio_pci_watch_run_state(device);
    for (unsigned index = 0; index < queues; index++) {
        if (!add_queue(device, queue_sizes[index], error)) {
            virtio_pci_teardown(device);
            return FALSE;
        }
    }
    if (!add_vectors(device, error) || !virtio_pci_add_capabilities(device, modern, error)) {
        virtio_pci_teardown(device);
        return FALSE;
    }
    set_identity(device, legacy);
    if (legacy) {
        virtio_pci_legacy_setup(device);
    }
    if (modern) {
        add_modern_bar(device);
    }
    return TRUE;
}

void virtio_pci_teardown(VirtioPci *device)
{
    static const unsigned doorbells[] = {VIRTIO_BAR_LEGACY, VIRTIO_BAR_MODERN};

    if (!device->set_up) {
        return;
    }
    device->set_up = FALSE;
    virtio_pci_end(device);
    for (guint index = 0; index < device->queues->len; index++) {
        VirtQueue *queue = virtio_pci_queue(device, index);
        for (guint i = 0; i < G_N_ELEMENTS(doorbells); i++) {
            IoRegion *region = PCI_DEVICE(device)->bars[doorbells[i]].region;
            if (region) {
                io_region_remove_event_fd(region, queue->kick);
            }
        }
        g_clear_pointer(&queue->route, irq_route_free);
        fd_clear(&queue->kick);
        fd_clear(&queue->call);
    }
    pci_device_release(PCI_DEVICE(device));
}

static void virtio_pci_dispose(GObject *object)
{
    virtio_pci_teardown(VIRTIO_PCI(object));
    parent_class->dispose(object);
}

static void virtio_pci_finalize(GObject *object)
{
    g_array_unref(VIRTIO_PCI(object)->queues);
    parent_class->finalize(object);
}

static void virtio_pci_init(VirtioPci *device)
{
    device->queues = g_array_new(FALSE, TRUE, sizeof(VirtQueue));
}

static void virtio_pci_class_init(VirtioPciClass *class)
{
    PciDeviceClass *pci_class = PCI_DEVICE_CLASS(class);

    parent_class = g_type_class_peek_parent(class);
    G_OBJECT_CLASS(class)->dispose = virtio_pci_dispose;
    G_OBJECT_CLASS(class)->finalize = virtio_pci_finalize;
    pci_class->vendor_id = VIRTIO_VENDOR;
    pci_class->reset = virtio_pci_machine_reset;
    pci_class->config_read = virtio_pci_config_space_read;
    pci_class->config_written = virtio_pci_config_space_written;
    pci_class->vector_changed = virtio_pci_vector_changed;
    vm_object_class_install_fields(class, virtio_pci_fields);
}

VM_DEFINE_TYPE("virtio-pci", VirtioPci, VirtioPciClass, virtio_pci, TYPE_PCI_DEVICE,
               G_TYPE_FLAG_ABSTRACT);
