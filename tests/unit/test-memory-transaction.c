/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One transaction: who is asked, in which order, and what is left when somebody refuses, comes
 * late or goes in the middle.
 */
#include "transaction-fixture.h"

#include "system/main-loop.h"
#include "util/error.h"

#include <string.h>

static void test_alone(void)
{
    uint64_t generation = memory_generation();

    transaction_begin();
    transaction_add(0x100000, "a");
    transaction_expect(""); /* never from within */
    g_assert_cmpuint(memory_section_count(), ==, 0);
    transaction_expect("a:ok ");
    g_assert_cmpuint(memory_section_count(), ==, 1);
    g_assert_cmpuint(memory_generation(), ==, generation + 1);
    g_assert_cmpuint(transaction_references(), ==, 2);
    transaction_remove(0x100000, "r");
    transaction_expect("r:ok ");
    g_assert_cmpuint(memory_section_count(), ==, 0);
    g_assert_cmpuint(memory_generation(), ==, generation + 2);
    g_assert_cmpuint(transaction_references(), ==, 1);
    transaction_end();
}

static void check_refused(uint64_t address, uint64_t size, uint64_t offset, const char *text)
{
    g_autoptr(GError) error = NULL;
    MemorySection section = {address, size, transaction_block, offset};

    g_assert_false(memory_add(&section, transaction_done, NULL, &error));
    g_assert_nonnull(error);
    g_assert_nonnull(strstr(error->message, text));
    g_clear_error(&error);
    g_assert_false(memory_add_boot(&section, &error));
}

static void test_checks(void)
{
    g_autoptr(GError) error = NULL;

    transaction_begin();
    FakeListener *fake = fake_new("b0", NEVER);

    transaction_add(0x100000, "a");
    g_assert_cmpuint(transaction_references(), ==, 2);
    check_refused(0x100000 + TRANSACTION_SIZE - 1, TRANSACTION_SIZE, 0,
                  "overlap memory 'm0' at 0x100000-0x10ffff");
    check_refused(0x100000 - TRANSACTION_SIZE + 1, TRANSACTION_SIZE, 0, "overlap");
    check_refused(0x200000, 0, 0, "size is 0");
    check_refused(UINT64_MAX - TRANSACTION_SIZE + 2, TRANSACTION_SIZE, 0,
                  "end of the address space");
    check_refused(0x200000, TRANSACTION_SIZE, 1, "not within its size");
    check_refused(0x200000, TRANSACTION_SIZE, UINT64_MAX, "not within its size");
    g_assert_false(memory_remove(0x100000, transaction_done, NULL, &error)); /* not yet there */
    g_assert_cmpstr(error->message, ==, "guest address 0x100000: no RAM section begins there");
    g_clear_error(&error);
    fake_answer(fake);
    transaction_expect("a:ok ");
    check_refused(0x100000, TRANSACTION_SIZE, 0, "overlap");

    fake->refuse_check = TRUE;
    MemorySection section = {0x200000, TRANSACTION_SIZE, transaction_block, 0};
    g_assert_false(memory_add(&section, transaction_done, NULL, &error));
    g_assert_cmpstr(error->message, ==, "b0: no room for 2");
    g_clear_error(&error);
    fake->refuse_check = FALSE;

    transaction_remove(0x100000, "r");
    g_assert_false(memory_remove(0x100000, transaction_done, NULL, &error));
    fake_answer(fake);
    transaction_expect("r:ok ");
    g_assert_cmpuint(transaction_references(), ==, 1);
    fake_free(fake);
    transaction_end();
}

static void test_refusal_of_16(void)
{
    FakeListener *fakes[16];
    uint64_t generation;

    transaction_begin();
    generation = memory_generation();
    for (guint i = 0; i < G_N_ELEMENTS(fakes); i++) {
        fakes[i] = fake_new(i == 9 ? "b9" : "b", i % 3);
    }
    fakes[9]->refuse = TRUE;
    transaction_add(0x100000, "a");
    transaction_add(0x100000 + TRANSACTION_SIZE, "b");
    transaction_expect("a:b9: refused b:ok ");
    for (guint i = 0; i < G_N_ELEMENTS(fakes); i++) {
        g_assert_cmpuint(fakes[i]->prepared, ==, 2);
        g_assert_cmpuint(fakes[i]->aborted, ==, i == 9 ? 0 : 1);
        g_assert_cmpuint(fakes[i]->committed, ==, 1);
        g_assert_cmpuint(fakes[i]->generation, ==, generation);
        fake_check_table(fakes[i]);
    }
    g_assert_cmpuint(memory_generation(), ==, generation + 1);
    g_assert_cmpuint(transaction_references(), ==, 2);
    for (guint i = 0; i < G_N_ELEMENTS(fakes); i++) {
        fake_free(fakes[i]);
    }
    transaction_end();
}

/* Nobody is asked to take back before the last has answered. */
static void test_abort_waits(void)
{
    transaction_begin();
    FakeListener *ready = fake_new("ready", AT_ONCE);
    FakeListener *refuses = fake_new("refuses", AT_ONCE);
    FakeListener *slow = fake_new("slow", NEVER);

    refuses->refuse = TRUE;
    transaction_add(0x100000, "a");
    g_assert_cmpuint(ready->aborted, ==, 0);
    fake_answer(slow);
    main_loop_turn();
    g_assert_cmpuint(ready->aborted, ==, 1);
    g_assert_cmpuint(refuses->aborted, ==, 0);
    g_assert_cmpuint(slow->aborted, ==, 1);
    transaction_expect("");
    g_assert_cmpuint(transaction_references(), ==, 2);
    fake_answer(slow);
    transaction_expect("a:refuses: refused ");
    g_assert_cmpuint(transaction_references(), ==, 1);
    fake_free(ready);
    fake_free(refuses);
    fake_free(slow);
    transaction_end();
}

