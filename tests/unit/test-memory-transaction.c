/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transactions over scripted listeners that answer at once, later from the
 * main loop, or from a thread of their own; each keeps its own table of what
 * it has, which must equal the map whenever no transaction runs.
 */
#include "../../system/memory-internal.h"

#include "system/main-loop.h"
#include "system/memory.h"
#include "system/vm-lock.h"
#include "util/error.h"

#include <string.h>

#define SIZE 0x10000

typedef enum { AT_ONCE, LATER, THREAD, NEVER } Answer;

typedef struct Fake {
    MemoryListener listener;
    Answer answer;
    gboolean refuse; /* the next prepare */
    gboolean refuse_check;
    guint prepared, aborted, committed;
    uint64_t generation; /* base of the last prepare, 0 after abort */
    GHashTable *table;   /* guest addresses that the peer has */
    GAsyncQueue *jobs;   /* THREAD */
    GThread *thread;
    gint owes_refusal; /* atomic: what the answer under way will be */
} Fake;

static GString *trail;
static RamBlock *block;

/* --- fakes --- */

static void answer_now(gpointer opaque)
{
    Fake *fake = opaque;
    GError *error = NULL;

    if (g_atomic_int_compare_and_exchange(&fake->owes_refusal, TRUE, FALSE)) {
        vm_error_set(&error, "%s: refused", fake->listener.name);
    }
    memory_listener_done(&fake->listener, error);
}

static gpointer answer_in_thread(gpointer opaque)
{
    Fake *fake = opaque;

    while (g_async_queue_pop(fake->jobs) != fake->jobs) {
        answer_now(fake);
    }
    return NULL;
}

static void answer(Fake *fake)
{
    switch (fake->answer) {
    case AT_ONCE:
        answer_now(fake);
        break;
    case LATER:
        main_loop_post(answer_now, fake);
        break;
    case THREAD:
        g_async_queue_push(fake->jobs, fake);
        break;
    case NEVER:
        break;
    }
}

static gboolean fake_check(MemoryListener *listener, const MemorySection *section G_GNUC_UNUSED,
                           guint sections, GError **error)
{
    Fake *fake = listener->opaque;

    if (fake->refuse_check) {
        vm_error_set(error, "%s: no room for %u", listener->name, sections);
    }
    return !fake->refuse_check;
}

static void fake_prepare(MemoryListener *listener, const MemoryTransaction *transaction)
{
    Fake *fake = listener->opaque;
    gpointer key = GSIZE_TO_POINTER(transaction->section.guest_address + 1);

    g_assert_true(vm_lock_held());
    g_assert_cmpint(transaction->deadline, >, g_get_monotonic_time());
    fake->prepared++;
    fake->generation = transaction->base_generation;
    g_atomic_int_set(&fake->owes_refusal, fake->refuse);
    if (transaction->change == MEMORY_REMOVE) {
        g_assert_null(memory_section_find(transaction->section.guest_address));
        g_assert_true(g_hash_table_remove(fake->table, key));
    } else if (!fake->refuse) {
        g_assert_true(g_hash_table_add(fake->table, key));
    }
    fake->refuse = FALSE;
    answer(fake);
}

static void fake_abort(MemoryListener *listener, const MemoryTransaction *transaction)
{
    Fake *fake = listener->opaque;

    fake->aborted++;
    g_assert_true(
        g_hash_table_remove(fake->table, GSIZE_TO_POINTER(transaction->section.guest_address + 1)));
    answer(fake);
}

static void fake_commit(MemoryListener *listener, const MemoryTransaction *transaction)
{
    Fake *fake = listener->opaque;

    fake->committed++;
    g_assert_cmpuint(memory_generation(), ==, transaction->base_generation + 1);
}

/* As a session does: copies the table and registers under one hold of the lock. */
static Fake *fake_new(const char *name, Answer answer_kind)
{
    Fake *fake = g_new0(Fake, 1);
    GArray *sections = memory_sections_copy(NULL);

    fake->listener = (MemoryListener){.name = name,
                                      .opaque = fake,
                                      .check_add = fake_check,
                                      .prepare = fake_prepare,
                                      .abort = fake_abort,
                                      .commit = fake_commit};
    fake->answer = answer_kind;
    fake->table = g_hash_table_new(NULL, NULL);
    for (guint i = 0; i < sections->len; i++) {
        MemorySection *section = &g_array_index(sections, MemorySection, i);

        g_hash_table_add(fake->table, GSIZE_TO_POINTER(section->guest_address + 1));
    }
    memory_sections_free(sections);
    if (answer_kind == THREAD) {
        fake->jobs = g_async_queue_new();
        fake->thread = g_thread_new("fake", answer_in_thread, fake);
    }
    memory_listener_add(&fake->listener);
    return fake;
}

