/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of vhost-user-net, parsed and checked. */
#ifndef VHOST_USER_NET_OPTIONS_H
#define VHOST_USER_NET_OPTIONS_H

#include "tools/common/service-options.h"

/* Strings are borrowed from argv. */
typedef struct NetOptions {
    ServiceOptions service;
    /* Exactly one of these says where frames go. */
    const char *tap;     /* an interface's name */
    const char *tap_fds; /* inherited descriptors, "N,N,..." */
    const char *pair;    /* the second guest's socket */
    gboolean loopback;
    const char *pcap; /* a file */

    guint queues;     /* pairs: 1 to 128 */
    guint queue_size; /* largest ring that is accepted: 2 to 32768 */
    guint mtu;        /* 68 to 65535; 0: that of the tap, or 1500 */
    guint poll_us;    /* 0: wait at once */
} NetOptions;

/* Fills in @options from the command line.  FALSE with a complete one-line @error. */
gboolean net_options_parse(NetOptions *options, int argc, char **argv, GError **error);

/* To standard output. */
void net_options_print_help(void);

#endif
