/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP: statistics of the accelerator, with their names and units as it tells them. */
#include "monitor/qmp.h"

#include "accel/accel.h"
#include "accel/stats.h"

#define PROVIDER "kvm"
#define CPU_PATH "/machine/unattached/cpu[%u]"

/* TRUE if @list is not there or has @text. */
static gboolean wanted(json_object *list, const char *text)
{
    for (gsize i = 0; list && i < json_object_array_length(list); i++) {
        if (g_str_equal(json_object_get_string(json_object_array_get_idx(list, i)), text)) {
            return TRUE;
        }
    }
    return list == NULL;
}

/* TRUE if one of the requests @providers, which is NULL for everything, has @name. */
static gboolean asked(json_object *providers, const char *name)
{
    for (gsize i = 0; providers && i < json_object_array_length(providers); i++) {
        json_object *request = json_object_array_get_idx(providers, i);
        if (wanted(json_object_object_get(request, "names"), name)) {
            return TRUE;
        }
    }
    return providers == NULL;
}

/* --- values --- */

static json_object *value_of(const AccelStat *stat)
{
    if (stat->unit == ACCEL_STAT_BOOLEAN && stat->count == 1) {
        return json_object_new_boolean(stat->values[0] != 0);
    }
    if (stat->type < ACCEL_STAT_LINEAR_HISTOGRAM && stat->count == 1) {
        return json_object_new_uint64(stat->values[0]);
    }
    json_object *list = json_object_new_array();
    for (guint i = 0; i < stat->count; i++) {
        json_object_array_add(list, json_object_new_uint64(stat->values[i]));
    }
    return list;
}

/* Adds to @answer what is known of @cpu; FALSE with @error. */
static gboolean add_result(json_object *answer, gint cpu, const char *path, json_object *providers,
                           GError **error)
{
    g_autoptr(GPtrArray) stats = accel_stats(cpu, error);

    if (!stats) {
        return FALSE;
    }
    json_object *result = json_object_new_object();
    json_object *list = json_object_new_array();
    for (guint i = 0; i < stats->len; i++) {
        const AccelStat *stat = g_ptr_array_index(stats, i);
        if (asked(providers, stat->name)) {
            json_object *entry = json_object_new_object();
            json_add_string(entry, "name", stat->name);
            json_object_object_add(entry, "value", value_of(stat));
            json_object_array_add(list, entry);
        }
    }
    json_add_string(result, "provider", PROVIDER);
    if (path) {
        json_add_string(result, "qom-path", path);
    }
    json_object_object_add(result, "stats", list);
    json_object_array_add(answer, result);
    return TRUE;
}

