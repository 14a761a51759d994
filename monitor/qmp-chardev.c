/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Character devices over QMP. */
#include "monitor/qmp.h"

#include "chardev/chardev.h"

#include <string.h>

static void describe(VmObject *object, gpointer list)
{
    Chardev *chardev = CHARDEV(object);
    json_object *entry = json_object_new_object();
    g_autofree char *filename = chardev_filename(chardev);

    json_add_string(entry, "label", object->id);
    json_add_string(entry, "filename", filename);
    json_add_bool(entry, "frontend-open", chardev->frontend != NULL);
    json_object_array_add(list, entry);
}

static json_object *query_chardev(json_object *arguments G_GNUC_UNUSED,
                                  GError **error G_GNUC_UNUSED)
{
    json_object *list = json_object_new_array();

    vm_object_foreach_child(vm_object_container("chardevs"), describe, list);
    return list;
}

static json_object *chardev_add(json_object *arguments, GError **error)
{
    json_object *backend = json_object_object_get(arguments, "backend");
    Chardev *chardev = chardev_create_qmp(qmp_string(arguments, "id"), backend, error);
    g_autofree char *filename = NULL;
    json_object *answer;

    if (!chardev) {
        return NULL;
    }
    answer = json_object_new_object();
    filename = chardev_filename(chardev);
    if (g_str_has_prefix(filename, "pty:")) {
        json_add_string(answer, "pty", filename + strlen("pty:"));
    }
    return answer;
}

static json_object *run_chardev_remove(json_object *arguments, GError **error)
{
    chardev_remove(qmp_string(arguments, "id"), error);
    return NULL;
}

static json_object *chardev_change(json_object *arguments, GError **error)
{
    vm_error_set(error,
                 "chardev-change: chardev '%s' cannot be changed in place; remove it and add it "
                 "anew",
                 qmp_string(arguments, "id"));
    return NULL;
}

static const QmpCommand commands[] = {
    {.name = "query-chardev",
     .returns = "[ChardevInfo]",
     .doc = "All character devices.",
     .run = query_chardev},
    {.name = "chardev-add",
     .arguments = "id:str, backend:ChardevBackend",
     .returns = "ChardevReturn",
     .doc = "Adds a character device.",
     .run = chardev_add},
    {.name = "chardev-remove",
     .arguments = "id:str",
     .doc = "Removes a character device that nobody uses.",
     .run = run_chardev_remove},
    {.name = "chardev-change",
     .arguments = "id:str, backend:ChardevBackend",
     .returns = "ChardevReturn",
     .doc = "Always fails: a character device cannot be changed in place.",
     .run = chardev_change},
    {.name = NULL},
};

static const QmpType types[] = {
    {.name = "ChardevInfo",
     .kind = QMP_OBJECT,
     .members = "label:str, filename:str, frontend-open:bool",
     .doc = "A character device: its id, what it is connected to, whether somebody uses it."},
    {.name = "ChardevReturn",
     .kind = QMP_OBJECT,
     .members = "*pty:str",
     .doc = "The path of the terminal that was made, for a pty."},
    {.name = "ChardevBackendKind",
     .kind = QMP_ENUM,
     .members = "file, null, pty, socket, stdio",
     .doc = "The types of character devices."},
    {.name = "ChardevBackend",
     .kind = QMP_UNION,
     .members = "type:ChardevBackendKind | type | file=ChardevFileWrapper, "
                "null=ChardevCommonWrapper, pty=ChardevPtyWrapper, "
                "socket=ChardevSocketWrapper, stdio=ChardevStdioWrapper",
     .doc = "A type of character device and what it needs."},
    {.name = "ChardevCommon",
     .kind = QMP_OBJECT,
     .members = "*logfile:str, *logappend:bool",
     .doc = "What every character device may be given; log files are refused for now."},
    {.name = "ChardevCommonWrapper",
     .kind = QMP_OBJECT,
     .members = "data:ChardevCommon",
     .doc = "Wraps the arguments."},
    {.name = "ChardevPty",
     .kind = QMP_OBJECT,
     .members = "*path:str, *logfile:str, *logappend:bool",
     .doc = "A new terminal, with a symbolic link to it at path."},
    {.name = "ChardevPtyWrapper",
     .kind = QMP_OBJECT,
     .members = "data:ChardevPty",
     .doc = "Wraps the arguments."},
    {.name = "ChardevStdio",
     .kind = QMP_OBJECT,
     .members = "*signal:bool, *logfile:str, *logappend:bool",
     .doc = "Standard input and output; with signal, the interrupt key ends the program."},
    {.name = "ChardevStdioWrapper",
     .kind = QMP_OBJECT,
     .members = "data:ChardevStdio",
     .doc = "Wraps the arguments."},
    {.name = "ChardevFile",
     .kind = QMP_OBJECT,
     .members = "*in:str, out:str, *append:bool, *logfile:str, *logappend:bool",
     .doc = "Output goes to the file out, appended or in place of what it holds; input comes "
            "from the file in."},
    {.name = "ChardevFileWrapper",
     .kind = QMP_OBJECT,
     .members = "data:ChardevFile",
     .doc = "Wraps the arguments."},
    {.name = "UnixSocketAddress",
     .kind = QMP_OBJECT,
     .members = "path:str, *abstract:bool, *tight:bool",
     .doc = "A unix socket by its path."},
    {.name = "UnixSocketAddressWrapper",
     .kind = QMP_OBJECT,
     .members = "data:UnixSocketAddress",
     .doc = "Wraps the address."},
    {.name = "InetSocketAddress",
     .kind = QMP_OBJECT,
     .members = "host:str, port:str, *to:uint16, *ipv4:bool, *ipv6:bool",
     .doc = "A TCP socket; port is a number or the name of a service."},
    {.name = "InetSocketAddressWrapper",
     .kind = QMP_OBJECT,
     .members = "data:InetSocketAddress",
     .doc = "Wraps the address."},
    {.name = "FdSocketAddress",
     .kind = QMP_OBJECT,
     .members = "str:str",
     .doc = "A descriptor: the name that getfd gave it, or the number of an inherited one."},
    {.name = "FdSocketAddressWrapper",
     .kind = QMP_OBJECT,
     .members = "data:FdSocketAddress",
     .doc = "Wraps the address."},
    {.name = "SocketAddressType",
     .kind = QMP_ENUM,
     .members = "fd, inet, unix",
     .doc = "The kinds of socket addresses."},
    {.name = "SocketAddressLegacy",
     .kind = QMP_UNION,
     .members = "type:SocketAddressType | type | fd=FdSocketAddressWrapper, "
                "inet=InetSocketAddressWrapper, unix=UnixSocketAddressWrapper",
     .doc = "A socket address."},
    {.name = "ChardevSocket",
     .kind = QMP_OBJECT,
     .members = "addr:SocketAddressLegacy, *server:bool, *wait:bool, *nodelay:bool, "
                "*telnet:bool, *tn3270:bool, *websocket:bool, *tls-creds:str, *tls-authz:str, "
                "*reconnect:int, *reconnect-ms:int, *logfile:str, *logappend:bool",
     .doc =
         "A socket. As a server (the default) it listens, else it connects and, with "
         "reconnect, tries again after that many seconds. TLS, telnet and websocket are refused."},
    {.name = "ChardevSocketWrapper",
     .kind = QMP_OBJECT,
     .members = "data:ChardevSocket",
     .doc = "Wraps the arguments."},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, types);
