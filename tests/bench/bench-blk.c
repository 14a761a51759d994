/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A load on a vhost-user block back-end: requests a second, latencies, and what they cost the
 * back-end and us.  A thread a queue keeps --depth requests under way; it sleeps on the call
 * descriptor, as a guest's driver does on its interrupt, unless --poll says otherwise.
 */
#include "blk-guest.h"
#include "process.h"
#include "times.h"

#include "qtest/vmm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define WARM_UP 0.3  /* seconds before anything counts */
#define ANSWER 20000 /* ms that a request may take */
#define STEP_BITS 5
#define STEPS (1u << STEP_BITS) /* of latencies within a power of 2 */
#define LATENCIES (48 * STEPS)

static struct {
    char *socket, *pattern;
    int pid, queues, depth, block_size, regions;
    double seconds;
    gint64 count;
    gboolean packed, direct, poll, stamps;
} wanted = {.queues = 1, .depth = 32, .block_size = 4096, .regions = 1, .seconds = 1};

typedef enum { PHASE_WARM_UP, PHASE_MEASURE, PHASE_END } Phase;

typedef struct Worker {
    BlkQueue *queue;
    GThread *thread;
    guint64 random;
    guint64 next, first, blocks; /* its part of the disk, in blocks; next for sequential ones */
    guint64 done, begun, limit;
    gint64 waited; /* nanoseconds, the sum over all done */
    gint64 cpu;    /* nanoseconds of this thread while it was measured */
    gboolean measures;
    guint32 latencies[LATENCIES];
} Worker;

static BlkGuest guest;
static gint phase; /* of Phase, atomic */
static gboolean writes, sequential;

static guint64 next_random(Worker *worker)
{
    worker->random ^= worker->random << 13;
    worker->random ^= worker->random >> 7;
    worker->random ^= worker->random << 17;
    return worker->random;
}

/* --- latencies: linear steps within each power of 2, at most 3 % apart --- */

static guint step_of(guint64 value)
{
    if (value < STEPS) {
        return value;
    }
    guint power = 63 - __builtin_clzll(value) - STEP_BITS; /* of the width of a step */

    return MIN(STEPS * power + (guint)(value >> power), LATENCIES - 1);
}

static guint64 value_of(guint step)
{
    if (step < STEPS) {
        return step;
    }
    guint power = step / STEPS - 1;

    return (guint64)(step - STEPS * power) << power;
}

static double percentile(const guint64 *steps, guint64 total, double part)
{
    guint64 sum = 0;

    for (guint i = 0; i < LATENCIES; i++) {
        sum += steps[i];
        if (sum > total * part) {
            return value_of(i) / 1000.0;
        }
    }
    return 0;
}

/* --- one queue --- */

static void add(Worker *worker, BlkRequest *request)
{
    guint64 random = next_random(worker);
    guint64 block = sequential ? worker->next++ % worker->blocks : random % worker->blocks;
    guint64 sector = (worker->first + block) * (guest.options.block_size / BLK_SECTOR);

    /* At first from end to end, so that the back-end has met all pages before anything counts. */
    blk_guest_place(&guest, request,
                    worker->measures ? next_random(worker) : worker->begun / guest.options.depth);
    if (writes && wanted.stamps) {
        blk_guest_stamp(&guest, request, sector);
    }
    blk_guest_add(&guest, worker->queue, request, writes, sector);
    worker->begun++;
}

static void finish(Worker *worker, BlkRequest *request, gint64 now)
{
    if (blk_request_status(request) != 0) {
        vmm_fail("a request at sector %" G_GUINT64_FORMAT " ended with status %u", request->sector,
                 blk_request_status(request));
    }
    if (!writes && wanted.stamps && !blk_guest_stamped(&guest, request)) {
        vmm_fail("sector %" G_GUINT64_FORMAT " was not read as it is on the disk", request->sector);
    }
    if (worker->measures) {
        worker->latencies[step_of(now - request->begin)]++;
        worker->waited += now - request->begin;
        worker->done++;
    }
}

/* Shows the device what was added: all of it begins now. */
static void submit(Worker *worker, VhostUserDriverUsed *used, guint count)
{
    gint64 now = nanoseconds(CLOCK_MONOTONIC);

    for (guint i = 0; i < count; i++) {
        ((BlkRequest *)used[i].cookie)->begin = now;
    }
    vhost_user_driver_queue_kick(worker->queue->ring);
}

static void wait_for_some(VhostUserDriverQueue *ring)
{
    int result = 1;

    if (wanted.poll) {
        gint64 end = nanoseconds(CLOCK_MONOTONIC) + ANSWER * 1000000LL;
        while (!vhost_user_driver_queue_pending(ring) && result) {
            __builtin_ia32_pause();
            result = nanoseconds(CLOCK_MONOTONIC) < end;
        }
    } else {
        result = vhost_user_driver_queue_wait(ring, ANSWER);
    }
    if (result == 0) {
        vmm_fail("the back-end has answered nothing for %d seconds", ANSWER / 1000);
    }
}

