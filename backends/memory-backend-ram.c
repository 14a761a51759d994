/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Anonymous memory; vhost-user devices cannot reach it. */
#include "backends/host-memory.h"
#include "util/error.h"

#include <unistd.h>

typedef HostMemory HostMemoryRam;
typedef HostMemoryClass HostMemoryRamClass;

static const VmField host_memory_ram_fields[] = {HOST_MEMORY_SHARE_FIELD(FALSE), {.name = NULL}};

static gboolean allocate(HostMemory *memory, GError **error)
{
    uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);

    if (memory->share) {
        vm_error_set(error,
                     HOST_MEMORY_ERROR "share=on: anonymous memory has no file that others could "
                                       "map; use memory-backend-memfd",
                     memory->parent.id);
        return FALSE;
    }
    if (!memory->reserve) {
        vm_error_set(error,
                     HOST_MEMORY_ERROR "reserve=off is for shared memory; use "
                                       "memory-backend-memfd",
                     memory->parent.id);
        return FALSE;
    }
    if (!host_memory_check_pages(memory, "size", memory->size, page_size, error)) {
        return FALSE;
    }
    memory->block =
        ram_block_new(memory->parent.id, -1, 0, memory->size, page_size, 0, FALSE, FALSE, error);
    return memory->block != NULL;
}

static void host_memory_ram_class_init(HostMemoryRamClass *class)
{
    VM_OBJECT_CLASS(class)->description = "anonymous memory, private to the emulator";
    class->allocate = allocate;
    vm_object_class_install_fields(class, host_memory_ram_fields);
}

static void host_memory_ram_init(HostMemoryRam *memory G_GNUC_UNUSED)
{
}

VM_DEFINE_TYPE("memory-backend-ram", HostMemoryRam, HostMemoryRamClass, host_memory_ram,
               TYPE_HOST_MEMORY, 0);
