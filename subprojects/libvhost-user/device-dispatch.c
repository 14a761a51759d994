/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a whole message to its handler and back to its answer.  Everything that holds for all
 * messages is here: what may come when, who learns of a refusal and how.
 */
#include "device-internal.h"

#include <errno.h>
#include <string.h>

/* Requests without a handler belong to features that are never offered. */
static VhostUserDeviceHandler *const handlers[VHOST_USER_REQUEST_COUNT] = {
#define HANDLER(REQUEST, name) [VHOST_USER_##REQUEST] = vhost_user_device_handle_##name
    HANDLER(GET_FEATURES, get_features),
    HANDLER(SET_FEATURES, set_features),
    HANDLER(SET_OWNER, set_owner),
    HANDLER(RESET_OWNER, reset_owner),
    HANDLER(SET_MEM_TABLE, set_mem_table),
    HANDLER(SET_LOG_BASE, set_log_base),
    HANDLER(SET_LOG_FD, set_log_fd),
    HANDLER(SET_VRING_NUM, set_vring_num),
    HANDLER(SET_VRING_ADDR, set_vring_addr),
    HANDLER(SET_VRING_BASE, set_vring_base),
    HANDLER(GET_VRING_BASE, get_vring_base),
    HANDLER(SET_VRING_KICK, set_vring_kick),
    HANDLER(SET_VRING_CALL, set_vring_call),
    HANDLER(SET_VRING_ERR, set_vring_err),
    HANDLER(GET_PROTOCOL_FEATURES, get_protocol_features),
    HANDLER(SET_PROTOCOL_FEATURES, set_protocol_features),
    HANDLER(GET_QUEUE_NUM, get_queue_num),
    HANDLER(SET_VRING_ENABLE, set_vring_enable),
    HANDLER(SEND_RARP, send_rarp),
    HANDLER(NET_SET_MTU, net_set_mtu),
    HANDLER(SET_BACKEND_REQ_FD, set_backend_req_fd),
    HANDLER(GET_CONFIG, get_config),
    HANDLER(SET_CONFIG, set_config),
    HANDLER(POSTCOPY_ADVISE, postcopy_advise),
    HANDLER(POSTCOPY_LISTEN, postcopy_listen),
    HANDLER(POSTCOPY_END, postcopy_end),
    HANDLER(GET_INFLIGHT_FD, get_inflight_fd),
    HANDLER(SET_INFLIGHT_FD, set_inflight_fd),
    HANDLER(RESET_DEVICE, reset_device),
    HANDLER(GET_MAX_MEM_SLOTS, get_max_mem_slots),
    HANDLER(ADD_MEM_REG, add_mem_reg),
    HANDLER(REM_MEM_REG, rem_mem_reg),
    HANDLER(SET_STATUS, set_status),
    HANDLER(GET_STATUS, get_status),
    HANDLER(SET_DEVICE_STATE_FD, set_device_state_fd),
    HANDLER(CHECK_DEVICE_STATE, check_device_state),
#undef HANDLER
};

/*
 * The reason why this request may not come now, or NULL.  The messages of bit 30 itself are known
 * to front-ends from its offer alone, before SET_FEATURES ("Protocol features"); SET_VRING_ENABLE
 * means nothing once SET_FEATURES has left the bit out.
 */
static const char *not_allowed(const VhostUserDevice *device, const VhostUserMessageInfo *info)
{
    if (info->allowed_by == VHOST_USER_ALLOWED_BY_BIT_30) {
        return info->request == VHOST_USER_SET_VRING_ENABLE && device->features_set &&
                       !vhost_user_device_has_bit_30(device)
                   ? "feature bit 30 was not negotiated"
                   : NULL;
    }
    if (info->allowed_by >= 0 && !vhost_user_device_has(device, (unsigned)info->allowed_by)) {
        return "its protocol feature was not negotiated";
    }
    return handlers[info->request] ? NULL : "it is not supported";
}

