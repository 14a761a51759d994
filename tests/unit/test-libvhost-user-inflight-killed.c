/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A back-end that is killed after each single store of its work, and its successor after each of
 * the recovery: every request is completed exactly once, in the order in which they were taken.
 */
#include "queue-fixture.h"
#include "stepper.h"

#include <string.h>

#define SIZE 8u
#define REQUESTS 64u /* numbers */
#define WORK 6u      /* rounds of the back-end that is killed */

typedef struct KilledCase {
    uint64_t features;
    uint32_t size;
} KilledCase;

typedef struct Killed {
    QueueFixture *fixture;
    uint32_t added; /* requests, by number */
    bool collected[REQUESTS];
    uint32_t base;            /* what the front-end gives the back-end */
    uint8_t choices[WORK][2]; /* pops and pushes of each round */
    bool driver_goes_on;      /* between the death and the recovery */
} Killed;

/* A request says its number and wants it back. */
static void add(Killed *killed)
{
    QueueFixture *fixture = killed->fixture;
    uint64_t place = fixture->data + killed->added * 64;
    bool indirect = fixture->options.indirect_size > 0 && killed->added % 2;
    bool empty_one = fixture->options.size > 2 && killed->added % 3 == 0;
    VhostUserDriverBuffer buffers[3] = {{place, 4}};
    unsigned readable = 1;

    if (empty_one) {
        buffers[readable++] = (VhostUserDriverBuffer){place + 8, 0};
    }
    buffers[readable] = (VhostUserDriverBuffer){place + 16, 4};
    if (killed->added == REQUESTS) {
        return;
    }
    memcpy(queue_fixture_host(fixture, place, 4), &killed->added, 4);
    if (vhost_user_driver_queue_add(fixture->driver, buffers, readable, 1,
                                    indirect ? VHOST_USER_DRIVER_INDIRECT : 0,
                                    GUINT_TO_POINTER(killed->added)) == 0) {
        killed->added++;
    }
    vhost_user_driver_queue_publish(fixture->driver);
}

static void collect(Killed *killed)
{
    VhostUserDriverUsed used;

    while (vhost_user_driver_queue_collect(killed->fixture->driver, &used, 1) == 1) {
        uint32_t number = GPOINTER_TO_UINT(used.cookie), answer;

        g_assert_false(killed->collected[number]);
        killed->collected[number] = true;
        g_assert_cmpuint(used.written, ==, 4);
        memcpy(&answer,
               queue_fixture_host(killed->fixture, killed->fixture->data + number * 64 + 16, 4), 4);
        g_assert_cmpuint(answer, ==, ~number);
    }
    g_assert_cmpstr(vhost_user_driver_queue_error(killed->fixture->driver), ==, NULL);
}

static uint32_t number_of(const VhostUserElement *element)
{
    uint32_t number = UINT32_MAX;

    g_assert_cmpuint(vhost_user_element_read(element, 0, &number, 4), ==, 4);
    return number;
}

static void answer(VhostUserQueue *queue, VhostUserElement *element)
{
    uint32_t number = ~number_of(element);

    g_assert_cmpuint(vhost_user_element_write(element, 0, &number, 4), ==, 4);
    vhost_user_queue_push(queue, element, 4);
}

/* The life of a back-end up to where it is killed: it starts, takes some, answers some in another
 * order. */
static void work(void *opaque)
{
    Killed *killed = opaque;
    GPtrArray *mine = g_ptr_array_new();
    VhostUserQueue *queue;

    queue_fixture_replace(killed->fixture, killed->base);
    queue = killed->fixture->queue;
    for (unsigned i = 0; i < WORK; i++) {
        g_assert_true(vhost_user_queue_begin(queue));
        for (unsigned pops = killed->choices[i][0] % 4; pops > 0; pops--) {
            VhostUserElement *element = vhost_user_queue_pop(queue);

            if (element) {
                g_ptr_array_add(mine, element);
            }
        }
        for (unsigned pushes = killed->choices[i][1] % 4; pushes > 0 && mine->len > 0; pushes--) {
            answer(queue, g_ptr_array_remove_index(mine, killed->choices[i][1] / 4 % mine->len));
        }
        vhost_user_queue_end(queue);
    }
}

/* What the successor does: all, in order, each once. */
static void recover(void *opaque)
{
    Killed *killed = opaque;
    VhostUserElement *elements[SIZE];
    uint32_t last[2] = {0, 0}; /* numbers of those resubmitted and of new ones, plus 1 */
    unsigned count = 0;
    bool new_ones = false;

    if (killed->driver_goes_on) {
        collect(killed);
        add(killed);
        add(killed);
    }
    queue_fixture_replace(killed->fixture, killed->base);
    g_assert_true(vhost_user_queue_begin(killed->fixture->queue));
    while ((elements[count] = vhost_user_queue_pop(killed->fixture->queue)) != NULL) {
        uint32_t number = number_of(elements[count]);

        g_assert_false(new_ones && elements[count]->resubmitted);
        new_ones = !elements[count]->resubmitted;
        g_assert_cmpuint(number + 1, >, last[new_ones]);
        last[new_ones] = number + 1;
        count++;
        g_assert_cmpuint(count, <, G_N_ELEMENTS(elements) + 1);
        if (count == SIZE) {
            break;
        }
    }
    g_assert_cmpstr(killed->fixture->reason, ==, NULL);
    for (unsigned i = count; i > 0; i--) {
        answer(killed->fixture->queue, elements[i - 1]);
    }
    vhost_user_queue_end(killed->fixture->queue);
    collect(killed);
    for (unsigned i = 0; i < killed->added; i++) {
        g_assert_true(killed->collected[i]);
    }
    /* And the ring is well. */
    for (unsigned i = 0; i < 2 * SIZE; i++) {
        VhostUserElement *element;

        add(killed);
        element = queue_fixture_pop(killed->fixture);
        g_assert_true(element && !element->resubmitted);
        g_assert_true(vhost_user_queue_begin(killed->fixture->queue));
        answer(killed->fixture->queue, element);
        vhost_user_queue_end(killed->fixture->queue);
        collect(killed);
        g_assert_true(killed->collected[killed->added - 1]);
    }
}

