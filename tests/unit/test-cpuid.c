/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPUID by -cpu and -smp, over a host that is made up. */
#include "accel/cpuid.h"

#include <string.h>

#define INDEXED KVM_CPUID_FLAG_SIGNIFCANT_INDEX

static GArray *host(void)
{
    static const struct kvm_cpuid_entry2 entries[] = {
        {.function = 0, .eax = 0x1f, .ebx = 0x68747541},              /* "Auth" */
        {.function = 1, .ecx = 0x1c180200 | 1u << 15, .ebx = 0x1234}, /* ... xsave avx sse4 */
        {.function = 4, .index = 0, .flags = INDEXED, .eax = 0x121},  /* level 1 */
        {.function = 4, .index = 3, .flags = INDEXED, .eax = 0x163},  /* level 3 */
        {.function = 4, .index = 4, .flags = INDEXED, .eax = 0},      /* the end */
        {.function = 7, .index = 0, .flags = INDEXED, .ebx = 1u << 5 | 1u << 16, .ecx = 1u << 3},
        {.function = 0xa, .eax = 0x7300403},
        {.function = 0xb, .index = 0, .flags = INDEXED, .edx = 77},
        {.function = 0xd, .index = 0, .flags = INDEXED, .eax = 0x2e7, .ebx = 576, .ecx = 2696},
        {.function = 0xd, .index = 1, .flags = INDEXED, .eax = 0xf},
        {.function = 0xd, .index = 2, .flags = INDEXED, .eax = 256, .ebx = 576},
        {.function = 0xd, .index = 5, .flags = INDEXED, .eax = 64, .ebx = 1088},
        {.function = 0xd, .index = 6, .flags = INDEXED, .eax = 512, .ebx = 1152},
        {.function = 0xd, .index = 7, .flags = INDEXED, .eax = 1024, .ebx = 1664},
        {.function = 0xd, .index = 9, .flags = INDEXED, .eax = 8, .ebx = 2688},
        {.function = 0x1f, .index = 0, .flags = INDEXED},
        {.function = 0x40000000, .eax = 0x40000001},
        {.function = 0x40000001, .eax = 9},
        {.function = 0x80000001, .ecx = 1u << 2 | 1u << 22, .edx = 1u << 29},
        {.function = 0x80000007, .edx = 1u << 8},
        {.function = 0x80000008, .eax = 0x3030, .ecx = 0xffff},
        {.function = 0x8000000a, .eax = 1, .ebx = 8, .edx = 9},
        {.function = 0x8000001d, .index = 0, .flags = INDEXED, .eax = 0x121},
        {.function = 0x8000001e, .eax = 99, .ebx = 99, .ecx = 99},
    };
    GArray *table = g_array_new(FALSE, FALSE, sizeof(struct kvm_cpuid_entry2));

    g_array_append_vals(table, entries, G_N_ELEMENTS(entries));
    return table;
}

