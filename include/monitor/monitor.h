/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Monitors on chardevs: QMP for programs, the human monitor for people.  Main thread, VM lock held. */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include "chardev/chardev.h"

/*
 * A QMP session on @chardev (-mon mode=control, -qmp, -object monitor-qmp).
 * @pretty breaks the answers into lines.  Input is not read before
 * monitor_start_all().
 */
gboolean monitor_qmp_new(Chardev *chardev, gboolean pretty, GError **error);

/*
 * A human monitor on @chardev (-mon mode=readline, -monitor): a prompt with line editing, history
 * and completion, over libedit, which is loaded now.
 */
gboolean monitor_hmp_new(Chardev *chardev, GError **error);

/* docs/system/monitor.rst's text.  Caller frees. */
char *monitor_hmp_document(void);

/* The machine is complete: greetings go out and commands are read. */
void monitor_start_all(void);

/* Sends what is queued, waiting at most @milliseconds, and closes; at exit. */
void monitor_cleanup(guint milliseconds);

#endif
