/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program as a child process that dies with the thread that started it.  Any thread. */
#ifndef QTEST_CHILD_H
#define QTEST_CHILD_H

#include <glib.h>
#include <sys/types.h>

typedef struct ChildOptions {
    int input;          /* descriptor for its standard input; 0: /dev/null */
    int output, errors; /* descriptors for its standard output and error */
    const int *inherit; /* descriptors that it gets under the same numbers */
    guint inherit_count;
    void (*prepare)(void); /* called in the child: async-signal-safe; may be NULL */
} ChildOptions;

/* A descriptor for output or errors: what is written is kept, for child_read(). */
int child_output_new(void);

/* All that was written to @output.  Caller frees. */
char *child_read(int output);

/* Runs @argv, searched in PATH; -1 with @error.  *@pidfd is the caller's (pidfd_open(2)). */
pid_t child_start(char **argv, const ChildOptions *options, int *pidfd, GError **error);

/* Waits for its end; FALSE if it still runs after @milliseconds.  @status is as of waitpid(). */
gboolean child_wait(pid_t pid, int pidfd, guint milliseconds, int *status);

#endif
