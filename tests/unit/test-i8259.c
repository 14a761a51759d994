/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two 8259: initialization, priorities, ends, masks, modes, edges and levels, polling. */
#include "pci-test.h"

#include "hw/core/device.h"
#include "hw/intc/i8259.h"
#include "system/irq.h"
#include "system/kept-state.h"

#define LINES 16

static IrqSource *lines[LINES];
static gboolean external;

static gboolean fake_send_msi(guint64 address G_GNUC_UNUSED, guint32 data G_GNUC_UNUSED)
{
    g_assert_not_reached();
}

static void fake_set_external(gboolean high)
{
    external = high;
}

static const IrqAccelerator fake = {.send_msi = fake_send_msi, .set_external = fake_set_external};

static void initialize(uint8_t icw1, uint8_t icw4)
{
    static const uint16_t ports[2] = {0x20, 0xa0};

    for (guint i = 0; i < 2; i++) {
        port_write(ports[i], icw1, 1);
        port_write(ports[i] + 1, i == 0 ? 0x30 : 0x38, 1);
        port_write(ports[i] + 1, i == 0 ? 4 : 2, 1);
        if (icw1 & 1) {
            port_write(ports[i] + 1, icw4, 1);
        }
    }
}

static void set_up(void)
{
    for (guint i = 0; i < LINES; i++) {
        irq_source_set(lines[i], FALSE);
    }
    device_reset_all();
    initialize(0x11, 1);
}

static void raise_line(guint line)
{
    irq_source_set(lines[line], FALSE);
    irq_source_set(lines[line], TRUE);
}

/* The CPU takes an interrupt, which there has to be. */
static guint take(void)
{
    g_assert_true(external);
    return irq_external_acknowledge();
}

static uint8_t in_service(uint16_t port)
{
    port_write(port, 0x0b, 1);
    return (uint8_t)port_read(port, 1);
}

static uint8_t asked_for(uint16_t port)
{
    port_write(port, 0x0a, 1);
    return (uint8_t)port_read(port, 1);
}

static void test_reset(void)
{
    set_up();
    device_reset_all();
    g_assert_cmphex(port_read(0x21, 1), ==, 0xff);
    g_assert_cmphex(port_read(0xa1, 1), ==, 0xff);
    raise_line(3);
    g_assert_false(external);
}

static void test_initialization(void)
{
    set_up();
    g_assert_cmphex(port_read(0x21, 1), ==, 0);
    raise_line(1);
    port_write(0x21, 0x5a, 1);
    port_write(0x20, 0x11, 1); /* forgets requests and masks */
    g_assert_cmphex(asked_for(0x20), ==, 0);
    raise_line(1);
    port_write(0x21, 0x77, 1); /* the low bits of the base are not there */
    g_assert_false(external);  /* before it is complete */
    port_write(0x21, 4, 1);
    g_assert_false(external);
    port_write(0x21, 1, 1);
    g_assert_cmphex(take(), ==, 0x71);
    port_write(0x20, 0x10, 1); /* without ICW4 */
    port_write(0x21, 0x40, 1);
    port_write(0x21, 4, 1);
    g_assert_cmphex(port_read(0x21, 1), ==, 0);
    raise_line(0);
    g_assert_cmphex(take(), ==, 0x40);
    port_write(0x20, 0x12, 1); /* without ICW3 and ICW4 */
    port_write(0x21, 0x48, 1);
    raise_line(0);
    g_assert_cmphex(take(), ==, 0x48);
}

