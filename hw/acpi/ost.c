/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reports of the guest's operating system on hot-plug, as QMP shows them. */
#include "ost.h"

#include "monitor/qmp.h"
#include "system/main-loop.h"

/* Source events and status codes (ACPI 6.4, 6.3.5). */
enum {
    OST_EJECT_REQUEST = 0x03,
    OST_EJECT_PROCESSING = 0x103,
    OST_SUCCESS = 0x00,
    OST_EJECT_IN_PROGRESS = 0x84,
};

/* A report on its way to the main thread, where events are sent. */
typedef struct OstReport {
    Device *device; /* reference; NULL if the slot is empty */
    json_object *info;
    gboolean refused;
} OstReport;

static gboolean is_refusal(const AcpiOst *ost)
{
    return (ost->event == OST_EJECT_REQUEST || ost->event == OST_EJECT_PROCESSING) &&
           ost->status != OST_SUCCESS && ost->status != OST_EJECT_IN_PROGRESS;
}

json_object *acpi_ost_info(uint32_t slot, Device *device, const AcpiOst *ost)
{
    json_object *info = json_object_new_object();
    const char *id = device ? VM_OBJECT(device)->id : NULL;
    g_autofree char *number = g_strdup_printf("%u", slot);

    if (id) {
        json_add_string(info, "device", id);
    }
    json_add_string(info, "slot", number);
    json_add_string(info, "slot-type", "DIMM");
    json_add_uint(info, "source", ost->event);
    json_add_uint(info, "status", ost->status);
    return info;
}

static void send_unplug_error(Device *device, json_object *info)
{
    json_object *data = json_object_new_object();
    g_autofree char *message =
        g_strdup_printf("the guest refused to let go of it, _OST status 0x%x",
                        (unsigned)json_object_get_int64(json_object_object_get(info, "status")));

    json_add_string(data, "device", VM_OBJECT(device)->id ? VM_OBJECT(device)->id : "");
    json_add_string(data, "msg", message);
    qmp_event_send("MEM_UNPLUG_ERROR", data);
}

static void report_posted(gpointer opaque)
{
    g_autofree OstReport *report = opaque;
    json_object *data = json_object_new_object();

    json_object_object_add(data, "info", json_object_get(report->info));
    qmp_event_send("ACPI_DEVICE_OST", data);
    if (report->refused && report->device && report->device->unplug_requested &&
        !report->device->busy) {
        send_unplug_error(report->device, report->info);
        device_unplug_refused(report->device);
    }
    json_object_put(report->info);
    g_clear_object(&report->device);
}

gboolean acpi_ost_report(uint32_t slot, Device *device, const AcpiOst *ost)
{
    OstReport *report = g_new(OstReport, 1);

    report->device = device ? g_object_ref(device) : NULL;
    report->info = acpi_ost_info(slot, device, ost);
    report->refused = is_refusal(ost);
    main_loop_post(report_posted, report);
    return is_refusal(ost);
}

/* --- QMP --- */

static json_object *query_status(json_object *arguments G_GNUC_UNUSED, GError **error)
{
    json_object *status = acpi_memory_hotplug_status();

    if (!status) {
        vm_error_set(error, "query-acpi-ospm-status: the machine has no ACPI");
    }
    return status;
}

static const QmpCommand acpi_commands[] = {
    {.name = "query-acpi-ospm-status",
     .returns = "[ACPIOSTInfo]",
     .doc = "What the guest said last about each memory device (_OST); zeros while it said "
            "nothing.",
     .run = query_status},
    {.name = NULL},
};

static const QmpEvent acpi_events[] = {
    {.name = "ACPI_DEVICE_OST",
     .data = "info:ACPIOSTInfo",
     .doc = "The guest reported on a hot-plug or an unplug."},
    {.name = "MEM_UNPLUG_ERROR",
     .data = "device:str, msg:str",
     .doc = "The guest refused to let go of memory; DEVICE_UNPLUG_GUEST_ERROR says the same."},
    {.name = NULL},
};

static const QmpType acpi_types[] = {
    {.name = "ACPISlotType", .kind = QMP_ENUM, .members = "DIMM, CPU", .doc = "Kind of a slot."},
    {.name = "ACPIOSTInfo",
     .kind = QMP_OBJECT,
     .members = "*device:str, slot:str, slot-type:ACPISlotType, source:int, status:int",
     .doc = "Source event and status code as _OST defines them."},
    {.name = NULL},
};

QMP_REGISTER(acpi_commands, acpi_events, acpi_types);
