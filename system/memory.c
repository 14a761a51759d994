/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest-physical map of RAM and the accessors.  What changes the map is in
 * memory-transaction.c; I/O regions are in io-region.c.
 */
#include "system/memory-internal.h"

#include "util/error.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static GArray *map; /* of MemorySection, each with a reference; NULL: empty */
static uint64_t generation;
static const MemoryAccelerator no_accelerator;
static const MemoryAccelerator *accelerator = &no_accelerator;

static GArray *map_array(void)
{
    if (!map) {
        map = section_array_new();
    }
    return map;
}

/* --- the map --- */

uint64_t memory_generation(void)
{
    return generation;
}

guint memory_section_count(void)
{
    return map_array()->len;
}

GArray *memory_sections_copy(uint64_t *seen_generation)
{
    GArray *source = map_array();
    GArray *copy = g_array_sized_new(FALSE, FALSE, sizeof(MemorySection), source->len);

    g_array_append_vals(copy, source->data, source->len);
    for (guint i = 0; i < copy->len; i++) {
        ram_block_ref(g_array_index(copy, MemorySection, i).block);
    }
    if (seen_generation) {
        *seen_generation = generation;
    }
    return copy;
}

void memory_sections_free(GArray *sections)
{
    for (guint i = 0; i < sections->len; i++) {
        ram_block_unref(g_array_index(sections, MemorySection, i).block);
    }
    g_array_unref(sections);
}

const MemorySection *memory_section_find(uint64_t address)
{
    return section_array_find(map_array(), address);
}

const MemorySection *memory_map_overlap(uint64_t address, uint64_t size)
{
    return section_array_overlap(map_array(), address, size);
}

const MemorySection *memory_map_at(uint64_t address)
{
    const MemorySection *section = memory_section_find(address);

    return section && section->guest_address == address ? section : NULL;
}

gboolean memory_range_is_free(uint64_t address, uint64_t size)
{
    if (size > 0 && address + (size - 1) < address) {
        size = UINT64_MAX - address + 1; /* 0 only for the whole space */
        return size == 0 ? map_array()->len == 0 : !memory_map_overlap(address, size);
    }
    return !memory_map_overlap(address, size);
}

void memory_map_insert(const MemorySection *section)
{
    section_array_insert(map_array(), section);
    generation++;
}

void memory_map_remove(uint64_t address, MemorySection *section)
{
    *section = *memory_map_at(address);
    section_array_remove(map_array(), address);
    generation++;
}

void memory_map_skip_generations(void)
{
    generation += 2;
}

gboolean memory_section_check(const MemorySection *section, GError **error)
{
    const RamBlock *block = section->block;
    uint64_t address = section->guest_address;

    if (section->size == 0) {
        vm_error_set(error, "memory '%s': size is 0, at least one byte is needed", block->name);
        return FALSE;
    }
    if (address + (section->size - 1) < address) {
        vm_error_set(error,
                     "memory '%s': 0x%" PRIx64 " bytes at guest address 0x%" PRIx64
                     " reach beyond the end of the address space",
                     block->name, section->size, address);
        return FALSE;
    }
    if (section->block_offset > block->size ||
        section->size > block->size - section->block_offset) {
        vm_error_set(error,
                     "memory '%s': 0x%" PRIx64 " bytes at offset 0x%" PRIx64
                     " are not within its size 0x%" PRIx64,
                     block->name, section->size, section->block_offset, block->size);
        return FALSE;
    }
    return TRUE;
}

void memory_set_accelerator(const MemoryAccelerator *chosen)
{
    accelerator = chosen ? chosen : &no_accelerator;
}

const MemoryAccelerator *memory_accelerator(void)
{
    return accelerator;
}

void memory_clear(void)
{
    memory_transactions_clear();
    g_clear_pointer(&map, memory_sections_free);
}

/* --- access to RAM --- */

/*
 * Copies within our own address space.  Where the file behind @block may have
 * been truncated by somebody the kernel copies, because it answers EFAULT
 * where our own load or store would be SIGBUS.
 */
static gboolean copy_guarded(const RamBlock *block, void *destination, const void *source,
                             size_t size)
{
    struct iovec local = {.iov_base = destination, .iov_len = size};
    struct iovec remote = {.iov_base = (void *)source, .iov_len = size};
    ssize_t copied;

    if (block->may_shrink) {
        copied = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
        if (copied >= 0 || errno == EFAULT) {
            return copied == (ssize_t)size;
        }
    }
    memcpy(destination, source, size);
    return TRUE;
}

/* Bytes from @address to the end of @section, at most @size. */
static uint64_t section_span(const MemorySection *section, uint64_t address, uint64_t size)
{
    return MIN(size, section->size - (address - section->guest_address));
}

