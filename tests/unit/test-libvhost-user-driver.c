/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library's driver side by itself: rings as they lie in memory, and a device that is played by
 * hand and gives back what it should, too much, twice, or out of turn.
 */
#include "libvhost-user/driver.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

#define MEMORY_START 0x10000u
#define SIZE 8u /* descriptors */
#define PACKED VHOST_USER_RING_F_PACKED
#define IN_ORDER VHOST_USER_RING_F_IN_ORDER
#define EVENT_IDX VHOST_USER_RING_F_EVENT_IDX

/* virtio 1.2, 2.7.5 and 2.8.13, as a device sees them. */
typedef struct Descriptor {
    uint64_t address;
    uint32_t length;
    union {
        struct {
            uint16_t flags, next;
        } split;
        struct {
            uint16_t id, flags;
        } packed;
    };
} Descriptor;

typedef struct Fixture {
    VhostUserGuestMemory *memory;
    VhostUserDriverQueue *queue;
    VhostUserRingSetup setup;
    uint64_t features;
    Descriptor *descriptors;
    uint16_t *available, *used; /* available and used ring, or driver and device area */
} Fixture;

static VhostUserDriverParameters parameters_for(const Fixture *fixture, uint32_t base)
{
    VhostUserDriverParameters parameters = {
        .areas = fixture->memory->areas,
        .area_count = fixture->memory->count,
        .features = fixture->features,
        .size = SIZE,
        .base = base,
        .indirect_size = 4,
    };

    vhost_user_driver_place(&parameters, MEMORY_START);
    return parameters;
}

static void set_up_at(Fixture *fixture, uint64_t features, uint32_t base)
{
    fixture->features = features;
    fixture->memory = vhost_user_guest_memory_new(MEMORY_START, 0x10000, 1, 0);
    VhostUserDriverParameters parameters = parameters_for(fixture, base);
    fixture->queue = vhost_user_driver_queue_new(&parameters);
    g_assert_nonnull(fixture->queue);
    vhost_user_driver_queue_setup(fixture->queue, &fixture->setup);
    fixture->descriptors = (void *)fixture->setup.descriptor;
    fixture->available = (void *)fixture->setup.available;
    fixture->used = (void *)fixture->setup.used;
}

static void set_up(Fixture *fixture, gconstpointer features)
{
    uint64_t bits = *(const uint64_t *)features;

    set_up_at(fixture, bits, bits & PACKED ? VHOST_USER_DRIVER_PACKED_BASE : 0);
}

static void tear_down(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    vhost_user_driver_queue_free(fixture->queue);
    vhost_user_guest_memory_free(fixture->memory);
}

/* A request of one readable buffer and one of 100 writable bytes: two descriptors. */
static int add(Fixture *fixture, unsigned flags, uintptr_t cookie)
{
    const VhostUserDriverBuffer buffers[] = {{0xa000 + cookie, 16}, {0xb000 + cookie, 100}};

    return vhost_user_driver_queue_add(fixture->queue, buffers, 1, 1, flags, (void *)cookie);
}

static void add_shown(Fixture *fixture, uintptr_t cookie)
{
    g_assert_cmpint(add(fixture, 0, cookie), ==, 0);
    vhost_user_driver_queue_publish(fixture->queue);
}

/* --- the device --- */

/* Writes a used element at place @index and makes the used index @shown. */
static void split_use(Fixture *fixture, uint16_t index, uint32_t id, uint32_t length,
                      uint16_t shown)
{
    uint32_t *element = (uint32_t *)(fixture->used + 2) + 2 * (index % SIZE);

    element[0] = id;
    element[1] = length;
    fixture->used[1] = shown;
}

static void packed_use(Fixture *fixture, uint16_t place, bool wrap, uint16_t id, uint32_t length)
{
    fixture->descriptors[place].length = length;
    fixture->descriptors[place].packed.id = id;
    fixture->descriptors[place].packed.flags = (wrap ? 0x8080 : 0) | (length ? 2 : 0);
}

static void assert_collected(Fixture *fixture, uintptr_t cookie, uint32_t written)
{
    VhostUserDriverUsed used;

    g_assert_true(vhost_user_driver_queue_pending(fixture->queue));
    g_assert_cmpint(vhost_user_driver_queue_collect(fixture->queue, &used, 1), ==, 1);
    g_assert_cmpuint((uintptr_t)used.cookie, ==, cookie);
    g_assert_cmpuint(used.written, ==, written);
}

