/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts of the payload: its handlers, and what comes by each of the controllers. */
#include "payload.h"

#include "payload-cpu.h"

#define VECTOR_LINE 0x42
#define VECTOR_TIMER 0x43
#define VECTOR_EDGE 0x44
#define VECTOR_OLDER 0x50 /* and seven more: the older controllers' */
#define PERIODS 20

typedef struct Gate {
    uint16_t low, selector, type, middle;
    uint32_t high, zero;
} Gate;

typedef struct Frame Frame;

static Gate gates[256];
volatile uint32_t messages, lines, ticks;
volatile uint32_t lines_ignored;
static volatile uint32_t edges, older;

static void end_of_interrupt(void)
{
    AT(uint32_t, LOCAL_APIC + 0xb0) = 0;
}

__attribute__((interrupt)) static void on_message(Frame *frame)
{
    (void)frame;
    messages++;
    end_of_interrupt();
}

__attribute__((interrupt)) static void on_line(Frame *frame)
{
    (void)frame;
    lines++;
    if (lines_ignored) {
        lines_ignored--;
    } else {
        (void)AT(uint8_t, BAR_MODERN + 0x1000); /* reading the ISR takes the line down */
    }
    end_of_interrupt();
}

__attribute__((interrupt)) static void on_tick(Frame *frame)
{
    (void)frame;
    ticks++;
    end_of_interrupt();
}

__attribute__((interrupt)) static void on_edge(Frame *frame)
{
    (void)frame;
    edges++;
    end_of_interrupt();
}

__attribute__((interrupt)) static void on_older(Frame *frame)
{
    (void)frame;
    older++;
    out8(0x20, 0x20); /* its end is the older controller's */
}

static void set_gate(uint8_t vector, void (*handler)(Frame *))
{
    uint64_t address = (uint64_t)(uintptr_t)handler;

    gates[vector] = (Gate){
        .low = (uint16_t)address,
        .selector = 8,
        .type = 0x8e00,
        .middle = (uint16_t)(address >> 16),
        .high = (uint32_t)(address >> 32),
    };
}

void load_gates(uint16_t size)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } pointer = {(uint16_t)(size - 1), (uint64_t)(uintptr_t)gates};

    __asm__ volatile("lidt %0" : : "m"(pointer));
}

void set_up_interrupts(void)
{
    set_gate(VECTOR_MESSAGE, on_message);
    set_gate(VECTOR_LINE, on_line);
    set_gate(VECTOR_TIMER, on_tick);
    set_gate(VECTOR_EDGE, on_edge);
    set_gate(VECTOR_OLDER, on_older);
    load_gates(sizeof(gates));
    out8(0x21, 0xff); /* the older controllers are silent */
    out8(0xa1, 0xff);
    AT(uint32_t, LOCAL_APIC + 0xf0) = 0x1ff;
    for (uint32_t pin = 16; pin < 24; pin++) { /* level, to this CPU */
        AT(uint32_t, IO_APIC) = 0x10 + 2 * pin;
        AT(uint32_t, IO_APIC + 0x10) = 1u << 15 | VECTOR_LINE;
        AT(uint32_t, IO_APIC) = 0x11 + 2 * pin;
        AT(uint32_t, IO_APIC + 0x10) = 0;
    }
}

int sleep_until(const volatile uint32_t *counter, uint32_t wanted)
{
    for (uint32_t turn = 0; turn < 1000; turn++) {
        __asm__ volatile("cli");
        if (*counter >= wanted) {
            __asm__ volatile("sti");
            return 1;
        }
        AT(uint32_t, LOCAL_APIC + 0x320) = VECTOR_TIMER;
        AT(uint32_t, LOCAL_APIC + 0x3e0) = 0xb;
        AT(uint32_t, LOCAL_APIC + 0x380) = 1000000; /* a millisecond at KVM's 1 GHz */
        __asm__ volatile("sti; hlt");
    }
    return 0;
}

/* --- the interval timer, by the way of both controllers --- */

static void set_period(uint16_t count)
{
    out8(0x43, 0x34);
    out8(0x40, (uint8_t)count);
    out8(0x40, (uint8_t)(count >> 8));
}

static void write_pin(uint32_t pin, uint32_t entry)
{
    AT(uint32_t, IO_APIC) = 0x10 + 2 * pin;
    AT(uint32_t, IO_APIC + 0x10) = entry;
}

void check_interval_timer(void)
{
    set_period(1193); /* a millisecond */
    write_pin(2, VECTOR_EDGE);
    check("the interval timer by the I/O controller", sleep_until(&edges, PERIODS));
    write_pin(2, 1u << 16 | VECTOR_EDGE);
    uint32_t before = edges;
    check_value("none by the older ones", older, 0);

    /* KVM resets the first CPU's LINT0 to ExtINT, and ICW1 clears the mask while there is no
     * vector yet.  A timer whose interrupt was lost so begins again when the mask opens. */
    AT(uint32_t, LOCAL_APIC + 0x350) = 0x10700;
    static const uint16_t ports[] = {0x20, 0x21, 0x21, 0x21};
    static const uint8_t words[] = {0x11, VECTOR_OLDER, 4, 1};
    for (uint32_t i = 0; i < sizeof(words); i++) {
        out8(ports[i], words[i]);
    }
    out8(0x21, 0xff);
    out8(0xa1, 0xff);                         /* the disk's line may have left something there */
    AT(uint32_t, LOCAL_APIC + 0x350) = 0x700; /* LINT0 is theirs */
    out8(0x21, 0xfe);
    check("and by the older ones", sleep_until(&older, PERIODS));
    check_value("none by the I/O controller", edges, before);
    out8(0x21, 0xff);
    before = older;
    for (uint32_t turn = 0; turn < 5; turn++) {
        uint32_t after = ticks + 1;
        sleep_until(&ticks, after);
    }
    check_value("none with a mask", older, before);
    AT(uint32_t, LOCAL_APIC + 0x350) = 0x10700;
    out8(0x43, 0x30); /* it stops: a count that never comes */

    out8(0x61, 1);
    out8(0x43, 0xb0);
    out8(0x42, 0xff); /* 55 milliseconds */
    out8(0x42, 0xff);
    uint32_t turns = 0;
    while (!(in8(0x61) & 0x20) && turns < 1000000) {
        turns++;
    }
    check("its third counter takes its time", turns > 0);
    check_value("and comes to its end", in8(0x61) & 0x20, 0x20);
    out8(0x61, 0);
}
