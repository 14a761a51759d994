/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vhost-user front end: a session, one device's backend from connection to end.
 *
 * The main idea: a session is a thread with a queue of jobs.  Those who hold the VM lock queue a
 * job and go on; the thread runs the jobs in order against its one connection, in plain blocking
 * code in which every wait has a deadline; what comes of a job is posted to the main thread.  So
 * a start, a stop and a change of memory never cross, and a backend that hangs delays nobody
 * but its own device.
 *
 *     connect   vhost-user-negotiation.c  features, slot limit, queues, configuration
 *     memory    vhost-user-memory.c       transactions of the memory map
 *               vhost-user-table.c        the shadow table: what the backend has, and its changes
 *     start,    vhost-user-rings.c        features of the driver, table, rings
 *     stop
 *     config    vhost-user-config.c       configuration space
 *     requests  vhost-user-requests.c     what the backend asks
 *               vhost-user-notifier.c     a page of it as a ring's doorbell
 *     kept      vhost-user-kept.c         what outlives the connection, for the next session
 *     info      vhost-user-info.c         x-query-vhost-user
 *
 * Below them lies vhost-user-channel.c, which knows messages and their answers but neither memory
 * nor devices.  Specification: the vhost-user protocol.
 */
#include "vhost-user-internal.h"

#include "system/main-loop.h"
#include "system/vm-lock.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

TRACE_EVENT(vhost_user_job_begin, "a session begins a job");
TRACE_EVENT(vhost_user_job_end, "a session has ended a job");
TRACE_EVENT(vhost_user_closed, "the connection of a session is over");

gint64 vhost_user_deadline(const VhostUserSession *session)
{
    return g_get_monotonic_time() + session->reply_timeout;
}

void vhost_user_deadline_renew(VhostUserSession *session)
{
    vhost_user_channel_set_deadline(session->channel, vhost_user_deadline(session));
}

/* --- life --- */

static void session_unref(VhostUserSession *session)
{
    if (--session->references > 0) {
        return;
    }
    vhost_user_channel_free(session->channel);
    shadow_table_clear(&session->shadow);
    shadow_diff_clear(&session->diff);
    g_array_unref(session->rings);
    g_clear_error(&session->lost_reason);
    g_clear_error(&session->kept_region);
    fd_clear(&session->hang_up);
    fd_clear(&session->wake);
    pthread_mutex_destroy(&session->lock);
    pthread_cond_destroy(&session->ran);
    vhost_user_kept_unref(session->kept);
    g_free(session->label);
    g_free(session->chardev);
    g_free(session->id);
    g_free(session);
}

/* Not GLib's mutex and condition: thread checkers do not see those. */
static void locks_init(VhostUserSession *session)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&session->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&session->ran, &attributes);
    pthread_condattr_destroy(&attributes);
}

static gpointer session_thread(gpointer data);

/* Takes up what the session before it leaves behind, or begins anew. */
static void follow(VhostUserSession *session, VhostUserSession *before)
{
    session->queues_wanted = session->needs->queues;
    session->needs_queues = session->needs->needs_mq;
    if (before == NULL) {
        session->kept = vhost_user_kept_new();
        return;
    }
    session->kept = vhost_user_kept_ref(before->kept);
    session->follows = session->returning = TRUE;
    session->queues_wanted = before->queues;
    session->needs_queues = TRUE;
    session->driver_features = before->driver_features;
    vhost_user_channel_add_counts(session->channel, before->channel);
}

VhostUserSession *vhost_user_session_new(const VhostUserConnection *connection,
                                         const VhostUserNeeds *needs,
                                         const VhostUserCallbacks *callbacks, gpointer opaque)
{
    VhostUserSession *session = g_new0(VhostUserSession, 1);
    guint timeout =
        connection->reply_timeout != 0 ? connection->reply_timeout : VHOST_USER_REPLY_TIMEOUT;
    int socket = connection->socket;

    session->references = 1;
    session->id = g_strdup(connection->name);
    session->chardev = g_strdup(connection->chardev);
    session->label = g_strdup_printf("vhost-user device '%s'", session->id);
    session->reply_timeout = timeout * INT64_C(1000);
    session->may_return = connection->may_return;
    session->needs = needs;
    session->callbacks = *callbacks;
    session->opaque = opaque;
    locks_init(session);
    session->impatient_from = G_MAXINT64;
    session->queue_tail = &session->queue_head;
    session->rings = g_array_new(FALSE, FALSE, sizeof(VhostUserRingState));
    session->last_memory_time = -1;
    session->queues = 1;
    vhost_user_stream_init(&session->requests, -1);
    session->table_generation = VHOST_USER_GENERATION_UNKNOWN;
    shadow_table_init(&session->shadow);
    shadow_diff_init(&session->diff);
    session->hang_up = fcntl(socket, F_DUPFD_CLOEXEC, 0);
    session->channel = vhost_user_channel_new(session->label, socket);
    follow(session, connection->before);
    session->wake = event_fd_new(NULL);
    if (session->wake >= 0 && session->hang_up >= 0) {
        session->thread = g_thread_try_new("vhost-user", session_thread, session, NULL);
    }
    /* A session without a thread does nothing; connect says so. */
    return session;
}