/* Collects what there is, and replaces it while there is more to do. */
static void turn(Worker *worker, VhostUserDriverUsed *used, gboolean more)
{
    VhostUserDriverQueue *ring = worker->queue->ring;

    wait_for_some(ring);
    int count = vhost_user_driver_queue_collect(ring, used, guest.options.depth);
    if (count < 0) {
        vmm_fail("%s", vhost_user_driver_queue_error(ring));
    }
    gint64 now = nanoseconds(CLOCK_MONOTONIC);
    guint again = 0;
    for (int i = 0; i < count; i++) {
        finish(worker, used[i].cookie, now);
        if (more && (!worker->limit || worker->begun < worker->limit)) {
            used[again++] = used[i];
            add(worker, used[i].cookie);
        }
    }
    if (again > 0) {
        submit(worker, used, again);
    }
}

static gpointer work(gpointer opaque)
{
    Worker *worker = opaque;
    guint depth = guest.options.depth;
    g_autofree VhostUserDriverUsed *used = g_new(VhostUserDriverUsed, depth);
    gint64 cpu = 0;

    for (guint i = 0; i < depth; i++) {
        used[i].cookie = &worker->queue->requests[i];
        add(worker, used[i].cookie);
    }
    submit(worker, used, depth);
    worker->measures = worker->limit > 0;
    while (vhost_user_driver_queue_outstanding(worker->queue->ring) > 0) {
        Phase now = g_atomic_int_get(&phase);

        if (now == PHASE_MEASURE && !worker->measures) {
            worker->measures = TRUE;
            cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
        } else if (now == PHASE_END && worker->measures) {
            worker->measures = FALSE;
            worker->cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
        }
        turn(worker, used, now != PHASE_END);
    }
    if (worker->limit) {
        worker->cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    }
    return NULL;
}

/* --- all of them --- */

static Worker *start_workers(void)
{
    Worker *workers = g_new0(Worker, wanted.queues);
    guint64 blocks = guest.capacity / (wanted.block_size / BLK_SECTOR) / wanted.queues;

    if (blocks == 0) {
        vmm_fail("the disk has %" G_GUINT64_FORMAT
                 " sectors, too few for --queues and --block-size",
                 guest.capacity);
    }
    for (int i = 0; i < wanted.queues; i++) {
        workers[i] = (Worker){
            .queue = &guest.queues[i],
            .random = 0x9e3779b97f4a7c15ull * (i + 1),
            .blocks = blocks,
            .first = blocks * i,
            .limit = wanted.count ? MAX(wanted.count / wanted.queues, wanted.depth) : 0,
        };
        workers[i].thread = g_thread_new("queue", work, &workers[i]);
    }
    return workers;
}

static void join(Worker *workers)
{
    for (int i = 0; i < wanted.queues; i++) {
        g_thread_join(workers[i].thread);
    }
}

static gint64 backend_cpu(void)
{
    return wanted.pid ? process_cpu(wanted.pid) : 0;
}

static gint64 backend_switches(void)
{
    return wanted.pid ? (gint64)process_switches(wanted.pid) : 0;
}

static void report(const Worker *workers, double seconds, gint64 cpu, gint64 switches)
{
    static guint64 steps[LATENCIES];
    VhostUserDriverStatistics sum = {0};
    guint64 done = 0, own = 0, waited = 0;

    for (int i = 0; i < wanted.queues; i++) {
        VhostUserDriverStatistics one;

        vhost_user_driver_queue_statistics(workers[i].queue->ring, &one);
        sum.added += one.added;
        sum.kicks += one.kicks;
        sum.calls += one.calls;
        done += workers[i].done;
        own += workers[i].cpu;
        waited += workers[i].waited;
        for (guint step = 0; step < LATENCIES; step++) {
            steps[step] += workers[i].latencies[step];
        }
    }
    printf("{\"requests\":%" G_GUINT64_FORMAT ",\"seconds\":%.3f,\"requests_per_second\":%.0f,"
           "\"mb_per_second\":%.1f,\"mean_us\":%.2f,\"median_us\":%.2f,\"p99_us\":%.2f,",
           done, seconds, done / seconds, done / seconds * wanted.block_size / 1e6,
           waited / 1000.0 / done, percentile(steps, done, 0.5), percentile(steps, done, 0.99));
    printf("\"own_cpu_us_per_request\":%.3f,\"kicks_per_request\":%.3f,\"calls_per_request\":%.3f",
           own / 1000.0 / done, (double)sum.kicks / sum.added, (double)sum.calls / sum.added);
    if (wanted.pid) {
        printf(",\"backend_cpu_us_per_request\":%.3f,\"requests_per_cpu_second\":%.0f,"
               "\"backend_switches_per_request\":%.3f",
               cpu / 1000.0 / done, done / (cpu / 1e9), (double)switches / done);
    }
    printf("}\n");
}

