/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration space of a vhost-user session: read, written by the driver, changed by the backend.
 */
#include "vhost-user-internal.h"

#include "system/main-loop.h"
#include "util/error.h"

/* --- reading --- */

void vhost_user_session_config(VhostUserSession *session, uint8_t *bytes, uint32_t size)
{
    pthread_mutex_lock(&session->lock);
    memcpy(bytes, session->config, MIN(size, session->needs->config_size));
    pthread_mutex_unlock(&session->lock);
}

/* GET_CONFIG number @number brought @bytes; one that came later may be there already. */
static void keep_config(VhostUserSession *session, const uint8_t *bytes, guint64 number)
{
    pthread_mutex_lock(&session->lock);
    if (number > session->config_fetch) {
        session->config_fetch = number;
        memcpy(session->config, bytes, session->needs->config_size);
    }
    pthread_mutex_unlock(&session->lock);
}

uint32_t vhost_user_session_config_length(VhostUserSession *session)
{
    return session->config_length;
}

/* *@length is 0 if the backend says that it cannot. */
static gboolean fetch(VhostUserSession *session, uint32_t size, uint8_t *bytes, uint32_t *length,
                      GError **error)
{
    VhostUserConfig ask = {.size = size};
    VhostUserConfig answer = {0};
    uint32_t received;

    if (!vhost_user_channel_call(session->channel, VHOST_USER_GET_CONFIG, &ask,
                                 VHOST_USER_CONFIG_HEAD + size, &answer, 0, sizeof(answer),
                                 &received, NULL, error)) {
        return FALSE;
    }
    *length = received > VHOST_USER_CONFIG_HEAD ? MIN(answer.size, size) : 0;
    memcpy(bytes, answer.bytes, *length);
    return TRUE;
}

/*
 * A backend refuses to give more bytes than its own definition of the device has, and the
 * specifications of devices grow: what it lacks at the end are zeros.
 */
gboolean vhost_user_config_fetch(VhostUserSession *session, uint8_t *bytes, uint32_t *length,
                                 GError **error)
{
    const VhostUserNeeds *needs = session->needs;

    memset(bytes, 0, needs->config_size);
    if (!fetch(session, needs->config_size, bytes, length, error)) {
        return FALSE;
    }
    if (*length == 0 && needs->config_minimum != 0 &&
        !fetch(session, needs->config_minimum, bytes, length, error)) {
        return FALSE;
    }
    if (*length < (needs->config_minimum != 0 ? needs->config_minimum : needs->config_size)) {
        vm_error_set(error, "%s: GET_CONFIG of %u bytes brought %u", session->label,
                     needs->config_size, *length);
        return FALSE;
    }
    return TRUE;
}

/* --- writing --- */

typedef struct ConfigJob {
    VhostUserJob job;
    VhostUserConfig config;
    gboolean ask_again;
} ConfigJob;

static gboolean fetch_again(VhostUserSession *session, GError **error)
{
    uint8_t bytes[VHOST_USER_MAX_CONFIG_SIZE];
    uint32_t length;

    if (!vhost_user_config_fetch(session, bytes, &length, error)) {
        return FALSE;
    }
    keep_config(session, bytes, ++session->config_fetches);
    return TRUE;
}

static gboolean run_config_write(VhostUserSession *session, VhostUserJob *job, GError **error)
{
    const ConfigJob *write = (const ConfigJob *)job;
    const VhostUserConfig *config = &write->config;

    if (!vhost_user_has_protocol(session, VHOST_USER_PROTOCOL_F_CONFIG)) {
        return TRUE;
    }
    if (vhost_user_channel_send(session->channel, VHOST_USER_SET_CONFIG, config,
                                VHOST_USER_CONFIG_HEAD + config->size, NULL, 0, NULL, error) &&
        vhost_user_settle(session, error)) {
        return !write->ask_again || fetch_again(session, error);
    }
    /* The driver believes in what it wrote until it is told what the backend kept. */
    vhost_user_config_refresh(session, NULL);
    return FALSE;
}

