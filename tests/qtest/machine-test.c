/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine as existing clients compose it: command lines in any order, memory map, fw_cfg,
 * events, the ways to end, and guest RAM of every backend.
 */
#include "qtest/process.h"
#include "qtest/rig.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define GIB (UINT64_C(1) << 30)
#define FW_CFG_SELECT 0x510
#define FW_CFG_DATA 0x511
#define PM_STATUS 0x600
#define PM_ENABLE 0x602
#define PM_CONTROL 0x604
#define PM_POWER_BUTTON 0x100
#define PM_SLEEP_ENABLE 0x2000
#define SCI_LINE 9
#define EVENT_WAIT 10000

static void shuffle(GRand *random, const char **items, guint count)
{
    for (guint i = count - 1; i > 0; i--) {
        guint other = (guint)g_rand_int_range(random, 0, (gint32)i + 1);
        const char *item = items[i];

        items[i] = items[other];
        items[other] = item;
    }
}

/* --- the command line --- */

/* Options of a test client of today, in any order: the machine is the same. */
static void test_command_line(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(5);
    g_autoptr(Backend) backend = NULL;
    g_autofree char *monitor = vmm_temporary_path("monitor");
    g_autofree char *disk = NULL, *chardev = NULL;
    BackendConfig config;

    backend_config_init(&config);
    config.queues = 8;
    backend = backend_start(&config);
    chardev = g_strdup_printf("-chardev socket,id=char9,path=%s", backend_path(backend));
    disk = g_strdup_printf("-chardev socket,id=char8,path=%s,server=on,wait=off", monitor);
    for (guint round = 0; round < 8; round++) {
        const char *options[] = {
            chardev,
            disk,
            "-object monitor-qmp,id=qmp0,chardev=char8",
            "-display none -audio none",
            "-run-with exit-with-parent=on",
            "-M pc",
            "-M usb=off",
            "-device vhost-user-blk-pci,id=drv0,chardev=char9,addr=04.0",
            "-m 256",
            "-object memory-backend-memfd,id=mem,size=256M,",
            "-numa node,memdev=mem",
            "-global vhost-user-blk-pci.num-queues=3",
            "-name test -nodefaults -no-user-config",
        };
        g_autoptr(GString) line = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        g_autoptr(Qmp) qmp = NULL;
        g_autoptr(json_object) memory = NULL;
        PciAddresses addresses;
        Vmm *vmm;

        shuffle(random, options, G_N_ELEMENTS(options));
        for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
            g_string_append_printf(line, "%s ", options[i]);
        }
        vmm = vmm_start_or_fail(NULL, "%s -set device.drv0.queue-size=64", line->str);
        qmp = qmp_connect(monitor, 10, &error);
        if (!qmp || !qmp_negotiate(qmp, &error)) {
            vmm_fail("%s: %s", line->str, error->message);
        }
        memory = qmp_command_or_fail(qmp, "{'execute':'query-memdev'}");
        g_assert_cmpuint(json_object_array_length(memory), ==, 1);
        g_assert_cmpstr(qmp_get_string(memory, "0/id"), ==, "mem");
        g_assert_cmpint(qmp_get_int(memory, "0/size", 0), ==, 256 << 20);
        g_assert_true(json_object_get_boolean(qmp_get(memory, "0/share")));
        {
            g_autoptr(VirtDevice) driver = NULL;

            pci_addresses_init(&addresses);
            driver = virt_device_new(vmm->qtest, &addresses, 4);
            g_assert_nonnull(driver);
            g_assert_cmpuint(virt_device_queues(driver), ==, 3);
            g_assert_cmpuint(qtest_readw(vmm->qtest, driver->common + VIRTIO_PCI_COMMON_Q_SIZE), ==,
                             64);
        }
        vmm_end(vmm);
        backend_wait_connections(backend, round + 1, EVENT_WAIT);
    }
}

/* The spellings of a slot. */
static void test_address_spellings(void)
{
    static const char *const spellings[] = {"6", "6.0", "06.0", "0x6", "0x06.0"};
    BackendConfig config;

    backend_config_init(&config);
    for (guint i = 0; i < G_N_ELEMENTS(spellings); i++) {
        g_autoptr(Backend) backend = backend_start(&config);
        Vmm *vmm = vmm_start_or_fail(NULL,
                                     "-M pc -m 64M -chardev socket,id=c,path=%s -device "
                                     "vhost-user-blk-pci,chardev=c,addr=%s",
                                     backend_path(backend), spellings[i]);

        g_assert_cmphex(pci_identify(vmm->qtest, PCI_SLOT_FUNCTION(6, 0)), ==, 0x10011af4);
        vmm_end(vmm);
    }
}

