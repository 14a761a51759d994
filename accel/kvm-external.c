/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interrupt of the older controllers where they are our devices (api.rst: KVM_INTERRUPT,
 * request_interrupt_window and ready_for_interrupt_injection of struct kvm_run).  The local APIC in
 * the kernel decides whether its pin for it is open, and has at most one vector waiting; the
 * controllers give the vector away only when the CPU can take it at once.
 *
 * A vector that was given and that a pause has overtaken waits in the kernel, which does not let it
 * be read: it goes on with the machine, but is not in a state that is kept.
 */
#include "kvm-internal.h"

#include "accel/accel.h"
#include "system/irq.h"
#include "system/vm-lock.h"

#include <sys/ioctl.h>

static gboolean external_is_high; /* written with the VM lock; read by others as an atomic */

void kvm_external_set(gboolean high)
{
    if (external_is_high == high) {
        return;
    }
    __atomic_store_n(&external_is_high, high, __ATOMIC_SEQ_CST);
    if (high) {
        kvm_vcpu_call_first();
    }
}

static gboolean is_high(void)
{
    return __atomic_load_n(&external_is_high, __ATOMIC_SEQ_CST);
}

static void give(int vcpu_fd)
{
    struct kvm_interrupt interrupt = {.irq = 0};
    gboolean still;

    vm_lock();
    still = external_is_high;
    if (still) {
        interrupt.irq = irq_external_acknowledge();
    }
    vm_unlock();
    if (still) {
        kvm_ioctl(vcpu_fd, KVM_INTERRUPT, &interrupt);
    }
}

void kvm_external_offer(int vcpu_fd, struct kvm_run *run)
{
    if (is_high() && run->ready_for_interrupt_injection) {
        give(vcpu_fd);
    }
    run->request_interrupt_window = is_high() ? 1 : 0;
}

void kvm_external_refresh(int vcpu_fd, struct kvm_run *run)
{
    if (!accel_has_split_irqchip()) {
        return;
    }
    run->immediate_exit = 1;
    ioctl(vcpu_fd, KVM_RUN, NULL);
    run->immediate_exit = 0;
}
