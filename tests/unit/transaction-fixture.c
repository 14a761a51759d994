/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "transaction-fixture.h"

#include "system/main-loop.h"
#include "system/vm-lock.h"
#include "util/error.h"

#include <string.h>

RamBlock *transaction_block;
static GString *trail;

void fake_answer(gpointer opaque)
{
    FakeListener *fake = opaque;
    GError *error = NULL;

    if (g_atomic_int_compare_and_exchange(&fake->owes_refusal, TRUE, FALSE)) {
        vm_error_set(&error, "%s: refused", fake->listener.name);
    }
    memory_listener_done(&fake->listener, error);
}

static gpointer answer_in_thread(gpointer opaque)
{
    FakeListener *fake = opaque;

    while (g_async_queue_pop(fake->jobs) != fake->jobs) {
        fake_answer(fake);
    }
    return NULL;
}

static void answer(FakeListener *fake)
{
    switch (fake->answer) {
    case AT_ONCE:
        fake_answer(fake);
        break;
    case LATER:
        main_loop_post(fake_answer, fake);
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
    FakeListener *fake = listener->opaque;

    if (fake->refuse_check) {
        vm_error_set(error, "%s: no room for %u", listener->name, sections);
    }
    return !fake->refuse_check;
}

static void fake_prepare(MemoryListener *listener, const MemoryTransaction *transaction)
{
    FakeListener *fake = listener->opaque;
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
    FakeListener *fake = listener->opaque;

    fake->aborted++;
    g_assert_true(
        g_hash_table_remove(fake->table, GSIZE_TO_POINTER(transaction->section.guest_address + 1)));
    answer(fake);
}

static void fake_commit(MemoryListener *listener, const MemoryTransaction *transaction)
{
    FakeListener *fake = listener->opaque;

    fake->committed++;
    g_assert_cmpuint(memory_generation(), ==, transaction->base_generation + 1);
}

FakeListener *fake_new(const char *name, FakeAnswer answer_kind)
{
    FakeListener *fake = g_new0(FakeListener, 1);
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

void fake_free(FakeListener *fake)
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

void fake_check_table(FakeListener *fake)
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

void transaction_done(gpointer opaque, const GError *error)
{
    g_assert_true(vm_lock_held());
    g_string_append_printf(trail, "%s:%s ", (const char *)opaque, error ? error->message : "ok");
}

static gboolean tick(gpointer opaque)
{
    *(gboolean *)opaque = TRUE;
    return G_SOURCE_CONTINUE;
}

void transaction_expect(const char *expected)
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

void transaction_add(uint64_t address, const char *name)
{
    g_autoptr(GError) error = NULL;
    MemorySection section = {address, TRANSACTION_SIZE, transaction_block, 0};

    memory_add(&section, transaction_done, (gpointer)name, &error);
    g_assert_no_error(error);
}

void transaction_remove(uint64_t address, const char *name)
{
    g_autoptr(GError) error = NULL;

    memory_remove(address, transaction_done, (gpointer)name, &error);
    g_assert_no_error(error);
}

guint transaction_references(void)
{
    return (guint)g_atomic_int_get(&transaction_block->references);
}

void transaction_begin(void)
{
    transaction_block = ram_block_new("m0", -1, 0, TRANSACTION_SIZE, 0, 0, TRUE, FALSE, NULL);
    trail = g_string_new(NULL);
}

void transaction_end(void)
{
    memory_clear();
    g_assert_cmpuint(transaction_references(), ==, 1);
    g_clear_pointer(&transaction_block, ram_block_unref);
    g_assert_cmpuint(ram_block_count(), ==, 0);
    g_string_free(g_steal_pointer(&trail), TRUE);
}
