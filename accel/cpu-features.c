/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names of CPUID's bits.  Leaves 1 to 0xd: Intel SDM volume 2, CPUID.  Leaves from 0x80000000
 * on: AMD APM volume 3, appendix E.  Leaves from 0x40000000 on: Linux,
 * Documentation/virt/kvm/x86/cpuid.rst.  Bits that follow another setting and cannot be chosen
 * (OSXSAVE, OSPKE, HTT, those of serial numbers) have no name.
 */
#include "accel/cpu-model.h"

/* Leaf, subleaf and register of a group, so that a row is a name and a bit. */
#define BITS_1_EDX(name, bit)                                                                      \
    {                                                                                              \
        name, 1, 0, CPUID_EDX, bit                                                                 \
    }
#define BITS_1_ECX(name, bit)                                                                      \
    {                                                                                              \
        name, 1, 0, CPUID_ECX, bit                                                                 \
    }
#define BITS_6_EAX(name, bit)                                                                      \
    {                                                                                              \
        name, 6, 0, CPUID_EAX, bit                                                                 \
    }
#define BITS_7_EBX(name, bit)                                                                      \
    {                                                                                              \
        name, 7, 0, CPUID_EBX, bit                                                                 \
    }
#define BITS_7_ECX(name, bit)                                                                      \
    {                                                                                              \
        name, 7, 0, CPUID_ECX, bit                                                                 \
    }
#define BITS_7_EDX(name, bit)                                                                      \
    {                                                                                              \
        name, 7, 0, CPUID_EDX, bit                                                                 \
    }
#define BITS_7_1_EAX(name, bit)                                                                    \
    {                                                                                              \
        name, 7, 1, CPUID_EAX, bit                                                                 \
    }
#define BITS_7_1_EDX(name, bit)                                                                    \
    {                                                                                              \
        name, 7, 1, CPUID_EDX, bit                                                                 \
    }
#define BITS_7_2_EDX(name, bit)                                                                    \
    {                                                                                              \
        name, 7, 2, CPUID_EDX, bit                                                                 \
    }
#define BITS_D_1_EAX(name, bit)                                                                    \
    {                                                                                              \
        name, 0xd, 1, CPUID_EAX, bit                                                               \
    }
#define BITS_KVM_EAX(name, bit)                                                                    \
    {                                                                                              \
        name, 0x40000001, 0, CPUID_EAX, bit                                                        \
    }
#define BITS_KVM_EDX(name, bit)                                                                    \
    {                                                                                              \
        name, 0x40000001, 0, CPUID_EDX, bit                                                        \
    }
#define BITS_EXT_1_ECX(name, bit)                                                                  \
    {                                                                                              \
        name, 0x80000001, 0, CPUID_ECX, bit                                                        \
    }
#define BITS_EXT_1_EDX(name, bit)                                                                  \
    {                                                                                              \
        name, 0x80000001, 0, CPUID_EDX, bit                                                        \
    }
#define BITS_EXT_7_EBX(name, bit)                                                                  \
    {                                                                                              \
        name, 0x80000007, 0, CPUID_EBX, bit                                                        \
    }
#define BITS_EXT_7_EDX(name, bit)                                                                  \
    {                                                                                              \
        name, 0x80000007, 0, CPUID_EDX, bit                                                        \
    }
#define BITS_EXT_8_EBX(name, bit)                                                                  \
    {                                                                                              \
        name, 0x80000008, 0, CPUID_EBX, bit                                                        \
    }
#define BITS_EXT_A_EDX(name, bit)                                                                  \
    {                                                                                              \
        name, 0x8000000a, 0, CPUID_EDX, bit                                                        \
    }
#define BITS_EXT_21_EAX(name, bit)                                                                 \
    {                                                                                              \
        name, 0x80000021, 0, CPUID_EAX, bit                                                        \
    }

