/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Properties of every virtio-pci device: which interfaces it has, and which features of rings and
 * transport (virtio 1.2, 6) a driver may be offered.  Names are those of QEMU's users; what
 * cannot be had is refused by its name.
 */
#include "util/error.h"
#include "virtio-pci-internal.h"

#include <linux/virtio_ring.h>

#define AUTO_NAMES                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        "auto", "on", "off", NULL                                                                  \
    }
enum { AUTO, ON, OFF };

/* Off takes the feature away; on leaves it to the backend to offer it. */
static const struct {
    gsize offset;
    unsigned bit;
} switches[] = {
    {offsetof(VirtioPci, options.notify_on_empty), VIRTIO_F_NOTIFY_ON_EMPTY},
    {offsetof(VirtioPci, options.any_layout), VIRTIO_F_ANY_LAYOUT},
    {offsetof(VirtioPci, options.indirect_desc), VIRTIO_RING_F_INDIRECT_DESC},
    {offsetof(VirtioPci, options.event_idx), VIRTIO_RING_F_EVENT_IDX},
    {offsetof(VirtioPci, options.packed), VIRTIO_F_RING_PACKED},
    {offsetof(VirtioPci, options.in_order), VIRTIO_F_IN_ORDER},
    {offsetof(VirtioPci, options.queue_reset), VIRTIO_PCI_F_RING_RESET},
};

static const struct {
    gsize offset;
    gboolean possible; /* value */
    const char *name, *reason;
} refused[] = {
    {offsetof(VirtioPci, options.iommu_platform), FALSE, "iommu_platform",
     "the machine has no IOMMU"},
    {offsetof(VirtioPci, options.ats), FALSE, "ats", "the machine has no IOMMU"},
    {offsetof(VirtioPci, options.modern_pio_notify), FALSE, "modern-pio-notify",
     "notifications go through memory"},
    {offsetof(VirtioPci, options.ioeventfd), TRUE, "ioeventfd",
     "a queue's notifications are an event fd of the backend's"},
};

#define SWITCH(name_, member, doc_, default_)                                                      \
    {                                                                                              \
        .name = (name_), .doc = (doc_), .kind = VM_FIELD_BOOL,                                     \
        .offset = offsetof(VirtioPci, options.member), .default_value = (default_)                 \
    }

const VmField virtio_pci_fields[] = {
    {.name = "vectors",
     .doc = "MSI-X vectors, 0 for none, 4294967295 for one a queue and one for the configuration",
     .kind = VM_FIELD_UINT32,
     .offset = offsetof(VirtioPci, vectors),
     .default_value = VIRTIO_VECTORS_UNSPECIFIED},
    {.name = "disable-legacy",
     .doc = "no interface for drivers from before virtio 1.0; auto: by the type",
     .kind = VM_FIELD_ENUM,
     .offset = offsetof(VirtioPci, options.disable_legacy),
     .names = AUTO_NAMES},
    SWITCH("disable-modern", disable_modern, "only that interface", FALSE),
    SWITCH("event_idx", event_idx, "offer VIRTIO_F_EVENT_IDX if the backend does", TRUE),
    SWITCH("indirect_desc", indirect_desc, "offer VIRTIO_F_INDIRECT_DESC if the backend does",
           TRUE),
    SWITCH("packed", packed, "offer VIRTIO_F_RING_PACKED if the backend does", TRUE),
    SWITCH("in_order", in_order, "offer VIRTIO_F_IN_ORDER if the backend does", TRUE),
    SWITCH("queue_reset", queue_reset, "offer VIRTIO_F_RING_RESET if the backend does", TRUE),
    SWITCH("notify_on_empty", notify_on_empty, "offer VIRTIO_F_NOTIFY_ON_EMPTY if the backend does",
           TRUE),
    SWITCH("any_layout", any_layout, "offer VIRTIO_F_ANY_LAYOUT if the backend does", TRUE),
    SWITCH("iommu_platform", iommu_platform, "only off is possible", FALSE),
    SWITCH("ats", ats, "only off is possible", FALSE),
    SWITCH("page-per-vq", page_per_vq,
           "a page for each queue's notifications, so that a backend can put its own there", FALSE),
    SWITCH("modern-pio-notify", modern_pio_notify, "only off is possible", FALSE),
    SWITCH("ioeventfd", ioeventfd, "only on is possible", TRUE),
    {.name = NULL},
};

static gboolean option_of(VirtioPci *device, gsize offset)
{
    return G_STRUCT_MEMBER(gboolean, device, offset);
}

uint64_t virtio_pci_permitted_features(VirtioPci *device)
{
    uint64_t features = ~UINT64_C(0);

    for (gsize i = 0; i < G_N_ELEMENTS(switches); i++) {
        if (!option_of(device, switches[i].offset)) {
            features &= ~(UINT64_C(1) << switches[i].bit);
        }
    }
    if (device->options.disable_modern) {
        features &= ~(UINT64_C(1) << VIRTIO_F_VERSION_1);
    }
    return features;
}

gboolean virtio_pci_has_legacy(VirtioPci *device)
{
    return virtio_pci_legacy_id(device) != 0 && device->options.disable_legacy != ON;
}

gboolean virtio_pci_check_options(VirtioPci *device, GError **error)
{
    const char *name = pci_device_name(PCI_DEVICE(device));

    for (gsize i = 0; i < G_N_ELEMENTS(refused); i++) {
        gboolean possible = refused[i].possible;

        if (option_of(device, refused[i].offset) != possible) {
            vm_error_set(error, "device '%s': %s=%s is not possible: %s; leave it %s", name,
                         refused[i].name, possible ? "off" : "on", refused[i].reason,
                         possible ? "on" : "off");
            return FALSE;
        }
    }
    if (device->options.disable_legacy == OFF && virtio_pci_legacy_id(device) == 0) {
        vm_error_set(error,
                     "device '%s': disable-legacy=off is not possible: a %s has no legacy "
                     "interface; use auto or on",
                     name, G_OBJECT_TYPE_NAME(device));
        return FALSE;
    }
    if (device->options.disable_modern && !virtio_pci_has_legacy(device)) {
        vm_error_set(error,
                     "device '%s': disable-modern=on leaves no interface, since there is no legacy "
                     "one; use disable-modern=off",
                     name);
        return FALSE;
    }
    return TRUE;
}
