/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 8254: modes, counts that are read, latched and written, gate and output of port B, the
 * timer's interrupt. */
#include "pci-test.h"

#include "hw/core/device.h"
#include "hw/timer/i8254.h"
#include "system/clock.h"
#include "system/irq.h"
#include "system/kept-state.h"

#define SPEAKER 2u
#define OUTPUT 0x20u

static gint64 start; /* ns: tick 0 */
static guint rises;

static void line_changed(guint line, gboolean high, gpointer opaque G_GNUC_UNUSED)
{
    g_assert_cmpuint(line, ==, I8254_LINE);
    rises += high ? 1 : 0;
}

static void go_to(gint64 tick)
{
    clock_advance(start + (tick * G_GINT64_CONSTANT(1000000000) + I8254_HERTZ - 1) / I8254_HERTZ);
}

static void set_up(void)
{
    start = clock_now();
    device_reset_all();
    rises = 0;
}

static void program(guint channel, guint mode, gboolean decimal, uint16_t count)
{
    port_write(0x43, channel << 6 | 0x30 | mode << 1 | (decimal ? 1 : 0), 1);
    port_write((uint16_t)(0x40 + channel), count & 0xff, 1);
    port_write((uint16_t)(0x40 + channel), count >> 8, 1);
}

static guint read_count(guint channel)
{
    port_write(0x43, channel << 6, 1);
    guint low = port_read((uint16_t)(0x40 + channel), 1);

    return low | port_read((uint16_t)(0x40 + channel), 1) << 8;
}

static guint read_status(guint channel)
{
    port_write(0x43, 0xe0 | 2u << channel, 1);
    return port_read((uint16_t)(0x40 + channel), 1);
}

static gboolean output(void)
{
    return (port_read(0x61, 1) & OUTPUT) != 0;
}

static void check_outputs(gint64 tick, const char *expected)
{
    for (; *expected; expected++, tick++) {
        go_to(tick);
        g_assert_cmpint(output(), ==, *expected == '1');
    }
}

/* Each byte is written, and the count loaded at tick 1: the counter's clock comes in between. */
static void test_end_of_count(void)
{
    set_up();
    port_write(0x61, 1, 1);
    program(SPEAKER, 0, FALSE, 5);
    g_assert_cmphex(read_status(SPEAKER), ==, 0x70); /* not loaded, low */
    go_to(1);
    g_assert_cmphex(read_status(SPEAKER), ==, 0x30);
    g_assert_cmphex(read_count(SPEAKER), ==, 5);
    go_to(3);
    g_assert_cmphex(read_count(SPEAKER), ==, 3);
    check_outputs(3, "00011");
    g_assert_cmphex(read_count(SPEAKER), ==, 0xffff);
    g_assert_cmphex(read_status(SPEAKER), ==, 0xb0);
    port_write(0x42, 4, 1); /* the first byte stops it and takes the output down */
    g_assert_false(output());
    go_to(100);
    g_assert_false(output());
    port_write(0x42, 0, 1);
    check_outputs(101, "00001");
}

static void test_gate(void)
{
    set_up();
    program(SPEAKER, 0, FALSE, 5); /* its gate is low */
    go_to(50);
    g_assert_cmphex(read_count(SPEAKER), ==, 5);
    port_write(0x61, 1, 1);
    go_to(52);
    port_write(0x61, 0, 1);
    go_to(90);
    g_assert_cmphex(read_count(SPEAKER), ==, 3);
    port_write(0x61, 0xff, 1);
    g_assert_cmphex(port_read(0x61, 1) & 0x0f, ==, 0x0f);
    check_outputs(90, "00011");
}

static void test_rate(void)
{
    set_up();
    port_write(0x61, 1, 1);
    program(SPEAKER, 2, FALSE, 4);
    check_outputs(0, "1111011101110");
    g_assert_cmphex(read_count(SPEAKER), ==, 1);
    port_write(0x42, 3, 1); /* with the next period */
    port_write(0x42, 0, 1);
    g_assert_cmphex(read_status(SPEAKER), ==, 0x74);
    check_outputs(13, "1101101");
    g_assert_cmphex(read_status(SPEAKER), ==, 0xb4);
    go_to(21);
    g_assert_false(output());
    port_write(0x61, 0, 1); /* stopped, the output is high */
    g_assert_true(output());
    go_to(60);
    port_write(0x61, 1, 1); /* and begins again */
    check_outputs(60, "111011");
    program(SPEAKER, 2, FALSE, 1); /* not allowed: nothing breaks */
    go_to(70);
    g_assert_cmphex(read_count(SPEAKER), ==, 1);
}

