/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of one CPU: saved when it is fresh, put back at a reset, and the few registers in which
 * a boot protocol wants it to begin.
 */
#include "kvm-internal.h"

#include "util/error.h"

#include <asm/processor-flags.h>
#include <errno.h>
#include <string.h>

#define EFER_LME (1u << 8) /* SDM volume 3, 2.2.1 */
#define EFER_LMA (1u << 10)

struct KvmState {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct kvm_xcrs xcrs;
    struct kvm_debugregs debug;
    struct kvm_vcpu_events events;
    struct kvm_lapic_state lapic;
    struct kvm_mp_state mp;
    struct kvm_msrs *msrs;
    struct kvm_xsave xsave; /* last: its type may grow at the end */
};

/* One register set: how it is read and written. In the order of writing: sregs before what depends
 * on its mode, the events last. */
#define PART(member, name)                                                                         \
    {                                                                                              \
        KVM_GET_##name, KVM_SET_##name, G_STRUCT_OFFSET(KvmState, member), "KVM_SET_" #name        \
    }
static const struct {
    unsigned long get, set;
    gsize offset;
    const char *name;
} parts[] = {
    PART(sregs, SREGS), PART(regs, REGS),       PART(xsave, XSAVE), PART(xcrs, XCRS),
    PART(lapic, LAPIC), PART(debug, DEBUGREGS), PART(mp, MP_STATE), PART(events, VCPU_EVENTS),
};

/* --- model-specific registers --- */

/* Those that KVM says it keeps, read one by one: an older CPU does not have them all. */
static struct kvm_msrs *save_msrs(int fd, GError **error)
{
    struct kvm_msr_list probe = {.nmsrs = 0};
    int result = kvm_ioctl(kvm.system_fd, KVM_GET_MSR_INDEX_LIST, &probe);

    if (result < 0 && result != -E2BIG) {
        vm_error_set_errno(error, -result, "-accel kvm: KVM_GET_MSR_INDEX_LIST");
        return NULL;
    }
    g_autofree struct kvm_msr_list *list =
        g_malloc0(sizeof(*list) + probe.nmsrs * sizeof(uint32_t));
    list->nmsrs = probe.nmsrs;
    result = kvm_ioctl(kvm.system_fd, KVM_GET_MSR_INDEX_LIST, list);
    if (result < 0) {
        vm_error_set_errno(error, -result, "-accel kvm: KVM_GET_MSR_INDEX_LIST");
        return NULL;
    }
    struct kvm_msrs *msrs = g_malloc0(sizeof(*msrs) + list->nmsrs * sizeof(struct kvm_msr_entry));
    g_autofree struct kvm_msrs *one = g_malloc0(sizeof(*one) + sizeof(struct kvm_msr_entry));
    for (uint32_t i = 0; i < list->nmsrs; i++) {
        one->nmsrs = 1;
        one->entries[0] = (struct kvm_msr_entry){.index = list->indices[i]};
        if (kvm_ioctl(fd, KVM_GET_MSRS, one) == 1) {
            msrs->entries[msrs->nmsrs++] = one->entries[0];
        }
    }
    return msrs;
}

/* A register that cannot be written (KVM reports how many went in) is left out, the rest goes on.
 */
static void restore_msrs(int fd, const struct kvm_msrs *saved)
{
    g_autofree struct kvm_msrs *rest =
        g_malloc0(sizeof(*rest) + saved->nmsrs * sizeof(struct kvm_msr_entry));
    uint32_t next = 0;

    while (next < saved->nmsrs) {
        rest->nmsrs = saved->nmsrs - next;
        memcpy(rest->entries, saved->entries + next, rest->nmsrs * sizeof(struct kvm_msr_entry));
        int written = kvm_ioctl(fd, KVM_SET_MSRS, rest);
        next += (uint32_t)MAX(written, 0) + 1;
    }
}

/* --- the whole --- */

KvmState *kvm_state_save(int fd, GError **error)
{
    KvmState *state = g_new0(KvmState, 1);

    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        int result = kvm_ioctl(fd, parts[i].get, (char *)state + parts[i].offset);
        if (result < 0) {
            vm_error_set_errno(error, -result, "-accel kvm: reading what %s sets", parts[i].name);
            kvm_state_free(state);
            return NULL;
        }
    }
    state->msrs = save_msrs(fd, error);
    if (!state->msrs) {
        kvm_state_free(state);
        return NULL;
    }
    return state;
}

gboolean kvm_state_restore(int fd, const KvmState *state, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        int result = kvm_ioctl(fd, parts[i].set, (char *)state + parts[i].offset);
        if (result < 0) {
            vm_error_set_errno(error, -result, "%s", parts[i].name);
            return FALSE;
        }
    }
    restore_msrs(fd, state->msrs);
    return TRUE;
}

void kvm_state_free(KvmState *state)
{
    if (state) {
        g_free(state->msrs);
        g_free(state);
    }
}

/* --- boot --- */

/* A flat segment of 4 GiB (SDM volume 3, 3.4.5); @type: 11 code, 3 data, both accessed. */
static struct kvm_segment flat_segment(uint16_t selector, uint8_t type, gboolean long_code)
{
    return (struct kvm_segment){
        .limit = 0xffffffff,
        .selector = selector,
        .type = type,
        .present = 1,
        .db = !long_code,
        .s = 1,
        .l = long_code,
        .g = 1,
    };
}

static void set_mode(struct kvm_sregs *sregs, const VcpuBoot *boot)
{
    struct kvm_segment data = flat_segment(0x18, 3, FALSE);

    sregs->cs = flat_segment(0x10, 11, boot->long_mode);
    sregs->ds = data;
    sregs->es = data;
    sregs->fs = data;
    sregs->gs = data;
    sregs->ss = data;
    sregs->gdt.base = boot->gdt;
    sregs->gdt.limit = boot->gdt_limit;
    sregs->idt.base = 0;
    sregs->idt.limit = 0;
    sregs->cr0 |= X86_CR0_PE;
    if (boot->long_mode) {
        sregs->cr0 |= X86_CR0_PG;
        sregs->cr3 = boot->page_table;
        sregs->cr4 |= X86_CR4_PAE;
        sregs->efer |= EFER_LME | EFER_LMA;
    }
}

gboolean kvm_state_boot(int fd, const VcpuBoot *boot, GError **error)
{
    struct kvm_regs regs = {
        .rip = boot->entry,
        .rbx = boot->rbx,
        .rsi = boot->rsi,
        .rflags = X86_EFLAGS_FIXED,
    };
    struct kvm_sregs sregs;
    int result = kvm_ioctl(fd, KVM_GET_SREGS, &sregs);

    if (result == 0) {
        set_mode(&sregs, boot);
        result = kvm_ioctl(fd, KVM_SET_SREGS, &sregs);
    }
    if (result == 0) {
        result = kvm_ioctl(fd, KVM_SET_REGS, &regs);
    }
    if (result < 0) {
        vm_error_set_errno(error, -result, "the CPU does not take the state of the boot protocol");
        return FALSE;
    }
    return TRUE;
}
