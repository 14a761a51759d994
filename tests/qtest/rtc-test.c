/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine's clock as a driver of an MC146818A sees it, over a virtual clock that the test
 * moves: date and formats, setting it, alarm, periodic and update interrupts, memory, and -rtc.
 */
#include "qtest/rig.h"

#include <time.h>

#define SECOND G_GINT64_CONSTANT(1000000000)
#define LINE 8
#define CENTURY 0x32
#define EVENT_WAIT 10000

enum {
    SECONDS,
    SECONDS_ALARM,
    MINUTES,
    MINUTES_ALARM,
    HOURS,
    HOURS_ALARM,
    WEEKDAY,
    DAY,
    MONTH,
    YEAR
};
enum { A = 10, B, C, D };
enum { A_UIP = 0x80, A_HELD = 0x60, A_NORMAL = 0x26 };
enum { B_SET = 0x80, B_PIE = 0x40, B_AIE = 0x20, B_UIE = 0x10, B_BINARY = 4, B_24 = 2 };
enum { C_IRQ = 0x80, C_PF = 0x40, C_AF = 0x20, C_UF = 0x10 };

static uint8_t get(const Vmm *vmm, uint8_t index)
{
    qtest_outb(vmm->qtest, 0x70, index);
    return qtest_inb(vmm->qtest, 0x71);
}

static void put(const Vmm *vmm, uint8_t index, uint8_t value)
{
    qtest_outb(vmm->qtest, 0x70, index);
    qtest_outb(vmm->qtest, 0x71, value);
}

static void step(const Vmm *vmm, gint64 nanoseconds)
{
    qtest_clock_step(vmm->qtest, nanoseconds);
}

static gboolean high(const Vmm *vmm)
{
    return qtest_irq_level(vmm->qtest, LINE);
}

/* A machine whose clock goes by the virtual one, from @date on. */
static Vmm *start(const char *date)
{
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -m 32M -smp 3 -rtc base=%s,clock=vm", date);

    qtest_irq_intercept_in(vmm->qtest, "ioapic");
    return vmm;
}

/* The date as the registers have it, "century year month day weekday hours minutes seconds". */
static void expect(const Vmm *vmm, const char *date)
{
    static const uint8_t order[] = {CENTURY, YEAR, MONTH, DAY, WEEKDAY, HOURS, MINUTES, SECONDS};
    g_autoptr(GString) shown = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(order); i++) {
        g_string_append_printf(shown, "%s%02x", i ? " " : "", get(vmm, order[i]));
    }
    g_assert_cmpstr(shown->str, ==, date);
}

static void test_date(void)
{
    Vmm *vmm = start("1999-12-31T23:59:58");

    g_assert_cmphex(get(vmm, A), ==, A_NORMAL);
    g_assert_cmphex(get(vmm, B), ==, B_24);
    g_assert_cmphex(get(vmm, C), ==, 0);
    g_assert_cmphex(get(vmm, D), ==, 0x80);
    expect(vmm, "19 99 12 31 06 23 59 58");
    step(vmm, 2 * SECOND - 1);
    expect(vmm, "19 99 12 31 06 23 59 59");
    step(vmm, 1);
    expect(vmm, "20 00 01 01 07 00 00 00");
    step(vmm, 13 * 3600 * SECOND + 45 * SECOND);
    put(vmm, B, 0); /* of twelve hours, the afternoon has bit 7 */
    expect(vmm, "20 00 01 01 07 81 00 45");
    put(vmm, B, B_BINARY | B_24);
    expect(vmm, "14 00 01 01 07 0d 00 2d");
    put(vmm, B, B_BINARY);
    expect(vmm, "14 00 01 01 07 81 00 2d");
    step(vmm, (24 - 13) * 3600 * SECOND); /* midnight is 12 */
    g_assert_cmphex(get(vmm, HOURS), ==, 12);
    vmm_end(vmm);
}

static void expect_change(Vmm *vmm, gint64 offset)
{
    g_autoptr(json_object) event = qmp_event_or_fail(vmm->qmp, "RTC_CHANGE", EVENT_WAIT);

    g_assert_cmpint(qmp_get_int(event, "data/offset", -1), ==, offset);
    g_assert_cmpstr(qmp_get_string(event, "data/qom-path"), ==, "/machine/unattached/rtc");
}

