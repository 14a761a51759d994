/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory devices of a machine: which slot numbers and guest addresses are
 * free, who has which.  Both are found in O(log n).  VM lock held.
 */
#ifndef HW_MEM_MEMORY_DEVICE_H
#define HW_MEM_MEMORY_DEVICE_H

#include "hw/core/device.h"

typedef struct MemoryDevice {
    Device *device; /* borrowed */
    uint32_t slot;
    uint64_t address; /* guest physical, bytes */
    uint64_t size;    /* bytes */
    uint32_t node;    /* proximity domain */
} MemoryDevice;

/*
 * The hot-plug area of the machine: [@base, @base + @size), in which at most @maximum bytes of
 * memory find a place (the rest is room for alignment), in @slots pieces.  @slots 0: no area.
 */
void memory_device_area_set(uint64_t base, uint64_t size, uint64_t maximum, uint32_t slots);
/* Takes the area away; no device may be left. */
void memory_device_area_clear(void);
/* Base and size as they were set; size 0 without an area or slots. */
void memory_device_area_get(uint64_t *base, uint64_t *size);
/* How many slots the area has, 0 without one. */
uint64_t memory_device_slots(void);

#define MEMORY_DEVICE_SLOT_AUTO (-1)

/*
 * Reserves a slot and an address for @device: @slot a number or
 * MEMORY_DEVICE_SLOT_AUTO (the lowest free one), @address 0 for the lowest free range that is
 * aligned to
 * @alignment.  Errors begin with @name ("device 'd0'") and say what is full, taken,
 * misaligned or outside of what.  Borrowed until memory_device_release().
 */
MemoryDevice *memory_device_reserve(Device *device, const char *name, int64_t slot,
                                    uint64_t address, uint64_t size, uint64_t alignment,
                                    uint32_t node, GError **error);
void memory_device_release(MemoryDevice *memory);

MemoryDevice *memory_device_by_slot(uint32_t slot); /* NULL: free */
/* In order of address. */
void memory_device_foreach(void (*visit)(MemoryDevice *memory, gpointer opaque), gpointer opaque);
guint memory_device_count(void);
uint64_t memory_device_total(void); /* bytes */

/* Guest notification: the ACPI controller sets this. */
typedef struct MemoryDeviceOps {
    void (*plugged)(MemoryDevice *memory, gpointer opaque);
    gboolean (*unplug_request)(MemoryDevice *memory, gpointer opaque, GError **error);
    void (*unplugged)(MemoryDevice *memory, gpointer opaque);
    gpointer opaque;
} MemoryDeviceOps;
void memory_device_set_ops(const MemoryDeviceOps *ops);
const MemoryDeviceOps *memory_device_ops(void); /* never NULL; hooks may be */

#endif
