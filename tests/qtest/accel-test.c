/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What -accel kvm says where /dev/kvm is not what it should be, and on this host.  The former runs
 * with a /dev of its own, and is skipped where that is not allowed.
 */
#include "qtest/forbid.h"
#include "qtest/vmm.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MILLISECONDS 20000

/* Who may not mount becomes root of a user namespace; in a changed root directory nobody gets one
 * (user_namespaces(7)). */
static const char *const ways[] = {"-m", "-Urm"};
static const char *way; /* the one that is allowed */

/* Runs @script in a mount namespace of its own, in a directory that it can make its /dev. */
static int run_in_namespaces(const char *script, void (*prepare)(void), char **errors)
{
    g_autofree char *directory = vmm_temporary_path("dev");
    g_autofree char *whole = g_strdup_printf("mkdir -p %s && mount -t tmpfs none %s && cd %s && "
                                             "touch null urandom && mount --bind /dev/null null && "
                                             "mount --bind /dev/urandom urandom && %s",
                                             directory, directory, directory, script);
    g_autofree char *quoted = g_shell_quote(whole);
    g_autofree char *arguments = g_strconcat(way, " sh -c ", quoted, NULL);
    g_autofree char *output = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    if (!vmm_run_prepared("unshare", arguments, prepare, MILLISECONDS, &status, &output, errors,
                          &error)) {
        vmm_fail("unshare: %s", error->message);
    }
    return status;
}

static gboolean has_namespaces(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(ways); i++) {
        g_autofree char *errors = NULL;

        way = ways[i];
        if (run_in_namespaces("mount --rbind . /dev", NULL, &errors) == 0) {
            return TRUE;
        }
        g_test_message("unshare %s: %s", way, errors);
    }
    g_test_skip("no mount namespace of its own");
    return FALSE;
}

typedef struct DeviceRow {
    const char *name;
    const char *prepare;  /* makes "kvm" in a directory that becomes /dev */
    const char *message;  /* behind the name of the program */
    void (*kernel)(void); /* makes the system call for the device answer so; NULL: it is as it is */
} DeviceRow;

/* A call that a filter lets fail with error 0 succeeds, with result 0. */
static void answer_version_0(void)
{
    forbid_argument(SYS_ioctl, 1, KVM_GET_API_VERSION, 0);
}

static const DeviceRow rows[] = {
    {"missing", "true",
     "-accel kvm: /dev/kvm: No such file or directory; load the module kvm_intel or kvm_amd, and "
     "see that virtualisation is enabled in the firmware",
     NULL},
    {"forbidden", "touch kvm && mount --bind /dev/null kvm && mount -o remount,bind,nodev kvm",
     "-accel kvm: /dev/kvm: Permission denied; join the group 'kvm' or become root", NULL},
    {"file", "touch kvm",
     "-accel kvm: /dev/kvm is not KVM's device (KVM_GET_API_VERSION: Inappropriate ioctl for "
     "device); make it anew with modprobe or udev",
     NULL},
    {"other-device", "touch kvm && mount --bind /dev/null kvm",
     "-accel kvm: /dev/kvm is not KVM's device (KVM_GET_API_VERSION: Inappropriate ioctl for "
     "device); make it anew with modprobe or udev",
     NULL},
    {"directory", "mkdir kvm", "-accel kvm: /dev/kvm: Is a directory", NULL},
    {"old", "touch kvm && mount --bind /dev/null kvm",
     "-accel kvm: /dev/kvm has API version 0, expected 12: the kernel is too old; use Linux 5.10 "
     "or "
     "newer",
     answer_version_0},
};

/* One line and status 1; with qtest behind it the same line, as a warning. */
static void test_device(gconstpointer opaque)
{
    const DeviceRow *row = opaque;
    g_autofree char *binary = g_canonicalize_filename(vmm_binary(NULL, NULL), NULL);
    g_autofree char *alone =
        g_strdup_printf("%s && mount --rbind . /dev && exec %s -accel kvm", row->prepare, binary);
    g_autofree char *behind = g_strdup_printf(
        "%s && mount --rbind . /dev && %s -accel kvm:qtest -m 0x", row->prepare, binary);
    g_autofree char *expected = g_strdup_printf("qemu-system-x86_64: %s\n", row->message);
    g_autofree char *warned = g_strdup_printf(
        "qemu-system-x86_64: warning: %s; -accel qtest is taken instead\n", row->message);
    g_autofree char *errors = NULL, *more = NULL;

    if (!has_namespaces()) {
        return;
    }
    int status = run_in_namespaces(alone, row->kernel, &errors);
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    g_assert_cmpstr(errors, ==, expected);
    run_in_namespaces(behind, row->kernel, &more); /* and then refused for the size of memory */
    g_assert_true(g_str_has_prefix(more, warned));
}

