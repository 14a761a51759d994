/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device_add: from the options a user gave to a device that is being realized. */
#include "device-internal.h"
#include "util/error.h"
#include "util/json.h"
#include "util/options.h"

GType device_type_find(const char *name, GError **error)
{
    GType type = vm_type_find(name);

    if (!type || !g_type_is_a(type, TYPE_DEVICE)) {
        g_set_error(error, VM_ERROR, VM_ERROR_DEVICE_NOT_FOUND,
                    "device type '%s' does not exist; %s", name, device_name_advice(name));
        return 0;
    }
    return type;
}

static GType find_creatable(const char *driver, GError **error)
{
    GType type = device_type_find(driver, error);
    DeviceClass *class;

    if (!type) {
        return 0;
    }
    if (G_TYPE_IS_ABSTRACT(type)) {
        vm_error_set(error, "device type '%s' is abstract; '-device help' lists those made from it",
                     driver);
        return 0;
    }
    class = g_type_class_ref(type); /* static types stay: the reference is never dropped */
    if (!class->user_creatable) {
        vm_error_set(error, "device type '%s' is part of the machine and cannot be added", driver);
        return 0;
    }
    if (device_machine_complete() && !class->hotpluggable) {
        vm_error_set(error,
                     "device type '%s' has no hot-plug: give it on the command line as -device",
                     driver);
        return 0;
    }
    return type;
}

/* There is one bus of each kind, named as users of PCs know it: "pci.0". */
static gboolean check_bus(GType type, const char *bus, GError **error)
{
    DeviceClass *class = g_type_class_peek(type);
    g_autofree char *kind = NULL;
    g_autofree char *right = NULL;

    if (!bus) {
        return TRUE;
    }
    if (!class->bus) {
        vm_error_set(error, "bus '%s': a device of type '%s' sits on no bus; leave bus= out", bus,
                     g_type_name(type));
        return FALSE;
    }
    kind = g_ascii_strdown(class->bus, -1);
    right = g_strconcat(kind, ".0", NULL);
    if (strcmp(bus, right) != 0) {
        vm_error_set(error, "bus '%s' does not exist; a device of type '%s' goes on '%s'", bus,
                     g_type_name(type), right);
        return FALSE;
    }
    return TRUE;
}

static gboolean put_into_tree(VmObject *device, GError **error)
{
    static guint anonymous;
    g_autofree char *name = NULL;

    if (!device->id) {
        name = g_strdup_printf("device[%u]", anonymous++);
        return vm_object_add_child(vm_object_container("machine/peripheral-anon"), name, device,
                                   error);
    }
    return vm_object_add_child(vm_object_container("machine/peripheral"), device->id, device,
                               error);
}

gboolean device_add(json_object *options, DeviceCallback *callback, gpointer opaque, GError **error)
{
    g_autofree char *driver = options_take(options, "driver");
    g_autofree char *id = options_take(options, "id");
    g_autofree char *bus = options_take(options, "bus");
    g_autoptr(VmObject) device = NULL;
    GType type;

    if (!driver) {
        vm_error_set(error, "device '%s': parameter 'driver' is missing", id ? id : "");
        return FALSE;
    }
    type = find_creatable(driver, error);
    if (!type || !check_bus(type, bus, error)) {
        return FALSE;
    }
    if (id && vm_object_find("machine/peripheral", id)) {
        vm_error_set(error, "Duplicate ID '%s' for device", id);
        return FALSE;
    }
    device = vm_object_new(type, id, error);
    if (!device || !vm_object_set_all(device, options, error) ||
        !vm_object_check_required(device, error) || !put_into_tree(device, error)) {
        return FALSE;
    }
    return device_realize(DEVICE(device), callback, opaque, error);
}
