/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPUID of KVM's CPUs: what KVM supports on this host is read once, the CPU model is applied to it
 * once, and each CPU gets a copy with its own place in it.
 */
#include "kvm-internal.h"

#include "accel/cpuid.h"
#include "util/error.h"
#include "util/report.h"

#include <errno.h>

#define CPUID_ENTRIES_MAX 1024
#define FEATURE_1_ECX_TSC_DEADLINE (1u << 24)
#define FEATURE_1_ECX_HYPERVISOR (1u << 31)

static GArray *model_table; /* of struct kvm_cpuid_entry2; NULL before the first CPU */

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

GArray *kvm_cpuid_host(GError **error)
{
    g_autofree struct kvm_cpuid2 *cpuid = supported(error);

    if (!cpuid) {
        return NULL;
    }
    GArray *table = g_array_sized_new(FALSE, FALSE, sizeof(struct kvm_cpuid_entry2), cpuid->nent);
    g_array_append_vals(table, cpuid->entries, cpuid->nent);
    struct kvm_cpuid_entry2 *features = cpuid_find(table, 1, 0);
    if (features) {
        /* KVM does not list what depends on us (api.rst, KVM_GET_SUPPORTED_CPUID). */
        features->ecx |= FEATURE_1_ECX_HYPERVISOR;
        if (kvm_has(KVM_CAP_TSC_DEADLINE_TIMER)) {
            features->ecx |= FEATURE_1_ECX_TSC_DEADLINE;
        }
    }
    kvm_power_add_features(table);
    return table;
}

gboolean kvm_cpuid_prepare(GError **error)
{
    g_autoptr(GArray) table = kvm_cpuid_host(error);
    g_autofree char *missing = NULL;
    const CpuModel *model = cpu_model();

    if (!table) {
        return FALSE;
    }
    if (!cpuid_apply_model(table, model, &missing, error)) {
        g_prefix_error(error, "-cpu %s: ", model->name);
        return FALSE;
    }
    if (missing && model->check) {
        report_warning("-cpu %s: this host does not have %s", model->name, missing);
    }
    model_table = g_steal_pointer(&table);
    return TRUE;
}

gboolean kvm_cpuid_set(int vcpu_fd, guint index, GError **error)
{
    g_autoptr(GArray) table = g_array_copy(model_table);
    int result;

    cpuid_apply_topology(table, vcpu_topology(), index);
    gsize size = table->len * sizeof(struct kvm_cpuid_entry2);
    g_autofree struct kvm_cpuid2 *cpuid = g_malloc0(sizeof(*cpuid) + size);
    cpuid->nent = table->len;
    memcpy(cpuid->entries, table->data, size);
    result = kvm_ioctl(vcpu_fd, KVM_SET_CPUID2, cpuid);
    if (result < 0) {
        vm_error_set_errno(error, -result, "-accel kvm: KVM_SET_CPUID2 of CPU %u", index);
    }
    return result == 0;
}

void kvm_cpuid_clear(void)
{
    g_clear_pointer(&model_table, g_array_unref);
}
