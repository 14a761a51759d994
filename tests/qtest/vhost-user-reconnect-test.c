/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A backend goes and comes back: what it is brought in one go, what it has to have for that, what
 * the machine does meanwhile, and who is told.
 */
#include "qtest/rig.h"

#include <string.h>

#define RECONNECT ",reconnect-ms=10"
#define PATIENCE 20000
#define EVENT "VHOST_USER_DEVICE_ERROR"

static const RigOptions reconnect = {.chardev = RECONNECT, .monitors = 2};

/* --- what is looked at --- */

static char *info(Rig *rig, const char *path)
{
    g_autoptr(json_object) answer =
        qmp_command_or_fail(rig->qmp, "{'execute':'x-query-vhost-user'}");
    g_autofree char *full = g_strdup_printf("0/%s", path);
    json_object *value = qmp_get(answer, full);

    return g_strdup(value ? json_object_get_string(value) : "");
}

static void assert_info(Rig *rig, const char *path, const char *expected)
{
    g_autofree char *value = info(rig, path);

    g_assert_cmpstr(value, ==, expected);
}

static void wait_info(Rig *rig, const char *path, const char *expected)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE * 1000LL;

    for (;;) {
        g_autofree char *value = info(rig, path);

        if (strcmp(value, expected) == 0) {
            return;
        }
        if (g_get_monotonic_time() > deadline) {
            vmm_fail("x-query-vhost-user: %s is %s instead of %s", path, value, expected);
        }
        g_usleep(2000);
    }
}

/* The next event of the device, which must be of @action; its reason names @word. */
static json_object *next_event(Rig *rig, const char *action, const char *word)
{
    json_object *event = qmp_event_or_fail(rig->qmp, EVENT, PATIENCE);

    g_test_message("%s", json_object_get_string(event));
    g_assert_cmpstr(qmp_get_string(event, "data/device"), ==, "b0");
    g_assert_cmpstr(qmp_get_string(event, "data/path"), ==, "/machine/peripheral/b0");
    g_assert_cmpstr(qmp_get_string(event, "data/action"), ==, action);
    rig_assert_names(qmp_get_string(event, "data/reason"), "'b0'", word, NULL);
    return event;
}

static void expect_event(Rig *rig, const char *action, const char *request, const char *word)
{
    g_autoptr(json_object) event = next_event(rig, action, word);

    g_assert_cmpstr(qmp_get_string(event, "data/request"), ==, request);
}

static void expect_no_event(Rig *rig)
{
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'query-status'}"));
    qmp_expect_no_event(rig->qmp, EVENT, 0);
}

static Backend *backend_of(Rig *rig)
{
    return rig_backend(rig, 0);
}

static VirtDevice *driver_of(Rig *rig)
{
    return rig->drivers->pdata[0];
}

static gboolean needs_reset(Rig *rig)
{
    return (virt_device_status(driver_of(rig)) & VIRTIO_CONFIG_S_NEEDS_RESET) != 0;
}

/* --- the backend goes, and is let in or not --- */

/* Between messages or in the middle of one, of which the event then tells. */
static void hang_up(Rig *rig)
{
    g_autoptr(json_object) event = NULL;
    const char *request;

    backend_hang_up(backend_of(rig));
    event = next_event(rig, "reconnecting", "hung up");
    request = qmp_get_string(event, "data/request");
    if (request) {
        rig_assert_names(qmp_get_string(event, "data/reason"), request, NULL);
    }
}

/* As if nobody listened: each connection ends at its first message. */
static void listen_no_more(Rig *rig)
{
    BackendFault fault = {
        .request = VHOST_USER_GET_FEATURES, .occurrence = 0, .kind = FAULT_CLOSE_BEFORE};

    backend_fault(backend_of(rig), &fault);
}

static void shut_out(Rig *rig)
{
    listen_no_more(rig);
    hang_up(rig);
    assert_info(rig, "connected", "false");
}

/* The same right after memory was plugged, which is behind all messages before it: none is under
 * way. */
