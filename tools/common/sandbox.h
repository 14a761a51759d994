/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A filter of system calls (seccomp) over all threads of the program: what serving needs is
 * allowed, everything else fails with EPERM.  Files and sockets can no longer be opened, programs
 * not be run, threads not be started.
 */
#ifndef TOOLS_SANDBOX_H
#define TOOLS_SANDBOX_H

#include <glib.h>
#include <stdint.h>

/* A call that is allowed: always, or only with @mask & its argument equal to @value. */
typedef struct SandboxCall {
    int number;   /* SCMP_SYS(name) */
    int argument; /* from 0; -1: always */
    uint64_t mask, value;
} SandboxCall;

/*
 * Closes the sandbox behind all threads that run: the calls that every back-end needs, and @calls
 * beside them.  It cannot be left.  FALSE with @error where the kernel has no filters.
 */
gboolean sandbox_enter(const SandboxCall *calls, gsize count, GError **error);

#endif
