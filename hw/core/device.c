/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Life of a device from realize to unrealize.  Both may go on in the background: "busy" is set
 * meanwhile, and nobody else touches the device before its done function was called.
 */
#include "hw/core/device.h"

#include "monitor/qmp.h"
#include "system/main-loop.h"
#include "util/error.h"

static GQueue realized_devices = G_QUEUE_INIT; /* in order of realization, by Device.link */
static guint busy_devices;
static gboolean machine_complete;
static gboolean exiting;

static json_object *get_hotpluggable(VmObject *object)
{
    return json_object_new_boolean(DEVICE_GET_CLASS(object)->hotpluggable);
}

static const VmField device_fields[] = {
    {.name = "realized",
     .doc = "the device is complete and in use",
     .kind = VM_FIELD_BOOL,
     .offset = G_STRUCT_OFFSET(Device, realized),
     .flags = VM_FIELD_READ_ONLY},
    {.name = "hotplugged",
     .doc = "it was added after the machine was complete",
     .kind = VM_FIELD_BOOL,
     .offset = G_STRUCT_OFFSET(Device, hotplugged),
     .flags = VM_FIELD_READ_ONLY},
    {.name = "hotpluggable",
     .doc = "it can be added and removed while the machine runs",
     .kind = VM_FIELD_BOOL,
     .flags = VM_FIELD_READ_ONLY,
     .get = get_hotpluggable},
    {.name = NULL},
};

static gboolean can_be_added(const VmObjectClass *class)
{
    const DeviceClass *device = (const DeviceClass *)class;

    return device->user_creatable && (device->hotpluggable || !device_machine_complete());
}

static void device_class_init(DeviceClass *class)
{
    class->category = "misc";
    VM_OBJECT_CLASS(class)->can_add = can_be_added;
    VM_OBJECT_CLASS(class)->noun = "device";
    vm_object_class_install_fields(class, device_fields);
}

static void device_init(Device *device)
{
    device->link.data = device;
}

VM_DEFINE_TYPE("device", Device, DeviceClass, device, VM_TYPE_OBJECT, G_TYPE_FLAG_ABSTRACT);

/* How messages call @device. */
static const char *device_name(Device *device)
{
    VmObject *object = VM_OBJECT(device);

    return object->id          ? object->id
           : object->tree_name ? object->tree_name
                               : G_OBJECT_TYPE_NAME(device);
}

static void set_busy(Device *device, gboolean busy)
{
    device->busy = busy;
    busy_devices += busy ? 1 : -1;
}

/* --- realize --- */

static void realize_finished(Device *device)
{
    device->realized = TRUE;
    g_queue_push_tail_link(&realized_devices, &device->link);
}

gboolean device_realize(Device *device, DeviceCallback *callback, gpointer opaque, GError **error)
{
    g_autoptr(VmObject) keep G_GNUC_UNUSED = g_object_ref(VM_OBJECT(device));
    DeviceProgress progress;

    VM_OBJECT(device)->frozen = TRUE;
    device->hotplugged = machine_complete;
    device->callback = callback;
    device->callback_opaque = opaque;
    set_busy(device, TRUE);
    progress = DEVICE_GET_CLASS(device)->realize(device, error);
    if (progress == DEVICE_PENDING) {
        return TRUE;
    }
    set_busy(device, FALSE);
    device->callback = NULL;
    if (progress == DEVICE_FAILED) {
        vm_object_unparent(VM_OBJECT(device));
        return FALSE;
    }
    realize_finished(device);
    if (callback) {
        callback(device, NULL, opaque);
    }
    return TRUE;
}

void device_realize_done(Device *device, GError *error)
{
    g_autoptr(VmObject) keep G_GNUC_UNUSED = g_object_ref(VM_OBJECT(device));
    g_autoptr(GError) owned = error;
    DeviceCallback *callback = g_steal_pointer(&device->callback);

    set_busy(device, FALSE);
    if (owned) {
        vm_object_unparent(VM_OBJECT(device));
    } else {
        realize_finished(device);
    }
    if (callback) {
        callback(device, owned, device->callback_opaque);
    }
}

gboolean device_realize_now(Device *device, GError **error)
{
    gboolean realized = device_realize(device, NULL, NULL, error);

    g_assert(!realized || device->realized);
    return realized;
}

/* --- unplug --- */

