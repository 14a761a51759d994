/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPUID as the guest sees it: what KVM supports on this host, with the topology of -smp and this
 * CPU's own APIC id in it (Intel SDM volume 2, CPUID).
 */
#include "kvm-internal.h"

#include "util/error.h"

#include <errno.h>

#define CPUID_ENTRIES_MAX 1024
#define FEATURE_1_ECX_TSC_DEADLINE (1u << 24)
#define FEATURE_1_ECX_HYPERVISOR (1u << 31)
#define FEATURE_1_EDX_HTT (1u << 28)

/* Levels of leaf 11. */
enum { LEVEL_INVALID, LEVEL_THREAD, LEVEL_CORE };

/* Of the ids within one package. */
static guint package_bits(void)
{
    return vcpu_id_bits(vcpu_topology()->cores) + vcpu_id_bits(vcpu_topology()->threads);
}

static struct kvm_cpuid2 *supported(GError **error)
{
    for (guint room = 64; room <= CPUID_ENTRIES_MAX; room *= 2) {
        struct kvm_cpuid2 *cpuid =
            g_malloc0(sizeof(*cpuid) + room * sizeof(struct kvm_cpuid_entry2));
        cpuid->nent = room;
        int result = kvm_ioctl(kvm.system_fd, KVM_GET_SUPPORTED_CPUID, cpuid);
        if (result == 0) {
            return cpuid;
        }
        g_free(cpuid);
        if (result != -E2BIG) {
            vm_error_set_errno(error, -result, "-accel kvm: KVM_GET_SUPPORTED_CPUID");
            return NULL;
        }
    }
    vm_error_set(error, "-accel kvm: KVM_GET_SUPPORTED_CPUID has more than %u entries",
                 CPUID_ENTRIES_MAX);
    return NULL;
}

static void set_features(struct kvm_cpuid_entry2 *entry, guint index)
{
    guint logical = 1u << package_bits();

    entry->ebx = (entry->ebx & 0x0000ffff) | MIN(logical, 255) << 16 | vcpu_apic_id(index) << 24;
    entry->ecx |= FEATURE_1_ECX_HYPERVISOR;
    if (kvm_has(KVM_CAP_TSC_DEADLINE_TIMER)) {
        entry->ecx |= FEATURE_1_ECX_TSC_DEADLINE;
    }
    if (logical > 1) {
        entry->edx |= FEATURE_1_EDX_HTT;
    } else {
        entry->edx &= ~FEATURE_1_EDX_HTT;
    }
}

/* Leaf 4: bits 14 to 25 CPUs that share the cache, 26 to 31 cores of the package, each less 1. */
static void set_cache_sharing(struct kvm_cpuid_entry2 *entry)
{
    const VcpuTopology *topology = vcpu_topology();
    guint level = entry->eax >> 5 & 7;
    guint cores = 1u << vcpu_id_bits(topology->cores);
    guint sharing = (level < 3 ? 1 : cores) << vcpu_id_bits(topology->threads);

    if ((entry->eax & 0x1f) != 0) {
        entry->eax = (entry->eax & 0x3fff) | (sharing - 1) << 14 | MIN(cores - 1, 63) << 26;
    }
}

static void set_levels(struct kvm_cpuid_entry2 *entry, guint index)
{
    const VcpuTopology *topology = vcpu_topology();
    guint threads = vcpu_id_bits(topology->threads);

    entry->eax = 0;
    entry->ebx = 0;
    entry->ecx = entry->index;
    entry->edx = vcpu_apic_id(index);
    if (entry->index == 0) {
        entry->eax = threads;
        entry->ebx = topology->threads;
        entry->ecx |= LEVEL_THREAD << 8;
    } else if (entry->index == 1) {
        entry->eax = package_bits();
        entry->ebx = topology->threads * topology->cores;
        entry->ecx |= LEVEL_CORE << 8;
    }
}

static void adapt(struct kvm_cpuid_entry2 *entry, guint index)
{
    switch (entry->function) {
    case 1:
        set_features(entry, index);
        break;
    case 4:
        set_cache_sharing(entry);
        break;
    case 0xb:
    case 0x1f:
        set_levels(entry, index);
        break;
    case 0x80000008: /* AMD: bits 0 to 7 CPUs of the package less 1, 12 to 15 bits of their ids */
        entry->ecx = (vcpu_topology()->cores * vcpu_topology()->threads - 1) | package_bits() << 12;
        break;
    default:
        break;
    }
}

gboolean kvm_cpuid_set(int vcpu_fd, guint index, GError **error)
{
    g_autofree struct kvm_cpuid2 *cpuid = supported(error);
    int result;

    if (!cpuid) {
        return FALSE;
    }
    for (uint32_t i = 0; i < cpuid->nent; i++) {
        adapt(&cpuid->entries[i], index);
    }
    result = kvm_ioctl(vcpu_fd, KVM_SET_CPUID2, cpuid);
    if (result < 0) {
        vm_error_set_errno(error, -result, "-accel kvm: KVM_SET_CPUID2 of CPU %u", index);
    }
    return result == 0;
}
