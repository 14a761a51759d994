/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backends that misbehave at the first connection, at the driver's start and at the end: a program
 * that refuses says who and what, one that runs goes on, and each ends in order.
 */
#include "qtest/rig.h"

#include <signal.h>

/* Milliseconds: above the front end's deadline of 10 s, with room for a slow machine. */
#define PATIENCE 25000

/* --- the first connection: the program refuses to start and says who and what --- */

typedef struct StartCase {
    uint32_t request;
    FaultKind kind;
} StartCase;

static const uint32_t negotiation[] = {VHOST_USER_GET_FEATURES, VHOST_USER_GET_PROTOCOL_FEATURES,
                                       VHOST_USER_GET_QUEUE_NUM, VHOST_USER_GET_MAX_MEM_SLOTS,
                                       VHOST_USER_GET_CONFIG};
static const FaultKind spoiled[] = {FAULT_HANG,  FAULT_SHORT, FAULT_LONG,    FAULT_WRONG_REQUEST,
                                    FAULT_EMPTY, FAULT_HUGE,  FAULT_GARBAGE, FAULT_CLOSE_BEFORE};

static gpointer run_start_case(gpointer data)
{
    const StartCase *one = data;
    /* Each occurrence: a backend that gives no configuration is asked for less of it. */
    BackendFault fault = {.request = one->request, .occurrence = 0, .kind = one->kind};
    g_autoptr(GError) error = NULL;
    g_autoptr(Backend) backend = NULL;
    BackendConfig config;
    Vmm *vmm;

    backend_config_init(&config);
    backend = backend_start(&config);
    backend_fault(backend, &fault);
    vmm = vmm_start(NULL, &error,
                    "-machine pc -m 64M -chardev socket,id=s0,path=%s"
                    " -device vhost-user-blk-pci,id=b0,chardev=s0",
                    backend_path(backend));
    if (vmm) {
        vmm_fail("%s at %s: the program started", fault_name(one->kind),
                 vhost_user_request_name(one->request));
    }
    g_test_message("%s at %s: %s", fault_name(one->kind), vhost_user_request_name(one->request),
                   error->message);
    rig_assert_names(error->message, "'b0'", vhost_user_request_name(one->request), NULL);
    return NULL;
}

static void test_start(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(negotiation); i++) {
        StartCase cases[G_N_ELEMENTS(spoiled)];

        for (guint j = 1; j < G_N_ELEMENTS(spoiled); j++) {
            cases[j] = (StartCase){negotiation[i], spoiled[j]};
            run_start_case(&cases[j]);
        }
    }
}

static void test_start_hang(void)
{
    StartCase cases[G_N_ELEMENTS(negotiation)];

    for (guint i = 0; i < G_N_ELEMENTS(negotiation); i++) {
        cases[i] = (StartCase){negotiation[i], FAULT_HANG};
    }
    rig_run_parallel(run_start_case, cases, G_N_ELEMENTS(negotiation), sizeof(StartCase));
}

/* --- the driver's start: the device breaks, the machine does not --- */

static const uint32_t starting[] = {VHOST_USER_SET_FEATURES,   VHOST_USER_ADD_MEM_REG,
                                    VHOST_USER_SET_VRING_NUM,  VHOST_USER_SET_VRING_BASE,
                                    VHOST_USER_SET_VRING_ADDR, VHOST_USER_SET_VRING_KICK,
                                    VHOST_USER_SET_VRING_CALL, VHOST_USER_SET_VRING_ENABLE};

static gpointer run_driver_case(gpointer data)
{
    const StartCase *one = data;
    RigOptions options = {.monitors = 2};
    Rig *rig = rig_start(NULL, &options);
    BackendFault fault = {.request = one->request, .occurrence = 1, .kind = one->kind};
    g_autoptr(VirtDevice) driver = NULL;
    BlkDisk *disk;

    backend_fault(rig_backend(rig, 0), &fault);
    driver = virt_device_new(rig->qtest, &rig->addresses, RIG_DISK_SLOT);
    disk = blk_disk_start(driver, &rig->memory, NULL);
    g_assert_true(backend_wait(rig_backend(rig, 0), one->request, 1, RIG_PROMPT));
    rig_check_other_monitor(rig, FALSE);
    rig_plug(rig, 0);
    virt_device_reset(driver);
    blk_disk_free(disk);
    rig_end(rig);
    return NULL;
}

static void test_driver(gconstpointer data)
{
    StartCase cases[G_N_ELEMENTS(starting)];

    for (guint i = 0; i < G_N_ELEMENTS(starting); i++) {
        cases[i] = (StartCase){starting[i], GPOINTER_TO_UINT(data)};
    }
    rig_run_parallel(run_driver_case, cases, G_N_ELEMENTS(starting), sizeof(StartCase));
}

/* SIGTERM while a backend owes an answer: the program ends in order all the same. */
static void test_terminate_while_hanging(void)
{
    BackendFault fault = {.request = VHOST_USER_ADD_MEM_REG, .occurrence = 1, .kind = FAULT_HANG};
    Rig *rig = rig_start(NULL, NULL);
    int status;

    rig_boot(rig, NULL);
    backend_fault(rig_backend(rig, 0), &fault);
    json_object_put(qmp_command_or_fail(
        rig->qmp, "{'execute':'object-add','arguments':{'qom-type':'memory-backend-memfd',"
                  "'id':'m0','size':2097152}}"));
    qmp_send(rig->qmp, "{'execute':'device_add','arguments':{'driver':'pc-dimm','memdev':'m0'}}");
    g_assert_true(backend_wait(rig_backend(rig, 0), VHOST_USER_ADD_MEM_REG, 2, RIG_PROMPT));
    vmm_kill(rig->vmm, SIGTERM);
    g_assert_true(vmm_wait(rig->vmm, PATIENCE, &status));
    g_assert_cmpint(status, ==, 0);
    rig_free(rig);
}

/* A backend shares the rings' event fds and makes them block; nobody here waits on an empty one. */
static void test_blocking(void)
{
    BackendConfig config;
    Rig *rig;

    backend_config_init(&config);
    config.blocking = TRUE;
    rig = rig_start(&config, NULL);
    rig_boot(rig, NULL);
    rig_check_data(rig, 0, guest_memory_alloc(&rig->memory, 4096, 4096));
    virt_device_reset(rig->drivers->pdata[0]);
    rig_boot(rig, &(BlkOptions){.msix = TRUE});
    rig_check_data(rig, 0, guest_memory_alloc(&rig->memory, 4096, 4096));
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'stop'}"));
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'cont'}"));
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'system_reset'}"));
    rig_forget_drivers(rig);
    rig_boot(rig, NULL);
    rig_check_data(rig, 0, guest_memory_alloc(&rig->memory, 4096, 4096));
    rig_end(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vhost-user-life/start/spoiled", test_start);
    g_test_add_func("/vhost-user-life/start/hang", test_start_hang);
    g_test_add_data_func("/vhost-user-life/driver/refuse", GUINT_TO_POINTER(FAULT_REFUSE),
                         test_driver);
    g_test_add_data_func("/vhost-user-life/driver/hang", GUINT_TO_POINTER(FAULT_HANG), test_driver);
    g_test_add_data_func("/vhost-user-life/driver/close", GUINT_TO_POINTER(FAULT_CLOSE_BEFORE),
                         test_driver);
    g_test_add_func("/vhost-user-life/blocking", test_blocking);
    g_test_add_func("/vhost-user-life/terminate", test_terminate_while_hanging);
    return g_test_run();
}
