/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings of a vhost-user session: start, stop, and one ring alone ("Ring states").  Addresses are
 * translated under the VM lock when a start is queued; the thread brings the table first, because a
 * ring can only start in memory that the backend has.
 */
#include "vhost-user-internal.h"

#include "system/main-loop.h"
#include "util/error.h"
#include "util/fd.h"

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

/* --- addresses; VM lock held --- */

typedef struct RingSizes {
    uint64_t descriptor, driver, device; /* bytes of the three areas */
} RingSizes;

/* Virtio 1.2, 2.7 (split; with the fields of EVENT_IDX, which a backend may touch) and 2.8. */
static RingSizes ring_sizes(uint64_t features, uint64_t size)
{
    if (features >> VIRTIO_F_RING_PACKED & 1) {
        return (RingSizes){.descriptor = 16 * size, .driver = 4, .device = 4};
    }
    return (RingSizes){.descriptor = 16 * size, .driver = 6 + 2 * size, .device = 6 + 8 * size};
}

static gboolean translate(uint64_t address, uint64_t size, uint64_t *user_address, GError **error)
{
    void *host = memory_pointer(address, size, MEMORY_WRITE, error);

    *user_address = (uintptr_t)host;
    return host != NULL;
}

/* FALSE with @error if an area is not in one piece of RAM: a mistake of the guest's driver. */
static gboolean ring_state_init(VhostUserSession *session, VhostUserRingState *state,
                                const VhostUserRing *ring, uint64_t features, GError **error)
{
    RingSizes sizes = ring_sizes(features, ring->size);
    g_autoptr(GError) reason = NULL;

    *state = (VhostUserRingState){.ring = *ring, .address.index = ring->index};
    if (translate(ring->descriptor_area, sizes.descriptor, &state->address.descriptor, &reason) &&
        translate(ring->driver_area, sizes.driver, &state->address.available, &reason) &&
        translate(ring->device_area, sizes.device, &state->address.used, &reason)) {
        return TRUE;
    }
    vm_error_set(error, "%s: the driver's queue %u cannot be used: %s", session->label, ring->index,
                 reason->message);
    return FALSE;
}

/* --- messages of one ring; session thread --- */

static gboolean send_state(VhostUserSession *session, uint32_t request, uint32_t index,
                           uint32_t number, GError **error)
{
    VhostUserVringState state = {.index = index, .num = number};

    return vhost_user_channel_send(session->channel, request, &state, sizeof(state), NULL, 0, NULL,
                                   error);
}

static gboolean send_event_fd(VhostUserSession *session, uint32_t request, uint64_t index, int fd,
                              GError **error)
{
    return vhost_user_channel_send(session->channel, request, &index, sizeof(index), &fd, 1, NULL,
                                   error);
}

static gboolean send_address(VhostUserSession *session, const VhostUserRingState *state,
                             GError **error)
{
    return vhost_user_channel_send(session->channel, VHOST_USER_SET_VRING_ADDR, &state->address,
                                   sizeof(state->address), NULL, 0, NULL, error);
}

/*
 * Everything that makes a ring run; the answers come later.  The ring starts with a kick on the
 * descriptor of SET_VRING_KICK (vhost-user, "Ring states"), and one may wait there already: so the
 * backend must know before whom to call.
 */
static gboolean send_ring(VhostUserSession *session, VhostUserRingState *state, GError **error)
{
    VhostUserRing *ring = &state->ring;

    if (ring->recover && !vhost_user_kept_recover_ring(session, ring, error)) {
        return FALSE;
    }
    vhost_user_kept_ring_runs(session->kept, session->epoch, ring->index);
    state->handed_over = TRUE;
    return send_state(session, VHOST_USER_SET_VRING_NUM, ring->index, ring->size, error) &&
           send_state(session, VHOST_USER_SET_VRING_BASE, ring->index, ring->base, error) &&
           send_address(session, state, error) &&
           send_event_fd(session, VHOST_USER_SET_VRING_CALL, ring->index, ring->call, error) &&
           send_event_fd(session, VHOST_USER_SET_VRING_KICK, ring->index, ring->kick, error);
}

