/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Versions.  Clients compare the QMP version with those of QEMU in order to
 * know which commands and spellings to use; the one given here names the
 * release whose command line and QMP this program follows.
 */
#ifndef SYSTEM_VERSION_H
#define SYSTEM_VERSION_H

#define QMP_VERSION_MAJOR 8
#define QMP_VERSION_MINOR 2
#define QMP_VERSION_MICRO 0
#define QMP_VERSION_TEXT "8.2.0"
#define QMP_VERSION_PACKAGE "hotslot " HOTSLOT_VERSION

#endif
