/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pvpanic: a port at which a guest says that it has panicked or is done (its register is published
 * as a specification: a read gives the events that can be told, a write tells of them).
 */
#include "hw/core/device.h"
#include "monitor/qmp.h"
#include "system/main-loop.h"
#include "system/memory.h"
#include "system/run-state.h"
#include "util/error.h"

#define PORT_DEFAULT 0x505

enum {
    PANICKED = 1 << 0,
    CRASH_LOADED = 1 << 1,
    SHUT_DOWN = 1 << 2,
    EVENTS = PANICKED | CRASH_LOADED | SHUT_DOWN
};

typedef struct Pvpanic {
    Device parent;
    IoRegion *region;
    uint16_t port;
    uint8_t events;
} Pvpanic;

typedef struct PvpanicClass {
    DeviceClass parent;
} PvpanicClass;

VM_DECLARE_TYPE(Pvpanic, pvpanic, PVPANIC)

static Pvpanic *the_one; /* the ACPI tables describe one */

static void send_event(const char *name, const char *action)
{
    json_object *data = json_object_new_object();

    json_add_string(data, "action", action);
    qmp_event_send(name, data);
}

static void panicked(gpointer opaque G_GNUC_UNUSED)
{
    send_event("GUEST_PANICKED", run_state_request_panic());
}

static void crash_loaded(gpointer opaque G_GNUC_UNUSED)
{
    send_event("GUEST_CRASHLOADED", "run");
}

/* For guests that cannot switch the machine off by ACPI. */
static void shut_down(gpointer opaque G_GNUC_UNUSED)
{
    qmp_event_send("GUEST_PVSHUTDOWN", NULL);
    run_state_request_shutdown(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
}

static uint64_t read_port(gpointer opaque, uint64_t offset G_GNUC_UNUSED,
                          unsigned size G_GNUC_UNUSED)
{
    return ((const Pvpanic *)opaque)->events;
}

static void write_port(gpointer opaque, uint64_t offset G_GNUC_UNUSED, uint64_t value,
                       unsigned size G_GNUC_UNUSED)
{
    uint64_t told = value & ((const Pvpanic *)opaque)->events;

    if (told & PANICKED) {
        main_loop_post(panicked, NULL);
    } else if (told & CRASH_LOADED) {
        main_loop_post(crash_loaded, NULL);
    } else if (told & SHUT_DOWN) {
        main_loop_post(shut_down, NULL);
    }
}

static const IoOps pvpanic_ops = {.read = read_port, .write = write_port, .max_access = 1};

static DeviceProgress pvpanic_realize(Device *device, GError **error)
{
    Pvpanic *pvpanic = PVPANIC(device);

    if (the_one) {
        g_autofree char *label = vm_object_label(VM_OBJECT(device));
        vm_error_set(error, "%s: there is a pvpanic already, and one is enough", label);
        return DEVICE_FAILED;
    }
    if (!device_check_ports(device, "ioport", pvpanic->port, 1, "ioport=", error)) {
        return DEVICE_FAILED;
    }
    the_one = pvpanic;
    pvpanic->region = io_region_new(G_OBJECT(device), "pvpanic", &pvpanic_ops, pvpanic, 1);
    io_region_map(pvpanic->region, ADDRESS_SPACE_IO, pvpanic->port);
    return DEVICE_DONE;
}

static DeviceProgress pvpanic_unrealize(Device *device)
{
    the_one = NULL;
    g_clear_pointer(&PVPANIC(device)->region, io_region_free);
    return DEVICE_DONE;
}

static const VmField pvpanic_fields[] = {
    {.name = "ioport",
     .doc = "its port",
     .kind = VM_FIELD_UINT16,
     .offset = offsetof(Pvpanic, port),
     .default_value = PORT_DEFAULT,
     .minimum = 1,
     .maximum = 0xffff},
    {.name = "events",
     .doc = "what can be told: 1 a panic, 2 that another kernel runs after one, 4 the end",
     .kind = VM_FIELD_UINT8,
     .offset = offsetof(Pvpanic, events),
     .default_value = EVENTS,
     .minimum = 1,
     .maximum = EVENTS},
    {.name = NULL},
};

static void pvpanic_init(Pvpanic *pvpanic G_GNUC_UNUSED)
{
}

static void pvpanic_class_init(PvpanicClass *class)
{
    VM_OBJECT_CLASS(class)->description = "port at which the guest says that it has panicked";
    DEVICE_CLASS(class)->category = "misc";
    DEVICE_CLASS(class)->bus = "ISA";
    DEVICE_CLASS(class)->user_creatable = TRUE;
    DEVICE_CLASS(class)->realize = pvpanic_realize;
    DEVICE_CLASS(class)->unrealize = pvpanic_unrealize;
    vm_object_class_install_fields(class, pvpanic_fields);
}

VM_DEFINE_TYPE("pvpanic", Pvpanic, PvpanicClass, pvpanic, TYPE_DEVICE, 0);

static const QmpEvent events[] = {
    {.name = "GUEST_PANICKED",
     .data = "action:GuestPanicAction",
     .doc = "The guest says that it has panicked (device pvpanic); action is what follows."},
    {.name = "GUEST_CRASHLOADED",
     .data = "action:GuestPanicAction",
     .doc = "The guest has panicked and runs another kernel to see to that; nothing follows."},
    {.name = "GUEST_PVSHUTDOWN",
     .doc = "The guest asks by the device pvpanic to be switched off; SHUTDOWN follows."},
    {.name = NULL},
};

static const QmpType types[] = {
    {.name = "GuestPanicAction",
     .kind = QMP_ENUM,
     .members = "pause, poweroff, run",
     .doc = "What follows a panic (-action panic=): the machine stops in state guest-panicked, the "
            "program ends, or nothing."},
    {.name = NULL},
};

QMP_REGISTER(NULL, events, types);