/* Rings start disabled if bit 30 was negotiated, enabled otherwise. */
static gboolean send_enable(VhostUserSession *session, const VhostUserRingState *state,
                            gboolean enable, GError **error)
{
    return !vhost_user_has_bit_30(session) ||
           send_state(session, VHOST_USER_SET_VRING_ENABLE, state->ring.index, enable, error);
}

static VhostUserRingState *ring_at(VhostUserSession *session, guint index)
{
    return &g_array_index(session->rings, VhostUserRingState, index);
}

static void set_running(VhostUserSession *session, VhostUserRingState *state, gboolean running)
{
    pthread_mutex_lock(&session->lock);
    state->running = running;
    pthread_mutex_unlock(&session->lock);
}

/*
 * The ring runs.  A kick that the driver gave before the backend had the event fd, or while the
 * backend was stopped, may have been consumed: one more costs nothing and loses nothing.
 */
static void ring_started(VhostUserSession *session, VhostUserRingState *state)
{
    set_running(session, state, TRUE);
    event_fd_signal_shared(state->ring.kick);
}

gboolean vhost_user_rings_send_addresses(VhostUserSession *session, GError **error)
{
    gboolean any = FALSE;

    for (guint i = 0; i < session->rings->len; i++) {
        if (ring_at(session, i)->running) {
            any = TRUE;
            if (!send_address(session, ring_at(session, i), error)) {
                return FALSE;
            }
        }
    }
    return !any || vhost_user_settle(session, error);
}

/* --- stop --- */

static gboolean stop_ring(VhostUserSession *session, VhostUserRingState *state, GError **error)
{
    VhostUserVringState base = {.index = state->ring.index};

    set_running(session, state, FALSE);
    if (!vhost_user_channel_call(session->channel, VHOST_USER_GET_VRING_BASE, &base, sizeof(base),
                                 &base, sizeof(base), sizeof(base), NULL, NULL, error)) {
        return FALSE;
    }
    state->handed_over = FALSE;
    vhost_user_notifier_drop(session, state);
    vhost_user_kept_ring_stopped(session->kept, session->epoch, state->ring.index, base.num);
    return TRUE;
}

static gboolean run_stop(VhostUserSession *session, VhostUserJob *job G_GNUC_UNUSED, GError **error)
{
    for (guint i = 0; i < session->rings->len; i++) {
        if (ring_at(session, i)->running && ring_at(session, i)->ring.enabled &&
            !send_enable(session, ring_at(session, i), FALSE, error)) {
            return FALSE;
        }
    }
    for (guint i = 0; i < session->rings->len; i++) {
        if (ring_at(session, i)->running && !stop_ring(session, ring_at(session, i), error)) {
            return FALSE;
        }
    }
    return vhost_user_settle(session, error);
}

/* Some ring did not start: the backend must not work on the others either. */
static void halt_rings(VhostUserSession *session)
{
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < session->rings->len; i++) {
        set_running(session, ring_at(session, i), TRUE);
    }
    if (!run_stop(session, NULL, &error)) {
        vhost_user_note_error(session, error);
    }
}

static const VhostUserJobKind stop_kind = {.name = "stop", .run = run_stop};

void vhost_user_session_stop(VhostUserSession *session, gboolean wait, VhostUserDone *done,
                             gpointer opaque)
{
    guint64 number =
        vhost_user_job_queue(session, g_new(VhostUserJob, 1), &stop_kind, done, opaque);

    if (wait) {
        vhost_user_job_wait(session, number);
    }
}

/* --- start --- */

typedef struct StartJob {
    VhostUserJob job;
    uint64_t features; /* what the driver chose */
    guint64 epoch;     /* of resets */
    gboolean returns;  /* a failure ends the connection */
    GArray *rings;     /* of VhostUserRingState; taken by the session */
    GError *refused;   /* the driver's rings cannot be used at all */
} StartJob;

static gboolean send_status(VhostUserSession *session, uint64_t status, GError **error)
{
    return !vhost_user_has_protocol(session, VHOST_USER_PROTOCOL_F_STATUS) ||
           vhost_user_send_u64(session, VHOST_USER_SET_STATUS, status, error);
}

/* The buffer in which the backend notes what it works on ("Inflight I/O tracking").  It lives from
 * one reset of the device to the next, and longer than a connection.  *@file is -1 if the backend
 * has nothing to note. */
