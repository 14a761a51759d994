/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The queues of a device: when each starts, which messages stop it and wait for the program, and
 * what may change while it runs. */
#include "device-fixture.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Each of the messages is the last one once; the ring starts with it and not before. */
static void test_start_order(void)
{
    DeviceFixture fixture;

    for (guint last = 0; last < RING_MESSAGES; last++) {
        RingMessage messages[RING_MESSAGES];

        device_fixture_ready(&fixture, FIXTURE_FEATURES);
        device_fixture_ring_messages(&fixture, 2, messages);
        for (guint i = 0; i < RING_MESSAGES; i++) {
            const RingMessage *message = &messages[(last + 1 + i) % RING_MESSAGES];

            g_assert_true(!fixture.running[2] || message->request == VHOST_USER_SET_VRING_CALL ||
                          message->request == VHOST_USER_SET_VRING_ERR ||
                          message->request == VHOST_USER_SET_VRING_BASE);
            if (fixture.running[2] && message->request == VHOST_USER_SET_VRING_BASE) {
                continue; /* a ring that runs has its own idea of its base */
            }
            g_assert_cmpuint(device_fixture_ack(&fixture, message->request, &message->payload,
                                                message->size, &message->fd,
                                                message->fd == -1 ? 0 : 1),
                             ==, 0);
        }
        g_assert_true(fixture.running[2]);
        g_assert_cmpuint(fixture.starts[2], ==, 1);
        g_assert_false(fixture.running[0] || fixture.running[1] || fixture.running[3]);
        device_fixture_tear_down(&fixture);
    }
}

/* "Ring states": enabled from the start without bit 30. */
static void test_start_without_bit_30(void)
{
    DeviceFixture fixture;
    RingMessage messages[RING_MESSAGES];
    guint64 none = 0;

    device_fixture_ready(&fixture, FIXTURE_FEATURES);
    g_assert_cmpuint(device_fixture_ack(&fixture, VHOST_USER_SET_FEATURES, &none, 8, NULL, 0), ==,
                     0);
    device_fixture_ring_messages(&fixture, 0, messages);
    for (guint i = 0; i < 6; i++) {
        g_assert_false(fixture.running[0]);
        device_fixture_ack(&fixture, messages[i].request, &messages[i].payload, messages[i].size,
                           &messages[i].fd, messages[i].fd == -1 ? 0 : 1);
    }
    g_assert_true(fixture.running[0]);
    g_assert_cmpuint(device_fixture_ack_state(&fixture, VHOST_USER_SET_VRING_ENABLE, 0, 1), ==,
                     EOPNOTSUPP);
    device_fixture_drive(&fixture, 0, TRUE);
    device_fixture_tear_down(&fixture);
}

static void test_polling(void)
{
    DeviceFixture fixture;
    guint64 no_kick = 1 | VHOST_USER_VRING_NOFD_MASK;

    device_fixture_ready(&fixture, FIXTURE_FEATURES);
    device_fixture_start_ring(&fixture, 1);
    g_assert_cmpint(vhost_user_queue_kick_fd(vhost_user_device_queue(fixture.device, 1)), !=, -1);
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_SET_VRING_KICK, no_kick), ==, 0);
    g_assert_cmpuint(fixture.starts[1], ==, 2);
    g_assert_cmpint(vhost_user_queue_kick_fd(vhost_user_device_queue(fixture.device, 1)), ==, -1);
    device_fixture_drive(&fixture, 1, TRUE);
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_SET_VRING_CALL, no_kick), ==, 0);
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_SET_VRING_ERR, no_kick), ==, 0);
    device_fixture_drive(&fixture, 1, TRUE);
    device_fixture_tear_down(&fixture);
}

