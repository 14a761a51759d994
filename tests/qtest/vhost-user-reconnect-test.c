/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A backend goes and comes back: what it is brought, in one go and whatever happened meanwhile.
 */
#include "qtest/reconnect.h"

#include <stddef.h>

/* --- the whole state comes back --- */

/* Protocol features that the backend does not have. */
static Rig *start_without(gconstpointer protocol_features)
{
    BackendConfig config;

    backend_config_init(&config);
    config.protocol_features &= ~(uint64_t)GPOINTER_TO_SIZE(protocol_features);
    return reconnect_start(&config);
}

static void test_returns(gconstpointer without)
{
    Rig *rig = start_without(without);

    for (guint i = 0; i < 3; i++) {
        rig_plug(rig, i);
    }
    rig_check_data(rig, 0, rig_dimm_address(rig, 1));
    for (guint round = 2; round <= 4; round++) {
        reconnect_hang_up(rig);
        reconnect_await(rig, 1);
        g_assert_cmpuint(backend_connections(rig_backend(rig, 0)), ==, round);
        g_assert_cmpuint(backend_regions(rig_backend(rig, 0)), ==, 3 + 1);
        rig_check_data(rig, 0, rig_dimm_address(rig, 2));
    }
    rig_plug(rig, 3);
    rig_check_data(rig, 0, rig_dimm_address(rig, 3));
    reconnect_assert(rig, "connections", "4");
    reconnect_assert(rig, "losses", "3");
    reconnect_assert(rig, "ignored", "0");
    reconnect_expect_nothing(rig);
    g_assert_false(reconnect_needs_reset(rig));
    rig_end(rig);
}

/* Requests of the gap: each is done once, in the order of the ring. */
static void test_gap(void)
{
    enum { REQUESTS = 40 };
    Rig *rig = reconnect_start(NULL);
    guint tags[REQUESTS];
    uint64_t buffer, before;

    buffer = guest_memory_alloc(&rig->memory, REQUESTS * 512, 512);
    rig_check_data(rig, 0, buffer);
    before = backend_requests(rig_backend(rig, 0));
    reconnect_shut_out(rig);
    for (guint i = 0; i < REQUESTS; i++) {
        qtest_memset(rig->qtest, buffer + i * 512, (uint8_t)(i + 1), 512);
        tags[i] = blk_disk_submit(rig_disk(rig, 0), 0, VIRTIO_BLK_T_OUT, i, buffer + i * 512, 512);
    }
    g_assert_cmpint(blk_disk_finish(rig_disk(rig, 0), tags[0], 50), ==, -1);
    reconnect_let_in(rig, 1);
    for (guint i = 0; i < REQUESTS; i++) {
        g_assert_cmpint(blk_disk_finish(rig_disk(rig, 0), tags[i], RECONNECT_WAIT), ==,
                        VIRTIO_BLK_S_OK);
    }
    for (guint i = 0; i < REQUESTS; i++) {
        g_assert_cmpuint(backend_disk(rig_backend(rig, 0))[i * 512], ==, i + 1);
    }
    g_assert_cmpuint(backend_requests(rig_backend(rig, 0)) - before, ==, REQUESTS);
    rig_end(rig);
}

/* What was plugged and unplugged without it is there, and gone, when it returns. */
static void test_memory_meanwhile(gconstpointer without)
{
    Rig *rig = start_without(without);

    rig_plug(rig, 0);
    rig_plug(rig, 1);
    reconnect_shut_out_idle(rig);
    rig_plug(rig, 2);
    rig_unplug(rig, 0);
    rig_plug(rig, 3);
    reconnect_let_in(rig, 1);
    g_assert_cmpuint(backend_regions(rig_backend(rig, 0)), ==, 1 + 3);
    for (guint i = 1; i <= 3; i++) {
        rig_check_data(rig, 0, rig_dimm_address(rig, i));
    }
    rig_unplug(rig, 2);
    g_assert_cmpuint(backend_regions(rig_backend(rig, 0)), ==, 1 + 2);
    rig_end(rig);
}