/* As a driver sets it: halted meanwhile, from then on by what was written. */
static void test_set(void)
{
    Vmm *vmm = start("2026-01-31T12:00:00");

    put(vmm, B, B_SET | B_24 | B_UIE);
    g_assert_cmphex(get(vmm, B), ==, B_SET | B_24); /* SET ends update interrupts */
    step(vmm, 5 * SECOND);
    expect(vmm, "20 26 01 31 07 12 00 00");
    put(vmm, DAY, 0x28);
    put(vmm, MONTH, 0x02);
    put(vmm, HOURS, 0x23);
    put(vmm, MINUTES, 0x59);
    put(vmm, SECONDS, 0x59);
    expect(vmm, "20 26 02 28 07 23 59 59");
    put(vmm, B, B_24);
    expect_change(vmm, 28 * 86400 + 11 * 3600 + 59 * 60 + 59 - 5);
    step(vmm, SECOND);
    expect(vmm, "20 26 03 01 01 00 00 00");
    put(vmm, MINUTES, 0x30); /* while it runs */
    expect(vmm, "20 26 03 01 01 00 30 00");
    expect_change(vmm, 28 * 86400 + 11 * 3600 + 59 * 60 + 59 - 5 + 1800);
    vmm_end(vmm);
}

/* The last date that it can tell; a later one is not kept. */
static void test_last_date(void)
{
    Vmm *vmm = start("2026-01-31T12:00:00");

    put(vmm, CENTURY, 0x99);
    expect(vmm, "22 55 03 14 04 16 00 00");
    put(vmm, CENTURY, 0x00);
    put(vmm, YEAR, 0x00);
    g_assert_cmphex(get(vmm, CENTURY), ==, 0x17); /* as far before 2026 as it can be set */
    vmm_end(vmm);
}

/* The divider held: time stands still, and begins with half a second. */
static void test_divider(void)
{
    Vmm *vmm = start("2026-01-31T12:00:00");

    put(vmm, A, A_HELD | 6);
    step(vmm, 3 * SECOND);
    g_assert_cmphex(get(vmm, A), ==, A_HELD | 6);
    g_assert_cmphex(get(vmm, SECONDS), ==, 0);
    g_assert_cmphex(get(vmm, C), ==, 0);
    put(vmm, A, A_NORMAL);
    step(vmm, SECOND / 2 - 1);
    g_assert_cmphex(get(vmm, SECONDS), ==, 0);
    g_assert_cmphex(get(vmm, A), ==, A_NORMAL | A_UIP);
    step(vmm, 1);
    g_assert_cmphex(get(vmm, SECONDS), ==, 1);
    g_assert_cmphex(get(vmm, A), ==, A_NORMAL);
    step(vmm, SECOND - 244141); /* 8 of 32768 cycles before it */
    g_assert_cmphex(get(vmm, A), ==, A_NORMAL);
    step(vmm, 1);
    g_assert_cmphex(get(vmm, A), ==, A_NORMAL | A_UIP);
    put(vmm, B, B_SET | B_24);
    g_assert_cmphex(get(vmm, A), ==, A_NORMAL);
    vmm_end(vmm);
}

static void test_update_interrupt(void)
{
    Vmm *vmm = start("2026-01-31T12:00:00");

    step(vmm, 3 * SECOND);
    g_assert_cmphex(get(vmm, C) & ~C_PF, ==, C_UF); /* without an interrupt, too */
    put(vmm, B, B_24 | B_UIE);
    step(vmm, SECOND - 1);
    g_assert_false(high(vmm));
    for (guint i = 0; i < 3; i++) {
        step(vmm, 1);
        g_assert_true(high(vmm));
        step(vmm, SECOND - 1); /* not looked at: it stays */
        g_assert_true(high(vmm));
        g_assert_cmphex(get(vmm, C) & ~C_PF, ==, C_IRQ | C_UF);
        g_assert_false(high(vmm));
        g_assert_cmphex(get(vmm, C), ==, 0);
    }
    put(vmm, B, B_24);
    step(vmm, 2 * SECOND);
    g_assert_false(high(vmm));
    put(vmm, B, B_24 | B_UIE); /* the flag was set already */
    g_assert_true(high(vmm));
    vmm_end(vmm);
}

static void set_alarm(const Vmm *vmm, uint8_t hours, uint8_t minutes, uint8_t seconds)
{
    put(vmm, HOURS_ALARM, hours);
    put(vmm, MINUTES_ALARM, minutes);
    put(vmm, SECONDS_ALARM, seconds);
}

/* Steps one nanosecond less than @seconds without an interrupt, then with one. */
static void expect_alarm(const Vmm *vmm, gint64 seconds)
{
    step(vmm, seconds * SECOND - 1);
    g_assert_false(high(vmm));
    step(vmm, 1);
    g_assert_true(high(vmm));
    g_assert_cmphex(get(vmm, C) & ~(C_PF | C_UF), ==, C_IRQ | C_AF);
    g_assert_false(high(vmm));
}

