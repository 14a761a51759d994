/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk behind vhost-user connections: what the library asks of a block device. */
#ifndef VHOST_USER_BLK_SERVER_H
#define VHOST_USER_BLK_SERVER_H

#include "tools/common/service.h"
#include "tools/vhost-user-blk/options.h"

typedef struct BlkServer BlkServer;

/* Opens the image.  @options outlives it.  NULL with a complete @error. */
BlkServer *blk_server_new(const BlkOptions *options, GError **error);

/* Starts the threads, all that there will ever be. */
gboolean blk_server_start(BlkServer *server, GError **error);

/* System calls of this device beside those of every back-end; for the time after the start. */
gboolean blk_server_enter_sandbox(GError **error);

/* For service_new(), with the server as opaque. */
extern const ServiceOperations blk_server_operations;

/* Makes everything written stable (not with --cache unsafe).  FALSE with @error.  No request is
 * in flight. */
gboolean blk_server_flush(BlkServer *server, GError **error);

/* NULL is fine. */
void blk_server_free(BlkServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlkServer, blk_server_free)

#endif
