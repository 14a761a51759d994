/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio over PCI (virtio 1.2, 4.1): the transport between the guest's driver and a device type.
 * It knows status, features, queues, vectors, configuration accesses; nothing of vhost-user.
 * VM lock held.
 */
#ifndef HW_VIRTIO_VIRTIO_PCI_H
#define HW_VIRTIO_VIRTIO_PCI_H

#include "hw/pci/pci.h"
#include "system/run-state.h"

#define VIRTIO_QUEUE_MAX 1024
#define VIRTIO_NO_VECTOR 0xffff
#define VIRTIO_NOTIFY_PAGE 0x1000 /* bytes of a doorbell that has a page to itself */

typedef struct VirtQueue {
    uint16_t index;
    uint16_t max_size; /* descriptors; the guest may choose less */
    uint16_t size;
    uint16_t vector; /* VIRTIO_NO_VECTOR: none */
    gboolean enabled;
    gboolean resetting;   /* VIRTIO_F_RING_RESET under way */
    uint32_t legacy_page; /* private: queue address of the legacy interface, only read back */
    uint64_t descriptor_area, driver_area, device_area; /* guest physical */
    int kick;          /* event fd: guest to device; exists as long as the device */
    int call;          /* event fd: device to guest */
    guint call_watch;  /* private: it is polled here in software */
    guint kick_watch;  /* for the device type: kick is looked at in this process; 0: it is not */
    IrqRoute *route;   /* private: it becomes a message without us; NULL: cannot */
    void *notify_page; /* private: VIRTIO_NOTIFY_PAGE bytes in place of the doorbell, or NULL */
} VirtQueue;

typedef struct VirtioPci VirtioPci;

/* Properties, see virtio-pci-options.c. */
typedef struct VirtioPciOptions {
    int disable_legacy;
    gboolean disable_modern;
    gboolean event_idx, indirect_desc, packed, in_order, queue_reset, notify_on_empty, any_layout;
    gboolean iommu_platform, ats, page_per_vq, modern_pio_notify, ioeventfd;
} VirtioPciOptions;

struct VirtioPci {
    PciDevice parent;
    uint32_t
        vectors; /* property: MSI-X vectors; DEV_NVECTORS_UNSPECIFIED (0xffffffff): queues + 1 */
    VirtioPciOptions options; /* properties */
    uint32_t vector_limit;    /* private: what was made of it */
    uint16_t virtio_id;       /* 0: the class's; before setup */
    uint32_t config_size;     /* bytes of device configuration that are there; before setup */
    uint64_t device_features; /* offered; set by virtio_pci_setup() */
    uint64_t driver_features; /* chosen by the driver */
    uint8_t status;           /* virtio 1.2, 2.1 */
    uint8_t isr;
    uint8_t config_generation;
    uint16_t config_vector;
    uint32_t feature_select[2]; /* device, driver */
    uint16_t queue_select;
    GArray *queues;             /* of VirtQueue */
    gboolean started;           /* start() was called and stop() was not */
    gboolean pausing;           /* stop() is called because the machine pauses: the hook may hold */
    gboolean set_up;            /* private: between setup and teardown */
    gboolean calls_wanted;      /* private: signals of call event fds are interrupts */
    gboolean resetting;         /* private: a driver's reset waits for the queues to stop */
    guint reset_epoch;          /* private: tells a reset from a later one */
    uint8_t window;             /* private: offset of the VIRTIO_PCI_CAP_PCI_CFG capability */
    uint8_t function_reset;     /* private: offset of the Advanced Features capability */
    gboolean driver_reported;   /* private: a warning about the driver was given */
    gboolean legacy_driver;     /* private: DRIVER_OK came through the legacy interface */
    RunStateListener run_state; /* private */
};

