/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a device tells its backend beside starts and stops: which rings it shall work on, a number,
 * features that change under running rings.
 */
#include "vhost-user-internal.h"

/* --- rings --- */

typedef struct EnableJob {
    VhostUserJob job;
    guint first, count;
    gboolean enable;
} EnableJob;

static gboolean run_enable(VhostUserSession *session, VhostUserJob *job, GError **error)
{
    const EnableJob *enable = (const EnableJob *)job;

    for (guint i = 0; i < session->rings->len; i++) {
        VhostUserRingState *state = &g_array_index(session->rings, VhostUserRingState, i);
        VhostUserVringState message = {.index = state->ring.index, .num = enable->enable};

        if (state->ring.index - enable->first >= enable->count) {
            continue;
        }
        pthread_mutex_lock(&session->lock);
        state->ring.enabled = enable->enable;
        pthread_mutex_unlock(&session->lock);
        /* Without bit 30 rings are always enabled ("Ring states"). */
        if (state->running && vhost_user_has_bit_30(session) &&
            !vhost_user_channel_send(session->channel, VHOST_USER_SET_VRING_ENABLE, &message,
                                     sizeof(message), NULL, 0, NULL, error)) {
            return FALSE;
        }
    }
    return vhost_user_settle(session, error);
}

static const VhostUserJobKind enable_kind = {.name = "enable", .run = run_enable};

/* In the main thread.  A backend that does not do what the driver was promised is as good as one
 * that did not start. */
static void told(gpointer opaque, const GError *error)
{
    VhostUserSession *session = opaque;

    if (error != NULL && session->state == VHOST_USER_CONNECTED &&
        session->callbacks.start_failed != NULL) {
        session->callbacks.start_failed(session->opaque, error);
    }
}

void vhost_user_session_rings_enable(VhostUserSession *session, guint first, guint count,
                                     gboolean enable)
{
    EnableJob *job = g_new0(EnableJob, 1);

    job->first = first;
    job->count = count;
    job->enable = enable;
    vhost_user_job_queue(session, &job->job, &enable_kind, told, session);
}

/* --- numbers --- */

typedef struct TellJob {
    VhostUserJob job;
    uint32_t request;
    uint64_t value;
} TellJob;

static gboolean may_be_told(VhostUserSession *session, uint32_t request)
{
    const VhostUserMessageInfo *info = vhost_user_message_info(request);

    return info->allowed_by == VHOST_USER_ALLOWED_ALWAYS ||
           (info->allowed_by == VHOST_USER_ALLOWED_BY_BIT_30
                ? vhost_user_has_bit_30(session)
                : vhost_user_has_protocol(session, (VhostUserProtocolFeature)info->allowed_by));
}

static gboolean run_tell(VhostUserSession *session, VhostUserJob *job, GError **error)
{
    const TellJob *tell = (const TellJob *)job;

    return !may_be_told(session, tell->request) ||
           (vhost_user_send_u64(session, tell->request, tell->value, error) &&
            vhost_user_settle(session, error));
}

static const VhostUserJobKind tell_kind = {.name = "tell", .run = run_tell};

static void queue_tell(VhostUserSession *session, uint32_t request, uint64_t value)
{
    TellJob *job = g_new0(TellJob, 1);

    job->request = request;
    job->value = value;
    vhost_user_job_queue(session, &job->job, &tell_kind, told, session);
}

void vhost_user_session_tell(VhostUserSession *session, uint32_t request, uint64_t value)
{
    queue_tell(session, request, value);
}

void vhost_user_session_set_features(VhostUserSession *session, uint64_t driver_features)
{
    uint64_t bit_30 = session->offered & UINT64_C(1) << VHOST_USER_F_PROTOCOL_FEATURES;

    queue_tell(session, VHOST_USER_SET_FEATURES, (driver_features & session->offered) | bit_30);
}