static void test_late_registration(void)
{
    transaction_begin();
    FakeListener *slow = fake_new("slow", NEVER);

    transaction_add(0x100000, "a");
    FakeListener *late = fake_new("late", LATER);
    g_assert_cmpuint(late->prepared, ==, 0);
    fake_answer(slow);
    transaction_expect("a:ok ");
    g_assert_cmpuint(late->prepared, ==, 1);
    g_assert_cmpuint(slow->prepared, ==, 1);
    fake_check_table(late);

    transaction_add(0x200000, "b");
    FakeListener *later = fake_new("later", LATER);
    later->refuse = TRUE;
    fake_answer(slow);
    while (slow->aborted == 0) {
        main_loop_turn();
    }
    fake_answer(slow);
    transaction_expect("b:later: refused ");
    fake_check_table(slow);
    fake_check_table(late);
    fake_check_table(later);

    /* A removal has left the table that somebody new copies. */
    transaction_remove(0x100000, "r");
    FakeListener *last = fake_new("last", LATER);
    fake_answer(slow);
    transaction_expect("r:ok ");
    g_assert_cmpuint(last->prepared, ==, 0);
    fake_check_table(last);
    fake_free(slow);
    fake_free(late);
    fake_free(later);
    fake_free(last);
    transaction_end();
}

static void test_removal_in_the_middle(void)
{
    transaction_begin();
    FakeListener *gone = fake_new("gone", NEVER);
    FakeListener *stays = fake_new("stays", LATER);

    transaction_add(0x100000, "a");
    memory_listener_remove(&gone->listener);
    memory_listener_done(&gone->listener, g_error_new(VM_ERROR, 0, "too late"));
    transaction_expect("a:ok ");
    fake_check_table(stays);

    /* The same while an abort is under way. */
    memory_listener_add(&gone->listener);
    stays->refuse = TRUE;
    transaction_add(0x200000, "b");
    fake_answer(gone);
    while (gone->aborted == 0) {
        main_loop_turn();
    }
    memory_listener_remove(&gone->listener);
    transaction_expect("b:stays: refused ");
    memory_listener_remove(&gone->listener); /* twice is harmless */
    fake_free(gone);
    fake_free(stays);
    transaction_end();
}

static gboolean accelerator_refuses;
static GString *accelerator_trail;
static guint accelerator_slots = 2;

static gboolean accelerator_add(const MemorySection *section, GError **error)
{
    if (accelerator_refuses) {
        vm_error_set(error, "accelerator: no");
        return FALSE;
    }
    g_assert_null(memory_section_find(section->guest_address));
    g_string_append(accelerator_trail, "+");
    accelerator_slots--;
    return TRUE;
}

static void accelerator_remove(const MemorySection *section)
{
    g_assert_nonnull(memory_section_find(section->guest_address));
    g_string_append(accelerator_trail, "-");
    accelerator_slots++;
}

static guint accelerator_free_slots(void)
{
    return accelerator_slots;
}

static void test_accelerator(void)
{
    static const MemoryAccelerator accelerator = {
        .free_slots = accelerator_free_slots,
        .add = accelerator_add,
        .remove = accelerator_remove,
    };
    MemorySection third = {0x300000, TRANSACTION_SIZE, NULL, 0};
    g_autoptr(GError) error = NULL;

    transaction_begin();
    third.block = transaction_block;
    accelerator_trail = g_string_new(NULL);
    memory_set_accelerator(&accelerator);
    FakeListener *fake = fake_new("b0", LATER);

    accelerator_refuses = TRUE;
    transaction_add(0x100000, "a");
    transaction_expect("a:accelerator: no ");
    g_assert_cmpuint(fake->aborted, ==, 1);
    accelerator_refuses = FALSE;
    transaction_add(0x100000, "a");
    transaction_add(0x200000, "b");
    g_assert_false(memory_add(&third, transaction_done, "c", &error));
    g_assert_nonnull(strstr(error->message, "the accelerator allows"));
    transaction_expect("a:ok b:ok ");
    transaction_remove(0x200000, "r");
    g_assert_true(memory_add(&third, transaction_done, "c", NULL));
    transaction_expect("r:ok c:ok ");
    g_assert_cmpstr(accelerator_trail->str, ==, "++-+");
    fake_check_table(fake);
    fake_free(fake);
    memory_set_accelerator(NULL);
    g_string_free(accelerator_trail, TRUE);
    transaction_end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    g_test_add_func("/memory-transaction/alone", test_alone);
    g_test_add_func("/memory-transaction/checks", test_checks);
    g_test_add_func("/memory-transaction/refusal-of-16", test_refusal_of_16);
    g_test_add_func("/memory-transaction/abort-waits", test_abort_waits);
    g_test_add_func("/memory-transaction/late-registration", test_late_registration);
    g_test_add_func("/memory-transaction/removal-in-the-middle", test_removal_in_the_middle);
    g_test_add_func("/memory-transaction/accelerator", test_accelerator);
    return g_test_run();
}
