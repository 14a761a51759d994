/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connecting a vhost-user session: features, protocol features, and what they allow to ask once:
 * slot limit, queues, configuration space.  In the order of the specification ("Communication",
 * "Protocol features").
 */
#include "vhost-user-internal.h"

#include "util/error.h"
#include "util/trace.h"

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

TRACE_EVENT(vhost_user_negotiated, "features and limits of a backend are known");

#define BIT(number) (UINT64_C(1) << (number))

/* What this front end implements; each is used where the backend offers it. */
#define PROTOCOL_FEATURES                                                                          \
    (BIT(VHOST_USER_PROTOCOL_F_MQ) | BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) |                        \
     BIT(VHOST_USER_PROTOCOL_F_BACKEND_REQ) | BIT(VHOST_USER_PROTOCOL_F_CONFIG) |                  \
     BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD) | BIT(VHOST_USER_PROTOCOL_F_RESET_DEVICE) |         \
     BIT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS) | BIT(VHOST_USER_PROTOCOL_F_STATUS) |          \
     BIT(VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS))

/* What in-band notifications must not be without ("In-band notifications"). */
#define INBAND_NEEDS (BIT(VHOST_USER_PROTOCOL_F_BACKEND_REQ) | BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK))

/* What puts a page of the backend's over a doorbell, and what it must not be without. */
#define HOST_NOTIFIER                                                                              \
    (BIT(VHOST_USER_PROTOCOL_F_HOST_NOTIFIER) | BIT(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD))
#define HOST_NOTIFIER_NEEDS (HOST_NOTIFIER | BIT(VHOST_USER_PROTOCOL_F_BACKEND_REQ))

/* Those that some types of devices want beside them (VhostUserNeeds.protocol_features). */
#define TYPE_PROTOCOL_FEATURES                                                                     \
    (BIT(VHOST_USER_PROTOCOL_F_RARP) | BIT(VHOST_USER_PROTOCOL_F_NET_MTU))

/*
 * Features of rings and transport (virtio 1.2, 6) that only driver and backend deal with, so that
 * we pass them through.  Not among them: ACCESS_PLATFORM (needs an IOMMU), NOTIFICATION_DATA (an
 * event fd carries no data), SR_IOV.
 */
#ifndef VIRTIO_F_RING_RESET
#define VIRTIO_F_RING_RESET 40
#endif
#define TRANSPORT_FEATURES                                                                         \
    (BIT(VIRTIO_F_NOTIFY_ON_EMPTY) | BIT(VIRTIO_F_ANY_LAYOUT) | BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
     BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_RING_PACKED) |          \
     BIT(VIRTIO_F_IN_ORDER) | BIT(VIRTIO_F_ORDER_PLATFORM) | BIT(VIRTIO_F_RING_RESET))

uint64_t vhost_user_session_features(VhostUserSession *session)
{
    return session->offered & (session->needs->features | TRANSPORT_FEATURES);
}

uint64_t vhost_user_session_known_protocol_features(void)
{
    return PROTOCOL_FEATURES | HOST_NOTIFIER | TYPE_PROTOCOL_FEATURES;
}

gboolean vhost_user_session_has_protocol_features(VhostUserSession *session)
{
    return vhost_user_has_bit_30(session);
}

gboolean vhost_user_session_has_protocol(VhostUserSession *session, unsigned feature)
{
    return vhost_user_has_protocol(session, (VhostUserProtocolFeature)feature);
}

static gboolean negotiate_features(VhostUserSession *session, GError **error)
{
    uint64_t offered;

    if (!vhost_user_call_u64(session, VHOST_USER_GET_FEATURES, &session->offered, error)) {
        return FALSE;
    }
    if (vhost_user_has_bit_30(session)) {
        if (!vhost_user_call_u64(session, VHOST_USER_GET_PROTOCOL_FEATURES, &offered, error)) {
            return FALSE;
        }
        session->protocol_features =
            offered & ((PROTOCOL_FEATURES & ~session->needs->protocol_features_unused) |
                       (session->needs->host_notifiers ? HOST_NOTIFIER : 0) |
                       session->needs->protocol_features);
        if ((session->protocol_features & INBAND_NEEDS) != INBAND_NEEDS) {
            session->protocol_features &= ~BIT(VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS);
        }
        if ((session->protocol_features & HOST_NOTIFIER_NEEDS) != HOST_NOTIFIER_NEEDS) {
            session->protocol_features &= ~HOST_NOTIFIER;
        }
        if (!vhost_user_send_u64(session, VHOST_USER_SET_PROTOCOL_FEATURES,
                                 session->protocol_features, error)) {
            return FALSE;
        }
        vhost_user_channel_set_reply_ack(
            session->channel, vhost_user_has_protocol(session, VHOST_USER_PROTOCOL_F_REPLY_ACK));
    }
    return vhost_user_send_empty(session, VHOST_USER_SET_OWNER, error);
}

