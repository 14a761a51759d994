/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Split rings from the device's side: random work against a model, indices that wrap, and each way
 * in which a driver can break a ring.
 */
#include <errno.h>

#include "queue-cases.h"

#define NEXT 1
#define WRITE 2
#define INDIRECT 4

static const uint32_t sizes[] = {1, 2, 8, 256, 32768, 0};

/* --- rings made by hand --- */

#define OUTSIDE (1ull << 40)

static const QueueCase broken_cases[] = {
    {.name = "index-ahead",
     .index = 9,
     .reason = "available index 9 is 9 ahead of 0, more than the ring's size 8"},
    {.name = "index-back",
     .index = 65535,
     .reason = "available index 65535 is 65535 ahead of 0, more than the ring's size 8"},
    {.name = "head",
     .index = 1,
     .heads = {8},
     .reason = "first descriptor 8 is not below the ring's size 8"},
    {.name = "next",
     .index = 1,
     .split = {{0, 1, NEXT, 65535}},
     .reason = "next descriptor 65535 is not below the ring's size 8"},
    {.name = "loop",
     .index = 1,
     .split = {{0, 1, NEXT, 1}, {0, 1, NEXT, 0}},
     .reason = "the chain at descriptor 0 loops"},
    {.name = "loop-to-itself",
     .index = 1,
     .split = {{0, 1, NEXT, 0}},
     .reason = "the chain at descriptor 0 loops"},
    {.name = "order",
     .index = 1,
     .split = {{0, 1, NEXT | WRITE, 1}, {0, 1, 0, 0}},
     .reason = "descriptor 2 of a chain is for the device to read, behind one to write"},
    {.name = "order-behind-fault",
     .index = 1,
     .split = {{OUTSIDE, 1, NEXT | WRITE, 1}, {0, 1, 0, 0}},
     .reason = "descriptor 2 of a chain is for the device to read, behind one to write"},
    {.name = "total",
     .index = 1,
     .split = {{OUTSIDE, UINT32_MAX, NEXT, 1}, {0, 2, 0, 0}},
     .reason = "a chain has more than 2^32 bytes"},
    {.name = "indirect-not-negotiated",
     .without = VHOST_USER_RING_F_INDIRECT_DESC,
     .index = 1,
     .split = {{QUEUE_CASE_TABLE, 16, INDIRECT, 0}},
     .reason = "indirect descriptor, but INDIRECT_DESC is not negotiated"},
    {.name = "indirect-and-next",
     .index = 1,
     .split = {{QUEUE_CASE_TABLE, 16, INDIRECT | NEXT, 0}},
     .reason = "a descriptor has both INDIRECT and NEXT"},
    {.name = "indirect-empty",
     .index = 1,
     .split = {{QUEUE_CASE_TABLE, 0, INDIRECT, 0}},
     .reason = "indirect table of 0 bytes: not a multiple of 16 from 16 to 16384"},
    {.name = "indirect-length",
     .index = 1,
     .split = {{QUEUE_CASE_TABLE, 40, INDIRECT, 0}},
     .reason = "indirect table of 40 bytes: not a multiple of 16 from 16 to 16384"},
    {.name = "indirect-long",
     .index = 1,
     .split = {{QUEUE_CASE_TABLE, 16400, INDIRECT, 0}},
     .reason = "indirect table of 16400 bytes: not a multiple of 16 from 16 to 16384"},
    {.name = "indirect-in-indirect",
     .index = 1,
     .split = {{QUEUE_CASE_TABLE, 16, INDIRECT, 0}},
     .split_table = {{0, 16, INDIRECT, 0}},
     .reason = "an indirect table has an indirect descriptor"},
    {.name = "indirect-next",
     .index = 1,
     .split = {{QUEUE_CASE_TABLE, 32, INDIRECT, 0}},
     .split_table = {{0, 1, NEXT, 2}},
     .reason = "next descriptor 2 of an indirect table is not below 2"},
    {.name = "indirect-loop",
     .index = 1,
     .split = {{QUEUE_CASE_TABLE, 32, INDIRECT, 0}},
     .split_table = {{0, 1, NEXT, 1}, {0, 1, NEXT, 0}},
     .reason = "the chain of an indirect table loops"},
    {.name = "indirect-order",
     .index = 1,
     .split = {{0, 1, WRITE | NEXT, 1}, {QUEUE_CASE_TABLE, 16, INDIRECT, 0}},
     .split_table = {{0, 1, 0, 0}},
     .reason = "descriptor 2 of a chain is for the device to read, behind one to write"},
    {.name = NULL},
};

