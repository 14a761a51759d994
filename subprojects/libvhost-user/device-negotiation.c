/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that are about the device as a whole: features, owner, status, reset, and what is
 * passed on to the program for its kind of device.
 */
#include "device-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define BIT(number) (1ull << (number))
#define PROTOCOL_BIT(name) BIT(VHOST_USER_PROTOCOL_F_##name)

/* What both sides may have without the program's help, and what its operations add. */
void vhost_user_device_make_offer(VhostUserDevice *device, uint64_t withheld)
{
    const VhostUserDeviceOperations *operations = &device->operations;
    uint64_t offer = PROTOCOL_BIT(MQ) | PROTOCOL_BIT(LOG_SHMFD) | PROTOCOL_BIT(REPLY_ACK) |
                     PROTOCOL_BIT(BACKEND_REQ) | PROTOCOL_BIT(INFLIGHT_SHMFD) |
                     PROTOCOL_BIT(CONFIGURE_MEM_SLOTS) | PROTOCOL_BIT(STATUS);

    offer |= operations->send_rarp ? PROTOCOL_BIT(RARP) : 0;
    offer |= operations->net_set_mtu ? PROTOCOL_BIT(NET_MTU) : 0;
    offer |= operations->get_config && operations->set_config ? PROTOCOL_BIT(CONFIG) : 0;
    offer |= operations->reset ? PROTOCOL_BIT(RESET_DEVICE) : 0;
    offer |=
        operations->device_state && operations->device_state_check ? PROTOCOL_BIT(DEVICE_STATE) : 0;
    if (!(withheld & PROTOCOL_BIT(PAGEFAULT)) && vhost_user_device_postcopy_possible()) {
        offer |= PROTOCOL_BIT(PAGEFAULT);
    }
    device->protocol_features_offered = offer & ~withheld;
    device->features_offered |= BIT(VHOST_USER_F_PROTOCOL_FEATURES);
    if (device->protocol_features_offered & PROTOCOL_BIT(LOG_SHMFD)) {
        /* Without it the front-end has no way to give us the log. */
        device->features_offered |= BIT(VHOST_USER_F_LOG_ALL);
    }
}

int vhost_user_device_handle_get_features(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                          const char **reason)
{
    (void)reason;
    return vhost_user_device_message_reply_u64(message, device->features_offered);
}

/* Comes again while queues run to turn logging on and off ("Migration"); the rest stands then. */
int vhost_user_device_handle_set_features(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                          const char **reason)
{
    uint64_t features = message->payload.u64;
    uint64_t changed = features ^ device->features;
    int result;

    if (features & ~device->features_offered) {
        *reason = "a feature was not offered";
        return -EINVAL;
    }
    if (changed & ~BIT(VHOST_USER_F_LOG_ALL) && !vhost_user_device_rings_idle(device)) {
        *reason = "features other than the log's (bit 26) cannot change while a queue runs";
        return -EBUSY;
    }
    if (device->operations.set_features) {
        result = device->operations.set_features(
            device->opaque,
            features & ~(BIT(VHOST_USER_F_LOG_ALL) | BIT(VHOST_USER_F_PROTOCOL_FEATURES)));
        if (result < 0) {
            *reason = "the device does not take these features";
            return vhost_user_device_program_error(result);
        }
    }
    if (changed & VHOST_USER_RING_F_PACKED) {
        vhost_user_device_rings_drop_inflight(device);
    }
    vhost_user_device_rings_hold(device);
    device->features = features;
    device->features_set = true;
    vhost_user_device_update_environment(device);
    vhost_user_device_rings_release(device);
    vhost_user_device_log(device, VHOST_USER_LOG_INFO, "features 0x%" PRIx64, features);
    return vhost_user_device_rings_start(device, reason); /* without bit 30 all are enabled */
}

int vhost_user_device_handle_get_protocol_features(VhostUserDevice *device,
                                                   VhostUserDeviceMessage *message,
                                                   const char **reason)
{
    (void)reason;
    return vhost_user_device_message_reply_u64(message, device->protocol_features_offered);
}