static gboolean check_paths(json_object *paths, GError **error)
{
    for (gsize i = 0; paths && i < json_object_array_length(paths); i++) {
        const char *path = json_object_get_string(json_object_array_get_idx(paths, i));
        gboolean known = FALSE;
        for (guint cpu = 0; cpu < accel_cpu_count() && !known; cpu++) {
            g_autofree char *name = g_strdup_printf(CPU_PATH, cpu);
            known = g_str_equal(name, path);
        }
        if (!known) {
            vm_error_set(error, "Parameter 'vcpus': '%s' is no CPU whose statistics are known",
                         path);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean add_cpus(json_object *answer, json_object *paths, json_object *providers,
                         GError **error)
{
    for (guint cpu = 0; cpu < accel_cpu_count(); cpu++) {
        g_autofree char *path = g_strdup_printf(CPU_PATH, cpu);
        if (wanted(paths, path) && !add_result(answer, (gint)cpu, path, providers, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static json_object *query_stats(json_object *arguments, GError **error)
{
    json_object *paths = json_object_object_get(arguments, "vcpus");
    json_object *providers = json_object_object_get(arguments, "providers");
    gboolean of_cpus = g_str_equal(qmp_string(arguments, "target"), "vcpu");

    if (paths && !of_cpus) {
        vm_error_set(error, "Parameter 'vcpus' is for target 'vcpu', not 'vm'");
        return NULL;
    }
    if (!check_paths(paths, error)) {
        return NULL;
    }
    json_object *answer = json_object_new_array();
    if (accel_cpu_count() == 0 || (providers && json_object_array_length(providers) == 0)) {
        return answer;
    }
    if (of_cpus ? !add_cpus(answer, paths, providers, error)
                : !add_result(answer, ACCEL_STATS_MACHINE, NULL, providers, error)) {
        json_object_put(answer);
        return NULL;
    }
    return answer;
}

/* --- names and units --- */

static json_object *describe(const AccelStat *stat)
{
    static const char *const types[ACCEL_STAT_TYPES] = {"cumulative", "instant", "peak",
                                                        "linear-histogram", "log2-histogram"};
    static const char *const units[ACCEL_STAT_UNITS] = {NULL, "bytes", "seconds", "cycles",
                                                        "boolean"};
    json_object *entry = json_object_new_object();

    json_add_string(entry, "name", stat->name);
    json_add_string(entry, "type", types[stat->type]);
    if (units[stat->unit]) {
        json_add_string(entry, "unit", units[stat->unit]);
    }
    if (stat->exponent != 0) {
        json_add_uint(entry, "base", stat->base);
    }
    json_object_object_add(entry, "exponent", json_object_new_int(stat->exponent));
    if (stat->type == ACCEL_STAT_LINEAR_HISTOGRAM) {
        json_add_uint(entry, "bucket-size", stat->bucket_size);
    }
    return entry;
}

static gboolean add_schema(json_object *answer, gint cpu, const char *target, GError **error)
{
    g_autoptr(GPtrArray) stats = accel_stats(cpu, error);

    if (!stats) {
        return FALSE;
    }
    json_object *schema = json_object_new_object();
    json_object *list = json_object_new_array();
    for (guint i = 0; i < stats->len; i++) {
        json_object_array_add(list, describe(g_ptr_array_index(stats, i)));
    }
    json_add_string(schema, "provider", PROVIDER);
    json_add_string(schema, "target", target);
    json_object_object_add(schema, "stats", list);
    json_object_array_add(answer, schema);
    return TRUE;
}

static json_object *query_schemas(json_object *arguments G_GNUC_UNUSED, GError **error)
{
    json_object *answer = json_object_new_array();

    if (accel_cpu_count() > 0 && (!add_schema(answer, ACCEL_STATS_MACHINE, "vm", error) ||
                                  !add_schema(answer, 0, "vcpu", error))) {
        json_object_put(answer);
        return NULL;
    }
    return answer;
}

static const QmpCommand commands[] = {
    {.name = "query-stats",
     .arguments = "target:StatsTarget, *vcpus:[str], *providers:[StatsRequest]",
     .returns = "[StatsResult]",
     .doc = "Statistics that KVM keeps of the machine, or of all CPUs or those named. Empty under "
            "an accelerator that keeps none.",
     .run = query_stats},
    {.name = "query-stats-schemas",
     .arguments = "*provider:StatsProvider",
     .returns = "[StatsSchema]",
     .doc = "Names, types and units of the statistics, as KVM tells them.",
     .run = query_schemas},
    {.name = NULL},
};

static const QmpType types[] = {
    {.name = "StatsTarget",
     .kind = QMP_ENUM,
     .members = "vm, vcpu",
     .doc = "What statistics are kept of."},
    {.name = "StatsProvider",
     .kind = QMP_ENUM,
     .members = PROVIDER,
     .doc = "Who keeps statistics."},
    {.name = "StatsRequest",
     .kind = QMP_OBJECT,
     .members = "provider:StatsProvider, *names:[str]",
     .doc = "Which statistics are asked for; all without names."},
    {.name = "Stats",
     .kind = QMP_OBJECT,
     .members = "name:str, value:any",
     .doc = "A number, a truth value, or the buckets of a histogram."},
    {.name = "StatsResult",
     .kind = QMP_OBJECT,
     .members = "provider:StatsProvider, *qom-path:str, stats:[Stats]",
     .doc = "Statistics of the machine or of one CPU."},
    {.name = "StatsType",
     .kind = QMP_ENUM,
     .members = "cumulative, instant, peak, linear-histogram, log2-histogram",
     .doc = "How a value changes."},
    {.name = "StatsUnit",
     .kind = QMP_ENUM,
     .members = "bytes, seconds, cycles, boolean",
     .doc = "What is counted; nothing stands for a number of events."},
    {.name = "StatsSchemaValue",
     .kind = QMP_OBJECT,
     .members = "name:str, type:StatsType, *unit:StatsUnit, *base:int, exponent:int, "
                "*bucket-size:int",
     .doc = "A value is a multiple of base to the power of exponent of its unit."},
    {.name = "StatsSchema",
     .kind = QMP_OBJECT,
     .members = "provider:StatsProvider, target:StatsTarget, stats:[StatsSchemaValue]",
     .doc = "All statistics of one kind of target."},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, types);
