/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scripted front-end and the program of the device tests. */
#include "device-fixture.h"

#include <dirent.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

guint open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    guint entries = 0;

    g_assert_nonnull(directory);
    while (readdir(directory)) {
        entries++;
    }
    closedir(directory);
    return entries;
}

static int operation_result(DeviceFixture *fixture)
{
    if (fixture->shut_down) {
        vhost_user_device_shut_down(fixture->device);
    }
    return fixture->result;
}

static void on_log(void *opaque, VhostUserLogLevel level, const char *text)
{
    DeviceFixture *fixture = opaque;

    g_assert_null(strchr(text, '\n'));
    if (level <= VHOST_USER_LOG_WARNING) {
        g_string_append_printf(fixture->log, "%s\n", text);
    }
}

static int on_get_config(void *opaque, uint32_t offset, void *bytes, uint32_t size)
{
    DeviceFixture *fixture = opaque;

    g_assert_cmpuint(size, <=, sizeof(fixture->config));
    if (offset > sizeof(fixture->config) - size) {
        return -ERANGE;
    }
    memcpy(bytes, fixture->config + offset, size);
    return operation_result(fixture);
}

static int on_set_config(void *opaque, uint32_t offset, const void *bytes, uint32_t size,
                         uint32_t flags)
{
    DeviceFixture *fixture = opaque;

    g_assert_cmpuint(flags, <=, VHOST_USER_CONFIG_MIGRATION);
    if (offset > sizeof(fixture->config) - size) {
        return -ERANGE;
    }
    memcpy(fixture->config + offset, bytes, size);
    return operation_result(fixture);
}

static int on_set_features(void *opaque, uint64_t features)
{
    DeviceFixture *fixture = opaque;

    g_assert_cmphex(features & ~FIXTURE_FEATURES, ==, 0);
    fixture->features = features;
    fixture->features_set++;
    return operation_result(fixture);
}

static void on_queue_start(void *opaque, VhostUserQueue *queue)
{
    DeviceFixture *fixture = opaque;
    guint index = vhost_user_queue_index(queue);

    g_assert_true(vhost_user_queue_device(queue) == fixture->device);
    g_assert_false(fixture->running[index]);
    fixture->running[index] = TRUE;
    fixture->starts[index]++;
    operation_result(fixture);
}

void device_fixture_report(DeviceFixture *fixture, guint queue)
{
    g_assert_true(fixture->running[queue] && fixture->stopping[queue]);
    fixture->running[queue] = fixture->stopping[queue] = FALSE;
    vhost_user_queue_stopped(vhost_user_device_queue(fixture->device, queue));
}

static void on_queue_stop(void *opaque, VhostUserQueue *queue)
{
    DeviceFixture *fixture = opaque;
    guint index = vhost_user_queue_index(queue);

    g_assert_true(fixture->running[index]);
    g_assert_false(fixture->stopping[index]);
    fixture->stops[index]++;
    g_atomic_int_set(&fixture->stopping[index], TRUE); /* another thread may report it now */
    if (!fixture->stop_later) {
        device_fixture_report(fixture, index);
    }
    operation_result(fixture);
}

static void require_no_queue(const DeviceFixture *fixture)
{
    for (guint i = 0; i < FIXTURE_QUEUES; i++) {
        g_assert_false(fixture->running[i]);
    }
}

static int on_reset(void *opaque)
{
    DeviceFixture *fixture = opaque;

    require_no_queue(fixture);
    fixture->resets++;
    return operation_result(fixture);
}

static int on_set_status(void *opaque, uint8_t status)
{
    DeviceFixture *fixture = opaque;

    fixture->status = status;
    fixture->status_set++;
    return operation_result(fixture);
}

static int on_net_set_mtu(void *opaque, uint16_t mtu)
{
    DeviceFixture *fixture = opaque;

    fixture->mtu = mtu;
    return operation_result(fixture);
}

static int on_send_rarp(void *opaque, const uint8_t address[6])
{
    DeviceFixture *fixture = opaque;

    memcpy(fixture->mac, address, sizeof(fixture->mac));
    return operation_result(fixture);
}

static int on_device_state(void *opaque, bool load, int fd)
{
    DeviceFixture *fixture = opaque;

    require_no_queue(fixture);
    if (fixture->state_fd != -1) {
        close(fixture->state_fd);
    }
    fixture->state_fd = fd;
    fixture->state_load = load;
    return operation_result(fixture);
}

static int on_device_state_check(void *opaque)
{
    return operation_result(opaque);
}

