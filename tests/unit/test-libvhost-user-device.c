/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every message of the protocol as it should be, and what the device makes of it: negotiation,
 * memory, rings that start and stop, live changes, and what is passed on to the program. */
#include "device-fixture.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALL (~0ull)
#define NONE 0ull

static void ready(DeviceFixture *fixture, guint64 features)
{
    device_fixture_set_up(fixture, NONE, 16);
    device_fixture_negotiate(fixture, features, ALL);
    device_fixture_add_area(fixture, 0);
}

static void test_parameters(void)
{
    VhostUserDeviceOperations operations = {0};
    const VhostUserDeviceParameters right = {.struct_size = sizeof(right),
                                             .operations = &operations,
                                             .operations_size = sizeof(operations),
                                             .features = VHOST_USER_RING_FEATURES,
                                             .queues = 1};
    VhostUserDeviceParameters wrong[12];
    guint fds = open_descriptors();

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        wrong[i] = right;
    }
    wrong[0].struct_size--;
    wrong[1].operations = NULL;
    wrong[2].operations_size--;
    wrong[3].features |= 1ull << 33; /* ACCESS_PLATFORM would make addresses mean something else */
    wrong[4].features |= FIXTURE_BIT_30;
    wrong[5].features |= FIXTURE_LOG_ALL;
    wrong[6].features |= 1ull << 24;
    wrong[7].features |= 1ull << 41;
    wrong[8].queues = 0;
    wrong[9].queues = VHOST_USER_DEVICE_QUEUES_MAXIMUM + 1;
    wrong[10].queue_size_maximum = VHOST_USER_MAX_VRING_SIZE + 1;
    wrong[11].memory_slots = VHOST_USER_DEVICE_MEMORY_SLOTS_MAXIMUM + 1;
    for (guint i = 0; i <= G_N_ELEMENTS(wrong); i++) {
        gboolean good = i == G_N_ELEMENTS(wrong);
        int sockets[2];
        VhostUserDevice *device;

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), ==, 0);
        errno = 0;
        device = vhost_user_device_new(sockets[0], good ? &right : &wrong[i]);
        g_assert_true(good == (device != NULL));
        g_assert_cmpint(errno, ==, good ? 0 : EINVAL);
        vhost_user_device_free(device);
        close(sockets[1]);
        g_assert_cmpuint(open_descriptors(), ==, fds);
    }
    vhost_user_device_free(NULL);
    g_assert_null(vhost_user_device_new(-1, &right));
    g_assert_cmpint(errno, ==, EINVAL);
}

/* What needs an operation is offered with it only, and nothing that was withheld. */
static void test_offer(void)
{
    DeviceFixture fixture;
    guint64 offer;

    device_fixture_set_up(&fixture, NONE, 0);
    g_assert_cmphex(device_fixture_get(&fixture, VHOST_USER_GET_FEATURES), ==,
                    FIXTURE_FEATURES | FIXTURE_BIT_30 | FIXTURE_LOG_ALL);
    offer = device_fixture_get(&fixture, VHOST_USER_GET_PROTOCOL_FEATURES);
    offer |= 1u << VHOST_USER_PROTOCOL_F_PAGEFAULT; /* the kernel may not let us */
    g_assert_cmphex(offer, ==, 0x9b33f);
    device_fixture_tear_down(&fixture);

    device_fixture_set_up(&fixture,
                          1u << VHOST_USER_PROTOCOL_F_LOG_SHMFD |
                              1u << VHOST_USER_PROTOCOL_F_PAGEFAULT |
                              1u << VHOST_USER_PROTOCOL_F_CONFIG,
                          0);
    g_assert_cmphex(device_fixture_get(&fixture, VHOST_USER_GET_FEATURES), ==,
                    FIXTURE_FEATURES | FIXTURE_BIT_30);
    offer &= ~(1u << VHOST_USER_PROTOCOL_F_LOG_SHMFD | 1u << VHOST_USER_PROTOCOL_F_PAGEFAULT |
               1u << VHOST_USER_PROTOCOL_F_CONFIG);
    g_assert_cmphex(device_fixture_get(&fixture, VHOST_USER_GET_PROTOCOL_FEATURES), ==, offer);
    device_fixture_tear_down(&fixture);
}

