/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The free ranges in a treap by address.  Each node knows, for every alignment in use, the
 * largest aligned range in its subtree; so the lowest range that fits is found by going down
 * once, however the area is fragmented.
 */
#include "hw/mem/address-allocator.h"

typedef struct Node Node;
struct Node {
    uint64_t start;
    uint64_t size;
    uint64_t priority; /* a heap by this: random, so the expected depth is logarithmic */
    Node *left;
    Node *right;
    uint64_t *largest; /* an entry for each alignment */
};

struct AddressAllocator {
    Node *root;
    GArray *alignments; /* uint64_t */
    uint64_t random;
    guint ranges;
    uint64_t available;
};

/* Bytes of [@start, @start + @size) from the first multiple of @alignment on. */
static uint64_t aligned_size(uint64_t start, uint64_t size, uint64_t alignment)
{
    uint64_t padding = -start & (alignment - 1);

    return size > padding ? size - padding : 0;
}

static void update(AddressAllocator *allocator, Node *node)
{
    for (guint i = 0; i < allocator->alignments->len; i++) {
        uint64_t alignment = g_array_index(allocator->alignments, uint64_t, i);
        uint64_t largest = aligned_size(node->start, node->size, alignment);
        if (node->left) {
            largest = MAX(largest, node->left->largest[i]);
        }
        if (node->right) {
            largest = MAX(largest, node->right->largest[i]);
        }
        node->largest[i] = largest;
    }
}

/* Splits @node in those that start below @key and the others. */
static void split(AddressAllocator *allocator, Node *node, uint64_t key, Node **low, Node **high)
{
    if (!node) {
        *low = *high = NULL;
    } else if (node->start < key) {
        split(allocator, node->right, key, &node->right, high);
        *low = node;
        update(allocator, node);
    } else {
        split(allocator, node->left, key, low, &node->left);
        *high = node;
        update(allocator, node);
    }
}

/* Joins two trees, all of @low before all of @high. */
static Node *join(AddressAllocator *allocator, Node *low, Node *high)
{
    if (!low || !high) {
        return low ? low : high;
    }
    if (low->priority > high->priority) {
        low->right = join(allocator, low->right, high);
        update(allocator, low);
        return low;
    }
    high->left = join(allocator, low, high->left);
    update(allocator, high);
    return high;
}

/* xorshift64 (Marsaglia, "Xorshift RNGs", 2003): the numbers only balance the tree. */
static uint64_t next_random(AddressAllocator *allocator)
{
    allocator->random ^= allocator->random << 13;
    allocator->random ^= allocator->random >> 7;
    allocator->random ^= allocator->random << 17;
    return allocator->random;
}

static void insert(AddressAllocator *allocator, uint64_t start, uint64_t size)
{
    Node *node, *low, *high;

    if (size == 0) {
        return;
    }
    node = g_new0(Node, 1);
    node->start = start;
    node->size = size;
    node->priority = next_random(allocator);
    node->largest = g_new(uint64_t, allocator->alignments->len);
    update(allocator, node);
    split(allocator, allocator->root, start, &low, &high);
    allocator->root = join(allocator, join(allocator, low, node), high);
    allocator->ranges++;
    allocator->available += size;
}

static void node_free(Node *node)
{
    g_free(node->largest);
    g_free(node);
}

static void remove_range(AddressAllocator *allocator, uint64_t start)
{
    Node *low, *middle, *high;

    split(allocator, allocator->root, start, &low, &high);
    split(allocator, high, start + 1, &middle, &high);
    allocator->root = join(allocator, low, high);
    allocator->ranges--;
    allocator->available -= middle->size;
    node_free(middle);
}

/* The free range with the highest start that is at most @address, or NULL. */
static Node *find_at_or_below(AddressAllocator *allocator, uint64_t address)
{
    Node *found = NULL;

    for (Node *node = allocator->root; node;) {
        if (node->start <= address) {
            found = node;
            node = node->right;
        } else {
            node = node->left;
        }
    }
    return found;
}

static void index_alignment(AddressAllocator *allocator, Node *node)
{
    if (node) {
        index_alignment(allocator, node->left);
        index_alignment(allocator, node->right);
        node->largest = g_renew(uint64_t, node->largest, allocator->alignments->len);
        update(allocator, node);
    }
}

/* The place of @alignment in every node's table; the first use of one visits all nodes. */
static guint alignment_index(AddressAllocator *allocator, uint64_t alignment)
{
    for (guint i = 0; i < allocator->alignments->len; i++) {
        if (g_array_index(allocator->alignments, uint64_t, i) == alignment) {
            return i;
        }
    }
    g_array_append_val(allocator->alignments, alignment);
    index_alignment(allocator, allocator->root);
    return allocator->alignments->len - 1;
}

AddressAllocator *address_allocator_new(uint64_t base, uint64_t size)
{
    AddressAllocator *allocator = g_new0(AddressAllocator, 1);

    allocator->alignments = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    allocator->random = 0x2545f4914f6cdd1d; /* any number but 0 */
    insert(allocator, base, size);
    return allocator;
}

static void free_all(Node *node)
{
    if (node) {
        free_all(node->left);
        free_all(node->right);
        node_free(node);
    }
}

void address_allocator_free(AddressAllocator *allocator)
{
    free_all(allocator->root);
    g_array_unref(allocator->alignments);
    g_free(allocator);
}

/* Takes a part of the free range @node. */
static void carve(AddressAllocator *allocator, const Node *node, uint64_t address, uint64_t size)
{
    uint64_t start = node->start;
    uint64_t end = node->start + node->size;

    remove_range(allocator, start);
    insert(allocator, start, address - start);
    insert(allocator, address + size, end - (address + size));
}

gboolean address_allocator_take_lowest(AddressAllocator *allocator, uint64_t size,
                                       uint64_t alignment, uint64_t *address)
{
    guint index = alignment_index(allocator, alignment);
    Node *node = allocator->root;

    if (!node || node->largest[index] < size) {
        return FALSE;
    }
    for (;;) {
        if (node->left && node->left->largest[index] >= size) {
            node = node->left;
        } else if (aligned_size(node->start, node->size, alignment) >= size) {
            break;
        } else {
            node = node->right;
        }
    }
    *address = node->start + (-node->start & (alignment - 1));
    carve(allocator, node, *address, size);
    return TRUE;
}

gboolean address_allocator_take(AddressAllocator *allocator, uint64_t address, uint64_t size)
{
    Node *node = find_at_or_below(allocator, address);

    if (!node || address - node->start >= node->size ||
        node->size - (address - node->start) < size) {
        return FALSE;
    }
    carve(allocator, node, address, size);
    return TRUE;
}

void address_allocator_release(AddressAllocator *allocator, uint64_t address, uint64_t size)
{
    Node *before = find_at_or_below(allocator, address);
    Node *after = find_at_or_below(allocator, address + size);
    uint64_t start = address;
    uint64_t end = address + size;

    if (after && after->start == end) {
        end += after->size;
        remove_range(allocator, after->start);
    }
    if (before && before->start + before->size == start) {
        start = before->start;
        remove_range(allocator, start);
    }
    insert(allocator, start, end - start);
}

guint address_allocator_ranges(const AddressAllocator *allocator)
{
    return allocator->ranges;
}

uint64_t address_allocator_available(const AddressAllocator *allocator)
{
    return allocator->available;
}
