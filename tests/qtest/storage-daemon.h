/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Debian's qemu-storage-daemon as the backend of a disk image. */
#ifndef QTEST_STORAGE_DAEMON_H
#define QTEST_STORAGE_DAEMON_H

#include <glib.h>

/*
 * Starts @program over the raw image @image, exporting it as a writable
 * vhost-user-blk device with @queues queues on the unix socket @socket, and
 * waits until it listens.  It dies with this process.  0 with @error.
 */
GPid storage_daemon_start(const char *program, const char *image, const char *socket, guint queues,
                          GError **error);
void storage_daemon_stop(GPid pid);

#endif
