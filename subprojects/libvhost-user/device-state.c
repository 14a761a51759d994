/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Migrating back-end state": the program's own state goes through a pipe of the front-end's. */
#include "device-internal.h"

#include <errno.h>

int vhost_user_device_handle_set_device_state_fd(VhostUserDevice *device,
                                                 VhostUserDeviceMessage *message,
                                                 const char **reason)
{
    bool load = message->payload.device_state.direction == 1;
    int result;

    if (!vhost_user_device_rings_idle(device)) {
        *reason = "a queue runs";
        return -EBUSY;
    }
    if (device->state_transfer) {
        *reason = "CHECK_DEVICE_STATE has not ended the transfer before";
        return -EBUSY;
    }
    result = device->operations.device_state(device->opaque, load,
                                             vhost_user_device_message_take_fd(message, 0));
    device->state_transfer = result >= 0;
    if (result < 0) {
        vhost_user_device_log(device, VHOST_USER_LOG_WARNING,
                              "SET_DEVICE_STATE_FD: the device's state cannot be %s",
                              load ? "loaded" : "saved");
    }
    /* Either way no descriptor of ours goes back: the front-end's is used. */
    return vhost_user_device_message_reply_u64(message, VHOST_USER_DEVICE_STATE_NOFD_MASK |
                                                            (result < 0 ? 1u : 0u));
}

int vhost_user_device_handle_check_device_state(VhostUserDevice *device,
                                                VhostUserDeviceMessage *message,
                                                const char **reason)
{
    int result;

    if (!device->state_transfer) {
        *reason = "SET_DEVICE_STATE_FD has not come before";
        return -EINVAL;
    }
    device->state_transfer = false;
    result = device->operations.device_state_check(device->opaque);
    return vhost_user_device_message_reply_u64(message, result < 0 ? 1 : 0);
}
