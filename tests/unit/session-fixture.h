/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vhost-user session over the small backend of session-backend.h, and guest memory for it.
 * Everything is waited for in the main loop.
 */
#ifndef UNIT_SESSION_FIXTURE_H
#define UNIT_SESSION_FIXTURE_H

#include "hw/virtio/vhost-user.h"
#include "session-backend.h"
#include "system/memory.h"

#include <linux/virtio_config.h>

#define MIB (UINT64_C(1) << 20)
#define BIT(number) (UINT64_C(1) << (number))

#define SESSION_PROTOCOL                                                                           \
    (BIT(VHOST_USER_PROTOCOL_F_MQ) | BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) |                        \
     BIT(VHOST_USER_PROTOCOL_F_CONFIG) | BIT(VHOST_USER_PROTOCOL_F_BACKEND_REQ) |                  \
     BIT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS))

/* Of sessions that begin, 0: the default. */
extern guint session_reply_timeout;

typedef struct SessionFixture {
    Backend backend;
    VhostUserSession *session;
    VhostUserNeeds needs;
    guint configs, lost, failed_starts, answers;
    char *message; /* of the last error that anything reported */
    GPtrArray *blocks;
    int kick, call;
} SessionFixture;

/* A session with a backend of these features, and boot memory; it is not connected yet. */
void session_begin(SessionFixture *f, uint64_t protocol_features, uint64_t slots);
void session_end(SessionFixture *f);
/* The same without memory, for a second device. */
void session_begin_device(SessionFixture *f, uint64_t protocol_features, uint64_t slots);
void session_end_device(SessionFixture *f);
/* While it ends, @expected answers come, its own among them. */
void session_end_device_with(SessionFixture *f, guint expected);
/* A backend that comes in the place of that of session @before (NULL: the first). */
void session_connect_backend(SessionFixture *f, VhostUserSession *before);

void session_connect(SessionFixture *f);
/* One ring; does not wait. */
void session_start(SessionFixture *f);
/* Stops, and thereby waits for everything before. */
void session_stop(SessionFixture *f);

MemorySection session_new_section(SessionFixture *f, const char *name, uint64_t address);
/* Adds a section; the answer is in @message. */
void session_add_memory(SessionFixture *f, const char *name, uint64_t address);

/* A VhostUserCallback that counts an answer and keeps its message; @opaque: the fixture. */
void session_done(gpointer opaque, const GError *error);
void session_wait(guint *counter, guint value);
/* Until the backend has seen @request @value times. */
void session_wait_request(SessionFixture *f, uint32_t request, guint value);

#endif
