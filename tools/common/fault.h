/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SIGBUS: a front end that cuts its memory file short while we use it loses its connection, and
 * the program goes on.
 */
#ifndef TOOLS_FAULT_H
#define TOOLS_FAULT_H

#include <glib.h>

typedef struct VhostUserDevice VhostUserDevice;

/* Catches SIGBUS; writes to the event fd @wake at each fault that was repaired.  Main thread. */
void fault_install(int wake);

/* The device whose memory may fault; NULL before it is freed.  Control thread. */
void fault_set_device(VhostUserDevice *device);

#endif
