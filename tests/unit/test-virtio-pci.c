/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio-pci transport over a device type that only notes what it is asked: layout, common
 * configuration, status, queues, interrupts, resets, the legacy interface, the window.
 */
#include "virtio-pci-fixture.h"

/* --- tests --- */

static void assert_layout(void)
{
    static const uint8_t types[] = {VIRTIO_PCI_CAP_PCI_CFG, VIRTIO_PCI_CAP_NOTIFY_CFG,
                                    VIRTIO_PCI_CAP_DEVICE_CFG, VIRTIO_PCI_CAP_ISR_CFG,
                                    VIRTIO_PCI_CAP_COMMON_CFG};
    static const uint32_t offsets[] = {0, 0x3000, 0x2000, 0x1000, 0};

    g_assert_cmphex(config_read(DEVFN, capability_at(DEVFN, 0), 1), ==, PCI_CAP_ID_MSIX);
    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
        unsigned at = capability_at(DEVFN, i + 1);
        g_assert_cmphex(config_read(DEVFN, at, 1), ==, PCI_CAP_ID_VNDR);
        g_assert_cmphex(config_read(DEVFN, at + VIRTIO_PCI_CAP_CFG_TYPE, 1), ==, types[i]);
        g_assert_cmphex(config_read(DEVFN, at + VIRTIO_PCI_CAP_OFFSET, 4), ==, offsets[i]);
        g_assert_cmphex(config_read(DEVFN, at + VIRTIO_PCI_CAP_BAR, 1), ==, i ? 4 : 0);
    }
    g_assert_cmphex(config_read(DEVFN, capability_at(DEVFN, 2) + VIRTIO_PCI_NOTIFY_CAP_MULT, 4), ==,
                    4);
    g_assert_cmphex(config_read(DEVFN, capability_at(DEVFN, 6), 1), ==, PCI_CAP_ID_AF);
    g_assert_cmphex(capability_at(DEVFN, 7), ==, 0);
    g_assert_cmphex(config_read(DEVFN, capability_at(DEVFN, 0) + PCI_MSIX_PBA, 4), ==, 0x801);
    g_assert_cmphex(config_read(DEVFN, PCI_INTERRUPT_PIN, 1), ==, 1);
}

static void test_layout(void)
{
    PciBus *bus = set_up(probe_get_type());

    g_assert_cmphex(config_read(DEVFN, 0, 4), ==, 0x10011af4);
    g_assert_cmphex(config_read(DEVFN, PCI_SUBSYSTEM_VENDOR_ID, 4), ==, 0x00021af4);
    g_assert_cmphex(config_read(DEVFN, PCI_REVISION_ID, 1), ==, 0);
    assert_layout();
    tear_down(bus);

    bus = set_up(modern_get_type());
    g_assert_cmphex(config_read(DEVFN, 0, 4), ==, 0x105a1af4);
    g_assert_cmphex(config_read(DEVFN, PCI_REVISION_ID, 1), ==, 1);
    assert_layout();
    g_assert_cmphex(config_read(DEVFN, PCI_BASE_ADDRESS_0, 4), ==, 0);
    tear_down(bus);
}