static void fake_free(Fake *fake)
{
    memory_listener_remove(&fake->listener);
    if (fake->thread) {
        g_async_queue_push(fake->jobs, fake->jobs);
        g_thread_join(fake->thread);
        g_async_queue_unref(fake->jobs);
    }
    g_hash_table_unref(fake->table);
    g_free(fake);
}

static void check_table(Fake *fake)
{
    GArray *sections = memory_sections_copy(NULL);

    g_assert_cmpuint(sections->len, ==, g_hash_table_size(fake->table));
    for (guint i = 0; i < sections->len; i++) {
        MemorySection *section = &g_array_index(sections, MemorySection, i);

        g_assert_true(
            g_hash_table_contains(fake->table, GSIZE_TO_POINTER(section->guest_address + 1)));
    }
    memory_sections_free(sections);
}

/* --- driving --- */

static void done(gpointer opaque, const GError *error)
{
    g_assert_true(vm_lock_held());
    g_string_append_printf(trail, "%s:%s ", (const char *)opaque, error ? error->message : "ok");
}

static gboolean tick(gpointer opaque)
{
    *(gboolean *)opaque = TRUE;
    return G_SOURCE_CONTINUE;
}

/* Runs the loop until the trail is @expected, or fails after 10 s. */
static void expect(const char *expected)
{
    gint64 limit = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
    gboolean ticked;
    guint timer = g_timeout_add(100, tick, &ticked);

    while (strcmp(trail->str, expected) != 0 && strlen(trail->str) < strlen(expected) &&
           g_get_monotonic_time() < limit) {
        main_loop_turn();
    }
    g_source_remove(timer);
    g_assert_cmpstr(trail->str, ==, expected);
    g_string_truncate(trail, 0);
}

static void add(uint64_t address, const char *name)
{
    g_autoptr(GError) error = NULL;
    MemorySection section = {address, SIZE, block, 0};

    memory_add(&section, done, (gpointer)name, &error);
    g_assert_no_error(error);
}

static void remove_at(uint64_t address, const char *name)
{
    g_autoptr(GError) error = NULL;

    memory_remove(address, done, (gpointer)name, &error);
    g_assert_no_error(error);
}

static guint references(void)
{
    return (guint)g_atomic_int_get(&block->references);
}

static void begin(void)
{
    block = ram_block_new("m0", -1, 0, SIZE, 0, 0, TRUE, FALSE, NULL);
    trail = g_string_new(NULL);
}

static void end(void)
{
    memory_clear();
    g_assert_cmpuint(references(), ==, 1);
    g_clear_pointer(&block, ram_block_unref);
    g_assert_cmpuint(ram_block_count(), ==, 0);
    g_string_free(g_steal_pointer(&trail), TRUE);
}

/* --- tests --- */

static void test_alone(void)
{
    uint64_t generation = memory_generation();

    begin();
    add(0x100000, "a");
    g_assert_cmpstr(trail->str, ==, ""); /* never from within */
    g_assert_cmpuint(memory_section_count(), ==, 0);
    expect("a:ok ");
    g_assert_cmpuint(memory_section_count(), ==, 1);
    g_assert_cmpuint(memory_generation(), ==, generation + 1);
    g_assert_cmpuint(references(), ==, 2);
    remove_at(0x100000, "r");
    expect("r:ok ");
    g_assert_cmpuint(memory_section_count(), ==, 0);
    g_assert_cmpuint(memory_generation(), ==, generation + 2);
    g_assert_cmpuint(references(), ==, 1);
    end();
}

static void check_refused(uint64_t address, uint64_t size, uint64_t offset, const char *text)
{
    g_autoptr(GError) error = NULL;
    MemorySection section = {address, size, block, offset};

    g_assert_false(memory_add(&section, done, NULL, &error));
    g_assert_nonnull(error);
    g_assert_nonnull(strstr(error->message, text));
    g_clear_error(&error);
    g_assert_false(memory_add_boot(&section, &error));
}

