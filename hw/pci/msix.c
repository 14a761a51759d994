/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI-X (PCI 3.0, 6.8.2): table, pending bits and capability of a function.  A message that
 * cannot go out, since its vector or the function is masked or is no bus master, stays pending.
 */
#include "pci-internal.h"
#include "util/error.h"
#include "util/trace.h"

TRACE_EVENT(msix_send, "an MSI-X message goes to the guest");
TRACE_EVENT(msix_pend, "an MSI-X message waits, because it is masked");

#define CONTROL_TABLE_SIZE 0x7ff /* 6.8.2.3: bits of message control */
#define CONTROL_FUNCTION_MASK 0x4000
#define CONTROL_ENABLE 0x8000
#define ENTRY_MASKED 0x1 /* 6.8.2.9: bit of vector control */

#define PENDING_BITS 32 /* in a word of the pending bit array */

typedef struct MsixEntry {
    uint32_t address_low, address_high, data, control;
} MsixEntry;

struct Msix {
    PciDevice *device;
    unsigned vectors;
    unsigned capability; /* its offset */
    uint32_t table_offset, pending_offset;
    uint32_t *table;   /* MsixEntry after MsixEntry, as the guest sees it */
    uint32_t *pending; /* bit n of word n / 32: vector n */
    gboolean sending;  /* can_send(), as the device was told */
};

static uint16_t control(const Msix *msix)
{
    return pci_config_word(msix->device, msix->capability + PCI_MSIX_FLAGS);
}

static MsixEntry *entry(Msix *msix, unsigned vector)
{
    return (MsixEntry *)msix->table + vector;
}

static unsigned pending_words(const Msix *msix)
{
    /* The array is made of quadwords (6.8.2.10). */
    return (msix->vectors + 63) / 64 * 2;
}

/* --- delivery --- */

static gboolean can_send(const Msix *msix)
{
    return (control(msix) & (CONTROL_ENABLE | CONTROL_FUNCTION_MASK)) == CONTROL_ENABLE &&
           pci_device_bus_master(msix->device) && msix->device->visible;
}

gboolean msix_message(PciDevice *device, unsigned vector, uint64_t *address, uint32_t *data)
{
    Msix *msix = device->msix;

    if (!msix || vector >= msix->vectors || !can_send(msix) ||
        (entry(msix, vector)->control & ENTRY_MASKED)) {
        return FALSE;
    }
    *address = (uint64_t)entry(msix, vector)->address_high << 32 |
               (entry(msix, vector)->address_low & ~3u);
    *data = entry(msix, vector)->data;
    return TRUE;
}

static void deliver(Msix *msix, unsigned vector)
{
    uint32_t bit = 1u << (vector % PENDING_BITS);
    uint64_t address;
    uint32_t data;

    if (!msix_message(msix->device, vector, &address, &data)) {
        msix->pending[vector / PENDING_BITS] |= bit;
        trace(msix_pend, "device %s vector %u", pci_device_name(msix->device), vector);
        return;
    }
    msix->pending[vector / PENDING_BITS] &= ~bit;
    trace(msix_send, "device %s vector %u", pci_device_name(msix->device), vector);
    irq_send_msi(address, data);
}

static void deliver_pending(Msix *msix)
{
    if (!can_send(msix)) {
        return;
    }
    for (unsigned word = 0; word < pending_words(msix); word++) {
        for (uint32_t bits = msix->pending[word]; bits; bits &= bits - 1) {
            deliver(msix, word * PENDING_BITS + __builtin_ctz(bits));
        }
    }
}

static void tell_device(Msix *msix, unsigned vector)
{
    PciDeviceClass *class = PCI_DEVICE_GET_CLASS(msix->device);

    if (class->vector_changed) {
        class->vector_changed(msix->device, vector);
    }
}

static void tell_device_of_all(Msix *msix)
{
    msix->sending = can_send(msix);
    for (unsigned vector = 0; vector < msix->vectors; vector++) {
        tell_device(msix, vector);
    }
}

void msix_config_written(PciDevice *device)
{
    Msix *msix = device->msix;

    deliver_pending(msix);
    if (msix->sending != can_send(msix)) {
        tell_device_of_all(msix);
    }
}

void msix_notify(PciDevice *device, unsigned vector)
{
    Msix *msix = device->msix;

    if (msix && vector < msix->vectors && (control(msix) & CONTROL_ENABLE)) {
        deliver(msix, vector);
    }
}

