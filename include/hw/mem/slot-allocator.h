/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers from 0 up, each taken at most once.  Every call is O(log n).  One thread at a time. */
#ifndef HW_MEM_SLOT_ALLOCATOR_H
#define HW_MEM_SLOT_ALLOCATOR_H

#include <glib.h>
#include <stdint.h>

typedef struct SlotAllocator SlotAllocator;

/* Numbers 0 to @count - 1, all free. */
SlotAllocator *slot_allocator_new(uint32_t count);
void slot_allocator_free(SlotAllocator *allocator);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SlotAllocator, slot_allocator_free)

/* Takes the lowest free number; FALSE if none is left. */
gboolean slot_allocator_take_lowest(SlotAllocator *allocator, uint32_t *slot);
/* Takes @slot; FALSE if it is taken or not below the count. */
gboolean slot_allocator_take(SlotAllocator *allocator, uint32_t slot);
/* Gives back a number that was taken. */
void slot_allocator_release(SlotAllocator *allocator, uint32_t slot);

uint32_t slot_allocator_used(const SlotAllocator *allocator);

#endif