/* One message a region, nothing asked twice, however many there are. */
static void test_many_regions(gconstpointer data)
{
    guint dimms = GPOINTER_TO_UINT(data) - 1;
    RigOptions options = {.chardev = RECONNECT_CHARDEV, .memory_slots = dimms + 10};
    BackendConfig config;
    uint64_t first, again;
    Rig *rig;

    backend_config_init(&config);
    config.slots = dimms + 1;
    config.keep_log = FALSE;
    rig = rig_start(&config, &options);
    for (guint i = 0; i < dimms; i++) {
        rig_plug(rig, i);
    }
    rig_boot(rig, NULL);
    rig_settle(rig);
    first = backend_total(rig_backend(rig, 0));
    g_assert_cmpuint(backend_regions(rig_backend(rig, 0)), ==, dimms + 1);
    backend_clear(rig_backend(rig, 0));
    reconnect_hang_up(rig);
    reconnect_await(rig, 1);
    rig_check_data(rig, 0, RIG_AREA + (dimms - 1) * RIG_DIMM);
    rig_settle(rig);
    again = backend_total(rig_backend(rig, 0));
    g_assert_cmpuint(backend_regions(rig_backend(rig, 0)), ==, dimms + 1);
    g_assert_cmpuint(backend_count(rig_backend(rig, 0), VHOST_USER_ADD_MEM_REG), ==, dimms + 1);
    g_assert_cmpuint(backend_count(rig_backend(rig, 0), VHOST_USER_REM_MEM_REG), ==, 0);
    g_assert_cmpuint(backend_count(rig_backend(rig, 0), VHOST_USER_SET_MEM_TABLE), ==, 0);
    g_assert_cmpuint(backend_count(rig_backend(rig, 0), VHOST_USER_GET_MAX_MEM_SLOTS), ==, 1);
    g_assert_cmpuint(again, ==, first); /* the return takes what the first start took */
    g_test_message("%u regions: %" G_GUINT64_FORMAT " messages", dimms + 1, again);
    rig_end(rig);
}

/* Restarted at each of the messages by which it is taken back. */
static void test_ends_at_each_message(gconstpointer data)
{
    static const uint32_t requests[] = {
        VHOST_USER_GET_FEATURES,     VHOST_USER_GET_PROTOCOL_FEATURES,
        VHOST_USER_SET_OWNER,        VHOST_USER_SET_PROTOCOL_FEATURES,
        VHOST_USER_GET_QUEUE_NUM,    VHOST_USER_GET_MAX_MEM_SLOTS,
        VHOST_USER_GET_CONFIG,       VHOST_USER_SET_FEATURES,
        VHOST_USER_ADD_MEM_REG,      VHOST_USER_SET_VRING_NUM,
        VHOST_USER_SET_VRING_BASE,   VHOST_USER_SET_VRING_ADDR,
        VHOST_USER_SET_VRING_KICK,   VHOST_USER_SET_VRING_CALL,
        VHOST_USER_SET_VRING_ENABLE,
    };
    FaultKind kind = GPOINTER_TO_UINT(data);
    Rig *rig = reconnect_start(NULL);

    rig_plug(rig, 0);
    for (guint i = 0; i < G_N_ELEMENTS(requests); i++) {
        BackendFault fault = {.request = requests[i], .occurrence = 1, .kind = kind};
        guint connections = backend_connections(rig_backend(rig, 0));

        backend_fault(rig_backend(rig, 0), &fault);
        reconnect_hang_up(rig);
        g_assert_true(
            backend_wait_connections(rig_backend(rig, 0), connections + 2, RECONNECT_WAIT));
        reconnect_await(rig, 1);
        rig_check_data(rig, 0, rig_dimm_address(rig, 0));
        g_assert_cmpuint(backend_regions(rig_backend(rig, 0)), ==, 2);
        g_assert_false(reconnect_needs_reset(rig));
        qmp_events_clear(rig->qmp);
    }
    rig_end(rig);
}

/* The byte that the driver wrote is written again. */
static void test_config_write(void)
{
    BlkOptions disk = {.features = BIT(VIRTIO_BLK_F_CONFIG_WCE) | BIT(VIRTIO_BLK_F_FLUSH)};
    BackendConfig config;
    uint64_t mode;
    Rig *rig;

    backend_config_init(&config);
    config.features |= BIT(VIRTIO_BLK_F_CONFIG_WCE);
    rig = rig_start(&config, &reconnect_options);
    rig_boot(rig, &disk);
    mode = rig_driver(rig, 0)->config + offsetof(struct virtio_blk_config, wce);
    qtest_writeb(rig->qtest, mode, 1);
    g_assert_true(backend_wait(rig_backend(rig, 0), VHOST_USER_SET_CONFIG, 1, RECONNECT_WAIT));
    reconnect_hang_up(rig);
    reconnect_await(rig, 1);
    g_assert_true(backend_wait(rig_backend(rig, 0), VHOST_USER_SET_CONFIG, 2, RECONNECT_WAIT));
    g_assert_cmpuint(qtest_readb(rig->qtest, mode), ==, 1);
    reconnect_shut_out(rig);
    qtest_writeb(rig->qtest, mode, 0);
    reconnect_let_in(rig, 1);
    g_assert_true(backend_wait(rig_backend(rig, 0), VHOST_USER_SET_CONFIG, 3, RECONNECT_WAIT));
    g_assert_cmpuint(qtest_readb(rig->qtest, mode), ==, 0);
    rig_check_data(rig, 0, rig_buffer(rig));
    rig_end(rig);
}

