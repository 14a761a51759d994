/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every message about a device as a whole as it should be: negotiation, configuration, log,
 * requests in flight, the device's state, and what is passed on to the program. */
#include "device-fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define ALL (~0ull)
#define NONE 0ull

static void test_parameters(void)
{
    VhostUserDeviceOperations operations = {0};
    const VhostUserDeviceParameters right = {.struct_size = sizeof(right),
                                             .operations = &operations,
                                             .operations_size = sizeof(operations),
                                             .features = VHOST_USER_RING_FEATURES,
                                             .queues = 1};
    VhostUserDeviceParameters wrong[13];
    guint fds = open_descriptors();

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        wrong[i] = right;
    }
    wrong[0].struct_size = offsetof(VhostUserDeviceParameters, queues_a_unit) - 1;
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
    wrong[12].queues_a_unit = 2;
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

/* A program says what GET_QUEUE_NUM counts; one that was built before it could counts queues. */
static void test_units(void)
{
    static const struct {
        size_t struct_size;
        uint32_t unit, answer;
    } rows[] = {
        {sizeof(VhostUserDeviceParameters), 0, 6},
        {sizeof(VhostUserDeviceParameters), 1, 6},
        {sizeof(VhostUserDeviceParameters), 2, 3},
        {offsetof(VhostUserDeviceParameters, queues_a_unit), 2, 6},
    };
    const VhostUserDeviceOperations operations = {0};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const VhostUserDeviceParameters parameters = {.struct_size = rows[i].struct_size,
                                                      .operations = &operations,
                                                      .operations_size = sizeof(operations),
                                                      .queues = 6,
                                                      .queues_a_unit = rows[i].unit};
        DeviceFixture fixture = {0};
        int sockets[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), ==, 0);
        fixture.device = vhost_user_device_new(sockets[0], &parameters);
        fixture.front = vhost_user_front_end_new(sockets[1], 5000);
        device_fixture_negotiate(&fixture, NONE, ALL);
        g_assert_cmpuint(device_fixture_get(&fixture, VHOST_USER_GET_QUEUE_NUM), ==,
                         rows[i].answer);
        /* Rings are numbered one by one all the same. */
        g_assert_nonnull(vhost_user_device_queue(fixture.device, 5));
        g_assert_null(vhost_user_device_queue(fixture.device, 6));
        vhost_user_front_end_free(fixture.front);
        g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_ENDED);
        vhost_user_device_free(fixture.device);
    }
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

    device_fixture_ready(&fixture, FIXTURE_FEATURES);
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

    device_fixture_ready(&fixture, FIXTURE_FEATURES);
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

    device_fixture_ready(&fixture, FIXTURE_FEATURES);
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

static void test_reset(void)
{
    static const uint32_t requests[] = {VHOST_USER_RESET_DEVICE, VHOST_USER_SET_STATUS};
    DeviceFixture fixture;

    for (guint i = 0; i < G_N_ELEMENTS(requests); i++) {
        device_fixture_ready(&fixture, FIXTURE_FEATURES);
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
    device_fixture_ready(&fixture, FIXTURE_FEATURES & ~VHOST_USER_RING_F_PACKED);
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

    device_fixture_ready(&fixture, FIXTURE_FEATURES & ~VHOST_USER_RING_F_PACKED);
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
    device_fixture_get_base(&fixture, 0);
    device_fixture_tear_down(&fixture);
}

/* Made for one ring format, of no use to the other. */
static void test_inflight_of_other_format(void)
{
    VhostUserInflight inflight = {.num_queues = 1, .queue_size = FIXTURE_RING_SIZE};
    DeviceFixture fixture;
    VhostUserFrontEndMessage reply;
    guint8 *buffer;

    device_fixture_ready(&fixture, FIXTURE_FEATURES & ~VHOST_USER_RING_F_PACKED);
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

    device_fixture_ready(&fixture, FIXTURE_FEATURES);
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
    device_fixture_get_base(&fixture, 0);

    g_assert_cmphex(set_state_fd(&fixture, 0, ends[1]), ==, VHOST_USER_DEVICE_STATE_NOFD_MASK);
    g_assert_false(fixture.state_load);
    fixture.result = -EIO;
    g_assert_cmphex(device_fixture_get(&fixture, VHOST_USER_CHECK_DEVICE_STATE), !=, 0);
    g_assert_cmphex(set_state_fd(&fixture, 0, ends[1]) & VHOST_USER_DEVICE_STATE_ERROR_MASK, !=, 0);
    close(ends[0]);
    close(ends[1]);
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

    device_fixture_ready(&fixture, FIXTURE_FEATURES);
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
    g_test_add_func("/libvhost-user/device/units", test_units);
    g_test_add_func("/libvhost-user/device/program-errors", test_program_errors);
    g_test_add_func("/libvhost-user/device/queues", test_queues);
    g_test_add_func("/libvhost-user/device/config", test_config);
    g_test_add_func("/libvhost-user/device/hooks", test_hooks);
    g_test_add_func("/libvhost-user/device/reset", test_reset);
    g_test_add_func("/libvhost-user/device/log", test_log);
    g_test_add_func("/libvhost-user/device/inflight", test_inflight);
    g_test_add_func("/libvhost-user/device/inflight-of-other-format",
                    test_inflight_of_other_format);
    g_test_add_func("/libvhost-user/device/config-changed", test_config_changed);
    g_test_add_func("/libvhost-user/device/device-state", test_device_state);
    g_test_add_func("/libvhost-user/device/cut-file", test_cut_file);
    return g_test_run();
}
