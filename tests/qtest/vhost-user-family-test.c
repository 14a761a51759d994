/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every kind of vhost-user device beside the disk, by one table: identity, features, configuration,
 * requests through each ring, memory that grows, and the device's own coming and going.  The
 * backend answers a request with its own bytes.
 */
#include "qtest/rig.h"

#include <linux/pci_regs.h>
#include <stddef.h>
#include <string.h>

#define BIT(number) (UINT64_C(1) << (number))
#define PATIENCE 30000
#define ACPI_PCI_EJECT 0xae08
#define HOT_SLOT 9
#define RING_RESET 40
#define BACKEND_BYTE(offset) ((uint8_t)(0x11 + (offset)*7))

/* Of rings and transport (virtio 1.2, 6): these go through to every device. */
#define TRANSPORT                                                                                  \
    (BIT(VIRTIO_F_NOTIFY_ON_EMPTY) | BIT(VIRTIO_F_ANY_LAYOUT) | BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
     BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_RING_PACKED) |          \
     BIT(VIRTIO_F_IN_ORDER) | BIT(VIRTIO_F_ORDER_PLATFORM) | BIT(RING_RESET))

typedef enum { NO_CONFIG, FROM_BACKEND, OURS } Source;

typedef struct Bytes {
    uint16_t offset, size;
    uint64_t value;
} Bytes;

typedef struct Member {
    const char *type;
    const char *properties; /* "" or ",name=value..." */
    uint16_t pci_id, pci_class;
    uint64_t features; /* bits of the kind itself, by virtio 1.2, of a backend that has all */
    Source source;
    uint16_t config_size;
    Bytes config[8];   /* what is at least to be read where it is ours; ends with size 0 */
    uint16_t writable; /* bytes from 0 on that reach the backend */
    uint16_t queues;   /* with the backend */
    uint16_t local;    /* behind them */
    uint16_t queue_size;
    const char *feature; /* a name that x-query-vhost-user gives, or NULL */
} Member;

static const Member members[] = {
    {.type = "vhost-user-scsi-pci",
     .properties = ",num_queues=3,virtqueue_size=64,max_sectors=2048,cmd_per_lun=9,t10_pi=on",
     .pci_id = 0x1004,
     .pci_class = 0x0100,
     .features = 0xf,
     .source = OURS,
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
     .source = OURS,
     .config_size = 36,
     .config = {{0, 4, 1}, {4, 4, 126}, {8, 4, 65535}, {12, 4, 128}, {16, 4, 16}, {32, 4, 16383}},
     .queues = 3,
     .queue_size = 128,
     .feature = "SCSI_INOUT"},
    {.type = "vhost-user-fs-pci",
     .properties = ",tag=files,num-request-queues=2,queue-size=256",
     .pci_id = 0x105a,
     .pci_class = 0x0180,
     .source = OURS,
     .config_size = 40,
     .config = {{0, 4, 0x656c6966}, {4, 4, 's'}, {32, 4, 0}, {36, 4, 2}},
     .queues = 3,
     .queue_size = 256},
    {.type = "vhost-user-fs-pci",
     .properties = ",tag=123456789012345678901234567890123456",
     .pci_id = 0x105a,
     .pci_class = 0x0180,
     .source = OURS,
     .config_size = 40,
     .config = {{0, 4, 0x34333231}, {32, 4, 0x36353433}, {36, 4, 1}},
     .queues = 2,
     .queue_size = 128},
    {.type = "vhost-user-vsock-pci",
     .properties = "",
     .pci_id = 0x1053,
     .pci_class = 0x0780,
     .features = 0x3,
     .source = FROM_BACKEND,
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
     .source = OURS,
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
     .source = NO_CONFIG,
     .queues = 1,
     .queue_size = 64},
    {.type = "vhost-user-gpio-pci",
     .properties = "",
     .pci_id = 0x1069,
     .pci_class = 0x0880,
     .features = 0x1,
     .source = FROM_BACKEND,
     .config_size = 8,
     .queues = 2,
     .queue_size = 256,
     .feature = "GPIO_IRQ"},
    {.type = "vhost-user-i2c-pci",
     .properties = "",
     .pci_id = 0x1062,
     .pci_class = 0x0c80,
     .features = 0x1,
     .source = NO_CONFIG,
     .queues = 1,
     .queue_size = 64,
     .feature = "I2C_ZERO_LENGTH_REQUEST"},
    {.type = "vhost-user-input-pci",
     .properties = "",
     .pci_id = 0x1052,
     .pci_class = 0x0980,
     .source = FROM_BACKEND,
     .config_size = 136,
     .writable = 2,
     .queues = 2,
     .queue_size = 64},
    {.type = "vhost-user-snd-pci",
     .properties = "",
     .pci_id = 0x1059,
     .pci_class = 0x0401,
     .source = FROM_BACKEND,
     .config_size = 12,
     .queues = 4,
     .queue_size = 64},
    {.type = "vhost-user-scmi-pci",
     .properties = "",
     .pci_id = 0x1060,
     .pci_class = 0xff00,
     .features = 0x1,
     .source = NO_CONFIG,
     .queues = 2,
     .queue_size = 256,
     .feature = "SCMI_P2A_CHANNELS"},
    {.type = "vhost-user-device-pci",
     .properties = ",virtio-id=42,num_vqs=6,vq_size=32,config_size=20",
     .pci_id = 0x106a,
     .pci_class = 0xff00,
     .features = UINT64_C(0xffffff) | ~UINT64_C(0) << 50,
     .source = FROM_BACKEND,
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
     .source = NO_CONFIG,
     .queues = 1,
     .queue_size = 64,
     .feature = "bit-63"},
};

