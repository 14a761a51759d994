/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The promises of the front end, seen as counts of messages at a scripted backend: memory goes
 * region by region, nothing is sent twice, limits are used up fully and named when reached.
 */
#include "qtest/rig.h"

#include <string.h>

static void without_feature(BackendConfig *config, VhostUserProtocolFeature feature)
{
    config->protocol_features &= ~(1ull << feature);
}

/* Each DIMM is one ADD_MEM_REG with its own file, acknowledged; the limit was asked for once. */
static void test_one_by_one(void)
{
    Rig *rig = rig_start(NULL, NULL);
    Backend *backend = rig_backend(rig, 0);
    guint boot;

    rig_boot(rig, NULL);
    boot = backend_regions(backend);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_GET_MAX_MEM_SLOTS), ==, 1);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_ADD_MEM_REG), ==, boot);
    rig_clear(rig);
    for (guint i = 0; i < 12; i++) {
        BackendMessage message;

        rig_plug(rig, i);
        g_assert_cmpuint(backend_total(backend), ==, i + 1);
        g_assert_true(backend_message(backend, i, &message));
        g_assert_cmpuint(message.header.request, ==, VHOST_USER_ADD_MEM_REG);
        g_assert_cmpuint(message.header.flags, ==, VHOST_USER_VERSION | VHOST_USER_FLAG_NEED_REPLY);
        g_assert_cmpuint(message.fds, ==, 1);
        g_assert_cmpuint(message.payload.region.region.guest_address, ==, rig_dimm_address(rig, i));
        g_assert_cmpuint(message.payload.region.region.size, ==, RIG_DIMM);
        rig_check_data(rig, 0, rig_dimm_address(rig, i));
    }
    g_assert_cmpuint(backend_regions(backend), ==, boot + 12);
    rig_end(rig);
}

/* The whole limit is usable, and the error beyond it names device, limit and use. */
static void test_limit(gconstpointer data)
{
    guint slots = GPOINTER_TO_UINT(data);
    g_autofree char *limit = g_strdup_printf("%u memory slots", slots);
    g_autofree char *use = g_strdup_printf("%u in use", slots);
    g_autofree char *text = NULL;
    BackendConfig config;
    Backend *backend;
    Rig *rig;
    guint boot;

    backend_config_init(&config);
    config.slots = slots;
    config.keep_log = FALSE;
    rig = rig_start(&config, NULL);
    backend = rig_backend(rig, 0);
    rig_boot(rig, NULL);
    boot = backend_regions(backend);
    g_assert_cmpuint(boot, <=, slots);
    text = rig_fill(rig, 0, slots - boot);
    rig_assert_names(text, "'b0'", limit, use, NULL);
    g_assert_cmpuint(backend_regions(backend), ==, slots);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_ADD_MEM_REG), ==, slots);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_REM_MEM_REG), ==, 0);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_SET_MEM_TABLE), ==, 0);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_GET_MAX_MEM_SLOTS), ==, 1);
    if (slots > boot) { /* a slot that became free is usable again, to the last one */
        uint64_t address = rig_dimm_address(rig, 0);

        rig_unplug(rig, 0);
        g_assert_cmpuint(backend_regions(backend), ==, slots - 1);
        rig_plug(rig, slots);
        g_assert_cmpuint(rig_dimm_address(rig, slots), ==, address);
        g_assert_cmpuint(backend_count(backend, VHOST_USER_REM_MEM_REG), ==, 1);
        g_assert_cmpuint(backend_count(backend, VHOST_USER_ADD_MEM_REG), ==, slots + 1);
        rig_check_data(rig, 0, address);
    }
    rig_end(rig);
}

/* No slot at all: the device cannot even reach the boot memory, and says so. */
static void test_limit_zero(void)
{
    g_autofree char *text = NULL;
    BackendConfig config;

    backend_config_init(&config);
    config.slots = 0;
    text = rig_start_refused(&config, NULL);
    rig_assert_names(text, "'b0'", "0 memory slots", NULL);
}

/* Limits that no machine reaches are believed without trying. */
static void test_limit_large(gconstpointer data)
{
    BackendConfig config;
    Rig *rig;

    backend_config_init(&config);
    config.slots = *(const uint64_t *)data;
    rig = rig_start(&config, NULL);
    rig_boot(rig, NULL);
    for (guint i = 0; i < 10; i++) {
        rig_plug(rig, i);
    }
    rig_check_data(rig, 0, rig_dimm_address(rig, 9));
    g_assert_cmpuint(rig_count(rig, VHOST_USER_SET_MEM_TABLE), ==, 0);
    rig_end(rig);
}