/* Through a stop, a start, a disable, and back, with requests in between. */
static void run_stop_and_start(guint64 features)
{
    DeviceFixture fixture;
    VhostUserQueueStatistics statistics;
    int kick;

    device_fixture_ready(&fixture, features);
    g_assert_cmpuint(device_fixture_get_base(&fixture, 3), ==, 0); /* never started */
    device_fixture_start_ring(&fixture, 0);
    device_fixture_drive(&fixture, 0, TRUE);
    g_assert_cmpuint(device_fixture_get_base(&fixture, 0), ==,
                     vhost_user_driver_queue_base(fixture.rings[0]));
    g_assert_false(fixture.running[0]);
    device_fixture_start_ring(&fixture, 0);
    device_fixture_drive(&fixture, 0, TRUE);

    g_assert_cmpuint(device_fixture_ack_state(&fixture, VHOST_USER_SET_VRING_ENABLE, 0, 0), ==, 0);
    g_assert_false(fixture.running[0]);
    g_assert_cmpuint(device_fixture_ack_state(&fixture, VHOST_USER_SET_VRING_ENABLE, 0, 0), ==, 0);
    kick = vhost_user_driver_queue_kick_fd(fixture.rings[0]);
    g_assert_cmpuint(
        device_fixture_ack(&fixture, VHOST_USER_SET_VRING_KICK, &(guint64){0}, 8, &kick, 1), ==, 0);
    g_assert_false(fixture.running[0]); /* a kick does not enable it */
    g_assert_cmpuint(device_fixture_ack_state(&fixture, VHOST_USER_SET_VRING_ENABLE, 0, 1), ==, 0);
    g_assert_true(fixture.running[0]);
    g_assert_cmpuint(device_fixture_ack_state(&fixture, VHOST_USER_SET_VRING_ENABLE, 0, 1), ==, 0);
    device_fixture_drive(&fixture, 0, TRUE);
    vhost_user_queue_statistics(vhost_user_device_queue(fixture.device, 0), &statistics);
    g_assert_cmpuint(statistics.pushed, ==, 3);
    g_assert_cmpuint(fixture.starts[0], ==, 3);
    device_fixture_tear_down(&fixture);
}

static void test_stop_and_start(void)
{
    run_stop_and_start(VHOST_USER_RING_F_VERSION_1);
    run_stop_and_start(FIXTURE_FEATURES & ~VHOST_USER_RING_F_PACKED);
    run_stop_and_start(FIXTURE_FEATURES);
}

/* What a running ring refuses, and that it goes on afterwards. */
static void test_running_refuses(void)
{
    DeviceFixture fixture;
    RingMessage messages[RING_MESSAGES];
    VhostUserMemRegMsg region;

    device_fixture_ready(&fixture, FIXTURE_FEATURES);
    device_fixture_start_ring(&fixture, 0);
    g_assert_cmpuint(device_fixture_ack_state(&fixture, VHOST_USER_SET_VRING_NUM, 0, 8), ==, EBUSY);
    g_assert_cmpuint(device_fixture_ack_state(&fixture, VHOST_USER_SET_VRING_BASE, 0, 0), ==,
                     EBUSY);
    device_fixture_ring_messages(&fixture, 0, messages);
    messages[2].payload.address.descriptor += 4096;
    g_assert_cmpuint(device_fixture_ack(&fixture, messages[2].request, &messages[2].payload,
                                        messages[2].size, NULL, 0),
                     ==, EBUSY);
    region = device_fixture_region(&fixture, 0);
    g_assert_cmpuint(
        device_fixture_ack(&fixture, VHOST_USER_REM_MEM_REG, &region, sizeof(region), NULL, 0), ==,
        EBUSY);
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_SET_FEATURES,
                                            FIXTURE_BIT_30 | VHOST_USER_RING_F_VERSION_1),
                     ==, EBUSY);
    device_fixture_drive(&fixture, 0, TRUE);
    g_assert_cmpuint(fixture.starts[0], ==, 1);
    /* Stopped it lets go. */
    device_fixture_get_base(&fixture, 0);
    g_assert_cmpuint(
        device_fixture_ack(&fixture, VHOST_USER_REM_MEM_REG, &region, sizeof(region), NULL, 0), ==,
        0);
    device_fixture_tear_down(&fixture);
}

/* A ring that cannot start is refused with the message that would start it, and can be corrected.
 */
