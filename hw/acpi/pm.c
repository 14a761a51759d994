/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fixed hardware of ACPI 6.4, 4.8.3: PM1a event and control block, PM timer.  The machine is
 * always in ACPI mode (there is no SMI command port), so SCI_EN reads as 1.
 */
#include "acpi-internal.h"
#include "system/clock.h"
#include "system/run-state.h"
#include "util/trace.h"

TRACE_EVENT(acpi_sleep, "the guest asks for a sleep state");

enum {
    PM1_STATUS = 0,
    PM1_ENABLE = 2,
    PM1_CONTROL = 4,
    PM_TIMER = 8,
    PM_SIZE = 12,
};

/* PM1 status and enable (4.8.3.1). */
enum {
    PM1_TIMER = 1 << 0,
    PM1_GLOBAL = 1 << 5,
    PM1_POWER_BUTTON = 1 << 8,
    PM1_CLOCK_ALARM = 1 << 10, /* wakes from a sleep state, of which there is none: never set */
    PM1_ENABLE_BITS = PM1_TIMER | PM1_GLOBAL | PM1_POWER_BUTTON | PM1_CLOCK_ALARM,
};

/* PM1 control (4.8.3.2.1). */
enum {
    PM1_SCI_ENABLE = 1 << 0,
    PM1_SLEEP_TYPE_SHIFT = 10,
    PM1_SLEEP_TYPE_MASK = 7 << PM1_SLEEP_TYPE_SHIFT,
    PM1_SLEEP_ENABLE = 1 << 13, /* write-only */
};

#define PM_TIMER_HZ 3579545u
/* TMR_STS follows each change of the highest bit of the counter, which has 32 (4.8.3.3). */
#define PM_TIMER_HALF_PERIOD (UINT64_C(1) << 31)

static struct {
    IoRegion *region;
    uint16_t status, enable, control;
    ClockTimer *carry;   /* expires when TMR_STS is due and somebody waits for it */
    uint64_t next_carry; /* in ticks */
} pm;

/* --- timer --- */

static uint64_t timer_ticks(void)
{
    return (unsigned __int128)clock_now() * PM_TIMER_HZ / 1000000000u;
}

/* The first nanosecond at which the timer shows @ticks; it can lie behind the end of the clock. */
static uint64_t ticks_to_ns(uint64_t ticks)
{
    return ((unsigned __int128)ticks * 1000000000u + PM_TIMER_HZ - 1) / PM_TIMER_HZ;
}

/* Catches up with the counter, so that nothing has to run while no interrupt is wanted. */
static void update_timer_status(void)
{
    uint64_t now = timer_ticks();

    if (now >= pm.next_carry) {
        pm.status |= PM1_TIMER;
        pm.next_carry = (now / PM_TIMER_HALF_PERIOD + 1) * PM_TIMER_HALF_PERIOD;
    }
    uint64_t due = ticks_to_ns(pm.next_carry);
    if ((pm.enable & PM1_TIMER) && !(pm.status & PM1_TIMER) && due <= INT64_MAX) {
        clock_timer_set(pm.carry, (gint64)due);
    } else {
        clock_timer_stop(pm.carry);
    }
}

static void timer_carried(gpointer opaque G_GNUC_UNUSED)
{
    update_timer_status();
    acpi_sci_update();
}

/* --- events --- */

gboolean acpi_pm_event_pending(void)
{
    return (pm.status & pm.enable) != 0;
}

static void power_button(gpointer opaque G_GNUC_UNUSED)
{
    if (pm.region) {
        pm.status |= PM1_POWER_BUTTON;
        acpi_sci_update();
    }
}

static void write_control(uint16_t value)
{
    unsigned type = (value & PM1_SLEEP_TYPE_MASK) >> PM1_SLEEP_TYPE_SHIFT;

    pm.control = value & PM1_SLEEP_TYPE_MASK;
    if (!(value & PM1_SLEEP_ENABLE)) {
        return;
    }
    trace(acpi_sleep, "type %u", type);
    if (type == ACPI_SLEEP_TYPE_S5) {
        run_state_request_shutdown(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
    }
}

/* --- registers --- */

static uint8_t read_byte(uint64_t offset)
{
    unsigned shift = 8 * (offset & 1);

    switch (offset & ~1u) {
    case PM1_STATUS:
        update_timer_status();
        return pm.status >> shift;
    case PM1_ENABLE:
        return pm.enable >> shift;
    case PM1_CONTROL:
        return (pm.control | PM1_SCI_ENABLE) >> shift;
    default:
        return 0;
    }
}

static uint64_t pm_read(gpointer opaque G_GNUC_UNUSED, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    if (offset >= PM_TIMER) { /* one look at the clock */
        return (uint32_t)timer_ticks() >> (8 * (offset - PM_TIMER));
    }
    for (unsigned byte = 0; byte < size; byte++) {
        value |= (uint64_t)read_byte(offset + byte) << (8 * byte);
    }
    return value;
}

/* Writes the bits of @mask in the register at @offset. */
static void write_bits(uint64_t offset, uint16_t value, uint16_t mask)
{
    switch (offset) {
    case PM1_STATUS:
        update_timer_status();
        pm.status &= ~(value & mask);
        break;
    case PM1_ENABLE:
        pm.enable = ((pm.enable & ~mask) | (value & mask)) & PM1_ENABLE_BITS;
        break;
    case PM1_CONTROL:
        write_control((pm.control & ~mask) | (value & mask));
        break;
    default: /* the timer is read-only */
        break;
    }
}

static void pm_write(gpointer opaque G_GNUC_UNUSED, uint64_t offset, uint64_t value, unsigned size)
{
    while (size > 0) {
        unsigned shift = 8 * (offset & 1);
        unsigned bytes = MIN(size, 2 - (offset & 1));
        uint16_t mask = bytes == 2 ? 0xffff : 0xff << shift;
        write_bits(offset & ~UINT64_C(1), value << shift, mask);
        offset += bytes;
        value >>= 8 * bytes;
        size -= bytes;
    }
    update_timer_status();
    acpi_sci_update();
}

static const IoOps pm_ops = {.read = pm_read, .write = pm_write, .max_access = 4};

/* --- life --- */

void acpi_pm_reset(void)
{
    pm.status = 0;
    pm.enable = 0;
    pm.control = 0;
    pm.next_carry = (timer_ticks() / PM_TIMER_HALF_PERIOD + 1) * PM_TIMER_HALF_PERIOD;
    clock_timer_stop(pm.carry);
}

void acpi_pm_init(void)
{
    static gboolean button_wired;

    pm.carry = clock_timer_new(timer_carried, NULL);
    pm.region = io_region_new(NULL, "acpi-pm", &pm_ops, NULL, PM_SIZE);
    io_region_map(pm.region, ADDRESS_SPACE_IO, ACPI_PM_BASE);
    if (!button_wired) {
        button_wired = TRUE;
        run_state_powerdown_handler_add(power_button, NULL);
    }
}

void acpi_pm_free(void)
{
    g_clear_pointer(&pm.region, io_region_free);
    g_clear_pointer(&pm.carry, clock_timer_free);
}
