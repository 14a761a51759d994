/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A rig whose first backend goes and is let in again or not, and what the monitor says of that.
 * Expectations that fail end the test program.
 */
#ifndef QTEST_RECONNECT_H
#define QTEST_RECONNECT_H

#include "qtest/rig.h"

#define RECONNECT_CHARDEV ",reconnect-ms=10" /* further options of a chardev */
#define RECONNECT_WAIT 20000                 /* milliseconds, for anything */

/* For rig_start(): chardevs that reconnect, two monitors. */
extern const RigOptions reconnect_options;
/* The machine over @config (NULL: backend_config_init()) with its driver running. */
Rig *reconnect_start(const BackendConfig *config);

/* TRUE if the device asks its driver for a reset. */
gboolean reconnect_needs_reset(Rig *rig);

/* What x-query-vhost-user says of the first device at @path. */
void reconnect_assert(Rig *rig, const char *path, const char *expected);

/* The next VHOST_USER_DEVICE_ERROR, which must be of @action and @request (NULL: none); its reason
 * names the device and @word. */
void reconnect_expect(Rig *rig, const char *action, const char *request, const char *word);
/* None is queued. */
void reconnect_expect_nothing(Rig *rig);

/* The backend goes, between messages or in the middle of one, of which the event then tells. */
void reconnect_hang_up(Rig *rig);
/* The same, and it does not come back: each connection ends at its first message. */
void reconnect_shut_out(Rig *rig);
/* The same right after memory was plugged, which is behind all messages before it: none is under
 * way. */
void reconnect_shut_out_idle(Rig *rig);
/* Until it is connected and runs @rings. */
void reconnect_await(Rig *rig, guint rings);
/* After a shut-out. */
void reconnect_let_in(Rig *rig, guint rings);

#endif
