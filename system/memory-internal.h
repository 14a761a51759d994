/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the memory map share among themselves. VM lock held. */
#ifndef SYSTEM_MEMORY_INTERNAL_H
#define SYSTEM_MEMORY_INTERNAL_H

#include "system/memory.h"

/*
 * Sorted arrays of sections that do not overlap, without references.  Found by
 * binary search; an insertion at the end moves nothing.
 */
GArray *section_array_new(void);
/* Index of the first section that ends above @address; the array's length if there is none. */
guint section_array_search(const GArray *sections, uint64_t address);
/* The section that holds @address, or NULL. */
MemorySection *section_array_find(const GArray *sections, uint64_t address);
/* The first section that touches [@address, @address + @size), or NULL; the range does not wrap. */
MemorySection *section_array_overlap(const GArray *sections, uint64_t address, uint64_t size);
/* The section's range must be free. */
void section_array_insert(GArray *sections, const MemorySection *section);
/* Takes out the section that begins at @address, if there is one. */
void section_array_remove(GArray *sections, uint64_t address);

/* The map of RAM; changed only by the transactions. */
void memory_map_insert(const MemorySection *section); /* takes over the caller's reference */
/* Takes the section at @address out of the map; the reference goes to @section. */
void memory_map_remove(uint64_t address, MemorySection *section);
/* The section that begins at @address, or NULL. */
const MemorySection *memory_map_at(uint64_t address);
const MemorySection *memory_map_overlap(uint64_t address, uint64_t size);
/* FALSE with @error for a section that is empty, wraps or leaves its block. */
gboolean memory_section_check(const MemorySection *section, GError **error);
const MemoryAccelerator *memory_accelerator(void); /* never NULL */
void memory_transactions_clear(void);

/*
 * A listener was given up: what its peer has is not what the map says.  Skips generations, so
 * that it finds itself at none that a later transaction starts from, and compares whole tables.
 */
void memory_map_skip_generations(void);

/* Time for answers, and grace behind it, in microseconds; unit tests shorten them. */
extern gint64 memory_transaction_time;
extern gint64 memory_transaction_grace;

/*
 * One step of an access in the I/O regions of @space: from @address at most @size bytes, all of
 * one handler call or all unassigned.  Returns how many bytes were done, at least 1.
 * May release the VM lock.
 */
uint64_t io_region_read(AddressSpace space, uint64_t address, uint8_t *bytes, uint64_t size);
uint64_t io_region_write(AddressSpace space, uint64_t address, const uint8_t *bytes, uint64_t size);

#endif
