/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ACPI controllers of the pc machine as one: their interrupt, reset and life. */
#include "acpi-internal.h"
#include "system/main-loop.h"
#include "system/run-state.h"

static IrqSource *sci;

void acpi_sci_update(void)
{
    irq_source_set(sci, acpi_pm_event_pending() || acpi_gpe_event_pending());
}

static void eject_posted(gpointer opaque)
{
    g_autoptr(VmObject) device = opaque;

    device_unplug(DEVICE(device));
}

void acpi_eject(Device *device)
{
    main_loop_post(eject_posted, g_object_ref(VM_OBJECT(device)));
}

static void acpi_reset(gpointer opaque G_GNUC_UNUSED)
{
    acpi_pm_reset();
    acpi_gpe_reset();
    acpi_pci_hotplug_reset();
    acpi_memory_hotplug_reset();
    acpi_sci_update();
}

void acpi_init(PciBus *bus)
{
    sci = irq_source_new(ACPI_SCI_LINE);
    acpi_pm_init();
    acpi_gpe_init();
    acpi_pci_hotplug_init(bus);
    acpi_memory_hotplug_init();
    acpi_reset(NULL);
    run_state_reset_handler_add(acpi_reset, NULL);
}

void acpi_free(void)
{
    if (!sci) {
        return;
    }
    run_state_reset_handler_remove(acpi_reset, NULL);
    acpi_memory_hotplug_free();
    acpi_pci_hotplug_free();
    acpi_gpe_free();
    acpi_pm_free();
    g_clear_pointer(&sci, irq_source_free);
}
