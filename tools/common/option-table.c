/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lines of the back-end programs: parsing and help from tables of options. */
#include "tools/common/option-table.h"

#include "util/error.h"
#include "util/size.h"

#include <stdio.h>
#include <string.h>

/* The option whose name is the first @length bytes of @name; *@target is its group's. */
static const ToolOption *find_option(const ToolOptionGroup *groups, gsize count, const char *name,
                                     gsize length, gpointer *target)
{
    for (gsize i = 0; i < count; i++) {
        for (const ToolOption *option = groups[i].options; option->name; option++) {
            if (strlen(option->name) == length && !memcmp(option->name, name, length)) {
                *target = groups[i].target;
                return option;
            }
        }
    }
    return NULL;
}

static gboolean apply_number(const ToolOption *option, const char *value, guint *place,
                             GError **error)
{
    uint64_t number;

    if (!number_parse(value, option->minimum, option->maximum, &number, error)) {
        return FALSE;
    }
    *place = (guint)number;
    return TRUE;
}

static gboolean apply_choice(const ToolOption *option, const char *value, int *place,
                             GError **error)
{
    for (int i = 0; option->choices[i]; i++) {
        if (!strcmp(value, option->choices[i])) {
            *place = i;
            return TRUE;
        }
    }
    g_autofree char *choices = g_strjoinv(", ", (char **)option->choices);
    vm_error_set(error, "'%s' is none of %s", value, choices);
    return FALSE;
}

static gboolean apply_kind(const ToolOption *option, const char *value, gpointer target,
                           GError **error)
{
    gpointer place = (char *)target + option->offset;

    switch (option->kind) {
    case TOOL_OPTION_CONSTANT:
        *(int *)place = option->constant;
        return TRUE;
    case TOOL_OPTION_NUMBER:
        return apply_number(option, value, place, error);
    case TOOL_OPTION_CHOICE:
        return apply_choice(option, value, place, error);
    case TOOL_OPTION_TEXT:
        *(const char **)place = value;
        return TRUE;
    default:
        return option->apply(value, target, error);
    }
}

static gboolean apply_option(const ToolOption *option, const char *value, gpointer target,
                             GError **error)
{
    if (apply_kind(option, value, target, error)) {
        return TRUE;
    }
    g_prefix_error(error, "--%s %s: ", option->name, value);
    return FALSE;
}

/* Reads the option at argv[*index] and moves *@index to the next one. */
static gboolean parse_word(const ToolOptionGroup *groups, gsize count, char **argv, int *index,
                           GError **error)
{
    const char *word = argv[(*index)++];
    const char *equals = strchr(word, '=');
    gsize length = equals ? (gsize)(equals - word) : strlen(word);
    const ToolOption *option = NULL;
    gpointer target = NULL;
    const char *value = equals ? equals + 1 : NULL;

    if (word[0] != '-') {
        vm_error_set(error, "'%s' is not an option; --help lists them", word);
        return FALSE;
    }
    if (length > 2 && word[1] == '-') {
        option = find_option(groups, count, word + 2, length - 2, &target);
    }
    if (!option) {
        vm_error_set(error, "%.*s: unknown option; --help lists them", (int)length, word);
        return FALSE;
    }
    if (!option->argument && value) {
        vm_error_set(error, "%s: --%s takes no value", word, option->name);
        return FALSE;
    }
    if (option->argument && !value) {
        value = argv[*index];
        *index += value != NULL;
    }
    if (option->argument && (!value || !*value)) {
        vm_error_set(error, "--%s: needs a value: --%s %s", option->name, option->name,
                     option->argument);
        return FALSE;
    }
    return apply_option(option, value, target, error);
}

gboolean tool_options_parse(const ToolOptionGroup *groups, gsize count, int argc, char **argv,
                            GError **error)
{
    for (int index = 1; index < argc;) {
        if (!parse_word(groups, count, argv, &index, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static void print_option(const ToolOption *option)
{
    g_auto(GStrv) lines = g_strsplit(option->help, "\n", -1);

    printf("  --%s%s%s\n", option->name, option->argument ? " " : "",
           option->argument ? option->argument : "");
    for (guint i = 0; lines[i]; i++) {
        printf("        %s\n", lines[i]);
    }
}

void tool_options_print_help(const ToolOptionGroup *groups, gsize count)
{
    for (gsize i = 0; i < count; i++) {
        for (const ToolOption *option = groups[i].options; option->name; option++) {
            print_option(option);
        }
    }
}
