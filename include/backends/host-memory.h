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
    gboolean share, prealloc, merge, dump, reserve;
    uint32_t prealloc_threads;
    GArray *host_nodes; /* uint16_t or NULL */
    int policy;         /* index of "default", "preferred", "bind", "interleave": MPOL_* */
    uint64_t alignment; /* bytes: of the guest address, a power of two; 0: that of the pages */
    RamBlock *block;    /* NULL before completion */
    gboolean mapped;    /* a device or the machine uses it as guest memory */
    char *user;         /* who: an id or "machine"; NULL: nobody */
} HostMemory;

typedef struct HostMemoryClass {
    VmObjectClass parent;
    /* Makes @memory->block; size is not 0, the rest is the type's to check. */
    gboolean (*allocate)(HostMemory *memory, GError **error);
} HostMemoryClass;

#define TYPE_HOST_MEMORY (host_memory_get_type())
VM_DECLARE_TYPE(HostMemory, host_memory, HOST_MEMORY)
#define HOST_MEMORY_GET_CLASS(object)                                                              \
    (G_TYPE_INSTANCE_GET_CLASS((object), TYPE_HOST_MEMORY, HostMemoryClass))
#define HOST_MEMORY_CLASS(class) ((HostMemoryClass *)(class))

#define TYPE_HOST_MEMORY_MEMFD (host_memory_memfd_get_type())
#define TYPE_HOST_MEMORY_FILE (host_memory_file_get_type())
#define TYPE_HOST_MEMORY_SHM (host_memory_shm_get_type())
#define TYPE_HOST_MEMORY_RAM (host_memory_ram_get_type())
GType host_memory_memfd_get_type(void);
GType host_memory_file_get_type(void);
GType host_memory_shm_get_type(void);
GType host_memory_ram_get_type(void);

/*
 * Claims @memory as guest memory of @user (an id or "machine"), once: FALSE
 * with @error if it is in use already.  Also counts as vm_object_use().
 */
gboolean host_memory_claim(HostMemory *memory, const char *user, GError **error);
void host_memory_unclaim(HostMemory *memory);

/* Default RAM of a machine without memory-backend: shared, sealed memfd memory named @id. New
 * reference. */
HostMemory *host_memory_new_default(const char *id, uint64_t size, gboolean merge, gboolean dump,
                                    GError **error);

/* --- for the types of memory --- */

/* The property "share", whose default is a matter of the type. */
#define HOST_MEMORY_SHARE_FIELD(share_default)                                                     \
    {                                                                                              \
        .name = "share",                                                                           \
        .doc = "others who map the memory see the same bytes; vhost-user needs it",                \
        .kind = VM_FIELD_BOOL, .offset = G_STRUCT_OFFSET(HostMemory, share),                       \
        .default_value = (share_default)                                                           \
    }

/* Sizes and offsets come in whole pages: FALSE with @error naming @property if @value does not. */
gboolean host_memory_check_pages(HostMemory *memory, const char *property, uint64_t value,
                                 uint64_t page_size, GError **error);

/* Begins "memory backend 'ID': ...". */
#define HOST_MEMORY_ERROR "memory backend '%s': "

/* --- private to this room --- */

/* Populates all pages of the block with @threads threads; nothing is touched by us. */
gboolean host_memory_populate(HostMemory *memory, GError **error);
/* Checks host-nodes against policy; puts the mapping on them. */
gboolean host_memory_check_nodes(HostMemory *memory, GError **error);
gboolean host_memory_bind_nodes(HostMemory *memory, GError **error);

#endif
