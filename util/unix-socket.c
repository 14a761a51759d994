/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that unix sockets are bound to. */
#include "util/unix-socket.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * The kernel closes the sockets of a process that was killed some time after it was waited for, so
 * that who is started in its place can still meet them.
 */
#define ENDED_TRIES 100
#define ENDED_PAUSE 20000 /* microseconds */

typedef enum Listening {
    LISTENING_NOBODY,
    LISTENING_ENDED, /* who began to listen is gone: his descriptor may go any moment, too */
    LISTENING_SOMEBODY,
} Listening;

static Listening who_listens(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    Listening listening = LISTENING_SOMEBODY;
    struct ucred peer = {0};
    socklen_t length = sizeof(peer);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) {
        return LISTENING_SOMEBODY;
    }
    if (connect(probe, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        listening = errno == ECONNREFUSED ? LISTENING_NOBODY : LISTENING_SOMEBODY;
    } else if (getsockopt(probe, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.pid > 0 &&
               kill(peer.pid, 0) < 0 && errno == ESRCH) {
        listening = LISTENING_ENDED;
    }
    close(probe);
    return listening;
}

gboolean unix_socket_remove_stale(const char *path)
{
    struct stat status;
    Listening listening;

    if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path) ||
        lstat(path, &status) < 0 || !S_ISSOCK(status.st_mode)) {
        return FALSE;
    }
    listening = who_listens(path);
    for (guint i = 0; i < ENDED_TRIES && listening == LISTENING_ENDED; i++) {
        g_usleep(ENDED_PAUSE);
        listening = who_listens(path);
    }
    return listening == LISTENING_NOBODY && unlink(path) == 0;
}

void unix_socket_file_note(UnixSocketFile *file, const char *path)
{
    struct stat status;

    g_clear_pointer(&file->path, g_free);
    if (stat(path, &status) == 0) {
        file->path = g_canonicalize_filename(path, NULL);
        file->device = status.st_dev;
        file->inode = status.st_ino;
    }
}

void unix_socket_file_remove(UnixSocketFile *file)
{
    struct stat status;

    if (file->path && stat(file->path, &status) == 0 && status.st_dev == file->device &&
        status.st_ino == file->inode) {
        unlink(file->path);
    }
    g_clear_pointer(&file->path, g_free);
}
