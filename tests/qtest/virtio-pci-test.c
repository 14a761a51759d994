/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio-pci transport register by register (virtio 1.2, 4.1): what a driver finds in
 * configuration space and what right and wrong values do.
 */
#include "qtest/rig.h"

#include <string.h>

#define DISK_DEVFN PCI_SLOT_FUNCTION(RIG_DISK_SLOT, 0)
#define QUEUE_SIZE 128
/* Advanced features (PCI ECN of 2006): function-level reset. */
#define AF_CONTROL 4
#define AF_FUNCTION_RESET 1

static uint16_t readw(VirtDevice *driver, unsigned field)
{
    return qtest_readw(driver->qtest, driver->common + field);
}

static void writew(VirtDevice *driver, unsigned field, uint16_t value)
{
    qtest_writew(driver->qtest, driver->common + field, value);
}

/* --- configuration space --- */

static void test_layout(void)
{
    static const struct {
        uint8_t type, bar;
        uint32_t offset;
    } wanted[] = {
        {VIRTIO_PCI_CAP_PCI_CFG, 0, 0},         {VIRTIO_PCI_CAP_NOTIFY_CFG, 4, 0x3000},
        {VIRTIO_PCI_CAP_DEVICE_CFG, 4, 0x2000}, {VIRTIO_PCI_CAP_ISR_CFG, 4, 0x1000},
        {VIRTIO_PCI_CAP_COMMON_CFG, 4, 0},
    };
    Rig *rig = rig_start(NULL, NULL);
    VirtDevice *driver = rig_find_driver(rig);
    PciFunction *pci = driver->pci;
    uint8_t offset = pci_config_readb(pci, PCI_CAPABILITY_LIST);

    g_assert_cmphex(pci_identify(rig->qtest, DISK_DEVFN), ==, 0x10011af4);
    g_assert_cmphex(pci_config_readl(pci, PCI_SUBSYSTEM_VENDOR_ID), ==, 0x00021af4);
    g_assert_cmphex(pci_config_readb(pci, PCI_REVISION_ID), ==, 0);
    g_assert_cmphex(pci_config_readb(pci, PCI_CLASS_DEVICE + 1), ==, 1); /* mass storage */
    g_assert_cmphex(pci_config_readb(pci, PCI_HEADER_TYPE), ==, 0);
    g_assert_cmphex(pci_config_readb(pci, PCI_INTERRUPT_PIN), ==, 1);
    g_assert_cmphex(pci_config_readb(pci, offset), ==, PCI_CAP_ID_MSIX);
    g_assert_cmphex(pci_config_readl(pci, offset + PCI_MSIX_TABLE), ==, 1);
    g_assert_cmphex(pci_config_readl(pci, offset + PCI_MSIX_PBA), ==, 0x801);
    for (guint i = 0; i < G_N_ELEMENTS(wanted); i++) {
        offset = pci_config_readb(pci, offset + 1);
        g_assert_cmphex(pci_config_readb(pci, offset), ==, PCI_CAP_ID_VNDR);
        g_assert_cmphex(pci_config_readb(pci, offset + 3), ==, wanted[i].type);
        g_assert_cmphex(pci_config_readb(pci, offset + 4), ==, wanted[i].bar);
        g_assert_cmphex(pci_config_readl(pci, offset + 8), ==, wanted[i].offset);
        if (wanted[i].type == VIRTIO_PCI_CAP_NOTIFY_CFG) {
            g_assert_cmphex(pci_config_readb(pci, offset + 2), ==, 20);
            g_assert_cmphex(pci_config_readl(pci, offset + 16), ==, 4);
        }
    }
    rig_end(rig);
}

