/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shadow table against a naive model that compares everything with everything, over random
 * tables.  HOTSLOT_TEST_SEED and HOTSLOT_TEST_ROUNDS repeat or lengthen a run.
 */
#include "hw/virtio/shadow-table.h"

#include <stdlib.h>
#include <string.h>

/* Few distinct pages and files, so that random tables meet each other all the time. */
#define PAGES 48
#define PAGE 0x1000u

static char files[4];
static guint64 seed;

static gboolean equal(const ShadowRegion *a, const ShadowRegion *b)
{
    return a->guest_address == b->guest_address && a->size == b->size &&
           a->user_address == b->user_address && a->mmap_offset == b->mmap_offset &&
           a->file == b->file;
}

static gboolean contains(const ShadowRegion *regions, guint count, const ShadowRegion *region)
{
    for (guint i = 0; i < count; i++) {
        if (equal(&regions[i], region)) {
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean overlaps(const ShadowRegion *a, const ShadowRegion *b)
{
    return a->guest_address < b->guest_address + b->size &&
           b->guest_address < a->guest_address + a->size;
}

static ShadowRegion region_at(uint64_t guest_address, uint64_t size)
{
    ShadowRegion region = {
        .guest_address = guest_address,
        .size = size,
        .user_address = 0x7f0000000000 + guest_address,
        .file = &files[0],
    };
    return region;
}

/* A valid table; from empty to every page taken. */
static GArray *random_table(GRand *random)
{
    GArray *table = g_array_new(FALSE, FALSE, sizeof(ShadowRegion));
    guint gap = g_rand_int_range(random, 1, 6); /* 1: adjacent, no holes */

    for (guint page = g_rand_int_range(random, 0, gap); page < PAGES;) {
        guint length = MIN((guint)g_rand_int_range(random, 1, 5), PAGES - page);
        ShadowRegion region = region_at((uint64_t)page * PAGE, (uint64_t)length * PAGE);

        g_array_append_val(table, region);
        page += length + g_rand_int_range(random, 0, gap);
    }
    if (g_rand_int_range(random, 0, 32) == 0) {
        g_array_set_size(table, 0);
    }
    return table;
}

static void split(GArray *table, guint index, guint pages)
{
    ShadowRegion *first = &g_array_index(table, ShadowRegion, index);
    ShadowRegion second = *first;

    first->size = (uint64_t)pages * PAGE;
    second.guest_address += first->size;
    second.user_address += first->size;
    second.mmap_offset += first->size;
    second.size -= first->size;
    g_array_insert_val(table, index + 1, second);
}

static void merge(GArray *table, guint index)
{
    ShadowRegion *first = &g_array_index(table, ShadowRegion, index);

    if (index + 1 < table->len && first->guest_address + first->size == first[1].guest_address) {
        first->size += first[1].size;
        g_array_remove_index(table, index + 1);
    }
}

/* One of the changes that a machine makes; every one leaves the table valid. */
static void change(GArray *table, GRand *random)
{
    guint index;
    ShadowRegion *region;

    if (table->len == 0) {
        return;
    }
    index = g_rand_int_range(random, 0, table->len);
    region = &g_array_index(table, ShadowRegion, index);
    switch (g_rand_int_range(random, 0, 6)) {
    case 0: /* another file at the same range */
        region->file = &files[g_rand_int_range(random, 0, G_N_ELEMENTS(files))];
        break;
    case 1: /* another place in the same file */
        region->mmap_offset = (uint64_t)g_rand_int_range(random, 0, 3) * PAGE;
        break;
    case 2: /* mapped elsewhere */
        region->user_address += (uint64_t)g_rand_int_range(random, 0, 2) * PAGE * PAGES;
        break;
    case 3:
        g_array_remove_index(table, index);
        break;
    case 4:
        if (region->size > PAGE) {
            split(table, index, g_rand_int_range(random, 1, region->size / PAGE));
        }
        break;
    default:
        merge(table, index);
    }
}

static GArray *changed_copy(const GArray *table, GRand *random)
{
    GArray *copy = g_array_new(FALSE, FALSE, sizeof(ShadowRegion));

    g_array_append_vals(copy, table->data, table->len);
    for (gint changes = g_rand_int_range(random, 0, 8); changes > 0; changes--) {
        change(copy, random);
    }
    return copy;
}

/* A backend that knows nothing but a heap of regions, and minds every overlap. */
static void apply(GArray *backend, const ShadowDiff *diff)
{
    for (guint i = 0; i < diff->removes->len; i++) {
        const ShadowRegion *region = &g_array_index(diff->removes, ShadowRegion, i);
        guint at = 0;

        while (at < backend->len && !equal(&g_array_index(backend, ShadowRegion, at), region)) {
            at++;
        }
        g_assert_cmpuint(at, <, backend->len);
        g_array_remove_index_fast(backend, at);
    }
    for (guint i = 0; i < diff->adds->len; i++) {
        const ShadowRegion *region = &g_array_index(diff->adds, ShadowRegion, i);

        for (guint at = 0; at < backend->len; at++) {
            g_assert_false(overlaps(&g_array_index(backend, ShadowRegion, at), region));
        }
        g_array_append_val(backend, *region);
    }
}

static void assert_sorted(const GArray *regions)
{
    for (guint i = 1; i < regions->len; i++) {
        g_assert_cmpuint(g_array_index(regions, ShadowRegion, i - 1).guest_address, <,
                         g_array_index(regions, ShadowRegion, i).guest_address);
    }
}

/* The naive difference: everything of one that is not in the other. */
static void assert_difference(const GArray *from, const GArray *other, const GArray *found)
{
    guint expected = 0;

    for (guint i = 0; i < from->len; i++) {
        const ShadowRegion *region = &g_array_index(from, ShadowRegion, i);

        if (!contains((ShadowRegion *)other->data, other->len, region)) {
            g_assert_true(contains((ShadowRegion *)found->data, found->len, region));
            expected++;
        }
    }
    g_assert_cmpuint(found->len, ==, expected);
    assert_sorted(found);
}

static void check_pair(const GArray *old, const GArray *new)
{
    g_autoptr(GArray) backend = g_array_new(FALSE, FALSE, sizeof(ShadowRegion));
    ShadowDiff diff;

    shadow_diff_init(&diff);
    shadow_diff((ShadowRegion *)old->data, old->len, (ShadowRegion *)new->data, new->len, &diff);
    assert_difference(old, new, diff.removes);
    assert_difference(new, old, diff.adds);
    g_array_append_vals(backend, old->data, old->len);
    apply(backend, &diff);
    g_assert_cmpuint(backend->len, ==, new->len);
    for (guint i = 0; i < new->len; i++) {
        g_assert_true(contains((ShadowRegion *)backend->data, backend->len,
                               &g_array_index(new, ShadowRegion, i)));
    }
    shadow_diff_clear(&diff);
}

/* The same way in single steps of insert and remove ends with the same table. */
static void check_steps(const GArray *old, const GArray *new)
{
    ShadowTable table;
    ShadowDiff diff;

    shadow_table_init(&table);
    for (guint i = old->len; i > 0; i--) {
        g_assert_true(shadow_table_insert(&table, &g_array_index(old, ShadowRegion, i - 1)));
    }
    shadow_diff_init(&diff);
    shadow_diff((ShadowRegion *)old->data, old->len, (ShadowRegion *)new->data, new->len, &diff);
    for (guint i = 0; i < diff.removes->len; i++) {
        const ShadowRegion *region = &g_array_index(diff.removes, ShadowRegion, i);

        g_assert_true(shadow_table_remove(&table, region));
        g_assert_false(shadow_table_remove(&table, region));
    }
    for (guint i = 0; i < diff.adds->len; i++) {
        const ShadowRegion *region = &g_array_index(diff.adds, ShadowRegion, i);

        g_assert_true(shadow_table_insert(&table, region));
        g_assert_false(shadow_table_insert(&table, region));
    }
    g_assert_cmpuint(shadow_table_length(&table), ==, new->len);
    for (guint i = 0; i < new->len; i++) {
        const ShadowRegion *region = &g_array_index(new, ShadowRegion, i);

        g_assert_true(equal(shadow_table_at(&table, i), region));
        g_assert_true(shadow_table_find(&table, region->guest_address) ==
                      shadow_table_at(&table, i));
        g_assert_null(shadow_table_find(&table, region->guest_address + 1));
    }
    shadow_diff_clear(&diff);
    shadow_table_clear(&table);
}

static void test_random(void)
{
    const char *rounds_text = g_getenv("HOTSLOT_TEST_ROUNDS");
    guint rounds = rounds_text ? strtoul(rounds_text, NULL, 0) : 100000;
    g_autoptr(GRand) random = g_rand_new_with_seed((guint32)seed);

    for (guint round = 0; round < rounds; round++) {
        g_autoptr(GArray) old = random_table(random);
        g_autoptr(GArray) new = round % 8 == 0 ? random_table(random) : changed_copy(old, random);

        g_assert_true(shadow_regions_valid((ShadowRegion *)old->data, old->len));
        g_assert_true(shadow_regions_valid((ShadowRegion *)new->data, new->len));
        check_pair(old, new);
        if (round % 4 == 0) {
            check_steps(old, new);
        }
    }
}

static void test_large(void)
{
    const guint count = 32000;
    ShadowTable table;
    ShadowDiff diff;
    g_autoptr(GArray) shuffled = g_array_new(FALSE, FALSE, sizeof(ShadowRegion));
    g_autoptr(GRand) random = g_rand_new_with_seed((guint32)seed);

    for (guint i = 0; i < count; i++) {
        ShadowRegion region = region_at((uint64_t)i * PAGE, PAGE);

        g_array_append_val(shuffled, region);
    }
    for (guint i = count - 1; i > 0; i--) {
        ShadowRegion *regions = (ShadowRegion *)shuffled->data;
        guint other = g_rand_int_range(random, 0, i + 1);
        ShadowRegion swap = regions[i];

        regions[i] = regions[other];
        regions[other] = swap;
    }
    shadow_table_init(&table);
    for (guint i = 0; i < count; i++) {
        g_assert_true(shadow_table_insert(&table, &g_array_index(shuffled, ShadowRegion, i)));
    }
    g_assert_true(shadow_regions_valid((ShadowRegion *)table.regions->data, table.regions->len));

    shadow_diff_init(&diff);
    shadow_diff(NULL, 0, (ShadowRegion *)table.regions->data, count, &diff);
    g_assert_cmpuint(diff.adds->len, ==, count);
    g_assert_cmpuint(diff.removes->len, ==, 0);
    g_array_set_size(diff.adds, 0);
    shadow_diff((ShadowRegion *)table.regions->data, count, NULL, 0, &diff);
    g_assert_cmpuint(diff.adds->len, ==, 0);
    g_assert_cmpuint(diff.removes->len, ==, count);
    shadow_diff_clear(&diff);

    for (guint i = 0; i < count; i++) {
        g_assert_true(shadow_table_remove(&table, &g_array_index(shuffled, ShadowRegion, i)));
    }
    g_assert_cmpuint(shadow_table_length(&table), ==, 0);
    shadow_table_clear(&table);
}

/* Each row: what is wrong with the second region beside one of [0x1000, 0x3000). */
static void test_hostile(void)
{
    const ShadowRegion good = region_at(0x1000, 0x2000);
    const struct {
        ShadowRegion region;
        gboolean insert; /* can be inserted */
        gboolean behind; /* can stand behind it in an array */
    } rows[] = {
        {region_at(0x3000, 0x1000), TRUE, TRUE},
        {region_at(0, 0x1000), TRUE, FALSE},
        {region_at(0, 0x1001), FALSE, FALSE},
        {region_at(0x2fff, 0x1000), FALSE, FALSE},
        {region_at(0x1000, 0x2000), FALSE, FALSE},
        {region_at(0x1800, 1), FALSE, FALSE},
        {region_at(0, 0x10000), FALSE, FALSE},
        {region_at(0x8000, 0), FALSE, FALSE},
        {{.guest_address = UINT64_MAX, .size = 1}, FALSE, FALSE},
        {{.guest_address = UINT64_MAX - 1, .size = 1}, TRUE, TRUE},
        {{.guest_address = UINT64_MAX - 0xfff, .size = 0x1000}, FALSE, FALSE},
        {{.guest_address = 0x8000, .size = UINT64_MAX}, FALSE, FALSE},
        {{.guest_address = 0x8000, .size = 2, .user_address = UINT64_MAX - 1}, FALSE, FALSE},
        {{.guest_address = 0x8000, .size = 2, .mmap_offset = UINT64_MAX - 1}, FALSE, FALSE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const ShadowRegion pair[] = {good, rows[i].region};
        ShadowTable table;

        shadow_table_init(&table);
        g_assert_true(shadow_table_insert(&table, &good));
        g_assert_cmpint(shadow_table_insert(&table, &rows[i].region), ==, rows[i].insert);
        g_assert_cmpuint(shadow_table_length(&table), ==, rows[i].insert ? 2 : 1);
        g_assert_cmpint(shadow_regions_valid(pair, 2), ==, rows[i].behind);
        shadow_table_clear(&table);
    }
    g_assert_true(shadow_regions_valid(NULL, 0));
}

/* Every member alone makes another region of it. */
static void test_identity(void)
{
    const ShadowRegion old = region_at(0x1000, 0x1000);

    for (guint member = 0; member <= 5; member++) {
        ShadowRegion new = old;
        ShadowDiff diff;

        new.guest_address += member == 1 ? 0x1000 : 0;
        new.size += member == 2 ? 0x1000 : 0;
        new.user_address += member == 3 ? 0x1000 : 0;
        new.mmap_offset += member == 4 ? 0x1000 : 0;
        new.file = member == 5 ? &files[1] : new.file;
        shadow_diff_init(&diff);
        shadow_diff(&old, 1, &new, 1, &diff);
        g_assert_cmpuint(diff.removes->len, ==, member ? 1 : 0);
        g_assert_cmpuint(diff.adds->len, ==, member ? 1 : 0);
        shadow_diff_clear(&diff);
    }
}

int main(int argc, char **argv)
{
    const char *text = g_getenv("HOTSLOT_TEST_SEED");

    g_test_init(&argc, &argv, NULL);
    seed = text ? strtoull(text, NULL, 0) : (guint64)g_get_real_time();
    g_test_message("HOTSLOT_TEST_SEED=%u", (guint32)seed);
    g_test_add_func("/shadow-table/random", test_random);
    g_test_add_func("/shadow-table/large", test_large);
    g_test_add_func("/shadow-table/hostile", test_hostile);
    g_test_add_func("/shadow-table/identity", test_identity);
    return g_test_run();
}