static void test_checks(void)
{
    g_autoptr(GError) error = NULL;

    begin();
    Fake *fake = fake_new("b0", NEVER);

    add(0x100000, "a");
    g_assert_cmpuint(references(), ==, 2);
    check_refused(0x100000 + SIZE - 1, SIZE, 0, "overlap memory 'm0' at 0x100000-0x10ffff");
    check_refused(0x100000 - SIZE + 1, SIZE, 0, "overlap");
    check_refused(0x200000, 0, 0, "size is 0");
    check_refused(UINT64_MAX - SIZE + 2, SIZE, 0, "end of the address space");
    check_refused(0x200000, SIZE, 1, "not within its size");
    check_refused(0x200000, SIZE, UINT64_MAX, "not within its size");
    g_assert_false(memory_remove(0x100000, done, NULL, &error)); /* not yet there */
    g_assert_cmpstr(error->message, ==, "guest address 0x100000: no RAM section begins there");
    g_clear_error(&error);
    answer_now(fake);
    expect("a:ok ");
    check_refused(0x100000, SIZE, 0, "overlap");

    fake->refuse_check = TRUE;
    MemorySection section = {0x200000, SIZE, block, 0};
    g_assert_false(memory_add(&section, done, NULL, &error));
    g_assert_cmpstr(error->message, ==, "b0: no room for 2");
    g_clear_error(&error);
    fake->refuse_check = FALSE;

    remove_at(0x100000, "r");
    g_assert_false(memory_remove(0x100000, done, NULL, &error));
    answer_now(fake);
    expect("r:ok ");
    g_assert_cmpuint(references(), ==, 1);
    fake_free(fake);
    end();
}

static void test_refusal_of_16(void)
{
    Fake *fakes[16];
    uint64_t generation;

    begin();
    generation = memory_generation();
    for (guint i = 0; i < G_N_ELEMENTS(fakes); i++) {
        fakes[i] = fake_new(i == 9 ? "b9" : "b", i % 3);
    }
    fakes[9]->refuse = TRUE;
    add(0x100000, "a");
    add(0x100000 + SIZE, "b");
    expect("a:b9: refused b:ok ");
    for (guint i = 0; i < G_N_ELEMENTS(fakes); i++) {
        g_assert_cmpuint(fakes[i]->prepared, ==, 2);
        g_assert_cmpuint(fakes[i]->aborted, ==, i == 9 ? 0 : 1);
        g_assert_cmpuint(fakes[i]->committed, ==, 1);
        g_assert_cmpuint(fakes[i]->generation, ==, generation);
        check_table(fakes[i]);
    }
    g_assert_cmpuint(memory_generation(), ==, generation + 1);
    g_assert_cmpuint(references(), ==, 2);
    for (guint i = 0; i < G_N_ELEMENTS(fakes); i++) {
        fake_free(fakes[i]);
    }
    end();
}

/* Nobody is asked to take back before the last has answered. */
static void test_abort_waits(void)
{
    begin();
    Fake *ready = fake_new("ready", AT_ONCE);
    Fake *refuses = fake_new("refuses", AT_ONCE);
    Fake *slow = fake_new("slow", NEVER);

    refuses->refuse = TRUE;
    add(0x100000, "a");
    g_assert_cmpuint(ready->aborted, ==, 0);
    answer_now(slow);
    main_loop_turn();
    g_assert_cmpuint(ready->aborted, ==, 1);
    g_assert_cmpuint(refuses->aborted, ==, 0);
    g_assert_cmpuint(slow->aborted, ==, 1);
    g_assert_cmpstr(trail->str, ==, "");
    g_assert_cmpuint(references(), ==, 2);
    answer_now(slow);
    expect("a:refuses: refused ");
    g_assert_cmpuint(references(), ==, 1);
    fake_free(ready);
    fake_free(refuses);
    fake_free(slow);
    end();
}

static void test_late_registration(void)
{
    begin();
    Fake *slow = fake_new("slow", NEVER);

    add(0x100000, "a");
    Fake *late = fake_new("late", LATER);
    g_assert_cmpuint(late->prepared, ==, 0);
    answer_now(slow);
    expect("a:ok ");
    g_assert_cmpuint(late->prepared, ==, 1);
    g_assert_cmpuint(slow->prepared, ==, 1);
    check_table(late);

    add(0x200000, "b");
    Fake *later = fake_new("later", LATER);
    later->refuse = TRUE;
    answer_now(slow);
    while (slow->aborted == 0) {
        main_loop_turn();
    }
    answer_now(slow);
    expect("b:later: refused ");
    check_table(slow);
    check_table(late);
    check_table(later);

    /* A removal has left the table that somebody new copies. */
    remove_at(0x100000, "r");
    Fake *last = fake_new("last", LATER);
    answer_now(slow);
    expect("r:ok ");
    g_assert_cmpuint(last->prepared, ==, 0);
    check_table(last);
    fake_free(slow);
    fake_free(late);
    fake_free(later);
    fake_free(last);
    end();
}

