/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two 8259A of a PC (8259A data sheet; where they are and the edge/level registers: EISA
 * specification 3.12, ICH10 data sheet, 13.4).  The second one's output is input 2 of the first.
 */
#include "hw/intc/i8259.h"

#include "hw/core/device.h"
#include "system/irq.h"
#include "system/kept-state.h"
#include "system/memory.h"

#define INPUTS 8
#define LINES 16
#define CASCADE 2  /* input of the first that the second is at */
#define SPURIOUS 7 /* of an interrupt whose request is gone */
#define FIRST_PORT 0x20
#define SECOND_PORT 0xa0
#define LEVEL_PORT 0x4d0
/* Inputs that a guest may make levels: not the timer's, the keyboard's, the cascade, the clock's
 * and the coprocessor's. */
#define FIRST_LEVELS 0xf8
#define SECOND_LEVELS 0xde

/* Initialization command words 1 and 4 */
#define ICW1 0x10
#define ICW1_LEVEL 0x08
#define ICW1_SINGLE 0x02
#define ICW1_WITH_ICW4 0x01
#define ICW2_BASE 0xf8
#define ICW4_AUTOMATIC_END 0x02
#define ICW4_NESTED 0x10
/* Operation command words 2 and 3 */
#define OCW3 0x08
#define OCW2_COMMAND 0xe0
#define OCW2_INPUT 0x07
#define OCW3_CHANGE_SPECIAL_MASK 0x40
#define OCW3_SPECIAL_MASK 0x20
#define OCW3_POLL 0x04
#define OCW3_CHANGE_READ 0x02
#define OCW3_READ_SERVICE 0x01

enum {
    ROTATE_AUTOMATIC_OFF = 0x00,
    END_HIGHEST = 0x20,
    END_INPUT = 0x60,
    ROTATE_AUTOMATIC_ON = 0x80,
    ROTATE_AND_END_HIGHEST = 0xa0,
    SET_PRIORITY = 0xc0,
    ROTATE_AND_END_INPUT = 0xe0,
};

/* Which initialization command word port 1 waits for. */
enum { READY, WAIT_ICW2, WAIT_ICW3, WAIT_ICW4 };

typedef struct Pic {
    uint8_t edges;   /* requests by edges; those by levels are looked at */
    uint8_t mask;    /* IMR */
    uint8_t service; /* ISR */
    uint8_t levels;  /* the edge/level register */
    uint8_t base;    /* vector of input 0 */
    uint8_t highest; /* the input with the highest priority */
    uint8_t waits_for;
    uint8_t all_levels, single, with_icw4; /* of ICW1 */
    uint8_t automatic_end, nested;         /* of ICW4 */
    uint8_t rotate_automatic, special_mask, poll, read_service;
} Pic;

typedef struct I8259 {
    Device parent;
    IoRegion *ports[2], *level_ports;
    Pic pics[2];
    IrqController controller;
    KeptState kept;
} I8259;

typedef struct I8259Class {
    DeviceClass parent;
} I8259Class;

VM_DECLARE_TYPE(I8259, i8259, I8259_DEVICE)

/* --- priorities --- */

static uint8_t level_inputs(const Pic *pic)
{
    return pic->all_levels ? 0xff : pic->levels;
}

static gint pending(const I8259 *device, guint index);

/* IRR: inputs that ask. */
static uint8_t requests(const I8259 *device, guint index)
{
    const Pic *pic = &device->pics[index];
    uint8_t result = pic->edges & ~level_inputs(pic);

    for (guint input = 0; input < INPUTS; input++) {
        gboolean high = index == 0 && input == CASCADE ? pending(device, 1) >= 0
                                                       : (level_inputs(pic) >> input & 1) &&
                                                             irq_line_level(index * INPUTS + input);
        result |= (uint8_t)(high << input);
    }
    return result;
}

/* What of the ISR holds others back: in the special mask mode not what is masked. */
static uint8_t holding(const Pic *pic)
{
    return pic->special_mask ? pic->service & ~pic->mask : pic->service;
}

/* The input with the highest priority in @inputs; -1: there is none. */
static gint highest_of(const Pic *pic, uint8_t inputs)
{
    for (guint i = 0; i < INPUTS; i++) {
        guint input = (pic->highest + i) % INPUTS;
        if (inputs >> input & 1) {
            return (gint)input;
        }
    }
    return -1;
}

static guint rank(const Pic *pic, gint input)
{
    return (guint)(input + INPUTS - pic->highest) % INPUTS;
}

/* The input whose interrupt comes next; -1: none is asked for, or it is held back, or the chip is
 * being initialized. */
static gint pending(const I8259 *device, guint index)
{
    const Pic *pic = &device->pics[index];

    if (pic->waits_for != READY) {
        return -1;
    }
    gint asks = highest_of(pic, requests(device, index) & ~pic->mask);
    gint holds = highest_of(pic, holding(pic));

    if (asks < 0 || holds < 0 || rank(pic, asks) < rank(pic, holds)) {
        return asks;
    }
    /* Special fully nested mode: the second may come on top of itself. */
    return pic->nested && index == 0 && asks == CASCADE && holds == CASCADE ? asks : -1;
}