static const VhostUserDeviceOperations operations = {
    .log = on_log,
    .get_config = on_get_config,
    .set_config = on_set_config,
    .set_features = on_set_features,
    .queue_start = on_queue_start,
    .queue_stop = on_queue_stop,
    .reset = on_reset,
    .set_status = on_set_status,
    .net_set_mtu = on_net_set_mtu,
    .send_rarp = on_send_rarp,
    .device_state = on_device_state,
    .device_state_check = on_device_state_check,
};

void device_fixture_set_up(DeviceFixture *fixture, guint64 withheld, guint32 slots)
{
    const VhostUserDeviceParameters parameters = {
        .struct_size = sizeof(parameters),
        .operations = &operations,
        .operations_size = sizeof(operations),
        .opaque = fixture,
        .features = FIXTURE_FEATURES,
        .protocol_features_withheld = withheld,
        .queues = FIXTURE_QUEUES,
        .queue_size_maximum = 256,
        .memory_slots = slots,
    };
    int sockets[2];

    *fixture = (DeviceFixture){.fds = open_descriptors(), .state_fd = -1};
    fixture->log = g_string_new(NULL);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), ==, 0);
    fixture->device = vhost_user_device_new(sockets[0], &parameters);
    g_assert_nonnull(fixture->device);
    fixture->front = vhost_user_front_end_new(sockets[1], 5000);
    g_assert_nonnull(fixture->front);
    fixture->memory = vhost_user_guest_memory_new(0, FIXTURE_AREA, 2, FIXTURE_GAP);
    g_assert_nonnull(fixture->memory);
}

void device_fixture_tear_down(DeviceFixture *fixture)
{
    vhost_user_front_end_free(fixture->front);
    fixture->stop_later = FALSE;
    for (guint i = 0; i < FIXTURE_QUEUES; i++) {
        if (fixture->stopping[i]) {
            device_fixture_report(fixture, i);
        }
    }
    g_assert_cmpint(device_fixture_process(fixture), ==, VHOST_USER_ENDED);
    g_assert_cmpint(vhost_user_device_process(fixture->device), ==, VHOST_USER_ENDED);
    require_no_queue(fixture);
    for (guint i = 0; i < FIXTURE_QUEUES; i++) {
        g_assert_cmpuint(fixture->starts[i], ==, fixture->stops[i]);
        vhost_user_driver_queue_free(fixture->rings[i]);
    }
    vhost_user_device_free(fixture->device);
    vhost_user_guest_memory_free(fixture->memory);
    if (fixture->state_fd != -1) {
        close(fixture->state_fd);
    }
    g_string_free(fixture->log, TRUE);
    g_assert_cmpuint(open_descriptors(), ==, fixture->fds);
}

VhostUserState device_fixture_process(DeviceFixture *fixture)
{
    struct pollfd due = {.fd = vhost_user_device_fd(fixture->device), .events = POLLIN};

    /* More would mean that it is woken for nothing. */
    for (guint calls = 0; calls < 10000; calls++) {
        int ready = poll(&due, 1, 0);

        g_assert_cmpint(ready, >=, 0);
        if (ready == 0 || fixture->ended) {
            return fixture->ended ? VHOST_USER_ENDED : VHOST_USER_GOES_ON;
        }
        fixture->ended = vhost_user_device_process(fixture->device) == VHOST_USER_ENDED;
    }
    g_assert_not_reached();
}

gboolean device_fixture_answered(DeviceFixture *fixture)
{
    guint8 byte;

    return recv(vhost_user_front_end_socket(fixture->front), &byte, 1, MSG_PEEK | MSG_DONTWAIT) ==
           1;
}

static void check_front(DeviceFixture *fixture, int result)
{
    if (result < 0) {
        g_error("%s; the device: %s", vhost_user_front_end_error(fixture->front),
                vhost_user_device_error(fixture->device));
    }
}

guint64 device_fixture_ack(DeviceFixture *fixture, uint32_t request, const void *payload,
                           uint32_t size, const int *fds, guint fd_count)
{
    VhostUserFrontEndMessage ack;

    check_front(fixture,
                vhost_user_front_end_send(fixture->front, request, VHOST_USER_FLAG_NEED_REPLY,
                                          payload, size, fds, fd_count));
    device_fixture_process(fixture);
    check_front(fixture, vhost_user_front_end_receive_answer(fixture->front, request,
                                                             VHOST_USER_ANSWER_ACK, &ack));
    g_assert_false(device_fixture_answered(fixture));
    return ack.content.payload.u64;
}

guint64 device_fixture_ack_u64(DeviceFixture *fixture, uint32_t request, guint64 value)
{
    return device_fixture_ack(fixture, request, &value,
                              vhost_user_message_info(request)->size_maximum, NULL, 0);
}

guint64 device_fixture_ack_state(DeviceFixture *fixture, uint32_t request, uint32_t index,
                                 uint32_t number)
{
    const VhostUserVringState state = {.index = index, .num = number};

    return device_fixture_ack(fixture, request, &state, sizeof(state), NULL, 0);
}