static void test_removal_in_the_middle(void)
{
    begin();
    Fake *gone = fake_new("gone", NEVER);
    Fake *stays = fake_new("stays", LATER);

    add(0x100000, "a");
    memory_listener_remove(&gone->listener);
    memory_listener_done(&gone->listener, g_error_new(VM_ERROR, 0, "too late"));
    expect("a:ok ");
    check_table(stays);

    /* The same while an abort is under way. */
    memory_listener_add(&gone->listener);
    stays->refuse = TRUE;
    add(0x200000, "b");
    answer_now(gone);
    while (gone->aborted == 0) {
        main_loop_turn();
    }
    memory_listener_remove(&gone->listener);
    expect("b:stays: refused ");
    memory_listener_remove(&gone->listener); /* twice is harmless */
    fake_free(gone);
    fake_free(stays);
    end();
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
    MemorySection third = {0x300000, SIZE, NULL, 0};
    g_autoptr(GError) error = NULL;

    begin();
    third.block = block;
    accelerator_trail = g_string_new(NULL);
    memory_set_accelerator(&accelerator);
    Fake *fake = fake_new("b0", LATER);

    accelerator_refuses = TRUE;
    add(0x100000, "a");
    expect("a:accelerator: no ");
    g_assert_cmpuint(fake->aborted, ==, 1);
    accelerator_refuses = FALSE;
    add(0x100000, "a");
    add(0x200000, "b");
    g_assert_false(memory_add(&third, done, "c", &error));
    g_assert_nonnull(strstr(error->message, "the accelerator allows"));
    expect("a:ok b:ok ");
    remove_at(0x200000, "r");
    g_assert_true(memory_add(&third, done, "c", NULL));
    expect("r:ok c:ok ");
    g_assert_cmpstr(accelerator_trail->str, ==, "++-+");
    check_table(fake);
    fake_free(fake);
    memory_set_accelerator(NULL);
    g_string_free(accelerator_trail, TRUE);
    end();
}

/* A listener that breaks its promise holds up nobody for ever, and adds wait for it. */
static void test_overdue(void)
{
    MemorySection second = {0x200000, SIZE, NULL, 0};
    g_autoptr(GError) error = NULL;
    uint64_t generation;

    begin();
    second.block = block;
    memory_transaction_time = memory_transaction_grace = 100 * 1000;
    add(0x300000, "old");
    expect("old:ok ");
    Fake *good = fake_new("good", AT_ONCE);
    Fake *stuck = fake_new("stuck", NEVER);

    generation = memory_generation();
    add(0x100000, "a");
    expect("a:stuck: has not finished an earlier change of guest memory within its deadline ");
    g_assert_cmpuint(good->aborted, ==, 1);
    g_assert_cmpuint(stuck->aborted, ==, 0);
    g_assert_cmpuint(references(), ==, 2);
    check_table(good);
    g_assert_false(memory_add(&second, done, "b", &error));
    g_assert_cmpstr(
        error->message, ==,
        "stuck: has not finished an earlier change of guest memory within its deadline");
    remove_at(0x300000, "r"); /* goes on without it, and never back to a number it may know */
    expect("r:ok ");
    g_assert_cmpuint(memory_generation(), >, generation + 1);
    g_assert_cmpuint(stuck->prepared, ==, 1);
    check_table(good);

    answer_now(stuck); /* better late than never */
    add(0x200000, "b");
    g_assert_cmpuint(stuck->prepared, ==, 2);
    answer_now(stuck);
    expect("b:ok ");
    check_table(good);
    memory_transaction_time = MEMORY_TRANSACTION_SECONDS * G_USEC_PER_SEC;
    memory_transaction_grace = MEMORY_OVERDUE_SECONDS * G_USEC_PER_SEC;
    fake_free(good);
    fake_free(stuck);
    end();
}

static void add_more(gpointer opaque, const GError *error)
{
    done(opaque, error);
    add(0x300000, "third");
}

static void test_queue(void)
{
    MemorySection first = {0x100000, SIZE, NULL, 0};

    begin();
    first.block = block;
    Fake *fake = fake_new("b0", THREAD);

    g_assert_true(memory_add(&first, add_more, "first", NULL));
    add(0x200000, "second");
    g_assert_cmpuint(fake->prepared, ==, 1);
    expect("first:ok second:ok third:ok ");
    check_table(fake);
    fake_free(fake);
    end();
}

