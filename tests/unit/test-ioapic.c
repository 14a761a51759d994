/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The I/O APIC: registers, edges, levels and their end, masks, messages, what is kept. */
#include "pci-test.h"

#include "hw/core/device.h"
#include "hw/intc/ioapic.h"
#include "system/irq.h"
#include "system/kept-state.h"

#define MASKED 0x10000u
#define LEVEL 0x8000u
#define REMOTE_IRR 0x4000u

static GString *trail;
static gboolean deaf; /* no CPU receives anything */

static gboolean fake_send_msi(guint64 address, guint32 data)
{
    g_string_append_printf(trail, "%" G_GINT64_MODIFIER "x=%x ", address, data);
    return !deaf;
}

static void fake_watch_end(guint pin, guint64 address, guint32 data)
{
    if (data) {
        g_string_append_printf(trail, "watch%u:%" G_GINT64_MODIFIER "x=%x ", pin, address, data);
    }
}

static const IrqAccelerator fake = {.send_msi = fake_send_msi, .watch_end = fake_watch_end};

static void take_trail(const char *expected)
{
    g_assert_cmpstr(trail->str, ==, expected);
    g_string_truncate(trail, 0);
}

static uint32_t get(uint8_t index)
{
    mem_write(IOAPIC_ADDRESS, index, 4);
    return (uint32_t)mem_read(IOAPIC_ADDRESS + 0x10, 4);
}

static void set(uint8_t index, uint32_t value)
{
    mem_write(IOAPIC_ADDRESS, index, 4);
    mem_write(IOAPIC_ADDRESS + 0x10, value, 4);
}

static uint32_t low_half(guint pin)
{
    return get((uint8_t)(0x10 + 2 * pin));
}

static void set_entry(guint pin, uint8_t destination, uint32_t low)
{
    set((uint8_t)(0x11 + 2 * pin), (uint32_t)destination << 24);
    set((uint8_t)(0x10 + 2 * pin), low);
}

static void set_up(void)
{
    deaf = FALSE;
    device_reset_all();
    g_string_truncate(trail, 0);
}

static void test_registers(void)
{
    set_up();
    g_assert_cmphex(get(0), ==, 0);
    set(0, 0xffffffff);
    g_assert_cmphex(get(0), ==, 0x0f000000);
    g_assert_cmphex(get(2), ==, 0x0f000000);
    g_assert_cmphex(get(1), ==, 0x00170020);
    set(1, 0);
    g_assert_cmphex(get(1), ==, 0x00170020);
    for (guint pin = 0; pin < IRQ_LINES; pin++) {
        g_assert_cmphex(low_half(pin), ==, MASKED);
    }
    set_entry(23, 0xab, MASKED | 0x4a123); /* bits that nobody may write stay 0 */
    g_assert_cmphex(low_half(23), ==, MASKED | 0xa123);
    g_assert_cmphex(get(0x3f), ==, 0xab000000);
    set(0x40, 0xffffffff); /* behind the last */
    g_assert_cmphex(get(0x40), ==, 0);
    g_assert_cmphex(get(0xff), ==, 0);
    g_assert_cmphex(get(0x0f), ==, 0);
    mem_write(IOAPIC_ADDRESS, 0x123, 4); /* the index has 8 bits */
    g_assert_cmphex(mem_read(IOAPIC_ADDRESS, 4), ==, 0x23);
    mem_write(IOAPIC_ADDRESS, 0x01, 1); /* only whole words are written */
    g_assert_cmphex(mem_read(IOAPIC_ADDRESS, 4), ==, 0x23);
    g_assert_cmphex(mem_read(IOAPIC_ADDRESS + 0x20, 4), ==, 0);
    g_assert_cmphex(mem_read(IOAPIC_ADDRESS + 0x40, 4), ==, 0);
}

static void test_edge(void)
{
    IrqSource *line = irq_source_new(4);

    set_up();
    irq_source_set(line, TRUE); /* masked: the edge is lost */
    set_entry(4, 3, 0x31);
    take_trail("");
    irq_source_set(line, FALSE);
    take_trail("");
    irq_source_set(line, TRUE);
    take_trail("fee03000=31 ");
    irq_end(0x31); /* edges have no end */
    take_trail("");
    irq_source_set(line, FALSE);
    irq_source_set(line, TRUE);
    take_trail("fee03000=31 ");
    g_assert_cmphex(low_half(4), ==, 0x31);
    irq_source_free(line);
}

static void test_level(void)
{
    IrqSource *line = irq_source_new(17);

    set_up();
    set_entry(17, 0, LEVEL | 0x52);
    take_trail("watch17:fee00000=c052 ");
    irq_source_set(line, TRUE);
    take_trail("fee00000=c052 ");
    g_assert_cmphex(low_half(17), ==, LEVEL | REMOTE_IRR | 0x52);
    irq_end(0x53); /* another's */
    irq_end(0x52); /* the cause is still there */
    take_trail("fee00000=c052 ");
    irq_source_set(line, FALSE);
    irq_source_set(line, TRUE); /* again, before the end */
    irq_source_set(line, FALSE);
    take_trail("");
    mem_write(IOAPIC_ADDRESS + 0x40, 0x52, 4); /* the same by the register */
    take_trail("");
    g_assert_cmphex(low_half(17), ==, LEVEL | 0x52);
    irq_source_set(line, TRUE);
    take_trail("fee00000=c052 ");
    irq_source_free(line);
}

