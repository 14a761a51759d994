/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scripted vhost-user backend in a thread of this process: it counts and keeps what the front
 * end sends, really maps the memory, can serve a RAM disk, and misbehaves as told.
 * All functions may be called from any thread unless they say otherwise.
 */
#ifndef QTEST_BACKEND_H
#define QTEST_BACKEND_H

#include <glib.h>
#include <libvhost-user/wire.h>

/* Of feature words. */
#define BIT(number) (UINT64_C(1) << (number))

typedef struct BackendConfig {
    uint64_t features;                          /* answer to GET_FEATURES */
    uint64_t protocol_features;                 /* answer to GET_PROTOCOL_FEATURES */
    uint64_t slots;                             /* answer to GET_MAX_MEM_SLOTS */
    uint64_t queues;                            /* answer to GET_QUEUE_NUM */
    uint8_t config[VHOST_USER_MAX_CONFIG_SIZE]; /* device configuration */
    gboolean count_only; /* memory is not mapped: the least work that an answer takes */
    gboolean keep_log;   /* keep every message, for backend_message() */
    gboolean network;    /* the rings are pairs of a network card's */
    gboolean blocking;   /* event fds of rings lose O_NONBLOCK, for both ends */
    uint64_t disk_size;  /* bytes of a RAM disk served on the rings (virtio-blk), 0: none */
    gboolean echo;       /* with disk_size 0: a request's bytes come back as its answer */
    int inflight;        /* file to answer GET_INFLIGHT_FD with, the caller's; 0: a memfd */
    gboolean select;     /* SET_CONFIG of bytes 0 and 1 makes byte 2 their exclusive or */
} BackendConfig;

/* What a virtio-blk backend of today offers: bit 30, REPLY_ACK, CONFIG, MQ, memory slots, 1 MiB
 * RAM disk, log kept.  To be changed by the caller. */
void backend_config_init(BackendConfig *config);

typedef struct Backend Backend;

Backend *backend_new(const BackendConfig *config);
/* Hangs up, ends the thread, unmaps, removes the socket. */
void backend_free(Backend *backend);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Backend, backend_free)

/* The backend's side of the connection, one of the three.  Listening goes on after a connection
 * ended. FALSE with @error. */
gboolean backend_listen(Backend *backend, const char *path, GError **error);
/* Tries to connect until the front end listens, for at most 30 s, in the background; again after
 * a connection ended only through another call. */
gboolean backend_connect(Backend *backend, const char *path, GError **error);
void backend_take_socket(Backend *backend, int socket);
/* backend_new() and backend_listen() at a temporary path, in one; ends the program on failure. */
Backend *backend_start(const BackendConfig *config);
const char *backend_path(Backend *backend);

/* Takes effect at the next connection; @config as a whole. */
void backend_set_config(Backend *backend, const BackendConfig *config);
/* Closes the connection, if there is one. */
void backend_hang_up(Backend *backend);
gboolean backend_connected(Backend *backend);
guint backend_connections(Backend *backend); /* so far */

/* --- what came --- */

typedef struct BackendMessage {
    VhostUserHeader header;
    guint fds;
    guint connection;         /* 1: the first */
    gint64 time;              /* g_get_monotonic_time() */
    VhostUserPayload payload; /* header.size bytes of it */
} BackendMessage;

uint64_t backend_count(Backend *backend, uint32_t request); /* over all connections */
uint64_t backend_total(Backend *backend);
/* The @index-th message since creation, FALSE if there are not so many or no log is kept. */
gboolean backend_message(Backend *backend, guint index, BackendMessage *message);
/* The @occurrence-th (from 1) message of @request in the log; FALSE if there are not so many. */
gboolean backend_find_message(Backend *backend, uint32_t request, guint occurrence,
                              BackendMessage *message);
/* Waits until @count messages of @request have been handled. */
gboolean backend_wait(Backend *backend, uint32_t request, uint64_t count, guint milliseconds);
gboolean backend_wait_connections(Backend *backend, guint count, guint milliseconds);
/* Forgets counts and log, not faults and memory. */
void backend_clear(Backend *backend);
/* The first breach of the protocol by the front end, NULL: none.  Kept as long as @backend. */
const char *backend_violation(Backend *backend);

/* --- memory --- */

guint backend_regions(Backend *backend);
gboolean backend_region(Backend *backend, guint index, VhostUserMemoryRegion *region);
/* Through the backend's own mapping.  FALSE if the range is not in one region. */
gboolean backend_memory_read(Backend *backend, uint64_t guest_address, void *bytes, gsize size);
gboolean backend_memory_write(Backend *backend, uint64_t guest_address, const void *bytes,
                              gsize size);

/* --- rings --- */

guint backend_rings_running(Backend *backend);
uint8_t *backend_disk(Backend *backend);     /* the RAM disk: touch it while no request is out */
uint64_t backend_requests(Backend *backend); /* served so far */
/* New configuration bytes, told through the channel of SET_BACKEND_REQ_FD; FALSE without one. */
gboolean backend_config_change(Backend *backend, const uint8_t *config);
/* @bytes as they are on the same channel, without waiting; FALSE if they did not go. */
gboolean backend_send(Backend *backend, const void *bytes, gsize size);
/* The same with @count descriptors, which stay the caller's. */
gboolean backend_send_fds(Backend *backend, const void *bytes, gsize size, const int *fds,
                          guint count);
/* @size bytes from the same channel; FALSE if they do not come, or it is closed. */
gboolean backend_receive(Backend *backend, void *bytes, gsize size, guint milliseconds);

/* The next packet, with its header, that came from pair @pair: its size, of which at most @room
 * bytes are copied; -1 after @milliseconds. */
gssize backend_take_packet(Backend *backend, guint pair, void *bytes, gsize room,
                           guint milliseconds);
/* A packet with its header for pair @pair; FALSE if its ring does not work or has no room. */
gboolean backend_send_packet(Backend *backend, guint pair, const void *bytes, gsize size);

/* --- misbehaviour --- */

typedef enum {
    FAULT_REFUSE,        /* need_reply: ack @value (0: 1) and do nothing; a reply: @value in it */
    FAULT_DELAY,         /* answer @milliseconds late */
    FAULT_HANG,          /* from now on neither read nor answer */
    FAULT_NO_ANSWER,     /* do it and go on, but leave this answer out */
    FAULT_WRONG_REQUEST, /* answer with another request's number */
    FAULT_SHORT,         /* an answer four bytes too short, and its header says so */
    FAULT_LONG,          /* four bytes too long, and its header says so */
    FAULT_EMPTY,         /* an answer without payload */
    FAULT_HUGE,          /* header says 0xfffffff0 bytes */
    FAULT_NO_REPLY_FLAG,
    FAULT_WRONG_VERSION,
    FAULT_EXTRA_ANSWER, /* the answer twice */
    FAULT_EXTRA_FD,     /* a descriptor with the answer */
    FAULT_GARBAGE,      /* 64 random bytes in place of the answer */
    FAULT_PARTIAL,      /* half of the answer, then hang */
    FAULT_CLOSE_BEFORE, /* hang up in place of handling it */
    FAULT_CLOSE_AFTER,  /* handle, answer, hang up */
    FAULT_KIND_COUNT
} FaultKind;

typedef struct BackendFault {
    uint32_t request;
    guint64 occurrence; /* 1: the first from now on; 0: every one */
    FaultKind kind;
    uint64_t value;
    guint milliseconds;
} BackendFault;

void backend_fault(Backend *backend, const BackendFault *fault);
void backend_faults_clear(Backend *backend); /* a hang ends too */
const char *fault_name(FaultKind kind);

#endif
