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
 *
 * Only slots with memory have an entry here, found by hash, so that no access depends on their
 * number.
 */
#include "acpi-internal.h"
#include "hw/mem/memory-device.h"
#include "ost.h"
#include "util/trace.h"

TRACE_EVENT(acpi_memory_plugged, "the guest gets a memory device");
TRACE_EVENT(acpi_memory_unplug_request, "the guest is asked to let go of a memory device");
TRACE_EVENT(acpi_memory_eject, "the guest ejects a memory device");

enum {
    READ_ADDRESS_LOW = 0x00,
    READ_ADDRESS_HIGH = 0x04,
    READ_SIZE_LOW = 0x08,
    READ_SIZE_HIGH = 0x0c,
    READ_NODE = 0x10,
    READ_FLAGS = 0x14,
    WRITE_SELECT = 0x00,
    WRITE_OST_EVENT = 0x04,
    WRITE_OST_STATUS = 0x08,
    WRITE_CONTROL = 0x14,
    MEMORY_BLOCK_SIZE = 0x18,
};

enum {
    FLAG_ENABLED = 1 << 0,
    FLAG_INSERTING = 1 << 1,
    FLAG_REMOVING = 1 << 2,
    CONTROL_EJECT = 1 << 3,
};

/* A slot whose memory the guest may use. */
typedef struct MemorySlot {
    MemoryDevice *memory; /* borrowed until unplugged() */
    uint8_t flags;
    AcpiOst ost; /* the last report */
} MemorySlot;

static struct {
    IoRegion *region;
    GHashTable *slots; /* number -> MemorySlot */
    uint32_t selected;
    uint32_t ost_event; /* waits for its status */
} controller;

static MemorySlot *find_slot(uint32_t number)
{
    return g_hash_table_lookup(controller.slots, GUINT_TO_POINTER(number));
}

/* --- what memory devices tell --- */

static void plugged(MemoryDevice *memory, gpointer opaque G_GNUC_UNUSED)
{
    MemorySlot *slot = g_new0(MemorySlot, 1);

    trace(acpi_memory_plugged, "slot %u", memory->slot);
    slot->memory = memory;
    slot->flags = FLAG_ENABLED;
    g_hash_table_insert(controller.slots, GUINT_TO_POINTER(memory->slot), slot);
    /* What is there before the machine starts is found by its firmware or AML. */
    if (memory->device->hotplugged) {
        slot->flags |= FLAG_INSERTING;
        acpi_gpe_raise(ACPI_GPE_MEMORY);
    }
}

static gboolean unplug_request(MemoryDevice *memory, gpointer opaque G_GNUC_UNUSED,
                               GError **error G_GNUC_UNUSED)
{
    MemorySlot *slot = find_slot(memory->slot);

    trace(acpi_memory_unplug_request, "slot %u", memory->slot);
    if (slot) {
        slot->flags |= FLAG_REMOVING;
        acpi_gpe_raise(ACPI_GPE_MEMORY);
    }
    return TRUE;
}

static void unplugged(MemoryDevice *memory, gpointer opaque G_GNUC_UNUSED)
{
    g_hash_table_remove(controller.slots, GUINT_TO_POINTER(memory->slot));
}

/* --- registers --- */

static uint64_t memory_read_register(gpointer opaque G_GNUC_UNUSED, uint64_t offset,
                                     unsigned size G_GNUC_UNUSED)
{
    const MemorySlot *slot = find_slot(controller.selected);

    if (!slot) {
        return 0;
    }
    switch (offset) {
    case READ_ADDRESS_LOW:
        return (uint32_t)slot->memory->address;
    case READ_ADDRESS_HIGH:
        return slot->memory->address >> 32;
    case READ_SIZE_LOW:
        return (uint32_t)slot->memory->size;
    case READ_SIZE_HIGH:
        return slot->memory->size >> 32;
    case READ_NODE:
        return slot->memory->node;
    case READ_FLAGS:
        return slot->flags;
    default:
        return 0;
    }
}

static void eject(MemorySlot *slot)
{
    trace(acpi_memory_eject, "slot %u", controller.selected);
    slot->flags = 0; /* at once: the guest looks whether it is gone */
    acpi_eject(slot->memory->device);
}

static void write_control(MemorySlot *slot, uint8_t value)
{
    slot->flags &= ~(value & (FLAG_INSERTING | FLAG_REMOVING));
    if ((value & CONTROL_EJECT) && (slot->flags & FLAG_ENABLED)) {
        eject(slot);
    }
}

/* May come for a slot that is empty by now: the report on a successful eject. */
static void write_ost_status(MemorySlot *slot, uint32_t status)
{
    AcpiOst ost = {.event = controller.ost_event, .status = status};

    if (controller.selected >= memory_device_slots()) {
        return;
    }
    if (acpi_ost_report(controller.selected, slot ? slot->memory->device : NULL, &ost) && slot) {
        slot->flags &= ~FLAG_REMOVING;
    }
    if (slot) {
        slot->ost = ost;
    }
}

static void memory_write_register(gpointer opaque G_GNUC_UNUSED, uint64_t offset, uint64_t value,
                                  unsigned size)
{
    MemorySlot *slot = find_slot(controller.selected);

    /* The control byte is written as one; all else is a doubleword. */
    if (offset == WRITE_CONTROL && slot) {
        write_control(slot, value);
    } else if (offset == WRITE_SELECT && size == 4) {
        controller.selected = value;
    } else if (offset == WRITE_OST_EVENT && size == 4) {
        controller.ost_event = value;
    } else if (offset == WRITE_OST_STATUS && size == 4) {
        write_ost_status(slot, value);
    }
}

static uint64_t memory_block_read(gpointer opaque, uint64_t offset, unsigned size)
{
    return memory_read_register(opaque, offset & ~UINT64_C(3), size) >> (8 * (offset & 3));
}

static const IoOps memory_ops = {
    .read = memory_block_read,
    .write = memory_write_register,
    .max_access = 4,
};

/* --- query-acpi-ospm-status --- */

static void add_status(MemoryDevice *memory, gpointer opaque)
{
    const MemorySlot *slot = find_slot(memory->slot);

    if (slot) {
        json_object_array_add(opaque, acpi_ost_info(memory->slot, memory->device, &slot->ost));
    }
}

json_object *acpi_memory_hotplug_status(void)
{
    json_object *status = json_object_new_array();

    if (controller.slots) {
        memory_device_foreach(add_status, status);
    }
    return status;
}

/* --- life --- */

void acpi_memory_hotplug_reset(void)
{
    GHashTableIter iterator;
    gpointer slot;

    controller.selected = 0;
    controller.ost_event = 0;
    g_hash_table_iter_init(&iterator, controller.slots);
    while (g_hash_table_iter_next(&iterator, NULL, &slot)) {
        ((MemorySlot *)slot)->flags &= FLAG_ENABLED;
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
    g_clear_pointer(&controller.slots, g_hash_table_unref);
}
