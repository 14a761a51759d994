/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of a file that the user names: a file of tmpfs or hugetlbfs, an ordinary file, an
 * inherited descriptor (/dev/fdset/N), or an unnamed file in a directory.
 */
#include "backends/host-memory.h"
#include "util/error.h"
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

typedef struct HostMemoryFile {
    HostMemory parent;
    char *path;
    uint64_t offset; /* bytes */
    gboolean discard_data;
    gboolean read_only;
    gboolean pmem;
} HostMemoryFile;

typedef HostMemoryClass HostMemoryFileClass;

static const VmField host_memory_file_fields[] = {
    HOST_MEMORY_SHARE_FIELD(FALSE),
    {.name = "mem-path",
     .doc = "the file, or a directory in which an unnamed one is made",
     .kind = VM_FIELD_STRING,
     .offset = G_STRUCT_OFFSET(HostMemoryFile, path),
     .flags = VM_FIELD_REQUIRED},
    {.name = "offset",
     .doc = "where in the file the memory begins, in whole pages",
     .kind = VM_FIELD_SIZE,
     .offset = G_STRUCT_OFFSET(HostMemoryFile, offset)},
    {.name = "align",
     .doc = "alignment in the emulator's address space and the guest's, a power of two",
     .kind = VM_FIELD_SIZE,
     .offset = G_STRUCT_OFFSET(HostMemory, alignment)},
    {.name = "discard-data",
     .doc = "give the pages back to the host when the object goes",
     .kind = VM_FIELD_BOOL,
     .offset = G_STRUCT_OFFSET(HostMemoryFile, discard_data)},
    {.name = "readonly",
     .doc = "only off: guest memory is written to",
     .kind = VM_FIELD_BOOL,
     .offset = G_STRUCT_OFFSET(HostMemoryFile, read_only)},
    {.name = "pmem",
     .doc = "only off: persistence is not promised",
     .kind = VM_FIELD_BOOL,
     .offset = G_STRUCT_OFFSET(HostMemoryFile, pmem)},
    {.name = NULL},
};

/* What has been opened, and whether it is ours to remove when the rest fails. */
typedef struct Opened {
    int fd;
    gboolean created;
} Opened;

static gboolean fail(HostMemoryFile *file, int code, const char *what, GError **error)
{
    vm_error_set_errno(error, code, HOST_MEMORY_ERROR "%s '%s'", file->parent.parent.id, what,
                       file->path);
    return FALSE;
}

