/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command lines of the disk backends, their start and their end.
 */
#include "qtest/blk-daemon.h"
#include "qtest/child.h"
#include "qtest/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS 30 /* for a start and for an end */

static const char *const names[BLK_DAEMON_KINDS] = {
    [BLK_DAEMON_DEBIAN] = "qemu-storage-daemon",
    [BLK_DAEMON_OURS] = "vhost-user-blk",
};

const char *blk_daemon_name(BlkDaemonKind kind)
{
    return names[kind];
}

char *blk_daemon_program(BlkDaemonKind kind, GError **error)
{
    char *path = kind == BLK_DAEMON_OURS ? g_strdup(g_getenv("QTEST_VHOST_USER_BLK"))
                                         : g_find_program_in_path(names[kind]);

    if (!path) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT,
                    kind == BLK_DAEMON_OURS
                        ? "QTEST_VHOST_USER_BLK is not set: it names the disk backend to test"
                        : "qemu-storage-daemon is not installed (Debian: qemu-system-common)");
    }
    return path;
}

static char *debian_arguments(const BlkDaemonOptions *o)
{
    g_autofree char *blockdev =
        g_strdup_printf("driver=file,node-name=disk,filename=%s,discard=unmap,read-only=%s",
                        o->image, o->read_only ? "on" : "off");
    g_autofree char *export =
        g_strdup_printf("type=vhost-user-blk,id=export,node-name=disk,addr.type=unix,addr.path=%s,"
                        "writable=%s,num-queues=%u",
                        o->socket, o->read_only ? "off" : "on", o->queues ? o->queues : 1);
    g_autofree char *quoted_blockdev = g_shell_quote(blockdev);
    g_autofree char *quoted_export = g_shell_quote(export);

    return g_strdup_printf("--blockdev %s --export %s", quoted_blockdev, quoted_export);
}

static char *our_arguments(const BlkDaemonOptions *o)
{
    g_autofree char *image = g_shell_quote(o->image);
    g_autofree char *socket = g_shell_quote(o->socket);
    GString *line = g_string_new(NULL);

    g_string_append_printf(line, "--socket-path %s --blk-file %s --num-queues %u%s", socket, image,
                           o->queues ? o->queues : 1, o->read_only ? " --read-only" : "");
    if (o->slots) {
        g_string_append_printf(line, " --mem-slots %u", o->slots);
    }
    return g_string_free(line, FALSE);
}

static pid_t spawn(const BlkDaemonOptions *o, GError **error)
{
    g_autofree char *program =
        o->program ? g_strdup(o->program) : blk_daemon_program(o->kind, error);
    g_autofree char *quoted = program ? g_shell_quote(program) : NULL;
    g_autofree char *arguments =
        o->kind == BLK_DAEMON_OURS ? our_arguments(o) : debian_arguments(o);
    g_autofree char *line =
        g_strjoin(" ", quoted ? quoted : "", arguments, o->arguments ? o->arguments : "", NULL);
    g_auto(GStrv) argv = NULL;
    ChildOptions child = {.output = STDERR_FILENO, .errors = STDERR_FILENO};
    int log = -1, pidfd;
    pid_t pid;

    if (!program || !g_shell_parse_argv(line, NULL, &argv, error)) {
        return 0;
    }
    if (o->log) {
        child.errors = log = open(o->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    pid = child_start(argv, &child, &pidfd, error);
    if (log >= 0) {
        close(log);
    }
    if (pid < 0) {
        return 0;
    }
    close(pidfd);
    return pid;
}

pid_t blk_daemon_start(const BlkDaemonOptions *options, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + SECONDS * G_USEC_PER_SEC;
    pid_t pid = spawn(options, error);

    while (pid && !process_listens(options->socket)) {
        if (waitpid(pid, NULL, WNOHANG) == pid) {
            g_autofree char *log = NULL;

            if (options->log) {
                g_file_get_contents(options->log, &log, NULL, NULL);
            }
            g_set_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED, "%s ended at once: %s",
                        names[options->kind], log ? log : "its standard error says why");
            return 0;
        }
        if (g_get_monotonic_time() > deadline) {
            g_set_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED, "%s does not listen at %s",
                        names[options->kind], options->socket);
            blk_daemon_end(pid, SIGKILL);
            return 0;
        }
        g_usleep(2000);
    }
    return pid;
}

int blk_daemon_end(pid_t pid, int signal)
{
    gint64 deadline = g_get_monotonic_time() + SECONDS * G_USEC_PER_SEC;
    int status;

    kill(pid, signal);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (g_get_monotonic_time() > deadline) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
            return -1;
        }
        g_usleep(1000);
    }
    return status;
}
