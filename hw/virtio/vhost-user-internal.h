/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of a vhost-user session share: the session, its jobs, and
 * who may touch which member.
 */
#ifndef HW_VIRTIO_VHOST_USER_INTERNAL_H
#define HW_VIRTIO_VHOST_USER_INTERNAL_H

#include "hw/virtio/shadow-table.h"
#include "hw/virtio/vhost-user-channel.h"
#include "hw/virtio/vhost-user.h"
#include "libvhost-user/wire.h"
#include "system/memory.h"
#include "vhost-user-stream.h"

#include <pthread.h>

/* Milliseconds that a session in a hurry leaves to a backend that does not answer. */
#define VHOST_USER_END_GRACE 500

/* No table has this generation: the next change compares the whole map. */
#define VHOST_USER_GENERATION_UNKNOWN UINT64_MAX

typedef struct VhostUserJob VhostUserJob;

/* What a job does.  @run is called in the session thread; on a lost connection only with
 * @run_when_lost. */
typedef struct VhostUserJobKind {
    const char *name;
    gboolean (*run)(VhostUserSession *session, VhostUserJob *job, GError **error);
    /* Instead of the completion in the main thread; takes @error, must not touch @job once it told
     * somebody that it has ended. May be NULL. */
    void (*finish)(VhostUserSession *session, VhostUserJob *job, GError *error);
    /* Frees what the job holds besides itself. May be NULL. */
    void (*clear)(VhostUserJob *job);
    gboolean run_when_lost;
} VhostUserJobKind;

/* A unit of work of a session; the first member of what a kind needs more. */
struct VhostUserJob {
    const VhostUserJobKind *kind;
    VhostUserJob *next;
    VhostUserDone *done; /* in the main thread; may be NULL */
    gpointer opaque;
    GError *error;
};

/* A memory change on its way.  One transaction runs at a time, so one of these is enough. */
typedef struct VhostUserMemoryJob {
    VhostUserJob job;
    MemoryChange change;   /* what the backend is told: an aborted addition is a removal */
    MemorySection section; /* with a reference */
    uint64_t from_generation, to_generation; /* of the table, if the change can go alone */
    gint64 deadline;
    gint64 begin; /* both as g_get_monotonic_time() */
} VhostUserMemoryJob;

/* A ring as the backend gets it. */
typedef struct VhostUserRingState {
    VhostUserRing ring;
    VhostUserVringAddr address; /* user addresses */
    gboolean running;
    gboolean handed_over; /* the backend may work on it; session thread */
    gboolean notifier;    /* a page of the backend's is its doorbell */
    gboolean failed;      /* the backend said so */
} VhostUserRingState;

/* Where a ring stands. */
typedef struct VhostUserPosition {
    guint64 epoch; /* of another one: it has not run since the reset */
    uint32_t base; /* where it stopped */
    gboolean runs; /* or, if the connection is lost, ran when it ended: the ring itself tells */
} VhostUserPosition;

/* What outlives a connection (vhost-user-kept.c). */
typedef struct VhostUserKept {
    /* --- VM lock --- */
    guint references;                                    /* of sessions */
    guint64 epoch;                                       /* grows with each reset of the device */
    gboolean config_written[VHOST_USER_MAX_CONFIG_SIZE]; /* by the driver */
    gboolean config_is_live;                             /* what is written changes what is read */
    guint64 connections, losses, ignored;
    guint64 notifiers_set, notifiers_refused; /* VRING_HOST_NOTIFIER_MSG */

    pthread_mutex_t lock; /* the rest; taken behind the session's */
    int inflight;         /* file of GET_INFLIGHT_FD, -1: none */
    VhostUserInflight inflight_area;
    guint64 inflight_epoch;
    GArray *positions; /* of VhostUserPosition, by ring */
    char *last_error;  /* NULL: none */
    const char *last_request;
} VhostUserKept;

typedef enum {
    VHOST_USER_CREATED,
    VHOST_USER_CONNECTED,
    VHOST_USER_LOST,
    VHOST_USER_ENDED,
} VhostUserState;

struct VhostUserSession {
    /* --- constant from creation on --- */
    char *id;
    char *chardev;
    char *label; /* "vhost-user device 'b0'": how every message begins */
    const VhostUserNeeds *needs;
    VhostUserCallbacks callbacks;
    gpointer opaque;
    GThread *thread;
    int wake; /* event fd: a job was queued while the thread slept */
    VhostUserChannel *channel;
    VhostUserKept *kept;
    gint64 reply_timeout;  /* microseconds */
    gboolean may_return;   /* another connection may follow */
    gboolean follows;      /* a session before it */
    guint queues_wanted;   /* of the backend */
    gboolean needs_queues; /* as many as that, not fewer */

