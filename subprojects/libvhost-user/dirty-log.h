/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bitmap in which a back-end marks the guest pages that it wrote during a migration
 * (vhost-user, "Migration"): one bit a page of 4,096 bytes, set atomically as the front-end clears
 * concurrently. Private to the library.
 */
#ifndef VHOST_USER_DIRTY_LOG_H
#define VHOST_USER_DIRTY_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "libvhost-user/wire.h"

#define VHOST_USER_LOG_PAGE_SIZE 4096u

typedef struct VhostUserDirtyLog {
    uint8_t *bits; /* NULL: no log */
    uint64_t size; /* bytes */
    void *mapping; /* page-aligned start, and length, of what is mapped */
    uint64_t mapping_size;
} VhostUserDirtyLog;

/* Maps the log of SET_LOG_BASE in place of the one before; @fd stays the caller's.  0, or a
 * negative errno with a static string, and the old log stays.  No queue is between begin and end.
 */
int vhost_user_dirty_log_set(VhostUserDirtyLog *log, const VhostUserLog *description, int fd,
                             const char **reason);
void vhost_user_dirty_log_clear(VhostUserDirtyLog *log);

/* Marks all pages of the range that have a bit.  Any thread. Bytes behind the log's end are not
 * marked: the front-end made it too short for its own memory. */
void vhost_user_dirty_log_mark(const VhostUserDirtyLog *log, uint64_t guest_address, uint64_t size);

/* See vhost_user_device_recover_fault(). */
bool vhost_user_dirty_log_recover_fault(const VhostUserDirtyLog *log, void *address);

#endif