/* --- jobs --- */

guint64 vhost_user_job_queue(VhostUserSession *session, VhostUserJob *job,
                             const VhostUserJobKind *kind, VhostUserDone *done, gpointer opaque)
{
    gboolean wake;
    guint64 number;

    job->kind = kind;
    job->next = NULL;
    job->done = done;
    job->opaque = opaque;
    job->error = NULL;

    pthread_mutex_lock(&session->lock);
    *session->queue_tail = job;
    session->queue_tail = &job->next;
    number = ++session->jobs_queued;
    wake = session->sleeping;
    session->sleeping = FALSE;
    pthread_mutex_unlock(&session->lock);
    if (wake) {
        event_fd_signal(session->wake);
    }
    return number;
}

/* In the main thread: the job has run. */
static void complete_job(gpointer data)
{
    VhostUserJob *job = data;

    if (job->done != NULL) {
        job->done(job->opaque, job->error);
    }
    if (job->kind->clear != NULL) {
        job->kind->clear(job);
    }
    g_clear_error(&job->error);
    g_free(job);
}

/* With session->lock; FALSE at @deadline. */
static gboolean wait_for_a_job(VhostUserSession *session, gint64 deadline)
{
    struct timespec limit = {.tv_sec = deadline / G_USEC_PER_SEC,
                             .tv_nsec = deadline % G_USEC_PER_SEC * 1000};

    return pthread_cond_timedwait(&session->ran, &session->lock, &limit) != ETIMEDOUT;
}

void vhost_user_job_wait(VhostUserSession *session, guint64 number)
{
    gint64 deadline = vhost_user_deadline(session);

    session->references++;
    vm_unlock();
    pthread_mutex_lock(&session->lock);
    session->waiting++;
    while (session->jobs_run < number) {
        if (!wait_for_a_job(session, MIN(deadline, session->impatient_from))) {
            shutdown(session->hang_up, SHUT_RDWR);
            deadline = vhost_user_deadline(session);
            session->impatient_from = G_MAXINT64;
        }
    }
    session->waiting--;
    pthread_mutex_unlock(&session->lock);
    vm_lock();
    session_unref(session);
}

/* --- the thread --- */

void vhost_user_note_error(VhostUserSession *session, const GError *error)
{
    vhost_user_kept_note_error(session->kept, error->message,
                               vhost_user_channel_culprit(session->channel));
}

typedef struct LostNews {
    VhostUserSession *session;
    GError *error;
} LostNews;

/* In the main thread: the backend is gone. */
static void tell_lost(gpointer data)
{
    LostNews *news = data;
    VhostUserSession *session = news->session;

    if (session->state == VHOST_USER_CONNECTED) {
        session->state = VHOST_USER_LOST;
        session->kept->losses++;
        vhost_user_memory_unlisten(session);
        if (session->may_return) {
            /* Without a table, for its limit only. */
            session->has_table = FALSE;
            vhost_user_memory_listen(session);
        }
        if (session->callbacks.lost != NULL) {
            session->callbacks.lost(session->opaque, news->error);
        }
    }
    g_error_free(news->error);
    g_free(news);
}

/* The connection is over, for @reason: everything that the backend had is ours alone again. */
static void let_go(VhostUserSession *session, const GError *reason)
{
    LostNews *news = g_new(LostNews, 1);

    session->lost = TRUE;
    session->lost_reason = g_error_copy(reason);
    trace(vhost_user_closed, "device %s: %s", session->id, reason->message);
    vhost_user_channel_break(session->channel, reason);
    vhost_user_table_drop(session);
    vhost_user_stream_close(&session->requests);

    pthread_mutex_lock(&session->lock);
    /* The duplicate would keep the connection open for the backend. */
    fd_clear(&session->hang_up);
    for (guint i = 0; i < session->rings->len; i++) {
        g_array_index(session->rings, VhostUserRingState, i).running = FALSE;
        g_array_index(session->rings, VhostUserRingState, i).notifier = FALSE;
    }
    pthread_mutex_unlock(&session->lock);
    /* News are posted in order and the end comes last, so the session is still there for them. */
    news->session = session;
    news->error = g_error_copy(reason);
    main_loop_post(tell_lost, news);
}

/* The same, where it is the backend's fault. */
static void lose(VhostUserSession *session, const GError *reason)
{
    vhost_user_note_error(session, reason);
    let_go(session, reason);
}

