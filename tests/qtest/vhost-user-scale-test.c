/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many DIMMs: 4,096 of them really plugged, and plugging stays cheap in messages.
 */
#include "qtest/rig.h"

static void test_4096(void)
{
    RigOptions options = {.memory_slots = 4200};
    g_autofree char *text = NULL;
    BackendConfig config;
    Backend *backend;
    Rig *rig;
    guint boot;

    backend_config_init(&config);
    config.slots = 4097;
    config.keep_log = FALSE;
    rig = rig_start(&config, &options);
    backend = rig_backend(rig, 0);
    rig_boot(rig, NULL);
    boot = backend_regions(backend);
    text = rig_fill(rig, 0, 4097 - boot);
    rig_assert_names(text, "'b0'", "4097 memory slots", NULL);
    g_assert_cmpuint(rig_dimms(rig), ==, 4097 - boot);
    g_assert_cmpuint(backend_regions(backend), ==, 4097);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_ADD_MEM_REG), ==, 4097);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_REM_MEM_REG), ==, 0);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_SET_MEM_TABLE), ==, 0);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_GET_MAX_MEM_SLOTS), ==, 1);
    for (guint i = 0; i < 4096; i += 512) {
        rig_check_data(rig, 0, RIG_AREA + i * RIG_DIMM);
    }
    for (guint i = 1; i < 4096; i += 1024) {
        rig_unplug(rig, i);
        rig_plug(rig, 5000 + i);
        rig_check_data(rig, 0, RIG_AREA + i * RIG_DIMM);
    }
    rig_end(rig);
}

/* Plugged before the driver starts: the whole table goes out at once, pipelined. */
static void test_1000_at_start(void)
{
    RigOptions options = {.memory_slots = 1100, .devices = 4};
    BackendConfig config;
    Rig *rig;

    backend_config_init(&config);
    config.slots = 2000;
    config.keep_log = FALSE;
    rig = rig_start(&config, &options);
    for (guint i = 0; i < 1000; i++) {
        rig_plug(rig, i);
    }
    g_assert_cmpuint(rig_count(rig, VHOST_USER_ADD_MEM_REG), ==, 0);
    rig_boot(rig, NULL);
    for (guint i = 0; i < 4; i++) {
        g_assert_cmpuint(backend_count(rig_backend(rig, i), VHOST_USER_ADD_MEM_REG), ==,
                         backend_regions(rig_backend(rig, i)));
        g_assert_cmpuint(backend_regions(rig_backend(rig, i)), >, 1000);
        rig_check_data(rig, i, RIG_AREA + 999 * RIG_DIMM);
    }
    rig_end(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vhost-user-scale/4096", test_4096);
    g_test_add_func("/vhost-user-scale/1000-at-start", test_1000_at_start);
    return g_test_run();
}
