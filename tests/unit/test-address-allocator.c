/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/mem/address-allocator.h"

#define BASE 1000u
#define AREA 600u

/* The model: a flag for each byte. */
static gboolean taken[AREA];

static gboolean model_is_free(uint64_t address, uint64_t size)
{
    if (address < BASE || address + size > BASE + AREA) {
        return FALSE;
    }
    for (uint64_t i = 0; i < size; i++) {
        if (taken[address - BASE + i]) {
            return FALSE;
        }
    }
    return TRUE;
}

static void model_set(uint64_t address, uint64_t size, gboolean value)
{
    for (uint64_t i = 0; i < size; i++) {
        taken[address - BASE + i] = value;
    }
}

static gboolean model_lowest(uint64_t size, uint64_t alignment, uint64_t *address)
{
    for (uint64_t start = BASE; start < BASE + AREA; start++) {
        if (start % alignment == 0 && model_is_free(start, size)) {
            *address = start;
            return TRUE;
        }
    }
    return FALSE;
}

static void model_compare(const AddressAllocator *allocator)
{
    guint ranges = 0;
    uint64_t available = 0;

    for (guint i = 0; i < AREA; i++) {
        available += !taken[i];
        ranges += !taken[i] && (i == 0 || taken[i - 1]);
    }
    g_assert_cmpuint(address_allocator_ranges(allocator), ==, ranges);
    g_assert_cmpuint(address_allocator_available(allocator), ==, available);
}

typedef struct Range {
    uint64_t address;
    uint64_t size;
} Range;

static void test_model(void)
{
    g_autoptr(AddressAllocator) allocator = address_allocator_new(BASE, AREA);
    g_autoptr(GArray) held = g_array_new(FALSE, FALSE, sizeof(Range));

    memset(taken, 0, sizeof(taken));
    for (guint step = 0; step < 20000; step++) {
        Range range = {.size = (uint64_t)g_test_rand_int_range(1, 40)};
        uint64_t expected = 0;
        gboolean got, right;

        if (held->len > 0 && g_test_rand_int_range(0, 100) < 45) {
            guint victim = (guint)g_test_rand_int_range(0, (gint)held->len);
            range = g_array_index(held, Range, victim);
            address_allocator_release(allocator, range.address, range.size);
            model_set(range.address, range.size, FALSE);
            g_array_remove_index_fast(held, victim);
            model_compare(allocator);
            continue;
        }
        if (g_test_rand_bit()) {
            uint64_t alignment = 1u << g_test_rand_int_range(0, 6);
            right = model_lowest(range.size, alignment, &expected);
            got = address_allocator_take_lowest(allocator, range.size, alignment, &range.address);
        } else {
            expected = range.address = (uint64_t)g_test_rand_int_range(BASE - 50, BASE + AREA + 50);
            right = model_is_free(range.address, range.size);
            got = address_allocator_take(allocator, range.address, range.size);
        }
        g_assert_cmpint(got, ==, right);
        if (got) {
            g_assert_cmpuint(range.address, ==, expected);
            model_set(range.address, range.size, TRUE);
            g_array_append_val(held, range);
        }
        model_compare(allocator);
    }
}

static void test_limits(void)
{
    g_autoptr(AddressAllocator) top = address_allocator_new(UINT64_MAX - 0xfff, 0xfff);
    g_autoptr(AddressAllocator) empty = address_allocator_new(0x1000, 0);
    uint64_t address;

    g_assert_false(address_allocator_take_lowest(empty, 1, 1, &address));
    g_assert_false(address_allocator_take(empty, 0x1000, 1));
    g_assert_false(address_allocator_take(top, UINT64_MAX - 0xfff, 0x1000));
    g_assert_false(address_allocator_take(top, UINT64_MAX - 0xfff, UINT64_MAX));
    g_assert_false(address_allocator_take(top, 0, UINT64_MAX));
    g_assert_false(address_allocator_take_lowest(top, 1, UINT64_C(1) << 63, &address));
    g_assert_true(address_allocator_take_lowest(top, 0xfff, 0x1000, &address));
    g_assert_cmpuint(address, ==, UINT64_MAX - 0xfff);
    address_allocator_release(top, address, 0xfff);
    g_assert_cmpuint(address_allocator_ranges(top), ==, 1);
}

/* A comb of 32,000 gaps, none of which fits: the search must not look at each of them. */
static void test_fragmented(void)
{
    enum { COUNT = 32000 };
    g_autoptr(AddressAllocator) allocator = address_allocator_new(0, UINT64_C(16) * COUNT + 64);
    uint64_t address;
    gint64 start;

    for (uint64_t i = 0; i < COUNT; i++) {
        g_assert_true(address_allocator_take(allocator, 16 * i, 8));
    }
    g_assert_cmpuint(address_allocator_ranges(allocator), ==, COUNT);
    start = g_get_monotonic_time();
    for (guint i = 0; i < 10000; i++) {
        g_assert_true(address_allocator_take_lowest(allocator, 8, 16, &address));
        g_assert_cmpuint(address, ==, UINT64_C(16) * COUNT);
        address_allocator_release(allocator, address, 8);
    }
    g_test_message("10000 searches: %" G_GINT64_FORMAT " us", g_get_monotonic_time() - start);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/address-allocator/model", test_model);
    g_test_add_func("/address-allocator/limits", test_limits);
    g_test_add_func("/address-allocator/fragmented", test_fragmented);
    return g_test_run();
}