    /* --- written by the connect job, constant afterwards --- */
    uint64_t offered;           /* GET_FEATURES */
    uint64_t protocol_features; /* negotiated */
    uint64_t slot_limit;        /* regions the backend takes: asked once a connection */
    guint queues;
    uint32_t config_length;

    /* --- VM lock --- */
    guint references; /* the owner's until the end, and one for each who waits */
    VhostUserState state;
    MemoryListener listener;
    gboolean listening;
    gboolean has_table; /* started once: from then on the table follows the map */
    VhostUserMemoryJob memory_job;
    uint64_t driver_features; /* of the last start */
    guint end_timer;          /* 0: nobody is in a hurry */
    gboolean returning;       /* the next start brings everything back */

    /* --- @lock: the queue, and what vhost_user_session_info() shows --- */
    pthread_mutex_t lock;
    pthread_cond_t ran; /* @jobs_run has grown */
    VhostUserJob *queue_head, **queue_tail;
    gboolean sleeping;
    guint64 jobs_queued, jobs_run;
    guint64 job_seen;      /* under way when somebody in a hurry looked last; 0: none */
    gint64 impatient_from; /* who waits for a job then waits no longer */
    guint waiting;         /* threads on @ran */
    gboolean owes_memory;  /* the running memory transaction waits for us */
    int hang_up;           /* duplicate of the socket, to shut down from outside; -1: closed */
    GArray *rings;         /* of VhostUserRingState; changed by the thread only */
    uint8_t config[VHOST_USER_MAX_CONFIG_SIZE];
    guint64 config_fetch;    /* number of the GET_CONFIG that brought it */
    gint64 last_memory_time; /* microseconds; -1: none */

    /* --- session thread --- */
    gboolean lost;
    GError *lost_reason;
    ShadowTable shadow;        /* what the backend has; holds a reference to each file */
    guint slots_used;          /* length of @shadow; atomic, for others */
    uint64_t table_generation; /* of the map that @shadow equals, or unknown */
    ShadowDiff diff;           /* kept to save allocations */
    GError *kept_region;       /* why the backend still has a region that the map has not */
    gboolean warned_of_kept;
    guint64 config_fetches;   /* GET_CONFIG after the connection stood */
    guint64 epoch;            /* of the rings that were started last */
    VhostUserStream requests; /* on which the backend asks us; socket -1: none */
    guint requests_this_second;
    gint64 requests_second;
    gboolean config_stale; /* the backend said so */
    guint notifier_warnings;
};

/* --- vhost-user.c --- */

/* Queues @job and returns its number.  VM lock held.  Without VhostUserJobKind.finish @job comes
 * from g_new() and is freed after @done (may be NULL). */
guint64 vhost_user_job_queue(VhostUserSession *session, VhostUserJob *job,
                             const VhostUserJobKind *kind, VhostUserDone *done, gpointer opaque);
/*
 * Waits until job @number has run, with the VM lock released.  A backend that does not let the
 * thread come that far within the deadline is cut off, so that this ends.
 */
void vhost_user_job_wait(VhostUserSession *session, guint64 number);
/* g_get_monotonic_time() at which waiting for an answer ends that begins now. Any thread. */
gint64 vhost_user_deadline(const VhostUserSession *session);
/* The current job has got on: it may wait that long again. Session thread. */
void vhost_user_deadline_renew(VhostUserSession *session);
/* After a failed job or call: if the connection broke, the session loses its backend for @error. */
void vhost_user_notice_loss(VhostUserSession *session, const GError *error);
/* Keeps @error as what x-query-vhost-user shows. */
void vhost_user_note_error(VhostUserSession *session, const GError *error);
gboolean vhost_user_has_protocol(const VhostUserSession *session, VhostUserProtocolFeature feature);
/* Whether protocol features were negotiated at all (bit 30). */
gboolean vhost_user_has_bit_30(const VhostUserSession *session);

/* Sends @request with a u64, or with nothing, and collects the ack later. */
gboolean vhost_user_send_u64(VhostUserSession *session, uint32_t request, uint64_t value,
                             GError **error);
gboolean vhost_user_send_empty(VhostUserSession *session, uint32_t request, GError **error);
/* Asks for a u64. */
gboolean vhost_user_call_u64(VhostUserSession *session, uint32_t request, uint64_t *value,
                             GError **error);
/* Waits for all acks; the first refusal is an error, too. */
gboolean vhost_user_settle(VhostUserSession *session, GError **error);

/* --- vhost-user-kept.c --- */

