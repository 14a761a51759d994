/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the protocol offers about devices and rings: inflight buffer, status and reset, packed
 * rings, reset of one ring; and a backend that lacks what it needs.
 */
#include "qtest/rig.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define RING_RESET 40 /* VIRTIO_F_RING_RESET (virtio 1.2, 6) */

static uint64_t number_of(Rig *rig, uint32_t request, guint occurrence)
{
    BackendMessage message;

    if (!backend_find_message(rig_backend(rig, 0), request, occurrence, &message)) {
        vmm_fail("%s did not come %u times", vhost_user_request_name(request), occurrence);
    }
    return message.payload.u64;
}

/* Index in the log of the first @request, G_MAXUINT: none. */
static guint place_of(Rig *rig, uint32_t request)
{
    BackendMessage message;

    for (guint i = 0; backend_message(rig_backend(rig, 0), i, &message); i++) {
        if (message.header.request == request) {
            return i;
        }
    }
    return G_MAXUINT;
}

static void execute(Rig *rig, const char *command)
{
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'%s'}", command));
}

/* --- inflight buffer --- */

/* Fetched once, given back at each start, a new one after a reset.  That it is the same file the
 * backend checks. */
static void test_inflight(void)
{
    Rig *rig = rig_start_with(0, BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD), NULL);
    BackendMessage message;

    rig_boot(rig, NULL);
    g_assert_cmpuint(rig_count(rig, VHOST_USER_GET_INFLIGHT_FD), ==, 1);
    g_assert_true(
        backend_find_message(rig_backend(rig, 0), VHOST_USER_SET_INFLIGHT_FD, 1, &message));
    g_assert_cmpuint(message.fds, ==, 1);
    g_assert_cmpuint(message.payload.inflight.num_queues, ==, 1);
    g_assert_cmpuint(message.payload.inflight.queue_size, ==, 128);
    g_assert_cmpuint(place_of(rig, VHOST_USER_SET_INFLIGHT_FD), <,
                     place_of(rig, VHOST_USER_SET_VRING_KICK));

    execute(rig, "stop");
    execute(rig, "cont");
    rig_wait_rings(rig, 1);
    g_assert_cmpuint(rig_count(rig, VHOST_USER_GET_INFLIGHT_FD), ==, 1);
    g_assert_cmpuint(rig_count(rig, VHOST_USER_SET_INFLIGHT_FD), ==, 2);
    rig_check_data(rig, 0, rig_buffer(rig));

    rig_boot(rig, NULL);
    g_assert_cmpuint(rig_count(rig, VHOST_USER_GET_INFLIGHT_FD), ==, 2);
    g_assert_cmpuint(rig_count(rig, VHOST_USER_SET_INFLIGHT_FD), ==, 3);
    rig_check_data(rig, 0, rig_buffer(rig));
    rig_end(rig);
}

typedef enum { INFLIGHT_PIPE, INFLIGHT_FILE, INFLIGHT_SOCKET, INFLIGHT_TMPFS } InflightFile;

/* A file of this sort for the record. */
static int inflight_file(InflightFile sort)
{
    char name[] = "/dev/shm/inflight-XXXXXX";
    int ends[2], fd;

    switch (sort) {
    case INFLIGHT_PIPE:
        g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
        break;
    case INFLIGHT_SOCKET:
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
        break;
    case INFLIGHT_FILE:
        /* Regular and not in memory, wherever the test's own files lie. */
        return open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    default:
        fd = mkostemp(name, O_CLOEXEC);
        unlink(name);
        g_assert_cmpint(ftruncate(fd, 1 << 20), ==, 0);
        return fd;
    }
    close(ends[1]);
    return ends[0];
}

/* Reading some files can take any time: they are refused by name, before anything is read. */
static void test_inflight_file(gconstpointer data)
{
    InflightFile sort = (InflightFile)GPOINTER_TO_INT(data);
    BackendConfig config;
    Rig *rig;

    backend_config_init(&config);
    config.protocol_features |= BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD);
    config.inflight = inflight_file(sort);
    rig = rig_start(&config, NULL);
    if (sort == INFLIGHT_TMPFS) {
        rig_boot(rig, NULL);
        g_assert_cmpuint(rig_count(rig, VHOST_USER_SET_INFLIGHT_FD), ==, 1);
    } else {
        VirtDevice *driver = virt_device_new(rig->qtest, &rig->addresses, RIG_DISK_SLOT);

        g_ptr_array_add(rig->drivers, driver);
        blk_disk_free(blk_disk_start(driver, &rig->memory, NULL));
        rig_wait_output(rig,
                        "'b0': the backend's record of requests in flight is no file in memory");
        g_assert_cmpuint(rig_count(rig, VHOST_USER_SET_INFLIGHT_FD), ==, 0);
    }
    rig_end(rig);
    close(config.inflight);
}

