/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of vhost-user-blk, parsed and checked. */
#ifndef VHOST_USER_BLK_OPTIONS_H
#define VHOST_USER_BLK_OPTIONS_H

#include "tools/common/service-options.h"

#define BLK_SERIAL_SIZE 20 /* virtio 1.2, 5.2.6 "Device Operation": VIRTIO_BLK_T_GET_ID */

typedef enum BlkCache {
    BLK_CACHE_WRITEBACK, /* a flush makes what was written stable */
    BLK_CACHE_NONE,      /* the same, without the host's page cache: direct is set, too */
    BLK_CACHE_UNSAFE,    /* a flush does nothing, nor does the end of the program */
} BlkCache;

/* Strings are borrowed from argv. */
typedef struct BlkOptions {
    ServiceOptions service;
    const char *blk_file; /* regular file or block device */
    gboolean read_only;
    guint num_queues; /* 1 to 256 */
    guint queue_size; /* largest ring that is accepted: 2 to 32768 */
    guint block_size; /* of the device, in bytes: 512 or 4096 */
    gboolean direct;  /* O_DIRECT */
    BlkCache cache;
    const char *serial; /* at most BLK_SERIAL_SIZE printable characters; "" without --serial */
    guint iothreads;    /* 1 to num_queues; queue i is run by thread i % iothreads */
} BlkOptions;

/* Fills in @options from the command line.  FALSE with a complete one-line @error. */
gboolean blk_options_parse(BlkOptions *options, int argc, char **argv, GError **error);

/* To standard output. */
void blk_options_print_help(void);

#endif