static void test_common(void)
{
    PciBus *bus = set_up(probe_get_type());

    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_NUMQ, 2), ==, QUEUES);
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_MSIX, 4), ==, QUEUES << 16 | 0xffff);
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_DF, 4), ==, 0x6);
    common_write(VIRTIO_PCI_COMMON_DFSELECT, 1, 4);
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_DF, 4), ==, 0x101);
    common_write(VIRTIO_PCI_COMMON_DFSELECT, 2, 4);
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_DF, 4), ==, 0);

    common_write(VIRTIO_PCI_COMMON_Q_SELECT, 1, 2);
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_Q_SIZE, 2), ==, QUEUE_SIZE);
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_Q_NOFF, 2), ==, 1);
    g_assert_cmphex(common_read(QUEUE_NOTIFY_DATA, 2), ==, 1);
    for (uint32_t size = 0; size < 0x10000; size += 3) {
        common_write(VIRTIO_PCI_COMMON_Q_SIZE, size, 2);
    }
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_Q_SIZE, 2), ==, QUEUE_SIZE);
    common_write(VIRTIO_PCI_COMMON_Q_SIZE, 64, 2);
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_Q_SIZE, 2), ==, 64);
    common_write(VIRTIO_PCI_COMMON_Q_MSIX, 2, 2);
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_Q_MSIX, 2), ==, 2);
    common_write(VIRTIO_PCI_COMMON_Q_MSIX, 3, 2); /* there are 0, 1 and 2 */
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_Q_MSIX, 2), ==, 0xffff);
    mem_write(MODERN + VIRTIO_PCI_COMMON_Q_USEDLO, 0x1122334455667788, 8);
    g_assert_cmphex(mem_read(MODERN + VIRTIO_PCI_COMMON_Q_USEDLO, 8), ==, 0x1122334455667788);
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_Q_USEDLO + 3, 1), ==, 0x55);

    common_write(VIRTIO_PCI_COMMON_Q_ENABLE, 0, 2);
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_Q_ENABLE, 2), ==, 0);
    common_write(VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
    common_write(VIRTIO_PCI_COMMON_Q_ENABLE, 0, 2);
    common_write(VIRTIO_PCI_COMMON_Q_SIZE, 32, 2); /* too late */
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_Q_ENABLE, 2), ==, 1);
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_Q_SIZE, 2), ==, 64);

    common_write(VIRTIO_PCI_COMMON_Q_SELECT, QUEUES, 2);
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_Q_SIZE, 2), ==, 0);
    common_write(VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_Q_ENABLE, 2), ==, 0);
    mem_write(MODERN + 0xff8, 0, 8);
    g_assert_cmphex(mem_read(MODERN + 0x3c, 4), ==, 0);
    take_trail("");
    tear_down(bus);
}

static void test_features(void)
{
    const uint64_t version_1 = UINT64_C(1) << VIRTIO_F_VERSION_1;
    PciBus *bus = set_up(probe_get_type());

    set_status(3);
    set_features(version_1 | 0x8); /* not offered */
    g_assert_cmphex(set_status(0xb), ==, 3);
    set_features(0x6); /* legacy in a modern place */
    g_assert_cmphex(set_status(0xb), ==, 3);
    set_features(version_1 | 0x2);
    g_assert_cmphex(set_status(0xb), ==, 0xb);
    set_features(version_1 | 0x6); /* too late */
    g_assert_true(virtio_has_feature(probe, 1));
    g_assert_false(virtio_has_feature(probe, 2));
    common_write(VIRTIO_PCI_COMMON_GFSELECT, 0, 4);
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_GF, 4), ==, 0x2);
    g_assert_cmphex(set_status(0x1), ==, 0xb); /* bits do not go */
    g_assert_cmphex(set_status(0), ==, 0);
    set_status(3);
    g_assert_cmphex(set_status(7), ==, 0x47); /* DRIVER_OK without FEATURES_OK */
    take_trail("reset ");
    g_assert_false(probe->started);
    tear_down(bus);
}

/* One driver begins as a legacy one while the machine stands still and goes on as a modern one. */
static void test_mixed_driver(void)
{
    PciBus *bus = set_up(probe_get_type());

    run_state_stop(NULL, NULL);
    port_write(LEGACY + VIRTIO_PCI_GUEST_FEATURES, 0x2, 4);
    port_write(LEGACY + VIRTIO_PCI_STATUS, 7, 1);
    set_features(UINT64_C(1) << VIRTIO_F_VERSION_1 | 0x8); /* not offered, and too late */
    g_assert_cmphex(set_status(0xb), ==, 7);
    run_state_start(NULL);
    take_trail("start ");
    g_assert_cmphex(probe->driver_features, ==, 0x2);
    port_write(LEGACY + VIRTIO_PCI_GUEST_FEATURES, 0x6, 4);
    port_write(LEGACY + VIRTIO_PCI_STATUS, 7, 1);
    g_assert_cmphex(probe->driver_features, ==, 0x2);
    tear_down(bus);
}

