/* SPDX-License-Identifier: GPL-2.0-or-later */
/* POSIX shared memory without a name: for hosts and backends that know no memfd. */
#include "backends/host-memory.h"
#include "util/error.h"
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

typedef HostMemory HostMemoryShm;
typedef HostMemoryClass HostMemoryShmClass;

static const VmField host_memory_shm_fields[] = {HOST_MEMORY_SHARE_FIELD(TRUE), {.name = NULL}};

/* A new object, unlinked at once.  -1 with errno. */
static int open_unnamed(void)
{
    static guint number;
    int fd;

    do {
        g_autofree char *name = g_strdup_printf("/hotslot-%ld-%u", (long)getpid(), number++);
        fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0) {
            shm_unlink(name);
        }
    } while (fd < 0 && errno == EEXIST);
    return fd;
}

static gboolean allocate(HostMemory *memory, GError **error)
{
    uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
    int fd;

    if (!memory->share) {
        vm_error_set(error,
                     HOST_MEMORY_ERROR "share=off: POSIX shared memory is always shared; use "
                                       "memory-backend-ram for private memory",
                     memory->parent.id);
        return FALSE;
    }
    if (!host_memory_check_pages(memory, "size", memory->size, page_size, error)) {
        return FALSE;
    }
    fd = open_unnamed();
    if (fd < 0 || ftruncate(fd, (off_t)memory->size) < 0) {
        vm_error_set_errno(error, errno,
                           HOST_MEMORY_ERROR "cannot make %" G_GUINT64_FORMAT
                                             " bytes of POSIX shared memory",
                           memory->parent.id, memory->size);
        fd_clear(&fd);
        return FALSE;
    }
    memory->block =
        ram_block_new(memory->parent.id, fd, 0, memory->size, page_size, 0, TRUE, FALSE, error);
    return memory->block != NULL;
}

static void host_memory_shm_class_init(HostMemoryShmClass *class)
{
    VM_OBJECT_CLASS(class)->description = "POSIX shared memory without a name";
    class->allocate = allocate;
    vm_object_class_install_fields(class, host_memory_shm_fields);
}

static void host_memory_shm_init(HostMemoryShm *memory G_GNUC_UNUSED)
{
}

VM_DEFINE_TYPE("memory-backend-shm", HostMemoryShm, HostMemoryShmClass, host_memory_shm,
               TYPE_HOST_MEMORY, 0);
