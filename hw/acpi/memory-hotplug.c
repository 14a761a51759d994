/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory hot-plug controller: the published register block at 0xa00, about one selected slot.
 *
 *     read   +0x00 address, low      write  +0x00 selects the slot
 *            +0x04 address, high            +0x04 _OST event of the slot
 *            +0x08 size, low                +0x08 _OST status: completes the report
 *            +0x0c size, high               +0x14 control: bit 1 takes "inserting" back,
 *            +0x10 proximity domain               bit 2 "removing", bit 3 ejects
 *            +0x14 flags: bit 0 enabled, bit 1 inserting, bit 2 removing
 *            +0x18 the first slot that is inserting or removing, 0xffffffff if there is none
 *            +0x1c the first slot from the selected one on that holds memory, 0xffffffff if none
 * does
 *
 * The last two are ours, so that a guest need not ask thousands of slots.  Those in which something
 * went on have an entry here, found by hash, and those that wait for the guest stand in a tree: no
 * access depends on how many there are.
 */
#include "acpi-internal.h"
#include "hw/mem/memory-device.h"
#include "memory-hotplug-registers.h"
#include "ost.h"
#include "util/trace.h"

TRACE_EVENT(acpi_memory_plugged, "the guest gets a memory device");
TRACE_EVENT(acpi_memory_unplug_request, "the guest is asked to let go of a memory device");
TRACE_EVENT(acpi_memory_eject, "the guest ejects a memory device");

#define CONTROL_EJECT (1u << 3)

/* What is going on in a slot. */
typedef struct MemorySlot {
    uint8_t flags;    /* FLAG_INSERTING and FLAG_REMOVING */
    gboolean ejected; /* the guest has let go, the unplug is on its way */
    AcpiOst ost;      /* the last report */
} MemorySlot;

static struct {
    IoRegion *region;
    GHashTable *slots; /* number -> MemorySlot */
    GTree *waiting;    /* numbers of those with flags */
    uint32_t selected;
    uint32_t ost_event; /* waits for its status */
} controller;

static MemorySlot *find_slot(uint32_t number)
{
    return g_hash_table_lookup(controller.slots, GUINT_TO_POINTER(number));
}

static MemorySlot *make_slot(uint32_t number)
{
    MemorySlot *slot = find_slot(number);

    if (!slot) {
        slot = g_new0(MemorySlot, 1);
        g_hash_table_insert(controller.slots, GUINT_TO_POINTER(number), slot);
    }
    return slot;
}

static void set_flags(uint32_t number, uint8_t flags)
{
    make_slot(number)->flags = flags;
    if (flags) {
        g_tree_insert(controller.waiting, GUINT_TO_POINTER(number), NULL);
    } else {
        g_tree_remove(controller.waiting, GUINT_TO_POINTER(number));
    }
}

static void add_flag(uint32_t number, uint8_t flag)
{
    set_flags(number, make_slot(number)->flags | flag);
    acpi_gpe_raise(ACPI_GPE_MEMORY);
}

/* The memory that the guest may use in a slot; NULL while there is none, which includes memory
 * that is being added or removed. */
static MemoryDevice *memory_of_slot(uint32_t number)
{
    MemoryDevice *memory = memory_device_by_slot(number);
    const MemorySlot *slot = find_slot(number);

    if (!memory || !memory->device->realized || memory->device->busy || (slot && slot->ejected)) {
        return NULL;
    }
    return memory;
}

static MemoryDevice *selected_memory(void)
{
    return memory_of_slot(controller.selected);
}

/* --- what memory devices tell --- */

static void plugged(MemoryDevice *memory, gpointer opaque G_GNUC_UNUSED)
{
    /* What is there before the machine starts is found without an event. */
    if (memory->device->hotplugged) {
        trace(acpi_memory_plugged, "slot %u", memory->slot);
        add_flag(memory->slot, FLAG_INSERTING);
    }
}

static gboolean unplug_request(MemoryDevice *memory, gpointer opaque G_GNUC_UNUSED,
                               GError **error G_GNUC_UNUSED)
{
    trace(acpi_memory_unplug_request, "slot %u", memory->slot);
    add_flag(memory->slot, FLAG_REMOVING);
    return TRUE;
}

static void unplugged(MemoryDevice *memory, gpointer opaque G_GNUC_UNUSED)
{
    set_flags(memory->slot, 0);
    g_hash_table_remove(controller.slots, GUINT_TO_POINTER(memory->slot));
}

/* --- registers --- */

static uint32_t slot_flags(void)
{
    const MemorySlot *slot = find_slot(controller.selected);

    return FLAG_ENABLED | (slot ? slot->flags : 0);
}

/* Only a slot whose flags the guest can take back. */
static uint32_t next_slot(void)
{
    for (GTreeNode *node = g_tree_node_first(controller.waiting); node;
         node = g_tree_node_next(node)) {
        uint32_t number = GPOINTER_TO_UINT(g_tree_node_key(node));
        if (memory_of_slot(number)) {
            return number;
        }
    }
    return UINT32_MAX;
}

gboolean acpi_memory_hotplug_waiting(void)
{
    return controller.waiting && next_slot() != UINT32_MAX;
}