static void shut_out_idle(Rig *rig)
{
    listen_no_more(rig);
    backend_hang_up(backend_of(rig));
    expect_event(rig, "reconnecting", NULL, "hung up");
    assert_info(rig, "connected", "false");
}

static void await_return(Rig *rig, guint rings)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE * 1000LL;

    wait_info(rig, "connected", "true");
    while (backend_rings_running(backend_of(rig)) < rings) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_usleep(1000);
    }
}

static void let_in(Rig *rig, guint rings)
{
    backend_faults_clear(backend_of(rig));
    await_return(rig, rings);
    qmp_events_clear(rig->qmp); /* of connections that were shut out */
}

/* --- the whole state comes back --- */

static void test_returns(gconstpointer without)
{
    BackendConfig config;
    Rig *rig;

    backend_config_init(&config);
    config.protocol_features &= ~(uint64_t)GPOINTER_TO_SIZE(without);
    rig = rig_start(&config, &reconnect);
    rig_boot(rig, NULL);
    for (guint i = 0; i < 3; i++) {
        rig_plug(rig, i);
    }
    rig_check_data(rig, 0, rig_dimm_address(rig, 1));
    for (guint round = 2; round <= 4; round++) {
        hang_up(rig);
        await_return(rig, 1);
        g_assert_cmpuint(backend_connections(backend_of(rig)), ==, round);
        g_assert_cmpuint(backend_regions(backend_of(rig)), ==, 3 + 1);
        rig_check_data(rig, 0, rig_dimm_address(rig, 2));
    }
    rig_plug(rig, 3);
    rig_check_data(rig, 0, rig_dimm_address(rig, 3));
    assert_info(rig, "connections", "4");
    assert_info(rig, "losses", "3");
    assert_info(rig, "ignored", "0");
    expect_no_event(rig);
    g_assert_false(needs_reset(rig));
    rig_end(rig);
}

/* Requests of the gap: each is done once, in the order of the ring. */
static void test_gap(void)
{
    enum { REQUESTS = 40 };
    Rig *rig = rig_start(NULL, &reconnect);
    guint tags[REQUESTS];
    uint64_t buffer, before;

    rig_boot(rig, NULL);
    buffer = guest_memory_alloc(&rig->memory, REQUESTS * 512, 512);
    rig_check_data(rig, 0, buffer);
    before = backend_requests(backend_of(rig));
    shut_out(rig);
    for (guint i = 0; i < REQUESTS; i++) {
        qtest_memset(rig->qtest, buffer + i * 512, (uint8_t)(i + 1), 512);
        tags[i] = blk_disk_submit(rig_disk(rig, 0), 0, VIRTIO_BLK_T_OUT, i, buffer + i * 512, 512);
    }
    g_assert_cmpint(blk_disk_finish(rig_disk(rig, 0), tags[0], 50), ==, -1);
    let_in(rig, 1);
    for (guint i = 0; i < REQUESTS; i++) {
        g_assert_cmpint(blk_disk_finish(rig_disk(rig, 0), tags[i], PATIENCE), ==, VIRTIO_BLK_S_OK);
    }
    for (guint i = 0; i < REQUESTS; i++) {
        g_assert_cmpuint(backend_disk(backend_of(rig))[i * 512], ==, i + 1);
    }
    g_assert_cmpuint(backend_requests(backend_of(rig)) - before, ==, REQUESTS);
    rig_end(rig);
}

/* What was plugged and unplugged without it is there, and gone, when it returns. */
static void test_memory_meanwhile(gconstpointer without)
{
    BackendConfig config;
    Rig *rig;

    backend_config_init(&config);
    config.protocol_features &= ~(uint64_t)GPOINTER_TO_SIZE(without);
    rig = rig_start(&config, &reconnect);
    rig_boot(rig, NULL);
    rig_plug(rig, 0);
    rig_plug(rig, 1);
    shut_out_idle(rig);
    rig_plug(rig, 2);
    rig_unplug(rig, 0);
    rig_plug(rig, 3);
    let_in(rig, 1);
    g_assert_cmpuint(backend_regions(backend_of(rig)), ==, 1 + 3);
    for (guint i = 1; i <= 3; i++) {
        rig_check_data(rig, 0, rig_dimm_address(rig, i));
    }
    rig_unplug(rig, 2);
    g_assert_cmpuint(backend_regions(backend_of(rig)), ==, 1 + 2);
    rig_end(rig);
}

