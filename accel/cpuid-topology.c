/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPUID by the topology of -smp: who shares what with whom, and each CPU's own id.  Intel SDM
 * volume 2, CPUID; AMD APM volume 3, appendix E.  A processor is a package of cores of threads;
 * levels in between (dies, clusters) have one member.
 */
#include "accel/cpuid.h"

#include <string.h>

#define FEATURE_1_EDX_HTT (1u << 28)
#define FEATURE_EXT_1_ECX_CMP_LEGACY (1u << 1)

/* Levels of leaves 0xb and 0x1f. */
enum { LEVEL_INVALID, LEVEL_THREAD, LEVEL_CORE };

/* One CPU's place. */
typedef struct Place {
    guint id;           /* of its local APIC */
    guint thread_bits;  /* of the id's lowest part */
    guint package_bits; /* of thread and core */
    guint threads;      /* of a core */
    guint cpus;         /* of a package */
} Place;

static void set_leaf_1(struct kvm_cpuid_entry2 *entry, const Place *place)
{
    guint logical = 1u << place->package_bits;

    entry->ebx = (entry->ebx & 0x0000ffff) | MIN(logical, 255) << 16 | place->id << 24;
    if (place->cpus > 1) {
        entry->edx |= FEATURE_1_EDX_HTT;
    } else {
        entry->edx &= ~FEATURE_1_EDX_HTT;
    }
}

/*
 * A cache of leaf 4 or 0x8000001d: EAX bits 0 to 4 type, 5 to 7 level, 14 to 25 ids that share it
 * less 1; in leaf 4 bits 26 to 31 ids of cores in the package less 1.
 */
static void set_cache(struct kvm_cpuid_entry2 *entry, const Place *place)
{
    guint level = entry->eax >> 5 & 7;
    guint cores = 1u << (place->package_bits - place->thread_bits);
    guint sharing = 1u << (level < 3 ? place->thread_bits : place->package_bits);

    if ((entry->eax & 0x1f) == 0) {
        return;
    }
    entry->eax = (entry->eax & 0x3fff) | (sharing - 1) << 14;
    if (entry->function == 4) {
        entry->eax |= MIN(cores - 1, 63) << 26;
    }
}

/* 0x8000001e: EAX the id, EBX number of the core and threads of a core less 1, ECX one node. */
static void set_amd_ids(struct kvm_cpuid_entry2 *entry, const Place *place)
{
    guint core = (place->id & ((1u << place->package_bits) - 1)) >> place->thread_bits;
    guint package = place->id >> place->package_bits;

    entry->eax = place->id;
    entry->ebx = (place->threads - 1) << 8 | core;
    entry->ecx = package & 0xff;
    entry->edx = 0;
}

/* Leaves 0xb and 0x1f: a subleaf for each level, the first one that is invalid ends the list. */
static void add_levels(GArray *table, uint32_t leaf, const Place *place)
{
    const struct {
        guint shift, cpus, level;
    } levels[] = {
        {place->thread_bits, place->threads, LEVEL_THREAD},
        {place->package_bits, place->cpus, LEVEL_CORE},
        {0, 0, LEVEL_INVALID},
    };

    for (guint i = 0; i < G_N_ELEMENTS(levels); i++) {
        struct kvm_cpuid_entry2 entry = {
            .function = leaf,
            .index = i,
            .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
            .eax = levels[i].shift,
            .ebx = levels[i].cpus,
            .ecx = levels[i].level << 8 | i,
            .edx = place->id,
        };
        g_array_append_val(table, entry);
    }
}

static gboolean remove_leaf(GArray *table, uint32_t leaf)
{
    gboolean found = FALSE;

    for (guint i = table->len; i-- > 0;) {
        if (g_array_index(table, struct kvm_cpuid_entry2, i).function == leaf) {
            g_array_remove_index(table, i);
            found = TRUE;
        }
    }
    return found;
}

static gboolean vendor_is_amd(const GArray *table)
{
    const struct kvm_cpuid_entry2 *entry = cpuid_find(table, 0, 0);

    return entry && (memcmp(&entry->ebx, "Auth", 4) == 0 || memcmp(&entry->ebx, "Hygo", 4) == 0);
}

static void adapt(struct kvm_cpuid_entry2 *entry, const Place *place, gboolean amd)
{
    switch (entry->function) {
    case 1:
        set_leaf_1(entry, place);
        break;
    case 4:
    case 0x8000001d:
        set_cache(entry, place);
        break;
    case 0x80000001:
        if (amd && place->cpus > 1) {
            entry->ecx |= FEATURE_EXT_1_ECX_CMP_LEGACY;
        } else {
            entry->ecx &= ~FEATURE_EXT_1_ECX_CMP_LEGACY;
        }
        break;
    case 0x80000008: /* AMD: bits 0 to 7 CPUs of the package less 1, 12 to 15 bits of their ids */
        entry->ecx = amd ? (place->cpus - 1) | place->package_bits << 12 : 0;
        break;
    case 0x8000001e:
        set_amd_ids(entry, place);
        break;
    default:
        break;
    }
}

void cpuid_apply_topology(GArray *table, const VcpuTopology *topology, guint index)
{
    guint threads = vcpu_id_bits(topology->threads);
    const Place place = {
        .id = vcpu_apic_id(index),
        .thread_bits = threads,
        .package_bits = vcpu_id_bits(topology->cores) + threads,
        .threads = topology->threads,
        .cpus = topology->threads * topology->cores,
    };
    gboolean amd = vendor_is_amd(table);

    for (guint i = 0; i < table->len; i++) {
        adapt(&g_array_index(table, struct kvm_cpuid_entry2, i), &place, amd);
    }
    /* KVM lists at most the first level: the rest is up to us. */
    static const uint32_t leaves[] = {0xb, 0x1f};
    for (guint i = 0; i < G_N_ELEMENTS(leaves); i++) {
        if (remove_leaf(table, leaves[i])) {
            add_levels(table, leaves[i], &place);
        }
    }
}
