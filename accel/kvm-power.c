/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -overcommit cpu-pm=on: a guest's CPU that has nothing to do halts, waits and spins on the host's
 * CPU itself instead of giving it back (api.rst, KVM_CAP_X86_DISABLE_EXITS).
 */
#include "kvm-internal.h"

#include "accel/cpuid.h"
#include "util/error.h"

#include <cpuid.h>

#define FEATURE_1_ECX_MONITOR (1u << 3)
#define LEAF_MONITOR 5

static gboolean waits_in_guest; /* MONITOR and MWAIT do not exit */

gboolean kvm_power_start(GError **error)
{
    struct kvm_enable_cap enable = {.cap = KVM_CAP_X86_DISABLE_EXITS};
    int result;

    if (!vcpu_own_power_management()) {
        return TRUE;
    }
    enable.args[0] = (unsigned)kvm_has(KVM_CAP_X86_DISABLE_EXITS) & KVM_X86_DISABLE_VALID_EXITS;
    if (!(enable.args[0] & (KVM_X86_DISABLE_EXITS_HLT | KVM_X86_DISABLE_EXITS_MWAIT))) {
        vm_error_set(error, "-overcommit cpu-pm=on: the kernel's KVM does not let CPUs of a guest "
                            "sleep by themselves on this host (KVM_CAP_X86_DISABLE_EXITS); use "
                            "cpu-pm=off");
        return FALSE;
    }
    result = kvm_ioctl(kvm.vm_fd, KVM_ENABLE_CAP, &enable);
    if (result < 0) {
        vm_error_set_errno(error, -result,
                           "-overcommit cpu-pm=on: the kernel's KVM refuses "
                           "KVM_CAP_X86_DISABLE_EXITS");
        return FALSE;
    }
    waits_in_guest = (enable.args[0] & KVM_X86_DISABLE_EXITS_MWAIT) != 0;
    return TRUE;
}

/* KVM leaves both to us (SDM volume 2, CPUID: ECX bit 3 of leaf 1, and leaf 5 of its lines). */
void kvm_power_add_features(GArray *table)
{
    struct kvm_cpuid_entry2 *features = cpuid_find(table, 1, 0);
    struct kvm_cpuid_entry2 monitor = {.function = LEAF_MONITOR};

    if (!waits_in_guest || !features ||
        !__get_cpuid(LEAF_MONITOR, &monitor.eax, &monitor.ebx, &monitor.ecx, &monitor.edx)) {
        return;
    }
    features->ecx |= FEATURE_1_ECX_MONITOR;
    struct kvm_cpuid_entry2 *present = cpuid_find(table, LEAF_MONITOR, 0);
    if (present) {
        *present = monitor;
    } else {
        g_array_append_val(table, monitor);
    }
}