/* One message a region, nothing asked twice, however many there are. */
static void test_many_regions(gconstpointer data)
{
    guint dimms = GPOINTER_TO_UINT(data) - 1;
    RigOptions options = {.chardev = RECONNECT, .memory_slots = dimms + 10};
    BackendConfig config;
    uint64_t first, again;
    Rig *rig;

    backend_config_init(&config);
    config.slots = dimms + 1;
    config.keep_log = FALSE;
    rig = rig_start(&config, &options);
    for (guint i = 0; i < dimms; i++) {
        rig_plug(rig, i);
    }
    rig_boot(rig, NULL);
    rig_settle(rig);
    first = backend_total(backend_of(rig));
    g_assert_cmpuint(backend_regions(backend_of(rig)), ==, dimms + 1);
    backend_clear(backend_of(rig));
    hang_up(rig);
    await_return(rig, 1);
    rig_check_data(rig, 0, RIG_AREA + (dimms - 1) * RIG_DIMM);
    rig_settle(rig);
    again = backend_total(backend_of(rig));
    g_assert_cmpuint(backend_regions(backend_of(rig)), ==, dimms + 1);
    g_assert_cmpuint(backend_count(backend_of(rig), VHOST_USER_ADD_MEM_REG), ==, dimms + 1);
    g_assert_cmpuint(backend_count(backend_of(rig), VHOST_USER_REM_MEM_REG), ==, 0);
    g_assert_cmpuint(backend_count(backend_of(rig), VHOST_USER_SET_MEM_TABLE), ==, 0);
    g_assert_cmpuint(backend_count(backend_of(rig), VHOST_USER_GET_MAX_MEM_SLOTS), ==, 1);
    g_assert_cmpuint(again, ==, first); /* the return takes what the first start took */
    g_test_message("%u regions: %" G_GUINT64_FORMAT " messages", dimms + 1, again);
    rig_end(rig);
}

/* Restarted at each of the messages by which it is taken back. */
static void test_ends_at_each_message(gconstpointer data)
{
    static const uint32_t requests[] = {
        VHOST_USER_GET_FEATURES,     VHOST_USER_GET_PROTOCOL_FEATURES,
        VHOST_USER_SET_OWNER,        VHOST_USER_SET_PROTOCOL_FEATURES,
        VHOST_USER_GET_QUEUE_NUM,    VHOST_USER_GET_MAX_MEM_SLOTS,
        VHOST_USER_GET_CONFIG,       VHOST_USER_SET_FEATURES,
        VHOST_USER_ADD_MEM_REG,      VHOST_USER_SET_VRING_NUM,
        VHOST_USER_SET_VRING_BASE,   VHOST_USER_SET_VRING_ADDR,
        VHOST_USER_SET_VRING_KICK,   VHOST_USER_SET_VRING_CALL,
        VHOST_USER_SET_VRING_ENABLE,
    };
    FaultKind kind = GPOINTER_TO_UINT(data);
    Rig *rig = rig_start(NULL, &reconnect);

    rig_boot(rig, NULL);
    rig_plug(rig, 0);
    for (guint i = 0; i < G_N_ELEMENTS(requests); i++) {
        BackendFault fault = {.request = requests[i], .occurrence = 1, .kind = kind};
        guint connections = backend_connections(backend_of(rig));

        backend_fault(backend_of(rig), &fault);
        hang_up(rig);
        g_assert_true(backend_wait_connections(backend_of(rig), connections + 2, PATIENCE));
        await_return(rig, 1);
        rig_check_data(rig, 0, rig_dimm_address(rig, 0));
        g_assert_cmpuint(backend_regions(backend_of(rig)), ==, 2);
        g_assert_false(needs_reset(rig));
        qmp_events_clear(rig->qmp);
    }
    rig_end(rig);
}

