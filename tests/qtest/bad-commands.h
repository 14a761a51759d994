/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QMP commands that must be refused, and what the refusal must name.  The machine of the rows is
 * the one of bad-commands-test.c.
 */
#ifndef QTEST_BAD_COMMANDS_H
#define QTEST_BAD_COMMANDS_H

#include "qtest/qmp.h"

typedef struct BadCommand {
    const char *command;
    const char *arguments; /* the object, with ' for ", and @T for the directory of the rows */
    const char *words;     /* what "desc" must contain, separated by '|' */
    QmpErrorCode class;
} BadCommand;

/* Up to one whose command is NULL. */
extern const BadCommand bad_commands[];

#endif