static void assert_nothing(Fixture *fixture)
{
    VhostUserDriverUsed used;

    g_assert_false(vhost_user_driver_queue_pending(fixture->queue));
    g_assert_cmpint(vhost_user_driver_queue_collect(fixture->queue, &used, 1), ==, 0);
}

static void assert_broken(Fixture *fixture, const char *error)
{
    VhostUserDriverUsed used[4];

    g_assert_cmpint(vhost_user_driver_queue_collect(fixture->queue, used, 4), ==, -EPROTO);
    g_assert_cmpstr(vhost_user_driver_queue_error(fixture->queue), ==, error);
    g_assert_cmpint(vhost_user_driver_queue_collect(fixture->queue, used, 4), ==, -EPROTO);
}

#define NOT_THERE "the device gives back what it does not have"
#define TOO_LONG "the device says that it wrote more than it could"
#define AHEAD "the used index runs ahead of what the device was given"

/* --- split --- */

static const uint64_t split = 0, split_in_order = IN_ORDER, split_event = EVENT_IDX;

static void test_split_layout(Fixture *fixture, gconstpointer unused)
{
    const Descriptor *table = fixture->descriptors;

    (void)unused;
    g_assert_cmpint(add(fixture, 0, 1), ==, 0);
    g_assert_cmpuint(fixture->available[1], ==, 0); /* not shown yet */
    vhost_user_driver_queue_publish(fixture->queue);
    g_assert_cmpuint(fixture->available[1], ==, 1);
    g_assert_cmpuint(fixture->available[2], ==, 0);
    g_assert_cmphex(table[0].address, ==, 0xa001);
    g_assert_cmpuint(table[0].split.flags, ==, 1);
    g_assert_cmpuint(table[0].split.next, ==, 1);
    g_assert_cmpuint(table[1].length, ==, 100);
    g_assert_cmpuint(table[1].split.flags, ==, 2);

    g_assert_cmpint(add(fixture, VHOST_USER_DRIVER_INDIRECT, 2), ==, 0);
    g_assert_cmpuint(table[2].length, ==, 32);
    g_assert_cmpuint(table[2].split.flags, ==, 4);
    const Descriptor *indirect = vhost_user_guest_memory_host(
        fixture->memory->areas, fixture->memory->count, table[2].address, table[2].length);
    g_assert_cmphex(indirect[1].address, ==, 0xb002);
    g_assert_cmpuint(indirect[0].split.next, ==, 1);
    g_assert_cmpuint(vhost_user_driver_queue_room(fixture->queue), ==, SIZE - 3);
    g_assert_cmpuint(vhost_user_driver_queue_outstanding(fixture->queue), ==, 2);
    g_assert_cmpuint(vhost_user_driver_queue_base(fixture->queue), ==, 2);
}

static void test_room(Fixture *fixture, gconstpointer unused)
{
    const VhostUserDriverBuffer buffers[SIZE + 1] = {{0xa000, 1}};

    (void)unused;
    g_assert_cmpint(vhost_user_driver_queue_add(fixture->queue, buffers, 0, 0, 0, NULL), ==,
                    -EINVAL);
    g_assert_cmpint(vhost_user_driver_queue_add(fixture->queue, buffers, SIZE, 1, 0, NULL), ==,
                    -EINVAL);
    g_assert_cmpint(vhost_user_driver_queue_add(fixture->queue, buffers, 5, 0,
                                                VHOST_USER_DRIVER_INDIRECT, NULL),
                    ==, -EINVAL);
    g_assert_cmpint(vhost_user_driver_queue_add(fixture->queue, buffers, 1, 0, 0x80, NULL), ==,
                    -EINVAL);
    for (uintptr_t i = 0; i < SIZE / 2; i++) {
        g_assert_cmpint(add(fixture, 0, i), ==, 0);
    }
    g_assert_cmpint(add(fixture, 0, 9), ==, -ENOSPC);
    g_assert_cmpint(add(fixture, VHOST_USER_DRIVER_INDIRECT, 9), ==, -ENOSPC);
}