/* The byte that the driver wrote is written again. */
static void test_config_write(void)
{
    BlkOptions disk = {.features = BIT(VIRTIO_BLK_F_CONFIG_WCE) | BIT(VIRTIO_BLK_F_FLUSH)};
    BackendConfig config;
    uint64_t mode;
    Rig *rig;

    backend_config_init(&config);
    config.features |= BIT(VIRTIO_BLK_F_CONFIG_WCE);
    rig = rig_start(&config, &reconnect);
    rig_boot(rig, &disk);
    mode = driver_of(rig)->config + offsetof(struct virtio_blk_config, wce);
    qtest_writeb(rig->qtest, mode, 1);
    g_assert_true(backend_wait(backend_of(rig), VHOST_USER_SET_CONFIG, 1, PATIENCE));
    hang_up(rig);
    await_return(rig, 1);
    g_assert_true(backend_wait(backend_of(rig), VHOST_USER_SET_CONFIG, 2, PATIENCE));
    g_assert_cmpuint(qtest_readb(rig->qtest, mode), ==, 1);
    shut_out(rig);
    qtest_writeb(rig->qtest, mode, 0);
    let_in(rig, 1);
    g_assert_true(backend_wait(backend_of(rig), VHOST_USER_SET_CONFIG, 3, PATIENCE));
    g_assert_cmpuint(qtest_readb(rig->qtest, mode), ==, 0);
    rig_check_data(rig, 0, guest_memory_alloc(&rig->memory, 4096, 4096));
    rig_end(rig);
}

/* --- what does not fit stays out --- */

typedef struct MisfitCase {
    const char *name;
    const char *word; /* of the event's reason */
    void (*change)(BackendConfig *config);
} MisfitCase;

static void fewer_slots(BackendConfig *config)
{
    config->slots = 2;
}

static void no_slots(BackendConfig *config)
{
    config->slots = 0;
}

static void no_flush(BackendConfig *config)
{
    config->features &= ~BIT(VIRTIO_BLK_F_FLUSH);
}

static void no_features(BackendConfig *config)
{
    config->features = 0;
}

static void no_version_1(BackendConfig *config)
{
    config->features &= ~BIT(VIRTIO_F_VERSION_1);
}

static void no_config(BackendConfig *config)
{
    config->protocol_features &= ~BIT(VHOST_USER_PROTOCOL_F_CONFIG);
}

static void other_limit(BackendConfig *config)
{
    config->config[offsetof(struct virtio_blk_config, seg_max)] ^= 1;
}

static void fewer_queues(BackendConfig *config)
{
    config->queues = 1;
}

static const MisfitCase misfits[] = {
    {"fewer-slots", "allows 2 memory slots, 3 in use", fewer_slots},
    {"no-slots", "allows 0 memory slots, 3 in use", no_slots},
    {"other-features", "lacks features 0x200", no_flush},
    {"no-version-1", "lacks features 0x100000000", no_version_1},
    {"no-features", "2 queues are wanted", no_features},
    {"no-config", "CONFIG", no_config},
    {"other-config", "another configuration: byte 12 is", other_limit},
    {"fewer-queues", "2 queues are wanted, the backend has 1", fewer_queues},
};

