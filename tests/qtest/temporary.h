/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This process's directory for sockets and files.  Any thread.
 */
#ifndef QTEST_TEMPORARY_H
#define QTEST_TEMPORARY_H

/* The directory, made at the first call; removed when the process ends or a signal ends it. */
const char *temporary_directory(void);

/* Removes it now with all that is in it. */
void temporary_remove(void);

#endif
