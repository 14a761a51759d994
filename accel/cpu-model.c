/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -cpu: "MODEL,+feature,-feature,feature=on|off,property=value". */
#include "accel/cpu-model.h"

#include "util/error.h"
#include "util/size.h"

#include <stdio.h>
#include <string.h>

#define ADDRESS_BITS_MIN 32 /* of physical addresses (SDM volume 2, CPUID 0x80000008) */
#define ADDRESS_BITS_MAX 52
#define ADDRESS_BITS_PLAIN 40 /* what host-phys-bits=off stands for: any processor has them */

static CpuModel *current; /* NULL: none was chosen */

static void clear_switch(gpointer item)
{
    g_free(((CpuSwitch *)item)->name);
}

static CpuModel *model_new(void)
{
    CpuModel *model = g_new(CpuModel, 1);

    *model = (CpuModel){
        .name = "host",
        .switches = g_array_new(FALSE, FALSE, sizeof(CpuSwitch)),
        .check = TRUE,
        .migratable = TRUE,
        .show_kvm = TRUE,
        .counters = TRUE,
    };
    g_array_set_clear_func(model->switches, clear_switch);
    return model;
}

void cpu_model_free(CpuModel *model)
{
    if (model) {
        g_array_unref(model->switches);
        g_free(model);
    }
}

const CpuModel *cpu_model(void)
{
    if (!current) {
        current = model_new();
    }
    return current;
}

/* --- properties --- */

/* What -cpu takes beside features. Each function gets the value's text. */
typedef struct Property {
    const char *name;
    gboolean (*set)(CpuModel *model, const char *text, GError **error);
} Property;

static gboolean set_check(CpuModel *model, const char *text, GError **error)
{
    return bool_parse(text, &model->check, error);
}

static gboolean set_enforce(CpuModel *model, const char *text, GError **error)
{
    return bool_parse(text, &model->enforce, error);
}

static gboolean set_migratable(CpuModel *model, const char *text, GError **error)
{
    return bool_parse(text, &model->migratable, error);
}

static gboolean set_kvm(CpuModel *model, const char *text, GError **error)
{
    return bool_parse(text, &model->show_kvm, error);
}

static gboolean set_pmu(CpuModel *model, const char *text, GError **error)
{
    return bool_parse(text, &model->counters, error);
}

static gboolean set_host_bits(CpuModel *model, const char *text, GError **error)
{
    gboolean host = TRUE;

    if (!bool_parse(text, &host, error)) {
        return FALSE;
    }
    model->address_bits = host ? 0 : model->address_bits ? model->address_bits : ADDRESS_BITS_PLAIN;
    return TRUE;
}

static gboolean take_bits(const char *text, guint *bits, GError **error)
{
    uint64_t number = 0;

    if (!number_parse(text, 0, ADDRESS_BITS_MAX, &number, error)) {
        return FALSE;
    }
    if (number > 0 && number < ADDRESS_BITS_MIN) {
        vm_error_set(error, "'%s': expected %d to %d, or 0 for what the host has", text,
                     ADDRESS_BITS_MIN, ADDRESS_BITS_MAX);
        return FALSE;
    }
    *bits = (guint)number;
    return TRUE;
}

static gboolean set_bits(CpuModel *model, const char *text, GError **error)
{
    return take_bits(text, &model->address_bits, error);
}

static gboolean set_limit(CpuModel *model, const char *text, GError **error)
{
    return take_bits(text, &model->address_limit, error);
}

static const Property properties[] = {
    {"check", set_check},
    {"enforce", set_enforce},
    {"migratable", set_migratable},
    {"kvm", set_kvm},
    {"pmu", set_pmu},
    {"host-phys-bits", set_host_bits},
    {"phys-bits", set_bits},
    {"host-phys-bits-limit", set_limit},
};

/* --- items --- */

