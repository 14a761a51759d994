/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-user-blk is ended in the middle of writes, again and again, under our program and under
 * Debian's QEMU, which connect again and give it the buffer of requests in flight
 * (VHOST_USER_SET_INFLIGHT_FD).  Each write goes to a sector of its own, so the backend's log tells
 * how often it was begun.
 */
#include "qtest/daemon-rig.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512
#define SECTORS (DAEMON_IMAGE / SECTOR)
#define DIMMS 3
#define ENDS 5
#define NOT_YET G_MAXUINT
#define PATIENCE 60000 /* milliseconds for a request, with a reconnect in between */

typedef struct Write {
    guint tag;
    guint queue;
    guint submitted, finished; /* life of the backend in which it was: 0 before the first end */
    guint begun[ENDS + 1];     /* how often the backend said so, by its life */
} Write;

typedef struct Run {
    DaemonRig *daemon;
    int signal; /* that ends the backend */
    guint life; /* how often it was ended */
    guint queues;
    guint depth;    /* writes that are submitted at a time on each queue */
    GArray *writes; /* of Write; the index is the sector */
    uint64_t dimms[DIMMS];
    gint64 log_ends[ENDS + 1]; /* bytes of the log at the end of each life */
} Run;

static void submit(Run *run, guint queue)
{
    Write write = {.queue = queue, .submitted = run->life, .finished = NOT_YET};
    guint sector = run->writes->len;
    uint64_t address = run->dimms[sector % DIMMS] + (sector / DIMMS) * (uint64_t)SECTOR;

    g_assert_cmpuint(sector, <, SECTORS);
    daemon_fill(run->daemon, daemon_disk(run->daemon, 0), sector * (uint64_t)SECTOR, address,
                SECTOR);
    write.tag = blk_disk_submit(rig_disk(run->daemon->rig, 0), queue, VIRTIO_BLK_T_OUT, sector,
                                address, SECTOR);
    g_array_append_val(run->writes, write);
}

/* Notes which writes have finished; waits for each as long as @milliseconds. */
static guint collect(Run *run, guint milliseconds)
{
    guint out = 0;

    for (guint i = 0; i < run->writes->len; i++) {
        Write *write = &g_array_index(run->writes, Write, i);
        int status;

        if (write->finished != NOT_YET) {
            continue;
        }
        status = blk_disk_finish(rig_disk(run->daemon->rig, 0), write->tag, milliseconds);
        if (status < 0) {
            out++;
            continue;
        }
        g_assert_cmpint(status, ==, VIRTIO_BLK_S_OK);
        write->finished = run->life;
    }
    return out;
}

static gint64 log_size(Run *run)
{
    struct stat status;

    g_assert_cmpint(stat(daemon_disk(run->daemon, 0)->options.log, &status), ==, 0);
    return status.st_size;
}

/* Waits until the machine has connected again and the backend says that it serves all queues.
 * (QEMU 7.2 says no more to a backend after one that ended in the middle of its greeting.) */
static void await_queues(Run *run)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE * 1000LL;

    for (;;) {
        g_autofree char *log = daemon_disk_log(daemon_disk(run->daemon, 0));
        guint started = 0;

        for (char *at = log + run->log_ends[run->life - 1]; (at = strstr(at, ": started")); at++) {
            started++;
        }
        if (started >= run->queues) {
            break;
        }
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_usleep(1000);
    }
    /* The main loop greets and answers QMP: what is left of the greeting is over with this. */
    json_object_put(qmp_command_or_fail(run->daemon->rig->qmp, "{'execute':'query-status'}"));
}

/* Ends the backend and starts it again, until it is served again; what is in the used rings by its
 * end has finished. */
static guint end_backend(Run *run)
{
    guint out;

    g_assert_cmpint(daemon_disk_end(daemon_disk(run->daemon, 0), run->signal), ==,
                    run->signal == SIGKILL ? SIGKILL : 0);
    out = collect(run, 0);
    run->log_ends[run->life++] = log_size(run);
    daemon_disk_restart(daemon_disk(run->daemon, 0));
    await_queues(run);
    return out;
}

