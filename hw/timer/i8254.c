/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 8254 of a PC: counter 0 is the timer's interrupt, counter 1 refreshed memory once, counter 2
 * has its gate and its output in system control port B (PS/2 technical reference).
 */
#include "hw/timer/i8254.h"

#include "i8254-channel.h"

#include "hw/core/device.h"
#include "system/clock.h"
#include "system/irq.h"
#include "system/kept-state.h"
#include "system/memory.h"

#define CHANNELS 3
#define FIRST_PORT 0x40
#define CONTROL_PORT 3 /* from there */
#define CONTROL_PORT_B 0x61
#define SECOND G_GINT64_CONSTANT(1000000000) /* ns */
/* A guest that asks for more interrupts than ten in a millisecond gets so many. */
#define SHORTEST_TICKS (I8254_HERTZ / 10000)
#define CHANGES_AT_ONCE 4 /* that a late main loop catches up with */

/* A control word */
#define CONTROL_CHANNEL_SHIFT 6
#define CONTROL_READ_BACK 3
#define CONTROL_ACCESS 0x30 /* none of it: the latch command */
#define READ_BACK_NO_COUNT 0x20
#define READ_BACK_NO_STATUS 0x10
#define READ_BACK_FIRST_CHANNEL 1 /* bit */

/* System control port B */
#define PORT_B_GATE 0x01
#define PORT_B_WRITABLE 0x0f
#define PORT_B_REFRESH 0x10
#define PORT_B_OUTPUT 0x20
#define REFRESH_NANOSECONDS 15085 /* 18 ticks */

typedef struct I8254State {
    I8254Channel channels[CHANNELS];
    gint64 epoch; /* ns of the virtual clock at tick 0 */
    uint8_t port_b;
} I8254State;

typedef struct I8254 {
    Device parent;
    IoRegion *ports, *port_b;
    IrqSource *irq;
    ClockTimer *timer;
    gint64 event; /* the tick that the timer waits for */
    I8254State state;
    KeptState kept;
} I8254;

typedef struct I8254Class {
    DeviceClass parent;
} I8254Class;

VM_DECLARE_TYPE(I8254, i8254, I8254_DEVICE)

/* --- time --- */

static int64_t tick_now(const I8254 *pit)
{
    return (int64_t)((__int128)(clock_now() - pit->state.epoch) * I8254_HERTZ / SECOND);
}

/* The first nanosecond at which tick_now() says so. */
static gint64 time_of(const I8254 *pit, int64_t tick)
{
    return pit->state.epoch + (gint64)(((__int128)tick * SECOND + I8254_HERTZ - 1) / I8254_HERTZ);
}

/* --- the timer's interrupt --- */

static void wait_for(I8254 *pit, int64_t tick, int64_t earliest)
{
    if (tick == G_MAXINT64) {
        clock_timer_stop(pit->timer);
    } else {
        pit->event = tick;
        clock_timer_set(pit->timer, time_of(pit, MAX(tick, earliest)));
    }
}

/* The output as it is now, and when it changes.  Only where the guest has changed the counter: a
 * change that the timer has not made yet would be lost. */
static void update(I8254 *pit)
{
    I8254Channel *channel = &pit->state.channels[0];
    int64_t now = tick_now(pit);

    irq_source_set(pit->irq, i8254_channel_output(channel, now));
    wait_for(pit, i8254_channel_next_change(channel, now), now);
}

/* Each change is made, also where the main loop comes late; a pulse of one tick ends right away. */
static void expired(gpointer opaque)
{
    I8254 *pit = opaque;
    I8254Channel *channel = &pit->state.channels[0];
    int64_t now = tick_now(pit);
    int64_t tick = pit->event;
    int64_t next = tick;

    for (guint i = 0; i < CHANGES_AT_ONCE && next <= MAX(now, tick + 1); i++) {
        tick = next;
        irq_source_set(pit->irq, i8254_channel_output(channel, tick));
        next = i8254_channel_next_change(channel, tick);
    }
    if (next <= now) { /* too late for them all */
        next = i8254_channel_next_change(channel, now);
    }
    wait_for(pit, next, now + (next - tick < SHORTEST_TICKS ? SHORTEST_TICKS : 0));
}

/* --- registers --- */

static void read_back(I8254 *pit, uint8_t value)
{
    int64_t now = tick_now(pit);

    for (guint i = 0; i < CHANNELS; i++) {
        I8254Channel *channel = &pit->state.channels[i];
        if (!(value >> (READ_BACK_FIRST_CHANNEL + i) & 1)) {
            continue;
        }
        if (!(value & READ_BACK_NO_COUNT)) {
            i8254_channel_latch_count(channel, now);
        }
        if (!(value & READ_BACK_NO_STATUS)) {
            i8254_channel_latch_status(channel, now);
        }
    }
}