static void test_bad_ring(void)
{
    DeviceFixture fixture;
    RingMessage messages[RING_MESSAGES];

    device_fixture_ready(&fixture, FIXTURE_FEATURES);
    device_fixture_ring_messages(&fixture, 0, messages);
    messages[2].payload.address.used += 1ull << 40;
    for (guint i = 0; i < RING_MESSAGES; i++) {
        guint64 ack =
            device_fixture_ack(&fixture, messages[i].request, &messages[i].payload,
                               messages[i].size, &messages[i].fd, messages[i].fd == -1 ? 0 : 1);

        g_assert_true((ack != 0) == (i == RING_MESSAGES - 1));
    }
    g_assert_false(fixture.running[0]);
    device_fixture_start_ring(&fixture, 0);
    device_fixture_drive(&fixture, 0, TRUE);
    g_assert_cmpuint(device_fixture_ack_state(&fixture, VHOST_USER_SET_VRING_NUM, 1, 257), ==,
                     EINVAL);
    device_fixture_tear_down(&fixture);
}

static void test_bad_descriptors(void)
{
    static const uint32_t requests[] = {VHOST_USER_SET_VRING_KICK, VHOST_USER_SET_VRING_CALL,
                                        VHOST_USER_SET_VRING_ERR};
    DeviceFixture fixture;
    guint64 index = 0;
    int ends[2];

    device_fixture_ready(&fixture, FIXTURE_FEATURES);
    g_assert_cmpint(pipe(ends), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(requests); i++) {
        g_assert_cmpuint(device_fixture_ack(&fixture, requests[i], &index, 8, &ends[1], 1), !=, 0);
    }
    g_assert_cmpuint(
        device_fixture_ack(&fixture, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, &ends[1], 1), ==,
        EINVAL);
    close(ends[0]);
    close(ends[1]);
    device_fixture_tear_down(&fixture);
}

/* Live: the whole table again under running rings, with another region and without. */
static void test_table(void)
{
    DeviceFixture fixture;
    VhostUserMemory table = {.num_regions = 2};
    VhostUserDeviceStatistics statistics;
    int fds[2];

    device_fixture_ready(&fixture, FIXTURE_FEATURES);
    device_fixture_start_ring(&fixture, 0);
    for (guint i = 0; i < 2; i++) {
        table.regions[i] = device_fixture_region(&fixture, i).region;
        fds[i] = fixture.memory->areas[i].fd;
    }
    g_assert_cmpuint(device_fixture_ack(&fixture, VHOST_USER_SET_MEM_TABLE, &table,
                                        VHOST_USER_MEMORY_HEAD + 2 * 32, fds, 2),
                     ==, 0);
    vhost_user_device_statistics(fixture.device, &statistics);
    g_assert_cmpuint(statistics.regions, ==, 2);
    g_assert_cmpuint(statistics.bytes, ==, 2 * FIXTURE_AREA);
    device_fixture_drive(&fixture, 0, TRUE);

    /* The ring's region at another user address: the ring is found at its old one no more. */
    table.num_regions = 1;
    table.regions[0].mmap_offset = FIXTURE_AREA; /* another part of the file */
    g_assert_cmpuint(device_fixture_ack(&fixture, VHOST_USER_SET_MEM_TABLE, &table,
                                        VHOST_USER_MEMORY_HEAD + 32, fds, 1),
                     ==, 0);
    g_assert_cmpuint(device_fixture_serve(&fixture, 0), ==, 0);
    device_fixture_get_base(&fixture, 0);

    /* None at all. */
    table.num_regions = 0;
    g_assert_cmpuint(device_fixture_ack(&fixture, VHOST_USER_SET_MEM_TABLE, &table,
                                        VHOST_USER_MEMORY_HEAD, NULL, 0),
                     ==, 0);
    device_fixture_process(&fixture);
    vhost_user_device_statistics(fixture.device, &statistics);
    g_assert_cmpuint(statistics.regions, ==, 0);
    g_assert_cmpuint(statistics.regions_retired, ==, 0);
    g_assert_cmpuint(statistics.regions_peak, ==, 2);
    device_fixture_tear_down(&fixture);
}

