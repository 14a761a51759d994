/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The base class of chardevs: one connection, one front end, and the rules
 * between them.  How connections are made is each type's own part.
 */
#include "chardev/chardev.h"
#include "relay.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/report.h"
#include "util/trace.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>

TRACE_EVENT(chardev_connected, "a chardev has a connection");
TRACE_EVENT(chardev_disconnected, "a chardev's connection has ended");

VM_DEFINE_TYPE("chardev", Chardev, ChardevClass, chardev, VM_TYPE_OBJECT, G_TYPE_FLAG_ABSTRACT);

static const VmField chardev_fields[] = {
    {
        .name = "connected",
        .doc = "whether there is a connection",
        .kind = VM_FIELD_BOOL,
        .offset = offsetof(Chardev, connected),
        .flags = VM_FIELD_READ_ONLY,
    },
    {.name = "logfile",
     .doc = "file that gets a copy of what is written",
     .kind = VM_FIELD_STRING,
     .offset = offsetof(Chardev, logfile)},
    {.name = "logappend",
     .doc = "keep what logfile holds",
     .kind = VM_FIELD_BOOL,
     .offset = offsetof(Chardev, logappend)},
    {.name = NULL},
};

static void drop_connection(Chardev *chardev)
{
    if (chardev->output == chardev->input) {
        chardev->output = -1;
    }
    if (chardev->relay) {
        relay_free(g_steal_pointer(&chardev->relay));
    }
    fd_clear(&chardev->input);
    fd_clear(&chardev->output);
    chardev->connected = FALSE;
}

void chardev_close(Chardev *chardev)
{
    drop_connection(chardev);
    if (CHARDEV_GET_CLASS(chardev)->close) {
        CHARDEV_GET_CLASS(chardev)->close(chardev);
    }
    fd_clear(&chardev->log);
}

static void chardev_dispose(GObject *object)
{
    chardev_close(CHARDEV(object));
    G_OBJECT_CLASS(g_type_class_peek(VM_TYPE_OBJECT))->dispose(object);
}

static void chardev_class_init(ChardevClass *class)
{
    G_OBJECT_CLASS(class)->dispose = chardev_dispose;
    VM_OBJECT_CLASS(class)->noun = "chardev";
    vm_object_class_install_fields(class, chardev_fields);
}

static void chardev_init(Chardev *chardev)
{
    chardev->input = chardev->output = chardev->log = -1;
}

gboolean chardev_open_log(Chardev *chardev, GError **error)
{
    int flags = O_WRONLY | O_CREAT | (chardev->logappend ? O_APPEND : O_TRUNC);

    if (!chardev->logfile && chardev->logappend) {
        vm_error_set(error, "chardev '%s': logappend=on needs a logfile", chardev->parent.id);
        return FALSE;
    }
    if (chardev->logfile) {
        chardev->log = fd_open(chardev->logfile, flags, 0666, error);
        if (chardev->log < 0) {
            g_prefix_error(error, "chardev '%s': logfile: ", chardev->parent.id);
            return FALSE;
        }
    }
    return TRUE;
}

Chardev *chardev_find(const char *id)
{
    return (Chardev *)vm_object_find("chardevs", id);
}

gboolean chardev_remove(const char *id, GError **error)
{
    Chardev *chardev = chardev_find(id);
    g_autofree char *user = chardev ? chardev_user(chardev) : NULL;

    if (!chardev) {
        vm_error_set(error, "Chardev '%s' not found", id);
        return FALSE;
    }
    if (user) {
        vm_error_set(error, "Chardev '%s' is busy: it is used by %s", id, user);
        return FALSE;
    }
    g_autofree char *base = g_strconcat(id, CHARDEV_BASE_SUFFIX, NULL);
    gboolean multiplexer = CHARDEV_GET_CLASS(chardev)->port != NULL;

    chardev_close(chardev);
    vm_object_unparent(&chardev->parent);
    return !multiplexer || !chardev_find(base) || chardev_remove(base, error); /* of mux=on */
}

gboolean chardev_attach(Chardev *chardev, const ChardevFrontend *frontend, GError **error)
{
    ChardevClass *class = CHARDEV_GET_CLASS(chardev);

    if (chardev->frontend || chardev->keeper != frontend->keeper) {
        g_autofree char *user = chardev_user(chardev);

        vm_error_set(error, "chardev '%s' is already in use by %s", chardev->parent.id, user);
        return FALSE;
    }
    if (!chardev->connected && class->attached && !class->attached(chardev, error)) {
        return FALSE;
    }
    chardev->frontend = frontend;
    if (chardev->connected) {
        frontend->opened(frontend->opaque, chardev->input, chardev->output);
    }
    return TRUE;
}

void chardev_detach(Chardev *chardev)
{
    chardev->frontend = NULL;
    chardev_disconnected(chardev);
}

static void disconnect(Chardev *chardev, gboolean refused)
{
    if (!chardev->connected) {
        return;
    }
    trace(chardev_disconnected, "%s", chardev->parent.id);
    drop_connection(chardev);
    if (CHARDEV_GET_CLASS(chardev)->disconnected) {
        CHARDEV_GET_CLASS(chardev)->disconnected(chardev, refused);
    }
}

void chardev_disconnected(Chardev *chardev)
{
    disconnect(chardev, FALSE);
}

void chardev_refused(Chardev *chardev)
{
    disconnect(chardev, TRUE);
}

