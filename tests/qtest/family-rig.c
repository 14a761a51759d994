/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qtest/family-rig.h"

#include <string.h>

const FamilyMember family_members[] = {
    {.type = "vhost-user-scsi-pci",
     .properties = ",num_queues=3,virtqueue_size=64,max_sectors=2048,cmd_per_lun=9,t10_pi=on",
     .pci_id = 0x1004,
     .pci_class = 0x0100,
     .features = 0xf,
     .source = FAMILY_OURS,
     .config_size = 36,
     .config = {{0, 4, 3}, {4, 4, 62}, {8, 4, 2048}, {12, 4, 9}, {20, 4, 96}, {24, 4, 32}},
     .queues = 5,
     .queue_size = 64,
     .feature = "SCSI_INOUT"},
    {.type = "vhost-user-scsi-pci-non-transitional",
     .properties = ",hotplug=off,param_change=off",
     .pci_id = 0x1048,
     .pci_class = 0x0100,
     .features = 0x1,
     .source = FAMILY_OURS,
     .config_size = 36,
     .config = {{0, 4, 1}, {4, 4, 126}, {8, 4, 65535}, {12, 4, 128}, {16, 4, 16}, {32, 4, 16383}},
     .queues = 3,
     .queue_size = 128,
     .feature = "SCSI_INOUT"},
    {.type = "vhost-user-fs-pci",
     .properties = ",tag=files,num-request-queues=2,queue-size=256",
     .pci_id = 0x105a,
     .pci_class = 0x0180,
     .source = FAMILY_OURS,
     .config_size = 40,
     .config = {{0, 4, 0x656c6966}, {4, 4, 's'}, {32, 4, 0}, {36, 4, 2}},
     .queues = 3,
     .queue_size = 256},
    {.type = "vhost-user-fs-pci",
     .properties = ",tag=123456789012345678901234567890123456",
     .pci_id = 0x105a,
     .pci_class = 0x0180,
     .source = FAMILY_OURS,
     .config_size = 40,
     .config = {{0, 4, 0x34333231}, {32, 4, 0x36353433}, {36, 4, 1}},
     .queues = 2,
     .queue_size = 128},
    {.type = "vhost-user-vsock-pci",
     .properties = "",
     .pci_id = 0x1053,
     .pci_class = 0x0780,
     .features = 0x3,
     .source = FAMILY_FROM_BACKEND,
     .config_size = 8,
     .queues = 2,
     .local = 1,
     .queue_size = 128,
     .feature = "VSOCK_SEQPACKET"},
    {.type = "vhost-user-vsock-pci-non-transitional",
     .properties = ",guest-cid=77,seqpacket=off",
     .pci_id = 0x1053,
     .pci_class = 0x0780,
     .features = 0x1,
     .source = FAMILY_OURS,
     .config_size = 8,
     .config = {{0, 4, 77}, {4, 4, 0}},
     .queues = 2,
     .local = 1,
     .queue_size = 128,
     .feature = "VSOCK_STREAM"},
    {.type = "vhost-user-rng-pci",
     .properties = "",
     .pci_id = 0x1044,
     .pci_class = 0xff00,
     .source = FAMILY_NO_CONFIG,
     .queues = 1,
     .queue_size = 64},
    {.type = "vhost-user-gpio-pci",
     .properties = "",
     .pci_id = 0x1069,
     .pci_class = 0x0880,
     .features = 0x1,
     .source = FAMILY_FROM_BACKEND,
     .config_size = 8,
     .queues = 2,
     .queue_size = 256,
     .feature = "GPIO_IRQ"},
    {.type = "vhost-user-i2c-pci",
     .properties = "",
     .pci_id = 0x1062,
     .pci_class = 0x0c80,
     .features = 0x1,
     .source = FAMILY_NO_CONFIG,
     .queues = 1,
     .queue_size = 64,
     .feature = "I2C_ZERO_LENGTH_REQUEST"},
    {.type = "vhost-user-input-pci",
     .properties = "",
     .pci_id = 0x1052,
     .pci_class = 0x0980,
     .source = FAMILY_FROM_BACKEND,
     .config_size = 136,
     .writable = 2,
     .queues = 2,
     .queue_size = 64},
    {.type = "vhost-user-snd-pci",
     .properties = "",
     .pci_id = 0x1059,
     .pci_class = 0x0401,
     .source = FAMILY_FROM_BACKEND,
     .config_size = 12,
     .queues = 4,
     .queue_size = 64},
    {.type = "vhost-user-scmi-pci",
     .properties = "",
     .pci_id = 0x1060,
     .pci_class = 0xff00,
     .features = 0x1,
     .source = FAMILY_NO_CONFIG,
     .queues = 2,
     .queue_size = 256,
     .feature = "SCMI_P2A_CHANNELS"},
    {.type = "vhost-user-device-pci",
     .properties = ",virtio-id=42,num_vqs=6,vq_size=32,config_size=20",
     .pci_id = 0x106a,
     .pci_class = 0xff00,
     .features = UINT64_C(0xffffff) | ~UINT64_C(0) << 50,
     .source = FAMILY_FROM_BACKEND,
     .config_size = 20,
     .writable = 20,
     .queues = 6,
     .queue_size = 32,
     .feature = "bit-5"},
    {.type = "vhost-user-test-device-pci",
     .properties = ",virtio-id=63",
     .pci_id = 0x107f,
     .pci_class = 0xff00,
     .features = UINT64_C(0xffffff) | ~UINT64_C(0) << 50,
     .source = FAMILY_NO_CONFIG,
     .queues = 1,
     .queue_size = 64,
     .feature = "bit-63"},
    {.type = NULL},
};

