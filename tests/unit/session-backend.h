/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small backend in a thread for tests of one vhost-user session: keeps the names of what came,
 * and refuses, hangs or hangs up at the requests it is told.
 */
#ifndef UNIT_SESSION_BACKEND_H
#define UNIT_SESSION_BACKEND_H

#include "libvhost-user/wire.h"

#include <glib.h>
#include <pthread.h>

typedef enum { ACCEPT, REFUSE, HANG, HANG_UP } Behaviour;

typedef struct Backend {
    int socket;
    GThread *thread;
    pthread_mutex_t lock;
    GString *log; /* names of requests, each followed by a space */
    guint counts[VHOST_USER_REQUEST_COUNT];
    /* the script */
    uint64_t features, protocol_features, slots;
    Behaviour behaviour[VHOST_USER_REQUEST_COUNT];
    uint64_t refused_address; /* of ADD_MEM_REG, all others are accepted; 0: none is */
    int requests;             /* the end of SET_BACKEND_REQ_FD that we got */
    uint8_t config_byte;
} Backend;

/* The thread's function; ends with the connection. */
gpointer backend_thread(gpointer data);
/* How often @request came. */
guint backend_count(Backend *backend, uint32_t request);
void backend_set_behaviour(Backend *backend, uint32_t request, Behaviour behaviour);

#endif