/* A batch for each queue, as a stopped backend finds it when it goes on; ended as soon as it has
 * begun @begun of them. */
static guint write_and_end(Run *run, guint begun)
{
    pid_t pid = daemon_disk(run->daemon, 0)->pid;
    gint64 end = log_size(run) + begun * (gint64)strlen("write 1 512\n");
    gint64 deadline = g_get_monotonic_time() + PATIENCE * 1000LL;

    kill(pid, SIGSTOP);
    for (guint i = 0; i < run->queues * run->depth; i++) {
        submit(run, i % run->queues);
    }
    kill(pid, SIGCONT);
    while (log_size(run) < end) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
    return end_backend(run);
}

/* Reads the backend's log: a line "write SECTOR BYTES" before each write that it begins. */
static void read_log(Run *run)
{
    g_autofree char *log = daemon_disk_log(daemon_disk(run->daemon, 0));
    guint life = 0;

    run->log_ends[run->life] = G_MAXINT64;
    for (char *line = log, *end; (end = strchr(line, '\n')); line = end + 1) {
        const char *text;
        unsigned sector, bytes;

        *end = '\0';
        while (line - log >= run->log_ends[life]) {
            life++;
        }
        text = strstr(line, "write ");
        if (text && sscanf(text, "write %u %u", &sector, &bytes) == 2) {
            g_assert_cmpuint(bytes, ==, SECTOR);
            g_assert_cmpuint(sector, <, run->writes->len);
            g_array_index(run->writes, Write, sector).begun[life]++;
        }
    }
}

/*
 * Each write is begun exactly once in the life in which it finished, at most once in those before
 * that saw it out, and never in another.
 */
static void check_log(Run *run)
{
    guint again = 0;

    read_log(run);
    for (guint i = 0; i < run->writes->len; i++) {
        const Write *write = &g_array_index(run->writes, Write, i);

        for (guint life = 0; life <= run->life; life++) {
            guint least = life == write->finished;
            guint most = life >= write->submitted && life <= write->finished;

            if (write->begun[life] < least || write->begun[life] > most) {
                vmm_fail("the write of sector %u, submitted in life %u of the backend and finished "
                         "in life %u, was begun %u times in life %u",
                         i, write->submitted, write->finished, write->begun[life], life);
            }
            again += life != write->finished && write->begun[life];
        }
    }
    g_test_message("%u writes, %u of them begun again", run->writes->len, again);
    if (run->signal != SIGKILL) { /* it finishes what it has begun */
        g_assert_cmpuint(again, ==, 0);
    }
}

typedef struct ReconnectCase {
    gboolean debian; /* under Debian's QEMU */
    guint queues;
    int signal;
    BlkOptions options;
} ReconnectCase;

static const ReconnectCase cases[] = {
    {TRUE, 1, SIGKILL, {0}},
    {TRUE, 1, SIGKILL, {.indirect = TRUE, .event_index = TRUE}},
    {TRUE, 3, SIGKILL, {.queues = 3, .indirect = TRUE}},
    {TRUE, 2, SIGTERM, {.queues = 2, .indirect = TRUE}},
    {FALSE, 1, SIGKILL, {0}},
    {FALSE, 1, SIGKILL, {.indirect = TRUE, .event_index = TRUE}},
    {FALSE, 3, SIGKILL, {.queues = 3, .indirect = TRUE}},
    {FALSE, 2, SIGTERM, {.queues = 2, .indirect = TRUE}},
};

