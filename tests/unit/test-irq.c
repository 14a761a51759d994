/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupt lines shared by level sources, and MSIs. */
#include "fake-irq.h"
#include "system/main-loop.h"
#include "system/memory.h"

static GString *trail;

static void changed(guint line, gboolean high, gpointer opaque)
{
    g_string_append_printf(trail, "%s%u%s ", (const char *)opaque, line, high ? "+" : "-");
}

static void test_lines(void)
{
    IrqSource *first = irq_source_new(9);
    IrqSource *second = irq_source_new(9);
    IrqSource *other = irq_source_new(23);

    trail = g_string_new(NULL);
    irq_listener_set(changed, "l");
    irq_source_set(first, TRUE);
    irq_source_set(second, 7); /* any truth */
    irq_source_set(second, TRUE);
    irq_source_set(other, TRUE);
    irq_source_set(first, FALSE);
    irq_source_set(first, FALSE);
    g_assert_true(irq_line_level(9));
    g_assert_false(irq_line_level(10));
    g_assert_false(irq_line_level(1000));
    g_assert_cmpstr(trail->str, ==, "l9+ l23+ ");
    irq_source_free(second);
    g_assert_cmpstr(trail->str, ==, "l9+ l23+ l9- ");
    irq_listener_set(NULL, NULL);
    irq_source_free(other);
    irq_source_free(first);
    g_assert_false(irq_line_level(23));
    g_assert_cmpstr(trail->str, ==, "l9+ l23+ l9- ");
    g_string_free(trail, TRUE);
}

static void test_msi(void)
{
    g_autoptr(RamBlock) block = ram_block_new("m", -1, 0, 0x1000, 0, 0, TRUE, FALSE, NULL);
    MemorySection section = {0x8000, 0x1000, block, 0};
    const guint8 *bytes = block->host_address;

    g_assert_true(memory_add_boot(&section, NULL));
    g_assert_true(irq_send_msi(0x8004, 0x11223344));
    g_assert_cmphex(bytes[4], ==, 0x44);
    g_assert_cmphex(bytes[7], ==, 0x11);
    g_assert_false(irq_send_msi(0x8ffe, 1)); /* half outside: lost */
    g_assert_cmphex(bytes[0xffe], ==, 0);
    g_assert_false(irq_send_msi(G_MAXUINT64, 1));
    memory_clear();
}

/* --- with an accelerator --- */

static void take_trail(const char *expected)
{
    g_assert_cmpstr(trail->str, ==, expected);
    g_string_truncate(trail, 0);
}

static void test_accelerator(void)
{
    trail = g_string_new(NULL);
    g_assert_null(irq_route_new(5)); /* without one there are no routes */
    fake_irq_begin(&trail);
    IrqSource *first = irq_source_new(9);
    IrqSource *second = irq_source_new(9);
    irq_listener_set(changed, "l");
    irq_source_set(first, TRUE);
    irq_source_set(second, TRUE);
    irq_source_set(first, FALSE);
    irq_source_free(second);
    irq_source_free(first);
    irq_listener_set(NULL, NULL);
    take_trail("line9+ l9+ line9- l9- ");
    irq_send_msi(UINT64_C(0xfee00000), 0x41);
    take_trail("msi:fee00000=41 ");
    fake_irq_end();
    g_string_free(trail, TRUE);
}

static void test_routes(void)
{
    trail = g_string_new(NULL);
    fake_irq_begin(&trail);
    fake_irq_limit = 2;
    IrqRoute *one = irq_route_new(5);
    IrqRoute *two = irq_route_new(6);
    g_assert_null(irq_route_new(7)); /* none left */
    g_assert_false(irq_route_is_connected(one));
    irq_route_disconnect(one); /* nothing to do */
    take_trail("");
    g_assert_true(irq_route_connect(one, 0xfee00000, 1));
    g_assert_true(irq_route_is_connected(one));
    g_assert_true(irq_route_connect(one, 0xfee01000, 2)); /* another message: never two at once */
    take_trail("connect0:fee00000=1 disconnect0 connect0:fee01000=2 ");
    g_assert_cmpint(fake_irq_event_fd, ==, 5);
    fake_irq_refuses = TRUE;
    g_assert_false(irq_route_connect(one, 0xfee00000, 3));
    g_assert_false(irq_route_is_connected(one));
    fake_irq_refuses = FALSE;
    take_trail("disconnect0 connect0:fee00000=3 ");
    irq_route_free(one);
    g_assert_true(irq_route_connect(two, 0xfee00000, 4));
    g_assert_cmpint(fake_irq_event_fd, ==, 6);
    irq_route_free(two);
    irq_route_free(NULL);
    take_trail("remove0 connect1:fee00000=4 disconnect1 remove1 ");
    fake_irq_end();
    g_string_free(trail, TRUE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    g_test_add_func("/irq/lines", test_lines);
    g_test_add_func("/irq/msi", test_msi);
    g_test_add_func("/irq/accelerator", test_accelerator);
    g_test_add_func("/irq/routes", test_routes);
    return g_test_run();
}
