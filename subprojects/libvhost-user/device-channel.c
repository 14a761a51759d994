/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The back-end channel (SET_BACKEND_REQ_FD): the socket on which we ask the front-end.  All that we
 * say needs no answer, so whatever comes back is a violation of the protocol, or the hang-up, and
 * closes the channel: that bounds what a front-end can make us do here.
 */
#include "device-internal.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

void vhost_user_device_channel_close(VhostUserDevice *device)
{
    if (device->channel != -1) {
        /* The front-end may have kept a copy, which would keep it in the epoll. */
        epoll_ctl(device->epoll_fd, EPOLL_CTL_DEL, device->channel, NULL);
        close(device->channel);
    }
    device->channel = -1;
}

int vhost_user_device_handle_set_backend_req_fd(VhostUserDevice *device,
                                                VhostUserDeviceMessage *message,
                                                const char **reason)
{
    struct epoll_event event = {.events = EPOLLIN};
    socklen_t length = sizeof(int);
    int type;

    if (getsockopt(message->fds[0], SOL_SOCKET, SO_TYPE, &type, &length) == -1 ||
        type != SOCK_STREAM) {
        *reason = "the descriptor is no stream socket";
        return -EINVAL;
    }
    vhost_user_device_channel_close(device);
    if (epoll_ctl(device->epoll_fd, EPOLL_CTL_ADD, message->fds[0], &event) == -1) {
        *reason = "the descriptor cannot be waited for";
        return -errno;
    }
    device->channel = vhost_user_device_message_take_fd(message, 0);
    return 0;
}

void vhost_user_device_channel_check(VhostUserDevice *device)
{
    uint8_t byte;
    ssize_t length;

    if (device->channel == -1) {
        return;
    }
    length = recv(device->channel, &byte, 1, MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    /* A front end that ends closes this socket before or after the other. */
    vhost_user_device_log(device, length == 0 ? VHOST_USER_LOG_INFO : VHOST_USER_LOG_WARNING,
                          "the back-end channel is closed: %s",
                          length > 0    ? "the front-end said something there that nobody asked for"
                          : length == 0 ? "the front-end hung up"
                                        : strerror(errno));
    vhost_user_device_channel_close(device);
}

int vhost_user_device_config_changed(VhostUserDevice *device)
{
    const VhostUserHeader message = {.request = VHOST_USER_BACKEND_CONFIG_CHANGE_MSG,
                                     .flags = VHOST_USER_VERSION};
    ssize_t length;

    if (!vhost_user_device_has(device, VHOST_USER_PROTOCOL_F_BACKEND_REQ) ||
        !vhost_user_device_has(device, VHOST_USER_PROTOCOL_F_CONFIG)) {
        return -ENOTSUP;
    }
    if (device->channel == -1) {
        return -ENOTCONN;
    }
    do {
        length = send(device->channel, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (length < 0 && errno == EINTR);
    if (length == sizeof(message)) {
        return 0;
    }
    if (length < 0 && errno == EAGAIN) {
        return -EAGAIN;
    }
    /* Gone, or out of step behind a part of a message. */
    vhost_user_device_channel_close(device);
    return -ENOTCONN;
}