/* --- status and reset --- */

static void test_status(void)
{
    Rig *rig = rig_start_with(0, BIT(VHOST_USER_PROTOCOL_F_STATUS), NULL);
    guint last;

    rig_boot(rig, NULL);
    last = (guint)rig_count(rig, VHOST_USER_SET_STATUS);
    g_assert_cmpuint(number_of(rig, VHOST_USER_SET_STATUS, last - 1), ==, 0xb);
    g_assert_cmpuint(number_of(rig, VHOST_USER_SET_STATUS, last), ==, 0xf);
    g_assert_cmpuint(place_of(rig, VHOST_USER_SET_FEATURES), <,
                     place_of(rig, VHOST_USER_GET_STATUS));
    rig_clear(rig);
    virt_device_reset(rig_driver(rig, 0));
    rig_wait_request(rig, VHOST_USER_SET_STATUS, 1);
    g_assert_cmpuint(number_of(rig, VHOST_USER_SET_STATUS, 1), ==, 0);
    g_assert_cmpuint(place_of(rig, VHOST_USER_GET_VRING_BASE), <,
                     place_of(rig, VHOST_USER_SET_STATUS));
    rig_boot(rig, NULL);
    rig_check_data(rig, 0, rig_buffer(rig));
    rig_end(rig);
}

/* The backend does not set FEATURES_OK: the driver is asked to reset. */
static void test_status_refused(void)
{
    BackendFault fault = {
        .request = VHOST_USER_GET_STATUS, .occurrence = 1, .kind = FAULT_REFUSE, .value = 3};
    Rig *rig = rig_start_with(0, BIT(VHOST_USER_PROTOCOL_F_STATUS), NULL);
    VirtDevice *driver = virt_device_new(rig->qtest, &rig->addresses, RIG_DISK_SLOT);

    g_ptr_array_add(rig->drivers, driver);
    backend_fault(rig_backend(rig, 0), &fault);
    blk_disk_free(blk_disk_start(driver, &rig->memory, NULL));
    rig_wait_output(rig, "FEATURES_OK");
    g_assert_cmpuint(backend_rings_running(rig_backend(rig, 0)), ==, 0);
    rig_recover(rig);
    rig_end(rig);
}

static void test_reset_device(gconstpointer data)
{
    gboolean machine = GPOINTER_TO_INT(data);
    Rig *rig = rig_start_with(0, BIT(VHOST_USER_PROTOCOL_F_RESET_DEVICE), NULL);

    rig_boot(rig, NULL);
    rig_clear(rig);
    if (machine) {
        execute(rig, "system_reset");
    } else {
        virt_device_reset(rig_driver(rig, 0));
    }
    rig_wait_request(rig, VHOST_USER_RESET_DEVICE, 1);
    g_assert_cmpuint(place_of(rig, VHOST_USER_GET_VRING_BASE), <,
                     place_of(rig, VHOST_USER_RESET_DEVICE));
    g_assert_cmpuint(backend_rings_running(rig_backend(rig, 0)), ==, 0);
    if (machine) {
        rig_forget_drivers(rig);
    }
    rig_boot(rig, NULL);
    rig_check_data(rig, 0, rig_buffer(rig));
    g_assert_cmpuint(rig_count(rig, VHOST_USER_ADD_MEM_REG), ==, 0);
    rig_end(rig);
}

/* --- packed rings, passed through --- */

static void write_address(VirtDevice *driver, uint64_t field, uint64_t address)
{
    qtest_writel(driver->qtest, driver->common + field, (uint32_t)address);
    qtest_writel(driver->qtest, driver->common + field + 4, (uint32_t)(address >> 32));
}