/* The ring has no place in the new table: broken, told on its error descriptor, alone. */
static void test_table_without_ring(void)
{
    DeviceFixture fixture;
    VhostUserMemory table = {.num_regions = 1};
    guint64 count = 0;

    device_fixture_ready(&fixture, FIXTURE_FEATURES);
    device_fixture_start_ring(&fixture, 0);
    table.regions[0] = device_fixture_region(&fixture, 1).region;
    g_assert_cmpuint(device_fixture_ack(&fixture, VHOST_USER_SET_MEM_TABLE, &table,
                                        VHOST_USER_MEMORY_HEAD + 32, &fixture.memory->areas[1].fd,
                                        1),
                     ==, 0);
    g_assert_nonnull(vhost_user_queue_error(vhost_user_device_queue(fixture.device, 0)));
    g_assert_cmpint(read(vhost_user_driver_queue_error_fd(fixture.rings[0]), &count, 8), ==, 8);
    g_assert_nonnull(strstr(fixture.log->str, "queue 0: the ring is broken"));
    device_fixture_drive(&fixture, 0, FALSE);
    g_assert_cmpuint(device_fixture_get(&fixture, VHOST_USER_GET_STATUS), ==, 0);
    device_fixture_tear_down(&fixture);
}

/* A message that has to wait for a queue: nothing is answered or read meanwhile, and it is the
 * program's report that wakes the device. */
static void test_wait(void)
{
    DeviceFixture fixture;
    const VhostUserVringState state = {.index = 0};
    VhostUserDeviceStatistics statistics;
    VhostUserFrontEndMessage reply;

    device_fixture_ready(&fixture, FIXTURE_FEATURES);
    device_fixture_start_ring(&fixture, 0);
    device_fixture_start_ring(&fixture, 1);
    fixture.stop_later = TRUE;
    vhost_user_front_end_send(fixture.front, VHOST_USER_GET_VRING_BASE, 0, &state, sizeof(state),
                              NULL, 0);
    vhost_user_front_end_send(fixture.front, VHOST_USER_GET_FEATURES, 0, NULL, 0, NULL, 0);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
    vhost_user_device_statistics(fixture.device, &statistics);
    g_assert_true(fixture.stopping[0]);
    g_assert_false(fixture.stopping[1]);
    g_assert_false(device_fixture_answered(&fixture));
    /* Somebody looks although nothing is due. */
    g_assert_cmpint(vhost_user_device_process(fixture.device), ==, VHOST_USER_GOES_ON);
    g_assert_cmpuint(fixture.stops[0], ==, 1);
    device_fixture_report(&fixture, 0);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
    g_assert_cmpint(vhost_user_front_end_receive_answer(fixture.front, VHOST_USER_GET_VRING_BASE,
                                                        VHOST_USER_ANSWER_REPLY, &reply),
                    ==, 0);
    g_assert_cmpint(vhost_user_front_end_receive_answer(fixture.front, VHOST_USER_GET_FEATURES,
                                                        VHOST_USER_ANSWER_REPLY, &reply),
                    ==, 0);
    device_fixture_tear_down(&fixture);
}

/* The same for every request that stops queues; all of them for those that stop all. */
static void test_waits(void)
{
    static const struct {
        uint32_t request;
        gboolean all;
        gboolean again; /* runs again afterwards */
        uint32_t size;
        guint64 payload;
    } rows[] = {
        {VHOST_USER_SET_VRING_ENABLE, FALSE, FALSE, 8, 0},
        {VHOST_USER_SET_VRING_KICK, FALSE, TRUE, 8, VHOST_USER_VRING_NOFD_MASK},
        {VHOST_USER_RESET_DEVICE, TRUE, FALSE, 0, 0},
        {VHOST_USER_SET_STATUS, TRUE, FALSE, 8, 0},
        {VHOST_USER_RESET_OWNER, TRUE, FALSE, 0, 0},
    };

    for (guint row = 0; row < G_N_ELEMENTS(rows); row++) {
        DeviceFixture fixture;

        device_fixture_ready(&fixture, FIXTURE_FEATURES);
        device_fixture_start_ring(&fixture, 0);
        device_fixture_start_ring(&fixture, 1);
        fixture.stop_later = TRUE;
        vhost_user_front_end_send(fixture.front, rows[row].request, VHOST_USER_FLAG_NEED_REPLY,
                                  &rows[row].payload, rows[row].size, NULL, 0);
        device_fixture_process(&fixture);
        g_assert_true(fixture.stopping[0]);
        g_assert_true(fixture.stopping[1] == rows[row].all);
        if (rows[row].all) {
            device_fixture_report(&fixture, 1);
            device_fixture_process(&fixture);
            g_assert_cmpuint(fixture.resets, ==, 0);
        }
        g_assert_false(device_fixture_answered(&fixture));
        device_fixture_report(&fixture, 0);
        device_fixture_process(&fixture);
        g_assert_cmpint(vhost_user_front_end_receive_ack(fixture.front, rows[row].request), ==, 0);
        g_assert_true(fixture.running[0] == rows[row].again);
        g_assert_true(fixture.running[1] == !rows[row].all);
        g_assert_cmpuint(fixture.resets, ==, rows[row].all && row < 4 ? 1 : 0);
        fixture.stop_later = FALSE;
        device_fixture_tear_down(&fixture);
    }
}

