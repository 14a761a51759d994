/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What clients ask for at start and what this program has none of: there is
 * no CPU yet, and the data path has no thread of ours.
 */
#include "monitor/qmp.h"

static json_object *none(json_object *arguments G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    return json_object_new_array();
}

static const QmpCommand commands[] = {
    {.name = "query-iothreads",
     .returns = "[IOThreadInfo]",
     .doc = "The threads that do I/O: none, since the backends do it in their own processes.",
     .run = none},
    {.name = "query-hotpluggable-cpus",
     .returns = "[HotpluggableCPU]",
     .doc = "The CPUs that could be plugged: none, since the machine has no CPU yet.",
     .run = none},
    {.name = "query-cpus-fast",
     .returns = "[CpuInfoFast]",
     .doc = "The CPUs of the machine: none yet.",
     .run = none},
    {.name = NULL},
};

static const QmpType types[] = {
    {.name = "IOThreadInfo",
     .kind = QMP_OBJECT,
     .members = "id:str, thread-id:int",
     .doc = "A thread that does I/O."},
    {.name = "CpuInstanceProperties",
     .kind = QMP_OBJECT,
     .members = "*node-id:int, *socket-id:int, *die-id:int, *core-id:int, *thread-id:int",
     .doc = "Where a CPU is in the topology."},
    {.name = "HotpluggableCPU",
     .kind = QMP_OBJECT,
     .members = "type:str, vcpus-count:int, props:CpuInstanceProperties, *qom-path:str",
     .doc = "A CPU that is or can be plugged."},
    {.name = "CpuInfoFast",
     .kind = QMP_OBJECT,
     .members = "cpu-index:int, qom-path:str, thread-id:int, *props:CpuInstanceProperties",
     .doc = "A CPU and its thread."},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, types);