static void test_square_wave(void)
{
    static const guint even[] = {4, 2, 4, 2, 4};
    static const guint odd[] = {4, 2, 0, 4, 2, 4};

    set_up();
    port_write(0x61, 1, 1);
    program(SPEAKER, 3, FALSE, 4);
    check_outputs(0, "1110011001");
    set_up();
    port_write(0x61, 1, 1);
    program(SPEAKER, 7, FALSE, 4); /* the same mode */
    for (guint i = 0; i < G_N_ELEMENTS(even); i++) {
        go_to(1 + i);
        g_assert_cmphex(read_count(SPEAKER), ==, even[i]);
    }
    g_assert_cmphex(read_status(SPEAKER), ==, 0xbe);
    set_up();
    port_write(0x61, 1, 1);
    program(SPEAKER, 3, FALSE, 5);
    for (guint i = 0; i < G_N_ELEMENTS(odd); i++) {
        go_to(1 + i);
        g_assert_cmphex(read_count(SPEAKER), ==, odd[i]);
        g_assert_cmpint(output(), ==, i % 5 < 3);
    }
}

static void test_strobe(void)
{
    set_up();
    port_write(0x61, 1, 1);
    program(SPEAKER, 4, FALSE, 3);
    check_outputs(0, "111101111");
    port_write(0x42, 2, 1);
    port_write(0x42, 0, 1);
    check_outputs(9, "1101");
}

static void test_triggered(void)
{
    set_up();
    program(SPEAKER, 1, FALSE, 3);
    check_outputs(0, "111");
    g_assert_cmphex(read_status(SPEAKER), ==, 0xf2);
    port_write(0x61, 1, 1);
    check_outputs(2, "10001");
    port_write(0x61, 0, 1);
    port_write(0x61, 1, 1); /* again, and again before it has ended */
    go_to(8);
    port_write(0x61, 0, 1);
    port_write(0x61, 1, 1);
    check_outputs(8, "00001");
    set_up();
    program(SPEAKER, 5, FALSE, 2);
    port_write(0x61, 1, 1);
    check_outputs(0, "111011");
}

static void test_decimal(void)
{
    set_up();
    program(1, 2, TRUE, 0x0100);
    go_to(1);
    g_assert_cmphex(read_count(1), ==, 0x0100);
    go_to(2);
    g_assert_cmphex(read_count(1), ==, 0x0099);
    program(1, 0, TRUE, 0); /* 10000 */
    go_to(4);
    g_assert_cmphex(read_count(1), ==, 0x9999);
    program(1, 0, FALSE, 0); /* 65536 */
    go_to(6);
    g_assert_cmphex(read_count(1), ==, 0xffff);
    program(1, 0, TRUE, 0xffff); /* no digits: some count */
    go_to(8);
    read_count(1);
}

static void test_access(void)
{
    set_up();
    port_write(0x43, 0x54, 1); /* counter 1: low byte */
    port_write(0x41, 0x80, 1);
    go_to(2);
    g_assert_cmphex(port_read(0x41, 1), ==, 0x7f);
    g_assert_cmphex(port_read(0x41, 1), ==, 0x7f);
    port_write(0x43, 0x64, 1); /* high byte */
    port_write(0x41, 0x12, 1);
    go_to(4);
    g_assert_cmphex(port_read(0x41, 1), ==, 0x11);
    program(1, 2, FALSE, 0x1234);
    go_to(5);
    g_assert_cmphex(port_read(0x41, 1), ==, 0x34);
    go_to(6);
    g_assert_cmphex(port_read(0x41, 1), ==, 0x12);
    g_assert_cmphex(port_read(0x41, 1), ==, 0x33);
    g_assert_cmphex(port_read(0x43, 1), ==, 0xff);
}

static void test_latch(void)
{
    set_up();
    program(0, 2, FALSE, 0x1000);
    program(1, 2, FALSE, 0x2000);
    go_to(1);
    port_write(0x43, 0xc6, 1); /* count and status of both */
    go_to(11);
    port_write(0x43, 0xc6, 1); /* nothing: they are latched */
    port_write(0x43, 0x00, 1);
    g_assert_cmphex(port_read(0x40, 1), ==, 0xb4);
    g_assert_cmphex(port_read(0x40, 1), ==, 0x00);
    g_assert_cmphex(port_read(0x40, 1), ==, 0x10);
    g_assert_cmphex(port_read(0x40, 1), ==, 0xf6);
    g_assert_cmphex(port_read(0x40, 1), ==, 0x0f);
    g_assert_cmphex(port_read(0x41, 1), ==, 0xb4);
    g_assert_cmphex(port_read(0x41, 1), ==, 0x00);
    g_assert_cmphex(port_read(0x41, 1), ==, 0x20);
    port_write(0x43, 0xd4, 1); /* the count of counter 1 alone */
    g_assert_cmphex(port_read(0x41, 1), ==, 0xf6);
    g_assert_cmphex(port_read(0x41, 1), ==, 0x1f);
}

