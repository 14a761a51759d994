/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP sessions on chardevs.  Main thread, VM lock held. */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include "chardev/chardev.h"

/*
 * A QMP session on @chardev (-mon mode=control, -qmp, -object monitor-qmp).
 * @pretty breaks the answers into lines.  Input is not read before
 * monitor_start_all().
 */
gboolean monitor_qmp_new(Chardev *chardev, gboolean pretty, GError **error);

/* The machine is complete: greetings go out and commands are read. */
void monitor_start_all(void);

/* Sends what is queued, waiting at most @milliseconds, and closes; at exit. */
void monitor_cleanup(guint milliseconds);

#endif