/* --- memory and firmware --- */

static uint64_t read_item(Qtest *qtest, uint16_t key, guint bytes)
{
    uint64_t value = 0;

    qtest_outw(qtest, FW_CFG_SELECT, key);
    for (guint i = 0; i < bytes; i++) {
        value |= (uint64_t)qtest_inb(qtest, FW_CFG_DATA) << (8 * i);
    }
    return value;
}

typedef struct MemoryRow {
    const char *name, *size;
    uint64_t bytes, area; /* area: where memory devices begin */
} MemoryRow;

static void test_memory(gconstpointer data)
{
    static const uint64_t hole_end = 4 * GIB;
    const MemoryRow *row = data;
    uint64_t low = MIN(row->bytes, 3 * GIB), high = row->bytes - low;
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -m %s,slots=2,maxmem=64G", row->size);
    Qtest *qtest = vmm->qtest;
    g_autoptr(json_object) devices = NULL;

    g_assert_cmphex(read_item(qtest, 0, 4), ==, 0x554d4551); /* QEMU */
    g_assert_cmphex(read_item(qtest, 1, 4) & 1, ==, 1);
    g_assert_cmphex(read_item(qtest, 3, 8), ==, row->bytes);
    g_assert_cmphex(read_item(qtest, 3, 8), ==, row->bytes); /* from its beginning again */
    g_assert_cmphex(read_item(qtest, 0x3ffe, 4), ==, 0);
    for (guint i = 0; i < 2; i++) {
        uint64_t end = i ? hole_end + high : low;

        if (end == hole_end) {
            qtest_writel(qtest, end, 0x55aa55aa);
            g_assert_cmphex(qtest_readl(qtest, end), !=, 0x55aa55aa);
            continue;
        }
        qtest_writel(qtest, end - 4, 0x12345678);
        g_assert_cmphex(qtest_readl(qtest, end - 4), ==, 0x12345678);
        qtest_writel(qtest, end, 0x55aa55aa); /* nothing */
        g_assert_cmphex(qtest_readl(qtest, end), !=, 0x55aa55aa);
    }
    qtest_writeb(qtest, 0, 0x5a);
    g_assert_cmphex(qtest_readb(qtest, 0), ==, 0x5a);
    json_object_put(qmp_command_or_fail(
        vmm->qmp, "{'execute':'object-add','arguments':{'qom-type':'memory-backend-memfd',"
                  "'id':'mem1','size':134217728,'share':true}}"));
    json_object_put(qmp_command_or_fail(
        vmm->qmp, "{'execute':'device_add','arguments':{'driver':'pc-dimm','id':'dimm1',"
                  "'memdev':'mem1'}}"));
    devices = qmp_command_or_fail(vmm->qmp, "{'execute':'query-memory-devices'}");
    g_assert_cmphex(qmp_get_int(devices, "0/data/addr", 0), ==, row->area);
    qtest_writel(qtest, row->area + 134217724, 7);
    g_assert_cmphex(qtest_readl(qtest, row->area + 134217724), ==, 7);
    vmm_end(vmm);
}

/* --- events and ends --- */

static void expect_event(Qmp *qmp, const char *name, const char *reason, gboolean guest)
{
    g_autoptr(json_object) event = qmp_event_or_fail(qmp, name, EVENT_WAIT);

    g_assert_cmpint(qmp_get_int(event, "timestamp/seconds", 0), >, 1700000000);
    g_assert_cmpint(qmp_get_int(event, "timestamp/microseconds", -1), >=, 0);
    g_assert_cmpstr(qmp_get_string(event, "data/reason"), ==, reason);
    if (reason) {
        g_assert_cmpint(json_object_get_boolean(qmp_get(event, "data/guest")), ==, guest);
    }
}

