/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qtest/reconnect.h"

#include <string.h>

#define EVENT "VHOST_USER_DEVICE_ERROR"

const RigOptions reconnect_options = {.chardev = RECONNECT_CHARDEV, .monitors = 2};

Rig *reconnect_start(const BackendConfig *config)
{
    Rig *rig = rig_start(config, &reconnect_options);

    rig_boot(rig, NULL);
    return rig;
}

static char *info(Rig *rig, const char *path)
{
    g_autoptr(json_object) answer =
        qmp_command_or_fail(rig->qmp, "{'execute':'x-query-vhost-user'}");
    g_autofree char *full = g_strdup_printf("0/%s", path);
    json_object *value = qmp_get(answer, full);

    return g_strdup(value ? json_object_get_string(value) : "");
}

void reconnect_assert(Rig *rig, const char *path, const char *expected)
{
    g_autofree char *value = info(rig, path);

    g_assert_cmpstr(value, ==, expected);
}

static void wait_info(Rig *rig, const char *path, const char *expected)
{
    gint64 deadline = g_get_monotonic_time() + RECONNECT_WAIT * 1000LL;

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
static json_object *next_event(Rig *rig, const char *action, const char *word)
{
    json_object *event = qmp_event_or_fail(rig->qmp, EVENT, RECONNECT_WAIT);

    g_test_message("%s", json_object_get_string(event));
    g_assert_cmpstr(qmp_get_string(event, "data/device"), ==, "b0");
    g_assert_cmpstr(qmp_get_string(event, "data/path"), ==, "/machine/peripheral/b0");
    g_assert_cmpstr(qmp_get_string(event, "data/action"), ==, action);
    rig_assert_names(qmp_get_string(event, "data/reason"), "'b0'", word, NULL);
    return event;
}

void reconnect_expect(Rig *rig, const char *action, const char *request, const char *word)
{
    g_autoptr(json_object) event = next_event(rig, action, word);

    g_assert_cmpstr(qmp_get_string(event, "data/request"), ==, request);
}

void reconnect_expect_nothing(Rig *rig)
{
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'query-status'}"));
    qmp_expect_no_event(rig->qmp, EVENT, 0);
}

gboolean reconnect_needs_reset(Rig *rig)
{
    return (virt_device_status(rig_driver(rig, 0)) & VIRTIO_CONFIG_S_NEEDS_RESET) != 0;
}

void reconnect_hang_up(Rig *rig)
{
    g_autoptr(json_object) event = NULL;
    const char *request;

    backend_hang_up(rig_backend(rig, 0));
    event = next_event(rig, "reconnecting", "hung up");
    request = qmp_get_string(event, "data/request");
    if (request) {
        rig_assert_names(qmp_get_string(event, "data/reason"), request, NULL);
    }
}

/* As if nobody listened: each connection ends at its first message. */
static void listen_no_more(Rig *rig)
{
    BackendFault fault = {
        .request = VHOST_USER_GET_FEATURES, .occurrence = 0, .kind = FAULT_CLOSE_BEFORE};

    backend_fault(rig_backend(rig, 0), &fault);
}

void reconnect_shut_out(Rig *rig)
{
    listen_no_more(rig);
    reconnect_hang_up(rig);
    reconnect_assert(rig, "connected", "false");
}

void reconnect_shut_out_idle(Rig *rig)
{
    listen_no_more(rig);
    backend_hang_up(rig_backend(rig, 0));
    reconnect_expect(rig, "reconnecting", NULL, "hung up");
    reconnect_assert(rig, "connected", "false");
}

void reconnect_await(Rig *rig, guint rings)
{
    gint64 deadline = g_get_monotonic_time() + RECONNECT_WAIT * 1000LL;

    wait_info(rig, "connected", "true");
    while (backend_rings_running(rig_backend(rig, 0)) < rings) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_usleep(1000);
    }
}

void reconnect_let_in(Rig *rig, guint rings)
{
    backend_faults_clear(rig_backend(rig, 0));
    reconnect_await(rig, rings);
    qmp_events_clear(rig->qmp); /* of connections that were shut out */
}