gboolean msix_enabled(PciDevice *device)
{
    return device->msix && (control(device->msix) & CONTROL_ENABLE);
}

unsigned msix_vectors(PciDevice *device)
{
    return device->msix ? device->msix->vectors : 0;
}

/* --- the guest's accesses, 4 bytes each --- */

static uint64_t msix_read(gpointer opaque, uint64_t offset, unsigned size G_GNUC_UNUSED)
{
    Msix *msix = opaque;

    if (offset >= msix->table_offset &&
        offset < msix->table_offset + msix->vectors * sizeof(MsixEntry)) {
        return msix->table[(offset - msix->table_offset) / 4];
    }
    if (offset >= msix->pending_offset && offset < msix->pending_offset + pending_words(msix) * 4) {
        return msix->pending[(offset - msix->pending_offset) / 4];
    }
    return 0;
}

static void msix_write(gpointer opaque, uint64_t offset, uint64_t value,
                       unsigned size G_GNUC_UNUSED)
{
    Msix *msix = opaque;
    unsigned vector;

    if (offset < msix->table_offset ||
        offset >= msix->table_offset + msix->vectors * sizeof(MsixEntry)) {
        return; /* pending bits are read-only */
    }
    msix->table[(offset - msix->table_offset) / 4] = value;
    vector = (offset - msix->table_offset) / sizeof(MsixEntry);
    if (msix->pending[vector / PENDING_BITS] & (1u << (vector % PENDING_BITS))) {
        deliver(msix, vector);
    }
    tell_device(msix, vector);
}

/* Software must access whole doublewords or quadwords (6.8.2). */
static const IoOps msix_ops = {
    .read = msix_read,
    .write = msix_write,
    .min_access = 4,
    .max_access = 4,
};

/* --- life --- */

gboolean msix_init(PciDevice *device, unsigned vectors, unsigned bar, uint32_t table_offset,
                   uint32_t pba_offset, uint64_t bar_size, GError **error)
{
    unsigned capability;
    Msix *msix;

    if (vectors < 1 || vectors > CONTROL_TABLE_SIZE + 1) {
        vm_error_set(error, "device '%s': %u MSI-X vectors are not possible; 1 to %u are",
                     pci_device_name(device), vectors, CONTROL_TABLE_SIZE + 1);
        return FALSE;
    }
    capability = pci_device_add_capability(device, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF);
    if (!capability) {
        vm_error_set(error, "device '%s': no room for the MSI-X capability",
                     pci_device_name(device));
        return FALSE;
    }
    pci_device_set_word(device, capability + PCI_MSIX_FLAGS, vectors - 1);
    pci_device_set_long(device, capability + PCI_MSIX_TABLE, table_offset | bar);
    pci_device_set_long(device, capability + PCI_MSIX_PBA, pba_offset | bar);
    device->writable[capability + PCI_MSIX_FLAGS + 1] =
        (CONTROL_ENABLE | CONTROL_FUNCTION_MASK) >> 8;

    msix = g_new0(Msix, 1);
    msix->device = device;
    msix->vectors = vectors;
    msix->capability = capability;
    msix->table_offset = table_offset;
    msix->pending_offset = pba_offset;
    msix->table = (uint32_t *)g_new0(MsixEntry, vectors);
    msix->pending = g_new0(uint32_t, pending_words(msix));
    device->msix = msix;
    pci_device_add_bar(device, bar, PCI_BASE_ADDRESS_SPACE_MEMORY,
                       io_region_new(G_OBJECT(device), "msix", &msix_ops, msix, bar_size),
                       bar_size);
    msix_reset(device);
    return TRUE;
}

void msix_free(PciDevice *device)
{
    Msix *msix = g_steal_pointer(&device->msix);

    if (msix) {
        g_free(msix->table);
        g_free(msix->pending);
        g_free(msix);
    }
}

void msix_reset(PciDevice *device)
{
    Msix *msix = device->msix;

    if (!msix) {
        return;
    }
    device->config[msix->capability + PCI_MSIX_FLAGS + 1] &=
        ~((CONTROL_ENABLE | CONTROL_FUNCTION_MASK) >> 8);
    memset(msix->table, 0, msix->vectors * sizeof(MsixEntry));
    memset(msix->pending, 0, pending_words(msix) * sizeof(uint32_t));
    for (unsigned vector = 0; vector < msix->vectors; vector++) {
        entry(msix, vector)->control = ENTRY_MASKED; /* 6.8.2.9: state after reset */
    }
    tell_device_of_all(msix);
}