/* The moment at which a wake-up could be lost: queue 0 of this device is reported right before the
 * library reads its eventfd. Its calls of read() end up here. */
static DeviceFixture *report_before_read;

ssize_t read(int fd, void *bytes, size_t size)
{
    DeviceFixture *fixture = report_before_read;

    report_before_read = NULL;
    if (fixture) {
        device_fixture_report(fixture, 0);
    }
    return syscall(SYS_read, fd, bytes, size);
}

static void test_report_before_read(void)
{
    DeviceFixture fixture;
    const VhostUserVringState state = {.index = 0};
    VhostUserFrontEndMessage reply;

    device_fixture_ready(&fixture, FIXTURE_FEATURES);
    device_fixture_start_ring(&fixture, 0);
    fixture.stop_later = TRUE;
    vhost_user_front_end_send(fixture.front, VHOST_USER_GET_VRING_BASE, 0, &state, sizeof(state),
                              NULL, 0);
    report_before_read = &fixture;
    for (guint i = 0; i < 2; i++) { /* whenever it reads */
        vhost_user_device_process(fixture.device);
        device_fixture_process(&fixture);
        g_assert_true(fixture.running[0] || device_fixture_answered(&fixture));
    }
    g_assert_null(report_before_read);
    g_assert_cmpint(vhost_user_front_end_receive(fixture.front, &reply), ==, 0);
    device_fixture_tear_down(&fixture);
}

/* Reports as soon as the queue was told to stop, or a bit later. */
static gpointer report_soon(gpointer opaque)
{
    DeviceFixture *fixture = opaque;

    while (!g_atomic_int_get(&fixture->stopping[0])) {
        g_thread_yield();
    }
    for (volatile guint spin = 0; spin < fixture->resets; spin++) {
    }
    device_fixture_report(fixture, 0);
    return NULL;
}

/* The report comes from another thread, before, while or after the device looks. Should a wake-up
 * be lost, the poll below finds nothing. */
static void test_report_from_thread(void)
{
    for (guint round = 0; round < 200; round++) {
        DeviceFixture fixture;
        const VhostUserVringState state = {.index = 0};
        VhostUserFrontEndMessage reply;
        GThread *thread;

        device_fixture_ready(&fixture, FIXTURE_FEATURES);
        device_fixture_start_ring(&fixture, 0);
        fixture.stop_later = TRUE;
        fixture.resets = round * 50;
        thread = g_thread_new("queue", report_soon, &fixture);
        vhost_user_front_end_send(fixture.front, VHOST_USER_GET_VRING_BASE, 0, &state,
                                  sizeof(state), NULL, 0);
        while (!device_fixture_answered(&fixture)) {
            struct pollfd due = {.fd = vhost_user_device_fd(fixture.device), .events = POLLIN};

            g_assert_cmpint(poll(&due, 1, 5000), ==, 1);
            vhost_user_device_process(fixture.device);
        }
        g_thread_join(thread);
        vhost_user_front_end_receive(fixture.front, &reply);
        device_fixture_tear_down(&fixture);
    }
}