static void update(const I8259 *device)
{
    irq_set_external(pending(device, 0) >= 0);
}

/* --- acknowledge and end --- */

static void make_lowest(Pic *pic, gint input)
{
    pic->highest = (uint8_t)((input + 1) % INPUTS);
}

static void take(Pic *pic, gint input)
{
    pic->edges &= (uint8_t) ~(1u << input);
    if (!pic->automatic_end) {
        pic->service |= (uint8_t)(1u << input);
    } else if (pic->rotate_automatic) {
        make_lowest(pic, input);
    }
}

static guint8 acknowledge(gpointer opaque)
{
    I8259 *device = opaque;
    gint input = pending(device, 0);
    guint8 vector = device->pics[0].base + SPURIOUS;

    if (input == CASCADE) {
        gint second = pending(device, 1);
        take(&device->pics[1], second);
        vector = device->pics[1].base + (guint8)second;
    } else if (input >= 0) {
        vector = device->pics[0].base + (guint8)input;
    }
    if (input >= 0) {
        take(&device->pics[0], input);
    }
    update(device);
    return vector;
}

static void end(Pic *pic, gint input, gboolean rotate)
{
    if (input >= 0) {
        pic->service &= (uint8_t) ~(1u << input);
        if (rotate) {
            make_lowest(pic, input);
        }
    }
}

/* --- registers --- */

static void initialize(Pic *pic, uint8_t value)
{
    *pic = (Pic){
        .levels = pic->levels,
        .base = pic->base,
        .waits_for = WAIT_ICW2,
        .all_levels = (value & ICW1_LEVEL) != 0,
        .single = (value & ICW1_SINGLE) != 0,
        .with_icw4 = (value & ICW1_WITH_ICW4) != 0,
    };
}

static void operate(Pic *pic, uint8_t value)
{
    gint input = value & OCW2_INPUT;

    switch (value & OCW2_COMMAND) {
    case ROTATE_AUTOMATIC_OFF:
        pic->rotate_automatic = FALSE;
        break;
    case ROTATE_AUTOMATIC_ON:
        pic->rotate_automatic = TRUE;
        break;
    case END_HIGHEST:
    case ROTATE_AND_END_HIGHEST:
        end(pic, highest_of(pic, holding(pic)), value & ROTATE_AUTOMATIC_ON);
        break;
    case END_INPUT:
    case ROTATE_AND_END_INPUT:
        end(pic, input, value & ROTATE_AUTOMATIC_ON);
        break;
    case SET_PRIORITY:
        make_lowest(pic, input);
        break;
    default: /* no operation */
        break;
    }
}

static void set_modes(Pic *pic, uint8_t value)
{
    if (value & OCW3_CHANGE_SPECIAL_MASK) {
        pic->special_mask = (value & OCW3_SPECIAL_MASK) != 0;
    }
    if (value & OCW3_CHANGE_READ) {
        pic->read_service = (value & OCW3_READ_SERVICE) != 0;
    }
    pic->poll = (value & OCW3_POLL) != 0;
}

static void write_command(Pic *pic, uint8_t value)
{
    if (value & ICW1) {
        initialize(pic, value);
    } else if (value & OCW3) {
        set_modes(pic, value);
    } else {
        operate(pic, value);
    }
}

static void write_data(Pic *pic, uint8_t value)
{
    switch (pic->waits_for) {
    case WAIT_ICW2:
        pic->base = value & ICW2_BASE;
        pic->waits_for = !pic->single ? WAIT_ICW3 : pic->with_icw4 ? WAIT_ICW4 : READY;
        break;
    case WAIT_ICW3: /* how they are wired is known */
        pic->waits_for = pic->with_icw4 ? WAIT_ICW4 : READY;
        break;
    case WAIT_ICW4:
        pic->automatic_end = (value & ICW4_AUTOMATIC_END) != 0;
        pic->nested = (value & ICW4_NESTED) != 0;
        pic->waits_for = READY;
        break;
    default:
        pic->mask = value;
        break;
    }
}

/* A read behind the poll command takes an interrupt, as a CPU would do. */
static uint8_t poll(I8259 *device, guint index)
{
    gint input = pending(device, index);

    device->pics[index].poll = FALSE;
    if (input < 0) {
        return SPURIOUS;
    }
    take(&device->pics[index], input);
    return (uint8_t)(0x80 | input);
}

static uint64_t read_port(I8259 *device, guint index, uint64_t offset)
{
    const Pic *pic = &device->pics[index];
    uint64_t value;

    if (pic->poll) {
        value = poll(device, index);
        update(device);
        return value;
    }
    return offset == 1 ? pic->mask : pic->read_service ? pic->service : requests(device, index);
}

static void write_port(I8259 *device, guint index, uint64_t offset, uint8_t value)
{
    if (offset == 0) {
        write_command(&device->pics[index], value);
    } else {
        write_data(&device->pics[index], value);
    }
    update(device);
}

