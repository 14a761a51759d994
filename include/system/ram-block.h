/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host memory behind guest RAM: one mapping of one file, reference counted.
 * It stays mapped, its address range unused by others, until the last holder lets go:
 * the memory backend, the memory map, and every vhost-user session whose
 * backend still has it mapped.  Immutable after creation; any thread.
 */
#ifndef SYSTEM_RAM_BLOCK_H
#define SYSTEM_RAM_BLOCK_H

#include <glib.h>
#include <stdint.h>

typedef struct RamBlock {
    char *name;         /* of the memory backend, for messages */
    void *host_address; /* start of the mapping */
    uint64_t size;      /* bytes */
    int fd;             /* -1 for anonymous memory; owned */
    uint64_t fd_offset; /* bytes: where host_address lies in the file */
    uint64_t page_size; /* bytes: of the file system behind fd */
    gboolean shared;    /* MAP_SHARED: others who map fd see the same bytes */
    gboolean read_only;
    gboolean may_shrink; /* a file not sealed against it: touching pages that are gone is SIGBUS */
    gatomicrefcount references;
} RamBlock;

/*
 * Maps @size bytes of @fd at @fd_offset (or anonymous memory with @fd -1).
 * Takes ownership of @fd also on failure.  @alignment (a power of two of bytes, 0: page size) of
 * the host address.  NULL with @error naming @name.
 */
RamBlock *ram_block_new(const char *name, int fd, uint64_t fd_offset, uint64_t size,
                        uint64_t page_size, uint64_t alignment, gboolean shared, gboolean read_only,
                        GError **error);
RamBlock *ram_block_ref(RamBlock *block);
void ram_block_unref(RamBlock *block);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RamBlock, ram_block_unref)

/* Number of blocks that exist; for leak tests. */
guint ram_block_count(void);

#endif