Device *device_find(const char *id, GError **error)
{
    VmObject *object = vm_object_find("machine/peripheral", id);

    if (!object && id[0] == '/') {
        object = vm_object_resolve(id, NULL);
    }
    if (!object || !g_type_is_a(G_OBJECT_TYPE(object), TYPE_DEVICE)) {
        g_set_error(error, VM_ERROR, VM_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found", id);
        return NULL;
    }
    return DEVICE(object);
}

static gboolean check_unplug(Device *device, GError **error)
{
    const char *name = device_name(device);

    if (!DEVICE_GET_CLASS(device)->hotpluggable) {
        vm_error_set(error,
                     "Device '%s' of type '%s' cannot be unplugged: the type has no hot-plug", name,
                     G_OBJECT_TYPE_NAME(device));
        return FALSE;
    }
    if (device->busy) {
        vm_error_set(error, "Device '%s' is still being %s; try again when that has ended", name,
                     device->realized ? "removed" : "added");
        return FALSE;
    }
    if (device->unplug_requested) {
        vm_error_set(error, "Device %s is already in the process of unplug", name);
        return FALSE;
    }
    return TRUE;
}

gboolean device_delete(const char *id, GError **error)
{
    Device *device = device_find(id, error);

    if (!device || !check_unplug(device, error)) {
        return FALSE;
    }
    if (!DEVICE_GET_CLASS(device)->unplug_request) {
        device_unplug(device);
        return TRUE;
    }
    g_autoptr(VmObject) keep G_GNUC_UNUSED = g_object_ref(VM_OBJECT(device));
    /* First, since the guest may answer at once. */
    device->unplug_requested = TRUE;
    if (!DEVICE_GET_CLASS(device)->unplug_request(device, error)) {
        device->unplug_requested = FALSE;
        return FALSE;
    }
    return TRUE;
}

static void send_event(Device *device, const char *event)
{
    g_autofree char *path = vm_object_path(VM_OBJECT(device));
    json_object *data = json_object_new_object();

    if (VM_OBJECT(device)->id) {
        json_add_string(data, "device", VM_OBJECT(device)->id);
    }
    json_add_string(data, "path", path);
    qmp_event_send(event, data);
}

static void unrealize_finished(Device *device)
{
    set_busy(device, FALSE);
    device->realized = FALSE;
    device->unplug_requested = FALSE;
    g_queue_unlink(&realized_devices, &device->link);
    if (!exiting) {
        send_event(device, "DEVICE_DELETED");
    }
    vm_object_unparent(VM_OBJECT(device));
}

void device_unplug(Device *device)
{
    if (!device->realized || device->busy) {
        return;
    }
    g_autoptr(VmObject) keep G_GNUC_UNUSED = g_object_ref(VM_OBJECT(device));
    set_busy(device, TRUE);
    if (DEVICE_GET_CLASS(device)->unrealize(device) != DEVICE_PENDING) {
        unrealize_finished(device);
    }
}

void device_unrealize_done(Device *device)
{
    g_autoptr(VmObject) keep G_GNUC_UNUSED = g_object_ref(VM_OBJECT(device));

    unrealize_finished(device);
}

void device_unplug_refused(Device *device)
{
    if (device->unplug_requested && !device->busy) {
        device->unplug_requested = FALSE;
        send_event(device, "DEVICE_UNPLUG_GUEST_ERROR");
    }
}

/* --- the machine's life --- */

void device_set_machine_complete(void)
{
    machine_complete = TRUE;
}

gboolean device_machine_complete(void)
{
    return machine_complete;
}

/* Hooks may let go of the VM lock, so the list may change below: walk over references. */
static GPtrArray *snapshot(gboolean (*wanted)(Device *device))
{
    GPtrArray *devices = g_ptr_array_new_with_free_func(g_object_unref);

    for (GList *link = realized_devices.head; link; link = link->next) {
        if (wanted(link->data)) {
            g_ptr_array_add(devices, g_object_ref(link->data));
        }
    }
    return devices;
}

static gboolean wants_unplug(Device *device)
{
    return device->unplug_requested && !device->busy;
}

static gboolean wants_reset(Device *device)
{
    return DEVICE_GET_CLASS(device)->reset && !device->busy;
}

static gboolean sits_on_bus(Device *device)
{
    return DEVICE_GET_CLASS(device)->bus != NULL;
}

static gboolean any_device(Device *device G_GNUC_UNUSED)
{
    return TRUE;
}

void device_reset_all(void)
{
    g_autoptr(GPtrArray) leaving = snapshot(wants_unplug);

    for (guint i = 0; i < leaving->len; i++) {
        device_unplug(leaving->pdata[i]);
    }
    g_autoptr(GPtrArray) staying = snapshot(wants_reset);
    for (guint i = 0; i < staying->len; i++) {
        Device *device = staying->pdata[i];
        if (device->realized && !device->busy) {
            DEVICE_GET_CLASS(device)->reset(device);
        }
    }
}

static void wait_until_idle(void)
{
    while (busy_devices > 0) {
        main_loop_turn();
    }
}

static void unplug_each(gboolean (*wanted)(Device *device))
{
    g_autoptr(GPtrArray) devices = snapshot(wanted);

    for (guint i = devices->len; i > 0; i--) {
        device_unplug(devices->pdata[i - 1]);
    }
    wait_until_idle();
}

static void hurry(VmObject *object, gpointer opaque G_GNUC_UNUSED)
{
    if (DEVICE_GET_CLASS(object)->hurry) {
        DEVICE_GET_CLASS(object)->hurry(DEVICE(object));
    }
}

void device_hurry_all(void)
{
    vm_object_foreach_child(vm_object_container("machine/peripheral"), hurry, NULL);
    vm_object_foreach_child(vm_object_container("machine/peripheral-anon"), hurry, NULL);
}

void device_cleanup_all(void)
{
    exiting = TRUE;
    device_hurry_all();
    wait_until_idle();
    /* Devices on a bus first: once no vhost-user session is left, memory goes without a word. */
    unplug_each(sits_on_bus);
    unplug_each(any_device);
    exiting = FALSE;
    machine_complete = FALSE;
}
