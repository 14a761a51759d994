/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packed rings from the device's side: random work against a model, wrap counters, and each way in
 * which a driver can break a ring.
 */
#include "queue-cases.h"

#define NEXT 0x1
#define WRITE 0x2
#define INDIRECT 0x4
#define AVAILABLE 0x80
#define USED 0x8000

/* Not only powers of 2. */
static const uint32_t sizes[] = {1, 2, 3, 8, 100, 256, 32768, 0};

/* --- rings made by hand --- */

#define OUTSIDE (1ull << 40)

static const QueueCase broken_cases[] = {
    {.name = "loop", /* all of the ring, and on from its beginning */
     .packed = {{0, 1, 0, NEXT | AVAILABLE},
                {0, 1, 0, NEXT},
                {0, 1, 0, NEXT},
                {0, 1, 0, NEXT},
                {0, 1, 0, NEXT},
                {0, 1, 0, NEXT},
                {0, 1, 0, NEXT},
                {0, 1, 0, NEXT}},
     .reason = "the chain at descriptor 0 is longer than the 8 descriptors that are not in flight"},
    {.name = "order",
     .packed = {{0, 1, 0, NEXT | WRITE | AVAILABLE}, {0, 1, 0, 0}},
     .reason = "descriptor 2 of a chain is for the device to read, behind one to write"},
    {.name = "total",
     .packed = {{OUTSIDE, UINT32_MAX, 0, NEXT | AVAILABLE}, {0, 2, 0, 0}},
     .reason = "a chain has more than 2^32 bytes"},
    {.name = "indirect-not-negotiated",
     .without = VHOST_USER_RING_F_INDIRECT_DESC,
     .packed = {{QUEUE_CASE_TABLE, 16, 0, INDIRECT | AVAILABLE}},
     .reason = "indirect descriptor, but INDIRECT_DESC is not negotiated"},
    {.name = "indirect-and-next",
     .packed = {{QUEUE_CASE_TABLE, 16, 0, INDIRECT | NEXT | AVAILABLE}},
     .reason = "a descriptor has both INDIRECT and NEXT"},
    {.name = "indirect-empty",
     .packed = {{QUEUE_CASE_TABLE, 0, 0, INDIRECT | AVAILABLE}},
     .reason = "indirect table of 0 bytes: not a multiple of 16 from 16 to 16384"},
    {.name = "indirect-length",
     .packed = {{QUEUE_CASE_TABLE, 40, 0, INDIRECT | AVAILABLE}},
     .reason = "indirect table of 40 bytes: not a multiple of 16 from 16 to 16384"},
    {.name = "indirect-order",
     .packed = {{QUEUE_CASE_TABLE, 32, 0, INDIRECT | AVAILABLE}},
     .packed_table = {{0, 1, 0, WRITE}, {0, 1, 0, 0}},
     .reason = "descriptor 2 of a chain is for the device to read, behind one to write"},
    {.name = NULL},
};

/* Ids may be any 16 bits, but not twice at the same time. What is in flight is pushed as usual. */
static void test_twice(void)
{
    const QueueCase made = {
        .packed = {{0, 1, 65535, WRITE | AVAILABLE}, {0, 1, 65535, WRITE | AVAILABLE}}};
    QueueFixture *fixture = queue_case_fixture(&made);
    VhostUserElement *element = queue_fixture_pop(fixture);
    const VhostUserPackedDescriptor *ring;

    g_assert_nonnull(element);
    queue_fixture_expect_broken(fixture, "buffer id 65535 is made available while it is in flight");
    queue_fixture_push(fixture, element, 1);
    ring = queue_fixture_host(fixture, fixture->parameters.descriptor,
                              sizeof(VhostUserPackedDescriptor));
    g_assert_cmpuint(ring->flags, ==, AVAILABLE | USED | WRITE);
    g_assert_cmpuint(ring->id, ==, 65535);
    g_assert_cmpuint(ring->length, ==, 1);
    queue_fixture_free(fixture);
}

/* A chain into descriptors that the device still has; and with all of them at the device, flags
 * that call one available again are not looked at. */
