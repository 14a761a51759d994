/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What clients ask for at start: CPUs; and threads that do I/O, of which there are none of ours. */
#include "monitor/qmp.h"

#include "accel/accel.h"
#include "accel/cpu-model.h"
#include "accel/vcpu.h"
#include "util/error.h"

static json_object *none(json_object *arguments G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    return json_object_new_array();
}

/* Socket, core and thread of CPU @index. */
static json_object *place_of_cpu(guint index)
{
    const VcpuTopology *topology = vcpu_topology();
    json_object *place = json_object_new_object();

    json_add_uint(place, "socket-id", index / topology->threads / topology->cores);
    json_add_uint(place, "core-id", index / topology->threads % topology->cores);
    json_add_uint(place, "thread-id", index % topology->threads);
    return place;
}

static void add_path(json_object *cpu, guint index)
{
    g_autofree char *path = g_strdup_printf("/machine/unattached/cpu[%u]", index);

    json_add_string(cpu, "qom-path", path);
}

static json_object *query_cpus_fast(json_object *arguments G_GNUC_UNUSED,
                                    GError **error G_GNUC_UNUSED)
{
    json_object *cpus = json_object_new_array();

    for (guint i = 0; i < accel_cpu_count(); i++) {
        json_object *cpu = json_object_new_object();
        json_add_uint(cpu, "cpu-index", i);
        add_path(cpu, i);
        json_add_uint(cpu, "thread-id", (guint)vcpu_thread_id(i));
        json_object_object_add(cpu, "props", place_of_cpu(i));
        json_add_string(cpu, "target", "x86_64");
        json_object_array_add(cpus, cpu);
    }
    return cpus;
}

static json_object *query_hotpluggable_cpus(json_object *arguments G_GNUC_UNUSED, GError **error)
{
    json_object *cpus;

    if (vcpu_topology()->count == 0) {
        vm_error_set(error,
                     "query-hotpluggable-cpus: this machine has no places for CPUs, expected "
                     "one that has (-machine pc)");
        return NULL;
    }
    cpus = json_object_new_array();
    for (guint i = 0; i < accel_cpu_count(); i++) {
        json_object *cpu = json_object_new_object();
        g_autofree char *type = g_strdup_printf("%s-x86_64-cpu", cpu_model()->name);
        json_add_string(cpu, "type", type);
        json_add_uint(cpu, "vcpus-count", 1);
        json_object_object_add(cpu, "props", place_of_cpu(i));
        add_path(cpu, i);
        json_object_array_add(cpus, cpu);
    }
    return cpus;
}

static const QmpCommand commands[] = {
    {.name = "query-iothreads",
     .returns = "[IOThreadInfo]",
     .doc = "The threads that do I/O: none, since the backends do it in their own processes.",
     .run = none},
    {.name = "query-hotpluggable-cpus",
     .returns = "[HotpluggableCPU]",
     .doc = "The places for CPUs: all are taken, none can be plugged or unplugged. Fails for a "
            "machine that has no such places.",
     .run = query_hotpluggable_cpus},
    {.name = "query-cpus-fast",
     .returns = "[CpuInfoFast]",
     .doc = "The CPUs of the machine; none under qtest, where a test makes the accesses, and for "
            "machine none.",
     .run = query_cpus_fast},
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
     .members = "cpu-index:int, qom-path:str, thread-id:int, *props:CpuInstanceProperties, "
                "target:SysEmuTarget",
     .doc = "A CPU and its thread."},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, types);
