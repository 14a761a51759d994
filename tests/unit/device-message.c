/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "device-message.h"

#include "device-sample.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void device_message_put(DeviceMessage *sample, const void *payload, guint size)
{
    memcpy(sample->bytes.payload, payload, size);
    sample->bytes.header.size = size;
}

void device_message_add_fd(DeviceMessage *sample)
{
    g_assert_cmpuint(sample->fd_count, <, G_N_ELEMENTS(sample->fds));
    sample->fds[sample->fd_count++] = device_sample_fd(sample->bytes.header.request);
}

void device_message_make(DeviceMessage *sample, uint32_t request)
{
    const VhostUserMessageInfo *info = vhost_user_message_info(request);
    VhostUserPayload payload;
    uint32_t size = device_sample_payload(request, &payload);

    if (request == VHOST_USER_SET_FEATURES) {
        payload.u64 |= FIXTURE_FEATURES; /* those of the ring that runs */
    }
    memset(sample, 0, sizeof(*sample));
    sample->bytes.header = (VhostUserHeader){.request = request, .flags = VHOST_USER_VERSION};
    device_message_put(sample, &payload, size);
    for (guint i = 0; i < MAX(info->fds_minimum, MIN(info->fds_maximum, 1)); i++) {
        device_message_add_fd(sample);
    }
}

void device_message_clear(DeviceMessage *sample)
{
    for (guint i = 0; i < sample->fd_count; i++) {
        close(sample->fds[i]);
    }
}

void device_message_send(DeviceFixture *fixture, const DeviceMessage *sample, guint size)
{
    union {
        char bytes[CMSG_SPACE(sizeof(sample->fds))];
        struct cmsghdr header;
    } control = {{0}};
    struct iovec part = {(void *)&sample->bytes, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (sample->fd_count > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sample->fd_count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sample->fd_count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), sample->fds, sample->fd_count * sizeof(int));
    }
    g_assert_cmpint(sendmsg(vhost_user_front_end_socket(fixture->front), &message, MSG_NOSIGNAL),
                    ==, size);
}

void device_message_begin(DeviceFixture *fixture)
{
    device_fixture_set_up(fixture, 0, 16);
    device_fixture_negotiate(fixture, FIXTURE_FEATURES, ~0ull);
    device_fixture_add_area(fixture, 0);
    device_fixture_start_ring(fixture, 0);
}

Outcome device_message_outcome(DeviceFixture *fixture, uint32_t request)
{
    VhostUserState state = device_fixture_process(fixture);
    VhostUserFrontEndMessage answer;
    const VhostUserMessageInfo *info = vhost_user_message_info(request);
    Outcome result = OUTCOME_ANSWER;

    if (state == VHOST_USER_ENDED) {
        g_assert_nonnull(vhost_user_device_error(fixture->device));
        g_assert_false(device_fixture_answered(fixture));
        return OUTCOME_END;
    }
    g_assert_null(vhost_user_device_error(fixture->device));
    if (!device_fixture_answered(fixture)) {
        return OUTCOME_SILENCE;
    }
    g_assert_cmpint(vhost_user_front_end_receive(fixture->front, &answer), ==, 0);
    g_assert_cmpuint(answer.header.request, ==, request);
    g_assert_cmphex(answer.header.flags, ==, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY);
    if (!info || info->reply != VHOST_USER_REPLY_ALWAYS) {
        g_assert_cmpuint(answer.header.size, ==, VHOST_USER_ACK_SIZE);
        result = answer.content.payload.u64 ? OUTCOME_REFUSAL : OUTCOME_ANSWER;
    } else {
        g_assert_null(vhost_user_validate_reply(request, VHOST_USER_ANSWER_REPLY, &answer.header,
                                                answer.content.bytes, answer.fd_count));
    }
    vhost_user_front_end_message_clear(&answer);
    g_assert_false(device_fixture_answered(fixture));
    return result;
}
