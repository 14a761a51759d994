/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CPUs: -smp and -cpu; and what follows when the guest ends: -action and its short forms. */
#include "setup-internal.h"

#include "accel/cpu-model.h"
#include "accel/vcpu.h"
#include "system/run-state.h"
#include "util/error.h"
#include "util/options.h"

/* --- -smp --- */

/* One number of -smp; 0 where it was not given. */
static gboolean take_count(json_object *options, const char *key, uint64_t *count, GError **error)
{
    *count = 0;
    return options_take_number(options, "-smp", key, 1, VCPU_MAX, count, error);
}

/* Levels between socket and core, which have one member each here. */
static gboolean take_levels(json_object *options, GError **error)
{
    static const char *const levels[] = {"drawers", "books", "dies", "clusters", "modules"};

    for (guint i = 0; i < G_N_ELEMENTS(levels); i++) {
        uint64_t count = 1;
        if (!options_take_number(options, "-smp", levels[i], 1, VCPU_MAX, &count, error)) {
            return FALSE;
        }
        if (count != 1) {
            vm_error_set(error,
                         "-smp %s=%" G_GUINT64_FORMAT
                         ": this machine has sockets, cores and threads; %s must be 1",
                         levels[i], count, levels[i]);
            return FALSE;
        }
    }
    return TRUE;
}

/* What was not given follows from the rest; sockets before cores before threads. */
static void complete(uint64_t *cpus, uint64_t *sockets, uint64_t *cores, uint64_t *threads)
{
    *threads = *threads ? *threads : 1;
    if (*cpus && !*sockets) {
        *cores = *cores ? *cores : 1;
        *sockets = *cpus / (*cores * *threads);
    } else if (*cpus && !*cores) {
        *cores = *cpus / (*sockets * *threads);
    }
    *sockets = *sockets ? *sockets : 1;
    *cores = *cores ? *cores : 1;
    *cpus = *cpus ? *cpus : *sockets * *cores * *threads;
}

/* Takes @topology if its CPUs can be told apart: local APICs have ids of 8 bits, and the last one
 * means all of them (SDM volume 3, 11.6.1). */
static gboolean check_numbers(const char *value, const VcpuTopology *topology, GError **error)
{
    guint last;

    if (topology->count > VCPU_MAX) {
        vm_error_set(error, "-smp %s: makes %u CPUs, at most %d are possible", value,
                     topology->count, VCPU_MAX);
        return FALSE;
    }
    vcpu_set_topology(topology);
    last = vcpu_apic_id(topology->count - 1);
    if (last > VCPU_APIC_ID_MAX) {
        vm_error_set(error,
                     "-smp %s: the last CPU's APIC id would be %u, at most %d is possible; use "
                     "cores= and threads= that are powers of 2",
                     value, last, VCPU_APIC_ID_MAX);
        return FALSE;
    }
    return TRUE;
}

static gboolean apply_smp(const char *value, GError **error)
{
    g_autoptr(json_object) options = setup_parse("smp", value, "cpus", error);
    uint64_t cpus, sockets, cores, threads, maximum;

    if (!options || !take_count(options, "cpus", &cpus, error) ||
        !take_count(options, "sockets", &sockets, error) ||
        !take_count(options, "cores", &cores, error) ||
        !take_count(options, "threads", &threads, error) ||
        !take_count(options, "maxcpus", &maximum, error) || !take_levels(options, error) ||
        !options_check_empty(options, "-smp",
                             "cpus, sockets, dies, clusters, cores, threads, maxcpus", error)) {
        return FALSE;
    }
    if (!cpus) {
        cpus = maximum; /* all of them, then, are there from the start */
    }
    complete(&cpus, &sockets, &cores, &threads);
    if (sockets * cores * threads != cpus) {
        vm_error_set(error,
                     "-smp %s: %" G_GUINT64_FORMAT " sockets with %" G_GUINT64_FORMAT
                     " cores of %" G_GUINT64_FORMAT " threads are not %" G_GUINT64_FORMAT " CPUs",
                     value, sockets, cores, threads, cpus);
        return FALSE;
    }
    if (maximum && maximum != cpus) {
        vm_error_set(error,
                     "-smp %s: maxcpus=%" G_GUINT64_FORMAT
                     ": CPUs cannot be added later; it must be %" G_GUINT64_FORMAT,
                     value, maximum, cpus);
        return FALSE;
    }
    const VcpuTopology topology = {
        .count = (guint)cpus,
        .sockets = (guint)sockets,
        .cores = (guint)cores,
        .threads = (guint)threads,
    };
    return check_numbers(value, &topology, error);
}

/* --- what follows --- */

/* One key of -action: the position of its word in @words, which ends with NULL. */
static gboolean take_choice(json_object *options, const char *key, const char *const *words,
                            int *choice, GError **error)
{
    g_autofree char *word = options_take(options, key);

    if (!word) {
        return TRUE;
    }
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], word) == 0) {
            *choice = i;
            return TRUE;
        }
    }
    g_autofree char *known = g_strjoinv(" or ", (char **)words);
    vm_error_set(error, "-action %s=%s: expected %s", key, word, known);
    return FALSE;
}

static gboolean apply_action(const char *value, GError **error)
{
    static const char *const reboots[] = {"reset", "shutdown", NULL};
    static const char *const shutdowns[] = {"poweroff", "pause", NULL};
    static const char *const panics[] = {"shutdown", "exit-failure", "pause", "none", NULL};
    static const char *const watchdogs[] = {"reset", "shutdown", "poweroff", "inject-nmi",
                                            "pause", "debug",    "none",     NULL};
    g_autoptr(json_object) options = setup_parse("action", value, NULL, error);
    int reboot = -1;
    int shutdown = -1;
    int panic = -1;
    int watchdog = -1;

    if (!options || !take_choice(options, "reboot", reboots, &reboot, error) ||
        !take_choice(options, "shutdown", shutdowns, &shutdown, error) ||
        !take_choice(options, "panic", panics, &panic, error) ||
        !take_choice(options, "watchdog", watchdogs, &watchdog, error) ||
        !options_check_empty(options, "-action", "reboot, shutdown, panic, watchdog", error)) {
        return FALSE;
    }
    if (reboot >= 0) {
        run_state_set_reboot_action((RebootAction)reboot);
    }
    if (shutdown >= 0) {
        run_state_set_shutdown_action((ShutdownAction)shutdown);
    }
    if (panic >= 0) {
        run_state_set_panic_action((PanicAction)panic);
    }
    return TRUE; /* and no watchdog ever expires: there is none */
}

gboolean setup_cpus(const GArray *items, GError **error)
{
    if (command_line_has(items, "no-reboot")) {
        run_state_set_reboot_action(REBOOT_SHUTS_DOWN);
    }
    if (command_line_has(items, "no-shutdown")) {
        run_state_set_shutdown_action(SHUTDOWN_PAUSES);
    }
    return setup_each(items, "smp", apply_smp, error) &&
           setup_each(items, "cpu", cpu_model_choose, error) &&
           setup_each(items, "action", apply_action, error);
}
