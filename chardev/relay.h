/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands between a connection and its front end where bytes must be looked at: logfile= and
 * telnet=on.  The front end has one end of a socket pair.  Main thread, VM lock held.
 */
#ifndef CHARDEV_RELAY_H
#define CHARDEV_RELAY_H

#include "chardev/chardev.h"

typedef struct Relay Relay;

/* What a byte stream means to the other side (telnet.c); all return as a FlowFilter does. */
typedef struct RelayProtocol {
    gpointer (*begin)(Chardev *chardev, GString *greeting); /* the state; g_free()d */
    gsize (*input)(gpointer state, const guint8 *bytes, gsize length, GByteArray *output);
    gsize (*output)(gpointer state, const guint8 *bytes, gsize length, GByteArray *output);
} RelayProtocol;

extern const RelayProtocol telnet_protocol; /* RFC 854 */

/*
 * Takes @input (-1: none) and @output, which may be equal; *@front is the front end's descriptor,
 * the caller's.  What is written is copied to @log (-1: not), which stays the caller's.  NULL with
 * @error, and the descriptors are still the caller's then.
 */
Relay *relay_new(Chardev *chardev, int input, int output, int log, const RelayProtocol *protocol,
                 int *front, GError **error);
/* What the front end has written goes out first, for a moment at most. */
void relay_free(Relay *relay);
int relay_wire(const Relay *relay); /* the connection's own descriptor for output */

/* A pair of connected non-blocking sockets. */
gboolean relay_pair(int pair[2], GError **error);

#define RELAY_DRAIN_MICROSECONDS 200000

#endif
