/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drivers from before virtio 1.0 (virtio 1.2, 4.1.4.10 and 2.7.2), backends that know no other
 * ones, and the properties that say which interfaces a device has.
 */
#include "qtest/rig.h"

#include <linux/pci_regs.h>
#include <linux/virtio_blk.h>
#include <string.h>

#define QUEUE_SIZE 128
#define RING_PAGE 0x200 /* where the driver's ring is */
#define BUFFERS 0x300000
#define SECTORS 8
#define PATIENCE 30000

typedef struct Legacy {
    Rig *rig;
    PciFunction *pci;
    uint16_t base;    /* of the registers */
    uint16_t request; /* requests made so far */
} Legacy;

static void without_version_1(BackendConfig *config, guint device G_GNUC_UNUSED)
{
    config->features &= ~BIT(VIRTIO_F_VERSION_1);
}

/* As a driver of then begins: no FEATURES_OK, a page number for the ring. */
static void start_driver(Legacy *legacy, uint32_t features)
{
    Qtest *qtest = legacy->rig->qtest;

    qtest_outb(qtest, legacy->base + VIRTIO_PCI_STATUS, 0);
    qtest_outb(qtest, legacy->base + VIRTIO_PCI_STATUS, 1);
    qtest_outb(qtest, legacy->base + VIRTIO_PCI_STATUS, 3);
    qtest_outl(qtest, legacy->base + VIRTIO_PCI_GUEST_FEATURES, features);
    qtest_outw(qtest, legacy->base + VIRTIO_PCI_QUEUE_SEL, 0);
    g_assert_cmpuint(qtest_inw(qtest, legacy->base + VIRTIO_PCI_QUEUE_NUM), ==, QUEUE_SIZE);
    qtest_memset(qtest, RING_PAGE * 4096, 0, 3 * 4096);
    legacy->request = 0;
    qtest_outl(qtest, legacy->base + VIRTIO_PCI_QUEUE_PFN, RING_PAGE);
    qtest_outb(qtest, legacy->base + VIRTIO_PCI_STATUS, 7);
    g_assert_cmphex(qtest_inb(qtest, legacy->base + VIRTIO_PCI_STATUS), ==, 7);
}

static Legacy *legacy_start(const RigOptions *options)
{
    Legacy *legacy = g_new0(Legacy, 1);

    legacy->rig = rig_start(NULL, options);
    legacy->pci = pci_function_new(legacy->rig->qtest, &legacy->rig->addresses,
                                   PCI_SLOT_FUNCTION(RIG_DISK_SLOT, 0));
    g_assert_nonnull(legacy->pci);
    legacy->base = (uint16_t)legacy->pci->bars[0].address;
    return legacy;
}

static void legacy_end(Legacy *legacy)
{
    pci_function_free(legacy->pci);
    rig_end(legacy->rig);
    g_free(legacy);
}

static void put_descriptor(Qtest *qtest, guint index, uint64_t address, uint32_t size,
                           uint16_t flags)
{
    struct vring_desc descriptor = {address, size, flags, (uint16_t)(index + 1)};

    qtest_memwrite(qtest, RING_PAGE * 4096 + index * sizeof(descriptor), &descriptor,
                   sizeof(descriptor));
}

/* One request of header, @size bytes and status; waits for it and returns the status. */
static uint8_t request(Legacy *legacy, uint32_t type, uint32_t size)
{
    Qtest *qtest = legacy->rig->qtest;
    struct virtio_blk_outhdr header = {.type = type, .sector = 3};
    uint64_t available = RING_PAGE * 4096 + QUEUE_SIZE * sizeof(struct vring_desc);
    uint64_t used = RING_PAGE * 4096 + 4096;

    qtest_memwrite(qtest, BUFFERS, &header, sizeof(header));
    qtest_writeb(qtest, BUFFERS + 16, 0xff);
    put_descriptor(qtest, 0, BUFFERS, sizeof(header), VRING_DESC_F_NEXT);
    put_descriptor(qtest, 1, BUFFERS + 4096, size,
                   VRING_DESC_F_NEXT | (type == VIRTIO_BLK_T_IN ? VRING_DESC_F_WRITE : 0));
    put_descriptor(qtest, 2, BUFFERS + 16, 1, VRING_DESC_F_WRITE);
    qtest_writew(qtest, available + 4 + 2 * (legacy->request % QUEUE_SIZE), 0);
    qtest_writew(qtest, available + 2, ++legacy->request);
    qtest_outw(qtest, legacy->base + VIRTIO_PCI_QUEUE_NOTIFY, 0);
    for (guint tries = 0; qtest_readw(qtest, used + 2) != legacy->request; tries++) {
        if (tries > PATIENCE) {
            vmm_fail("request %u is not answered", legacy->request);
        }
        g_usleep(500);
    }
    return qtest_readb(qtest, BUFFERS + 16);
}

