/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packed rings from the device's side: random work against a model, wrap counters, and each way in
 * which a driver can break a ring.
 */
#include <errno.h>
#include <string.h>

#include "queue-fixture.h"

#define NEXT 0x1
#define WRITE 0x2
#define INDIRECT 0x4
#define AVAILABLE 0x80
#define USED 0x8000
#define SIZE 8
#define ALL_FEATURES                                                                               \
    (VHOST_USER_RING_F_VERSION_1 | VHOST_USER_RING_F_PACKED | VHOST_USER_RING_F_INDIRECT_DESC |    \
     VHOST_USER_RING_F_EVENT_IDX)

/* Not only powers of 2. */
static const uint32_t sizes[] = {1, 2, 3, 8, 100, 256, 32768};

static void test_model(gconstpointer data)
{
    QueueOptions options = {.size = *(const uint32_t *)data,
                            .base = VHOST_USER_DRIVER_PACKED_BASE,
                            .request_size = 40,
                            .log = true};

    if (options.size == 32768) {
        options.log = false; /* the comparison of the whole ring takes its time */
    }
    queue_model_run_features(VHOST_USER_RING_F_VERSION_1 | VHOST_USER_RING_F_PACKED, &options,
                             1000);
}

/* Near the end of a ring in its second round: wrap counters 0, soon 1 again. */
static void test_wrap(void)
{
    const QueueOptions options = {.size = 256, .base = 0x00fa00fa, .log = true};

    queue_model_run_features(VHOST_USER_RING_F_VERSION_1 | VHOST_USER_RING_F_PACKED, &options, 300);
}

/* --- rings made by hand --- */

typedef struct Descriptor {
    uint64_t address; /* from the data's start on; in guest memory as it is */
    uint32_t length;
    uint16_t id, flags;
} Descriptor;

typedef struct Case {
    const char *name;
    uint64_t without; /* feature that is not negotiated */
    Descriptor ring[SIZE], table[4];
    const char *reason;
} Case;

#define TABLE_AT 4096u
#define OUTSIDE (1ull << 40)

static const Case broken_cases[] = {
    {.name = "loop", /* all of the ring, and on from its beginning */
     .ring = {{0, 1, 0, NEXT | AVAILABLE},
              {0, 1, 0, NEXT},
              {0, 1, 0, NEXT},
              {0, 1, 0, NEXT},
              {0, 1, 0, NEXT},
              {0, 1, 0, NEXT},
              {0, 1, 0, NEXT},
              {0, 1, 0, NEXT}},
     .reason = "the chain at descriptor 0 is longer than the 8 descriptors that are not in flight"},
    {.name = "order",
     .ring = {{0, 1, 0, NEXT | WRITE | AVAILABLE}, {0, 1, 0, 0}},
     .reason = "descriptor 2 of a chain is for the device to read, behind one to write"},
    {.name = "total",
     .ring = {{OUTSIDE, UINT32_MAX, 0, NEXT | AVAILABLE}, {0, 2, 0, 0}},
     .reason = "a chain has more than 2^32 bytes"},
    {.name = "indirect-not-negotiated",
     .without = VHOST_USER_RING_F_INDIRECT_DESC,
     .ring = {{TABLE_AT, 16, 0, INDIRECT | AVAILABLE}},
     .reason = "indirect descriptor, but INDIRECT_DESC is not negotiated"},
    {.name = "indirect-and-next",
     .ring = {{TABLE_AT, 16, 0, INDIRECT | NEXT | AVAILABLE}},
     .reason = "a descriptor has both INDIRECT and NEXT"},
    {.name = "indirect-empty",
     .ring = {{TABLE_AT, 0, 0, INDIRECT | AVAILABLE}},
     .reason = "indirect table of 0 bytes: not a multiple of 16 from 16 to 16384"},
    {.name = "indirect-length",
     .ring = {{TABLE_AT, 40, 0, INDIRECT | AVAILABLE}},
     .reason = "indirect table of 40 bytes: not a multiple of 16 from 16 to 16384"},
    {.name = "indirect-order",
     .ring = {{TABLE_AT, 32, 0, INDIRECT | AVAILABLE}},
     .table = {{0, 1, 0, WRITE}, {0, 1, 0, 0}},
     .reason = "descriptor 2 of a chain is for the device to read, behind one to write"},
};

/* What the driver's memory holds; little-endian like the ring. */
typedef struct Wire {
    uint64_t address;
    uint32_t length;
    uint16_t id, flags;
} Wire;