static gboolean fetch_inflight(VhostUserSession *session, VhostUserInflight *area, int *file,
                               GError **error)
{
    VhostUserInflight wanted = {.num_queues = (uint16_t)session->rings->len};

    for (guint i = 0; i < session->rings->len; i++) {
        wanted.num_queues = MAX(wanted.num_queues, ring_at(session, i)->ring.index + 1);
        wanted.queue_size = MAX(wanted.queue_size, ring_at(session, i)->ring.size);
    }
    if (!vhost_user_channel_call(session->channel, VHOST_USER_GET_INFLIGHT_FD, &wanted,
                                 sizeof(wanted), area, VHOST_USER_INFLIGHT_SIZE_MINIMUM,
                                 sizeof(wanted), NULL, file, error)) {
        return FALSE;
    }
    if (*file >= 0 && !fd_is_memory(*file)) {
        fd_clear_foreign(file);
        vm_error_set(error,
                     "%s: the backend's record of requests in flight is no file in memory, so that "
                     "reading it could take any time; it has to be a memfd, or lie on tmpfs or "
                     "hugetlbfs",
                     session->label);
        return FALSE;
    }
    vhost_user_kept_set_inflight(session->kept, session->epoch, *file, area);
    return TRUE;
}

static gboolean send_inflight(VhostUserSession *session, GError **error)
{
    VhostUserInflight area = {0};
    int file;

    if (!vhost_user_has_protocol(session, VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD) ||
        session->rings->len == 0) {
        return TRUE;
    }
    file = vhost_user_kept_inflight(session->kept, session->epoch, &area);
    if (file < 0 && !fetch_inflight(session, &area, &file, error)) {
        return FALSE;
    }
    return file < 0 || vhost_user_channel_send(session->channel, VHOST_USER_SET_INFLIGHT_FD, &area,
                                               sizeof(area), &file, 1, NULL, error);
}

static void take_rings(VhostUserSession *session, StartJob *start)
{
    pthread_mutex_lock(&session->lock);
    g_array_unref(session->rings);
    session->rings = g_steal_pointer(&start->rings);
    pthread_mutex_unlock(&session->lock);
}

/* A backend that knows the status says there whether it can work with the features (virtio 1.2,
 * 3.1.1 step 6). */
static gboolean check_status(VhostUserSession *session, uint64_t features, GError **error)
{
    uint64_t status;

    if (!vhost_user_has_protocol(session, VHOST_USER_PROTOCOL_F_STATUS)) {
        return TRUE;
    }
    if (!vhost_user_call_u64(session, VHOST_USER_GET_STATUS, &status, error)) {
        return FALSE;
    }
    if (!(status & VIRTIO_CONFIG_S_FEATURES_OK)) {
        vm_error_set(error,
                     "%s: the backend does not accept the features 0x%" G_GINT64_MODIFIER
                     "x: its status is 0x%" G_GINT64_MODIFIER "x, without FEATURES_OK (0x8)",
                     session->label, (guint64)features, (guint64)status);
        return FALSE;
    }
    return TRUE;
}

static gboolean send_features(VhostUserSession *session, uint64_t features, GError **error)
{
    /* Acknowledging bit 30 keeps the protocol features in force. */
    uint64_t bit_30 = session->offered & (UINT64_C(1) << VHOST_USER_F_PROTOCOL_FEATURES);

    return vhost_user_send_u64(session, VHOST_USER_SET_FEATURES, features | bit_30, error) &&
           send_status(session,
                       VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                           VIRTIO_CONFIG_S_FEATURES_OK,
                       error) &&
           check_status(session, features, error);
}

static gboolean send_rings(VhostUserSession *session, GError **error)
{
    for (guint i = 0; i < session->rings->len; i++) {
        if (!send_ring(session, ring_at(session, i), error)) {
            return FALSE;
        }
    }
    for (guint i = 0; i < session->rings->len; i++) {
        if (ring_at(session, i)->ring.enabled &&
            !send_enable(session, ring_at(session, i), TRUE, error)) {
            return FALSE;
        }
    }
    return send_status(session,
                       VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                           VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK,
                       error);
}

