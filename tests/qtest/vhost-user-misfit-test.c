/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may come back in the place of a backend that went: one that has all that the guest and the
 * machine rely on, and no other.
 */
#include "qtest/reconnect.h"

#include <stddef.h>

typedef struct MisfitCase {
    const char *name;
    const char *word; /* of the event's reason */
    void (*change)(BackendConfig *config);
} MisfitCase;

static void fewer_slots(BackendConfig *config)
{
    config->slots = 2;
}

static void no_slots(BackendConfig *config)
{
    config->slots = 0;
}

static void no_flush(BackendConfig *config)
{
    config->features &= ~BIT(VIRTIO_BLK_F_FLUSH);
}

static void no_features(BackendConfig *config)
{
    config->features = 0;
}

static void no_version_1(BackendConfig *config)
{
    config->features &= ~BIT(VIRTIO_F_VERSION_1);
}

static void no_config(BackendConfig *config)
{
    config->protocol_features &= ~BIT(VHOST_USER_PROTOCOL_F_CONFIG);
}

static void other_limit(BackendConfig *config)
{
    config->config[offsetof(struct virtio_blk_config, seg_max)] ^= 1;
}

static void fewer_queues(BackendConfig *config)
{
    config->queues = 1;
}

static const MisfitCase misfits[] = {
    {"fewer-slots", "allows 2 memory slots, 3 in use", fewer_slots},
    {"no-slots", "allows 0 memory slots, 3 in use", no_slots},
    {"other-features", "lacks features 0x200", no_flush},
    {"no-version-1", "lacks features 0x100000000", no_version_1},
    {"no-features", "2 queues are wanted", no_features},
    {"no-config", "CONFIG", no_config},
    {"other-config", "another configuration: byte 12 is", other_limit},
    {"fewer-queues", "2 queues are wanted, the backend has 1", fewer_queues},
};

static void test_misfit(gconstpointer data)
{
    const MisfitCase *one = data;
    RigOptions options = {.chardev = RECONNECT_CHARDEV,
                          .arguments = "-global vhost-user-blk-pci.num-queues=2"};
    BlkOptions disk = {.queues = 2};
    BackendConfig config, misfit;
    Rig *rig;

    backend_config_init(&config);
    config.slots = 3;
    config.queues = 2;
    misfit = config;
    one->change(&misfit);
    rig = rig_start(&config, &options);
    rig_boot(rig, &disk);
    rig_plug(rig, 0);
    rig_plug(rig, 1);
    backend_set_config(rig_backend(rig, 0), &misfit);
    reconnect_hang_up(rig);
    reconnect_expect(rig, "ignored", NULL, one->word);
    /* The machine and its monitor live on, and it may come again as it was. */
    reconnect_expect(rig, "ignored", NULL, one->word);
    g_assert_false(reconnect_needs_reset(rig));
    reconnect_assert(rig, "connected", "false");
    g_autoptr(json_object) info = qmp_command_or_fail(rig->qmp, "{'execute':'x-query-vhost-user'}");
    rig_assert_names(qmp_get_string(info, "0/last-error"), "'b0'", one->word, NULL);
    g_assert_cmpuint(backend_count(rig_backend(rig, 0), VHOST_USER_ADD_MEM_REG), ==, 3);
    backend_set_config(rig_backend(rig, 0), &config);
    reconnect_await(rig, 2);
    rig_check_data(rig, 0, rig_dimm_address(rig, 1));
    reconnect_assert(rig, "connections", "2");
    reconnect_assert(rig, "losses", "1");
    rig_end(rig);
}

/* More of everything is fine, and the guest sees none of it. */
static void test_more_than_before(void)
{
    BackendConfig config, more;
    uint64_t offered;
    Rig *rig;

    backend_config_init(&config);
    config.slots = 3;
    more = config;
    more.slots = 100;
    more.queues = 8;
    more.features |= BIT(VIRTIO_BLK_F_CONFIG_WCE);
    more.config[offsetof(struct virtio_blk_config, num_queues)] = 8;
    rig = reconnect_start(&config);
    offered = virt_device_offered(rig_driver(rig, 0));
    backend_set_config(rig_backend(rig, 0), &more);
    reconnect_hang_up(rig);
    reconnect_await(rig, 1);
    g_assert_cmphex(virt_device_offered(rig_driver(rig, 0)), ==, offered);
    g_assert_cmpuint(virt_device_queues(rig_driver(rig, 0)), ==, 1);
    for (guint i = 0; i < 5; i++) {
        rig_plug(rig, i);
    }
    rig_check_data(rig, 0, rig_dimm_address(rig, 4));
    rig_end(rig);
}

/* The limit binds while the backend is away, so that it fits when it returns. */
static void test_limit_meanwhile(void)
{
    g_autofree char *text = NULL;
    BackendConfig config;
    Rig *rig;

    backend_config_init(&config);
    config.slots = 3;
    rig = reconnect_start(&config);
    rig_plug(rig, 0);
    reconnect_shut_out_idle(rig);
    text = rig_fill(rig, 1, 1);
    rig_assert_names(text, "'b0'", "allows 3 memory slots, 3 in use", NULL);
    reconnect_let_in(rig, 1); /* with exactly as many as are in use */
    rig_check_data(rig, 0, rig_dimm_address(rig, 1));
    rig_end(rig);
}

/* A region that it does not take back is as good as a misfit. */
static void test_refuses_region(void)
{
    BackendFault fault = {
        .request = VHOST_USER_ADD_MEM_REG, .occurrence = 2, .kind = FAULT_REFUSE, .value = 12};
    Rig *rig = reconnect_start(NULL);

    rig_plug(rig, 0);
    rig_plug(rig, 1);
    backend_fault(rig_backend(rig, 0), &fault);
    reconnect_hang_up(rig);
    reconnect_expect(rig, "ignored", "ADD_MEM_REG",
                     "(memory backend 'm0'): backend refused (code 12)");
    reconnect_await(rig, 1);
    rig_check_data(rig, 0, rig_dimm_address(rig, 1));
    reconnect_expect_nothing(rig);
    reconnect_assert(rig, "ignored", "1");
    rig_end(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(misfits); i++) {
        g_autofree char *path = g_strconcat("/vhost-user-reconnect/misfit/", misfits[i].name, NULL);

        g_test_add_data_func(path, &misfits[i], test_misfit);
    }
    g_test_add_func("/vhost-user-reconnect/more-than-before", test_more_than_before);
    g_test_add_func("/vhost-user-reconnect/limit-meanwhile", test_limit_meanwhile);
    g_test_add_func("/vhost-user-reconnect/refuses-region", test_refuses_region);
    return g_test_run();
}
