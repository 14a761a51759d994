/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Front-ends that go at any byte of a session, send it byte by byte, or do not read the answers:
 * every queue comes back, and only what was cut off is an error.
 */
#include "device-message.h"

#include <sys/socket.h>

/* The messages of a session from its first to its last. */
static const uint32_t session[] = {
    VHOST_USER_GET_FEATURES,     VHOST_USER_SET_OWNER,         VHOST_USER_GET_PROTOCOL_FEATURES,
    VHOST_USER_GET_QUEUE_NUM,    VHOST_USER_GET_MAX_MEM_SLOTS, VHOST_USER_SET_BACKEND_REQ_FD,
    VHOST_USER_GET_CONFIG,       VHOST_USER_SET_FEATURES,      VHOST_USER_GET_INFLIGHT_FD,
    VHOST_USER_ADD_MEM_REG,      VHOST_USER_SET_LOG_BASE,      VHOST_USER_SET_VRING_NUM,
    VHOST_USER_SET_VRING_BASE,   VHOST_USER_SET_VRING_CALL,    VHOST_USER_SET_VRING_ERR,
    VHOST_USER_SET_VRING_ENABLE, VHOST_USER_SET_STATUS,        VHOST_USER_SET_CONFIG,
    VHOST_USER_GET_VRING_BASE,   VHOST_USER_REM_MEM_REG,       VHOST_USER_SET_MEM_TABLE,
    VHOST_USER_RESET_DEVICE,
};

/* Hung up behind message @index and @more bytes of the next. */
static void hang_up(guint index, guint more)
{
    DeviceFixture fixture;
    DeviceMessage sample;

    device_message_begin(&fixture);
    for (guint i = 0; i < index; i++) {
        device_message_make(&sample, session[i]);
        sample.bytes.header.flags |= VHOST_USER_FLAG_NEED_REPLY;
        device_message_send(&fixture, &sample, DEVICE_HEADER + sample.bytes.header.size);
        device_message_clear(&sample);
        g_assert_cmpint(device_message_outcome(&fixture, session[i]), ==, OUTCOME_ANSWER);
    }
    if (more > 0) {
        device_message_make(&sample, session[index]);
        device_message_send(&fixture, &sample,
                            MIN(more, DEVICE_HEADER + sample.bytes.header.size - 1));
        device_message_clear(&sample);
        g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
    }
    g_assert_cmpint(shutdown(vhost_user_front_end_socket(fixture.front), SHUT_RDWR), ==, 0);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_ENDED);
    g_assert_true((vhost_user_device_error(fixture.device) != NULL) == (more > 0));
    device_fixture_tear_down(&fixture);
}

static void test_hang_up(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(session); i++) {
        hang_up(i, 0);
        hang_up(i, 1);
        hang_up(i, 11);
        hang_up(i, DEVICE_HEADER);
        hang_up(i, DEVICE_HEADER + 1);
        hang_up(i, 1000);
    }
    hang_up(G_N_ELEMENTS(session), 0);
}

/* While a message waits for a queue: it is seen when the queue has stopped. */
static void test_hang_up_while_waiting(void)
{
    DeviceFixture fixture;
    DeviceMessage sample;

    device_message_begin(&fixture);
    fixture.stop_later = TRUE;
    device_message_make(&sample, VHOST_USER_RESET_DEVICE);
    device_message_send(&fixture, &sample, DEVICE_HEADER);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
    g_assert_true(fixture.stopping[0]);
    shutdown(vhost_user_front_end_socket(fixture.front), SHUT_RDWR);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
    device_fixture_report(&fixture, 0);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_ENDED);
    g_assert_null(vhost_user_device_error(fixture.device));
    device_fixture_tear_down(&fixture);
}

/* With queues that take their time: nobody is told of the end before they are back. */
static void test_hang_up_while_running(void)
{
    DeviceFixture fixture;

    device_message_begin(&fixture);
    device_fixture_start_ring(&fixture, 3);
    fixture.stop_later = TRUE;
    shutdown(vhost_user_front_end_socket(fixture.front), SHUT_RDWR);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
    g_assert_true(fixture.stopping[0] && fixture.stopping[3]);
    device_fixture_report(&fixture, 3);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
    device_fixture_report(&fixture, 0);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_ENDED);
    device_fixture_tear_down(&fixture);
}

