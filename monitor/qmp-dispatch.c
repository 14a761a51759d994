/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of one request from its JSON object to the command's function.
 */
#include "qmp-internal.h"

#include <string.h>

/* Parsed argument lists, by command; filled as commands are first used. */
static GHashTable *argument_lists;

static QmpRequest *current_request;

static const QmpMembers *command_arguments(const QmpCommand *command, GError **error)
{
    QmpMembers *members;

    if (!argument_lists) {
        argument_lists = g_hash_table_new(NULL, NULL);
    }
    members = g_hash_table_lookup(argument_lists, command);
    if (!members) {
        members = qmp_members_parse(command->arguments, error);
        if (members) {
            g_hash_table_insert(argument_lists, (gpointer)command, members);
        }
    }
    return members;
}

/* --- from JSON to a request --- */

/* Takes the name of the command out of member @member. */
static gboolean request_set_command(QmpRequest *request, json_object *value, const char *member)
{
    if (request->command_name) {
        vm_error_set(&request->error, "QMP input members 'execute' and 'exec-oob' exclude each "
                                      "other");
        return FALSE;
    }
    if (!json_object_is_type(value, json_type_string)) {
        vm_error_set(&request->error, "QMP input member '%s' must be a string", member);
        return FALSE;
    }
    request->command_name = g_strdup(json_object_get_string(value));
    request->out_of_band = strcmp(member, "exec-oob") == 0;
    return TRUE;
}

static gboolean request_set_arguments(QmpRequest *request, json_object *value)
{
    if (!json_object_is_type(value, json_type_object)) {
        vm_error_set(&request->error, "QMP input member 'arguments' must be an object");
        return FALSE;
    }
    request->arguments = json_object_get(value);
    return TRUE;
}

/* Reads the members of a request; the first one that is wrong sets request->error. */
static void request_parse(QmpRequest *request, json_object *object)
{
    gboolean oob = request->session && qmp_session_has_oob(request->session);
    gboolean good = TRUE;

    json_object_object_foreach(object, name, value)
    {
        if (strcmp(name, "execute") == 0 || (oob && strcmp(name, "exec-oob") == 0)) {
            good = request_set_command(request, value, name);
        } else if (strcmp(name, "arguments") == 0) {
            good = request_set_arguments(request, value);
        } else if (strcmp(name, "id") != 0) {
            vm_error_set(&request->error, "QMP input member '%s' is unexpected", name);
            good = FALSE;
        }
        if (!good) {
            return;
        }
    }
    if (!request->command_name) {
        vm_error_set(&request->error, "QMP input lacks member 'execute'");
    }
}

QmpRequest *qmp_request_new(QmpSession *session, json_object *value, GError *parse_error)
{
    QmpRequest *request = g_new0(QmpRequest, 1);

    request->session = session;
    if (parse_error) {
        request->error = parse_error;
    } else if (!json_object_is_type(value, json_type_object)) {
        vm_error_set(&request->error, "QMP input must be a JSON object");
    } else {
        request->has_id = json_object_object_get_ex(value, "id", &request->id);
        json_object_get(request->id);
        request_parse(request, value);
    }
    request->out_of_band = request->out_of_band && !request->error;
    json_object_put(value);
    return request;
}

void qmp_request_free(QmpRequest *request)
{
    json_object_put(request->id);
    json_object_put(request->arguments);
    g_clear_error(&request->error);
    g_free(request->command_name);
    g_free(request);
}

/* --- dispatch --- */

/* Finds the command and decides whether it may run in the session's state. */
static const QmpCommand *request_command(QmpRequest *request, GError **error)
{
    gboolean negotiating = request->session && !qmp_session_is_negotiated(request->session);
    gboolean capabilities = strcmp(request->command_name, "qmp_capabilities") == 0;
    const QmpCommand *command = qmp_command_find(request->command_name);

    if (negotiating && !capabilities) {
        g_set_error(error, VM_ERROR, VM_ERROR_COMMAND_NOT_FOUND,
                    "Expecting capabilities negotiation with 'qmp_capabilities'");
        return NULL;
    }
    if (!negotiating && capabilities && request->session) {
        g_set_error(error, VM_ERROR, VM_ERROR_COMMAND_NOT_FOUND,
                    "Capabilities negotiation is already complete, command ignored");
        return NULL;
    }
    if (!command) {
        const char *reason = monitor_absent_reason(request->command_name);

        g_set_error(error, VM_ERROR, VM_ERROR_COMMAND_NOT_FOUND,
                    "The command %s has not been found%s%s", request->command_name,
                    reason ? ": " : "", reason ? reason : "");
        return NULL;
    }
    if (request->out_of_band && (command->start || !(command->flags & QMP_COMMAND_OOB))) {
        vm_error_set(error, "The command %s does not support OOB", command->name);
        return NULL;
    }
    return command;
}

static gboolean request_check(QmpRequest *request, GError **error)
{
    const QmpMembers *members;

    if (request->error) {
        g_propagate_error(error, g_steal_pointer(&request->error));
        return FALSE;
    }
    request->command = request_command(request, error);
    if (!request->command) {
        return FALSE;
    }
    members = command_arguments(request->command, error);
    if (!members) {
        return FALSE;
    }
    if (!request->arguments) {
        request->arguments = json_object_new_object();
    }
    return qmp_check_arguments(members, request->arguments, error);
}

gboolean qmp_dispatch(QmpRequest *request, json_object **result, GError **error)
{
    QmpRequest *outer = current_request;
    g_autoptr(GError) failure = NULL;

    *result = NULL;
    if (!request_check(request, error)) {
        return TRUE;
    }
    if (request->command->start) {
        request->command->start(request, request->arguments);
        return FALSE;
    }
    current_request = request;
    *result = request->command->run(request->arguments, &failure);
    current_request = outer;
    if (failure) {
        g_clear_pointer(result, json_object_put);
        g_propagate_error(error, g_steal_pointer(&failure));
    }
    return TRUE;
}

void qmp_execute(const char *name, json_object *arguments,
                 void (*answered)(json_object *result, const GError *error, gpointer opaque),
                 gpointer opaque)
{
    QmpRequest *request = g_new0(QmpRequest, 1);
    json_object *result = NULL;
    GError *error = NULL;

    request->command_name = g_strdup(name);
    request->arguments = arguments;
    request->answered = answered;
    request->opaque = opaque;
    if (qmp_dispatch(request, &result, &error)) {
        qmp_request_answer(request, result, error);
    }
}

QmpRequest *qmp_request_current(void)
{
    return current_request;
}

int qmp_request_take_fd(QmpRequest *request)
{
    if (!request) {
        request = current_request;
    }
    return request && request->session ? qmp_session_take_fd(request->session) : -1;
}
