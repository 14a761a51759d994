/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Removes files at the program's orderly end.  In a sandbox the program itself may not touch the
 * file system any more; a small process that was forked before does it then.  If the program is
 * killed the files stay, as they do without a sandbox: the next start replaces them, and to remove
 * them then could hit those of a program that was started in the meantime.
 */
#ifndef TOOLS_JANITOR_H
#define TOOLS_JANITOR_H

#include "tools/common/listener.h"
#include "util/daemon.h"

/* Forks the process that will remove the files of @listeners and @pidfile.  After service_new(),
 * before threads start.  Returns what janitor_finish() takes, -1 with @error. */
int janitor_start(Listener *listeners, gsize count, Pidfile *pidfile, GError **error);

/* Has the files removed, and returns when they are. */
void janitor_finish(int janitor);

#endif
