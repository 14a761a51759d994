/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backends that connect to us: a listening chardev at start-up, signals meanwhile, backends that
 * are of no use at first, and those that go and come again.
 */
#include "qtest/rig.h"

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

/* --- one after the other --- */

typedef struct Comer {
    Backend *backend;
    char *path;
    gint ending; /* atomic */
} Comer;

/* A backend that connects again whenever its connection has ended. */
static gpointer come_again(gpointer data)
{
    Comer *comer = data;

    for (guint connections = 0; !g_atomic_int_get(&comer->ending); connections++) {
        g_assert_true(backend_connect(comer->backend, comer->path, NULL));
        while (!g_atomic_int_get(&comer->ending) &&
               (backend_connections(comer->backend) == connections ||
                backend_connected(comer->backend))) {
            g_usleep(1000);
        }
    }
    return NULL;
}

/* What the backend does at its connections, from the first on. */
typedef struct Misbehaviour {
    const char *name;
    uint32_t request; /* at the first: hang up before it */
    gboolean empty;   /* at the second: no features at all */
    gboolean at_boot; /* both when the driver starts, otherwise at start-up */
} Misbehaviour;

static const Misbehaviour misbehaviours[] = {
    {"first-message", VHOST_USER_GET_FEATURES, FALSE, FALSE},
    {"no-features", VHOST_USER_GET_PROTOCOL_FEATURES, TRUE, FALSE},
    {"driver-start", VHOST_USER_SET_FEATURES, FALSE, TRUE},
    {"driver-start-no-features", VHOST_USER_SET_FEATURES, TRUE, TRUE},
};

static gpointer mend(gpointer data)
{
    Backend *backend = data;
    BackendConfig config;

    backend_config_init(&config);
    g_assert_true(backend_wait_connections(backend, 4, SECONDS * 1000));
    backend_set_config(backend, &config);
    return NULL;
}

static void test_misbehaves(gconstpointer data)
{
    const Misbehaviour *one = data;
    g_autofree char *path = vmm_temporary_path("server");
    const char *const sockets[] = {path};
    RigOptions options = {.sockets = sockets, .chardev = ",server=on"};
    BackendFault fault = {.request = one->request, .occurrence = 1, .kind = FAULT_CLOSE_BEFORE};
    GThread *thread, *mender = NULL;
    BackendConfig config;
    Comer comer = {.path = path};
    Rig *rig;

    backend_config_init(&config);
    if (one->empty) {
        config.features = one->at_boot ? config.features : 0;
    }
    comer.backend = backend_new(&config);
    backend_fault(comer.backend, &fault);
    thread = g_thread_new("comer", come_again, &comer);
    if (one->empty && !one->at_boot) {
        mender = g_thread_new("mender", mend, comer.backend);
    }
    rig = rig_start(NULL, &options);
    g_ptr_array_add(rig->backends, comer.backend); /* which frees it */
    if (one->empty && one->at_boot) {
        config.features = 0;
        backend_set_config(comer.backend, &config);
        mender = g_thread_new("mender", mend, comer.backend);
    }
    rig_boot(rig, NULL);
    rig_plug(rig, 0);
    rig_check_data(rig, 0, rig_dimm_address(rig, 0));
    /* And again while it runs. */
    for (guint i = 0; i < 3; i++) {
        backend_hang_up(comer.backend);
        rig_check_data(rig, 0, rig_dimm_address(rig, 0));
    }
    g_assert_cmpuint(backend_connections(comer.backend), >=, 4);
    g_atomic_int_set(&comer.ending, TRUE);
    g_thread_join(thread);
    if (mender) {
        g_thread_join(mender);
    }
    rig_end(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/server-chardev/waits-for-backend", test_waits_for_backend);
    g_test_add_func("/server-chardev/signal-while-waiting", test_signal_while_waiting);
    for (guint i = 0; i < G_N_ELEMENTS(misbehaviours); i++) {
        g_autofree char *path =
            g_strconcat("/server-chardev/misbehaves/", misbehaviours[i].name, NULL);

        g_test_add_data_func(path, &misbehaviours[i], test_misbehaves);
    }
    return g_test_run();
}