static gboolean is_feature(const char *name)
{
    guint count;
    const CpuFeature *features = cpu_features(&count);

    for (guint i = 0; i < count; i++) {
        if (cpu_feature_is_named(&features[i], name)) {
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean refuse(const char *name, GError **error)
{
    if (g_str_has_prefix(name, "hv-") || g_str_has_prefix(name, "hv_")) {
        vm_error_set(error,
                     "'%s': this version shows no Hyper-V interface; a Windows guest runs "
                     "without",
                     name);
    } else {
        vm_error_set(error, "'%s': there is no such feature or property; -cpu help lists them",
                     name);
    }
    return FALSE;
}

static gboolean add_switch(CpuModel *model, const char *name, const char *text, GError **error)
{
    CpuSwitch chosen = {NULL, TRUE};

    if (!is_feature(name)) {
        return refuse(name, error);
    }
    if (!bool_parse(text, &chosen.on, error)) {
        g_prefix_error(error, "'%s': ", name);
        return FALSE;
    }
    chosen.name = g_strdup(name);
    g_array_append_val(model->switches, chosen);
    return TRUE;
}

/* "name=value", "name" (on), "+name", "-name". */
static gboolean take_item(CpuModel *model, const char *item, GError **error)
{
    const char *equals = strchr(item, '=');

    if (item[0] == '+' || item[0] == '-') {
        return add_switch(model, item + 1, item[0] == '+' ? "on" : "off", error);
    }
    g_autofree char *name = equals ? g_strndup(item, (gsize)(equals - item)) : g_strdup(item);
    const char *text = equals ? equals + 1 : "on";
    for (guint i = 0; i < G_N_ELEMENTS(properties); i++) {
        if (strcmp(properties[i].name, name) != 0) {
            continue;
        }
        if (!properties[i].set(model, text, error)) {
            g_prefix_error(error, "'%s': ", name);
            return FALSE;
        }
        return TRUE;
    }
    return add_switch(model, name, text, error);
}

static gboolean choose_name(CpuModel *model, const char *name, GError **error)
{
    static const char *const names[] = {"host", "max"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(names[i], name) == 0) {
            model->name = names[i];
            return TRUE;
        }
    }
    vm_error_set(error,
                 "there is no model '%s' here: a guest gets what KVM has on this host; use host "
                 "or max, with single features as +x or -x",
                 name);
    return FALSE;
}

CpuModel *cpu_model_parse(const char *value, GError **error)
{
    g_auto(GStrv) items = g_strsplit(value, ",", -1);
    g_autoptr(CpuModel) model = model_new();
    gboolean good = choose_name(model, items[0] ? items[0] : "", error);

    for (guint i = 1; good && items[i]; i++) {
        good = take_item(model, items[i], error);
    }
    return good ? g_steal_pointer(&model) : NULL;
}

gboolean cpu_model_choose(const char *value, GError **error)
{
    CpuModel *model = cpu_model_parse(value, error);

    if (!model) {
        g_prefix_error(error, "-cpu %s: ", value);
        return FALSE;
    }
    cpu_model_free(current);
    current = model;
    return TRUE;
}

/* --- help --- */

void cpu_model_print_help(void)
{
    guint count;
    const CpuFeature *features = cpu_features(&count);
    const char *before = "";

    printf("Models:\n"
           "  host  what KVM has on this host\n"
           "  max   the same\n"
           "\nProperties:\n");
    for (guint i = 0; i < G_N_ELEMENTS(properties); i++) {
        printf("  %s\n", properties[i].name);
    }
    printf("\nFeatures (+NAME, -NAME, NAME=on, NAME=off) and where CPUID has them:\n");
    for (guint i = 0; i < count; i++) {
        static const char *const registers[] = {"eax", "ebx", "ecx", "edx"};
        const CpuFeature *feature = &features[i];
        g_autofree char *place = g_strdup_printf("0x%x.%u %s", feature->leaf, feature->subleaf,
                                                 registers[feature->place]);
        if (strcmp(before, feature->name) != 0) {
            printf("  %-28s %-18s bit %u\n", feature->name, place, feature->bit);
        }
        before = feature->name;
    }
}
