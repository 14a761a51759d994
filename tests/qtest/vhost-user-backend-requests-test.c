/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backend's own requests: floods, calls and errors as messages, and what is no request.
 */
#include "qtest/rig.h"

/* Nobody listens to a flood, and nothing else suffers. */
static void test_flood(void)
{
    VhostUserHeader change[64];
    RigOptions options = {.monitors = 2};
    Rig *rig = rig_start(NULL, &options);
    guint sent = 0;

    for (guint i = 0; i < G_N_ELEMENTS(change); i++) {
        change[i] = (VhostUserHeader){VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, VHOST_USER_VERSION, 0};
    }
    rig_boot(rig, NULL);
    for (gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
         sent < 2000 && g_get_monotonic_time() < end;) {
        if (backend_send(rig_backend(rig, 0), change, sizeof(change))) {
            sent += G_N_ELEMENTS(change);
        } else if (sent > 1000) {
            break; /* nobody listens */
        }
    }
    rig_wait_output(rig, "floods");
    rig_check_other_monitor(rig, FALSE);
    rig_check_data(rig, 0, rig_buffer(rig));
    rig_plug(rig, 0);
    rig_end(rig);
}

/* Calls and errors as messages (INBAND_NOTIFICATIONS); those of no ring, or without the feature,
 * are refused. */
static void test_in_band(gconstpointer negotiated)
{
    struct {
        VhostUserHeader header;
        VhostUserVringState ring;
    } __attribute__((packed))
    call = {{VHOST_USER_BACKEND_VRING_CALL, VHOST_USER_VERSION, sizeof(call.ring)}, {0, 0}};
    BlkOptions disk = {.msix = TRUE};
    Rig *rig =
        rig_start_with(0, negotiated ? BIT(VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS) : 0, NULL);

    rig_boot(rig, &disk);
    virt_ring_suppress(blk_disk_ring(rig_disk(rig, 0), 0), TRUE); /* only ours are to come */
    rig_check_data(rig, 0, rig_buffer(rig));
    g_assert_true(backend_send(rig_backend(rig, 0), &call, sizeof(call)));
    for (guint tries = 0; negotiated && !virt_device_interrupt(rig_driver(rig, 0), 0); tries++) {
        g_assert_cmpuint(tries, <, RIG_WAIT);
        g_usleep(1000);
    }
    call.header.request = VHOST_USER_BACKEND_VRING_ERR;
    for (guint i = 0; i < 3; i++) {
        g_assert_true(backend_send(rig_backend(rig, 0), &call, sizeof(call)));
    }
    if (negotiated) {
        g_autoptr(json_object) event =
            qmp_event_or_fail(rig->qmp, "VHOST_USER_DEVICE_ERROR", RIG_PROMPT * 5);

        g_assert_cmpstr(qmp_get_string(event, "data/action"), ==, "needs-reset");
        rig_assert_names(qmp_get_string(event, "data/reason"), "'b0'", "error in queue 0", NULL);
        g_assert_true(virt_device_status(rig_driver(rig, 0)) & VIRTIO_CONFIG_S_NEEDS_RESET);
        virt_device_reset(rig_driver(rig, 0));
        rig_boot(rig, NULL);
    }
    rig_check_data(rig, 0, rig_buffer(rig));
    qmp_expect_no_event(rig->qmp, "VHOST_USER_DEVICE_ERROR", 50);
    rig_end(rig);
}

/* Requests that are none: the socket is closed with a word, the device goes on. */
static void test_bad_requests(void)
{
    static const VhostUserHeader bad[] = {
        {VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, VHOST_USER_VERSION, 8},
        {VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, 0, 0},
        {VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, VHOST_USER_VERSION, 0xfffffff0},
        {VHOST_USER_BACKEND_VRING_CALL, VHOST_USER_VERSION, 0},
        {0, VHOST_USER_VERSION, 0},
        {77, VHOST_USER_VERSION | VHOST_USER_FLAG_NEED_REPLY, 0},
    };

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        Rig *rig = rig_start(NULL, NULL);
        uint64_t payload = 0;

        rig_boot(rig, NULL);
        g_assert_true(backend_send(rig_backend(rig, 0), &bad[i], sizeof(bad[i])));
        backend_send(rig_backend(rig, 0), &payload, MIN(bad[i].size, sizeof(payload)));
        rig_wait_output(rig, "not heard any more");
        rig_check_data(rig, 0, rig_buffer(rig));
        rig_end(rig);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vhost-user-features/flood", test_flood);
    g_test_add_func("/vhost-user-features/bad-requests", test_bad_requests);
    g_test_add_data_func("/vhost-user-features/in-band/negotiated", GUINT_TO_POINTER(1),
                         test_in_band);
    g_test_add_data_func("/vhost-user-features/in-band/not-negotiated", NULL, test_in_band);
    return g_test_run();
}
