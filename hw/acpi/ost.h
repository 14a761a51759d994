/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest's operating system says about a memory device (_OST, ACPI 6.4, 6.3.5). */
#ifndef HW_ACPI_OST_H
#define HW_ACPI_OST_H

#include "hw/mem/memory-device.h"

#include <json-c/json.h>

typedef struct AcpiOst {
    uint32_t event;
    uint32_t status;
} AcpiOst;

/*
 * Tells QMP's clients what @ost says about @slot, and @device (NULL: gone already) if it says that
 * the unplug was refused.  TRUE if it does.  Any thread with the VM lock.
 */
gboolean acpi_ost_report(uint32_t slot, Device *device, const AcpiOst *ost);

/* The member "info" of ACPI_DEVICE_OST.  New reference. */
json_object *acpi_ost_info(uint32_t slot, Device *device, const AcpiOst *ost);

/* query-acpi-ospm-status: one element a slot with memory.  New reference. */
json_object *acpi_memory_hotplug_status(void);

#endif
