/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clock of a PC: MC146818A (register names and behaviour: its data sheet) with 128 bytes of
 * memory.  Nothing runs while no interrupt is wanted: flags are brought up to date when somebody
 * looks at them.
 */
#include "hw/rtc/mc146818rtc.h"

#include "rtc-internal.h"

#include "hw/core/device.h"
#include "monitor/qmp.h"
#include "system/clock.h"
#include "system/irq.h"
#include "system/main-loop.h"
#include "system/memory.h"
#include "system/run-state.h"
#include "system/wall-clock.h"

#include <string.h>
#include <time.h>

#define NANOSECONDS G_GINT64_CONSTANT(1000000000)
/* Seconds from 1970, either way, that nanoseconds in 64 bits can tell: the years 1685 to 2255. */
#define SECONDS_MAXIMUM G_GINT64_CONSTANT(9000000000)
#define CRYSTAL 32768 /* Hz */
/* Nanoseconds before an update in which UIP is set: eight cycles. */
#define UPDATE_WARNING (8 * NANOSECONDS / CRYSTAL)
#define ALARM_PATIENCE (NANOSECONDS * 60) /* the host's clock may be set: looked at so often */
#define INDEX_MASK 0x7f /* bit 7 of the index port masks the NMI, and there is none */

enum { REGISTER_A = 10, REGISTER_B, REGISTER_C, REGISTER_D };

/* Register A */
#define UPDATE_IN_PROGRESS 0x80
#define DIVIDER_RESET 0x60 /* both bits: the divider is held */
#define DIVIDER_32K 0x20
#define RATE_MASK 0x0f
/* Register B; the interrupts' enable bits are where register C has their flags. */
#define SET 0x80
#define PERIODIC 0x40
#define ALARM 0x20
#define UPDATE_ENDED 0x10
#define FLAGS (PERIODIC | ALARM | UPDATE_ENDED)
#define SQUARE_WAVE 0x08
#define HOURS_24 0x02
/* Registers C and D */
#define INTERRUPT 0x80
#define VALID_RAM 0x80

typedef struct Rtc {
    Device parent;
    IoRegion *region;
    IrqSource *irq;
    ClockTimer *timer; /* of the next flag that raises the interrupt */
    RunStateListener listener;
    uint8_t index;
    uint8_t bytes[RTC_BYTES]; /* the date's are those last seen, or written while halted */
    gint64 offset;            /* ns by which the guest has set it ahead of wall_clock_now() */
    gint64 second;            /* up to which UF and AF are known */
    gint64 divider_start;     /* ns of the virtual clock at which the divider was released */
    gint64 periods;           /* since then, up to which PF is known */
} Rtc;

typedef struct RtcClass {
    DeviceClass parent;
} RtcClass;

VM_DECLARE_TYPE(Rtc, rtc, RTC)

/* --- time --- */

/* The bytes of the date are the guest's to write, and time stands still. */
static gboolean is_halted(const Rtc *rtc)
{
    return (rtc->bytes[REGISTER_B] & SET) ||
           (rtc->bytes[REGISTER_A] & DIVIDER_RESET) == DIVIDER_RESET;
}

/* A guest may write any date: what does not fit stays at the end of what does. */
static gint64 bounded(__int128 nanoseconds)
{
    const gint64 limit = SECONDS_MAXIMUM * NANOSECONDS;

    return (gint64)CLAMP(nanoseconds, -limit, limit);
}

static gint64 time_now(const Rtc *rtc)
{
    return bounded((__int128)wall_clock_now() + rtc->offset);
}

static gint64 floor_divide(gint64 value, gint64 by)
{
    return value / by - (value % by < 0);
}

static gint64 second_now(const Rtc *rtc)
{
    return floor_divide(time_now(rtc), NANOSECONDS);
}

/* Nanoseconds of the second that have gone by. */
static gint64 fraction_now(const Rtc *rtc)
{
    gint64 now = time_now(rtc);

    return now - floor_divide(now, NANOSECONDS) * NANOSECONDS;
}

typedef struct Change {
    Rtc *rtc;
    gint64 offset; /* s */
} Change;

static void change_posted(gpointer opaque)
{
    g_autofree Change *change = opaque;
    g_autofree char *path = vm_object_path(VM_OBJECT(change->rtc));
    json_object *data = json_object_new_object();

    json_add_int(data, "offset", change->offset);
    json_add_string(data, "qom-path", path ? path : "");
    qmp_event_send("RTC_CHANGE", data);
    g_object_unref(change->rtc);
}