/* Sizes, kinds, programming; without decoding nothing answers; the upper half is left alone. */
static void test_bars(void)
{
    static const struct {
        uint8_t bar;
        uint32_t mask, kind;
    } wanted[] = {{1, 0xfffff000, 0x0}, {2, 0, 0}, {3, 0, 0}, {4, 0xffffc000, 0xc}};
    Rig *rig = rig_start(NULL, NULL);
    VirtDevice *driver = rig_find_driver(rig);
    PciFunction *pci = driver->pci;
    uint32_t low;

    pci_config_writew(pci, PCI_COMMAND, 0);
    for (guint i = 0; i < G_N_ELEMENTS(wanted); i++) {
        uint8_t offset = PCI_BASE_ADDRESS_0 + 4 * wanted[i].bar;

        pci_config_writel(pci, offset, UINT32_MAX);
        g_assert_cmphex(pci_config_readl(pci, offset), ==, wanted[i].mask | wanted[i].kind);
        pci_config_writel(pci, offset, 0);
        g_assert_cmphex(pci_config_readl(pci, offset), ==, wanted[i].kind);
    }
    low = pci_config_readl(pci, PCI_BASE_ADDRESS_0);
    g_assert_cmphex(low & 3, ==, 1); /* I/O */
    g_assert_cmphex(low & ~3u, >=, 0xc000);
    for (uint32_t address = 0xe8000000; address < 0xe8100000; address += 0x40000) {
        pci_config_writel(pci, PCI_BASE_ADDRESS_4, address); /* the upper half: never */
        pci_config_writew(pci, PCI_COMMAND, PCI_COMMAND_MEMORY);
        g_assert_cmphex(pci_config_readw(pci, PCI_COMMAND), ==, PCI_COMMAND_MEMORY);
        g_assert_cmphex(pci_config_readl(pci, PCI_BASE_ADDRESS_4), ==, address | 0xc);
        g_assert_cmphex(qtest_readw(rig->qtest, address + VIRTIO_PCI_COMMON_NUMQ), ==, 1);
        pci_config_writew(pci, PCI_COMMAND, 0);
        g_assert_cmphex(qtest_readw(rig->qtest, address + VIRTIO_PCI_COMMON_NUMQ), !=, 1);
    }
    pci_config_writew(pci, PCI_COMMAND, PCI_COMMAND_MEMORY);
    pci_config_writel(pci, PCI_BASE_ADDRESS_4, 0x80000000);
    pci_config_writel(pci, PCI_BASE_ADDRESS_5, 1); /* 64-bit addresses work as well */
    g_assert_cmphex(qtest_readw(rig->qtest, 0x180000012), ==, 1);
    rig_end(rig);
}

/* Each byte alone, each word and the whole are the same thing. */
static void test_config_access(void)
{
    Rig *rig = rig_start(NULL, NULL);
    PciFunction *pci = rig_find_driver(rig)->pci;

    for (guint offset = 0; offset < 256; offset += 4) {
        uint32_t whole = pci_config_readl(pci, (uint8_t)offset);

        for (guint i = 0; i < 4; i++) {
            g_assert_cmphex(pci_config_readb(pci, (uint8_t)(offset + i)), ==,
                            whole >> (8 * i) & 0xff);
        }
        g_assert_cmphex(pci_config_readw(pci, (uint8_t)offset), ==, whole & 0xffff);
        g_assert_cmphex(pci_config_readw(pci, (uint8_t)(offset + 2)), ==, whole >> 16);
    }
    pci_config_writeb(pci, PCI_INTERRUPT_LINE, 0x5a);
    g_assert_cmphex(pci_config_readl(pci, PCI_INTERRUPT_LINE), ==, 0x15a);
    pci_config_writel(pci, PCI_VENDOR_ID, 0x12345678);
    g_assert_cmphex(pci_config_readl(pci, PCI_VENDOR_ID), ==, 0x10011af4);
    for (guint command = 0; command < 8; command++) {
        pci_config_writew(pci, PCI_COMMAND, (uint16_t)command);
        g_assert_cmphex(pci_config_readw(pci, PCI_COMMAND), ==, command);
    }
    /* A driver that says the byte in the address and not by the port. */
    qtest_outl(rig->qtest, 0xcf8, 0x80000000 | DISK_DEVFN << 8 | PCI_SUBSYSTEM_ID);
    g_assert_cmphex(qtest_inw(rig->qtest, 0xcfc), ==, VIRTIO_ID_BLOCK);
    qtest_outl(rig->qtest, 0xcf8, 0x2000); /* not enabled */
    g_assert_cmphex(qtest_inl(rig->qtest, 0xcfc), ==, UINT32_MAX);
    qtest_outl(rig->qtest, 0xcf8, 0x80010000 | DISK_DEVFN << 8); /* bus 1 */
    g_assert_cmphex(qtest_inl(rig->qtest, 0xcfc), ==, UINT32_MAX);
    rig_end(rig);
}

