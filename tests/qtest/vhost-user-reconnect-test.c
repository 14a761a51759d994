/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A backend goes and comes back: what it is brought in one go, what it has to have for that, what
 * the machine does meanwhile, and who is told.
 */
#include "qtest/rig.h"

#include <string.h>

#define RECONNECT ",reconnect-ms=10"
#define PATIENCE 20000
#define EVENT "VHOST_USER_DEVICE_ERROR"

static const RigOptions reconnect = {.chardev = RECONNECT, .monitors = 2};

/* --- what is looked at --- */

static char *info(Rig *rig, const char *path)
{
    g_autoptr(json_object) answer =
        qmp_command_or_fail(rig->qmp, "{'execute':'x-query-vhost-user'}");
    g_autofree char *full = g_strdup_printf("0/%s", path);
    json_object *value = qmp_get(answer, full);

    return g_strdup(value ? json_object_get_string(value) : "");
}

static void assert_info(Rig *rig, const char *path, const char *expected)
{
    g_autofree char *value = info(rig, path);

    g_assert_cmpstr(value, ==, expected);
}

static void wait_info(Rig *rig, const char *path, const char *expected)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE * 1000LL;

    for (;;) {
        g_autofree char *value = info(rig, path);

        if (strcmp(value, expected) == 0) {
            return;
        }
        if (g_get_monotonic_time() > deadline) {
            vmm_fail("x-query-vhost-user: %s is %s instead of %s", path, value, expected);
        }
        g_usleep(2000);
    }
}

/* The next event of the device, which must be of @action; its reason names @word. */
static void expect_event(Rig *rig, const char *action, const char *request, const char *word)
{
    g_autoptr(json_object) event = qmp_event(rig->qmp, EVENT, PATIENCE);

    g_assert_nonnull(event);
    g_test_message("%s", json_object_get_string(event));
    g_assert_cmpstr(qmp_get_string(event, "data/device"), ==, "b0");
    g_assert_cmpstr(qmp_get_string(event, "data/path"), ==, "/machine/peripheral/b0");
    g_assert_cmpstr(qmp_get_string(event, "data/action"), ==, action);
    g_assert_cmpstr(qmp_get_string(event, "data/request"), ==, request);
    rig_assert_names(qmp_get_string(event, "data/reason"), word, NULL);
}

static void expect_no_event(Rig *rig)
{
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'query-status'}"));
    g_assert_null(qmp_event(rig->qmp, EVENT, 0));
}

/* The connection ends; the next one is another's doing. */
static void hang_up(Rig *rig)
{
    backend_hang_up(rig_backend(rig, 0));
    expect_event(rig, "reconnecting", NULL, "hung up");
}

/* Waits until connection @number was made and its rings run. */
static void await_return(Rig *rig, guint number, guint rings)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE * 1000LL;

    g_assert_true(backend_wait_connections(rig_backend(rig, 0), number, PATIENCE));
    wait_info(rig, "connected", "true");
    while (backend_rings_running(rig_backend(rig, 0)) < rings) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_usleep(1000);
    }
}

/* Connections that are made are let in, or not. */
static void G_GNUC_UNUSED bar(Rig *rig, gboolean barred)
{
    BackendFault fault = {
        .request = VHOST_USER_GET_FEATURES, .occurrence = 0, .kind = FAULT_CLOSE_BEFORE};

    if (barred) {
        backend_fault(rig_backend(rig, 0), &fault);
    } else {
        backend_faults_clear(rig_backend(rig, 0));
    }
}

/* --- the whole state comes back --- */

static void test_returns(void)
{
    Rig *rig = rig_start(NULL, &reconnect);

    rig_boot(rig, NULL);
    for (guint i = 0; i < 3; i++) {
        rig_plug(rig, i);
    }
    rig_check_data(rig, 0, rig_dimm_address(rig, 1));
    for (guint round = 2; round <= 4; round++) {
        hang_up(rig);
        await_return(rig, round, 1);
        g_assert_cmpuint(backend_regions(rig_backend(rig, 0)), ==, 3 + 1);
        rig_check_data(rig, 0, rig_dimm_address(rig, 2));
    }
    assert_info(rig, "connections", "4");
    assert_info(rig, "losses", "3");
    assert_info(rig, "ignored", "0");
    expect_no_event(rig);
    g_assert_cmpint(virt_device_status(rig->drivers->pdata[0]) & VIRTIO_CONFIG_S_NEEDS_RESET, ==,
                    0);
    rig_end(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vhost-user-reconnect/returns", test_returns);
    return g_test_run();
}
