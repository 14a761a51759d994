/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts that acpi_init() puts together; each maps its own registers. */
#ifndef HW_ACPI_INTERNAL_H
#define HW_ACPI_INTERNAL_H

#include "hw/acpi/acpi.h"

/* A change of status or enable bits: the SCI is high while any enabled event is pending. */
void acpi_sci_update(void);

/* --- pm.c --- */
void acpi_pm_init(void);
void acpi_pm_free(void);
void acpi_pm_reset(void);
gboolean acpi_pm_event_pending(void);

/* --- gpe.c --- */
void acpi_gpe_init(void);
void acpi_gpe_free(void);
void acpi_gpe_reset(void);
gboolean acpi_gpe_event_pending(void);

/* --- pci-hotplug.c --- */
void acpi_pci_hotplug_init(PciBus *bus);
void acpi_pci_hotplug_free(void);
void acpi_pci_hotplug_reset(void);
gboolean acpi_pci_hotplug_waiting(void); /* an event has not been taken */

/* --- memory-hotplug.c --- */
void acpi_memory_hotplug_init(void);
void acpi_memory_hotplug_free(void);
void acpi_memory_hotplug_reset(void);
gboolean acpi_memory_hotplug_waiting(void);

/*
 * Unplugs @device in the main thread, soon: an eject comes in a vCPU's thread, and the events of
 * an unplug belong in the main one.
 */
void acpi_eject(Device *device);

#endif
