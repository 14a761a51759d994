/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 8042 of a PC (IBM PC AT technical reference, "Keyboard controller") with nothing plugged into
 * its two connectors, and system control port A (PS/2 technical reference).  What is left of them
 * is the reset line, and the A20 line, which leads nowhere: address bit 20 is always there.
 * Programs find it by its self-test; the ACPI tables say that there is no keyboard to look for.
 */
#include "hw/input/i8042.h"

#include "hw/core/device.h"
#include "system/memory.h"
#include "system/run-state.h"

#define DATA_PORT 0x60
#define COMMAND_PORT 0x64
#define CONTROL_PORT_A 0x92

/* Status */
#define OUTPUT_FULL 0x01
#define SELF_TEST_PASSED 0x04
#define LAST_WAS_COMMAND 0x08
#define NOT_LOCKED 0x10
#define FROM_AUXILIARY 0x20
#define TIME_OUT 0x40

#define NO_ANSWER 0xfe /* in the output buffer, with TIME_OUT: nobody is at the connector */

/* Output port */
#define NO_RESET 0x01
#define A20 0x02

/* System control port A */
#define FAST_RESET 0x01
#define FAST_A20 0x02

enum {
    READ_COMMAND_BYTE = 0x20,
    WRITE_COMMAND_BYTE = 0x60,
    AUXILIARY_OFF = 0xa7,
    AUXILIARY_ON = 0xa8,
    TEST_AUXILIARY = 0xa9,
    SELF_TEST = 0xaa,
    TEST_KEYBOARD = 0xab,
    KEYBOARD_OFF = 0xad,
    KEYBOARD_ON = 0xae,
    READ_INPUT_PORT = 0xc0,
    READ_OUTPUT_PORT = 0xd0,
    WRITE_OUTPUT_PORT = 0xd1,
    WRITE_KEYBOARD_BUFFER = 0xd2,
    WRITE_AUXILIARY_BUFFER = 0xd3,
    WRITE_AUXILIARY = 0xd4,
    PULSE = 0xf0, /* and up: the low bits that are 0 are pulsed */
};

enum { KEYBOARD_DISABLED = 0x10, AUXILIARY_DISABLED = 0x20, SYSTEM_FLAG = 0x04 };

typedef struct I8042 {
    Device parent;
    IoRegion *data, *command, *port_a;
    uint8_t status;       /* FROM_AUXILIARY, TIME_OUT, OUTPUT_FULL and LAST_WAS_COMMAND */
    uint8_t output;       /* buffer */
    uint8_t command_byte; /* READ_COMMAND_BYTE */
    uint8_t pending;      /* a command that waits for its byte at the data port, 0: none */
    gboolean a20;
} I8042;

typedef struct I8042Class {
    DeviceClass parent;
} I8042Class;

VM_DECLARE_TYPE(I8042, i8042, I8042_DEVICE)

static void reset_machine(void)
{
    run_state_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
}

/* Puts @value where the data port reads it; @flags of the status come with it. */
static void answer(I8042 *controller, uint8_t value, uint8_t flags)
{
    controller->output = value;
    controller->status &= ~(FROM_AUXILIARY | TIME_OUT);
    controller->status |= OUTPUT_FULL | flags;
}

static void write_output_port(I8042 *controller, uint8_t value)
{
    controller->a20 = (value & A20) != 0;
    if (!(value & NO_RESET)) {
        reset_machine();
    }
}

/* --- ports --- */

static uint64_t read_data(gpointer opaque, uint64_t offset G_GNUC_UNUSED,
                          unsigned size G_GNUC_UNUSED)
{
    I8042 *controller = opaque;

    controller->status &= ~(OUTPUT_FULL | FROM_AUXILIARY | TIME_OUT);
    return controller->output;
}

static void write_data(gpointer opaque, uint64_t offset G_GNUC_UNUSED, uint64_t value,
                       unsigned size G_GNUC_UNUSED)
{
    I8042 *controller = opaque;
    uint8_t pending = controller->pending;

    controller->status &= ~LAST_WAS_COMMAND;
    controller->pending = 0;
    switch (pending) {
    case WRITE_COMMAND_BYTE:
        controller->command_byte = (uint8_t)value;
        break;
    case WRITE_OUTPUT_PORT:
        write_output_port(controller, (uint8_t)value);
        break;
    case WRITE_KEYBOARD_BUFFER:
        answer(controller, (uint8_t)value, 0);
        break;
    case WRITE_AUXILIARY_BUFFER:
        answer(controller, (uint8_t)value, FROM_AUXILIARY);
        break;
    case WRITE_AUXILIARY:
        answer(controller, NO_ANSWER, FROM_AUXILIARY | TIME_OUT);
        break;
    default: /* for the keyboard */
        answer(controller, NO_ANSWER, TIME_OUT);
        break;
    }
}

static uint64_t read_status(gpointer opaque, uint64_t offset G_GNUC_UNUSED,
                            unsigned size G_GNUC_UNUSED)
{
    const I8042 *controller = opaque;

    return controller->status | (controller->command_byte & SELF_TEST_PASSED) | NOT_LOCKED;
}