static void test_ended(gconstpointer data)
{
    static const guint begun[] = {0, 1, 5, 12};
    const ReconnectCase *one = data;
    g_autofree char *binary = one->debian ? g_find_program_in_path("qemu-system-x86_64") : NULL;
    DaemonOptions options = {.queues = one->queues,
                             .log = TRUE,
                             .daemon_arguments = "--log debug",
                             .chardev = one->debian ? ",reconnect=1" : ",reconnect-ms=10",
                             .binary = binary};
    Run run = {.writes = g_array_new(FALSE, FALSE, sizeof(Write)),
               .depth = 36,
               .signal = one->signal,
               .queues = one->queues};
    guint out = 0;

    if (one->debian && !binary) {
        g_test_skip("qemu-system-x86_64 is not installed (Debian: qemu-system-x86)");
        return;
    }
    run.daemon = daemon_rig_start(&options);
    rig_boot(run.daemon->rig, &one->options);
    for (guint i = 0; i < DIMMS; i++) {
        rig_plug(run.daemon->rig, i);
        run.dimms[i] = rig_dimm_address(run.daemon->rig, i);
    }
    for (guint i = 0; i < G_N_ELEMENTS(begun); i++) {
        out += write_and_end(&run, begun[i]);
        if (i == 1) { /* once more, before or while it does again what was out */
            out += end_backend(&run);
        }
        g_assert_cmpuint(collect(&run, PATIENCE), ==, 0);
    }
    g_assert_cmpuint(run.life, ==, ENDS);
    if (run.signal == SIGKILL) {
        g_assert_cmpuint(out, >, 0);
    }
    check_log(&run);
    daemon_check(run.daemon, 0, 0, DAEMON_IMAGE / 2, run.dimms[0] + RIG_DIMM / 2, 4096);
    g_array_free(run.writes, TRUE);
    daemon_rig_end(run.daemon);
}

/*
 * Any daemon, with a record of requests in flight or without, is killed under our program: each
 * write is finished and on the disk.  There is one out on each queue: of more of them, a daemon
 * without a record (qemu-storage-daemon) finishes some out of turn, and then nobody knows which.
 * In every second round it has not begun yet.
 */
static void test_killed(gconstpointer data G_GNUC_UNUSED)
{
    DaemonOptions options = {.queues = 2, .chardev = ",reconnect-ms=10"};
    BlkOptions disk = {.queues = 2, .indirect = TRUE};
    Run run = {.writes = g_array_new(FALSE, FALSE, sizeof(Write)), .queues = 2};

    run.daemon = daemon_rig_start(&options);
    rig_boot(run.daemon->rig, &disk);
    for (guint i = 0; i < DIMMS; i++) {
        rig_plug(run.daemon->rig, i);
        run.dimms[i] = rig_dimm_address(run.daemon->rig, i);
    }
    for (guint round = 0; round < 4 * ENDS; round++) {
        if (round % 2) {
            kill(daemon_disk(run.daemon, 0)->pid, SIGSTOP);
        }
        for (guint i = 0; i < run.queues; i++) {
            submit(&run, i);
        }
        daemon_disk_kill(daemon_disk(run.daemon, 0));
        daemon_disk_restart(daemon_disk(run.daemon, 0));
        g_assert_cmpuint(collect(&run, PATIENCE), ==, 0);
    }
    daemon_check(run.daemon, 0, 1, DAEMON_IMAGE / 2, run.dimms[1] + RIG_DIMM / 2, 4096);
    g_array_free(run.writes, TRUE);
    daemon_rig_end(run.daemon);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    daemon_test_add_for(BLK_DAEMON_OURS, "/reconnect/ring", &cases[0], test_ended);
    daemon_test_add_for(BLK_DAEMON_OURS, "/reconnect/indirect", &cases[1], test_ended);
    daemon_test_add_for(BLK_DAEMON_OURS, "/reconnect/3-queues", &cases[2], test_ended);
    daemon_test_add_for(BLK_DAEMON_OURS, "/reconnect/terminated", &cases[3], test_ended);
    daemon_test_add_for(BLK_DAEMON_OURS, "/reconnect/own/ring", &cases[4], test_ended);
    daemon_test_add_for(BLK_DAEMON_OURS, "/reconnect/own/indirect", &cases[5], test_ended);
    daemon_test_add_for(BLK_DAEMON_OURS, "/reconnect/own/3-queues", &cases[6], test_ended);
    daemon_test_add_for(BLK_DAEMON_OURS, "/reconnect/own/terminated", &cases[7], test_ended);
    daemon_test_add("/reconnect/killed", NULL, test_killed);
    return g_test_run();
}