gboolean chardev_comes_back(Chardev *chardev)
{
    return CHARDEV_GET_CLASS(chardev)->comes_back &&
           CHARDEV_GET_CLASS(chardev)->comes_back(chardev);
}

gboolean chardev_is_awaited(Chardev *chardev)
{
    return chardev->awaited;
}

Chardev *chardev_port(Chardev *chardev)
{
    ChardevClass *class = CHARDEV_GET_CLASS(chardev);

    return class->port ? class->port(chardev) : g_object_ref(chardev);
}

gboolean chardev_has_focus(Chardev *chardev)
{
    ChardevClass *class = CHARDEV_GET_CLASS(chardev);

    return !class->has_focus || class->has_focus(chardev);
}

int chardev_wire(Chardev *chardev)
{
    ChardevClass *class = CHARDEV_GET_CLASS(chardev);

    return class->wire      ? class->wire(chardev)
           : chardev->relay ? relay_wire(chardev->relay)
                            : chardev->output;
}

void chardev_break(Chardev *chardev)
{
    if (chardev->frontend && chardev->frontend->line_break) {
        chardev->frontend->line_break(chardev->frontend->opaque);
    }
}

static const RelayProtocol *protocol_of(Chardev *chardev)
{
    ChardevClass *class = CHARDEV_GET_CLASS(chardev);

    return class->protocol ? class->protocol(chardev) : NULL;
}

gboolean chardev_check_socket(Chardev *chardev, GError **error)
{
    const char *backend = CHARDEV_GET_CLASS(chardev)->backend;

    if (chardev->logfile || protocol_of(chardev)) {
        vm_error_set(error,
                     "chardev '%s': a socket with %s cannot be given to a device, which passes "
                     "descriptors over it",
                     chardev->parent.id, chardev->logfile ? "logfile=" : "telnet=on");
        return FALSE;
    }

    if (strcmp(backend, "socket") != 0) {
        vm_error_set(error, "chardev '%s' is of type %s, expected a socket", chardev->parent.id,
                     backend);
        return FALSE;
    }
    return TRUE;
}

int chardev_steal_socket(Chardev *chardev, GError **error)
{
    int fd = chardev->input;

    if (!chardev_check_socket(chardev, error)) {
        return -1;
    }
    if (fd < 0) {
        vm_error_set(error, "chardev '%s' has no connection", chardev->parent.id);
        return -1;
    }
    chardev->input = chardev->output = -1;
    return fd;
}

void chardev_set_connection(Chardev *chardev, int input, int output)
{
    const RelayProtocol *protocol = protocol_of(chardev);
    g_autoptr(GError) error = NULL;

    if (chardev->log >= 0 || protocol) {
        int front = -1;
        chardev->relay = relay_new(chardev, input, output, chardev->log, protocol, &front, &error);
        if (chardev->relay) {
            input = output = front;
        } else { /* its bytes may not go unseen, but the user may */
            report_warning("chardev '%s': %s", chardev->parent.id, error->message);
        }
    }
    chardev->input = input;
    chardev->output = output;
    chardev->connected = TRUE;
    trace(chardev_connected, "%s", chardev->parent.id);
    if (chardev->frontend) {
        chardev->frontend->opened(chardev->frontend->opaque, input, output);
    }
}

char *chardev_user(Chardev *chardev)
{
    if (chardev->frontend) {
        return g_strdup(chardev->frontend->user);
    }
    if (chardev->keeper) {
        return vm_object_label(chardev->keeper);
    }
    return chardev->parent.users ? g_strdup("serial ports or monitors") : NULL;
}

gboolean chardev_is_used(Chardev *chardev)
{
    ChardevClass *class = CHARDEV_GET_CLASS(chardev);

    return class->is_used ? class->is_used(chardev) : chardev->frontend != NULL;
}

char *chardev_filename(Chardev *chardev)
{
    ChardevClass *class = CHARDEV_GET_CLASS(chardev);

    return class->filename ? class->filename(chardev) : g_strdup(class->backend);
}

gboolean chardev_is_backend(GType type)
{
    if (G_TYPE_IS_ABSTRACT(type) || !g_type_is_a(type, TYPE_CHARDEV)) {
        return FALSE;
    }
    ChardevClass *class = g_type_class_ref(type);
    gboolean is = class->backend != NULL;
    g_type_class_unref(class);
    return is;
}

static void print_type(GType type, gpointer opaque G_GNUC_UNUSED)
{
    if (chardev_is_backend(type)) {
        ChardevClass *class = g_type_class_ref(type);
        g_print("  %-8s %s\n", class->backend, VM_OBJECT_CLASS(class)->description);
        g_type_class_unref(class);
    }
}

void chardev_print_help(void)
{
    g_print("Backends of -chardev:\n");
    vm_types_foreach(print_type, NULL);
}

static void cleanup_child(VmObject *child, gpointer multiplexers)
{
    if (!multiplexers || CHARDEV_GET_CLASS(child)->port) {
        chardev_close(CHARDEV(child));
        vm_object_unparent(child);
    }
}

void chardev_cleanup(void)
{
    /* A multiplexer uses another chardev's descriptors. */
    vm_object_foreach_child(vm_object_container("chardevs"), cleanup_child, GINT_TO_POINTER(TRUE));
    vm_object_foreach_child(vm_object_container("chardevs"), cleanup_child, NULL);
}
