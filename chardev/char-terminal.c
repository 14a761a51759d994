/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stdio and pty chardevs: standard input and output, and pseudo-terminals (pty(7)). */
#include "chardev/chardev.h"
#include "util/error.h"
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* --- stdio --- */

typedef struct ChardevStdio {
    Chardev parent;
    gboolean signal;
} ChardevStdio;

VM_DECLARE_TYPE(ChardevStdio, chardev_stdio, CHARDEV_STDIO)
VM_DEFINE_TYPE("chardev-stdio", ChardevStdio, ChardevClass, chardev_stdio, chardev_get_type(), 0);

static const VmField chardev_stdio_fields[] = {
    {.name = "signal",
     .doc = "Ctrl-C and its like end the program",
     .kind = VM_FIELD_BOOL,
     .offset = offsetof(ChardevStdio, signal),
     .default_value = TRUE},
    {.name = NULL},
};

static ChardevStdio *stdio_owner; /* there is one standard input */
static struct termios saved_terminal, raw_terminal;
static gboolean terminal_changed;
static struct sigaction saved_stop, saved_continue;
static int saved_flags[2] = {-1, -1}; /* of descriptors 0 and 1, where ours share their state */

static void restore_stdio(void)
{
    if (terminal_changed) {
        sigaction(SIGTSTP, &saved_stop, NULL);
        sigaction(SIGCONT, &saved_continue, NULL);
        tcsetattr(STDIN_FILENO, TCSANOW, &saved_terminal);
        terminal_changed = FALSE;
    }
    for (int fd = 0; fd < 2; fd++) {
        if (saved_flags[fd] >= 0) {
            fcntl(fd, F_SETFL, saved_flags[fd]);
            saved_flags[fd] = -1;
        }
    }
}

/*
 * A non-blocking descriptor for @fd.  Terminals and pipes are opened anew, so that the processes
 * we share them with keep their blocking mode; others are put back by restore_stdio().
 */
static int open_standard(int fd, int flags, GError **error)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    struct stat status;

    if (fstat(fd, &status) < 0) {
        vm_error_set_errno(error, errno, "standard %s", fd ? "output" : "input");
        return -1;
    }
    if (S_ISCHR(status.st_mode) || S_ISFIFO(status.st_mode)) {
        int own = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (own >= 0) {
            return own;
        }
    }
    int duplicate = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    saved_flags[fd] = fcntl(fd, F_GETFL);
    if (duplicate < 0 || !fd_set_nonblocking(duplicate, TRUE, error)) {
        fd_clear(&duplicate);
    }
    return duplicate;
}

/* Stopped, we leave the shell the terminal as it was.  Only async-signal-safe calls. */
static void stopped(int number)
{
    int saved_errno = errno;

    tcsetattr(STDIN_FILENO, TCSANOW, &saved_terminal);
    raise(SIGSTOP);
    (void)number;
    errno = saved_errno;
}

/* In the background the terminal is somebody else's (and setting it would stop us: SIGTTOU). */
static void continued(int number)
{
    int saved_errno = errno;

    if (tcgetpgrp(STDIN_FILENO) == getpgrp()) {
        tcsetattr(STDIN_FILENO, TCSANOW, &raw_terminal);
    }
    (void)number;
    errno = saved_errno;
}

static void catch_stops(void)
{
    struct sigaction stop = {.sa_handler = stopped, .sa_flags = SA_RESTART};
    struct sigaction go_on = {.sa_handler = continued, .sa_flags = SA_RESTART};

    sigaction(SIGTSTP, &stop, &saved_stop);
    sigaction(SIGCONT, &go_on, &saved_continue);
}

/* Characters come one by one and are not echoed; output keeps its line ends. */
static void set_terminal(gboolean signal)
{
    if (tcgetattr(STDIN_FILENO, &saved_terminal) < 0) {
        return;
    }
    raw_terminal = saved_terminal;
    raw_terminal.c_iflag &=
        ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    raw_terminal.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN | (signal ? 0 : ISIG));
    raw_terminal.c_cc[VMIN] = 1;
    raw_terminal.c_cc[VTIME] = 0;
    terminal_changed = tcsetattr(STDIN_FILENO, TCSANOW, &raw_terminal) == 0;
    if (terminal_changed) {
        catch_stops();
    }
}

static gboolean chardev_stdio_open(Chardev *chardev, GError **error)
{
    ChardevStdio *stdio = CHARDEV_STDIO(chardev);

    if (stdio_owner) {
        vm_error_set(error,
                     "chardev '%s': standard input and output belong to chardev '%s'; "
                     "-serial mon:stdio or mux=on lets several share them",
                     chardev->parent.id, stdio_owner->parent.parent.id);
        return FALSE;
    }
    int input = open_standard(STDIN_FILENO, O_RDONLY, error);
    int output = input < 0 ? -1 : open_standard(STDOUT_FILENO, O_WRONLY, error);
    if (output < 0) {
        fd_clear(&input);
        restore_stdio();
        g_prefix_error(error, "chardev '%s': ", chardev->parent.id);
        return FALSE;
    }
    stdio_owner = stdio;
    set_terminal(stdio->signal);
    chardev_set_connection(chardev, input, output);
    return TRUE;
}

