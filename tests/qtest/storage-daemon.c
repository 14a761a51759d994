/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Debian's qemu-storage-daemon as the backend of a disk image. */
#include "qtest/storage-daemon.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_SECONDS 20

static void die_with_parent(gpointer opaque G_GNUC_UNUSED)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

GPid storage_daemon_start(const char *program, const char *image, const char *socket, guint queues,
                          GError **error)
{
    g_autofree char *blockdev =
        g_strdup_printf("driver=file,node-name=disk,filename=%s,discard=unmap", image);
    g_autofree char *export =
        g_strdup_printf("type=vhost-user-blk,id=export,node-name=disk,addr.type=unix,addr.path=%s,"
                        "writable=on,num-queues=%u",
                        socket, queues);
    char *arguments[] = {(char *)program, "--blockdev", blockdev, "--export", export, NULL};
    gint64 deadline = g_get_monotonic_time() + START_SECONDS * G_USEC_PER_SEC;
    struct stat status;
    GPid pid;

    if (!g_spawn_async(NULL, arguments, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD,
                       die_with_parent, NULL, &pid, error)) {
        return 0;
    }
    while (stat(socket, &status) < 0) {
        if (waitpid(pid, NULL, WNOHANG) == pid) {
            g_set_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED, "%s ended at once", program);
            return 0;
        }
        if (g_get_monotonic_time() > deadline) {
            g_set_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED, "%s does not listen at %s",
                        program, socket);
            storage_daemon_stop(pid);
            return 0;
        }
        g_usleep(5000);
    }
    return pid;
}

void storage_daemon_stop(GPid pid)
{
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    g_spawn_close_pid(pid);
}