/* Without memory slots the old message carries up to 8 regions; the ninth is refused and the
 * device goes on with the eight. */
static void test_table(gconstpointer data)
{
    gboolean acks = GPOINTER_TO_INT(data);
    g_autofree char *text = NULL;
    BackendConfig config;
    Backend *backend;
    Rig *rig;
    guint boot;

    backend_config_init(&config);
    without_feature(&config, VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
    if (!acks) {
        without_feature(&config, VHOST_USER_PROTOCOL_F_REPLY_ACK);
    }
    rig = rig_start(&config, NULL);
    backend = rig_backend(rig, 0);
    rig_boot(rig, NULL);
    boot = backend_regions(backend);
    rig_clear(rig);
    text = rig_fill(rig, 0, 8 - boot);
    rig_assert_names(text, "'b0'", "8 memory slots", "8 in use", NULL);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_SET_MEM_TABLE), ==, 8 - boot);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_ADD_MEM_REG), ==, 0);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_GET_MAX_MEM_SLOTS), ==, 0);
    g_assert_cmpuint(rig_dimms(rig), ==, 8 - boot);
    for (guint i = 0; i < 8 - boot; i++) {
        rig_check_data(rig, 0, rig_dimm_address(rig, i));
    }
    rig_unplug(rig, 3);
    g_assert_cmpuint(backend_regions(backend), ==, 7);
    rig_plug(rig, 20);
    g_assert_cmpuint(backend_regions(backend), ==, 8);
    rig_check_data(rig, 0, rig_dimm_address(rig, 20));
    rig_end(rig);
}

/* Without REPLY_ACK nothing asks for one, and one GET_FEATURES follows as a barrier. */
static void test_no_reply_ack(void)
{
    BackendConfig config;
    BackendMessage message;
    Backend *backend;
    Rig *rig;

    backend_config_init(&config);
    without_feature(&config, VHOST_USER_PROTOCOL_F_REPLY_ACK);
    rig = rig_start(&config, NULL);
    backend = rig_backend(rig, 0);
    rig_boot(rig, NULL);
    rig_clear(rig);
    for (guint i = 0; i < 5; i++) {
        rig_plug(rig, i);
        g_assert_cmpuint(backend_total(backend), ==, 2 * (i + 1));
        g_assert_true(backend_message(backend, 2 * i, &message));
        g_assert_cmpuint(message.header.request, ==, VHOST_USER_ADD_MEM_REG);
        g_assert_cmpuint(message.header.flags, ==, VHOST_USER_VERSION);
        g_assert_true(backend_message(backend, 2 * i + 1, &message));
        g_assert_cmpuint(message.header.request, ==, VHOST_USER_GET_FEATURES);
        rig_check_data(rig, 0, rig_dimm_address(rig, i));
    }
    rig_end(rig);
}

/* A disk needs its configuration from the backend; without bit 30 there is no message for it. */
static void test_no_protocol_features(void)
{
    g_autofree char *text = NULL;
    BackendConfig config;

    backend_config_init(&config);
    config.features &= ~(1ull << VHOST_USER_F_PROTOCOL_FEATURES);
    text = rig_start_refused(&config, NULL);
    rig_assert_names(text, "'b0'", "CONFIG", NULL);
}

/* Each ring's call descriptor is there before a kick can start it. */
static void test_call_before_kick(void)
{
    RigOptions options = {.arguments = "-global vhost-user-blk-pci.num-queues=4"};
    BlkOptions disk = {.queues = 4};
    Rig *rig = rig_start(NULL, &options);
    BackendMessage message;
    gboolean called[4] = {FALSE};
    guint kicks = 0;

    rig_boot(rig, &disk);
    for (guint i = 0; backend_message(rig_backend(rig, 0), i, &message); i++) {
        guint ring = message.payload.u64 & 3;

        if (message.header.request == VHOST_USER_SET_VRING_CALL) {
            called[ring] = TRUE;
        } else if (message.header.request == VHOST_USER_SET_VRING_KICK) {
            g_assert_true(called[ring]);
            kicks++;
        }
    }
    g_assert_cmpuint(kicks, ==, 4);
    rig_end(rig);
}

/* Before the driver starts the backend is sent no memory; at the start it gets all, once. */
static void test_before_start(void)
{
    Rig *rig = rig_start(NULL, NULL);
    Backend *backend = rig_backend(rig, 0);

    for (guint i = 0; i < 10; i++) {
        rig_plug(rig, i);
    }
    g_assert_cmpuint(backend_count(backend, VHOST_USER_ADD_MEM_REG), ==, 0);
    rig_boot(rig, NULL);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_ADD_MEM_REG), ==, backend_regions(backend));
    g_assert_cmpuint(backend_count(backend, VHOST_USER_REM_MEM_REG), ==, 0);
    for (guint i = 0; i < 10; i++) {
        rig_check_data(rig, 0, rig_dimm_address(rig, i));
    }
    rig_end(rig);
}

