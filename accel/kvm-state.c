/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of one CPU, all that KVM lets out (api.rst): taken when it is fresh for later resets,
 * and at any time while it stands still; and the few registers in which a boot protocol wants it to
 * begin.
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
    struct kvm_sregs2 sregs2; /* in its place where KVM has it: page directory pointers, too */
    struct kvm_xcrs xcrs;
    struct kvm_debugregs debug;
    struct kvm_vcpu_events events;
    struct kvm_lapic_state lapic;
    struct kvm_mp_state mp;
    struct kvm_msrs *msrs;
    struct kvm_xsave *xsave;         /* as large as KVM_CAP_XSAVE2 says */
    struct kvm_nested_state *nested; /* NULL: the host keeps none, or the guest has none */
};

/* One register set: how it is read and written. In the order of writing, the events last; the
 * segments, on whose mode others depend, come before all of them. */
#define PART(member, name)                                                                         \
    {                                                                                              \
        KVM_GET_##name, KVM_SET_##name, G_STRUCT_OFFSET(KvmState, member), "KVM_SET_" #name        \
    }
static const struct {
    unsigned long get, set;
    gsize offset;
    const char *name;
} parts[] = {
    PART(regs, REGS),   PART(xcrs, XCRS),       PART(lapic, LAPIC),
    PART(mp, MP_STATE), PART(debug, DEBUGREGS), PART(events, VCPU_EVENTS),
};

/* --- model-specific registers --- */

static struct kvm_msr_list *msr_list; /* what KVM keeps; NULL before the first CPU */

static struct kvm_msr_list *read_msr_list(GError **error)
{
    struct kvm_msr_list probe = {.nmsrs = 0};
    int result = kvm_ioctl(kvm.system_fd, KVM_GET_MSR_INDEX_LIST, &probe);

    if (result == -E2BIG) {
        g_autofree struct kvm_msr_list *list =
            g_malloc0(sizeof(*list) + probe.nmsrs * sizeof(uint32_t));
        list->nmsrs = probe.nmsrs;
        result = kvm_ioctl(kvm.system_fd, KVM_GET_MSR_INDEX_LIST, list);
        if (result == 0) {
            return g_steal_pointer(&list);
        }
    }
    vm_error_set_errno(error, -result, "-accel kvm: KVM_GET_MSR_INDEX_LIST");
    return NULL;
}

/* Those that KVM says it keeps, and this CPU has: one after the other where one is missing. */
static struct kvm_msrs *save_msrs(int fd, GError **error)
{
    if (!msr_list && !(msr_list = read_msr_list(error))) {
        return NULL;
    }
    gsize size = sizeof(struct kvm_msrs) + msr_list->nmsrs * sizeof(struct kvm_msr_entry);
    struct kvm_msrs *msrs = g_malloc0(size);
    g_autofree struct kvm_msrs *rest = g_malloc0(size);
    uint32_t next = 0;

    while (next < msr_list->nmsrs) {
        rest->nmsrs = msr_list->nmsrs - next;
        for (uint32_t i = 0; i < rest->nmsrs; i++) {
            rest->entries[i] = (struct kvm_msr_entry){.index = msr_list->indices[next + i]};
        }
        uint32_t read = (uint32_t)MAX(kvm_ioctl(fd, KVM_GET_MSRS, rest), 0);
        memcpy(msrs->entries + msrs->nmsrs, rest->entries, read * sizeof(struct kvm_msr_entry));
        msrs->nmsrs += read;
        next += read + 1; /* the one that stopped it is left out */
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

/* --- parts of a size that is found out --- */

static gboolean done(int result, const char *name, GError **error)
{
    if (result < 0) {
        vm_error_set_errno(error, -result, "-accel kvm: %s", name);
    }
    return result >= 0;
}

static gboolean save_segments(int fd, KvmState *state, GError **error)
{
    return kvm_has(KVM_CAP_SREGS2)
               ? done(kvm_ioctl(fd, KVM_GET_SREGS2, &state->sregs2), "KVM_GET_SREGS2", error)
               : done(kvm_ioctl(fd, KVM_GET_SREGS, &state->sregs), "KVM_GET_SREGS", error);
}

static gboolean restore_segments(int fd, const KvmState *state, GError **error)
{
    return kvm_has(KVM_CAP_SREGS2)
               ? done(kvm_ioctl(fd, KVM_SET_SREGS2, (void *)&state->sregs2), "KVM_SET_SREGS2",
                      error)
               : done(kvm_ioctl(fd, KVM_SET_SREGS, (void *)&state->sregs), "KVM_SET_SREGS", error);
}

static gboolean save_xsave(int fd, KvmState *state, GError **error)
{
    gsize size = (gsize)kvm_has(KVM_CAP_XSAVE2); /* 0: the older call, whose area is fixed */

    state->xsave = g_malloc0(MAX(size, sizeof(struct kvm_xsave)));
    return done(kvm_ioctl(fd, size ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, state->xsave), "KVM_GET_XSAVE",
                error);
}

static gboolean save_nested(int fd, KvmState *state, GError **error)
{
    int size = kvm_has(KVM_CAP_NESTED_STATE);

    if (size < (int)sizeof(struct kvm_nested_state)) {
        return TRUE;
    }
    state->nested = g_malloc0((gsize)size);
    state->nested->size = (uint32_t)size;
    int result = kvm_ioctl(fd, KVM_GET_NESTED_STATE, state->nested);
    if (result == -EINVAL) { /* a guest without nested virtualisation has none */
        g_clear_pointer(&state->nested, g_free);
        return TRUE;
    }
    return done(result, "KVM_GET_NESTED_STATE", error);
}

/* --- the whole --- */

KvmState *kvm_state_save(int fd, GError **error)
{
    g_autoptr(KvmState) state = g_new0(KvmState, 1);

    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        int result = kvm_ioctl(fd, parts[i].get, (char *)state + parts[i].offset);
        if (result < 0) {
            vm_error_set_errno(error, -result, "-accel kvm: reading what %s sets", parts[i].name);
            return NULL;
        }
    }
    state->msrs = save_msrs(fd, error);
    if (!state->msrs || !save_segments(fd, state, error) || !save_xsave(fd, state, error) ||
        !save_nested(fd, state, error)) {
        return NULL;
    }
    return g_steal_pointer(&state);
}

/*
 * A CPU that is in a guest of its own is taken out of it before its mode can change; one that shall
 * be in one has to have the mode first.  So this comes before and behind, and has to succeed
 * behind.
 */
static gboolean restore_mode(int fd, const KvmState *state, GError **error)
{
    if (state->nested) {
        kvm_ioctl(fd, KVM_SET_NESTED_STATE, state->nested);
    }
    return restore_segments(fd, state, error) &&
           (!state->nested || done(kvm_ioctl(fd, KVM_SET_NESTED_STATE, state->nested),
                                   "KVM_SET_NESTED_STATE", error));
}

gboolean kvm_state_restore(int fd, const KvmState *state, GError **error)
{
    if (!restore_mode(fd, state, error) ||
        !done(kvm_ioctl(fd, KVM_SET_XSAVE, state->xsave), "KVM_SET_XSAVE", error)) {
        return FALSE;
    }
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (!done(kvm_ioctl(fd, parts[i].set, (char *)state + parts[i].offset), parts[i].name,
                  error)) {
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
        g_free(state->xsave);
        g_free(state->nested);
        g_free(state);
    }
}

void kvm_state_clear(void)
{
    g_clear_pointer(&msr_list, g_free);
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