/* A size that a packed ring may have, and then a split ring. */
static void test_late_choice(void)
{
    const uint64_t version_1 = UINT64_C(1) << VIRTIO_F_VERSION_1;
    PciBus *bus = set_up(probe_get_type());

    set_status(3);
    set_features(version_1 | UINT64_C(1) << VIRTIO_F_RING_PACKED);
    common_write(VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
    common_write(VIRTIO_PCI_COMMON_Q_SIZE, 5, 2);
    set_queue(0, 0x10000);
    set_features(version_1);
    g_assert_cmphex(set_status(0xb), ==, 0xb);
    g_assert_cmphex(set_status(0xf), ==, 0x4f);
    g_assert_false(probe->started);
    tear_down(bus);
}

static void test_life(void)
{
    PciBus *bus = set_up(probe_get_type());

    start_driver();
    take_trail("start ");
    g_assert_cmphex(set_status(0xf), ==, 0xf); /* again: nothing */
    take_trail("");
    run_state_stop(NULL, NULL);
    take_trail("pause ");
    run_state_start(NULL);
    take_trail("start ");
    g_assert_cmphex(set_status(0), ==, 0);
    take_trail("stop-wait reset ");
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_Q_ENABLE, 2), ==, 0);

    run_state_stop(NULL, NULL);
    start_driver(); /* while the machine stands still */
    take_trail("");
    run_state_start(NULL);
    take_trail("start ");
    device_reset_all();
    take_trail("stop reset ");
    g_assert_cmphex(config_read(DEVFN, PCI_COMMAND, 2), ==, 0);
    tear_down(bus);
}

static void test_bad_queue(void)
{
    static const uint64_t addresses[] = {0x3fff000, UINT64_MAX - 0xfff, 0x10008, 0x4000000};
    PciBus *bus = set_up(probe_get_type());

    for (unsigned i = 0; i < G_N_ELEMENTS(addresses); i++) {
        set_status(3);
        set_features(UINT64_C(1) << VIRTIO_F_VERSION_1);
        set_status(0xb);
        set_queue(0, 0x10000);
        set_queue(1, addresses[i]);
        g_assert_cmphex(set_status(0xf), ==, 0x4f);
        g_assert_cmphex(mem_read(ISR, 1), ==, 2); /* the driver is told */
        g_assert_cmphex(set_status(0), ==, 0);
        take_trail("reset ");
    }
    tear_down(bus);
}

static void reset_machine(void)
{
    device_reset_all();
}

static void reset_again(void)
{
    g_assert_cmphex(set_status(0), ==, 0xf); /* not done yet */
    common_write(VIRTIO_PCI_COMMON_MSIX, 0, 2);
    config_write(DEVFN, capability_at(DEVFN, 6) + PCI_AF_CTRL, PCI_AF_CTRL_FLR, 1);
}

static void unplug(void)
{
    device_unplug(DEVICE(probe));
}

