/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The back-end under test, as a child process. */
#include "tools/program.h"

#include "qtest/vmm.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MILLISECONDS 20000 /* for what takes some milliseconds */

static GPtrArray *running; /* of ToolProgram */

void tool_program_fail(const char *format, ...)
{
    g_autoptr(GString) text = g_string_new(NULL);
    va_list arguments;

    va_start(arguments, format);
    g_string_vprintf(text, format, arguments);
    va_end(arguments);
    for (guint i = 0; running && i < running->len; i++) {
        ToolProgram *program = running->pdata[i];
        g_autofree char *output = child_read(program->output);
        int status = 0;

        g_string_append_printf(text, "\n# process %d", program->pid);
        if (child_wait(program->pid, program->pidfd, 0, &status)) {
            g_string_append_printf(text, ", ended with wait status 0x%x", status);
        }
        g_string_append_printf(text, ":\n%s", output);
    }
    vmm_fail("%s", text->str);
}

const char *tool_program_path(void)
{
    const char *path = g_getenv("QTEST_TOOL");

    if (!path) {
        vmm_fail("QTEST_TOOL is not set: it names the back-end to test");
    }
    return path;
}

/* The leak checker at the end of a sanitized program starts a thread, which a sandbox forbids. */
static void set_leak_check(gboolean wanted)
{
    static const char *name = "ASAN_OPTIONS";
    static char *before;

    if (!wanted) {
        before = g_strdup(g_getenv(name));
        g_autofree char *options = g_strconcat(before ? before : "", ":detect_leaks=0", NULL);
        g_setenv(name, options, TRUE);
    } else if (before) {
        g_setenv(name, before, TRUE);
        g_clear_pointer(&before, g_free);
    } else {
        g_unsetenv(name);
    }
}

static ToolProgram *start(const char *path, const ChildOptions *options, const char *arguments)
{
    ToolProgram *program = g_new0(ToolProgram, 1);
    ChildOptions all = *options;
    g_autofree char *quoted = g_shell_quote(path);
    g_autofree char *line = g_strjoin(" ", quoted, arguments, NULL);
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) argv = NULL;

    program->output = all.output = all.errors = child_output_new();
    if (!g_shell_parse_argv(line, NULL, &argv, &error)) {
        vmm_fail("%s: %s", line, error->message);
    }
    gboolean sandbox = g_strv_contains((const char *const *)argv, "--sandbox");
    if (sandbox) {
        set_leak_check(FALSE);
    }
    program->pid = child_start(argv, &all, &program->pidfd, &error);
    if (sandbox) {
        set_leak_check(TRUE);
    }
    if (program->pid < 0) {
        vmm_fail("%s", error->message);
    }
    running = running ? running : g_ptr_array_new();
    g_ptr_array_add(running, program);
    return program;
}

ToolProgram *tool_program_start(const ChildOptions *options, const char *format, ...)
{
    static const ChildOptions none;
    va_list list;

    va_start(list, format);
    g_autofree char *arguments = g_strdup_vprintf(format, list);
    va_end(list);
    return start(tool_program_path(), options ? options : &none, arguments);
}

ToolProgram *tool_program_start_other(const char *program, const char *format, ...)
{
    static const ChildOptions none;
    va_list list;

    va_start(list, format);
    g_autofree char *arguments = g_strdup_vprintf(format, list);
    va_end(list);
    return start(program, &none, arguments);
}

gboolean tool_program_runs(ToolProgram *program)
{
    struct pollfd poller = {.fd = program->pidfd, .events = POLLIN};

    return poll(&poller, 1, 0) == 0;
}

char *tool_program_output(ToolProgram *program)
{
    return child_read(program->output);
}

guint tool_program_count(ToolProgram *program, const char *text)
{
    g_autofree char *output = tool_program_output(program);
    guint count = 0;

    for (const char *at = output; (at = strstr(at, text)); at += strlen(text)) {
        count++;
    }
    return count;
}

void tool_program_expect(ToolProgram *program, const char *text)
{
    gint64 deadline = g_get_monotonic_time() + MILLISECONDS * 1000LL;

    while (!tool_program_count(program, text)) {
        if (g_get_monotonic_time() > deadline) {
            tool_program_fail("the back-end does not say '%s'", text);
        }
        g_usleep(2000);
    }
}

void tool_program_expect_counter(ToolProgram *program, const char *counter)
{
    g_autofree char *line = g_strdup_printf("%s\n", counter);

    for (guint i = 0; i < 400; i++) {
        if (tool_program_count(program, line)) {
            return;
        }
        tool_program_signal(program, SIGUSR1);
        g_usleep(5000);
    }
    tool_program_fail("the counter is not '%s'", counter);
}

void tool_program_signal(ToolProgram *program, int signal)
{
    kill(program->pid, signal);
}

static void program_free(ToolProgram *program)
{
    g_ptr_array_remove(running, program);
    close(program->pidfd);
    close(program->output);
    g_free(program);
}

int tool_program_wait(ToolProgram *program)
{
    int status;

    if (!child_wait(program->pid, program->pidfd, MILLISECONDS, &status)) {
        tool_program_fail("the back-end does not end");
    }
    program_free(program);
    return status;
}

void tool_program_wait_success(ToolProgram *program)
{
    int copy = dup(program->output);
    int status = tool_program_wait(program);
    g_autofree char *output = child_read(copy);

    close(copy);
    if (status) {
        vmm_fail("the back-end ended with wait status 0x%x: %s", status, output);
    }
}

void tool_program_end(ToolProgram *program)
{
    tool_program_signal(program, SIGTERM);
    tool_program_wait_success(program);
}

int tool_program_run(char **output, char **errors, const char *format, ...)
{
    g_autofree char *arguments = NULL;
    g_autoptr(GError) error = NULL;
    va_list list;
    int status;

    va_start(list, format);
    arguments = g_strdup_vprintf(format, list);
    va_end(list);
    if (!vmm_run(tool_program_path(), arguments, MILLISECONDS, &status, output, errors, &error)) {
        vmm_fail("%s", error->message);
    }
    if (status < 0 || !WIFEXITED(status)) {
        vmm_fail("%s: wait status 0x%x: %s", arguments, status, *errors);
    }
    return WEXITSTATUS(status);
}

void tool_program_check_prints(const char *arguments, const char *texts)
{
    g_autofree char *output = NULL, *errors = NULL;
    g_auto(GStrv) wanted = g_strsplit(texts, "|", -1);

    g_assert_cmpint(tool_program_run(&output, &errors, "%s", arguments), ==, 0);
    g_assert_cmpstr(errors, ==, "");
    for (guint i = 0; wanted[i]; i++) {
        if (!strstr(output, wanted[i])) {
            vmm_fail("%s %s: no '%s' in: %s", tool_program_path(), arguments, wanted[i], output);
        }
    }
}