static gboolean bring_everything(VhostUserSession *session, const StartJob *start, GError **error)
{
    if (!send_features(session, start->features & session->offered, error) ||
        !vhost_user_memory_bring(session, error) || !send_inflight(session, error)) {
        return FALSE;
    }
    if (!send_rings(session, error) || !vhost_user_settle(session, error)) {
        /* Where a backend that returned says that it stopped may be anywhere. */
        if (!start->returns) {
            halt_rings(session);
        }
        return FALSE;
    }
    for (guint i = 0; i < session->rings->len; i++) {
        ring_started(session, ring_at(session, i));
    }
    return TRUE;
}

static gboolean run_start(VhostUserSession *session, VhostUserJob *job, GError **error)
{
    StartJob *start = (StartJob *)job;
    g_autoptr(GError) reason = NULL;

    if (start->refused != NULL) {
        g_propagate_error(error, g_steal_pointer(&start->refused));
        return FALSE;
    }
    session->epoch = start->epoch;
    take_rings(session, start);
    if (bring_everything(session, start, &reason)) {
        return TRUE;
    }
    if (start->returns) {
        vhost_user_channel_break(session->channel, reason);
    }
    g_propagate_error(error, g_steal_pointer(&reason));
    return FALSE;
}

static void clear_start(VhostUserJob *job)
{
    StartJob *start = (StartJob *)job;

    g_clear_pointer(&start->rings, g_array_unref);
    g_clear_error(&start->refused);
}

static const VhostUserJobKind start_kind = {
    .name = "start", .run = run_start, .clear = clear_start};

/* In the main thread.  If the connection was lost, that was told already. */
static void start_done(gpointer opaque, const GError *error)
{
    VhostUserSession *session = opaque;

    if (session->state != VHOST_USER_CONNECTED) {
        return;
    }
    if (error != NULL && session->callbacks.start_failed != NULL) {
        session->callbacks.start_failed(session->opaque, error);
    } else if (error == NULL && session->callbacks.started != NULL) {
        session->callbacks.started(session->opaque);
    }
}

static void queue_start(VhostUserSession *session, const VhostUserJobKind *kind, uint64_t features,
                        const VhostUserRing *rings, guint count)
{
    StartJob *start = g_new0(StartJob, 1);

    start->features = features;
    start->epoch = session->kept->epoch;
    start->returns = session->returning;
    session->returning = FALSE;
    start->rings = g_array_sized_new(FALSE, FALSE, sizeof(VhostUserRingState), count);
    g_array_set_size(start->rings, count);
    for (guint i = 0; i < count && start->refused == NULL; i++) {
        ring_state_init(session, &g_array_index(start->rings, VhostUserRingState, i), &rings[i],
                        features, &start->refused);
    }
    session->driver_features = features;
    vhost_user_memory_take_part(session);
    vhost_user_job_queue(session, &start->job, kind, start_done, session);
}

void vhost_user_session_start(VhostUserSession *session, uint64_t driver_features,
                              const VhostUserRing *rings, guint count)
{
    queue_start(session, &start_kind, driver_features, rings, count);
}

/* --- what the backend reports of a ring --- */

static VhostUserRingState *find_ring(VhostUserSession *session, guint64 index)
{
    for (guint i = 0; i < session->rings->len; i++) {
        if (ring_at(session, i)->ring.index == index) {
            return ring_at(session, i);
        }
    }
    return NULL;
}

VhostUserRingState *vhost_user_rings_find(VhostUserSession *session, guint64 index)
{
    VhostUserRingState *state = find_ring(session, index);

    return state != NULL && state->handed_over ? state : NULL;
}

gboolean vhost_user_rings_called(VhostUserSession *session, guint index)
{
    const VhostUserRingState *state = vhost_user_rings_find(session, index);

    if (state == NULL) {
        return FALSE;
    }
    event_fd_signal_shared(state->ring.call);
    return TRUE;
}

typedef struct RingNews {
    VhostUserSession *session;
    GError *error;
} RingNews;

/* In the main thread. */
static void tell_failed(gpointer data)
{
    RingNews *news = data;

    start_done(news->session, news->error);
    g_error_free(news->error);
    g_free(news);
}

