/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program's life: command line, going to the background, signals, main
 * loop, orderly end.
 */
#include "setup.h"

#include "system/command-line.h"
#include "system/main-loop.h"
#include "system/run-state.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/report.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The pipe on which a parent waits for its daemon, -1 without -daemonize. */
static int ready_pipe = -1;

/* The parent's half of -daemonize: its exit status is the daemon's success. */
static int wait_until_ready(int pipe_fd, pid_t child)
{
    char status = 1;
    ssize_t length;
    int child_status;

    do {
        length = read(pipe_fd, &status, 1);
    } while (length < 0 && errno == EINTR);
    if (length == 1) {
        return status;
    }
    if (waitpid(child, &child_status, 0) == child && WIFEXITED(child_status)) {
        return WEXITSTATUS(child_status);
    }
    return 1;
}

static gboolean go_to_background(GError **error)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0) {
        vm_error_set_errno(error, errno, "-daemonize: cannot make a pipe");
        return FALSE;
    }
    pid_t child = fork();
    if (child < 0) {
        vm_error_set_errno(error, errno, "-daemonize: cannot fork");
        return FALSE;
    }
    if (child > 0) {
        close(fds[1]);
        _exit(wait_until_ready(fds[0], child));
    }
    close(fds[0]);
    ready_pipe = fds[1];
    setsid();
    umask(027);
    return TRUE;
}

/* The daemon is complete: lets go of the terminal and of the parent. */
static gboolean tell_parent(GError **error)
{
    const char success = 0;

    if (ready_pipe < 0) {
        return TRUE;
    }
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || chdir("/") < 0) {
        vm_error_set_errno(error, errno, "-daemonize: cannot leave the terminal");
        return FALSE;
    }
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    /* A log without -D would be lost on a terminal that nobody reads. */
    dup2(null, STDERR_FILENO);
    close(null);
    ssize_t written = write(ready_pipe, &success, 1);
    fd_clear(&ready_pipe);
    return written == 1;
}

/* The pidfile stays locked as long as the process lives; a second one is refused. */
static int write_pidfile(const char *path, GError **error)
{
    g_autofree char *text = g_strdup_printf("%ld\n", (long)getpid());
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) {
        vm_error_set_errno(error, errno, "-pidfile %s: cannot create it", path);
        return -1;
    }
    if (fcntl(fd, F_SETLK, &lock) < 0) {
        vm_error_set(error, "-pidfile %s: another process holds it", path);
        close(fd);
        return -1;
    }
    if (ftruncate(fd, 0) < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        vm_error_set_errno(error, errno, "-pidfile %s: cannot write it", path);
        close(fd);
        return -1;
    }
    return fd;
}

static gboolean end_on_signal(gpointer opaque G_GNUC_UNUSED)
{
    run_state_request_shutdown(SHUTDOWN_CAUSE_HOST_SIGNAL);
    return G_SOURCE_CONTINUE;
}

static void catch_signals(void)
{
    g_unix_signal_add(SIGTERM, end_on_signal, NULL);
    g_unix_signal_add(SIGINT, end_on_signal, NULL);
    g_unix_signal_add(SIGHUP, end_on_signal, NULL);
}

static gboolean run(const GArray *items, GError **error)
{
    const char *pidfile = command_line_last(items, "pidfile");
    g_autofree char *pidfile_path = pidfile ? g_canonicalize_filename(pidfile, NULL) : NULL;
    int pidfile_fd = -1;

    if (pidfile_path) {
        pidfile_fd = write_pidfile(pidfile_path, error);
        if (pidfile_fd < 0) {
            return FALSE;
        }
    }
    catch_signals();
    gboolean good = setup_machine(items, error) && tell_parent(error) && setup_start(items, error);
    if (good) {
        main_loop_run();
    } else if (main_loop_is_quitting()) {
        /* A signal came first, and what it interrupted is no error. */
        g_clear_error(error);
        good = TRUE;
    }
    setup_clear();
    if (pidfile_fd >= 0) {
        unlink(pidfile_path);
        close(pidfile_fd);
    }
    return good;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) items = NULL;
    int status;

    /* Threads here allocate little: arenas of their own would only cost memory. */
    mallopt(M_ARENA_MAX, 1);
    signal(SIGPIPE, SIG_IGN);
    g_autofree char *name = g_path_get_basename(argv[0]);
    g_set_prgname(name);

    items = command_line_parse(argc, argv, &error);
    if (!items) {
        report_error("%s", error->message);
        return 1;
    }
    if (setup_print_only(items, &status)) {
        return status;
    }
    if (command_line_has(items, "daemonize") && !go_to_background(&error)) {
        report_error("%s", error->message);
        return 1;
    }
    main_loop_init();
    if (!run(items, &error)) {
        report_error("%s", error->message);
        return 1;
    }
    return 0;
}
