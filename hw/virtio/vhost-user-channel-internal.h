/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the channel share: requests go one way, answers come the other. */
#ifndef VHOST_USER_CHANNEL_INTERNAL_H
#define VHOST_USER_CHANNEL_INTERNAL_H

#include "hw/virtio/vhost-user-channel.h"
#include "hw/virtio/vhost-user-stream.h"

/* A state-changing request since the last flush. */
typedef struct SentRequest {
    uint32_t request;
    gboolean ack_due; /* it carried need_reply */
    gpointer tag;
    GError *refusal; /* owned */
} SentRequest;

/* The request with an answer of its own that vhost_user_channel_call() waits for. */
typedef struct PendingCall {
    uint32_t request;
    void *reply;
    uint32_t reply_minimum, reply_size;
    uint32_t reply_length;
    gboolean takes_fd;
    int fd;
    gboolean done;
} PendingCall;

struct VhostUserChannel {
    char *name;
    VhostUserStream stream;
    GError *broken; /* the first error, or NULL */
    gint64 deadline;
    gint64 patience; /* microseconds from when the deadline was set, for messages */
    gboolean reply_ack;
    guint window;
    gboolean narrow;   /* ETOOMANYREFS: one request at a time until the next flush */
    GArray *sent;      /* of SentRequest, since the last flush */
    guint settled;     /* of these, how many are known to have passed or been refused */
    guint outstanding; /* of the others, how many wait for an ack */
    PendingCall *call; /* behind all of them, or NULL */
    VhostUserCount counts[VHOST_USER_REQUEST_COUNT];
    const int *beside; /* another socket, served while this one waits; NULL: none */
    void (*serve_beside)(gpointer opaque);
    gpointer beside_opaque;
    uint32_t sending; /* request on its way out, 0: none */
    uint32_t culprit; /* request of the last failure, 0: none */
};

/* What the next answer has to be. */
typedef struct ExpectedAnswer {
    uint32_t request;
    VhostUserAnswer kind;
    uint32_t size_minimum, size_maximum;
    gboolean fd_allowed;
} ExpectedAnswer;

/* Adds to a counter that other threads read. */
static inline void channel_count(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* Breaks the channel with a message that begins with its name. Always FALSE. */
gboolean channel_fail(VhostUserChannel *channel, GError **error, VhostUserErrorCode code,
                      const char *format, ...) G_GNUC_PRINTF(4, 5);

/* Fills @expected; FALSE if no answer is due. */
gboolean channel_expected_answer(const VhostUserChannel *channel, ExpectedAnswer *expected);

/*
 * How much to read at once.  A stream tells which bytes a descriptor came with only by where a
 * read ends, so where one is allowed no read goes beyond its message.
 */
gsize channel_read_limit(const VhostUserChannel *channel);

/* Takes every answer in the buffer; an incomplete message stays. */
gboolean channel_process(VhostUserChannel *channel, GError **error);

#endif
