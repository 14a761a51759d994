/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A DIMM: joins a memory backend, a slot, a range of guest addresses and the transaction that
 * brings it to the accelerator and to every vhost-user backend, before the guest hears of it.
 */
#include "hw/mem/pc-dimm.h"

#include "system/memory.h"
#include "util/error.h"
#include "util/report.h"

/* At least a large page of x86 (Intel SDM volume 3, 4.5), so that host and guest can map it by
 * one; memory with larger pages is aligned to those. */
#define DIMM_ALIGNMENT (UINT64_C(2) << 20)

static json_object *get_size(VmObject *object)
{
    PcDimm *dimm = PC_DIMM(object);

    return json_object_new_uint64(dimm->memory ? dimm->memory->size : 0);
}

static const VmField pc_dimm_fields[] = {
    {.name = "memdev",
     .doc = "the memory backend that it offers to the guest",
     .kind = VM_FIELD_LINK,
     .offset = G_STRUCT_OFFSET(PcDimm, memory),
     .link_type = host_memory_get_type,
     .flags = VM_FIELD_REQUIRED},
    {.name = "addr",
     .doc = "guest physical address; 0 is the lowest free one",
     .kind = VM_FIELD_UINT64,
     .offset = G_STRUCT_OFFSET(PcDimm, address)},
    {.name = "slot",
     .doc = "number of the memory slot; -1 is the lowest free one",
     .kind = VM_FIELD_INT32,
     .offset = G_STRUCT_OFFSET(PcDimm, slot),
     .default_value = (guint64)MEMORY_DEVICE_SLOT_AUTO},
    {.name = "node",
     .doc = "NUMA node of the guest",
     .kind = VM_FIELD_UINT32,
     .offset = G_STRUCT_OFFSET(PcDimm, node)},
    {.name = "size",
     .doc = "bytes, as its memory backend has",
     .kind = VM_FIELD_SIZE,
     .flags = VM_FIELD_READ_ONLY,
     .get = get_size},
    {.name = NULL},
};

static void release(PcDimm *dimm)
{
    memory_device_release(g_steal_pointer(&dimm->reservation));
    host_memory_unclaim(dimm->memory);
}

static void added(gpointer opaque, const GError *error)
{
    PcDimm *dimm = opaque;
    const MemoryDeviceOps *ops = memory_device_ops();

    if (error) {
        g_autofree char *label = vm_object_label(VM_OBJECT(dimm));
        GError *refusal = g_error_copy(error);
        g_prefix_error(&refusal, "%s: ", label);
        release(dimm);
        device_realize_done(&dimm->parent, refusal);
        return;
    }
    if (dimm->parent.hotplugged && ops->plugged) {
        ops->plugged(dimm->reservation, ops->opaque);
    }
    device_realize_done(&dimm->parent, NULL);
}

static gboolean reserve(PcDimm *dimm, const char *label, GError **error)
{
    const HostMemory *memory = dimm->memory;
    uint64_t alignment = MAX(DIMM_ALIGNMENT, MAX(memory->block->page_size, memory->alignment));

    dimm->reservation = memory_device_reserve(&dimm->parent, label, dimm->slot, dimm->address,
                                              memory->size, alignment, dimm->node, error);
    if (!dimm->reservation) {
        return FALSE;
    }
    dimm->slot = (int32_t)dimm->reservation->slot;
    dimm->address = dimm->reservation->address;
    return TRUE;
}

static DeviceProgress realize(Device *device, GError **error)
{
    PcDimm *dimm = PC_DIMM(device);
    g_autofree char *label = vm_object_label(VM_OBJECT(device));
    MemorySection section;

    if (dimm->node != 0) {
        vm_error_set(error, "%s: node=%u does not exist, the guest has node 0 only", label,
                     dimm->node);
        return DEVICE_FAILED;
    }
    if (!host_memory_claim(dimm->memory, VM_OBJECT(device)->tree_name, error)) {
        g_prefix_error(error, "%s: ", label);
        return DEVICE_FAILED;
    }
    if (!reserve(dimm, label, error)) {
        host_memory_unclaim(dimm->memory);
        return DEVICE_FAILED;
    }
    section = (MemorySection){
        .guest_address = dimm->address, .size = dimm->memory->size, .block = dimm->memory->block};
    if (!memory_add(&section, added, dimm, error)) {
        g_prefix_error(error, "%s: ", label);
        release(dimm);
        return DEVICE_FAILED;
    }
    return DEVICE_PENDING;
}

static gboolean unplug_request(Device *device, GError **error)
{
    const MemoryDeviceOps *ops = memory_device_ops();

    if (!ops->unplug_request) {
        g_autofree char *label = vm_object_label(VM_OBJECT(device));
        vm_error_set(error, "%s: the machine has no way to ask its guest for memory", label);
        return FALSE;
    }
    return ops->unplug_request(PC_DIMM(device)->reservation, ops->opaque, error);
}

static void removed(gpointer opaque, const GError *error)
{
    PcDimm *dimm = opaque;
    const MemoryDeviceOps *ops = memory_device_ops();

    if (error) {
        report_log("%s", error->message);
    }
    if (ops->unplugged) {
        ops->unplugged(dimm->reservation, ops->opaque);
    }
    release(dimm);
    device_unrealize_done(&dimm->parent);
}

static DeviceProgress unrealize(Device *device)
{
    g_autoptr(GError) error = NULL;

    if (!memory_remove(PC_DIMM(device)->address, removed, device, &error)) {
        report_log("%s", error->message);
        return DEVICE_DONE;
    }
    return DEVICE_PENDING;
}

static void pc_dimm_class_init(PcDimmClass *class)
{
    VM_OBJECT_CLASS(class)->description = "memory module";
    class->category = "memory";
    class->user_creatable = TRUE;
    class->hotpluggable = TRUE;
    class->realize = realize;
    class->unrealize = unrealize;
    class->unplug_request = unplug_request;
    vm_object_class_install_fields(class, pc_dimm_fields);
}

static void pc_dimm_init(PcDimm *dimm G_GNUC_UNUSED)
{
}

VM_DEFINE_TYPE("pc-dimm", PcDimm, PcDimmClass, pc_dimm, TYPE_DEVICE, 0);
