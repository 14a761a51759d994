/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File descriptors: the limit, flags and event fds.  Names and sets are in fd-set.c. */
#include "util/fd.h"
#include "util/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

/* Descriptors that are open now, the one of the listing included. */
static guint64 count_open(void)
{
    DIR *directory = opendir("/proc/self/fd");
    guint64 count = 0;

    while (directory && readdir(directory)) {
        count++;
    }
    if (directory) {
        closedir(directory);
    }
    return count;
}

gboolean fd_limit_raise(guint64 count, GError **error)
{
    struct rlimit limit;
    guint64 wanted;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        vm_error_set_errno(error, errno, "the limit of open files cannot be read");
        return FALSE;
    }
    wanted = count_open() + MIN(count, G_MAXINT64);
    if (limit.rlim_cur == RLIM_INFINITY || wanted <= limit.rlim_cur) {
        return TRUE;
    }
    struct rlimit raised = {wanted, MAX(limit.rlim_max, wanted)};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) {
        return TRUE;
    }
    vm_error_set_errno(error, errno,
                       "%" G_GUINT64_FORMAT
                       " open files are needed and the limit is %" G_GUINT64_FORMAT " (ulimit -Hn)",
                       wanted, (guint64)limit.rlim_max);
    return FALSE;
}

void fd_clear(int *fd)
{
    int saved = errno;

    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
    errno = saved;
}

gboolean fd_set_nonblocking(int fd, gboolean nonblocking, GError **error)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 ||
        fcntl(fd, F_SETFL, nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0) {
        vm_error_set_errno(error, errno, "descriptor %d cannot be made %s", fd,
                           nonblocking ? "non-blocking" : "blocking");
        return FALSE;
    }
    return TRUE;
}

int event_fd_new(GError **error)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd < 0) {
        vm_error_set_errno(error, errno, "an event descriptor cannot be made");
    }
    return fd;
}

/*
 * O_NONBLOCK belongs to what all holders of a descriptor share, so a backend can take it away: an
 * access that must not wait asks first.
 */
static gboolean is_ready(int fd, short events)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};

    return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & events);
}

void event_fd_signal(int fd)
{
    static const uint64_t one = 1;
    ssize_t written;

    /* Not ready, or EAGAIN: the counter is at its end, so that it is signalled anyway. */
    while (is_ready(fd, POLLOUT)) {
        written = write(fd, &one, sizeof(one));
        if (written >= 0 || errno != EINTR) {
            return;
        }
    }
}

gboolean event_fd_clear(int fd)
{
    uint64_t count;
    struct iovec part = {.iov_base = &count, .iov_len = sizeof(count)};
    ssize_t got;

    do {
        got = preadv2(fd, &part, 1, -1, RWF_NOWAIT);
        /* Linux before 5.10 does not read event fds so, and a container may forbid the call. */
        if (got < 0 && errno != EAGAIN && errno != EINTR && is_ready(fd, POLLIN)) {
            got = read(fd, &count, sizeof(count));
        }
    } while (got < 0 && errno == EINTR);
    return got == sizeof(count);
}
