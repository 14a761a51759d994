/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "pc-dimm": a piece of memory that can be plugged.  VM lock held. */
#ifndef HW_MEM_PC_DIMM_H
#define HW_MEM_PC_DIMM_H

#include "backends/host-memory.h"
#include "hw/mem/memory-device.h"

typedef struct PcDimm {
    Device parent;
    HostMemory *memory; /* property "memdev" */
    uint64_t address;   /* property "addr": 0 before realize is the lowest free one */
    int32_t slot;  /* property; MEMORY_DEVICE_SLOT_AUTO before realize is the lowest free one */
    uint32_t node; /* property: proximity domain */
    MemoryDevice *reservation; /* NULL: not realized */
} PcDimm;

typedef DeviceClass PcDimmClass;

#define TYPE_PC_DIMM (pc_dimm_get_type())
VM_DECLARE_TYPE(PcDimm, pc_dimm, PC_DIMM)

#endif
