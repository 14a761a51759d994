/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes another process's main thread do a system call, as code that took it over would. */
#ifndef QTEST_INJECT_H
#define QTEST_INJECT_H

#include <glib.h>
#include <sys/types.h>

/*
 * Has child @pid, which waits in a system call, do call @number with @arguments, and go on as if
 * nothing had been.  Returns what the call returned (a negative errno).  FALSE with @error if it
 * may not be traced.
 */
gboolean inject_call(pid_t pid, long number, const unsigned long arguments[6], long *result,
                     GError **error);

#endif
