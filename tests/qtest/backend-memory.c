/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The regions that a backend has, and their mappings.
 */
#include "qtest/backend-internal.h"

#include <sys/mman.h>
#include <unistd.h>

void memory_init(BackendMemory *memory)
{
    memory->regions = g_array_new(FALSE, FALSE, sizeof(MappedRegion));
    memory->generation = 1;
}

static MappedRegion *region_at(BackendMemory *memory, guint index)
{
    return &g_array_index(memory->regions, MappedRegion, index);
}

static void unmap(MappedRegion *region)
{
    if (region->mapping) {
        munmap(region->mapping, region->mapping_size);
    }
}

void memory_clear(BackendMemory *memory)
{
    for (guint i = 0; i < memory->regions->len; i++) {
        unmap(region_at(memory, i));
    }
    g_array_set_size(memory->regions, 0);
    memory->generation++;
}

void memory_free(BackendMemory *memory)
{
    memory_clear(memory);
    g_array_free(memory->regions, TRUE);
}

/* Index of the first region that begins behind @address. */
static guint upper_bound(BackendMemory *memory, uint64_t address)
{
    guint low = 0, high = memory->regions->len;

    if (high && region_at(memory, high - 1)->wire.guest_address <= address) {
        return high; /* regions mostly come in order */
    }
    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (region_at(memory, middle)->wire.guest_address <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static const char *map(MappedRegion *region, int fd)
{
    uint64_t page = sysconf(_SC_PAGESIZE);
    uint64_t offset = region->wire.mmap_offset & ~(page - 1);
    uint64_t skip = region->wire.mmap_offset - offset;
    void *mapping = mmap(NULL, region->wire.size + skip, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_NORESERVE, fd, (off_t)offset);

    if (mapping == MAP_FAILED) {
        return "the region's descriptor cannot be mapped";
    }
    region->mapping = mapping;
    region->mapping_size = region->wire.size + skip;
    region->bytes = (uint8_t *)mapping + skip;
    return NULL;
}

const char *memory_add_region(BackendMemory *memory, const VhostUserMemoryRegion *wire, int fd)
{
    guint index = upper_bound(memory, wire->guest_address);
    MappedRegion region = {.wire = *wire};
    const char *reason;

    if (index > 0) {
        MappedRegion *before = region_at(memory, index - 1);

        if (wire->guest_address - before->wire.guest_address < before->wire.size) {
            return "the region overlaps one that is there";
        }
    }
    if (index < memory->regions->len &&
        region_at(memory, index)->wire.guest_address - wire->guest_address < wire->size) {
        return "the region overlaps one that is there";
    }
    if (!memory->count_only && (reason = map(&region, fd))) {
        return reason;
    }
    g_array_insert_val(memory->regions, index, region);
    memory->generation++;
    return NULL;
}

const char *memory_remove_region(BackendMemory *memory, const VhostUserMemoryRegion *wire)
{
    guint index = upper_bound(memory, wire->guest_address);
    MappedRegion *region = index ? region_at(memory, index - 1) : NULL;

    /* "Single memory region description": these three name the region. */
    if (!region || region->wire.guest_address != wire->guest_address ||
        region->wire.size != wire->size || region->wire.user_address != wire->user_address) {
        return "the region to remove is not there";
    }
    unmap(region);
    g_array_remove_index(memory->regions, index - 1);
    memory->generation++;
    return NULL;
}

uint8_t *memory_by_guest(BackendMemory *memory, uint64_t address, uint64_t *left)
{
    guint index = upper_bound(memory, address);
    MappedRegion *region = index ? region_at(memory, index - 1) : NULL;
    uint64_t offset = region ? address - region->wire.guest_address : 0;

    if (!region || offset >= region->wire.size || !region->bytes) {
        return NULL;
    }
    *left = region->wire.size - offset;
    return region->bytes + offset;
}

uint8_t *memory_by_user(BackendMemory *memory, uint64_t address, uint64_t size)
{
    for (guint i = 0; i < memory->regions->len; i++) {
        MappedRegion *region = region_at(memory, i);
        uint64_t offset = address - region->wire.user_address;

        if (address >= region->wire.user_address && offset < region->wire.size) {
            return region->bytes && size <= region->wire.size - offset ? region->bytes + offset
                                                                       : NULL;
        }
    }
    return NULL;
}
