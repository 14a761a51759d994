/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VMM as a child process: command line, sockets, greeting, end.
 */
#include "qtest/vmm.h"
#include "qtest/child.h"
#include "qtest/temporary.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Milliseconds that a program which fails to start has to end by itself. */
#define END_GRACE 3000
#define UNPLUG_WAIT 30000     /* milliseconds */
#define ACPI_PCI_EJECT 0xae08 /* a bit a slot (published ACPI block at 0xae00) */

static GMutex running_lock;
static GPtrArray *running; /* of Vmm, for vmm_fail() */

const char *vmm_binary(const char *binary, GError **error)
{
    const char *path = binary ? binary : g_getenv("QTEST_QEMU_BINARY");

    if (!path) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT,
                    "QTEST_QEMU_BINARY is not set: it names the emulator to test");
    }
    return path;
}

void vmm_fail(const char *format, ...)
{
    g_autofree char *message = NULL;
    va_list arguments;

    va_start(arguments, format);
    message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_mutex_lock(&running_lock); /* for good: what other threads meet from now on is our doing */
    fflush(stdout);
    printf("Bail out! %s\n", message);
    for (guint i = 0; running && i < running->len; i++) {
        Vmm *vmm = running->pdata[i];
        g_autofree char *output = vmm_output(vmm);

        printf("# output of %s, process %d:\n%s\n", vmm->binary, vmm->pid, output);
        vmm_kill(vmm, SIGKILL);
    }
    fflush(stdout);
    temporary_remove();
    _exit(1);
}

gboolean vmm_run_prepared(const char *binary, const char *arguments, void (*prepare)(void),
                          guint milliseconds, int *status, char **output, char **errors,
                          GError **error)
{
    ChildOptions child = {.output = -1, .prepare = prepare};
    const char *path = vmm_binary(binary, error);
    g_autofree char *quoted = path ? g_shell_quote(path) : NULL;
    g_autofree char *line = path ? g_strjoin(" ", quoted, arguments, NULL) : NULL;
    g_auto(GStrv) argv = NULL;
    int pidfd;

    if (!path || !g_shell_parse_argv(line, NULL, &argv, error)) {
        return FALSE;
    }
    child.output = child_output_new();
    child.errors = child_output_new();
    pid_t pid = child_start(argv, &child, &pidfd, error);
    if (pid >= 0) {
        if (!child_wait(pid, pidfd, milliseconds, status)) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
            *status = -1;
        }
        close(pidfd);
        *output = child_read(child.output);
        *errors = child_read(child.errors);
    }
    close(child.output);
    close(child.errors);
    return pid >= 0;
}

gboolean vmm_run(const char *binary, const char *arguments, guint milliseconds, int *status,
                 char **output, char **errors, GError **error)
{
    return vmm_run_prepared(binary, arguments, NULL, milliseconds, status, output, errors, error);
}

/* --- command line --- */

static gboolean detect_flavour(const char *binary, VmmFlavour *flavour, GError **error)
{
    static GMutex lock;
    static GHashTable *known; /* path -> VmmFlavour */
    gpointer found = NULL;
    gboolean ok = TRUE;

    g_mutex_lock(&lock);
    if (!known) {
        known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    }
    found = g_hash_table_lookup(known, binary);
    if (!found) {
        g_autofree char *output = NULL, *errors = NULL;
        int status;

        ok = vmm_run(binary, "-accel help", 30000, &status, &output, &errors, error);
        if (ok) {
            found = GINT_TO_POINTER(strstr(output, "qtest") ? VMM_QTEST_ACCEL : VMM_HALTED_TCG);
            g_hash_table_insert(known, g_strdup(binary), found);
        }
    }
    g_mutex_unlock(&lock);
    *flavour = GPOINTER_TO_INT(found);
    return ok;
}

/* A firmware image that halts at once: "cli; hlt; jmp back to hlt" at the reset vector. */
static char *halting_firmware(void)
{
    static const guint8 halt[] = {0xfa, 0xf4, 0xeb, 0xfd};
    char *path = vmm_temporary_path("halt.bin");

    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_autofree guint8 *image = g_malloc(65536);

        memset(image, 0xf4, 65536);
        memcpy(image + 0xfff0, halt, sizeof(halt));
        g_file_set_contents(path, (char *)image, 65536, NULL);
    }
    return path;
}

