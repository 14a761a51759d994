/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host notifiers (VRING_HOST_NOTIFIER_MSG): a page of the backend's takes the place of a queue's
 * doorbell, until the queue ends in whatever way; and all that a backend can do wrong with it.
 */
#include "qtest/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BIT(number) (UINT64_C(1) << (number))
#define PAGE 4096
#define PATIENCE 30000
#define RING_RESET 40 /* VIRTIO_F_RING_RESET (virtio 1.2, 6) */
#define PAGED "vhost-user-blk-pci,page-per-vq=on"

typedef struct Doorbell {
    int fd; /* a memfd of two pages, sealed against shrinking */
    volatile uint16_t *page;
} Doorbell;

static int memory_file(gsize size, unsigned seals)
{
    int fd = memfd_create("doorbell", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    g_assert_cmpint(ftruncate(fd, (off_t)size), ==, 0);
    g_assert_cmpint(fcntl(fd, F_ADD_SEALS, seals), ==, 0);
    return fd;
}

static Doorbell doorbell_new(void)
{
    Doorbell doorbell = {.fd = memory_file(2 * PAGE, F_SEAL_SHRINK)};

    doorbell.page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, doorbell.fd, 0);
    g_assert_true(doorbell.page != MAP_FAILED);
    return doorbell;
}

static void doorbell_free(Doorbell *doorbell)
{
    munmap((void *)doorbell->page, 2 * PAGE);
    close(doorbell->fd);
}

static Rig *start_with(const RigOptions *options, uint64_t protocol_features, uint64_t slots)
{
    BackendConfig config;

    backend_config_init(&config);
    config.features |= BIT(RING_RESET);
    config.protocol_features |= protocol_features;
    config.slots = slots;
    return rig_start(&config, options);
}

#define ALL                                                                                        \
    (BIT(VHOST_USER_PROTOCOL_F_HOST_NOTIFIER) | BIT(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD) |       \
     BIT(VHOST_USER_PROTOCOL_F_RESET_DEVICE))

/* A machine with a disk of doorbells a page apart, its driver at work. */
static Rig *start(guint queues)
{
    g_autofree char *device = g_strdup_printf(PAGED ",num-queues=%u", queues);
    RigOptions options = {.device = device, .monitors = 2};
    BlkOptions disk = {.queues = queues, .features = BIT(RING_RESET)};
    Rig *rig = start_with(&options, ALL, 32);

    rig_boot(rig, &disk);
    return rig;
}

static Backend *backend_of(Rig *rig)
{
    return rig_backend(rig, 0);
}

static VirtRing *ring_of(Rig *rig, guint index)
{
    return blk_disk_ring(rig_disk(rig, 0), index);
}

typedef struct Message {
    VhostUserHeader header;
    VhostUserVringArea area;
} __attribute__((packed)) Message;

static void ask(Rig *rig, const VhostUserVringArea *area, const int *fds, guint count)
{
    Message message = {
        {VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG,
         VHOST_USER_VERSION | VHOST_USER_FLAG_NEED_REPLY, sizeof(*area)},
        *area,
    };

    if (!backend_send_fds(backend_of(rig), &message, sizeof(message), fds, count)) {
        vmm_fail("the backend cannot send a request");
    }
}

static uint64_t answer(Rig *rig)
{
    struct {
        VhostUserHeader header;
        uint64_t value;
    } __attribute__((packed)) ack;

    if (!backend_receive(backend_of(rig), &ack, sizeof(ack), PATIENCE)) {
        vmm_fail("no answer to a request of the backend");
    }
    g_assert_cmpuint(ack.header.request, ==, VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG);
    g_assert_cmpuint(ack.header.flags, ==, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY);
    return ack.value;
}

/* Says why, where a test expected something else. */
static void explain(Rig *rig)
{
    g_autoptr(json_object) list = qmp_command_or_fail(rig->qmp, "{'execute':'x-query-vhost-user'}");
    const char *error = qmp_get_string(list, "0/last-error");

    g_test_message("%s", error != NULL ? error : "no reason");
}