typedef struct Run {
    const Member *member;
    Rig *rig;
    VirtDevice *driver;
    GPtrArray *rings; /* of VirtRing, borrowed from the driver */
} Run;

/* Offers every feature there is, so that what is left was chosen here. */
static void configure(BackendConfig *config, guint device G_GNUC_UNUSED)
{
    config->features = ~UINT64_C(0);
    config->disk_size = 0;
    config->echo = TRUE;
    config->queues = 16;
    for (guint i = 0; i < sizeof(config->config); i++) {
        config->config[i] = BACKEND_BYTE(i);
    }
}

static void configure_select(BackendConfig *config, guint device)
{
    configure(config, device);
    config->select = TRUE;
}

/* A backend that cannot say how many queues it has. */
static void configure_without_mq(BackendConfig *config, guint device)
{
    configure(config, device);
    config->protocol_features &= ~BIT(VHOST_USER_PROTOCOL_F_MQ);
}

static void find_driver(Run *run, guint slot)
{
    run->driver = virt_device_new(run->rig->qtest, &run->rig->addresses, slot);
    if (!run->driver) {
        vmm_fail("%s: no virtio device at PCI slot %u", run->member->type, slot);
    }
}

static Run *run_start(const Member *member,
                      void (*configuration)(BackendConfig *config, guint device))
{
    g_autofree char *device = g_strconcat(member->type, member->properties, NULL);
    RigOptions options = {.device = device, .configure = configuration};
    Run *run = g_new0(Run, 1);

    run->member = member;
    run->rig = rig_start(NULL, &options);
    run->rings = g_ptr_array_new();
    find_driver(run, RIG_DISK_SLOT);
    return run;
}

static void run_end(Run *run)
{
    virt_device_free(run->driver);
    g_ptr_array_unref(run->rings);
    rig_end(run->rig);
    g_free(run);
}

/* Up to DRIVER_OK, with a ring for each queue. */
static void boot(Run *run)
{
    const Member *member = run->member;
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
        if (tries > PATIENCE) {
            vmm_fail("%s: the rings have not started", member->type);
        }
        g_usleep(500);
    }
    rig_settle(run->rig);
}

/* --- identity, features --- */

static uint32_t config_register(Run *run, uint8_t offset)
{
    return pci_config_readl(run->driver->pci, offset);
}

static gboolean shows_feature(Run *run)
{
    json_object *all = qmp_command_or_fail(run->rig->qmp, "{'execute':'x-query-vhost-user'}");
    json_object *features = qmp_get(all, "0/features");
    gboolean found = FALSE;

    g_assert_cmpstr(qmp_get_string(all, "0/type"), ==, run->member->type);
    g_assert_cmpstr(qmp_get_string(all, "0/path"), ==, "/machine/peripheral/b0");
    for (gsize i = 0; i < json_object_array_length(features); i++) {
        found |= g_strcmp0(json_object_get_string(json_object_array_get_idx(features, i)),
                           run->member->feature) == 0;
    }
    json_object_put(all);
    return found;
}