static void chardev_stdio_close(Chardev *chardev)
{
    if (stdio_owner == CHARDEV_STDIO(chardev)) {
        restore_stdio();
        stdio_owner = NULL;
    }
}

static void chardev_stdio_class_init(ChardevClass *class)
{
    VM_OBJECT_CLASS(class)->description = "standard input and output";
    class->backend = "stdio";
    class->open = chardev_stdio_open;
    class->close = chardev_stdio_close;
    vm_object_class_install_fields(class, chardev_stdio_fields);
}

static void chardev_stdio_init(ChardevStdio *stdio G_GNUC_UNUSED)
{
}

/* --- pty --- */

typedef struct ChardevPty {
    Chardev parent;
    char *path;     /* a symbolic link to make, or NULL */
    char *terminal; /* "/dev/pts/3" */
    int master;
    int slave;  /* kept open: without any the master would be at its end */
    char *link; /* the symbolic link that was made, absolute: -daemonize leaves the directory */
} ChardevPty;

VM_DECLARE_TYPE(ChardevPty, chardev_pty, CHARDEV_PTY)
VM_DEFINE_TYPE("chardev-pty", ChardevPty, ChardevClass, chardev_pty, chardev_get_type(), 0);

static const VmField chardev_pty_fields[] = {
    {.name = "path",
     .doc = "symbolic link to the terminal",
     .kind = VM_FIELD_STRING,
     .offset = offsetof(ChardevPty, path)},
    {.name = NULL},
};

static gboolean open_terminal(ChardevPty *pty, GError **error)
{
    char name[64];
    struct termios terminal;

    pty->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (pty->master < 0 || grantpt(pty->master) < 0 || unlockpt(pty->master) < 0 ||
        ptsname_r(pty->master, name, sizeof(name)) != 0) {
        vm_error_set_errno(error, errno, "no pseudo-terminal can be made");
        return FALSE;
    }
    pty->slave = fd_open(name, O_RDWR | O_NOCTTY, 0, error);
    if (pty->slave < 0) {
        return FALSE;
    }
    pty->terminal = g_strdup(name);
    if (tcgetattr(pty->slave, &terminal) == 0) {
        cfmakeraw(&terminal);
        tcsetattr(pty->slave, TCSAFLUSH, &terminal);
    }
    if (pty->path && symlink(name, pty->path) < 0) {
        vm_error_set_errno(error, errno, "link '%s' to '%s' cannot be made", pty->path, name);
        return FALSE;
    }
    pty->link = pty->path ? g_canonicalize_filename(pty->path, NULL) : NULL;
    return TRUE;
}

/* The master stays here, front ends get copies: the terminal outlives them. */
static gboolean connect_pty(ChardevPty *pty, GError **error)
{
    int fd = fcntl(pty->master, F_DUPFD_CLOEXEC, 0);

    if (fd < 0) {
        vm_error_set_errno(error, errno, "'%s' cannot be used", pty->terminal);
        return FALSE;
    }
    chardev_set_connection(&pty->parent, fd, fd);
    return TRUE;
}

static gboolean chardev_pty_attached(Chardev *chardev, GError **error)
{
    if (CHARDEV_PTY(chardev)->master >= 0 && !connect_pty(CHARDEV_PTY(chardev), error)) {
        g_prefix_error(error, "chardev '%s': ", chardev->parent.id);
        return FALSE;
    }
    return TRUE;
}

static gboolean chardev_pty_open(Chardev *chardev, GError **error)
{
    ChardevPty *pty = CHARDEV_PTY(chardev);

    if (!open_terminal(pty, error) || !connect_pty(pty, error)) {
        g_prefix_error(error, "chardev '%s': ", chardev->parent.id);
        return FALSE;
    }
    return TRUE;
}

static void chardev_pty_close(Chardev *chardev)
{
    ChardevPty *pty = CHARDEV_PTY(chardev);

    if (pty->link) {
        g_autofree char *terminal = g_file_read_link(pty->link, NULL);

        /* After chroot(2) the name may be another's. */
        if (g_strcmp0(terminal, pty->terminal) == 0) {
            unlink(pty->link);
        }
        g_clear_pointer(&pty->link, g_free);
    }
    fd_clear(&pty->slave);
    fd_clear(&pty->master);
}

static char *chardev_pty_filename(Chardev *chardev)
{
    return g_strconcat("pty:", CHARDEV_PTY(chardev)->terminal, NULL);
}

static void chardev_pty_finalize(GObject *object)
{
    g_free(CHARDEV_PTY(object)->terminal);
    G_OBJECT_CLASS(g_type_class_peek(TYPE_CHARDEV))->finalize(object);
}

static void chardev_pty_class_init(ChardevClass *class)
{
    G_OBJECT_CLASS(class)->finalize = chardev_pty_finalize;
    VM_OBJECT_CLASS(class)->description = "pseudo-terminal";
    class->backend = "pty";
    class->open = chardev_pty_open;
    class->attached = chardev_pty_attached;
    class->close = chardev_pty_close;
    class->filename = chardev_pty_filename;
    vm_object_class_install_fields(class, chardev_pty_fields);
}

static void chardev_pty_init(ChardevPty *pty)
{
    pty->master = pty->slave = -1;
}
