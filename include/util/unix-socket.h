/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that unix sockets are bound to: stale ones, and one's own. */
#ifndef UTIL_UNIX_SOCKET_H
#define UTIL_UNIX_SOCKET_H

#include <glib.h>
#include <sys/types.h>

/*
 * TRUE if @path was a socket that nobody listens at, and is gone now.  Waits up to two seconds for
 * the end of one whose listener's process has ended.  Any thread.
 */
gboolean unix_socket_remove_stale(const char *path);

/* Which file bind(2) made, so that only that one is removed. */
typedef struct UnixSocketFile {
    char *path; /* absolute; NULL: none */
    dev_t device;
    ino_t inode;
} UnixSocketFile;

/* Right after a successful bind(2) to @path; forgets what it knew before. */
void unix_socket_file_note(UnixSocketFile *file, const char *path);

/* Removes the file unless somebody else's lies there now, or none was noted. */
void unix_socket_file_remove(UnixSocketFile *file);

#endif