static void write_control(I8254 *pit, uint8_t value)
{
    guint index = value >> CONTROL_CHANNEL_SHIFT;

    if (index == CONTROL_READ_BACK) {
        read_back(pit, value);
    } else if (value & CONTROL_ACCESS) {
        i8254_channel_program(&pit->state.channels[index], value);
        if (index == 0) {
            update(pit);
        }
    } else {
        i8254_channel_latch_count(&pit->state.channels[index], tick_now(pit));
    }
}

/* The control word cannot be read. */
static uint64_t read_port(gpointer opaque, uint64_t offset, unsigned size G_GNUC_UNUSED)
{
    I8254 *pit = opaque;

    return offset == CONTROL_PORT ? 0xff
                                  : i8254_channel_read(&pit->state.channels[offset], tick_now(pit));
}

static void write_port(gpointer opaque, uint64_t offset, uint64_t value,
                       unsigned size G_GNUC_UNUSED)
{
    I8254 *pit = opaque;

    if (offset == CONTROL_PORT) {
        write_control(pit, (uint8_t)value);
        return;
    }
    i8254_channel_write(&pit->state.channels[offset], (uint8_t)value, tick_now(pit));
    if (offset == 0) {
        update(pit);
    }
}

static uint64_t read_port_b(gpointer opaque, uint64_t offset G_GNUC_UNUSED,
                            unsigned size G_GNUC_UNUSED)
{
    I8254 *pit = opaque;
    gboolean output = i8254_channel_output(&pit->state.channels[2], tick_now(pit));

    return pit->state.port_b | (clock_now() / REFRESH_NANOSECONDS % 2 ? PORT_B_REFRESH : 0) |
           (output ? PORT_B_OUTPUT : 0);
}

static void write_port_b(gpointer opaque, uint64_t offset G_GNUC_UNUSED, uint64_t value,
                         unsigned size G_GNUC_UNUSED)
{
    I8254 *pit = opaque;

    pit->state.port_b = value & PORT_B_WRITABLE;
    i8254_channel_set_gate(&pit->state.channels[2], value & PORT_B_GATE, tick_now(pit));
}

/* --- life --- */

static void i8254_reset(Device *device)
{
    I8254 *pit = I8254_DEVICE(device);

    pit->state.epoch = clock_now();
    pit->state.port_b = 0;
    for (guint i = 0; i < CHANNELS; i++) {
        i8254_channel_reset(&pit->state.channels[i], i != 2);
    }
    update(pit);
}

static void put_back(gpointer opaque, gint64 elapsed)
{
    I8254 *pit = opaque;

    pit->state.epoch += elapsed;
    update(pit);
}

static DeviceProgress i8254_realize(Device *device, GError **error G_GNUC_UNUSED)
{
    static const IoOps ports = {.read = read_port, .write = write_port, .max_access = 1};
    static const IoOps port_b = {.read = read_port_b, .write = write_port_b, .max_access = 1};
    I8254 *pit = I8254_DEVICE(device);

    pit->irq = irq_source_new(I8254_LINE);
    pit->timer = clock_timer_new(expired, pit);
    i8254_reset(device);
    pit->kept = (KeptState){&pit->state, sizeof(pit->state), put_back, pit, NULL};
    kept_state_add(&pit->kept);
    pit->ports = io_region_new(G_OBJECT(device), "i8254", &ports, pit, CONTROL_PORT + 1);
    io_region_map(pit->ports, ADDRESS_SPACE_IO, FIRST_PORT);
    pit->port_b = io_region_new(G_OBJECT(device), "port61", &port_b, pit, 1);
    io_region_map(pit->port_b, ADDRESS_SPACE_IO, CONTROL_PORT_B);
    return DEVICE_DONE;
}

static DeviceProgress i8254_unrealize(Device *device)
{
    I8254 *pit = I8254_DEVICE(device);

    g_clear_pointer(&pit->ports, io_region_free);
    g_clear_pointer(&pit->port_b, io_region_free);
    kept_state_remove(&pit->kept);
    g_clear_pointer(&pit->timer, clock_timer_free);
    g_clear_pointer(&pit->irq, irq_source_free);
    return DEVICE_DONE;
}

static void i8254_init(I8254 *pit G_GNUC_UNUSED)
{
}

static void i8254_class_init(I8254Class *class)
{
    VM_OBJECT_CLASS(class)->description = "interval timer";
    DEVICE_CLASS(class)->category = "misc";
    DEVICE_CLASS(class)->bus = "ISA";
    DEVICE_CLASS(class)->realize = i8254_realize;
    DEVICE_CLASS(class)->unrealize = i8254_unrealize;
    DEVICE_CLASS(class)->reset = i8254_reset;
}

VM_DEFINE_TYPE("isa-pit", I8254, I8254Class, i8254, TYPE_DEVICE, 0);

gboolean i8254_add(GError **error)
{
    return device_add_on_board(i8254_get_type(), "pit", error) != NULL;
}