/* A ring of 100 entries whose event suppression areas (4 bytes each) are the last of RAM. */
static void place_packed_ring(VirtDevice *driver, uint64_t descriptors)
{
    qtest_writew(driver->qtest, driver->common + VIRTIO_PCI_COMMON_Q_SELECT, 0);
    qtest_writew(driver->qtest, driver->common + VIRTIO_PCI_COMMON_Q_SIZE, 100);
    write_address(driver, VIRTIO_PCI_COMMON_Q_DESCLO, descriptors);
    write_address(driver, VIRTIO_PCI_COMMON_Q_AVAILLO, RIG_RAM - 8);
    write_address(driver, VIRTIO_PCI_COMMON_Q_USEDLO, RIG_RAM - 4);
    qtest_writew(driver->qtest, driver->common + VIRTIO_PCI_COMMON_Q_ENABLE, 1);
}

static void check_packed_address(Rig *rig, uint64_t descriptors)
{
    VhostUserMemoryRegion region;
    BackendMessage message;
    uint64_t base;

    g_assert_true(backend_region(rig_backend(rig, 0), 0, &region));
    g_assert_true(
        backend_find_message(rig_backend(rig, 0), VHOST_USER_SET_VRING_ADDR, 1, &message));
    base = region.user_address - region.guest_address;
    g_assert_cmpuint(message.payload.address.descriptor, ==, base + descriptors);
    g_assert_cmpuint(message.payload.address.available, ==, base + RIG_RAM - 8);
    g_assert_cmpuint(message.payload.address.used, ==, base + RIG_RAM - 4);
    g_assert_cmpuint(message.payload.address.flags, ==, 0);
}

static void test_packed(void)
{
    const uint32_t base = 0x80078005, first = 0x80008000;
    BackendFault stopped = {.request = VHOST_USER_GET_VRING_BASE,
                            .occurrence = 1,
                            .kind = FAULT_REFUSE,
                            .value = (uint64_t)base << 32};
    Rig *rig = rig_start_with(BIT(VIRTIO_F_RING_PACKED), 0, NULL);
    VirtDevice *driver = virt_device_new(rig->qtest, &rig->addresses, RIG_DISK_SLOT);
    uint64_t descriptors = rig_buffer(rig);
    BackendMessage message;

    g_ptr_array_add(rig->drivers, driver);
    g_assert_true(virt_device_negotiate(driver, BIT(VIRTIO_F_RING_PACKED), FALSE));
    place_packed_ring(driver, descriptors);
    virt_device_driver_ok(driver);
    rig_wait_rings(rig, 1);
    g_assert_true(number_of(rig, VHOST_USER_SET_FEATURES, 1) & BIT(VIRTIO_F_RING_PACKED));
    g_assert_true(backend_find_message(rig_backend(rig, 0), VHOST_USER_SET_VRING_NUM, 1, &message));
    g_assert_cmpuint(message.payload.state.num, ==, 100);
    g_assert_true(
        backend_find_message(rig_backend(rig, 0), VHOST_USER_SET_VRING_BASE, 1, &message));
    g_assert_cmpuint(message.payload.state.num, ==, first);
    check_packed_address(rig, descriptors);

    /* Where the backend stopped, wrap counters and all, is where it goes on. */
    backend_fault(rig_backend(rig, 0), &stopped);
    execute(rig, "stop");
    g_assert_cmpuint(backend_rings_running(rig_backend(rig, 0)), ==, 0);
    execute(rig, "cont");
    rig_wait_rings(rig, 1);
    g_assert_true(
        backend_find_message(rig_backend(rig, 0), VHOST_USER_SET_VRING_BASE, 2, &message));
    g_assert_cmpuint(message.payload.state.num, ==, base);
    rig_end(rig);
}

/* --- reset of one ring (virtio 1.2, 2.6.1) --- */

static int read_sector(Rig *rig, guint queue, uint64_t buffer)
{
    return blk_disk_request(rig_disk(rig, 0), queue, VIRTIO_BLK_T_IN, 0, buffer, 4096);
}