/* Bit 0 of the ISR byte, which a read clears. */
static void wait_for_interrupt(Legacy *legacy)
{
    for (guint tries = 0; !(qtest_inb(legacy->rig->qtest, legacy->base + VIRTIO_PCI_ISR) & 1);
         tries++) {
        if (tries > PATIENCE) {
            vmm_fail("no interrupt came");
        }
        g_usleep(500);
    }
}

static void check_data(Legacy *legacy)
{
    Qtest *qtest = legacy->rig->qtest;
    uint8_t bytes[SECTORS * 512], there[SECTORS * 512];

    for (guint i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 7 + legacy->request);
    }
    qtest_memwrite(qtest, BUFFERS + 4096, bytes, sizeof(bytes));
    g_assert_cmpuint(request(legacy, VIRTIO_BLK_T_OUT, sizeof(bytes)), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpint(
        memcmp(backend_disk(rig_backend(legacy->rig, 0)) + 3 * 512, bytes, sizeof(bytes)), ==, 0);
    qtest_memset(qtest, BUFFERS + 4096, 0, sizeof(bytes));
    g_assert_cmpuint(request(legacy, VIRTIO_BLK_T_IN, sizeof(bytes)), ==, VIRTIO_BLK_S_OK);
    qtest_memread(qtest, BUFFERS + 4096, there, sizeof(there));
    g_assert_cmpint(memcmp(there, bytes, sizeof(bytes)), ==, 0);
    wait_for_interrupt(legacy);
}

/* What the backend was told of the driver's features last. */
static uint64_t driver_features(Legacy *legacy)
{
    BackendMessage message;
    uint64_t features = 0;

    for (guint i = 0; backend_message(rig_backend(legacy->rig, 0), i, &message); i++) {
        if (message.header.request == VHOST_USER_SET_FEATURES) {
            features = message.payload.u64;
        }
    }
    return features;
}

static void check_driver(Legacy *legacy)
{
    uint32_t wanted = BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_BLK_SIZE);

    for (guint round = 0; round < 3; round++) {
        start_driver(legacy, wanted);
        check_data(legacy);
        g_assert_cmphex(driver_features(legacy) & ~BIT(VHOST_USER_F_PROTOCOL_FEATURES), ==, wanted);
    }
    rig_plug(legacy->rig, 0);
    check_data(legacy);
    json_object_put(qmp_command_or_fail(legacy->rig->qmp, "{'execute':'stop'}"));
    json_object_put(qmp_command_or_fail(legacy->rig->qmp, "{'execute':'cont'}"));
    check_data(legacy);
    qtest_outb(legacy->rig->qtest, legacy->base + VIRTIO_PCI_STATUS, 0);
    g_assert_cmpuint(backend_rings_running(rig_backend(legacy->rig, 0)), ==, 0);
}

/* A backend of today and a driver of then. */
static void test_driver(void)
{
    Legacy *legacy = legacy_start(NULL);

    check_driver(legacy);
    rig_boot(legacy->rig, NULL); /* a modern one may follow */
    legacy_end(legacy);
}

/* No interface but this one: none of the others' structures is there. */
static void check_legacy_alone(const RigOptions *options)
{
    Legacy *legacy = legacy_start(options);

    g_assert_cmphex(pci_capability(legacy->pci, PCI_CAP_ID_VNDR, 0), ==, 0);
    g_assert_cmphex(pci_identify(legacy->rig->qtest, legacy->pci->devfn), ==, 0x10011af4);
    check_driver(legacy);
    legacy_end(legacy);
}

