/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command lines that must be refused, and what the refusal must name.
 */
#ifndef QTEST_BAD_OPTIONS_H
#define QTEST_BAD_OPTIONS_H

#include <stddef.h>

/* "@T" in @arguments stands for a directory that holds what bad_options_prepare() makes. */
typedef struct BadOption {
    const char *arguments; /* shell quoting */
    const char *words;     /* what the one line must contain, separated by '|' */
} BadOption;

typedef struct BadOptionGroup {
    const char *name;
    const char *before;    /* arguments in front of each row's */
    const BadOption *rows; /* up to one with NULL */
} BadOptionGroup;

/* Up to one whose name is NULL. */
extern const BadOptionGroup bad_option_groups[];

#endif
