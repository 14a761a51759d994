/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the pages of a memory backend come from: host NUMA nodes, and all of them at once. */
#include "backends/host-memory.h"
#include "util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* madvise(2), Linux 5.14 */
#endif

#define LONG_BITS (8 * sizeof(unsigned long))

/* --- NUMA nodes --- */

static uint16_t node_at(const HostMemory *memory, guint index)
{
    return g_array_index(memory->host_nodes, uint16_t, index);
}

gboolean host_memory_check_nodes(HostMemory *memory, GError **error)
{
    guint count = memory->host_nodes ? memory->host_nodes->len : 0;

    if (memory->policy == MPOL_DEFAULT && count > 0) {
        vm_error_set(error,
                     HOST_MEMORY_ERROR "host-nodes needs a policy: 'preferred', 'bind' or "
                                       "'interleave'",
                     memory->parent.id);
        return FALSE;
    }
    if (memory->policy != MPOL_DEFAULT && count == 0) {
        vm_error_set(error, HOST_MEMORY_ERROR "a policy other than 'default' needs host-nodes",
                     memory->parent.id);
        return FALSE;
    }
    for (guint i = 0; i < count; i++) {
        g_autofree char *path =
            g_strdup_printf("/sys/devices/system/node/node%u", node_at(memory, i));
        if (access(path, F_OK) < 0) {
            vm_error_set(error, HOST_MEMORY_ERROR "host-nodes: this host has no node %u",
                         memory->parent.id, node_at(memory, i));
            return FALSE;
        }
    }
    return TRUE;
}

/* mbind(2) directly: libnuma would look through sysfs at every start of the program. */
gboolean host_memory_bind_nodes(HostMemory *memory, GError **error)
{
    g_autofree unsigned long *mask = NULL;
    guint highest = 0;

    if (memory->policy == MPOL_DEFAULT) {
        return TRUE;
    }
    for (guint i = 0; i < memory->host_nodes->len; i++) {
        highest = MAX(highest, node_at(memory, i));
    }
    mask = g_new0(unsigned long, highest / LONG_BITS + 1);
    for (guint i = 0; i < memory->host_nodes->len; i++) {
        mask[node_at(memory, i) / LONG_BITS] |= 1ul << node_at(memory, i) % LONG_BITS;
    }
    /* The kernel takes the number of bits to be one less than it is told. */
    if (syscall(SYS_mbind, memory->block->host_address, memory->block->size, memory->policy, mask,
                (unsigned long)highest + 2, MPOL_MF_STRICT | MPOL_MF_MOVE) < 0) {
        vm_error_set_errno(error, errno,
                           HOST_MEMORY_ERROR "the host refuses these host-nodes and policy",
                           memory->parent.id);
        return FALSE;
    }
    return TRUE;
}

/* --- all pages at once --- */

typedef struct Part {
    const RamBlock *block;
    uint64_t offset;
    uint64_t size;
    int result; /* errno */
} Part;

/*
 * Never by touching: a page that the host does not have would be SIGBUS.  Kernels before 5.14
 * can take the pages of a shared file by fallocate(2).
 */
static gpointer populate_part(gpointer opaque)
{
    Part *part = opaque;
    const RamBlock *block = part->block;
    int result =
        madvise((char *)block->host_address + part->offset, part->size, MADV_POPULATE_WRITE);

    if (result < 0 && errno == EINVAL && block->fd >= 0 && block->shared) {
        result = fallocate(block->fd, FALLOC_FL_KEEP_SIZE, (off_t)(block->fd_offset + part->offset),
                           (off_t)part->size);
    }
    part->result = result < 0 ? errno : 0;
    return NULL;
}

static int populate_in_parts(const RamBlock *block, guint threads)
{
    uint64_t pages = block->size / block->page_size;
    guint count = (guint)MIN(threads, MAX(pages, 1));
    g_autofree Part *parts = g_new0(Part, count);
    g_autofree GThread **running = g_new0(GThread *, count);
    int result = 0;

    for (guint i = 0; i < count; i++) {
        uint64_t start = pages / count * i + MIN(i, pages % count);
        uint64_t end = pages / count * (i + 1) + MIN(i + 1, pages % count);
        parts[i] = (Part){block, start * block->page_size, (end - start) * block->page_size, 0};
        /* The last part, and what no thread can be had for, is done here. */
        running[i] =
            i + 1 < count ? g_thread_try_new("prealloc", populate_part, &parts[i], NULL) : NULL;
        if (!running[i]) {
            populate_part(&parts[i]);
        }
    }
    for (guint i = 0; i < count; i++) {
        if (running[i]) {
            g_thread_join(running[i]);
        }
        result = result ? result : parts[i].result;
    }
    return result;
}

gboolean host_memory_populate(HostMemory *memory, GError **error)
{
    int result = populate_in_parts(memory->block, memory->prealloc_threads);

    if (result == EINVAL) {
        vm_error_set(error,
                     HOST_MEMORY_ERROR "prealloc=on needs Linux 5.14 or newer for this kind of "
                                       "memory",
                     memory->parent.id);
    } else if (result) {
        vm_error_set_errno(error, result == EFAULT ? ENOMEM : result,
                           HOST_MEMORY_ERROR "prealloc: the host cannot give %" G_GUINT64_FORMAT
                                             " bytes",
                           memory->parent.id, memory->size);
    }
    return result == 0;
}