static void test_overrun(void)
{
    const QueueCase made = {.packed = {{0, 1, 0, AVAILABLE},
                                       {0, 1, 1, AVAILABLE},
                                       {0, 1, 2, AVAILABLE},
                                       {0, 1, 3, AVAILABLE},
                                       {0, 1, 4, AVAILABLE},
                                       {0, 1, 5, AVAILABLE},
                                       {0, 1, 6, AVAILABLE},
                                       {0, 1, 7, AVAILABLE}}};
    QueueFixture *fixture = queue_case_fixture(&made);
    VhostUserPackedDescriptor *ring =
        queue_fixture_host(fixture, fixture->parameters.descriptor,
                           QUEUE_CASE_SIZE * sizeof(VhostUserPackedDescriptor));

    for (unsigned i = 0; i < QUEUE_CASE_SIZE - 1; i++) {
        g_assert_nonnull(queue_fixture_pop(fixture));
    }
    ring[QUEUE_CASE_SIZE - 1].flags |= NEXT;
    ring[0].flags = USED; /* available in the next round */
    queue_fixture_expect_broken(
        fixture,
        "the chain at descriptor 7 is longer than the 1 descriptors that are not in flight");
    queue_fixture_free(fixture);

    fixture = queue_case_fixture(&made);
    ring = queue_fixture_host(fixture, fixture->parameters.descriptor,
                              QUEUE_CASE_SIZE * sizeof(VhostUserPackedDescriptor));
    for (unsigned i = 0; i < QUEUE_CASE_SIZE; i++) {
        g_assert_nonnull(queue_fixture_pop(fixture));
    }
    ring[0].flags = USED;
    ring[0].id = 100;
    g_assert_null(queue_fixture_pop(fixture));
    g_assert_cmpuint(fixture->broken, ==, 0);
    queue_fixture_free(fixture);
}

static const QueueCase fault_cases[] = {
    {.name = "buffer", .packed = {{OUTSIDE, 16, 0, AVAILABLE}}},
    {.name = "wraps", .packed = {{UINT64_MAX - 0x200000, UINT32_MAX, 0, AVAILABLE}}},
    {.name = "table", .packed = {{OUTSIDE, 32, 0, INDIRECT | AVAILABLE}}},
    {.name = "no-pieces-behind",
     .packed = {{OUTSIDE, 16, 0, NEXT | AVAILABLE}, {0, 8, 0, WRITE | AVAILABLE}}},
    {.name = NULL},
};

/* 2.8.7: in a table only WRITE counts, and the descriptors follow each other. */
static void test_table_flags(void)
{
    const QueueCase made = {.packed = {{QUEUE_CASE_TABLE, 32, 5, INDIRECT | WRITE | AVAILABLE}},
                            .packed_table = {{0, 3, 9, INDIRECT}, {8, 4, 9, WRITE | NEXT | USED}}};
    QueueFixture *fixture = queue_case_fixture(&made);
    VhostUserElement *element = queue_fixture_pop(fixture);
    const VhostUserPackedDescriptor *ring;

    g_assert_nonnull(element);
    g_assert_cmpuint(element->readable_size, ==, 3);
    g_assert_cmpuint(element->writable_size, ==, 4);
    queue_fixture_push(fixture, element, 0);
    ring = queue_fixture_host(fixture, fixture->parameters.descriptor,
                              sizeof(VhostUserPackedDescriptor));
    g_assert_cmpuint(ring->id, ==, 5);
    g_assert_cmpuint(ring->flags, ==, AVAILABLE | USED); /* nothing written: no length */
    queue_fixture_free(fixture);
}

/* --- starting --- */

static const QueueStartCase start_cases[] = {
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
    {.name = NULL},
};

static const QueueFormat format = {
    .name = "packed",
    .features = VHOST_USER_RING_F_VERSION_1 | VHOST_USER_RING_F_PACKED,
    .base = VHOST_USER_DRIVER_PACKED_BASE,
    .wrap_base = 0x00fa00fa, /* near the end of the second round: wrap counters 0, soon 1 again */
    .sizes = sizes,
    .broken = broken_cases,
    .faults = fault_cases,
    .starts = start_cases,
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    queue_cases_add(&format);
    g_test_add_func("/queue/packed/broken/twice", test_twice);
    g_test_add_func("/queue/packed/broken/overrun", test_overrun);
    g_test_add_func("/queue/packed/table-flags", test_table_flags);
    return g_test_run();
}
