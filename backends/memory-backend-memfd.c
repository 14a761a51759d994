/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of an anonymous file (memfd_create(2)): what vhost-user wants.  Sealed by default, so
 * that no backend that holds the descriptor can take pages away under our mapping.
 */
#include "backends/host-memory.h"
#include "util/error.h"
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct HostMemoryMemfd {
    HostMemory parent;
    gboolean seal;
    gboolean hugetlb;
    uint64_t hugetlb_size; /* bytes; 0: the host's default */
} HostMemoryMemfd;

typedef HostMemoryClass HostMemoryMemfdClass;

static const VmField host_memory_memfd_fields[] = {
    HOST_MEMORY_SHARE_FIELD(TRUE),
    {.name = "seal",
     .doc = "nobody can resize the file",
     .kind = VM_FIELD_BOOL,
     .offset = G_STRUCT_OFFSET(HostMemoryMemfd, seal),
     .default_value = TRUE},
    {.name = "hugetlb",
     .doc = "use huge pages that the host has set aside",
     .kind = VM_FIELD_BOOL,
     .offset = G_STRUCT_OFFSET(HostMemoryMemfd, hugetlb)},
    {.name = "hugetlbsize",
     .doc = "size of the huge pages; 0 is the host's default",
     .kind = VM_FIELD_SIZE,
     .offset = G_STRUCT_OFFSET(HostMemoryMemfd, hugetlb_size)},
    {.name = NULL},
};

static gboolean check_options(HostMemoryMemfd *memfd, GError **error)
{
    HostMemory *memory = &memfd->parent;
    uint64_t huge = memfd->hugetlb_size;
    g_autofree char *path = NULL;

    if (huge && !memfd->hugetlb) {
        vm_error_set(error, HOST_MEMORY_ERROR "hugetlbsize needs hugetlb=on", memory->parent.id);
        return FALSE;
    }
    if (!memory->reserve && (memfd->hugetlb || !memory->share)) {
        vm_error_set(error,
                     HOST_MEMORY_ERROR "reserve=off is not possible with %s: the host always "
                                       "reserves it",
                     memory->parent.id, memfd->hugetlb ? "hugetlb=on" : "share=off");
        return FALSE;
    }
    path =
        g_strdup_printf("/sys/kernel/mm/hugepages/hugepages-%" G_GUINT64_FORMAT "kB", huge / 1024);
    if (huge && (huge & (huge - 1) || access(path, F_OK) < 0)) {
        vm_error_set(error,
                     HOST_MEMORY_ERROR "hugetlbsize=%" G_GUINT64_FORMAT
                                       " is not a size of huge page of this host (see "
                                       "/sys/kernel/mm/hugepages)",
                     memory->parent.id, huge);
        return FALSE;
    }
    return TRUE;
}

static int open_memfd(HostMemoryMemfd *memfd, GError **error)
{
    unsigned flags = MFD_CLOEXEC | (memfd->seal ? MFD_ALLOW_SEALING : 0);
    int fd;

    if (memfd->hugetlb) {
        flags |= MFD_HUGETLB;
    }
    if (memfd->hugetlb_size) {
        flags |= (unsigned)__builtin_ctzll(memfd->hugetlb_size) << MFD_HUGE_SHIFT;
    }
    fd = memfd_create("guest-memory", flags);
    if (fd < 0) {
        vm_error_set_errno(error, errno, HOST_MEMORY_ERROR "cannot make a%s memfd",
                           memfd->parent.parent.id, memfd->hugetlb ? " hugetlb" : "");
    }
    return fd;
}

static gboolean resize_and_seal(HostMemoryMemfd *memfd, int fd, GError **error)
{
    HostMemory *memory = &memfd->parent;

    if (ftruncate(fd, (off_t)memory->size) < 0) {
        vm_error_set_errno(error, errno,
                           HOST_MEMORY_ERROR "a memfd cannot have %" G_GUINT64_FORMAT " bytes",
                           memory->parent.id, memory->size);
        return FALSE;
    }
    if (memfd->seal && fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
        vm_error_set_errno(error, errno, HOST_MEMORY_ERROR "cannot seal the memfd",
                           memory->parent.id);
        return FALSE;
    }
    return TRUE;
}

/* st_blksize of a hugetlb file is the size of its pages. */
static uint64_t page_size_of(HostMemoryMemfd *memfd, int fd)
{
    struct stat status;

    if (memfd->hugetlb && fstat(fd, &status) == 0) {
        return (uint64_t)status.st_blksize;
    }
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

static gboolean allocate(HostMemory *memory, GError **error)
{
    HostMemoryMemfd *memfd = (HostMemoryMemfd *)memory;
    uint64_t page_size;
    int fd;

    if (!check_options(memfd, error)) {
        return FALSE;
    }
    fd = open_memfd(memfd, error);
    if (fd < 0) {
        return FALSE;
    }
    page_size = page_size_of(memfd, fd);
    if (!host_memory_check_pages(memory, "size", memory->size, page_size, error) ||
        !resize_and_seal(memfd, fd, error)) {
        fd_clear(&fd);
        return FALSE;
    }
    memory->block = ram_block_new(memory->parent.id, fd, 0, memory->size, page_size, 0,
                                  memory->share, FALSE, error);
    if (!memory->block && memfd->hugetlb) {
        g_prefix_error(error,
                       HOST_MEMORY_ERROR "has the host enough free huge pages (see "
                                         "HugePages_Free in /proc/meminfo)? ",
                       memory->parent.id);
    }
    return memory->block != NULL;
}

static void host_memory_memfd_class_init(HostMemoryMemfdClass *class)
{
    VM_OBJECT_CLASS(class)->description = "shared memory of an anonymous file";
    class->allocate = allocate;
    vm_object_class_install_fields(class, host_memory_memfd_fields);
}

static void host_memory_memfd_init(HostMemoryMemfd *memfd G_GNUC_UNUSED)
{
}

VM_DEFINE_TYPE("memory-backend-memfd", HostMemoryMemfd, HostMemoryMemfdClass, host_memory_memfd,
               TYPE_HOST_MEMORY, 0);
