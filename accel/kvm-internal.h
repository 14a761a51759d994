/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM (Linux, Documentation/virt/kvm/api.rst): what the parts of the accelerator share.
 */
#ifndef ACCEL_KVM_INTERNAL_H
#define ACCEL_KVM_INTERNAL_H

#include "accel/vcpu.h"
#include "system/memory.h"

#include <glib.h>
#include <linux/kvm.h>

/* The one virtual machine. */
typedef struct Kvm {
    int system_fd;  /* /dev/kvm */
    int vm_fd;      /* KVM_CREATE_VM */
    gsize run_size; /* bytes of struct kvm_run with its pages behind */
} Kvm;

extern Kvm kvm;

/* ioctl(2) that tries again when a signal came between; the result, or -errno. */
int kvm_ioctl(int fd, unsigned long request, void *argument);

/* KVM_CHECK_EXTENSION on the machine: 0 for absent. */
int kvm_has(int capability);

/* --- kvm-probe.c --- */

/* FALSE with @error if a guest of one instruction does not run. Any thread. */
gboolean kvm_probe(int system_fd, GError **error);

/* --- kvm-memory.c: slots; VM lock held --- */
void kvm_memory_start(void); /* becomes the memory map's accelerator */
/* Memory that is no guest RAM, in a slot of its own: IoAccelerator's pages. */
gboolean kvm_memory_add_page(AddressSpace space, uint64_t address, uint64_t size, void *host);
void kvm_memory_remove_page(AddressSpace space, uint64_t address);

/* --- kvm-interrupts.c: lines, messages, routes, ioeventfds; VM lock held --- */
gboolean kvm_interrupts_start(GError **error);

/* --- kvm-external.c: the interrupt of the 8259, where they are our devices --- */

/* IrqAccelerator.set_external. */
void kvm_external_set(gboolean high);
/* Hands it to the first CPU, or asks for an exit when that CPU can take it.  The first CPU's
 * thread, before each entry; without the VM lock. */
void kvm_external_offer(int vcpu_fd, struct kvm_run *run);
/* Other registers were set: finds out again whether the CPU could take it.  Any thread, while the
 * CPU is not in the guest. */
void kvm_external_refresh(int vcpu_fd, struct kvm_run *run);

/* --- kvm-vcpu.c: threads --- */

/* Calls the first CPU out of the guest; VM lock held. */
void kvm_vcpu_call_first(void);

/* Makes all CPUs and their threads, which wait for the machine to run. */
gboolean kvm_vcpus_start(GError **error);
/* The statistics of CPU @index, which can be read while it is in the guest; -1: there are none. */
int kvm_vcpu_stats_fd(guint index);
/* Ends the threads; VM lock held, released within. */
void kvm_vcpus_stop(void);

/* --- kvm-state.c: registers of one CPU; its own thread, or any while it is not in the guest --- */

typedef struct KvmState KvmState;

/* What a fresh CPU has, for later resets; NULL with @error. */
KvmState *kvm_state_save(int vcpu_fd, GError **error);
gboolean kvm_state_restore(int vcpu_fd, const KvmState *state, GError **error);
void kvm_state_free(KvmState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmState, kvm_state_free)
/* At the end of the machine. */
void kvm_state_clear(void);
/* Sets the registers of @boot on top. */
gboolean kvm_state_boot(int vcpu_fd, const VcpuBoot *boot, GError **error);

/* --- kvm-machine.c: what is in the kernel beside CPUs; while no CPU is in the guest --- */

typedef struct KvmMachineState KvmMachineState;

KvmMachineState *kvm_machine_save(GError **error); /* g_free() */
gboolean kvm_machine_restore(const KvmMachineState *state, GError **error);
/* The guest's clock stands still in between; a second stop changes nothing. */
void kvm_clock_stop(void);
void kvm_clock_continue(void);

/* --- kvm-failure.c --- */

/* Says in the log where the CPU is: its registers, and the bytes at its instruction pointer. */
void kvm_failure_log(int vcpu_fd, guint index);

/* --- kvm-stats.c --- */

/* The statistics of a CPU that is not in the guest (KVM's call waits for it to leave), for good; or
 * of the machine.  -1: this kernel has none, or no descriptor is left. */
int kvm_stats_open(int fd);
/* AccelClass.stats. */
GPtrArray *kvm_stats(gint cpu, GError **error);

/* --- kvm-power.c --- */

/* Before the first CPU: applies vcpu_own_power_management(). */
gboolean kvm_power_start(GError **error);
/* What a CPU of its own power management has beside what KVM lists, of struct kvm_cpuid_entry2. */
void kvm_power_add_features(GArray *table);

/* --- kvm-cpuid.c --- */

/* What KVM offers on this host, of struct kvm_cpuid_entry2; NULL with @error. */
GArray *kvm_cpuid_host(GError **error);
/* Applies the CPU model; before the first kvm_cpuid_set(). */
gboolean kvm_cpuid_prepare(GError **error);
gboolean kvm_cpuid_set(int vcpu_fd, guint index, GError **error);
void kvm_cpuid_clear(void);

#endif