static void test_priority(void)
{
    set_up();
    raise_line(4);
    raise_line(1);
    g_assert_cmphex(asked_for(0x20), ==, 0x12);
    g_assert_cmphex(take(), ==, 0x31);
    g_assert_false(external); /* 4 is held back */
    g_assert_cmphex(in_service(0x20), ==, 0x02);
    raise_line(0);
    g_assert_cmphex(take(), ==, 0x30);
    port_write(0x20, 0x20, 1); /* ends 0, then 1 */
    g_assert_cmphex(in_service(0x20), ==, 0x02);
    g_assert_false(external);
    port_write(0x20, 0x20, 1);
    g_assert_cmphex(take(), ==, 0x34);
    port_write(0x20, 0x63, 1); /* ends another */
    g_assert_cmphex(in_service(0x20), ==, 0x10);
    port_write(0x20, 0x64, 1);
    g_assert_cmphex(in_service(0x20), ==, 0);
    port_write(0x20, 0x20, 1); /* none is left */
    port_write(0x20, 0x40, 1); /* no operation */
    g_assert_cmphex(in_service(0x20), ==, 0);
}

static void test_mask(void)
{
    set_up();
    port_write(0x21, 0x08, 1);
    raise_line(3);
    g_assert_false(external);
    g_assert_cmphex(asked_for(0x20), ==, 0x08);
    port_write(0x21, 0, 1); /* an edge waits */
    g_assert_cmphex(take(), ==, 0x33);
}

static void test_second(void)
{
    set_up();
    raise_line(12);
    g_assert_cmphex(asked_for(0x20), ==, 0x04);
    g_assert_cmphex(take(), ==, 0x3c);
    g_assert_cmphex(in_service(0x20), ==, 0x04);
    g_assert_cmphex(in_service(0xa0), ==, 0x10);
    raise_line(8); /* higher, but the first does not know */
    g_assert_false(external);
    port_write(0x20, 0x62, 1);
    g_assert_cmphex(take(), ==, 0x38);
    port_write(0xa0, 0x20, 1);
    port_write(0xa0, 0x20, 1);
    port_write(0x20, 0x20, 1);
    g_assert_cmphex(in_service(0xa0), ==, 0);
    raise_line(2); /* where the second is there is no line */
    g_assert_false(external);
}

static void test_nested(void)
{
    set_up();
    initialize(0x11, 0x11);
    raise_line(12);
    g_assert_cmphex(take(), ==, 0x3c);
    raise_line(12);
    g_assert_false(external);
    raise_line(8); /* special fully nested: on top */
    g_assert_cmphex(take(), ==, 0x38);
}

static void test_spurious(void)
{
    set_up();
    port_write(0x4d0, 0x20, 1);
    irq_source_set(lines[5], TRUE);
    g_assert_true(external);
    irq_source_set(lines[5], FALSE);
    g_assert_false(external);
    g_assert_cmphex(irq_external_acknowledge(), ==, 0x37); /* the CPU was too slow */
    g_assert_cmphex(in_service(0x20), ==, 0);
}

static void test_levels(void)
{
    set_up();
    port_write(0x4d0, 0xff, 1);
    port_write(0x4d1, 0xff, 1);
    g_assert_cmphex(port_read(0x4d0, 1), ==, 0xf8);
    g_assert_cmphex(port_read(0x4d1, 1), ==, 0xde);
    irq_source_set(lines[11], TRUE);
    g_assert_cmphex(take(), ==, 0x3b);
    port_write(0xa0, 0x20, 1);
    port_write(0x20, 0x20, 1);
    g_assert_cmphex(take(), ==, 0x3b); /* the cause is still there */
    irq_source_set(lines[11], FALSE);
    port_write(0xa0, 0x20, 1);
    port_write(0x20, 0x20, 1);
    g_assert_false(external);
    initialize(0x19, 1); /* all levels */
    irq_source_set(lines[0], TRUE);
    g_assert_cmphex(take(), ==, 0x30);
    port_write(0x20, 0x20, 1);
    g_assert_true(external);
}

