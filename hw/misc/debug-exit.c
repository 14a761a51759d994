/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * isa-debug-exit: a port with which a test program in the guest ends the machine.  What it writes
 * becomes the exit status, (value << 1) | 1, which is never that of a success.
 */
#include "hw/core/device.h"
#include "system/memory.h"
#include "system/run-state.h"

#define PORT_DEFAULT 0x501
#define PORTS_DEFAULT 2

typedef struct DebugExit {
    Device parent;
    IoRegion *region;
    uint32_t port, ports;
} DebugExit;

typedef struct DebugExitClass {
    DeviceClass parent;
} DebugExitClass;

VM_DECLARE_TYPE(DebugExit, debug_exit, DEBUG_EXIT)

static void write_port(gpointer opaque G_GNUC_UNUSED, uint64_t offset G_GNUC_UNUSED, uint64_t value,
                       unsigned size G_GNUC_UNUSED)
{
    run_state_request_shutdown_with_status(SHUTDOWN_CAUSE_GUEST_SHUTDOWN,
                                           (int)(value << 1 & 0xff) | 1);
}

static const IoOps debug_exit_ops = {.write = write_port, .max_access = 4};

static DeviceProgress debug_exit_realize(Device *device, GError **error)
{
    DebugExit *exit = DEBUG_EXIT(device);

    if (!device_check_ports(device, "iobase", exit->port, exit->ports, "iobase=", error)) {
        return DEVICE_FAILED;
    }
    exit->region =
        io_region_new(G_OBJECT(device), "isa-debug-exit", &debug_exit_ops, exit, exit->ports);
    io_region_map(exit->region, ADDRESS_SPACE_IO, exit->port);
    return DEVICE_DONE;
}

static DeviceProgress debug_exit_unrealize(Device *device)
{
    g_clear_pointer(&DEBUG_EXIT(device)->region, io_region_free);
    return DEVICE_DONE;
}

static const VmField debug_exit_fields[] = {
    {.name = "iobase",
     .doc = "first port",
     .kind = VM_FIELD_UINT32,
     .offset = offsetof(DebugExit, port),
     .default_value = PORT_DEFAULT,
     .maximum = 0xffff},
    {.name = "iosize",
     .doc = "how many ports",
     .kind = VM_FIELD_UINT32,
     .offset = offsetof(DebugExit, ports),
     .default_value = PORTS_DEFAULT,
     .minimum = 1,
     .maximum = 0x10000},
    {.name = NULL},
};

static void debug_exit_init(DebugExit *exit G_GNUC_UNUSED)
{
}

static void debug_exit_class_init(DebugExitClass *class)
{
    VM_OBJECT_CLASS(class)->description = "port that ends the machine with an exit status";
    DEVICE_CLASS(class)->category = "misc";
    DEVICE_CLASS(class)->bus = "ISA";
    DEVICE_CLASS(class)->user_creatable = TRUE;
    DEVICE_CLASS(class)->realize = debug_exit_realize;
    DEVICE_CLASS(class)->unrealize = debug_exit_unrealize;
    vm_object_class_install_fields(class, debug_exit_fields);
}

VM_DEFINE_TYPE("isa-debug-exit", DebugExit, DebugExitClass, debug_exit, TYPE_DEVICE, 0);