static void test_reset_crosses(void)
{
    PciBus *bus = set_up(probe_get_type());

    start_driver();
    while_stopping = reset_machine;
    common_write(VIRTIO_PCI_COMMON_STATUS, 0, 1);
    take_trail("start stop-wait reset ");

    config_write(DEVFN, PCI_BASE_ADDRESS_4, MODERN, 4);
    config_write(DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    start_driver();
    while_stopping = reset_again;
    common_write(VIRTIO_PCI_COMMON_STATUS, 0, 1);
    take_trail("start stop-wait reset ");

    config_write(DEVFN, PCI_BASE_ADDRESS_4, MODERN, 4);
    config_write(DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    start_driver();
    while_stopping = unplug;
    common_write(VIRTIO_PCI_COMMON_STATUS, 0, 1);
    while_stopping = NULL;
    take_trail("start stop-wait ");
    g_assert_cmphex(config_read(DEVFN, 0, 4), ==, 0xffffffff);
    tear_down(bus);
}

static void test_function_reset(void)
{
    PciBus *bus = set_up(probe_get_type());
    unsigned at = capability_at(DEVFN, 6);

    g_assert_cmphex(config_read(DEVFN, at + PCI_AF_CAP, 1), ==, PCI_AF_CAP_TP | PCI_AF_CAP_FLR);
    start_driver();
    config_write(DEVFN, at + PCI_AF_CTRL, PCI_AF_CTRL_FLR, 1);
    take_trail("start stop-wait reset ");
    g_assert_cmphex(config_read(DEVFN, at + PCI_AF_CTRL, 2), ==, 0);
    g_assert_cmphex(config_read(DEVFN, PCI_COMMAND, 2), ==, 0);
    g_assert_cmphex(config_read(DEVFN, PCI_BASE_ADDRESS_4, 4), ==, 0xc);
    g_assert_cmphex(probe->status, ==, 0);
    tear_down(bus);
}

static void test_queue_reset(void)
{
    PciBus *bus = set_up(probe_get_type());

    start_driver();
    common_write(VIRTIO_PCI_COMMON_Q_SELECT, 1, 2);
    common_write(QUEUE_RESET, 1, 2);
    take_trail("start queue-reset1 ");
    g_assert_cmphex(common_read(QUEUE_RESET, 2), ==, 0);
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_Q_ENABLE, 2), ==, 0);
    common_write(QUEUE_RESET, 1, 2); /* nothing to reset */
    take_trail("");
    set_queue(1, 0x30000);
    take_trail("queue-enabled1 ");
    tear_down(bus);
}

static void test_kick(void)
{
    PciBus *bus = set_up(probe_get_type());

    for (unsigned size = 1; size <= 4; size *= 2) {
        mem_write(NOTIFY + 4, 1, size);
        g_assert_true(event_fd_clear(virtio_pci_queue(probe, 1)->kick));
        g_assert_false(event_fd_clear(virtio_pci_queue(probe, 0)->kick));
    }
    mem_write(NOTIFY + 4 * QUEUES, 1, 2); /* no such queue */
    tear_down(bus);
}

static void test_interrupts(void)
{
    PciBus *bus = set_up(probe_get_type());

    event_fd_signal(virtio_pci_queue(probe, 0)->call); /* before the driver is ready */
    run_main_loop();
    g_assert_cmphex(mem_read(ISR, 1), ==, 0);
    start_driver();
    run_main_loop();
    g_assert_true(irq_line_level(16));
    g_assert_cmphex(mem_read(ISR, 1), ==, 1);
    g_assert_false(irq_line_level(16));
    g_assert_cmphex(mem_read(ISR, 1), ==, 0);
    run_main_loop();
    g_assert_false(irq_line_level(16)); /* none is invented */

    unsigned generation = common_read(VIRTIO_PCI_COMMON_CFGGENERATION, 1);
    virtio_pci_config_changed(probe);
    g_assert_cmphex(common_read(VIRTIO_PCI_COMMON_CFGGENERATION, 1), ==, generation + 1);
    g_assert_cmphex(mem_read(ISR, 1), ==, 2);

    run_state_stop(NULL, NULL); /* a call while paused waits */
    event_fd_signal(virtio_pci_queue(probe, 1)->call);
    run_main_loop();
    g_assert_cmphex(mem_read(ISR, 1), ==, 0);
    run_state_start(NULL);
    run_main_loop();
    g_assert_cmphex(mem_read(ISR, 1), ==, 1);
    tear_down(bus);
}

