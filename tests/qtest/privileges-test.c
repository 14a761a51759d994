/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -runas and -chroot: what the program is and sees afterwards, and that a machine works so. */
#include "qtest/inject.h"
#include "qtest/process.h"
#include "qtest/rig.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MILLISECONDS 20000
#define USER 65534 /* Debian's nobody and nogroup */
#define GROUP 65533

/* Every thread has the user, the group and no group besides @groups. */
static void check_user(pid_t pid, guint user, guint group, const char *groups)
{
    g_autofree char *directory = g_strdup_printf("/proc/%d/task", (int)pid);
    g_autofree char *uid = g_strdup_printf("\nUid:\t%u\t%u\t%u\t%u\n", user, user, user, user);
    g_autofree char *gid = g_strdup_printf("\nGid:\t%u\t%u\t%u\t%u\n", group, group, group, group);
    g_autofree char *all = g_strdup_printf("\nGroups:\t%s \n", groups);
    GDir *tasks = g_dir_open(directory, 0, NULL);
    const char *name;

    g_assert_nonnull(tasks);
    while ((name = g_dir_read_name(tasks))) {
        g_autofree char *path = g_strdup_printf("task/%s/status", name);
        g_autofree char *status = process_read(pid, path);
        g_assert_nonnull(strstr(status, uid));
        g_assert_nonnull(strstr(status, gid));
        g_assert_nonnull(strstr(status, all));
        g_assert_nonnull(strstr(status, "\nCapEff:\t0000000000000000\n"));
    }
    g_dir_close(tasks);
}

static void test_numbers(void)
{
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -m 64M -runas %d:%d", USER, GROUP);

    check_user(vmm->pid, USER, GROUP, "65533");
    vmm_end(vmm);
    vmm = vmm_start_or_fail(NULL, "-M pc -m 64M -run-with user=%d:%d", USER, GROUP);
    check_user(vmm->pid, USER, GROUP, "65533");
    vmm_end(vmm);
}

/* By name it has the groups that the host gives it. */
static void test_name(void)
{
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -m 64M -runas nobody");

    check_user(vmm->pid, 65534, 65534, "65534");
    g_autofree char *output = vmm_output(vmm);
    g_assert_cmpstr(output, ==, "");
    vmm_end(vmm);
}

/* Threads of vhost-user devices among it, in a directory where nothing is. */
static void test_life(void)
{
    g_autofree char *directory = vmm_temporary_path("empty");
    g_autofree char *arguments = g_strdup_printf("-runas %d:%d -chroot %s", USER, GROUP, directory);
    const RigOptions options = {.arguments = arguments};

    g_assert_cmpint(g_mkdir(directory, 0755), ==, 0);
    Rig *rig = rig_start(NULL, &options);
    g_autofree char *link = g_strdup_printf("/proc/%d/root", (int)rig->vmm->pid);
    g_autofree char *root = g_file_read_link(link, NULL);

    g_assert_cmpstr(root, ==, directory);
    check_user(rig->vmm->pid, USER, GROUP, "65533");
    rig_boot(rig, NULL);
    rig_plug(rig, 0);
    rig_check_data(rig, 0, rig_dimm_address(rig, 0));
    rig_unplug(rig, 0);
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'system_reset'}"));
    rig_end(rig);
    g_assert_cmpint(g_rmdir(directory), ==, 0); /* nothing was left there */
}

static void make_file(const char *path)
{
    g_autofree char *directory = g_path_get_dirname(path);

    g_assert_cmpint(g_mkdir_with_parents(directory, 0755), ==, 0);
    g_assert_true(g_file_set_contents(path, "another's\n", -1, NULL));
}

/* At the end a file of the same name within the new root is not taken for the old one. */
static void test_names(void)
{
    g_autofree char *directory = vmm_temporary_path("root");
    g_autofree char *pidfile = vmm_temporary_path("pid");
    g_autofree char *socket = vmm_temporary_path("socket");
    g_autofree char *pty = vmm_temporary_path("pty");
    g_autofree char *inner_pidfile = g_build_filename(directory, pidfile, NULL);
    g_autofree char *inner_socket = g_build_filename(directory, socket, NULL);
    g_autofree char *inner_pty = g_build_filename(directory, pty, NULL);
    const VmmOptions options = {.no_qtest = TRUE};

    make_file(inner_pidfile);
    make_file(inner_socket);
    make_file(inner_pty);
    Vmm *vmm = vmm_start_or_fail(&options,
                                 "-M none -chroot %s -pidfile %s -chardev pty,id=p,path=%s "
                                 "-chardev socket,id=s,path=%s,server=on,wait=off",
                                 directory, pidfile, pty, socket);
    vmm_end(vmm);
    g_assert_true(g_file_test(inner_pidfile, G_FILE_TEST_EXISTS));
    g_assert_true(g_file_test(inner_socket, G_FILE_TEST_EXISTS));
    g_assert_true(g_file_test(inner_pty, G_FILE_TEST_EXISTS));
}

