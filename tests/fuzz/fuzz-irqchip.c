/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any operating system against the I/O APIC, the 8259 and the 8254, with lines that change, time
 * that passes, interrupts that are taken and ended, state that is kept and put back, and resets.  A
 * level that is unmasked and high waits for an end, and no acknowledge comes without a request.
 */
#include "../unit/pci-test.h"
#include "fuzz.h"
#include "hw/core/device.h"
#include "hw/intc/i8259.h"
#include "hw/intc/ioapic.h"
#include "hw/timer/i8254.h"
#include "system/clock.h"
#include "system/irq.h"
#include "system/kept-state.h"

#define LEVEL 0x8000u
#define REMOTE_IRR 0x4000u
#define MASKED 0x10000u
#define RESERVED_OR_EDGE 0x600u /* of the delivery mode: without a vector */
#define STEP_NANOSECONDS 1000000

static IrqSource *lines[IRQ_LINES];
static gboolean external;

static gboolean send_msi(guint64 address, guint32 data)
{
    fuzz_require(address >> 20 == 0xfee && !(data & ~0xc7ffu));
    return TRUE;
}

static void watch_end(guint pin, guint64 address, guint32 data)
{
    fuzz_require(pin < IRQ_LINES && address >> 20 == 0xfee && (data == 0 || (data & LEVEL)));
}

static void set_external(gboolean high)
{
    external = high;
}

static void access_port(FuzzInput *input, gboolean write)
{
    static const uint16_t ports[] = {0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40,
                                     0x41, 0x42, 0x43, 0x61, 0x43,  0x43,  0x40};
    uint16_t port = ports[fuzz_byte(input) % G_N_ELEMENTS(ports)];

    if (write) {
        port_write(port, fuzz_byte(input), 1);
    } else {
        port_read(port, 1);
    }
}

static void access_ioapic(FuzzInput *input, gboolean write)
{
    uint64_t address = IOAPIC_ADDRESS + fuzz_byte(input) % 8 * 0x10;

    if (write) {
        mem_write(address, fuzz_number(input, 4), 4);
    } else {
        mem_read(address, 4);
    }
}

static void check_levels(void)
{
    for (guint pin = 1; pin < IRQ_LINES; pin++) {
        mem_write(IOAPIC_ADDRESS, 0x10 + 2 * pin, 4);
        uint32_t entry = (uint32_t)mem_read(IOAPIC_ADDRESS + 0x10, 4);
        gboolean high = irq_line_level(pin == IOAPIC_TIMER_PIN ? 0 : pin);
        gboolean is_level = (entry & LEVEL) && !(entry & RESERVED_OR_EDGE);

        fuzz_require(is_level || !(entry & REMOTE_IRR));
        fuzz_require(!is_level || !high || (entry & (MASKED | REMOTE_IRR)));
    }
}

static void step(FuzzInput *input)
{
    uint8_t action = fuzz_byte(input);

    switch (action % 12) {
    case 0:
    case 1:
    case 2:
        access_port(input, action & 0x80);
        break;
    case 3:
    case 4:
    case 5:
        access_ioapic(input, action & 0x80);
        break;
    case 6:
        irq_source_set(lines[fuzz_byte(input) % IRQ_LINES], action & 0x80);
        break;
    case 7:
        clock_advance(clock_now() + (gint64)fuzz_number(input, 3) % STEP_NANOSECONDS);
        break;
    case 8:
        irq_end(fuzz_byte(input));
        break;
    case 9:
        if (external) {
            irq_external_acknowledge();
        }
        break;
    case 10:
        kept_state_keep();
        break;
    default:
        if (action & 0x80) {
            kept_state_put_back();
        } else {
            device_reset_all();
        }
        break;
    }
    check_levels();
}

int LLVMFuzzerInitialize(int *argc G_GNUC_UNUSED, char ***argv G_GNUC_UNUSED)
{
    static const IrqAccelerator accelerator = {
        .send_msi = send_msi, .watch_end = watch_end, .set_external = set_external};

    main_loop_init();
    irq_set_accelerator(&accelerator);
    fuzz_require(ioapic_add(NULL) && i8259_add(NULL) && i8254_add(NULL));
    for (guint i = 0; i < IRQ_LINES; i++) {
        lines[i] = irq_source_new(i);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput input = {data, size};

    for (guint i = 0; i < IRQ_LINES; i++) {
        irq_source_set(lines[i], FALSE);
    }
    device_reset_all();
    while (input.size > 0) {
        step(&input);
    }
    return 0;
}