static void test_vectors(void)
{
    PciBus *bus = set_up(probe_get_type());

    config_write(DEVFN, capability_at(DEVFN, 0) + PCI_MSIX_FLAGS, 0x8000, 2);
    mem_write(MSIX + 16, MESSAGE, 8);
    mem_write(MSIX + 24, 0x77, 8);
    start_driver();
    event_fd_signal(virtio_pci_queue(probe, 0)->call); /* without a vector: nothing */
    run_main_loop();
    g_assert_cmphex(mem_read(ISR, 1), ==, 0);
    common_write(VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
    common_write(VIRTIO_PCI_COMMON_Q_MSIX, 1, 2);
    g_assert_cmphex(mem_read(MESSAGE, 4), ==, 0);
    event_fd_signal(virtio_pci_queue(probe, 0)->call);
    run_main_loop();
    g_assert_cmphex(mem_read(MESSAGE, 4), ==, 0x77);
    g_assert_cmphex(mem_read(ISR, 1), ==, 0);
    g_assert_false(irq_line_level(16));
    tear_down(bus);
}

static void test_window(void)
{
    PciBus *bus = set_up(probe_get_type());
    unsigned at = capability_at(DEVFN, 1);
    unsigned data = at + sizeof(struct virtio_pci_cap);

    config_write(DEVFN, PCI_COMMAND, 0, 2); /* no BAR is needed */
    g_assert_cmphex(config_read(DEVFN, data, 4), ==, 0);
    config_write(DEVFN, at + VIRTIO_PCI_CAP_BAR, 4, 1);
    config_write(DEVFN, at + VIRTIO_PCI_CAP_OFFSET, VIRTIO_PCI_COMMON_STATUS, 4);
    config_write(DEVFN, at + VIRTIO_PCI_CAP_LENGTH, 1, 4);
    config_write(DEVFN, data, 0xffffff03, 4);
    g_assert_cmphex(probe->status, ==, 3);
    g_assert_cmphex(config_read(DEVFN, data, 4), ==, 3);
    config_write(DEVFN, at + VIRTIO_PCI_CAP_OFFSET, 0x3004, 4);
    config_write(DEVFN, at + VIRTIO_PCI_CAP_LENGTH, 2, 4);
    config_write(DEVFN, data, 1, 2);
    g_assert_true(event_fd_clear(virtio_pci_queue(probe, 1)->kick));
    configuration[4] = 0x5a;
    config_write(DEVFN, at + VIRTIO_PCI_CAP_OFFSET, 0x2004, 4);
    config_write(DEVFN, at + VIRTIO_PCI_CAP_LENGTH, 4, 4);
    g_assert_cmphex(config_read(DEVFN, data, 1), ==, 0x5a);

    static const uint32_t bad[][3] = {
        {0, 0, 4},          {4, 2, 4}, {4, 0x4000, 4},     {4, 0, 0},          {4, 0, 3},
        {4, 0, 0x80000000}, {6, 0, 4}, {4, 0xffffffff, 1}, {4, 0xfffffffc, 4}, {255, 20, 1}};
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        config_write(DEVFN, at + VIRTIO_PCI_CAP_BAR, bad[i][0], 1);
        config_write(DEVFN, at + VIRTIO_PCI_CAP_OFFSET, bad[i][1], 4);
        config_write(DEVFN, at + VIRTIO_PCI_CAP_LENGTH, bad[i][2], 4);
        config_write(DEVFN, data, 0, 4);
        g_assert_cmphex(config_read(DEVFN, data, 4), ==, 0);
    }
    g_assert_cmphex(probe->status, ==, 3);
    tear_down(bus);
}

static void test_configuration(void)
{
    PciBus *bus = set_up(probe_get_type());

    memcpy(configuration, "\1\2\3\4\5\6\7\10", 8);
    g_assert_cmphex(mem_read(CONFIG, 8), ==, 0x0807060504030201);
    g_assert_cmphex(mem_read(CONFIG + 5, 1), ==, 6);
    g_assert_cmphex(mem_read(CONFIG + 8, 4), ==, 0);
    g_assert_cmphex(mem_read(CONFIG + 0xffc, 4), ==, 0);
    mem_write(CONFIG + 2, 0xaa, 1);
    g_assert_cmphex(mem_read(CONFIG, 4), ==, 0x04aa0201);
    mem_write(CONFIG + 8, 0xaa, 1);
    tear_down(bus);
}