/* The host's table with -cpu @value applied; @missing as expected. */
static GArray *chosen(const char *value, const char *expected_missing)
{
    g_autofree char *missing = NULL;
    GArray *table = host();
    GError *error = NULL;

    g_assert_true(cpu_model_choose(value, &error));
    g_assert_no_error(error);
    g_assert_true(cpuid_apply_model(table, cpu_model(), &missing, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(missing, ==, expected_missing);
    return table;
}

static uint32_t value_of(const GArray *table, uint32_t leaf, uint32_t subleaf, CpuidRegister place)
{
    struct kvm_cpuid_entry2 *entry = cpuid_find(table, leaf, subleaf);

    g_assert_nonnull(entry);
    return *cpuid_register(entry, place);
}

static void test_features(void)
{
    g_autoptr(GArray) plain = chosen("host", NULL);

    g_assert_true(cpuid_has(plain, "sse4.2"));
    g_assert_true(cpuid_has(plain, "sse4_2"));
    g_assert_true(cpuid_has(plain, "kvmclock"));
    g_assert_false(cpuid_has(plain, "x2apic"));
    g_assert_false(cpuid_has(plain, "no-such-thing"));
    g_assert_false(cpuid_has(plain, "invtsc")); /* migratable */
    g_autoptr(GArray) less =
        chosen("host,-sse4.2,svm=off,-kvmclock,+ssse3,ssse3=on,-x2apic,migratable=off", NULL);
    g_assert_false(cpuid_has(less, "sse4.2"));
    g_assert_true(cpuid_has(less, "sse4.1"));
    g_assert_true(cpuid_has(less, "ssse3"));
    g_assert_true(cpuid_has(less, "invtsc"));
    g_assert_cmphex(value_of(less, 0x8000000a, 0, CPUID_EDX), ==, 0);
    g_assert_cmphex(value_of(less, 0x40000001, 0, CPUID_EAX), ==, 0);
    g_autoptr(GArray) more = chosen("max,+invtsc,+x2apic,+vmx,-vmx,kvm-hint-dedicated", "x2apic");
    g_assert_true(cpuid_has(more, "invtsc"));
    g_assert_true(cpuid_has(more, "kvm-hint-dedicated"));
    g_assert_false(cpuid_has(more, "x2apic"));
}

static void test_enforce(void)
{
    g_autoptr(GArray) table = host();
    g_autoptr(GError) error = NULL;

    g_assert_true(cpu_model_choose("host,+vmx,+avx,+amx-tile,enforce", NULL));
    g_assert_false(cpuid_apply_model(table, cpu_model(), NULL, &error));
    g_assert_cmpstr(error->message, ==, "this host does not have vmx, amx-tile (enforce)");
}

/* A register set goes with its feature, and the area shrinks to what is left. */
static void test_xsave(void)
{
    g_autoptr(GArray) whole = chosen("host", NULL);
    g_assert_cmphex(value_of(whole, 0xd, 0, CPUID_EAX), ==, 0x2e7);
    g_assert_cmpuint(value_of(whole, 0xd, 0, CPUID_ECX), ==, 2696);
    g_autoptr(GArray) narrow = chosen("host,-avx512f,-pku", NULL);
    g_assert_cmphex(value_of(narrow, 0xd, 0, CPUID_EAX), ==, 7);
    g_assert_cmpuint(value_of(narrow, 0xd, 0, CPUID_ECX), ==, 832);
    g_assert_cmpuint(value_of(narrow, 0xd, 6, CPUID_EAX), ==, 0);
    g_autoptr(GArray) none = chosen("host,-xsave", NULL);
    g_assert_cmphex(value_of(none, 0xd, 0, CPUID_EAX), ==, 0);
    g_assert_cmphex(value_of(none, 0xd, 0, CPUID_ECX), ==, 0);
    g_assert_cmphex(value_of(none, 0xd, 1, CPUID_EAX), ==, 0);
}

static void test_properties(void)
{
    g_autoptr(GArray) hidden = chosen("host,kvm=off,pmu=off,phys-bits=40", NULL);
    g_autoptr(GArray) limited = chosen("host,host-phys-bits-limit=39,host-phys-bits=on", NULL);
    g_autoptr(GArray) plain = chosen("host,host-phys-bits=off", NULL);
    g_autoptr(GArray) table = host();
    g_autoptr(GError) error = NULL;

    g_assert_null(cpuid_find(hidden, 0x40000000, 0));
    g_assert_null(cpuid_find(hidden, 0x40000001, 0));
    g_assert_false(cpuid_has(hidden, "pdcm"));
    g_assert_cmphex(value_of(hidden, 0xa, 0, CPUID_EAX), ==, 0);
    g_assert_cmphex(value_of(hidden, 0x80000008, 0, CPUID_EAX), ==, 0x3028);
    g_assert_cmphex(value_of(limited, 0x80000008, 0, CPUID_EAX), ==, 0x3027);
    g_assert_cmphex(value_of(plain, 0x80000008, 0, CPUID_EAX), ==, 0x3028);
    g_assert_true(cpu_model_choose("host,phys-bits=52", NULL));
    g_assert_false(cpuid_apply_model(table, cpu_model(), NULL, &error));
    g_assert_cmpstr(error->message, ==, "phys-bits=52: this host's addresses have 48 bits");
}

/* 2 sockets of 3 cores of 2 threads: ids have 1 bit for the thread, 2 for the core. */
static void test_topology(void)
{
    const VcpuTopology topology = {12, 2, 3, 2};
    g_autoptr(GArray) table = host();

    vcpu_set_topology(&topology);
    cpuid_apply_topology(table, &topology, 9); /* socket 1, core 1, thread 1: id 8 + 2 + 1 */
    g_assert_cmphex(value_of(table, 1, 0, CPUID_EBX), ==, 0x0b081234);
    g_assert_cmphex(value_of(table, 1, 0, CPUID_EDX), ==, 1u << 28);
    g_assert_cmphex(value_of(table, 4, 0, CPUID_EAX), ==, 3u << 26 | 1u << 14 | 0x121);
    g_assert_cmphex(value_of(table, 4, 3, CPUID_EAX), ==, 3u << 26 | 7u << 14 | 0x163);
    g_assert_cmphex(value_of(table, 4, 4, CPUID_EAX), ==, 0);
    for (uint32_t leaf = 0xb; leaf <= 0x1f; leaf += 0x1f - 0xb) {
        g_assert_cmphex(value_of(table, leaf, 0, CPUID_EAX), ==, 1);
        g_assert_cmphex(value_of(table, leaf, 0, CPUID_EBX), ==, 2);
        g_assert_cmphex(value_of(table, leaf, 0, CPUID_ECX), ==, 0x100);
        g_assert_cmphex(value_of(table, leaf, 1, CPUID_EAX), ==, 3);
        g_assert_cmphex(value_of(table, leaf, 1, CPUID_EBX), ==, 6);
        g_assert_cmphex(value_of(table, leaf, 1, CPUID_ECX), ==, 0x201);
        g_assert_cmphex(value_of(table, leaf, 1, CPUID_EDX), ==, 11);
        g_assert_cmphex(value_of(table, leaf, 2, CPUID_EBX), ==, 0);
        g_assert_cmphex(value_of(table, leaf, 2, CPUID_ECX), ==, 2);
    }
    g_assert_true(cpuid_has(table, "cmp-legacy"));
    g_assert_cmphex(value_of(table, 0x80000008, 0, CPUID_ECX), ==, 0x3005);
    g_assert_cmphex(value_of(table, 0x8000001d, 0, CPUID_EAX), ==, 1u << 14 | 0x121);
    g_assert_cmphex(value_of(table, 0x8000001e, 0, CPUID_EAX), ==, 11);
    g_assert_cmphex(value_of(table, 0x8000001e, 0, CPUID_EBX), ==, 0x101);
    g_assert_cmphex(value_of(table, 0x8000001e, 0, CPUID_ECX), ==, 1);

    const VcpuTopology single = {2, 2, 1, 1};
    g_autoptr(GArray) alone = host();
    vcpu_set_topology(&single);
    cpuid_apply_topology(alone, &single, 1);
    g_assert_cmphex(value_of(alone, 1, 0, CPUID_EBX), ==, 0x01011234);
    g_assert_cmphex(value_of(alone, 1, 0, CPUID_EDX), ==, 0);
    g_assert_cmphex(value_of(alone, 4, 3, CPUID_EAX), ==, 0x163);
    g_assert_false(cpuid_has(alone, "cmp-legacy"));
    g_assert_cmphex(value_of(alone, 0x80000008, 0, CPUID_ECX), ==, 0);
}

/* Every bit stands in the table for one purpose; a second name of a bit is a known synonym. */
static void test_names(void)
{
    guint count;
    const CpuFeature *features = cpu_features(&count);

    for (guint i = 0; i < count; i++) {
        const CpuFeature *feature = &features[i];
        const char *first =
            cpu_feature_name(feature->leaf, feature->subleaf, feature->place, feature->bit);
        g_assert_cmpuint(feature->bit, <, 32);
        g_assert_true(strcmp(first, feature->name) == 0 || strcmp(feature->name, "sse3") == 0);
    }
    g_assert_cmpstr(cpu_feature_name(1, 0, CPUID_ECX, 20), ==, "sse4.2");
    g_assert_cmpstr(cpu_feature_name(0x80000001, 0, CPUID_ECX, 2), ==, "svm");
    g_assert_null(cpu_feature_name(1, 0, CPUID_ECX, 27));
}

static void test_refused(void)
{
    static const char *const rows[][2] = {
        {"EPYC", "-cpu EPYC: there is no model 'EPYC' here"},
        {"", "-cpu : there is no model '' here"},
        {"host,", "-cpu host,: '': there is no such"},
        {"host,+foo", "-cpu host,+foo: 'foo': there is no such feature"},
        {"host,check=7", "-cpu host,check=7: 'check': '7'"},
        {"host,avx=7", "-cpu host,avx=7: 'avx': '7'"},
        {"max,hv-time", "-cpu max,hv-time: 'hv-time': this version shows no Hyper-V"},
        {"max,phys-bits=53", "-cpu max,phys-bits=53: 'phys-bits': "},
        {"max,phys-bits=7", "-cpu max,phys-bits=7: 'phys-bits': '7': expected 32 to 52"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(cpu_model_choose(rows[i][0], &error));
        if (!g_str_has_prefix(error->message, rows[i][1])) {
            g_assert_cmpstr(error->message, ==, rows[i][1]);
        }
    }
    g_assert_true(cpu_model_choose("host", NULL));
    g_assert_cmpstr(cpu_model()->name, ==, "host");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cpuid/features", test_features);
    g_test_add_func("/cpuid/enforce", test_enforce);
    g_test_add_func("/cpuid/xsave", test_xsave);
    g_test_add_func("/cpuid/properties", test_properties);
    g_test_add_func("/cpuid/topology", test_topology);
    g_test_add_func("/cpuid/names", test_names);
    g_test_add_func("/cpuid/refused", test_refused);
    return g_test_run();
}
