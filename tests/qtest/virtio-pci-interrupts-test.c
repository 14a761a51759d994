/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts of virtio-pci devices (virtio 1.2, 4.1.4.5 and 4.1.5): MSI-X masked in each way, the
 * ISR, changes of the configuration, many devices.
 */
#include "qtest/rig.h"

#include <string.h>

#define WAIT_TRIES 5000 /* milliseconds */

static gboolean wait_interrupt(VirtDevice *driver, int queue)
{
    for (guint tries = 0; tries < WAIT_TRIES; tries++) {
        if (virt_device_interrupt(driver, queue)) {
            return TRUE;
        }
        g_usleep(1000);
    }
    return FALSE;
}

static void read_sector(Rig *rig, uint64_t buffer)
{
    g_assert_cmpint(blk_disk_request(rig_disk(rig, 0), 0, VIRTIO_BLK_T_IN, 0, buffer, 512), ==,
                    VIRTIO_BLK_S_OK);
}

static void wait_pending(Rig *rig, uint32_t bits)
{
    for (guint tries = 0; tries < WAIT_TRIES; tries++) {
        if (qtest_readl(rig->qtest, rig_driver(rig, 0)->pci->msix_pending) == bits) {
            return;
        }
        g_usleep(1000);
    }
    vmm_fail("the pending bits are not 0x%x", bits);
}

/* Masked by vector, by function, or without bus mastering: pending, and delivered afterwards. */
static void test_msix(void)
{
    BlkOptions options = {.msix = TRUE};
    Rig *rig = rig_start(NULL, NULL);
    VirtDevice *driver = rig_find_driver(rig);
    PciFunction *pci = driver->pci;
    uint64_t buffer = rig_buffer(rig);
    uint16_t command = pci_config_readw(pci, PCI_COMMAND);

    g_assert_cmpuint(pci->vectors, ==, 2);
    for (guint vector = 0; vector < 2; vector++) {
        g_assert_cmphex(qtest_readl(rig->qtest, pci->msix_table + 16 * vector + 12), ==, 1);
    }
    rig_boot(rig, &options);
    g_assert_cmphex(qtest_readw(rig->qtest, driver->common + VIRTIO_PCI_COMMON_MSIX), ==, 0);
    qtest_writew(rig->qtest, driver->common + VIRTIO_PCI_COMMON_Q_SELECT, 0);
    g_assert_cmphex(qtest_readw(rig->qtest, driver->common + VIRTIO_PCI_COMMON_Q_MSIX), ==, 1);
    read_sector(rig, buffer);
    g_assert_true(wait_interrupt(driver, 0));
    g_assert_cmphex(qtest_readb(rig->qtest, driver->isr), ==, 0); /* not with MSI-X */

    pci_msix_mask(pci, 1, TRUE);
    read_sector(rig, buffer);
    wait_pending(rig, 2);
    g_assert_false(virt_device_interrupt(driver, 0));
    pci_msix_mask(pci, 1, FALSE);
    g_assert_true(virt_device_interrupt(driver, 0)); /* at once */
    wait_pending(rig, 0);

    pci_config_writew(pci, pci->msix + PCI_MSIX_FLAGS,
                      PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    read_sector(rig, buffer);
    wait_pending(rig, 2);
    g_assert_false(virt_device_interrupt(driver, 0));
    pci_config_writew(pci, pci->msix + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE);
    g_assert_true(virt_device_interrupt(driver, 0));

    pci_config_writew(pci, PCI_COMMAND, command & ~PCI_COMMAND_MASTER);
    read_sector(rig, buffer);
    wait_pending(rig, 2);
    g_assert_false(virt_device_interrupt(driver, 0));
    pci_config_writew(pci, PCI_COMMAND, command);
    g_assert_true(virt_device_interrupt(driver, 0));

    virt_ring_suppress(blk_disk_ring(rig_disk(rig, 0), 0), TRUE);
    for (guint i = 0; i < 5; i++) {
        read_sector(rig, buffer);
    }
    g_usleep(50000);
    g_assert_false(virt_device_interrupt(driver, 0)); /* none is invented */
    virt_ring_suppress(blk_disk_ring(rig_disk(rig, 0), 0), FALSE);
    read_sector(rig, buffer);
    g_assert_true(wait_interrupt(driver, 0));
    rig_end(rig);
}

/* New configuration: generation, interrupt and the bytes; by MSI-X and by ISR. */
static void test_config_change(gconstpointer data)
{
    BlkOptions options = {.msix = GPOINTER_TO_INT(data)};
    BackendConfig config;
    Rig *rig;
    VirtDevice *driver;
    uint8_t generation;

    backend_config_init(&config);
    config.protocol_features |= 1ull << VHOST_USER_PROTOCOL_F_BACKEND_REQ;
    config.disk_size = 0; /* the capacity is ours to say */
    rig = rig_start(&config, NULL);
    rig_boot(rig, &options);
    driver = rig_driver(rig, 0);
    generation = qtest_readb(rig->qtest, driver->common + VIRTIO_PCI_COMMON_CFGGENERATION);
    for (guint i = 1; i <= 3; i++) {
        uint64_t sectors = GUINT64_TO_LE(2048 + i);

        memcpy(config.config, &sectors, sizeof(sectors));
        g_assert_true(backend_config_change(rig_backend(rig, 0), config.config));
        g_assert_true(wait_interrupt(driver, -1));
        g_assert_cmphex(qtest_readb(rig->qtest, driver->common + VIRTIO_PCI_COMMON_CFGGENERATION),
                        !=, generation);
        generation = qtest_readb(rig->qtest, driver->common + VIRTIO_PCI_COMMON_CFGGENERATION);
        g_assert_cmpuint(qtest_readq(rig->qtest, driver->config), ==, 2048 + i);
    }
    rig_end(rig);
}

static void test_many(void)
{
    BlkOptions disk = {.msix = TRUE};
    RigOptions options = {.devices = 16};
    Rig *rig = rig_start(NULL, &options);
    uint64_t buffer = rig_buffer(rig);

    rig_boot(rig, &disk);
    for (guint i = 0; i < 16; i++) {
        rig_check_data(rig, i, buffer);
        g_assert_true(wait_interrupt(rig->drivers->pdata[i], 0));
    }
    rig_end(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-pci/msix", test_msix);
    g_test_add_data_func("/virtio-pci/config-change/msix", GINT_TO_POINTER(TRUE),
                         test_config_change);
    g_test_add_data_func("/virtio-pci/config-change/isr", GINT_TO_POINTER(FALSE),
                         test_config_change);
    g_test_add_func("/virtio-pci/many", test_many);
    return g_test_run();
}
