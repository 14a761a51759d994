/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Somebody at a prompt: of a human monitor on a socket, or of the program on a terminal. */
#ifndef TESTS_QTEST_HUMAN_H
#define TESTS_QTEST_HUMAN_H

#include <glib.h>
#include <sys/types.h>
#include <termios.h>

#define HUMAN_PROMPT "(qemu) "
#define HUMAN_TIMEOUT 20000 /* ms */

/* What is typed goes to @fd; what came and was not taken stands in @text. */
typedef struct Human {
    int fd;
    GString *text;
} Human;

Human *human_connect(const char *path); /* a unix socket */
void human_free(Human *human);
/* FALSE at the end of the connection, or when nothing came for @milliseconds. */
gboolean human_receive(Human *human, int milliseconds);
/* Waits until @end has come and takes all up to there.  Caller frees. */
char *human_wait(Human *human, const char *end);
void human_expect(Human *human, const char *end);
void human_type(Human *human, const char *keys);
void human_type_and_expect(Human *human, const char *keys, const char *expected);
/* Runs @line: what comes before the next prompt must hold @expected; "": nothing comes. */
void human_check(Human *human, const char *line, const char *expected);

/* The program under test on a terminal of its own. */
typedef struct Terminal {
    Human *human;
    pid_t pid;
    int pidfd;
    int slave;
    struct termios before;
} Terminal;

/* Starts it with -accel qtest and @arguments. */
Terminal *terminal_start(const char *arguments);
/* The same, @prepare as in ChildOptions. */
Terminal *terminal_start_prepared(const char *arguments, void (*prepare)(void));
/* It ends with status 0 and leaves the terminal as it was. */
void terminal_end(Terminal *terminal);

#endif