/* The answer that is due, with need_reply counting only if REPLY_ACK is or was negotiated. */
static VhostUserAnswer answer_due(const VhostUserDevice *device, bool reply_ack)
{
    VhostUserHeader header = device->message.header;

    if (!reply_ack && !vhost_user_device_has(device, VHOST_USER_PROTOCOL_F_REPLY_ACK)) {
        header.flags &= ~VHOST_USER_FLAG_NEED_REPLY;
    }
    if (!vhost_user_message_info(header.request)) {
        return header.flags & VHOST_USER_FLAG_NEED_REPLY ? VHOST_USER_ANSWER_ACK
                                                         : VHOST_USER_ANSWER_NONE;
    }
    return vhost_user_answer_due(&header, device->postcopy_listening);
}

static void answer(VhostUserDevice *device, const void *payload, uint32_t size, int fd,
                   bool fd_owned)
{
    const VhostUserHeader header = {.request = device->message.header.request,
                                    .flags = VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY,
                                    .size = size};

    vhost_user_device_check_sent(
        device, vhost_user_device_stream_send(&device->stream, &header, payload, fd, fd_owned));
}

static void acknowledge(VhostUserDevice *device, uint64_t value)
{
    answer(device, &value, VHOST_USER_ACK_SIZE, -1, false);
}

/* The error is a positive number on the wire, where 0 is success. */
static void refuse(VhostUserDevice *device, VhostUserAnswer due, int result, const char *reason)
{
    const char *name = vhost_user_request_name(device->message.header.request);
    uint32_t request = device->message.header.request;

    device->refused++;
    if (due == VHOST_USER_ANSWER_ACK) {
        vhost_user_device_log(device, VHOST_USER_LOG_WARNING, "%s (%u) is refused: %s", name,
                              request, reason);
        acknowledge(device, (uint64_t)-result);
    } else {
        vhost_user_device_fail(device, "%s (%u): %s", name, request, reason);
    }
}

/* What is checked when the message comes; not again when it goes on behind a wait.  false: it has
 * been dealt with. */
static bool admit(VhostUserDevice *device)
{
    const VhostUserDeviceMessage *message = &device->message;
    const VhostUserMessageInfo *info = vhost_user_message_info(message->header.request);
    const char *reason;

    vhost_user_device_log(device, VHOST_USER_LOG_DEBUG, "%s (%u), %u bytes, %u descriptors",
                          vhost_user_request_name(message->header.request), message->header.request,
                          message->header.size, message->fd_count);
    if (vhost_user_device_postcopy_take_ack(device, message)) {
        return false;
    }
    reason = vhost_user_validate_request(&message->header, message->bytes, message->fd_count,
                                         device->queues);
    if (!info && (message->header.flags & (VHOST_USER_VERSION_MASK | VHOST_USER_FLAG_REPLY)) ==
                     VHOST_USER_VERSION) {
        refuse(device, answer_due(device, false), -EOPNOTSUPP, reason);
        return false;
    }
    if (reason) {
        vhost_user_device_fail(device, "%s (%u): %s",
                               vhost_user_request_name(message->header.request),
                               message->header.request, reason);
        return false;
    }
    reason = not_allowed(device, info);
    if (reason) {
        refuse(device, answer_due(device, false), -EOPNOTSUPP, reason);
        return false;
    }
    return true;
}

static void handle(VhostUserDevice *device)
{
    VhostUserDeviceMessage *message = &device->message;
    bool reply_ack = vhost_user_device_has(device, VHOST_USER_PROTOCOL_F_REPLY_ACK);
    const char *reason = NULL;
    int result = handlers[message->header.request](device, message, &reason);
    VhostUserAnswer due = answer_due(device, reply_ack);

    if (device->phase != VHOST_USER_PHASE_OPEN) {
        return; /* the program ended the connection out of an operation */
    }
    device->message_waits = result == -EINPROGRESS;
    if (device->message_waits) {
        return;
    }
    if (result < 0) {
        refuse(device, due, result, reason ? reason : strerror(-result));
    } else if (due == VHOST_USER_ANSWER_REPLY) {
        answer(device, message->bytes, message->reply_size, message->reply_fd,
               message->reply_fd_owned);
    } else if (due == VHOST_USER_ANSWER_ACK) {
        acknowledge(device, 0);
    }
}

void vhost_user_device_dispatch(VhostUserDevice *device)
{
    if (device->message_waits || admit(device)) {
        handle(device);
    }
    if (!device->message_waits) {
        vhost_user_device_message_clear(&device->message);
    }
}