static const VhostUserJobKind config_write_kind = {.name = "config-write", .run = run_config_write};

/* Sends the cached bytes; the job's number. */
static guint64 queue_write(VhostUserSession *session, uint32_t offset, uint32_t size)
{
    ConfigJob *write = g_new0(ConfigJob, 1);

    write->config.offset = offset;
    write->config.size = size;
    write->config.flags = VHOST_USER_CONFIG_WRITABLE;
    write->ask_again = session->kept->config_is_live;
    pthread_mutex_lock(&session->lock);
    memcpy(write->config.bytes, session->config + offset, size);
    pthread_mutex_unlock(&session->lock);
    return vhost_user_job_queue(session, &write->job, &config_write_kind, NULL, NULL);
}

void vhost_user_session_config_write(VhostUserSession *session, uint32_t offset, const void *bytes,
                                     uint32_t size, gboolean ask_again)
{
    guint64 number;

    if (size == 0 || offset > session->needs->config_size ||
        size > session->needs->config_size - offset) {
        return;
    }
    pthread_mutex_lock(&session->lock);
    memcpy(session->config + offset, bytes, size);
    pthread_mutex_unlock(&session->lock);
    for (uint32_t i = offset; i < offset + size; i++) {
        session->kept->config_written[i] = TRUE;
    }
    session->kept->config_is_live = ask_again;
    number = queue_write(session, offset, size);
    if (ask_again) {
        vhost_user_job_wait(session, number);
    }
}

/* --- at a return --- */

void vhost_user_session_configs(VhostUserSession *session, VhostUserSession *before, uint8_t **now,
                                uint8_t **then)
{
    uint32_t size = session->needs->config_size;

    *now = g_malloc0(MAX(size, 1));
    *then = g_malloc0(MAX(size, 1));
    vhost_user_session_config(before, *then, size);
    pthread_mutex_lock(&session->lock);
    for (uint32_t i = 0; i < size; i++) {
        if (session->kept->config_written[i]) {
            session->config[i] = (*then)[i];
        }
        (*now)[i] = session->config[i];
    }
    pthread_mutex_unlock(&session->lock);
}

void vhost_user_session_adopt(VhostUserSession *session)
{
    const gboolean *written = session->kept->config_written;
    uint32_t size = session->needs->config_size;

    session->kept->connections++;
    for (uint32_t end, offset = 0; offset < size; offset = end + 1) {
        for (end = offset; end < size && written[end]; end++) {
        }
        if (end > offset) {
            queue_write(session, offset, end - offset);
        }
    }
}

/* --- a change that the backend made --- */

typedef struct ConfigNews {
    VhostUserSession *session;
    guint64 number;
    uint8_t bytes[VHOST_USER_MAX_CONFIG_SIZE];
} ConfigNews;

/* In the main thread. */
static void tell_config(gpointer data)
{
    ConfigNews *news = data;
    VhostUserSession *session = news->session;

    if (session->state == VHOST_USER_CONNECTED) {
        keep_config(session, news->bytes, news->number);
        if (session->callbacks.config_changed != NULL) {
            session->callbacks.config_changed(session->opaque);
        }
    }
    g_free(news);
}

gboolean vhost_user_config_refresh(VhostUserSession *session, GError **error)
{
    ConfigNews *news;
    uint32_t length;

    if (!vhost_user_has_protocol(session, VHOST_USER_PROTOCOL_F_CONFIG) ||
        session->needs->config_size == 0) {
        return TRUE;
    }
    news = g_new0(ConfigNews, 1);
    news->session = session;
    if (!vhost_user_config_fetch(session, news->bytes, &length, error)) {
        g_free(news);
        return FALSE;
    }
    news->number = ++session->config_fetches;
    main_loop_post(tell_config, news);
    return TRUE;
}
