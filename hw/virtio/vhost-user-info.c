/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What x-query-vhost-user tells about a session.  Looks, never waits for the backend. */
#include "vhost-user-internal.h"

#include "util/json.h"

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

/* Features that mean the same for every device type (virtio 1.2, 6). */
static const struct {
    unsigned bit;
    const char *name;
} transport_features[] = {
    {VIRTIO_F_NOTIFY_ON_EMPTY, "NOTIFY_ON_EMPTY"},
    {VIRTIO_F_ANY_LAYOUT, "ANY_LAYOUT"},
    {VIRTIO_RING_F_INDIRECT_DESC, "RING_INDIRECT_DESC"},
    {VIRTIO_RING_F_EVENT_IDX, "RING_EVENT_IDX"},
    {VHOST_USER_F_LOG_ALL, "LOG_ALL"},
    {VHOST_USER_F_PROTOCOL_FEATURES, "PROTOCOL_FEATURES"},
    {VIRTIO_F_VERSION_1, "VERSION_1"},
    {VIRTIO_F_ACCESS_PLATFORM, "ACCESS_PLATFORM"},
    {VIRTIO_F_RING_PACKED, "RING_PACKED"},
    {VIRTIO_F_IN_ORDER, "IN_ORDER"},
    {VIRTIO_F_ORDER_PLATFORM, "ORDER_PLATFORM"},
    {VIRTIO_F_SR_IOV, "SR_IOV"},
    {38, "NOTIFICATION_DATA"},
    {39, "NOTIF_CONFIG_DATA"},
    {40, "RING_RESET"},
};

static json_object *name_feature(const VhostUserNeeds *needs, unsigned bit)
{
    g_autofree char *number = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(transport_features); i++) {
        if (transport_features[i].bit == bit) {
            return json_object_new_string(transport_features[i].name);
        }
    }
    for (const VhostUserFeatureName *name = needs->feature_names;
         name != NULL && name->name != NULL; name++) {
        if (name->bit == bit) {
            return json_object_new_string(name->name);
        }
    }
    number = g_strdup_printf("bit-%u", bit);
    return json_object_new_string(number);
}

static json_object *name_features(const VhostUserNeeds *needs, uint64_t features)
{
    json_object *names = json_object_new_array();

    for (unsigned bit = 0; bit < 64; bit++) {
        if (features >> bit & 1) {
            json_object_array_add(names, name_feature(needs, bit));
        }
    }
    return names;
}

static json_object *name_protocol_features(uint64_t features)
{
    json_object *names = json_object_new_array();

    for (unsigned bit = 0; bit < VHOST_USER_PROTOCOL_F_COUNT; bit++) {
        if (features >> bit & 1) {
            json_object_array_add(names,
                                  json_object_new_string(vhost_user_protocol_feature_name(bit)));
        }
    }
    return names;
}

/* One for each request that was sent at least once. */
static json_object *describe_messages(VhostUserSession *session)
{
    const VhostUserCount *counts = vhost_user_channel_counts(session->channel);
    json_object *messages = json_object_new_array();

    for (uint32_t request = 1; request < VHOST_USER_REQUEST_COUNT; request++) {
        const VhostUserCount *count = &counts[request];
        uint64_t sent = __atomic_load_n(&count->sent, __ATOMIC_RELAXED);
        json_object *message;

        if (sent == 0) {
            continue;
        }
        message = json_object_new_object();
        json_add_string(message, "request", vhost_user_request_name(request));
        json_add_uint(message, "sent", sent);
        json_add_uint(message, "answered", __atomic_load_n(&count->answered, __ATOMIC_RELAXED));
        json_add_uint(message, "refused", __atomic_load_n(&count->refused, __ATOMIC_RELAXED));
        json_object_array_add(messages, message);
    }
    return messages;
}

static json_object *describe_rings(VhostUserSession *session)
{
    json_object *rings = json_object_new_array();

    for (guint i = 0; i < session->rings->len; i++) {
        const VhostUserRingState *state = &g_array_index(session->rings, VhostUserRingState, i);
        json_object *ring = json_object_new_object();

        json_add_uint(ring, "index", state->ring.index);
        json_add_uint(ring, "size", state->ring.size);
        json_add_bool(ring, "enabled", state->running && state->ring.enabled);
        json_add_bool(ring, "host-notifier", state->notifier);
        json_add_uint(ring, "base",
                      state->running ? state->ring.base
                                     : vhost_user_session_ring_base(session, state->ring.index));
        json_object_array_add(rings, ring);
    }
    return rings;
}

json_object *vhost_user_session_info(VhostUserSession *session)
{
    json_object *info = json_object_new_object();
    gboolean connected = session->state == VHOST_USER_CONNECTED;
    g_autofree char *last_error = vhost_user_kept_last_error(session->kept);

    json_add_string(info, "id", session->id);
    json_add_string(info, "chardev", session->chardev);
    json_add_bool(info, "connected", connected);
    json_add_uint(info, "connections", session->kept->connections);
    json_add_uint(info, "losses", session->kept->losses);
    json_add_uint(info, "ignored", session->kept->ignored);
    json_add_uint(info, "host-notifiers-set", session->kept->notifiers_set);
    json_add_uint(info, "host-notifiers-refused", session->kept->notifiers_refused);
    json_object_object_add(info, "messages", describe_messages(session));
    json_add_uint(info, "slots-used", g_atomic_int_get(&session->slots_used));
    if (connected || session->state == VHOST_USER_LOST) {
        json_add_uint(info, "slot-limit", session->slot_limit);
        json_object_object_add(info, "features", name_features(session->needs, session->offered));
        json_object_object_add(info, "driver-features",
                               name_features(session->needs, session->driver_features));
        json_object_object_add(info, "protocol-features",
                               name_protocol_features(session->protocol_features));
    }
    pthread_mutex_lock(&session->lock);
    if (connected || session->state == VHOST_USER_LOST) {
        json_object_object_add(info, "rings", describe_rings(session));
    }
    if (last_error != NULL) {
        json_add_string(info, "last-error", last_error);
    }
    if (session->last_memory_time >= 0) {
        json_add_int(info, "last-memory-microseconds", session->last_memory_time);
    }
    pthread_mutex_unlock(&session->lock);
    return info;
}