gboolean vhost_user_rings_failed(VhostUserSession *session, guint index)
{
    VhostUserRingState *state = vhost_user_rings_find(session, index);
    RingNews *news;

    if (state == NULL) {
        return FALSE;
    }
    if (!state->failed) { /* once is enough for a driver to reset the device */
        state->failed = TRUE;
        news = g_new0(RingNews, 1);
        news->session = session;
        vm_error_set(&news->error, "%s: the backend reports an error in queue %u", session->label,
                     index);
        vhost_user_note_error(session, news->error);
        main_loop_post(tell_failed, news);
    }
    return TRUE;
}

/* --- one ring (virtio 1.2, 2.6.1 "Virtqueue Reset") --- */

typedef struct RingStopJob {
    VhostUserJob job;
    guint index;
} RingStopJob;

static gboolean run_ring_stop(VhostUserSession *session, VhostUserJob *job, GError **error)
{
    VhostUserRingState *state = find_ring(session, ((RingStopJob *)job)->index);

    gboolean ok = session->lost || state == NULL || !state->running ||
                  (send_enable(session, state, FALSE, error) && stop_ring(session, state, error) &&
                   vhost_user_settle(session, error));

    vhost_user_kept_ring_forget(session->kept, ((RingStopJob *)job)->index);
    return ok;
}

static const VhostUserJobKind ring_stop_kind = {
    .name = "ring-stop", .run = run_ring_stop, .run_when_lost = TRUE};

void vhost_user_session_ring_stop(VhostUserSession *session, guint index, gboolean wait)
{
    RingStopJob *stop = g_new0(RingStopJob, 1);
    guint64 number;

    stop->index = index;
    number = vhost_user_job_queue(session, &stop->job, &ring_stop_kind, NULL, NULL);
    if (wait) {
        vhost_user_job_wait(session, number);
    }
}

static gboolean run_ring_start(VhostUserSession *session, VhostUserJob *job, GError **error)
{
    StartJob *start = (StartJob *)job;
    const VhostUserRingState *wanted;
    VhostUserRingState *state;

    if (start->refused != NULL) {
        g_propagate_error(error, g_steal_pointer(&start->refused));
        return FALSE;
    }
    wanted = &g_array_index(start->rings, VhostUserRingState, 0);
    pthread_mutex_lock(&session->lock);
    state = find_ring(session, wanted->ring.index);
    if (state != NULL) {
        *state = *wanted;
    } else {
        g_array_append_val(session->rings, *wanted);
        state = ring_at(session, session->rings->len - 1);
    }
    pthread_mutex_unlock(&session->lock);

    if (!send_ring(session, state, error) ||
        (state->ring.enabled && !send_enable(session, state, TRUE, error)) ||
        !vhost_user_settle(session, error)) {
        halt_rings(session);
        return FALSE;
    }
    ring_started(session, state);
    return TRUE;
}

static const VhostUserJobKind ring_start_kind = {
    .name = "ring-start", .run = run_ring_start, .clear = clear_start};

void vhost_user_session_ring_start(VhostUserSession *session, const VhostUserRing *ring)
{
    queue_start(session, &ring_start_kind, session->driver_features, ring, 1);
}

/* --- reset --- */

static gboolean run_reset(VhostUserSession *session, VhostUserJob *job G_GNUC_UNUSED,
                          GError **error)
{
    if (vhost_user_has_protocol(session, VHOST_USER_PROTOCOL_F_STATUS)) {
        return send_status(session, 0, error) && vhost_user_settle(session, error);
    }
    if (vhost_user_has_protocol(session, VHOST_USER_PROTOCOL_F_RESET_DEVICE)) {
        return vhost_user_send_empty(session, VHOST_USER_RESET_DEVICE, error) &&
               vhost_user_settle(session, error);
    }
    return TRUE;
}

static const VhostUserJobKind reset_kind = {.name = "reset", .run = run_reset};

void vhost_user_session_reset(VhostUserSession *session)
{
    /* What was in flight does not matter any more: the next start gets a new buffer. */
    session->kept->epoch++;
    vhost_user_job_queue(session, g_new(VhostUserJob, 1), &reset_kind, NULL, NULL);
}
