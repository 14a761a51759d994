/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-net: plays a guest with a network card against a back-end that sends each frame back, and
 * measures frames and bytes in a second, the way of one frame, and the back-end's CPU time.
 */
#include "libvhost-user/driver.h"
#include "process.h"
#include "times.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>

#define MEMORY_BASE 0x100000u
#define SLOT_SIZE 2048u
#define HEADER 12u
#define DEADLINE 5000
#define USED_AT_ONCE 64u
#define FRAMES_UNDER_WAY_MAXIMUM 512

static char *socket_path;
static int pid, size = 64, depth = 128, milliseconds = 500;

typedef struct Guest {
    VhostUserFrontEnd *front;
    VhostUserGuestMemory *memory;
    VhostUserDriverQueue *queues[2]; /* receive, transmit */
    guint64 place;                   /* where the next ring goes */
    guint free_slots[FRAMES_UNDER_WAY_MAXIMUM];
    guint free_count;
} Guest;

G_NORETURN static void fail(const char *what, const char *why)
{
    fprintf(stderr, "bench-net: %s: %s\n", what, why);
    exit(1);
}

static void check(const Guest *guest, int result, const char *what)
{
    if (result < 0) {
        const char *why = vhost_user_front_end_error(guest->front);

        fail(what, *why ? why : g_strerror(-result));
    }
}

/* The slots to send from, then the buffers to receive into. */
static guint64 slot_address(guint slot)
{
    return MEMORY_BASE + (guint64)slot * SLOT_SIZE;
}

static void add(Guest *guest, guint queue, guint slot, guint32 bytes)
{
    const VhostUserDriverBuffer buffer = {slot_address(slot), bytes};

    check(guest,
          vhost_user_driver_queue_add(guest->queues[queue], &buffer, queue, 1 - queue, 0,
                                      GUINT_TO_POINTER(slot)),
          "a ring");
}

static void start_queue(Guest *guest, guint index)
{
    VhostUserDriverParameters parameters = {.areas = guest->memory->areas,
                                            .area_count = guest->memory->count,
                                            .features = VHOST_USER_RING_F_EVENT_IDX,
                                            .index = index,
                                            .size = 1024};
    VhostUserRingSetup setup;

    guest->place = vhost_user_driver_place(&parameters, guest->place);
    guest->queues[index] = vhost_user_driver_queue_new(&parameters);
    if (!guest->queues[index]) {
        fail("a queue", g_strerror(errno));
    }
    for (guint i = 0; index == 0 && i < 2 * (guint)depth; i++) {
        add(guest, 0, (guint)depth + i, SLOT_SIZE);
    }
    vhost_user_driver_queue_publish(guest->queues[index]);
    vhost_user_driver_queue_setup(guest->queues[index], &setup);
    check(guest, vhost_user_front_end_start_ring(guest->front, &setup), "a ring");
}

static void start(Guest *guest)
{
    guest->front = vhost_user_front_end_connect(socket_path, DEADLINE);
    if (!guest->front) {
        fail(socket_path, g_strerror(errno));
    }
    guest->place = slot_address(3 * (guint)depth);
    guest->memory = vhost_user_guest_memory_new(MEMORY_BASE, 16u << 20, 1, 0);
    check(guest,
          vhost_user_front_end_negotiate(
              guest->front, VHOST_USER_RING_F_VERSION_1 | VHOST_USER_RING_F_EVENT_IDX,
              1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK | 1ull << VHOST_USER_PROTOCOL_F_MQ),
          "negotiation");
    check(guest, vhost_user_front_end_add_memory(guest->front, guest->memory->areas, 1), "memory");
    start_queue(guest, 0);
    start_queue(guest, 1);
    for (guint i = 0; i < (guint)depth; i++) {
        guest->free_slots[guest->free_count++] = i;
    }
}

static int collect(Guest *guest, guint queue, VhostUserDriverUsed *used)
{
    int count = vhost_user_driver_queue_collect(guest->queues[queue], used, USED_AT_ONCE);

    if (count < 0) {
        fail("a ring", vhost_user_driver_queue_error(guest->queues[queue]));
    }
    return count;
}