static void test_no_operations(void)
{
    const VhostUserDeviceOperations operations = {0};
    const VhostUserDeviceParameters parameters = {.struct_size = sizeof(parameters),
                                                  .operations = &operations,
                                                  .operations_size = sizeof(operations),
                                                  .queues = 1};
    DeviceFixture fixture = {0};
    int sockets[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), ==, 0);
    fixture.device = vhost_user_device_new(sockets[0], &parameters);
    fixture.front = vhost_user_front_end_new(sockets[1], 5000);
    /* MQ, LOG_SHMFD, REPLY_ACK, BACKEND_REQ, INFLIGHT_SHMFD, CONFIGURE_MEM_SLOTS, STATUS */
    g_assert_cmphex(device_fixture_get(&fixture, VHOST_USER_GET_PROTOCOL_FEATURES) &
                        ~(1ull << VHOST_USER_PROTOCOL_F_PAGEFAULT),
                    ==, 0x1902b);
    device_fixture_negotiate(&fixture, NONE, ALL);
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_SET_STATUS, 0), ==, 0);
    vhost_user_front_end_free(fixture.front);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_ENDED);
    vhost_user_device_free(fixture.device);
}

static void test_negotiation(void)
{
    DeviceFixture fixture;

    device_fixture_set_up(&fixture, NONE, 77);
    device_fixture_negotiate(&fixture, FIXTURE_FEATURES, ALL);
    g_assert_cmphex(fixture.features, ==, FIXTURE_FEATURES);
    g_assert_cmpuint(fixture.features_set, ==, 1);
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_SET_FEATURES, 1), ==, EINVAL);
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_SET_PROTOCOL_FEATURES, 1ull << 6),
                     ==, EINVAL);
    g_assert_cmphex(vhost_user_device_features(fixture.device), ==, FIXTURE_FEATURES);
    g_assert_cmpuint(device_fixture_get(&fixture, VHOST_USER_GET_QUEUE_NUM), ==, FIXTURE_QUEUES);
    g_assert_cmpuint(device_fixture_get(&fixture, VHOST_USER_GET_MAX_MEM_SLOTS), ==, 77);
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_SET_OWNER, 0), ==, 0);
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_SET_OWNER, 0), ==, EBUSY);
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_RESET_OWNER, 0), ==, 0);
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_SET_OWNER, 0), ==, 0);
    fixture.result = -EPERM;
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_SET_FEATURES, FIXTURE_BIT_30), ==,
                     EPERM);
    g_assert_cmphex(vhost_user_device_features(fixture.device), ==, FIXTURE_FEATURES);
    device_fixture_tear_down(&fixture);
}

/* The program may return what it likes. */
static void test_program_errors(void)
{
    static const int results[] = {-EINPROGRESS, -EAGAIN, -1, -4095, -4096, G_MININT};
    DeviceFixture fixture;

    ready(&fixture, FIXTURE_FEATURES);
    for (guint i = 0; i < G_N_ELEMENTS(results); i++) {
        fixture.result = results[i];
        g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_NET_SET_MTU, 1500), !=, 0);
        g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_SET_STATUS, 1), !=, 0);
    }
    fixture.result = G_MAXINT;
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_NET_SET_MTU, 1500), ==, 0);
    device_fixture_tear_down(&fixture);
}

static void test_config(void)
{
    DeviceFixture fixture;
    VhostUserConfig config = {.offset = 10, .size = 3, .bytes = {1, 2, 3}};
    const uint32_t size = VHOST_USER_CONFIG_HEAD + 3;
    VhostUserFrontEndMessage reply;

    ready(&fixture, FIXTURE_FEATURES);
    g_assert_cmpuint(device_fixture_ack(&fixture, VHOST_USER_SET_CONFIG, &config, size, NULL, 0),
                     ==, 0);
    g_assert_cmpmem(fixture.config + 10, 3, config.bytes, 3);
    config.offset = 11;
    device_fixture_reply(&fixture, VHOST_USER_GET_CONFIG, &config, size, NULL, 0, &reply);
    g_assert_cmpuint(reply.header.size, ==, size);
    g_assert_cmpuint(reply.content.payload.config.offset, ==, 11);
    g_assert_cmpmem(reply.content.payload.config.bytes, 3, fixture.config + 11, 3);

    config.offset = 254; /* behind the end of what the program has */
    device_fixture_reply(&fixture, VHOST_USER_GET_CONFIG, &config, size, NULL, 0, &reply);
    g_assert_cmpuint(reply.header.size, ==, 0);
    g_assert_cmpuint(device_fixture_ack(&fixture, VHOST_USER_SET_CONFIG, &config, size, NULL, 0),
                     ==, ERANGE);
    device_fixture_tear_down(&fixture);
}