void vhost_user_notice_loss(VhostUserSession *session, const GError *error)
{
    if (!session->lost && vhost_user_channel_broken(session->channel)) {
        lose(session, error);
    }
}

static VhostUserJob *take_job(VhostUserSession *session)
{
    VhostUserJob *job;

    pthread_mutex_lock(&session->lock);
    job = session->queue_head;
    if (job != NULL) {
        session->queue_head = job->next;
        if (session->queue_head == NULL) {
            session->queue_tail = &session->queue_head;
        }
    }
    session->sleeping = job == NULL;
    pthread_mutex_unlock(&session->lock);
    return job;
}

static void run_job(VhostUserSession *session, VhostUserJob *job)
{
    const VhostUserJobKind *kind = job->kind;
    GError *error = NULL;
    g_autoptr(GError) trouble = NULL;

    trace(vhost_user_job_begin, "device %s: %s", session->id, kind->name);
    vhost_user_deadline_renew(session);
    if (session->lost && !kind->run_when_lost) {
        error = g_error_copy(session->lost_reason);
    } else if (!kind->run(session, job, &error)) {
        vhost_user_note_error(session, error);
        trouble = g_error_copy(error);
        /* Refusals that this job did not wait for must not be taken for the next one's. */
        vhost_user_settle(session, NULL);
    }
    if (trouble != NULL && kind->finish == NULL) {
        vhost_user_notice_loss(session, trouble);
    }
    trace(vhost_user_job_end, "device %s: %s: %s", session->id, kind->name,
          error != NULL ? error->message : "done");

    pthread_mutex_lock(&session->lock);
    session->jobs_run++;
    if (session->waiting > 0) {
        pthread_cond_broadcast(&session->ran);
    }
    pthread_mutex_unlock(&session->lock);

    if (kind->finish != NULL) {
        kind->finish(session, job, error);
        /* Only now: the news of the loss ends our part in the transaction, and it would count as
         * done without error. */
        if (trouble != NULL) {
            vhost_user_notice_loss(session, trouble);
        }
    } else {
        job->error = error;
        main_loop_post(complete_job, job);
    }
}

/* Sleeps until there is a job, or the backend says something that nobody asked for. */
static void idle(VhostUserSession *session)
{
    g_autoptr(GError) error = NULL;
    struct pollfd fds[] = {
        {.fd = session->wake, .events = POLLIN},
        {.events = POLLIN},
        {.events = POLLIN},
    };

    vhost_user_requests_follow_up(session);
    fds[1].fd = session->lost ? -1 : vhost_user_channel_fd(session->channel);
    fds[2].fd = session->requests.socket;
    if (poll(fds, G_N_ELEMENTS(fds), -1) <= 0) {
        return;
    }
    if (fds[0].revents != 0) {
        event_fd_clear(session->wake);
    }
    if (fds[1].revents != 0 && !vhost_user_channel_idle(session->channel, &error)) {
        lose(session, error);
    } else if (fds[2].revents != 0) {
        vhost_user_requests_serve(session);
    }
}

static const VhostUserJobKind end_kind;

static gpointer session_thread(gpointer data)
{
    VhostUserSession *session = data;
    gboolean ended = FALSE;

    while (!ended) {
        VhostUserJob *job = take_job(session);

        if (job == NULL) {
            idle(session);
            continue;
        }
        ended = job->kind == &end_kind;
        run_job(session, job);
    }
    return NULL;
}

/* --- connect and end --- */

/* Connect and end do something in the main thread themselves before they call who asked for it. */
typedef struct LifeJob {
    VhostUserJob job;
    VhostUserSession *session;
    VhostUserDone *done;
    gpointer opaque;
} LifeJob;

static void queue_life(VhostUserSession *session, const VhostUserJobKind *kind,
                       VhostUserDone *first, VhostUserDone *done, gpointer opaque)
{
    LifeJob *life = g_new0(LifeJob, 1);

    life->session = session;
    life->done = done;
    life->opaque = opaque;
    if (session->thread != NULL) {
        vhost_user_job_queue(session, &life->job, kind, first, life);
        return;
    }
    life->job.kind = kind;
    life->job.done = first;
    life->job.opaque = life;
    vm_error_set(&life->job.error,
                 "%s: the process has no file descriptor or no thread left for it", session->label);
    main_loop_post(complete_job, life);
}

/* In the main thread: from now on the backend's limits are everybody's. */
static void connected(gpointer data, const GError *error)
{
    LifeJob *connect = data;
    VhostUserSession *session = connect->session;
    g_autoptr(GError) too_many = NULL;

    if (error == NULL && session->state == VHOST_USER_CREATED) {
        guint sections = memory_section_count();

        if (vhost_user_memory_check_count(session, sections, sections, &too_many)) {
            session->state = VHOST_USER_CONNECTED;
            session->kept->connections += !session->follows;
            vhost_user_memory_listen(session);
        }
        error = too_many;
    }
    connect->done(connect->opaque, error);
}