static uint64_t read_first(gpointer opaque, uint64_t offset, unsigned size G_GNUC_UNUSED)
{
    return read_port(opaque, 0, offset);
}

static void write_first(gpointer opaque, uint64_t offset, uint64_t value,
                        unsigned size G_GNUC_UNUSED)
{
    write_port(opaque, 0, offset, (uint8_t)value);
}

static uint64_t read_second(gpointer opaque, uint64_t offset, unsigned size G_GNUC_UNUSED)
{
    return read_port(opaque, 1, offset);
}

static void write_second(gpointer opaque, uint64_t offset, uint64_t value,
                         unsigned size G_GNUC_UNUSED)
{
    write_port(opaque, 1, offset, (uint8_t)value);
}

static uint64_t read_levels(gpointer opaque, uint64_t offset, unsigned size G_GNUC_UNUSED)
{
    return ((const I8259 *)opaque)->pics[offset].levels;
}

static void write_levels(gpointer opaque, uint64_t offset, uint64_t value,
                         unsigned size G_GNUC_UNUSED)
{
    I8259 *device = opaque;

    device->pics[offset].levels = value & (offset == 0 ? FIRST_LEVELS : SECOND_LEVELS);
    update(device);
}

/* --- life --- */

static void set_line(gpointer opaque, guint line, gboolean high)
{
    I8259 *device = opaque;

    if (line >= LINES || line == CASCADE) {
        return;
    }
    if (high) {
        device->pics[line / INPUTS].edges |= (uint8_t)(1u << line % INPUTS);
    }
    update(device);
}

/* Ends come from local APICs, which do not have these interrupts. */
static void end_elsewhere(gpointer opaque G_GNUC_UNUSED, guint8 vector G_GNUC_UNUSED)
{
}

/* As a firmware leaves them: silent. */
static void i8259_reset(Device *device)
{
    I8259 *i8259 = I8259_DEVICE(device);

    for (guint i = 0; i < 2; i++) {
        i8259->pics[i] = (Pic){.mask = 0xff};
    }
    update(i8259);
}

static void put_back(gpointer opaque, gint64 elapsed G_GNUC_UNUSED)
{
    update(opaque);
}

static IoRegion *map_ports(I8259 *device, const char *name, const IoOps *ops, uint16_t port)
{
    IoRegion *region = io_region_new(G_OBJECT(device), name, ops, device, 2);

    io_region_map(region, ADDRESS_SPACE_IO, port);
    return region;
}

static DeviceProgress i8259_realize(Device *device, GError **error G_GNUC_UNUSED)
{
    static const IoOps first = {.read = read_first, .write = write_first, .max_access = 1};
    static const IoOps second = {.read = read_second, .write = write_second, .max_access = 1};
    static const IoOps levels = {.read = read_levels, .write = write_levels, .max_access = 1};
    I8259 *i8259 = I8259_DEVICE(device);

    i8259_reset(device);
    i8259->controller = (IrqController){i8259, set_line, end_elsewhere};
    irq_controller_add(&i8259->controller);
    irq_external_connect(acknowledge, i8259);
    i8259->kept = (KeptState){i8259->pics, sizeof(i8259->pics), put_back, i8259, NULL};
    kept_state_add(&i8259->kept);
    i8259->ports[0] = map_ports(i8259, "i8259-first", &first, FIRST_PORT);
    i8259->ports[1] = map_ports(i8259, "i8259-second", &second, SECOND_PORT);
    i8259->level_ports = map_ports(i8259, "i8259-levels", &levels, LEVEL_PORT);
    return DEVICE_DONE;
}

static DeviceProgress i8259_unrealize(Device *device)
{
    I8259 *i8259 = I8259_DEVICE(device);

    g_clear_pointer(&i8259->ports[0], io_region_free);
    g_clear_pointer(&i8259->ports[1], io_region_free);
    g_clear_pointer(&i8259->level_ports, io_region_free);
    kept_state_remove(&i8259->kept);
    irq_set_external(FALSE);
    irq_external_connect(NULL, NULL);
    irq_controller_remove(&i8259->controller);
    return DEVICE_DONE;
}

static void i8259_init(I8259 *device G_GNUC_UNUSED)
{
}

static void i8259_class_init(I8259Class *class)
{
    VM_OBJECT_CLASS(class)->description = "the two older interrupt controllers";
    DEVICE_CLASS(class)->category = "misc";
    DEVICE_CLASS(class)->bus = "ISA";
    DEVICE_CLASS(class)->realize = i8259_realize;
    DEVICE_CLASS(class)->unrealize = i8259_unrealize;
    DEVICE_CLASS(class)->reset = i8259_reset;
}

VM_DEFINE_TYPE("isa-i8259", I8259, I8259Class, i8259, TYPE_DEVICE, 0);

gboolean i8259_add(GError **error)
{
    return device_add_on_board(i8259_get_type(), "i8259", error) != NULL;
}