static void poke(const QueueFixture *fixture, uint64_t table, const Descriptor *descriptors,
                 unsigned count)
{
    Wire *to = queue_fixture_host(fixture, table, count * sizeof(Wire));

    for (unsigned i = 0; i < count; i++) {
        to[i] = (Wire){fixture->data + descriptors[i].address, descriptors[i].length,
                       descriptors[i].id, descriptors[i].flags};
    }
}

static QueueFixture *hand_made(const Case *made)
{
    const QueueOptions options = {.size = SIZE,
                                  .base = VHOST_USER_DRIVER_PACKED_BASE,
                                  .features = ALL_FEATURES & ~made->without};
    QueueFixture *fixture = queue_fixture_new(&options);

    queue_fixture_add_other(fixture);
    poke(fixture, fixture->parameters.descriptor, made->ring, SIZE);
    poke(fixture, fixture->data + TABLE_AT, made->table, G_N_ELEMENTS(made->table));
    return fixture;
}

static void test_broken(gconstpointer data)
{
    const Case *made = data;
    QueueFixture *fixture = hand_made(made);

    queue_fixture_expect_broken(fixture, made->reason);
    queue_fixture_free(fixture);
}

/* Ids may be any 16 bits, but not twice at the same time. What is in flight is pushed as usual. */
static void test_twice(void)
{
    const Case made = {
        .ring = {{0, 1, 65535, WRITE | AVAILABLE}, {0, 1, 65535, WRITE | AVAILABLE}}};
    QueueFixture *fixture = hand_made(&made);
    VhostUserElement *element = queue_fixture_pop(fixture);
    const Wire *ring;

    g_assert_nonnull(element);
    queue_fixture_expect_broken(fixture, "buffer id 65535 is made available while it is in flight");
    queue_fixture_push(fixture, element, 1);
    ring = queue_fixture_host(fixture, fixture->parameters.descriptor, sizeof(Wire));
    g_assert_cmpuint(ring->flags, ==, AVAILABLE | USED | WRITE);
    g_assert_cmpuint(ring->id, ==, 65535);
    g_assert_cmpuint(ring->length, ==, 1);
    queue_fixture_free(fixture);
}

/* A chain into descriptors that the device still has; and with all of them at the device, flags
 * that call one available again are not looked at. */
static void test_overrun(void)
{
    const Case made = {.ring = {{0, 1, 0, AVAILABLE},
                                {0, 1, 1, AVAILABLE},
                                {0, 1, 2, AVAILABLE},
                                {0, 1, 3, AVAILABLE},
                                {0, 1, 4, AVAILABLE},
                                {0, 1, 5, AVAILABLE},
                                {0, 1, 6, AVAILABLE},
                                {0, 1, 7, AVAILABLE}}};
    QueueFixture *fixture = hand_made(&made);
    Wire *ring = queue_fixture_host(fixture, fixture->parameters.descriptor, SIZE * sizeof(Wire));

    for (unsigned i = 0; i < SIZE - 1; i++) {
        g_assert_nonnull(queue_fixture_pop(fixture));
    }
    ring[SIZE - 1].flags |= NEXT;
    ring[0].flags = USED; /* available in the next round */
    queue_fixture_expect_broken(
        fixture,
        "the chain at descriptor 7 is longer than the 1 descriptors that are not in flight");
    queue_fixture_free(fixture);

    fixture = hand_made(&made);
    ring = queue_fixture_host(fixture, fixture->parameters.descriptor, SIZE * sizeof(Wire));
    for (unsigned i = 0; i < SIZE; i++) {
        g_assert_nonnull(queue_fixture_pop(fixture));
    }
    ring[0].flags = USED;
    ring[0].id = 100;
    g_assert_null(queue_fixture_pop(fixture));
    g_assert_cmpuint(fixture->broken, ==, 0);
    queue_fixture_free(fixture);
}

static const Case fault_cases[] = {
    {.name = "buffer", .ring = {{OUTSIDE, 16, 0, AVAILABLE}}},
    {.name = "wraps", .ring = {{UINT64_MAX - 0x200000, UINT32_MAX, 0, AVAILABLE}}},
    {.name = "table", .ring = {{OUTSIDE, 32, 0, INDIRECT | AVAILABLE}}},
    {.name = "no-pieces-behind",
     .ring = {{OUTSIDE, 16, 0, NEXT | AVAILABLE}, {0, 8, 0, WRITE | AVAILABLE}}},
};

static void test_fault(gconstpointer data)
{
    QueueFixture *fixture = hand_made(data);
    VhostUserElement *element = queue_fixture_pop(fixture);

    g_assert_nonnull(element);
    g_assert_true(element->fault);
    g_assert_cmpuint(element->readable_count + element->writable_count, ==, 0);
    queue_fixture_push(fixture, element, 0);
    g_assert_cmpuint(fixture->broken, ==, 0);
    queue_fixture_free(fixture);
}

