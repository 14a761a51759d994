/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all memory backends share: properties, use as guest memory, what is asked of the kernel. */
#include "backends/host-memory.h"

#include "util/error.h"

#include <errno.h>
#include <sys/mman.h>

static const char *const policies[] = {"default", "preferred", "bind", "interleave", NULL};

static const VmField host_memory_fields[] = {
    {.name = "size",
     .doc = "bytes of memory, in whole pages",
     .kind = VM_FIELD_SIZE,
     .offset = G_STRUCT_OFFSET(HostMemory, size),
     .flags = VM_FIELD_REQUIRED},
    {.name = "prealloc",
     .doc = "take all pages from the host at once",
     .kind = VM_FIELD_BOOL,
     .offset = G_STRUCT_OFFSET(HostMemory, prealloc)},
    {.name = "prealloc-threads",
     .doc = "number of threads that take them",
     .kind = VM_FIELD_UINT32,
     .offset = G_STRUCT_OFFSET(HostMemory, prealloc_threads),
     .default_value = 1,
     .minimum = 1,
     .maximum = 1024},
    {.name = "merge",
     .doc = "let the host merge equal pages of private memory",
     .kind = VM_FIELD_BOOL,
     .offset = G_STRUCT_OFFSET(HostMemory, merge),
     .default_value = TRUE},
    {.name = "dump",
     .doc = "put the memory into core dumps of the emulator",
     .kind = VM_FIELD_BOOL,
     .offset = G_STRUCT_OFFSET(HostMemory, dump),
     .default_value = TRUE},
    {.name = "reserve",
     .doc = "let the host set memory aside where it does so",
     .kind = VM_FIELD_BOOL,
     .offset = G_STRUCT_OFFSET(HostMemory, reserve),
     .default_value = TRUE},
    {.name = "host-nodes",
     .doc = "host NUMA nodes that the memory comes from",
     .kind = VM_FIELD_UINT16_LIST,
     .offset = G_STRUCT_OFFSET(HostMemory, host_nodes)},
    {.name = "policy",
     .doc = "how the nodes are used",
     .kind = VM_FIELD_ENUM,
     .offset = G_STRUCT_OFFSET(HostMemory, policy),
     .names = policies},
    {.name = NULL},
};

gboolean host_memory_check_pages(HostMemory *memory, const char *property, uint64_t value,
                                 uint64_t page_size, GError **error)
{
    if (value % page_size != 0) {
        vm_error_set(error,
                     HOST_MEMORY_ERROR "%s=%" G_GUINT64_FORMAT
                                       " is not a multiple of the page size, %" G_GUINT64_FORMAT,
                     memory->parent.id, property, value, page_size);
        return FALSE;
    }
    return TRUE;
}

/* A mapping may be dumped and is not merged by default: only the other wishes cost a call. */
static gboolean advise(HostMemory *memory, GError **error)
{
    RamBlock *block = memory->block;

    if (!memory->dump && madvise(block->host_address, block->size, MADV_DONTDUMP) < 0) {
        vm_error_set_errno(error, errno, HOST_MEMORY_ERROR "dump=off failed", memory->parent.id);
        return FALSE;
    }
    /* The kernel merges private anonymous pages only (madvise(2), MADV_MERGEABLE); a kernel
     * without KSM just does not merge. */
    if (memory->merge && !memory->share) {
        madvise(block->host_address, block->size, MADV_MERGEABLE);
    }
    return TRUE;
}

static gboolean complete(VmObject *object, GError **error)
{
    HostMemory *memory = HOST_MEMORY(object);

    if (memory->size == 0) {
        vm_error_set(error, HOST_MEMORY_ERROR "size is missing or 0: give it in bytes, as size=1G",
                     object->id);
        return FALSE;
    }
    return host_memory_check_nodes(memory, error) &&
           HOST_MEMORY_GET_CLASS(memory)->allocate(memory, error) && advise(memory, error) &&
           host_memory_bind_nodes(memory, error) &&
           (!memory->prealloc || host_memory_populate(memory, error));
}

static void finalize(GObject *object)
{
    HostMemory *memory = HOST_MEMORY(object);
    GObjectClass *parent = g_type_class_peek(VM_TYPE_OBJECT);

    g_clear_pointer(&memory->block, ram_block_unref);
    g_free(memory->user);
    parent->finalize(object);
}

static void host_memory_class_init(HostMemoryClass *class)
{
    VM_OBJECT_CLASS(class)->complete = complete;
    VM_OBJECT_CLASS(class)->noun = "memory backend";
    G_OBJECT_CLASS(class)->finalize = finalize;
    vm_object_class_install_fields(class, host_memory_fields);
}

static void host_memory_init(HostMemory *memory G_GNUC_UNUSED)
{
}

VM_DEFINE_TYPE("memory-backend", HostMemory, HostMemoryClass, host_memory, VM_TYPE_OBJECT,
               G_TYPE_FLAG_ABSTRACT);

gboolean host_memory_claim(HostMemory *memory, const char *user, GError **error)
{
    if (memory->mapped) {
        vm_error_set(error, "memory backend '%s' is already in use by '%s'", memory->parent.id,
                     memory->user);
        return FALSE;
    }
    memory->mapped = TRUE;
    memory->user = g_strdup(user);
    vm_object_use(VM_OBJECT(memory));
    return TRUE;
}

void host_memory_unclaim(HostMemory *memory)
{
    memory->mapped = FALSE;
    g_clear_pointer(&memory->user, g_free);
    vm_object_release(VM_OBJECT(memory));
}

HostMemory *host_memory_new_default(const char *id, uint64_t size, gboolean merge, gboolean dump,
                                    GError **error)
{
    g_autoptr(VmObject) object = vm_object_new(TYPE_HOST_MEMORY_MEMFD, id, error);

    if (!object) {
        return NULL;
    }
    HOST_MEMORY(object)->size = size;
    HOST_MEMORY(object)->merge = merge;
    HOST_MEMORY(object)->dump = dump;
    if (!complete(object, error)) {
        return NULL;
    }
    object->frozen = TRUE;
    return HOST_MEMORY(g_steal_pointer(&object));
}
