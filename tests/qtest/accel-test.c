/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What -accel kvm says where /dev/kvm is not what it should be.  Each line runs with a /dev of its
 * own (user and mount namespaces); where the host does not allow that the tests are skipped.
 */
#include "qtest/vmm.h"

#include <string.h>
#include <sys/wait.h>

#define MILLISECONDS 20000

/* Runs @script as root of namespaces of its own, in a directory that it can make its /dev. */
static int run_in_namespaces(const char *script, char **errors)
{
    g_autofree char *directory = vmm_temporary_path("dev");
    g_autofree char *whole = g_strdup_printf("mkdir -p %s && mount -t tmpfs none %s && cd %s && "
                                             "touch null urandom && mount --bind /dev/null null && "
                                             "mount --bind /dev/urandom urandom && %s",
                                             directory, directory, directory, script);
    g_autofree char *quoted = g_shell_quote(whole);
    g_autofree char *arguments = g_strconcat("-Urm sh -c ", quoted, NULL);
    g_autofree char *output = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    if (!vmm_run("unshare", arguments, MILLISECONDS, &status, &output, errors, &error)) {
        vmm_fail("unshare: %s", error->message);
    }
    return status;
}

static gboolean has_namespaces(void)
{
    g_autofree char *errors = NULL;

    if (run_in_namespaces("mount --rbind . /dev", &errors) == 0) {
        return TRUE;
    }
    g_test_skip(errors);
    return FALSE;
}

typedef struct DeviceRow {
    const char *name;
    const char *prepare; /* makes "kvm" in a directory that becomes /dev */
    const char *message; /* behind the name of the program */
} DeviceRow;

static const DeviceRow rows[] = {
    {"missing", "true",
     "-accel kvm: /dev/kvm: No such file or directory; load the module kvm_intel or kvm_amd, and "
     "see that virtualisation is enabled in the firmware"},
    {"forbidden", "touch kvm && mount --bind /dev/null kvm && mount -o remount,bind,nodev kvm",
     "-accel kvm: /dev/kvm: Permission denied; join the group 'kvm' or become root"},
    {"file", "touch kvm",
     "-accel kvm: /dev/kvm is not KVM's device (KVM_GET_API_VERSION: Inappropriate ioctl for "
     "device); make it anew with modprobe or udev"},
    {"other-device", "touch kvm && mount --bind /dev/null kvm",
     "-accel kvm: /dev/kvm is not KVM's device (KVM_GET_API_VERSION: Inappropriate ioctl for "
     "device); make it anew with modprobe or udev"},
    {"directory", "mkdir kvm", "-accel kvm: /dev/kvm: Is a directory"},
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
    int status = run_in_namespaces(alone, &errors);
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    g_assert_cmpstr(errors, ==, expected);
    run_in_namespaces(behind, &more); /* and then refused for the size of memory */
    g_assert_true(g_str_has_prefix(more, warned));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strconcat("/accel/kvm-", rows[i].name, NULL);

        g_test_add_data_func(path, &rows[i], test_device);
    }
    return g_test_run();
}