static uint32_t present_slot(void)
{
    for (uint64_t number = controller.selected; number < memory_device_slots(); number++) {
        if (memory_of_slot((uint32_t)number)) {
            return (uint32_t)number;
        }
    }
    return UINT32_MAX;
}

static uint32_t memory_read_register(uint64_t offset)
{
    const MemoryDevice *memory = selected_memory();

    if (offset == READ_NEXT) {
        return next_slot();
    }
    if (offset == READ_PRESENT) {
        return present_slot();
    }
    if (!memory) {
        return 0;
    }
    switch (offset) {
    case READ_ADDRESS_LOW:
        return memory->address;
    case READ_ADDRESS_HIGH:
        return memory->address >> 32;
    case READ_SIZE_LOW:
        return memory->size;
    case READ_SIZE_HIGH:
        return memory->size >> 32;
    case READ_NODE:
        return memory->node;
    case READ_FLAGS:
        return slot_flags();
    default:
        return 0;
    }
}

static void write_control(uint8_t value)
{
    MemoryDevice *memory = selected_memory();
    MemorySlot *slot;

    if (!memory) {
        return;
    }
    slot = make_slot(controller.selected);
    set_flags(controller.selected, slot->flags & ~(value & (FLAG_INSERTING | FLAG_REMOVING)));
    if (value & CONTROL_EJECT) {
        trace(acpi_memory_eject, "slot %u", controller.selected);
        slot->ejected = TRUE; /* at once: the guest looks whether it is gone */
        acpi_eject(memory->device);
    }
}

/* May come for a slot that is empty by now: the report on a successful eject. */
static void write_ost_status(uint32_t status)
{
    AcpiOst ost = {.event = controller.ost_event, .status = status};
    MemoryDevice *memory = selected_memory();

    if (controller.selected >= memory_device_slots()) {
        return;
    }
    gboolean refused = acpi_ost_report(controller.selected, memory ? memory->device : NULL, &ost);
    if (memory) {
        MemorySlot *slot = make_slot(controller.selected);
        slot->ost = ost;
        set_flags(controller.selected, slot->flags & (refused ? ~FLAG_REMOVING : ~0));
    }
}

static void memory_block_write(gpointer opaque G_GNUC_UNUSED, uint64_t offset, uint64_t value,
                               unsigned size)
{
    /* The control byte is written as one; all else is a doubleword. */
    if (offset == WRITE_CONTROL) {
        write_control(value);
    } else if (offset == WRITE_SELECT && size == 4) {
        controller.selected = value;
    } else if (offset == WRITE_OST_EVENT && size == 4) {
        controller.ost_event = value;
    } else if (offset == WRITE_OST_STATUS && size == 4) {
        write_ost_status(value);
    }
}

static uint64_t memory_block_read(gpointer opaque G_GNUC_UNUSED, uint64_t offset,
                                  unsigned size G_GNUC_UNUSED)
{
    return memory_read_register(offset & ~UINT64_C(3)) >> (8 * (offset & 3));
}

static const IoOps memory_ops = {
    .read = memory_block_read,
    .write = memory_block_write,
    .max_access = 4,
};

/* --- query-acpi-ospm-status --- */

static void add_status(MemoryDevice *memory, gpointer opaque)
{
    static const AcpiOst silent;
    const MemorySlot *slot = find_slot(memory->slot);

    json_object_array_add(opaque,
                          acpi_ost_info(memory->slot, memory->device, slot ? &slot->ost : &silent));
}

json_object *acpi_memory_hotplug_status(void)
{
    if (!controller.slots) {
        return NULL;
    }
    json_object *status = json_object_new_array();

    memory_device_foreach(add_status, status);
    return status;
}

/* --- life --- */

static int compare_numbers(gconstpointer left, gconstpointer right, gpointer opaque G_GNUC_UNUSED)
{
    guint first = GPOINTER_TO_UINT(left);
    guint second = GPOINTER_TO_UINT(right);

    return first < second ? -1 : first > second;
}

void acpi_memory_hotplug_reset(void)
{
    GTreeNode *node;

    controller.selected = 0;
    controller.ost_event = 0;
    while ((node = g_tree_node_first(controller.waiting))) {
        set_flags(GPOINTER_TO_UINT(g_tree_node_key(node)), 0);
    }
}

void acpi_memory_hotplug_init(void)
{
    static const MemoryDeviceOps ops = {
        .plugged = plugged,
        .unplug_request = unplug_request,
        .unplugged = unplugged,
    };

    controller.slots = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    controller.waiting = g_tree_new_full(compare_numbers, NULL, NULL, NULL);
    controller.region =
        io_region_new(NULL, "acpi-memory-hotplug", &memory_ops, NULL, MEMORY_BLOCK_SIZE);
    io_region_map(controller.region, ADDRESS_SPACE_IO, ACPI_MEMORY_BASE);
    memory_device_set_ops(&ops);
}

void acpi_memory_hotplug_free(void)
{
    static const MemoryDeviceOps none;

    memory_device_set_ops(&none);
    g_clear_pointer(&controller.region, io_region_free);
    g_clear_pointer(&controller.waiting, g_tree_unref);
    g_clear_pointer(&controller.slots, g_hash_table_unref);
}