/* The guest has set the date: from now on it is @time. */
static void set_time(Rtc *rtc, gint64 time)
{
    gint64 before = floor_divide(rtc->offset + NANOSECONDS / 2, NANOSECONDS);

    rtc->offset = bounded((__int128)time - wall_clock_now());
    rtc->second = floor_divide(time, NANOSECONDS);
    gint64 after = floor_divide(rtc->offset + NANOSECONDS / 2, NANOSECONDS);
    if (after != before) {
        Change *change = g_new(Change, 1);
        *change = (Change){g_object_ref(rtc), after};
        main_loop_post(change_posted, change);
    }
}

/* --- the periodic interrupt --- */

/* Cycles of the crystal a period; 0: never (data sheet, table 5). */
static guint period_cycles(const Rtc *rtc)
{
    guint rate = rtc->bytes[REGISTER_A] & RATE_MASK;

    if (rate == 0 || (rtc->bytes[REGISTER_A] & DIVIDER_RESET) == DIVIDER_RESET) {
        return 0;
    }
    return 1u << (rate <= 2 ? rate + 6 : rate - 1);
}

static gint64 periods_now(const Rtc *rtc)
{
    gint64 since = clock_now() - rtc->divider_start;
    guint cycles = period_cycles(rtc);

    return cycles ? (gint64)((__int128)since * CRYSTAL / NANOSECONDS / cycles) : 0;
}

/* When period @number ends: the first nanosecond at which periods_now() says so. */
static gint64 period_end(const Rtc *rtc, gint64 number)
{
    __int128 cycles = (__int128)number * period_cycles(rtc);

    return rtc->divider_start + (gint64)((cycles * NANOSECONDS + CRYSTAL - 1) / CRYSTAL);
}

/* --- flags and the interrupt --- */

static void catch_up(Rtc *rtc)
{
    gint64 periods = periods_now(rtc);

    if (periods > rtc->periods) {
        rtc->bytes[REGISTER_C] |= PERIODIC;
    }
    rtc->periods = periods;
    if (is_halted(rtc)) {
        return;
    }
    gint64 now = second_now(rtc);
    if (now > rtc->second) {
        rtc->bytes[REGISTER_C] |= UPDATE_ENDED;
        if (rtc_next_alarm(rtc->bytes, rtc->second) <= now) {
            rtc->bytes[REGISTER_C] |= ALARM;
        }
    }
    rtc->second = now;
}

/* When the next flag that is wanted and not set yet is due; G_MAXINT64: none is. */
static gint64 next_event(Rtc *rtc)
{
    uint8_t wanted = rtc->bytes[REGISTER_B] & ~rtc->bytes[REGISTER_C];
    gint64 next = G_MAXINT64;
    gint64 alarm;

    if ((wanted & PERIODIC) && period_cycles(rtc)) {
        next = period_end(rtc, rtc->periods + 1);
    }
    if (is_halted(rtc)) {
        return next;
    }
    if (wanted & UPDATE_ENDED) {
        next = MIN(next, clock_now() + NANOSECONDS - fraction_now(rtc));
    }
    if ((wanted & ALARM) && (alarm = rtc_next_alarm(rtc->bytes, rtc->second)) != G_MAXINT64) {
        gint64 wait = (alarm - rtc->second) * NANOSECONDS - fraction_now(rtc);
        next = MIN(next, clock_now() + MIN(wait, ALARM_PATIENCE));
    }
    return next;
}

static void update(Rtc *rtc)
{
    gint64 next;

    catch_up(rtc);
    irq_source_set(rtc->irq, (rtc->bytes[REGISTER_B] & rtc->bytes[REGISTER_C] & FLAGS) != 0);
    next = next_event(rtc);
    if (next == G_MAXINT64) {
        clock_timer_stop(rtc->timer);
    } else {
        clock_timer_set(rtc->timer, next);
    }
}

static void timer_expired(gpointer opaque)
{
    update(opaque);
}

/* While the machine stood still the host's clock has gone on. */
static void running_changed(gpointer opaque, gboolean running)
{
    if (running) {
        update(opaque);
    }
}

/* --- registers --- */

static gboolean is_date(uint8_t index)
{
    return index == RTC_CENTURY || (index < REGISTER_A && !rtc_is_alarm(index));
}