/* Against a naive model: the set of addresses that were agreed to. */
static void test_random(void)
{
    guint32 seed = g_test_rand_int();
    GRand *random = g_rand_new_with_seed(seed);
    GHashTable *model = g_hash_table_new(NULL, NULL);
    GPtrArray *fakes = g_ptr_array_new();

    g_test_message("seed %u", seed);
    begin();
    for (guint step = 0; step < 3000; step++) {
        uint64_t address = (uint64_t)g_rand_int_range(random, 0, 64) * SIZE;
        gpointer key = GSIZE_TO_POINTER(address + 1);
        guint what = (guint)g_rand_int_range(random, 0, 20);
        MemorySection section = {address, SIZE, block, 0};
        g_autoptr(GError) error = NULL;

        if (what == 0 && fakes->len < 8) {
            g_ptr_array_add(fakes, fake_new("b", (Answer)g_rand_int_range(random, 0, 3)));
        } else if (what == 1 && fakes->len > 0) {
            fake_free(g_ptr_array_remove_index_fast(
                fakes, (guint)g_rand_int_range(random, 0, (gint32)fakes->len)));
        } else if (what < 14) {
            gboolean present = g_hash_table_contains(model, key);
            gboolean refuse = fakes->len > 0 && g_rand_int_range(random, 0, 4) == 0;

            if (refuse && !present) {
                Fake *fake = g_ptr_array_index(
                    fakes, (guint)g_rand_int_range(random, 0, (gint32)fakes->len));
                fake->refuse = TRUE;
            }
            g_assert_true(memory_add(&section, done, "x", &error) == !present);
            if (!present) {
                expect(refuse ? "x:b: refused " : "x:ok ");
            }
            if (!present && !refuse) {
                g_hash_table_add(model, key);
            }
        } else {
            gboolean present = g_hash_table_remove(model, key);

            g_assert_true(memory_remove(address, done, "x", &error) == present);
            if (present) {
                expect("x:ok ");
            }
        }
        g_assert_cmpuint(memory_section_count(), ==, g_hash_table_size(model));
        g_assert_cmpuint(references(), ==, 1 + g_hash_table_size(model));
        g_assert_true((memory_section_find(address + SIZE - 1) != NULL) ==
                      g_hash_table_contains(model, key));
        for (guint i = 0; i < fakes->len; i++) {
            check_table(g_ptr_array_index(fakes, i));
        }
    }
    g_ptr_array_set_free_func(fakes, (GDestroyNotify)fake_free);
    g_ptr_array_unref(fakes);
    g_hash_table_unref(model);
    g_rand_free(random);
    end();
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

    begin();
    Fake *fake = fake_new("b0", AT_ONCE);
    for (guint c = 0, have = 0; c < G_N_ELEMENTS(counts); have = counts[c++]) {
        guint left = counts[c] - have;
        gint64 start = g_get_monotonic_time();

        for (guint i = have; i < counts[c]; i++) {
            MemorySection section = {(uint64_t)i * SIZE, SIZE, block, 0};

            g_assert_true(memory_add(&section, quit_at_last, &left, NULL));
        }
        main_loop_run();
        g_test_message("%u sections: %.2f us each", counts[c],
                       (double)(g_get_monotonic_time() - start) / (counts[c] - have));
    }
    check_table(fake);
    fake_free(fake);
    end();
}

int main(int argc, char **argv)
{
    int result;

    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    g_test_add_func("/memory-transaction/alone", test_alone);
    g_test_add_func("/memory-transaction/checks", test_checks);
    g_test_add_func("/memory-transaction/refusal-of-16", test_refusal_of_16);
    g_test_add_func("/memory-transaction/abort-waits", test_abort_waits);
    g_test_add_func("/memory-transaction/late-registration", test_late_registration);
    g_test_add_func("/memory-transaction/removal-in-the-middle", test_removal_in_the_middle);
    g_test_add_func("/memory-transaction/accelerator", test_accelerator);
    g_test_add_func("/memory-transaction/overdue", test_overdue);
    g_test_add_func("/memory-transaction/queue", test_queue);
    g_test_add_func("/memory-transaction/random", test_random);
    g_test_add_func("/memory-transaction/cost", test_cost);
    result = g_test_run();
    return result;
}