/* Stopped by QMP: plugs and unplugs work, and the disk is well after "cont". */
static void test_while_paused(void)
{
    Rig *rig = rig_start(NULL, NULL);
    Backend *backend = rig_backend(rig, 0);
    guint boot;

    rig_boot(rig, NULL);
    boot = backend_regions(backend);
    rig_plug(rig, 0);
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'stop'}"));
    for (guint i = 1; i < 5; i++) {
        rig_plug(rig, i);
    }
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'cont'}"));
    for (guint tries = 0; backend_rings_running(backend) < 1 && tries < 20000; tries++) {
        g_usleep(500);
    }
    g_assert_cmpuint(backend_regions(backend), ==, boot + 5);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_ADD_MEM_REG), ==, boot + 5);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_REM_MEM_REG), ==, 0);
    for (guint i = 0; i < 5; i++) {
        rig_check_data(rig, 0, rig_dimm_address(rig, i));
    }
    rig_end(rig);
}

/* While requests are in flight a plug disturbs none. */
static void test_in_flight(void)
{
    Rig *rig = rig_start(NULL, NULL);
    BlkOptions options = {.indirect = TRUE, .event_index = TRUE, .msix = TRUE};
    uint64_t buffer;
    guint tags[16];

    rig_boot(rig, &options);
    buffer = guest_memory_alloc(&rig->memory, 16 * 4096, 4096);
    for (guint round = 0; round < 8; round++) {
        for (guint i = 0; i < 16; i++) {
            tags[i] =
                blk_disk_submit(rig_disk(rig, 0), 0, i % 2 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT,
                                8 * i, buffer + 4096 * i, 4096);
        }
        rig_plug(rig, round);
        for (guint i = 0; i < 16; i++) {
            g_assert_cmpint(blk_disk_finish(rig_disk(rig, 0), tags[i], 10000), ==, VIRTIO_BLK_S_OK);
        }
    }
    g_assert_cmpuint(rig_count(rig, VHOST_USER_SET_VRING_ADDR), ==, 1);
    rig_end(rig);
}

/* Every second DIMM out, others in their place: one REM for each that goes, none for others. */
static void test_unplug(void)
{
    Rig *rig = rig_start(NULL, NULL);
    Backend *backend = rig_backend(rig, 0);

    rig_boot(rig, NULL);
    for (guint i = 0; i < 16; i++) {
        rig_plug(rig, i);
    }
    rig_clear(rig);
    for (guint i = 0; i < 16; i += 2) {
        uint64_t address = rig_dimm_address(rig, i);
        BackendMessage message;

        rig_unplug(rig, i);
        g_assert_cmpuint(backend_total(backend), ==, i / 2 + 1);
        g_assert_true(backend_message(backend, i / 2, &message));
        g_assert_cmpuint(message.header.request, ==, VHOST_USER_REM_MEM_REG);
        g_assert_cmpuint(message.fds, ==, 0);
        g_assert_cmpuint(message.payload.region.region.guest_address, ==, address);
    }
    rig_clear(rig);
    for (guint i = 16; i < 24; i++) {
        rig_plug(rig, i);
    }
    g_assert_cmpuint(backend_count(backend, VHOST_USER_ADD_MEM_REG), ==, 8);
    g_assert_cmpuint(backend_total(backend), ==, 8);
    for (guint i = 1; i < 24; i += i < 15 ? 2 : 1) {
        rig_check_data(rig, 0, rig_dimm_address(rig, i));
    }
    rig_end(rig);
}

/* A device reset leaves the backend its table: the next start sends no memory. */
static void test_reset(gconstpointer data)
{
    gboolean machine = GPOINTER_TO_INT(data);
    Rig *rig = rig_start(NULL, NULL);
    Backend *backend = rig_backend(rig, 0);
    guint regions;

    rig_boot(rig, NULL);
    for (guint i = 0; i < 9; i++) {
        rig_plug(rig, i);
    }
    regions = backend_regions(backend);
    for (guint round = 0; round < 3; round++) {
        if (machine) {
            json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'system_reset'}"));
            qmp_expect_event(rig->qmp, "RESET", 10000);
            rig_forget_drivers(rig);
        } else {
            virt_device_reset(rig->drivers->pdata[0]);
            g_assert_cmpuint(backend_rings_running(backend), ==, 0);
        }
        rig_clear(rig);
        rig_boot(rig, NULL);
        g_assert_cmpuint(backend_count(backend, VHOST_USER_ADD_MEM_REG), ==, 0);
        g_assert_cmpuint(backend_count(backend, VHOST_USER_REM_MEM_REG), ==, 0);
        g_assert_cmpuint(backend_regions(backend), ==, regions);
        rig_check_data(rig, 0, rig_dimm_address(rig, round));
    }
    rig_end(rig);
}

