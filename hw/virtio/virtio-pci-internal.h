/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the virtio-pci transport share. */
#ifndef HW_VIRTIO_PCI_INTERNAL_H
#define HW_VIRTIO_PCI_INTERNAL_H

#include "hw/virtio/virtio-pci.h"

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

/* BARs, as drivers have always seen them (the legacy one at 0 is virtio 1.2, 4.1.4.10). */
enum { VIRTIO_BAR_LEGACY = 0, VIRTIO_BAR_MSIX = 1, VIRTIO_BAR_MODERN = 4 };

/* Structures in the modern BAR (4.1.4). */
enum {
    VIRTIO_AREA_COMMON = 0x0000,
    VIRTIO_AREA_ISR = 0x1000,
    VIRTIO_AREA_DEVICE = 0x2000,
    VIRTIO_AREA_NOTIFY = 0x3000,
    VIRTIO_AREA_SIZE = 0x1000,    /* of notifications: at least */
    VIRTIO_NOTIFY_MULTIPLIER = 4, /* where doorbells share a page */
};

/* Bits of the ISR byte (4.1.4.5). */
enum { VIRTIO_ISR_QUEUE = 1, VIRTIO_ISR_CONFIG = 2 };

/* Property "vectors": one for each queue and one for the configuration. */
#define VIRTIO_VECTORS_UNSPECIFIED UINT32_MAX
/* Not in the kernel's header of 6.1. */
#define VIRTIO_PCI_F_RING_RESET 40

/* --- virtio-pci.c --- */

/* The PCI device id with which the legacy interface goes, 0: this type has none. */
uint16_t virtio_pci_legacy_id(VirtioPci *device);

/* --- virtio-pci-options.c --- */

extern const VmField virtio_pci_fields[];

/* --- virtio-pci-state.c: status, start, stop, reset --- */

/* Whether the driver may still choose features: until FEATURES_OK, or DRIVER_OK where a driver
 * knows no FEATURES_OK (virtio 1.2, 3.1.1 and 3.1.2). */
gboolean virtio_pci_features_open(VirtioPci *device);
/* Whether a ring can have @size entries: a packed one has any number (virtio 1.2, 2.8.10.1), a
 * split one a power of two (2.7). */
gboolean virtio_pci_size_fits(VirtioPci *device, unsigned size);
/* The driver writes device status through the modern interface. */
void virtio_pci_set_status(VirtioPci *device, uint8_t value);
/* The driver resets the device and goes on when it has stopped: the VM lock may be released. */
void virtio_pci_driver_reset(VirtioPci *device);
/* The machine resets: nothing waits. */
void virtio_pci_machine_reset(PciDevice *device);
/* The driver enables @queue. */
void virtio_pci_enable_queue(VirtioPci *device, VirtQueue *queue);
/* The driver resets queue @index (4.1.4.3.1): the VM lock may be released. */
void virtio_pci_reset_queue(VirtioPci *device, unsigned index);
/* The queue ends; its registers are as after reset.  FALSE if the device was reset meanwhile: the
 * VM lock may be released. */
gboolean virtio_pci_end_queue(VirtioPci *device, VirtQueue *queue);
/* Registers of @queue as they are after reset. */
void virtio_pci_clear_queue(VirtQueue *queue);
/* Brings device->run_state into action. */
void virtio_pci_watch_run_state(VirtioPci *device);
/* Ends every watch and forgets resets that wait. */
void virtio_pci_end(VirtioPci *device);

/* --- virtio-pci-notify.c --- */

/* Bytes from one doorbell to the next, of all of them, and of the modern BAR. */
uint32_t virtio_pci_notify_multiplier(VirtioPci *device);
uint32_t virtio_pci_notify_size(VirtioPci *device);
uint32_t virtio_pci_modern_size(VirtioPci *device);
/* An aligned store at @offset of the doorbells that came to us. */
void virtio_pci_notify(VirtioPci *device, uint32_t offset, uint32_t value, unsigned size);
/* Stores to the doorbells in @region, the modern BAR, signal the queues' event fds. */
void virtio_pci_add_doorbells(VirtioPci *device, IoRegion *region);

/* --- virtio-pci-interrupts.c --- */

/* Reads the ISR byte, which clears it and lowers INTA. */
uint8_t virtio_pci_take_isr(VirtioPci *device);
void virtio_pci_notify_config(VirtioPci *device);
/* Signals of the call event fds are interrupts from now on; what came earlier is delivered too. */
void virtio_pci_watch_calls(VirtioPci *device);
void virtio_pci_unwatch_calls(VirtioPci *device);
/* The driver chose another vector for @queue. */
void virtio_pci_set_queue_vector(VirtioPci *device, VirtQueue *queue, uint16_t vector);
/* PciDeviceClass.vector_changed. */
void virtio_pci_vector_changed(PciDevice *device, unsigned vector);
/* A vector as the driver writes it: VIRTIO_NO_VECTOR for one that is not there (4.1.5.1.2). */
uint16_t virtio_pci_valid_vector(VirtioPci *device, uint16_t vector);

/* --- virtio-pci-common.c, virtio-pci-legacy.c, virtio-pci-config.c --- */

uint32_t virtio_pci_common_read(VirtioPci *device, unsigned offset, unsigned size);
void virtio_pci_common_write(VirtioPci *device, unsigned offset, uint32_t value, unsigned size);

/* Makes the legacy BAR. */
void virtio_pci_legacy_setup(VirtioPci *device);

/* The device's own configuration; zeros where it has none. @size 1, 2 or 4. */
uint32_t virtio_pci_device_config_read(VirtioPci *device, uint32_t offset, unsigned size);
void virtio_pci_device_config_write(VirtioPci *device, uint32_t offset, uint32_t value,
                                    unsigned size);

/* Accesses to the modern BAR; also those through the window in configuration space. */
uint32_t virtio_pci_modern_read(VirtioPci *device, unsigned offset, unsigned size);
void virtio_pci_modern_write(VirtioPci *device, unsigned offset, uint32_t value, unsigned size);

/* Capabilities, those of @modern structures among them, and what guests do through them. */
gboolean virtio_pci_add_capabilities(VirtioPci *device, gboolean modern, GError **error);
void virtio_pci_config_space_read(PciDevice *device, unsigned offset, unsigned size);
void virtio_pci_config_space_written(PciDevice *device, unsigned offset, unsigned size);

#endif
