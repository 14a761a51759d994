/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host memory behind guest RAM: one mapping of one file, reference counted. */
#include "system/ram-block.h"

#include "util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

static gint block_count; /* atomic */

/*
 * Reserves @size bytes at a multiple of @alignment: takes @alignment more than
 * is needed and gives back both ends.
 */
static char *reserve(uint64_t size, uint64_t alignment)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t slack = alignment > page ? alignment : 0;
    char *start, *aligned;

    if (size > SIZE_MAX - slack) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    start = mmap(NULL, size + slack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED || slack == 0) {
        return start;
    }
    aligned = (char *)(((uintptr_t)start + alignment - 1) & ~(uintptr_t)(alignment - 1));
    if (aligned > start) {
        munmap(start, aligned - start);
    }
    if (aligned + size < start + size + slack) {
        munmap(aligned + size, start + slack - aligned);
    }
    return aligned;
}

/* A file that may shrink takes pages away under our feet: touching them is SIGBUS. */
static gboolean file_may_shrink(int fd)
{
    int seals;

    if (fd < 0) {
        return FALSE;
    }
    seals = fcntl(fd, F_GET_SEALS);
    return seals < 0 || !(seals & F_SEAL_SHRINK);
}

static gboolean check(const char *name, uint64_t fd_offset, uint64_t size, uint64_t page_size,
                      uint64_t alignment, GError **error)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    if (size == 0) {
        vm_error_set(error, "memory '%s': size is 0, at least one byte is needed", name);
        return FALSE;
    }
    if (alignment & (alignment - 1)) {
        vm_error_set(error, "memory '%s': alignment 0x%" PRIx64 " is not a power of two", name,
                     alignment);
        return FALSE;
    }
    if (fd_offset % MAX(page, page_size) != 0) {
        vm_error_set(error,
                     "memory '%s': offset 0x%" PRIx64 " in the file is not a multiple of the "
                     "page size 0x%" PRIx64,
                     name, fd_offset, MAX(page, page_size));
        return FALSE;
    }
    if (fd_offset > INT64_MAX || size > (uint64_t)INT64_MAX - fd_offset) {
        vm_error_set(error,
                     "memory '%s': 0x%" PRIx64 " bytes at offset 0x%" PRIx64
                     " reach beyond what a file can hold",
                     name, size, fd_offset);
        return FALSE;
    }
    return TRUE;
}

static void *map(int fd, uint64_t fd_offset, uint64_t size, uint64_t page_size, uint64_t alignment,
                 gboolean shared, gboolean read_only)
{
    int protection = read_only ? PROT_READ : PROT_READ | PROT_WRITE;
    int flags = (shared ? MAP_SHARED : MAP_PRIVATE) | (fd < 0 ? MAP_ANONYMOUS : 0);
    uint64_t page = MAX(page_size, (uint64_t)sysconf(_SC_PAGESIZE));
    uint64_t length;
    void *reserved;
    void *address;
    int saved;

    /* The kernel maps whole pages of the file (mmap(2), "Huge page (Huge TLB) mappings"). */
    length = (size + page - 1) / page * page;
    if (alignment <= page) {
        /* It also aligns to the pages of the file: a reservation would be a call for nothing. */
        return mmap(NULL, length, protection, flags, fd, (off_t)fd_offset);
    }
    reserved = reserve(length, MAX(alignment, page_size));
    if (reserved == MAP_FAILED) {
        return MAP_FAILED;
    }
    address = mmap(reserved, length, protection, flags | MAP_FIXED, fd, (off_t)fd_offset);
    if (address == MAP_FAILED) {
        saved = errno;
        munmap(reserved, length);
        errno = saved;
    }
    return address;
}

RamBlock *ram_block_new(const char *name, int fd, uint64_t fd_offset, uint64_t size,
                        uint64_t page_size, uint64_t alignment, gboolean shared, gboolean read_only,
                        GError **error)
{
    void *address = MAP_FAILED;
    RamBlock *block;

    if (check(name, fd_offset, size, page_size, alignment, error)) {
        address = map(fd, fd_offset, size, page_size, alignment, shared, read_only);
        if (address == MAP_FAILED) { /* EAGAIN (mmap(2)): -overcommit mem-lock=on */
            vm_error_set_errno(
                error, errno == EAGAIN ? ENOMEM : errno,
                "memory '%s': cannot map 0x%" PRIx64 " bytes%s", name, size,
                errno == EAGAIN ? ": the limit of locked memory (ulimit -l) is reached" : "");
        }
    }
    if (address == MAP_FAILED) {
        if (fd >= 0) {
            close(fd);
        }
        return NULL;
    }

    block = g_new0(RamBlock, 1);
    block->name = g_strdup(name);
    block->host_address = address;
    block->size = size;
    block->fd = fd;
    block->fd_offset = fd_offset;
    block->page_size = page_size ? page_size : (uint64_t)sysconf(_SC_PAGESIZE);
    block->shared = shared;
    block->read_only = read_only;
    block->may_shrink = file_may_shrink(fd);
    g_atomic_ref_count_init(&block->references);
    g_atomic_int_inc(&block_count);
    return block;
}

RamBlock *ram_block_ref(RamBlock *block)
{
    g_atomic_ref_count_inc(&block->references);
    return block;
}

void ram_block_unref(RamBlock *block)
{
    if (!g_atomic_ref_count_dec(&block->references)) {
        return;
    }
    munmap(block->host_address,
           (block->size + block->page_size - 1) / block->page_size * block->page_size);
    if (block->fd >= 0) {
        close(block->fd);
    }
    g_free(block->name);
    g_free(block);
    g_atomic_int_add(&block_count, -1);
}

guint ram_block_count(void)
{
    return (guint)g_atomic_int_get(&block_count);
}
