/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program as a child process. */
#include "qtest/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Setup {
    const ChildOptions *options;
    pid_t parent;
} Setup;

/* In the child, between fork and exec: only async-signal-safe calls. */
static void child_setup(gpointer opaque)
{
    const Setup *setup = opaque;
    const ChildOptions *options = setup->options;
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != setup->parent) {
        _exit(127);
    }
    if (options->input > 0) {
        dup2(options->input, STDIN_FILENO);
    }
    dup2(options->output, STDOUT_FILENO);
    dup2(options->errors, STDERR_FILENO);
    for (guint i = 0; i < options->inherit_count; i++) {
        fcntl(options->inherit[i], F_SETFD, 0);
    }
    if (options->prepare) {
        options->prepare();
    }
}

int child_output_new(void)
{
    int fd = memfd_create("output", MFD_CLOEXEC);

    fcntl(fd, F_SETFL, O_APPEND);
    return fd;
}

char *child_read(int output)
{
    GString *text = g_string_new(NULL);
    char bytes[4096];
    ssize_t got;

    while ((got = pread(output, bytes, sizeof(bytes), text->len)) > 0) {
        g_string_append_len(text, bytes, got);
    }
    return g_string_free(text, FALSE);
}

pid_t child_start(char **argv, const ChildOptions *options, int *pidfd, GError **error)
{
    Setup setup = {options, getpid()};
    GPid pid;
    GSpawnFlags flags = G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH |
                        (options->inherit_count ? G_SPAWN_LEAVE_DESCRIPTORS_OPEN : 0);

    if (!g_spawn_async(NULL, argv, NULL, flags, child_setup, &setup, &pid, error)) {
        return -1;
    }
    *pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    return pid;
}

gboolean child_wait(pid_t pid, int pidfd, guint milliseconds, int *status)
{
    struct pollfd poller = {.fd = pidfd, .events = POLLIN};
    gint64 deadline = g_get_monotonic_time() + milliseconds * 1000LL;
    int result;

    do {
        gint64 left = MAX(0, deadline - g_get_monotonic_time());

        result = poll(&poller, 1, (int)((left + 999) / 1000));
    } while (result < 0 && errno == EINTR);
    return result > 0 && waitpid(pid, status, 0) == pid;
}
