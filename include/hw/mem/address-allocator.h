/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ranges within one area of guest addresses.  Every call is O(log n) in the number of free
 * ranges, times the number of different alignments asked for so far (usually one).  One thread
 * at a time.
 */
#ifndef HW_MEM_ADDRESS_ALLOCATOR_H
#define HW_MEM_ADDRESS_ALLOCATOR_H

#include <glib.h>
#include <stdint.h>

typedef struct AddressAllocator AddressAllocator;

/* The area [@base, @base + @size), all free; it does not wrap. */
AddressAllocator *address_allocator_new(uint64_t base, uint64_t size);
void address_allocator_free(AddressAllocator *allocator);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AddressAllocator, address_allocator_free)

/* Takes the lowest free range of @size bytes (not 0) at a multiple of @alignment (a power of two);
 * FALSE if there is none. */
gboolean address_allocator_take_lowest(AddressAllocator *allocator, uint64_t size,
                                       uint64_t alignment, uint64_t *address);
/* Takes [@address, @address + @size); FALSE if any byte of it is taken or outside of the area. */
gboolean address_allocator_take(AddressAllocator *allocator, uint64_t address, uint64_t size);
/* Gives back a range that was taken. */
void address_allocator_release(AddressAllocator *allocator, uint64_t address, uint64_t size);

/* Number of free ranges; bytes in them. */
guint address_allocator_ranges(const AddressAllocator *allocator);
uint64_t address_allocator_available(const AddressAllocator *allocator);

#endif