/* The window of 4.1.4.9 shows the same registers, and nothing where it stands wrong. */
static void test_window(void)
{
    Rig *rig = rig_start(NULL, NULL);
    VirtDevice *driver = rig_find_driver(rig);
    PciFunction *pci = driver->pci;
    uint8_t window = pci_capability(pci, PCI_CAP_ID_VNDR, 0);

    g_assert_cmphex(pci_config_readb(pci, window + 3), ==, VIRTIO_PCI_CAP_PCI_CFG);
    pci_config_writew(pci, PCI_COMMAND, 0); /* needs no decoding */
    pci_config_writeb(pci, window + 4, 4);
    pci_config_writel(pci, window + 8, VIRTIO_PCI_COMMON_NUMQ);
    pci_config_writel(pci, window + 12, 2);
    g_assert_cmphex(pci_config_readw(pci, window + 16), ==, 1);
    pci_config_writel(pci, window + 8, VIRTIO_PCI_COMMON_STATUS);
    pci_config_writel(pci, window + 12, 1);
    pci_config_writeb(pci, window + 16, 1);
    g_assert_cmphex(pci_config_readb(pci, window + 16), ==, 1);
    pci_config_writew(pci, PCI_COMMAND, PCI_COMMAND_MEMORY);
    g_assert_cmphex(virt_device_status(driver), ==, 1);
    for (guint i = 0; i < 200; i++) {
        static const uint32_t numbers[] = {0, 3, 8, 0x3ffd, 0x4000, 0xfffffffe, UINT32_MAX};

        pci_config_writeb(pci, window + 4, (uint8_t)(i % 9));
        pci_config_writel(pci, window + 8, numbers[i % 7]);
        pci_config_writel(pci, window + 12, numbers[i / 7 % 7]);
        pci_config_writel(pci, window + 16, i);
        pci_config_readl(pci, window + 16);
    }
    rig_boot(rig, NULL);
    rig_end(rig);
}

/* --- status and features --- */

static void test_status(void)
{
    static const uint8_t values[] = {0, 1, 3, 0xb, 0xf};
    Rig *rig = rig_start(NULL, NULL);
    VirtDevice *driver = rig_find_driver(rig);
    uint64_t before;

    rig_settle(rig);
    before = backend_total(rig_backend(rig, 0));
    for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
        if (values[i] == 0xb) { /* ACKNOWLEDGE and DRIVER are between us */
            rig_settle(rig);
            g_assert_cmpuint(backend_total(rig_backend(rig, 0)), ==, before);
            qtest_writel(rig->qtest, driver->common + VIRTIO_PCI_COMMON_GFSELECT, 1);
            qtest_writel(rig->qtest, driver->common + VIRTIO_PCI_COMMON_GF, 1);
        }
        virt_device_set_status(driver, values[i]);
        g_assert_cmphex(virt_device_status(driver), ==, values[i]);
    }
    virt_device_reset(driver);
    rig_end(rig);
}

