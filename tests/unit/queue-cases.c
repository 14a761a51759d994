/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tests that both formats of a ring go through. */
#include <string.h>

#include "queue-cases.h"

static const QueueFormat *format;

static uint64_t all_features(void)
{
    return format->features | VHOST_USER_RING_F_INDIRECT_DESC | VHOST_USER_RING_F_EVENT_IDX;
}

static void test_model(gconstpointer data)
{
    QueueOptions options = {
        .size = *(const uint32_t *)data, .base = format->base, .request_size = 40, .log = true};

    if (options.size == 32768) {
        options.log = false; /* the comparison of the whole ring takes its time */
    }
    queue_model_run_features(format->features, &options, 1000);
}

static void test_wrap(void)
{
    const QueueOptions options = {.size = 256, .base = format->wrap_base, .log = true};

    queue_model_run_features(format->features, &options, 300);
}

uint16_t *queue_case_available(const QueueFixture *fixture)
{
    return queue_fixture_host(fixture, fixture->parameters.available,
                              sizeof(uint16_t[2]) + sizeof(uint16_t[QUEUE_CASE_SIZE]));
}

/* In either format a descriptor begins with its address. */
static void place(const QueueFixture *fixture, uint64_t table, const void *descriptors,
                  size_t count)
{
    const size_t size = sizeof(QueueSplitDescriptor);
    uint8_t *to = queue_fixture_host(fixture, table, count * size);

    memcpy(to, descriptors, count * size);
    for (size_t i = 0; i < count; i++) {
        *(uint64_t *)(void *)(to + i * size) += fixture->data;
    }
}

QueueFixture *queue_case_fixture(const QueueCase *made)
{
    const QueueOptions options = {
        .size = QUEUE_CASE_SIZE, .base = format->base, .features = all_features() & ~made->without};
    QueueFixture *fixture = queue_fixture_new(&options);

    queue_fixture_add_other(fixture);
    place(fixture, fixture->parameters.descriptor, made->split, G_N_ELEMENTS(made->split));
    place(fixture, fixture->data + QUEUE_CASE_TABLE, made->split_table,
          G_N_ELEMENTS(made->split_table));
    if (!(format->features & VHOST_USER_RING_F_PACKED)) {
        uint16_t *available = queue_case_available(fixture);

        memcpy(available + 2, made->heads, sizeof(made->heads));
        available[1] = made->index;
    }
    return fixture;
}

static void test_broken(gconstpointer data)
{
    const QueueCase *made = data;
    QueueFixture *fixture = queue_case_fixture(made);

    queue_fixture_expect_broken(fixture, made->reason);
    queue_fixture_free(fixture);
}

static void test_fault(gconstpointer data)
{
    QueueFixture *fixture = queue_case_fixture(data);
    VhostUserElement *element = queue_fixture_pop(fixture);
    VhostUserQueueStatistics statistics;

    g_assert_nonnull(element);
    g_assert_true(element->fault);
    g_assert_cmpuint(element->readable_count + element->writable_count, ==, 0);
    g_assert_cmpuint(element->readable_size + element->writable_size, ==, 0);
    queue_fixture_push(fixture, element, 0);
    vhost_user_queue_statistics(fixture->queue, &statistics);
    g_assert_cmpuint(statistics.faults, ==, 1);
    g_assert_cmpuint(fixture->broken, ==, 0);
    queue_fixture_free(fixture);
}

/* Refused, and with the right values it starts again. */
static void test_start(gconstpointer data)
{
    const QueueStartCase *wrong = data;
    const QueueOptions options = {
        .size = QUEUE_CASE_SIZE, .base = format->base, .features = all_features()};
    QueueFixture *fixture = queue_fixture_new(&options);
    VhostUserVringAddr right = queue_fixture_addresses(fixture), addresses = right;
    const char *reason = NULL;

    vhost_user_queue_stop(fixture->queue);
    g_assert_cmpuint(vhost_user_queue_base(fixture->queue), ==, format->base);
    addresses.descriptor += (uint64_t)wrong->descriptor;
    addresses.available += (uint64_t)wrong->available;
    addresses.used += (uint64_t)wrong->used;
    g_assert_cmpint(
        vhost_user_queue_set_size(fixture->queue, wrong->size ? wrong->size : QUEUE_CASE_SIZE), ==,
        0);
    vhost_user_queue_set_addresses(fixture->queue, &addresses);
    vhost_user_queue_set_base(fixture->queue, wrong->base);
    g_assert_cmpint(vhost_user_queue_start(fixture->queue, &reason), <, 0);
    g_assert_cmpstr(reason, ==, wrong->reason);
    g_assert_false(vhost_user_queue_started(fixture->queue));
    vhost_user_queue_set_size(fixture->queue, QUEUE_CASE_SIZE);
    vhost_user_queue_set_addresses(fixture->queue, &right);
    vhost_user_queue_set_base(fixture->queue, format->base);
    g_assert_cmpint(vhost_user_queue_start(fixture->queue, &reason), ==, 0);
    queue_fixture_free(fixture);
}

static void add(const char *group, const char *name, gconstpointer data, GTestDataFunc function)
{
    g_autofree char *path = g_strdup_printf("/queue/%s/%s/%s", format->name, group, name);

    g_test_add_data_func(path, data, function);
}

void queue_cases_add(const QueueFormat *tested)
{
    g_autofree char *wrap = g_strdup_printf("/queue/%s/wrap", tested->name);

    format = tested;
    for (const uint32_t *size = format->sizes; *size; size++) {
        g_autofree char *name = g_strdup_printf("%u", *size);

        add("model", name, size, test_model);
    }
    g_test_add_func(wrap, test_wrap);
    for (const QueueCase *made = format->broken; made->name; made++) {
        add("broken", made->name, made, test_broken);
    }
    for (const QueueCase *made = format->faults; made->name; made++) {
        add("fault", made->name, made, test_fault);
    }
    for (const QueueStartCase *wrong = format->starts; wrong->name; wrong++) {
        add("start", wrong->name, wrong, test_start);
    }
}
