/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The base class of chardevs: one connection, one front end, and the rules
 * between them.  How connections are made is each type's own part.
 */
#include "chardev/chardev.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/trace.h"

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
    {.name = NULL},
};

static void drop_connection(Chardev *chardev)
{
    if (chardev->output == chardev->input) {
        chardev->output = -1;
    }
    fd_clear(&chardev->input);
    fd_clear(&chardev->output);
    chardev->connected = FALSE;
}

static void close_for_good(Chardev *chardev)
{
    drop_connection(chardev);
    if (CHARDEV_GET_CLASS(chardev)->close) {
        CHARDEV_GET_CLASS(chardev)->close(chardev);
    }
}

static void chardev_dispose(GObject *object)
{
    close_for_good(CHARDEV(object));
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
    chardev->input = chardev->output = -1;
}

Chardev *chardev_find(const char *id)
{
    return (Chardev *)vm_object_find("chardevs", id);
}

gboolean chardev_remove(const char *id, GError **error)
{
    Chardev *chardev = chardev_find(id);

    if (!chardev) {
        vm_error_set(error, "Chardev '%s' not found", id);
        return FALSE;
    }
    if (chardev->frontend || chardev->parent.users) {
        vm_error_set(error, "Chardev '%s' is busy: it is used by %s", id,
                     chardev->frontend ? chardev->frontend->user : "another object");
        return FALSE;
    }
    close_for_good(chardev);
    vm_object_unparent(&chardev->parent);
    return TRUE;
}

gboolean chardev_attach(Chardev *chardev, const ChardevFrontend *frontend, GError **error)
{
    ChardevClass *class = CHARDEV_GET_CLASS(chardev);

    if (chardev->frontend) {
        vm_error_set(error, "chardev '%s' is already in use by %s", chardev->parent.id,
                     chardev->frontend->user);
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

gboolean chardev_check_socket(Chardev *chardev, GError **error)
{
    const char *backend = CHARDEV_GET_CLASS(chardev)->backend;

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
    chardev->input = input;
    chardev->output = output;
    chardev->connected = TRUE;
    trace(chardev_connected, "%s", chardev->parent.id);
    if (chardev->frontend) {
        chardev->frontend->opened(chardev->frontend->opaque, input, output);
    }
}

char *chardev_filename(Chardev *chardev)
{
    ChardevClass *class = CHARDEV_GET_CLASS(chardev);

    return class->filename ? class->filename(chardev) : g_strdup(class->backend);
}

static void print_type(GType type, gpointer opaque G_GNUC_UNUSED)
{
    if (!G_TYPE_IS_ABSTRACT(type) && g_type_is_a(type, TYPE_CHARDEV)) {
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

static void cleanup_child(VmObject *child, gpointer opaque G_GNUC_UNUSED)
{
    close_for_good(CHARDEV(child));
    vm_object_unparent(child);
}

void chardev_cleanup(void)
{
    vm_object_foreach_child(vm_object_container("chardevs"), cleanup_child, NULL);
}