/* Page @page of @doorbell for queue @index; what is answered. */
static uint64_t give(Rig *rig, const Doorbell *doorbell, guint index, guint page)
{
    uint64_t value;

    ask(rig, &(VhostUserVringArea){.index = index, .size = PAGE, .offset = page * PAGE},
        &doorbell->fd, 1);
    value = answer(rig);
    if (value != 0) {
        explain(rig);
    }
    return value;
}

static uint64_t take_back(Rig *rig, guint index)
{
    ask(rig, &(VhostUserVringArea){.index = index | VHOST_USER_VRING_NOFD_MASK}, NULL, 0);
    return answer(rig);
}

/* Whether the driver's notification of @ring goes to @doorbell's page @page. */
static gboolean rings(VirtRing *ring, Doorbell *doorbell, guint page)
{
    volatile uint16_t *word = doorbell->page + page * PAGE / sizeof(*word);

    *word = 0xffff;
    virt_ring_notify(ring);
    return *word != 0xffff;
}

static void execute(Rig *rig, const char *command)
{
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'%s'}", command));
}

static gint64 count_of(Rig *rig, const char *path)
{
    g_autoptr(json_object) list = qmp_command_or_fail(rig->qmp, "{'execute':'x-query-vhost-user'}");

    return qmp_get_int(list, path, -1);
}

static gboolean has_notifier(Rig *rig, guint queue)
{
    g_autofree char *path = g_strdup_printf("0/rings/%u/host-notifier", queue);
    g_autoptr(json_object) list = qmp_command_or_fail(rig->qmp, "{'execute':'x-query-vhost-user'}");

    return json_object_get_boolean(qmp_get(list, path));
}

static void wait_for_rings(Rig *rig, guint count)
{
    for (guint tries = 0; backend_rings_running(backend_of(rig)) != count; tries++) {
        if (tries > PATIENCE) {
            vmm_fail("%u rings do not run", count);
        }
        g_usleep(1000);
    }
}

static void wait_for_output(Rig *rig, const char *wanted)
{
    for (guint tries = 0; tries < PATIENCE; tries++) {
        g_autofree char *output = vmm_output(rig->vmm);

        if (strstr(output, wanted)) {
            return;
        }
        g_usleep(1000);
    }
    vmm_fail("the program does not say '%s'", wanted);
}

static void check_data(Rig *rig)
{
    rig_check_data(rig, 0, guest_memory_alloc(&rig->memory, PAGE, PAGE));
}

/* --- the right way --- */

/* The page gets what the driver stores, the backend's event fd does not; and back again. */
static void test_page(void)
{
    Rig *rig = start(2);
    Doorbell doorbell = doorbell_new();
    VirtBuffer header = {guest_memory_alloc(&rig->memory, PAGE, PAGE), 16, FALSE};
    VirtBuffer status = {header.address + 512, 513, TRUE};
    uint64_t requests = backend_requests(backend_of(rig));

    g_assert_cmpuint(give(rig, &doorbell, 0, 1), ==, 0);
    g_assert_true(has_notifier(rig, 0));
    g_assert_false(has_notifier(rig, 1));
    g_assert_true(rings(ring_of(rig, 0), &doorbell, 1));
    g_assert_cmpuint(doorbell.page[PAGE / 2], ==, 0); /* the queue's index (virtio 1.2, 4.1.5.2) */
    g_assert_cmpuint(doorbell.page[0], ==, 0);        /* offset 0 of the file was not asked for */
    g_assert_false(rings(ring_of(rig, 1), &doorbell, 1));

    virt_ring_add(ring_of(rig, 0), (VirtBuffer[]){header, status}, 2);
    g_assert_true(rings(ring_of(rig, 0), &doorbell, 1));
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'query-status'}"));
    g_assert_cmpuint(backend_requests(backend_of(rig)), ==, requests);

    /* What it saw in the page alone is not lost when the page goes. */
    g_assert_cmpuint(take_back(rig, 0), ==, 0);
    g_assert_cmpint(virt_ring_wait(ring_of(rig, 0), NULL, PATIENCE), >=, 0);
    g_assert_false(has_notifier(rig, 0));
    g_assert_false(rings(ring_of(rig, 0), &doorbell, 1));
    check_data(rig);
    g_assert_cmpuint(take_back(rig, 0), ==, 0); /* again: it is gone */

    g_assert_cmpuint(give(rig, &doorbell, 1, 0), ==, 0);
    g_assert_true(rings(ring_of(rig, 1), &doorbell, 0));
    g_assert_cmpuint(doorbell.page[0], ==, 1);
    g_assert_cmpint(count_of(rig, "0/host-notifiers-set"), ==, 2);
    g_assert_cmpint(count_of(rig, "0/host-notifiers-refused"), ==, 0);
    doorbell_free(&doorbell);
    rig_end(rig);
}