int vhost_user_device_handle_set_protocol_features(VhostUserDevice *device,
                                                   VhostUserDeviceMessage *message,
                                                   const char **reason)
{
    uint64_t features = message->payload.u64;

    if (features & ~device->protocol_features_offered) {
        *reason = "a protocol feature was not offered";
        return -EINVAL;
    }
    device->protocol_features = features;
    vhost_user_device_log(device, VHOST_USER_LOG_INFO, "protocol features 0x%" PRIx64, features);
    return 0;
}

int vhost_user_device_handle_set_owner(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                       const char **reason)
{
    (void)message;
    if (device->owned) {
        *reason = "the device has an owner already";
        return -EBUSY;
    }
    device->owned = true;
    return 0;
}

/* Deprecated; the specification leaves us the choice to disable all rings. */
int vhost_user_device_handle_reset_owner(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                         const char **reason)
{
    (void)message;
    (void)reason;
    if (!vhost_user_device_rings_stop(device)) {
        return -EINPROGRESS;
    }
    vhost_user_device_rings_reset(device);
    device->owned = false;
    return 0;
}

int vhost_user_device_handle_get_queue_num(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                           const char **reason)
{
    (void)reason;
    return vhost_user_device_message_reply_u64(message, device->queue_units);
}

/* An empty reply says that there are no such bytes ("Virtio device config space"). */
int vhost_user_device_handle_get_config(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                        const char **reason)
{
    VhostUserConfig *config = &message->payload.config;
    int result =
        device->operations.get_config(device->opaque, config->offset, config->bytes, config->size);

    (void)reason;
    if (result < 0) {
        vhost_user_device_log(device, VHOST_USER_LOG_WARNING,
                              "GET_CONFIG: %u bytes from %u are not there", config->size,
                              config->offset);
    }
    message->reply_size = result < 0 ? 0 : message->header.size;
    return 0;
}

int vhost_user_device_handle_set_config(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                        const char **reason)
{
    const VhostUserConfig *config = &message->payload.config;
    int result = device->operations.set_config(device->opaque, config->offset, config->bytes,
                                               config->size, config->flags);

    if (result < 0) {
        *reason = "the device does not take these bytes";
    }
    return vhost_user_device_program_error(result);
}

int vhost_user_device_handle_net_set_mtu(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                         const char **reason)
{
    int result = device->operations.net_set_mtu(device->opaque, (uint16_t)message->payload.u64);

    if (result < 0) {
        *reason = "the device does not take this MTU";
    }
    return vhost_user_device_program_error(result);
}

/* The address is the first 6 bytes of the u64. */
int vhost_user_device_handle_send_rarp(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                       const char **reason)
{
    int result = device->operations.send_rarp(device->opaque, message->bytes);

    if (result < 0) {
        *reason = "the device cannot send it";
    }
    return vhost_user_device_program_error(result);
}

static int reset(VhostUserDevice *device, const char **reason)
{
    int result;

    if (!vhost_user_device_rings_stop(device)) {
        return -EINPROGRESS;
    }
    vhost_user_device_rings_reset(device);
    device->status = 0;
    result = device->operations.reset ? device->operations.reset(device->opaque) : 0;
    if (result < 0) {
        *reason = "the device cannot be reset";
    }
    return vhost_user_device_program_error(result);
}

int vhost_user_device_handle_reset_device(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                          const char **reason)
{
    (void)message;
    return reset(device, reason);
}

/* virtio 1.2, 2.1.1: the driver writes 0 to reset the device. */
int vhost_user_device_handle_set_status(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                        const char **reason)
{
    uint8_t status = (uint8_t)message->payload.u64;
    int result = 0;

    if (status == 0) {
        return reset(device, reason);
    }
    if (device->operations.set_status) {
        result = device->operations.set_status(device->opaque, status);
    }
    if (result < 0) {
        *reason = "the device does not take this status";
        return vhost_user_device_program_error(result);
    }
    device->status = status;
    return 0;
}

int vhost_user_device_handle_get_status(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                        const char **reason)
{
    (void)reason;
    return vhost_user_device_message_reply_u64(message, device->status);
}
