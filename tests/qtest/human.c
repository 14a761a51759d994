/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Somebody at a prompt. */
#include "human.h"

#include "qtest/child.h"
#include "qtest/vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static Human *human_new(int fd)
{
    Human *human = g_new0(Human, 1);

    human->fd = fd;
    human->text = g_string_new(NULL);
    return human;
}

void human_free(Human *human)
{
    close(human->fd);
    g_string_free(human->text, TRUE);
    g_free(human);
}

Human *human_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        vmm_fail("%s: %s", path, g_strerror(errno));
    }
    return human_new(fd);
}

/* FALSE at the end of the connection, or when nothing came for @milliseconds. */
gboolean human_receive(Human *human, int milliseconds)
{
    struct pollfd ready = {.fd = human->fd, .events = POLLIN};
    char bytes[4096];

    if (poll(&ready, 1, milliseconds) <= 0) {
        return FALSE;
    }
    ssize_t count = read(human->fd, bytes, sizeof(bytes));
    if (count > 0) {
        g_string_append_len(human->text, bytes, count);
    }
    return count > 0;
}

/* Waits until @end has come and takes all up to there.  Caller frees. */
char *human_wait(Human *human, const char *end)
{
    const char *found;

    while (!(found = strstr(human->text->str, end))) {
        if (!human_receive(human, HUMAN_TIMEOUT)) {
            vmm_fail("no '%s' came, only '%s'", end, human->text->str);
        }
    }
    gsize length = (gsize)(found - human->text->str) + strlen(end);
    char *text = g_strndup(human->text->str, length);
    g_string_erase(human->text, 0, (gssize)length);
    return text;
}

void human_expect(Human *human, const char *end)
{
    g_free(human_wait(human, end));
}

void human_type(Human *human, const char *keys)
{
    if (write(human->fd, keys, strlen(keys)) != (ssize_t)strlen(keys)) {
        vmm_fail("the monitor does not take '%s'", keys);
    }
}

/* The text between the echo of @line and the next prompt.  Caller frees. */
static char *human_run(Human *human, const char *line)
{
    g_autofree char *keys = g_strconcat(line, "\r", NULL);

    human_type(human, keys);
    human_expect(human, "\n");
    char *text = human_wait(human, HUMAN_PROMPT);
    text[strlen(text) - strlen(HUMAN_PROMPT)] = '\0';
    return text;
}

void human_check(Human *human, const char *line, const char *expected)
{
    g_autofree char *text = human_run(human, line);
    g_auto(GStrv) parts = g_strsplit(text, "\r", -1);
    g_autofree char *plain = g_strjoinv("", parts);

    if (!strstr(plain, expected) || (!*expected && *plain)) {
        vmm_fail("%s printed '%s', not '%s'", line, plain, expected);
    }
}

Terminal *terminal_start(const char *arguments)
{
    return terminal_start_prepared(arguments, NULL);
}

Terminal *terminal_start_prepared(const char *arguments, void (*prepare)(void))
{
    Terminal *terminal = g_new0(Terminal, 1);
    g_autofree char *line =
        g_strdup_printf("%s -accel qtest %s", vmm_binary(NULL, NULL), arguments);
    g_auto(GStrv) argv = NULL;
    g_autoptr(GError) error = NULL;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    g_assert_true(grantpt(master) == 0 && unlockpt(master) == 0);
    terminal->slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    tcgetattr(terminal->slave, &terminal->before);
    g_assert_true(g_shell_parse_argv(line, NULL, &argv, &error));
    ChildOptions options = {.input = terminal->slave,
                            .output = terminal->slave,
                            .errors = terminal->slave,
                            .prepare = prepare};
    terminal->pid = child_start(argv, &options, &terminal->pidfd, &error);
    g_assert_no_error(error);
    terminal->human = human_new(master);
    return terminal;
}

/* The program ends with status 0 and leaves the terminal as it was. */
void terminal_end(Terminal *terminal)
{
    struct termios after;
    int status;

    g_assert_true(child_wait(terminal->pid, terminal->pidfd, HUMAN_TIMEOUT, &status));
    g_assert_cmpint(status, ==, 0);
    tcgetattr(terminal->slave, &after);
    g_assert_cmpuint(after.c_lflag, ==, terminal->before.c_lflag);
    g_assert_cmpuint(after.c_iflag, ==, terminal->before.c_iflag);
    close(terminal->slave);
    close(terminal->pidfd);
    human_free(terminal->human);
    g_free(terminal);
}

void human_type_and_expect(Human *human, const char *keys, const char *expected)
{
    human_type(human, keys);
    human_expect(human, expected);
}