static void test_events(void)
{
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -m 64");
    Qtest *qtest = vmm->qtest;

    json_object_put(qmp_command_or_fail(vmm->qmp, "{'execute':'stop'}"));
    expect_event(vmm->qmp, "STOP", NULL, FALSE);
    json_object_put(qmp_command_or_fail(vmm->qmp, "{'execute':'stop'}"));
    qmp_expect_no_event(vmm->qmp, "STOP", 50); /* no news */
    json_object_put(qmp_command_or_fail(vmm->qmp, "{'execute':'cont'}"));
    expect_event(vmm->qmp, "RESUME", NULL, FALSE);
    json_object_put(qmp_command_or_fail(vmm->qmp, "{'execute':'system_reset'}"));
    expect_event(vmm->qmp, "RESET", "host-qmp-system-reset", FALSE);

    qtest_irq_intercept_in(qtest, "ioapic");
    qtest_outw(qtest, PM_ENABLE, PM_POWER_BUTTON);
    g_assert_cmphex(qtest_inw(qtest, PM_STATUS) & PM_POWER_BUTTON, ==, 0);
    json_object_put(qmp_command_or_fail(vmm->qmp, "{'execute':'system_powerdown'}"));
    expect_event(vmm->qmp, "POWERDOWN", NULL, FALSE);
    g_assert_cmphex(qtest_inw(qtest, PM_STATUS) & PM_POWER_BUTTON, !=, 0);
    g_assert_true(qtest_irq_level(qtest, SCI_LINE));
    qtest_outw(qtest, PM_STATUS, PM_POWER_BUTTON);
    g_assert_false(qtest_irq_level(qtest, SCI_LINE));
    json_object_put(qmp_command_or_fail(vmm->qmp, "{'execute':'quit'}"));
    expect_event(vmm->qmp, "SHUTDOWN", "host-qmp-quit", FALSE);
    vmm_free(vmm);
}

static void expect_ended(Vmm *vmm)
{
    int status;

    g_assert_true(vmm_wait(vmm, EVENT_WAIT, &status));
    g_assert_cmpint(status, ==, 0);
    vmm_free(vmm);
}

static void test_soft_off(void)
{
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -m 64");

    g_assert_cmphex(qtest_inw(vmm->qtest, PM_CONTROL) & 1, ==, 1); /* SCI_EN */
    qtest_outw(vmm->qtest, PM_CONTROL, PM_SLEEP_ENABLE);
    expect_event(vmm->qmp, "SHUTDOWN", "guest-shutdown", TRUE);
    expect_ended(vmm);
}

/* With a disk whose backend is silent, too. */
static void test_signal(gconstpointer data)
{
    static const BackendFault hang = {
        .request = VHOST_USER_GET_VRING_BASE, .occurrence = 1, .kind = FAULT_HANG};
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -m 64");
    Rig *rig;

    vmm_kill(vmm, GPOINTER_TO_INT(data));
    expect_event(vmm->qmp, "SHUTDOWN", "host-signal", FALSE);
    expect_ended(vmm);
    rig = rig_start(NULL, NULL);
    rig_boot(rig, NULL);
    backend_fault(rig_backend(rig, 0), &hang);
    vmm_kill(rig->vmm, GPOINTER_TO_INT(data));
    expect_ended(g_steal_pointer(&rig->vmm));
    rig_free(rig);
}

/* --- guest RAM of every kind --- */

/* A disk over RAM of @object reads and writes through it. */
static void test_backend_kind(gconstpointer data)
{
    g_autofree char *path = vmm_temporary_path("ram");
    g_autofree char *object = g_strdup(data);
    char *place = strstr(object, "PATH");
    g_autoptr(Backend) backend = NULL;
    g_autoptr(GString) arguments = g_string_new(object);
    BackendConfig config;
    PciAddresses addresses;
    GuestMemory memory;
    char seen[8];
    Vmm *vmm;

    if (place) {
        g_string_printf(arguments, "%.*s%s%s", (int)(place - object), object, path, place + 4);
    }
    backend_config_init(&config);
    backend = backend_start(&config);
    vmm = vmm_start_or_fail(NULL,
                            "-M pc,memory-backend=mem -m 32M -object %s,id=mem,size=32M "
                            "-chardev socket,id=c,path=%s -device vhost-user-blk-pci,id=b0,"
                            "chardev=c,addr=4",
                            arguments->str, backend_path(backend));
    pci_addresses_init(&addresses);
    guest_memory_init(&memory, 1 << 20, 32 << 20);
    {
        g_autoptr(VirtDevice) driver = virt_device_new(vmm->qtest, &addresses, 4);
        g_autoptr(BlkDisk) disk = blk_disk_start(driver, &memory, NULL);

        qtest_memwrite(vmm->qtest, 0x1f00000, "content", 8);
        g_assert_cmpint(blk_disk_request(disk, 0, VIRTIO_BLK_T_OUT, 0, 0x1f00000, 512), ==,
                        VIRTIO_BLK_S_OK);
        g_assert_true(backend_memory_read(backend, 0x1f00000, seen, 8));
        g_assert_cmpstr(seen, ==, "content");
        g_assert_cmpstr((const char *)backend_disk(backend), ==, "content");
    }
    vmm_end(vmm);
}