static void test_features_refused(void)
{
    static const uint64_t rows[] = {
        0,                                       /* without VERSION_1 */
        1ull << 9,                               /* offered perhaps, but not without it */
        1ull << VIRTIO_F_VERSION_1 | 1ull << 63, /* never offered */
        1ull << VIRTIO_F_VERSION_1 | 1ull << 30, /* ours and the backend's alone */
        UINT64_MAX,
    };
    Rig *rig = rig_start(NULL, NULL);
    VirtDevice *driver = rig_find_driver(rig);

    g_assert_cmphex(virt_device_offered(driver) & 1ull << 30, ==, 0);
    g_assert_cmphex(virt_device_offered(driver) & 1ull << VIRTIO_BLK_F_MQ, ==, 0); /* one queue */
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        virt_device_reset(driver);
        virt_device_set_status(driver, 1);
        virt_device_set_status(driver, 3);
        for (guint word = 0; word < 2; word++) {
            qtest_writel(rig->qtest, driver->common + VIRTIO_PCI_COMMON_GFSELECT, word);
            qtest_writel(rig->qtest, driver->common + VIRTIO_PCI_COMMON_GF,
                         (uint32_t)(rows[i] >> (32 * word)));
        }
        virt_device_set_status(driver, 0xb);
        g_assert_cmphex(virt_device_status(driver), ==, 3);
    }
    rig_boot(rig, NULL);
    rig_end(rig);
}

/* --- queues --- */

static void test_queue_registers(void)
{
    static const uint16_t sizes[] = {0, 3, 127, 129, 256, 0x8000, 0xffff};
    RigOptions options = {.arguments = "-global vhost-user-blk-pci.num-queues=4"};
    Rig *rig = rig_start(NULL, &options);
    VirtDevice *driver = rig_find_driver(rig);
    uint64_t offered = virt_device_offered(driver);

    g_assert_cmphex(offered & 1ull << VIRTIO_BLK_F_MQ, !=, 0);
    g_assert_true(virt_device_negotiate(driver, 0, FALSE));
    g_assert_cmpuint(readw(driver, VIRTIO_PCI_COMMON_NUMQ), ==, 4);
    g_assert_cmpuint(qtest_readw(rig->qtest, driver->config + 34), ==, 4);
    g_assert_cmpuint(qtest_readq(rig->qtest, driver->config), ==, 2048); /* sectors of 1 MiB */
    g_assert_cmpuint(qtest_readl(rig->qtest, driver->config), ==, 2048);
    for (guint queue = 0; queue < 4; queue++) {
        writew(driver, VIRTIO_PCI_COMMON_Q_SELECT, (uint16_t)queue);
        g_assert_cmpuint(readw(driver, VIRTIO_PCI_COMMON_Q_NOFF), ==, queue);
        for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
            writew(driver, VIRTIO_PCI_COMMON_Q_SIZE, sizes[i]);
            g_assert_cmpuint(readw(driver, VIRTIO_PCI_COMMON_Q_SIZE), ==, QUEUE_SIZE);
        }
        writew(driver, VIRTIO_PCI_COMMON_Q_SIZE, 64);
        g_assert_cmpuint(readw(driver, VIRTIO_PCI_COMMON_Q_SIZE), ==, 64);
        g_assert_cmphex(readw(driver, VIRTIO_PCI_COMMON_Q_MSIX), ==, 0xffff);
        writew(driver, VIRTIO_PCI_COMMON_Q_MSIX, 2);
        g_assert_cmphex(readw(driver, VIRTIO_PCI_COMMON_Q_MSIX), ==, 2);
        writew(driver, VIRTIO_PCI_COMMON_Q_MSIX, 2000);
        g_assert_cmphex(readw(driver, VIRTIO_PCI_COMMON_Q_MSIX), ==, 0xffff);
        writew(driver, VIRTIO_PCI_COMMON_Q_ENABLE, 2);
        g_assert_cmphex(readw(driver, VIRTIO_PCI_COMMON_Q_ENABLE), ==, 0);
        for (unsigned field = VIRTIO_PCI_COMMON_Q_DESCLO; field <= VIRTIO_PCI_COMMON_Q_USEDHI;
             field += 4) {
            qtest_writel(rig->qtest, driver->common + field, 0x12345000 + field);
            g_assert_cmphex(qtest_readl(rig->qtest, driver->common + field), ==,
                            0x12345000 + field);
        }
    }
    writew(driver, VIRTIO_PCI_COMMON_Q_SELECT, 4);
    g_assert_cmpuint(readw(driver, VIRTIO_PCI_COMMON_Q_SIZE), ==, 0);
    writew(driver, VIRTIO_PCI_COMMON_Q_ENABLE, 1);
    writew(driver, VIRTIO_PCI_COMMON_Q_SIZE, 1);
    writew(driver, VIRTIO_PCI_COMMON_Q_SELECT, 0xffff);
    g_assert_cmpuint(readw(driver, VIRTIO_PCI_COMMON_Q_SIZE), ==, 0);
    writew(driver, VIRTIO_PCI_COMMON_MSIX, 4);
    g_assert_cmphex(readw(driver, VIRTIO_PCI_COMMON_MSIX), ==, 4);
    writew(driver, VIRTIO_PCI_COMMON_MSIX, 5);
    g_assert_cmphex(readw(driver, VIRTIO_PCI_COMMON_MSIX), ==, 0xffff);
    rig_end(rig);
}

