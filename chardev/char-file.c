/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The null, file and pipe chardevs: what is written vanishes, or goes to a file or a FIFO. */
#include "chardev/chardev.h"
#include "util/error.h"
#include "util/fd.h"

#include <fcntl.h>
#include <stddef.h>

/* --- null --- */

typedef struct ChardevNull {
    Chardev parent;
} ChardevNull;

VM_DECLARE_TYPE(ChardevNull, chardev_null, CHARDEV_NULL)
VM_DEFINE_TYPE("chardev-null", ChardevNull, ChardevClass, chardev_null, chardev_get_type(), 0);

/* Not readable: /dev/null would be at its end, and the front end would leave. */
static gboolean chardev_null_open(Chardev *chardev, GError **error)
{
    int fd = fd_open("/dev/null", O_WRONLY | O_NONBLOCK, 0, error);

    if (fd < 0) {
        g_prefix_error(error, "chardev '%s': ", chardev->parent.id);
        return FALSE;
    }
    chardev_set_connection(chardev, -1, fd);
    return TRUE;
}

static void chardev_null_class_init(ChardevClass *class)
{
    VM_OBJECT_CLASS(class)->description = "discards what is written, gives nothing to read";
    class->backend = "null";
    class->open = chardev_null_open;
    class->attached = chardev_null_open; /* again, after an earlier front end has left */
}

static void chardev_null_init(ChardevNull *chardev G_GNUC_UNUSED)
{
}

/* --- file --- */

typedef struct ChardevFile {
    Chardev parent;
    char *path, *input_path;
    gboolean append;
} ChardevFile;

VM_DECLARE_TYPE(ChardevFile, chardev_file, CHARDEV_FILE)
VM_DEFINE_TYPE("chardev-file", ChardevFile, ChardevClass, chardev_file, chardev_get_type(), 0);

static const VmField chardev_file_fields[] = {
    {.name = "path",
     .doc = "file that is written",
     .kind = VM_FIELD_STRING,
     .offset = offsetof(ChardevFile, path),
     .flags = VM_FIELD_REQUIRED},
    {.name = "input-path",
     .doc = "file that is read",
     .kind = VM_FIELD_STRING,
     .offset = offsetof(ChardevFile, input_path)},
    {.name = "append",
     .doc = "keep what the file holds",
     .kind = VM_FIELD_BOOL,
     .offset = offsetof(ChardevFile, append)},
    {.name = NULL},
};

static gboolean open_files(Chardev *chardev, int flags, GError **error)
{
    ChardevFile *file = CHARDEV_FILE(chardev);
    int input = -1,
        output = fd_open(file->path, O_WRONLY | O_CREAT | O_NONBLOCK | flags, 0666, error);

    if (output >= 0 && file->input_path) {
        input = fd_open(file->input_path, O_RDONLY | O_NONBLOCK, 0, error);
        if (input < 0) {
            fd_clear(&output);
        }
    }
    if (output < 0) {
        g_prefix_error(error, "chardev '%s': ", chardev->parent.id);
        return FALSE;
    }
    chardev_set_connection(chardev, input, output);
    return TRUE;
}

static gboolean chardev_file_open(Chardev *chardev, GError **error)
{
    return open_files(chardev, CHARDEV_FILE(chardev)->append ? O_APPEND : O_TRUNC, error);
}

/* An earlier front end has left: what it wrote stays. */
static gboolean chardev_file_attached(Chardev *chardev, GError **error)
{
    return open_files(chardev, O_APPEND, error);
}

static void chardev_file_class_init(ChardevClass *class)
{
    VM_OBJECT_CLASS(class)->description = "writes to a file, may read from another";
    class->backend = "file";
    class->open = chardev_file_open;
    class->attached = chardev_file_attached;
    vm_object_class_install_fields(class, chardev_file_fields);
}

static void chardev_file_init(ChardevFile *file G_GNUC_UNUSED)
{
}

/* --- pipe --- */

typedef struct ChardevPipe {
    Chardev parent;
    char *path;
} ChardevPipe;

VM_DECLARE_TYPE(ChardevPipe, chardev_pipe, CHARDEV_PIPE)
VM_DEFINE_TYPE("chardev-pipe", ChardevPipe, ChardevClass, chardev_pipe, chardev_get_type(), 0);

static const VmField chardev_pipe_fields[] = {
    {.name = "path",
     .doc = "PATH.in and PATH.out are FIFOs, or PATH is one for both",
     .kind = VM_FIELD_STRING,
     .offset = offsetof(ChardevPipe, path),
     .flags = VM_FIELD_REQUIRED},
    {.name = NULL},
};

/* Open for both directions, a FIFO waits for nobody and has no end (fifo(7)). */
static gboolean chardev_pipe_open(Chardev *chardev, GError **error)
{
    const char *path = CHARDEV_PIPE(chardev)->path;
    g_autofree char *in_path = g_strconcat(path, ".in", NULL);
    g_autofree char *out_path = g_strconcat(path, ".out", NULL);
    gboolean two =
        g_file_test(in_path, G_FILE_TEST_EXISTS) || g_file_test(out_path, G_FILE_TEST_EXISTS);
    int input = fd_open(two ? in_path : path, O_RDWR | O_NONBLOCK, 0, error);
    int output = input < 0 ? -1 : two ? fd_open(out_path, O_RDWR | O_NONBLOCK, 0, error) : input;

    if (output < 0) {
        fd_clear(&input);
        g_prefix_error(error, "chardev '%s': ", chardev->parent.id);
        return FALSE;
    }
    chardev_set_connection(chardev, input, output);
    return TRUE;
}

static void chardev_pipe_class_init(ChardevClass *class)
{
    VM_OBJECT_CLASS(class)->description = "a pair of FIFOs in the file system";
    class->backend = "pipe";
    class->open = chardev_pipe_open;
    class->attached = chardev_pipe_open;
    vm_object_class_install_fields(class, chardev_pipe_fields);
}

static void chardev_pipe_init(ChardevPipe *pipe G_GNUC_UNUSED)
{
}