/* clang-format off */
static const CpuFeature features[] = {
    BITS_1_EDX("fpu", 0), BITS_1_EDX("vme", 1), BITS_1_EDX("de", 2), BITS_1_EDX("pse", 3),
    BITS_1_EDX("tsc", 4), BITS_1_EDX("msr", 5), BITS_1_EDX("pae", 6), BITS_1_EDX("mce", 7),
    BITS_1_EDX("cx8", 8), BITS_1_EDX("apic", 9), BITS_1_EDX("sep", 11), BITS_1_EDX("mtrr", 12),
    BITS_1_EDX("pge", 13), BITS_1_EDX("mca", 14), BITS_1_EDX("cmov", 15), BITS_1_EDX("pat", 16),
    BITS_1_EDX("pse36", 17), BITS_1_EDX("clflush", 19), BITS_1_EDX("ds", 21),
    BITS_1_EDX("acpi", 22), BITS_1_EDX("mmx", 23), BITS_1_EDX("fxsr", 24), BITS_1_EDX("sse", 25),
    BITS_1_EDX("sse2", 26), BITS_1_EDX("ss", 27), BITS_1_EDX("tm", 29), BITS_1_EDX("pbe", 31),

    BITS_1_ECX("pni", 0), BITS_1_ECX("sse3", 0), BITS_1_ECX("pclmulqdq", 1),
    BITS_1_ECX("dtes64", 2), BITS_1_ECX("monitor", 3), BITS_1_ECX("ds-cpl", 4),
    BITS_1_ECX("vmx", 5), BITS_1_ECX("smx", 6), BITS_1_ECX("est", 7), BITS_1_ECX("tm2", 8),
    BITS_1_ECX("ssse3", 9), BITS_1_ECX("fma", 12), BITS_1_ECX("cx16", 13), BITS_1_ECX("xtpr", 14),
    BITS_1_ECX("pdcm", 15), BITS_1_ECX("pcid", 17), BITS_1_ECX("dca", 18), BITS_1_ECX("sse4.1", 19),
    BITS_1_ECX("sse4.2", 20), BITS_1_ECX("x2apic", 21), BITS_1_ECX("movbe", 22),
    BITS_1_ECX("popcnt", 23), BITS_1_ECX("tsc-deadline", 24), BITS_1_ECX("aes", 25),
    BITS_1_ECX("xsave", 26), BITS_1_ECX("avx", 28), BITS_1_ECX("f16c", 29),
    BITS_1_ECX("rdrand", 30), BITS_1_ECX("hypervisor", 31),

    BITS_6_EAX("arat", 2),

    BITS_7_EBX("fsgsbase", 0), BITS_7_EBX("tsc-adjust", 1), BITS_7_EBX("sgx", 2),
    BITS_7_EBX("bmi1", 3), BITS_7_EBX("hle", 4), BITS_7_EBX("avx2", 5), BITS_7_EBX("smep", 7),
    BITS_7_EBX("bmi2", 8), BITS_7_EBX("erms", 9), BITS_7_EBX("invpcid", 10), BITS_7_EBX("rtm", 11),
    BITS_7_EBX("mpx", 14), BITS_7_EBX("avx512f", 16), BITS_7_EBX("avx512dq", 17),
    BITS_7_EBX("rdseed", 18), BITS_7_EBX("adx", 19), BITS_7_EBX("smap", 20),
    BITS_7_EBX("avx512ifma", 21), BITS_7_EBX("clflushopt", 23), BITS_7_EBX("clwb", 24),
    BITS_7_EBX("intel-pt", 25), BITS_7_EBX("avx512pf", 26), BITS_7_EBX("avx512er", 27),
    BITS_7_EBX("avx512cd", 28), BITS_7_EBX("sha-ni", 29), BITS_7_EBX("avx512bw", 30),
    BITS_7_EBX("avx512vl", 31),

    BITS_7_ECX("avx512vbmi", 1), BITS_7_ECX("umip", 2), BITS_7_ECX("pku", 3),
    BITS_7_ECX("waitpkg", 5), BITS_7_ECX("avx512vbmi2", 6), BITS_7_ECX("gfni", 8),
    BITS_7_ECX("vaes", 9), BITS_7_ECX("vpclmulqdq", 10), BITS_7_ECX("avx512vnni", 11),
    BITS_7_ECX("avx512bitalg", 12), BITS_7_ECX("avx512-vpopcntdq", 14), BITS_7_ECX("la57", 16),
    BITS_7_ECX("rdpid", 22), BITS_7_ECX("bus-lock-detect", 24), BITS_7_ECX("cldemote", 25),
    BITS_7_ECX("movdiri", 27), BITS_7_ECX("movdir64b", 28), BITS_7_ECX("sgxlc", 30),
    BITS_7_ECX("pks", 31),

    BITS_7_EDX("avx512-4vnniw", 2), BITS_7_EDX("avx512-4fmaps", 3), BITS_7_EDX("fsrm", 4),
    BITS_7_EDX("avx512-vp2intersect", 8), BITS_7_EDX("md-clear", 10), BITS_7_EDX("serialize", 14),
    BITS_7_EDX("tsx-ldtrk", 16), BITS_7_EDX("arch-lbr", 19), BITS_7_EDX("amx-bf16", 22),
    BITS_7_EDX("avx512-fp16", 23), BITS_7_EDX("amx-tile", 24), BITS_7_EDX("amx-int8", 25),
    BITS_7_EDX("spec-ctrl", 26), BITS_7_EDX("stibp", 27), BITS_7_EDX("flush-l1d", 28),
    BITS_7_EDX("arch-capabilities", 29), BITS_7_EDX("core-capability", 30), BITS_7_EDX("ssbd", 31),

    BITS_7_1_EAX("sha512", 0), BITS_7_1_EAX("sm3", 1), BITS_7_1_EAX("sm4", 2),
    BITS_7_1_EAX("avx-vnni", 4), BITS_7_1_EAX("avx512-bf16", 5), BITS_7_1_EAX("cmpccxadd", 7),
    BITS_7_1_EAX("fzrm", 10), BITS_7_1_EAX("fsrs", 11), BITS_7_1_EAX("fsrc", 12),
    BITS_7_1_EAX("fred", 17), BITS_7_1_EAX("lkgs", 18), BITS_7_1_EAX("wrmsrns", 19),
    BITS_7_1_EAX("amx-fp16", 21), BITS_7_1_EAX("avx-ifma", 23), BITS_7_1_EAX("lam", 26),

    BITS_7_1_EDX("avx-vnni-int8", 4), BITS_7_1_EDX("avx-ne-convert", 5),
    BITS_7_1_EDX("amx-complex", 8), BITS_7_1_EDX("avx-vnni-int16", 10),
    BITS_7_1_EDX("prefetchiti", 14), BITS_7_1_EDX("avx10", 19),

    BITS_7_2_EDX("intel-psfd", 0), BITS_7_2_EDX("ipred-ctrl", 1), BITS_7_2_EDX("rrsba-ctrl", 2),
    BITS_7_2_EDX("ddpd-u", 3), BITS_7_2_EDX("bhi-ctrl", 4), BITS_7_2_EDX("mcdt-no", 5),

    BITS_D_1_EAX("xsaveopt", 0), BITS_D_1_EAX("xsavec", 1), BITS_D_1_EAX("xgetbv1", 2),
    BITS_D_1_EAX("xsaves", 3), BITS_D_1_EAX("xfd", 4),

    BITS_KVM_EAX("kvmclock", 0), BITS_KVM_EAX("kvm-nopiodelay", 1), BITS_KVM_EAX("kvm-mmu", 2),
    BITS_KVM_EAX("kvmclock", 3), BITS_KVM_EAX("kvm-asyncpf", 4), BITS_KVM_EAX("kvm-steal-time", 5),
    BITS_KVM_EAX("kvm-pv-eoi", 6), BITS_KVM_EAX("kvm-pv-unhalt", 7),
    BITS_KVM_EAX("kvm-pv-tlb-flush", 9), BITS_KVM_EAX("kvm-asyncpf-vmexit", 10),
    BITS_KVM_EAX("kvm-pv-ipi", 11), BITS_KVM_EAX("kvm-poll-control", 12),
    BITS_KVM_EAX("kvm-pv-sched-yield", 13), BITS_KVM_EAX("kvm-asyncpf-int", 14),
    BITS_KVM_EAX("kvmclock-stable-bit", 24),

    BITS_KVM_EDX("kvm-hint-dedicated", 0),

    BITS_EXT_1_ECX("lahf-lm", 0), BITS_EXT_1_ECX("cmp-legacy", 1), BITS_EXT_1_ECX("svm", 2),
    BITS_EXT_1_ECX("extapic", 3), BITS_EXT_1_ECX("cr8legacy", 4), BITS_EXT_1_ECX("abm", 5),
    BITS_EXT_1_ECX("sse4a", 6), BITS_EXT_1_ECX("misalignsse", 7),
    BITS_EXT_1_ECX("3dnowprefetch", 8), BITS_EXT_1_ECX("osvw", 9), BITS_EXT_1_ECX("ibs", 10),
    BITS_EXT_1_ECX("xop", 11), BITS_EXT_1_ECX("skinit", 12), BITS_EXT_1_ECX("wdt", 13),
    BITS_EXT_1_ECX("lwp", 15), BITS_EXT_1_ECX("fma4", 16), BITS_EXT_1_ECX("tce", 17),
    BITS_EXT_1_ECX("nodeid-msr", 19), BITS_EXT_1_ECX("tbm", 21), BITS_EXT_1_ECX("topoext", 22),
    BITS_EXT_1_ECX("perfctr-core", 23), BITS_EXT_1_ECX("perfctr-nb", 24),

    BITS_EXT_1_EDX("syscall", 11), BITS_EXT_1_EDX("nx", 20), BITS_EXT_1_EDX("mmxext", 22),
    BITS_EXT_1_EDX("fxsr-opt", 25), BITS_EXT_1_EDX("pdpe1gb", 26), BITS_EXT_1_EDX("rdtscp", 27),
    BITS_EXT_1_EDX("lm", 29), BITS_EXT_1_EDX("3dnowext", 30), BITS_EXT_1_EDX("3dnow", 31),

    BITS_EXT_7_EBX("overflow-recov", 0), BITS_EXT_7_EBX("succor", 1),

    BITS_EXT_7_EDX("invtsc", 8),

    BITS_EXT_8_EBX("clzero", 0), BITS_EXT_8_EBX("xsaveerptr", 2), BITS_EXT_8_EBX("wbnoinvd", 9),
    BITS_EXT_8_EBX("ibpb", 12), BITS_EXT_8_EBX("ibrs", 14), BITS_EXT_8_EBX("amd-stibp", 15),
    BITS_EXT_8_EBX("stibp-always-on", 17), BITS_EXT_8_EBX("amd-ssbd", 24),
    BITS_EXT_8_EBX("virt-ssbd", 25), BITS_EXT_8_EBX("amd-no-ssb", 26),
    BITS_EXT_8_EBX("amd-psfd", 28),

    BITS_EXT_A_EDX("npt", 0), BITS_EXT_A_EDX("lbrv", 1), BITS_EXT_A_EDX("svm-lock", 2),
    BITS_EXT_A_EDX("nrip-save", 3), BITS_EXT_A_EDX("tsc-scale", 4), BITS_EXT_A_EDX("vmcb-clean", 5),
    BITS_EXT_A_EDX("flushbyasid", 6), BITS_EXT_A_EDX("decodeassists", 7),
    BITS_EXT_A_EDX("pause-filter", 10), BITS_EXT_A_EDX("pfthreshold", 12),
    BITS_EXT_A_EDX("avic", 13), BITS_EXT_A_EDX("v-vmsave-vmload", 15), BITS_EXT_A_EDX("vgif", 16),
    BITS_EXT_A_EDX("vnmi", 25), BITS_EXT_A_EDX("svme-addr-chk", 28),

    BITS_EXT_21_EAX("no-nested-data-bp", 0), BITS_EXT_21_EAX("lfence-always-serializing", 2),
    BITS_EXT_21_EAX("null-sel-clr-base", 6), BITS_EXT_21_EAX("auto-ibrs", 8),
    BITS_EXT_21_EAX("sbpb", 27), BITS_EXT_21_EAX("ibpb-brtype", 28), BITS_EXT_21_EAX("srso-no", 29),
};
/* clang-format on */

const CpuFeature *cpu_features(guint *count)
{
    *count = G_N_ELEMENTS(features);
    return features;
}

static char joined(char letter)
{
    return letter == '_' || letter == '.' ? '-' : letter;
}

gboolean cpu_feature_is_named(const CpuFeature *feature, const char *name)
{
    const char *own = feature->name;

    while (*own && joined(*own) == joined(*name)) {
        own++;
        name++;
    }
    return !*own && !*name;
}

const char *cpu_feature_name(uint32_t leaf, uint32_t subleaf, CpuidRegister place, guint bit)
{
    for (guint i = 0; i < G_N_ELEMENTS(features); i++) {
        const CpuFeature *feature = &features[i];
        if (feature->leaf == leaf && feature->subleaf == subleaf && feature->place == place &&
            feature->bit == bit) {
            return feature->name;
        }
    }
    return NULL;
}
