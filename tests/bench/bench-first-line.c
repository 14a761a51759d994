/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Milliseconds from the start of a program to a line that it, or the guest in it, prints.  Linked
 * statically, because it runs in a guest that has little else.
 *
 *     bench-first-line RUNS TEXT COMMAND [ARGUMENT...]
 *
 * One line a run.  The program is killed when its line has come, or after 40 seconds: status 1.
 */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_MILLISECONDS 40000
#define KEPT 4096 /* bytes of output in which the text is looked for */

static double milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Whether @text comes out of @output before @deadline. */
static bool wait_for_text(int output, const char *text, double deadline)
{
    char buffer[KEPT + 1];
    size_t used = 0;

    while (milliseconds() < deadline) {
        struct pollfd ready = {.fd = output, .events = POLLIN};
        ssize_t got;

        if (poll(&ready, 1, (int)(deadline - milliseconds()) + 1) <= 0) {
            continue;
        }
        got = read(output, buffer + used, KEPT - used);
        if (got <= 0) {
            return false;
        }
        used += (size_t)got;
        buffer[used] = '\0';
        for (size_t i = 0; i < used; i++) {
            buffer[i] = buffer[i] ? buffer[i] : ' ';
        }
        if (strstr(buffer, text)) {
            return true;
        }
        if (used > KEPT / 2) { /* the text may have begun at the end */
            memmove(buffer, buffer + used - strlen(text), strlen(text));
            used = strlen(text);
        }
    }
    return false;
}

static bool measure(const char *text, char **command)
{
    int ends[2];
    double begin;
    bool seen;
    pid_t child;

    if (pipe(ends) < 0) {
        return false;
    }
    begin = milliseconds();
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execvp(command[0], command);
        _exit(127);
    }
    close(ends[1]);
    seen = child > 0 && wait_for_text(ends[0], text, begin + DEADLINE_MILLISECONDS);
    if (seen) {
        printf("%.2f\n", milliseconds() - begin);
    }
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    close(ends[0]);
    return seen;
}

int main(int argc, char **argv)
{
    int runs = argc > 3 ? atoi(argv[1]) : 0;

    if (runs < 1 || strlen(argv[2]) > KEPT / 4) {
        fprintf(stderr, "usage: bench-first-line RUNS TEXT COMMAND [ARGUMENT...]\n");
        return 2;
    }
    for (int i = 0; i < runs; i++) {
        if (!measure(argv[2], argv + 3)) {
            fprintf(stderr, "bench-first-line: no line with '%s'\n", argv[2]);
            return 1;
        }
    }
    return 0;
}
