/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPUID by the CPU model: features taken and left, and what depends on them. */
#include "accel/cpuid.h"

#include "util/error.h"

#define LEAF_COUNTERS 0xa
#define LEAF_XSAVE 0xd
#define LEAF_KVM 0x40000000
#define LEAF_KVM_LAST 0x400000ff
#define LEAF_ADDRESS_BITS 0x80000008
#define LEAF_AMD_COUNTERS 0x80000022

#define XSAVE_LEGACY_BYTES 576 /* x87, SSE and the header (SDM volume 1, 13.4) */
#define XSAVE_LEGACY 3u        /* their components */

struct kvm_cpuid_entry2 *cpuid_find(const GArray *table, uint32_t leaf, uint32_t subleaf)
{
    for (guint i = 0; i < table->len; i++) {
        struct kvm_cpuid_entry2 *entry = &g_array_index(table, struct kvm_cpuid_entry2, i);
        gboolean indexed = (entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) != 0;
        if (entry->function == leaf && (indexed ? entry->index == subleaf : subleaf == 0)) {
            return entry;
        }
    }
    return NULL;
}

uint32_t *cpuid_register(struct kvm_cpuid_entry2 *entry, CpuidRegister place)
{
    uint32_t *const registers[CPUID_REGISTERS] = {&entry->eax, &entry->ebx, &entry->ecx,
                                                  &entry->edx};

    return registers[place];
}

static uint32_t *register_of(const GArray *table, const CpuFeature *feature)
{
    struct kvm_cpuid_entry2 *entry = cpuid_find(table, feature->leaf, feature->subleaf);

    return entry ? cpuid_register(entry, feature->place) : NULL;
}

gboolean cpuid_has(const GArray *table, const char *name)
{
    gboolean found = FALSE;
    guint count;
    const CpuFeature *features = cpu_features(&count);

    for (guint i = 0; i < count; i++) {
        if (cpu_feature_is_named(&features[i], name)) {
            const uint32_t *place = register_of(table, &features[i]);
            if (!place || !(*place & 1u << features[i].bit)) {
                return FALSE;
            }
            found = TRUE;
        }
    }
    return found;
}

/* --- single features --- */

static void set_feature(GArray *table, const char *name, gboolean on)
{
    guint count;
    const CpuFeature *features = cpu_features(&count);

    for (guint i = 0; i < count; i++) {
        uint32_t *place =
            cpu_feature_is_named(&features[i], name) ? register_of(table, &features[i]) : NULL;
        if (place && on) {
            *place |= 1u << features[i].bit;
        } else if (place) {
            *place &= ~(1u << features[i].bit);
        }
    }
}

/* What the user says of the host's processors rather than asks of them: no table has it. */
static gboolean is_promise(const char *name)
{
    static const CpuFeature hint = {.name = "kvm-hint-dedicated"};

    return cpu_feature_is_named(&hint, name);
}

static gboolean asked_for(const CpuModel *model, const char *name)
{
    const CpuFeature wanted = {.name = name};
    gboolean on = FALSE;

    for (guint i = 0; i < model->switches->len; i++) {
        const CpuSwitch *chosen = &g_array_index(model->switches, CpuSwitch, i);
        if (cpu_feature_is_named(&wanted, chosen->name)) {
            on = chosen->on;
        }
    }
    return on;
}

/* The names that were asked for and are not there. */
static char *apply_switches(GArray *table, const CpuModel *model)
{
    g_autoptr(GString) missing = g_string_new(NULL);

    for (guint i = 0; i < model->switches->len; i++) {
        const CpuSwitch *chosen = &g_array_index(model->switches, CpuSwitch, i);
        if (!chosen->on || is_promise(chosen->name)) {
            set_feature(table, chosen->name, chosen->on);
        } else if (!asked_for(model, chosen->name)) {
            continue; /* taken back later */
        } else if (!cpuid_has(table, chosen->name)) {
            g_string_append_printf(missing, "%s%s", missing->len ? ", " : "", chosen->name);
        }
    }
    return missing->len ? g_string_free(g_steal_pointer(&missing), FALSE) : NULL;
}

/* --- what depends on features --- */

