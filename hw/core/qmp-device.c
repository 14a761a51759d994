/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP: devices are added, removed and described. */
#include "hw/core/device.h"
#include "monitor/qmp.h"

static void added(Device *device G_GNUC_UNUSED, const GError *error, gpointer opaque)
{
    qmp_request_answer(opaque, NULL, error ? g_error_copy(error) : NULL);
}

static void run_device_add(QmpRequest *request, json_object *arguments)
{
    g_autoptr(json_object) options = json_object_new_object();
    GError *error = NULL;

    /* device_add() takes members out; the arguments stay the monitor's. */
    json_object_object_foreach(arguments, name, value)
    {
        json_object_object_add(options, name, json_object_get(value));
    }
    if (!device_add(options, added, request, &error)) {
        qmp_request_answer(request, NULL, error);
    }
}

static json_object *run_device_del(json_object *arguments, GError **error)
{
    device_delete(qmp_string(arguments, "id"), error);
    return NULL;
}

static json_object *run_list_properties(json_object *arguments, GError **error)
{
    GType type = device_type_find(qmp_string(arguments, "typename"), error);

    return type ? qmp_property_list(type) : NULL;
}

static const QmpCommand commands[] = {
    {.name = "device_add",
     .arguments = "driver:str, *bus:str, *id:str, **",
     .doc = "Adds a device of type 'driver'; further members are its properties.  Answered when "
            "the device is in place: for memory, after every vhost-user backend has taken it.",
     .features = "json-cli, json-cli-hotplug",
     .start = run_device_add},
    {.name = "device_del",
     .arguments = "id:str",
     .doc = "Asks the guest to let go of the device with this id or path.  The event "
            "DEVICE_DELETED tells when it is gone, DEVICE_UNPLUG_GUEST_ERROR that the guest "
            "refused.",
     .run = run_device_del},
    {.name = "device-list-properties",
     .arguments = "typename:str",
     .returns = "[ObjectPropertyInfo]",
     .doc = "The properties of a device type.",
     .run = run_list_properties},
    {.name = NULL},
};

static const QmpEvent events[] = {
    {"DEVICE_DELETED", "*device:str, path:str",
     "A device is gone and its id and resources are free again."},
    {"DEVICE_UNPLUG_GUEST_ERROR", "*device:str, path:str",
     "The guest refused to let go of a device; it stays in use."},
    {.name = NULL},
};

QMP_REGISTER(commands, events, NULL);
