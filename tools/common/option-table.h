/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command lines of the back-end programs: tables of options that parsing and --help read.
 * "--name VALUE" and "--name=VALUE"; the last one wins.
 */
#ifndef TOOLS_OPTION_TABLE_H
#define TOOLS_OPTION_TABLE_H

#include <glib.h>

typedef struct ToolOption {
    const char *name;     /* without the dashes; NULL ends a table */
    const char *argument; /* how help shows the value, NULL: takes none */
    const char *help;     /* lines of at most 72 characters */
    /*
     * Puts @value (NULL if the option takes none; borrowed from argv, which outlives it) into the
     * group's target.  The parser writes "--name value: " before the text of @error.
     */
    gboolean (*apply)(const char *value, gpointer target, GError **error);
} ToolOption;

/* A table and what its options are put into. */
typedef struct ToolOptionGroup {
    const ToolOption *options;
    gpointer target;
} ToolOptionGroup;

/* Applies argv[1] and what follows, in order; stops at the first error.  Main thread. */
gboolean tool_options_parse(const ToolOptionGroup *groups, gsize count, int argc, char **argv,
                            GError **error);

/* Prints the options of @groups to standard output, one paragraph each. */
void tool_options_print_help(const ToolOptionGroup *groups, gsize count);

#endif