static void write_command(gpointer opaque, uint64_t offset G_GNUC_UNUSED, uint64_t value,
                          unsigned size G_GNUC_UNUSED)
{
    I8042 *controller = opaque;

    controller->status |= LAST_WAS_COMMAND;
    controller->pending = 0;
    switch (value) {
    case READ_COMMAND_BYTE:
        answer(controller, controller->command_byte, 0);
        break;
    case WRITE_COMMAND_BYTE:
    case WRITE_OUTPUT_PORT:
    case WRITE_KEYBOARD_BUFFER:
    case WRITE_AUXILIARY_BUFFER:
    case WRITE_AUXILIARY:
        controller->pending = (uint8_t)value;
        break;
    case AUXILIARY_OFF:
        controller->command_byte |= AUXILIARY_DISABLED;
        break;
    case AUXILIARY_ON:
        controller->command_byte &= ~AUXILIARY_DISABLED;
        break;
    case SELF_TEST:
        controller->command_byte |= SYSTEM_FLAG;
        answer(controller, 0x55, 0);
        break;
    case TEST_AUXILIARY:
    case TEST_KEYBOARD:
        answer(controller, 0x00, 0); /* no fault of the wires */
        break;
    case KEYBOARD_OFF:
        controller->command_byte |= KEYBOARD_DISABLED;
        break;
    case KEYBOARD_ON:
        controller->command_byte &= ~KEYBOARD_DISABLED;
        break;
    case READ_INPUT_PORT:
        answer(controller, 0x80, 0); /* not locked */
        break;
    case READ_OUTPUT_PORT:
        answer(controller, NO_RESET | (controller->a20 ? A20 : 0), 0);
        break;
    default:
        if (value >= PULSE && !(value & NO_RESET)) {
            reset_machine();
        }
        break;
    }
}

static uint64_t read_port_a(gpointer opaque, uint64_t offset G_GNUC_UNUSED,
                            unsigned size G_GNUC_UNUSED)
{
    return ((const I8042 *)opaque)->a20 ? FAST_A20 : 0;
}

static void write_port_a(gpointer opaque, uint64_t offset G_GNUC_UNUSED, uint64_t value,
                         unsigned size G_GNUC_UNUSED)
{
    ((I8042 *)opaque)->a20 = (value & FAST_A20) != 0;
    if (value & FAST_RESET) {
        reset_machine();
    }
}

/* --- life --- */

static void i8042_reset(Device *device)
{
    I8042 *controller = I8042_DEVICE(device);

    controller->status = 0;
    controller->output = 0;
    controller->command_byte = KEYBOARD_DISABLED | AUXILIARY_DISABLED;
    controller->pending = 0;
    controller->a20 = TRUE;
}

static IoRegion *map_port(I8042 *controller, const char *name, const IoOps *ops, uint16_t port)
{
    IoRegion *region = io_region_new(G_OBJECT(controller), name, ops, controller, 1);

    io_region_map(region, ADDRESS_SPACE_IO, port);
    return region;
}

static DeviceProgress i8042_realize(Device *device, GError **error G_GNUC_UNUSED)
{
    static const IoOps data = {.read = read_data, .write = write_data, .max_access = 1};
    static const IoOps command = {.read = read_status, .write = write_command, .max_access = 1};
    static const IoOps port_a = {.read = read_port_a, .write = write_port_a, .max_access = 1};
    I8042 *controller = I8042_DEVICE(device);

    i8042_reset(device);
    controller->data = map_port(controller, "i8042-data", &data, DATA_PORT);
    controller->command = map_port(controller, "i8042-command", &command, COMMAND_PORT);
    controller->port_a = map_port(controller, "port92", &port_a, CONTROL_PORT_A);
    return DEVICE_DONE;
}

static DeviceProgress i8042_unrealize(Device *device)
{
    I8042 *controller = I8042_DEVICE(device);

    g_clear_pointer(&controller->data, io_region_free);
    g_clear_pointer(&controller->command, io_region_free);
    g_clear_pointer(&controller->port_a, io_region_free);
    return DEVICE_DONE;
}

static void i8042_init(I8042 *controller G_GNUC_UNUSED)
{
}

static void i8042_class_init(I8042Class *class)
{
    VM_OBJECT_CLASS(class)->description = "keyboard controller without a keyboard";
    DEVICE_CLASS(class)->category = "input";
    DEVICE_CLASS(class)->bus = "ISA";
    DEVICE_CLASS(class)->realize = i8042_realize;
    DEVICE_CLASS(class)->unrealize = i8042_unrealize;
    DEVICE_CLASS(class)->reset = i8042_reset;
}

VM_DEFINE_TYPE("i8042", I8042, I8042Class, i8042, TYPE_DEVICE, 0);

gboolean i8042_add(GError **error)
{
    return device_add_on_board(i8042_get_type(), "i8042", error) != NULL;
}