static void test_interrupt(void)
{
    set_up();
    irq_listener_set(line_changed, NULL);
    program(0, 2, FALSE, 1000);
    g_assert_true(irq_line_level(I8254_LINE));
    rises = 0;
    go_to(999); /* loaded at 1; the pulse of the tick before the period ends is one with its end */
    g_assert_cmpuint(rises, ==, 0);
    go_to(1000);
    g_assert_cmpuint(rises, ==, 1);
    port_write(0x43, 0xd2, 1); /* a look at it changes nothing */
    go_to(1000 * 1000 + 1);
    g_assert_cmpuint(rises, ==, 1000);
    program(0, 3, FALSE, 1000);
    rises = 0;
    clock_advance(clock_now() + 1000000000); /* a second */
    g_assert_cmpuint(rises, ==, I8254_HERTZ / 1000);
    program(0, 0, FALSE, 1000);
    g_assert_false(irq_line_level(I8254_LINE));
    rises = 0;
    clock_advance(clock_now() + 1000000000);
    g_assert_cmpuint(rises, ==, 1);
    g_assert_true(irq_line_level(I8254_LINE));
    g_assert_cmpint(clock_next_deadline(), ==, -1);
    program(0, 4, FALSE, 1000);
    rises = 0;
    clock_advance(clock_now() + 1000000000);
    g_assert_cmpuint(rises, ==, 1);
    irq_listener_set(NULL, NULL);
    device_reset_all();
    g_assert_false(irq_line_level(I8254_LINE));
}

/* No guest can keep the main loop busy. */
static void test_fast(void)
{
    set_up();
    for (guint mode = 2; mode <= 3; mode++) {
        program(0, mode, FALSE, 2);
        irq_listener_set(line_changed, NULL);
        rises = 0;
        clock_advance(clock_now() + 1000000000);
        irq_listener_set(NULL, NULL);
        g_assert_cmpuint(rises, >, 1000);
        g_assert_cmpuint(rises, <, 50000);
        program(0, mode, FALSE, 1); /* no change ever, so there is nothing to wait for */
        g_assert_cmpint(clock_next_deadline(), ==, -1);
    }
    device_reset_all();
}

static void test_kept(void)
{
    set_up();
    program(0, 2, FALSE, 1000);
    program(1, 0, FALSE, 0x8000);
    go_to(0x101);
    kept_state_keep();
    guint before = read_count(1);
    g_assert_cmphex(before, ==, 0x7f00);
    go_to(0x5000);
    program(1, 2, FALSE, 3);
    program(0, 0, FALSE, 3);
    kept_state_put_back();
    g_assert_cmphex(read_count(1), ==, before);
    g_assert_cmphex(read_count(0), ==, 1000 - 0x100);
    irq_listener_set(line_changed, NULL);
    rises = 0;
    go_to(0x5000 + 1000 - 0x100 + 1);
    irq_listener_set(NULL, NULL);
    g_assert_cmpuint(rises, ==, 1);
}

static void test_refresh(void)
{
    set_up();
    guint before = port_read(0x61, 1) & 0x10;
    clock_advance(clock_now() + 15085);
    g_assert_cmphex(port_read(0x61, 1) & 0x10, !=, before);
}

int main(int argc, char **argv)
{
    GError *error = NULL;
    int result;

    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    g_assert_true(i8254_add(&error));
    g_test_add_func("/i8254/end-of-count", test_end_of_count);
    g_test_add_func("/i8254/gate", test_gate);
    g_test_add_func("/i8254/rate", test_rate);
    g_test_add_func("/i8254/square-wave", test_square_wave);
    g_test_add_func("/i8254/strobe", test_strobe);
    g_test_add_func("/i8254/triggered", test_triggered);
    g_test_add_func("/i8254/decimal", test_decimal);
    g_test_add_func("/i8254/access", test_access);
    g_test_add_func("/i8254/latch", test_latch);
    g_test_add_func("/i8254/interrupt", test_interrupt);
    g_test_add_func("/i8254/fast", test_fast);
    g_test_add_func("/i8254/kept", test_kept);
    g_test_add_func("/i8254/refresh", test_refresh);
    result = g_test_run();
    device_cleanup_all();
    return result;
}
