/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one kind of vhost-user device alone has, and backends that have less than it wants. */
#include "qtest/family-rig.h"

#include <string.h>

static void configure_select(BackendConfig *config, guint device)
{
    family_configure(config, device);
    config->select = TRUE;
}

/* A backend that cannot say how many queues it has. */
static void configure_without_mq(BackendConfig *config, guint device)
{
    family_configure(config, device);
    config->protocol_features &= ~BIT(VHOST_USER_PROTOCOL_F_MQ);
}

/* The driver of an input device writes what it wants to know and reads the answer at once. */
static void test_select(void)
{
    FamilyRun *run = family_start(family_member("vhost-user-input-pci"), configure_select, NULL);

    for (guint i = 0; i < 50; i++) {
        qtest_writeb(run->rig->qtest, run->driver->config, (uint8_t)i);
        qtest_writeb(run->rig->qtest, run->driver->config + 1, (uint8_t)(i * 5));
        g_assert_cmphex(family_config_byte(run, 2), ==, (uint8_t)(i ^ (i * 5)));
    }
    family_end(run);
}

/* A backend that is silent then holds up the driver until the deadline, and nobody else. */
static void test_select_hang(void)
{
    FamilyMember member = *family_member("vhost-user-input-pci");
    BackendFault fault = {.request = VHOST_USER_GET_CONFIG, .occurrence = 1, .kind = FAULT_HANG};
    g_autofree char *early = NULL, *answer = NULL, *write = NULL;
    FamilyRun *run;

    member.properties = ",reply-timeout=1500";
    run = family_start(&member, configure_select, NULL);
    backend_fault(rig_backend(run->rig, 0), &fault);
    write = g_strdup_printf("writeb 0x%" G_GINT64_MODIFIER "x 0x1\n", run->driver->config);
    g_assert_true(qtest_send_bytes(run->rig->qtest, write, strlen(write)));
    early = qtest_line(run->rig->qtest, 300);
    g_assert_null(early);
    qmp_set_timeout(run->rig->qmp, 500);
    json_object_put(qmp_command_or_fail(run->rig->qmp, "{'execute':'query-status'}"));
    qmp_set_timeout(run->rig->qmp, FAMILY_WAIT);
    answer = qtest_line(run->rig->qtest, FAMILY_WAIT);
    g_assert_cmpstr(answer, ==, "OK");
    rig_plug(run->rig, 0); /* the machine lives on */
    family_end(run);
}

/* seqpacket=on and a backend without it; the configuration that nobody has. */
static void no_features(BackendConfig *config, guint device)
{
    family_configure(config, device);
    config->features = BIT(VHOST_USER_F_PROTOCOL_FEATURES) | BIT(VIRTIO_F_VERSION_1);
}

static void no_config(BackendConfig *config, guint device)
{
    family_configure(config, device);
    config->protocol_features &= ~BIT(VHOST_USER_PROTOCOL_F_CONFIG);
}

static void few_queues(BackendConfig *config, guint device)
{
    family_configure(config, device);
    config->queues = 1;
}

static void test_refused(void)
{
    static const struct {
        const char *device, *first, *second;
        void (*configure)(BackendConfig *config, guint device);
    } rows[] = {
        {"vhost-user-vsock-pci,seqpacket=on", "seqpacket", "VSOCK_F_SEQPACKET", no_features},
        {"vhost-user-vsock-pci", "CONFIG", "", no_config},
        {"vhost-user-gpio-pci", "CONFIG", "", no_config},
        {"vhost-user-snd-pci", "CONFIG", "", no_config},
        {"vhost-user-input-pci", "CONFIG", "", no_config},
        {"vhost-user-device-pci,virtio-id=5,config_size=4", "CONFIG", "", no_config},
        {"vhost-user-scsi-pci,num_queues=2", "4 queues", "has 1", few_queues},
        {"vhost-user-device-pci,virtio-id=5,num_vqs=2", "2 queues", "has 1", few_queues},
        {"vhost-user-fs-pci,tag=t,num-request-queues=4", "5 queues", "has 1", few_queues},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        RigOptions options = {.device = rows[i].device, .configure = rows[i].configure};
        g_autofree char *text = rig_start_refused(NULL, &options);

        rig_assert_names(text, "'b0'", rows[i].first, rows[i].second, NULL);
    }
}

/* Without GET_QUEUE_NUM the queues that each device of the kind has are there all the same, and so
 * they are where all devices of the kind have as many and the backend counts fewer; the guest's
 * address is the user's where the backend has no configuration. */
static void test_modest_backends(void)
{
    static const struct {
        const char *device;
        guint queues;
        void (*configure)(BackendConfig *config, guint device);
    } rows[] = {
        {"vhost-user-gpio-pci", 2, configure_without_mq},
        {"vhost-user-snd-pci", 4, configure_without_mq},
        {"vhost-user-fs-pci,tag=t", 2, configure_without_mq},
        {"vhost-user-scsi-pci", 3, configure_without_mq},
        {"vhost-user-device-pci,virtio-id=5,num_vqs=3", 3, configure_without_mq},
        {"vhost-user-scmi-pci", 2, few_queues},
        {"vhost-user-gpio-pci", 2, few_queues},
        {"vhost-user-snd-pci", 4, few_queues},
        {"vhost-user-vsock-pci,guest-cid=3", 3, few_queues},
        {"vhost-user-vsock-pci,guest-cid=3", 3, no_config},
        {"vhost-user-fs-pci,tag=t", 2, no_config},
        {"vhost-user-device-pci,virtio-id=5", 1, no_config},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        FamilyMember member = {.type = rows[i].device, .properties = ""};
        FamilyRun *run = family_start(&member, rows[i].configure, NULL);

        g_assert_cmpuint(virt_device_queues(run->driver), ==, rows[i].queues);
        family_end(run);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/family/select", test_select);
    g_test_add_func("/family/select-hang", test_select_hang);
    g_test_add_func("/family/refused", test_refused);
    g_test_add_func("/family/modest-backends", test_modest_backends);
    return g_test_run();
}
