/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ends in the middle of something: the program while a backend hangs, a device while guest memory
 * changes, a driver's reset while it changes.
 */
#include "qtest/rig.h"

#include <signal.h>
#include <string.h>

/* Milliseconds: for what must not take the front end's deadline of 10 s. */
#define SOON 5000
/* Above that deadline, with room for a slow machine. */
#define PATIENCE 25000
#define PCI_EJECT 0xae08

static void arm(Rig *rig, guint device, uint32_t request, FaultKind kind, guint milliseconds)
{
    BackendFault fault = {
        .request = request, .occurrence = 1, .kind = kind, .milliseconds = milliseconds};

    backend_fault(rig_backend(rig, device), &fault);
}

static void wait_for(Rig *rig, guint device, uint32_t request, uint64_t count)
{
    if (!backend_wait(rig_backend(rig, device), request, count, SOON)) {
        vmm_fail("backend %u: %s did not come", device, vhost_user_request_name(request));
    }
}

/* Begins to add DIMM 7; the answer is awaited elsewhere. */
static void begin_plug(Rig *rig)
{
    json_object_put(qmp_command_or_fail(
        rig->qmp,
        "{'execute':'object-add','arguments':{'qom-type':'memory-backend-memfd',"
        "'id':'m7','size':%" G_GUINT64_FORMAT "}}",
        RIG_DIMM));
    qmp_send(rig->qmp, "{'execute':'device_add','arguments':{'driver':'pc-dimm','id':'d7',"
                       "'memdev':'m7'}}");
}

/* Resets the driver without waiting for it. */
static void begin_reset(Rig *rig, guint device)
{
    const VirtDevice *driver = rig->drivers->pdata[device];
    g_autofree char *line = g_strdup_printf("writeb 0x%" G_GINT64_MODIFIER "x 0\n",
                                            (guint64)driver->common + VIRTIO_PCI_COMMON_STATUS);

    g_assert_true(qtest_send_bytes(rig->qtest, line, strlen(line)));
}

/* --- the program ends while somebody waits for a backend that hangs --- */

static void hang_in_plug(Rig *rig)
{
    for (guint i = 0; i < rig->devices; i++) {
        arm(rig, i, VHOST_USER_ADD_MEM_REG, FAULT_HANG, 0);
    }
    begin_plug(rig);
    for (guint i = 0; i < rig->devices; i++) {
        wait_for(rig, i, VHOST_USER_ADD_MEM_REG, 1);
    }
}

static void hang_in_pause(Rig *rig)
{
    arm(rig, 0, VHOST_USER_GET_VRING_BASE, FAULT_HANG, 0);
    qmp_send(rig->qmp, "{'execute':'stop'}");
    wait_for(rig, 0, VHOST_USER_GET_VRING_BASE, 1);
}

static void hang_in_reset(Rig *rig)
{
    arm(rig, 0, VHOST_USER_GET_VRING_BASE, FAULT_HANG, 0);
    begin_reset(rig, 0);
    wait_for(rig, 0, VHOST_USER_GET_VRING_BASE, 1);
}

static void hang_in_unplug(Rig *rig)
{
    arm(rig, 0, VHOST_USER_GET_VRING_BASE, FAULT_HANG, 0);
    json_object_put(
        qmp_command_or_fail(rig->qmp, "{'execute':'device_del','arguments':{'id':'b0'}}"));
    qtest_outl(rig->qtest, PCI_EJECT, 1u << RIG_DISK_SLOT);
}

/* Nothing hangs but the end itself. */
static void hang_at_end(Rig *rig)
{
    arm(rig, 0, VHOST_USER_GET_VRING_BASE, FAULT_HANG, 0);
}

typedef struct EndCase {
    const char *name;
    void (*begin)(Rig *rig);
    guint devices;
    gboolean by_command; /* QMP quit on the second monitor in place of SIGTERM */
} EndCase;

