/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP: why CPUs leave the guest, and their whole state at one moment. */
#include "monitor/qmp.h"

#include "accel/accel.h"
#include "accel/vcpu-stats.h"
#include "accel/vcpu.h"

static json_object *query_exits(json_object *arguments G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    json_object *list = json_object_new_array();

    for (guint i = 0; i < accel_cpu_count(); i++) {
        json_object *entry = json_object_new_object();
        json_add_uint(entry, "cpu-index", i);
        for (guint reason = 0; reason < VCPU_EXIT_REASONS; reason++) {
            json_add_uint(entry, vcpu_exit_name(reason), vcpu_exit_count(i, reason));
        }
        json_object_array_add(list, entry);
    }
    return list;
}

static json_object *keep(json_object *arguments G_GNUC_UNUSED, GError **error)
{
    vcpu_state_keep(error);
    return NULL;
}

static json_object *put_back(json_object *arguments G_GNUC_UNUSED, GError **error)
{
    vcpu_state_put_back(error);
    return NULL;
}

static const QmpCommand commands[] = {
    {.name = "x-query-cpu-exits",
     .returns = "[CpuExits]",
     .doc = "How often each CPU left the guest for this process, by reason. What KVM answers by "
            "itself, as a doorbell or an interrupt controller, is not among them.",
     .run = query_exits},
    {.name = "x-cpu-state-keep",
     .doc = "Keeps the state of all CPUs, interrupt controllers, timer and clock of a machine that "
            "stands still, in memory. RAM and devices are not part of it: this is for tests.",
     .run = keep},
    {.name = "x-cpu-state-put-back",
     .doc = "Puts back what x-cpu-state-keep kept; the machine must stand still.",
     .run = put_back},
    {.name = NULL},
};

static const QmpType types[] = {
    {.name = "CpuExits",
     .kind = QMP_OBJECT,
     .members = "cpu-index:int, port:int, memory:int, interrupt:int, shutdown:int, error:int, "
                "other:int",
     .doc = "Why a CPU came to this process: for a device at a port or in memory, because it was "
            "called out, for a reset, for what it cannot go on from."},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, types);