void vhost_user_session_connect(VhostUserSession *session, VhostUserDone *done, gpointer opaque)
{
    queue_life(session, &vhost_user_connect_kind, connected, done, opaque);
}

static gboolean run_end(VhostUserSession *session, VhostUserJob *job G_GNUC_UNUSED,
                        GError **error G_GNUC_UNUSED)
{
    if (!session->lost) {
        g_autoptr(GError) ended = NULL;

        g_set_error(&ended, VHOST_USER_ERROR, VHOST_USER_ERROR_CLOSED, "%s: ended", session->label);
        let_go(session, ended);
    }
    return TRUE;
}

static const VhostUserJobKind end_kind = {"end", run_end, NULL, NULL, TRUE};

static void session_ended(gpointer data, const GError *error G_GNUC_UNUSED)
{
    LifeJob *end = data;
    VhostUserSession *session = end->session;

    if (session->end_timer != 0) {
        g_source_remove(session->end_timer);
    }
    if (session->thread != NULL) {
        /* This was the last thing that the thread posted. */
        g_thread_join(session->thread);
    }
    session_unref(session);
    if (end->done != NULL) {
        end->done(end->opaque, NULL);
    }
}

/* With session->lock. */
static guint64 job_under_way(const VhostUserSession *session)
{
    return session->jobs_run < session->jobs_queued ? session->jobs_run + 1 : 0;
}

/* If the thread is still at the job it was at the last time: every wait ends with the connection.
 */
static gboolean cut_if_stuck(gpointer data)
{
    VhostUserSession *session = data;

    pthread_mutex_lock(&session->lock);
    if (session->job_seen != 0 && session->job_seen == job_under_way(session)) {
        shutdown(session->hang_up, SHUT_RDWR);
    }
    session->job_seen = job_under_way(session);
    pthread_mutex_unlock(&session->lock);
    return G_SOURCE_CONTINUE;
}

void vhost_user_session_hurry(VhostUserSession *session)
{
    pthread_mutex_lock(&session->lock);
    session->impatient_from = g_get_monotonic_time() + VHOST_USER_END_GRACE * INT64_C(1000);
    session->job_seen = job_under_way(session);
    pthread_cond_broadcast(&session->ran);
    pthread_mutex_unlock(&session->lock);
    if (session->end_timer != 0) {
        g_source_remove(session->end_timer);
    }
    session->end_timer = g_timeout_add(VHOST_USER_END_GRACE, cut_if_stuck, session);
}

void vhost_user_session_end(VhostUserSession *session, VhostUserDone *done, gpointer opaque)
{
    vhost_user_memory_unlisten(session);
    session->state = VHOST_USER_ENDED;
    vhost_user_session_hurry(session);
    queue_life(session, &end_kind, session_ended, done, opaque);
}

/* --- what the connection brought --- */

gboolean vhost_user_has_bit_30(const VhostUserSession *session)
{
    return (session->offered >> VHOST_USER_F_PROTOCOL_FEATURES & 1) != 0;
}

gboolean vhost_user_has_protocol(const VhostUserSession *session, VhostUserProtocolFeature feature)
{
    return (session->protocol_features >> feature & 1) != 0;
}

guint vhost_user_session_queues(VhostUserSession *session)
{
    return session->queues;
}

/* --- messages of common forms --- */

gboolean vhost_user_send_u64(VhostUserSession *session, uint32_t request, uint64_t value,
                             GError **error)
{
    return vhost_user_channel_send(session->channel, request, &value, sizeof(value), NULL, 0, NULL,
                                   error);
}

gboolean vhost_user_send_empty(VhostUserSession *session, uint32_t request, GError **error)
{
    return vhost_user_channel_send(session->channel, request, NULL, 0, NULL, 0, NULL, error);
}

gboolean vhost_user_call_u64(VhostUserSession *session, uint32_t request, uint64_t *value,
                             GError **error)
{
    return vhost_user_channel_call(session->channel, request, NULL, 0, value, sizeof(*value),
                                   sizeof(*value), NULL, NULL, error);
}

static void keep_first_refusal(gpointer opaque, uint32_t request G_GNUC_UNUSED,
                               gpointer tag G_GNUC_UNUSED, const GError *error)
{
    GError **first = opaque;

    if (error != NULL && *first == NULL) {
        *first = g_error_copy(error);
    }
}

gboolean vhost_user_settle(VhostUserSession *session, GError **error)
{
    GError *refusal = NULL;

    if (!vhost_user_channel_flush(session->channel, keep_first_refusal, &refusal, error)) {
        g_clear_error(&refusal);
        return FALSE;
    }
    if (refusal != NULL) {
        g_propagate_error(error, refusal);
        return FALSE;
    }
    return TRUE;
}