/* The window in configuration space (virtio 1.2, 4.1.4.9) leads to the page, and so does a BAR that
 * has moved. */
static void test_ways(void)
{
    Rig *rig = start(1);
    Doorbell doorbell = doorbell_new();
    VirtDevice *driver = rig->drivers->pdata[0];
    uint64_t bar = driver->pci->bars[4].address, away = bar + (UINT64_C(1) << 24);
    uint64_t notify = driver->notify - bar;
    uint8_t window = 0;

    g_assert_cmpuint(driver->notify_multiplier, ==, PAGE);
    g_assert_cmpuint(give(rig, &doorbell, 0, 0), ==, 0);
    do {
        window = pci_capability(driver->pci, PCI_CAP_ID_VNDR, window);
        g_assert_cmpuint(window, !=, 0);
    } while (pci_config_readb(driver->pci, window + 3) != VIRTIO_PCI_CAP_PCI_CFG);
    pci_config_writeb(driver->pci, window + 4, 4);
    pci_config_writel(driver->pci, window + 8, (uint32_t)notify);
    pci_config_writel(driver->pci, window + 12, 2);
    doorbell.page[0] = 0xffff;
    pci_config_writew(driver->pci, window + 16, 0x1234);
    g_assert_cmpuint(doorbell.page[0], ==, 0x1234);

    pci_config_writel(driver->pci, PCI_BASE_ADDRESS_4, (uint32_t)away);
    qtest_writew(rig->qtest, bar + notify, 1);
    g_assert_cmpuint(doorbell.page[0], ==, 0x1234);
    qtest_writew(rig->qtest, away + notify, 0x4321);
    g_assert_cmpuint(doorbell.page[0], ==, 0x4321);
    pci_config_writel(driver->pci, PCI_BASE_ADDRESS_4, (uint32_t)bar);
    g_assert_true(rings(ring_of(rig, 0), &doorbell, 0));
    doorbell_free(&doorbell);
    rig_end(rig);
}

/* The page is no region of guest memory: a backend with all its slots in use can give one, and no
 * message about memory goes. */
static void test_slots(void)
{
    RigOptions options = {.device = PAGED};
    Rig *rig = start_with(&options, ALL, 3);
    Doorbell doorbell = doorbell_new();
    g_autofree char *refusal = NULL;
    gint64 used;

    rig_boot(rig, NULL);
    refusal = rig_fill(rig, 0, 2);
    rig_assert_names(refusal, "'b0'", "3 memory slots", NULL);
    used = count_of(rig, "0/slots-used");
    rig_clear(rig);
    g_assert_cmpuint(give(rig, &doorbell, 0, 0), ==, 0);
    g_assert_true(rings(ring_of(rig, 0), &doorbell, 0));
    g_assert_cmpint(count_of(rig, "0/slots-used"), ==, used);
    g_assert_cmpuint(rig_count(rig, VHOST_USER_ADD_MEM_REG), ==, 0);
    rig_unplug(rig, 1);
    rig_plug(rig, 1);
    g_assert_true(rings(ring_of(rig, 0), &doorbell, 0));
    doorbell_free(&doorbell);
    rig_end(rig);
}

/* --- the end of a page --- */

static void end_by_stop(Rig *rig)
{
    execute(rig, "stop");
    execute(rig, "cont");
    wait_for_rings(rig, 1);
}

static void end_by_reset(Rig *rig)
{
    rig_boot(rig, NULL);
}

static void end_by_machine_reset(Rig *rig)
{
    execute(rig, "system_reset");
    rig_forget_drivers(rig);
    rig_boot(rig, NULL);
}

