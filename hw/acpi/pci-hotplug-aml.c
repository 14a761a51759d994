/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest's interpreter does with the PCI hot-plug controller (pci-hotplug.c). */
#include "tables.h"

#define FIRST_SLOT 2u /* those before hold the bridges */
#define NOTIFY_DEVICE_CHECK 1u
#define NOTIFY_EJECT_REQUEST 3u

static char *slot_name(unsigned slot)
{
    return g_strdup_printf("S%02X", slot);
}

static void write_slot(Aml *aml, unsigned slot)
{
    g_autofree char *name = slot_name(slot);

    aml_device(aml, name);
    aml_name(aml, "_ADR");
    aml_integer(aml, (uint64_t)slot << 16);
    aml_name(aml, "_SUN");
    aml_integer(aml, slot);
    aml_method(aml, "_EJ0", 1, FALSE);
    aml_operator(aml, AML_STORE);
    aml_integer(aml, UINT64_C(1) << slot);
    aml_reference(aml, "PCEJ");
    aml_end(aml);
    aml_end(aml);
}

/* PCNT(slots, event): notifies each slot whose bit is set. */
static void write_notify(Aml *aml)
{
    aml_method(aml, "PCNT", 2, FALSE);
    for (unsigned slot = FIRST_SLOT; slot < PCI_SLOT_COUNT; slot++) {
        g_autofree char *name = slot_name(slot);
        aml_if(aml);
        aml_operator(aml, AML_AND);
        aml_argument(aml, 0);
        aml_integer(aml, UINT64_C(1) << slot);
        aml_no_target(aml);
        aml_operator(aml, AML_NOTIFY);
        aml_reference(aml, name);
        aml_argument(aml, 1);
        aml_end(aml);
    }
    aml_end(aml);
}

void acpi_pci_hotplug_write_slots(Aml *aml)
{
    aml_region(aml, "PCHP", AML_SYSTEM_IO, ACPI_PCI_BASE, 12);
    aml_field(aml, "PCHP", AML_DWORD_ACCESS);
    aml_field_unit(aml, "PCUP", 32);
    aml_field_unit(aml, "PCDN", 32);
    aml_field_unit(aml, "PCEJ", 32);
    aml_end(aml);
    for (unsigned slot = FIRST_SLOT; slot < PCI_SLOT_COUNT; slot++) {
        write_slot(aml, slot);
    }
    write_notify(aml);
}

static void write_call(Aml *aml, const char *slots, unsigned event)
{
    aml_reference(aml, "\\_SB.PCI0.PCNT");
    aml_reference(aml, slots);
    aml_integer(aml, event);
}

void acpi_pci_hotplug_write_event(Aml *aml)
{
    G_STATIC_ASSERT(ACPI_GPE_PCI == 1);
    aml_method(aml, "_E01", 0, FALSE);
    write_call(aml, "\\_SB.PCI0.PCUP", NOTIFY_DEVICE_CHECK);
    write_call(aml, "\\_SB.PCI0.PCDN", NOTIFY_EJECT_REQUEST);
    aml_end(aml);
}
