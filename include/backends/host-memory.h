/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory backends: objects that own host memory for the guest (memory-backend-memfd, -file, -shm,
 * -ram).  The memory exists from object-add on.  VM lock held.
 */
#ifndef BACKENDS_HOST_MEMORY_H
#define BACKENDS_HOST_MEMORY_H

#include "system/ram-block.h"
#include "util/object.h"

typedef struct HostMemory {
    VmObject parent;
    uint64_t size; /* bytes */
    gboolean share, prealloc, merge, dump;
    uint32_t prealloc_threads;
    GArray *host_nodes; /* uint16_t or NULL */
    int policy;         /* enum HostMemPolicy: default, preferred, bind, interleave */
    RamBlock *block;    /* NULL before completion */
    gboolean mapped;    /* a device or the machine uses it as guest memory */
} HostMemory;

typedef struct HostMemoryClass {
    VmObjectClass parent;
    /* Makes @memory->block; size, share and the rest are checked for what all types share. */
    gboolean (*allocate)(HostMemory *memory, GError **error);
    gboolean share_default;
} HostMemoryClass;

#define TYPE_HOST_MEMORY (host_memory_get_type())
VM_DECLARE_TYPE(HostMemory, host_memory, HOST_MEMORY)
#define HOST_MEMORY_GET_CLASS(object)                                                              \
    (G_TYPE_INSTANCE_GET_CLASS((object), TYPE_HOST_MEMORY, HostMemoryClass))

/*
 * Claims @memory as guest memory of @user (an id or "machine"), once: FALSE
 * with @error if it is in use already.  Also counts as vm_object_use().
 */
gboolean host_memory_claim(HostMemory *memory, const char *user, GError **error);
void host_memory_unclaim(HostMemory *memory);

/* Default RAM of a machine without memory-backend: shared, sealed memfd memory named @id. New
 * reference. */
HostMemory *host_memory_new_default(const char *id, uint64_t size, GError **error);

#endif