static void test_misfit(gconstpointer data)
{
    const MisfitCase *one = data;
    RigOptions options = {.chardev = RECONNECT,
                          .arguments = "-global vhost-user-blk-pci.num-queues=2"};
    BlkOptions disk = {.queues = 2};
    BackendConfig config, misfit;
    Rig *rig;

    backend_config_init(&config);
    config.slots = 3;
    config.queues = 2;
    misfit = config;
    one->change(&misfit);
    rig = rig_start(&config, &options);
    rig_boot(rig, &disk);
    rig_plug(rig, 0);
    rig_plug(rig, 1);
    backend_set_config(backend_of(rig), &misfit);
    hang_up(rig);
    expect_event(rig, "ignored", NULL, one->word);
    /* The machine and its monitor live on, and it may come again as it was. */
    expect_event(rig, "ignored", NULL, one->word);
    g_assert_false(needs_reset(rig));
    assert_info(rig, "connected", "false");
    g_assert_cmpuint(backend_count(backend_of(rig), VHOST_USER_ADD_MEM_REG), ==, 3);
    backend_set_config(backend_of(rig), &config);
    await_return(rig, 2);
    rig_check_data(rig, 0, rig_dimm_address(rig, 1));
    assert_info(rig, "connections", "2");
    assert_info(rig, "losses", "1");
    rig_end(rig);
}

/* More of everything is fine, and the guest sees none of it. */
static void test_more_than_before(void)
{
    BackendConfig config, more;
    uint64_t offered;
    Rig *rig;

    backend_config_init(&config);
    config.slots = 3;
    more = config;
    more.slots = 100;
    more.queues = 8;
    more.features |= BIT(VIRTIO_BLK_F_CONFIG_WCE);
    more.config[offsetof(struct virtio_blk_config, num_queues)] = 8;
    rig = rig_start(&config, &reconnect);
    rig_boot(rig, NULL);
    offered = virt_device_offered(driver_of(rig));
    backend_set_config(backend_of(rig), &more);
    hang_up(rig);
    await_return(rig, 1);
    g_assert_cmphex(virt_device_offered(driver_of(rig)), ==, offered);
    g_assert_cmpuint(virt_device_queues(driver_of(rig)), ==, 1);
    for (guint i = 0; i < 5; i++) {
        rig_plug(rig, i);
    }
    rig_check_data(rig, 0, rig_dimm_address(rig, 4));
    rig_end(rig);
}

/* The limit binds while the backend is away, so that it fits when it returns. */
static void test_limit_meanwhile(void)
{
    g_autofree char *text = NULL;
    BackendConfig config;
    Rig *rig;

    backend_config_init(&config);
    config.slots = 3;
    rig = rig_start(&config, &reconnect);
    rig_boot(rig, NULL);
    rig_plug(rig, 0);
    shut_out_idle(rig);
    text = rig_fill(rig, 1, 1);
    rig_assert_names(text, "'b0'", "allows 3 memory slots, 3 in use", NULL);
    let_in(rig, 1); /* with exactly as many as are in use */
    rig_check_data(rig, 0, rig_dimm_address(rig, 1));
    rig_end(rig);
}

/* A region that it does not take back is as good as a misfit. */
static void test_refuses_region(void)
{
    BackendFault fault = {
        .request = VHOST_USER_ADD_MEM_REG, .occurrence = 2, .kind = FAULT_REFUSE, .value = 12};
    Rig *rig = rig_start(NULL, &reconnect);

    rig_boot(rig, NULL);
    rig_plug(rig, 0);
    rig_plug(rig, 1);
    backend_fault(backend_of(rig), &fault);
    hang_up(rig);
    expect_event(rig, "ignored", "ADD_MEM_REG", "(memory backend 'm0'): backend refused (code 12)");
    await_return(rig, 1);
    rig_check_data(rig, 0, rig_dimm_address(rig, 1));
    expect_no_event(rig);
    assert_info(rig, "ignored", "1");
    rig_end(rig);
}

/* --- the record of requests in flight --- */

static Rig *start_with_record(uint64_t features, uint64_t protocol_features)
{
    BackendConfig config;

    backend_config_init(&config);
    config.features |= features;
    config.protocol_features |= protocol_features;
    return rig_start(&config, &reconnect);
}

