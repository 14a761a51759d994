/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host that forbids a system call, as containers do with theirs. */
#ifndef QTEST_FORBID_H
#define QTEST_FORBID_H

/* From here on system call @number fails with @error in this process and its children.
 * Async-signal-safe, for ChildOptions.prepare. */
void forbid_call(unsigned number, unsigned error);
/* The same where argument @index, of which the lower 32 bits are looked at, is @value. */
void forbid_argument(unsigned number, unsigned index, unsigned value, unsigned error);

#endif
