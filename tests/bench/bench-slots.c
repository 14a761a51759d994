/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a vhost-user block back-end takes to answer ADD_MEM_REG and REM_MEM_REG as its regions
 * become many, one round trip each, while a queue runs.
 */
#include "process.h"
#include "times.h"

#include "libvhost-user/driver.h"
#include "qtest/vmm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE 10000          /* ms for each answer */
#define AROUND 8                /* regions whose median stands for a point */
#define REGION_SIZE (64u << 10) /* bytes */
#define MEMORY_START (4ull << 30)
#define GAP (1ull << 20) /* guest memory between two regions: they cannot become one */
#define QUEUE_SIZE 128

static const guint points[] = {8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096};

static VhostUserFrontEnd *front;
static VhostUserGuestMemory *memory;
static VhostUserDriverQueue *queue;

static void check(int result)
{
    if (result < 0) {
        vmm_fail("%s", vhost_user_front_end_error(front));
    }
}

static void connect_to(const char *socket)
{
    const guint64 protocol =
        1ull << VHOST_USER_PROTOCOL_F_MQ | 1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK |
        1ull << VHOST_USER_PROTOCOL_F_CONFIG | 1ull << VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS;

    front = vhost_user_front_end_connect(socket, DEADLINE);
    if (!front) {
        vmm_fail("%s: %s", socket, g_strerror(errno));
    }
    check(vhost_user_front_end_negotiate(front, VHOST_USER_RING_F_VERSION_1, protocol));
    if (!vhost_user_front_end_has(front, VHOST_USER_PROTOCOL_F_REPLY_ACK) ||
        vhost_user_front_end_memory_slots(front) < AROUND) {
        vmm_fail("%s: the back-end has no memory slots, or does not acknowledge", socket);
    }
}

/* A queue in the first region. */
static void start_queue(void)
{
    VhostUserDriverParameters parameters = {
        .areas = memory->areas, .area_count = memory->count, .size = QUEUE_SIZE};
    VhostUserRingSetup setup;

    vhost_user_driver_place(&parameters, MEMORY_START);
    queue = vhost_user_driver_queue_new(&parameters);
    if (!queue) {
        vmm_fail("the queue: %s", g_strerror(errno));
    }
    vhost_user_driver_queue_setup(queue, &setup);
    check(vhost_user_front_end_start_ring(front, &setup));
}

static double around(const gint64 *times, guint point)
{
    gint64 some[AROUND];

    memcpy(some, times + point - AROUND, sizeof(some));
    return median(some, AROUND) / 1000.0;
}

int main(int argc, char **argv)
{
    guint most = argc > 2 ? (guint)strtoul(argv[2], NULL, 10) : 0;

    if (argc != 3 || most < AROUND) {
        vmm_fail("usage: %s SOCKET REGIONS (from %d; no more than the back-end has are used)",
                 argv[0], AROUND);
    }
    process_raise_descriptors();
    connect_to(argv[1]);
    guint64 slots = vhost_user_front_end_memory_slots(front);
    guint count = (guint)MIN(most, slots);
    g_autofree gint64 *adds = g_new0(gint64, count);
    g_autofree gint64 *removes = g_new0(gint64, count);

    memory = vhost_user_guest_memory_new(MEMORY_START, REGION_SIZE, count, GAP);
    if (!memory) {
        vmm_fail("memory: %s", g_strerror(errno));
    }
    for (guint i = 0; i < count; i++) {
        gint64 begin = nanoseconds(CLOCK_MONOTONIC);
        check(vhost_user_front_end_add_region(front, &memory->areas[i], NULL));
        adds[i] = nanoseconds(CLOCK_MONOTONIC) - begin;
        if (i == 0) {
            start_queue();
        }
    }
    for (guint i = count - 1; i > 0; i--) {
        gint64 begin = nanoseconds(CLOCK_MONOTONIC);
        check(vhost_user_front_end_remove_region(front, &memory->areas[i]));
        removes[i] = nanoseconds(CLOCK_MONOTONIC) - begin;
    }
    printf("{\"slots\":%" G_GUINT64_FORMAT ",\"points\":[", slots);
    for (guint i = 0; i < G_N_ELEMENTS(points) && points[i] <= count; i++) {
        printf("%s{\"region\":%u,\"add_us\":%.2f,\"remove_us\":%.2f}", i ? "," : "", points[i],
               around(adds, points[i]), around(removes, points[i]));
    }
    printf("]}\n");
    vhost_user_front_end_free(front);
    vhost_user_driver_queue_free(queue);
    vhost_user_guest_memory_free(memory);
    return 0;
}