static void test_split_used(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    assert_nothing(fixture);
    add_shown(fixture, 1); /* descriptors 0, 1 */
    add_shown(fixture, 2); /* 2, 3 */
    add_shown(fixture, 3); /* 4, 5 */
    assert_nothing(fixture);
    split_use(fixture, 0, 2, 100, 1);
    assert_collected(fixture, 2, 100);
    split_use(fixture, 1, 0, 0, 2);
    assert_collected(fixture, 1, 0);
    assert_nothing(fixture);
    /* Free ones are used in the order in which they came back. */
    add_shown(fixture, 4); /* 6, 7 */
    add_shown(fixture, 5); /* 2, 3 */
    g_assert_cmpuint(fixture->available[2 + 3], ==, 6);
    g_assert_cmpuint(fixture->available[2 + 4], ==, 2);
    split_use(fixture, 2, 2, 7, 3);
    assert_collected(fixture, 5, 7);
    VhostUserDriverStatistics statistics;
    vhost_user_driver_queue_statistics(fixture->queue, &statistics);
    g_assert_cmpuint(statistics.added, ==, 5);
    g_assert_cmpuint(statistics.collected, ==, 3);
}

static void test_split_twice(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    add_shown(fixture, 1);
    add_shown(fixture, 2);
    split_use(fixture, 0, 0, 0, 1);
    assert_collected(fixture, 1, 0);
    split_use(fixture, 1, 0, 0, 2);
    assert_broken(fixture, NOT_THERE);
}

static void test_split_unknown(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    add_shown(fixture, 1);
    split_use(fixture, 0, 1, 0, 1); /* within the chain, not its head */
    assert_broken(fixture, NOT_THERE);
}

static void test_split_out_of_range(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    add_shown(fixture, 1);
    split_use(fixture, 0, 0x10000, 0, 1);
    assert_broken(fixture, NOT_THERE);
}

static void test_split_ahead(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    add_shown(fixture, 1);
    g_assert_cmpint(add(fixture, 0, 2), ==, 0); /* not shown */
    split_use(fixture, 0, 0, 0, 2);
    assert_broken(fixture, AHEAD);
}

static void test_split_back(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    add_shown(fixture, 1);
    split_use(fixture, 0, 0, 0, UINT16_MAX);
    assert_broken(fixture, AHEAD);
}

static void test_split_too_long(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    add_shown(fixture, 1);
    split_use(fixture, 0, 0, 101, 1);
    assert_broken(fixture, TOO_LONG);
}

/* virtio 1.2, 2.7.9: one element for all up to it, at the place of the first of them. */
static void test_split_batch(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    for (uintptr_t i = 0; i < 4; i++) {
        add_shown(fixture, i);
    }
    split_use(fixture, 0, 4, 5, 3); /* the third */
    assert_collected(fixture, 0, 100);
    assert_collected(fixture, 1, 100);
    assert_collected(fixture, 2, 5);
    assert_nothing(fixture);
    split_use(fixture, 3, 6, 6, 4);
    assert_collected(fixture, 3, 6);
    assert_nothing(fixture);
    add_shown(fixture, 9);
    g_assert_cmpuint(fixture->available[2 + 4], ==, 0);
}

/* The second is given back before the first, by an index that counts one. */
static void test_split_out_of_order(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    add_shown(fixture, 1);
    add_shown(fixture, 2);
    split_use(fixture, 0, 2, 0, 1);
    assert_broken(fixture, "the used index does not reach what the device gives back");
}

/* Indices go on behind 65535, from wherever they begin. */
static void test_split_base(void)
{
    Fixture fixture;

    set_up_at(&fixture, 0, 65534);
    g_assert_cmpuint(fixture.setup.base, ==, 65534);
    for (uintptr_t i = 0; i < 20; i++) {
        uint16_t index = (uint16_t)(65534 + i);
        add_shown(&fixture, i);
        g_assert_cmpuint(fixture.available[1], ==, (uint16_t)(index + 1));
        split_use(&fixture, index, fixture.available[2 + index % SIZE], 1, (uint16_t)(index + 1));
        assert_collected(&fixture, i, 1);
    }
    vhost_user_driver_queue_setup(fixture.queue, &fixture.setup);
    g_assert_cmpuint(fixture.setup.base, ==, 18);
    g_assert_cmpuint(vhost_user_driver_queue_base(fixture.queue), ==, 18);
    tear_down(&fixture, NULL);
}

/* --- packed --- */

