/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An I/O APIC (82093AA data sheet; the EOI register and version 0x20: ICH10 data sheet, 13.5). What
 * its pins send are messages to the local APICs (SDM volume 3, 11.11).
 */
#include "hw/intc/ioapic.h"

#include "hw/core/device.h"
#include "system/irq.h"
#include "system/kept-state.h"
#include "system/memory.h"

#define IOAPIC_SIZE 0x1000
#define VERSION 0x20

/* Registers in memory, and behind the window */
enum { SELECT = 0x00, WINDOW = 0x10, END = 0x40 };
enum { IDENTIFICATION = 0, VERSION_AND_PINS = 1, ARBITRATION = 2, FIRST_ENTRY = 0x10 };
#define IDENTIFICATION_MASK 0x0f000000u

/* An entry of the redirection table */
#define VECTOR 0xffu
#define DELIVERY_SHIFT 8
#define LOGICAL (UINT64_C(1) << 11)
#define REMOTE_IRR (UINT64_C(1) << 14)
#define LEVEL (UINT64_C(1) << 15)
#define MASKED (UINT64_C(1) << 16)
#define DESTINATION_SHIFT 56
/* Delivery status (bit 12) is always idle: a message is gone at once. */
#define WRITABLE (UINT64_C(0xff0000000001afff))

enum {
    DELIVERY_FIXED,
    DELIVERY_LOWEST_PRIORITY,
    DELIVERY_SMI,
    DELIVERY_NMI = 4,
    DELIVERY_INIT = 5,
};

/* A message */
#define MESSAGE_ADDRESS 0xfee00000u
#define MESSAGE_DESTINATION_SHIFT 12
#define MESSAGE_REDIRECTION 0x8u
#define MESSAGE_LOGICAL 0x4u
#define MESSAGE_ASSERT 0x4000u
#define MESSAGE_LEVEL 0x8000u

typedef struct IoapicState {
    uint32_t select, identification;
    uint64_t entries[IRQ_LINES];
} IoapicState;

typedef struct Ioapic {
    Device parent;
    IoRegion *region;
    IoapicState state;
    IrqController controller;
    KeptState kept;
} Ioapic;

typedef struct IoapicClass {
    DeviceClass parent;
} IoapicClass;

VM_DECLARE_TYPE(Ioapic, ioapic, IOAPIC)

/* --- pins --- */

/* Nothing is at pin 0: the older controllers lead to a CPU's own pin. */
static gboolean pin_is_high(guint pin)
{
    return pin != 0 && irq_line_level(pin == IOAPIC_TIMER_PIN ? 0 : pin);
}

static guint delivery_of(uint64_t entry)
{
    return entry >> DELIVERY_SHIFT & 7;
}

/* Interrupts with a vector are those that a CPU ends; the others are edges, whatever the entry says
 * ("Trigger Mode"). */
static gboolean is_level(uint64_t entry)
{
    return (entry & LEVEL) && delivery_of(entry) <= DELIVERY_LOWEST_PRIORITY;
}

/* The modes that are left are reserved, or need an 8259 at the pin. */
static gboolean can_be_sent(uint64_t entry)
{
    guint delivery = delivery_of(entry);

    return delivery <= DELIVERY_SMI || delivery == DELIVERY_NMI || delivery == DELIVERY_INIT;
}

static uint64_t message_address(uint64_t entry)
{
    return MESSAGE_ADDRESS | (entry >> DESTINATION_SHIFT) << MESSAGE_DESTINATION_SHIFT |
           (delivery_of(entry) == DELIVERY_LOWEST_PRIORITY ? MESSAGE_REDIRECTION : 0) |
           (entry & LOGICAL ? MESSAGE_LOGICAL : 0);
}

static uint32_t message_data(uint64_t entry)
{
    return (uint32_t)(entry & (VECTOR | 7u << DELIVERY_SHIFT)) |
           (is_level(entry) ? MESSAGE_ASSERT | MESSAGE_LEVEL : 0);
}

/* Sends what the pin asks for.  A level waits until the CPU that took it has ended it. */
static void send(Ioapic *ioapic, guint pin)
{
    uint64_t entry = ioapic->state.entries[pin];

    if ((entry & (MASKED | REMOTE_IRR)) || !can_be_sent(entry)) {
        return;
    }
    gboolean received = irq_send_msi(message_address(entry), message_data(entry));
    if (received && is_level(entry)) {
        ioapic->state.entries[pin] |= REMOTE_IRR;
    }
}

static void send_level(Ioapic *ioapic, guint pin)
{
    if (is_level(ioapic->state.entries[pin]) && pin_is_high(pin)) {
        send(ioapic, pin);
    }
}

/* An edge while the pin is masked is lost ("Interrupt Mask"). */
static void set_line(gpointer opaque, guint line, gboolean high)
{
    guint pin = line == 0 ? IOAPIC_TIMER_PIN : line;

    if (high && line != IOAPIC_TIMER_PIN) {
        send(opaque, pin);
    }
}

static void end_of_interrupt(gpointer opaque, guint8 vector)
{
    Ioapic *ioapic = opaque;

    for (guint pin = 0; pin < IRQ_LINES; pin++) {
        uint64_t *entry = &ioapic->state.entries[pin];
        if ((*entry & REMOTE_IRR) && (*entry & VECTOR) == vector) {
            *entry &= ~REMOTE_IRR;
            send_level(ioapic, pin);
        }
    }
}

