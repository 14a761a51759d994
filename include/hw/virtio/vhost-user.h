/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vhost-user session: one device's backend, from connection to end, in a
 * thread of its own.  Negotiation, the shadow table, memory transactions, rings, configuration
 * space. Functions are called with the VM lock held and return at once unless they say otherwise;
 * callbacks come in the main thread with the VM lock held.
 */
#ifndef HW_VIRTIO_VHOST_USER_H
#define HW_VIRTIO_VHOST_USER_H

#include <glib.h>
#include <json-c/json.h>
#include <stdint.h>

typedef struct VhostUserSession VhostUserSession;

/* Milliseconds that a backend has for an answer, where nobody says otherwise. */
#define VHOST_USER_REPLY_TIMEOUT 10000
#define VHOST_USER_REPLY_TIMEOUT_MAXIMUM 3600000

/* Bytes that a backend's host notifier takes in place of a doorbell: one page. */
#define VHOST_USER_NOTIFIER_SIZE 4096

/* The protocol features that this front end implements, and takes where they are offered.  Any
 * thread. */
uint64_t vhost_user_session_known_protocol_features(void);

/* Names of a type's feature bits, for x-query-vhost-user; ends with name NULL. */
typedef struct VhostUserFeatureName {
    unsigned bit;
    const char *name;
} VhostUserFeatureName;

/* What the device type needs; static or as long as the session. */
typedef struct VhostUserNeeds {
    uint64_t features; /* virtio features it can use, without transport bits (the session adds those
                          that it passes through) */
    const VhostUserFeatureName *feature_names; /* may be NULL */
    uint32_t config_size;    /* bytes of configuration space from the backend, 0: none */
    uint32_t config_minimum; /* what an older backend must have at least; 0: all of config_size */
    gboolean needs_config;   /* fail without PROTOCOL_F_CONFIG */
    guint queues;            /* wanted */
    guint queues_of_kind;    /* what every device of the kind has: no more wanted, none asked for */
    guint queues_without_mq; /* what a backend has that cannot be asked; 0: 1 */
    guint queues_a_unit;     /* rings that GET_QUEUE_NUM counts as one (2: pairs); 0: 1 */
    uint64_t protocol_features; /* used by this type beside those that all use */
    gboolean host_notifiers; /* a queue's doorbell has a page to itself: HOST_NOTIFIER is of use */
    uint64_t protocol_features_unused; /* of those that all use, not wanted by this one */
    gboolean needs_mq; /* fail if more than one queue is wanted and the backend grants fewer */
} VhostUserNeeds;

typedef struct VhostUserRing {
    uint16_t index;
    uint16_t size;
    uint64_t descriptor_area, driver_area, device_area; /* guest physical */
    uint32_t base; /* where to go on: vring base as the specification packs it */
    gboolean enabled;
    gboolean recover; /* private: the record of requests in flight tells the base */
    int kick, call;   /* event fds, borrowed; live as long as the device */
} VhostUserRing;

typedef struct VhostUserCallbacks {
    /* The backend says that its configuration changed; the new bytes are in
     * vhost_user_session_config(). */
    void (*config_changed)(gpointer opaque);
    /* The rings could not be started; the backend is there, the driver may reset and try again. */
    void (*start_failed)(gpointer opaque, const GError *error);
    /* The connection is lost or was closed by us; called once, and not before connect succeeded. */
    void (*lost)(gpointer opaque, const GError *error);
    /* The rings of a start run. */
    void (*started)(gpointer opaque);
    /*
     * In the session thread, with the VM lock held: the backend wants @page, a shared mapping of
     * VHOST_USER_NOTIFIER_SIZE bytes, in place of the doorbell of ring @index, which it has.  FALSE
     * refuses; otherwise @page is taken over.  NULL: the doorbell again.  May be NULL.
     */
    gboolean (*host_notifier)(gpointer opaque, guint index, void *page);
} VhostUserCallbacks;

typedef void VhostUserDone(gpointer opaque, const GError *error);

/* One connection of a device to its backend, and what is to become of it. */
typedef struct VhostUserConnection {
    const char *name;    /* the device's id or path, for messages; copied */
    const char *chardev; /* its id; copied */
    int socket;          /* taken over */
    guint reply_timeout; /* milliseconds that the backend has for each answer; 0: the default */
    /* Another connection may come after this one: until then the backend's slot limit binds. */
    gboolean may_return;
    /*
     * The lost session that this one follows, NULL: the first.  What outlives a connection goes
     * on: the record of requests in flight, positions of rings, what the driver wrote to the
     * configuration, counters.  As many queues are needed as @before had.
     */
    VhostUserSession *before;
} VhostUserConnection;

VhostUserSession *vhost_user_session_new(const VhostUserConnection *connection,
                                         const VhostUserNeeds *needs,
                                         const VhostUserCallbacks *callbacks, gpointer opaque);

/*
 * Negotiates features and protocol features, fetches slot limit, queue count and configuration.
 * Checks that the slot limit holds the RAM that is there.  @done once.
 */
void vhost_user_session_connect(VhostUserSession *session, VhostUserDone *done, gpointer opaque);

/* After connect: what the backend offers of the needed and transport features; without
 * F_PROTOCOL_FEATURES. */