VhostUserKept *vhost_user_kept_new(void);
VhostUserKept *vhost_user_kept_ref(VhostUserKept *kept); /* VM lock held */
void vhost_user_kept_unref(VhostUserKept *kept);         /* VM lock held */
/* The backend may work on ring @index from now on. */
void vhost_user_kept_ring_runs(VhostUserKept *kept, guint64 epoch, guint index);
void vhost_user_kept_ring_stopped(VhostUserKept *kept, guint64 epoch, guint index, uint32_t base);
/* Ring @index was reset. */
void vhost_user_kept_ring_forget(VhostUserKept *kept, guint index);
/* @ring->base from the record. Session thread. */
gboolean vhost_user_kept_recover_ring(VhostUserSession *session, VhostUserRing *ring,
                                      GError **error);
/* The record of @epoch, -1: none.  Valid until the session thread sets another. */
int vhost_user_kept_inflight(VhostUserKept *kept, guint64 epoch, VhostUserInflight *area);
/* Takes @file over. */
void vhost_user_kept_set_inflight(VhostUserKept *kept, guint64 epoch, int file,
                                  const VhostUserInflight *area);
/* @request: a static name or NULL. */
void vhost_user_kept_note_error(VhostUserKept *kept, const char *message, const char *request);
char *vhost_user_kept_last_error(VhostUserKept *kept); /* caller frees */

/* --- vhost-user-negotiation.c --- */

extern const VhostUserJobKind vhost_user_connect_kind;

/* --- vhost-user-memory.c --- */

/* Whether the backend takes @needed regions: FALSE with @error saying what the limit is, and that
 * @in_use are there.  Any thread. */
gboolean vhost_user_memory_check_count(VhostUserSession *session, guint needed, guint in_use,
                                       GError **error);
/* Begins to listen to changes of guest memory; VM lock held. */
void vhost_user_memory_listen(VhostUserSession *session);
void vhost_user_memory_unlisten(VhostUserSession *session);
/* From now on memory transactions reach the backend; VM lock held. */
void vhost_user_memory_take_part(VhostUserSession *session);
/* Brings the backend to the map as it is. Session thread. */
gboolean vhost_user_memory_bring(VhostUserSession *session, GError **error);

/* --- vhost-user-table.c; session thread --- */

/* Does what session->diff says; the shadow tells afterwards what the backend has.  An add that is
 * refused is an error, a remove that is refused stays in session->kept_region. */
gboolean vhost_user_table_apply(VhostUserSession *session, GError **error);
/* The backend is gone: drops all references. */
void vhost_user_table_drop(VhostUserSession *session);
/* The regions of @table as an array, NULL if there are none. */
const ShadowRegion *vhost_user_table_regions(const ShadowTable *table);

/* --- vhost-user-rings.c --- */

/* Ring @index if the backend has it, NULL otherwise. Session thread. */
VhostUserRingState *vhost_user_rings_find(VhostUserSession *session, guint64 index);
/* VRING_CALL and VRING_ERR of the backend: FALSE if it has no ring @index. Session thread. */
gboolean vhost_user_rings_called(VhostUserSession *session, guint index);
gboolean vhost_user_rings_failed(VhostUserSession *session, guint index);
/* SET_VRING_ADDR again for every running ring: a full table may have cost the backend its
 * translations. */
gboolean vhost_user_rings_send_addresses(VhostUserSession *session, GError **error);

/* --- vhost-user-config.c --- */

/* GET_CONFIG into @bytes, which holds needs->config_size; @length: how many came. */
gboolean vhost_user_config_fetch(VhostUserSession *session, uint8_t *bytes, uint32_t *length,
                                 GError **error);
/* GET_CONFIG again, and its bytes to the main thread. Session thread. */
gboolean vhost_user_config_refresh(VhostUserSession *session, GError **error);

/* --- vhost-user-requests.c; session thread --- */

/* Makes the socket for the backend's own requests and sends its other end. */
gboolean vhost_user_requests_open(VhostUserSession *session, GError **error);
/* The socket is readable: answers what is there, within limits.  Sends nothing to the backend on
 * the channel, which may wait for an answer meanwhile. */
void vhost_user_requests_serve(VhostUserSession *session);
/* What requests have left to do once the channel is free. */
void vhost_user_requests_follow_up(VhostUserSession *session);

/* --- vhost-user-notifier.c; session thread --- */

/* VRING_HOST_NOTIFIER_MSG with @fd, which stays the caller's: NULL, or why not; caller frees. */
char *vhost_user_notifier_set(VhostUserSession *session, const VhostUserVringArea *area, int fd);
/* Ring @state is the backend's no more: its doorbell is ours. */
void vhost_user_notifier_drop(VhostUserSession *session, VhostUserRingState *state);
/* A request for a notifier was refused for @reason. */
void vhost_user_notifier_refused(VhostUserSession *session, const char *reason);

#endif
