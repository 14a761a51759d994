/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP: machine types and the machine.  Clients refuse members that they do not know. */
#include "hw/core/machine.h"
#include "monitor/qmp.h"

static void describe(MachineClass *class, gpointer opaque)
{
    json_object *entry = json_object_new_object();

    json_add_string(entry, "name", class->name);
    if (class->aliases) {
        json_add_string(entry, "alias", class->aliases[0]);
    }
    if (class->is_default) {
        json_add_bool(entry, "is-default", TRUE);
    }
    json_add_int(entry, "cpu-max", MAX(class->cpu_max, 1));
    json_add_bool(entry, "hotpluggable-cpus", FALSE);
    json_add_bool(entry, "numa-mem-supported", FALSE);
    json_add_bool(entry, "deprecated", FALSE);
    if (class->default_ram_id) {
        json_add_string(entry, "default-ram-id", class->default_ram_id);
    }
    json_add_bool(entry, "acpi", class->acpi);
    json_object_array_add(opaque, entry);
}

static json_object *query_machines(json_object *arguments G_GNUC_UNUSED,
                                   GError **error G_GNUC_UNUSED)
{
    json_object *list = json_object_new_array();

    machine_foreach(describe, list);
    return list;
}

static json_object *query_current(json_object *arguments G_GNUC_UNUSED,
                                  GError **error G_GNUC_UNUSED)
{
    json_object *answer = json_object_new_object();

    json_add_bool(answer, "wakeup-suspend-support", FALSE);
    return answer;
}

static const QmpCommand commands[] = {
    {.name = "query-machines",
     .returns = "[MachineInfo]",
     .doc = "The machine types.",
     .run = query_machines},
    {.name = "query-current-machine",
     .returns = "CurrentMachineParams",
     .doc = "What the machine can do: it cannot be woken from suspension yet.",
     .run = query_current},
    {.name = NULL},
};

static const QmpType types[] = {
    {.name = "MachineInfo",
     .kind = QMP_OBJECT,
     .members = "name:str, *alias:str, *is-default:bool, cpu-max:int, hotpluggable-cpus:bool, "
                "numa-mem-supported:bool, deprecated:bool, *default-ram-id:str, acpi:bool",
     .doc = "A machine type."},
    {.name = "CurrentMachineParams",
     .kind = QMP_OBJECT,
     .members = "wakeup-suspend-support:bool",
     .doc = "What the machine can do."},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, types);