/* The one that is in flight is pushed as usual. */
static void test_twice(void)
{
    const QueueCase made = {.index = 2, .split = {{0, 1, WRITE, 0}}};
    QueueFixture *fixture = queue_case_fixture(&made);
    VhostUserElement *element = queue_fixture_pop(fixture);
    const uint16_t *used;

    g_assert_nonnull(element);
    queue_fixture_expect_broken(fixture, "descriptor 0 is made available while it is in flight");
    queue_fixture_push(fixture, element, 1);
    used = queue_fixture_host(fixture, fixture->parameters.used, 12);
    g_assert_cmpuint(used[1], ==, 1);
    g_assert_cmpuint(used[4], ==, 1);
    g_assert_cmpuint(vhost_user_queue_in_flight(fixture->queue), ==, 0);
    queue_fixture_free(fixture);
}

static const QueueCase fault_cases[] = {
    {.name = "buffer", .index = 1, .split = {{OUTSIDE, 16, 0, 0}}},
    {.name = "wraps", .index = 1, .split = {{UINT64_MAX - 0x200000, UINT32_MAX, 0, 0}}},
    {.name = "table", .index = 1, .split = {{OUTSIDE, 32, INDIRECT, 0}}},
    {.name = "no-pieces-behind", .index = 1, .split = {{OUTSIDE, 16, NEXT, 1}, {0, 8, WRITE, 0}}},
    {.name = NULL},
};

/* A buffer that leaves memory: the pieces go up to there. */
static void test_partial_fault(void)
{
    const QueueCase made = {.index = 1, .split = {{0, 100, NEXT, 1}, {0, 64, WRITE, 0}}};
    QueueFixture *fixture = queue_case_fixture(&made);
    QueueSplitDescriptor *ring = queue_fixture_host(fixture, fixture->parameters.descriptor,
                                                    2 * sizeof(QueueSplitDescriptor));
    VhostUserElement *element;

    ring[1].address = fixture->end - 10;
    element = queue_fixture_pop(fixture);
    g_assert_nonnull(element);
    g_assert_true(element->fault);
    g_assert_cmpuint(element->readable_size, ==, 100);
    g_assert_cmpuint(element->writable_size, ==, 10);
    g_assert_cmpuint(element->writable_count, ==, 1);
    queue_fixture_push(fixture, element, 1);
    queue_fixture_free(fixture);
}

/* A table of 1024 descriptors, for which a short ring has no room but in a table. */
static VhostUserElement *pop_long_table(QueueFixture *fixture, uint64_t address, uint32_t length)
{
    QueueSplitDescriptor *ring =
        queue_fixture_host(fixture, fixture->parameters.descriptor, sizeof(QueueSplitDescriptor));

    ring[0] =
        (QueueSplitDescriptor){fixture->data, 1024 * sizeof(QueueSplitDescriptor), INDIRECT, 0};
    for (unsigned i = 0; i < 1024; i++) {
        QueueSplitDescriptor *wire =
            queue_fixture_host(fixture, fixture->data + i * sizeof(QueueSplitDescriptor),
                               sizeof(QueueSplitDescriptor));

        *wire =
            (QueueSplitDescriptor){address, length, i == 1023 ? WRITE : NEXT, (uint16_t)(i + 1)};
    }
    queue_case_available(fixture)[1]++;
    return queue_fixture_pop(fixture);
}