const FamilyMember *family_member(const char *type)
{
    for (const FamilyMember *member = family_members; member->type != NULL; member++) {
        if (strcmp(member->type, type) == 0) {
            return member;
        }
    }
    vmm_fail("there is no %s in the table", type);
}

void family_configure(BackendConfig *config, guint device G_GNUC_UNUSED)
{
    config->features = ~UINT64_C(0);
    config->disk_size = 0;
    config->echo = TRUE;
    config->queues = 16;
    for (guint i = 0; i < sizeof(config->config); i++) {
        config->config[i] = FAMILY_BYTE(i);
    }
}

void family_find_driver(FamilyRun *run, guint slot)
{
    run->driver = virt_device_new(run->rig->qtest, &run->rig->addresses, slot);
    if (!run->driver) {
        vmm_fail("%s: no virtio device at PCI slot %u", run->member->type, slot);
    }
}

FamilyRun *family_start(const FamilyMember *member,
                        void (*configuration)(BackendConfig *config, guint device),
                        const char *chardev)
{
    g_autofree char *device = g_strconcat(member->type, member->properties, NULL);
    RigOptions options = {.device = device, .configure = configuration, .chardev = chardev};
    FamilyRun *run = g_new0(FamilyRun, 1);

    run->member = member;
    run->rig = rig_start(NULL, &options);
    run->rings = g_ptr_array_new();
    family_find_driver(run, RIG_DISK_SLOT);
    return run;
}

void family_end(FamilyRun *run)
{
    virt_device_free(run->driver);
    g_ptr_array_unref(run->rings);
    rig_end(run->rig);
    g_free(run);
}

void family_boot(FamilyRun *run)
{
    const FamilyMember *member = run->member;
    uint64_t features = member->features | BIT(VIRTIO_RING_F_EVENT_IDX);

    g_assert_true(virt_device_negotiate(run->driver, features, TRUE));
    g_assert_cmphex(run->driver->features, ==, features | BIT(VIRTIO_F_VERSION_1));
    g_ptr_array_set_size(run->rings, 0);
    for (guint i = 0; i < member->queues + member->local; i++) {
        g_ptr_array_add(run->rings, virt_ring_new(run->driver, i, &run->rig->memory, NULL));
        g_assert_cmpuint(virt_ring_size(run->rings->pdata[i]), ==, member->queue_size);
    }
    virt_device_driver_ok(run->driver);
    for (guint tries = 0; backend_rings_running(rig_backend(run->rig, 0)) != member->queues;
         tries++) {
        if (tries > FAMILY_WAIT) {
            vmm_fail("%s: the rings have not started", member->type);
        }
        g_usleep(500);
    }
    rig_settle(run->rig);
}

uint8_t family_config_byte(FamilyRun *run, guint offset)
{
    return qtest_readb(run->rig->qtest, run->driver->config + offset);
}

static void request(FamilyRun *run, guint queue, uint64_t buffer)
{
    VirtRing *ring = run->rings->pdata[queue];
    VirtBuffer buffers[] = {{buffer, 512, FALSE}, {buffer + 2048, 1024, TRUE}};
    uint8_t sent[512], back[1024];
    uint32_t length;

    for (guint i = 0; i < sizeof(sent); i++) {
        sent[i] = (uint8_t)(i * 3 + queue + 1);
    }
    qtest_memwrite(run->rig->qtest, buffer, sent, sizeof(sent));
    qtest_memset(run->rig->qtest, buffer + 2048, 0, sizeof(back));
    virt_device_interrupt(run->driver, (int)queue);
    int head = virt_ring_add(ring, buffers, 2);
    virt_ring_kick(ring);
    g_assert_cmpint(virt_ring_wait(ring, &length, FAMILY_WAIT), ==, head);
    g_assert_cmpuint(length, ==, sizeof(back));
    qtest_memread(run->rig->qtest, buffer + 2048, back, sizeof(back));
    g_assert_cmpint(memcmp(back, sent, sizeof(sent)), ==, 0);
    g_assert_cmpint(memcmp(back + sizeof(sent), sent, sizeof(sent)), ==, 0);
    for (guint tries = 0; !virt_device_interrupt(run->driver, (int)queue); tries++) {
        if (tries > FAMILY_WAIT) {
            vmm_fail("%s: queue %u makes no interrupt", run->member->type, queue);
        }
        g_usleep(500);
    }
}

void family_request_everywhere(FamilyRun *run, uint64_t buffer)
{
    for (guint i = 0; i < run->member->queues; i++) {
        request(run, i, buffer);
    }
}