typedef struct VirtioPciClass {
    PciDeviceClass parent;
    uint16_t virtio_id;    /* virtio 1.2, 5 */
    gboolean transitional; /* legacy I/O BAR and transitional PCI id exist for this type */
    /*
     * DRIVER_OK while the machine runs, or the machine continues: the queues run from now on.
     * Returns at once; trouble makes the device broken later.
     */
    void (*start)(VirtioPci *device);
    /*
     * Queues stop.  @wait: the driver expects that they have stopped when it goes on; the hook then
     * waits with the VM lock released, at most for the deadline.  Without it
     * the work is only begun; if device->pausing is set, run_state_stop_hold() may delay the end
     * of the pause until it has ended.  device->started is FALSE already.
     */
    void (*stop)(VirtioPci *device, gboolean wait);
    /* One queue (VIRTIO_F_RING_RESET, 2.6.1); may release the VM lock as stop does. */
    void (*queue_reset)(VirtioPci *device, VirtQueue *queue);
    void (*queue_enabled)(VirtioPci *device, VirtQueue *queue); /* after DRIVER_OK: re-enabled */
    /* Status written as 0: the device's own state goes back. stop came before. May be NULL. */
    void (*reset)(VirtioPci *device);
    /* FEATURES_OK is about to be set: FALSE refuses. May be NULL. */
    gboolean (*features_chosen)(VirtioPci *device);
    void (*config_read)(VirtioPci *device, uint32_t offset, void *bytes, uint32_t size);
    void (*config_write)(VirtioPci *device, uint32_t offset, const void *bytes, uint32_t size);
} VirtioPciClass;

#define TYPE_VIRTIO_PCI (virtio_pci_get_type())
VM_DECLARE_TYPE(VirtioPci, virtio_pci, VIRTIO_PCI)
#define VIRTIO_PCI_GET_CLASS(object)                                                               \
    (G_TYPE_INSTANCE_GET_CLASS((object), TYPE_VIRTIO_PCI, VirtioPciClass))
#define VIRTIO_PCI_CLASS(class) ((VirtioPciClass *)(class))

/* Whether the properties go together and can be had: to be asked before anything is begun. */
gboolean virtio_pci_check_options(VirtioPci *device, GError **error);
/* The feature bits that the properties do not take away. */
uint64_t virtio_pci_permitted_features(VirtioPci *device);
/* Whether drivers from before virtio 1.0 find their interface. */
gboolean virtio_pci_has_legacy(VirtioPci *device);

/*
 * The subtype knows its features, queues and configuration now (within its realize or when a
 * pending one completes): makes queues and event fds, BARs, capabilities and MSI-X.
 * Of @device_features those are offered that the properties permit; without VIRTIO_F_VERSION_1
 * there is the legacy interface alone.
 * @queue_sizes: of each queue, a power of two up to 32768.  Not yet visible to the guest:
 * pci_device_set_visible() is the subtype's to call.
 */
gboolean virtio_pci_setup(VirtioPci *device, uint64_t device_features, unsigned queues,
                          const uint16_t *queue_sizes, GError **error);
/* The reverse, for unrealize: call after the session has ended. */
void virtio_pci_teardown(VirtioPci *device);

/* Queue @index, borrowed until teardown, or NULL if there are fewer. */
VirtQueue *virtio_pci_queue(VirtioPci *device, unsigned index);
unsigned virtio_pci_queue_count(VirtioPci *device);
gboolean virtio_has_feature(VirtioPci *device, unsigned bit); /* negotiated */

/* Whether the doorbell of each queue has a page to itself (property page-per-vq). */
gboolean virtio_pci_has_page_per_queue(VirtioPci *device);
/*
 * From now on what a driver stores to the doorbell of queue @index goes to @page, a shared mapping
 * of VIRTIO_NOTIFY_PAGE bytes that the transport takes over, until the queue or the device stops.
 * FALSE, and @page stays the caller's, if the queue does not run, has a page, or cannot have one.
 */
gboolean virtio_pci_set_notify_page(VirtioPci *device, unsigned index, void *page);
/* It goes to the event fd again. */
void virtio_pci_remove_notify_page(VirtioPci *device, unsigned index);
void virtio_pci_remove_notify_pages(VirtioPci *device); /* of all queues */

/* The device's configuration changed: generation and interrupt (4.1.4.3, 4.1.5.3). */
void virtio_pci_config_changed(VirtioPci *device);

/* Sets DEVICE_NEEDS_RESET and tells the driver (2.1.2). */
void virtio_pci_set_broken(VirtioPci *device);
/*
 * The driver did what it must not do: marks the device broken, with one warning in the device's
 * life, or a guest could fill the log.
 */
void virtio_pci_driver_error(VirtioPci *device, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