/* More pieces than an element has room for at first; and more than it may ever have. */
static void test_long_table(void)
{
    const QueueOptions options = {.size = 2,
                                  .features = VHOST_USER_RING_F_VERSION_1 |
                                              VHOST_USER_RING_F_INDIRECT_DESC |
                                              VHOST_USER_RING_F_EVENT_IDX};
    QueueFixture *fixture = queue_fixture_new(&options);
    uint64_t area_size = fixture->memory->areas[1].size;
    VhostUserElement *element = pop_long_table(fixture, fixture->data, 1);

    g_assert_nonnull(element);
    g_assert_false(element->fault);
    g_assert_cmpuint(element->readable_count, ==, 1023);
    g_assert_cmpuint(element->writable_size, ==, 1);
    queue_fixture_push(fixture, element, 1);

    /* Each of them three: the end of an area, the next one, the beginning of the third. */
    element = pop_long_table(fixture, fixture->memory->areas[1].guest_address - 1,
                             (uint32_t)area_size + 2);
    g_assert_nonnull(element);
    g_assert_true(element->fault);
    g_assert_cmpuint(element->readable_count, ==, 2048);
    g_assert_cmpuint(element->readable_size, ==, 2048 / 3 * (area_size + 2) + 1 + area_size);
    g_assert_cmpuint(element->writable_count, ==, 0);
    queue_fixture_push(fixture, element, 0);
    g_assert_cmpuint(fixture->broken, ==, 0);
    queue_fixture_free(fixture);
}

/* --- starting --- */

static const QueueStartCase start_cases[] = {
    {.name = "size", .size = 6, .reason = "the size of a split ring is not a power of 2"},
    {.name = "base", .base = 65536, .reason = "the base is not below 65536"},
    {.name = "descriptor-alignment",
     .descriptor = 8,
     .reason = "descriptor area is not in one region of memory, or not aligned"},
    {.name = "available-alignment",
     .available = 1,
     .reason = "available ring (driver area) is not in one region of memory, or not aligned"},
    {.name = "used-alignment",
     .used = 2,
     .reason = "used ring (device area) is not in one region of memory, or not aligned"},
    {.name = "outside",
     .used = 1ll << 40,
     .reason = "used ring (device area) is not in one region of memory, or not aligned"},
    {.name = NULL},
};

static void test_never_set(void)
{
    const QueueOptions options = {.size = QUEUE_CASE_SIZE};
    QueueFixture *fixture = queue_fixture_new(&options);
    VhostUserQueue *queue = vhost_user_queue_new(&fixture->environment, 0);
    const char *reason = NULL;

    g_assert_cmpint(vhost_user_queue_start(queue, &reason), ==, -EINVAL);
    g_assert_cmpstr(reason, ==, "its size was never set");
    g_assert_cmpint(vhost_user_queue_set_size(queue, 0), ==, -EINVAL);
    g_assert_cmpint(vhost_user_queue_set_size(queue, 32769), ==, -EINVAL);
    g_assert_cmpint(vhost_user_queue_set_size(queue, QUEUE_CASE_SIZE), ==, 0);
    g_assert_cmpint(vhost_user_queue_start(queue, &reason), ==, -EINVAL);
    g_assert_cmpstr(reason, ==, "its addresses were never set");
    g_assert_false(vhost_user_queue_begin(queue));
    vhost_user_queue_free(queue);
    queue_fixture_free(fixture);
}

static const QueueFormat format = {
    .name = "split",
    .features = VHOST_USER_RING_F_VERSION_1,
    .wrap_base = 65530, /* indices run over 65535 soon */
    .sizes = sizes,
    .broken = broken_cases,
    .faults = fault_cases,
    .starts = start_cases,
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    queue_cases_add(&format);
    g_test_add_func("/queue/split/broken/twice", test_twice);
    g_test_add_func("/queue/split/fault/partial", test_partial_fault);
    g_test_add_func("/queue/split/long-table", test_long_table);
    g_test_add_func("/queue/split/start/never-set", test_never_set);
    return g_test_run();
}
