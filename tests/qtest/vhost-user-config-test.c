/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration space, which is the backend's: it changes, cannot be had, is written and refused.
 */
#include "qtest/rig.h"

#include <stddef.h>
#include <string.h>

static uint8_t generation(Rig *rig)
{
    return qtest_readb(rig->qtest, rig_driver(rig, 0)->common + VIRTIO_PCI_COMMON_CFGGENERATION);
}

static uint64_t capacity(Rig *rig)
{
    return blk_disk_sectors(rig_disk(rig, 0));
}

static void set_capacity(BackendConfig *config, uint64_t sectors)
{
    memcpy(config->config + offsetof(struct virtio_blk_config, capacity), &sectors,
           sizeof(sectors));
}

static void wait_for_capacity(Rig *rig, uint64_t sectors)
{
    for (guint tries = 0; capacity(rig) != sectors; tries++) {
        if (tries > RIG_WAIT) {
            vmm_fail("the capacity stays %" G_GUINT64_FORMAT, (guint64)capacity(rig));
        }
        g_usleep(1000);
    }
}

/* The disk grows: new capacity, new generation, an interrupt. */
static void test_config_change(gconstpointer data)
{
    BlkOptions disk = {.msix = GPOINTER_TO_INT(data)};
    BackendConfig config;
    uint8_t before;
    Rig *rig;

    backend_config_init(&config);
    config.disk_size = 0; /* the capacity is the one that the configuration says */
    set_capacity(&config, 2048);
    rig = rig_start(&config, NULL);
    rig_boot(rig, &disk);
    g_assert_cmpuint(capacity(rig), ==, 2048);
    virt_device_interrupt(rig_driver(rig, 0), -1);
    before = generation(rig);
    set_capacity(&config, 4096);
    g_assert_true(backend_config_change(rig_backend(rig, 0), config.config));
    wait_for_capacity(rig, 4096);
    g_assert_cmpuint(generation(rig), !=, before);
    g_assert_true(virt_device_interrupt(rig_driver(rig, 0), -1));
    g_assert_false(virt_device_interrupt(rig_driver(rig, 0), -1));
    rig_end(rig);
}

/* The backend says that its configuration changed and then does not give it. */
static void test_config_change_fails(void)
{
    BackendFault fault = {.request = VHOST_USER_GET_CONFIG, .occurrence = 0, .kind = FAULT_EMPTY};
    uint8_t bytes[VHOST_USER_MAX_CONFIG_SIZE] = {0};
    Rig *rig = rig_start(NULL, NULL);
    uint64_t before;

    rig_boot(rig, NULL);
    before = capacity(rig);
    rig_clear(rig);
    backend_fault(rig_backend(rig, 0), &fault);
    g_assert_true(backend_config_change(rig_backend(rig, 0), bytes));
    rig_wait_request(rig, VHOST_USER_GET_CONFIG, 1);
    rig_check_data(rig, 0, rig_buffer(rig));
    g_assert_cmpuint(capacity(rig), ==, before);
    rig_plug(rig, 0);
    rig_end(rig);
}

static uint64_t cache_mode(Rig *rig)
{
    return rig_driver(rig, 0)->config + offsetof(struct virtio_blk_config, wce);
}

/* The one byte that a driver may write; others it may not. */
static void test_config_write(void)
{
    BlkOptions disk = {.features = BIT(VIRTIO_BLK_F_CONFIG_WCE)};
    Rig *rig = rig_start_with(BIT(VIRTIO_BLK_F_CONFIG_WCE), 0, NULL);
    BackendMessage message;
    uint64_t before;

    rig_boot(rig, &disk);
    before = capacity(rig);
    qtest_writeb(rig->qtest, cache_mode(rig), 1);
    rig_wait_request(rig, VHOST_USER_SET_CONFIG, 1);
    g_assert_true(backend_find_message(rig_backend(rig, 0), VHOST_USER_SET_CONFIG, 1, &message));
    g_assert_cmpuint(message.payload.config.offset, ==, offsetof(struct virtio_blk_config, wce));
    g_assert_cmpuint(message.payload.config.size, ==, 1);
    g_assert_cmpuint(message.payload.config.flags, ==, VHOST_USER_CONFIG_WRITABLE);
    g_assert_cmpuint(message.payload.config.bytes[0], ==, 1);
    g_assert_cmpuint(qtest_readb(rig->qtest, cache_mode(rig)), ==, 1);

    qtest_writel(rig->qtest, rig_driver(rig, 0)->config, 5);
    qtest_writel(rig->qtest, cache_mode(rig), 0);
    g_assert_cmpuint(capacity(rig), ==, before);
    g_assert_cmpuint(qtest_readb(rig->qtest, cache_mode(rig)), ==, 1);
    rig_settle(rig);
    g_assert_cmpuint(rig_count(rig, VHOST_USER_SET_CONFIG), ==, 1);
    rig_end(rig);
}

/* What the backend does not take the driver does not keep. */
static void test_config_write_refused(void)
{
    BackendFault fault = {.request = VHOST_USER_SET_CONFIG, .occurrence = 1, .kind = FAULT_REFUSE};
    BlkOptions disk = {.features = BIT(VIRTIO_BLK_F_CONFIG_WCE)};
    Rig *rig = rig_start_with(BIT(VIRTIO_BLK_F_CONFIG_WCE), 0, NULL);

    rig_boot(rig, &disk);
    backend_fault(rig_backend(rig, 0), &fault);
    qtest_writeb(rig->qtest, cache_mode(rig), 1);
    for (guint tries = 0; qtest_readb(rig->qtest, cache_mode(rig)) != 0; tries++) {
        g_assert_cmpuint(tries, <, RIG_WAIT);
        g_usleep(1000);
    }
    rig_check_data(rig, 0, rig_buffer(rig));
    rig_plug(rig, 0);
    rig_end(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/vhost-user-features/config-change/intx", GINT_TO_POINTER(FALSE),
                         test_config_change);
    g_test_add_data_func("/vhost-user-features/config-change/msix", GINT_TO_POINTER(TRUE),
                         test_config_change);
    g_test_add_func("/vhost-user-features/config-change/fails", test_config_change_fails);
    g_test_add_func("/vhost-user-features/config-write", test_config_write);
    g_test_add_func("/vhost-user-features/config-write/refused", test_config_write_refused);
    return g_test_run();
}
