/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk's backend as a process of its own: Debian's qemu-storage-daemon or this tree's
 * vhost-user-blk, over a raw image.
 */
#ifndef QTEST_BLK_DAEMON_H
#define QTEST_BLK_DAEMON_H

#include <glib.h>
#include <sys/types.h>

typedef enum {
    BLK_DAEMON_DEBIAN, /* qemu-storage-daemon */
    BLK_DAEMON_OURS,   /* vhost-user-blk */
    BLK_DAEMON_KINDS,
} BlkDaemonKind;

typedef struct BlkDaemonOptions {
    BlkDaemonKind kind;
    const char *program; /* NULL: blk_daemon_program() */
    const char *image;   /* raw file */
    const char *socket;  /* unix socket at which it listens */
    const char *log;     /* file to which its standard error is appended; NULL: ours */
    guint queues;        /* 0: 1 */
    guint slots; /* memory slots that it grants, 0: its own choice; Debian's knows no other */
    gboolean read_only;
    const char *arguments; /* further ones, shell quoting, or NULL */
} BlkDaemonOptions;

/* The program's name, which is what a kind is called in tests. */
const char *blk_daemon_name(BlkDaemonKind kind);
/* Where it is: Debian's in PATH, ours where the environment variable QTEST_VHOST_USER_BLK says.
 * NULL with @error.  Caller frees. */
char *blk_daemon_program(BlkDaemonKind kind, GError **error);

/* Starts it and waits until it listens; a stale socket is no obstacle.  It dies with this process.
 * 0 with @error. */
pid_t blk_daemon_start(const BlkDaemonOptions *options, GError **error);
/* Sends @signal and waits for its end; the status is as waitpid() gives it, -1 if it had to be
 * killed after 30 s. */
int blk_daemon_end(pid_t pid, int signal);

#endif
