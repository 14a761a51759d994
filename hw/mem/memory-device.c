/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who has which slot and which guest addresses of the machine's hot-plug area. */
#include "hw/mem/memory-device.h"

#include "hw/mem/address-allocator.h"
#include "hw/mem/slot-allocator.h"
#include "util/error.h"
#include "util/size.h"

#include <inttypes.h>

static struct Area {
    uint64_t base, size;     /* bytes */
    uint64_t maximum, total; /* bytes of memory that may be, and are, in it */
    uint32_t slots;
    SlotAllocator *free_slots;
    AddressAllocator *free_addresses;
    GPtrArray *by_slot; /* grows to the highest slot that was used */
    GTree *by_address;
} area;

static MemoryDeviceOps ops;

static int compare(gconstpointer left, gconstpointer right, gpointer opaque G_GNUC_UNUSED)
{
    uint64_t first = *(const uint64_t *)left;
    uint64_t second = *(const uint64_t *)right;

    return first < second ? -1 : first > second;
}

void memory_device_area_set(uint64_t base, uint64_t size, uint64_t maximum, uint32_t slots)
{
    memory_device_area_clear();
    area = (struct Area){.base = base, .size = size, .maximum = maximum, .slots = slots};
    if (slots > 0) {
        area.free_slots = slot_allocator_new(slots);
        area.free_addresses = address_allocator_new(base, size);
        area.by_slot = g_ptr_array_new();
        area.by_address = g_tree_new_full(compare, NULL, NULL, NULL);
    }
}

void memory_device_area_get(uint64_t *base, uint64_t *size)
{
    *base = area.base;
    *size = area.slots > 0 ? area.size : 0;
}

void memory_device_area_clear(void)
{
    g_clear_pointer(&area.free_slots, slot_allocator_free);
    g_clear_pointer(&area.free_addresses, address_allocator_free);
    g_clear_pointer(&area.by_slot, g_ptr_array_unref);
    g_clear_pointer(&area.by_address, g_tree_unref);
    area = (struct Area){0};
}

uint64_t memory_device_slots(void)
{
    return area.slots;
}

MemoryDevice *memory_device_by_slot(uint32_t slot)
{
    return area.by_slot && slot < area.by_slot->len ? area.by_slot->pdata[slot] : NULL;
}

/* The device with the highest address below @end, or NULL. */
static MemoryDevice *last_below(uint64_t end)
{
    uint64_t key = end - 1;
    GTreeNode *above = g_tree_upper_bound(area.by_address, &key);
    GTreeNode *node = above ? g_tree_node_previous(above) : g_tree_node_last(area.by_address);

    return node ? g_tree_node_value(node) : NULL;
}

/* --- slots --- */

static char *owner_label(const MemoryDevice *memory)
{
    return vm_object_label(VM_OBJECT(memory->device));
}

static gboolean take_given_slot(const char *name, int64_t wanted, GError **error)
{
    g_autofree char *owner = NULL;

    if (wanted < 0 || wanted >= area.slots) {
        vm_error_set(error, "%s: slot %" PRId64 " does not exist, slots are 0 to %" PRIu32, name,
                     wanted, area.slots - 1);
        return FALSE;
    }
    if (!slot_allocator_take(area.free_slots, (uint32_t)wanted)) {
        owner = owner_label(memory_device_by_slot((uint32_t)wanted));
        vm_error_set(error, "%s: slot %" PRId64 " is in use by %s", name, wanted, owner);
        return FALSE;
    }
    return TRUE;
}

static gboolean take_slot(const char *name, int64_t wanted, uint32_t *slot, GError **error)
{
    if (wanted != MEMORY_DEVICE_SLOT_AUTO) {
        *slot = (uint32_t)wanted;
        return take_given_slot(name, wanted, error);
    }
    if (!slot_allocator_take_lowest(area.free_slots, slot)) {
        vm_error_set(error,
                     "%s: all %" PRIu32 " memory slots of the machine are in use; '-m slots=' "
                     "sets their number",
                     name, area.slots);
        return FALSE;
    }
    return TRUE;
}

/* --- addresses --- */