/* A masked pin is watched too: its interrupt may be masked before it is ended. */
static void watch_end(const Ioapic *ioapic, guint pin)
{
    uint64_t entry = ioapic->state.entries[pin];

    irq_watch_end(pin, is_level(entry) ? message_address(entry) : MESSAGE_ADDRESS,
                  is_level(entry) ? message_data(entry) : 0);
}

/* --- registers --- */

static uint32_t read_window(const Ioapic *ioapic)
{
    const IoapicState *state = &ioapic->state;
    guint index = state->select - FIRST_ENTRY;

    switch (state->select) {
    case IDENTIFICATION:
    case ARBITRATION: /* is loaded with the identification */
        return state->identification;
    case VERSION_AND_PINS:
        return VERSION | (IRQ_LINES - 1) << 16;
    default:
        return index / 2 < IRQ_LINES ? (uint32_t)(state->entries[index / 2] >> index % 2 * 32) : 0;
    }
}

static void write_entry(Ioapic *ioapic, guint index, uint32_t value)
{
    guint pin = index / 2;
    guint shift = index % 2 * 32;
    uint64_t half = WRITABLE & (UINT64_C(0xffffffff) << shift);
    uint64_t *entry = &ioapic->state.entries[pin];

    *entry = (*entry & ~half) | ((uint64_t)value << shift & half);
    if (!is_level(*entry)) { /* an edge waits for nobody's end */
        *entry &= ~REMOTE_IRR;
    }
    watch_end(ioapic, pin);
    send_level(ioapic, pin);
}

static void write_window(Ioapic *ioapic, uint32_t value)
{
    guint index = ioapic->state.select - FIRST_ENTRY;

    if (ioapic->state.select == IDENTIFICATION) {
        ioapic->state.identification = value & IDENTIFICATION_MASK;
    } else if (index / 2 < IRQ_LINES) {
        write_entry(ioapic, index, value);
    }
}

static uint64_t ioapic_read(gpointer opaque, uint64_t offset, unsigned size G_GNUC_UNUSED)
{
    const Ioapic *ioapic = opaque;

    return offset == SELECT ? ioapic->state.select : offset == WINDOW ? read_window(ioapic) : 0;
}

static void ioapic_write(gpointer opaque, uint64_t offset, uint64_t value,
                         unsigned size G_GNUC_UNUSED)
{
    Ioapic *ioapic = opaque;

    if (offset == SELECT) {
        ioapic->state.select = value & 0xff;
    } else if (offset == WINDOW) {
        write_window(ioapic, (uint32_t)value);
    } else if (offset == END) {
        end_of_interrupt(ioapic, value & VECTOR);
    }
}

/* --- life --- */

static void ioapic_reset(Device *device)
{
    Ioapic *ioapic = IOAPIC(device);

    ioapic->state = (IoapicState){0};
    for (guint pin = 0; pin < IRQ_LINES; pin++) {
        ioapic->state.entries[pin] = MASKED;
        watch_end(ioapic, pin);
    }
}

static void put_back(gpointer opaque, gint64 elapsed G_GNUC_UNUSED)
{
    for (guint pin = 0; pin < IRQ_LINES; pin++) {
        watch_end(opaque, pin);
        send_level(opaque, pin);
    }
}

static DeviceProgress ioapic_realize(Device *device, GError **error G_GNUC_UNUSED)
{
    static const IoOps ops = {
        .read = ioapic_read, .write = ioapic_write, .min_access = 4, .max_access = 4};
    Ioapic *ioapic = IOAPIC(device);

    ioapic_reset(device);
    ioapic->controller = (IrqController){ioapic, set_line, end_of_interrupt};
    irq_controller_add(&ioapic->controller);
    ioapic->kept = (KeptState){&ioapic->state, sizeof(ioapic->state), put_back, ioapic, NULL};
    kept_state_add(&ioapic->kept);
    ioapic->region = io_region_new(G_OBJECT(device), "ioapic", &ops, ioapic, IOAPIC_SIZE);
    io_region_map(ioapic->region, ADDRESS_SPACE_MEMORY, IOAPIC_ADDRESS);
    return DEVICE_DONE;
}

static DeviceProgress ioapic_unrealize(Device *device)
{
    Ioapic *ioapic = IOAPIC(device);

    g_clear_pointer(&ioapic->region, io_region_free);
    kept_state_remove(&ioapic->kept);
    irq_controller_remove(&ioapic->controller);
    return DEVICE_DONE;
}

static void ioapic_init(Ioapic *ioapic G_GNUC_UNUSED)
{
}

static void ioapic_class_init(IoapicClass *class)
{
    VM_OBJECT_CLASS(class)->description = "I/O APIC";
    DEVICE_CLASS(class)->category = "misc";
    DEVICE_CLASS(class)->realize = ioapic_realize;
    DEVICE_CLASS(class)->unrealize = ioapic_unrealize;
    DEVICE_CLASS(class)->reset = ioapic_reset;
}

VM_DEFINE_TYPE("ioapic", Ioapic, IoapicClass, ioapic, TYPE_DEVICE, 0);

gboolean ioapic_add(GError **error)
{
    return device_add_on_board(ioapic_get_type(), "ioapic", error) != NULL;
}