/* KVM_CHECK_EXTENSION, an ioctl whose third argument is the capability, says that it is not there.
 */
static void lack_immediate_exit(void)
{
    forbid_argument(SYS_ioctl, 2, KVM_CAP_IMMEDIATE_EXIT, 0);
}

/* As on a kernel of before that capability: it is named before anything is tried with the device.
 */
static void test_lacking(void)
{
    g_autofree char *output = NULL, *errors = NULL;
    g_autoptr(GError) error = NULL;
    int device = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    int version = ioctl(device, KVM_GET_API_VERSION, NULL);
    int status;

    if (device >= 0) {
        close(device);
    }
    if (version != KVM_API_VERSION) {
        g_test_skip("this host shows no KVM");
        return;
    }
    g_assert_true(vmm_run_prepared(NULL, "-M pc -accel kvm", lack_immediate_exit, MILLISECONDS,
                                   &status, &output, &errors, &error));
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    g_assert_cmpstr(
        errors, ==,
        "qemu-system-x86_64: -accel kvm: the kernel's KVM lacks KVM_CAP_IMMEDIATE_EXIT; "
        "use Linux 5.10 or newer\n");
}

/*
 * Without a kernel no machine starts on KVM, wherever this runs: either /dev/kvm is of no use,
 * which is said in one line, and a list of accelerators goes on to the next; or the kernel is
 * missing.
 */
static void test_kvm(void)
{
    static const char *const reasons[] = {
        "-accel kvm: /dev/kvm is there, but it interprets the guest (",
        "-accel kvm: /dev/kvm is there, but it runs no guest (",
        "-accel kvm: /dev/kvm makes no machine: ",
        "-accel kvm: /dev/kvm: ", /* missing or forbidden */
        "-accel kvm: /dev/kvm has API version ",
        "-accel kvm: /dev/kvm is not KVM's device ",
        "-accel kvm: the kernel's KVM lacks ",
    };
    g_autofree char *output = NULL, *errors = NULL;
    g_autoptr(GError) error = NULL;
    gboolean useless = FALSE;
    int status;

    g_assert_true(
        vmm_run(NULL, "-M pc -m 16M -accel kvm", MILLISECONDS, &status, &output, &errors, &error));
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    g_assert_cmpstr(output, ==, "");
    g_assert_true(strchr(errors, '\n') == errors + strlen(errors) - 1); /* one line */
    for (guint i = 0; i < G_N_ELEMENTS(reasons); i++) {
        useless = useless || strstr(errors, reasons[i]);
    }
    g_assert_true(useless || strstr(errors, "-kernel is missing"));
    g_test_message("%s", errors);
    if (useless) {
        g_autoptr(Vmm) vmm =
            vmm_start_or_fail(&(VmmOptions){.no_qtest = TRUE}, "-M pc -m 16M -accel kvm:qtest");
        g_autoptr(json_object) answer = qmp_command_or_fail(vmm->qmp, "{'execute':'query-kvm'}");
        g_autofree char *said = vmm_output(vmm);
        g_assert_false(json_object_get_boolean(qmp_get(answer, "enabled")));
        g_assert_true(g_str_has_prefix(said, "qemu-system-x86_64: warning: -accel kvm: /dev/kvm"));
        g_assert_true(g_str_has_suffix(said, "; -accel qtest is taken instead\n"));
        vmm_end(g_steal_pointer(&vmm));
        /* The same as two options. */
        vmm = vmm_start_or_fail(&(VmmOptions){.no_qtest = TRUE},
                                "-M pc -m 16M -accel kvm -accel qtest");
        g_autoptr(json_object) again = qmp_command_or_fail(vmm->qmp, "{'execute':'query-kvm'}");
        g_assert_false(json_object_get_boolean(qmp_get(again, "enabled")));
        vmm_end(g_steal_pointer(&vmm));
        return;
    }
    g_clear_pointer(&output, g_free);
    g_clear_pointer(&errors, g_free);
    g_assert_true(vmm_run(NULL, "-M pc -m 16M -accel kvm:qtest", MILLISECONDS, &status, &output,
                          &errors, &error));
    g_assert_nonnull(strstr(errors, "-kernel is missing"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strconcat("/accel/kvm-", rows[i].name, NULL);

        g_test_add_data_func(path, &rows[i], test_device);
    }
    g_test_add_func("/accel/kvm-lacking", test_lacking);
    g_test_add_func("/accel/kvm", test_kvm);
    return g_test_run();
}
