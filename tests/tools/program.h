/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The back-end under test, as a child process.  What goes wrong ends the test program.
 */
#ifndef TESTS_TOOLS_PROGRAM_H
#define TESTS_TOOLS_PROGRAM_H

#include "qtest/child.h"

typedef struct ToolProgram {
    pid_t pid;
    int pidfd;
    int output; /* standard output and error */
} ToolProgram;

/* Its path: the environment variable QTEST_TOOL. */
const char *tool_program_path(void);

/* Runs it with the printf-style @format as arguments (shell quoting).  @options may be NULL; its
 * descriptors for output are not used. */
ToolProgram *tool_program_start(const ChildOptions *options, const char *format, ...)
    G_GNUC_PRINTF(2, 3);

/* The same with another program, searched in PATH. */
ToolProgram *tool_program_start_other(const char *program, const char *format, ...)
    G_GNUC_PRINTF(2, 3);

gboolean tool_program_runs(ToolProgram *program);

/* What it has written so far.  Caller frees. */
char *tool_program_output(ToolProgram *program);

/* Waits until the output contains @text. */
void tool_program_expect(ToolProgram *program, const char *text);

/* How often the output contains @text. */
guint tool_program_count(ToolProgram *program, const char *text);

/* Waits until a counter, "name: value", has this value: asks for them by SIGUSR1. */
void tool_program_expect_counter(ToolProgram *program, const char *counter);

void tool_program_signal(ToolProgram *program, int signal);

/* Waits for its end and for status 0; frees. */
void tool_program_wait_success(ToolProgram *program);

/* SIGTERM, and the same. */
void tool_program_end(ToolProgram *program);

/* Waits for its end; returns its status as of waitpid().  Frees. */
int tool_program_wait(ToolProgram *program);

/* Runs it to its end; returns the exit status.  Caller frees what it wrote. */
int tool_program_run(char **output, char **errors, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Run with @arguments it ends well and writes, without errors, each text of the list "A|B". */
void tool_program_check_prints(const char *arguments, const char *texts);

/* vmm_fail() with what the programs that run have written. */
G_NORETURN void tool_program_fail(const char *format, ...) G_GNUC_PRINTF(1, 2);

#endif
