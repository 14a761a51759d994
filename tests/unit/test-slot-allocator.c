/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/mem/slot-allocator.h"

static void test_order(void)
{
    static const uint32_t counts[] = {1, 2, 63, 64, 65, 4095, 4096, 4097, 32000};

    for (guint i = 0; i < G_N_ELEMENTS(counts); i++) {
        g_autoptr(SlotAllocator) allocator = slot_allocator_new(counts[i]);
        uint32_t slot;

        for (uint32_t expected = 0; expected < counts[i]; expected++) {
            g_assert_true(slot_allocator_take_lowest(allocator, &slot));
            g_assert_cmpuint(slot, ==, expected);
        }
        g_assert_false(slot_allocator_take_lowest(allocator, &slot));
        g_assert_cmpuint(slot_allocator_used(allocator), ==, counts[i]);
        slot_allocator_release(allocator, counts[i] / 2);
        g_assert_true(slot_allocator_take_lowest(allocator, &slot));
        g_assert_cmpuint(slot, ==, counts[i] / 2);
    }
}

static void test_limits(void)
{
    g_autoptr(SlotAllocator) none = slot_allocator_new(0);
    g_autoptr(SlotAllocator) three = slot_allocator_new(3);
    uint32_t slot;

    g_assert_false(slot_allocator_take_lowest(none, &slot));
    g_assert_false(slot_allocator_take(none, 0));
    g_assert_true(slot_allocator_take(three, 2));
    g_assert_false(slot_allocator_take(three, 2));
    g_assert_false(slot_allocator_take(three, 3));
    g_assert_false(slot_allocator_take(three, UINT32_MAX));
}

static void test_model(void)
{
    enum { COUNT = 700, STEPS = 100000 };
    g_autoptr(SlotAllocator) allocator = slot_allocator_new(COUNT);
    gboolean taken[COUNT] = {FALSE};

    for (guint step = 0; step < STEPS; step++) {
        uint32_t slot = (uint32_t)g_test_rand_int_range(0, COUNT);
        uint32_t lowest = 0;

        if (taken[slot] && g_test_rand_bit()) {
            slot_allocator_release(allocator, slot);
            taken[slot] = FALSE;
        } else if (g_test_rand_bit()) {
            g_assert_cmpint(slot_allocator_take(allocator, slot), ==, !taken[slot]);
            taken[slot] = TRUE;
        } else {
            while (lowest < COUNT && taken[lowest]) {
                lowest++;
            }
            g_assert_cmpint(slot_allocator_take_lowest(allocator, &slot), ==, lowest < COUNT);
            if (lowest < COUNT) {
                g_assert_cmpuint(slot, ==, lowest);
                taken[slot] = TRUE;
            }
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/slot-allocator/order", test_order);
    g_test_add_func("/slot-allocator/limits", test_limits);
    g_test_add_func("/slot-allocator/model", test_model);
    return g_test_run();
}