static const EndCase end_cases[] = {
    {"plug", hang_in_plug, 1, FALSE},    {"plug16", hang_in_plug, 16, FALSE},
    {"quit", hang_in_plug, 2, TRUE},     {"pause", hang_in_pause, 1, FALSE},
    {"reset", hang_in_reset, 1, FALSE},  {"reset-quit", hang_in_reset, 1, TRUE},
    {"unplug", hang_in_unplug, 1, TRUE}, {"end", hang_at_end, 3, FALSE},
};

static void test_end(gconstpointer data)
{
    const EndCase *one = data;
    RigOptions options = {.devices = one->devices, .monitors = 2};
    Rig *rig = rig_start(NULL, &options);
    gint64 begin;
    int status;

    rig_boot(rig, NULL);
    rig_clear(rig);
    one->begin(rig);
    begin = g_get_monotonic_time();
    if (one->by_command) {
        qmp_send(rig->vmm->monitors->pdata[1], "{'execute':'quit'}");
    } else {
        vmm_kill(rig->vmm, SIGTERM);
    }
    g_assert_true(vmm_wait(rig->vmm, SOON, &status));
    g_assert_cmpint(status, ==, 0);
    g_test_message("%s: ended after %d ms", one->name,
                   (int)((g_get_monotonic_time() - begin) / 1000));
    rig_free(rig);
}

/* A device that is being plugged hangs in negotiation. */
static void test_end_connecting(void)
{
    Rig *rig = rig_start(NULL, NULL);
    g_autoptr(Backend) other = NULL;
    BackendFault fault = {.request = VHOST_USER_GET_FEATURES, .occurrence = 1, .kind = FAULT_HANG};
    BackendConfig config;
    int status;

    backend_config_init(&config);
    other = backend_start(&config);
    backend_fault(other, &fault);
    json_object_put(qmp_command_or_fail(
        rig->qmp,
        "{'execute':'chardev-add','arguments':{'id':'more','backend':{'type':'socket','data':"
        "{'addr':{'type':'unix','data':{'path':'%s'}},'server':false}}}}",
        backend_path(other)));
    qmp_send(rig->qmp, "{'execute':'device_add','arguments':{'driver':'vhost-user-blk-pci',"
                       "'id':'more0','chardev':'more','addr':'10.0'}}");
    g_assert_true(backend_wait(other, VHOST_USER_GET_FEATURES, 1, SOON));
    vmm_kill(rig->vmm, SIGTERM);
    g_assert_true(vmm_wait(rig->vmm, SOON, &status));
    g_assert_cmpint(status, ==, 0);
    rig_free(rig);
}

/* --- guest memory changes meanwhile --- */