/* Virtio 1.2, 2.7.2: descriptors, available ring, and the used ring on a page of its own. */
static void assert_legacy_queue(unsigned index, uint64_t address)
{
    const VirtQueue *queue = virtio_pci_queue(probe, index);

    g_assert_true(queue->enabled);
    g_assert_cmpuint(queue->size, ==, QUEUE_SIZE);
    g_assert_cmphex(queue->descriptor_area, ==, address);
    g_assert_cmphex(queue->driver_area, ==, address + 16 * QUEUE_SIZE);
    g_assert_cmphex(queue->device_area, ==, address + 4096);
}

static void test_legacy(void)
{
    PciBus *bus = set_up(probe_get_type());

    memcpy(configuration, "\1\2\3\4\5\6\7\10", 8);
    g_assert_cmphex(port_read(LEGACY + VIRTIO_PCI_HOST_FEATURES, 4), ==, 0x6);
    port_write(LEGACY + VIRTIO_PCI_QUEUE_SEL, 1, 2);
    g_assert_cmphex(port_read(LEGACY + VIRTIO_PCI_QUEUE_NUM, 2), ==, QUEUE_SIZE);
    g_assert_cmphex(port_read(LEGACY + VIRTIO_PCI_QUEUE_PFN, 4), ==, 0);
    port_write(LEGACY + VIRTIO_PCI_QUEUE_PFN, 0x123, 4);
    g_assert_cmphex(port_read(LEGACY + VIRTIO_PCI_QUEUE_PFN, 4), ==, 0x123);
    port_write(LEGACY + VIRTIO_PCI_QUEUE_SEL, 77, 2);
    g_assert_cmphex(port_read(LEGACY + VIRTIO_PCI_QUEUE_NUM, 2), ==, 0);
    g_assert_cmphex(port_read(LEGACY + 20, 4), ==, 0x04030201);
    config_write(DEVFN, capability_at(DEVFN, 0) + PCI_MSIX_FLAGS, 0x8000, 2);
    g_assert_cmphex(port_read(LEGACY + VIRTIO_MSI_CONFIG_VECTOR, 2), ==, 0xffff);
    g_assert_cmphex(port_read(LEGACY + 24, 4), ==, 0x04030201);
    config_write(DEVFN, capability_at(DEVFN, 0) + PCI_MSIX_FLAGS, 0, 2);

    port_write(LEGACY + VIRTIO_PCI_STATUS, 3, 1);
    g_assert_cmphex(port_read(LEGACY + VIRTIO_PCI_STATUS, 1), ==, 3);
    port_write(LEGACY + VIRTIO_PCI_QUEUE_NOTIFY, 0, 2);
    port_write(LEGACY + VIRTIO_PCI_GUEST_FEATURES, 0xffffffff, 4);
    port_write(LEGACY + VIRTIO_PCI_STATUS, 7, 1);
    g_assert_cmphex(port_read(LEGACY + VIRTIO_PCI_STATUS, 1), ==, 7);
    take_trail("start ");
    g_assert_cmphex(probe->driver_features, ==, 0x6);
    assert_legacy_queue(1, 0x123000);
    port_write(LEGACY + VIRTIO_PCI_QUEUE_SEL, 0, 2);
    port_write(LEGACY + VIRTIO_PCI_QUEUE_PFN, 0x200, 4);
    take_trail("queue-enabled0 ");
    assert_legacy_queue(0, 0x200000);
    event_fd_clear(virtio_pci_queue(probe, 0)->kick);
    port_write(LEGACY + VIRTIO_PCI_QUEUE_NOTIFY, 0, 2);
    g_assert_true(event_fd_clear(virtio_pci_queue(probe, 0)->kick));
    port_write(LEGACY + VIRTIO_PCI_QUEUE_PFN, 0, 4);
    take_trail("queue-reset0 ");
    g_assert_false(virtio_pci_queue(probe, 0)->enabled);
    port_write(LEGACY + VIRTIO_PCI_STATUS, 0, 1);
    take_trail("stop-wait reset ");

    port_write(LEGACY + VIRTIO_PCI_QUEUE_PFN, 0xfffffff, 4); /* not in memory */
    port_write(LEGACY + VIRTIO_PCI_STATUS, 7, 1);
    g_assert_cmphex(port_read(LEGACY + VIRTIO_PCI_STATUS, 1), ==, 7 | VIRTIO_CONFIG_S_NEEDS_RESET);
    take_trail("");
    port_write(LEGACY + VIRTIO_PCI_STATUS, 0, 1);
    g_assert_cmphex(port_read(LEGACY + VIRTIO_PCI_STATUS, 1), ==, 0);
    take_trail("reset ");
    start_driver(); /* a modern one may follow */
    take_trail("start ");
    tear_down(bus);
}

