/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many transactions: in a queue, behind one that is overdue, at random against a naive model, and
 * what each costs.
 */
#include "transaction-fixture.h"

#include "../../system/memory-internal.h"
#include "system/main-loop.h"

/* A listener that breaks its promise holds up nobody for ever, and adds wait for it. */
static void test_overdue(void)
{
    MemorySection second = {0x200000, TRANSACTION_SIZE, NULL, 0};
    g_autoptr(GError) error = NULL;
    uint64_t generation;

    transaction_begin();
    second.block = transaction_block;
    memory_transaction_time = memory_transaction_grace = 100 * 1000;
    transaction_add(0x300000, "old");
    transaction_expect("old:ok ");
    FakeListener *good = fake_new("good", AT_ONCE);
    FakeListener *stuck = fake_new("stuck", NEVER);

    generation = memory_generation();
    transaction_add(0x100000, "a");
    transaction_expect(
        "a:stuck: has not finished an earlier change of guest memory within its deadline ");
    g_assert_cmpuint(good->aborted, ==, 1);
    g_assert_cmpuint(stuck->aborted, ==, 0);
    g_assert_cmpuint(transaction_references(), ==, 2);
    fake_check_table(good);
    g_assert_false(memory_add(&second, transaction_done, "b", &error));
    g_assert_cmpstr(
        error->message, ==,
        "stuck: has not finished an earlier change of guest memory within its deadline");
    transaction_remove(0x300000,
                       "r"); /* goes on without it, and never back to a number it may know */
    transaction_expect("r:ok ");
    g_assert_cmpuint(memory_generation(), >, generation + 1);
    g_assert_cmpuint(stuck->prepared, ==, 1);
    fake_check_table(good);

    fake_answer(stuck); /* better late than never */
    transaction_add(0x200000, "b");
    g_assert_cmpuint(stuck->prepared, ==, 2);
    fake_answer(stuck);
    transaction_expect("b:ok ");
    fake_check_table(good);
    memory_transaction_time = MEMORY_TRANSACTION_SECONDS * G_USEC_PER_SEC;
    memory_transaction_grace = MEMORY_OVERDUE_SECONDS * G_USEC_PER_SEC;
    fake_free(good);
    fake_free(stuck);
    transaction_end();
}

static void add_more(gpointer opaque, const GError *error)
{
    transaction_done(opaque, error);
    transaction_add(0x300000, "third");
}

static void test_queue(void)
{
    MemorySection first = {0x100000, TRANSACTION_SIZE, NULL, 0};

    transaction_begin();
    first.block = transaction_block;
    FakeListener *fake = fake_new("b0", THREAD);

    g_assert_true(memory_add(&first, add_more, "first", NULL));
    transaction_add(0x200000, "second");
    g_assert_cmpuint(fake->prepared, ==, 1);
    transaction_expect("first:ok second:ok third:ok ");
    fake_check_table(fake);
    fake_free(fake);
    transaction_end();
}

/* Against a naive model: the set of addresses that were agreed to. */
static void test_random(void)
{
    guint32 seed = g_test_rand_int();
    GRand *random = g_rand_new_with_seed(seed);
    GHashTable *model = g_hash_table_new(NULL, NULL);
    GPtrArray *fakes = g_ptr_array_new();

    g_test_message("seed %u", seed);
    transaction_begin();
    for (guint step = 0; step < 3000; step++) {
        uint64_t address = (uint64_t)g_rand_int_range(random, 0, 64) * TRANSACTION_SIZE;
        gpointer key = GSIZE_TO_POINTER(address + 1);
        guint what = (guint)g_rand_int_range(random, 0, 20);
        MemorySection section = {address, TRANSACTION_SIZE, transaction_block, 0};
        g_autoptr(GError) error = NULL;

        if (what == 0 && fakes->len < 8) {
            g_ptr_array_add(fakes, fake_new("b", (FakeAnswer)g_rand_int_range(random, 0, 3)));
        } else if (what == 1 && fakes->len > 0) {
            fake_free(g_ptr_array_remove_index_fast(
                fakes, (guint)g_rand_int_range(random, 0, (gint32)fakes->len)));
        } else if (what < 14) {
            gboolean present = g_hash_table_contains(model, key);
            gboolean refuse = fakes->len > 0 && g_rand_int_range(random, 0, 4) == 0;

            if (refuse && !present) {
                FakeListener *fake = g_ptr_array_index(
                    fakes, (guint)g_rand_int_range(random, 0, (gint32)fakes->len));
                fake->refuse = TRUE;
            }
            g_assert_true(memory_add(&section, transaction_done, "x", &error) == !present);
            if (!present) {
                transaction_expect(refuse ? "x:b: refused " : "x:ok ");
            }
            if (!present && !refuse) {
                g_hash_table_add(model, key);
            }
        } else {
            gboolean present = g_hash_table_remove(model, key);

            g_assert_true(memory_remove(address, transaction_done, "x", &error) == present);
            if (present) {
                transaction_expect("x:ok ");
            }
        }
        g_assert_cmpuint(memory_section_count(), ==, g_hash_table_size(model));
        g_assert_cmpuint(transaction_references(), ==, 1 + g_hash_table_size(model));
        g_assert_true((memory_section_find(address + TRANSACTION_SIZE - 1) != NULL) ==
                      g_hash_table_contains(model, key));
        for (guint i = 0; i < fakes->len; i++) {
            fake_check_table(g_ptr_array_index(fakes, i));
        }
    }
    g_ptr_array_set_free_func(fakes, (GDestroyNotify)fake_free);
    g_ptr_array_unref(fakes);
    g_hash_table_unref(model);
    g_rand_free(random);
    transaction_end();
}

static void quit_at_last(gpointer opaque, const GError *error)
{
    g_assert_no_error(error);
    if (--*(guint *)opaque == 0) {
        main_loop_quit();
    }
}

static void test_cost(void)
{
    const guint counts[] = {64, 4096};

    transaction_begin();
    FakeListener *fake = fake_new("b0", AT_ONCE);
    for (guint c = 0, have = 0; c < G_N_ELEMENTS(counts); have = counts[c++]) {
        guint left = counts[c] - have;
        gint64 start = g_get_monotonic_time();

        for (guint i = have; i < counts[c]; i++) {
            MemorySection section = {(uint64_t)i * TRANSACTION_SIZE, TRANSACTION_SIZE,
                                     transaction_block, 0};

            g_assert_true(memory_add(&section, quit_at_last, &left, NULL));
        }
        main_loop_run();
        g_test_message("%u sections: %.2f us each", counts[c],
                       (double)(g_get_monotonic_time() - start) / (counts[c] - have));
    }
    fake_check_table(fake);
    fake_free(fake);
    transaction_end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    g_test_add_func("/memory-transaction/overdue", test_overdue);
    g_test_add_func("/memory-transaction/queue", test_queue);
    g_test_add_func("/memory-transaction/random", test_random);
    g_test_add_func("/memory-transaction/cost", test_cost);
    return g_test_run();
}