static void test_ring_reset(void)
{
    RigOptions options = {.arguments = "-global vhost-user-blk-pci.num-queues=2"};
    BlkOptions disk = {.queues = 2, .features = BIT(RING_RESET) | BIT(VIRTIO_BLK_F_MQ)};
    Rig *rig = rig_start_with(BIT(RING_RESET), 0, &options);
    BackendMessage message;
    uint64_t buffer;

    rig_boot(rig, &disk);
    buffer = rig_buffer(rig);
    for (guint i = 0; i < 3; i++) {
        g_assert_cmpint(read_sector(rig, 1, buffer), ==, VIRTIO_BLK_S_OK);
    }
    rig_clear(rig);
    virt_ring_reset(blk_disk_ring(rig_disk(rig, 0), 1));
    /* The driver read that it is done: the backend has let go already. */
    g_assert_cmpuint(backend_rings_running(rig_backend(rig, 0)), ==, 1);
    g_assert_true(
        backend_find_message(rig_backend(rig, 0), VHOST_USER_SET_VRING_ENABLE, 1, &message));
    g_assert_cmpuint(message.payload.state.index, ==, 1);
    g_assert_cmpuint(message.payload.state.num, ==, 0);
    g_assert_true(
        backend_find_message(rig_backend(rig, 0), VHOST_USER_GET_VRING_BASE, 1, &message));
    g_assert_cmpuint(message.payload.state.index, ==, 1);
    g_assert_cmpint(read_sector(rig, 0, buffer), ==, VIRTIO_BLK_S_OK);

    virt_ring_enable(blk_disk_ring(rig_disk(rig, 0), 1));
    rig_wait_rings(rig, 2);
    g_assert_true(
        backend_find_message(rig_backend(rig, 0), VHOST_USER_SET_VRING_BASE, 1, &message));
    g_assert_cmpuint(message.payload.state.index, ==, 1);
    g_assert_cmpuint(message.payload.state.num, ==, 0);
    for (guint i = 0; i < 3; i++) {
        g_assert_cmpint(read_sector(rig, i % 2, buffer), ==, VIRTIO_BLK_S_OK);
    }
    rig_end(rig);
}

/* A backend that refuses the ring anew: the device asks for a reset, and works after it. */
static void test_ring_reset_refused(void)
{
    BackendFault fault = {
        .request = VHOST_USER_SET_VRING_ADDR, .occurrence = 1, .kind = FAULT_REFUSE};
    BlkOptions disk = {.features = BIT(RING_RESET)};
    Rig *rig = rig_start_with(BIT(RING_RESET), 0, NULL);

    rig_boot(rig, &disk);
    virt_ring_reset(blk_disk_ring(rig_disk(rig, 0), 0));
    backend_fault(rig_backend(rig, 0), &fault);
    virt_ring_enable(blk_disk_ring(rig_disk(rig, 0), 0));
    rig_recover(rig);
    rig_plug(rig, 0);
    rig_end(rig);
}

/* --- what is offered, and what a backend lacks --- */

static uint64_t offered_with(const char *arguments)
{
    RigOptions options = {.arguments = arguments};
    Rig *rig = rig_start_with(BIT(VIRTIO_BLK_F_CONFIG_WCE), 0, &options);
    uint64_t offered;

    g_ptr_array_add(rig->drivers, virt_device_new(rig->qtest, &rig->addresses, RIG_DISK_SLOT));
    offered = virt_device_offered(rig_driver(rig, 0));
    rig_end(rig);
    return offered;
}

static void test_offered(void)
{
    uint64_t offered = offered_with(NULL);

    g_assert_true(offered & BIT(VIRTIO_BLK_F_CONFIG_WCE));
    g_assert_false(offered & BIT(VIRTIO_BLK_F_MQ)); /* one queue */
    g_assert_false(offered & BIT(VHOST_USER_F_PROTOCOL_FEATURES));
    offered = offered_with("-global vhost-user-blk-pci.config-wce=off"
                           " -global vhost-user-blk-pci.num-queues=2");
    g_assert_false(offered & BIT(VIRTIO_BLK_F_CONFIG_WCE));
    g_assert_true(offered & BIT(VIRTIO_BLK_F_MQ));
}

typedef struct LackCase {
    uint64_t features, protocol_features; /* not offered */
    uint64_t queues;
    const char *arguments;
    const char *words[2]; /* of the refusal */
} LackCase;

static void test_lacking(void)
{
    static const LackCase cases[] = {
        {BIT(VHOST_USER_F_PROTOCOL_FEATURES), 0, 8, "", {"CONFIG", "'b0'"}},
        {0, BIT(VHOST_USER_PROTOCOL_F_CONFIG), 8, "", {"CONFIG", "'b0'"}},
        {BIT(VIRTIO_F_VERSION_1),
         0,
         8,
         "-global vhost-user-blk-pci.disable-legacy=on",
         {"VERSION_1", "'b0'"}},
        {0, 0, 3, "-global vhost-user-blk-pci.num-queues=4", {"4 queues", "3"}},
        {0, 0, 0, "-global vhost-user-blk-pci.num-queues=4", {"4 queues", "0"}},
        {0,
         BIT(VHOST_USER_PROTOCOL_F_MQ),
         8,
         "-global vhost-user-blk-pci.num-queues=4",
         {"4 queues", "1"}},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        RigOptions options = {.arguments = cases[i].arguments};
        g_autofree char *text = NULL;
        BackendConfig config;

        backend_config_init(&config);
        config.features &= ~cases[i].features;
        config.protocol_features &= ~cases[i].protocol_features;
        config.queues = cases[i].queues;
        text = rig_start_refused(&config, &options);
        g_test_message("%s", text);
        rig_assert_names(text, cases[i].words[0], cases[i].words[1], NULL);
    }
}