static const uint64_t packed = PACKED, packed_in_order = PACKED | IN_ORDER,
                      packed_event = PACKED | EVENT_IDX;

static void test_packed_layout(Fixture *fixture, gconstpointer unused)
{
    const Descriptor *ring = fixture->descriptors;

    (void)unused;
    g_assert_cmpint(add(fixture, 0, 1), ==, 0);
    g_assert_cmpint(add(fixture, VHOST_USER_DRIVER_INDIRECT, 2), ==, 0);
    g_assert_cmphex(ring[0].packed.flags, ==, 0); /* holds all back */
    g_assert_cmphex(ring[1].packed.flags, ==, 0x82);
    g_assert_cmphex(ring[2].packed.flags, ==, 0x84);
    vhost_user_driver_queue_publish(fixture->queue);
    g_assert_cmphex(ring[0].packed.flags, ==, 0x81);
    g_assert_cmpuint(ring[0].packed.id, ==, 0);
    g_assert_cmpuint(ring[2].packed.id, ==, 1);
    g_assert_cmphex(vhost_user_driver_queue_base(fixture->queue), ==, 0x80008003);
}

static void test_packed_used(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    for (uintptr_t i = 0; i < 4; i++) {
        add_shown(fixture, i); /* all 8 descriptors, ids 0 to 3 */
    }
    assert_nothing(fixture);
    packed_use(fixture, 0, true, 3, 0);
    assert_collected(fixture, 3, 0);
    assert_nothing(fixture);
    packed_use(fixture, 2, true, 0, 9);
    assert_collected(fixture, 0, 9);
    add_shown(fixture, 4); /* place 0 with the other wrap counter */
    g_assert_cmphex(fixture->descriptors[0].packed.flags, ==, 0x8001);
    packed_use(fixture, 4, true, 1, 1);
    packed_use(fixture, 6, true, 2, 2);
    assert_collected(fixture, 1, 1);
    assert_collected(fixture, 2, 2);
    assert_nothing(fixture);
    packed_use(fixture, 0, false, fixture->descriptors[0].packed.id, 4);
    assert_collected(fixture, 4, 4);
    g_assert_cmphex(vhost_user_driver_queue_base(fixture->queue), ==, 0x00020002);
}

static void test_packed_twice(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    add_shown(fixture, 1);
    add_shown(fixture, 2);
    packed_use(fixture, 0, true, 0, 0);
    assert_collected(fixture, 1, 0);
    packed_use(fixture, 2, true, 0, 0);
    assert_broken(fixture, NOT_THERE);
}

static void test_packed_out_of_range(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    add_shown(fixture, 1);
    packed_use(fixture, 0, true, SIZE, 0);
    assert_broken(fixture, NOT_THERE);
}

static void test_packed_too_long(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    add_shown(fixture, 1);
    packed_use(fixture, 0, true, 0, 101);
    assert_broken(fixture, TOO_LONG);
}

/* Without the flag that something was written there is no length. */
static void test_packed_no_length(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    add_shown(fixture, 1);
    packed_use(fixture, 0, true, 0, 101);
    fixture->descriptors[0].packed.flags &= ~2;
    assert_collected(fixture, 1, 0);
}

static void test_packed_batch(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    for (uintptr_t i = 0; i < 4; i++) {
        add_shown(fixture, i);
    }
    packed_use(fixture, 0, true, 2, 5);
    assert_collected(fixture, 0, 100);
    assert_collected(fixture, 1, 100);
    assert_collected(fixture, 2, 5);
    assert_nothing(fixture);
    packed_use(fixture, 6, true, 3, 6);
    assert_collected(fixture, 3, 6);
}

static void test_packed_base(void)
{
    Fixture fixture;

    set_up_at(&fixture, PACKED, 0x00070007);
    g_assert_cmphex(fixture.setup.base, ==, 0x00070007);
    add_shown(&fixture, 1); /* places 7 and, in the next round, 0 */
    g_assert_cmphex(fixture.descriptors[7].packed.flags, ==, 0x8001);
    g_assert_cmphex(fixture.descriptors[0].packed.flags, ==, 0x0082);
    packed_use(&fixture, 7, false, 0, 1);
    assert_collected(&fixture, 1, 1);
    g_assert_cmphex(vhost_user_driver_queue_base(fixture.queue), ==, 0x80018001);
    vhost_user_driver_queue_setup(fixture.queue, &fixture.setup);
    g_assert_cmphex(fixture.setup.base, ==, 0x80018001);
    tear_down(&fixture, NULL);
}

