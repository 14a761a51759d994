/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The versions that we report.  QMP's clients choose what to ask by a QEMU
 * version number, so the greeting and query-version name the release whose
 * commands and machine ours come closest to; the package string says who we really are.
 */
#ifndef MONITOR_VERSION_H
#define MONITOR_VERSION_H

#define QMP_VERSION_MAJOR 8
#define QMP_VERSION_MINOR 2
#define QMP_VERSION_MICRO 0
#define QMP_VERSION_PACKAGE "hotslot " HOTSLOT_VERSION

#endif