static void test_automatic_end(void)
{
    set_up();
    initialize(0x11, 0x03);
    raise_line(3);
    g_assert_cmphex(take(), ==, 0x33);
    g_assert_cmphex(in_service(0x20), ==, 0);
    port_write(0x20, 0x80, 1); /* and rotates */
    raise_line(3);
    g_assert_cmphex(take(), ==, 0x33);
    raise_line(3);
    raise_line(4);
    g_assert_cmphex(take(), ==, 0x34);
    port_write(0x20, 0x00, 1);
    g_assert_cmphex(take(), ==, 0x33);
    raise_line(3);
    raise_line(4); /* 4 was the last that rotated to the end */
    g_assert_cmphex(take(), ==, 0x33);
}

static void test_rotation(void)
{
    set_up();
    port_write(0x20, 0xc4, 1); /* 4 is the lowest, 5 the highest */
    raise_line(0);
    raise_line(6);
    g_assert_cmphex(take(), ==, 0x36);
    port_write(0x20, 0xa0, 1); /* ended, it is the lowest */
    raise_line(6);
    raise_line(7);
    g_assert_cmphex(take(), ==, 0x37);
    port_write(0x20, 0xe7, 1);
    g_assert_cmphex(take(), ==, 0x30);
    port_write(0x20, 0x60, 1);
    g_assert_cmphex(take(), ==, 0x36);
}

static void test_special_mask(void)
{
    set_up();
    raise_line(3);
    g_assert_cmphex(take(), ==, 0x33);
    raise_line(5);
    g_assert_false(external);
    port_write(0x20, 0x68, 1);
    g_assert_false(external);
    port_write(0x21, 0x08, 1);
    g_assert_cmphex(take(), ==, 0x35);
    port_write(0x20, 0x20, 1); /* not what is masked */
    g_assert_cmphex(in_service(0x20), ==, 0x08);
    raise_line(5);
    port_write(0x20, 0x48, 1);
    g_assert_false(external);
}

static void test_poll(void)
{
    set_up();
    port_write(0x20, 0x0c, 1);
    g_assert_cmphex(port_read(0x20, 1), ==, 0x07); /* none */
    g_assert_cmphex(port_read(0x21, 1), ==, 0x00); /* only the next read */
    raise_line(4);
    port_write(0x20, 0x0c, 1);
    g_assert_cmphex(port_read(0x20, 1), ==, 0x84);
    g_assert_cmphex(in_service(0x20), ==, 0x10);
    g_assert_false(external);
}

static void test_kept(void)
{
    set_up();
    raise_line(3);
    kept_state_keep();
    g_assert_cmphex(take(), ==, 0x33);
    port_write(0x21, 0xff, 1);
    kept_state_put_back();
    g_assert_cmphex(port_read(0x21, 1), ==, 0);
    g_assert_cmphex(take(), ==, 0x33);
}

int main(int argc, char **argv)
{
    GError *error = NULL;
    int result;

    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    irq_set_accelerator(&fake);
    g_assert_true(i8259_add(&error));
    for (guint i = 0; i < LINES; i++) {
        lines[i] = irq_source_new(i);
    }
    g_test_add_func("/i8259/reset", test_reset);
    g_test_add_func("/i8259/initialization", test_initialization);
    g_test_add_func("/i8259/priority", test_priority);
    g_test_add_func("/i8259/mask", test_mask);
    g_test_add_func("/i8259/second", test_second);
    g_test_add_func("/i8259/nested", test_nested);
    g_test_add_func("/i8259/spurious", test_spurious);
    g_test_add_func("/i8259/levels", test_levels);
    g_test_add_func("/i8259/automatic-end", test_automatic_end);
    g_test_add_func("/i8259/rotation", test_rotation);
    g_test_add_func("/i8259/special-mask", test_special_mask);
    g_test_add_func("/i8259/poll", test_poll);
    g_test_add_func("/i8259/kept", test_kept);
    result = g_test_run();
    for (guint i = 0; i < LINES; i++) {
        irq_source_free(lines[i]);
    }
    device_cleanup_all();
    return result;
}
