/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line: one table of options that parsing, -help and
 * query-command-line-options read, and the options of this process in order.
 * What an option means is decided by those who apply it (system/setup.c).
 */
#ifndef SYSTEM_COMMAND_LINE_H
#define SYSTEM_COMMAND_LINE_H

#include <glib.h>

typedef struct CommandLineOption {
    const char *name;     /* without the dash */
    const char *argument; /* how help shows it, NULL: takes none */
    const char *help;     /* a phrase; NULL hides it from -help (an alias) */
    /*
     * Keys of a key=value option for query-command-line-options: "id:string, size:size",
     * types string, boolean, number, size.  NULL: not a key=value option.
     */
    const char *keys;
    /* Why this version refuses the option and what would be right; NULL: accepted. */
    const char *refusal;
} CommandLineOption;

/* One option as it was given. */
typedef struct CommandLineItem {
    const CommandLineOption *option;
    const char *value; /* borrowed from argv; NULL without argument */
} CommandLineItem;

/*
 * Parses the arguments after argv[0]: "-name" and "--name", the argument in
 * the next word.  Returns a GArray of CommandLineItem in order, or NULL with
 * @error for an unknown option, a missing argument, a refused option or a
 * word that is no option.  No state; main thread.
 */
GArray *command_line_parse(int argc, char **argv, GError **error);

/* The last value given for @name, or NULL. */
const char *command_line_last(const GArray *items, const char *name);

/* TRUE if @name was given. */
gboolean command_line_has(const GArray *items, const char *name);

/* Calls @visit for each option that is accepted, in the table's order. */
void command_line_foreach(void (*visit)(const CommandLineOption *option, gpointer opaque),
                          gpointer opaque);

/* Prints -help and -version to standard output. */
void command_line_print_help(void);
void command_line_print_version(void);

#endif
