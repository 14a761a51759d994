/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests about guest memory: the whole table, single regions, and the log of a migration.  What a
 * region is and when it may go is the memory map's (memory-map.h).
 */
#include "device-internal.h"

#include <errno.h>

void vhost_user_device_update_environment(VhostUserDevice *device)
{
    uint64_t features = device->features;

    device->environment.features =
        features & ~(1ull << VHOST_USER_F_LOG_ALL | 1ull << VHOST_USER_F_PROTOCOL_FEATURES);
    device->environment.log_writes = features >> VHOST_USER_F_LOG_ALL & 1 && device->log.bits;
}

/* Rings of running queues may have moved, so none may look into its own meanwhile. */
int vhost_user_device_handle_set_mem_table(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                           const char **reason)
{
    VhostUserMemory *memory = &message->payload.memory;
    int result;

    vhost_user_device_rings_hold(device);
    result = vhost_user_map_replace(device->map, memory->regions, message->fds, memory->num_regions,
                                    reason);
    if (result == 0) {
        vhost_user_device_rings_relocate(device);
    }
    vhost_user_device_rings_release(device);
    vhost_user_map_reclaim(device->map);
    if (result == 0 && device->postcopy_listening) {
        vhost_user_device_postcopy_reply_table(device, message);
    }
    return result;
}

int vhost_user_device_handle_add_mem_reg(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                         const char **reason)
{
    int result =
        vhost_user_map_add(device->map, &message->payload.region.region, message->fds[0], reason);

    if (result == 0 && device->postcopy_listening) {
        vhost_user_device_postcopy_reply_region(device, message);
    }
    return result;
}

int vhost_user_device_handle_rem_mem_reg(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                         const char **reason)
{
    int result = vhost_user_map_remove(device->map, &message->payload.region.region, reason);

    if (result == 0) {
        vhost_user_map_reclaim(device->map);
    }
    return result;
}

int vhost_user_device_handle_get_max_mem_slots(VhostUserDevice *device,
                                               VhostUserDeviceMessage *message, const char **reason)
{
    (void)reason;
    return vhost_user_device_message_reply_u64(message, device->memory_slots);
}

int vhost_user_device_handle_set_log_base(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                          const char **reason)
{
    int result;

    vhost_user_device_rings_hold(device);
    result = vhost_user_dirty_log_set(&device->log, &message->payload.log, message->fds[0], reason);
    vhost_user_device_update_environment(device);
    vhost_user_device_rings_release(device);
    return result < 0 ? result : vhost_user_device_message_reply_u64(message, 0);
}

/* An eventfd that tells of what was logged; the front-end that sent it may read the log then. */
int vhost_user_device_handle_set_log_fd(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                        const char **reason)
{
    int result;

    vhost_user_device_rings_hold(device);
    result = vhost_user_queue_take_fd(&device->environment.log_fd,
                                      vhost_user_device_message_take_fd(message, 0));
    vhost_user_device_rings_release(device);
    if (result < 0) {
        *reason = "the descriptor is no eventfd";
    }
    return result;
}