static char *command_line(const Vmm *vmm, gboolean qtest, guint monitors, const char *sockets,
                          const char *arguments)
{
    GString *line = g_string_new(NULL);
    g_autofree char *quoted = g_shell_quote(vmm->binary);

    g_string_append_printf(line, "%s -display none", quoted);
    if (qtest) {
        g_string_append_printf(line, " -qtest unix:%s.qtest -qtest-log /dev/null", sockets);
    }
    for (guint i = 0; i < monitors; i++) {
        g_string_append_printf(line, " -chardev socket,path=%s.qmp%u,id=char%u", sockets, i, i);
        g_string_append_printf(line, " -mon chardev=char%u,mode=control", i);
    }
    if (qtest && vmm->flavour == VMM_HALTED_TCG) {
        g_autofree char *firmware = halting_firmware();

        g_string_append_printf(line, " -accel tcg -nodefaults -bios %s", firmware);
    } else if (qtest) {
        g_string_append(line, " -accel qtest -audio none");
    }
    g_string_append_printf(line, " %s", arguments);
    return g_string_free(line, FALSE);
}

/* --- sockets --- */

static int listen_at(const char *path, GError **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 1)) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "socket '%s': %s", path,
                    g_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

/* Accepts one connection from the program, which must still live. */
static int accept_from(Vmm *vmm, int listener, GError **error)
{
    gint64 deadline = vmm->started + vmm->timeout * G_USEC_PER_SEC;
    struct pollfd pollers[2] = {{.fd = listener, .events = POLLIN},
                                {.fd = vmm->pidfd, .events = POLLIN}};
    g_autofree char *output = NULL;
    const char *what = "has not connected in time";
    gint64 left;

    while ((left = deadline - g_get_monotonic_time()) > 0) {
        if (poll(pollers, 2, (int)(left / 1000 + 1)) > 0) {
            if (pollers[0].revents) {
                return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            }
            what = "ended before it connected";
            break;
        }
    }
    output = vmm_output(vmm);
    g_set_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED, "%s %s: %s", vmm->binary, what,
                g_strchomp(output));
    return -1;
}

static gboolean accept_all(Vmm *vmm, const int *listeners, gboolean qtest, guint monitors,
                           GError **error)
{
    if (qtest) {
        int fd = accept_from(vmm, listeners[0], error);

        if (fd < 0) {
            return FALSE;
        }
        vmm->qtest = qtest_new(fd, vmm->timeout);
    }
    for (guint i = 0; i < monitors; i++) {
        int fd = accept_from(vmm, listeners[i + 1], error);

        if (fd < 0) {
            return FALSE;
        }
        g_ptr_array_add(vmm->monitors, qmp_new(fd, vmm->timeout));
    }
    for (guint i = 0; i < monitors; i++) {
        if (!qmp_negotiate(vmm->monitors->pdata[i], error)) {
            g_autofree char *output = NULL;

            /* A program that gives up closes its sockets before it has said why. */
            vmm_wait(vmm, END_GRACE, NULL);
            output = vmm_output(vmm);
            g_prefix_error(error, "%s (%s): ", vmm->binary, g_strchomp(output));
            return FALSE;
        }
        if (i == 0) {
            vmm->greeted = g_get_monotonic_time();
        }
    }
    vmm->qmp = monitors ? vmm->monitors->pdata[0] : NULL;
    return TRUE;
}

/* --- life --- */

static Vmm *vmm_new(const char *binary, VmmFlavour flavour, guint timeout)
{
    Vmm *vmm = g_new0(Vmm, 1);

    vmm->binary = g_strdup(binary);
    vmm->flavour = flavour;
    vmm->timeout = timeout;
    vmm->monitors = g_ptr_array_new_with_free_func((GDestroyNotify)qmp_free);
    vmm->pidfd = -1;
    vmm->output = child_output_new();
    return vmm;
}

static gboolean run(Vmm *vmm, const VmmOptions *options, const char *line, GError **error)
{
    const ChildOptions child = {.output = vmm->output,
                                .errors = vmm->output,
                                .inherit = options->inherit,
                                .inherit_count = options->inherit_count};
    g_auto(GStrv) argv = NULL;
    pid_t pid;

    if (!g_shell_parse_argv(line, NULL, &argv, error)) {
        return FALSE;
    }
    vmm->started = g_get_monotonic_time();
    pid = child_start(argv, &child, &vmm->pidfd, error);
    if (pid < 0) {
        return FALSE;
    }
    vmm->pid = pid;
    g_mutex_lock(&running_lock);
    if (!running) {
        running = g_ptr_array_new();
    }
    g_ptr_array_add(running, vmm);
    g_mutex_unlock(&running_lock);
    return TRUE;
}