uint64_t vhost_user_session_features(VhostUserSession *session);
/* Whether the backend knows protocol features at all (bit 30 of its features). */
gboolean vhost_user_session_has_protocol_features(VhostUserSession *session);
/* Whether protocol feature @feature (a number) is in use. */
gboolean vhost_user_session_has_protocol(VhostUserSession *session, unsigned feature);
/* How many queues to use: what was wanted, as far as the backend grants it, at least 1. */
guint vhost_user_session_queues(VhostUserSession *session);
/* Copies the first @size configuration bytes that are known, at most needs->config_size; zeros
 * where the backend has none. */
void vhost_user_session_config(VhostUserSession *session, uint8_t *bytes, uint32_t size);
/* How many of them came from the backend. */
uint32_t vhost_user_session_config_length(VhostUserSession *session);

/*
 * Features, table, record of requests in flight, rings, enable; pipelined.  Rings are copied.
 * Features that the backend does not offer are the device's own and left out.  From the first
 * start on the backend's table follows every memory transaction, also across resets.  Trouble
 * comes through start_failed() or lost(); the first start of a session that follows another one is
 * a part of the return, so that its failure ends the connection.
 */
void vhost_user_session_start(VhostUserSession *session, uint64_t driver_features,
                              const VhostUserRing *rings, guint count);

/*
 * Stops the rings (GET_VRING_BASE); their bases are there afterwards, see
 * vhost_user_session_ring_base().  With @wait releases the VM lock and waits until the job has
 * ended or the deadline passed; without it returns at once.  @done (may be NULL) in both cases.
 */
void vhost_user_session_stop(VhostUserSession *session, gboolean wait, VhostUserDone *done,
                             gpointer opaque);
/*
 * Where ring @index goes on, as the specification packs a vring base: where the last stop left it,
 * or, if the connection ended while it ran, behind the last request that was finished.  A ring that
 * has not run since the last reset begins at its beginning.
 */
uint32_t vhost_user_session_ring_base(VhostUserSession *session, guint index);
/*
 * The same into @ring->base, for a start.  FALSE with @error if nothing tells: a packed ring whose
 * backend ended without having kept a record of requests in flight.  Only a reset helps then.
 */
gboolean vhost_user_session_resume_ring(VhostUserSession *session, VhostUserRing *ring,
                                        gboolean packed, GError **error);

/* One ring, for VIRTIO_F_RING_RESET: stopped (waits like stop) and started again. */
void vhost_user_session_ring_stop(VhostUserSession *session, guint index, gboolean wait);
void vhost_user_session_ring_start(VhostUserSession *session, const VhostUserRing *ring);

/* The guest reset the device: RESET_DEVICE, or STATUS 0, where negotiated; what is known of rings
 * and requests is void, also on a lost connection. Call after stop. */
void vhost_user_session_reset(VhostUserSession *session);

/*
 * From now on the backend works on the rings from @first to @first + @count - 1, or not
 * (SET_VRING_ENABLE); a later start says so again.  Failure comes through start_failed().
 */
void vhost_user_session_rings_enable(VhostUserSession *session, guint first, guint count,
                                     gboolean enable);
/* Tells the backend a number (SEND_RARP, NET_SET_MTU) if it can be told that. */
void vhost_user_session_tell(VhostUserSession *session, uint32_t request, uint64_t value);
/* The driver changed what it uses while the rings run. */
void vhost_user_session_set_features(VhostUserSession *session, uint64_t driver_features);

/*
 * The driver wrote @size bytes at @offset of the configuration (SET_CONFIG).  With @ask_again the
 * rest of it may be another one afterwards: it is fetched anew, and this waits for it as stop does.
 * On a lost connection the bytes are kept for the session that follows.
 */
void vhost_user_session_config_write(VhostUserSession *session, uint32_t offset, const void *bytes,
                                     uint32_t size, gboolean ask_again);

/*
 * Ends: no VhostUserCallbacks from now on.  @done (may be NULL) comes when the connection is
 * closed, the thread gone and the shadow's references dropped, and after the done callbacks of
 * earlier calls; a backend that hangs is given half a second.  @session is invalid from this call
 * on.
 */
void vhost_user_session_end(VhostUserSession *session, VhostUserDone *done, gpointer opaque);

/* The program is about to end: a backend that hangs is hung up on after half a second from now on,
 * also where somebody waits for it already. */
void vhost_user_session_hurry(VhostUserSession *session);

/*
 * Configuration that @session fetched and that of the lost session before it, each as many bytes as
 * the device needs; what the driver wrote counts as equal in both.  Caller frees.
 */
void vhost_user_session_configs(VhostUserSession *session, VhostUserSession *before, uint8_t **now,
                                uint8_t **then);
/* The backend of @session is taken: what the driver wrote is sent to it again. */
void vhost_user_session_adopt(VhostUserSession *session);
/* A connection was turned away; for x-query-vhost-user. */
void vhost_user_session_note_ignored(VhostUserSession *session, const GError *error);
/* Name of the request that the last error was about, NULL: none. Static. */
const char *vhost_user_session_failed_request(VhostUserSession *session);

/* One element of x-query-vhost-user's answer. New reference. Does not wait. */
json_object *vhost_user_session_info(VhostUserSession *session);

#endif
