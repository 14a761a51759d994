/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disk back-end under test, as a child process. */
#include "tools/blk-program.h"

#include "qtest/vmm.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MILLISECONDS 20000 /* for what takes some milliseconds */
#define SECTOR 512

static GPtrArray *running; /* of BlkProgram */

void blk_program_fail(const char *format, ...)
{
    g_autoptr(GString) text = g_string_new(NULL);
    va_list arguments;

    va_start(arguments, format);
    g_string_vprintf(text, format, arguments);
    va_end(arguments);
    for (guint i = 0; running && i < running->len; i++) {
        BlkProgram *program = running->pdata[i];
        g_autofree char *output = child_read(program->output);
        int status = 0;

        g_string_append_printf(text, "\n# vhost-user-blk, process %d", program->pid);
        if (child_wait(program->pid, program->pidfd, 0, &status)) {
            g_string_append_printf(text, ", ended with wait status 0x%x", status);
        }
        g_string_append_printf(text, ":\n%s", output);
    }
    vmm_fail("%s", text->str);
}

const char *blk_program_path(void)
{
    const char *path = g_getenv("QTEST_VHOST_USER_BLK");

    if (!path) {
        vmm_fail("QTEST_VHOST_USER_BLK is not set: it names the disk back-end to test");
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

BlkProgram *blk_program_start(const ChildOptions *options, const char *format, ...)
{
    BlkProgram *program = g_new0(BlkProgram, 1);
    ChildOptions all = options ? *options : (ChildOptions){.output = -1};
    g_autofree char *quoted = g_shell_quote(blk_program_path());
    g_autofree char *arguments = NULL;
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) argv = NULL;
    va_list list;

    va_start(list, format);
    arguments = g_strdup_vprintf(format, list);
    va_end(list);
    g_autofree char *line = g_strjoin(" ", quoted, arguments, NULL);
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

char *blk_program_output(BlkProgram *program)
{
    return child_read(program->output);
}

guint blk_program_count(BlkProgram *program, const char *text)
{
    g_autofree char *output = blk_program_output(program);
    guint count = 0;

    for (const char *at = output; (at = strstr(at, text)); at += strlen(text)) {
        count++;
    }
    return count;
}

void blk_program_expect(BlkProgram *program, const char *text)
{
    gint64 deadline = g_get_monotonic_time() + MILLISECONDS * 1000LL;

    while (!blk_program_count(program, text)) {
        if (g_get_monotonic_time() > deadline) {
            blk_program_fail("the back-end does not say '%s'", text);
        }
        g_usleep(2000);
    }
}

void blk_program_signal(BlkProgram *program, int signal)
{
    kill(program->pid, signal);
}

static void program_free(BlkProgram *program)
{
    g_ptr_array_remove(running, program);
    close(program->pidfd);
    close(program->output);
    g_free(program);
}

int blk_program_wait(BlkProgram *program)
{
    int status;

    if (!child_wait(program->pid, program->pidfd, MILLISECONDS, &status)) {
        blk_program_fail("the back-end does not end");
    }
    program_free(program);
    return status;
}

void blk_program_wait_success(BlkProgram *program)
{
    int copy = dup(program->output);
    int status = blk_program_wait(program);
    g_autofree char *output = child_read(copy);

    close(copy);
    if (status) {
        vmm_fail("the back-end ended with wait status 0x%x: %s", status, output);
    }
}

void blk_program_end(BlkProgram *program)
{
    blk_program_signal(program, SIGTERM);
    blk_program_wait_success(program);
}

int blk_program_run(char **output, char **errors, const char *format, ...)
{
    g_autofree char *arguments = NULL;
    g_autoptr(GError) error = NULL;
    va_list list;
    int status;

    va_start(list, format);
    arguments = g_strdup_vprintf(format, list);
    va_end(list);
    if (!vmm_run(blk_program_path(), arguments, MILLISECONDS, &status, output, errors, &error)) {
        vmm_fail("%s", error->message);
    }
    if (status < 0 || !WIFEXITED(status)) {
        vmm_fail("vhost-user-blk %s: wait status 0x%x: %s", arguments, status, *errors);
    }
    return WEXITSTATUS(status);
}

char *blk_program_image(const char *name, guint64 size)
{
    char *path = vmm_temporary_path(name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    g_assert_cmpint(ftruncate(fd, (off_t)size), ==, 0);
    for (guint64 sector = 0; sector < size / SECTOR; sector++) {
        g_assert_cmpint(pwrite(fd, &sector, sizeof(sector), (off_t)(sector * SECTOR)), ==,
                        sizeof(sector));
    }
    close(fd);
    return path;
}
