/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command lines of the back-end programs: tables of options that parsing and --help read.
 * "--name VALUE" and "--name=VALUE"; the last one wins.
 */
#ifndef TOOLS_OPTION_TABLE_H
#define TOOLS_OPTION_TABLE_H

#include <glib.h>

typedef enum ToolOptionKind {
    TOOL_OPTION_CONSTANT, /* takes no value; puts .constant into an int */
    TOOL_OPTION_NUMBER,   /* .minimum to .maximum, into a guint */
    TOOL_OPTION_CHOICE,   /* one of .choices; its index, into an int */
    TOOL_OPTION_TEXT,     /* into a const char *, borrowed from argv */
    TOOL_OPTION_CUSTOM,   /* .apply decides */
} ToolOptionKind;

typedef struct ToolOption {
    const char *name;     /* without the dashes; NULL ends a table */
    const char *argument; /* how help shows the value, NULL with TOOL_OPTION_CONSTANT */
    const char *help;     /* lines of at most 72 characters */
    ToolOptionKind kind;
    gsize offset; /* into the group's target, unless .apply knows */
    int constant;
    guint minimum, maximum;
    const char *const *choices; /* NULL-terminated */
    /* @error without the option's name: the parser writes "--name value: " before it. */
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