/* --- kicks and calls --- */

static uint64_t kicks(const Fixture *fixture)
{
    uint64_t count = 0;

    return read(vhost_user_driver_queue_kick_fd(fixture->queue), &count, sizeof(count)) < 0 ? 0
                                                                                            : count;
}

static bool add_kicked(Fixture *fixture, uintptr_t cookie)
{
    g_assert_cmpint(add(fixture, 0, cookie), ==, 0);
    bool kicked = vhost_user_driver_queue_kick(fixture->queue);
    g_assert_cmpuint(kicks(fixture), ==, kicked);
    return kicked;
}

static void test_split_kicks(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    g_assert_false(vhost_user_driver_queue_kick(fixture->queue)); /* nothing is new */
    g_assert_true(add_kicked(fixture, 1));
    fixture->used[0] = 1;
    g_assert_false(add_kicked(fixture, 2));
    fixture->used[0] = 0;
    g_assert_false(vhost_user_driver_queue_kick(fixture->queue));
    g_assert_true(add_kicked(fixture, 3));
}

static void test_split_event_kicks(Fixture *fixture, gconstpointer unused)
{
    uint16_t *event = fixture->used + 2 + SIZE * 4;

    (void)unused;
    *event = 1; /* the second */
    g_assert_false(add_kicked(fixture, 1));
    g_assert_true(add_kicked(fixture, 2));
    g_assert_false(add_kicked(fixture, 3));
    *event = 3;
    g_assert_true(add_kicked(fixture, 4));
}

static void test_packed_kicks(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    g_assert_true(add_kicked(fixture, 1));
    fixture->used[1] = 1;
    g_assert_false(add_kicked(fixture, 2));
    fixture->used[1] = 0;
    g_assert_true(add_kicked(fixture, 3));
}

static void test_packed_event_kicks(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    fixture->used[1] = 2;
    fixture->used[0] = 0x8002;
    g_assert_false(add_kicked(fixture, 1));
    g_assert_true(add_kicked(fixture, 2));
    g_assert_false(add_kicked(fixture, 3));
    fixture->used[0] = 0x0001; /* in the next round */
    g_assert_false(add_kicked(fixture, 4));
    packed_use(fixture, 0, true, 0, 0);
    assert_collected(fixture, 1, 0);
    g_assert_true(add_kicked(fixture, 5));
}

static void test_split_calls(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    g_assert_cmpuint(fixture->available[0], ==, 1);
    g_assert_false(vhost_user_driver_queue_enable_calls(fixture->queue, 1));
    g_assert_cmpuint(fixture->available[0], ==, 0);
    add_shown(fixture, 1);
    split_use(fixture, 0, 0, 0, 1);
    g_assert_true(vhost_user_driver_queue_enable_calls(fixture->queue, 1));
    vhost_user_driver_queue_disable_calls(fixture->queue);
    g_assert_cmpuint(fixture->available[0], ==, 1);
}

static void test_split_event_calls(Fixture *fixture, gconstpointer unused)
{
    const uint16_t *event = fixture->available + 2 + SIZE;

    (void)unused;
    g_assert_cmpuint(*event, ==, UINT16_MAX);
    add_shown(fixture, 1);
    add_shown(fixture, 2);
    add_shown(fixture, 3);
    g_assert_false(vhost_user_driver_queue_enable_calls(fixture->queue, 1));
    g_assert_cmpuint(*event, ==, 0);
    vhost_user_driver_queue_enable_calls(fixture->queue, 2);
    g_assert_cmpuint(*event, ==, 1);
    vhost_user_driver_queue_enable_calls(fixture->queue, 100);
    g_assert_cmpuint(*event, ==, 2);
    vhost_user_driver_queue_disable_calls(fixture->queue);
    g_assert_cmpuint(*event, ==, UINT16_MAX);
    g_assert_cmpuint(fixture->available[0], ==, 0);
}

