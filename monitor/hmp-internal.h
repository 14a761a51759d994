/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The human monitor's parts: one table of commands, lines that run them, completion, the line
 * editor, sessions.  Main thread, VM lock held.
 */
#ifndef MONITOR_HMP_INTERNAL_H
#define MONITOR_HMP_INTERNAL_H

#include "util/json.h"

/* --- commands (hmp-commands.c) --- */

/* Words that may stand at the cursor: a sorted set. */
typedef struct HmpWords {
    const char *prefix; /* only words that begin so are kept */
    GPtrArray *words;   /* char * */
    gboolean open;      /* more may follow without a blank */
} HmpWords;
void hmp_words_add(HmpWords *words, const char *word);

typedef struct HmpArgument {
    const char *name; /* of the member that QMP's command knows */
    enum {
        HMP_WORD,    /* text, "quoted" where it has blanks */
        HMP_NUMBER,  /* whole number, decimal or 0x */
        HMP_SWITCH,  /* on or off */
        HMP_REST,    /* all that is left, as it was typed */
        HMP_OPTIONS, /* NAME[,key=value...]: members of their own; @name is that of NAME */
    } kind;
    gboolean optional;
    void (*complete)(HmpWords *words); /* NULL: nothing to offer */
} HmpArgument;

#define HMP_ARGUMENTS_MAX 4 /* the longest row has three, and an empty one ends it */

typedef struct HmpCommand {
    const char *name;  /* "stop", or "info status" */
    const char *alias; /* a shorter name, or NULL */
    HmpArgument arguments[HMP_ARGUMENTS_MAX];
    const char *help; /* a phrase */
    /* The QMP command that does the work.  While none is registered, this one is not there either.
     */
    const char *qmp;
    /* Makes those of the QMP command out of the arguments: a new reference.  NULL: they are. */
    json_object *(*prepare)(json_object *arguments, GError **error);
    /* Prints QMP's answer; NULL: nothing. */
    void (*print)(GString *output, json_object *result);
    /* Instead of @qmp. */
    void (*run)(GString *output, json_object *arguments, GError **error);
} HmpCommand;

/* All of them, sorted by name: those that run (their QMP command is there).  Free with
 * g_ptr_array_unref(). */
GPtrArray *hmp_commands(void);
/* The command called @name, NULL without one. */
const HmpCommand *hmp_command_find(const char *name);
/* "device_add driver[,prop=value][,...]"; caller frees. */
char *hmp_command_usage(const HmpCommand *command);

/* info's subcommands stand in tables of their own (hmp-info.c, hmp-trees.c), up to a NULL name. */
extern const HmpCommand hmp_info_commands[];
extern const HmpCommand hmp_tree_commands[];
/* The names of devices, objects and so on (hmp-complete.c). */
void hmp_complete_device(HmpWords *words);
void hmp_complete_object(HmpWords *words);
void hmp_complete_chardev(HmpWords *words);
void hmp_complete_device_options(HmpWords *words);
void hmp_complete_object_options(HmpWords *words);
void hmp_complete_chardev_options(HmpWords *words);
void hmp_complete_path(HmpWords *words);
void hmp_complete_command(HmpWords *words);
void hmp_complete_switch(HmpWords *words);
void hmp_complete_trace_event(HmpWords *words);

/* --- lines (hmp-run.c) --- */

/*
 * Splits @line into words at blanks; "..." keeps blanks, \ the character behind it.  *@starts (may
 * be NULL) gets the offset of each.  NULL with @error if a quote is not closed.
 */
GPtrArray *hmp_split(const char *line, GArray **starts, GError **error);

/*
 * Runs @line; @finished is called once with what it prints, lines ended by "\n", within this
 * call or later (some commands wait for the guest's memory to change).
 */
void hmp_run(const char *line, void (*finished)(const char *output, gpointer opaque),
             gpointer opaque);

/* help and info without arguments: the commands whose name begins with @prefix, a line each. */
void hmp_print_help(GString *output, const char *name);
void hmp_print_info_list(GString *output);

/* --- completion (hmp-complete.c) --- */

/*
 * The words that may stand at the end of @line (up to the cursor), sorted; *@length is how many
 * bytes of them are typed already.  After one that is not *@open comes a blank.  Free with
 * g_ptr_array_unref().
 */
GPtrArray *hmp_complete(const char *line, gsize *length, gboolean *open);

/* --- the line editor (hmp-editor.c) --- */

/*
 * A line that is being typed, with history and completion by libedit.  Where the machine has no
 * libedit or no pseudo-terminals, which is reported once, it takes plain lines.
 */
typedef struct HmpEditor HmpEditor;

/* Before the first editor, and before a sandbox forbids it: loads libedit, if there is one. */
void hmp_editor_load(void);
/*
 * @write sends what the user shall see; lines are broken after @columns.  It has control
 * sequences of ECMA-48, unless it goes to the @users_terminal and $TERM says that this one knows
 * none.
 */
HmpEditor *hmp_editor_new(gboolean users_terminal, guint columns,
                          void (*write)(const char *bytes, gsize length, gpointer opaque),
                          gpointer opaque);
void hmp_editor_free(HmpEditor *editor);
/* Shows the prompt with an empty line. */
void hmp_editor_prompt(HmpEditor *editor);
/*
 * Takes typed bytes up to the end of a line; the number of bytes used.  A key whose bytes are not
 * all there is left.  *@line is the line without its end, caller frees, or NULL.
 */
gsize hmp_editor_feed(HmpEditor *editor, const char *bytes, gsize length, char **line);

/* --- lines without an editor (hmp-editor-plain.c) --- */

/* A line that is being typed; @write sends its echo. */
typedef struct HmpPlainLine HmpPlainLine;

HmpPlainLine *hmp_plain_line_new(void (*write)(const char *bytes, gsize length, gpointer opaque),
                                 gpointer opaque);
void hmp_plain_line_free(HmpPlainLine *line);
/* Shows @prompt with an empty line. */
void hmp_plain_line_prompt(HmpPlainLine *line, const char *prompt);
/* In characters. */
glong hmp_plain_line_length(const HmpPlainLine *line);
/* The line if @key ends it (caller frees), else NULL. */
char *hmp_plain_line_press(HmpPlainLine *line, gunichar key);

/* --- sessions (hmp-session.c) --- */

/* Greets the clients that are there, and from now on those that come. */
void hmp_sessions_start(void);
/* Sends what is queued until the monotonic clock reaches @deadline (us), and ends all. */
void hmp_sessions_end(gint64 deadline);

#endif
