/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Going to the background, and pidfiles. */
#include "util/daemon.h"

#include "util/error.h"
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- the background --- */

/* The pipe on which a parent waits for its daemon, -1 without one. */
static int ready_pipe = -1;
/* /dev/null between daemon_prepare() and daemon_ready(). */
static int null_fd = -1;

/* The parent's half: its exit status is the daemon's success. */
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

gboolean daemon_fork(GError **error)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0) {
        vm_error_set_errno(error, errno, "cannot make a pipe");
        return FALSE;
    }
    pid_t child = fork();
    if (child < 0) {
        vm_error_set_errno(error, errno, "cannot fork");
        fd_clear(&fds[0]);
        fd_clear(&fds[1]);
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

gboolean daemon_prepare(GError **error)
{
    if (ready_pipe < 0 || null_fd >= 0) {
        return TRUE;
    }
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0 || chdir("/") < 0) {
        vm_error_set_errno(error, errno, "cannot leave the terminal");
        return FALSE;
    }
    return TRUE;
}

gboolean daemon_ready(GError **error)
{
    const char success = 0;

    if (!daemon_prepare(error)) {
        return FALSE;
    }
    if (ready_pipe < 0) {
        return TRUE;
    }
    dup2(null_fd, STDIN_FILENO);
    dup2(null_fd, STDOUT_FILENO);
    /* What is logged without a file would be lost on a terminal that nobody reads. */
    dup2(null_fd, STDERR_FILENO);
    fd_clear(&null_fd);
    ssize_t written = write(ready_pipe, &success, 1);
    fd_clear(&ready_pipe);
    if (written != 1) {
        vm_error_set(error, "the parent process has ended");
    }
    return written == 1;
}

/* --- pidfiles --- */

/* TRUE if @path still names @fd: its last holder may have removed it before it let go. */
static gboolean names_file(const char *path, int fd)
{
    struct stat named, opened;

    return stat(path, &named) == 0 && fstat(fd, &opened) == 0 && named.st_dev == opened.st_dev &&
           named.st_ino == opened.st_ino;
}

/* The locked file, -1 with @error. */
static int lock_pidfile(const char *path, GError **error)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0) {
            vm_error_set_errno(error, errno, "cannot create it");
            return -1;
        }
        if (fcntl(fd, F_SETLK, &lock) < 0) {
            vm_error_set(error, "another process holds it");
            close(fd);
            return -1;
        }
        if (names_file(path, fd)) {
            return fd;
        }
        close(fd);
    }
}

gboolean pidfile_write(Pidfile *pidfile, const char *path, GError **error)
{
    g_autofree char *text = g_strdup_printf("%ld\n", (long)getpid());
    int fd = lock_pidfile(path, error);

    if (fd < 0) {
        return FALSE;
    }
    if (ftruncate(fd, 0) < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        vm_error_set_errno(error, errno, "cannot write it");
        close(fd);
        return FALSE;
    }
    pidfile->path = g_canonicalize_filename(path, NULL);
    pidfile->fd = fd;
    return TRUE;
}

void pidfile_remove(Pidfile *pidfile)
{
    if (pidfile->path) {
        /* After chroot(2) the name may be another's. */
        if (names_file(pidfile->path, pidfile->fd)) {
            unlink(pidfile->path);
        }
        close(pidfile->fd);
        g_clear_pointer(&pidfile->path, g_free);
    }
}
