/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SIGBUS: a front end that cuts its memory file short while we use it loses its connection, and
 * the program goes on.
 */
#ifndef TOOLS_FAULT_H
#define TOOLS_FAULT_H

#include <glib.h>

typedef struct VhostUserDevice VhostUserDevice;

/*
 * Catches SIGBUS in the memory of @devices, each NULL or set with fault_set_device(); writes to the
 * event fd @wake at each fault that was repaired.  The array stays until the end.  Main thread.
 */
void fault_install(int wake, VhostUserDevice **devices, gsize count);

/* Puts a device into its place in the array; NULL before it is freed.  Control thread. */
void fault_set_device(VhostUserDevice **place, VhostUserDevice *device);

#endif