static guint count_of(const char *text, const char *part)
{
    guint count = 0;

    for (; (text = strstr(text, part)); text += strlen(part)) {
        count++;
    }
    return count;
}

/* Rings where there is no RAM: the device waits for a reset, says so once, and works after it. */
static void test_ring_outside(void)
{
    static const uint64_t addresses[] = {RIG_RAM - 16, 0xffffffffff000, UINT64_MAX - 15, 0xe0000000,
                                         0x100008};
    Rig *rig = rig_start(NULL, NULL);
    VirtDevice *driver = rig_find_driver(rig);
    g_autofree char *output = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(addresses); i++) {
        g_assert_true(virt_device_negotiate(driver, 0, FALSE));
        writew(driver, VIRTIO_PCI_COMMON_Q_SELECT, 0);
        for (guint half = 0; half < 2; half++) {
            qtest_writel(rig->qtest, driver->common + VIRTIO_PCI_COMMON_Q_DESCLO + 4 * half,
                         (uint32_t)(addresses[i] >> (32 * half)));
            qtest_writel(rig->qtest, driver->common + VIRTIO_PCI_COMMON_Q_AVAILLO + 4 * half,
                         half ? 0 : 0x200000);
            qtest_writel(rig->qtest, driver->common + VIRTIO_PCI_COMMON_Q_USEDLO + 4 * half,
                         half ? 0 : 0x300000);
        }
        writew(driver, VIRTIO_PCI_COMMON_Q_ENABLE, 1);
        virt_device_driver_ok(driver);
        g_assert_cmphex(virt_device_status(driver) & VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
        qtest_writew(rig->qtest, driver->notify, 0);
    }
    output = vmm_output(rig->vmm);
    g_assert_cmpuint(count_of(output, "'b0'"), ==, 1);
    rig_boot(rig, NULL);
    rig_check_data(rig, 0, rig_buffer(rig));
    rig_end(rig);
}

/* --- reset of the function; the legacy interface --- */