/* Another file at the same address is another region: the backend sees its bytes. */
static void test_replaced(void)
{
    Rig *rig = rig_start(NULL, NULL);
    Backend *backend = rig_backend(rig, 0);
    uint64_t address;
    char seen[16];

    rig_boot(rig, NULL);
    for (guint i = 0; i < 3; i++) {
        rig_plug(rig, i);
    }
    address = rig_dimm_address(rig, 1);
    for (guint i = 10; i < 14; i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *text = g_strdup_printf("file %u", i);

        rig_unplug(rig, i == 10 ? 1 : i - 1);
        g_assert_false(backend_memory_read(backend, address, seen, sizeof(seen)));
        g_assert_true(rig_plug_at(rig, i, address, &error));
        g_assert_true(backend_memory_read(backend, address, seen, sizeof(seen)));
        g_assert_cmpstr(seen, ==, ""); /* fresh memory, not that of the one before */
        qtest_memwrite(rig->qtest, address, text, strlen(text) + 1);
        g_assert_true(backend_memory_read(backend, address, seen, sizeof(seen)));
        g_assert_cmpstr(seen, ==, text);
        g_assert_true(backend_memory_write(backend, address + 64, text, strlen(text) + 1));
        qtest_memread(rig->qtest, address + 64, seen, sizeof(seen));
        g_assert_cmpstr(seen, ==, text);
        rig_check_data(rig, 0, address);
    }
    rig_end(rig);
}

/* The same replacement while the device is reset: the diff at the next start must see it. */
static void test_replaced_while_reset(void)
{
    Rig *rig = rig_start(NULL, NULL);
    Backend *backend = rig_backend(rig, 0);
    uint64_t address;
    char seen[8];

    rig_boot(rig, NULL);
    rig_plug(rig, 0);
    rig_plug(rig, 1);
    address = rig_dimm_address(rig, 0);
    virt_device_reset(rig->drivers->pdata[0]);
    rig_unplug(rig, 0);
    rig_plug(rig, 2);
    g_assert_cmpuint(rig_dimm_address(rig, 2), ==, address);
    qtest_memwrite(rig->qtest, address, "second", 7);
    rig_boot(rig, NULL);
    g_assert_true(backend_memory_read(backend, address, seen, sizeof(seen)));
    g_assert_cmpstr(seen, ==, "second");
    rig_check_data(rig, 0, address);
    rig_end(rig);
}

/* Several devices: each gets each region once. */
static void test_devices(gconstpointer data)
{
    RigOptions options = {.devices = GPOINTER_TO_UINT(data)};
    Rig *rig = rig_start(NULL, &options);

    rig_boot(rig, NULL);
    rig_clear(rig);
    for (guint i = 0; i < 10; i++) {
        rig_plug(rig, i);
        g_assert_cmpuint(rig_count(rig, VHOST_USER_ADD_MEM_REG), ==, options.devices * (i + 1));
    }
    rig_unplug(rig, 4);
    for (guint i = 0; i < options.devices; i++) {
        g_assert_cmpuint(backend_count(rig_backend(rig, i), VHOST_USER_ADD_MEM_REG), ==, 10);
        g_assert_cmpuint(backend_count(rig_backend(rig, i), VHOST_USER_REM_MEM_REG), ==, 1);
        g_assert_cmpuint(backend_total(rig_backend(rig, i)), ==, 11);
        rig_check_data(rig, i, rig_dimm_address(rig, 9));
    }
    rig_end(rig);
}

static void limit_device_2(BackendConfig *config, guint device)
{
    config->slots = device == 2 ? 10 : 100;
}

/* The smallest backend is the limit and is named; nobody was sent what it cannot take. */
static void test_smallest_is_limit(void)
{
    RigOptions options = {.devices = 4, .configure = limit_device_2};
    Rig *rig = rig_start(NULL, &options);
    g_autofree char *text = NULL;
    guint boot;

    rig_boot(rig, NULL);
    boot = backend_regions(rig_backend(rig, 0));
    text = rig_fill(rig, 0, 10 - boot);
    rig_assert_names(text, "'b2'", "10 memory slots", NULL);
    for (guint i = 0; i < 4; i++) {
        g_assert_cmpuint(backend_count(rig_backend(rig, i), VHOST_USER_ADD_MEM_REG), ==, 10);
        g_assert_cmpuint(backend_count(rig_backend(rig, i), VHOST_USER_REM_MEM_REG), ==, 0);
    }
    rig_end(rig);
}

