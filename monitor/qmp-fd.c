/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors that a client sends with its commands over a unix socket (SCM_RIGHTS, unix(7)). */
#include "monitor/qmp.h"

#include "util/fd.h"

#include <unistd.h>

/* -1 with @error if no descriptor came with the command being run. */
static int take_fd(const char *command, GError **error)
{
    int fd = qmp_request_take_fd(NULL);

    if (fd < 0) {
        vm_error_set(error,
                     "%s: No file descriptor supplied via SCM_RIGHTS; send one with the command "
                     "over a unix socket",
                     command);
    }
    return fd;
}

static json_object *getfd(json_object *arguments, GError **error)
{
    const char *name = qmp_string(arguments, "fdname");
    int fd = take_fd("getfd", error);

    if (fd < 0) {
        return NULL;
    }
    if (!*name || g_ascii_isdigit(*name)) {
        vm_error_set(error, "Parameter 'fdname' expects a name not starting with a digit, got '%s'",
                     name);
        close(fd);
        return NULL;
    }
    fd_names_put(name, fd);
    return NULL;
}

static json_object *closefd(json_object *arguments, GError **error)
{
    const char *name = qmp_string(arguments, "fdname");
    int fd = fd_names_take(name);

    if (fd < 0) {
        vm_error_set(error, "File descriptor named '%s' not found", name);
        return NULL;
    }
    close(fd);
    return NULL;
}

static json_object *add_fd(json_object *arguments, GError **error)
{
    gint64 set_id = qmp_int(arguments, "fdset-id", -1);
    json_object *answer;
    int fd = take_fd("add-fd", error);

    if (fd < 0) {
        return NULL;
    }
    if (set_id < 0 && json_object_object_get_ex(arguments, "fdset-id", NULL)) {
        vm_error_set(error,
                     "Parameter 'fdset-id' expects a non-negative value, got %" G_GINT64_FORMAT,
                     set_id);
        close(fd);
        return NULL;
    }
    if (!fd_set_add(&set_id, fd, qmp_string(arguments, "opaque"), error)) {
        close(fd);
        return NULL;
    }
    answer = json_object_new_object();
    json_add_int(answer, "fdset-id", set_id);
    json_add_int(answer, "fd", fd);
    return answer;
}

static json_object *remove_fd(json_object *arguments, GError **error)
{
    gint64 fd = qmp_int(arguments, "fd", -1);

    if (json_object_object_get_ex(arguments, "fd", NULL) && (fd < 0 || fd > G_MAXINT)) {
        vm_error_set(
            error, "Parameter 'fd' expects the number of a descriptor, got %" G_GINT64_FORMAT, fd);
        return NULL;
    }
    fd_set_remove(qmp_int(arguments, "fdset-id", -1), (int)fd, error);
    return NULL;
}

static void describe_set(gint64 set_id, GArray *entries, gpointer list)
{
    json_object *set = json_object_new_object();
    json_object *descriptors = json_object_new_array();

    for (guint i = 0; i < entries->len; i++) {
        const FdSetEntry *entry = &g_array_index(entries, FdSetEntry, i);
        json_object *descriptor = json_object_new_object();

        json_add_int(descriptor, "fd", entry->fd);
        if (entry->opaque) {
            json_add_string(descriptor, "opaque", entry->opaque);
        }
        json_object_array_add(descriptors, descriptor);
    }
    json_add_int(set, "fdset-id", set_id);
    json_object_object_add(set, "fds", descriptors);
    json_object_array_add(list, set);
}

static json_object *query_fdsets(json_object *arguments G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    json_object *list = json_object_new_array();

    fd_set_foreach(describe_set, list);
    return list;
}

static const QmpCommand commands[] = {
    {.name = "getfd",
     .arguments = "fdname:str",
     .doc = "Keeps the descriptor that came with the command under a name, for options that take "
            "one. A descriptor that had the name is closed.",
     .run = getfd},
    {.name = "closefd",
     .arguments = "fdname:str",
     .doc = "Closes a descriptor that getfd has kept.",
     .run = closefd},
    {.name = "add-fd",
     .arguments = "*fdset-id:int, *opaque:str",
     .returns = "AddfdInfo",
     .doc = "Adds the descriptor that came with the command to a set, a new one without "
            "fdset-id. The file name /dev/fdset/N then opens it.",
     .run = add_fd},
    {.name = "remove-fd",
     .arguments = "fdset-id:int, *fd:int",
     .doc = "Removes one descriptor from a set, or all of them.",
     .run = remove_fd},
    {.name = "query-fdsets",
     .returns = "[FdsetInfo]",
     .doc = "All sets of descriptors.",
     .run = query_fdsets},
    {.name = NULL},
};

static const QmpType types[] = {
    {.name = "AddfdInfo",
     .kind = QMP_OBJECT,
     .members = "fdset-id:int, fd:int",
     .doc = "The set, and the number of the descriptor in this program."},
    {.name = "FdsetFdInfo",
     .kind = QMP_OBJECT,
     .members = "fd:int, *opaque:str",
     .doc = "A descriptor, and what the client had to say about it."},
    {.name = "FdsetInfo",
     .kind = QMP_OBJECT,
     .members = "fdset-id:int, fds:[FdsetFdInfo]",
     .doc = "A set of descriptors."},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, types);
