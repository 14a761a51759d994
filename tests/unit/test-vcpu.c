/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of CPUs before they exist: APIC ids by topology, the state they begin in. */
#include "accel/vcpu.h"

/* @expected: the ids of all CPUs in order. */
static void check_ids(guint sockets, guint cores, guint threads, const char *expected)
{
    const VcpuTopology topology = {sockets * cores * threads, sockets, cores, threads};
    g_autoptr(GString) ids = g_string_new(NULL);

    vcpu_set_topology(&topology);
    for (guint i = 0; i < topology.count; i++) {
        g_string_append_printf(ids, "%s%u", i ? " " : "", vcpu_apic_id(i));
    }
    g_assert_cmpstr(ids->str, ==, expected);
}

/* Each level gets as many bits as its numbers need (SDM volume 3, 9.9.3): odd counts leave gaps. */
static void test_apic_ids(void)
{
    g_assert_cmpuint(vcpu_topology()->count, ==, 1);
    g_assert_cmpuint(vcpu_apic_id(0), ==, 0);
    check_ids(1, 1, 1, "0");
    check_ids(4, 1, 1, "0 1 2 3");
    check_ids(1, 4, 1, "0 1 2 3");
    check_ids(1, 1, 2, "0 1");
    check_ids(2, 2, 2, "0 1 2 3 4 5 6 7");
    check_ids(2, 3, 1, "0 1 2 4 5 6");
    check_ids(3, 1, 2, "0 1 2 3 4 5");
    check_ids(2, 1, 3, "0 1 2 4 5 6");
    check_ids(2, 3, 2, "0 1 2 3 4 5 8 9 10 11 12 13");
}

static guint highest_id(guint sockets, guint cores, guint threads)
{
    const VcpuTopology topology = {sockets * cores * threads, sockets, cores, threads};

    vcpu_set_topology(&topology);
    return vcpu_apic_id(topology.count - 1);
}

static void test_limit(void)
{
    g_assert_cmpuint(highest_id(VCPU_MAX, 1, 1), ==, VCPU_MAX - 1);
    g_assert_cmpuint(highest_id(1, VCPU_MAX, 1), ==, VCPU_MAX - 1);
    g_assert_cmpuint(highest_id(1, 120, 2), ==, 239);
}

static void test_boot(void)
{
    VcpuBoot state = {.long_mode = TRUE, .entry = 0x200200, .rsi = 0x7000};

    g_assert_null(vcpu_boot());
    vcpu_set_boot(&state);
    state.entry = 1; /* it was copied */
    g_assert_true(vcpu_boot()->long_mode);
    g_assert_cmphex(vcpu_boot()->entry, ==, 0x200200);
    state = (VcpuBoot){.rbx = 0x7000};
    vcpu_set_boot(&state);
    g_assert_false(vcpu_boot()->long_mode);
    g_assert_cmphex(vcpu_boot()->entry, ==, 0);
    g_assert_cmphex(vcpu_boot()->rbx, ==, 0x7000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vcpu/apic-ids", test_apic_ids);
    g_test_add_func("/vcpu/limit", test_limit);
    g_test_add_func("/vcpu/boot", test_boot);
    return g_test_run();
}
