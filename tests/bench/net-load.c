/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's part of a network benchmark: frames out and back in. */
#include "net-load.h"
#include "process.h"
#include "times.h"

#include "qtest/vmm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SLOT_SIZE 2048u
#define HEADER 12u /* struct virtio_net_hdr_mrg_rxbuf (virtio 1.2, 5.1.6) */
#define USED_AT_ONCE 64u
#define PATIENCE 5000 /* milliseconds for a frame */
#define OPENING 100   /* milliseconds for a frame of which it is not sure that it comes back */
#define RECEIVE 0u
#define TRANSMIT 1u

G_STATIC_ASSERT(NET_LOAD_FRAME_MAX + HEADER == SLOT_SIZE);
G_STATIC_ASSERT(NET_LOAD_RING >= 2 * NET_LOAD_DEPTH);

static void add(NetLoad *load, guint queue, guint slot, guint32 bytes)
{
    const VhostUserDriverBuffer buffer = {load->slots + (guint64)slot * SLOT_SIZE, bytes};
    gboolean writable = queue == RECEIVE;
    int result = vhost_user_driver_queue_add(load->queues[queue], &buffer, !writable, writable, 0,
                                             GUINT_TO_POINTER(slot));

    if (result < 0) {
        vmm_fail("a ring: %s", g_strerror(-result));
    }
}

guint64 net_load_init(NetLoad *load, const VhostUserMemoryArea *areas, size_t count, guint64 place)
{
    guint64 slots_size = 3ull * NET_LOAD_DEPTH * SLOT_SIZE;

    *load = (NetLoad){.slots = place, .frame_size = 64};
    if (!vhost_user_guest_memory_host(areas, count, place, slots_size)) {
        vmm_fail("there is no guest memory for the frames");
    }
    place += slots_size;
    for (guint i = 0; i < NET_LOAD_QUEUES; i++) {
        load->places[i] = (VhostUserDriverParameters){.areas = areas,
                                                      .area_count = count,
                                                      .features = NET_LOAD_FEATURES,
                                                      .index = i,
                                                      .size = NET_LOAD_RING};
        place = vhost_user_driver_place(&load->places[i], place);
        load->queues[i] = vhost_user_driver_queue_new(&load->places[i]);
        if (!load->queues[i]) {
            vmm_fail("a queue: %s", g_strerror(errno));
        }
    }
    for (guint i = 0; i < NET_LOAD_DEPTH; i++) {
        load->free_slots[load->free_count++] = i;
        add(load, RECEIVE, NET_LOAD_DEPTH + i, SLOT_SIZE);
        add(load, RECEIVE, 2 * NET_LOAD_DEPTH + i, SLOT_SIZE);
    }
    vhost_user_driver_queue_kick(load->queues[RECEIVE]);
    return place;
}

void net_load_clear(NetLoad *load)
{
    for (guint i = 0; i < NET_LOAD_QUEUES; i++) {
        vhost_user_driver_queue_free(load->queues[i]);
        load->queues[i] = NULL;
    }
}

static guint collect(NetLoad *load, guint queue, VhostUserDriverUsed *used)
{
    int count = vhost_user_driver_queue_collect(load->queues[queue], used, USED_AT_ONCE);

    if (count < 0) {
        vmm_fail("a ring: %s", vhost_user_driver_queue_error(load->queues[queue]));
    }
    return (guint)count;
}

/* Sends what there are free slots for, at most @most. */
static guint send_frames(NetLoad *load, guint most)
{
    VhostUserDriverUsed used[USED_AT_ONCE];
    guint sent = 0;

    for (guint count; (count = collect(load, TRANSMIT, used)) > 0;) {
        for (guint i = 0; i < count; i++) {
            load->free_slots[load->free_count++] = GPOINTER_TO_UINT(used[i].cookie);
        }
    }
    for (; sent < most && load->free_count > 0; sent++) {
        add(load, TRANSMIT, load->free_slots[--load->free_count], HEADER + load->frame_size);
    }
    if (sent > 0) {
        vhost_user_driver_queue_kick(load->queues[TRANSMIT]);
    }
    return sent;
}

/* Waits for at least one frame, takes all that have come back, posts their buffers again. */
static guint receive_frames(NetLoad *load)
{
    VhostUserDriverUsed used[USED_AT_ONCE];
    guint received = 0;

    if (vhost_user_driver_queue_wait(load->queues[RECEIVE], PATIENCE) <= 0) {
        vmm_fail("frames do not come back within %d ms", PATIENCE);
    }
    for (guint count; (count = collect(load, RECEIVE, used)) > 0; received += count) {
        for (guint i = 0; i < count; i++) {
            if (used[i].written != HEADER + load->frame_size) {
                vmm_fail("a frame of %u bytes came back with %u", HEADER + load->frame_size,
                         used[i].written);
            }
            add(load, RECEIVE, GPOINTER_TO_UINT(used[i].cookie), SLOT_SIZE);
        }
    }
    vhost_user_driver_queue_kick(load->queues[RECEIVE]);
    return received;
}

