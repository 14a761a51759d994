/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Character devices over QMP. */
#include "monitor/qmp.h"

#include "chardev/chardev.h"
#include "chardev/ringbuf.h"

#include <string.h>

static void describe(VmObject *object, gpointer list)
{
    Chardev *chardev = CHARDEV(object);
    json_object *entry = json_object_new_object();
    g_autofree char *filename = chardev_filename(chardev);

    json_add_string(entry, "label", object->id);
    json_add_string(entry, "filename", filename);
    json_add_bool(entry, "frontend-open", chardev_is_used(chardev));
    json_object_array_add(list, entry);
}

static json_object *query_chardev(json_object *arguments G_GNUC_UNUSED,
                                  GError **error G_GNUC_UNUSED)
{
    json_object *list = json_object_new_array();

    vm_object_foreach_child(vm_object_container("chardevs"), describe, list);
    return list;
}

/* ChardevReturn. */
static json_object *describe_new(Chardev *chardev)
{
    json_object *answer = json_object_new_object();
    g_autofree char *filename = chardev_filename(chardev);

    if (g_str_has_prefix(filename, "pty:")) {
        json_add_string(answer, "pty", filename + strlen("pty:"));
    }
    return answer;
}

static json_object *chardev_add(json_object *arguments, GError **error)
{
    json_object *backend = json_object_object_get(arguments, "backend");
    Chardev *chardev = chardev_create_qmp(qmp_string(arguments, "id"), backend, error);

    return chardev ? describe_new(chardev) : NULL;
}

static json_object *run_chardev_remove(json_object *arguments, GError **error)
{
    chardev_remove(qmp_string(arguments, "id"), error);
    return NULL;
}

static json_object *run_chardev_change(json_object *arguments, GError **error)
{
    json_object *backend = json_object_object_get(arguments, "backend");
    Chardev *chardev = chardev_change(qmp_string(arguments, "id"), backend, error);

    return chardev ? describe_new(chardev) : NULL;
}

static json_object *send_break(json_object *arguments, GError **error)
{
    const char *id = qmp_string(arguments, "id");
    Chardev *chardev = chardev_find(id);

    if (!chardev) {
        vm_error_set(error, "Chardev '%s' not found", id);
    } else {
        chardev_break(chardev);
    }
    return NULL;
}

static void add_backend(GType type, gpointer list)
{
    if (chardev_is_backend(type)) {
        json_object *entry = json_object_new_object();
        gpointer class = g_type_class_ref(type);
        json_add_string(entry, "name", CHARDEV_CLASS(class)->backend);
        json_object_array_add(list, entry);
        g_type_class_unref(class);
    }
}

static json_object *query_backends(json_object *arguments G_GNUC_UNUSED,
                                   GError **error G_GNUC_UNUSED)
{
    json_object *list = json_object_new_array();

    vm_types_foreach(add_backend, list);
    return list;
}

/* --- ring buffers --- */

static gboolean is_base64(json_object *arguments)
{
    return !g_strcmp0(qmp_string(arguments, "format"), "base64");
}

static json_object *ringbuf_write(json_object *arguments, GError **error)
{
    const char *id = qmp_string(arguments, "device"), *data = qmp_string(arguments, "data");
    gsize length = strlen(data);
    g_autofree guchar *decoded = is_base64(arguments) ? g_base64_decode(data, &length) : NULL;

    if (is_base64(arguments)) {
        g_autofree char *again = g_base64_encode(decoded, length);
        if (strcmp(again, data) != 0) { /* GLib skips what is no base64 */
            vm_error_set(error, "ringbuf-write: data is no base64 text (RFC 4648, section 4)");
            return NULL;
        }
    }
    chardev_ringbuf_write(id, decoded ? decoded : (const guint8 *)data, length, error);
    return NULL;
}