/* A backend that goes away takes nothing with it. */
static void test_lost(void)
{
    RigOptions options = {.devices = 2, .monitors = 2};
    Rig *rig = rig_start(NULL, &options);

    rig_boot(rig, NULL);
    rig_plug(rig, 0);
    backend_hang_up(rig_backend(rig, 0));
    for (guint tries = 0; backend_connected(rig_backend(rig, 0)) && tries < 5000; tries++) {
        g_usleep(1000);
    }
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'query-status'}"));
    rig_plug(rig, 1);
    rig_check_data(rig, 1, rig_dimm_address(rig, 1));
    rig_unplug(rig, 0);
    g_assert_cmpuint(rig_dimms(rig), ==, 1);
    rig_end(rig);
}

/* Several queues. */
static void test_queues(void)
{
    RigOptions options = {.arguments = "-global vhost-user-blk-pci.num-queues=4"};
    BlkOptions disk = {.queues = 4, .msix = TRUE, .event_index = TRUE};
    Rig *rig = rig_start(NULL, &options);
    uint64_t buffer;

    rig_boot(rig, &disk);
    g_assert_cmpuint(backend_rings_running(rig_backend(rig, 0)), ==, 4);
    buffer = guest_memory_alloc(&rig->memory, 4096, 4096);
    for (guint i = 0; i < 4; i++) {
        g_assert_cmpint(blk_disk_request(rig_disk(rig, 0), i, VIRTIO_BLK_T_IN, 0, buffer, 4096), ==,
                        VIRTIO_BLK_S_OK);
        g_assert_true(virt_device_interrupt(rig->drivers->pdata[0], (int)i));
    }
    rig_end(rig);
}

int main(int argc, char **argv)
{
    static const uint64_t large[] = {4096, 32768, UINT64_MAX};
    static const guint limits[] = {1, 7, 8, 9, 32, 255, 256, 509, 512};

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vhost-user/one-by-one", test_one_by_one);
    g_test_add_func("/vhost-user/limit/0", test_limit_zero);
    for (guint i = 0; i < G_N_ELEMENTS(limits); i++) {
        g_autofree char *name = g_strdup_printf("/vhost-user/limit/%u", limits[i]);

        g_test_add_data_func(name, GUINT_TO_POINTER(limits[i]), test_limit);
    }
    for (guint i = 0; i < G_N_ELEMENTS(large); i++) {
        g_autofree char *name = g_strdup_printf("/vhost-user/limit/%" G_GUINT64_FORMAT, large[i]);

        g_test_add_data_func(name, &large[i], test_limit_large);
    }
    g_test_add_data_func("/vhost-user/table/acknowledged", GINT_TO_POINTER(TRUE), test_table);
    g_test_add_data_func("/vhost-user/table/barrier", GINT_TO_POINTER(FALSE), test_table);
    g_test_add_func("/vhost-user/no-reply-ack", test_no_reply_ack);
    g_test_add_func("/vhost-user/no-protocol-features", test_no_protocol_features);
    g_test_add_func("/vhost-user/call-before-kick", test_call_before_kick);
    g_test_add_func("/vhost-user/plug/before-start", test_before_start);
    g_test_add_func("/vhost-user/plug/in-flight", test_in_flight);
    g_test_add_func("/vhost-user/plug/paused", test_while_paused);
    g_test_add_func("/vhost-user/unplug", test_unplug);
    g_test_add_data_func("/vhost-user/reset/device", GINT_TO_POINTER(FALSE), test_reset);
    g_test_add_data_func("/vhost-user/reset/machine", GINT_TO_POINTER(TRUE), test_reset);
    g_test_add_func("/vhost-user/replaced/running", test_replaced);
    g_test_add_func("/vhost-user/replaced/reset", test_replaced_while_reset);
    g_test_add_data_func("/vhost-user/devices/4", GUINT_TO_POINTER(4), test_devices);
    g_test_add_data_func("/vhost-user/devices/16", GUINT_TO_POINTER(16), test_devices);
    g_test_add_func("/vhost-user/devices/smallest", test_smallest_is_limit);
    g_test_add_func("/vhost-user/lost", test_lost);
    g_test_add_func("/vhost-user/queues", test_queues);
    return g_test_run();
}
