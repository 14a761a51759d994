/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disk back-end under test, as a child process.  What goes wrong ends the test program.
 */
#ifndef TESTS_TOOLS_BLK_PROGRAM_H
#define TESTS_TOOLS_BLK_PROGRAM_H

#include "qtest/child.h"

typedef struct BlkProgram {
    pid_t pid;
    int pidfd;
    int output; /* standard output and error */
} BlkProgram;

/* Its path: the environment variable QTEST_VHOST_USER_BLK. */
const char *blk_program_path(void);

/* Runs it with the printf-style @format as arguments (shell quoting).  @options may be NULL; its
 * descriptors for output are not used. */
BlkProgram *blk_program_start(const ChildOptions *options, const char *format, ...)
    G_GNUC_PRINTF(2, 3);

/* What it has written so far.  Caller frees. */
char *blk_program_output(BlkProgram *program);

/* Waits until the output contains @text. */
void blk_program_expect(BlkProgram *program, const char *text);

/* How often the output contains @text. */
guint blk_program_count(BlkProgram *program, const char *text);

void blk_program_signal(BlkProgram *program, int signal);

/* Waits for its end and for status 0; frees. */
void blk_program_wait_success(BlkProgram *program);

/* SIGTERM, and the same. */
void blk_program_end(BlkProgram *program);

/* Waits for its end; returns its status as of waitpid().  Frees. */
int blk_program_wait(BlkProgram *program);

/* Runs it to its end; returns the exit status.  Caller frees what it wrote. */
int blk_program_run(char **output, char **errors, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* vmm_fail() with what the programs that run have written. */
G_NORETURN void blk_program_fail(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* A file of @size bytes, all 0 but with its own sector number in each sector's first bytes, in the
 * directory of this test.  Caller frees the path. */
char *blk_program_image(const char *name, guint64 size);

#endif