void device_fixture_reply(DeviceFixture *fixture, uint32_t request, const void *payload,
                          uint32_t size, const int *fds, guint fd_count,
                          VhostUserFrontEndMessage *reply)
{
    check_front(fixture, vhost_user_front_end_send(fixture->front, request, 0, payload, size, fds,
                                                   fd_count));
    device_fixture_process(fixture);
    check_front(fixture, vhost_user_front_end_receive_answer(fixture->front, request,
                                                             VHOST_USER_ANSWER_REPLY, reply));
    g_assert_false(device_fixture_answered(fixture));
}

guint64 device_fixture_get(DeviceFixture *fixture, uint32_t request)
{
    VhostUserFrontEndMessage reply;

    device_fixture_reply(fixture, request, NULL, 0, NULL, 0, &reply);
    g_assert_cmpuint(reply.header.size, ==, 8);
    return reply.content.payload.u64;
}

void device_fixture_negotiate(DeviceFixture *fixture, guint64 features, guint64 protocol_features)
{
    guint64 offered = device_fixture_get(fixture, VHOST_USER_GET_PROTOCOL_FEATURES);

    /* Not acknowledged before REPLY_ACK is there; SET_FEATURES is then. */
    protocol_features &= offered;
    check_front(fixture, vhost_user_front_end_send(fixture->front, VHOST_USER_SET_PROTOCOL_FEATURES,
                                                   0, &protocol_features, 8, NULL, 0));
    features = (features & device_fixture_get(fixture, VHOST_USER_GET_FEATURES)) | FIXTURE_BIT_30;
    if (protocol_features & 1u << VHOST_USER_PROTOCOL_F_REPLY_ACK) {
        g_assert_cmpuint(device_fixture_ack_u64(fixture, VHOST_USER_SET_FEATURES, features), ==, 0);
    } else {
        check_front(fixture, vhost_user_front_end_send(fixture->front, VHOST_USER_SET_FEATURES, 0,
                                                       &features, 8, NULL, 0));
        device_fixture_process(fixture);
    }
    g_assert_cmphex(vhost_user_device_protocol_features(fixture->device), ==, protocol_features);
    g_assert_cmphex(vhost_user_device_features(fixture->device), ==, features & FIXTURE_FEATURES);
}

VhostUserMemRegMsg device_fixture_region(const DeviceFixture *fixture, guint index)
{
    const VhostUserMemoryArea *area = &fixture->memory->areas[index];

    return (VhostUserMemRegMsg){.region = {.guest_address = area->guest_address,
                                           .size = area->size,
                                           .user_address = (uintptr_t)area->host,
                                           .mmap_offset = area->offset}};
}

void device_fixture_add_area(DeviceFixture *fixture, guint index)
{
    VhostUserMemRegMsg message = device_fixture_region(fixture, index);

    g_assert_cmpuint(device_fixture_ack(fixture, VHOST_USER_ADD_MEM_REG, &message, sizeof(message),
                                        &fixture->memory->areas[index].fd, 1),
                     ==, 0);
}

static void make_ring(DeviceFixture *fixture, guint index)
{
    VhostUserDriverParameters parameters = {
        .areas = fixture->memory->areas,
        .area_count = fixture->memory->count,
        .features = vhost_user_device_features(fixture->device) &
                    (VHOST_USER_RING_F_EVENT_IDX | VHOST_USER_RING_F_PACKED),
        .index = index,
        .size = FIXTURE_RING_SIZE,
    };

    parameters.base =
        parameters.features & VHOST_USER_RING_F_PACKED ? VHOST_USER_DRIVER_PACKED_BASE : 0;
    vhost_user_driver_place(&parameters, index * (FIXTURE_AREA / FIXTURE_QUEUES));
    fixture->rings[index] = vhost_user_driver_queue_new(&parameters);
    g_assert_nonnull(fixture->rings[index]);
}