static void test_masked_level(void)
{
    IrqSource *line = irq_source_new(9);

    set_up();
    irq_source_set(line, TRUE);
    set_entry(9, 1, MASKED | LEVEL | 0x60);
    take_trail("watch9:fee01000=c060 ");
    set(0x10 + 18, LEVEL | 0x60); /* a level waits for its mask to go */
    take_trail("watch9:fee01000=c060 fee01000=c060 ");
    set(0x10 + 18, MASKED | LEVEL | 0x60); /* before it is ended */
    irq_end(0x60);
    take_trail("watch9:fee01000=c060 ");
    g_assert_cmphex(low_half(9), ==, MASKED | LEVEL | 0x60);
    set(0x10 + 18, LEVEL | 0x60);
    take_trail("watch9:fee01000=c060 fee01000=c060 ");
    set(0x10 + 18, 0x60); /* a turn to edges ends it, too */
    g_assert_cmphex(low_half(9), ==, 0x60);
    irq_source_free(line);
}

static void test_shared_vector(void)
{
    IrqSource *one = irq_source_new(16);
    IrqSource *two = irq_source_new(18);

    set_up();
    set_entry(16, 0, LEVEL | 0x70);
    set_entry(18, 0, LEVEL | 0x70);
    g_string_truncate(trail, 0);
    irq_source_set(one, TRUE);
    irq_source_set(two, TRUE);
    take_trail("fee00000=c070 fee00000=c070 ");
    irq_source_set(two, FALSE);
    irq_end(0x70);
    take_trail("fee00000=c070 ");
    g_assert_cmphex(low_half(18), ==, LEVEL | 0x70);
    irq_source_free(one);
    irq_source_free(two);
}

static void test_timer_pin(void)
{
    IrqSource *timer = irq_source_new(0);
    IrqSource *cascade = irq_source_new(2);

    set_up();
    set_entry(0, 0, 0x40);
    set_entry(2, 0, 0x42);
    irq_source_set(timer, TRUE);
    take_trail("fee00000=42 ");
    irq_source_set(cascade, TRUE);
    take_trail("");
    irq_source_free(timer);
    irq_source_free(cascade);
}

static void test_messages(void)
{
    static const struct {
        uint32_t entry;
        const char *sent;
    } cases[] = {
        {0x0833, "fee7f004=33 "},  /* logical */
        {0x0133, "fee7f008=133 "}, /* lowest priority */
        {0x0933, "fee7f00c=133 "}, /* both */
        {0x0233, "fee7f000=233 "}, /* SMI */
        {0x0433, "fee7f000=433 "}, /* NMI */
        {0x8433, "fee7f000=433 "}, /* is an edge always */
        {0x0533, "fee7f000=533 "}, /* INIT */
        {0x0333, ""},              /* reserved */
        {0x0633, ""},
        {0x0733, ""},             /* ExtINT: no 8259 is at a pin */
        {0x2033, "fee7f000=33 "}, /* the line's sense is the board's affair */
    };
    IrqSource *line = irq_source_new(5);

    set_up();
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        set_entry(5, 0x7f, cases[i].entry);
        irq_source_set(line, TRUE);
        take_trail(cases[i].sent);
        g_assert_cmphex(low_half(5), ==, cases[i].entry);
        irq_source_set(line, FALSE);
    }
    irq_source_free(line);
}

/* A level that no CPU takes is not one that a CPU will end. */
static void test_deaf(void)
{
    IrqSource *line = irq_source_new(20);

    set_up();
    set_entry(20, 9, LEVEL | 0x80);
    g_string_truncate(trail, 0);
    deaf = TRUE;
    irq_source_set(line, TRUE);
    take_trail("fee09000=c080 ");
    g_assert_cmphex(low_half(20), ==, LEVEL | 0x80);
    deaf = FALSE;
    set_entry(20, 0, LEVEL | 0x80);
    g_assert_cmphex(low_half(20), ==, LEVEL | REMOTE_IRR | 0x80);
    irq_source_free(line);
}

static void test_kept(void)
{
    IrqSource *line = irq_source_new(21);

    set_up();
    set_entry(21, 2, LEVEL | 0x90);
    irq_source_set(line, TRUE);
    kept_state_keep();
    irq_end(0x90);
    irq_source_set(line, FALSE);
    set_entry(21, 0, MASKED);
    g_string_truncate(trail, 0);
    kept_state_put_back();
    take_trail("watch21:fee02000=c090 ");
    g_assert_cmphex(low_half(21), ==, LEVEL | REMOTE_IRR | 0x90);
    irq_source_set(line, TRUE); /* waits for the end that the CPU has yet to make */
    take_trail("");
    irq_end(0x90);
    take_trail("fee02000=c090 ");
    device_reset_all();
    g_assert_cmphex(low_half(21), ==, MASKED);
    irq_source_free(line);
}

int main(int argc, char **argv)
{
    GError *error = NULL;
    int result;

    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    trail = g_string_new(NULL);
    irq_set_accelerator(&fake);
    g_assert_true(ioapic_add(&error));
    g_test_add_func("/ioapic/registers", test_registers);
    g_test_add_func("/ioapic/edge", test_edge);
    g_test_add_func("/ioapic/level", test_level);
    g_test_add_func("/ioapic/masked-level", test_masked_level);
    g_test_add_func("/ioapic/shared-vector", test_shared_vector);
    g_test_add_func("/ioapic/timer-pin", test_timer_pin);
    g_test_add_func("/ioapic/messages", test_messages);
    g_test_add_func("/ioapic/deaf", test_deaf);
    g_test_add_func("/ioapic/kept", test_kept);
    result = g_test_run();
    device_cleanup_all();
    g_string_free(trail, TRUE);
    return result;
}