static void check_identity(Run *run)
{
    const Member *member = run->member;
    guint queues = member->queues + member->local;

    g_assert_cmphex(config_register(run, PCI_VENDOR_ID), ==,
                    (uint32_t)member->pci_id << 16 | 0x1af4);
    g_assert_cmphex(config_register(run, PCI_CLASS_REVISION) >> 16, ==, member->pci_class);
    g_assert_cmpuint(virt_device_queues(run->driver), ==, queues);
    g_assert_cmpuint(run->driver->pci->vectors, ==, queues + 1);
    g_assert_cmphex(virt_device_offered(run->driver), ==, member->features | TRANSPORT);
    g_assert_true(member->feature == NULL || shows_feature(run));
}

/* --- configuration --- */

static uint8_t config_byte(Run *run, guint offset)
{
    return qtest_readb(run->rig->qtest, run->driver->config + offset);
}

static void check_config(Run *run)
{
    const Member *member = run->member;
    uint64_t asked = member->source == FROM_BACKEND ? 1 : 0;

    g_assert_cmpuint(backend_count(rig_backend(run->rig, 0), VHOST_USER_GET_CONFIG), ==, asked);
    for (guint i = 0; i < member->config_size && member->source == FROM_BACKEND; i++) {
        g_assert_cmphex(config_byte(run, i), ==, BACKEND_BYTE(i));
    }
    for (const Bytes *bytes = member->config; bytes->size != 0; bytes++) {
        g_assert_cmphex(qtest_readl(run->rig->qtest, run->driver->config + bytes->offset), ==,
                        bytes->value);
    }
    for (guint i = member->config_size; i < member->config_size + 16u; i++) {
        g_assert_cmphex(config_byte(run, i), ==, 0);
    }
}

/* Each byte is written: those that are the driver's reach the backend and are read back. */
static void check_config_writes(Run *run)
{
    const Member *member = run->member;
    Backend *backend = rig_backend(run->rig, 0);

    backend_clear(backend);
    for (guint i = 0; i < member->config_size; i++) {
        uint8_t before = config_byte(run, i);

        qtest_writeb(run->rig->qtest, run->driver->config + i, (uint8_t)~before);
        g_assert_cmphex(config_byte(run, i), ==, i < member->writable ? (uint8_t)~before : before);
    }
    qtest_writel(run->rig->qtest, run->driver->config + member->config_size, 0x55);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_SET_CONFIG), ==, member->writable);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_GET_CONFIG), ==, member->writable);
}

/* --- requests --- */

static void request(Run *run, guint queue, uint64_t buffer)
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
    g_assert_cmpint(virt_ring_wait(ring, &length, PATIENCE), ==, head);
    g_assert_cmpuint(length, ==, sizeof(back));
    qtest_memread(run->rig->qtest, buffer + 2048, back, sizeof(back));
    g_assert_cmpint(memcmp(back, sent, sizeof(sent)), ==, 0);
    g_assert_cmpint(memcmp(back + sizeof(sent), sent, sizeof(sent)), ==, 0);
    for (guint tries = 0; !virt_device_interrupt(run->driver, (int)queue); tries++) {
        if (tries > PATIENCE) {
            vmm_fail("%s: queue %u makes no interrupt", run->member->type, queue);
        }
        g_usleep(500);
    }
}

static void request_everywhere(Run *run, uint64_t buffer)
{
    for (guint i = 0; i < run->member->queues; i++) {
        request(run, i, buffer);
    }
}

/* The backend never hears of a queue that is ours, and buffers stay in it. */
static void check_local_queues(Run *run)
{
    const Member *member = run->member;
    BackendMessage message;
    guint rings = 0;

    for (guint i = 0; backend_message(rig_backend(run->rig, 0), i, &message); i++) {
        if (message.header.request == VHOST_USER_SET_VRING_NUM) {
            g_assert_cmpuint(message.payload.state.index, <, member->queues);
            rings++;
        }
    }
    g_assert_cmpuint(rings, ==, member->queues);
    for (guint i = member->queues; i < member->queues + member->local; i++) {
        VirtBuffer buffer = {guest_memory_alloc(&run->rig->memory, 64, 64), 64, TRUE};
        VirtRing *ring = run->rings->pdata[i];

        virt_ring_add(ring, &buffer, 1);
        virt_ring_notify(ring);
        g_assert_cmpint(virt_ring_wait(ring, NULL, 20), ==, -1);
    }
}