static void refused(const char *arguments, const char *first, const char *second)
{
    g_autoptr(GError) error = NULL;
    Vmm *vmm = vmm_start(NULL, &error, "%s", arguments);

    if (vmm) {
        vmm_fail("'%s' was to be refused", arguments);
    }
    rig_assert_names(error->message, first, second, NULL);
}

static void test_private_refused(void)
{
    static const char *const objects[] = {"memory-backend-ram", "memory-backend-memfd,share=off"};
    BackendConfig config;
    g_autoptr(Backend) backend = NULL;

    backend_config_init(&config);
    backend = backend_start(&config);
    for (guint i = 0; i < G_N_ELEMENTS(objects); i++) {
        g_autofree char *arguments = g_strdup_printf(
            "-M pc,memory-backend=mem -m 32M -object %s,id=mem,size=32M "
            "-chardev socket,id=c,path=%s -device vhost-user-blk-pci,id=b0,chardev=c",
            objects[i], backend_path(backend));

        refused(arguments, "'b0'", "'mem'");
    }
}

static void test_refusals(void)
{
    static const struct {
        const char *options, *named;
    } rows[] = {
        {"memory-backend-memfd,id=mem,size=32M,policy=bind", "policy"},
        {"memory-backend-memfd,id=mem,size=32M,host-nodes=0", "host-nodes"},
        {"memory-backend-memfd,id=mem,size=32M,host-nodes=0,policy=sometimes", "sometimes"},
        {"memory-backend-memfd,id=mem,size=32M,host-nodes=999,policy=bind", "999"},
        {"memory-backend-memfd,id=mem,size=32M,hugetlbsize=2M", "hugetlb"},
        {"memory-backend-memfd,id=mem,size=31M", "31"},
        {"memory-backend-memfd,id=mem,size=0", "size"},
        {"memory-backend-file,id=mem,size=32M", "mem-path"},
        {"memory-backend-file,id=mem,size=32M,mem-path=/nonexistent/x", "/nonexistent/x"},
        {"memory-backend-shm,id=mem,size=32M,share=off", "share"},
        {"memory-backend-tape,id=mem,size=32M", "memory-backend-tape"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *arguments =
            g_strdup_printf("-M pc,memory-backend=mem -m 32M -object %s", rows[i].options);

        refused(arguments, rows[i].named, NULL);
    }
}

static void test_hugetlb(void)
{
    g_autofree char *pages = NULL;

    g_file_get_contents("/proc/sys/vm/nr_hugepages", &pages, NULL, NULL);
    if (pages && g_ascii_strtoull(pages, NULL, 10) > 0) {
        g_test_skip("this host has huge pages");
        return;
    }
    refused("-M pc,memory-backend=mem -m 32M -object memory-backend-memfd,id=mem,size=32M,"
            "hugetlb=on",
            "'mem'", "huge");
}

static void test_prealloc(void)
{
    for (guint prealloc = 0; prealloc < 2; prealloc++) {
        Vmm *vmm = vmm_start_or_fail(NULL,
                                     "-M pc,memory-backend=mem -m 32M -object "
                                     "memory-backend-memfd,id=mem,size=32M,prealloc=%s",
                                     prealloc ? "on" : "off");
        guint64 kilobytes = process_number(vmm->pid, "status", "RssShmem");

        if (prealloc) {
            g_assert_cmpuint(kilobytes, >=, 32 << 10);
        } else {
            g_assert_cmpuint(kilobytes, <, 4 << 10);
        }
        vmm_end(vmm);
    }
}

/* F_GET_SEALS of the one memfd that is guest RAM; -1 if there is none. */
static int ram_seals(Vmm *vmm)
{
    g_autofree char *folder = g_strdup_printf("/proc/%d/fd", vmm->pid);
    g_autoptr(GDir) directory = g_dir_open(folder, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(directory))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_autofree char *target = g_file_read_link(path, NULL);
        int fd, seals = -1;
        off_t size;

        if (!target || !g_str_has_prefix(target, "/memfd:") || (fd = open(path, O_RDONLY)) < 0) {
            continue;
        }
        size = lseek(fd, 0, SEEK_END);
        seals = fcntl(fd, F_GET_SEALS);
        close(fd);
        if (size == 32 << 20) {
            return seals;
        }
    }
    return -1;
}

