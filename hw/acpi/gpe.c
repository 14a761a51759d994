/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * General-purpose event block 0 (ACPI 6.4, 4.8.4.1): two bytes of status, which a guest clears by
 * writing ones, and two of enable bits.
 */
#include "acpi-internal.h"
#include "util/trace.h"

#include <string.h>

TRACE_EVENT(acpi_gpe_raise, "a general-purpose event is raised");

enum { GPE_REGISTER_BYTES = 2, GPE_EVENTS = 8 * GPE_REGISTER_BYTES };

static struct {
    IoRegion *region;
    uint8_t status[GPE_REGISTER_BYTES];
    uint8_t enable[GPE_REGISTER_BYTES];
} gpe0;

static uint64_t gpe_read(gpointer opaque G_GNUC_UNUSED, uint64_t offset,
                         unsigned size G_GNUC_UNUSED)
{
    return offset < GPE_REGISTER_BYTES ? gpe0.status[offset]
                                       : gpe0.enable[offset - GPE_REGISTER_BYTES];
}

/*
 * A guest that starts clears all status before it enables events, and so events from before it
 * could know them.  What still waits says so again.
 */
static void set_waiting(unsigned byte)
{
    if (byte == 0) {
        gpe0.status[0] |= (acpi_pci_hotplug_waiting() ? 1u << ACPI_GPE_PCI : 0) |
                          (acpi_memory_hotplug_waiting() ? 1u << ACPI_GPE_MEMORY : 0);
    }
}

static void gpe_write(gpointer opaque G_GNUC_UNUSED, uint64_t offset, uint64_t value,
                      unsigned size G_GNUC_UNUSED)
{
    if (offset < GPE_REGISTER_BYTES) {
        gpe0.status[offset] &= ~value;
    } else {
        unsigned byte = offset - GPE_REGISTER_BYTES;
        gboolean more = value & ~(unsigned)gpe0.enable[byte];
        gpe0.enable[byte] = value;
        if (more) {
            set_waiting(byte);
        }
    }
    acpi_sci_update();
}

static const IoOps gpe_ops = {.read = gpe_read, .write = gpe_write, .max_access = 1};

gboolean acpi_gpe_event_pending(void)
{
    for (unsigned byte = 0; byte < GPE_REGISTER_BYTES; byte++) {
        if (gpe0.status[byte] & gpe0.enable[byte]) {
            return TRUE;
        }
    }
    return FALSE;
}

void acpi_gpe_raise(unsigned gpe)
{
    if (gpe >= GPE_EVENTS || !gpe0.region) {
        return;
    }
    trace(acpi_gpe_raise, "event %u", gpe);
    gpe0.status[gpe / 8] |= 1u << (gpe % 8);
    acpi_sci_update();
}

void acpi_gpe_reset(void)
{
    memset(gpe0.status, 0, sizeof(gpe0.status));
    memset(gpe0.enable, 0, sizeof(gpe0.enable));
}

void acpi_gpe_init(void)
{
    gpe0.region = io_region_new(NULL, "acpi-gpe0", &gpe_ops, NULL, 2 * GPE_REGISTER_BYTES);
    io_region_map(gpe0.region, ADDRESS_SPACE_IO, ACPI_GPE_BASE);
}

void acpi_gpe_free(void)
{
    g_clear_pointer(&gpe0.region, io_region_free);
}