/* The kernel forgets that a process ends with its parent when its user changes. */
static void test_exit_with_parent(void)
{
    g_autofree char *socket = vmm_temporary_path("orphan.qmp");
    g_autofree char *arguments =
        g_strdup_printf("-M none -run-with exit-with-parent=on -runas nobody "
                        "-qmp unix:%s,server=on,wait=off",
                        socket);

    process_check_ends_with_parent(arguments, "grep -q \"^Uid:.65534\" /proc/$!/status");
}

/* A filter that forbids the very calls that are made comes after them. */
static void test_sandbox(void)
{
    static const unsigned long itself[6] = {USER, USER, USER};
    Vmm *vmm = vmm_start_or_fail(
        NULL, "-M pc -m 64M -runas %d:%d -sandbox on,elevateprivileges=deny", USER, GROUP);
    g_autoptr(GError) error = NULL;
    long result;

    check_user(vmm->pid, USER, GROUP, "65533");
    if (inject_call(vmm->pid, SYS_setresuid, itself, &result, &error)) {
        g_assert_cmpint(result, ==, -EPERM);
    } else {
        g_test_skip(error->message);
    }
    vmm_end(vmm);
}

/* The program with @arguments, started by setpriv(1) with @rights, ends with @expected; FALSE if
 * it cannot be executed so. */
static gboolean refused(const char *rights, const char *arguments, const char *expected)
{
    g_autofree char *line =
        g_strdup_printf("%s %s -M none %s", rights, vmm_binary(NULL, NULL), arguments);
    g_autofree char *ending = g_strdup_printf("qemu-system-x86_64: %s\n", expected);
    g_autofree char *output = NULL, *errors = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    g_assert_true(vmm_run("setpriv", line, MILLISECONDS, &status, &output, &errors, &error));
    if (WEXITSTATUS(status) == 126 || WEXITSTATUS(status) == 127) {
        return FALSE;
    }
    g_assert_cmpint(WEXITSTATUS(status), ==, 1);
    g_test_message("%s", errors);
    g_assert_true(g_str_has_suffix(errors, ending));
    return TRUE;
}

/* The error has the option as it was written. */
static const char *const spellings[] = {"-runas nobody", "-run-with user=nobody", "-chroot /usr/..",
                                        "-run-with chroot=/usr/.."};

static void test_not_root(void)
{
    g_autofree char *rights = g_strdup_printf("--reuid=%d --clear-groups", USER);

    for (guint i = 0; i < G_N_ELEMENTS(spellings); i++) {
        g_autofree char *expected =
            g_strdup_printf("%s: only root may do that; start the program as root", spellings[i]);
        if (!refused(rights, spellings[i], expected)) {
            g_test_skip("the program is in a directory of root's");
            return;
        }
    }
}

/* Root of a container without these capabilities. */
static void test_capabilities(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(spellings); i++) {
        g_autofree char *expected = g_strdup_printf("%s: Operation not permitted", spellings[i]);

        g_assert_true(
            refused("--bounding-set=-sys_chroot,-setuid,-setgid", spellings[i], expected));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (geteuid() != 0) {
        g_print("1..0 # SKIP users and roots are changed by root only\n");
        return 0;
    }
    /* The leak checker at the end of a sanitized program reads the process as its user may not. */
    g_autofree char *asan = g_strconcat(g_getenv("ASAN_OPTIONS") ? g_getenv("ASAN_OPTIONS") : "",
                                        ":detect_leaks=0", NULL);
    g_setenv("ASAN_OPTIONS", asan, TRUE);
    g_test_add_func("/privileges/numbers", test_numbers);
    g_test_add_func("/privileges/name", test_name);
    g_test_add_func("/privileges/life", test_life);
    g_test_add_func("/privileges/names", test_names);
    g_test_add_func("/privileges/exit-with-parent", test_exit_with_parent);
    g_test_add_func("/privileges/sandbox", test_sandbox);
    g_test_add_func("/privileges/not-root", test_not_root);
    g_test_add_func("/privileges/capabilities", test_capabilities);
    return g_test_run();
}
