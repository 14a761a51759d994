/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Offsets in the register block of the memory hot-plug controller: for the controller and its AML.
 */
#ifndef HW_ACPI_MEMORY_HOTPLUG_REGISTERS_H
#define HW_ACPI_MEMORY_HOTPLUG_REGISTERS_H

/* READ_FLAGS */
enum {
    FLAG_ENABLED = 1 << 0,
    FLAG_INSERTING = 1 << 1,
    FLAG_REMOVING = 1 << 2,
};

enum {
    READ_ADDRESS_LOW = 0x00,
    READ_ADDRESS_HIGH = 0x04,
    READ_SIZE_LOW = 0x08,
    READ_SIZE_HIGH = 0x0c,
    READ_NODE = 0x10,
    READ_FLAGS = 0x14,
    READ_NEXT = 0x18,
    READ_PRESENT = 0x1c,
    WRITE_SELECT = 0x00,
    WRITE_OST_EVENT = 0x04,
    WRITE_OST_STATUS = 0x08,
    WRITE_CONTROL = 0x14,
    MEMORY_BLOCK_SIZE = 0x20,
};

#endif
