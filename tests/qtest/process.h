/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What /proc says of another process; what cannot be read ends the program. */
#ifndef QTEST_PROCESS_H
#define QTEST_PROCESS_H

#include <glib.h>
#include <sys/types.h>

/* The text of /proc/PID/@name.  Caller frees. */
char *process_read(pid_t pid, const char *name);

/* The number behind "@key:" at the beginning of a line of @text, or of /proc/PID/@name. */
guint64 process_number_in(const char *text, const char *key);
guint64 process_number(pid_t pid, const char *name, const char *key);
/* Whether a sanitizer's allocator, which keeps what is freed, and its calls are in the process,
 * whichever compiler they come from. */
gboolean process_is_sanitized(pid_t pid);

/* How many descriptors it has open. */
guint process_descriptors(pid_t pid);

/* TRUE if some process listens at the unix socket @socket. */
gboolean process_listens(const char *socket);

/*
 * Runs the program under test with @arguments (of the shell) out of a shell that ends as soon as
 * its command @ready succeeds, for which $! is the program's number.  Fails if the program outlives
 * it.
 */
void process_check_ends_with_parent(const char *arguments, const char *ready);

#endif