/* What the bytes say, @fraction ns into their second. */
static gint64 written_time(const Rtc *rtc, gint64 fraction)
{
    return bounded((__int128)rtc_decode(rtc->bytes) * NANOSECONDS + fraction);
}

static void write_date(Rtc *rtc, uint8_t index, uint8_t value)
{
    if (!is_halted(rtc)) {
        rtc_encode(rtc->bytes, second_now(rtc));
    }
    rtc->bytes[index] = value;
    if (!is_halted(rtc)) {
        set_time(rtc, written_time(rtc, fraction_now(rtc)));
    }
}

/* Unless something else halts it, time goes on from the bytes as they are; @fraction ns of their
 * second have gone by. */
static void go_on(Rtc *rtc, gint64 fraction)
{
    if (!is_halted(rtc)) {
        set_time(rtc, written_time(rtc, fraction));
    }
}

/* "Divider control": the first update after the divider was held comes half a second later. */
static void write_register_a(Rtc *rtc, uint8_t value)
{
    gboolean was_halted = is_halted(rtc);
    gboolean was_held = (rtc->bytes[REGISTER_A] & DIVIDER_RESET) == DIVIDER_RESET;
    gboolean held = (value & DIVIDER_RESET) == DIVIDER_RESET;

    if (!was_halted && held) { /* before the bytes are frozen */
        rtc_encode(rtc->bytes, second_now(rtc));
    }
    rtc->bytes[REGISTER_A] = value & ~UPDATE_IN_PROGRESS;
    if (was_held && !held) {
        rtc->divider_start = clock_now();
        go_on(rtc, NANOSECONDS / 2);
    }
    rtc->periods = periods_now(rtc);
}

static void write_register_b(Rtc *rtc, uint8_t value)
{
    gboolean was_halted = is_halted(rtc);
    gint64 fraction = fraction_now(rtc);

    if (value & SET) {
        value &= ~UPDATE_ENDED;
    }
    if (!was_halted && (value & SET)) { /* in the format that was in force */
        rtc_encode(rtc->bytes, second_now(rtc));
    }
    rtc->bytes[REGISTER_B] = value;
    if (was_halted && !(value & SET)) {
        go_on(rtc, fraction);
    }
}

static uint8_t read_byte(Rtc *rtc, uint8_t index)
{
    uint8_t value;

    switch (index) {
    case REGISTER_A:
        value = rtc->bytes[REGISTER_A];
        if (!is_halted(rtc) && fraction_now(rtc) >= NANOSECONDS - UPDATE_WARNING) {
            value |= UPDATE_IN_PROGRESS;
        }
        return value;
    case REGISTER_C: /* a look at the flags clears them */
        catch_up(rtc);
        value = rtc->bytes[REGISTER_C];
        if (value & rtc->bytes[REGISTER_B] & FLAGS) {
            value |= INTERRUPT;
        }
        rtc->bytes[REGISTER_C] = 0;
        update(rtc);
        return value;
    case REGISTER_D:
        return VALID_RAM;
    default:
        if (is_date(index) && !is_halted(rtc)) {
            rtc_encode(rtc->bytes, second_now(rtc));
        }
        return rtc->bytes[index];
    }
}

static void write_byte(Rtc *rtc, uint8_t index, uint8_t value)
{
    catch_up(rtc); /* by what was in force up to now */
    if (index == REGISTER_A) {
        write_register_a(rtc, value);
    } else if (index == REGISTER_B) {
        write_register_b(rtc, value);
    } else if (is_date(index)) {
        write_date(rtc, index, value);
    } else if (index != REGISTER_C && index != REGISTER_D) {
        rtc->bytes[index] = value;
    }
    update(rtc);
}

/* The index cannot be read back on a PC. */
static uint64_t port_read(gpointer opaque, uint64_t offset, unsigned size G_GNUC_UNUSED)
{
    Rtc *rtc = opaque;

    return offset == 0 ? 0xff : read_byte(rtc, rtc->index);
}

static void port_write(gpointer opaque, uint64_t offset, uint64_t value,
                       unsigned size G_GNUC_UNUSED)
{
    Rtc *rtc = opaque;

    if (offset == 0) {
        rtc->index = value & INDEX_MASK;
    } else {
        write_byte(rtc, rtc->index, (uint8_t)value);
    }
}

static const IoOps rtc_ops = {.read = port_read, .write = port_write, .max_access = 1};

/* --- life --- */

