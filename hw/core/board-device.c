/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices of the board itself, and the ports that devices without a bus of addresses share. */
#include "hw/core/device.h"
#include "system/memory.h"
#include "util/error.h"

#include <inttypes.h>

#define PORTS 0x10000u

Device *device_add_on_board(GType type, const char *name, GError **error)
{
    g_autoptr(VmObject) device = vm_object_new(type, NULL, error);

    if (!device ||
        !vm_object_add_child(vm_object_container("machine/unattached"), name, device, error) ||
        !device_realize_now(DEVICE(device), error)) {
        return NULL;
    }
    return DEVICE(device); /* the tree has a reference */
}

gboolean device_check_ports(Device *device, const char *property, uint32_t first, uint32_t count,
                            const char *remedy, GError **error)
{
    g_autofree char *label = vm_object_label(VM_OBJECT(device));
    const char *taken;

    if (count > PORTS || first > PORTS - count) {
        vm_error_set(error,
                     "%s: %s=0x%" PRIx32 ": there are no %" PRIu32 " ports from there on, the last "
                     "port is 0x%x",
                     label, property, first, count, PORTS - 1);
        return FALSE;
    }
    taken = io_region_name_within(ADDRESS_SPACE_IO, first, count);
    if (taken && count == 1) {
        vm_error_set(error, "%s: %s=0x%" PRIx32 ": '%s' has this port; choose another with %s",
                     label, property, first, taken, remedy);
        return FALSE;
    }
    if (taken) {
        vm_error_set(error,
                     "%s: %s=0x%" PRIx32 ": '%s' has some of these %" PRIu32
                     " ports; choose others with %s",
                     label, property, first, taken, count, remedy);
        return FALSE;
    }
    return TRUE;
}