static json_object *ringbuf_read(json_object *arguments, GError **error)
{
    gint64 size = qmp_int(arguments, "size", 0);

    if (size <= 0) {
        vm_error_set(error, "ringbuf-read: size=%" G_GINT64_FORMAT " must be positive", size);
        return NULL;
    }
    g_autoptr(GByteArray) bytes =
        chardev_ringbuf_read(qmp_string(arguments, "device"), (gsize)size, error);
    if (!bytes) {
        return NULL;
    }
    g_autofree char *text = is_base64(arguments)
                                ? g_base64_encode(bytes->data, bytes->len)
                                : g_utf8_make_valid((const char *)bytes->data, bytes->len);
    return json_object_new_string(text);
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
     .doc = "Puts another character device in the place of one, under the same id. What uses it "
            "must be able to move: serial ports can, monitors and disks cannot.",
     .run = run_chardev_change},
    {.name = "chardev-send-break",
     .arguments = "id:str",
     .doc = "Sends a break condition to what uses a character device, if it knows such a thing: a "
            "serial port.",
     .run = send_break},
    {.name = "query-chardev-backends",
     .returns = "[ChardevBackendInfo]",
     .doc = "The types of character devices.",
     .run = query_backends},
    {.name = "ringbuf-write",
     .arguments = "device:str, data:str, *format:DataFormat",
     .doc = "Puts data into a ring buffer, behind what is there.",
     .run = ringbuf_write},
    {.name = "ringbuf-read",
     .arguments = "device:str, size:int, *format:DataFormat",
     .returns = "str",
     .doc = "Takes the oldest bytes out of a ring buffer, at most size. As utf8, what is no UTF-8 "
            "is replaced.",
     .run = ringbuf_read},
    {.name = NULL},
};

static const QmpType types[] = {
    {.name = "ChardevBackendInfo",
     .kind = QMP_OBJECT,
     .members = "name:str",
     .doc = "A type of character devices."},
    {.name = "DataFormat",
     .kind = QMP_ENUM,
     .members = "utf8, base64",
     .doc = "How bytes are written as text (base64: RFC 4648)."},
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
     .members = "file, mux, null, pipe, pty, ringbuf, socket, stdio",
     .doc = "The types of character devices."},
    {.name = "ChardevBackend",
     .kind = QMP_UNION,
     .members = "type:ChardevBackendKind | type | file=ChardevFileWrapper, "
                "mux=ChardevMuxWrapper, null=ChardevCommonWrapper, pipe=ChardevPipeWrapper, "
                "pty=ChardevPtyWrapper, ringbuf=ChardevRingbufWrapper, "
                "socket=ChardevSocketWrapper, stdio=ChardevStdioWrapper",
     .doc = "A type of character device and what it needs."},
    {.name = "ChardevCommon",
     .kind = QMP_OBJECT,
     .members = "*logfile:str, *logappend:bool",
     .doc = "What every character device may be given: a file that gets a copy of what is "
            "written, appended or in place of what it holds."},
    {.name = "ChardevMux",
     .kind = QMP_OBJECT,
     .members = "chardev:str, *logfile:str, *logappend:bool",
     .doc = "Shares another character device, by its id."},
    {.name = "ChardevMuxWrapper",
     .kind = QMP_OBJECT,
     .members = "data:ChardevMux",
     .doc = "Wraps the arguments."},
    {.name = "ChardevPipe",
     .kind = QMP_OBJECT,
     .members = "device:str, *logfile:str, *logappend:bool",
     .doc = "FIFOs called device.in and device.out, or one for both."},
    {.name = "ChardevPipeWrapper",
     .kind = QMP_OBJECT,
     .members = "data:ChardevPipe",
     .doc = "Wraps the arguments."},
    {.name = "ChardevRingbuf",
     .kind = QMP_OBJECT,
     .members = "*size:int, *logfile:str, *logappend:bool",
     .doc = "Keeps the last size bytes (65536), a power of two."},
    {.name = "ChardevRingbufWrapper",
     .kind = QMP_OBJECT,
     .members = "data:ChardevRingbuf",
     .doc = "Wraps the arguments."},
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
     .doc = "A socket. As a server (the default) it listens, else it connects and, with "
            "reconnect, tries again: first after that many seconds, then after delays that double "
            "up to ten. TLS and websocket are refused."},
    {.name = "ChardevSocketWrapper",
     .kind = QMP_OBJECT,
     .members = "data:ChardevSocket",
     .doc = "Wraps the arguments."},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, types);