static void test_alarm(void)
{
    Vmm *vmm = start("2026-01-31T12:00:00");

    set_alarm(vmm, 0x13, 0x30, 0x15);
    put(vmm, B, B_24 | B_AIE);
    expect_alarm(vmm, 5415);
    expect_alarm(vmm, 86400);
    set_alarm(vmm, 0xff, 0xc0, 0x20); /* any hour, any minute */
    expect_alarm(vmm, 5);
    expect_alarm(vmm, 60);
    set_alarm(vmm, 0xff, 0xff, 0xff);
    expect_alarm(vmm, 1);
    expect_alarm(vmm, 1);
    put(vmm, B, B_AIE); /* of twelve hours: 2 pm */
    set_alarm(vmm, 0x82, 0x00, 0x00);
    expect_alarm(vmm, 14 * 3600 - 13 * 3600 - 31 * 60 - 22);
    set_alarm(vmm, 0x82, 0x61, 0x00); /* never */
    step(vmm, 3 * 86400 * SECOND);
    g_assert_false(high(vmm));
    g_assert_cmphex(get(vmm, C) & C_AF, ==, 0);
    vmm_end(vmm);
}

/* Nanoseconds from the start until the end of period @number of @cycles of the crystal. */
static gint64 period_end(gint64 number, gint64 cycles)
{
    return (number * cycles * SECOND + 32767) / 32768;
}

static void test_periodic(void)
{
    static const struct {
        uint8_t rate;
        guint cycles;
    } rates[] = {{1, 128}, {2, 256}, {3, 4}, {6, 32}, {15, 16384}};

    for (guint i = 0; i < G_N_ELEMENTS(rates); i++) {
        Vmm *vmm = start("2026-01-31T12:00:00");
        gint64 now = 0;

        put(vmm, A, 0x20 | rates[i].rate);
        put(vmm, B, B_24 | B_PIE);
        for (guint period = 1; period <= 5; period++) {
            gint64 end = period_end(period, rates[i].cycles);
            step(vmm, end - now - 1);
            g_assert_false(high(vmm));
            step(vmm, 1);
            now = end;
            g_assert_true(high(vmm));
            g_assert_cmphex(get(vmm, C) & ~C_UF, ==, C_IRQ | C_PF);
            g_assert_false(high(vmm));
        }
        put(vmm, A, 0x20); /* rate 0: none */
        step(vmm, 3 * SECOND);
        g_assert_false(high(vmm));
        vmm_end(vmm);
    }
}

/* The rate chooses a tap of a divider that runs on (data sheet, "Periodic interrupt selection"):
 * with another, the next interrupt comes with that tap, and not a period after the last one. */
static void test_rate_change(void)
{
    static const struct {
        uint8_t rate;
        guint end; /* cycles from the start */
    } steps[] = {{13, 4096}, {15, 16384}, {13, 20480}, {15, 32768}, {14, 40960}, {12, 43008}};
    Vmm *vmm = start("2026-01-31T12:00:00");
    gint64 now = 0;

    put(vmm, B, B_24 | B_PIE);
    for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
        gint64 end = period_end(1, steps[i].end);
        put(vmm, A, 0x20 | steps[i].rate);
        step(vmm, end - now - 1);
        g_assert_false(high(vmm));
        step(vmm, 1);
        now = end;
        g_assert_true(high(vmm));
        g_assert_cmphex(get(vmm, C) & ~C_UF, ==, C_IRQ | C_PF);
        g_assert_false(high(vmm));
    }
    vmm_end(vmm);
}

/* What PCs keep behind the date; bit 7 of the index is not part of it. */
static void test_memory(void)
{
    Vmm *vmm = start("2026-01-31T12:00:00");

    g_assert_cmpuint(get(vmm, 0x15) | get(vmm, 0x16) << 8, ==, 640);
    g_assert_cmpuint(get(vmm, 0x30) | get(vmm, 0x31) << 8, ==, 31 * 1024);
    g_assert_cmpuint(get(vmm, 0x34) | get(vmm, 0x35) << 8, ==, 16 * 16);
    g_assert_cmpuint(get(vmm, 0x5b) | get(vmm, 0x5c) | get(vmm, 0x5d), ==, 0);
    g_assert_cmpuint(get(vmm, 0x5f), ==, 2);
    put(vmm, 0x80 | 0x40, 0x5a);
    g_assert_cmphex(get(vmm, 0x40), ==, 0x5a);
    g_assert_cmphex(qtest_inb(vmm->qtest, 0x70), ==, 0xff);
    put(vmm, C, 0xff); /* read-only */
    put(vmm, D, 0);
    g_assert_cmphex(get(vmm, C), ==, 0);
    g_assert_cmphex(get(vmm, D), ==, 0x80);
    vmm_end(vmm);
}

