/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a measurement asks of another process: memory, context switches, system calls; and what it
 * needs to begin with in its own. */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <glib.h>
#include <sys/types.h>

/* The line @key of /proc/PID/smaps_rollup, in KiB; ends the program if it is not there. */
guint64 process_memory(pid_t pid, const char *key);
/* Private_Clean and Private_Dirty together, in KiB. */
guint64 process_private(pid_t pid);

/* Voluntary and involuntary context switches so far of all threads that live. */
guint64 process_switches(pid_t pid);

/* CPU time of all threads so far, those that ended too, the kernel's work for them included;
 * nanoseconds. */
gint64 process_cpu(pid_t pid);

/*
 * Counts the system calls of all threads of @pid while @work runs, by strace.  The
 * time that @work takes meanwhile means nothing.
 */
guint64 process_system_calls(pid_t pid, void (*work)(gpointer opaque), gpointer opaque);

/* The options of this program; ends it if they make no sense. */
void process_parse_options(const GOptionEntry *entries, int argc, char **argv);

/* Raises RLIMIT_NOFILE, which children inherit, as far as it goes. */
void process_raise_descriptors(void);

#endif
