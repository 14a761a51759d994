/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of vhost-user-blk, parsed and checked. */
#ifndef VHOST_USER_BLK_OPTIONS_H
#define VHOST_USER_BLK_OPTIONS_H

#include "tools/common/service-options.h"
#include "tools/vhost-user-blk/disk.h"

#define BLK_SERIAL_SIZE 20 /* virtio 1.2, 5.2.6 "Device Operation": VIRTIO_BLK_T_GET_ID */

/* Strings are borrowed from argv. */
typedef struct BlkOptions {
    ServiceOptions service;
    BlkDiskOptions disk;
    guint num_queues;   /* 1 to 256 */
    guint queue_size;   /* largest ring that is accepted: 2 to 32768 */
    const char *serial; /* at most BLK_SERIAL_SIZE printable characters; "" without --serial */
    guint iothreads;    /* 1 to num_queues; queue i is run by thread i % iothreads */
} BlkOptions;

/* Fills in @options from the command line.  FALSE with a complete one-line @error. */
gboolean blk_options_parse(BlkOptions *options, int argc, char **argv, GError **error);

/* To standard output. */
void blk_options_print_help(void);

#endif
