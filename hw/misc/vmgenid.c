/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmgenid: 16 bytes in a page of the guest that the ACPI tables lead to, and a general-purpose
 * event when they change (Microsoft, "Virtual Machine Generation ID").
 */
#include "hw/misc/vmgenid.h"

#include "hw/acpi/acpi.h"
#include "hw/core/device.h"
#include "monitor/qmp.h"
#include "system/memory.h"
#include "util/error.h"
#include "util/uuid.h"

#include <inttypes.h>
#include <string.h>

typedef struct VmGenId {
    Device parent;
    char *guid;    /* in lower case once the device is realized */
    uint64_t page; /* 0: not placed yet */
} VmGenId;

typedef struct VmGenIdClass {
    DeviceClass parent;
} VmGenIdClass;

VM_DECLARE_TYPE(VmGenId, vmgenid, VMGENID)

static VmGenId *the_one;

static gboolean write_id(VmGenId *device)
{
    uint8_t bytes[UUID_BYTES];

    return uuid_to_bytes(device->guid, bytes) &&
           memory_copy_out(device->page, bytes, sizeof(bytes));
}

gboolean vmgenid_exists(void)
{
    return the_one != NULL;
}

gboolean vmgenid_place(uint64_t page, GError **error)
{
    the_one->page = page;
    if (!write_id(the_one)) {
        vm_error_set(error, "vmgenid: guest address 0x%" PRIx64 " cannot be written", page);
        return FALSE;
    }
    return TRUE;
}

/* "auto" is a new one.  A guest that runs is told. */
static gboolean guid_changed(VmObject *object, GError **error)
{
    VmGenId *device = VMGENID(object);
    char *guid = strcmp(device->guid, "auto") == 0 ? g_uuid_string_random()
                                                   : g_ascii_strdown(device->guid, -1);
    uint8_t bytes[UUID_BYTES];

    if (!uuid_to_bytes(guid, bytes)) {
        g_autofree char *label = vm_object_label(object);
        vm_error_set(error,
                     "%s: guid=%s: expected auto or a UUID such as "
                     "550e8400-e29b-41d4-a716-446655440000",
                     label, device->guid);
        g_free(guid);
        return FALSE;
    }
    g_free(device->guid);
    device->guid = guid;
    if (device->page && write_id(device)) {
        acpi_gpe_raise(ACPI_GPE_VMGENID);
    }
    return TRUE;
}

static DeviceProgress vmgenid_realize(Device *device, GError **error)
{
    VmGenId *self = VMGENID(device);

    if (the_one) {
        g_autofree char *label = vm_object_label(VM_OBJECT(device));
        vm_error_set(error, "%s: there is a vmgenid already, and a machine has one ID", label);
        return DEVICE_FAILED;
    }
    if (!self->guid) {
        self->guid = g_uuid_string_random();
    }
    the_one = self;
    return DEVICE_DONE;
}

static DeviceProgress vmgenid_unrealize(Device *device G_GNUC_UNUSED)
{
    the_one = NULL;
    return DEVICE_DONE;
}

static const VmField vmgenid_fields[] = {
    {.name = "guid",
     .doc = "the ID, or auto for a new one; the guest is told when it is set later",
     .kind = VM_FIELD_STRING,
     .offset = offsetof(VmGenId, guid),
     .flags = VM_FIELD_LIVE,
     .changed = guid_changed},
    {.name = NULL},
};

static void vmgenid_init(VmGenId *device G_GNUC_UNUSED)
{
}

static void vmgenid_class_init(VmGenIdClass *class)
{
    VM_OBJECT_CLASS(class)->description = "virtual machine generation ID";
    DEVICE_CLASS(class)->category = "misc";
    DEVICE_CLASS(class)->user_creatable = TRUE;
    DEVICE_CLASS(class)->realize = vmgenid_realize;
    DEVICE_CLASS(class)->unrealize = vmgenid_unrealize;
    vm_object_class_install_fields(class, vmgenid_fields);
}

VM_DEFINE_TYPE("vmgenid", VmGenId, VmGenIdClass, vmgenid, TYPE_DEVICE, 0);

/* --- QMP --- */

static json_object *query(json_object *arguments G_GNUC_UNUSED, GError **error)
{
    json_object *answer;

    if (!the_one) {
        vm_error_set(error, "the machine has no device vmgenid; add one with -device vmgenid");
        return NULL;
    }
    answer = json_object_new_object();
    json_add_string(answer, "guid", the_one->guid);
    return answer;
}

static const QmpCommand commands[] = {
    {.name = "query-vm-generation-id",
     .returns = "GuidInfo",
     .doc = "The virtual machine generation ID (device vmgenid).",
     .run = query},
    {.name = NULL},
};

static const QmpType types[] = {
    {.name = "GuidInfo", .kind = QMP_OBJECT, .members = "guid:str", .doc = "A UUID."},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, types);