static void *section_pointer(const MemorySection *section, uint64_t address)
{
    return (char *)memory_section_host(section) + (address - section->guest_address);
}

static gboolean section_write(const MemorySection *section, uint64_t address, const void *source,
                              uint64_t size)
{
    return !section->block->read_only &&
           copy_guarded(section->block, section_pointer(section, address), source, size);
}

static gboolean section_read(const MemorySection *section, uint64_t address, void *destination,
                             uint64_t size)
{
    return copy_guarded(section->block, destination, section_pointer(section, address), size);
}

void *memory_pointer(uint64_t address, uint64_t size, MemoryDirection direction, GError **error)
{
    const MemorySection *section = memory_section_find(address);

    if (size == 0 || !section || section_span(section, address, size) < size) {
        vm_error_set(error,
                     "guest address 0x%" PRIx64 ": 0x%" PRIx64 " bytes there are not one piece "
                     "of RAM",
                     address, size);
        return NULL;
    }
    if (direction == MEMORY_WRITE && section->block->read_only) {
        vm_error_set(error, "guest address 0x%" PRIx64 ": memory '%s' is read-only", address,
                     section->block->name);
        return NULL;
    }
    return section_pointer(section, address);
}

/* TRUE if every byte is RAM, and can be written with MEMORY_WRITE. */
static gboolean range_is_ram(uint64_t address, uint64_t size, MemoryDirection direction)
{
    while (size > 0) {
        const MemorySection *section = memory_section_find(address);
        uint64_t span;

        if (!section || (direction == MEMORY_WRITE && section->block->read_only)) {
            return FALSE;
        }
        span = section_span(section, address, size);
        size -= span;
        address += span;
        if (address == 0 && size > 0) {
            return FALSE; /* beyond the last address */
        }
    }
    return TRUE;
}

gboolean memory_copy_in(void *destination, uint64_t address, uint64_t size)
{
    uint8_t *bytes = destination;

    if (!range_is_ram(address, size, MEMORY_READ)) {
        return FALSE;
    }
    while (size > 0) {
        const MemorySection *section = memory_section_find(address);
        uint64_t span = section_span(section, address, size);

        if (!section_read(section, address, bytes, span)) {
            return FALSE;
        }
        bytes += span;
        address += span;
        size -= span;
    }
    return TRUE;
}

gboolean memory_copy_out(uint64_t address, const void *source, uint64_t size)
{
    const uint8_t *bytes = source;

    if (!range_is_ram(address, size, MEMORY_WRITE)) {
        return FALSE;
    }
    while (size > 0) {
        const MemorySection *section = memory_section_find(address);
        uint64_t span = section_span(section, address, size);

        if (!section_write(section, address, bytes, span)) {
            return FALSE;
        }
        bytes += span;
        address += span;
        size -= span;
    }
    return TRUE;
}

/* --- what a CPU does --- */

/*
 * Bytes from @address, at most @size, up to the next RAM section or the end of the address space:
 * there I/O regions answer.
 */
static uint64_t io_span(AddressSpace space, uint64_t address, uint64_t size)
{
    if (address != 0 && size > 0 - address) {
        size = 0 - address;
    }
    if (space == ADDRESS_SPACE_MEMORY) {
        const MemorySection *next = memory_map_overlap(address, size);

        if (next) {
            size = next->guest_address - address;
        }
    }
    return size;
}

static const MemorySection *ram_at(AddressSpace space, uint64_t address)
{
    return space == ADDRESS_SPACE_MEMORY ? memory_section_find(address) : NULL;
}

void memory_read(AddressSpace space, uint64_t address, void *bytes, uint64_t size)
{
    uint8_t *next = bytes;

    while (size > 0) {
        /* A handler may have released the lock: each turn looks at the map anew. */
        const MemorySection *section = ram_at(space, address);
        uint64_t span;

        if (section) {
            span = section_span(section, address, size);
            if (!section_read(section, address, next, span)) {
                memset(next, 0, span);
            }
        } else {
            span = io_region_read(space, address, next, io_span(space, address, size));
        }
        next += span;
        address += span;
        size -= span;
    }
}

void memory_write(AddressSpace space, uint64_t address, const void *bytes, uint64_t size)
{
    const uint8_t *next = bytes;

    while (size > 0) {
        const MemorySection *section = ram_at(space, address);
        uint64_t span;

        if (section) {
            span = section_span(section, address, size);
            section_write(section, address, next, span); /* what cannot be stored is lost */
        } else {
            span = io_region_write(space, address, next, io_span(space, address, size));
        }
        next += span;
        address += span;
        size -= span;
    }
}