static void end_by_queue_reset(Rig *rig)
{
    virt_ring_reset(ring_of(rig, 0));
    virt_ring_enable(ring_of(rig, 0));
    wait_for_rings(rig, 1);
}

static void end_by_hang_up(Rig *rig)
{
    backend_hang_up(backend_of(rig));
    g_assert_true(backend_wait_connections(backend_of(rig), 2, PATIENCE));
    wait_for_rings(rig, 1);
}

static const struct {
    const char *name;
    void (*end)(Rig *rig);
} ends[] = {
    {"stop", end_by_stop},
    {"reset", end_by_reset},
    {"machine-reset", end_by_machine_reset},
    {"queue-reset", end_by_queue_reset},
    {"hang-up", end_by_hang_up},
};

/* Whatever ends the queue ends the page, and the backend gives another one afterwards. */
static void test_ends(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(ends); i++) {
        RigOptions options = {.device = PAGED, .chardev = ",reconnect-ms=10"};
        BlkOptions disk = {.features = BIT(RING_RESET)};
        Rig *rig = start_with(&options, ALL, 32);
        Doorbell doorbell = doorbell_new();

        g_test_message("%s", ends[i].name);
        rig_boot(rig, &disk);
        g_assert_cmpuint(give(rig, &doorbell, 0, 0), ==, 0);
        ends[i].end(rig);
        g_assert_false(rings(ring_of(rig, 0), &doorbell, 0));
        check_data(rig);
        g_assert_cmpuint(give(rig, &doorbell, 0, 1), ==, 0);
        g_assert_true(rings(ring_of(rig, 0), &doorbell, 1));
        g_assert_cmpuint(take_back(rig, 0), ==, 0);
        check_data(rig);
        doorbell_free(&doorbell);
        rig_end(rig);
    }
}

/* The device is unplugged with the page in place. */
static void test_unplug(void)
{
    Rig *rig = start(1);
    Doorbell doorbell = doorbell_new();

    g_assert_cmpuint(give(rig, &doorbell, 0, 0), ==, 0);
    json_object_put(
        qmp_command_or_fail(rig->qmp, "{'execute':'device_del','arguments':{'id':'b0'}}"));
    execute(rig, "system_reset");
    json_object_put(qmp_event_where(rig->qmp, "DEVICE_DELETED", "device", "b0", PATIENCE));
    doorbell.page[0] = 0xffff;
    qtest_writew(rig->qtest, ((VirtDevice *)rig->drivers->pdata[0])->notify, 1);
    g_assert_cmpuint(doorbell.page[0], ==, 0xffff);
    doorbell_free(&doorbell);
    rig_end(rig);
}

/* --- wrong ways --- */

enum { SEALED, UNSEALED, READ_ONLY, FILE_ON_DISK, PIPE, SOCKET, EVENT, FOLDER, NONE, TWO };

static const struct {
    const char *name;
    guint file;
    VhostUserVringArea area;
    const char *words;
} wrong[] = {
    {"no such queue", SEALED, {7, PAGE, 0}, "there is no queue of this index"},
    {"unknown bits", SEALED, {0x1000, PAGE, 0}, "unknown bits"},
    {"a stopped queue", SEALED, {1, PAGE, 0}, "queue 1 does not run"},
    {"size 0", SEALED, {0, 0, 0}, "size 0x0"},
    {"half a page", SEALED, {0, PAGE / 2, 0}, "size 0x800"},
    {"a page and a half", SEALED, {0, PAGE * 3 / 2, 0}, "size 0x1800"},
    {"offset within a page", SEALED, {0, PAGE, 16}, "offset 0x10"},
    {"behind the end", SEALED, {0, PAGE, 2 * PAGE}, "its file at 0x2000"},
    {"beyond the end", SEALED, {0, 3 * PAGE, 0}, "its file at 0x2000"},
    {"huge", SEALED, {0, UINT64_C(1) << 62, PAGE}, "its file at 0x2000"},
    {"negative", SEALED, {0, PAGE, UINT64_C(1) << 63}, "offset 0x8000000000000000"},
    {"wraps", SEALED, {0, PAGE, UINT64_MAX - PAGE + 1}, "wraps"},
    {"can be cut", UNSEALED, {0, PAGE, 0}, "F_SEAL_SHRINK"},
    {"read-only", READ_ONLY, {0, PAGE, 0}, "cannot be mapped"},
    {"file", FILE_ON_DISK, {0, PAGE, 0}, "F_SEAL_SHRINK"},
    {"pipe", PIPE, {0, PAGE, 0}, "cannot be mapped"},
    {"socket", SOCKET, {0, PAGE, 0}, "cannot be mapped"},
    {"event fd", EVENT, {0, PAGE, 0}, "cannot be mapped"},
    {"folder", FOLDER, {0, PAGE, 0}, "cannot be mapped"},
    {"no descriptor", NONE, {0, PAGE, 0}, "contradicts bit 8"},
    {"a descriptor too many", TWO, {0, PAGE, 0}, "number of descriptors"},
    {"a descriptor to take back", SEALED, {0x100, PAGE, 0}, "contradicts bit 8"},
};