/* Not every file system knows O_TMPFILE: then a name for a moment. */
static gboolean open_unnamed(HostMemoryFile *file, Opened *opened, GError **error)
{
    g_autofree char *name = NULL;

    opened->fd = open(file->path, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (opened->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        name = g_build_filename(file->path, "hotslot-XXXXXX", NULL);
        opened->fd = mkostemp(name, O_CLOEXEC);
        if (opened->fd >= 0) {
            unlink(name);
        }
    }
    return opened->fd >= 0 || fail(file, errno, "cannot make a file in the directory", error);
}

static gboolean open_path(HostMemoryFile *file, Opened *opened, GError **error)
{
    if (g_str_has_prefix(file->path, "/dev/fdset/")) {
        opened->fd = fd_open(file->path, O_RDWR, 0, error);
        if (opened->fd < 0) {
            g_prefix_error(error, HOST_MEMORY_ERROR, file->parent.parent.id);
        }
        return opened->fd >= 0;
    }
    /* A fifo or a device must not stop us here. */
    opened->fd = open(file->path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (opened->fd < 0 && errno == EISDIR) {
        return open_unnamed(file, opened, error);
    }
    if (opened->fd < 0 && errno == ENOENT) {
        opened->fd = open(file->path, O_RDWR | O_CLOEXEC | O_CREAT | O_EXCL, 0644);
        opened->created = opened->fd >= 0;
        return opened->created || fail(file, errno, "cannot create mem-path", error);
    }
    return opened->fd >= 0 || fail(file, errno, "cannot open mem-path", error);
}

/* An empty file is made large enough; one with data is never touched by us. */
static gboolean fit(HostMemoryFile *file, int fd, uint64_t wanted, GError **error)
{
    struct stat status;

    if (fstat(fd, &status) < 0) {
        return fail(file, errno, "cannot examine mem-path", error);
    }
    if (!S_ISREG(status.st_mode)) {
        vm_error_set(error, HOST_MEMORY_ERROR "mem-path '%s' is neither a file nor a directory",
                     file->parent.parent.id, file->path);
        return FALSE;
    }
    if ((uint64_t)status.st_size >= wanted) {
        return TRUE;
    }
    if (status.st_size > 0) {
        vm_error_set(error,
                     HOST_MEMORY_ERROR "mem-path '%s' has %" G_GUINT64_FORMAT
                                       " bytes, offset and size need %" G_GUINT64_FORMAT,
                     file->parent.parent.id, file->path, (uint64_t)status.st_size, wanted);
        return FALSE;
    }
    return ftruncate(fd, (off_t)wanted) == 0 ||
           fail(file, errno, "cannot give size's bytes to mem-path", error);
}

static uint64_t page_size_of(int fd)
{
    struct statfs status;

    if (fstatfs(fd, &status) == 0 && status.f_type == HUGETLBFS_MAGIC) {
        return (uint64_t)status.f_bsize;
    }
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

static gboolean check_options(HostMemoryFile *file, GError **error)
{
    HostMemory *memory = &file->parent;

    if (file->read_only || file->pmem) {
        vm_error_set(error, HOST_MEMORY_ERROR "%s=on is not supported, only %s=off",
                     memory->parent.id, file->read_only ? "readonly" : "pmem",
                     file->read_only ? "readonly" : "pmem");
        return FALSE;
    }
    if (!memory->reserve && !memory->share) {
        vm_error_set(error, HOST_MEMORY_ERROR "reserve=off is for shared memory: add share=on",
                     memory->parent.id);
        return FALSE;
    }
    if (memory->alignment & (memory->alignment - 1)) {
        vm_error_set(error, HOST_MEMORY_ERROR "align=%" G_GUINT64_FORMAT " is not a power of two",
                     memory->parent.id, memory->alignment);
        return FALSE;
    }
    if (memory->size > (uint64_t)INT64_MAX - MIN(file->offset, (uint64_t)INT64_MAX)) {
        vm_error_set(error, HOST_MEMORY_ERROR "offset and size reach beyond what a file can hold",
                     memory->parent.id);
        return FALSE;
    }
    return TRUE;
}

static gboolean map(HostMemoryFile *file, Opened *opened, GError **error)
{
    HostMemory *memory = &file->parent;
    uint64_t page_size = page_size_of(opened->fd);

    if (!host_memory_check_pages(memory, "size", memory->size, page_size, error) ||
        !host_memory_check_pages(memory, "offset", file->offset, page_size, error) ||
        !fit(file, opened->fd, file->offset + memory->size, error)) {
        fd_clear(&opened->fd);
        return FALSE;
    }
    memory->block = ram_block_new(memory->parent.id, opened->fd, file->offset, memory->size,
                                  page_size, memory->alignment, memory->share, FALSE, error);
    return memory->block != NULL;
}

static gboolean allocate(HostMemory *memory, GError **error)
{
    HostMemoryFile *file = (HostMemoryFile *)memory;
    Opened opened = {-1, FALSE};

    if (!file->path || !*file->path) {
        vm_error_set(error, HOST_MEMORY_ERROR "mem-path is missing: name a file or a directory",
                     memory->parent.id);
        return FALSE;
    }
    if (!check_options(file, error) || !open_path(file, &opened, error)) {
        return FALSE;
    }
    if (!map(file, &opened, error)) {
        if (opened.created) {
            unlink(file->path);
        }
        return FALSE;
    }
    return TRUE;
}

/* Only of memory that was in nobody's use, so no backend works on it any more. */
static void dispose(GObject *object)
{
    HostMemoryFile *file = (HostMemoryFile *)object;
    GObjectClass *parent = g_type_class_peek(TYPE_HOST_MEMORY);
    const RamBlock *block = file->parent.block;

    if (block && file->discard_data && file->parent.share) {
        fallocate(block->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)block->fd_offset,
                  (off_t)block->size);
        file->discard_data = FALSE;
    }
    parent->dispose(object);
}

static void host_memory_file_class_init(HostMemoryFileClass *class)
{
    VM_OBJECT_CLASS(class)->description = "memory of a file";
    G_OBJECT_CLASS(class)->dispose = dispose;
    class->allocate = allocate;
    vm_object_class_install_fields(class, host_memory_file_fields);
}

static void host_memory_file_init(HostMemoryFile *file G_GNUC_UNUSED)
{
}

VM_DEFINE_TYPE("memory-backend-file", HostMemoryFile, HostMemoryFileClass, host_memory_file,
               TYPE_HOST_MEMORY, 0);
