/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backend's state, and its connection's life as the thread in backend.c calls for it.
 */
#ifndef QTEST_BACKEND_SESSION_H
#define QTEST_BACKEND_SESSION_H

#include "qtest/backend-internal.h"

typedef struct ArmedFault {
    BackendFault fault;
    uint64_t seen; /* messages of its request since it was armed */
} ArmedFault;

struct Backend {
    GMutex lock;
    GCond changed; /* counts, connections */
    GThread *thread;
    int wake;         /* event fd: look at the flags again */
    gint ending;      /* atomic */
    gint hung;        /* atomic: neither read nor answer */
    gint next_socket; /* atomic: to be taken over, -1 none */
    gint connecting;  /* atomic */
    gint64 connect_deadline;
    char *path;
    int listener;
    int socket; /* changed by the thread alone, under the lock; -1 none */
    guint connections;

    BackendConfig config;
    uint64_t counts[VHOST_USER_REQUEST_COUNT];
    uint64_t total;
    GArray *log;    /* of BackendMessage */
    GArray *faults; /* of ArmedFault */
    char *violation;
    BackendDisk disk;
    BackendNetwork network;

    /* Of the connection. */
    uint64_t features, protocol_features; /* negotiated */
    uint64_t slots_asked;                 /* GET_MAX_MEM_SLOTS messages */
    uint64_t status;                      /* SET_STATUS */
    VhostUserInflight inflight;           /* what GET_INFLIGHT_FD was answered */
    uint64_t inflight_file;               /* inode of the file that went with it */
    gboolean refused; /* a fault refused something: what was pipelined behind it may now not fit */
    BackendMemory memory;
    GPtrArray *rings; /* of BackendRing, NULL holes */
    int channel;      /* SET_BACKEND_REQ_FD, -1 none */
};

/* What a message's handler gives back, next to the reply that is due. */
typedef struct BackendReply {
    VhostUserPayload payload;
    uint32_t size; /* bytes of it */
    int fd;        /* to go with it and to be closed then, -1 none */
} BackendReply;

/* The message does what it says: NULL, or why it is refused (static string).  Descriptors that are
 * kept are set to -1.  With the lock held; backend-message.c. */
const char *session_handle(Backend *backend, const VhostUserHeader *header,
                           const VhostUserPayload *payload, int *fds, guint fd_count,
                           BackendReply *reply);
/* Keeps the first breach of the protocol. With the lock held. */
void session_violation(Backend *backend, const char *where, const char *what);

/* With the lock held. */
void session_begin(Backend *backend);
void session_end(Backend *backend);

/* In the thread, without the lock. */
void session_add_kicks(Backend *backend, GArray *pollers);
void session_kick(Backend *backend, int fd);
/* Reads and handles one message; FALSE when the connection is to be closed. */
gboolean session_message(Backend *backend);

#endif
