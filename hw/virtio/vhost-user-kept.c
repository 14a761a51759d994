/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a vhost-user device outlives a connection: one session hands it to the next.  A reset of
 * the device makes the record of requests and the positions of rings void, which an epoch says, so
 * that jobs under way from before it do no harm.
 */
#include "vhost-user-internal.h"

#include "system/memory.h"
#include "util/error.h"
#include "util/fd.h"

#include <unistd.h>

/* Where a packed ring's position stands in its area of the record ("Inflight I/O tracking", struct
 * QueueRegionPacked): index, old index, wrap counter. */
#define PACKED_USED_OFFSET 16

VhostUserKept *vhost_user_kept_new(void)
{
    VhostUserKept *kept = g_new0(VhostUserKept, 1);

    pthread_mutex_init(&kept->lock, NULL);
    kept->references = 1;
    kept->epoch = 1; /* positions that were never set are of epoch 0 */
    kept->inflight = -1;
    kept->positions = g_array_new(FALSE, TRUE, sizeof(VhostUserPosition));
    return kept;
}

VhostUserKept *vhost_user_kept_ref(VhostUserKept *kept)
{
    kept->references++;
    return kept;
}

void vhost_user_kept_unref(VhostUserKept *kept)
{
    if (--kept->references > 0) {
        return;
    }
    fd_clear(&kept->inflight);
    g_array_unref(kept->positions);
    pthread_mutex_destroy(&kept->lock);
    g_free(kept->last_error);
    g_free(kept);
}

/* --- rings --- */

static void set_position(VhostUserKept *kept, guint index, const VhostUserPosition *position)
{
    pthread_mutex_lock(&kept->lock);
    if (kept->positions->len <= index) {
        g_array_set_size(kept->positions, index + 1);
    }
    g_array_index(kept->positions, VhostUserPosition, index) = *position;
    pthread_mutex_unlock(&kept->lock);
}

static VhostUserPosition get_position(VhostUserKept *kept, guint index)
{
    VhostUserPosition position = {0};

    pthread_mutex_lock(&kept->lock);
    if (index < kept->positions->len) {
        position = g_array_index(kept->positions, VhostUserPosition, index);
    }
    pthread_mutex_unlock(&kept->lock);
    return position;
}

void vhost_user_kept_ring_runs(VhostUserKept *kept, guint64 epoch, guint index)
{
    set_position(kept, index, &(VhostUserPosition){.epoch = epoch, .runs = TRUE});
}

void vhost_user_kept_ring_stopped(VhostUserKept *kept, guint64 epoch, guint index, uint32_t base)
{
    set_position(kept, index, &(VhostUserPosition){.epoch = epoch, .base = base});
}

void vhost_user_kept_ring_forget(VhostUserKept *kept, guint index)
{
    set_position(kept, index, &(VhostUserPosition){0});
}

uint32_t vhost_user_session_ring_base(VhostUserSession *session, guint index)
{
    return get_position(session->kept, index).base;
}

static gboolean has_record(VhostUserKept *kept)
{
    gboolean has;

    pthread_mutex_lock(&kept->lock);
    has = kept->inflight >= 0 && kept->inflight_epoch == kept->epoch;
    pthread_mutex_unlock(&kept->lock);
    return has;
}

gboolean vhost_user_session_resume_ring(VhostUserSession *session, VhostUserRing *ring,
                                        gboolean packed, GError **error)
{
    VhostUserKept *kept = session->kept;
    VhostUserPosition position = get_position(kept, ring->index);
    uint16_t used;

    if (position.epoch != kept->epoch) {
        return TRUE;
    }
    if (!position.runs) {
        ring->base = position.base;
        return TRUE;
    }
    if (packed) {
        /* Who used which descriptors of a packed ring cannot be seen in the ring (virtio 1.2,
         * 2.8): only the record tells. */
        ring->recover = has_record(kept);
        if (!ring->recover) {
            vm_error_set(error,
                         "%s: packed queue %u cannot go on: the backend that ended kept no record "
                         "of requests in flight",
                         session->label, ring->index);
        }
        return ring->recover;
    }
    /* The index of the used ring stands behind its flags (2.7.8). */
    if (!memory_copy_in(&used, ring->device_area + sizeof(used), sizeof(used))) {
        vm_error_set(error, "%s: queue %u lies outside of RAM", session->label, ring->index);
        return FALSE;
    }
    ring->base = GUINT16_FROM_LE(used);
    return TRUE;
}

gboolean vhost_user_kept_recover_ring(VhostUserSession *session, VhostUserRing *ring,
                                      GError **error)
{
    VhostUserKept *kept = session->kept;
    const VhostUserInflight *area = &kept->inflight_area;
    uint8_t bytes[6]; /* index, index before it, wrap counter, wrap counter before it */
    uint16_t index;
    gssize got = -1;

    pthread_mutex_lock(&kept->lock);
    if (area->num_queues > ring->index) {
        uint64_t offset = area->mmap_offset + area->mmap_size / area->num_queues * ring->index;

        got = pread(kept->inflight, bytes, sizeof(bytes), (off_t)(offset + PACKED_USED_OFFSET));
    }
    pthread_mutex_unlock(&kept->lock);
    memcpy(&index, bytes, sizeof(index));
    index = GUINT16_FROM_LE(index);
    if (got != sizeof(bytes) || index >= ring->size || bytes[4] > 1) {
        vm_error_set(error, "%s: the record of requests in flight does not tell where queue %u is",
                     session->label, ring->index);
        return FALSE;
    }
    index |= bytes[4] << 15;
    ring->base = index | (uint32_t)index << 16;
    return TRUE;
}

/* --- requests in flight --- */

int vhost_user_kept_inflight(VhostUserKept *kept, guint64 epoch, VhostUserInflight *area)
{
    int file = -1;

    pthread_mutex_lock(&kept->lock);
    if (kept->inflight_epoch == epoch) {
        file = kept->inflight;
        *area = kept->inflight_area;
    }
    pthread_mutex_unlock(&kept->lock);
    return file;
}

void vhost_user_kept_set_inflight(VhostUserKept *kept, guint64 epoch, int file,
                                  const VhostUserInflight *area)
{
    pthread_mutex_lock(&kept->lock);
    fd_clear(&kept->inflight);
    kept->inflight = file;
    kept->inflight_epoch = epoch;
    kept->inflight_area = *area;
    pthread_mutex_unlock(&kept->lock);
}

/* --- errors --- */

void vhost_user_kept_note_error(VhostUserKept *kept, const char *message, const char *request)
{
    pthread_mutex_lock(&kept->lock);
    g_free(kept->last_error);
    kept->last_error = g_strdup(message);
    kept->last_request = request;
    pthread_mutex_unlock(&kept->lock);
}

char *vhost_user_kept_last_error(VhostUserKept *kept)
{
    char *message;

    pthread_mutex_lock(&kept->lock);
    message = g_strdup(kept->last_error);
    pthread_mutex_unlock(&kept->lock);
    return message;
}

const char *vhost_user_session_failed_request(VhostUserSession *session)
{
    const char *request;

    pthread_mutex_lock(&session->kept->lock);
    request = session->kept->last_request;
    pthread_mutex_unlock(&session->kept->lock);
    return request;
}

void vhost_user_session_note_ignored(VhostUserSession *session, const GError *error)
{
    session->kept->ignored++;
    vhost_user_kept_note_error(session->kept, error->message,
                               vhost_user_session_failed_request(session));
}
