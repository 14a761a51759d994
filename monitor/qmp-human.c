/* SPDX-License-Identifier: GPL-2.0-or-later */
/* human-monitor-command: a line of the human monitor over QMP. */
#include "hmp-internal.h"
#include "qmp-internal.h"

static void finished(const char *output, gpointer request)
{
    qmp_request_answer(request, json_object_new_string(output), NULL);
}

/* cpu-index chooses a CPU for commands that show one; none here does. */
static void human_monitor_command(QmpRequest *request, json_object *arguments)
{
    hmp_run(qmp_string(arguments, "command-line"), finished, request);
}

static const QmpCommand commands[] = {
    {.name = "human-monitor-command",
     .arguments = "command-line:str, *cpu-index:int",
     .returns = "str",
     .doc = "Runs a line of the human monitor and returns what it prints; an error is a line "
            "that begins with \"Error: \". For people and for what QMP lacks: the text is no "
            "interface.",
     .start = human_monitor_command},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, NULL);
