/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual CPUs as the machine and the monitor see them.  VM lock held, main
 * thread.
 */
#ifndef ACCEL_VCPU_H
#define ACCEL_VCPU_H

#include <glib.h>
#include <stdint.h>

/* -smp: how many there are, and how they sit together. */
typedef struct VcpuTopology {
    guint count;                   /* at most VCPU_MAX; sockets * cores * threads, or no CPU: 0 */
    guint sockets, cores, threads; /* cores a socket, threads a core */
} VcpuTopology;

#define VCPU_MAX 240 /* an APIC id has 8 bits, and some are taken by the topology's rounding */
#define VCPU_APIC_ID_MAX 254

/* Before the accelerator runs; one CPU otherwise. */
void vcpu_set_topology(const VcpuTopology *topology);
const VcpuTopology *vcpu_topology(void);

/* CPUs that sleep do so on the host's CPU, and do not give it back (-overcommit cpu-pm=on).  Before
 * the accelerator is chosen; FALSE otherwise. */
void vcpu_set_own_power_management(gboolean own);
gboolean vcpu_own_power_management(void);

/* Bits that numbers below @count need in such an id: 0 for one, 2 for 3 and for 4. */
guint vcpu_id_bits(guint count);

/* The local APIC's id of CPU @index (x86: bits for thread, core, socket; SDM volume 3, 9.9.3). */
guint vcpu_apic_id(guint index);

/* The state in which the first CPU begins after power-on and reset, instead of at the reset vector.
 */
typedef struct VcpuBoot {
    gboolean long_mode;  /* 64-bit with paging by @page_table, otherwise 32-bit without paging */
    uint64_t page_table; /* guest physical */
    uint64_t gdt;        /* guest physical, with code at selector 0x10, data at 0x18 */
    uint16_t gdt_limit;  /* bytes, less 1 */
    uint64_t entry;      /* rip */
    uint64_t rbx, rsi;   /* what the boot protocol hands over; other registers are 0 */
} VcpuBoot;

/* The descriptors of such a GDT (SDM volume 3, 3.4.5): two that are empty, then code and data of
 * 4 GiB. */
#define VCPU_BOOT_DESCRIPTORS 4
void vcpu_boot_descriptors(gboolean long_mode, uint64_t descriptors[VCPU_BOOT_DESCRIPTORS]);

/* Copied. */
void vcpu_set_boot(const VcpuBoot *boot);
const VcpuBoot *vcpu_boot(void); /* NULL: none was set */

/* Host thread ids, for query-cpus-fast; 0 under an accelerator without CPUs. */
gint vcpu_thread_id(guint index);

#endif
