/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection to a vhost-user backend: framing, descriptors, requests in
 * order and their answers.  Knows no memory and no device.  Owned by one
 * session thread; every wait ends at a deadline.  After any error that is not a
 * refusal (an ack that is not 0) the channel is broken: every later call fails with the first
 * error.
 *
 * Specification: vhost-user protocol, "Front-end message types".
 */
#ifndef HW_VIRTIO_VHOST_USER_CHANNEL_H
#define HW_VIRTIO_VHOST_USER_CHANNEL_H

#include <glib.h>
#include <stdint.h>

/* Errors in domain VHOST_USER_ERROR; other domains do not occur. */
#define VHOST_USER_ERROR (vhost_user_error_quark())
typedef enum {
    VHOST_USER_ERROR_REFUSED,  /* need_reply was answered with a value that is not 0: the connection
                                  is fine */
    VHOST_USER_ERROR_TIMEOUT,  /* no (complete) answer before the deadline */
    VHOST_USER_ERROR_CLOSED,   /* the backend hung up */
    VHOST_USER_ERROR_PROTOCOL, /* an answer to nothing, of another request, of a wrong size or with
                                  wrong descriptors */
    VHOST_USER_ERROR_SYSTEM,   /* the kernel refused */
} VhostUserErrorCode;
GQuark vhost_user_error_quark(void);

typedef struct VhostUserChannel VhostUserChannel;

/* Takes @socket (made non-blocking).  @name begins every error message: "vhost-user device 'b0'".
 */
VhostUserChannel *vhost_user_channel_new(const char *name, int socket);
void vhost_user_channel_free(VhostUserChannel *channel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VhostUserChannel, vhost_user_channel_free)

int vhost_user_channel_fd(const VhostUserChannel *channel); /* to poll while idle; -1 once closed */
gboolean vhost_user_channel_broken(const VhostUserChannel *channel);
/* Closes the socket now and marks the channel broken with @reason (kept copied). */
void vhost_user_channel_break(VhostUserChannel *channel, const GError *reason);

/* g_get_monotonic_time() at which waiting ends for calls made from now on.  Until it is set nothing
 * is waited for. */
void vhost_user_channel_set_deadline(VhostUserChannel *channel, gint64 deadline);
/* Whether REPLY_ACK was negotiated: then need_reply is honoured. */
/* While the channel waits it looks at *@socket (-1: none), too, and calls @serve when there is
 * something to read, which must send nothing on the channel. */
void vhost_user_channel_serve_beside(VhostUserChannel *channel, const int *socket,
                                     void (*serve)(gpointer opaque), gpointer opaque);
void vhost_user_channel_set_reply_ack(VhostUserChannel *channel, gboolean enabled);
/* Requests that may be unanswered at once (default 64, at least 1). */
void vhost_user_channel_set_window(VhostUserChannel *channel, guint window);

/*
 * Sends @request with @payload (@size bytes, little-endian wire struct) and
 * @fds, which stay the caller's.  Size and descriptor count are checked against the message table.
 * With REPLY_ACK a state-changing request carries need_reply and its
 * ack is collected later; @tag tells the acks apart.  May wait for the socket or, with a full
 * window, for acks.  A request whose send fails is not reported by the next flush.
 */
gboolean vhost_user_channel_send(VhostUserChannel *channel, uint32_t request, const void *payload,
                                 uint32_t size, const int *fds, guint fd_count, gpointer tag,
                                 GError **error);

/*
 * Waits until everything sent is answered; without REPLY_ACK one GET_FEATURES
 * is sent as a barrier if anything was sent since the last.  @acked (may be NULL) is called for
 * each state-changing request since the last flush in order: @error NULL if it was accepted (or,
 * without REPLY_ACK, passed the barrier), otherwise why it was refused (owned by the channel).
 * Refusals do not make this call fail; a broken channel does, after @acked was called with that
 * error for each request whose fate is unknown.
 */
typedef void VhostUserAcked(gpointer opaque, uint32_t request, gpointer tag, const GError *error);
gboolean vhost_user_channel_flush(VhostUserChannel *channel, VhostUserAcked *acked, gpointer opaque,
                                  GError **error);

/*
 * Sends a request that has an answer of its own (GET_*) behind what is pending, and waits for it
 * and for every ack in front of it, which are kept for the next flush.  The answer must be of
 * exactly @reply_size bytes, or with @reply_minimum < @reply_size at least that; *@reply_length
 * (may be NULL) says how many.
 * @reply_fd (may be NULL: no descriptor is allowed) receives at most one descriptor, -1 without.
 */
gboolean vhost_user_channel_call(VhostUserChannel *channel, uint32_t request, const void *payload,
                                 uint32_t size, void *reply, uint32_t reply_minimum,
                                 uint32_t reply_size, uint32_t *reply_length, int *reply_fd,
                                 GError **error);

/* While idle the socket became readable: TRUE if that is nothing; an end of file or a message
 * nobody asked for breaks the channel: FALSE with @error. */
gboolean vhost_user_channel_idle(VhostUserChannel *channel, GError **error);

/* Counts since creation, per request number (index < VHOST_USER_REQUEST_COUNT of the wire header).
 */
typedef struct VhostUserCount {
    uint64_t sent;
    uint64_t answered; /* acks and replies */
    uint64_t refused;
} VhostUserCount;
/* Before the first message: @channel counts on from what @before has. */
void vhost_user_channel_add_counts(VhostUserChannel *channel, const VhostUserChannel *before);
/* Name of the request that was refused, that could not be sent or whose answer was wrong or did not
 * come: the last one.  NULL: none.  Static. */
const char *vhost_user_channel_culprit(const VhostUserChannel *channel);
/* Read with atomic loads: another thread may show them while the session works. */
const VhostUserCount *vhost_user_channel_counts(const VhostUserChannel *channel);

#endif
