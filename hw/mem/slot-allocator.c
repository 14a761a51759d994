/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bitmap of the taken numbers, and above it bitmaps of the words that are full, up to one
 * word: the lowest free number is found by going down once.
 */
#include "hw/mem/slot-allocator.h"

#define WORD_BITS 64u
#define WORD_FULL UINT64_MAX

struct SlotAllocator {
    uint32_t count;
    uint32_t used;
    guint levels;
    uint64_t *words[6]; /* 64^6 > 2^32: six levels hold every count */
};

static void set_bit(uint64_t *words, uint32_t bit)
{
    words[bit / WORD_BITS] |= UINT64_C(1) << bit % WORD_BITS;
}

static gboolean test_bit(const uint64_t *words, uint32_t bit)
{
    return words[bit / WORD_BITS] >> bit % WORD_BITS & 1;
}

SlotAllocator *slot_allocator_new(uint32_t count)
{
    SlotAllocator *allocator = g_new0(SlotAllocator, 1);
    uint32_t bits = count;

    allocator->count = count;
    do {
        uint32_t words = bits / WORD_BITS + (bits % WORD_BITS != 0 || bits == 0);
        uint64_t *level = g_new0(uint64_t, words);
        /* Bits behind the end count as taken. */
        for (uint64_t bit = bits; bit < (uint64_t)words * WORD_BITS; bit++) {
            level[bit / WORD_BITS] |= UINT64_C(1) << bit % WORD_BITS;
        }
        allocator->words[allocator->levels++] = level;
        bits = words;
    } while (bits > 1);
    return allocator;
}

void slot_allocator_free(SlotAllocator *allocator)
{
    for (guint level = 0; level < allocator->levels; level++) {
        g_free(allocator->words[level]);
    }
    g_free(allocator);
}

gboolean slot_allocator_take(SlotAllocator *allocator, uint32_t slot)
{
    if (slot >= allocator->count || test_bit(allocator->words[0], slot)) {
        return FALSE;
    }
    allocator->used++;
    for (guint level = 0; level < allocator->levels; level++) {
        set_bit(allocator->words[level], slot);
        slot /= WORD_BITS;
        if (allocator->words[level][slot] != WORD_FULL) {
            break;
        }
    }
    return TRUE;
}

gboolean slot_allocator_take_lowest(SlotAllocator *allocator, uint32_t *slot)
{
    uint32_t index = 0;

    for (guint level = allocator->levels; level > 0; level--) {
        uint64_t word = allocator->words[level - 1][index];
        if (word == WORD_FULL) {
            return FALSE;
        }
        index = index * WORD_BITS + (uint32_t)__builtin_ctzll(~word);
    }
    *slot = index;
    return slot_allocator_take(allocator, index);
}

void slot_allocator_release(SlotAllocator *allocator, uint32_t slot)
{
    g_return_if_fail(slot < allocator->count && test_bit(allocator->words[0], slot));
    allocator->used--;
    for (guint level = 0; level < allocator->levels; level++) {
        allocator->words[level][slot / WORD_BITS] &= ~(UINT64_C(1) << slot % WORD_BITS);
        slot /= WORD_BITS;
    }
}

uint32_t slot_allocator_used(const SlotAllocator *allocator)
{
    return allocator->used;
}