/* The backend is given the file that it gave, and checks that; after a reset it gives another. */
static void test_record(void)
{
    Rig *rig = start_with_record(0, BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD));
    Backend *backend = backend_of(rig);

    rig_boot(rig, NULL);
    for (guint round = 2; round <= 3; round++) {
        hang_up(rig);
        await_return(rig, 1);
        g_assert_cmpuint(backend_count(backend, VHOST_USER_GET_INFLIGHT_FD), ==, 1);
        g_assert_cmpuint(backend_count(backend, VHOST_USER_SET_INFLIGHT_FD), ==, round);
    }
    shut_out(rig);
    virt_device_reset(driver_of(rig));
    let_in(rig, 0);
    rig_boot(rig, NULL);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_GET_INFLIGHT_FD), ==, 2);
    rig_check_data(rig, 0, guest_memory_alloc(&rig->memory, 4096, 4096));
    rig_end(rig);
}

/* Where a packed ring is, only the record tells. */
static void test_packed(gconstpointer with_record)
{
    BlkOptions disk = {.features = BIT(VIRTIO_F_RING_PACKED)};
    Rig *rig = start_with_record(BIT(VIRTIO_F_RING_PACKED),
                                 with_record ? BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD) : 0);

    rig_boot(rig, &disk);
    hang_up(rig);
    if (with_record) {
        await_return(rig, 1);
        g_assert_false(needs_reset(rig));
    } else {
        expect_event(rig, "needs-reset", NULL, "packed queue 0 cannot go on");
        g_assert_true(needs_reset(rig));
        virt_device_reset(driver_of(rig));
        rig_boot(rig, NULL);
        rig_check_data(rig, 0, guest_memory_alloc(&rig->memory, 4096, 4096));
    }
    expect_no_event(rig);
    rig_end(rig);
}

/* --- each device has its own patience --- */

static void test_reply_timeout(void)
{
    RigOptions options = {.devices = 2, .arguments = "-set device.b0.reply-timeout=300"};
    BackendFault fault = {.request = VHOST_USER_ADD_MEM_REG, .occurrence = 1, .kind = FAULT_HANG};
    Rig *rig = rig_start(NULL, &options);
    g_autoptr(GError) error = NULL;

    rig_boot(rig, NULL);
    backend_fault(backend_of(rig), &fault);
    g_assert_false(rig_plug_at(rig, 0, 0, &error));
    rig_assert_names(error->message, "'b0'", "ADD_MEM_REG", "within 300 ms", NULL);
    expect_event(rig, "dead", "ADD_MEM_REG", "within 300 ms");
    expect_no_event(rig);
    g_assert_true(needs_reset(rig));
    rig_plug(rig, 1);
    rig_check_data(rig, 1, rig_dimm_address(rig, 1));
    rig_end(rig);
}

/* --- the machine without its backend --- */

static void check_state(Rig *rig, const char *command, const char *status)
{
    g_autoptr(json_object) answer = NULL;

    qmp_set_timeout(rig->qmp, RIG_PROMPT);
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'%s'}", command));
    answer = qmp_command_or_fail(rig->qmp, "{'execute':'query-status'}");
    g_assert_cmpstr(qmp_get_string(answer, "status"), ==, status);
}

static void test_stop_and_continue(void)
{
    Rig *rig = rig_start(NULL, &reconnect);
    uint64_t buffer;
    guint tag;

    rig_boot(rig, NULL);
    buffer = guest_memory_alloc(&rig->memory, 4096, 4096);
    rig_check_data(rig, 0, buffer);
    shut_out(rig);
    tag = blk_disk_submit(rig_disk(rig, 0), 0, VIRTIO_BLK_T_OUT, 0, buffer, 512);
    check_state(rig, "stop", "paused");
    check_state(rig, "cont", "running");
    check_state(rig, "stop", "paused");
    /* It comes back to a machine that stands: its rings begin with the machine. */
    let_in(rig, 0);
    g_assert_cmpuint(backend_rings_running(backend_of(rig)), ==, 0);
    check_state(rig, "cont", "running");
    g_assert_cmpint(blk_disk_finish(rig_disk(rig, 0), tag, PATIENCE), ==, VIRTIO_BLK_S_OK);
    rig_check_data(rig, 0, buffer);
    rig_end(rig);
}

