/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorted arrays of RAM sections. */
#include "system/memory-internal.h"

GArray *section_array_new(void)
{
    return g_array_new(FALSE, FALSE, sizeof(MemorySection));
}

static uint64_t last_byte(const MemorySection *section)
{
    return section->guest_address + (section->size - 1);
}

guint section_array_search(const GArray *sections, uint64_t address)
{
    guint low = 0;
    guint high = sections->len;

    /* Most lookups while memory is plugged are behind the last one. */
    if (high > 0 && last_byte(&g_array_index(sections, MemorySection, high - 1)) < address) {
        return high;
    }
    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (last_byte(&g_array_index(sections, MemorySection, middle)) < address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

MemorySection *section_array_overlap(const GArray *sections, uint64_t address, uint64_t size)
{
    guint index = section_array_search(sections, address);
    MemorySection *section;

    if (size == 0 || index == sections->len) {
        return NULL;
    }
    section = &g_array_index(sections, MemorySection, index);
    return section->guest_address <= address + (size - 1) ? section : NULL;
}

MemorySection *section_array_find(const GArray *sections, uint64_t address)
{
    return section_array_overlap(sections, address, 1);
}

void section_array_insert(GArray *sections, const MemorySection *section)
{
    g_array_insert_vals(sections, section_array_search(sections, section->guest_address), section,
                        1);
}

void section_array_remove(GArray *sections, uint64_t address)
{
    guint index = section_array_search(sections, address);

    if (index < sections->len &&
        g_array_index(sections, MemorySection, index).guest_address == address) {
        g_array_remove_index(sections, index);
    }
}
