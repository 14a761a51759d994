/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mapping a part of a file, checking that the file is as long as the front-end says, and replacing
 * the mapping by zeros when it turns out later that the file was cut.
 */
#include "file-mapping.h"

#include <errno.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

/* mmap() wants offsets, and munmap() lengths, in whole pages of the file: those of hugetlbfs are
 * larger than the processor's.  A file with small blocks is none of its. */
static uint64_t page_size_of(int fd, const struct stat *file)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct statfs system;

    if (file->st_blksize > (blksize_t)page && fstatfs(fd, &system) == 0 &&
        system.f_type == HUGETLBFS_MAGIC && system.f_bsize > 0) {
        page = (uint64_t)system.f_bsize;
    }
    return page;
}

static const char *reason_of_mmap(int error)
{
    switch (error) {
    case EACCES:
        return "the file is not open for reading and writing";
    case EPERM:
        return "the file is sealed against writing";
    case ENODEV:
        return "the descriptor is of a kind that cannot be mapped";
    case ENOMEM:
        return "there is no address space or no mapping left";
    case EAGAIN:
        return "the process may lock no more memory";
    default:
        return "the file cannot be mapped";
    }
}

const char *vhost_user_file_check(const struct stat *file, uint64_t offset, uint64_t size)
{
    if (offset > INT64_MAX || size > INT64_MAX - offset) {
        return "offset plus size is more than a file can have";
    }
    /* A device does not tell its size. */
    if (S_ISREG(file->st_mode) && offset + size > (uint64_t)file->st_size) {
        return "the file is shorter than offset plus size";
    }
    return NULL;
}

int vhost_user_file_map(VhostUserFileMapping *mapping, int fd, uint64_t offset, uint64_t size,
                        struct stat *file, const char **reason)
{
    uint64_t page, start;
    void *pages;

    if (fstat(fd, file) != 0) {
        *reason = "there is no usable descriptor";
        return -errno;
    }
    *reason = vhost_user_file_check(file, offset, size);
    if (*reason) {
        return -EINVAL;
    }
    page = page_size_of(fd, file);
    start = offset / page * page;
    mapping->pages_size = (offset + size - start + page - 1) / page * page;
    pages = mmap(NULL, mapping->pages_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
                 (off_t)start);
    if (pages == MAP_FAILED) {
        *reason = reason_of_mmap(errno);
        return -errno;
    }
    /* The guest's memory is its own matter; a core file of ours could hold terabytes of it. */
    madvise(pages, mapping->pages_size, MADV_DONTDUMP);
    mapping->pages = pages;
    mapping->bytes = (uint8_t *)pages + (offset - start);
    return 0;
}

void vhost_user_file_unmap(const VhostUserFileMapping *mapping)
{
    munmap(mapping->pages, mapping->pages_size);
}

bool vhost_user_file_recover_fault(void *pages, size_t pages_size, void *address)
{
    int saved = errno; /* of the code that was interrupted */
    bool recovered =
        (uintptr_t)address - (uintptr_t)pages < pages_size &&
        mmap(pages, pages_size, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED;

    errno = saved;
    return recovered;
}