/* A driver resets the device and begins anew; DRIVER_OK takes effect when the backend is back. */
static void test_driver_reset(void)
{
    Rig *rig = rig_start(NULL, &reconnect);
    uint64_t buffer;
    guint tag;

    rig_boot(rig, NULL);
    buffer = guest_memory_alloc(&rig->memory, 4096, 4096);
    rig_check_data(rig, 0, buffer);
    shut_out(rig);
    virt_device_set_status(driver_of(rig), 0);
    g_assert_cmpuint(virt_device_status(driver_of(rig)), ==, 0);
    g_ptr_array_set_size(rig->disks, 0);
    g_ptr_array_add(rig->disks, blk_disk_start(driver_of(rig), &rig->memory, NULL));
    g_assert_cmpuint(virt_device_status(driver_of(rig)) & VIRTIO_CONFIG_S_DRIVER_OK, !=, 0);
    tag = blk_disk_submit(rig_disk(rig, 0), 0, VIRTIO_BLK_T_IN, 0, buffer, 512);
    g_assert_cmpint(blk_disk_finish(rig_disk(rig, 0), tag, 50), ==, -1);
    let_in(rig, 1);
    g_assert_cmpint(blk_disk_finish(rig_disk(rig, 0), tag, PATIENCE), ==, VIRTIO_BLK_S_OK);
    rig_check_data(rig, 0, buffer);
    g_assert_false(needs_reset(rig));
    rig_end(rig);
}

static void test_machine_reset(void)
{
    Rig *rig = rig_start(NULL, &reconnect);

    rig_boot(rig, NULL);
    rig_plug(rig, 0);
    shut_out(rig);
    check_state(rig, "system_reset", "running");
    qmp_expect_event(rig->qmp, "RESET", PATIENCE);
    rig_forget_drivers(rig);
    let_in(rig, 0);
    rig_boot(rig, NULL);
    rig_check_data(rig, 0, rig_dimm_address(rig, 0));
    rig_end(rig);
}

static void test_quit(void)
{
    Rig *rig = rig_start(NULL, &reconnect);

    rig_boot(rig, NULL);
    shut_out(rig);
    rig_end(rig); /* answers and ends with status 0 */
}

static void test_unplug(void)
{
    Rig *rig = rig_start(NULL, &reconnect);

    rig_boot(rig, NULL);
    shut_out(rig);
    json_object_put(
        qmp_command_or_fail(rig->qmp, "{'execute':'device_del','arguments':{'id':'b0'}}"));
    qtest_outl(rig->qtest, 0xae08, 1u << RIG_DISK_SLOT);
    json_object_put(qmp_event_where_or_fail(rig->qmp, "DEVICE_DELETED", "device", "b0", PATIENCE));
    rig_plug(rig, 0);
    /* The chardev is free for another one. */
    backend_faults_clear(backend_of(rig));
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'device_add','arguments':{'driver':"
                                                  "'vhost-user-blk-pci','id':'b0','chardev':'s0',"
                                                  "'addr':'4'}}"));
    assert_info(rig, "connected", "true");
    rig_end(rig);
}

/* --- device_add while nobody is there --- */

static void test_add_waits(void)
{
    g_autofree char *path = vmm_temporary_path("late");
    g_autofree char *text = NULL;
    BackendConfig config;
    Rig *rig = rig_start(NULL, &reconnect);

    json_object_put(qmp_command_or_fail(
        rig->qmp,
        "{'execute':'chardev-add','arguments':{'id':'late','backend':{'type':'socket','data':{"
        "'addr':{'type':'unix','data':{'path':'%s'}},'server':false,'reconnect-ms':10}}}}",
        path));
    text = qmp_command_refused(rig->qmp, "{'execute':'device_add','arguments':{'driver':"
                                         "'vhost-user-blk-pci','id':'b1','chardev':'late',"
                                         "'reply-timeout':200}}");
    rig_assert_names(text, "'b1'", "'late'", "no connection after 200 ms", NULL);
    backend_config_init(&config);
    g_autoptr(Backend) late = backend_new(&config);
    qmp_send(rig->qmp, "{'execute':'device_add','arguments':{'driver':'vhost-user-blk-pci',"
                       "'id':'b1','chardev':'late'}}");
    g_assert_false(qmp_answer_ready(rig->qmp, 100));
    g_assert_true(backend_listen(late, path, NULL));
    json_object_put(qmp_answer(rig->qmp, NULL));
    g_assert_cmpuint(backend_count(late, VHOST_USER_GET_CONFIG), ==, 1);
    rig_end(rig);
}

