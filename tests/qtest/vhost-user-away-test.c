/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine while a backend is away: its state, its driver, its end, memory and devices, and how
 * long each device waits.
 */
#include "qtest/reconnect.h"

/* --- each device has its own patience --- */

static void test_reply_timeout(void)
{
    RigOptions options = {.devices = 2, .arguments = "-set device.b0.reply-timeout=300"};
    BackendFault fault = {.request = VHOST_USER_ADD_MEM_REG, .occurrence = 1, .kind = FAULT_HANG};
    Rig *rig = rig_start(NULL, &options);
    g_autoptr(GError) error = NULL;

    rig_boot(rig, NULL);
    backend_fault(rig_backend(rig, 0), &fault);
    g_assert_false(rig_plug_at(rig, 0, 0, &error));
    rig_assert_names(error->message, "'b0'", "ADD_MEM_REG", "within 300 ms", NULL);
    reconnect_expect(rig, "dead", "ADD_MEM_REG", "within 300 ms");
    reconnect_expect_nothing(rig);
    g_assert_true(reconnect_needs_reset(rig));
    rig_plug(rig, 1);
    rig_check_data(rig, 1, rig_dimm_address(rig, 1));
    rig_end(rig);
}

/* --- the machine without its backend --- */

static void check_state(Rig *rig, const char *command, const char *status)
{
    g_autoptr(json_object) answer = NULL;

    qmp_set_timeout(rig->qmp, RIG_PROMPT);
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'%s'}", command));
    answer = qmp_command_or_fail(rig->qmp, "{'execute':'query-status'}");
    g_assert_cmpstr(qmp_get_string(answer, "status"), ==, status);
}

static void test_stop_and_continue(void)
{
    Rig *rig = reconnect_start(NULL);
    uint64_t buffer;
    guint tag;

    buffer = rig_buffer(rig);
    rig_check_data(rig, 0, buffer);
    reconnect_shut_out(rig);
    tag = blk_disk_submit(rig_disk(rig, 0), 0, VIRTIO_BLK_T_OUT, 0, buffer, 512);
    check_state(rig, "stop", "paused");
    check_state(rig, "cont", "running");
    check_state(rig, "stop", "paused");
    /* It comes back to a machine that stands: its rings begin with the machine. */
    reconnect_let_in(rig, 0);
    g_assert_cmpuint(backend_rings_running(rig_backend(rig, 0)), ==, 0);
    check_state(rig, "cont", "running");
    g_assert_cmpint(blk_disk_finish(rig_disk(rig, 0), tag, RECONNECT_WAIT), ==, VIRTIO_BLK_S_OK);
    rig_check_data(rig, 0, buffer);
    rig_end(rig);
}

/* A driver resets the device and begins anew; DRIVER_OK takes effect when the backend is back. */
static void test_driver_reset(void)
{
    Rig *rig = reconnect_start(NULL);
    uint64_t buffer;
    guint tag;

    buffer = rig_buffer(rig);
    rig_check_data(rig, 0, buffer);
    reconnect_shut_out(rig);
    virt_device_set_status(rig_driver(rig, 0), 0);
    g_assert_cmpuint(virt_device_status(rig_driver(rig, 0)), ==, 0);
    g_ptr_array_set_size(rig->disks, 0);
    g_ptr_array_add(rig->disks, blk_disk_start(rig_driver(rig, 0), &rig->memory, NULL));
    g_assert_cmpuint(virt_device_status(rig_driver(rig, 0)) & VIRTIO_CONFIG_S_DRIVER_OK, !=, 0);
    tag = blk_disk_submit(rig_disk(rig, 0), 0, VIRTIO_BLK_T_IN, 0, buffer, 512);
    g_assert_cmpint(blk_disk_finish(rig_disk(rig, 0), tag, 50), ==, -1);
    reconnect_let_in(rig, 1);
    g_assert_cmpint(blk_disk_finish(rig_disk(rig, 0), tag, RECONNECT_WAIT), ==, VIRTIO_BLK_S_OK);
    rig_check_data(rig, 0, buffer);
    g_assert_false(reconnect_needs_reset(rig));
    rig_end(rig);
}

static void test_machine_reset(void)
{
    Rig *rig = reconnect_start(NULL);

    rig_plug(rig, 0);
    reconnect_shut_out(rig);
    check_state(rig, "system_reset", "running");
    qmp_expect_event(rig->qmp, "RESET", RECONNECT_WAIT);
    rig_forget_drivers(rig);
    reconnect_let_in(rig, 0);
    rig_boot(rig, NULL);
    rig_check_data(rig, 0, rig_dimm_address(rig, 0));
    rig_end(rig);
}

static void test_quit(void)
{
    Rig *rig = reconnect_start(NULL);

    reconnect_shut_out(rig);
    rig_end(rig); /* answers and ends with status 0 */
}

static void test_unplug(void)
{
    Rig *rig = reconnect_start(NULL);

    reconnect_shut_out(rig);
    vmm_unplug(rig->vmm, "b0", RIG_DISK_SLOT);
    rig_plug(rig, 0);
    /* The chardev is free for another one. */
    backend_faults_clear(rig_backend(rig, 0));
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'device_add','arguments':{'driver':"
                                                  "'vhost-user-blk-pci','id':'b0','chardev':'s0',"
                                                  "'addr':'4'}}"));
    reconnect_assert(rig, "connected", "true");
    rig_end(rig);
}

/* --- device_add while nobody is there --- */

static void test_add_waits(void)
{
    g_autofree char *path = vmm_temporary_path("late");
    g_autofree char *text = NULL;
    BackendConfig config;
    Rig *rig = rig_start(NULL, &reconnect_options);

    json_object_put(qmp_command_or_fail(
        rig->qmp,
        "{'execute':'chardev-add','arguments':{'id':'late','backend':{'type':'socket','data':{"
        "'addr':{'type':'unix','data':{'path':'%s'}},'server':false,'reconnect-ms':10}}}}",
        path));
    text = qmp_command_refused(rig->qmp, "{'execute':'device_add','arguments':{'driver':"
                                         "'vhost-user-blk-pci','id':'b1','chardev':'late',"
                                         "'reply-timeout':200}}");
    rig_assert_names(text, "'b1'", "'late'", "no connection after 200 ms", NULL);
    backend_config_init(&config);
    g_autoptr(Backend) late = backend_new(&config);
    qmp_send(rig->qmp, "{'execute':'device_add','arguments':{'driver':'vhost-user-blk-pci',"
                       "'id':'b1','chardev':'late'}}");
    g_assert_false(qmp_answer_ready(rig->qmp, 100));
    g_assert_true(backend_listen(late, path, NULL));
    json_object_put(qmp_answer(rig->qmp, NULL));
    g_assert_cmpuint(backend_count(late, VHOST_USER_GET_CONFIG), ==, 1);
    rig_end(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vhost-user-reconnect/reply-timeout", test_reply_timeout);
    g_test_add_func("/vhost-user-reconnect/stop-and-continue", test_stop_and_continue);
    g_test_add_func("/vhost-user-reconnect/driver-reset", test_driver_reset);
    g_test_add_func("/vhost-user-reconnect/machine-reset", test_machine_reset);
    g_test_add_func("/vhost-user-reconnect/quit", test_quit);
    g_test_add_func("/vhost-user-reconnect/unplug", test_unplug);
    g_test_add_func("/vhost-user-reconnect/add-waits", test_add_waits);
    return g_test_run();
}
