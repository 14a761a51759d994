/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP: CPU models, and what a model is on this host. */
#include "monitor/qmp.h"

#include "accel/accel.h"
#include "accel/cpu-model.h"
#include "accel/cpuid.h"

static const char *const models[] = {"host", "max"};

static json_object *query_definitions(json_object *arguments G_GNUC_UNUSED,
                                      GError **error G_GNUC_UNUSED)
{
    json_object *list = json_object_new_array();

    for (guint i = 0; i < G_N_ELEMENTS(models); i++) {
        json_object *entry = json_object_new_object();
        g_autofree char *type = g_strdup_printf("%s-x86_64-cpu", models[i]);
        json_add_string(entry, "name", models[i]);
        json_add_string(entry, "typename", type);
        json_object_object_add(entry, "unavailable-features", json_object_new_array());
        json_add_bool(entry, "static", FALSE);
        json_add_bool(entry, "migration-safe", FALSE);
        json_add_bool(entry, "deprecated", FALSE);
        json_object_array_add(list, entry);
    }
    return list;
}

/* The model as -cpu would have it: "NAME,KEY=VALUE,...". */
static char *model_text(json_object *model, GError **error)
{
    g_autoptr(GString) text = g_string_new(qmp_string(model, "name"));
    json_object *properties;

    if (!json_object_object_get_ex(model, "props", &properties)) {
        return g_string_free(g_steal_pointer(&text), FALSE);
    }
    if (!json_object_is_type(properties, json_type_object)) {
        vm_error_set(error, "Parameter 'model.props' expects an object, got %s",
                     json_object_get_string(properties));
        return NULL;
    }
    json_object_object_foreach(properties, key, value)
    {
        g_string_append_printf(text, ",%s=%s", key, json_object_get_string(value));
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void add_features(json_object *properties, const GArray *table)
{
    guint count;
    const CpuFeature *features = cpu_features(&count);

    for (guint i = 0; i < count; i++) {
        json_add_bool(properties, features[i].name, cpuid_has(table, features[i].name));
    }
}

static json_object *describe(const CpuModel *model, const GArray *table)
{
    json_object *answer = json_object_new_object();
    json_object *described = json_object_new_object();
    json_object *properties = json_object_new_object();

    add_features(properties, table);
    json_add_bool(properties, "migratable", model->migratable);
    json_add_bool(properties, "kvm", model->show_kvm);
    json_add_bool(properties, "pmu", model->counters);
    json_add_string(described, "name", model->name);
    json_object_object_add(described, "props", properties);
    json_object_object_add(answer, "model", described);
    return answer;
}

static json_object *query_expansion(json_object *arguments, GError **error)
{
    Accel *accel = accel_current();
    GArray *(*host_cpuid)(GError **) = accel ? ACCEL_GET_CLASS(accel)->host_cpuid : NULL;
    g_autofree char *text = model_text(json_object_object_get(arguments, "model"), error);

    if (!text) {
        return NULL;
    }
    if (!host_cpuid) {
        vm_error_set(error, "CPU model '%s' is what KVM has on this host; it needs -accel kvm",
                     text);
        return NULL;
    }
    g_autoptr(CpuModel) model = cpu_model_parse(text, error);
    g_autoptr(GArray) table = model ? host_cpuid(error) : NULL;
    if (!table || !cpuid_apply_model(table, model, NULL, error)) {
        g_prefix_error(error, "CPU model '%s': ", text);
        return NULL;
    }
    return describe(model, table);
}

static const QmpCommand commands[] = {
    {.name = "query-cpu-definitions",
     .returns = "[CpuDefinitionInfo]",
     .doc = "The CPU models: a guest gets what KVM has on this host.",
     .run = query_definitions},
    {.name = "query-cpu-model-expansion",
     .arguments = "type:CpuModelExpansionType, model:CpuModelInfo",
     .returns = "CpuModelExpansionInfo",
     .doc = "Which features a CPU model has on this host, each by its name. Both types are the "
            "same. Needs ``-accel kvm``.",
     .run = query_expansion},
    {.name = NULL},
};

static const QmpType types[] = {
    {.name = "CpuDefinitionInfo",
     .kind = QMP_OBJECT,
     .members = "name:str, *migration-safe:bool, static:bool, *unavailable-features:[str], "
                "typename:str, deprecated:bool",
     .doc = "A CPU model. Neither is the same on every host (static), or safe to migrate to "
            "another kind of host."},
    {.name = "CpuModelExpansionType",
     .kind = QMP_ENUM,
     .members = "static, full",
     .doc = "How a CPU model is to be expanded."},
    {.name = "CpuModelInfo",
     .kind = QMP_OBJECT,
     .members = "name:str, *props:any",
     .doc = "A CPU model with properties and features as ``-cpu`` takes them."},
    {.name = "CpuModelExpansionInfo",
     .kind = QMP_OBJECT,
     .members = "model:CpuModelInfo",
     .doc = "What a CPU model is on this host."},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, types);