int main(int argc, char **argv)
{
    const gsize no_ack = BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK);
    const gsize no_slots_feature = BIT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS);

    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/vhost-user-reconnect/returns/slots", NULL, test_returns);
    g_test_add_data_func("/vhost-user-reconnect/returns/no-ack", GSIZE_TO_POINTER(no_ack),
                         test_returns);
    g_test_add_data_func("/vhost-user-reconnect/returns/table", GSIZE_TO_POINTER(no_slots_feature),
                         test_returns);
    g_test_add_func("/vhost-user-reconnect/gap", test_gap);
    g_test_add_data_func("/vhost-user-reconnect/memory-meanwhile/slots", NULL,
                         test_memory_meanwhile);
    g_test_add_data_func("/vhost-user-reconnect/memory-meanwhile/table",
                         GSIZE_TO_POINTER(no_slots_feature), test_memory_meanwhile);
    g_test_add_data_func("/vhost-user-reconnect/many/250", GUINT_TO_POINTER(250),
                         test_many_regions);
    g_test_add_data_func("/vhost-user-reconnect/many/1000", GUINT_TO_POINTER(1000),
                         test_many_regions);
    g_test_add_data_func("/vhost-user-reconnect/many/4000", GUINT_TO_POINTER(4000),
                         test_many_regions);
    g_test_add_data_func("/vhost-user-reconnect/ends-at-each-message/close",
                         GUINT_TO_POINTER(FAULT_CLOSE_BEFORE), test_ends_at_each_message);
    g_test_add_data_func("/vhost-user-reconnect/ends-at-each-message/answered",
                         GUINT_TO_POINTER(FAULT_CLOSE_AFTER), test_ends_at_each_message);
    g_test_add_func("/vhost-user-reconnect/config-write", test_config_write);
    for (guint i = 0; i < G_N_ELEMENTS(misfits); i++) {
        g_autofree char *path = g_strconcat("/vhost-user-reconnect/misfit/", misfits[i].name, NULL);

        g_test_add_data_func(path, &misfits[i], test_misfit);
    }
    g_test_add_func("/vhost-user-reconnect/more-than-before", test_more_than_before);
    g_test_add_func("/vhost-user-reconnect/limit-meanwhile", test_limit_meanwhile);
    g_test_add_func("/vhost-user-reconnect/refuses-region", test_refuses_region);
    g_test_add_func("/vhost-user-reconnect/record", test_record);
    g_test_add_data_func("/vhost-user-reconnect/packed/record", GUINT_TO_POINTER(1), test_packed);
    g_test_add_data_func("/vhost-user-reconnect/packed/no-record", NULL, test_packed);
    g_test_add_func("/vhost-user-reconnect/reply-timeout", test_reply_timeout);
    g_test_add_func("/vhost-user-reconnect/stop-and-continue", test_stop_and_continue);
    g_test_add_func("/vhost-user-reconnect/driver-reset", test_driver_reset);
    g_test_add_func("/vhost-user-reconnect/machine-reset", test_machine_reset);
    g_test_add_func("/vhost-user-reconnect/quit", test_quit);
    g_test_add_func("/vhost-user-reconnect/unplug", test_unplug);
    g_test_add_func("/vhost-user-reconnect/add-waits", test_add_waits);
    return g_test_run();
}