/* 2.8.7: in a table only WRITE counts, and the descriptors follow each other. */
static void test_table_flags(void)
{
    const Case made = {.ring = {{TABLE_AT, 32, 5, INDIRECT | WRITE | AVAILABLE}},
                       .table = {{0, 3, 9, INDIRECT}, {8, 4, 9, WRITE | NEXT | USED}}};
    QueueFixture *fixture = hand_made(&made);
    VhostUserElement *element = queue_fixture_pop(fixture);
    const Wire *ring;

    g_assert_nonnull(element);
    g_assert_cmpuint(element->readable_size, ==, 3);
    g_assert_cmpuint(element->writable_size, ==, 4);
    queue_fixture_push(fixture, element, 0);
    ring = queue_fixture_host(fixture, fixture->parameters.descriptor, sizeof(Wire));
    g_assert_cmpuint(ring->id, ==, 5);
    g_assert_cmpuint(ring->flags, ==, AVAILABLE | USED); /* nothing written: no length */
    queue_fixture_free(fixture);
}

/* --- starting --- */

typedef struct StartCase {
    const char *name;
    int64_t descriptor, available, used; /* moved by so much */
    uint32_t base;
    const char *reason;
} StartCase;

static const StartCase start_cases[] = {
    {.name = "available",
     .base = 0x80008008,
     .reason = "an index of the base is not below the ring's size"},
    {.name = "used",
     .base = 0x80088000,
     .reason = "an index of the base is not below the ring's size"},
    {.name = "used-ahead",
     .base = 0x80018000,
     .reason = "the base's used position is not within a ring behind the available one"},
    {.name = "more-than-a-round",
     .base = 0x00018002,
     .reason = "the base's used position is not within a ring behind the available one"},
    {.name = "descriptor-alignment",
     .base = 0x80008000,
     .descriptor = 8,
     .reason = "descriptor area is not in one region of memory, or not aligned"},
    {.name = "driver-alignment",
     .base = 0x80008000,
     .available = 2,
     .reason = "available ring (driver area) is not in one region of memory, or not aligned"},
    {.name = "device-alignment",
     .base = 0x80008000,
     .used = 2,
     .reason = "used ring (device area) is not in one region of memory, or not aligned"},
};

static void test_start(gconstpointer data)
{
    const StartCase *wrong = data;
    const QueueOptions options = {
        .size = SIZE, .features = ALL_FEATURES, .base = VHOST_USER_DRIVER_PACKED_BASE};
    QueueFixture *fixture = queue_fixture_new(&options);
    VhostUserVringAddr addresses = queue_fixture_addresses(fixture);
    const char *reason = NULL;

    vhost_user_queue_stop(fixture->queue);
    g_assert_cmpuint(vhost_user_queue_base(fixture->queue), ==, VHOST_USER_DRIVER_PACKED_BASE);
    addresses.descriptor += (uint64_t)wrong->descriptor;
    addresses.available += (uint64_t)wrong->available;
    addresses.used += (uint64_t)wrong->used;
    vhost_user_queue_set_addresses(fixture->queue, &addresses);
    vhost_user_queue_set_base(fixture->queue, wrong->base);
    g_assert_cmpint(vhost_user_queue_start(fixture->queue, &reason), <, 0);
    g_assert_cmpstr(reason, ==, wrong->reason);
    queue_fixture_free(fixture);
}

static void add_cases(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(broken_cases); i++) {
        g_autofree char *path = g_strdup_printf("/queue/packed/broken/%s", broken_cases[i].name);

        g_test_add_data_func(path, &broken_cases[i], test_broken);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(fault_cases); i++) {
        g_autofree char *path = g_strdup_printf("/queue/packed/fault/%s", fault_cases[i].name);

        g_test_add_data_func(path, &fault_cases[i], test_fault);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(start_cases); i++) {
        g_autofree char *path = g_strdup_printf("/queue/packed/start/%s", start_cases[i].name);

        g_test_add_data_func(path, &start_cases[i], test_start);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *path = g_strdup_printf("/queue/packed/model/%u", sizes[i]);

        g_test_add_data_func(path, &sizes[i], test_model);
    }
    g_test_add_func("/queue/packed/wrap", test_wrap);
    add_cases();
    g_test_add_func("/queue/packed/broken/twice", test_twice);
    g_test_add_func("/queue/packed/broken/overrun", test_overrun);
    g_test_add_func("/queue/packed/table-flags", test_table_flags);
    return g_test_run();
}