/* The whole session byte by byte. */
static void test_one_byte_at_a_time(void)
{
    DeviceFixture fixture;

    device_message_begin(&fixture);
    for (guint i = 0; i < G_N_ELEMENTS(session); i++) {
        DeviceMessage sample;
        guint size;

        device_message_make(&sample, session[i]);
        sample.bytes.header.flags |= VHOST_USER_FLAG_NEED_REPLY;
        size = DEVICE_HEADER + sample.bytes.header.size;
        for (guint at = 0; at < size; at++) {
            g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
            g_assert_false(device_fixture_answered(&fixture));
            g_assert_cmpint(
                vhost_user_front_end_send_bytes(fixture.front, (guint8 *)&sample.bytes + at, 1,
                                                sample.fds, at == 0 ? sample.fd_count : 0),
                ==, 0);
        }
        device_message_clear(&sample);
        g_assert_cmpint(device_message_outcome(&fixture, session[i]), ==, OUTCOME_ANSWER);
    }
    device_fixture_tear_down(&fixture);
}

/* A front-end that does not read its answers: the device keeps one and reads no more; when the
 * front-end reads at last, all are there. */
static void test_answers_not_read(void)
{
    DeviceFixture fixture;
    const VhostUserHeader question = {VHOST_USER_GET_FEATURES, VHOST_USER_VERSION, 0};
    VhostUserDeviceStatistics statistics;
    VhostUserFrontEndMessage answer;
    guint64 sent = 0, before = 0;
    int socket;

    device_message_begin(&fixture);
    vhost_user_device_statistics(fixture.device, &statistics);
    before = statistics.messages;
    socket = vhost_user_front_end_socket(fixture.front);
    while (send(socket, &question, sizeof(question), MSG_DONTWAIT) == sizeof(question)) {
        sent++;
        g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
        g_assert_cmpuint(sent, <, 1000000);
    }
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
    vhost_user_device_statistics(fixture.device, &statistics);
    g_assert_cmpuint(statistics.messages - before, <, sent);
    for (guint64 i = 0; i < sent; i++) {
        device_fixture_process(&fixture);
        g_assert_cmpint(vhost_user_front_end_receive_answer(fixture.front, VHOST_USER_GET_FEATURES,
                                                            VHOST_USER_ANSWER_REPLY, &answer),
                        ==, 0);
    }
    g_assert_false(device_fixture_answered(&fixture));
    vhost_user_device_statistics(fixture.device, &statistics);
    g_assert_cmpuint(statistics.messages - before, ==, sent);
    device_fixture_drive(&fixture, 0, TRUE);
    device_fixture_tear_down(&fixture);
}

/* Hung up while answers are waiting to be read, or to be sent: that is between two messages. */
static void test_answers_never_read(void)
{
    for (guint many = 0; many < 2; many++) {
        DeviceFixture fixture;
        const VhostUserHeader question = {VHOST_USER_GET_FEATURES, VHOST_USER_VERSION, 0};

        device_message_begin(&fixture);
        do {
            device_fixture_process(&fixture);
        } while (send(vhost_user_front_end_socket(fixture.front), &question, sizeof(question),
                      MSG_DONTWAIT) == sizeof(question) &&
                 many);
        device_fixture_process(&fixture);
        vhost_user_front_end_free(fixture.front);
        fixture.front = NULL;
        g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_ENDED);
        g_assert_null(vhost_user_device_error(fixture.device));
        device_fixture_tear_down(&fixture);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/libvhost-user/device-wrong/hang-up", test_hang_up);
    g_test_add_func("/libvhost-user/device-wrong/hang-up-while-waiting",
                    test_hang_up_while_waiting);
    g_test_add_func("/libvhost-user/device-wrong/hang-up-while-running",
                    test_hang_up_while_running);
    g_test_add_func("/libvhost-user/device-wrong/one-byte-at-a-time", test_one_byte_at_a_time);
    g_test_add_func("/libvhost-user/device-wrong/answers-not-read", test_answers_not_read);
    g_test_add_func("/libvhost-user/device-wrong/answers-never-read", test_answers_never_read);
    return g_test_run();
}