/* Every operation ends the connection from inside, on each message that leads to one. */
static void test_shut_down_inside(void)
{
    static const guint64 u64s[][2] = {{VHOST_USER_SET_FEATURES, FIXTURE_BIT_30},
                                      {VHOST_USER_NET_SET_MTU, 1500},
                                      {VHOST_USER_SEND_RARP, 1},
                                      {VHOST_USER_SET_STATUS, 0},
                                      {VHOST_USER_SET_STATUS, 1},
                                      {VHOST_USER_RESET_DEVICE, 0},
                                      {VHOST_USER_RESET_OWNER, 0},
                                      {VHOST_USER_GET_VRING_BASE, 0},
                                      {VHOST_USER_SET_VRING_ENABLE, 0},
                                      {VHOST_USER_SET_VRING_ENABLE, 1ull << 32 | 1},
                                      {VHOST_USER_SET_VRING_KICK, VHOST_USER_VRING_NOFD_MASK}};

    for (guint i = 0; i < G_N_ELEMENTS(u64s); i++) {
        for (guint later = 0; later < 2; later++) {
            const VhostUserMessageInfo *info = vhost_user_message_info((uint32_t)u64s[i][0]);
            DeviceFixture fixture;

            device_fixture_ready(&fixture, FIXTURE_FEATURES);
            device_fixture_start_ring(&fixture, 0);
            if (i == 9) { /* one that starts now */
                device_fixture_start_ring(&fixture, 1);
                device_fixture_ack_state(&fixture, VHOST_USER_SET_VRING_ENABLE, 1, 0);
            }
            if (i == 0) { /* features cannot change under a ring */
                device_fixture_get_base(&fixture, 0);
            }
            fixture.shut_down = TRUE;
            fixture.stop_later = later;
            vhost_user_front_end_send(fixture.front, info->request, 0, &u64s[i][1],
                                      info->size_maximum, NULL, 0);
            g_assert_cmpint(device_fixture_process(&fixture), ==,
                            later && i > 0 ? VHOST_USER_GOES_ON : VHOST_USER_ENDED);
            g_assert_false(device_fixture_answered(&fixture));
            g_assert_null(vhost_user_device_error(fixture.device));
            device_fixture_tear_down(&fixture);
        }
    }
}

static void test_shut_down(void)
{
    DeviceFixture fixture;

    device_fixture_ready(&fixture, FIXTURE_FEATURES);
    device_fixture_start_ring(&fixture, 0);
    device_fixture_start_ring(&fixture, 1);
    fixture.stop_later = TRUE;
    vhost_user_device_shut_down(fixture.device);
    vhost_user_device_shut_down(fixture.device);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
    device_fixture_report(&fixture, 0);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
    /* Not hung up on yet: the program may still write to guest memory. */
    vhost_user_front_end_send(fixture.front, VHOST_USER_GET_FEATURES, 0, NULL, 0, NULL, 0);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
    g_assert_false(device_fixture_answered(&fixture));
    device_fixture_report(&fixture, 1);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_ENDED);
    g_assert_null(vhost_user_device_error(fixture.device));
    device_fixture_tear_down(&fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/libvhost-user/device-rings/start-order", test_start_order);
    g_test_add_func("/libvhost-user/device-rings/start-without-bit-30", test_start_without_bit_30);
    g_test_add_func("/libvhost-user/device-rings/polling", test_polling);
    g_test_add_func("/libvhost-user/device-rings/stop-and-start", test_stop_and_start);
    g_test_add_func("/libvhost-user/device-rings/running-refuses", test_running_refuses);
    g_test_add_func("/libvhost-user/device-rings/bad-ring", test_bad_ring);
    g_test_add_func("/libvhost-user/device-rings/bad-descriptors", test_bad_descriptors);
    g_test_add_func("/libvhost-user/device-rings/table", test_table);
    g_test_add_func("/libvhost-user/device-rings/table-without-ring", test_table_without_ring);
    g_test_add_func("/libvhost-user/device-rings/wait", test_wait);
    g_test_add_func("/libvhost-user/device-rings/waits", test_waits);
    g_test_add_func("/libvhost-user/device-rings/report-before-read", test_report_before_read);
    g_test_add_func("/libvhost-user/device-rings/report-from-thread", test_report_from_thread);
    g_test_add_func("/libvhost-user/device-rings/shut-down-inside", test_shut_down_inside);
    g_test_add_func("/libvhost-user/device-rings/shut-down", test_shut_down);
    return g_test_run();
}
