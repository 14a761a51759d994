/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command lines that must be refused, and what the refusal must name.
 */
#ifndef QTEST_BAD_OPTIONS_H
#define QTEST_BAD_OPTIONS_H

#include <stddef.h>

/* "@T" stands for the directory given to bad_options_run(). */
typedef struct BadOption {
    const char *arguments; /* shell quoting */
    const char *words;     /* what the one line must contain, separated by '|' */
} BadOption;

typedef struct BadOptionGroup {
    const char *name;
    const char *before;    /* arguments in front of each row's */
    const BadOption *rows; /* up to one with NULL */
} BadOptionGroup;

/*
 * Runs @binary (NULL: as vmm_run()) with each row: it must refuse it with status 1 and one line on
 * standard error that contains the words, and leave @directory as it was.  Fails the test of the
 * caller, and says which rows, otherwise.
 */
void bad_options_run(const char *binary, const char *directory, const BadOptionGroup *group);

/* The emulator's.  Up to one whose name is NULL. */
extern const BadOptionGroup bad_option_groups[];

#endif
