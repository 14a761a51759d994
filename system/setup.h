/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Applies the command line: makes the objects that the options ask for, in
 * the order in which they need each other, whatever the order they were given
 * in.  With main.c the only place of this room that knows all others.
 */
#ifndef SYSTEM_SETUP_H
#define SYSTEM_SETUP_H

#include <glib.h>

/*
 * Answers options that only print ("help" in any of its forms, "-version").
 * Returns TRUE if the program has nothing else to do; *@status is its exit status.
 */
gboolean setup_print_only(const GArray *items, int *status);

/*
 * Builds everything from @items (command_line_parse()).  Main thread, VM
 * lock held.  FALSE with @error: the program ends; what was made is for setup_clear().
 */
gboolean setup_machine(const GArray *items, GError **error);

/* The machine is complete: its kernel is put into guest memory, its CPUs wait, and
 * standard output has the names of pseudo-terminals.  The last that may fail because of what the
 * user gave. */
gboolean setup_complete(GError **error);

/* -runas and -chroot: every file and socket of the command line is open. */
gboolean setup_privileges_drop(const GArray *items, GError **error);

/* Sessions are served and, without -S, the guest starts. */
gboolean setup_start(const GArray *items, GError **error);

/* Ends everything in the reverse order; each wait has its own deadline. */
void setup_clear(void);

#endif