/* The device whose backend hangs in the change is unplugged: the change goes on without it. */
static void test_unplug_while_hanging(void)
{
    RigOptions options = {.devices = 2, .monitors = 2};
    Rig *rig = rig_start(NULL, &options);
    Qmp *other = rig->vmm->monitors->pdata[1];
    g_autoptr(GError) error = NULL;
    g_autoptr(json_object) result = NULL;

    rig_boot(rig, NULL);
    rig_clear(rig);
    arm(rig, 1, VHOST_USER_ADD_MEM_REG, FAULT_HANG, 0);
    begin_plug(rig);
    wait_for(rig, 1, VHOST_USER_ADD_MEM_REG, 1);
    json_object_put(qmp_command_or_fail(other, "{'execute':'device_del','arguments':{'id':'b1'}}"));
    qtest_outl(rig->qtest, PCI_EJECT, 1u << (RIG_DISK_SLOT + 1));
    qmp_set_timeout(rig->qmp, SOON);
    result = qmp_answer(rig->qmp, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(rig_dimms(rig), ==, 1);
    json_object_put(qmp_event_where_or_fail(other, "DEVICE_DELETED", "device", "b1", SOON));
    rig_check_data(rig, 0, rig_dimm_address(rig, 7));
    rig_plug(rig, 1);
    rig_unplug(rig, 7);
    rig_end(rig);
}

/* The driver resets its device while the backend takes its time over a region, and starts again. */
static void test_reset_meanwhile(gconstpointer data)
{
    FaultKind kind = GPOINTER_TO_UINT(data);
    RigOptions options = {.devices = 2};
    Rig *rig = rig_start(NULL, &options);
    g_autoptr(GError) error = NULL;
    g_autoptr(json_object) result = NULL;
    guint regions;

    rig_boot(rig, NULL);
    regions = backend_regions(rig_backend(rig, 0));
    rig_clear(rig);
    arm(rig, 1, VHOST_USER_ADD_MEM_REG, FAULT_DELAY, 300);
    arm(rig, 0, VHOST_USER_ADD_MEM_REG, kind, 300);
    begin_plug(rig);
    wait_for(rig, 0, VHOST_USER_ADD_MEM_REG, 1);
    rig_boot(rig, NULL); /* from reset to DRIVER_OK */
    result = qmp_answer(rig->qmp, &error);
    if (kind == FAULT_DELAY) {
        g_assert_no_error(error);
        rig_check_data(rig, 0, rig_dimm_address(rig, 7));
        rig_check_data(rig, 1, rig_dimm_address(rig, 7));
    } else {
        g_assert_nonnull(error);
        g_assert_cmpuint(rig_dimms(rig), ==, 0);
        rig_settle(rig);
        g_assert_cmpuint(backend_regions(rig_backend(rig, 0)), ==, regions);
        g_assert_cmpuint(backend_regions(rig_backend(rig, 1)), ==, regions);
    }
    rig_plug(rig, 1);
    rig_check_data(rig, 0, rig_dimm_address(rig, 1));
    rig_check_data(rig, 1, rig_dimm_address(rig, 1));
    rig_end(rig);
}

/* One of 16 backends hangs: the change fails at the deadline, 15 take it back, and are well. */
static void test_one_of_many_hangs(void)
{
    RigOptions options = {.devices = 16, .monitors = 2};
    Rig *rig = rig_start(NULL, &options);
    g_autoptr(GError) error = NULL;
    g_autoptr(json_object) result = NULL;
    guint regions;

    rig_boot(rig, NULL);
    regions = backend_regions(rig_backend(rig, 0));
    rig_clear(rig);
    arm(rig, 5, VHOST_USER_ADD_MEM_REG, FAULT_HANG, 0);
    begin_plug(rig);
    rig_check_other_monitor(rig, TRUE);
    qmp_set_timeout(rig->qmp, PATIENCE);
    result = qmp_answer(rig->qmp, &error);
    g_assert_nonnull(error);
    rig_assert_names(error->message, "'b5'", "ADD_MEM_REG", NULL);
    for (guint i = 0; i < 16; i++) {
        if (i != 5) {
            g_assert_cmpuint(backend_regions(rig_backend(rig, i)), ==, regions);
        }
    }
    rig_plug(rig, 1);
    rig_check_data(rig, 15, rig_dimm_address(rig, 1));
    rig_end(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(end_cases); i++) {
        g_autofree char *path = g_strdup_printf("/vhost-user-end/%s", end_cases[i].name);

        g_test_add_data_func(path, &end_cases[i], test_end);
    }
    g_test_add_func("/vhost-user-end/connecting", test_end_connecting);
    g_test_add_func("/vhost-user-end/unplug-while-hanging", test_unplug_while_hanging);
    g_test_add_data_func("/vhost-user-end/reset-meanwhile/accepted", GUINT_TO_POINTER(FAULT_DELAY),
                         test_reset_meanwhile);
    g_test_add_data_func("/vhost-user-end/reset-meanwhile/refused", GUINT_TO_POINTER(FAULT_REFUSE),
                         test_reset_meanwhile);
    g_test_add_func("/vhost-user-end/one-of-many-hangs", test_one_of_many_hangs);
    return g_test_run();
}