static void test_hooks(void)
{
    static const guint8 mac[8] = {0x52, 0x54, 0, 1, 2, 3};
    DeviceFixture fixture;

    ready(&fixture, FIXTURE_FEATURES);
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_NET_SET_MTU, 65535), ==, 0);
    g_assert_cmpuint(fixture.mtu, ==, 65535);
    g_assert_cmpuint(device_fixture_ack(&fixture, VHOST_USER_SEND_RARP, mac, 8, NULL, 0), ==, 0);
    g_assert_cmpmem(fixture.mac, 6, mac, 6);
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_SET_STATUS, 15), ==, 0);
    g_assert_cmpuint(fixture.status, ==, 15);
    g_assert_cmpuint(device_fixture_get(&fixture, VHOST_USER_GET_STATUS), ==, 15);
    fixture.result = -EINVAL;
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_SET_STATUS, 7), ==, EINVAL);
    g_assert_cmpuint(device_fixture_get(&fixture, VHOST_USER_GET_STATUS), ==, 15);
    device_fixture_tear_down(&fixture);
}

/* Each of the messages is the last one once; the ring starts with it and not before. */
static void test_start_order(void)
{
    DeviceFixture fixture;

    for (guint last = 0; last < RING_MESSAGES; last++) {
        RingMessage messages[RING_MESSAGES];

        ready(&fixture, FIXTURE_FEATURES);
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

    ready(&fixture, FIXTURE_FEATURES);
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

    ready(&fixture, FIXTURE_FEATURES);
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

static uint32_t get_base(DeviceFixture *fixture, guint index)
{
    const VhostUserVringState state = {.index = index};
    VhostUserFrontEndMessage reply;

    device_fixture_reply(fixture, VHOST_USER_GET_VRING_BASE, &state, sizeof(state), NULL, 0,
                         &reply);
    g_assert_cmpuint(reply.content.payload.state.index, ==, index);
    return reply.content.payload.state.num;
}

/* Through a stop, a start, a disable, and back, with requests in between. */
static void run_stop_and_start(guint64 features)
{
    DeviceFixture fixture;
    VhostUserQueueStatistics statistics;
    int kick;

    ready(&fixture, features);
    g_assert_cmpuint(get_base(&fixture, 3), ==, 0); /* never started */
    device_fixture_start_ring(&fixture, 0);
    device_fixture_drive(&fixture, 0, TRUE);
    g_assert_cmpuint(get_base(&fixture, 0), ==, vhost_user_driver_queue_base(fixture.rings[0]));
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

    ready(&fixture, FIXTURE_FEATURES);
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
    get_base(&fixture, 0);
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

    ready(&fixture, FIXTURE_FEATURES);
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

    ready(&fixture, FIXTURE_FEATURES);
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

    ready(&fixture, FIXTURE_FEATURES);
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
    get_base(&fixture, 0);

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

    ready(&fixture, FIXTURE_FEATURES);
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

    ready(&fixture, FIXTURE_FEATURES);
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

        ready(&fixture, FIXTURE_FEATURES);
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

    ready(&fixture, FIXTURE_FEATURES);
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

        ready(&fixture, FIXTURE_FEATURES);
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

static void test_reset(void)
{
    static const uint32_t requests[] = {VHOST_USER_RESET_DEVICE, VHOST_USER_SET_STATUS};
    DeviceFixture fixture;

    for (guint i = 0; i < G_N_ELEMENTS(requests); i++) {
        ready(&fixture, FIXTURE_FEATURES);
        device_fixture_ack_u64(&fixture, VHOST_USER_SET_STATUS, 15);
        device_fixture_start_ring(&fixture, 0);
        device_fixture_drive(&fixture, 0, TRUE);
        g_assert_cmpuint(device_fixture_ack_u64(&fixture, requests[i], 0), ==, 0);
        g_assert_cmpuint(fixture.resets, ==, 1);
        g_assert_cmpuint(device_fixture_get(&fixture, VHOST_USER_GET_STATUS), ==, 0);
        /* The kick alone does not start what has no size and addresses. */
        g_assert_cmpuint(device_fixture_ack_state(&fixture, VHOST_USER_SET_VRING_ENABLE, 0, 1), ==,
                         0);
        g_assert_false(fixture.running[0]);
        g_assert_cmpuint(device_fixture_ack_state(&fixture, VHOST_USER_SET_VRING_ENABLE, 0, 0), ==,
                         0);
        device_fixture_start_ring(&fixture, 0);
        device_fixture_drive(&fixture, 0, TRUE);
        device_fixture_tear_down(&fixture);
    }
}

/* The log's bits are those of the page of the used ring and of the page written. */
static void test_log(void)
{
    DeviceFixture fixture;
    const VhostUserLog log = {.size = 8};
    RingMessage messages[RING_MESSAGES];
    VhostUserFrontEndMessage reply;
    VhostUserRingSetup setup;
    int fd = memfd_create("log", MFD_CLOEXEC), told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    guint8 *bits;
    guint64 expected, count;

    g_assert_cmpint(ftruncate(fd, 4096), ==, 0);
    bits = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ready(&fixture, FIXTURE_FEATURES & ~VHOST_USER_RING_F_PACKED);
    device_fixture_start_ring(&fixture, 3);
    device_fixture_reply(&fixture, VHOST_USER_SET_LOG_BASE, &log, sizeof(log), &fd, 1, &reply);
    g_assert_cmpuint(device_fixture_ack(&fixture, VHOST_USER_SET_LOG_FD, NULL, 0, &told, 1), ==, 0);
    device_fixture_drive(&fixture, 3, TRUE);
    g_assert_cmphex(*(guint64 *)bits, ==, 0);
    g_assert_cmpint(read(told, &count, 8), ==, -1);
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_SET_FEATURES,
                                            FIXTURE_LOG_ALL | FIXTURE_BIT_30 |
                                                vhost_user_device_features(fixture.device)),
                     ==, 0);
    device_fixture_ring_messages(&fixture, 3, messages);
    messages[2].payload.address.flags = VHOST_USER_VRING_ADDR_F_LOG;
    g_assert_cmpuint(device_fixture_ack(&fixture, messages[2].request, &messages[2].payload,
                                        messages[2].size, NULL, 0),
                     ==, 0);
    g_assert_cmpuint(fixture.starts[3], ==, 1);
    device_fixture_drive(&fixture, 3, TRUE);
    vhost_user_driver_queue_setup(fixture.rings[3], &setup);
    expected = 1ull << (setup.log / 4096) | 1ull << (FIXTURE_AREA / 4096 - 1);
    g_assert_cmphex(*(guint64 *)bits, ==, expected);
    g_assert_cmpint(read(told, &count, 8), ==, 8);

    g_assert_cmpuint(
        device_fixture_ack_u64(&fixture, VHOST_USER_SET_FEATURES,
                               FIXTURE_BIT_30 | vhost_user_device_features(fixture.device)),
        ==, 0);
    memset(bits, 0, 8);
    device_fixture_drive(&fixture, 3, TRUE);
    g_assert_cmphex(*(guint64 *)bits, ==, 0);
    device_fixture_tear_down(&fixture);
    munmap(bits, 4096);
    close(told);
    close(fd);
}

static void test_inflight(void)
{
    DeviceFixture fixture;
    VhostUserInflight inflight = {.num_queues = FIXTURE_QUEUES, .queue_size = FIXTURE_RING_SIZE};
    VhostUserFrontEndMessage reply;

    ready(&fixture, FIXTURE_FEATURES & ~VHOST_USER_RING_F_PACKED);
    /* 20 bytes, as the specification counts, are answered with 20. */
    for (uint32_t size = VHOST_USER_INFLIGHT_SIZE_MINIMUM; size <= sizeof(inflight); size += 4) {
        device_fixture_reply(&fixture, VHOST_USER_GET_INFLIGHT_FD, &inflight, size, NULL, 0,
                             &reply);
        g_assert_cmpuint(reply.header.size, ==, size);
        g_assert_cmpuint(reply.fd_count, ==, 1);
        g_assert_cmpuint(reply.content.payload.inflight.mmap_size, >, 0);
        g_assert_cmpuint(device_fixture_ack(&fixture, VHOST_USER_SET_INFLIGHT_FD,
                                            &reply.content.payload, size, reply.fds, 1),
                         ==, 0);
        vhost_user_front_end_message_clear(&reply);
    }
    device_fixture_start_ring(&fixture, 0);
    device_fixture_drive(&fixture, 0, TRUE);
    get_base(&fixture, 0);
    device_fixture_tear_down(&fixture);
}

/* Made for one ring format, of no use to the other. */
static void test_inflight_of_other_format(void)
{
    VhostUserInflight inflight = {.num_queues = 1, .queue_size = FIXTURE_RING_SIZE};
    DeviceFixture fixture;
    VhostUserFrontEndMessage reply;
    guint8 *buffer;

    ready(&fixture, FIXTURE_FEATURES & ~VHOST_USER_RING_F_PACKED);
    device_fixture_reply(&fixture, VHOST_USER_GET_INFLIGHT_FD, &inflight, sizeof(inflight), NULL, 0,
                         &reply);
    inflight = reply.content.payload.inflight;
    g_assert_cmpuint(device_fixture_ack(&fixture, VHOST_USER_SET_INFLIGHT_FD, &inflight,
                                        sizeof(inflight), reply.fds, 1),
                     ==, 0);
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_SET_FEATURES,
                                            FIXTURE_FEATURES | FIXTURE_BIT_30),
                     ==, 0);
    device_fixture_start_ring(&fixture, 0);
    device_fixture_drive(&fixture, 0, TRUE);
    buffer = mmap(NULL, inflight.mmap_size, PROT_READ, MAP_SHARED, reply.fds[0], 0);
    g_assert_true(buffer != MAP_FAILED);
    for (guint64 i = 0; i < inflight.mmap_size; i++) {
        g_assert_cmphex(buffer[i], ==, 0);
    }
    munmap(buffer, inflight.mmap_size);
    vhost_user_front_end_message_clear(&reply);
    device_fixture_tear_down(&fixture);
}