/* --- the record of requests in flight --- */

/* The backend is given the file that it gave, and checks that; after a reset it gives another. */
static void test_record(void)
{
    Rig *rig = rig_start_with(0, BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD), &reconnect_options);
    Backend *backend = rig_backend(rig, 0);

    rig_boot(rig, NULL);
    for (guint round = 2; round <= 3; round++) {
        reconnect_hang_up(rig);
        reconnect_await(rig, 1);
        g_assert_cmpuint(backend_count(backend, VHOST_USER_GET_INFLIGHT_FD), ==, 1);
        g_assert_cmpuint(backend_count(backend, VHOST_USER_SET_INFLIGHT_FD), ==, round);
    }
    reconnect_shut_out(rig);
    virt_device_reset(rig_driver(rig, 0));
    reconnect_let_in(rig, 0);
    rig_boot(rig, NULL);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_GET_INFLIGHT_FD), ==, 2);
    rig_check_data(rig, 0, rig_buffer(rig));
    rig_end(rig);
}

/* Where a packed ring is, only the record tells. */
static void test_packed(gconstpointer with_record)
{
    BlkOptions disk = {.features = BIT(VIRTIO_F_RING_PACKED)};
    Rig *rig = rig_start_with(BIT(VIRTIO_F_RING_PACKED),
                              with_record ? BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD) : 0,
                              &reconnect_options);

    rig_boot(rig, &disk);
    reconnect_hang_up(rig);
    if (with_record) {
        reconnect_await(rig, 1);
        g_assert_false(reconnect_needs_reset(rig));
    } else {
        reconnect_expect(rig, "needs-reset", NULL, "packed queue 0 cannot go on");
        g_assert_true(reconnect_needs_reset(rig));
        virt_device_reset(rig_driver(rig, 0));
        rig_boot(rig, NULL);
        rig_check_data(rig, 0, rig_buffer(rig));
    }
    reconnect_expect_nothing(rig);
    rig_end(rig);
}

int main(int argc, char **argv)
{
    const gsize no_ack = BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK);
    const gsize no_slots_feature = BIT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS);

    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/vhost-user-reconnect/returns/slots", NULL, test_returns);
    g_test_add_data_func("/vhost-user-reconnect/returns/no-ack", GSIZE_TO_POINTER(no_ack),
                         test_returns);
    g_test_add_data_func("/vhost-user-reconnect/returns/table", GSIZE_TO_POINTER(no_slots_feature),
                         test_returns);
    g_test_add_func("/vhost-user-reconnect/gap", test_gap);
    g_test_add_data_func("/vhost-user-reconnect/memory-meanwhile/slots", NULL,
                         test_memory_meanwhile);
    g_test_add_data_func("/vhost-user-reconnect/memory-meanwhile/table",
                         GSIZE_TO_POINTER(no_slots_feature), test_memory_meanwhile);
    g_test_add_data_func("/vhost-user-reconnect/many/250", GUINT_TO_POINTER(250),
                         test_many_regions);
    g_test_add_data_func("/vhost-user-reconnect/many/1000", GUINT_TO_POINTER(1000),
                         test_many_regions);
    g_test_add_data_func("/vhost-user-reconnect/many/4000", GUINT_TO_POINTER(4000),
                         test_many_regions);
    g_test_add_data_func("/vhost-user-reconnect/ends-at-each-message/close",
                         GUINT_TO_POINTER(FAULT_CLOSE_BEFORE), test_ends_at_each_message);
    g_test_add_data_func("/vhost-user-reconnect/ends-at-each-message/answered",
                         GUINT_TO_POINTER(FAULT_CLOSE_AFTER), test_ends_at_each_message);
    g_test_add_func("/vhost-user-reconnect/config-write", test_config_write);
    g_test_add_func("/vhost-user-reconnect/record", test_record);
    g_test_add_data_func("/vhost-user-reconnect/packed/record", GUINT_TO_POINTER(1), test_packed);
    g_test_add_data_func("/vhost-user-reconnect/packed/no-record", NULL, test_packed);
    return g_test_run();
}
