/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that another process holds as well, or has handed over: whatever it does with them,
 * nobody here waits for it.
 */
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* --- files --- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static GArray *waiting; /* descriptors (int) for the thread to close; NULL: there is no thread */

gboolean fd_is_memory(int fd)
{
    /* Only these file systems have seals, and none of them asks anybody (fcntl(2)). */
    return fcntl(fd, F_GET_SEALS) >= 0;
}

/* Pipes and what has no inode of its own (eventfd(2)) do not wait either. */
static gboolean closes_at_once(int fd)
{
    struct statx status;

    if (fd_is_memory(fd)) {
        return TRUE;
    }
    return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &status) == 0 &&
           (S_ISFIFO(status.stx_mode) || (status.stx_mode & S_IFMT) == 0);
}

static void *close_all(void *data G_GNUC_UNUSED)
{
    pthread_mutex_lock(&lock);
    for (;;) {
        while (waiting->len == 0) {
            pthread_cond_wait(&more, &lock);
        }
        int fd = g_array_index(waiting, int, waiting->len - 1);
        g_array_set_size(waiting, waiting->len - 1);
        pthread_mutex_unlock(&lock);
        close(fd);
        pthread_mutex_lock(&lock);
    }
    return NULL;
}

/* Under the lock; one thread is enough, because what waits behind a bad file costs a number only.
 */
static gboolean start_thread(void)
{
    pthread_t thread;

    waiting = g_array_new(FALSE, FALSE, sizeof(int));
    if (pthread_create(&thread, NULL, close_all, NULL) != 0) {
        g_clear_pointer(&waiting, g_array_unref);
        return FALSE;
    }
    pthread_detach(thread);
    return TRUE;
}

void fd_clear_foreign(int *fd)
{
    int saved = errno;

    if (*fd >= 0 && !closes_at_once(*fd)) {
        pthread_mutex_lock(&lock);
        if (waiting != NULL || start_thread()) {
            g_array_append_val(waiting, *fd);
            *fd = -1;
            pthread_cond_signal(&more);
        }
        pthread_mutex_unlock(&lock);
    }
    fd_clear(fd);
    errno = saved;
}

/* --- event fds --- */

/* Requests to the kernel that it may not have answered yet: more threads than this at once must
 * not signal, or one of them goes the other way. */
#define REQUESTS 64

static aio_context_t requests; /* 0: there is none */

static void set_up_requests(void)
{
    if (syscall(SYS_io_setup, REQUESTS, &requests) < 0) {
        requests = 0;
    }
}

/*
 * write() waits where the counter is at its end and O_NONBLOCK is gone, and whoever shares the
 * event fd may do both between any question of ours and the write; RWF_NOWAIT is not for writing to
 * it, and it cannot be opened a second time with flags of its own.  The kernel itself signals
 * without waiting when a request of asynchronous I/O is done (IOCB_FLAG_RESFD, io_submit(2)).  The
 * request is a poll of the same event fd, which is always ready for one of the two, so it is done
 * at once, or, where another thread's signal ends the poll first, by a thread of the kernel's soon.
 */
static gboolean signal_by_request(int fd)
{
    struct iocb request = {
        .aio_lio_opcode = IOCB_CMD_POLL,
        .aio_fildes = (uint32_t)fd,
        .aio_buf = POLLIN | POLLOUT,
        .aio_flags = IOCB_FLAG_RESFD,
        .aio_resfd = (uint32_t)fd,
    };
    struct iocb *list = &request;
    struct timespec at_once = {0, 0};
    struct io_event answers[4]; /* ours, or those that others have not taken yet */
    gboolean done = syscall(SYS_io_submit, requests, 1L, &list) == 1;

    syscall(SYS_io_getevents, requests, 0L, (long)G_N_ELEMENTS(answers), answers, &at_once);
    return done;
}

void event_fd_signal_shared(int fd)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int saved = errno;

    pthread_once(&once, set_up_requests);
    if (requests == 0 || !signal_by_request(fd)) {
        event_fd_signal(fd); /* a kernel without them, or fs.aio-max-nr is reached */
    }
    errno = saved;
}