static void test_config_changed(void)
{
    DeviceFixture fixture;
    VhostUserFrontEndMessage request;
    guint sent = 0;

    device_fixture_set_up(&fixture, NONE, 0);
    g_assert_cmpint(vhost_user_device_config_changed(fixture.device), ==, -ENOTSUP);
    device_fixture_negotiate(&fixture, FIXTURE_FEATURES, ALL);
    g_assert_cmpint(vhost_user_device_config_changed(fixture.device), ==, -ENOTCONN);
    for (guint round = 0; round < 2;
         round++) { /* the second channel takes the place of the first */
        int ends[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
        g_assert_cmpuint(
            device_fixture_ack(&fixture, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, &ends[1], 1), ==,
            0);
        close(ends[1]);
        g_assert_cmpint(vhost_user_device_config_changed(fixture.device), ==, 0);
        g_assert_cmpint(recv(ends[0], &request.header, 64, MSG_DONTWAIT), ==, 12);
        g_assert_null(
            vhost_user_validate_backend_request(&request.header, NULL, 0, FIXTURE_QUEUES));
        g_assert_cmpuint(request.header.request, ==, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG);
        g_assert_cmpuint(request.header.flags, ==, VHOST_USER_VERSION);

        while (vhost_user_device_config_changed(fixture.device) == 0) { /* nobody reads */
            g_assert_cmpuint(++sent, <, 1000000);
        }
        g_assert_cmpint(vhost_user_device_config_changed(fixture.device), ==, -EAGAIN);
        if (round == 1) {
            /* An answer to nothing closes the channel, not the connection. */
            g_assert_cmpint(send(ends[0], &request.header, 12, 0), ==, 12);
            g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
            g_assert_cmpint(vhost_user_device_config_changed(fixture.device), ==, -ENOTCONN);
        }
        close(ends[0]);
        g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
        g_assert_cmpint(vhost_user_device_config_changed(fixture.device), ==, -ENOTCONN);
    }
    device_fixture_tear_down(&fixture);
}

static guint64 set_state_fd(DeviceFixture *fixture, uint32_t direction, int fd)
{
    const VhostUserDeviceState state = {.direction = direction};
    VhostUserFrontEndMessage reply;

    device_fixture_reply(fixture, VHOST_USER_SET_DEVICE_STATE_FD, &state, sizeof(state), &fd, 1,
                         &reply);
    g_assert_cmpuint(reply.fd_count, ==, 0);
    return reply.content.payload.u64;
}

static void test_device_state(void)
{
    DeviceFixture fixture;
    RingMessage messages[RING_MESSAGES];
    int ends[2];

    ready(&fixture, FIXTURE_FEATURES);
    g_assert_cmpint(pipe(ends), ==, 0);
    g_assert_cmphex(set_state_fd(&fixture, 1, ends[0]), ==, VHOST_USER_DEVICE_STATE_NOFD_MASK);
    g_assert_true(fixture.state_load);
    /* No queue starts before the transfer is over. */
    device_fixture_ring_messages(&fixture, 0, messages);
    for (guint i = 0; i < RING_MESSAGES; i++) {
        g_assert_cmpuint(device_fixture_ack(&fixture, messages[i].request, &messages[i].payload,
                                            messages[i].size, &messages[i].fd,
                                            messages[i].fd == -1 ? 0 : 1),
                         ==, i == RING_MESSAGES - 1 ? EBUSY : 0);
    }
    g_assert_cmphex(device_fixture_get(&fixture, VHOST_USER_CHECK_DEVICE_STATE), ==, 0);
    g_assert_cmpuint(device_fixture_ack_state(&fixture, VHOST_USER_SET_VRING_ENABLE, 0, 1), ==, 0);
    g_assert_true(fixture.running[0]);
    get_base(&fixture, 0);

    g_assert_cmphex(set_state_fd(&fixture, 0, ends[1]), ==, VHOST_USER_DEVICE_STATE_NOFD_MASK);
    g_assert_false(fixture.state_load);
    fixture.result = -EIO;
    g_assert_cmphex(device_fixture_get(&fixture, VHOST_USER_CHECK_DEVICE_STATE), !=, 0);
    g_assert_cmphex(set_state_fd(&fixture, 0, ends[1]) & VHOST_USER_DEVICE_STATE_ERROR_MASK, !=, 0);
    close(ends[0]);
    close(ends[1]);
    device_fixture_tear_down(&fixture);
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

            ready(&fixture, FIXTURE_FEATURES);
            device_fixture_start_ring(&fixture, 0);
            if (i == 9) { /* one that starts now */
                device_fixture_start_ring(&fixture, 1);
                device_fixture_ack_state(&fixture, VHOST_USER_SET_VRING_ENABLE, 1, 0);
            }
            if (i == 0) { /* features cannot change under a ring */
                get_base(&fixture, 0);
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

    ready(&fixture, FIXTURE_FEATURES);
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

static VhostUserDevice *faulting;

static void on_sigbus(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    if (!vhost_user_device_recover_fault(faulting, info->si_addr)) {
        abort();
    }
}

/* A file is cut behind our mapping while a request is in it: the request goes on with zeros, and
 * the connection ends. */
static void test_cut_file(void)
{
    const struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};
    struct sigaction before;
    DeviceFixture fixture;
    VhostUserMemRegMsg region;
    VhostUserDriverBuffer buffers[2] = {{0, 3}, {FIXTURE_AREA - 8, 1}};
    const guint8 *written;
    int fd;

    ready(&fixture, FIXTURE_FEATURES);
    fd = memfd_create("cut", MFD_CLOEXEC);
    g_assert_cmpint(ftruncate(fd, FIXTURE_AREA), ==, 0);
    g_assert_cmpint(pwrite(fd, "\1\1\1", 3, 0), ==, 3);
    region = device_fixture_region(&fixture, 1);
    region.region.mmap_offset = 0;
    g_assert_cmpuint(
        device_fixture_ack(&fixture, VHOST_USER_ADD_MEM_REG, &region, sizeof(region), &fd, 1), ==,
        0);
    device_fixture_start_ring(&fixture, 0);
    buffers[0].guest_address = region.region.guest_address;
    written = (const guint8 *)fixture.memory->areas[0].host + FIXTURE_AREA - 8;
    g_assert_cmpint(vhost_user_driver_queue_add(fixture.rings[0], buffers, 1, 1, 0, NULL), ==, 0);
    vhost_user_driver_queue_kick(fixture.rings[0]);

    g_assert_false(vhost_user_device_recover_fault(fixture.device, &fixture));
    faulting = fixture.device;
    sigaction(SIGBUS, &action, &before);
    g_assert_cmpint(ftruncate(fd, 0), ==, 0);
    g_assert_cmpuint(device_fixture_serve(&fixture, 0), ==, 1);
    sigaction(SIGBUS, &before, NULL);
    g_assert_cmpuint(*written, ==, 0);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_ENDED);
    g_assert_nonnull(strstr(vhost_user_device_error(fixture.device), "cut off"));
    close(fd);
    device_fixture_tear_down(&fixture);
}

static void test_queues(void)
{
    DeviceFixture fixture;

    device_fixture_set_up(&fixture, NONE, 0);
    for (guint i = 0; i < FIXTURE_QUEUES; i++) {
        g_assert_cmpuint(vhost_user_queue_index(vhost_user_device_queue(fixture.device, i)), ==, i);
    }
    g_assert_null(vhost_user_device_queue(fixture.device, FIXTURE_QUEUES));
    device_fixture_tear_down(&fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/libvhost-user/device/parameters", test_parameters);
    g_test_add_func("/libvhost-user/device/offer", test_offer);
    g_test_add_func("/libvhost-user/device/no-operations", test_no_operations);
    g_test_add_func("/libvhost-user/device/negotiation", test_negotiation);
    g_test_add_func("/libvhost-user/device/program-errors", test_program_errors);
    g_test_add_func("/libvhost-user/device/queues", test_queues);
    g_test_add_func("/libvhost-user/device/config", test_config);
    g_test_add_func("/libvhost-user/device/hooks", test_hooks);
    g_test_add_func("/libvhost-user/device/start-order", test_start_order);
    g_test_add_func("/libvhost-user/device/start-without-bit-30", test_start_without_bit_30);
    g_test_add_func("/libvhost-user/device/polling", test_polling);
    g_test_add_func("/libvhost-user/device/stop-and-start", test_stop_and_start);
    g_test_add_func("/libvhost-user/device/running-refuses", test_running_refuses);
    g_test_add_func("/libvhost-user/device/bad-ring", test_bad_ring);
    g_test_add_func("/libvhost-user/device/bad-descriptors", test_bad_descriptors);
    g_test_add_func("/libvhost-user/device/table", test_table);
    g_test_add_func("/libvhost-user/device/table-without-ring", test_table_without_ring);
    g_test_add_func("/libvhost-user/device/wait", test_wait);
    g_test_add_func("/libvhost-user/device/waits", test_waits);
    g_test_add_func("/libvhost-user/device/report-before-read", test_report_before_read);
    g_test_add_func("/libvhost-user/device/report-from-thread", test_report_from_thread);
    g_test_add_func("/libvhost-user/device/reset", test_reset);
    g_test_add_func("/libvhost-user/device/log", test_log);
    g_test_add_func("/libvhost-user/device/inflight", test_inflight);
    g_test_add_func("/libvhost-user/device/inflight-of-other-format",
                    test_inflight_of_other_format);
    g_test_add_func("/libvhost-user/device/config-changed", test_config_changed);
    g_test_add_func("/libvhost-user/device/device-state", test_device_state);
    g_test_add_func("/libvhost-user/device/cut-file", test_cut_file);
    g_test_add_func("/libvhost-user/device/shut-down-inside", test_shut_down_inside);
    g_test_add_func("/libvhost-user/device/shut-down", test_shut_down);
    return g_test_run();
}
