/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables that files bad-options-*.c have for bad-options.c. */
#ifndef QTEST_BAD_OPTIONS_TABLES_H
#define QTEST_BAD_OPTIONS_TABLES_H

#include "qtest/bad-options.h"

extern const BadOption bad_refused[];
extern const BadOption bad_platform[];
extern const BadOption bad_objects[];
extern const BadOption bad_backends[];
extern const BadOption bad_dimms[];
extern const BadOption bad_disks[];
extern const BadOption bad_family[];

#endif