static void test_works(gconstpointer data)
{
    Run *run = run_start(data, configure);
    uint64_t buffer = guest_memory_alloc(&run->rig->memory, 4096, 4096);

    check_identity(run);
    check_config(run);
    boot(run);
    check_local_queues(run);
    for (guint round = 0; round < 3; round++) {
        request_everywhere(run, buffer);
    }
    check_config_writes(run);
    json_object_put(qmp_command_or_fail(run->rig->qmp, "{'execute':'stop'}"));
    json_object_put(qmp_command_or_fail(run->rig->qmp, "{'execute':'cont'}"));
    request_everywhere(run, buffer);
    virt_device_reset(run->driver);
    g_assert_cmpuint(backend_rings_running(rig_backend(run->rig, 0)), ==, 0);
    boot(run);
    request_everywhere(run, buffer);
    run_end(run);
}

/* --- memory --- */

/* Nine DIMMs, more than a table message holds; each by one message; requests in each. */
static void test_memory(gconstpointer data)
{
    enum { DIMMS = 9 };
    Run *run = run_start(data, configure);
    Backend *backend = rig_backend(run->rig, 0);

    boot(run);
    backend_clear(backend);
    for (guint i = 0; i < DIMMS; i++) {
        rig_plug(run->rig, i);
        request_everywhere(run, rig_dimm_address(run->rig, i));
    }
    g_assert_cmpuint(backend_count(backend, VHOST_USER_ADD_MEM_REG), ==, DIMMS);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_SET_MEM_TABLE), ==, 0);
    for (guint i = 0; i < DIMMS; i++) {
        rig_unplug(run->rig, i);
    }
    g_assert_cmpuint(backend_count(backend, VHOST_USER_REM_MEM_REG), ==, DIMMS);
    request_everywhere(run, guest_memory_alloc(&run->rig->memory, 4096, 4096));
    run_end(run);
}

/* --- the device comes and goes --- */

static void unplug(Run *run, const char *id, guint slot)
{
    json_object *event;

    json_object_put(
        qmp_command_or_fail(run->rig->qmp, "{'execute':'device_del','arguments':{'id':'%s'}}", id));
    qtest_outl(run->rig->qtest, ACPI_PCI_EJECT, 1u << slot);
    event = qmp_event_where(run->rig->qmp, "DEVICE_DELETED", "device", id, PATIENCE);
    g_assert_nonnull(event);
    json_object_put(event);
    g_assert_cmphex(pci_identify(run->rig->qtest, PCI_SLOT_FUNCTION(slot, 0)), ==, 0xffffffff);
    g_clear_pointer(&run->driver, virt_device_free);
}

/* Properties as device_add's arguments: of text, which every property takes. */
static char *json_properties(const char *properties)
{
    g_auto(GStrv) pairs = g_strsplit(properties, ",", -1);
    GString *text = g_string_new(NULL);

    for (guint i = 0; pairs[i]; i++) {
        char *value = strchr(pairs[i], '=');

        if (value) {
            g_string_append_printf(text, ",'%.*s':'%s'", (int)(value - pairs[i]), pairs[i],
                                   value + 1);
        }
    }
    return g_string_free(text, FALSE);
}

static void test_unplug(gconstpointer data)
{
    const Member *member = data;
    Run *run = run_start(member, configure);
    g_autofree char *properties = json_properties(member->properties);
    uint64_t buffer = guest_memory_alloc(&run->rig->memory, 4096, 4096);

    boot(run);
    request_everywhere(run, buffer);
    unplug(run, "b0", RIG_DISK_SLOT);
    for (guint round = 0; round < 2; round++) {
        g_autofree char *chardev = g_strdup_printf("h%u", round);

        json_object_put(qmp_command_or_fail(
            run->rig->qmp,
            "{'execute':'chardev-add','arguments':{'id':'%s','backend':{'type':'socket','data':"
            "{'server':false,'addr':{'type':'unix','data':{'path':'%s'}}}}}}",
            chardev, backend_path(rig_backend(run->rig, 0))));
        json_object_put(qmp_command_or_fail(
            run->rig->qmp,
            "{'execute':'device_add','arguments':{'driver':'%s','id':'hot','chardev':'%s',"
            "'addr':'%x'%s}}",
            member->type, chardev, HOT_SLOT, properties));
        find_driver(run, HOT_SLOT);
        boot(run);
        request_everywhere(run, buffer);
        unplug(run, "hot", HOT_SLOT);
        json_object_put(qmp_command_or_fail(
            run->rig->qmp, "{'execute':'chardev-remove','arguments':{'id':'%s'}}", chardev));
    }
    run_end(run);
}

/* --- what one kind alone has --- */