/* The register sets that XSAVE may save, with the feature that has them (SDM volume 1, 13.1). */
static uint32_t components_without_feature(const GArray *table)
{
    static const struct {
        uint32_t components;
        const char *feature;
    } needs[] = {
        {1u << 2, "avx"}, {3u << 3, "mpx"},       {7u << 5, "avx512f"},
        {1u << 9, "pku"}, {3u << 17, "amx-tile"},
    };
    uint32_t without = 0;

    for (guint i = 0; i < G_N_ELEMENTS(needs); i++) {
        without |= cpuid_has(table, needs[i].feature) ? 0 : needs[i].components;
    }
    return cpuid_has(table, "xsave") ? without : ~0u;
}

/* Register sets whose feature is gone are not offered either, and the area is no larger than the
 * others need. */
static void trim_xsave(GArray *table)
{
    struct kvm_cpuid_entry2 *first = cpuid_find(table, LEAF_XSAVE, 0);
    uint32_t gone = components_without_feature(table);
    uint32_t size = XSAVE_LEGACY_BYTES;

    if (!first) {
        return;
    }
    first->eax &= ~gone;
    for (uint32_t component = 2; component < 32; component++) {
        struct kvm_cpuid_entry2 *entry = cpuid_find(table, LEAF_XSAVE, component);
        if (!entry) {
            continue;
        }
        if (gone & 1u << component) {
            entry->eax = entry->ebx = entry->ecx = entry->edx = 0;
        } else if (first->eax & 1u << component) {
            size = MAX(size, entry->ebx + entry->eax);
        }
    }
    first->ecx = first->eax & XSAVE_LEGACY ? size : 0;
    if (gone == ~0u) {
        struct kvm_cpuid_entry2 *second = cpuid_find(table, LEAF_XSAVE, 1);
        first->ebx = 0;
        if (second) {
            second->eax = second->ebx = second->ecx = second->edx = 0;
        }
    }
}

/* Zeros for what has no meaning without its feature. */
static void clear_leaf(GArray *table, uint32_t first, uint32_t last)
{
    for (guint i = 0; i < table->len; i++) {
        struct kvm_cpuid_entry2 *entry = &g_array_index(table, struct kvm_cpuid_entry2, i);
        if (entry->function >= first && entry->function <= last) {
            entry->eax = entry->ebx = entry->ecx = entry->edx = 0;
        }
    }
}

static void hide_counters(GArray *table)
{
    clear_leaf(table, LEAF_COUNTERS, LEAF_COUNTERS);
    clear_leaf(table, LEAF_AMD_COUNTERS, LEAF_AMD_COUNTERS);
    set_feature(table, "pdcm", FALSE);
    set_feature(table, "perfctr-core", FALSE);
    set_feature(table, "perfctr-nb", FALSE);
}

static void hide_kvm(GArray *table)
{
    for (guint i = table->len; i-- > 0;) {
        uint32_t leaf = g_array_index(table, struct kvm_cpuid_entry2, i).function;
        if (leaf >= LEAF_KVM && leaf <= LEAF_KVM_LAST) {
            g_array_remove_index(table, i);
        }
    }
}

/* Leaf 0x80000008, bits 0 to 7 of EAX. */
static gboolean set_address_bits(GArray *table, const CpuModel *model, GError **error)
{
    struct kvm_cpuid_entry2 *entry = cpuid_find(table, LEAF_ADDRESS_BITS, 0);
    guint host = entry ? entry->eax & 0xff : 36; /* SDM volume 2: without the leaf */
    guint bits = model->address_bits ? model->address_bits : host;

    if (bits > host) {
        vm_error_set(error, "phys-bits=%u: this host's addresses have %u bits", bits, host);
        return FALSE;
    }
    if (model->address_limit) {
        bits = MIN(bits, model->address_limit);
    }
    if (entry) {
        entry->eax = (entry->eax & ~0xffu) | bits;
    }
    return TRUE;
}

gboolean cpuid_apply_model(GArray *table, const CpuModel *model, char **missing, GError **error)
{
    g_autofree char *lacking = apply_switches(table, model);

    if (missing) {
        *missing = g_strdup(lacking);
    }
    if (lacking && model->enforce) {
        vm_error_set(error, "this host does not have %s (enforce)", lacking);
        return FALSE;
    }
    if (model->migratable && !asked_for(model, "invtsc")) {
        set_feature(table, "invtsc",
                    FALSE); /* its promise ends where another host has another rate */
    }
    trim_xsave(table);
    if (!cpuid_has(table, "svm")) {
        clear_leaf(table, 0x8000000a, 0x8000000a);
    }
    if (!model->counters) {
        hide_counters(table);
    }
    if (!model->show_kvm) {
        hide_kvm(table);
    }
    return set_address_bits(table, model, error);
}
