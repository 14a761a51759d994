/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of virtual CPUs before they exist. */
#include "accel/vcpu.h"

#include "accel/vcpu-stats.h"

static VcpuTopology topology = {1, 1, 1, 1};
static VcpuBoot boot;
static gboolean boot_is_set;
static gboolean own_power_management;

void vcpu_set_topology(const VcpuTopology *chosen)
{
    topology = *chosen;
}

const VcpuTopology *vcpu_topology(void)
{
    return &topology;
}

void vcpu_set_own_power_management(gboolean own)
{
    own_power_management = own;
}

gboolean vcpu_own_power_management(void)
{
    return own_power_management;
}

guint vcpu_id_bits(guint count)
{
    return count > 1 ? g_bit_storage(count - 1) : 0;
}

guint vcpu_apic_id(guint index)
{
    guint thread = index % topology.threads;
    guint core = index / topology.threads % topology.cores;
    guint socket = index / topology.threads / topology.cores;

    return ((socket << vcpu_id_bits(topology.cores)) | core) << vcpu_id_bits(topology.threads) |
           thread;
}

void vcpu_boot_descriptors(gboolean long_mode, uint64_t descriptors[VCPU_BOOT_DESCRIPTORS])
{
    descriptors[0] = 0;
    descriptors[1] = 0;
    descriptors[2] = long_mode ? UINT64_C(0x00af9b000000ffff) : UINT64_C(0x00cf9b000000ffff);
    descriptors[3] = UINT64_C(0x00cf93000000ffff);
}

void vcpu_set_boot(const VcpuBoot *chosen)
{
    boot = *chosen;
    boot_is_set = TRUE;
}

const VcpuBoot *vcpu_boot(void)
{
    return boot_is_set ? &boot : NULL;
}

const char *vcpu_exit_name(VcpuExit reason)
{
    static const char *const names[VCPU_EXIT_REASONS] = {
        [VCPU_EXIT_PORT] = "port",           [VCPU_EXIT_MEMORY] = "memory",
        [VCPU_EXIT_INTERRUPT] = "interrupt", [VCPU_EXIT_SHUTDOWN] = "shutdown",
        [VCPU_EXIT_ERROR] = "error",         [VCPU_EXIT_OTHER] = "other",
    };

    return names[reason];
}
