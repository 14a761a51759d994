/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that unix sockets are bound to. */
#include "util/unix-socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

gboolean unix_socket_remove_stale(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;

    if (strlen(path) >= sizeof(address.sun_path) || lstat(path, &status) < 0 ||
        !S_ISSOCK(status.st_mode)) {
        return FALSE;
    }
    strcpy(address.sun_path, path);
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) {
        return FALSE;
    }
    gboolean stale = connect(probe, (const struct sockaddr *)&address, sizeof(address)) < 0 &&
                     errno == ECONNREFUSED;
    close(probe);
    return stale && unlink(path) == 0;
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
