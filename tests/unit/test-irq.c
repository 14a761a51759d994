/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupt lines shared by level sources, and MSIs. */
#include "system/irq.h"
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
    irq_send_msi(0x8004, 0x11223344);
    g_assert_cmphex(bytes[4], ==, 0x44);
    g_assert_cmphex(bytes[7], ==, 0x11);
    irq_send_msi(0x8ffe, 1); /* half outside: lost */
    g_assert_cmphex(bytes[0xffe], ==, 0);
    irq_send_msi(G_MAXUINT64, 1);
    memory_clear();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    g_test_add_func("/irq/lines", test_lines);
    g_test_add_func("/irq/msi", test_msi);
    return g_test_run();
}