static void test_function_reset(void)
{
    Rig *rig = rig_start(NULL, NULL);
    VirtDevice *driver = rig_find_driver(rig);
    uint8_t offset = pci_capability(driver->pci, PCI_CAP_ID_AF, 0);

    g_assert_cmphex(offset, !=, 0);
    for (guint i = 0; i < 3; i++) {
        rig_boot(rig, NULL);
        pci_config_writeb(driver->pci, offset + AF_CONTROL, AF_FUNCTION_RESET);
        g_assert_cmphex(pci_config_readw(driver->pci, PCI_COMMAND), ==, 0);
        g_assert_cmphex(pci_config_readb(driver->pci, offset + AF_CONTROL), ==, 0);
        g_assert_cmpuint(backend_rings_running(rig_backend(rig, 0)), ==, 0);
        g_ptr_array_set_size(rig->disks, 0);
        g_ptr_array_set_size(rig->drivers, 0);
        pci_addresses_init(&rig->addresses);
        driver = rig_find_driver(rig);
        g_assert_cmphex(virt_device_status(driver), ==, 0);
    }
    rig_boot(rig, NULL);
    rig_check_data(rig, 0, rig_buffer(rig));
    rig_end(rig);
}

/* Every register of BAR 0 in every width, and nonsense in all of them. */
static void test_legacy(void)
{
    Rig *rig = rig_start(NULL, NULL);
    VirtDevice *driver = rig_find_driver(rig);
    uint16_t base = (uint16_t)driver->pci->bars[0].address;
    uint16_t size = (uint16_t)driver->pci->bars[0].size;

    g_assert_true(driver->pci->bars[0].io);
    g_assert_cmphex(qtest_inl(rig->qtest, base) & ~0xffffu, ==,
                    (uint32_t)virt_device_offered(driver) & ~0xffffu);
    g_assert_cmpuint(qtest_inw(rig->qtest, base + VIRTIO_PCI_QUEUE_NUM), ==, QUEUE_SIZE);
    for (guint i = 0; i < size; i++) {
        qtest_inb(rig->qtest, base + i);
        qtest_inw(rig->qtest, base + i);
        qtest_inl(rig->qtest, base + i);
    }
    for (guint round = 0; round < 2; round++) {
        qtest_outb(rig->qtest, base + VIRTIO_PCI_STATUS, 0);
        qtest_outb(rig->qtest, base + VIRTIO_PCI_STATUS, 1);
        qtest_outb(rig->qtest, base + VIRTIO_PCI_STATUS, 3);
        g_assert_cmphex(qtest_inb(rig->qtest, base + VIRTIO_PCI_STATUS), ==, 3);
        qtest_outl(rig->qtest, base + VIRTIO_PCI_GUEST_FEATURES, 0);
        qtest_outw(rig->qtest, base + VIRTIO_PCI_QUEUE_SEL, 0);
        qtest_outl(rig->qtest, base + VIRTIO_PCI_QUEUE_PFN, 0x200);
        g_assert_cmphex(qtest_inl(rig->qtest, base + VIRTIO_PCI_QUEUE_PFN), ==, 0x200);
        qtest_outw(rig->qtest, base + VIRTIO_PCI_QUEUE_NOTIFY, 0);
        qtest_outb(rig->qtest, base + VIRTIO_PCI_STATUS, 7);
        g_assert_cmphex(virt_device_status(driver), ==, 7);
    }
    for (guint i = 0; i < size; i++) {
        qtest_outb(rig->qtest, base + i, 0xff);
        qtest_outw(rig->qtest, base + i, 0xffff);
        qtest_outl(rig->qtest, base + i, 0xffffffff);
    }
    rig_boot(rig, NULL);
    rig_check_data(rig, 0, rig_buffer(rig));
    rig_end(rig);
}

/* --- anything at all --- */

