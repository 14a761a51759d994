/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of the machine that is in the kernel beside its CPUs: interrupt controllers and
 * interval timer, unless they are our devices, the guest's clock (api.rst: KVM_GET_IRQCHIP,
 * KVM_GET_PIT2, KVM_GET_CLOCK).
 */
#include "kvm-internal.h"

#include "accel/accel.h"
#include "util/error.h"

#include <string.h>

static const uint32_t chip_ids[] = {KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE,
                                    KVM_IRQCHIP_IOAPIC};

struct KvmMachineState {
    struct kvm_irqchip chips[G_N_ELEMENTS(chip_ids)];
    struct kvm_pit_state2 timer;
    uint64_t clock; /* nanoseconds */
};

static gboolean call(unsigned long request, void *argument, const char *name, GError **error)
{
    int result = kvm_ioctl(kvm.vm_fd, request, argument);

    if (result < 0) {
        vm_error_set_errno(error, -result, "-accel kvm: %s", name);
    }
    return result >= 0;
}

/* --- the guest's clock --- */

static uint64_t stopped_at; /* nanoseconds */
static gboolean stopped;

static gboolean read_clock(uint64_t *now, GError **error)
{
    struct kvm_clock_data data;

    memset(&data, 0, sizeof(data));
    if (!call(KVM_GET_CLOCK, &data, "KVM_GET_CLOCK", error)) {
        return FALSE;
    }
    *now = data.clock;
    return TRUE;
}

static gboolean write_clock(uint64_t now, GError **error)
{
    struct kvm_clock_data data;

    memset(&data, 0, sizeof(data));
    data.clock = now;
    return call(KVM_SET_CLOCK, &data, "KVM_SET_CLOCK", error);
}

void kvm_clock_stop(void)
{
    if (!stopped) {
        stopped = read_clock(&stopped_at, NULL);
    }
}

void kvm_clock_continue(void)
{
    if (stopped) {
        stopped = FALSE;
        write_clock(stopped_at, NULL); /* it was read, so the kernel has it */
    }
}

/* --- the whole --- */

static gboolean save_chips(KvmMachineState *state, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(chip_ids); i++) {
        state->chips[i].chip_id = chip_ids[i];
        if (!call(KVM_GET_IRQCHIP, &state->chips[i], "KVM_GET_IRQCHIP", error)) {
            return FALSE;
        }
    }
    return call(KVM_GET_PIT2, &state->timer, "KVM_GET_PIT2", error);
}

static gboolean restore_chips(const KvmMachineState *state, GError **error)
{
    struct kvm_pit_state2 timer = state->timer;

    for (guint i = 0; i < G_N_ELEMENTS(chip_ids); i++) {
        struct kvm_irqchip chip = state->chips[i];
        if (!call(KVM_SET_IRQCHIP, &chip, "KVM_SET_IRQCHIP", error)) {
            return FALSE;
        }
    }
    return call(KVM_SET_PIT2, &timer, "KVM_SET_PIT2", error);
}

KvmMachineState *kvm_machine_save(GError **error)
{
    g_autofree KvmMachineState *state = g_new0(KvmMachineState, 1);

    if (!accel_has_split_irqchip() && !save_chips(state, error)) {
        return NULL;
    }
    state->clock = stopped_at;
    if (!stopped && !read_clock(&state->clock, error)) {
        return NULL;
    }
    return g_steal_pointer(&state);
}

gboolean kvm_machine_restore(const KvmMachineState *state, GError **error)
{
    if (!accel_has_split_irqchip() && !restore_chips(state, error)) {
        return FALSE;
    }
    /* While it stands still the time is set when it goes on. */
    stopped_at = state->clock;
    return stopped || write_clock(state->clock, error);
}