static gboolean take_given_address(const char *name, uint64_t address, uint64_t size,
                                   uint64_t alignment, GError **error)
{
    MemoryDevice *other;

    if (address % alignment != 0) {
        vm_error_set(error, "%s: addr 0x%" PRIx64 " is not a multiple of 0x%" PRIx64, name, address,
                     alignment);
        return FALSE;
    }
    if (address < area.base || size > area.size || address - area.base > area.size - size) {
        vm_error_set(error,
                     "%s: addr 0x%" PRIx64 " with 0x%" PRIx64 " bytes is not within the machine's "
                     "hot-plug area, 0x%" PRIx64 " to 0x%" PRIx64,
                     name, address, size, area.base, area.base + area.size - 1);
        return FALSE;
    }
    if (address_allocator_take(area.free_addresses, address, size)) {
        return TRUE;
    }
    other = last_below(address + size);
    g_autofree char *owner = owner_label(other);
    vm_error_set(error,
                 "%s: addr 0x%" PRIx64 " with 0x%" PRIx64 " bytes overlaps %s at 0x%" PRIx64
                 " with 0x%" PRIx64 " bytes",
                 name, address, size, owner, other->address, other->size);
    return FALSE;
}

static gboolean take_address(const char *name, uint64_t *address, uint64_t size, uint64_t alignment,
                             GError **error)
{
    if (size > area.maximum - area.total) {
        g_autofree char *wanted = size_format(size);
        g_autofree char *left = size_format(area.maximum - area.total);
        g_autofree char *most = size_format(area.maximum);
        vm_error_set(error, "%s: %s do not fit, %s of %s are left up to '-m maxmem='", name, wanted,
                     left, most);
        return FALSE;
    }
    if (*address != 0) {
        return take_given_address(name, *address, size, alignment, error);
    }
    if (!address_allocator_take_lowest(area.free_addresses, size, alignment, address)) {
        vm_error_set(error,
                     "%s: no free range of 0x%" PRIx64 " bytes at a multiple of 0x%" PRIx64
                     " in the machine's hot-plug area",
                     name, size, alignment);
        return FALSE;
    }
    return TRUE;
}

/* --- both --- */

static MemoryDevice *enter(MemoryDevice memory)
{
    MemoryDevice *entry = g_memdup2(&memory, sizeof(memory));

    if (entry->slot >= area.by_slot->len) {
        g_ptr_array_set_size(area.by_slot, (gint)entry->slot + 1);
    }
    area.by_slot->pdata[entry->slot] = entry;
    g_tree_insert(area.by_address, &entry->address, entry);
    area.total += entry->size;
    return entry;
}

MemoryDevice *memory_device_reserve(Device *device, const char *name, int64_t slot,
                                    uint64_t address, uint64_t size, uint64_t alignment,
                                    uint32_t node, GError **error)
{
    MemoryDevice memory = {.device = device, .address = address, .size = size, .node = node};

    if (area.slots == 0) {
        vm_error_set(error,
                     "%s: the machine has no slots for memory devices; start it with '-m "
                     "SIZE,slots=N,maxmem=MAXIMUM'",
                     name);
        return NULL;
    }
    if (!take_slot(name, slot, &memory.slot, error)) {
        return NULL;
    }
    if (!take_address(name, &memory.address, size, alignment, error)) {
        slot_allocator_release(area.free_slots, memory.slot);
        return NULL;
    }
    return enter(memory);
}

void memory_device_release(MemoryDevice *memory)
{
    area.by_slot->pdata[memory->slot] = NULL;
    g_tree_remove(area.by_address, &memory->address);
    area.total -= memory->size;
    slot_allocator_release(area.free_slots, memory->slot);
    address_allocator_release(area.free_addresses, memory->address, memory->size);
    g_free(memory);
}

void memory_device_foreach(void (*visit)(MemoryDevice *memory, gpointer opaque), gpointer opaque)
{
    GTreeNode *node = area.by_address ? g_tree_node_first(area.by_address) : NULL;

    while (node) {
        GTreeNode *next = g_tree_node_next(node);
        visit(g_tree_node_value(node), opaque);
        node = next;
    }
}

guint memory_device_count(void)
{
    return area.free_slots ? slot_allocator_used(area.free_slots) : 0;
}

uint64_t memory_device_total(void)
{
    return area.total;
}

void memory_device_set_ops(const MemoryDeviceOps *given)
{
    ops = given ? *given : (MemoryDeviceOps){0};
}

const MemoryDeviceOps *memory_device_ops(void)
{
    return &ops;
}