void device_fixture_ring_messages(DeviceFixture *fixture, guint index,
                                  RingMessage messages[RING_MESSAGES])
{
    VhostUserRingSetup setup;

    if (!fixture->rings[index]) {
        make_ring(fixture, index);
    }
    vhost_user_driver_queue_setup(fixture->rings[index], &setup);
    messages[0] = (RingMessage){VHOST_USER_SET_VRING_NUM,
                                {.state = {.index = index, .num = setup.size}},
                                sizeof(VhostUserVringState),
                                -1};
    messages[1] = (RingMessage){VHOST_USER_SET_VRING_BASE,
                                {.state = {.index = index, .num = setup.base}},
                                sizeof(VhostUserVringState),
                                -1};
    messages[2] = (RingMessage){VHOST_USER_SET_VRING_ADDR,
                                {.address = {.index = index,
                                             .descriptor = (uintptr_t)setup.descriptor,
                                             .available = (uintptr_t)setup.available,
                                             .used = (uintptr_t)setup.used,
                                             .log = setup.log}},
                                sizeof(VhostUserVringAddr),
                                -1};
    messages[3] = (RingMessage){VHOST_USER_SET_VRING_CALL, {.u64 = index}, 8, setup.call};
    messages[4] = (RingMessage){VHOST_USER_SET_VRING_ERR, {.u64 = index}, 8, setup.error};
    messages[5] = (RingMessage){VHOST_USER_SET_VRING_KICK, {.u64 = index}, 8, setup.kick};
    messages[6] = (RingMessage){VHOST_USER_SET_VRING_ENABLE,
                                {.state = {.index = index, .num = 1}},
                                sizeof(VhostUserVringState),
                                -1};
}

void device_fixture_start_ring(DeviceFixture *fixture, guint index)
{
    RingMessage messages[RING_MESSAGES];
    guint starts = fixture->starts[index];

    device_fixture_ring_messages(fixture, index, messages);
    for (guint i = 0; i < RING_MESSAGES; i++) {
        g_assert_cmpuint(device_fixture_ack(fixture, messages[i].request, &messages[i].payload,
                                            messages[i].size, &messages[i].fd,
                                            messages[i].fd == -1 ? 0 : 1),
                         ==, 0);
    }
    g_assert_true(fixture->running[index]);
    g_assert_cmpuint(fixture->starts[index], ==, starts + 1);
}

void device_fixture_ready(DeviceFixture *fixture, guint64 features)
{
    device_fixture_set_up(fixture, 0, 16);
    device_fixture_negotiate(fixture, features, ~0ull);
    device_fixture_add_area(fixture, 0);
}

uint32_t device_fixture_get_base(DeviceFixture *fixture, guint index)
{
    const VhostUserVringState state = {.index = index};
    VhostUserFrontEndMessage reply;

    device_fixture_reply(fixture, VHOST_USER_GET_VRING_BASE, &state, sizeof(state), NULL, 0,
                         &reply);
    g_assert_cmpuint(reply.content.payload.state.index, ==, index);
    return reply.content.payload.state.num;
}

guint device_fixture_serve(DeviceFixture *fixture, guint index)
{
    VhostUserQueue *queue = vhost_user_device_queue(fixture->device, index);
    VhostUserElement *element;
    guint served = 0;

    g_assert_true(fixture->running[index]);
    vhost_user_queue_clear_kick(queue);
    if (!vhost_user_queue_begin(queue)) {
        return 0;
    }
    while ((element = vhost_user_queue_pop(queue)) != NULL) {
        guint8 sum = 0, byte;

        g_assert_false(element->fault);
        for (guint64 at = 0; vhost_user_element_read(element, at, &byte, 1) == 1; at++) {
            sum += byte;
        }
        for (guint64 at = 0; at < element->writable_size; at++) {
            vhost_user_element_write(element, at, &sum, 1);
        }
        vhost_user_queue_push(queue, element, (uint32_t)element->writable_size);
        served++;
    }
    vhost_user_queue_end(queue);
    return served;
}

void device_fixture_drive(DeviceFixture *fixture, guint index, gboolean expected)
{
    /* Behind the ring, in its quarter of the first area. */
    guint64 address = (index + 1) * (FIXTURE_AREA / FIXTURE_QUEUES) - 256;
    const VhostUserDriverBuffer buffers[] = {{address, 3}, {address + 64, 5}};
    guint8 *bytes =
        vhost_user_guest_memory_host(fixture->memory->areas, fixture->memory->count, address, 128);
    VhostUserDriverQueue *ring = fixture->rings[index];
    VhostUserDriverUsed used;

    memset(bytes, 0, 128);
    bytes[0] = 7;
    bytes[1] = 11;
    bytes[2] = 13;
    g_assert_cmpint(vhost_user_driver_queue_add(ring, buffers, 1, 1, 0, fixture), ==, 0);
    vhost_user_driver_queue_kick(ring);
    if (fixture->running[index]) {
        device_fixture_serve(fixture, index);
    }
    g_assert_cmpint(vhost_user_driver_queue_collect(ring, &used, 1), ==, expected ? 1 : 0);
    if (expected) {
        g_assert_true(used.cookie == fixture);
        g_assert_cmpuint(used.written, ==, 5);
        g_assert_cmpuint(bytes[64], ==, 31);
        g_assert_cmpuint(bytes[68], ==, 31);
        g_assert_cmpuint(bytes[69], ==, 0);
    }
}