static void test_seal(void)
{
    for (guint seal = 0; seal < 3; seal++) {
        static const char *const options[] = {",seal=off", ",seal=on", ""};
        Vmm *vmm = vmm_start_or_fail(NULL,
                                     "-M pc,memory-backend=mem -m 32M -object "
                                     "memory-backend-memfd,id=mem,size=32M%s",
                                     options[seal]);
        int seals = ram_seals(vmm);

        g_assert_cmpint(seals, >=, 0);
        g_assert_cmphex(seals & F_SEAL_SHRINK, ==, seal ? F_SEAL_SHRINK : 0);
        vmm_end(vmm);
    }
}

static void test_nodes(void)
{
    static const char *const policies[] = {"bind", "preferred", "interleave"};

    if (!g_file_test("/sys/devices/system/node/node0", G_FILE_TEST_IS_DIR)) {
        g_test_skip("this host shows no NUMA node");
        return;
    }
    for (guint i = 0; i < G_N_ELEMENTS(policies); i++) {
        g_autoptr(json_object) memory = NULL;
        Vmm *vmm = vmm_start_or_fail(NULL,
                                     "-M pc,memory-backend=mem -m 32M -object "
                                     "memory-backend-memfd,id=mem,size=32M,host-nodes=0,policy=%s",
                                     policies[i]);

        memory = qmp_command_or_fail(vmm->qmp, "{'execute':'query-memdev'}");
        g_assert_cmpstr(qmp_get_string(memory, "0/policy"), ==, policies[i]);
        g_assert_cmpint(qmp_get_int(memory, "0/host-nodes/0", -1), ==, 0);
        qtest_writel(vmm->qtest, 0x100000, 1);
        vmm_end(vmm);
    }
}

int main(int argc, char **argv)
{
    static const MemoryRow rows[] = {
        {"small", "64", 64 << 20, 4 * GIB},
        {"below-hole", "3G", 3 * GIB, 4 * GIB},
        {"split", "4G", 4 * GIB, 5 * GIB},
        {"rounded", "3584M", 7 * GIB / 2, 5 * GIB},
    };
    static const struct {
        const char *name, *object;
    } kinds[] = {
        {"memfd", "memory-backend-memfd"},
        {"shm", "memory-backend-shm"},
        {"file", "memory-backend-file,mem-path=PATH,share=on"},
    };

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/machine/command-line", test_command_line);
    g_test_add_func("/machine/address-spellings", test_address_spellings);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *name = g_strdup_printf("/machine/memory/%s", rows[i].name);

        g_test_add_data_func(name, &rows[i], test_memory);
    }
    g_test_add_func("/machine/events", test_events);
    g_test_add_func("/machine/soft-off", test_soft_off);
    g_test_add_data_func("/machine/signal/term", GINT_TO_POINTER(SIGTERM), test_signal);
    g_test_add_data_func("/machine/signal/int", GINT_TO_POINTER(SIGINT), test_signal);
    g_test_add_data_func("/machine/signal/hup", GINT_TO_POINTER(SIGHUP), test_signal);
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *name = g_strdup_printf("/machine/ram/%s", kinds[i].name);

        g_test_add_data_func(name, kinds[i].object, test_backend_kind);
    }
    g_test_add_func("/machine/ram/private-refused", test_private_refused);
    g_test_add_func("/machine/ram/refusals", test_refusals);
    g_test_add_func("/machine/ram/hugetlb", test_hugetlb);
    g_test_add_func("/machine/ram/prealloc", test_prealloc);
    g_test_add_func("/machine/ram/seal", test_seal);
    g_test_add_func("/machine/ram/nodes", test_nodes);
    return g_test_run();
}
