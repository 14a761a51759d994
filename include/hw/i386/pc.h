/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The "pc" machine: guest-physical layout that others may need to know. */
#ifndef HW_I386_PC_H
#define HW_I386_PC_H

#include "hw/core/machine.h"

#define PC_HOLE_BASE UINT64_C(0xc0000000)  /* RAM below ends here: devices and firmware follow */
#define PC_HIGH_BASE UINT64_C(0x100000000) /* RAM that did not fit below goes on here */

#define TYPE_PC_MACHINE (pc_machine_get_type())
GType pc_machine_get_type(void);

#endif