static int open_wrong(guint file)
{
    int fds[2];

    switch (file) {
    case UNSEALED:
        return memory_file(2 * PAGE, 0);
    case READ_ONLY:
        return memory_file(2 * PAGE, F_SEAL_SHRINK | F_SEAL_WRITE);
    case FILE_ON_DISK:
        return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    case PIPE:
        g_assert_cmpint(pipe(fds), ==, 0);
        close(fds[1]);
        return fds[0];
    case SOCKET:
        return socket(AF_UNIX, SOCK_STREAM, 0);
    case EVENT:
        return eventfd(0, 0);
    case FOLDER:
        return open("/", O_RDONLY | O_DIRECTORY);
    default:
        return memory_file(2 * PAGE, F_SEAL_SHRINK);
    }
}

/* Each is refused with an answer and a word, and a right one is taken afterwards. */
static void test_wrong(void)
{
    g_autofree char *device = g_strdup(PAGED ",num-queues=2");
    RigOptions options = {.device = device};
    Rig *rig = start_with(&options, ALL, 32);
    Doorbell doorbell = doorbell_new();
    guint refused = 0;

    rig_boot(rig, NULL); /* one queue of the two */
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        int fds[2] = {open_wrong(wrong[i].file), open_wrong(SEALED)};
        g_autoptr(json_object) list = NULL;

        g_test_message("%s", wrong[i].name);
        ask(rig, &wrong[i].area, fds, wrong[i].file == NONE ? 0 : wrong[i].file == TWO ? 2 : 1);
        g_assert_cmpuint(answer(rig), !=, 0);
        list = qmp_command_or_fail(rig->qmp, "{'execute':'x-query-vhost-user'}");
        rig_assert_names(qmp_get_string(list, "0/last-error"), "'b0'", "host notifier",
                         wrong[i].words, NULL);
        g_assert_cmpint(qmp_get_int(list, "0/host-notifiers-refused", -1), ==, ++refused);
        g_assert_false(rings(ring_of(rig, 0), &doorbell, 0));
        close(fds[0]);
        close(fds[1]);
    }
    wait_for_output(rig, "the backend's host notifier is refused: there is no queue");
    wait_for_output(rig, "more are only counted");

    g_assert_cmpuint(give(rig, &doorbell, 0, 0), ==, 0);
    g_assert_cmpuint(give(rig, &doorbell, 0, 1), !=, 0); /* it has one */
    g_assert_true(rings(ring_of(rig, 0), &doorbell, 0));
    g_assert_cmpuint(take_back(rig, 0), ==, 0);
    check_data(rig);
    doorbell_free(&doorbell);
    rig_end(rig);
}

/* While the guest is stopped no queue runs. */
static void test_stopped(void)
{
    Rig *rig = start(1);
    Doorbell doorbell = doorbell_new();

    execute(rig, "stop");
    g_assert_cmpuint(give(rig, &doorbell, 0, 0), !=, 0);
    g_assert_cmpuint(take_back(rig, 0), !=, 0);
    execute(rig, "cont");
    wait_for_rings(rig, 1);
    g_assert_cmpuint(give(rig, &doorbell, 0, 0), ==, 0);
    doorbell_free(&doorbell);
    rig_end(rig);
}

/* --- negotiation --- */

