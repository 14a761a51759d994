/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program in the background, and the file that holds its process id.  Main thread. */
#ifndef UTIL_DAEMON_H
#define UTIL_DAEMON_H

#include <glib.h>

/*
 * Goes on in a child without a terminal of its own.  The parent does not return: it ends with
 * status 0 once the child calls daemon_ready(), else with the child's status; until then the
 * child's messages still reach the terminal.  Before threads start.
 */
gboolean daemon_fork(GError **error);

/*
 * The part of daemon_ready() that needs the file system, for a program that gives up its right to
 * it before it is ready: names are relative to "/" from here on.
 */
gboolean daemon_prepare(GError **error);

/* Lets go of the terminal, the directory and the parent.  Does nothing without daemon_fork(). */
gboolean daemon_ready(GError **error);

typedef struct Pidfile {
    char *path; /* absolute; NULL: none is held */
    int fd;
} Pidfile;

/*
 * Writes this process's id to @path, relative or absolute, and keeps the file locked; what an
 * ended process left is replaced.  FALSE with @error if another process holds it.
 */
gboolean pidfile_write(Pidfile *pidfile, const char *path, GError **error);

/* Removes the file, if one is held. */
void pidfile_remove(Pidfile *pidfile);

#endif