static gboolean negotiate_queues(VhostUserSession *session, GError **error)
{
    const VhostUserNeeds *needs = session->needs;
    uint64_t granted = MAX(needs->queues_without_mq, 1);
    guint wanted = session->queues_wanted;

    /* Where the kind fixes the number it is known to both ends ("Multiple queue support"), and a
     * back-end that has it may still count what it likes. */
    if (needs->queues > needs->queues_of_kind &&
        vhost_user_has_protocol(session, VHOST_USER_PROTOCOL_F_MQ)) {
        if (!vhost_user_call_u64(session, VHOST_USER_GET_QUEUE_NUM, &granted, error)) {
            return FALSE;
        }
        granted = MIN(granted, UINT16_MAX) * MAX(needs->queues_a_unit, 1);
    }
    if (granted < wanted && session->needs_queues) {
        vm_error_set(error, "%s: %u queues are wanted, the backend has %" G_GUINT64_FORMAT,
                     session->label, wanted, (guint64)granted);
        return FALSE;
    }
    session->queues = (guint)CLAMP(granted, 1, MAX(wanted, 1));
    return TRUE;
}

/* Asked once: the answer holds as long as the connection ("Memory slots"). */
static gboolean negotiate_slots(VhostUserSession *session, GError **error)
{
    session->slot_limit = VHOST_USER_MAX_REGIONS_IN_MESSAGE;
    if (!vhost_user_has_protocol(session, VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS)) {
        return TRUE;
    }
    return vhost_user_call_u64(session, VHOST_USER_GET_MAX_MEM_SLOTS, &session->slot_limit, error);
}

static gboolean negotiate_config(VhostUserSession *session, GError **error)
{
    if (session->needs->config_size == 0) {
        return TRUE;
    }
    if (!vhost_user_has_protocol(session, VHOST_USER_PROTOCOL_F_CONFIG)) {
        if (session->needs->needs_config) {
            vm_error_set(error,
                         "%s: the backend lacks protocol feature CONFIG, without which it cannot "
                         "say what the device is like",
                         session->label);
            return FALSE;
        }
        return TRUE;
    }
    /* The device is not visible to anybody yet, so nobody reads these bytes at the same time. */
    return vhost_user_config_fetch(session, session->config, &session->config_length, error);
}

static gboolean negotiate(VhostUserSession *session, GError **error)
{
    if (!negotiate_features(session, error) || !negotiate_queues(session, error) ||
        !negotiate_slots(session, error)) {
        return FALSE;
    }
    if (vhost_user_has_protocol(session, VHOST_USER_PROTOCOL_F_BACKEND_REQ) &&
        !vhost_user_requests_open(session, error)) {
        return FALSE;
    }
    return negotiate_config(session, error) && vhost_user_settle(session, error);
}

static gboolean run_connect(VhostUserSession *session, VhostUserJob *job G_GNUC_UNUSED,
                            GError **error)
{
    g_autoptr(GError) reason = NULL;

    if (!negotiate(session, &reason)) {
        /* A backend that does not fit is let go at once. */
        vhost_user_channel_break(session->channel, reason);
        g_propagate_error(error, g_steal_pointer(&reason));
        return FALSE;
    }
    trace(vhost_user_negotiated,
          "device %s: features 0x%" G_GINT64_MODIFIER "x protocol features 0x%" G_GINT64_MODIFIER
          "x slots %" G_GUINT64_FORMAT " queues %u",
          session->id, (guint64)session->offered, (guint64)session->protocol_features,
          (guint64)session->slot_limit, session->queues);
    return TRUE;
}

const VhostUserJobKind vhost_user_connect_kind = {.name = "connect", .run = run_connect};