static Vmm *start(const VmmOptions *options, GError **error, const char *arguments)
{
    static const VmmOptions defaults;
    static gint number;
    const VmmOptions *o = options ? options : &defaults;
    guint monitors = o->monitors ? o->monitors : 1;
    VmmFlavour flavour = o->flavour;
    const char *binary = vmm_binary(o->binary, error);
    g_autofree char *name = g_strdup_printf("vm%d", g_atomic_int_add(&number, 1));
    g_autofree char *sockets = vmm_temporary_path(name);
    g_autofree int *listeners = g_new(int, monitors + 1);
    g_autofree char *line = NULL;
    Vmm *vmm;
    gboolean ok = TRUE;

    if (!binary ||
        (flavour == VMM_DETECT && !o->no_qtest && !detect_flavour(binary, &flavour, error))) {
        return NULL;
    }
    vmm = vmm_new(binary, flavour, o->timeout ? o->timeout : 30);
    line = command_line(vmm, !o->no_qtest, monitors, sockets, arguments);
    for (guint i = 0; i <= monitors; i++) {
        g_autofree char *path =
            i ? g_strdup_printf("%s.qmp%u", sockets, i - 1) : g_strconcat(sockets, ".qtest", NULL);

        listeners[i] = ok ? listen_at(path, error) : -1;
        ok = ok && listeners[i] >= 0;
    }
    ok =
        ok && run(vmm, o, line, error) && accept_all(vmm, listeners, !o->no_qtest, monitors, error);
    for (guint i = 0; i <= monitors; i++) {
        g_autofree char *path =
            i ? g_strdup_printf("%s.qmp%u", sockets, i - 1) : g_strconcat(sockets, ".qtest", NULL);

        if (listeners[i] >= 0) {
            close(listeners[i]);
        }
        unlink(path);
    }
    if (!ok) {
        vmm_free(vmm);
        return NULL;
    }
    return vmm;
}

Vmm *vmm_start(const VmmOptions *options, GError **error, const char *format, ...)
{
    g_autofree char *arguments = NULL;
    va_list list;

    va_start(list, format);
    arguments = g_strdup_vprintf(format, list);
    va_end(list);
    return start(options, error, arguments);
}

Vmm *vmm_start_or_fail(const VmmOptions *options, const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *arguments = NULL;
    va_list list;
    Vmm *vmm;

    va_start(list, format);
    arguments = g_strdup_vprintf(format, list);
    va_end(list);
    vmm = start(options, &error, arguments);
    if (!vmm) {
        vmm_fail("%s", error->message);
    }
    return vmm;
}

char *vmm_output(Vmm *vmm)
{
    return child_read(vmm->output);
}

void vmm_kill(Vmm *vmm, int signal)
{
    if (vmm->pid) {
        kill(vmm->pid, signal);
    }
}

gboolean vmm_wait(Vmm *vmm, guint milliseconds, int *status)
{
    int ended;

    if (!vmm->pid || !child_wait(vmm->pid, vmm->pidfd, milliseconds, &ended)) {
        return FALSE;
    }
    g_mutex_lock(&running_lock);
    g_ptr_array_remove_fast(running, vmm);
    g_mutex_unlock(&running_lock);
    vmm->pid = 0;
    if (status) {
        *status = ended;
    }
    return TRUE;
}

gboolean vmm_quit(Vmm *vmm, GError **error)
{
    g_autofree char *output = NULL;
    int status;

    if (vmm->qmp) {
        qmp_send(vmm->qmp, "{'execute':'quit'}");
    } else {
        vmm_kill(vmm, SIGTERM);
    }
    if (!vmm_wait(vmm, vmm->timeout * 1000, &status)) {
        g_set_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED,
                    "%s, process %d: has not ended in %u s", vmm->binary, vmm->pid, vmm->timeout);
        return FALSE;
    }
    if (status != 0) {
        output = vmm_output(vmm);
        g_set_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED, "%s: ended with %s %d: %s",
                    vmm->binary, WIFSIGNALED(status) ? "signal" : "status",
                    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), output);
        return FALSE;
    }
    return TRUE;
}

void vmm_free(Vmm *vmm)
{
    if (!vmm) {
        return;
    }
    if (vmm->pid) {
        vmm_kill(vmm, SIGKILL);
        vmm_wait(vmm, G_MAXINT / 1000, NULL);
    }
    qtest_free(vmm->qtest);
    g_ptr_array_free(vmm->monitors, TRUE);
    if (vmm->pidfd >= 0) {
        close(vmm->pidfd);
    }
    close(vmm->output);
    g_free(vmm->binary);
    g_free(vmm);
}

void vmm_end(Vmm *vmm)
{
    g_autoptr(GError) error = NULL;

    if (!vmm_quit(vmm, &error)) {
        vmm_fail("%s", error->message);
    }
    vmm_free(vmm);
}

void vmm_unplug(Vmm *vmm, const char *id, guint slot)
{
    json_object_put(
        qmp_command_or_fail(vmm->qmp, "{'execute':'device_del','arguments':{'id':'%s'}}", id));
    qtest_outl(vmm->qtest, ACPI_PCI_EJECT, 1u << slot);
    json_object_put(qmp_event_where_or_fail(vmm->qmp, "DEVICE_DELETED", "device", id, UNPLUG_WAIT));
}