static void test_packed_event_calls(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    g_assert_cmpuint(fixture->available[1], ==, 1);
    add_shown(fixture, 1);
    add_shown(fixture, 2);
    g_assert_false(vhost_user_driver_queue_enable_calls(fixture->queue, 2));
    g_assert_cmphex(fixture->available[0], ==, 0x8001);
    g_assert_cmpuint(fixture->available[1], ==, 2);
    vhost_user_driver_queue_disable_calls(fixture->queue);
    g_assert_cmpuint(fixture->available[1], ==, 1);
}

static void test_wait(Fixture *fixture, gconstpointer unused)
{
    const uint64_t one = 1;
    int call = vhost_user_driver_queue_call_fd(fixture->queue);

    (void)unused;
    add_shown(fixture, 1);
    g_assert_cmpint(vhost_user_driver_queue_wait(fixture->queue, 20), ==, 0);
    g_assert_cmpint(write(call, &one, sizeof(one)), ==, sizeof(one));
    g_assert_cmpint(vhost_user_driver_queue_wait(fixture->queue, 20), ==, 0); /* for nothing */
    split_use(fixture, 0, 0, 0, 1);
    g_assert_cmpint(vhost_user_driver_queue_wait(fixture->queue, 0), ==, 1);
    assert_collected(fixture, 1, 0);
}

/* --- parameters --- */

static void assert_refused(VhostUserDriverParameters parameters, int error)
{
    errno = 0;
    g_assert_null(vhost_user_driver_queue_new(&parameters));
    g_assert_cmpint(errno, ==, error);
}

static void test_parameters(Fixture *fixture, gconstpointer unused)
{
    VhostUserDriverParameters good = parameters_for(fixture, 0);
    VhostUserDriverParameters bad = good;

    (void)unused;
    bad.size = 0;
    assert_refused(bad, EINVAL);
    bad.size = 32769;
    assert_refused(bad, EINVAL);
    bad.size = 7;
    assert_refused(bad, EINVAL);
    bad = good;
    bad.base = 0x10000;
    assert_refused(bad, EINVAL);
    bad = good;
    bad.descriptor += 8;
    assert_refused(bad, EFAULT);
    bad = good;
    bad.used = MEMORY_START + 0x10000 - 8;
    assert_refused(bad, EFAULT);
    bad = good;
    bad.indirect = 0;
    assert_refused(bad, EFAULT);
    bad = good;
    bad.features = PACKED;
    bad.base = 0x80000000; /* two halves that differ */
    assert_refused(bad, EINVAL);
    bad.base = 0x80088008; /* an index that is the size */
    assert_refused(bad, EINVAL);
}

#define ADD(path, features, test)                                                                  \
    g_test_add("/libvhost-user/driver/" path, Fixture, &features, set_up, test, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("split/layout", split, test_split_layout);
    ADD("split/room", split, test_room);
    ADD("split/used", split, test_split_used);
    ADD("split/twice", split, test_split_twice);
    ADD("split/unknown", split, test_split_unknown);
    ADD("split/out-of-range", split, test_split_out_of_range);
    ADD("split/ahead", split, test_split_ahead);
    ADD("split/back", split, test_split_back);
    ADD("split/too-long", split, test_split_too_long);
    ADD("split/batch", split_in_order, test_split_batch);
    ADD("split/out-of-order", split_in_order, test_split_out_of_order);
    g_test_add_func("/libvhost-user/driver/split/base", test_split_base);
    ADD("packed/layout", packed, test_packed_layout);
    ADD("packed/room", packed, test_room);
    ADD("packed/used", packed, test_packed_used);
    ADD("packed/twice", packed, test_packed_twice);
    ADD("packed/out-of-range", packed, test_packed_out_of_range);
    ADD("packed/too-long", packed, test_packed_too_long);
    ADD("packed/no-length", packed, test_packed_no_length);
    ADD("packed/batch", packed_in_order, test_packed_batch);
    g_test_add_func("/libvhost-user/driver/packed/base", test_packed_base);
    ADD("split/kicks", split, test_split_kicks);
    ADD("split/event-kicks", split_event, test_split_event_kicks);
    ADD("packed/kicks", packed, test_packed_kicks);
    ADD("packed/event-kicks", packed_event, test_packed_event_kicks);
    ADD("split/calls", split, test_split_calls);
    ADD("split/event-calls", split_event, test_split_event_calls);
    ADD("packed/event-calls", packed_event, test_packed_event_calls);
    ADD("split/wait", split_event, test_wait);
    ADD("split/parameters", split, test_parameters);
    return g_test_run();
}