/* A reset ends interrupts and keeps the rest. */
static void test_reset(void)
{
    Vmm *vmm = start("2026-01-31T12:00:00");

    put(vmm, 0x40, 0x5a);
    put(vmm, YEAR, 0x30);
    put(vmm, B, B_24 | B_PIE | B_UIE | B_AIE);
    step(vmm, SECOND);
    g_assert_true(high(vmm));
    json_object_put(qmp_command_or_fail(vmm->qmp, "{'execute':'system_reset'}"));
    qmp_expect_event(vmm->qmp, "RESET", EVENT_WAIT);
    g_assert_cmphex(get(vmm, B), ==, B_24);
    g_assert_false(high(vmm));
    g_assert_cmphex(get(vmm, 0x40), ==, 0x5a);
    expect(vmm, "20 30 01 31 05 12 00 01");
    vmm_end(vmm);
}

/* Values that are no date, in any order, lead to some date and nothing worse. */
static void test_nonsense(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(8);
    Vmm *vmm = start("2026-01-31T12:00:00");

    for (guint i = 0; i < 3000; i++) {
        uint8_t index =
            (uint8_t)(g_rand_int_range(random, 0, 11) ? g_rand_int_range(random, 0, 12) : CENTURY);
        put(vmm, index, (uint8_t)g_rand_int(random));
        get(vmm, (uint8_t)g_rand_int(random));
        if (i % 16 == 0) {
            step(vmm, g_rand_int_range(random, 0, G_MAXINT32));
        }
    }
    json_object_put(qmp_command_or_fail(
        vmm->qmp,
        "{'execute':'qom-get','arguments':{'path':'/machine/unattached/rtc','property':'date'}}"));
    json_object_put(qmp_command_or_fail(vmm->qmp, "{'execute':'rtc-reset-reinjection'}"));
    vmm_end(vmm);
}

/* Seconds since 1970 that the clock of a machine with these options shows. */
static gint64 shown(const char *options)
{
    static const uint8_t order[] = {SECONDS, MINUTES, HOURS, DAY, MONTH, YEAR, CENTURY};
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -m 32M %s", options);
    int fields[G_N_ELEMENTS(order)];

    put(vmm, B, B_SET | B_24); /* all at one moment */
    for (guint i = 0; i < G_N_ELEMENTS(order); i++) {
        uint8_t value = get(vmm, order[i]);
        fields[i] = (value >> 4) * 10 + (value & 15);
    }
    vmm_end(vmm);
    struct tm date = {.tm_sec = fields[0],
                      .tm_min = fields[1],
                      .tm_hour = fields[2],
                      .tm_mday = fields[3],
                      .tm_mon = fields[4] - 1,
                      .tm_year = fields[6] * 100 + fields[5] - 1900};
    return timegm(&date);
}

/* The clock of the host, or a date; what is shown lies between two looks at the host's. */
static void test_base(void)
{
    static const struct {
        const char *options;
        gint64 ahead; /* of the host's UTC */
    } cases[] = {{"", 0},
                 {"-rtc base=utc,driftfix=none", 0},
                 {"-rtc clock=rt", 0},
                 {"-rtc clock=vm", 0},
                 {"-rtc base=localtime", 5 * 3600 + 1800},
                 {"-rtc base=localtime,clock=rt", 5 * 3600 + 1800}};

    g_setenv("TZ", "TST-5:30", TRUE);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        gint64 before = time(NULL) + cases[i].ahead;
        gint64 seen = shown(cases[i].options);
        g_assert_cmpint(seen, >=, before);
        g_assert_cmpint(seen, <=, time(NULL) + cases[i].ahead);
    }
    g_assert_cmpint(shown("-rtc base=2001-02-03,clock=vm"), ==, 981158400);
    gint64 seen = shown("-rtc base=2001-02-03T04:05:06");
    g_assert_cmpint(seen, >=, 981173106);
    g_assert_cmpint(seen, <, 981173106 + 100);
    g_unsetenv("TZ");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rtc/date", test_date);
    g_test_add_func("/rtc/set", test_set);
    g_test_add_func("/rtc/last-date", test_last_date);
    g_test_add_func("/rtc/divider", test_divider);
    g_test_add_func("/rtc/update-interrupt", test_update_interrupt);
    g_test_add_func("/rtc/alarm", test_alarm);
    g_test_add_func("/rtc/periodic", test_periodic);
    g_test_add_func("/rtc/rate-change", test_rate_change);
    g_test_add_func("/rtc/memory", test_memory);
    g_test_add_func("/rtc/reset", test_reset);
    g_test_add_func("/rtc/nonsense", test_nonsense);
    g_test_add_func("/rtc/base", test_base);
    return g_test_run();
}