static void fuzz_access(Qtest *qtest, GRand *random, uint64_t address, gboolean io)
{
    static const uint32_t values[] = {0, 1, 2, 3, 0xf, 0xffff, 0x100000, UINT32_MAX};
    uint32_t value = g_rand_int_range(random, 0, 3) ? values[g_rand_int_range(random, 0, 8)]
                                                    : g_rand_int(random);
    gboolean write = g_rand_int_range(random, 0, 4) > 0;
    static const char letters[] = "bwlq";
    char letter = letters[g_rand_int_range(random, 0, io ? 3 : 4)];
    g_autofree char *line = NULL, *answer = NULL;

    if (write) {
        line = g_strdup_printf("%s%c 0x%" G_GINT64_MODIFIER "x 0x%x", io ? "out" : "write", letter,
                               address, value);
    } else {
        line =
            g_strdup_printf("%s%c 0x%" G_GINT64_MODIFIER "x", io ? "in" : "read", letter, address);
    }
    answer = qtest_raw(qtest, line);
    if (!answer || !g_str_has_prefix(answer, "OK")) {
        vmm_fail("%s: %s", line, answer ? answer : "no answer");
    }
}

/* Puts the BARs back where they were, so that the registers stay in reach. */
static void fuzz_restore(PciFunction *pci)
{
    for (guint bar = 0; bar < 6; bar++) {
        if (pci->bars[bar].address) {
            pci_config_writel(pci, (uint8_t)(PCI_BASE_ADDRESS_0 + 4 * bar),
                              (uint32_t)pci->bars[bar].address);
        }
    }
    pci_config_writel(pci, PCI_BASE_ADDRESS_5, 0);
    pci_config_writew(pci, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static void test_fuzz(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(g_test_rand_int());
    static const guint bars[] = {0, 1, 4, 4, 4, 4};
    gint64 end = g_get_monotonic_time() + 2 * G_USEC_PER_SEC;
    Rig *rig = rig_start(NULL, NULL);
    PciFunction *pci;
    guint accesses = 0;

    rig_boot(rig, NULL);
    pci = rig_driver(rig, 0)->pci;
    for (; g_get_monotonic_time() < end; accesses++) {
        guint bar = bars[g_rand_int_range(random, 0, G_N_ELEMENTS(bars))];
        uint64_t offset = (uint64_t)g_rand_int_range(random, 0, (gint32)pci->bars[bar].size);

        if (bar == 4 && g_rand_boolean(random)) {
            offset = (offset & 0x3000) | g_rand_int_range(random, 0, 0x3c);
        }
        if (g_rand_int_range(random, 0, 20) == 0) {
            qtest_outl(rig->qtest, 0xcf8,
                       0x80000000 | DISK_DEVFN << 8 | (g_rand_int(random) & 0xff));
            fuzz_access(rig->qtest, random, 0xcfc + (g_rand_int(random) & 3), TRUE);
        }
        if (accesses % 200 == 0) {
            fuzz_restore(pci);
        }
        if (accesses % 1000 == 500) { /* a driver that works, to be disturbed */
            fuzz_restore(pci);
            virt_device_reset(rig_driver(rig, 0));
            g_assert_true(virt_device_negotiate(rig_driver(rig, 0), UINT64_MAX, TRUE) ||
                          virt_device_negotiate(rig_driver(rig, 0), 0, TRUE));
            virt_device_driver_ok(rig_driver(rig, 0));
        }
        fuzz_access(rig->qtest, random, pci->bars[bar].address + offset, pci->bars[bar].io);
    }
    g_test_message("%u accesses", accesses);
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'x-query-vhost-user'}"));
    rig_end(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-pci/layout", test_layout);
    g_test_add_func("/virtio-pci/bars", test_bars);
    g_test_add_func("/virtio-pci/config-access", test_config_access);
    g_test_add_func("/virtio-pci/window", test_window);
    g_test_add_func("/virtio-pci/status", test_status);
    g_test_add_func("/virtio-pci/features-refused", test_features_refused);
    g_test_add_func("/virtio-pci/queue-registers", test_queue_registers);
    g_test_add_func("/virtio-pci/ring-outside", test_ring_outside);
    g_test_add_func("/virtio-pci/function-reset", test_function_reset);
    g_test_add_func("/virtio-pci/legacy", test_legacy);
    g_test_add_func("/virtio-pci/fuzz", test_fuzz);
    return g_test_run();
}
