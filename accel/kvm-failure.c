/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a CPU is that KVM cannot run any more: for the log, and for whoever looks for the cause. */
#include "kvm-internal.h"

#include "system/memory.h"
#include "system/vm-lock.h"
#include "util/report.h"

#include <inttypes.h>

#define CODE_BYTES 16 /* an instruction has at most 15 (SDM volume 2, 2.3.11) */

static void log_registers(int fd, guint index)
{
    struct kvm_regs regs;

    if (kvm_ioctl(fd, KVM_GET_REGS, &regs) < 0) {
        return;
    }
    const __u64 values[] = {regs.rax, regs.rbx, regs.rcx, regs.rdx, regs.rsi, regs.rdi,
                            regs.rsp, regs.rbp, regs.r8,  regs.r9,  regs.r10, regs.r11,
                            regs.r12, regs.r13, regs.r14, regs.r15, regs.rip, regs.rflags};
    static const char *const names[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi",
                                        "rsp", "rbp", "r8",  "r9",  "r10", "r11",
                                        "r12", "r13", "r14", "r15", "rip", "rflags"};
    g_autoptr(GString) line = g_string_new(NULL);
    for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
        g_string_append_printf(line, " %s=0x%" PRIx64, names[i], (uint64_t)values[i]);
    }
    report_log("CPU %u:%s", index, line->str);
}

static void log_mode(int fd, guint index)
{
    struct kvm_sregs sregs;

    if (kvm_ioctl(fd, KVM_GET_SREGS, &sregs) < 0) {
        return;
    }
    report_log(
        "CPU %u: cr0=0x%" PRIx64 " cr2=0x%" PRIx64 " cr3=0x%" PRIx64 " cr4=0x%" PRIx64
        " efer=0x%" PRIx64 " cs=0x%x base 0x%" PRIx64 " ss=0x%x gdt 0x%" PRIx64 " idt 0x%" PRIx64,
        index, (uint64_t)sregs.cr0, (uint64_t)sregs.cr2, (uint64_t)sregs.cr3, (uint64_t)sregs.cr4,
        (uint64_t)sregs.efer, sregs.cs.selector, (uint64_t)sregs.cs.base, sregs.ss.selector,
        (uint64_t)sregs.gdt.base, (uint64_t)sregs.idt.base);
}

static void log_code(int fd, guint index)
{
    struct kvm_translation place = {0};
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    uint8_t code[CODE_BYTES];
    g_autoptr(GString) line = g_string_new(NULL);

    if (kvm_ioctl(fd, KVM_GET_REGS, &regs) < 0 || kvm_ioctl(fd, KVM_GET_SREGS, &sregs) < 0) {
        return;
    }
    place.linear_address = sregs.cs.base + regs.rip;
    if (kvm_ioctl(fd, KVM_TRANSLATE, &place) < 0 || !place.valid) {
        return;
    }
    vm_lock();
    gboolean there = memory_copy_in(code, place.physical_address, sizeof(code));
    vm_unlock();
    for (guint i = 0; there && i < sizeof(code); i++) {
        g_string_append_printf(line, " %02x", code[i]);
    }
    report_log("CPU %u: code at 0x%" PRIx64 ":%s", index, (uint64_t)place.physical_address,
               there ? line->str : " not in RAM");
}

void kvm_failure_log(int vcpu_fd, guint index)
{
    log_registers(vcpu_fd, index);
    log_mode(vcpu_fd, index);
    log_code(vcpu_fd, index);
}
