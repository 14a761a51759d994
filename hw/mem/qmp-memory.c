/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP: which memory the machine has. */
#include "hw/core/machine.h"
#include "hw/mem/pc-dimm.h"
#include "monitor/qmp.h"

static void describe(MemoryDevice *memory, gpointer opaque)
{
    VmObject *object = VM_OBJECT(memory->device);
    json_object *entry = json_object_new_object();
    json_object *data = json_object_new_object();
    g_autofree char *backend = vm_object_path(VM_OBJECT(PC_DIMM(object)->memory));

    if (object->id) {
        json_add_string(data, "id", object->id);
    }
    json_add_uint(data, "addr", memory->address);
    json_add_uint(data, "size", memory->size);
    json_add_uint(data, "slot", memory->slot);
    json_add_uint(data, "node", memory->node);
    json_add_string(data, "memdev", backend);
    json_add_bool(data, "hotplugged", memory->device->hotplugged);
    json_add_bool(data, "hotpluggable", DEVICE_GET_CLASS(memory->device)->hotpluggable);
    json_add_string(entry, "type", "dimm");
    json_object_object_add(entry, "data", data);
    json_object_array_add(opaque, entry);
}

static void describe_realized(MemoryDevice *memory, gpointer opaque)
{
    /* One that is being added is not there before its backends have agreed. */
    if (memory->device->realized) {
        describe(memory, opaque);
    }
}

static json_object *query_devices(json_object *arguments G_GNUC_UNUSED,
                                  GError **error G_GNUC_UNUSED)
{
    json_object *list = json_object_new_array();

    memory_device_foreach(describe_realized, list);
    return list;
}

static json_object *query_summary(json_object *arguments G_GNUC_UNUSED,
                                  GError **error G_GNUC_UNUSED)
{
    Machine *machine = machine_current();
    json_object *summary = json_object_new_object();

    json_add_uint(summary, "base-memory", machine ? machine->ram_size : 0);
    json_add_uint(summary, "plugged-memory", memory_device_total());
    return summary;
}

static const QmpCommand commands[] = {
    {.name = "query-memory-devices",
     .returns = "[MemoryDeviceInfo]",
     .doc = "The memory devices of the machine, in order of guest address.",
     .run = query_devices},
    {.name = "query-memory-size-summary",
     .returns = "MemoryInfo",
     .doc = "Bytes of guest memory: what the machine began with and what was plugged.",
     .run = query_summary},
    {.name = NULL},
};

static const QmpType types[] = {
    {.name = "PCDIMMDeviceInfo",
     .kind = QMP_OBJECT,
     .members = "*id:str, addr:int, size:int, slot:int, node:int, memdev:str, hotplugged:bool, "
                "hotpluggable:bool",
     .doc = "A DIMM: guest address and size in bytes, slot, NUMA node, path of its memory "
            "backend."},
    {.name = "PCDIMMDeviceInfoWrapper",
     .kind = QMP_OBJECT,
     .members = "data:PCDIMMDeviceInfo",
     .doc = "The member that describes a DIMM."},
    {.name = "MemoryDeviceInfoKind",
     .kind = QMP_ENUM,
     .members = "dimm",
     .doc = "Kinds of memory devices."},
    {.name = "MemoryDeviceInfo",
     .kind = QMP_UNION,
     .members = "type:MemoryDeviceInfoKind | type | dimm=PCDIMMDeviceInfoWrapper",
     .doc = "A memory device."},
    {.name = "MemoryInfo",
     .kind = QMP_OBJECT,
     .members = "base-memory:size, *plugged-memory:size",
     .doc = "Bytes of guest memory."},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, types);
