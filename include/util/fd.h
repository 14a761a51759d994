/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File descriptors: limits, passing over sockets, event fds, and sets by name. */
#ifndef UTIL_FD_H
#define UTIL_FD_H

#include <glib.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Raises the soft limit of open files so that @count descriptors fit beside
 * those in use; raises the hard limit too where the process may.  FALSE with
 * @error naming both numbers if it does not reach that far. Any thread.
 */
gboolean fd_limit_raise(guint64 count, GError **error);

/* Closes *@fd unless it is negative, and sets it to -1. Keeps errno. */
void fd_clear(int *fd);
/*
 * The same for what another process has handed over: where it is a file that may make its last
 * close wait (of a file system in user space, a socket that lingers), a thread that nobody waits for
 * closes it later. Any thread.
 */
void fd_clear_foreign(int *fd);
/* Whether @fd is a file in memory (memfd, tmpfs, hugetlbfs): nobody waits at it for anybody. */
gboolean fd_is_memory(int fd);

/* O_NONBLOCK on or off. */
gboolean fd_set_nonblocking(int fd, gboolean nonblocking, GError **error);

/*
 * Event fds (eventfd(2), non-blocking, close-on-exec). Returns -1 with @error.
 * Signal and clear never block; clear returns TRUE if it was signalled.  What another process
 * holds as well is signalled by event_fd_signal_shared(), whatever that does with it meanwhile.
 */
int event_fd_new(GError **error);
void event_fd_signal(int fd);
void event_fd_signal_shared(int fd);
gboolean event_fd_clear(int fd);

/*
 * Descriptors that a monitor's client has sent (getfd), by name, and numbered
 * sets (add-fd) that "/dev/fdset/N" opens.  All under the VM lock.
 */

/* Keeps @fd under @name, closing one that had the name. Takes ownership of @fd. */
void fd_names_put(const char *name, int fd);
/* Takes the descriptor out: the caller owns it. -1 if there is none. */
int fd_names_take(const char *name);

/* Resolves an "fd=" option: a number is that inherited descriptor, else a getfd name. -1 with
 * @error. */
int fd_resolve(const char *text, GError **error);

typedef struct FdSetEntry {
    int fd;       /* owned by the set */
    char *opaque; /* may be NULL */
} FdSetEntry;

/*
 * Adds @fd (ownership taken on success only) to set *@set_id; a negative
 * *@set_id means the lowest free number, returned there.
 */
gboolean fd_set_add(gint64 *set_id, int fd, const char *opaque, GError **error);
/* Removes @fd, or every descriptor of the set with @fd -1. */
gboolean fd_set_remove(gint64 set_id, int fd, GError **error);
/* Calls @visit for each set in order of number; @entries are FdSetEntry. */
void fd_set_foreach(void (*visit)(gint64 set_id, GArray *entries, gpointer opaque),
                    gpointer opaque);

/*
 * open(2) with O_CLOEXEC that also understands "/dev/fdset/N": a duplicate of
 * that set's descriptor whose access mode fits @flags.  -1 with @error.
 */
int fd_open(const char *path, int flags, mode_t mode, GError **error);

/* Closes all names and sets; at exit. */
void fd_names_clear(void);

#endif
