/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a typed line to a QMP command and from its answer to text.
 */
#include "hmp-internal.h"

#include "util/error.h"
#include "util/options.h"

#include "qmp-internal.h"

#include <errno.h>
#include <string.h>

/* A line that is being run. */
typedef struct HmpCall {
    const HmpCommand *command;
    void (*finished)(const char *output, gpointer opaque);
    gpointer opaque;
} HmpCall;

/* --- words --- */

static gboolean is_blank(char character)
{
    return character == ' ' || character == '\t';
}

/* Reads the word at @text into @word; where it ends, or NULL if its quote is open. */
static const char *read_word(const char *text, GString *word)
{
    gboolean quoted = FALSE;

    for (; *text && (quoted || !is_blank(*text)); text++) {
        if (*text == '"') {
            quoted = !quoted;
            continue;
        }
        if (*text == '\\' && quoted && text[1]) {
            text++;
        }
        g_string_append_c(word, *text);
    }
    return quoted ? NULL : text;
}

GPtrArray *hmp_split(const char *line, GArray **starts, GError **error)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GArray) offsets = g_array_new(FALSE, FALSE, sizeof(gsize));
    const char *at = line;

    for (;;) {
        g_autoptr(GString) word = g_string_new(NULL);
        while (is_blank(*at)) {
            at++;
        }
        if (!*at) {
            break;
        }
        gsize offset = (gsize)(at - line);
        at = read_word(at, word);
        if (!at) {
            vm_error_set(error, "%s: the quote is not closed", line + offset);
            return NULL;
        }
        g_array_append_val(offsets, offset);
        g_ptr_array_add(words, g_strdup(word->str));
    }
    if (starts) {
        *starts = g_steal_pointer(&offsets);
    }
    return g_steal_pointer(&words);
}

/* --- arguments --- */

static gboolean add_number(json_object *arguments, const char *name, const char *word,
                           GError **error)
{
    char *end;

    errno = 0;
    guint64 value = g_ascii_strtoull(word, &end, 0);
    if (!g_ascii_isdigit(*word) || *end || errno == ERANGE) {
        vm_error_set(error, "%s: '%s' is not a whole number of at most 64 bits", name, word);
        return FALSE;
    }
    json_add_uint(arguments, name, value);
    return TRUE;
}

static gboolean add_switch(json_object *arguments, const char *name, const char *word,
                           GError **error)
{
    if (strcmp(word, "on") != 0 && strcmp(word, "off") != 0) {
        vm_error_set(error, "%s: '%s' is neither on nor off", name, word);
        return FALSE;
    }
    json_add_bool(arguments, name, !strcmp(word, "on"));
    return TRUE;
}

static gboolean add_options(json_object *arguments, const char *name, const char *word,
                            GError **error)
{
    static const char *const lists[] = {"host-nodes", NULL};
    g_autoptr(json_object) options = options_parse(word, name, lists, error);

    if (!options) {
        return FALSE;
    }
    json_object_object_foreach(options, key, value)
    {
        json_object_object_add(arguments, key, json_object_get(value));
    }
    return TRUE;
}

static gboolean add_argument(json_object *arguments, const HmpArgument *argument, const char *word,
                             GError **error)
{
    switch (argument->kind) {
    case HMP_NUMBER:
        return add_number(arguments, argument->name, word, error);
    case HMP_SWITCH:
        return add_switch(arguments, argument->name, word, error);
    case HMP_OPTIONS:
        return add_options(arguments, argument->name, word, error);
    case HMP_WORD:
    case HMP_REST:
        json_add_string(arguments, argument->name, word);
        break;
    }
    return TRUE;
}

static char *take_rest(const char *line, gsize offset)
{
    return g_strchomp(g_strdup(line + offset));
}

/* @words from @first on are those of @command; *@starts tells where they are in @line. */
static json_object *read_arguments(const HmpCommand *command, const char *line,
                                   const GPtrArray *words, const GArray *starts, guint first,
                                   GError **error)
{
    g_autoptr(json_object) arguments = json_object_new_object();
    guint at = first;

    for (const HmpArgument *argument = command->arguments; argument->name; argument++) {
        if (at >= words->len) {
            if (argument->optional) {
                continue;
            }
            g_autofree char *usage = hmp_command_usage(command);
            vm_error_set(error, "%s: %s is missing; expected: %s", command->name, argument->name,
                         usage);
            return NULL;
        }
        gboolean rest = argument->kind == HMP_REST;
        g_autofree char *word =
            rest ? take_rest(line, g_array_index(starts, gsize, at)) : g_strdup(words->pdata[at]);
        if (!add_argument(arguments, argument, word, error)) {
            g_prefix_error(error, "%s: ", command->name);
            return NULL;
        }
        at = rest ? words->len : at + 1;
    }
    if (at < words->len) {
        g_autofree char *usage = hmp_command_usage(command);
        vm_error_set(error, "%s: '%s' is too much; expected: %s", command->name,
                     (const char *)words->pdata[at], usage);
        return NULL;
    }
    return command->prepare ? command->prepare(arguments, error) : g_steal_pointer(&arguments);
}

/* --- running --- */

static void call_end(HmpCall *call, GString *output, const GError *error)
{
    if (error) {
        g_string_append_printf(output, "Error: %s\n", error->message);
    }
    call->finished(output->str, call->opaque);
    g_free(call);
}

static void answered(json_object *result, const GError *error, gpointer opaque)
{
    HmpCall *call = opaque;
    g_autoptr(GString) output = g_string_new(NULL);

    if (!error && call->command->print) {
        call->command->print(output, result);
    }
    call_end(call, output, error);
}

/* "info" takes its subcommand's name as a second word. */
static const HmpCommand *find_command(const GPtrArray *words, guint *first, GError **error)
{
    const char *name = words->pdata[0];
    gboolean info = !strcmp(name, "info") && words->len > 1;
    g_autofree char *full =
        info ? g_strconcat("info ", (const char *)words->pdata[1], NULL) : g_strdup(name);
    const HmpCommand *command = hmp_command_find(full);

    if (!command) {
        const char *reason = monitor_absent_reason(full);

        vm_error_set(error, "unknown command: '%s'; %s", full,
                     reason ? reason
                     : info ? "info lists what it knows"
                            : "help lists them");
    }
    *first = info ? 2 : 1;
    return command;
}

static json_object *read_line(const char *line, const HmpCommand **command, GError **error)
{
    g_autoptr(GArray) starts = NULL;
    g_autoptr(GPtrArray) words = hmp_split(line, &starts, error);
    guint first;

    *command = NULL;
    if (!words || words->len == 0) {
        return NULL;
    }
    *command = find_command(words, &first, error);
    return *command ? read_arguments(*command, line, words, starts, first, error) : NULL;
}

void hmp_run(const char *line, void (*finished)(const char *output, gpointer opaque),
             gpointer opaque)
{
    HmpCall *call = g_new0(HmpCall, 1);
    g_autoptr(GString) output = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(json_object) arguments = read_line(line, &call->command, &error);

    call->finished = finished;
    call->opaque = opaque;
    if (!arguments) {
        call_end(call, output, error);
    } else if (call->command->run) {
        call->command->run(output, arguments, &error);
        call_end(call, output, error);
    } else {
        qmp_execute(call->command->qmp, g_steal_pointer(&arguments), answered, call);
    }
}
