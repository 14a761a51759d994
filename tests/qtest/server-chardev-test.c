/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Backends that connect to us: a listening chardev at start-up, and signals meanwhile. */
#include "qtest/backend.h"
#include "qtest/vmm.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SECONDS 20

static void test_waits_for_backend(void)
{
    g_autofree char *path = vmm_temporary_path("server");
    g_autoptr(GError) error = NULL;
    BackendConfig config;

    backend_config_init(&config);
    g_autoptr(Backend) backend = backend_new(&config);
    g_assert_true(backend_connect(backend, path, &error));
    g_autoptr(Vmm) vmm = vmm_start_or_fail(NULL,
                                           "-M pc -m 64M -chardev socket,id=c0,path=%s,server=on "
                                           "-device vhost-user-blk-pci,id=b0,chardev=c0",
                                           path);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_GET_MAX_MEM_SLOTS), ==, 1);
    g_autoptr(json_object) info = qmp_command_or_fail(vmm->qmp, "{'execute':'x-query-vhost-user'}");
    g_assert_true(json_object_get_boolean(qmp_get(info, "0/connected")));
    vmm_end(g_steal_pointer(&vmm));
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

/* The program waits for a client that never comes; a signal ends it as it would at any time. */
static void test_signal_while_waiting(void)
{
    g_autofree char *path = vmm_temporary_path("server");
    g_autofree char *chardev = g_strdup_printf("socket,id=c0,path=%s,server=on", path);
    g_autoptr(GError) error = NULL;
    const char *binary = vmm_binary(NULL, &error);
    char *arguments[] = {(char *)binary,
                         "-M",
                         "pc",
                         "-accel",
                         "qtest",
                         "-chardev",
                         chardev,
                         "-device",
                         "vhost-user-blk-pci,id=b0,chardev=c0",
                         NULL};
    gint64 deadline = g_get_monotonic_time() + SECONDS * G_USEC_PER_SEC;
    GPid pid;
    int status;

    g_assert_no_error(error);
    g_assert_true(g_spawn_async(NULL, arguments, NULL,
                                G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL,
                                &pid, &error));
    while (!g_file_test(path, G_FILE_TEST_EXISTS) && g_get_monotonic_time() < deadline) {
        g_usleep(1000);
    }
    g_usleep(100000);
    g_assert_cmpint(kill(pid, SIGTERM), ==, 0);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/server-chardev/waits-for-backend", test_waits_for_backend);
    g_test_add_func("/server-chardev/signal-while-waiting", test_signal_while_waiting);
    return g_test_run();
}
