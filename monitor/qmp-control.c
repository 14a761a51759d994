/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands about QMP itself: negotiation, versions, what there is. */
#include "qmp-internal.h"

#include "system/version.h"

#include <string.h>

json_object *qmp_version(void)
{
    json_object *version = json_object_new_object();
    json_object *numbers = json_object_new_object();

    json_add_int(numbers, "micro", QMP_VERSION_MICRO);
    json_add_int(numbers, "minor", QMP_VERSION_MINOR);
    json_add_int(numbers, "major", QMP_VERSION_MAJOR);
    json_object_object_add(version, "qemu", numbers);
    json_add_string(version, "package", QMP_VERSION_PACKAGE);
    return version;
}

static json_object *qmp_capabilities(json_object *arguments, GError **error G_GNUC_UNUSED)
{
    json_object *enable = json_object_object_get(arguments, "enable");
    QmpRequest *request = qmp_request_current();
    gboolean oob = FALSE;

    /* The table admits one capability only. */
    if (enable) {
        oob = json_object_array_length(enable) > 0;
    }
    if (request && request->session) {
        qmp_session_set_negotiated(request->session, oob);
    }
    return NULL;
}

static json_object *query_version(json_object *arguments G_GNUC_UNUSED,
                                  GError **error G_GNUC_UNUSED)
{
    return qmp_version();
}

static void add_name(json_object *list, const char *name)
{
    json_object *entry = json_object_new_object();

    json_add_string(entry, "name", name);
    json_object_array_add(list, entry);
}

static json_object *query_commands(json_object *arguments G_GNUC_UNUSED,
                                   GError **error G_GNUC_UNUSED)
{
    json_object *list = json_object_new_array();

    for (guint i = 0; i < qmp_commands()->len; i++) {
        add_name(list, ((const QmpCommand *)g_ptr_array_index(qmp_commands(), i))->name);
    }
    return list;
}

static json_object *query_events(json_object *arguments G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    json_object *list = json_object_new_array();

    for (guint i = 0; i < qmp_events()->len; i++) {
        add_name(list, ((const QmpEvent *)g_ptr_array_index(qmp_events(), i))->name);
    }
    return list;
}

static json_object *query_qmp_schema(json_object *arguments G_GNUC_UNUSED,
                                     GError **error G_GNUC_UNUSED)
{
    return qmp_schema();
}

static const QmpCommand commands[] = {
    {.name = "qmp_capabilities",
     .arguments = "*enable:[QMPCapability]",
     .doc = "Ends the negotiation that a session begins with; every other command is refused "
            "before. Only the capabilities listed in enable are used.",
     .run = qmp_capabilities},
    {.name = "query-version",
     .returns = "VersionInfo",
     .doc = "The QEMU version whose commands these are, and, as package, this program and its "
            "own version.",
     .flags = QMP_COMMAND_OOB,
     .run = query_version},
    {.name = "query-commands",
     .returns = "[CommandInfo]",
     .doc = "The names of all commands.",
     .run = query_commands},
    {.name = "query-events",
     .returns = "[EventInfo]",
     .doc = "The names of all events.",
     .run = query_events},
    {.name = "query-qmp-schema",
     .returns = "[SchemaInfo]",
     .doc = "Describes every command, event and type, so that a client can find out what there "
            "is without comparing versions.",
     .run = query_qmp_schema},
    {.name = NULL},
};

static const QmpType types[] = {
    {.name = "QMPCapability",
     .kind = QMP_ENUM,
     .members = "oob",
     .doc = "oob: commands that allow it may be sent with exec-oob and are answered at once, "
            "before others that wait."},
    {.name = "VersionTriple",
     .kind = QMP_OBJECT,
     .members = "major:int, minor:int, micro:int",
     .doc = "A version number in its three parts."},
    {.name = "VersionInfo",
     .kind = QMP_OBJECT,
     .members = "qemu:VersionTriple, package:str",
     .doc = "What query-version and the greeting tell."},
    {.name = "CommandInfo", .kind = QMP_OBJECT, .members = "name:str", .doc = "One command."},
    {.name = "EventInfo", .kind = QMP_OBJECT, .members = "name:str", .doc = "One event."},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, types);