/* The memory that outlives a back-end, as it maps it, but for the requests' data. */
static void ranges_of(const QueueFixture *fixture, StepperRange ranges[2])
{
    const VhostUserMemoryArea *area = &fixture->memory->areas[0];
    VhostUserRegion *region;

    ranges[0].size = fixture->data - QUEUE_GUEST_BASE;
    ranges[0].memory =
        vhost_user_map_pin(fixture->map, (uintptr_t)area->host, ranges[0].size, &region, NULL);
    g_assert_nonnull(ranges[0].memory);
    vhost_user_map_unpin(fixture->map, region);
    ranges[1].memory = vhost_user_inflight_area(&fixture->inflight, 0);
    ranges[1].size = fixture->inflight.area_size;
}

static void try_states(Killed *killed, const Stepper *states, const char *what)
{
    for (unsigned i = 0; i < *states->states; i++) {
        g_autofree char *name =
            g_strdup_printf("%s: not every request once: state %u of %u", what, i, *states->states);

        for (killed->driver_goes_on = false;; killed->driver_goes_on = true) {
            stepper_restore(states, i);
            stepper_try(recover, killed, name);
            if (killed->driver_goes_on) {
                break;
            }
        }
    }
}

/* The successor is killed as well, while it recovers from one of the states. */
static void kill_again(Killed *killed, const Stepper *first, const StepperRange *ranges)
{
    unsigned state = (unsigned)g_test_rand_int_range(0, (gint32)*first->states);
    Stepper *second;

    stepper_restore(first, state);
    killed->choices[0][0] = 3;
    killed->choices[0][1] = 2;
    second = stepper_run(ranges, 2, work, killed);
    try_states(killed, second, "killed twice");
    stepper_free(second);
}

/* So that the work meets the end of the ring. */
static void warm_up(Killed *killed, unsigned requests)
{
    for (unsigned i = 0; i < requests; i++) {
        VhostUserElement *element;

        add(killed);
        element = queue_fixture_pop(killed->fixture);
        g_assert_nonnull(element);
        g_assert_true(vhost_user_queue_begin(killed->fixture->queue));
        answer(killed->fixture->queue, element);
        vhost_user_queue_end(killed->fixture->queue);
        collect(killed);
    }
    vhost_user_queue_stop(killed->fixture->queue);
    killed->base = vhost_user_queue_base(killed->fixture->queue);
}

static void test_killed(gconstpointer data)
{
    const KilledCase *killed_case = data;
    uint64_t features = killed_case->features;
    const QueueOptions options = {
        .size = killed_case->size,
        .features = features,
        .base = features & VHOST_USER_RING_F_PACKED ? VHOST_USER_DRIVER_PACKED_BASE : 65533,
        .indirect_size = features & VHOST_USER_RING_F_INDIRECT_DESC ? 3 : 0,
        .inflight = true};
    Killed killed = {.fixture = queue_fixture_new(&options)};
    StepperRange ranges[2];
    Stepper *states;

    warm_up(&killed, (unsigned)g_test_rand_int_range(0, SIZE));
    if (g_test_rand_bit()) {
        memset(vhost_user_inflight_area(&killed.fixture->inflight, 0), 0,
               killed.fixture->inflight.area_size);
    }
    for (unsigned i = 0; i < SIZE; i++) {
        add(&killed); /* as many as there is room for */
    }
    for (unsigned i = 0; i < WORK; i++) {
        killed.choices[i][0] = (uint8_t)g_test_rand_int();
        killed.choices[i][1] = (uint8_t)g_test_rand_int();
    }
    ranges_of(killed.fixture, ranges);
    states = stepper_run(ranges, 2, work, &killed);
    g_test_message("%u states", *states->states);
    try_states(&killed, states, "killed");
    kill_again(&killed, states, ranges);
    stepper_free(states);
    queue_fixture_free(killed.fixture);
}

static const KilledCase killed_cases[] = {
    {0, SIZE},
    {0, 2},
    {VHOST_USER_RING_F_INDIRECT_DESC | VHOST_USER_RING_F_EVENT_IDX, SIZE},
    {VHOST_USER_RING_F_IN_ORDER, SIZE},
    {VHOST_USER_RING_F_PACKED, SIZE},
    {VHOST_USER_RING_F_PACKED, 2}, /* a request takes the whole ring */
    {VHOST_USER_RING_F_PACKED | VHOST_USER_RING_F_INDIRECT_DESC | VHOST_USER_RING_F_EVENT_IDX,
     SIZE},
    {VHOST_USER_RING_F_PACKED | VHOST_USER_RING_F_IN_ORDER, 5},
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(killed_cases); i++) {
        g_autofree char *path =
            g_strdup_printf("/inflight/killed/%" G_GINT64_MODIFIER "x/%u",
                            killed_cases[i].features >> 28, killed_cases[i].size);

        g_test_add_data_func(path, &killed_cases[i], test_killed);
    }
    return g_test_run();
}
