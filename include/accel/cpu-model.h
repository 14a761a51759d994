/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What -cpu asks for: a model, single features taken or left, and how strictly; and the names of
 * all features with the CPUID bit of each.  Main thread.
 */
#ifndef ACCEL_CPU_MODEL_H
#define ACCEL_CPU_MODEL_H

#include <glib.h>
#include <stdint.h>

typedef enum { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX, CPUID_REGISTERS } CpuidRegister;

/* One bit of CPUID. Some names stand for two bits (kvmclock). */
typedef struct CpuFeature {
    const char *name; /* words joined by '-', as users spell it; '_' and '.' mean the same */
    uint32_t leaf, subleaf;
    CpuidRegister place;
    guint bit;
} CpuFeature;

/* All bits that have a name, in order of leaves; @count of them. */
const CpuFeature *cpu_features(guint *count);
/* TRUE if both name the same feature, whatever joins their words. */
gboolean cpu_feature_is_named(const CpuFeature *feature, const char *name);
/* The name of a bit, or NULL. */
const char *cpu_feature_name(uint32_t leaf, uint32_t subleaf, CpuidRegister place, guint bit);

/* A feature that was asked for by name. */
typedef struct CpuSwitch {
    char *name; /* of at least one CpuFeature */
    gboolean on;
} CpuSwitch;

typedef struct CpuModel {
    const char *name;    /* "host" or "max"; static */
    GArray *switches;    /* of CpuSwitch, in the order given: the last of a name counts */
    gboolean check;      /* a missing feature is a warning */
    gboolean enforce;    /* a missing feature is an error */
    gboolean migratable; /* what ties the guest to this host (invtsc) only when asked for */
    gboolean show_kvm;   /* kvm=off hides the leaves from 0x40000000 on */
    gboolean counters;   /* pmu=off hides the performance counters */
    guint address_bits;  /* phys-bits=, 0: what the host has */
    guint address_limit; /* host-phys-bits-limit=, 0: none */
} CpuModel;

/* What @value ("host,+x,-y,z=off,check") says; NULL with @error. */
CpuModel *cpu_model_parse(const char *value, GError **error);
void cpu_model_free(CpuModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CpuModel, cpu_model_free)

/* Takes it for the machine; errors begin with "-cpu VALUE: ". */
gboolean cpu_model_choose(const char *value, GError **error);
/* The model chosen; host before that. */
const CpuModel *cpu_model(void);

/* Writes models and features, for "-cpu help". */
void cpu_model_print_help(void);

#endif
