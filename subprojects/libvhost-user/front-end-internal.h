/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A front-end's connection: framing and deadlines (front-end.c), under the calls
 * (front-end-calls.c).  Private to the library. */
#ifndef VHOST_USER_FRONT_END_INTERNAL_H
#define VHOST_USER_FRONT_END_INTERNAL_H

#include "libvhost-user/front-end.h"

struct VhostUserFrontEnd {
    int socket;
    int channel;  /* our end of the back-end's channel, or -1 */
    int deadline; /* milliseconds for each wait, -1: for ever */
    uint64_t features, protocol_features;
    uint64_t queues, memory_slots;
    bool postcopy; /* since POSTCOPY_LISTEN, before POSTCOPY_END */
    char error[192];
};

/* Notes what went wrong, "REQUEST: text", and returns @result. */
__attribute__((format(printf, 4, 5))) int vhost_user_front_end_fail(VhostUserFrontEnd *front,
                                                                    int result, const char *request,
                                                                    const char *format, ...);

/* Sends with need_reply where that is negotiated and means something; returns what is due, or a
 * negative errno. */
int vhost_user_front_end_submit(VhostUserFrontEnd *front, uint32_t request, const void *payload,
                                uint32_t size, const int *fds, unsigned fd_count);

/* Receives one message from @socket; @request names it in errors. */
int vhost_user_front_end_receive_from(VhostUserFrontEnd *front, int socket, const char *request,
                                      VhostUserFrontEndMessage *message);

/* Sends bytes and descriptors through @socket. */
int vhost_user_front_end_send_through(VhostUserFrontEnd *front, int socket, const char *request,
                                      const void *bytes, size_t size, const int *fds,
                                      unsigned fd_count);

#endif
