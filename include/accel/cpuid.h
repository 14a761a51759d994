/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table of CPUID as a guest shall see it: made from what the host offers, the CPU model and the
 * topology.  Entries are KVM's (KVM_GET_SUPPORTED_CPUID). No I/O.
 */
#ifndef ACCEL_CPUID_H
#define ACCEL_CPUID_H

#include "accel/cpu-model.h"
#include "accel/vcpu.h"

#include <glib.h>
#include <linux/kvm.h>

/* The entry of a leaf, or NULL.  @table: of struct kvm_cpuid_entry2. Borrowed. */
struct kvm_cpuid_entry2 *cpuid_find(const GArray *table, uint32_t leaf, uint32_t subleaf);
/* One register of an entry. */
uint32_t *cpuid_register(struct kvm_cpuid_entry2 *entry, CpuidRegister place);

/* TRUE if every bit of that name is set. FALSE for names that do not exist. */
gboolean cpuid_has(const GArray *table, const char *name);

/*
 * Takes from @table what @model leaves out, and gives what it asks for.  A new string with the
 * names asked for that the table did not have, joined by ", "; NULL: none was missing.  FALSE with
 * @error only for values that the host cannot have, or with enforce for a missing feature.
 */
gboolean cpuid_apply_model(GArray *table, const CpuModel *model, char **missing, GError **error);

/* Puts the topology and CPU @index's own id in (leaves 1, 4, 0xb, 0x1f, 0x8000001d, ...). */
void cpuid_apply_topology(GArray *table, const VcpuTopology *topology, guint index);

#endif