static void measure(void)
{
    gint64 begin = nanoseconds(CLOCK_MONOTONIC);
    gint64 cpu = backend_cpu();
    gint64 switches = backend_switches();
    Worker *workers = start_workers();

    if (wanted.count) {
        join(workers);
    } else {
        g_usleep(WARM_UP * G_USEC_PER_SEC);
        cpu = backend_cpu();
        switches = backend_switches();
        begin = nanoseconds(CLOCK_MONOTONIC);
        g_atomic_int_set(&phase, PHASE_MEASURE);
        g_usleep(wanted.seconds * G_USEC_PER_SEC);
        g_atomic_int_set(&phase, PHASE_END);
    }
    double seconds = (nanoseconds(CLOCK_MONOTONIC) - begin) / 1e9;
    cpu = backend_cpu() - cpu;
    switches = backend_switches() - switches;
    if (!wanted.count) {
        join(workers);
    }
    report(workers, seconds, cpu, switches);
    g_free(workers);
}

static void check_options(void)
{
    static const char *const patterns[] = {"randread", "randwrite", "read", "write", NULL};

    wanted.pattern = wanted.pattern ? wanted.pattern : g_strdup("randread");
    if (!wanted.socket) {
        vmm_fail("--socket is missing");
    }
    if (!g_strv_contains(patterns, wanted.pattern)) {
        vmm_fail("--pattern %s: randread, randwrite, read or write", wanted.pattern);
    }
    if (wanted.queues < 1 || wanted.queues > 256 || wanted.depth < 1 || wanted.depth > 1024) {
        vmm_fail("--queues goes from 1 to 256, --depth from 1 to 1024");
    }
    if (wanted.block_size < 4096 || wanted.block_size > 1 << 20 || wanted.block_size % 4096) {
        vmm_fail("--block-size goes from 4096 to 1048576 and is a multiple of 4096");
    }
    /* Memory stays the same: regions are powers of 2 of pages. */
    if (wanted.regions < 1 || wanted.regions > 4096 || (wanted.regions & (wanted.regions - 1))) {
        vmm_fail("--regions goes from 1 to 4096 and is a power of 2");
    }
    if (wanted.count < 0 || !(wanted.seconds > 0 && wanted.seconds <= 3600)) {
        vmm_fail("--seconds goes up to 3600, --count from 1");
    }
    sequential = !g_str_has_prefix(wanted.pattern, "rand");
    writes = g_str_has_suffix(wanted.pattern, "write");
}

static void parse_options(int argc, char **argv)
{
    const GOptionEntry entries[] = {
        {"socket", 0, 0, G_OPTION_ARG_FILENAME, &wanted.socket, "the back-end's socket", "PATH"},
        {"pid", 0, 0, G_OPTION_ARG_INT, &wanted.pid, "the back-end: report its CPU time", "PID"},
        {"queues", 0, 0, G_OPTION_ARG_INT, &wanted.queues, "a thread each", "N"},
        {"depth", 0, 0, G_OPTION_ARG_INT, &wanted.depth, "requests under way in a queue", "N"},
        {"block-size", 0, 0, G_OPTION_ARG_INT, &wanted.block_size, "of a request", "BYTES"},
        {"pattern", 0, 0, G_OPTION_ARG_STRING, &wanted.pattern, "randread, randwrite, read, write",
         "NAME"},
        {"regions", 0, 0, G_OPTION_ARG_INT, &wanted.regions, "128 MiB of memory in so many", "N"},
        {"seconds", 0, 0, G_OPTION_ARG_DOUBLE, &wanted.seconds, "how long to measure", "S"},
        {"count", 0, 0, G_OPTION_ARG_INT64, &wanted.count, "so many requests instead", "N"},
        {"packed", 0, 0, G_OPTION_ARG_NONE, &wanted.packed, "packed rings", NULL},
        {"direct", 0, 0, G_OPTION_ARG_NONE, &wanted.direct, "no indirect descriptors", NULL},
        {"poll", 0, 0, G_OPTION_ARG_NONE, &wanted.poll, "poll the rings, never sleep", NULL},
        {"stamps", 0, 0, G_OPTION_ARG_NONE, &wanted.stamps,
         "each 4 KiB of the disk begin with their number: keep that, and check it", NULL},
        G_OPTION_ENTRY_NULL,
    };

    process_parse_options(entries, argc, argv);
    check_options();
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);
    process_raise_descriptors();
    BlkGuestOptions options = {
        .socket = wanted.socket,
        .queues = wanted.queues,
        .depth = wanted.depth,
        .regions = wanted.regions,
        .block_size = wanted.block_size,
        .packed = wanted.packed,
        .direct = wanted.direct,
    };
    blk_guest_start(&guest, &options);
    measure();
    blk_guest_end(&guest);
    return 0;
}