static void test_old_backend(void)
{
    RigOptions options = {.configure = without_version_1};
    g_autofree char *text = NULL;

    check_legacy_alone(&options);
    options.device = "vhost-user-blk-pci-non-transitional";
    text = rig_start_refused(NULL, &options);
    rig_assert_names(text, "b0", "VIRTIO_F_VERSION_1", NULL);
    g_free(text);
    options.device = "vhost-user-blk-pci,disable-legacy=on";
    text = rig_start_refused(NULL, &options);
    rig_assert_names(text, "b0", "VIRTIO_F_VERSION_1", NULL);
    g_free(text);
    options.device = "vhost-user-rng-pci";
    text = rig_start_refused(NULL, &options);
    rig_assert_names(text, "b0", "VIRTIO_F_VERSION_1", NULL);
}

static void only_the_protocols(BackendConfig *config, guint device G_GNUC_UNUSED)
{
    config->features = BIT(VHOST_USER_F_LOG_ALL) | BIT(VHOST_USER_F_PROTOCOL_FEATURES);
}

/* No feature of virtio's own: a disk that can be read and written. */
static void test_bare_backend(void)
{
    RigOptions options = {.configure = only_the_protocols};
    Legacy *legacy = legacy_start(&options);

    g_assert_cmphex(pci_capability(legacy->pci, PCI_CAP_ID_VNDR, 0), ==, 0);
    start_driver(legacy, 0);
    check_data(legacy);
    g_assert_cmphex(driver_features(legacy) & ~BIT(VHOST_USER_F_PROTOCOL_FEATURES), ==, 0);
    legacy_end(legacy);
}

static void test_disable_modern(void)
{
    RigOptions options = {.device = "vhost-user-blk-pci,disable-modern=on,disable-legacy=off"};

    check_legacy_alone(&options);
}

static void test_disable_legacy(void)
{
    RigOptions options = {.device = "vhost-user-blk-pci,disable-legacy=on"};
    Rig *rig = rig_start(NULL, &options);

    g_assert_cmphex(pci_identify(rig->qtest, PCI_SLOT_FUNCTION(RIG_DISK_SLOT, 0)), ==, 0x10421af4);
    rig_boot(rig, NULL);
    rig_check_data(rig, 0, guest_memory_alloc(&rig->memory, 4096, 4096));
    rig_end(rig);
}

/* --- feature bits that a property takes away --- */

static void offer_all(BackendConfig *config, guint device G_GNUC_UNUSED)
{
    config->features = ~UINT64_C(0);
}

static uint64_t offered_with(const char *properties)
{
    g_autofree char *device = g_strconcat("vhost-user-blk-pci", properties, NULL);
    RigOptions options = {.device = device, .configure = offer_all};
    Rig *rig = rig_start(NULL, &options);
    g_autoptr(VirtDevice) driver = virt_device_new(rig->qtest, &rig->addresses, RIG_DISK_SLOT);
    uint64_t offered = virt_device_offered(driver);

    rig_end(rig);
    return offered;
}

static void test_switches(void)
{
    static const struct {
        const char *name;
        unsigned bit;
    } rows[] = {
        {"notify_on_empty", 24}, {"any_layout", 27}, {"indirect_desc", 28}, {"event_idx", 29},
        {"packed", 34},          {"in_order", 35},   {"queue_reset", 40},
    };
    uint64_t all = offered_with("");
    g_autoptr(GString) off = g_string_new(NULL);
    uint64_t bits = 0;

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *one = g_strdup_printf(",%s=off", rows[i].name);

        g_assert_cmphex(all & BIT(rows[i].bit), !=, 0);
        g_assert_cmphex(offered_with(one), ==, all & ~BIT(rows[i].bit));
        g_string_append(off, one);
        bits |= BIT(rows[i].bit);
    }
    g_assert_cmphex(offered_with(off->str), ==, all & ~bits);
    g_assert_cmphex(offered_with(",event_idx=on,packed=on"), ==, all);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-legacy/driver", test_driver);
    g_test_add_func("/virtio-legacy/old-backend", test_old_backend);
    g_test_add_func("/virtio-legacy/bare-backend", test_bare_backend);
    g_test_add_func("/virtio-legacy/disable-modern", test_disable_modern);
    g_test_add_func("/virtio-legacy/disable-legacy", test_disable_legacy);
    g_test_add_func("/virtio-legacy/switches", test_switches);
    return g_test_run();
}