void net_load_reach(NetLoad *load)
{
    VhostUserDriverQueue *queue = load->queues[RECEIVE];
    guint sent = 0, received = 0;

    while (received == 0 && sent < PATIENCE / OPENING) {
        sent += send_frames(load, 1);
        received += vhost_user_driver_queue_wait(queue, OPENING) > 0 ? receive_frames(load) : 0;
    }
    if (received == 0) {
        vmm_fail("no frame comes back within %d ms", PATIENCE);
    }
    while (received < sent && vhost_user_driver_queue_wait(queue, OPENING) > 0) {
        received += receive_frames(load);
    }
}

void net_load_run(NetLoad *load, guint window, int64_t duration, const gint *stop, NetLoadRun *run)
{
    int64_t begin = nanoseconds(CLOCK_MONOTONIC), end = begin + duration, last = begin;
    gboolean ends = FALSE;
    guint under_way = 0;

    run->frames = 0;
    run->longest_gap = 0;
    while (!ends || under_way > 0) {
        guint sent = ends ? 0 : send_frames(load, window - under_way);
        guint count = receive_frames(load);
        int64_t now = nanoseconds(CLOCK_MONOTONIC);

        under_way += sent - count;
        run->frames += count;
        run->longest_gap = MAX(run->longest_gap, now - last);
        if (run->latencies) {
            int64_t latency = now - last;
            g_array_append_val(run->latencies, latency);
        }
        last = now;
        ends = now >= end || (stop && g_atomic_int_get(stop));
    }
    run->took = last - begin;
}

static void measure_size(NetLoad *load, pid_t pid, int64_t duration)
{
    g_autoptr(GArray) latencies = g_array_new(FALSE, FALSE, sizeof(int64_t));
    NetLoadRun many = {0}, single = {.latencies = latencies};
    int64_t *values, cpu, rest, rest_cpu;

    net_load_run(load, NET_LOAD_DEPTH, duration / 10, NULL, &many); /* warm */
    cpu = process_cpu(pid);
    net_load_run(load, NET_LOAD_DEPTH, duration, NULL, &many);
    cpu = process_cpu(pid) - cpu;
    net_load_run(load, 1, duration, NULL, &single);
    values = (int64_t *)(void *)latencies->data;
    rest = nanoseconds(CLOCK_MONOTONIC);
    rest_cpu = process_cpu(pid);
    g_usleep((gulong)(duration / 4000));
    rest_cpu = process_cpu(pid) - rest_cpu;
    rest = nanoseconds(CLOCK_MONOTONIC) - rest;
    double frames = (double)many.frames, bytes = frames * load->frame_size;
    printf("{\"size\": %u, \"frames_per_second\": %.0f, \"mb_per_second\": %.1f, "
           "\"median_us\": %.2f, \"p99_us\": %.2f, \"cpu_ns_per_frame\": %.1f, "
           "\"cpu_seconds_per_gb\": %.4f, \"idle_cpu_percent\": %.2f}",
           load->frame_size, frames * 1e9 / (double)many.took, bytes * 1e3 / (double)many.took,
           (double)quantile(values, latencies->len, 0.5) / 1e3,
           (double)quantile(values, latencies->len, 0.99) / 1e3, (double)cpu / frames,
           (double)cpu / bytes, 100 * (double)rest_cpu / (double)rest);
}

void net_load_measure(NetLoad *load, const guint *sizes, pid_t pid, int64_t duration)
{
    printf("[");
    for (guint i = 0; sizes[i] != 0; i++) {
        load->frame_size = sizes[i];
        printf("%s", i > 0 ? ", " : "");
        measure_size(load, pid, duration);
    }
    printf("]");
}

guint *net_load_sizes(const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);
    guint count = g_strv_length(words);
    g_autofree guint *sizes = g_new0(guint, count + 1);

    for (guint i = 0; i < count; i++) {
        guint64 value;

        if (!g_ascii_string_to_unsigned(words[i], 10, NET_LOAD_FRAME_MIN, NET_LOAD_FRAME_MAX,
                                        &value, NULL)) {
            return NULL;
        }
        sizes[i] = (guint)value;
    }
    return count > 0 ? g_steal_pointer(&sizes) : NULL;
}