static void check_not_negotiated(const char *device, uint64_t features)
{
    RigOptions options = {.device = device};
    Rig *rig = start_with(&options, features, 32);
    Doorbell doorbell = doorbell_new();
    BackendMessage message;
    guint i = 0;

    rig_boot(rig, NULL);
    while (backend_message(backend_of(rig), i++, &message)) {
        if (message.header.request == VHOST_USER_SET_PROTOCOL_FEATURES) {
            g_assert_cmpuint(message.payload.u64 & ALL & ~BIT(VHOST_USER_PROTOCOL_F_RESET_DEVICE),
                             ==, 0);
        }
    }
    g_assert_cmpuint(give(rig, &doorbell, 0, 0), !=, 0);
    wait_for_output(rig, "HOST_NOTIFIER was not negotiated");
    g_assert_false(rings(ring_of(rig, 0), &doorbell, 0));
    check_data(rig);
    doorbell_free(&doorbell);
    rig_end(rig);
}

/* All queues' doorbells in one page: the feature is not taken, and a page is refused by name. */
static void test_shared_page(void)
{
    check_not_negotiated("vhost-user-blk-pci", ALL);
}

/* A backend that cannot send descriptors has no page to give. */
static void test_no_descriptors(void)
{
    check_not_negotiated(PAGED, ALL & ~BIT(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD));
}

/* --- both wait --- */

/* A backend gives its page in the middle of our request and waits for the answer: it gets one while
 * we wait for it. */
static void test_while_we_wait(void)
{
    Rig *rig = start(1);
    Doorbell doorbell = doorbell_new();
    BackendFault hang = {VHOST_USER_ADD_MEM_REG, 1, FAULT_HANG, 0, 0};

    backend_fault(backend_of(rig), &hang);
    json_object_put(qmp_command_or_fail(
        rig->qmp, "{'execute':'object-add','arguments':{'qom-type':'memory-backend-memfd',"
                  "'id':'m0','size':2097152,'share':true}}"));
    qmp_send(rig->qmp, "{'execute':'device_add','arguments':{'driver':'pc-dimm','id':'d0',"
                       "'memdev':'m0'}}");
    g_assert_cmpuint(give(rig, &doorbell, 0, 0), ==, 0);
    g_assert_true(rings(ring_of(rig, 0), &doorbell, 0));
    g_assert_false(qmp_answer_ready(rig->qmp, 0));
    doorbell_free(&doorbell);
    rig_free(rig);
}

/* A thousand pages a second and more, right ones and wrong ones: heard no more, and the guest goes
 * on. */
static void test_flood(void)
{
    Rig *rig = start(1);
    Doorbell doorbell = doorbell_new();
    Message message = {
        {VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG, VHOST_USER_VERSION, sizeof(message.area)},
        {0, PAGE, 0},
    };
    gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

    for (guint sent = 0; sent < 4000 && g_get_monotonic_time() < end;) {
        if (backend_send_fds(backend_of(rig), &message, sizeof(message), &doorbell.fd, 1)) {
            sent++;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            break;
        }
    }
    wait_for_output(rig, "floods");
    rig_check_other_monitor(rig, FALSE);
    g_assert_true(rings(ring_of(rig, 0), &doorbell, 0)); /* the first one holds */
    end_by_stop(rig);
    check_data(rig);
    doorbell_free(&doorbell);
    rig_end(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vhost-user-notifier/page", test_page);
    g_test_add_func("/vhost-user-notifier/ways", test_ways);
    g_test_add_func("/vhost-user-notifier/slots", test_slots);
    g_test_add_func("/vhost-user-notifier/ends", test_ends);
    g_test_add_func("/vhost-user-notifier/unplug", test_unplug);
    g_test_add_func("/vhost-user-notifier/wrong", test_wrong);
    g_test_add_func("/vhost-user-notifier/stopped", test_stopped);
    g_test_add_func("/vhost-user-notifier/shared-page", test_shared_page);
    g_test_add_func("/vhost-user-notifier/no-descriptors", test_no_descriptors);
    g_test_add_func("/vhost-user-notifier/while-we-wait", test_while_we_wait);
    g_test_add_func("/vhost-user-notifier/flood", test_flood);
    return g_test_run();
}
