/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a measurement asks of another process: memory, context switches, system calls; and what it
 * needs to begin with in its own. */
#include "process.h"

#include "qtest/process.h"
#include "qtest/vmm.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTORS 65536 /* one a DIMM in the program, one a DIMM and device here */

guint64 process_memory(pid_t pid, const char *key)
{
    return process_number(pid, "smaps_rollup", key);
}

guint64 process_private(pid_t pid)
{
    return process_memory(pid, "Private_Clean") + process_memory(pid, "Private_Dirty");
}

guint64 process_switches(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task", pid);
    g_autoptr(GDir) tasks = g_dir_open(path, 0, NULL);
    guint64 sum = 0;
    const char *task;

    if (!tasks) {
        vmm_fail("%s cannot be read", path);
    }
    while ((task = g_dir_read_name(tasks))) {
        g_autofree char *file = g_build_filename(path, task, "status", NULL);
        g_autofree char *text = NULL;

        /* A thread may end meanwhile. */
        if (g_file_get_contents(file, &text, NULL, NULL)) {
            sum += process_number_in(text, "voluntary_ctxt_switches") +
                   process_number_in(text, "nonvoluntary_ctxt_switches");
        }
    }
    return sum;
}

gint64 process_cpu(pid_t pid)
{
    struct timespec time;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) < 0) {
        vmm_fail("process %d has no CPU time", pid);
    }
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* The "total" line of strace -c: the calls are its fourth column. */
static guint64 total_of(const char *summary)
{
    g_auto(GStrv) lines = g_strsplit(summary, "\n", -1);

    for (guint i = 0; lines[i]; i++) {
        double percent, seconds;
        unsigned long each;
        unsigned long long calls;
        if (g_str_has_suffix(lines[i], " total") &&
            sscanf(lines[i], "%lf %lf %lu %llu", &percent, &seconds, &each, &calls) == 4) {
            return calls;
        }
    }
    vmm_fail("strace counted nothing: %s", summary);
}

guint64 process_system_calls(pid_t pid, void (*work)(gpointer opaque), gpointer opaque)
{
    g_autofree char *output = vmm_temporary_path("strace");
    g_autofree char *target = g_strdup_printf("%d", pid);
    char *arguments[] = {"strace", "-f", "-c", "-o", output, "-p", target, NULL};
    g_autoptr(GError) error = NULL;
    GPid tracer;
    int errors;

    if (!g_spawn_async_with_pipes(NULL, arguments, NULL,
                                  G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                                  &tracer, NULL, NULL, &errors, &error)) {
        vmm_fail("%s", error->message);
    }
    /* strace says "Process N attached" when it has all threads. */
    char line[256];
    if (read(errors, line, sizeof(line)) <= 0) {
        vmm_fail("strace cannot attach");
    }
    g_usleep(200000);
    work(opaque);
    kill(tracer, SIGINT);
    waitpid(tracer, NULL, 0);
    close(errors);
    g_autofree char *summary = NULL;
    if (!g_file_get_contents(output, &summary, NULL, NULL)) {
        vmm_fail("cannot read %s", output);
    }
    return total_of(summary);
}

void process_parse_options(const GOptionEntry *entries, int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    GOptionContext *context = g_option_context_new(NULL);

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        vmm_fail("%s", error->message);
    }
    g_option_context_free(context);
}

void process_raise_descriptors(void)
{
    struct rlimit limit = {DESCRIPTORS, DESCRIPTORS};

    /* Beyond the hard limit only root gets; others get all that they may have. */
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}