/* Any write to any register, none of which may hurt. */
static void test_noise(void)
{
    PciBus *bus = set_up(probe_get_type());
    GRand *random = g_rand_new_with_seed(g_test_rand_int());

    for (unsigned i = 0; i < 100000; i++) {
        uint32_t value = g_rand_int(random), kind = value % 8;
        unsigned size = 1 << g_rand_int_range(random, 0, 3);
        unsigned offset = g_rand_int_range(random, 0, 0x40);
        if (kind < 4) {
            mem_write(MODERN + offset, kind < 2 ? value >> 28 : g_rand_int(random), size);
        } else if (kind == 4) {
            config_write(DEVFN, 0x40 + g_rand_int_range(random, 0, 0xc0), value >> 24, 1);
        } else if (kind == 5) {
            mem_write(MSIX + g_rand_int_range(random, 0, 0x1000), value, size);
        } else if (kind == 6) {
            port_write(LEGACY + offset, value >> 28, size);
        } else {
            mem_read(MODERN + g_rand_int_range(random, 0, 0x4000), size);
        }
        if (!(config_read(DEVFN, PCI_COMMAND, 1) & PCI_COMMAND_MEMORY)) { /* function reset */
            config_write(DEVFN, PCI_BASE_ADDRESS_0, LEGACY, 4);
            config_write(DEVFN, PCI_BASE_ADDRESS_1, MSIX, 4);
            config_write(DEVFN, PCI_BASE_ADDRESS_4, MODERN, 4);
            config_write(DEVFN, PCI_COMMAND, 7, 2);
        }
    }
    g_rand_free(random);
    tear_down(bus);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    add_ram(0x4000000);
    g_test_add_func("/virtio-pci/layout", test_layout);
    g_test_add_func("/virtio-pci/common", test_common);
    g_test_add_func("/virtio-pci/features", test_features);
    g_test_add_func("/virtio-pci/mixed-driver", test_mixed_driver);
    g_test_add_func("/virtio-pci/late-choice", test_late_choice);
    g_test_add_func("/virtio-pci/life", test_life);
    g_test_add_func("/virtio-pci/bad-queue", test_bad_queue);
    g_test_add_func("/virtio-pci/reset-crosses", test_reset_crosses);
    g_test_add_func("/virtio-pci/function-reset", test_function_reset);
    g_test_add_func("/virtio-pci/queue-reset", test_queue_reset);
    g_test_add_func("/virtio-pci/kick", test_kick);
    g_test_add_func("/virtio-pci/interrupts", test_interrupts);
    g_test_add_func("/virtio-pci/vectors", test_vectors);
    g_test_add_func("/virtio-pci/window", test_window);
    g_test_add_func("/virtio-pci/configuration", test_configuration);
    g_test_add_func("/virtio-pci/legacy", test_legacy);
    g_test_add_func("/virtio-pci/noise", test_noise);
    return g_test_run();
}