/* "Reset": interrupts are off; date, alarm and memory stay. */
static void rtc_reset(Device *device)
{
    Rtc *rtc = RTC(device);

    catch_up(rtc);
    rtc->bytes[REGISTER_B] &= ~(FLAGS | SQUARE_WAVE);
    rtc->bytes[REGISTER_C] = 0;
    rtc->index = 0;
    update(rtc);
}

static DeviceProgress rtc_realize(Device *device, GError **error G_GNUC_UNUSED)
{
    Rtc *rtc = RTC(device);

    rtc->bytes[REGISTER_A] = DIVIDER_32K | 6; /* what a PC's firmware leaves: 1024 Hz */
    rtc->bytes[REGISTER_B] = HOURS_24;        /* and BCD */
    rtc->timer = clock_timer_new(timer_expired, rtc);
    rtc->irq = irq_source_new(RTC_LINE);
    rtc->second = second_now(rtc);
    rtc->divider_start = clock_now();
    rtc->listener = (RunStateListener){running_changed, rtc};
    run_state_listener_add(&rtc->listener);
    rtc->region = io_region_new(G_OBJECT(device), "rtc", &rtc_ops, rtc, 2);
    io_region_map(rtc->region, ADDRESS_SPACE_IO, RTC_PORT);
    return DEVICE_DONE;
}

static DeviceProgress rtc_unrealize(Device *device)
{
    Rtc *rtc = RTC(device);

    run_state_listener_remove(&rtc->listener);
    g_clear_pointer(&rtc->region, io_region_free);
    g_clear_pointer(&rtc->irq, irq_source_free);
    g_clear_pointer(&rtc->timer, clock_timer_free);
    return DEVICE_DONE;
}

static json_object *get_date(VmObject *object)
{
    json_object *date = json_object_new_object();
    time_t now = (time_t)second_now(RTC(object));
    struct tm fields;

    memset(&fields, 0, sizeof(fields));
    gmtime_r(&now, &fields);
    json_add_int(date, "tm_year", fields.tm_year);
    json_add_int(date, "tm_mon", fields.tm_mon);
    json_add_int(date, "tm_mday", fields.tm_mday);
    json_add_int(date, "tm_hour", fields.tm_hour);
    json_add_int(date, "tm_min", fields.tm_min);
    json_add_int(date, "tm_sec", fields.tm_sec);
    return date;
}

static const VmField rtc_fields[] = {
    {.name = "date",
     .doc = "what it shows, as the members of struct tm",
     .type_name = "struct tm",
     .get = get_date},
    {.name = NULL},
};

static void rtc_init(Rtc *rtc G_GNUC_UNUSED)
{
}

static void rtc_class_init(RtcClass *class)
{
    VM_OBJECT_CLASS(class)->description = "MC146818 clock";
    DEVICE_CLASS(class)->category = "misc";
    DEVICE_CLASS(class)->bus = "ISA";
    DEVICE_CLASS(class)->realize = rtc_realize;
    DEVICE_CLASS(class)->unrealize = rtc_unrealize;
    DEVICE_CLASS(class)->reset = rtc_reset;
    vm_object_class_install_fields(class, rtc_fields);
}

VM_DEFINE_TYPE("mc146818rtc", Rtc, RtcClass, rtc, TYPE_DEVICE, 0);

gboolean mc146818rtc_add(uint64_t low_ram, uint64_t high_ram, guint cpus, GError **error)
{
    Device *rtc = device_add_on_board(rtc_get_type(), "rtc", error);

    if (!rtc) {
        return FALSE;
    }
    rtc_describe_board(RTC(rtc)->bytes, low_ram, high_ram, cpus);
    return TRUE;
}

/* --- QMP --- */

/* Periodic interrupts that the guest was too slow for are not repeated: nothing is to be reset. */
static json_object *reset_reinjection(json_object *arguments G_GNUC_UNUSED,
                                      GError **error G_GNUC_UNUSED)
{
    return NULL;
}

static const QmpCommand commands[] = {
    {.name = "rtc-reset-reinjection",
     .doc = "Forgets periodic interrupts that wait for being repeated; as with driftfix=none there "
            "never are any, it succeeds and changes nothing.",
     .run = reset_reinjection},
    {.name = NULL},
};

static const QmpEvent events[] = {
    {.name = "RTC_CHANGE",
     .data = "offset:int, qom-path:str",
     .doc = "The guest has set its clock: by how many seconds it is ahead of what -rtc base= asks "
            "for, and which clock it is."},
    {.name = NULL},
};

QMP_REGISTER(commands, events, NULL);