static void test_boot_index_taken(void)
{
    RigOptions options = {.devices = 2, .arguments = "-global vhost-user-blk-pci.bootindex=7"};
    g_autofree char *text = rig_start_refused(NULL, &options);

    rig_assert_names(text, "'b1'", "bootindex 7", "'b0'", NULL);
}

/* A backend that comes back is asked anew what it has: unplugged with 32 slots, plugged with 3. */
static void test_slots_change(void)
{
    Rig *rig = rig_start(NULL, NULL);
    g_autofree char *text = NULL;
    BackendConfig config;

    rig_boot(rig, NULL);
    rig_plug(rig, 0);
    vmm_unplug(rig->vmm, "b0", RIG_DISK_SLOT);
    for (guint tries = 0; backend_connected(rig_backend(rig, 0)) && tries < RIG_WAIT; tries++) {
        g_usleep(1000);
    }
    backend_config_init(&config);
    config.slots = 3;
    backend_set_config(rig_backend(rig, 0), &config);
    json_object_put(qmp_command_or_fail(
        rig->qmp,
        "{'execute':'chardev-add','arguments':{'id':'again','backend':{'type':'socket','data':"
        "{'addr':{'type':'unix','data':{'path':'%s'}},'server':false}}}}",
        backend_path(rig_backend(rig, 0))));
    json_object_put(qmp_command_or_fail(
        rig->qmp, "{'execute':'device_add','arguments':{'driver':'vhost-user-blk-pci','id':'b0',"
                  "'chardev':'again','addr':'04.0'}}"));
    g_ptr_array_set_size(rig->drivers, 0);
    rig_boot(rig, NULL);
    text = rig_fill(rig, 1, 1);
    rig_assert_names(text, "'b0'", "3 memory slots", "3 in use", NULL);
    g_assert_cmpuint(rig_count(rig, VHOST_USER_GET_MAX_MEM_SLOTS), ==, 2);
    rig_check_data(rig, 0, rig_dimm_address(rig, 1));
    rig_end(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vhost-user-features/inflight", test_inflight);
    g_test_add_data_func("/vhost-user-features/inflight-file/pipe", GINT_TO_POINTER(INFLIGHT_PIPE),
                         test_inflight_file);
    g_test_add_data_func("/vhost-user-features/inflight-file/file", GINT_TO_POINTER(INFLIGHT_FILE),
                         test_inflight_file);
    g_test_add_data_func("/vhost-user-features/inflight-file/socket",
                         GINT_TO_POINTER(INFLIGHT_SOCKET), test_inflight_file);
    g_test_add_data_func("/vhost-user-features/inflight-file/tmpfs",
                         GINT_TO_POINTER(INFLIGHT_TMPFS), test_inflight_file);
    g_test_add_func("/vhost-user-features/status", test_status);
    g_test_add_func("/vhost-user-features/status-refused", test_status_refused);
    g_test_add_data_func("/vhost-user-features/reset-device/driver", GINT_TO_POINTER(FALSE),
                         test_reset_device);
    g_test_add_data_func("/vhost-user-features/reset-device/machine", GINT_TO_POINTER(TRUE),
                         test_reset_device);
    g_test_add_func("/vhost-user-features/packed", test_packed);
    g_test_add_func("/vhost-user-features/ring-reset", test_ring_reset);
    g_test_add_func("/vhost-user-features/ring-reset-refused", test_ring_reset_refused);
    g_test_add_func("/vhost-user-features/offered", test_offered);
    g_test_add_func("/vhost-user-features/lacking", test_lacking);
    g_test_add_func("/vhost-user-features/slots-change", test_slots_change);
    g_test_add_func("/vhost-user-features/boot-index-taken", test_boot_index_taken);
    return g_test_run();
}
