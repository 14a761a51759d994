/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The buffer shared with the front-end that outlives a back-end and tells which requests were in
 * flight (vhost-user, "Inflight I/O tracking"): layouts for split and packed rings.  Private to the
 * library.  The contents come from the front-end and are checked before use.
 */
#ifndef VHOST_USER_INFLIGHT_H
#define VHOST_USER_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "libvhost-user/wire.h"

typedef struct VhostUserInflightBuffer {
    void *mapping; /* NULL: none */
    uint64_t mapping_size;
    uint8_t *areas;     /* first queue's area */
    uint64_t area_size; /* bytes from one queue's to the next */
    uint16_t num_queues, queue_size;
} VhostUserInflightBuffer;

/* GET_INFLIGHT_FD: makes a new zeroed buffer, fills in @description (num_queues and queue_size are
 * given) and returns its descriptor, the caller's, or a negative errno.  Nothing stays mapped: the
 * front-end sends it back with SET_INFLIGHT_FD. @packed as negotiated. */
int vhost_user_inflight_create(VhostUserInflight *description, bool packed);

/* SET_INFLIGHT_FD: maps it in place of the one before; @fd stays the caller's. No queue runs. */
int vhost_user_inflight_set(VhostUserInflightBuffer *buffer, const VhostUserInflight *description,
                            int fd, bool packed, const char **reason);
void vhost_user_inflight_clear(VhostUserInflightBuffer *buffer);

/* The area of a queue, or NULL if the buffer has none for it. */
void *vhost_user_inflight_area(const VhostUserInflightBuffer *buffer, uint32_t queue);

/* See vhost_user_device_recover_fault(). */
bool vhost_user_inflight_recover_fault(const VhostUserInflightBuffer *buffer, void *address);

#endif