static const Member *member_of(const char *type)
{
    for (guint i = 0; i < G_N_ELEMENTS(members); i++) {
        if (strcmp(members[i].type, type) == 0) {
            return &members[i];
        }
    }
    vmm_fail("there is no %s in the table", type);
}

/* The driver of an input device writes what it wants to know and reads the answer at once. */
static void test_select(void)
{
    Run *run = run_start(member_of("vhost-user-input-pci"), configure_select);

    for (guint i = 0; i < 50; i++) {
        qtest_writeb(run->rig->qtest, run->driver->config, (uint8_t)i);
        qtest_writeb(run->rig->qtest, run->driver->config + 1, (uint8_t)(i * 5));
        g_assert_cmphex(config_byte(run, 2), ==, (uint8_t)(i ^ (i * 5)));
    }
    run_end(run);
}

/* A backend that is silent then holds up the driver until the deadline, and nobody else. */
static void test_select_hang(void)
{
    Member member = *member_of("vhost-user-input-pci");
    BackendFault fault = {.request = VHOST_USER_GET_CONFIG, .occurrence = 1, .kind = FAULT_HANG};
    g_autofree char *early = NULL, *answer = NULL, *write = NULL;
    Run *run;

    member.properties = ",reply-timeout=1500";
    run = run_start(&member, configure_select);
    backend_fault(rig_backend(run->rig, 0), &fault);
    write = g_strdup_printf("writeb 0x%" G_GINT64_MODIFIER "x 0x1\n", run->driver->config);
    g_assert_true(qtest_send_bytes(run->rig->qtest, write, strlen(write)));
    early = qtest_line(run->rig->qtest, 300);
    g_assert_null(early);
    qmp_set_timeout(run->rig->qmp, 500);
    json_object_put(qmp_command_or_fail(run->rig->qmp, "{'execute':'query-status'}"));
    qmp_set_timeout(run->rig->qmp, PATIENCE);
    answer = qtest_line(run->rig->qtest, PATIENCE);
    g_assert_cmpstr(answer, ==, "OK");
    rig_plug(run->rig, 0); /* the machine lives on */
    run_end(run);
}

/* seqpacket=on and a backend without it; the configuration that nobody has. */
static void no_features(BackendConfig *config, guint device)
{
    configure(config, device);
    config->features = BIT(VHOST_USER_F_PROTOCOL_FEATURES) | BIT(VIRTIO_F_VERSION_1);
}

static void no_config(BackendConfig *config, guint device)
{
    configure(config, device);
    config->protocol_features &= ~BIT(VHOST_USER_PROTOCOL_F_CONFIG);
}

static void few_queues(BackendConfig *config, guint device)
{
    configure(config, device);
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
        {"vhost-user-snd-pci", "4 queues", "has 1", few_queues},
        {"vhost-user-fs-pci,tag=t,num-request-queues=4", "5 queues", "has 1", few_queues},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        RigOptions options = {.device = rows[i].device, .configure = rows[i].configure};
        g_autofree char *text = rig_start_refused(NULL, &options);

        rig_assert_names(text, "'b0'", rows[i].first, rows[i].second, NULL);
    }
}

/* Without GET_QUEUE_NUM the queues that each device of the kind has are there all the same; the
 * guest's address is the user's where the backend has no configuration. */
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
        {"vhost-user-vsock-pci,guest-cid=3", 3, no_config},
        {"vhost-user-fs-pci,tag=t", 2, no_config},
        {"vhost-user-device-pci,virtio-id=5", 1, no_config},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        Member member = {.type = rows[i].device, .properties = ""};
        Run *run = run_start(&member, rows[i].configure);

        g_assert_cmpuint(virt_device_queues(run->driver), ==, rows[i].queues);
        run_end(run);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        GTestDataFunc function;
    } tests[] = {{"works", test_works}, {"memory", test_memory}, {"unplug", test_unplug}};

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(members); i++) {
        for (guint j = 0; j < G_N_ELEMENTS(tests); j++) {
            g_autofree char *path =
                g_strdup_printf("/family/%s/%u/%s", members[i].type, i, tests[j].name);

            g_test_add_data_func(path, &members[i], tests[j].function);
        }
    }
    g_test_add_func("/family/select", test_select);
    g_test_add_func("/family/select-hang", test_select_hang);
    g_test_add_func("/family/refused", test_refused);
    g_test_add_func("/family/modest-backends", test_modest_backends);
    return g_test_run();
}
