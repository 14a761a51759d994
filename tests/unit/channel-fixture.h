/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A channel with a scripted peer in a thread.  sendmsg() is replaced, so that a full socket and
 * ETOOMANYREFS can be had at will.
 */
#ifndef TESTS_UNIT_CHANNEL_FIXTURE_H
#define TESTS_UNIT_CHANNEL_FIXTURE_H

#include "hw/virtio/vhost-user-channel.h"
#include "libvhost-user/wire.h"

#define REPLY_FLAGS (VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY)

/* What the next calls of sendmsg() in this thread do instead of sending: fail so many times, or
 * send so many bytes of the first part at most. */
extern __thread int sendmsg_fail_count, sendmsg_errno;
extern __thread gsize sendmsg_most;

/* The peer: small steps that its script puts together. */

typedef void PeerScript(int socket);

typedef struct PeerRequest {
    VhostUserHeader header;
    VhostUserPayload payload;
    guint fds;
} PeerRequest;

/* Closes the descriptors that come and counts them. FALSE at the end. */
gboolean peer_read(int socket, PeerRequest *request);
/* With @fd_count new event fds. */
void peer_write(int socket, const void *bytes, gsize size, guint fd_count);
void peer_answer(int socket, uint32_t request, uint32_t flags, uint64_t value, uint32_t size,
                 guint fd_count);
void peer_ack(int socket, uint32_t request, uint64_t value);
/* What a good backend does: one ack for each need_reply, 42 for each GET, until the end. */
void peer_good(int socket);
void peer_read_one(int socket);
/* Reads until the other end hangs up, and says nothing. */
void peer_silent(int socket);
void peer_hangs_up_before(int socket);

/* The test's end of it. */

typedef struct Fixture {
    guint fds_before;
    int peer_socket;
    PeerScript *script;
    GThread *thread;
    VhostUserChannel *channel;
} Fixture;

typedef struct Acks {
    guint calls, accepted, refused, unknown;
    guint last_refused;
} Acks;

void fixture_deadline(Fixture *fixture, guint milliseconds);
/* A channel with REPLY_ACK and 10 s, and @script in a thread at the other end. */
void fixture_begin(Fixture *fixture, PeerScript *script);
/* Fails if a descriptor is left over. */
void fixture_end(Fixture *fixture);
/* ADD_MEM_REG whose tag is @number. */
gboolean fixture_add_region(Fixture *fixture, guint number, GError **error);
/* VhostUserAcked that counts into Acks and wants tags from 0 on in order. */
void fixture_on_ack(gpointer opaque, uint32_t request, gpointer tag, const GError *error);
gboolean fixture_get_u64(Fixture *fixture, uint32_t request, uint64_t *value, GError **error);
const VhostUserCount *fixture_counts(Fixture *fixture, uint32_t request);

#endif