/* Sends what there are free slots for, at most @most. */
static guint send_frames(Guest *guest, guint most)
{
    VhostUserDriverUsed used[USED_AT_ONCE];
    guint sent = 0;

    for (int count; (count = collect(guest, 1, used)) > 0;) {
        for (int i = 0; i < count; i++) {
            guest->free_slots[guest->free_count++] = GPOINTER_TO_UINT(used[i].cookie);
        }
    }
    for (; sent < most && guest->free_count > 0; sent++) {
        add(guest, 1, guest->free_slots[--guest->free_count], HEADER + (guint32)size);
    }
    if (sent > 0) {
        vhost_user_driver_queue_kick(guest->queues[1]);
    }
    return sent;
}

/* Takes what has come back; waits for at least one frame, up to @deadline. */
static guint receive_frames(Guest *guest, int deadline)
{
    VhostUserDriverUsed used[USED_AT_ONCE];
    guint received = 0;

    if (vhost_user_driver_queue_wait(guest->queues[0], deadline) <= 0) {
        return 0;
    }
    for (int count; (count = collect(guest, 0, used)) > 0;) {
        for (int i = 0; i < count; i++) {
            if (used[i].written != HEADER + (guint32)size) {
                fail("a frame", "has another size than was sent");
            }
            add(guest, 0, GPOINTER_TO_UINT(used[i].cookie), SLOT_SIZE);
        }
        received += (guint)count;
    }
    vhost_user_driver_queue_kick(guest->queues[0]);
    return received;
}

/* Keeps @window frames under way; returns how many came back. */
static guint64 exchange(Guest *guest, guint window, int64_t duration)
{
    int64_t end = nanoseconds(CLOCK_MONOTONIC) + duration;
    guint64 received = 0;
    guint under_way = 0;

    while (nanoseconds(CLOCK_MONOTONIC) < end) {
        under_way += send_frames(guest, window - under_way);
        guint count = receive_frames(guest, 1000);

        if (count == 0) {
            fail("frames", "do not come back");
        }
        under_way -= count;
        received += count;
    }
    while (under_way > 0) {
        guint count = receive_frames(guest, 1000);

        if (count == 0) {
            fail("frames", "are lost");
        }
        under_way -= count;
        received += count;
    }
    return received;
}

int main(int argc, char **argv)
{
    const GOptionEntry entries[] = {
        {"socket", 0, 0, G_OPTION_ARG_STRING, &socket_path, "the back-end's", "PATH"},
        {"pid", 0, 0, G_OPTION_ARG_INT, &pid, "the back-end's process", "N"},
        {"size", 0, 0, G_OPTION_ARG_INT, &size, "bytes of a frame", "N"},
        {"depth", 0, 0, G_OPTION_ARG_INT, &depth, "frames under way", "N"},
        {"milliseconds", 0, 0, G_OPTION_ARG_INT, &milliseconds, "of each measurement", "N"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    Guest guest = {0};

    process_parse_options(entries, argc, argv);
    if (!socket_path || pid <= 0 || size < 14 || size > (int)(SLOT_SIZE - HEADER) || depth < 1 ||
        depth > FRAMES_UNDER_WAY_MAXIMUM || milliseconds < 1) {
        fail("options", "--socket and --pid are needed; --size 14 to 2036, --depth 1 to 512");
    }
    start(&guest);
    const int64_t duration = milliseconds * G_GINT64_CONSTANT(1000000);
    exchange(&guest, (guint)depth, duration / 10); /* warm */
    int64_t cpu = process_cpu(pid), begin = nanoseconds(CLOCK_MONOTONIC);
    guint64 frames = exchange(&guest, (guint)depth, duration);
    int64_t took = nanoseconds(CLOCK_MONOTONIC) - begin;
    cpu = process_cpu(pid) - cpu;
    begin = nanoseconds(CLOCK_MONOTONIC);
    guint64 single = exchange(&guest, 1, duration);
    int64_t latency = (nanoseconds(CLOCK_MONOTONIC) - begin) / (int64_t)single;
    double bytes = (double)frames * size;
    printf("{\"size\": %d, \"depth\": %d, \"frames_per_second\": %.0f, \"bytes_per_second\": %.0f, "
           "\"latency_ns\": %" G_GINT64_FORMAT ", \"cpu_ns_per_frame\": %.0f, "
           "\"cpu_seconds_per_gigabyte\": %.3f}\n",
           size, depth, (double)frames * 1e9 / (double)took, bytes * 1e9 / (double)took,
           (gint64)latency, (double)cpu / (double)frames, (double)cpu / bytes);
    vhost_user_front_end_free(guest.front);
    vhost_user_driver_queue_free(guest.queues[0]);
    vhost_user_driver_queue_free(guest.queues[1]);
    vhost_user_guest_memory_free(guest.memory);
    return 0;
}
