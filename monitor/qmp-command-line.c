/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query-command-line-options: the table of system/command-line.c in QMP's form. */
#include "monitor/qmp.h"
#include "system/command-line.h"

#include <string.h>

static const QmpType types[] = {
    {"CommandLineParameterType", QMP_ENUM, "string, boolean, number, size",
     "How the value of a command-line parameter is written.", NULL},
    {"CommandLineParameterInfo", QMP_OBJECT,
     "name:str, type:CommandLineParameterType, *help:str, *default:str",
     "One key of a command-line option.", NULL},
    {"CommandLineOptionInfo", QMP_OBJECT, "option:str, parameters:[CommandLineParameterInfo]",
     "One command-line option and its keys.", NULL},
    {NULL, 0, NULL, NULL, NULL},
};

/* "id:string, size:size" -> [{"name":"id","type":"string"}, ...] */
static json_object *describe_keys(const char *keys)
{
    json_object *parameters = json_object_new_array();
    g_auto(GStrv) words = g_strsplit(keys ? keys : "", ",", -1);

    for (guint i = 0; words[i]; i++) {
        char *type = strchr(g_strstrip(words[i]), ':');
        json_object *parameter = json_object_new_object();
        *type = '\0';
        json_add_string(parameter, "name", words[i]);
        json_add_string(parameter, "type", type + 1);
        json_object_array_add(parameters, parameter);
    }
    return parameters;
}

typedef struct Selection {
    const char *option; /* NULL: all */
    json_object *answer;
} Selection;

static void describe_option(const CommandLineOption *option, gpointer opaque)
{
    Selection *selection = opaque;

    if (selection->option ? strcmp(selection->option, option->name) : !option->keys) {
        return;
    }
    json_object *info = json_object_new_object();
    json_add_string(info, "option", option->name);
    json_object_object_add(info, "parameters", describe_keys(option->keys));
    json_object_array_add(selection->answer, info);
}

static json_object *query_command_line_options(json_object *arguments, GError **error)
{
    Selection selection = {qmp_string(arguments, "option"), json_object_new_array()};

    command_line_foreach(describe_option, &selection);
    if (selection.option && json_object_array_length(selection.answer) == 0) {
        json_object_put(selection.answer);
        vm_error_set(error,
                     "Parameter 'option': no option '%s' takes keys; without it all are listed",
                     selection.option);
        return NULL;
    }
    return selection.answer;
}

static const QmpCommand commands[] = {
    {.name = "query-command-line-options",
     .arguments = "*option:str",
     .returns = "[CommandLineOptionInfo]",
     .doc = "The command-line options that take keys, or the one named option.",
     .run = query_command_line_options},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, types);
